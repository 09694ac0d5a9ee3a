import os
from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Asset, Change, Domain
from converge.providers.files import file
from converge.providers.protocol import fields_of
from converge.system import System
from converge.system.store import address_of
from tests.real.converging import acting, changes_of

LINES = "one\ntwo\nthree\nfour\nfive\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nann:x:1000:\n")
    return root


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def changes_for(system: System, **params: Any) -> tuple[Change, ...]:
    return changes_of(file, system, **params)


def converge(system: System, **params: Any) -> tuple[Change, ...]:
    """Apply, and check that no change is left."""
    changes = changes_for(system, **params)
    file.apply(system, file.parse(params), changes)
    assert changes_for(system, **params) == ()
    return changes


def test_new_file_owned_by_root_and_readable(root: Path, system: System) -> None:
    changes = converge(system, path="/etc/new/issue", content="Welcome.\n")
    assert changes == (Change("ensure", "absent", "present"), Change("content", None, address_of(b"Welcome.\n")))
    found = (root / "etc/new/issue").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 0, 0o644)


def test_new_file_made_with_declared_attributes(root: Path, system: System) -> None:
    converge(system, path="/etc/key", content="secret", mode="u=rw,go=", owner="ann", group="1000")
    found = (root / "etc/key").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (1000, 1000, 0o600)


def test_only_managed_attributes_changed(root: Path, system: System) -> None:
    path = root / "etc/issue"
    path.write_text("Mine.\n")
    os.chown(path, 1000, 1000)
    path.chmod(0o4640)
    assert converge(system, path="/etc/issue", mode="o+r") == (Change("mode", "4640", "4644"),)
    assert converge(system, path="/etc/issue", content="Ours.\n") == (
        Change("content", address_of(b"Mine.\n"), address_of(b"Ours.\n")),
    )
    assert converge(system, path="/etc/issue", owner="0") == (Change("owner", "ann", "0"),)
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777, path.read_text()) == (0, 1000, 0o4644, "Ours.\n")


def test_other_hard_links_unchanged(root: Path, system: System) -> None:
    other = root / "etc/other"
    other.write_text("Theirs.\n")
    before = other.stat()
    for number, params in enumerate(({"mode": "0600", "owner": "ann"}, {"content": "Ours.\n"})):
        os.link(other, root / f"etc/issue-{number}")
        converge(system, path=f"/etc/issue-{number}", **params)
    after = other.stat()
    assert (after.st_ino, after.st_mode, after.st_uid, after.st_nlink) == (before.st_ino, before.st_mode, 0, 1)
    assert other.read_text() == "Theirs.\n"
    assert (root / "etc/issue-0").read_text() == "Theirs.\n"


def test_missing_file_without_content_made_empty(root: Path, system: System) -> None:
    converge(system, path="/etc/flag", mode="0600")
    assert (root / "etc/flag").read_bytes() == b""


def test_source_beside_manifest_or_on_machine(root: Path, system: System, tmp_path: Path) -> None:
    (tmp_path / "asset").write_bytes(b"\0asset")
    converge(system, path="/etc/a", source=Asset(str(tmp_path / "asset")))
    assert (root / "etc/a").read_bytes() == b"\0asset"
    (root / "usr/share").mkdir(parents=True)
    (root / "usr/share/default").write_text("first")
    converge(system, path="/etc/b", source="/usr/share/default")
    (root / "usr/share/default").write_text("second")
    converge(system, path="/etc/b", source="/usr/share/default")
    assert (root / "etc/b").read_text() == "second"
    with pytest.raises(ProviderError, match="there is no file /usr/share/none"):
        changes_for(system, path="/etc/c", source="/usr/share/none")


def test_template_rendered_in_sandbox(root: Path, system: System, tmp_path: Path) -> None:
    template = tmp_path / "issue.j2"
    template.write_text("{% for name in names %}{{ name | upper }}\n{% endfor %}")
    params = {"path": "/etc/issue", "template": Asset(str(template)), "variables": {"names": ("ann", "bob")}}
    converge(system, **params)
    assert (root / "etc/issue").read_text() == "ANN\nBOB\n"


@pytest.mark.parametrize(
    "text", ["{{ missing }}", "{{ names.append(1) }}", "{{ ''.__class__.__mro__ }}", "{% if %}", "{{ 1 // 0 }}"]
)
def test_faulty_template_is_error(system: System, tmp_path: Path, text: str) -> None:
    (tmp_path / "t").write_text(text)
    with pytest.raises(ProviderError, match="cannot render the template of /etc/issue"):
        changes_for(system, path="/etc/issue", template=Asset(str(tmp_path / "t")), variables={"names": []})


def test_removal_keeps_content_for_undo(root: Path, system: System) -> None:
    path = root / "etc/issue"
    path.write_text("Mine.\n")
    path.chmod(0o600)
    spec = file.parse({"path": "/etc/issue", "ensure": "absent", "content": "unused"})
    before = fields_of(file.inspect(system, spec))
    assert converge(system, path="/etc/issue", ensure="absent") == (Change("ensure", "present", "absent"),)
    assert not path.exists()
    file.apply(system, spec, tuple(Change(name, None, value) for name, value in before.items()))
    assert fields_of(file.inspect(system, spec)) == before


def test_former_content_restored(root: Path, system: System) -> None:
    (root / "etc/issue").write_text("Mine.\n")
    params = {"path": "/etc/issue", "content": "Ours.\n", "mode": "0600"}
    changes = converge(system, **params)
    file.apply(system, file.parse(params), tuple(change.inverse() for change in changes))
    assert (root / "etc/issue").read_text() == "Mine.\n"
    assert (root / "etc/issue").stat().st_mode & 0o7777 == 0o644


def test_unknown_content_is_error(root: Path, system: System) -> None:
    (root / "etc/issue").write_text("Mine.\n")
    with pytest.raises(ProviderError, match="not in the store"):
        file.apply(system, file.parse({"path": "/etc/issue"}), (Change("content", None, address_of(b"unheard of")),))


def test_file_removed_during_run_not_made_again(root: Path, system: System) -> None:
    spec = file.parse({"path": "/etc/issue", "content": "Ours.\n"})
    with pytest.raises(ProviderError, match="/etc/issue was removed during the run"):
        file.apply(system, spec, (Change("content", address_of(b"Mine.\n"), address_of(b"Ours.\n")),))
    assert not (root / "etc/issue").exists()


def test_kind_of_path_never_changed(root: Path, system: System) -> None:
    (root / "etc/folder").mkdir()
    os.mkfifo(root / "etc/pipe")
    for path in ("/etc/folder", "/etc/pipe"):
        for ensure in ("present", "absent"):
            with pytest.raises(ProviderError, match="is not a regular file"):
                changes_for(system, path=path, ensure=ensure)


def test_link_kept_and_followed_inside_root(root: Path, system: System) -> None:
    (root / "etc/real").write_text("old")
    (root / "etc/link").symlink_to("/etc/real")
    converge(system, path="/etc/link", content="new", mode="0600")
    assert (root / "etc/link").is_symlink()
    assert (root / "etc/real").read_text() == "new"
    assert (root / "etc/real").stat().st_mode & 0o7777 == 0o600
    with pytest.raises(ProviderError, match="is a symbolic link"):
        changes_for(system, path="/etc/link", ensure="absent")


@pytest.mark.parametrize(
    "params",
    [
        {"path": "etc/issue"},
        {"path": "/etc/../issue"},
        {"path": "/etc/issue", "content": "a", "source": "/b"},
        {"path": "/etc/issue", "mode": "0999"},
    ],
)
def test_invalid_parameters_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        file.parse(params)


def test_domain_is_that_of_link_target(root: Path, system: System) -> None:
    (root / "var").mkdir()
    (root / "etc/linked").symlink_to("/var")

    def domains(path: str) -> set[Domain]:
        return set(acting(file).domains(system, file.parse({"path": path})).values())

    assert {path: domains(path) for path in ("/etc/a", "/var/a")} == {
        "/etc/a": {Domain.DEPLOYMENT},
        "/var/a": {Domain.MACHINE},
    }
    assert domains("/etc/linked/a") == {Domain.MACHINE}


def merging(text: str) -> dict[str, Any]:
    return {"path": "/etc/app.conf", "content": text, "merge": "three-way"}


def test_merge_keeps_user_changes(root: Path, system: System) -> None:
    path = root / "etc/app.conf"
    converge(system, **merging(LINES))
    path.write_text(LINES.replace("one", "ONE"))
    assert changes_for(system, **merging(LINES)) == ()
    converge(system, **merging(LINES.replace("five", "FIVE")))
    assert path.read_text() == "ONE\ntwo\nthree\nfour\nFIVE\n"
    converge(system, **merging(LINES.replace("five", "5")))
    assert path.read_text() == "ONE\ntwo\nthree\nfour\n5\n"


def test_conflict_keeps_user_file_and_writes_ours_once(root: Path, system: System) -> None:
    path, beside = root / "etc/app.conf", root / "etc/app.conf.converge-new"
    converge(system, **merging(LINES))
    path.write_text(LINES.replace("two", "user"))
    ours = LINES.replace("two", "vendor")
    (change,) = converge(system, **merging(ours))
    assert str(change.after).endswith("ours goes to /etc/app.conf.converge-new")
    assert (path.read_text(), beside.read_text()) == (LINES.replace("two", "user"), ours)
    beside.unlink()
    assert changes_for(system, **merging(ours)) == ()


def test_merge_without_base_replaces(root: Path, system: System) -> None:
    (root / "etc/app.conf").write_text("from before converge\n")
    converge(system, **merging(LINES))
    assert (root / "etc/app.conf").read_text() == LINES


def test_merge_killed_before_base_written_gives_same(root: Path, system: System) -> None:
    converge(system, **merging(LINES))
    (base,) = (root / "etc/converge/merged").iterdir()
    (root / "etc/app.conf").write_text(LINES.replace("one", "ONE"))
    ours = LINES.replace("five", "FIVE")
    converge(system, **merging(ours))
    base.write_text(LINES)
    assert changes_for(system, **merging(ours)) == ()


def test_same_merge_applied_twice(root: Path, system: System) -> None:
    converge(system, **merging(LINES))
    (root / "etc/app.conf").write_text(LINES.replace("one", "ONE"))
    spec = file.parse(merging(LINES.replace("five", "FIVE")))
    changes = changes_for(system, **merging(LINES.replace("five", "FIVE")))
    for _ in range(2):
        file.apply(system, spec, changes)
    assert (root / "etc/app.conf").read_text() == "ONE\ntwo\nthree\nfour\nFIVE\n"
    file.apply(system, spec, tuple(change.inverse() for change in changes))
    assert (root / "etc/app.conf").read_text() == LINES.replace("one", "ONE")
