"""System users and groups."""
