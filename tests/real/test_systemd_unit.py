"""converge reads units as the real systemctl does, and writes the same files and links."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from converge.providers.services import systemd_unit
from converge.system import System
from tests.machine import snapshot
from tests.real.converging import converge, state_of

pytestmark = pytest.mark.skipif(not shutil.which("systemctl"), reason="needs systemctl")

SERVICE = "[Service]\nExecStart=/usr/bin/true\n"
UNITS = {
    "plain.service": f"{SERVICE}[Install]\nWantedBy=multi-user.target graphical.target\n",
    "static.service": SERVICE,
    "aliased.service": f"{SERVICE}[Install]\nAlias=nick.service nack.service\n",
    "also.service": f"{SERVICE}[Install]\nAlso=also.socket\n",
    "also.socket": "[Socket]\nListenStream=/run/also\n[Install]\nRequiredBy=sockets.target\n",
    "odd.service": (
        f"{SERVICE}[Install]\n# WantedBy=a.target\n; Alias=b.service\nWantedBy = \\\n# no\n  multi-user.target \\\n "
        "basic.target\n[Other]\nAlias=c.service\n"
    ),
    "empty-install.service": f"{SERVICE}[Install]\nWantedBy=\n",
    "kiosk@.service": f"{SERVICE}[Install]\nWantedBy=multi-user.target\nAlias=seat@%i.service\nDefaultInstance=hall\n",
    "by-drop-in.service": SERVICE,
    "vendor-masked.service": "",
}
NAMES = (*(name for name in UNITS if "@" not in name), "nick.service", "kiosk@hall.service", "none.service")
BEFORE: dict[str, Sequence[str]] = {
    "as shipped": (),
    "enabled": ("enable plain.service aliased.service also.service odd.service kiosk@hall.service by-drop-in.service",),
    "masked": ("mask plain.service static.service none.service also.socket kiosk@hall.service",),
    "enabled under a mask": ("enable plain.service", "mask plain.service"),
    "enabled by hand": ("add-wants basic.target static.service plain.service none.service",),
    "overridden": ("enable plain.service", "write plain.service", "write static.service"),
    "linked": ("write ../linked.service", "link /etc/systemd/linked.service", "link-as plain.service other.service"),
    "an instance's template masked": ("enable kiosk@hall.service", "mask kiosk@.service"),
    "emptied": ("empty plain.service",),
    "dangling": ("dangle plain.service", "dangle none.service"),
}


def build(root: Path) -> System:
    folder = root / "usr/lib/systemd/system"
    (folder / "by-drop-in.service.d").mkdir(parents=True)
    for name, text in UNITS.items():
        (folder / name).write_text(text)
    (folder / "by-drop-in.service.d/install.conf").write_text("[Install]\nWantedBy=multi-user.target\n")
    (folder / "vendors-nick.service").symlink_to("plain.service")
    for name in ("etc/systemd/system", "var", "run"):
        (root / name).mkdir(parents=True)
    return System(str(root))


def systemctl(root: Path, *words: str) -> str:
    done = subprocess.run(["systemctl", f"--root={root}", *words], check=False, capture_output=True, text=True)
    return done.stdout.strip()


def prepare(root: Path, before: str) -> System:
    system = build(root)
    config = root / "etc/systemd/system"
    for step in BEFORE[before]:
        verb, *words = step.split()
        match verb:
            case "write":
                (config / words[0]).write_text(f"{SERVICE}[Install]\nWantedBy=timers.target\n")
            case "empty":
                (config / words[0]).touch()
            case "dangle":
                (config / words[0]).symlink_to("/nowhere/" + words[0])
            case "link-as":
                (config / words[1]).symlink_to(f"/usr/lib/systemd/system/{words[0]}")
            case _:
                systemctl(root, verb, *words)
    return system


@pytest.mark.parametrize("name", [*NAMES, "linked.service", "other.service", "vendors-nick.service"])
@pytest.mark.parametrize("before", BEFORE)
def test_state_is_the_one_of_systemctl(before: str, name: str, tmp_path: Path) -> None:
    system = prepare(tmp_path, before)
    printed = systemctl(tmp_path, "is-enabled", name)
    found = state_of(systemd_unit, system, name=name, without_drop_ins=["none"])
    assert found["masked"] == (printed == "masked"), printed
    if printed != "masked":
        assert found["enabled"] == (printed == "enabled"), printed


def test_empty_unit_file_is_unmasked(tmp_path: Path) -> None:
    system = prepare(tmp_path, "emptied")
    converge(systemd_unit, system, name="plain.service", masked=False)


@pytest.mark.parametrize(
    ("before", "name", "wanted", "words"),
    [
        ("as shipped", "plain.service", {"enabled": True}, ["enable"]),
        ("as shipped", "aliased.service", {"enabled": True}, ["enable"]),
        ("as shipped", "odd.service", {"enabled": True}, ["enable"]),
        ("as shipped", "kiosk@hall.service", {"enabled": True}, ["enable"]),
        ("as shipped", "by-drop-in.service", {"enabled": True}, ["enable"]),
        ("enabled", "aliased.service", {"enabled": False}, ["disable"]),
        ("enabled", "kiosk@hall.service", {"enabled": False}, ["disable"]),
        ("as shipped", "none.service", {"masked": True}, ["mask"]),
        ("masked", "plain.service", {"masked": False}, ["unmask"]),
    ],
)
def test_files_and_links_are_those_of_systemctl(
    before: str, name: str, wanted: dict[str, bool], words: list[str], tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    system = prepare(ours, before)
    prepare(theirs, before)
    converge(systemd_unit, system, name=name, **wanted)
    systemctl(theirs, *words, name)
    assert snapshot(ours / "etc") == snapshot(theirs / "etc")


PRESETS = {
    "etc/systemd/system-preset/50-site.preset": "# ours\nenable plain.service\n",
    "usr/lib/systemd/system-preset/10-vendor.preset": (
        "; theirs\nenable kiosk@.service hall porch\ndisable al[is]*.service\nenable al*\n"
    ),
    "usr/lib/systemd/system-preset/50-site.preset": "disable plain.service\n",
    "lib/systemd/system-preset/99-default.preset": "disable *\n",
    "usr/local/lib/systemd/system-preset/60-hidden.preset": "enable empty-install.service\n",
}


@pytest.mark.parametrize("name", ["kiosk@yard.service", *sorted(UNITS.keys() - {"kiosk@.service", "also.service"})])
@pytest.mark.parametrize("before", ["as shipped", "enabled"])
@pytest.mark.parametrize("has_presets", [True, False])
def test_preset_is_applied_as_systemctl_does(name: str, before: str, has_presets: bool, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for root in (ours, theirs):
        prepare(root, before)
        for path, text in PRESETS.items() if has_presets else ():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
    (theirs / "etc/systemd/system-preset").mkdir(exist_ok=True)
    (ours / "etc/systemd/system-preset").mkdir(exist_ok=True)
    converge(systemd_unit, System(str(ours)), name=name, preset=True)
    systemctl(theirs, "preset", name)
    assert snapshot(ours / "etc") == snapshot(theirs / "etc")


VERIFIED = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
TARGETS = ("sysinit", "basic", "shutdown", "multi-user", "timers")
CLEANUP = {
    "cleanup.service": "[Unit]\nDescription=Clean up\n\n[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
    "cleanup.timer": "[Timer]\nOnCalendar=daily\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n",
}
READER = "[Service]\nExecStart=/usr/bin/true\n\n[Install]\nWantedBy=multi-user.target\nAlias=lector.service\n"
DROP_INS = {"limits": "[Service]\nMemoryMax=1G\nNice=5\n", "after": "[Unit]\nAfter=cleanup.service\n"}


def verify(root: Path, *names: str) -> str:
    """The errors that systemd-analyze(1) finds in units, their drop-ins and dependencies."""
    for target in TARGETS:
        (root / f"usr/lib/systemd/system/{target}.target").write_text(f"[Unit]\nDescription={target}\n")
    (root / "usr/bin").mkdir(exist_ok=True)
    (root / "usr/bin/true").touch(0o755)
    words = ["systemd-analyze", f"--root={root}", "--man=no", "--recursive-errors=yes", "verify", *names]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    return done.stderr.strip() or ("" if done.returncode == 0 else f"exit code {done.returncode}")


@VERIFIED
def test_written_units_are_valid_for_systemd(tmp_path: Path) -> None:
    system = build(tmp_path)
    for name, text in CLEANUP.items():
        converge(systemd_unit, system, name=name, content=text)
    converge(systemd_unit, system, name="cleanup.timer", enabled=True)
    converge(systemd_unit, system, name="reader.service", content=READER, enabled=True, drop_ins=DROP_INS)
    converge(systemd_unit, system, name="plain.service", enabled=True, drop_ins=DROP_INS)
    assert verify(tmp_path, "reader.service", "lector.service", "cleanup.timer", "plain.service") == ""


@VERIFIED
def test_written_drop_in_is_read_by_systemd(tmp_path: Path) -> None:
    """Otherwise the test above could pass because nothing was read."""
    converge(systemd_unit, build(tmp_path), name="plain.service", drop_ins={"x": "[Service]\nNoSuchKey=1\n"})
    assert "/plain.service.d/x.conf:2: Unknown key" in verify(tmp_path, "plain.service")
