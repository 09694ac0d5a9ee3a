from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.files import keyfile
from converge.providers.protocol import fields_of
from converge.system import System
from tests.real.converging import changes_of, converge, state_of, take_back

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
def test_the_file_afterwards_and_the_way_back_to_the_letter(
    path: Path, system: System, more: dict[str, Any], old: bytes, new: bytes
) -> None:
    before = state_of(keyfile, system, **params(**more))
    converge(keyfile, system, **params(**more))
    assert path.read_bytes() == CONFIG.replace(old, new)
    take_back(keyfile, system, before, **params(**more))
    assert path.read_bytes() == CONFIG


def test_of_several_the_last_counts_and_all_are_removed_and_put_back(path: Path, system: System) -> None:
    asked = params(group="main", key="plugins", ensure="absent")
    before = state_of(keyfile, system, **asked)
    ensure, value, record = converge(keyfile, system, **asked)
    assert (ensure, value) == (Change("ensure", "present", "absent"), Change("value", "a ; b", None))
    assert (str(record.before).partition(":")[0], record.after) == ("lines 5,8", None)
    assert path.read_bytes() == CONFIG.replace(b"\tplugins = keyfile  \t\n", b"").replace(b"\nplugins=a ; b", b"")
    take_back(keyfile, system, before, **asked)
    assert path.read_bytes() == CONFIG


def test_what_was_removed_never_comes_back_into_another_group(path: Path, system: System) -> None:
    asked = params(group="main", key="no-auto", ensure="absent")
    before = state_of(keyfile, system, **asked)
    converge(keyfile, system, **asked)
    path.write_text("[main]\n" + "[other]\n" * 9 + "x = y\n")
    keyfile.apply(
        system, keyfile.parse(asked), tuple(Change(name, None, value) for name, value in before.items() if value)
    )
    assert path.read_bytes() == b"[main]\nno-auto=\xff\n" + b"[other]\n" * 9 + b"x = y\n"


def test_of_several_none_comes_back_into_another_group(path: Path, system: System) -> None:
    asked = params(group="main", key="plugins", ensure="absent")
    before = state_of(keyfile, system, **asked)
    converge(keyfile, system, **asked)
    path.write_text("[other]\n" * 5 + "[main]\n\n")
    back = tuple(Change(name, None, value) for name, value in before.items() if value)
    keyfile.apply(system, keyfile.parse(asked), back)
    assert path.read_text() == "[other]\n" * 5 + "[main]\nplugins=a ; b\n\n"


def test_a_file_is_made_only_where_that_is_asked_and_goes_again(path: Path, system: System) -> None:
    path.unlink()
    asked = params(group="main", key="k", value="v")
    with pytest.raises(ProviderError, match=r"there is no file /etc/app\.conf to write into"):
        changes_of(keyfile, system, **asked)
    before = state_of(keyfile, system, **asked)
    converge(keyfile, system, **asked, create=True)
    assert path.read_text() == "[main]\nk=v\n"
    take_back(keyfile, system, before, **asked, create=True)
    assert not path.exists()


def test_a_file_that_vanished_meanwhile_is_not_made_anew(path: Path, system: System) -> None:
    asked = params(key="top", value="2")
    changes = changes_of(keyfile, system, **asked)
    path.unlink()
    with pytest.raises(ProviderError, match=r"/etc/app\.conf is gone"):
        keyfile.apply(system, keyfile.parse(asked), changes)


def test_only_keys_are_read_so_an_odd_file_is_no_error(path: Path, system: System) -> None:
    path.write_bytes(b"\x00\x01[[\n<xml>\n")
    converge(keyfile, system, **params(group="g", key="k", value="v"))
    assert path.read_bytes() == b"\x00\x01[[\n<xml>\n\n[g]\nk=v\n"


@pytest.mark.parametrize("ensure", ["present", "absent"])
def test_a_value_on_several_lines_is_refused(path: Path, system: System, ensure: str) -> None:
    path.write_text("[a]\nk = 1 \\\n  2\n")
    with pytest.raises(ProviderError, match=r"/etc/app\.conf:2: the value of 'k' goes on in the next line"):
        changes_of(keyfile, system, **params(group="a", key="k", value="1", ensure=ensure))


def test_what_the_last_line_would_swallow_is_not_written(path: Path, system: System) -> None:
    path.write_text("[a]\nk = 1 \\\n")
    with pytest.raises(ProviderError, match=r"the last line of /etc/app\.conf goes on"):
        converge(keyfile, system, **params(group="a", key="x", value="1"))
    assert path.read_text() == "[a]\nk = 1 \\\n"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"key": "k"}, "there is no value for 'k'"),
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
def test_parameters_that_make_no_sense_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        keyfile.parse(params(**more))


def test_a_value_may_have_escaped_backslashes() -> None:
    assert keyfile.parse(params(key="k", value="C:\\\\")).value == "C:\\\\"


def test_two_that_want_different_values_for_one_key_claim_the_same_thing() -> None:
    def things(**more: Any) -> set[str]:
        return {claim.thing for claim in keyfile.claims(keyfile.parse(params(**more)))}

    assert things(group="g", key="k", value="1") == things(group="g", key="k", value="2")
    assert things(group="g", key="k", value="1") != things(key="k", value="1")


def test_the_domain_is_that_of_the_file(system: System) -> None:
    assert set(keyfile.domains(system, keyfile.parse(params(key="k", value="1"))).values()) == {Domain.DEPLOYMENT}


def test_applying_twice_what_takes_back_is_harmless(path: Path, system: System) -> None:
    asked = params(group="main", key="plugins", ensure="absent")
    before = fields_of(keyfile.inspect(system, keyfile.parse(asked)))
    converge(keyfile, system, **asked)
    for _ in range(2):
        changes = tuple(Change(name, None, value) for name, value in before.items() if value)
        keyfile.apply(system, keyfile.parse(asked), changes)
        assert path.read_bytes() == CONFIG
