"""File formats as pure text: parse, edit, write. No machine."""
