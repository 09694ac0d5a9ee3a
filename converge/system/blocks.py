"""The blocks that a file has on the disk: for swap files, to which the kernel writes past the file system."""

import fcntl
import os
import struct
from collections.abc import Iterator

from converge.errors import ProviderError, shown
from converge.system.access import Looking
from converge.system.files import new_file
from converge.system.root import content
from converge.system.running import Running

_LONG = struct.calcsize("l")
_GET_FLAGS, _SET_FLAGS, _NO_COPY_ON_WRITE = 0x80006601 | _LONG << 16, 0x40006602 | _LONG << 16, 0x00800000
"""Of ioctl_iflags(2); a request's number has the size of a long, and takes an int."""
_FIEMAP, _SHARED, _LAST, _SYNC = 0xC020660B, 0x2000, 0x1, 0x1
"""Of the kernel's filesystems/fiemap, in <linux/fiemap.h>."""
_MAP, _EXTENT, _EXTENTS = struct.Struct("=QQIIII"), struct.Struct("=QQQ16xI12x"), 64


class Blocks(Looking):
    def is_written_in_place(self, path: str, *, by_flag: bool) -> bool:
        """Whether writes to a file go to the blocks that it has, and it shares none with a copy or a snapshot of it.

        `by_flag`: on a file system on which a file has to be marked for that (chattr(1), attribute C).
        """
        with self._place("examine", path) as place, content(place) as descriptor:
            marked = not by_flag or bool(_flags(descriptor) & _NO_COPY_ON_WRITE)
            return marked and not any(flags & _SHARED for flags in _extents(descriptor))


class SwapFiles(Running):
    def make_swap_file(self, path: str, size: int, *, no_copy_on_write: bool = False) -> None:
        """Make a swap file of `size` bytes, with all its blocks and a signature, for root alone.

        An existing file is a ProviderError. `no_copy_on_write` is for file systems that would otherwise never write in
        place (btrfs(5), swapfile support).
        """
        with self._new_place("make", path) as place:
            self._refuse_default_folder(place.path)
            if place.stat is not None:
                raise ProviderError(f"{shown(path)} already exists")
            with new_file(place) as (name, descriptor):
                if no_copy_on_write:  # an empty file alone can be marked for it (chattr(1))
                    flags = struct.pack("i", _flags(descriptor) | _NO_COPY_ON_WRITE)
                    fcntl.ioctl(descriptor, _SET_FLAGS, flags)
                os.posix_fallocate(descriptor, 0, size)
                temporary = f"{place.path.rpartition('/')[0]}/{name}"
                self.run(["mkswap", "{root}" + temporary], view="beside").require()


def _flags(descriptor: int) -> int:
    flags: int = struct.unpack("i", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(4)))[0]
    return flags


def _extents(descriptor: int) -> Iterator[int]:
    """The flags of each extent of a file."""
    start, flags = 0, 0
    while not flags & _LAST:
        found = bytearray(
            _MAP.pack(start, (1 << 64) - 1 - start, _SYNC, 0, _EXTENTS, 0) + bytes(_EXTENT.size * _EXTENTS)
        )
        fcntl.ioctl(descriptor, _FIEMAP, found)
        count = _MAP.unpack_from(found)[3]
        if not count:
            return
        for number in range(count):
            logical, _, length, flags = _EXTENT.unpack_from(found, _MAP.size + number * _EXTENT.size)
            start = logical + length
            yield flags
