"""Network connections."""
