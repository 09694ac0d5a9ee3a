"""/etc/kernel/cmdline, from which kernel-install(8) generates the boot entry of each kernel, as with systemd-boot.

After a change kernel-install generates the existing entries again, because only it knows their form: a text, or an
image that contains a kernel and its arguments.
"""

import re
from collections.abc import Iterator, Sequence

from converge.errors import ProviderError
from converge.providers.boot.bootargs.arguments import Part, split
from converge.providers.boot.bootargs.place import History, boot_entries
from converge.system import ReadOnlySystem, System, bootentries

PATH = "/etc/kernel/cmdline"
TIME_LIMIT = 900.0
"""Seconds for the entry of one kernel: its initial RAM disk may be generated with it."""

_GRUB = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
_MODULES = "/usr/lib/modules"


def rules(system: ReadOnlySystem) -> bool:
    """If GRUB is configured as well, the file counts only if there are entries generated from it."""
    return system.stat(PATH) is not None and (bool(boot_entries(system)) or not any(map(system.stat, _GRUB)))


def read(system: ReadOnlySystem) -> tuple[Part, ...]:
    lines = _text(system.read(PATH) or b"").splitlines()
    return (split(" ".join(line for line in lines if not _is_comment(line))),)


read_lasting = read


def require_changeable(system: ReadOnlySystem) -> None:
    """They can always be changed."""


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
        _put(system, otherwise[0])  # so that the next run does it again
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
    """Generate the existing entries; a kernel without an entry gets none."""
    for version, image in _kernels(system):
        if _entries_of(system, version):
            system.run(["kernel-install", "add", version, image], view="inside", timeout=TIME_LIMIT).require()


def _require_made(system: ReadOnlySystem, before: Part, after: Part) -> None:
    """ProviderError for an entry without the change: kernel-install ignores entries of another layout."""
    for version, _ in _kernels(system):
        for path in _entries_of(system, version):
            options = set(_options(system, path)) if path.endswith(".conf") else set(after)
            if set(after) - set(before) - options or (set(before) - set(after)) & options:
                hint = "run `kernel-install --verbose add` for the reason; check `layout` in /etc/kernel/install.conf"
                raise ProviderError(f"kernel-install did not update {path}", hint=hint)


def _options(system: ReadOnlySystem, path: str) -> Part:
    """The arguments in a boot loader entry, which may have several lines of them."""
    return split(bootentries.options(bootentries.parsed(system.read(path) or b"")))


def _entries_of(system: ReadOnlySystem, version: str) -> tuple[str, ...]:
    """The name of an entry ends in the kernel's version, and possibly a counter of tries (UAPI.1)."""
    named = re.compile(rf".*[-/]{re.escape(version)}(\+\d+(-\d+)?)?\.(conf|efi)")
    return tuple(path for path in boot_entries(system) if named.fullmatch(path))


def _kernels(system: ReadOnlySystem) -> Iterator[tuple[str, str]]:
    """The version and image of each installed kernel; the image is at systemd's place, or at Debian's."""
    for version in system.list_folder(_MODULES):
        images = (f"{_MODULES}/{version}/vmlinuz", f"/boot/vmlinuz-{version}")
        image = next((path for path in images if system.stat(path)), None)
        if image:
            yield version, image
