"""Results and findings, in each format that people and machines read. Nothing here decides or prints."""
