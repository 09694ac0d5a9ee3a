"""How ostree writes boot loader entries: the group `sysroot` in the repository's configuration (ostree.repo-config(5)).

A repository with a word for `bootloader` that this libostree does not know cannot be opened, so nothing else is written
than what all versions know.
"""

from converge.system import ReadOnlySystem, System, ostree

BOOTLOADERS = ("none", "auto", "grub2", "syslinux", "uboot", "zipl")


def path(system: ReadOnlySystem) -> str:
    ostree.require_repository(system)
    return ostree.CONFIG


def read(system: ReadOnlySystem, setting: str) -> str | None:
    group, _, key = setting.partition(".")
    return ostree.load(system, path(system)).get(group, key)


def require_changeable(system: ReadOnlySystem) -> None:
    """It can be at any time, also where /sysroot is read-only."""


def write(system: System, setting: str, value: str | None) -> None:
    group, _, key = setting.partition(".")
    config = ostree.load(system, path(system))
    if value is None:
        config.unset(group, key)
    else:
        config.set(group, key, value)
    system.write(ostree.CONFIG, config.dump())
