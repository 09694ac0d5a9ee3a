"""`python -m converge`."""

from converge.cli.app import main

if __name__ == "__main__":
    main()
