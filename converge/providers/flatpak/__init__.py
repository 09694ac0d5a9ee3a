"""Flatpak remotes and apps."""
