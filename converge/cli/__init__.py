"""The command line: app.py puts the verbs together, each of which has a file of its own."""
