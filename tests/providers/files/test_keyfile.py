from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.files import keyfile
from converge.providers.protocol import fields_of
from converge.system import System
from tests.real.converging import acting, changes_of, converge, state_of, take_back

CONFIG = b"""\
; of the site
top = 1

[main]
\tplugins = keyfile  \t
#plugins=none
word
plugins=a ; b
[empty]
[main]
no-auto=\xff"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "root/etc/app.conf"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONFIG)
    return path


@pytest.fixture
def system(path: Path) -> System:
    return System(str(path.parents[1]))


def params(**more: Any) -> dict[str, Any]:
    return {"path": "/etc/app.conf", **more}


@pytest.mark.parametrize(
    ("more", "old", "new"),
    [
        ({"group": "main", "key": "plugins", "value": "x"}, b"plugins=a ; b", b"plugins=x"),
        ({"group": "main", "key": "plugins", "value": "a ; b"}, b"", b""),
        ({"group": "main", "key": "no-auto", "value": "*"}, b"\xff", b"*"),
        ({"key": "top", "value": "2"}, b"top = 1", b"top = 2"),
        ({"key": "plugins", "value": "2"}, b"top = 1\n", b"top = 1\nplugins = 2\n"),
        ({"group": "empty", "key": "k", "value": "[v]"}, b"[empty]\n", b"[empty]\nk=[v]\n"),
        ({"group": "main", "key": "k", "value": ""}, b"\xff", b"\xff\nk="),
        ({"group": "Main", "key": "k", "value": "v"}, b"\xff", b"\xff\n\n[Main]\nk=v"),
        ({"group": "main", "key": "no-auto", "ensure": "absent"}, b"\nno-auto=\xff", b""),
        ({"group": "empty", "key": "plugins", "ensure": "absent"}, b"", b""),
        ({"group": "none", "key": "plugins", "ensure": "absent"}, b"", b""),
    ],
)
def test_file_changed_as_expected_and_restored_by_undo(
    path: Path, system: System, more: dict[str, Any], old: bytes, new: bytes
) -> None:
    before = state_of(keyfile, system, **params(**more))
    converge(keyfile, system, **params(**more))
    assert path.read_bytes() == CONFIG.replace(old, new)
    take_back(keyfile, system, before, **params(**more))
    assert path.read_bytes() == CONFIG


def test_last_of_several_counts_and_all_removed_and_restored(path: Path, system: System) -> None:
    given = params(group="main", key="plugins", ensure="absent")
    before = state_of(keyfile, system, **given)
    ensure, value, record = converge(keyfile, system, **given)
    assert (ensure, value) == (Change("ensure", "present", "absent"), Change("value", "a ; b", None))
    assert (str(record.before).partition(":")[0], record.after) == ("lines 5,8", None)
    assert path.read_bytes() == CONFIG.replace(b"\tplugins = keyfile  \t\n", b"").replace(b"\nplugins=a ; b", b"")
    take_back(keyfile, system, before, **given)
    assert path.read_bytes() == CONFIG


def test_removed_key_not_restored_in_other_group(path: Path, system: System) -> None:
    given = params(group="main", key="no-auto", ensure="absent")
    before = state_of(keyfile, system, **given)
    converge(keyfile, system, **given)
    path.write_text("[main]\n" + "[other]\n" * 9 + "x = y\n")
    keyfile.apply(
        system, keyfile.parse(given), tuple(Change(name, None, value) for name, value in before.items() if value)
    )
    assert path.read_bytes() == b"[main]\nno-auto=\xff\n" + b"[other]\n" * 9 + b"x = y\n"


def test_several_removed_keys_not_restored_in_other_group(path: Path, system: System) -> None:
    given = params(group="main", key="plugins", ensure="absent")
    before = state_of(keyfile, system, **given)
    converge(keyfile, system, **given)
    path.write_text("[other]\n" * 5 + "[main]\n\n")
    back = tuple(Change(name, None, value) for name, value in before.items() if value)
    keyfile.apply(system, keyfile.parse(given), back)
    assert path.read_text() == "[other]\n" * 5 + "[main]\nplugins=a ; b\n\n"


def test_missing_file_made_only_with_create_and_undone(path: Path, system: System) -> None:
    path.unlink()
    given = params(group="main", key="k", value="v")
    with pytest.raises(ProviderError, match=r"/etc/app\.conf does not exist"):
        changes_of(keyfile, system, **given)
    before = state_of(keyfile, system, **given)
    converge(keyfile, system, **given, create=True)
    assert path.read_text() == "[main]\nk=v\n"
    take_back(keyfile, system, before, **given, create=True)
    assert not path.exists()


def test_file_removed_during_run_not_made_again(path: Path, system: System) -> None:
    given = params(key="top", value="2")
    changes = changes_of(keyfile, system, **given)
    path.unlink()
    with pytest.raises(ProviderError, match=r"/etc/app\.conf was removed during the run"):
        keyfile.apply(system, keyfile.parse(given), changes)


def test_odd_lines_are_not_errors(path: Path, system: System) -> None:
    path.write_bytes(b"\x00\x01[[\n<xml>\n")
    converge(keyfile, system, **params(group="g", key="k", value="v"))
    assert path.read_bytes() == b"\x00\x01[[\n<xml>\n\n[g]\nk=v\n"


@pytest.mark.parametrize("ensure", ["present", "absent"])
def test_value_on_several_lines_refused(path: Path, system: System, ensure: str) -> None:
    path.write_text("[a]\nk = 1 \\\n  2\n")
    with pytest.raises(ProviderError, match=r"/etc/app\.conf:2: the value of 'k' continues in the next line"):
        changes_of(keyfile, system, **params(group="a", key="k", value="1", ensure=ensure))


def test_key_after_continued_last_line_refused(path: Path, system: System) -> None:
    path.write_text("[a]\nk = 1 \\\n")
    with pytest.raises(ProviderError, match=r"the last line of /etc/app\.conf ends in a backslash"):
        converge(keyfile, system, **params(group="a", key="x", value="1"))
    assert path.read_text() == "[a]\nk = 1 \\\n"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"key": "k"}, "`value` is missing for 'k'"),
        *(
            ({"group": "g", "key": "k", "value": "v", **odd}, "cannot be written with this group, key and value")
            for odd in (
                {"key": "a=b"},
                {"key": " k"},
                {"key": "#k"},
                {"key": ""},
                {"group": "a]"},
                {"group": "a\nb"},
                {"value": " v"},
                {"value": "v\n"},
                {"value": "a\nb"},
                {"value": "v\\"},
            )
        ),
    ],
)
def test_invalid_parameters_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        keyfile.parse(params(**more))


def test_value_with_escaped_backslashes_accepted() -> None:
    assert keyfile.parse(params(key="k", value="C:\\\\")).value == "C:\\\\"


def test_two_values_for_one_key_claim_same_thing() -> None:
    def things(**more: Any) -> set[str]:
        return {claim.thing.recorded for claim in acting(keyfile).claims(keyfile.parse(params(**more)))}

    assert things(group="g", key="k", value="1") == things(group="g", key="k", value="2")
    assert things(group="g", key="k", value="1") != things(key="k", value="1")


def test_domain_is_that_of_file(system: System) -> None:
    spec = keyfile.parse(params(key="k", value="1"))
    assert set(acting(keyfile).domains(system, spec).values()) == {Domain.DEPLOYMENT}


def test_undo_applied_twice_is_harmless(path: Path, system: System) -> None:
    given = params(group="main", key="plugins", ensure="absent")
    before = fields_of(keyfile.inspect(system, keyfile.parse(given)))
    converge(keyfile, system, **given)
    for _ in range(2):
        changes = tuple(Change(name, None, value) for name, value in before.items() if value)
        keyfile.apply(system, keyfile.parse(given), changes)
        assert path.read_bytes() == CONFIG
