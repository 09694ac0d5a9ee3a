import os
from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.accounts import user as user_module
from converge.providers.protocol import fields_of
from converge.system import System
from tests.real import converging
from tests.real.converging import acting, changes_of

user = acting(user_module)
PASSWD = """\
root:x:0:0:root:/root:/bin/sh
# made by hand
short:x:50:50
scan:x:113:7:Scans:/var/lib/scan:/bin/sh
ann:x:1000:1000:Ann:/home/ann:/bin/sh
+nis::::::
"""
GROUP = "root:x:0:\nlp:x:7\naudio:x:29:scan,ann\nvideo:x:44:\nann:x:1000:\n"
SHADOW = "root:*:19000:0:99999:7:::\nscan:!:19000:0:99999:7:::\nann:$y$ann:19000:0:99999:7:::\n"
GSHADOW = "root:*::\nlp:*::\naudio:*:scan:scan,ann\nann:!::\n"
ALTFILES = "passwd: files altfiles\ngroup: files altfiles\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    for name, text in (("passwd", PASSWD), ("group", GROUP), ("shadow", SHADOW), ("gshadow", GSHADOW)):
        (root / "etc" / name).write_text(text)
    for name in ("shadow", "gshadow"):
        (root / "etc" / name).chmod(0o640)
        os.chown(root / "etc" / name, 0, 42)
    return root


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def bring_image(root: Path, nsswitch: str = ALTFILES, passwd: str = "saned:x:117:117::/:/bin/sh\n") -> None:
    """Give the root an image with users and groups of its own."""
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/passwd").write_text(passwd)
    (root / "usr/lib/group").write_text("saned:x:117:\nscanner:x:120:cups\n")
    (root / "etc/nsswitch.conf").write_text(nsswitch)


def changes_for(system: System, **params: Any) -> tuple[Change, ...]:
    return changes_of(user_module, system, **params)


def converge(system: System, **params: Any) -> tuple[Change, ...]:
    """Apply, and check that nothing is left to do."""
    return converging.converge(user_module, system, **params)


def added(root: Path, name: str, before: str) -> list[str]:
    """The new lines of an account file; all others are unchanged, in their order."""
    lines, known = (root / "etc" / name).read_text().splitlines(), before.splitlines()
    assert [line for line in lines if line in known] == known
    return [line for line in lines if line not in known]


def contents(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (root / "etc").iterdir() if path.is_file()}


def test_new_user_is_as_sysusers_creates_it(root: Path, system: System) -> None:
    assert converge(system, name="saned") == (Change("ensure", "absent", "present"),)
    assert added(root, "passwd", PASSWD) == ["saned:x:999:999::/:/usr/sbin/nologin"]
    assert added(root, "group", GROUP) == ["saned:x:999:"]
    assert added(root, "shadow", SHADOW) == ["saned:!*:::::::"]
    assert added(root, "gshadow", GSHADOW) == ["saned:!*::"]


def test_new_user_has_declared_values(root: Path, system: System) -> None:
    texts = {"description": "Scanner däemon", "home": "/var/lib//saned/", "shell": "/bin/sh"}
    converge(system, name="saned", uid=117, group="7", groups=["video", "audio", "video"], **texts)
    assert added(root, "passwd", PASSWD) == ["saned:x:117:7:Scanner däemon:/var/lib/saned:/bin/sh"]
    assert (root / "etc/group").read_text() == GROUP.replace("scan,ann", "scan,ann,saned").replace("44:", "44:saned")
    assert (root / "etc/gshadow").read_text() == GSHADOW.replace("scan,ann", "scan,ann,saned")
    assert not (root / "var").exists()


def test_nis_line_stays_last(root: Path, system: System) -> None:
    converge(system, name="saned")
    assert (root / "etc/passwd").read_text().splitlines()[-1] == "+nis::::::"


def test_modes_and_owners_of_files_stay(root: Path, system: System) -> None:
    converge(system, name="saned")
    stats = {name: (root / "etc" / name).stat() for name in ("passwd", "group", "shadow", "gshadow")}
    found = {name: (stat.st_mode & 0o7777, stat.st_gid) for name, stat in stats.items()}
    assert found == {"passwd": (0o644, 0), "group": (0o644, 0), "shadow": (0o640, 42), "gshadow": (0o640, 42)}


def test_passwords_are_not_kept_in_store(root: Path, system: System) -> None:
    converge(system, name="saned", groups=["audio"])
    converge(system, name="saned", ensure="absent")
    assert [path for path in root.rglob("*") if path.is_file() and b"$y$" in path.read_bytes()] == [root / "etc/shadow"]
    assert not (root / "var").exists()


def test_password_files_are_not_created(root: Path, system: System) -> None:
    for path in (root / "etc").iterdir():
        path.unlink()
    converge(system, name="saned")
    assert contents(root) == {"passwd": "saned:x:999:999::/:/usr/sbin/nologin\n", "group": "saned:x:999:\n"}
    assert (root / "etc/passwd").stat().st_mode & 0o7777 == 0o644


def test_new_user_is_locked_despite_old_shadow_line(root: Path, system: System) -> None:
    (root / "etc/shadow").write_text("saned:$y$old:19000:0:99999:7:::\n")
    (root / "etc/gshadow").write_text("saned:$y$old:ann:ann\n")
    converge(system, name="saned")
    assert (root / "etc/shadow").read_text() == "saned:!*:19000:0:99999:7:::\n"
    assert (root / "etc/gshadow").read_text() == "saned:!*::\n"


@pytest.mark.parametrize(
    ("group", "uid", "ids"),
    [
        ("saned:x:121:\n", None, (121, 121)),
        ("saned:x:121:\n", 117, (117, 121)),
        ("saned:x:113:\n", None, (999, 113)),
        ("saned:x:1005:\n", None, (999, 1005)),
        ("other:x:999:\n", None, (998, 998)),
        ("other:x:117:\n", 117, (117, 999)),
    ],
)
def test_user_and_group_share_number_if_possible(
    root: Path, system: System, group: str, uid: int | None, ids: tuple[int, int]
) -> None:
    (root / "etc/group").write_text(GROUP + group)
    converge(system, name="saned", **({} if uid is None else {"uid": uid}))
    assert (system.user_id("saned"), system.group_id("saned")) == ids


@pytest.mark.parametrize(
    ("login_defs", "uid"),
    [
        ("SYS_UID_MIN 200\nSYS_UID_MAX 499\n", 499),
        ("UID_MIN 500 # people\n", 499),
        ("#SYS_UID_MAX 200\nSYS_UID_MAX\nSYS_UID_MAX many\n", 999),
        ("SYS_UID_MAX 5000\n", 999),
    ],
)
def test_number_range_is_from_login_defs_of_root(root: Path, system: System, login_defs: str, uid: int) -> None:
    (root / "etc/login.defs").write_text(login_defs)
    converge(system, name="saned", group="lp")
    assert system.user_id("saned") == uid


def test_new_user_without_free_number_is_refused(root: Path, system: System) -> None:
    (root / "etc/login.defs").write_text("SYS_UID_MIN 113\nSYS_UID_MAX 113\n")
    with pytest.raises(ProviderError, match="no uid from 113 to 113 is free for 'saned'"):
        converge(system, name="saned")
    assert contents(root)["passwd"] == PASSWD


def test_existing_user_changes_only_declared_fields(root: Path, system: System) -> None:
    assert converge(system, name="scan") == ()
    assert converge(system, name="scan", uid=113, group="lp", description="Scans") == ()
    changes = converge(system, name="scan", shell="/usr/sbin/nologin", groups=["video"])
    assert changes == (Change("groups", (), ("video",)), Change("shell", "/bin/sh", "/usr/sbin/nologin"))
    assert contents(root) == {
        "passwd": PASSWD.replace("scan:/bin/sh", "scan:/usr/sbin/nologin"),
        "group": GROUP.replace("44:", "44:scan"),
        "shadow": SHADOW,
        "gshadow": GSHADOW,
    }


def test_user_gets_own_group_if_declared(root: Path, system: System) -> None:
    assert converge(system, name="scan", group="scan") == (Change("group", "lp", "scan"),)
    assert added(root, "group", GROUP) == ["scan:x:113:"]


def test_user_with_another_number_is_refused(root: Path, system: System) -> None:
    with pytest.raises(ProviderError, match="the user 'scan' has the uid 113, not 117") as caught:
        changes_for(system, name="scan", uid=117)
    assert "usermod --uid" in str(caught.value.hint)
    spec = user.parse({"name": "scan"})
    with pytest.raises(ProviderError, match="the user 'scan' has the uid 113, not 117"):
        user.apply(system, spec, (Change("uid", 113, 117),))
    assert contents(root)["passwd"] == PASSWD


@pytest.mark.parametrize(
    ("uid", "message"),
    [
        (113, "the uid 113 for 'saned' belongs to the user 'scan'"),
        (500, "the uid 500 for 'saned' is not a system uid: the highest is 499"),
        (1000, "the uid 1000 for 'saned' is not a system uid: the highest is 999"),
    ],
)
def test_number_taken_or_too_high_is_refused(root: Path, system: System, uid: int, message: str) -> None:
    (root / "etc/login.defs").write_text("SYS_UID_MAX 499\n")
    with pytest.raises(ProviderError, match=message) as caught:
        changes_for(system, name="saned", uid=uid)
    assert "remove `uid`" in str(caught.value.hint)


@pytest.mark.parametrize("params", [{}, {"ensure": "absent"}, {"shell": "/bin/false"}])
def test_accounts_of_people_are_refused(root: Path, system: System, params: dict[str, str]) -> None:
    with pytest.raises(ProviderError, match="the user 'ann' is not a system user: its uid is 1000"):
        changes_for(system, name="ann", **params)
    (root / "etc/login.defs").write_text("UID_MIN 100\n")
    with pytest.raises(ProviderError, match="the user 'scan' is not a system user"):
        changes_for(system, name="scan", **params)
    for change in (Change("ensure", "present", "absent"), Change("shell", "/bin/sh", "/bin/false")):
        with pytest.raises(ProviderError, match="is not a system user"):
            user.apply(system, user.parse({"name": "ann"}), (change,))


@pytest.mark.parametrize("change", [Change("ensure", "present", "absent"), Change("shell", "/bin/sh", "/bin/false")])
def test_root_is_refused(root: Path, system: System, change: Change) -> None:
    assert changes_for(system, name="root", shell="/bin/sh") == ()
    with pytest.raises(ProviderError, match="the user 'root' has the uid 0"):
        changes_for(system, name="root", **{change.field: change.after})
    with pytest.raises(ProviderError, match="the user 'root' has the uid 0"):
        user.apply(system, user.parse({"name": "root"}), (change,))
    assert contents(root)["passwd"] == PASSWD


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"groups": ["scanner"]}, "the group 'scanner' is missing"),
        ({"groups": ["ann"]}, "the group 'ann' is not a system group: its gid is 1000"),
        ({"groups": ["root"]}, "the group 'root' has the gid 0"),
        ({"group": "scanner"}, "the group 'scanner' is missing"),
        ({"group": "4711"}, "the group '4711' is missing"),
    ],
)
@pytest.mark.parametrize("name", ["saned", "scan"])
def test_groups_missing_or_not_joinable_are_refused(
    system: System, name: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProviderError, match=message):
        changes_for(system, name=name, **params)


def test_removed_user_leaves_group_and_files(root: Path, system: System) -> None:
    (root / "var/lib/scan").mkdir(parents=True)
    assert converge(system, name="scan", ensure="absent") == (Change("ensure", "present", "absent"),)
    assert contents(root) == {
        "passwd": PASSWD.replace("scan:x:113:7:Scans:/var/lib/scan:/bin/sh\n", ""),
        "group": GROUP.replace("scan,ann", "ann"),
        "shadow": SHADOW.replace("scan:!:19000:0:99999:7:::\n", ""),
        "gshadow": GSHADOW.replace("scan:scan,ann", ":ann"),
    }
    assert (root / "var/lib/scan").is_dir()


def test_removed_user_is_restored(root: Path, system: System) -> None:
    spec = user.parse({"name": "scan", "ensure": "absent"})
    (root / "etc/group").write_text(GROUP.replace("root:x:0:", "root:x:0:scan").replace("1000:", "1000:scan"))
    before = fields_of(user.inspect(system, spec))
    assert before["groups"] == ("ann", "audio", "root")
    converge(system, name="scan", ensure="absent")
    user.apply(system, spec, tuple(Change(name, None, value) for name, value in before.items()))
    assert fields_of(user.inspect(system, spec)) == before


def test_user_removed_during_run_is_not_created_again(root: Path, system: System) -> None:
    with pytest.raises(ProviderError, match="the user 'saned' was removed during the run"):
        user.apply(system, user.parse({"name": "saned"}), (Change("shell", "/bin/sh", "/bin/false"),))
    assert contents(root)["passwd"] == PASSWD


def test_user_of_image_is_in_place(root: Path, system: System) -> None:
    bring_image(root)
    before = contents(root)
    assert converge(system, name="saned", uid=117, group="saned", shell="/bin/sh") == ()
    assert contents(root) == before


def test_line_in_etc_overrides_image(root: Path, system: System) -> None:
    bring_image(root)
    converge(system, name="saned", shell="/bin/false", groups=["scanner"])
    assert added(root, "passwd", PASSWD) == ["saned:x:117:117::/:/bin/false"]
    assert added(root, "shadow", SHADOW) == ["saned:!*:::::::"]
    assert added(root, "group", GROUP) == ["scanner:x:120:cups,saned"]
    assert added(root, "gshadow", GSHADOW) == ["scanner:!*::cups,saned"]
    assert (root / "usr/lib/passwd").read_text() == "saned:x:117:117::/:/bin/sh\n"


def test_group_of_image_alone_adds_no_user_line(root: Path, system: System) -> None:
    bring_image(root)
    converge(system, name="saned", groups=["scanner"])
    assert contents(root)["passwd"] == PASSWD


def test_group_name_resolves_to_its_number(root: Path, system: System) -> None:
    """An old line in /etc hides the name of the image's group."""
    bring_image(root)
    (root / "etc/group").write_text(GROUP + "saned:x:113:\n")
    assert user.inspect(system, user.parse({"name": "saned"})).group == "117"
    assert converge(system, name="saned", group="saned") == (Change("group", "117", "saned"),)


@pytest.mark.parametrize("line", ["", "saned:x:113:7::/:/bin/false\n"])
def test_user_of_image_is_not_removable(root: Path, system: System, line: str) -> None:
    bring_image(root)
    (root / "etc/passwd").write_text(PASSWD + line)
    with pytest.raises(ProviderError, match="'saned' comes with the image, in /usr/lib/passwd"):
        changes_for(system, name="saned", ensure="absent")


def test_image_before_files_in_nsswitch_is_refused(root: Path, system: System) -> None:
    bring_image(root, "passwd: altfiles files\n")
    with pytest.raises(ProviderError, match="would be ignored") as caught:
        converge(system, name="saned", shell="/bin/false")
    assert caught.value.hint == "name `files` first in /etc/nsswitch.conf"
    converge(system, name="other")


@pytest.mark.parametrize("nsswitch", ["passwd: files systemd\n", "passwd: compat\n", ""])
def test_image_not_in_nsswitch_is_ignored(root: Path, system: System, nsswitch: str) -> None:
    bring_image(root, nsswitch)
    converge(system, name="saned")
    assert added(root, "passwd", PASSWD) == ["saned:x:999:999::/:/usr/sbin/nologin"]


def test_numbers_of_image_are_taken(root: Path, system: System) -> None:
    bring_image(root, passwd="lower:x:999:1::/:\n")
    with pytest.raises(ProviderError, match="belongs to the user 'lower'"):
        changes_for(system, name="other", uid=999)
    converge(system, name="other")
    assert system.user_id("other") == 998


def test_users_are_read_from_root_not_host(system: System) -> None:
    assert changes_for(system, name="daemon") == (Change("ensure", "absent", "present"),)
    assert changes_for(system, name="daemon", ensure="absent") == ()


@pytest.mark.parametrize(
    "params",
    [
        {"name": "saned\n"},
        {"name": "0saned"},
        {"name": "a" * 32},
        {"name": "saned:x"},
        {"name": "saned", "description": "a:b"},
        {"name": "saned", "description": "a\nroot::0:0::/:/bin/sh"},
        {"name": "saned", "home": "/a:b"},
        {"name": "saned", "home": "relative"},
        {"name": "saned", "shell": "/bin/sh\n"},
        {"name": "saned", "groups": ["a,b"]},
        {"name": "saned", "groups": ["audio", ""]},
    ],
)
def test_values_that_break_a_line_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as caught:
        user.parse(params)
    assert caught.value.hint


def test_domain_is_deployment(system: System) -> None:
    assert set(user.domains(system, user.parse({"name": "saned"})).values()) == {Domain.DEPLOYMENT}
