"""Files, folders, links, and parts of files."""
