"""The file system that ostree deploys to: changing it although it is read-only, working on a deployment by its path."""

from converge.system.sysroot.base import SYSROOT
from converge.system.sysroot.composed import composed
from converge.system.sysroot.read_only import change_apart, is_read_only, reaching_sysroot

__all__ = ["SYSROOT", "change_apart", "composed", "is_read_only", "reaching_sysroot"]
