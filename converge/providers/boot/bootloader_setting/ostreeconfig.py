"""How ostree writes boot loader entries: the group `sysroot` in the repository's configuration (ostree.repo-config(5)).

libostree cannot open a repository with a value of `bootloader` that it does not know, so only values that all versions
know are written.
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
    """It can always be changed, even if /sysroot is read-only."""


def write(system: System, setting: str, value: str | None) -> None:
    group, _, key = setting.partition(".")
    config = ostree.load(system, path(system))
    if value is None:
        config.unset(group, key)
    else:
        config.set(group, key, value)
    system.write(ostree.CONFIG, config.dump())
