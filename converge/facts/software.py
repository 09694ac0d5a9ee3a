"""Facts from the files of the root: the OS, its deployment, locale, files, flatpaks and remotes."""

import re
import shlex
from collections.abc import Iterator, Mapping

from converge.facts.fact import Fact, Probe, Source, text_of
from converge.language.expressions import BOOLEAN, TEXT, TEXTS, VERSION, Found, optional, record
from converge.model import Unknown, Version
from converge.system import ReadOnlySystem, flatpak, ostree

_LOCALES = ("/etc/locale.conf", "/etc/default/locale")  # systemd's, Debian's
_LOCALE = re.compile(r"(?P<language>[a-z]{2,3})(?:_(?P<territory>[A-Z]{2}|[0-9]{3}))?(?:[.@].*)?")
_DEPLOYMENT = re.compile(r"(?P<checksum>[0-9a-f]{64})\.[0-9]+")


def assignments(text: str) -> Mapping[str, str]:
    """The variables of a file in shell syntax, such as os-release(5) or locale.conf(5)."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, is_set, value = line.strip().partition("=")
        if is_set and name.isidentifier():
            try:
                found[name] = "".join(shlex.split(value))
            except ValueError:
                continue  # unclosed quotes: a shell would refuse the line
    return found


def os_release(system: ReadOnlySystem) -> Mapping[str, str]:
    texts = (text_of(system, path) for path in ("/etc/os-release", "/usr/lib/os-release"))
    return assignments(next((text for text in texts if text is not None), ""))


def os_version(system: ReadOnlySystem) -> str | None:
    """The version of the image if the OS is built as an image, otherwise that of the OS."""
    found = os_release(system)
    return found.get("IMAGE_VERSION") or found.get("VERSION_ID") or None


def _id(source: Source) -> Found:
    return os_release(source.system).get("ID") or "linux"  # the default of os-release(5)


def _version(source: Source) -> Found:
    found = os_version(source.system)
    return Version(found) if found else Unknown("os-release contains no version")


def _variant(source: Source) -> Found:
    return os_release(source.system).get("VARIANT_ID") or None


def _locale(source: Source, part: str) -> Found:
    for path in _LOCALES:
        text = text_of(source.system, path)
        match = _LOCALE.fullmatch(assignments(text).get("LANG", "")) if text is not None else None
        if match:
            return match[part]
    return None


def checksum(system: ReadOnlySystem) -> str | None:
    """The ostree commit of the root; None if the root is not a deployment."""
    return _booted_checksum(system) if system.live else _checksum_in(system.root)


def _checksum_in(path: str) -> str | None:
    match = _DEPLOYMENT.fullmatch(path.rpartition("/")[2])
    return match["checksum"] if match else None


def _booted_checksum(system: ReadOnlySystem) -> str | None:
    """The deployment whose folder is `/`; the path in the kernel's `ostree=` may now be that of another one."""
    booted = system.read(ostree.BOOTED) is not None
    folder = ostree.deployment(system) if booted else None
    return _checksum_in(folder) if folder else None


def _checksum(source: Source) -> Found:
    return checksum(source.system)


def _staged(source: Source) -> Found:
    return source.system.stat(ostree.STAGED) is not None


def _booted(source: Source) -> Found:
    return source.system.stat(ostree.BOOTED) is not None


def _previous(source: Source) -> Found:
    found = source.origin.previous_version
    return Unknown("the ledger contains no previous version") if found is None else found


def _installed_version(source: Source) -> Found:
    found = source.origin.installed_version
    return Unknown("the ledger contains no installed version") if found is None else found


def _installed_event(source: Source) -> Found:
    found = source.origin.installed_event
    return Unknown("the ledger contains no installation event") if found is None else found.value


def _exists(source: Source, path: str) -> Found:
    return source.system.stat(path) is not None


def _glob(source: Source, pattern: str) -> Found:
    return source.system.glob(pattern)


def _refs(source: Source) -> tuple[flatpak.InstalledRef, ...]:
    return source.once("flatpaks", lambda source: flatpak.installed(source.system))


def _flatpak(source: Source, ref: str) -> Found:
    for found in _refs(source):
        if ref in _spellings(found):
            return {"installed": True, "origin": found.origin, "branch": found.branch}
    return {"installed": False, "origin": None, "branch": None}


def _spellings(ref: flatpak.InstalledRef) -> Iterator[str]:
    """Every way to write a ref, from the id alone to the full ref; arch and branch may be empty."""
    for arch in ("", ref.arch):
        for branch in ("", ref.branch):
            partial = f"{ref.id}/{arch}/{branch}"
            yield from (partial, f"{ref.kind}/{partial}")
    yield from (ref.id, f"{ref.kind}/{ref.id}", f"{ref.id}/{ref.arch}", f"{ref.kind}/{ref.id}/{ref.arch}")


def _flatpaks(source: Source) -> Found:
    return tuple(sorted(map(str, _refs(source))))


def _flatpak_remotes(source: Source) -> Found:
    return tuple(flatpak.remotes(source.system))


def _ostree_remotes(source: Source) -> Found:
    return ostree.remotes(source.system)


FACTS: Mapping[str, Fact] = {
    "os.id": Fact(TEXT, "The OS: ID in os-release.", _id),
    "os.version": Fact(VERSION, "The OS version: IMAGE_VERSION, or else VERSION_ID, in os-release.", _version),
    "os.variant": Fact(optional(TEXT), "The OS variant: VARIANT_ID in os-release.", _variant),
    "previous.version": Fact(
        VERSION, "The version before this one; lower than all on a machine that is older than converge.", _previous
    ),
    "installed.event": Fact(
        TEXT, "The first event: install, or upgrade on a machine that is older than converge.", _installed_event
    ),
    "installed.version": Fact(
        VERSION,
        "The first version of the machine; lower than all on a machine that is older than converge.",
        _installed_version,
    ),
    "deployment.checksum": Fact(optional(TEXT), "The ostree commit of the root; unset without ostree.", _checksum),
    "deployment.staged": Fact(BOOLEAN, "Whether a deployment is staged for the next boot.", _staged),
    "deployment.booted": Fact(BOOLEAN, "Whether the root is a booted ostree deployment.", _booted),
    "locale.language": Fact(
        optional(TEXT), "The system's language, such as de.", lambda source: _locale(source, "language")
    ),
    "locale.territory": Fact(
        optional(TEXT), "The system's territory, such as AT.", lambda source: _locale(source, "territory")
    ),
}

PROBES: Mapping[str, Probe] = {
    "exists": Probe("exists(path)", BOOLEAN, "Whether a path exists; symbolic links are followed.", _exists),
    "glob": Probe("glob(pattern)", TEXTS, "The paths that match a shell pattern.", _glob),
    "flatpak": Probe(
        "flatpak(ref)",
        record(installed=BOOLEAN, origin=optional(TEXT), branch=optional(TEXT)),
        "An app or runtime: .installed, .origin (its remote), .branch. A ref is an id, id//branch, or a full ref.",
        _flatpak,
    ),
    "flatpaks": Probe("flatpaks()", TEXTS, "The refs of all installed apps and runtimes.", _flatpaks),
    "flatpak_remotes": Probe("flatpak_remotes()", TEXTS, "The names of flatpak's remotes.", _flatpak_remotes),
    "ostree_remotes": Probe("ostree_remotes()", TEXTS, "The names of the OS repository's remotes.", _ostree_remotes),
}
