"""Names are those of the root, whatever the host has."""

from pathlib import Path

import pytest

from converge.errors import ProviderError
from converge.system import System

PASSWD = "root:x:0:0::/root:/bin/sh\nsaned:x:117:7::/:/bin/false\nbroken\n+nis\nodd:x:many:1\ntwin:x:117:1::/:\n"


def test_names_are_the_roots_own(root: Path, system: System) -> None:
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text("lp:x:7:\n")
    assert (system.user_id("saned"), system.group_id("lp")) == (117, 7)
    assert (system.user_name(117), system.group_name(7)) == ("saned", "lp")
    assert system.user_name(4242) == "4242"
    assert system.user_id("4242") == 4242


@pytest.mark.parametrize("name", ["daemon", "odd", "", "-1", "4294967295", "\u0661", "lp"])
def test_a_name_that_the_root_lacks_is_an_error(root: Path, system: System, name: str) -> None:
    (root / "etc/passwd").write_text(PASSWD)
    with pytest.raises(ProviderError, match=f"the user '{name}' is unknown"):
        system.user_id(name)


@pytest.mark.parametrize(
    ("nsswitch", "uid"),
    [
        (None, 1),
        ("passwd: files systemd\n", 1),
        ("passwd: files altfiles\n", 1),
        ("passwd: compat altfiles\n", 1),
        ("passwd: files [SUCCESS=merge] altfiles\n", 1),
        ("passwd: altfiles files\n", 2),
        ("# passwd: altfiles\ngroup: altfiles\n", 1),
        ("passwd: altfiles # files\n", 2),
    ],
)
def test_usr_lib_counts_where_nsswitch_names_altfiles(
    root: Path, system: System, nsswitch: str | None, uid: int
) -> None:
    (root / "usr/lib").mkdir(parents=True)
    (root / "etc/passwd").write_text("both:x:1:1::/:\n")
    (root / "usr/lib/passwd").write_text("both:x:2:2::/:\nshipped:x:3:3::/:\n")
    if nsswitch is not None:
        (root / "etc/nsswitch.conf").write_text(nsswitch)
    assert system.user_id("both") == uid
    if nsswitch and "altfiles" in nsswitch and "# p" not in nsswitch:
        assert system.user_id("shipped") == 3
    else:
        with pytest.raises(ProviderError):
            system.user_id("shipped")


def test_a_user_added_meanwhile_is_found(root: Path, system: System) -> None:
    (root / "etc/passwd").write_text(PASSWD)
    assert system.user_name(500) == "500"
    (root / "etc/passwd").write_text(PASSWD + "late:x:500:1::/:\n")
    assert system.user_name(500) == "late"
    assert system.user_id("late") == 500


def test_a_file_replaced_by_one_of_the_same_size_is_read_again(root: Path, system: System) -> None:
    path = root / "etc/passwd"
    path.write_text("one:x:500:1::/:\n")
    assert system.user_name(500) == "one"
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of a file system is coarse
        path.write_text("two:x:500:1::/:\n")
    assert (path.stat().st_ino, path.stat().st_size) == (before.st_ino, before.st_size)
    assert system.user_name(500) == "two"


def test_the_files_that_count_are_in_the_order_of_nsswitch(root: Path, system: System) -> None:
    assert system.account_files("group") == ("/etc/group",)
    (root / "etc/nsswitch.conf").write_text("passwd: altfiles files\ngroup: sss files\n")
    assert system.account_files("passwd") == ("/usr/lib/passwd", "/etc/passwd")
    assert system.account_files("group") == ("/etc/group",)
