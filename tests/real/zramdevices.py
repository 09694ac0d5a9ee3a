"""zram devices of the running kernel. Each test adds its own, because the existing ones belong to others."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real.loops import call

CONTROL = Path("/sys/class/zram-control")

needs_zram = pytest.mark.skipif(os.geteuid() != 0 or not CONTROL.exists(), reason="needs root and zram")


@contextmanager
def added() -> Iterator[str]:
    """A new device for the duration of a `with`; gives its name."""
    number = (CONTROL / "hot_add").read_text().strip()
    try:
        yield f"zram{number}"
    finally:
        subprocess.run(["swapoff", f"/dev/zram{number}"], check=False, capture_output=True)
        (CONTROL / "hot_remove").write_text(number)


def of(device: str, name: str) -> str:
    return Path(f"/sys/block/{device}/{name}").read_text().strip()


def algorithms(device: str) -> list[str]:
    """The algorithms that the kernel has."""
    return of(device, "comp_algorithm").replace("[", "").replace("]", "").split()


def chosen(device: str) -> str:
    (name,) = re.findall(r"\[(.*)\]", of(device, "comp_algorithm"))
    return str(name)


def swap(device: str) -> list[str]:
    """The line of a device in /proc/swaps, without the used size: path, kind, size in KiB, priority."""
    lines = [line.split() for line in Path("/proc/swaps").read_text().splitlines()[1:]]
    return next(([*line[:3], line[4]] for line in lines if line[0] == os.path.join("/dev", device)), [])


def swap_to(device: str, size: str, *, algorithm: str = "lzo-rle", priority: int = 100) -> None:
    """Use the device as swap, as another program would; `size` is in the kernel's format, such as 16M."""
    Path(f"/sys/block/{device}/reset").write_text("1")
    Path(f"/sys/block/{device}/comp_algorithm").write_text(algorithm)
    Path(f"/sys/block/{device}/disksize").write_text(size)
    call("mkswap", f"/dev/{device}")
    call("swapon", f"--priority={priority}", f"/dev/{device}")
