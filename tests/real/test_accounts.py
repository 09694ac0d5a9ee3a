"""Accounts are as systemd-sysusers creates them; the tools of shadow find no fault in them, and NSS finds them."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from converge.providers.accounts import group, user
from converge.system import System
from tests.real.converging import converge

TOOLS = ("systemd-sysusers", "pwck", "grpck", "usermod", "unshare")
FILES = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:Ann:/home/ann:/bin/sh\ncups:x:998:7::/:/bin/false\n",
    "group": "root:x:0:\naudio:x:29:ann\nlp:x:7:\nann:x:1000:\n",
    "shadow": "root:*:19000:0:99999:7:::\nann:!:19000:0:99999:7:::\ncups:!*:19000::::::\n",
    "gshadow": "root:*::\naudio:*::ann\nlp:*::\nann:!::\n",
}

Declared = Mapping[str, Sequence[Mapping[str, Any]]]
DECLARATIONS: Mapping[str, Declared] = {
    "g scanner": {"group": [{"name": "scanner"}]},
    "g scanner 120": {"group": [{"name": "scanner", "gid": 120}]},
    "u saned": {"user": [{"name": "saned"}]},
    'u saned 117 "Scanner daemon" /var/lib/saned /bin/sh': {
        "user": [
            {
                "name": "saned",
                "uid": 117,
                "description": "Scanner daemon",
                "home": "/var/lib/saned",
                "shell": "/bin/sh",
            }
        ]
    },
    "u saned -:lp\nm saned audio\nm saned lp": {"user": [{"name": "saned", "group": "lp", "groups": ["audio", "lp"]}]},
    "g saned 300\nu saned": {"group": [{"name": "saned", "gid": 300}], "user": [{"name": "saned"}]},
    "g zebra\ng yak\nu saned\nu colord": {
        "group": [{"name": "zebra"}, {"name": "yak"}],
        "user": [{"name": "saned"}, {"name": "colord"}],
    },
}

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
pytestmark = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}")


def machine(folder: Path) -> Path:
    """A root with accounts."""
    (folder / "etc").mkdir(parents=True)
    for name, text in FILES.items():
        (folder / "etc" / name).write_text(text)
        (folder / "etc" / name).chmod(0o640 if "shadow" in name else 0o644)
    return folder


def lines(root: Path) -> dict[str, str]:
    """The account files without the day on which a password was locked, which only sysusers records."""
    texts = {name: (root / "etc" / name).read_text() for name in FILES}
    return texts | {"shadow": re.sub(r"(?<=:!\*:)(?!19000)\d+", "", texts["shadow"])}


def declare(root: Path, declared: Declared) -> None:
    for type_, provider in (("group", group), ("user", user)):
        for params in declared.get(type_, ()):
            converge(provider, System(str(root)), **params)


def check(root: Path) -> None:
    """pwck(8) and grpck(8) find no fault; a missing home folder does not count."""
    for tool in (("pwck", "-q"), ("grpck",)):
        done = subprocess.run([*tool, "-r", "-R", str(root)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@as_root
@pytest.mark.parametrize("sysusers", DECLARATIONS)
def test_new_accounts_are_as_sysusers_creates_them(sysusers: str, tmp_path: Path) -> None:
    theirs, ours = machine(tmp_path / "theirs"), machine(tmp_path / "ours")
    (tmp_path / "conf").write_text(f"{sysusers}\n")
    command = ["systemd-sysusers", f"--root={theirs}", str(tmp_path / "conf")]
    subprocess.run(command, check=True, capture_output=True)
    declare(ours, DECLARATIONS[sysusers])
    assert lines(ours) == lines(theirs)
    check(ours)


@as_root
def test_existing_account_is_unchanged_by_both(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    (tmp_path / "conf").write_text("u saned 117\nm saned audio\n")
    subprocess.run(["systemd-sysusers", f"--root={root}", str(tmp_path / "conf")], check=True, capture_output=True)
    before = lines(root)
    declare(root, {"user": [{"name": "saned", "uid": 117, "group": "saned", "groups": ["audio"]}]})
    subprocess.run(["systemd-sysusers", f"--root={root}", str(tmp_path / "conf")], check=True, capture_output=True)
    assert lines(root) == before


@as_root
def test_removed_accounts_leave_no_fault_for_pwck_and_grpck(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    declare(root, {"group": [{"name": "scanner"}], "user": [{"name": "saned", "groups": ["scanner", "audio"]}]})
    subprocess.run(["gpasswd", "--root", str(root), "-A", "saned", "scanner"], check=True, capture_output=True)
    gone = {"name": "saned", "ensure": "absent"}
    declare(root, {"user": [gone]})
    check(root)
    declare(root, {"group": [gone, {"name": "scanner", "ensure": "absent"}]})
    check(root)
    assert lines(root) == FILES


@as_root
def test_user_changed_by_usermod_is_applied_again(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    declared: Declared = {"user": [{"name": "saned", "groups": ["lp"], "shell": "/bin/sh"}]}
    declare(root, declared)
    command = ["usermod", "--prefix", str(root), "--shell", "/bin/false", "--groups", "audio", "saned"]
    subprocess.run(command, check=True, capture_output=True)
    declare(root, declared)
    assert "saned:x:999:999::/:/bin/sh" in lines(root)["passwd"]
    assert {"audio:x:29:ann,saned", "lp:x:7:saned"} <= set(lines(root)["group"].splitlines())
    check(root)


ON_THE_LIVE_ROOT = (
    'mount --bind "$1" /etc && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && shift && "$@"'
)


def on_the_live_root(etc: Path, *command: str) -> str:
    """Run a command with a folder of the test as /etc, and with empty /run and /var/lib."""
    words = ["unshare", "--mount", "sh", "-c", ON_THE_LIVE_ROOT, "sh", str(etc), *command]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    return subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout


MANIFEST = """\
converge: 1
product: accounts
title: Accounts
resources:
  scanner: {type: group, apply: always, with: {name: scanner}}
  saned: {type: user, apply: always, needs: [scanner], with: {name: saned, uid: 117, groups: [scanner]}}
"""
LIVE = """
python=$1; manifest=$2
"$python" -m converge apply "$manifest" --event upgrade | tail -n 1
"$python" -m converge apply "$manifest" | tail -n 1
getent passwd saned; id saned; passwd --status saned | cut -d ' ' -f 1,2; stat -c %a /etc/.pwd.lock
"""


@as_root
def test_accounts_on_live_root_are_found_by_nss(tmp_path: Path) -> None:
    etc = machine(tmp_path) / "etc"
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\n")
    (etc / "os-release").write_text("ID=test\nVERSION_ID=1\n")
    (tmp_path / "accounts.yaml").write_text(MANIFEST)
    printed = on_the_live_root(etc, "sh", "-c", LIVE, "sh", sys.executable, str(tmp_path / "accounts.yaml"))
    assert printed.splitlines() == [
        "Applied: 2 added, 0 changed, 0 removed; 0 kept, 0 owed, 0 in place, 0 failed.",
        "Applied: 0 added, 0 changed, 0 removed; 0 kept, 0 owed, 2 in place, 0 failed.",
        "saned:x:117:117::/:/usr/sbin/nologin",
        "uid=117(saned) gid=117(saned) groups=117(saned),999(scanner)",
        "saned L",
        "600",
    ]


LOCKED = """
import ctypes, os
from converge.errors import Later
from converge.system import System, locking
locking.PATIENCE = 0
ready, done = os.pipe(), os.pipe()
if os.fork() == 0:
    assert ctypes.CDLL(None).lckpwdf() == 0
    os.write(ready[1], b"x")
    os.read(done[0], 1)
    os._exit(0)
os.read(ready[0], 1)
try:
    with System("/").lock_accounts():
        print("held")
except Later as later:
    print(later.message)
os.write(done[1], b"x")
os.wait()
with System("/").lock_accounts():
    print("held")
"""


@as_root
def test_lock_held_by_another_program_is_later(tmp_path: Path) -> None:
    printed = on_the_live_root(machine(tmp_path) / "etc", sys.executable, "-c", LOCKED)
    assert printed.splitlines() == ["another program is changing accounts: it holds /etc/.pwd.lock", "held"]


def test_lock_under_foreign_root_creates_no_file(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    with System(str(root)).lock_accounts():
        assert sorted(path.name for path in (root / "etc").iterdir()) == sorted(FILES)
