from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.identity import timezone
from converge.system import System
from tests.real.converging import acting, changes_of, converge, state_of, take_back

VIENNA = "../usr/share/zoneinfo/Europe/Vienna"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for zone in ("Etc/UTC", "Europe/Vienna", "posix/Europe/Viena"):
        path = root / "usr/share/zoneinfo" / zone
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"TZif2")
    (root / "usr/share/zoneinfo/zone.tab").write_text("# text")
    (root / "etc").mkdir()
    return root


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def test_link_made_as_by_timedatectl(root: Path, system: System) -> None:
    assert converge(timezone, system, zone="Europe/Vienna") == (Change("zone", None, "Europe/Vienna"),)
    assert str((root / "etc/localtime").readlink()) == VIENNA
    assert not (root / "etc/timezone").exists()


def test_debian_name_changed_with_zone(root: Path, system: System) -> None:
    (root / "etc/timezone").write_text("Etc/UTC\n")
    (root / "etc/localtime").symlink_to(VIENNA)
    assert converge(timezone, system, zone="Europe/Vienna") == (Change("name", "Etc/UTC", "Europe/Vienna"),)
    assert (root / "etc/timezone").read_text() == "Europe/Vienna\n"


def test_other_link_to_same_zone_kept(root: Path, system: System) -> None:
    (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Vienna")
    assert changes_of(timezone, system, zone="Europe/Vienna") == ()


def test_file_in_place_of_link_restored_by_undo(root: Path, system: System) -> None:
    path = root / "etc/localtime"
    path.write_bytes(b"TZif2 of somewhere")
    before = state_of(timezone, system, zone="Europe/Vienna")
    converge(timezone, system, zone="Europe/Vienna")
    assert str(path.readlink()) == VIENNA
    take_back(timezone, system, before, zone="Europe/Vienna")
    assert (path.is_symlink(), path.read_bytes()) == (False, b"TZif2 of somewhere")


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Europe/Viena", "did you mean 'Europe/Vienna'?"),
        ("Europe", None),
        ("zone.tab", None),
        ("Mars/Olympus_Mons", "choose a name from /usr/share/zoneinfo, such as Europe/Vienna"),
    ],
)
def test_missing_zone_is_error(system: System, zone: str, hint: str | None) -> None:
    with pytest.raises(ProviderError, match=f"time zone '{zone}' is missing in /usr/share/zoneinfo") as raised:
        changes_of(timezone, system, zone=zone)
    assert hint in (None, raised.value.hint)


def test_root_without_zones_is_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProviderError, match="/usr/share/zoneinfo does not exist"):
        changes_of(timezone, System(str(tmp_path / "empty")), zone="Europe/Vienna")


@pytest.mark.parametrize("zone", ["", "/etc/passwd", "Europe/", "Europe//Vienna", "../../etc/shadow"])
def test_invalid_zone_name_refused(zone: str) -> None:
    with pytest.raises(ProviderError, match="is not a time zone"):
        timezone.parse({"zone": zone})


def test_folder_in_place_of_link_is_error(root: Path, system: System) -> None:
    (root / "etc/localtime").mkdir()
    with pytest.raises(ProviderError, match="/etc/localtime is not a regular file"):
        changes_of(timezone, system, zone="Europe/Vienna")


def test_domain_is_deployment_wherever_link_leads(root: Path, system: System) -> None:
    (root / "etc/localtime").symlink_to(VIENNA)
    found = acting(timezone).domains(system, timezone.parse({"zone": "Etc/UTC"}))
    assert set(found.values()) == {Domain.DEPLOYMENT}


def test_thing_named_by_declared_zone() -> None:
    thing = timezone.thing(timezone.parse({"zone": "Europe/Vienna"}))
    assert (thing.words, thing.recorded) == ("time zone Europe/Vienna", "timezone:system")
