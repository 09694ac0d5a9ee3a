"""Kernel arguments and the boot loader."""
