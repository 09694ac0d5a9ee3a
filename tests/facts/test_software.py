import struct
from pathlib import Path

import pytest

from converge.facts import software
from converge.facts.fact import Origin
from converge.facts.software import FACTS, PROBES
from converge.model import LOWEST_VERSION, Event, Unknown, Version
from converge.system import ReadOnlySystem
from converge.system.root import Place
from tests.facts.root import link, put, source

CHECKSUM = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("name", "files", "expected"),
    [
        ("os.id", {"etc/os-release": "ID=meadow\n"}, "meadow"),
        ("os.id", {"usr/lib/os-release": 'ID="meadow"\n'}, "meadow"),
        ("os.id", {}, "linux"),
        ("os.version", {"etc/os-release": "VERSION_ID='3.8.0'\n"}, Version("3.8.0")),
        ("os.version", {"etc/os-release": "VERSION_ID=3\nIMAGE_VERSION=3.1\n"}, Version("3.1")),
        ("os.variant", {"etc/os-release": "# VARIANT_ID=no\nNAME=A B\nVARIANT_ID=school\n"}, "school"),
        ("os.variant", {"etc/os-release": 'NAME="open\nVARIANT_ID=school\n'}, "school"),
        ("os.variant", {"etc/os-release": "ID=x\n"}, None),
        ("locale.language", {"etc/locale.conf": "LANG=de_AT.UTF-8\n"}, "de"),
        ("locale.territory", {"etc/locale.conf": 'LANG="de_AT.UTF-8"\n'}, "AT"),
        ("locale.territory", {"etc/default/locale": "LANG=es_419\n"}, "419"),
        ("locale.territory", {"etc/locale.conf": "LANG=eo\n"}, None),
        ("locale.language", {"etc/locale.conf": "LANG=C.UTF-8\n"}, None),
        ("locale.language", {}, None),
        ("deployment.checksum", {}, None),
        ("deployment.staged", {"run/ostree/staged-deployment": ""}, True),
        ("deployment.staged", {}, False),
        ("deployment.booted", {"run/ostree-booted": ""}, True),
    ],
)
def test_fact_from_files(tmp_path: Path, name: str, files: dict[str, str | bytes], expected: object) -> None:
    put(tmp_path, files)
    assert FACTS[name].gather(source(tmp_path)) == expected


def test_deployment_known_by_its_folder(tmp_path: Path) -> None:
    root = tmp_path / "ostree/deploy/meadow/deploy" / f"{CHECKSUM}.1"
    root.mkdir(parents=True)
    assert software.checksum(ReadOnlySystem(str(root))) == CHECKSUM


class Booted(ReadOnlySystem):
    """A temporary root in the role of the running system."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.live = True

    def _sight(self, doing: str, path: str, *, follow: bool = True) -> Place:
        return Place(self._descriptor, doing, path, follow=follow)  # a live root would read the host's files


def test_booted_deployment_has_the_folder_of_the_root(tmp_path: Path) -> None:
    deployments = "sysroot/ostree/deploy/meadow/deploy"
    put(
        tmp_path,
        {"run/ostree-booted": "", f"{deployments}/{'f' * 64}.0/x": "", f"{deployments}/{'f' * 64}.0.origin": ""},
    )
    link(tmp_path, f"{deployments}/{CHECKSUM}.0", "/")
    assert software.checksum(Booted(tmp_path)) == CHECKSUM


def test_booted_deployment_under_composefs_read_from_ostree(tmp_path: Path) -> None:
    folder = tmp_path / "sysroot/ostree/deploy/meadow/deploy" / f"{CHECKSUM}.0"
    folder.mkdir(parents=True)
    found = folder.stat()
    key = b"backing-root-device-inode\0".ljust(32, b"\0")
    entry = key + struct.pack("=QQ", found.st_dev, found.st_ino) + b"\0(tt)" + bytes([26])
    put(tmp_path, {"run/ostree-booted": b"composefs\0\0\0\0\0\0\0\1\0b\x0a".ljust(24, b"\0") + entry})
    assert software.checksum(Booted(tmp_path)) == CHECKSUM


def test_system_without_ostree_has_no_checksum(tmp_path: Path) -> None:
    assert software.checksum(Booted(tmp_path)) is None


def test_fact_from_ledger(tmp_path: Path) -> None:
    known = source(tmp_path, Origin(Event.UPGRADE, LOWEST_VERSION, Version("3.7")))
    names = ("installed.event", "installed.version", "previous.version")
    assert [FACTS[name].gather(known) for name in names] == ["upgrade", LOWEST_VERSION, Version("3.7")]
    assert all(isinstance(FACTS[name].gather(source(tmp_path)), Unknown) for name in names)


def test_links_followed_inside_the_root(tmp_path: Path) -> None:
    put(tmp_path, {"etc/here": ""})
    link(tmp_path, "good", "/etc/here")
    link(tmp_path, "bad", "/etc/os-release")
    found = source(tmp_path)
    assert [PROBES["exists"].gather(found, path) for path in ("/good", "/bad", "/etc")] == [True, False, True]
    assert PROBES["glob"].gather(found, "/etc/h*") == ("/etc/here",)


@pytest.mark.parametrize(
    ("ref", "branch"),
    [
        ("org.gimp.GIMP", "stable"),
        ("org.gimp.GIMP//stable", "stable"),
        ("app/org.gimp.GIMP", "stable"),
        ("org.gimp.GIMP/x86_64/stable", "stable"),
        ("app/org.gimp.GIMP/x86_64/stable", "stable"),
        ("org.gimp.GIMP/x86_64", "stable"),
        ("runtime/org.gimp.GIMP", None),
        ("org.gimp.GIMP//beta", None),
        ("org.gimp", None),
        ("*", None),
    ],
)
def test_flatpak_found_by_any_of_its_names(tmp_path: Path, ref: str, branch: str | None) -> None:
    put(tmp_path, {"var/lib/flatpak/app/org.gimp.GIMP/x86_64/stable/active/deploy": b"flathub\0rest"})
    origin = None if branch is None else "flathub"
    expected = {"installed": branch is not None, "origin": origin, "branch": branch}
    assert PROBES["flatpak"].gather(source(tmp_path), ref) == expected


def test_flatpaks_and_remotes(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "var/lib/flatpak/app/b.b.b/x86_64/stable/active/deploy": b"flathub\0",
            "var/lib/flatpak/runtime/a.a.a/x86_64/23.08/active/deploy": b"flathub\0",
            "var/lib/flatpak/repo/config": '[core]\n[remote "flathub"]\nurl=x\n',
            "ostree/repo/config": '[core]\n[remote "os"]\nurl=x\n',
            "etc/ostree/remotes.d/more.conf": '[remote "more"]\nurl=x\n[remote "os"]\n',
            "etc/ostree/remotes.d/ignored.txt": "nonsense",
        },
    )
    found = source(tmp_path)
    assert PROBES["flatpaks"].gather(found) == ("app/b.b.b/x86_64/stable", "runtime/a.a.a/x86_64/23.08")
    assert PROBES["flatpak_remotes"].gather(found) == ("flathub",)
    assert PROBES["ostree_remotes"].gather(found) == ("os", "more")
