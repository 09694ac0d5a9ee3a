from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.accounts import group as group_module
from converge.providers.protocol import fields_of
from converge.system import System
from tests.real import converging
from tests.real.converging import acting, changes_of

group = acting(group_module)
PASSWD = "root:x:0:0::/root:/bin/sh\nsaned:x:117:7::/:/bin/false\n"
GROUP = "root:x:0:\nlp:x:7:\nscanner:x:120:saned,cups\nstaff:x:1000:"
GSHADOW = "root:*::\nscanner:$y$x:saned:saned,cups\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    for name, text in (("passwd", PASSWD), ("group", GROUP), ("gshadow", GSHADOW)):
        (root / "etc" / name).write_text(text)
    return root


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def changes_for(system: System, **params: Any) -> tuple[Change, ...]:
    return changes_of(group_module, system, **params)


def converge(system: System, **params: Any) -> tuple[Change, ...]:
    """Apply, and check that nothing is left to do."""
    return converging.converge(group_module, system, **params)


def text(root: Path, name: str) -> str:
    return (root / "etc" / name).read_text()


@pytest.mark.parametrize(("params", "gid"), [({}, 999), ({"gid": 121}, 121)])
def test_new_group_is_as_sysusers_creates_it(root: Path, system: System, params: dict[str, int], gid: int) -> None:
    converge(system, name="cups", **params)
    assert text(root, "group") == f"{GROUP}\ncups:x:{gid}:\n"
    assert text(root, "gshadow") == f"{GSHADOW}cups:!*::\n"
    assert text(root, "passwd") == PASSWD


def test_new_group_avoids_number_of_other_user(root: Path, system: System) -> None:
    (root / "etc/passwd").write_text("other:x:999:7::/:\nnew:x:998:7::/:\n")
    converge(system, name="new")
    assert system.group_id("new") == 998


def test_members_of_existing_group_stay(root: Path, system: System) -> None:
    assert converge(system, name="scanner", gid=120) == ()
    assert (text(root, "group"), text(root, "gshadow")) == (GROUP, GSHADOW)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"name": "scanner", "gid": 121}, "the group 'scanner' has the gid 120, not 121"),
        ({"name": "new", "gid": 120}, "the gid 120 for 'new' belongs to the group 'scanner'"),
        ({"name": "new", "gid": 1001}, "the gid 1001 for 'new' is not a system gid"),
        ({"name": "staff"}, "the group 'staff' is not a system group: its gid is 1000"),
        ({"name": "staff", "ensure": "absent"}, "the group 'staff' is not a system group"),
        ({"name": "root", "ensure": "absent"}, "'root' is the primary group of the user 'root'"),
        ({"name": "lp", "ensure": "absent"}, "'lp' is the primary group of the user 'saned'"),
    ],
)
def test_refused_group_has_a_hint(system: System, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message) as caught:
        changes_for(system, **params)
    assert caught.value.hint


def test_root_group_is_refused_even_without_users(root: Path, system: System) -> None:
    (root / "etc/passwd").write_text("")
    with pytest.raises(ProviderError, match="the group 'root' has the gid 0"):
        changes_for(system, name="root", ensure="absent")
    with pytest.raises(ProviderError, match="the group 'root' has the gid 0"):
        group.apply(system, group.parse({"name": "root"}), (Change("ensure", "present", "absent"),))


def test_removed_group_is_restored_with_members(root: Path, system: System) -> None:
    spec = group.parse({"name": "scanner", "ensure": "absent"})
    before = fields_of(group.inspect(system, spec))
    assert converge(system, name="scanner", ensure="absent") == (Change("ensure", "present", "absent"),)
    assert text(root, "group") == "root:x:0:\nlp:x:7:\nstaff:x:1000:\n"
    assert text(root, "gshadow") == "root:*::\n"
    group.apply(system, spec, tuple(Change(name, None, value) for name, value in before.items()))
    assert fields_of(group.inspect(system, spec)) == before
    assert text(root, "gshadow") == "root:*::\nscanner:!*::cups,saned\n"


def test_group_removed_during_run_is_not_created_again(system: System) -> None:
    with pytest.raises(ProviderError, match="the group 'new' was removed during the run"):
        group.apply(system, group.parse({"name": "new"}), (Change("members", (), ("saned",)),))


def test_group_of_image_is_in_place_and_not_removable(root: Path, system: System) -> None:
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/group").write_text("cups:x:121:\n")
    (root / "etc/nsswitch.conf").write_text("group: files [SUCCESS=merge] altfiles\n")
    assert converge(system, name="cups", gid=121) == ()
    assert text(root, "group") == GROUP
    with pytest.raises(ProviderError, match="'cups' comes with the image, in /usr/lib/group"):
        changes_for(system, name="cups", ensure="absent")


def test_domain_is_deployment(system: System) -> None:
    assert set(group.domains(system, group.parse({"name": "cups"})).values()) == {Domain.DEPLOYMENT}
