from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.identity import timezone
from converge.system import System
from tests.real.converging import changes_of, converge, state_of, take_back

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


def test_the_link_is_the_one_that_timedatectl_makes(root: Path, system: System) -> None:
    assert converge(timezone, system, zone="Europe/Vienna") == (Change("zone", None, "Europe/Vienna"),)
    assert str((root / "etc/localtime").readlink()) == VIENNA
    assert not (root / "etc/timezone").exists()


def test_debians_name_goes_with_it(root: Path, system: System) -> None:
    (root / "etc/timezone").write_text("Etc/UTC\n")
    (root / "etc/localtime").symlink_to(VIENNA)
    assert converge(timezone, system, zone="Europe/Vienna") == (Change("name", "Etc/UTC", "Europe/Vienna"),)
    assert (root / "etc/timezone").read_text() == "Europe/Vienna\n"


def test_a_link_that_leads_to_the_zone_otherwise_stays(root: Path, system: System) -> None:
    (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Vienna")
    assert changes_of(timezone, system, zone="Europe/Vienna") == ()


def test_a_file_in_its_place_comes_back(root: Path, system: System) -> None:
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
        ("Mars/Olympus_Mons", "look for the right one in /usr/share/zoneinfo"),
    ],
)
def test_a_zone_that_is_not_there_is_an_error(system: System, zone: str, hint: str | None) -> None:
    with pytest.raises(ProviderError, match=f"there is no time zone '{zone}'") as raised:
        changes_of(timezone, system, zone=zone)
    assert hint in (None, raised.value.hint)


def test_a_root_without_zones_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProviderError, match="there is no /usr/share/zoneinfo"):
        changes_of(timezone, System(str(tmp_path / "empty")), zone="Europe/Vienna")


@pytest.mark.parametrize("zone", ["", "/etc/passwd", "Europe/", "Europe//Vienna", "../../etc/shadow"])
def test_what_is_no_name_of_a_zone_is_refused(zone: str) -> None:
    with pytest.raises(ProviderError, match="is no time zone"):
        timezone.parse({"zone": zone})


def test_a_folder_in_its_place_stays(root: Path, system: System) -> None:
    (root / "etc/localtime").mkdir()
    with pytest.raises(ProviderError, match="/etc/localtime is not a regular file"):
        changes_of(timezone, system, zone="Europe/Vienna")


def test_it_lives_in_etc_wherever_the_link_leads(root: Path, system: System) -> None:
    (root / "etc/localtime").symlink_to(VIENNA)
    found = timezone.domains(system, timezone.parse({"zone": "Etc/UTC"}))
    assert set(found.values()) == {Domain.DEPLOYMENT}
