"""The partition table of a disk: what it says, what it is to become, and having the disk and the kernel have it so."""
