"""Under `--root DIR` nothing outside DIR changes, names resolve in DIR, and no link leads out of it.

Two things are looked at: the host before and after, inode by inode, and every path that was opened for writing, or
changed, as strace tells them.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from converge.cli import app
from converge.errors import ExitCode
from converge.system import System
from tests.machine import Machine
from tests.real import flatpakrepo
from tests.stories import killed_machines as scenes
from tests.stories import watching

HOST = (
    *("/etc", "/boot", "/ostree", "/sysroot", "/usr/share/converge", "/run/converge", "/run/converge.lock"),
    *("/var/lib/flatpak", "/var/lib/converge", "/var/lib/ostree"),
    *("~/.local/share/flatpak", "~/.cache/flatpak", "~/.config", "~/.gnupg", "~/.var"),
)
"""The folders of converge, flatpak, ostree and gpg on the host."""

LOOKING = ("plan", "status", "facts", "ledger show")
CHANGING = ("apply", "ledger baseline", "ledger forget")

Print = dict[str, tuple[int, ...]]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files to others")
traced = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")


def fingerprint(*places: str | Path) -> Print:
    """Everything in some places; any change at all to a thing gives it another ctime (inode(7))."""
    found: Print = {}
    for place in map(os.path.expanduser, places):
        for path in [Path(place), *Path(place).rglob("*")]:
            if path.exists() or path.is_symlink():
                stat = path.lstat()
                found[str(path)] = (stat.st_ino, stat.st_mode, stat.st_uid, stat.st_gid, stat.st_size, stat.st_ctime_ns)
    return found


@pytest.fixture
def flatpak_machine(tmp_path: Path) -> Iterator[Machine]:
    """A real flatpak installs an app on it."""
    if not all(map(shutil.which, ("flatpak", "ostree", "gpg", "bwrap"))):
        pytest.skip("needs flatpak")
    with flatpakrepo.signing_key() as key:
        flatpakrepo.build(tmp_path / "repo", ["org.example.Hello"], **flatpakrepo.sign_with(key))
        with flatpakrepo.serve(tmp_path / "repo") as server:
            yield scenes.to_install(tmp_path, server.url, key.public).machine


@pytest.fixture
def upgraded_machine(tmp_path: Path) -> Machine:
    """A machine with all other changes that converge makes."""
    return scenes.to_upgrade(tmp_path).machine


def words(verb: str, machine: Machine, id_: str) -> list[str]:
    product = [str(machine.manifest)] if verb in ("plan", "apply", "status", "ledger baseline") else []
    id_words = [id_] if verb in ("ledger baseline", "ledger forget") else []
    return [*verb.split(), *id_words, *product, "--root", str(machine.root)]


@as_root
@traced
@pytest.mark.parametrize(("made", "id_"), [("flatpak_machine", "later"), ("upgraded_machine", "poster")])
def test_nothing_outside_the_root_changes(made: str, id_: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    machine: Machine = request.getfixturevalue(made)
    host = fingerprint(*HOST)
    for verb in ("plan", "apply", *LOOKING, *CHANGING):
        before = fingerprint(machine.root)
        code, paths = watching.changed(words(verb, machine, id_), tmp_path / "trace")
        assert code == 0, verb
        outside = {path for path in paths if not path.startswith(f"{machine.root}/")}
        assert not outside, verb
        if verb in LOOKING:
            assert (paths, fingerprint(machine.root)) == (set(), before), verb
        else:
            assert f"{machine.root}/run/converge.lock" in paths
    assert fingerprint(*HOST) == host


@traced
def test_write_outside_the_root_is_detected(tmp_path: Path) -> None:
    machine = Machine.make(tmp_path)
    machine.declare(FILE)
    plan = str(tmp_path / "plan")
    _, paths = watching.changed([*words("plan", machine, ""), "--out", plan], tmp_path / "trace")
    assert plan in paths


@pytest.mark.skipif(not shutil.which("bwrap"), reason="needs bwrap")
@pytest.mark.parametrize("made", ["etc/flatpak", "ostree/repo", "boot"])
def test_sandbox_has_no_other_writable_place(made: str, tmp_path: Path) -> None:
    """Every mount in it is the root's, private, or one of every program in /dev and /proc."""
    machine = Machine.make(tmp_path)
    (machine.root / made).mkdir(parents=True)
    mounts = watching.writable(System(str(machine.root)))
    host = watching.devices()
    of_the_root = [mount for mount in mounts if mount.thing == thing_at(machine.root / mount.place.lstrip("/"))]
    others = [mount for mount in mounts if mount not in of_the_root and mount.device in host]
    assert {"/var", f"/{made.partition('/')[0]}"} <= {f"/{mount.place.split('/')[1]}" for mount in of_the_root}
    assert not [mount for mount in others if not mount.place.startswith(("/dev/", "/proc"))]


def thing_at(path: Path) -> str | None:
    return f"{path.stat().st_dev}:{path.stat().st_ino}" if path.exists() else None


@as_root
def test_names_of_users_are_those_of_the_root(tmp_path: Path) -> None:
    machine = Machine.make(tmp_path)
    (machine.root / "etc/passwd").write_text("root:x:0:0:::\ndaemon:x:4242:4242:::\n")
    (machine.root / "etc/group").write_text("root:x:0:\ndaemon:x:4343:\n")
    machine.declare(
        """
        ours:
          type: file
          apply: once
          with: {path: /etc/ours, content: x, owner: daemon, group: daemon}
        the-hosts:
          type: file
          apply: once
          with: {path: /etc/the-hosts, content: x, owner: nobody}
        """
    )
    assert app.run(["apply", str(machine.manifest), "--root", str(machine.root)]) == ExitCode.FAILED
    stat = (machine.root / "etc/ours").stat()
    assert (stat.st_uid, stat.st_gid) == (4242, 4343)
    assert not (machine.root / "etc/the-hosts").exists()


@frozen
class Trap:
    """A machine with links to a folder of the host that contains precious things."""

    machine: Machine
    outside: Path

    @property
    def inside(self) -> Path:
        """The target of these links within the root."""
        return self.machine.root / str(self.outside).lstrip("/")

    def lay(self, link: str, name: str = "") -> None:
        path = self.machine.root / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(self.outside / name)

    def put(self, name: str, text: str, *, inside: str | None = None) -> None:
        """A file outside, and the content at its path inside."""
        for path, content in ((self.outside / name, text), (self.inside / name, inside)):
            if content is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)

    def run(self, *words: str) -> int:
        """Run a verb; whatever its result, nothing outside changes."""
        before = fingerprint(self.outside, "/etc/passwd")
        code = app.run([*words, "--root", str(self.machine.root)])
        assert fingerprint(self.outside, "/etc/passwd") == before
        return code

    def apply(self, resources: str = "") -> int:
        if resources:
            self.machine.declare(resources)
        return self.run("apply", str(self.machine.manifest))


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    outside = tmp_path / "outside"
    outside.mkdir()
    return Trap(Machine.make(tmp_path / "machine"), outside)


FILE = """
    trap:
      type: file
      apply: once
      with: {path: /var/lib/trap, content: "new\\n", mode: "0600"}
"""
SMALL = "converge: 1\nproduct: small\ntitle: Small\nresources:\n"
GREETING = "  greeting:\n    type: file\n    apply: once\n    with: {{path: /etc/greeting, {}}}\n"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../../../../../../../../../../etc/passwd"])
@pytest.mark.parametrize("type_", ["file", "permissions"])
def test_a_link_to_etc_passwd_is_the_roots(trap: Trap, target: str, type_: str) -> None:
    link, inside = trap.machine.root / "var/lib/trap", trap.machine.root / "etc/passwd"
    link.parent.mkdir()
    link.symlink_to(target)
    params = "{path: /var/lib/trap, mode: '0600'}"
    assert trap.apply(f"trap:\n  type: {type_}\n  apply: once\n  with: {params}") == 0
    assert inside.stat().st_mode & 0o777 == 0o600


def test_a_file_is_written_where_a_link_leads_inside(trap: Trap) -> None:
    trap.put("file", "precious", inside="old")
    trap.lay("var/lib/trap", "file")
    assert trap.apply(FILE) == 0
    assert (trap.inside / "file").read_text() == "new\n"


def test_a_tree_is_not_left_by_a_link(trap: Trap) -> None:
    trap.put("file", "precious", inside="old")
    trap.lay("var/lib/tree/link", "file")
    trap.lay("var/lib/tree/folder")
    mode = (trap.inside / "file").stat().st_mode
    params = "{path: /var/lib/tree, recursive: true, mode: 'u=rwX,go='}"
    assert trap.apply(f"tree:\n  type: permissions\n  apply: once\n  with: {params}") == 0
    assert (trap.inside / "file").stat().st_mode == mode


@pytest.mark.parametrize("folder", ["var/lib/converge", "etc/converge"])
def test_a_ledgers_folder_is_inside(trap: Trap, folder: str) -> None:
    trap.put("ledger.json", "not a ledger at all")
    trap.inside.mkdir(parents=True)
    trap.lay(folder)
    assert trap.apply(FILE.replace("/var/lib/trap", f"/{folder.split('/')[0]}/x")) == 0
    assert (trap.inside / "ledger.json").read_text().startswith("{")


def test_a_ledger_is_inside(trap: Trap) -> None:
    trap.put("ledger.json", "not a ledger at all")
    trap.inside.mkdir(parents=True)
    trap.lay("var/lib/converge/ledger.json", "ledger.json")
    assert trap.apply(FILE) == 0
    assert trap.run("ledger", "show") == 0
    assert (trap.inside / "ledger.json").read_text().startswith("{")


def test_the_lock_is_inside(trap: Trap) -> None:
    shutil.rmtree(trap.machine.root / "run")
    trap.inside.mkdir(parents=True)
    trap.lay("run")
    assert trap.apply(FILE) == 0
    assert (trap.inside / "converge.lock").exists()


@pytest.mark.parametrize("inside", [None, "product: small\n"])
def test_site_yaml_is_inside(trap: Trap, inside: str | None) -> None:
    products = trap.machine.root / "usr/share/converge/products"
    products.mkdir(parents=True)
    (products / "small.yaml").write_text(SMALL + GREETING.format("content: hello"))
    trap.put("site.yaml", "product: small\nwithout: [greeting]\n", inside=inside)
    trap.lay("etc/converge/site.yaml", "site.yaml")
    assert trap.run("apply") == (ExitCode.USAGE if inside is None else ExitCode.OK)
    assert trap.run("apply", "small") == ExitCode.OK
    assert (trap.machine.root / "etc/greeting").read_text() == "hello"


@pytest.mark.parametrize("link", ["", "small.yaml"])
def test_products_are_inside(trap: Trap, link: str) -> None:
    trap.put("small.yaml", SMALL + GREETING.format("content: outside"))
    trap.lay(f"usr/share/converge/products/{link}", link)
    assert trap.run("apply", "small") == ExitCode.INVALID
    trap.put("small.yaml", SMALL, inside=SMALL + GREETING.format("content: inside"))
    assert trap.run("apply", "small") == 0
    assert (trap.machine.root / "etc/greeting").read_text() == "inside"


def test_the_files_of_products_are_inside(trap: Trap) -> None:
    products = trap.machine.root / "usr/share/converge/products"
    products.mkdir(parents=True)
    (products / "small.yaml").write_text(SMALL + GREETING.format("source: secret"))
    trap.put("secret", "outside", inside="inside")
    trap.lay("usr/share/converge/products/secret", "secret")
    assert trap.run("apply", "small") == 0
    assert (trap.machine.root / "etc/greeting").read_text() == "inside"
