"""What we show is true: every product, every example and every manifest in README is validated, planned and applied."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from converge.checks import validate
from converge.diagnostics import Report
from converge.model import Event, Phase
from tests.machine import Machine, decisions, outcomes
from tests.programs import put_programs

TOP = Path(__file__).parent.parent
README = re.findall(r"^```yaml\n(.*?)^```", (TOP / "README.md").read_text(), re.DOTALL | re.MULTILINE)

EXPECTED: Mapping[str, Mapping[str, str]] = {
    "ansible": {"reading-room": "failed"},
    "bootloader-setting": {"ostree-writes-entries-only": "apply", "short-menu": "not-applicable"},
    "command": {"words": "apply", "dictionary": "apply", "count": "apply"},
    "compare-and-set": {"moved": "not-applicable", "collection": "not-applicable"},
    "directory": {
        "journal": "apply",
        "page-cache": "apply",
        "leftover": "baseline",
        "empty-leftover": "in-place",
    },
    "first-file": {"reader-settings": "apply"},
    "for-each": {
        "bookmarks[library]": "apply",
        "bookmarks[timetable]": "apply",
        "drop-ins[/etc/sudoers.d/wheel]": "apply",
    },
    "group": {"turntable": "apply", "phono": "baseline"},
    "hostname": {"name": "apply"},
    "inherited": {"reader-settings": "apply", "welcome": "apply"},
    "kernel-args": {"sensors": "apply", "consoles": "apply"},
    "keyfile": {
        "lid": "apply",
        "journal[Storage]": "apply",
        "journal[SystemMaxUse]": "apply",
        "no-old-key": "in-place",
    },
    "line": {"printer": "apply", "old-server": "in-place"},
    "locale": {"language": "apply"},
    "mend-at-upgrade": {"private-homes": "baseline"},
    "merge": {"editor": "apply"},
    "move": {"defaults": "in-place", "notes": "in-place"},
    "network-connection": {"guests": "apply", "desks": "apply", "lab": "apply", "tunnel": "apply"},
    "ostree-remote": {"one-place": "baseline", "os": "apply"},
    "parameters": {"issue": "apply", "cache": "owed"},
    "remote-and-app": {"apps": "apply", "paint": "not-applicable"},
    "user": {"audio": "apply", "radio": "apply", "stations": "apply"},
    "zram": {"compressed-swap": "owed"},
    "symlink": {"localtime": "apply"},
    "swap": {"old-swapfile": "in-place", "swapfile": "owed"},
    "swap-partition": {"room-for-swap": "owed", "no-swap-on-disk": "baseline"},
    "sysctl": {"forwarding": "apply", "strict-vlan": "apply", "no-old-swappiness": "in-place"},
    "systemd-unit": {
        "classroom": "apply",
        "little-memory": "owed",
        "telemetry": "apply",
        "journal-size": "apply",
        "journal": "not-applicable",
    },
    "timezone": {"zone": "apply"},
}
"""What is decided for each example's resources on a new machine."""

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "network-connection": {"guest_password": "open sesame", "desk_password": "hunter2"},
    "site": {"guest_password": "open sesame", "school_password": "hunter2", "room": "R1"},
}
"""What a manifest needs to be given."""

SHIPPED: Mapping[str, Mapping[str, str]] = {
    "base": {"issue": "apply", "meadow-apps": "apply", "apps-collection-id": "apply", "saned-permissions": "baseline"},
    "desktop": {"games[org.meadow.Chess]": "apply", "maps": "owed", "paint": "baseline", "welcome": "apply"},
    "oem": {"compressed-memory": "owed", "swap-partition": "baseline", "swap-file": "baseline"},
    "site": {"school-network": "apply", "guest-network": "apply", "cable": "apply", "bookmarks[library]": "apply"},
    "school": {"apps[org.meadow.Classroom]": "apply", "school-filter": "apply", "bookmarks[library]": "apply"},
}
"""Some of what is decided for each product's resources on a new machine."""


def manifests(folder: str) -> dict[str, Path]:
    """Per product its manifest."""
    paths = sorted((TOP / folder).glob("*.yaml"))
    return {path.stem: path for path in paths if "\nconverge: 1\n" in path.read_text()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine.make(tmp_path)
    put_programs(machine.root)
    drop_in = machine.path("/etc/sudoers.d/wheel")
    drop_in.parent.mkdir()
    drop_in.write_text("%wheel ALL=(ALL) ALL\n")
    zone = machine.path("/usr/share/zoneinfo/Europe/Vienna")
    zone.parent.mkdir(parents=True)
    zone.write_bytes(b"TZif2")
    arguments = machine.path("/etc/kernel/cmdline")
    arguments.parent.mkdir()
    arguments.write_text("root=LABEL=root ro nomodeset console=ttyS0\n")
    repository = machine.path("/ostree/repo/config")
    repository.parent.mkdir(parents=True)
    repository.write_text("[core]\nrepo_version=1\nmode=bare\n")
    return machine


def test_every_manifest_has_an_expectation() -> None:
    assert set(manifests("examples")) == set(EXPECTED)
    assert set(manifests("products")) == set(SHIPPED)


@pytest.mark.parametrize("folder", ["examples", "products"])
def test_they_are_valid(folder: str) -> None:
    report = Report()
    assert len(validate([str(TOP / folder)], [str(TOP / "products")], report)) == len(manifests(folder))
    assert list(report) == []


def test_the_files_of_administrators_are_valid() -> None:
    report = Report()
    validate([str(TOP / "products/site/site.yaml"), str(TOP / "examples/site.yaml")], [], report)
    assert list(report) == []


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_is_planned_as_its_comment_says(name: str, machine: Machine) -> None:
    machine.manifest, machine.settings = manifests("examples")[name], SETTINGS.get(name, {})
    assert decisions(machine.plan(Event.INSTALL)) == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {"ansible", "compare-and-set", "remote-and-app"}))
def test_an_example_is_applied_once(name: str, machine: Machine) -> None:
    machine.manifest, machine.settings = manifests("examples")[name], SETTINGS.get(name, {})
    assert "failed" not in outcomes(machine.apply(Event.INSTALL)).values()
    assert "changed" not in outcomes(machine.apply(Event.INSTALL)).values()


def test_example_of_site_is_decided_as_its_comment_says(machine: Machine) -> None:
    machine.manifest = manifests("examples")["parameters"]
    site = machine.path("/etc/converge/site.yaml")
    site.parent.mkdir()
    site.write_bytes((TOP / "examples/site.yaml").read_bytes())
    assert outcomes(machine.apply(Event.INSTALL)) == {"issue": "changed"}
    issue = machine.path("/etc/issue")
    assert issue.read_text() == "Good morning to test 3.7.4\n"
    assert issue.stat().st_mode & 0o777 == 0o600


def test_school_site_gets_its_administrators_values(machine: Machine) -> None:
    """As early in the boot: what needs a network waits for one."""
    machine.manifest = manifests("products")["site"]
    site = machine.path("/etc/converge/site.yaml")
    site.parent.mkdir()
    site.write_bytes((TOP / "products/site/site.yaml").read_bytes())
    site.chmod(0o600)
    assert machine.plan(Event.INSTALL).diagnostics == ()
    found = outcomes(machine.apply(Event.INSTALL, phase=Phase.BOOT))
    names = ("network-authority", "school-network", "guest-network", "cable")
    assert {id_: found[id_] for id_ in names} == dict.fromkeys(names, "changed")
    assert "commons" not in found
    assert "failed" not in found.values()
    profiles = machine.path("/etc/NetworkManager/system-connections")
    wanted = {
        "School": ("ssid=Hillside School", "identity=r12-07", "password=not-the-real-one", "method=1"),
        "Visitors": ("ssid=Meadow Visitors", "psk=ask at the desk", "autoconnect-priority=-1"),
        "Cable": ("type=ethernet", "dns=10.12.0.53;", "dns-search=hillside.example.org;"),
    }
    for name, lines in wanted.items():
        profile = profiles / f"{name}.nmconnection"
        assert set(lines) <= set(profile.read_text().splitlines())
        assert profile.stat().st_mode & 0o7777 == 0o600
    assert "changed" not in outcomes(machine.apply(phase=Phase.BOOT)).values()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_product_is_planned(name: str, machine: Machine) -> None:
    machine.manifest, machine.settings = manifests("products")[name], SETTINGS.get(name, {})
    found = decisions(machine.plan(Event.INSTALL))
    assert {id_: found.get(id_) for id_ in SHIPPED[name]} == SHIPPED[name]
    assert "failed" not in found.values()


def test_readme_has_a_manifest() -> None:
    assert README


@pytest.mark.parametrize("text", README)
def test_readme_manifest_is_valid_and_applied_once(text: str, machine: Machine) -> None:
    (name,) = re.findall(r"^product: (.*)$", text, re.MULTILINE)
    machine.manifest = machine.manifest.with_name(f"{name}.yaml")
    machine.manifest.write_text(text)
    report = Report()
    validate([str(machine.manifest)], [], report)
    assert list(report) == []
    assert set(outcomes(machine.apply(Event.INSTALL)).values()) == {"changed"}
    assert set(outcomes(machine.apply(Event.REFRESH)).values()) == {"unchanged"}
