"""The partition table of a disk: read it, compute the new one, and update the disk and the kernel."""
