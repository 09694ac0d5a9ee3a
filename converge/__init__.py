"""converge brings a machine to the state that its product declares."""

__version__ = "0.1.0"
