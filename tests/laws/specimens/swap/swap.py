from typing import Any

from converge.system import System
from converge.system.unitfiles import CONFIG
from tests.laws.workshop import Workshop, make

PATH = "/var/swap/swapfile"
MIB = 1 << 20
UNIT = "var-swap-swapfile.swap"


def new_file(_: System, __: Workshop) -> dict[str, Any]:
    return {"path": PATH, "size": "2MiB", "priority": 5, "discard": "once"}


def new_file_in_fstab(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/fstab", b"LABEL=root / ext4 defaults 0 1")
    return {"path": "/a swap\\file", "size": 2 * MIB, "at_boot": "fstab", "priority": 0, "discard": "both"}


def share_of_the_disk(_: System, __: Workshop) -> dict[str, Any]:
    return {"path": PATH, "percent": 1, "minimum": "1MiB", "maximum": "3MiB", "at_boot": "never"}


def grown(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "swap", path=PATH, size="2MiB", priority=5)
    return {"path": PATH, "size": "3MiB", "priority": 6}


def shrunk_and_moved_to_fstab(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "swap", path=PATH, size="3MiB", discard="pages")
    return {"path": PATH, "size": "2MiB", "at_boot": "fstab"}


def file_with_holes(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "swap", path=PATH, size="1MiB", at_boot="never")
    with open(system.root + PATH, "r+b") as file:
        file.truncate(2 * MIB)
    return {"path": PATH, "size": "2MiB"}


def unit_of_somebody_else(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "swap", path=PATH, size="1MiB", at_boot="never")
    system.write(f"{CONFIG}/{UNIT}", b"[Swap]\nWhat=/var/swap/swapfile\nOptions=nofail,discard\nTimeoutSec=5\n")
    return {"path": PATH, "size": "1MiB", "priority": 7, "discard": "pages"}


def line_of_somebody_else(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "swap", path=PATH, size="1MiB", at_boot="never")
    system.write("/etc/fstab", f"# swap\n{PATH}\tnone swap sw,pri=3 0 0\n".encode())
    return {"path": PATH, "size": "1MiB", "at_boot": "fstab", "priority": 4}


def line_of_somebody_else_that_goes(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "swap", path=PATH, size="1MiB", at_boot="never")
    system.write("/etc/fstab", f"{PATH} swap swap\n".encode())
    return {"path": PATH, "ensure": "absent"}


def line_that_the_boot_passes_over(system: System, _: Workshop) -> dict[str, Any]:
    system.write("/etc/fstab", f"{PATH} none swap noauto,pri=3 0 0\n".encode())
    return {"path": PATH, "size": "1MiB", "at_boot": "fstab"}


def masked_unit(system: System, _: Workshop) -> dict[str, Any]:
    system.make_link(f"{CONFIG}/{UNIT}", "/dev/null")
    return {"path": PATH, "size": "1MiB"}


def unit_about_another_place(system: System, _: Workshop) -> dict[str, Any]:
    system.write(f"{CONFIG}/{UNIT}", b"[Swap]\nWhat=/dev/sda5\nPriority=4\n")
    system.make_link(f"{CONFIG}/swap.target.requires/{UNIT}", f"{CONFIG}/{UNIT}")
    return {"path": PATH, "size": "1MiB", "priority": 5}


def behind_links(system: System, _: Workshop) -> dict[str, Any]:
    """/home is a link to /var/home, and the file is a link to another place."""
    make(system, "swap", path="/var/big/file", size="1MiB", at_boot="never")
    system.make_link("/var/home/swapfile", "../big/file")
    system.make_link("/home", "var/home")
    return {"path": "/home/swapfile", "size": "2MiB"}


def removed_behind_a_link(system: System, _: Workshop) -> dict[str, Any]:
    params = behind_links(system, _)
    make(system, "swap", **params)
    return {**params, "ensure": "absent"}


def dangling_link(system: System, _: Workshop) -> dict[str, Any]:
    system.make_link(PATH, "elsewhere/file")
    return {"path": PATH, "size": "1MiB"}


def open_to_all(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "swap", path=PATH, size="1MiB")
    system.set_mode(PATH, 0o644)
    return {"path": PATH, "size": "2MiB"}


def removed(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "swap", path=PATH, size="1MiB")
    return {"path": PATH, "ensure": "absent"}


def unit_left_behind(system: System, _: Workshop) -> dict[str, Any]:
    """As after a rollback: the file is missing, and an older /etc has its unit."""
    make(system, "swap", path=PATH, size="1MiB")
    system.delete(PATH)
    return {"path": PATH, "ensure": "absent"}


def partition(_: System, __: Workshop) -> dict[str, Any]:
    return {"device": "PARTLABEL=swap 2", "priority": -1}


def partition_no_more(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "swap", device="LABEL=swap", at_boot="fstab")
    return {"device": "LABEL=swap", "ensure": "absent"}


SPECIMENS = (
    behind_links,
    dangling_link,
    file_with_holes,
    grown,
    line_of_somebody_else,
    line_of_somebody_else_that_goes,
    line_that_the_boot_passes_over,
    masked_unit,
    new_file,
    new_file_in_fstab,
    open_to_all,
    partition,
    partition_no_more,
    removed,
    removed_behind_a_link,
    share_of_the_disk,
    shrunk_and_moved_to_fstab,
    unit_about_another_place,
    unit_left_behind,
    unit_of_somebody_else,
)
