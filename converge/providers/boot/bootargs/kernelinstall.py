"""/etc/kernel/cmdline, out of which kernel-install(8) makes the boot entry of each kernel; so with systemd-boot.

Entries that are there are made anew after a change, by kernel-install itself: only that knows what they are made of,
be it a text or an image that holds a kernel and its arguments in one.
"""

import re
from collections.abc import Iterator, Sequence

from converge.errors import ProviderError
from converge.providers.boot.bootargs.base import History, Part, boot_entries, split
from converge.system import ReadOnlySystem, System, bootentries

PATH = "/etc/kernel/cmdline"
TIME_LIMIT = 900.0
"""Seconds for the entry of one kernel: its initial RAM disk may be made anew with it."""

_GRUB = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
_MODULES = "/usr/lib/modules"


def rules(system: ReadOnlySystem) -> bool:
    """Where there is GRUB's configuration as well, it counts only if there are entries that are made from it."""
    return system.stat(PATH) is not None and (bool(boot_entries(system)) or not any(map(system.stat, _GRUB)))


def read(system: ReadOnlySystem) -> tuple[Part, ...]:
    lines = _text(system.read(PATH) or b"").splitlines()
    return (split(" ".join(line for line in lines if not _is_comment(line))),)


read_lasting = read


def require_changeable(system: ReadOnlySystem) -> None:
    """They can be at any time."""


def history(system: ReadOnlySystem) -> History:  # noqa: ARG001  (the protocol's)
    return History()


def write(system: System, parts: Sequence[Part], otherwise: Sequence[Part]) -> None:
    before = system.read(PATH) or b""
    _put(system, parts[0])
    try:
        _make_entries(system)
        _require_made(system, otherwise[0], parts[0])
    except ProviderError:
        system.write(PATH, before)
        _put(system, otherwise[0])  # so that the next run finds it undone
        raise


def _put(system: System, part: Part) -> None:
    lines = _text(system.read(PATH) or b"").splitlines()
    if read(system) != (part,):
        text = "".join(f"{line}\n" for line in (*filter(_is_comment, lines), " ".join(part)))
        system.write(PATH, text.encode("utf-8", "surrogateescape"))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _make_entries(system: System) -> None:
    """Make the entries of the kernels that have one; a kernel that was left without stays so."""
    for version, image in _kernels(system):
        if _entries_of(system, version):
            system.run(["kernel-install", "add", version, image], view="inside", timeout=TIME_LIMIT).require()


def _require_made(system: ReadOnlySystem, before: Part, after: Part) -> None:
    """ProviderError for an entry without the change: kernel-install passes over what it was not told to look after."""
    for version, _ in _kernels(system):
        for path in _entries_of(system, version):
            options = set(_options(system, path)) if path.endswith(".conf") else set(after)
            if set(after) - set(before) - options or (set(before) - set(after)) & options:
                hint = "`kernel-install --verbose add` tells why; the layout may be set in /etc/kernel/install.conf"
                raise ProviderError(f"kernel-install did not make {path} anew", hint=hint)


def _options(system: ReadOnlySystem, path: str) -> Part:
    """The arguments in a boot loader entry; they may stand in several lines."""
    return split(bootentries.options(bootentries.parsed(system.read(path) or b"")))


def _entries_of(system: ReadOnlySystem, version: str) -> tuple[str, ...]:
    """The name of an entry ends in the kernel's version, and may go on with how often it is tried (UAPI.1)."""
    named = re.compile(rf".*[-/]{re.escape(version)}(\+\d+(-\d+)?)?\.(conf|efi)")
    return tuple(path for path in boot_entries(system) if named.fullmatch(path))


def _kernels(system: ReadOnlySystem) -> Iterator[tuple[str, str]]:
    """The installed kernels by version, and the image of each: systemd's place for it, or Debian's."""
    for version in system.list_folder(_MODULES):
        images = (f"{_MODULES}/{version}/vmlinuz", f"/boot/vmlinuz-{version}")
        image = next((path for path in images if system.stat(path)), None)
        if image:
            yield version, image
