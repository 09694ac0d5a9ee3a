"""The file system that ostree deploys to: changing it where it is read-only, working on a deployment by its path."""

from converge.system.sysroot.base import SYSROOT
from converge.system.sysroot.composed import composed
from converge.system.sysroot.read_only import change, is_read_only

__all__ = ["SYSROOT", "change", "composed", "is_read_only"]
