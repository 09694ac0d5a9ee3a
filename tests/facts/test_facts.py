from pathlib import Path

import pytest

from converge.errors import ConvergeError, UsageError
from converge.facts import FACTS, PROBES, Facts, Origin, deployment_identity, scope
from converge.language.expressions import check, evaluate, parse_expression
from converge.model import LOWEST_VERSION, Event, Unknown, Value, Version
from converge.system import ReadOnlySystem
from tests.facts.root import put

IS_HARDWARE = ("machine.", "cpu.", "memory.", "disk.", "kernel.", "network.")


def facts(root: Path, given: dict[str, Value] | None = None, **options: object) -> Facts:
    return Facts(ReadOnlySystem(str(root)), given=given or {}, **options)  # type: ignore[arg-type]


def value(facts: Facts, text: str) -> object:
    return evaluate(parse_expression(text), facts)


def test_hardware_under_root_is_unknown(tmp_path: Path) -> None:
    found = facts(tmp_path).gather(FACTS)
    assert {name for name, value in found.items() if isinstance(value, Unknown) and "under --root" in value.reason} == {
        name for name in FACTS if name.startswith(IS_HARDWARE)
    }
    assert isinstance(value(facts(tmp_path), 'mount("/").free'), Unknown)


def test_hardware_with_this_hardware_is_known(tmp_path: Path) -> None:
    found = Facts(ReadOnlySystem(str(tmp_path), this_hardware=True))
    assert value(found, "memory.total > 16 * MiB") is True
    assert value(found, 'mount("/var/not/there/yet").size > MiB') is True


def test_facts_of_this_machine_have_their_types() -> None:
    kinds = {"boolean": bool, "size": int, "text": str, "version": Version, "list": tuple}
    found = Facts(ReadOnlySystem("/"), Origin(Event.INSTALL, Version("1"), Version("2"))).gather(FACTS)
    for name, fact in FACTS.items():
        unset = found[name] is None and fact.type.optional
        assert unset or isinstance(found[name], (kinds[fact.type.kind], Unknown)), name


@pytest.mark.parametrize(
    ("given", "text", "expected"),
    [
        ({"disk": {"size": "64GiB"}}, "disk.size", 64 << 30),
        ({"disk.size": 5}, "disk.size", 5),
        ({"os.version": "3.8"}, "os.version", Version("3.8")),
        ({"previous": {"version": None}}, "previous.version", LOWEST_VERSION),
        ({"machine": {"vendor": None, "live": True}}, "machine.vendor", None),
        ({"kernel.arguments": ["quiet"]}, "kernel.arguments", ("quiet",)),
        ({'exists("/x")': True}, "exists('/x')", True),
        ({'exists("/x")': True}, "exists('/y')", False),
        ({"flatpaks()": ["app/a/b/c"]}, "flatpaks() | length", 1),
        ({'flatpak("a").origin': "flathub"}, "flatpak('a').origin", "flathub"),
        ({'flatpak("a").origin': "flathub"}, "flatpak('a').installed", False),
        ({'flatpak("a")': {"installed": True, "origin": "x"}}, "flatpak('a').installed", True),
        ({'mount("/")': {"free": "2GiB"}}, "mount('/').free", 2 << 30),
        ({'mount("/").free': 1, 'mount("/").size': 2}, "mount('/').size + mount('/').free", 3),
    ],
)
def test_given_fact_is_not_gathered(tmp_path: Path, given: dict[str, Value], text: str, expected: object) -> None:
    assert check(parse_expression(text), scope()).problems == ()
    assert value(facts(tmp_path, given), text) == expected


def test_record_given_in_part_rest_stays_unknown(tmp_path: Path) -> None:
    assert isinstance(value(facts(tmp_path, {'mount("/").free': 1}), "mount('/').size"), Unknown)


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"disk.sise": 1}, "disk.size"),
        ({"disk": 1}, "disk.size"),
        ({"zzz": 1}, "converge facts"),
        ({"disk.size": "big"}, "GiB"),
        ({"machine.live": "yes"}, None),
        ({"disk.size": True}, None),
        ({"memory": {"total": None}}, None),
        ({"kernel.arguments": "quiet"}, None),
        ({'exsts("/x")': True}, "exists"),
        ({"exists(name)": True}, None),
        ({"exists(": True}, None),
        ({'flatpak("a").orign': "x"}, "origin"),
        ({'flatpak("a")': True}, "installed"),
    ],
)
def test_wrong_given_fact_is_error(tmp_path: Path, given: dict[str, Value], hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        facts(tmp_path, given)
    assert hint is None or (caught.value.hint is not None and hint in caught.value.hint)


def test_fact_gathered_once_for_all_items(tmp_path: Path) -> None:
    put(tmp_path, {"etc/os-release": "VERSION_ID=1\n"})
    first = facts(tmp_path)
    assert value(first, "os.version == '1' and not exists('/etc/x')") is True
    put(tmp_path, {"etc/os-release": "VERSION_ID=2\n", "etc/x": ""})
    assert value(first.with_item("a"), "os.version == '1' and not exists('/etc/x') and item == 'a'") is True
    assert value(facts(tmp_path), "os.version == '2' and exists('/etc/x')") is True


def test_parameters_and_items(tmp_path: Path) -> None:
    found = facts(tmp_path, parameters={"room": 5}).with_item({"key": "a", "value": {"b": "c"}})
    assert value(found, "room * KiB") == 5 * 1024
    assert value(found, "item.key ~ item.value.b") == "ac"


@pytest.mark.parametrize("text", ["nothing", "room.x", "disk", "nothing('x')", "exists('relative')", "flatpaks('a')"])
def test_unknown_name_is_converge_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConvergeError):
        value(facts(tmp_path, parameters={"room": 5}), text)


def test_groups_and_probes_can_be_gathered(tmp_path: Path) -> None:
    put(tmp_path, {"etc/os-release": "ID=test\nVERSION_ID=1\n"})
    found = facts(tmp_path).gather(["os", "exists('/etc')"])
    assert found == {"os.id": "test", "os.version": Version("1"), "os.variant": None, "exists('/etc')": True}


def test_all_names_are_in_scope() -> None:
    found = scope()
    assert {*FACTS, "GiB"} <= set(found.names)
    assert {*PROBES, "min"} <= set(found.functions)
    assert not set(PROBES) & {name.partition(".")[0] for name in FACTS}


@pytest.mark.parametrize(
    ("release", "given", "identity"),
    [
        ("VERSION_ID=3.7\n", {}, ("3.7", "3.7")),
        ("VERSION_ID=3.7\nIMAGE_VERSION=3.7.1\n", {}, ("3.7.1", "3.7.1")),
        ("", {}, ("", "")),
        ("VERSION_ID=3.7\n", {"os.version": "3.8"}, ("3.8", "3.8")),
        ("VERSION_ID=3.7\n", {"deployment.checksum": "abc"}, ("abc", "3.7")),
    ],
)
def test_deployment_identity(tmp_path: Path, release: str, given: dict[str, Value], identity: tuple[str, str]) -> None:
    put(tmp_path, {"etc/os-release": release})
    assert deployment_identity(ReadOnlySystem(str(tmp_path)), given) == identity
