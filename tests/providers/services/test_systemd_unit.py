from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain, Effect, EffectKind, Event
from converge.providers.services import systemd_unit
from converge.system import System
from converge.system.store import address_of
from tests.machine import Machine, decisions, outcomes, reasons, snapshot
from tests.real.converging import acting, changes_of, converge, state_of, take_back

CONFIG = "etc/systemd/system"
VENDOR = "usr/lib/systemd/system"
SERVICE = "[Service]\nExecStart=/usr/bin/reader\n"
READER = f"{SERVICE}\n[Install]\nWantedBy=multi-user.target\n"
WANTS = f"{CONFIG}/multi-user.target.wants"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.make(tmp_path)


@pytest.fixture
def root(machine: Machine) -> Path:
    return machine.root


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def put(root: Path, path: str, text: str = READER) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def link(root: Path, path: str, target: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(target)


def test_new_unit_gets_file_and_link_and_is_removed(root: Path, system: System) -> None:
    before = snapshot(root)
    params = {"name": "reader.service", "content": READER, "enabled": True}
    converge(systemd_unit, system, **params)
    assert (root / CONFIG / "reader.service").read_text() == READER
    assert str((root / WANTS / "reader.service").readlink()) == "/etc/systemd/system/reader.service"
    assert converge(systemd_unit, system, name="reader.service", ensure="absent") == (
        Change("ensure", "present", "absent"),
    )
    assert [name for name in snapshot(root).keys() - before.keys() if "reader" in name] == []


def test_undo_restores_the_former_state(root: Path, system: System) -> None:
    put(root, f"{VENDOR}/reader.service")
    put(root, f"{CONFIG}/reader.service.d/theirs.conf", "[Service]\nNice=5\n")
    params: dict[str, Any] = {"name": "reader.service", "enabled": True, "drop_ins": {"ours": "[Service]\nNice=7\n"}}
    before = state_of(systemd_unit, system, **params)
    converge(systemd_unit, system, **params)
    take_back(systemd_unit, system, before, **params)
    assert not (root / f"{CONFIG}/reader.service.d/ours.conf").exists()
    assert (root / f"{CONFIG}/reader.service.d/theirs.conf").exists()
    assert list((root / WANTS).glob("*")) == []


def test_unit_with_new_target_loses_the_old_link(root: Path, system: System) -> None:
    converge(systemd_unit, system, name="reader.service", content=READER, enabled=True)
    converge(systemd_unit, system, name="reader.service", content=READER.replace("multi-user", "graphical"))
    assert not (root / WANTS / "reader.service").is_symlink()
    assert (root / CONFIG / "graphical.target.wants/reader.service").is_symlink()


def test_masked_unit_is_disabled_only_after_unmasking(root: Path, system: System) -> None:
    put(root, f"{VENDOR}/reader.service")
    converge(systemd_unit, system, name="reader.service", enabled=True)
    converge(systemd_unit, system, name="reader.service", masked=True)
    assert changes_of(systemd_unit, system, name="reader.service", enabled=False, masked=True) == ()
    converge(systemd_unit, system, name="reader.service", masked=False, enabled=False)
    assert not (root / CONFIG / "reader.service").is_symlink()
    assert not (root / WANTS / "reader.service").is_symlink()


def test_changed_unit_is_reloaded_once_and_restarted(root: Path, system: System) -> None:
    put(root, f"{VENDOR}/reader.service")

    def effects(**params: Any) -> list[str]:
        params["name"] = "reader.service"
        spec, changes = systemd_unit.parse(params), changes_of(systemd_unit, system, **params)
        return [each.kind for each in systemd_unit.apply(system, spec, changes)]

    assert effects(drop_ins={"a": "[Service]\nNice=1\n"}) == ["daemon-reload", "restart"]
    assert effects(drop_ins={"a": "[Service]\nNice=2\n"}, on_change="reload") == ["daemon-reload", "reload"]
    assert effects(drop_ins={"a": "[Service]\nNice=3\n"}, on_change="none") == ["daemon-reload"]
    assert effects(enabled=True) == ["daemon-reload", "boot-start"]
    assert effects(masked=True) == ["daemon-reload"]


def test_after_change_restarts_only_on_running_machine(root: Path, system: System) -> None:
    put(root, f"{VENDOR}/reader.service")
    spec = systemd_unit.parse({"name": "reader.service", "after_change": ["one"]})
    state = systemd_unit.inspect(system, spec)
    notified = systemd_unit.notified(spec, ("one",))
    assert acting(systemd_unit).changes(system, notified, state) == ()
    assert systemd_unit.idle(notified, state) == "units start and stop only on a running machine"
    running = systemd_unit.State("present", live=True)
    changes = acting(systemd_unit).changes(system, notified, running)
    assert changes == (Change("restarted", None, "after one"),)
    assert Effect(EffectKind.RESTART, "reader.service") in systemd_unit.apply(system, notified, changes)
    assert systemd_unit.idle(spec, running) == "no resource in `after_change` has changed"
    assert systemd_unit.idle(notified, systemd_unit.State("absent", live=True)) == "unit reader.service is missing"


def test_running_is_ignored_on_root_that_does_not_run(root: Path, system: System) -> None:
    put(root, f"{VENDOR}/reader.service")
    assert changes_of(systemd_unit, system, name="reader.service", running=True) == ()


def test_fields_belong_to_deployment(system: System) -> None:
    spec = systemd_unit.parse({"name": "reader.service", "masked": True})
    assert set(acting(systemd_unit).domains(system, spec).values()) == {Domain.DEPLOYMENT}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "no parameter set: give at least one of enabled, masked, running, content, drop_ins"),
        ({"content": READER, "source": "/x"}, "`content` and `source` exclude each other"),
        ({"content": ""}, "`content` is empty, which would mask the unit"),
        ({"preset": True, "enabled": False}, "`preset` excludes `enabled` and `masked`"),
        ({"masked": True, "running": True}, "a masked unit never starts: `masked: true` excludes"),
        ({"masked": True, "content": READER}, "a masked unit never starts"),
        ({"ensure": "absent", "drop_ins": {"a": "x"}}, "removes only the unit file, not its drop-ins"),
        ({"drop_ins": {"a": "x"}, "without_drop_ins": ["a"]}, "a is in both `drop_ins` and `without_drop_ins`"),
        ({"name": "reader@.service", "enabled": True}, "a template cannot be enabled or started itself"),
    ],
)
def test_contradictory_parameters_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message) as raised:
        systemd_unit.parse({"name": "reader.service", **params})
    assert raised.value.hint


@pytest.mark.parametrize(
    ("params", "message", "hint"),
    [
        (
            {"name": "raeder.service", "enabled": True},
            "unit raeder.service is missing",
            "did you mean 'reader.service'",
        ),
        ({"name": "zzz.service", "running": True}, "unit zzz.service is missing", "add the resource that installs it"),
        (
            {"name": "plain.service", "enabled": True},
            "cannot enable plain.service: its unit file has no .Install. section",
            "remove `enabled`",
        ),
        ({"name": "nick.service", "enabled": True}, "is another name of reader.service", "declare reader.service"),
        (
            {"name": "reader.service", "ensure": "absent"},
            f"cannot remove /{VENDOR}/reader.service: it is not in /",
            "`masked: true`",
        ),
        ({"name": "hidden.service", "enabled": True}, "is masked by /etc/systemd/system/hidden.service", "`masked: fa"),
        ({"name": "linked.service", "content": READER}, "is a link to /srv/linked.service", "remove the link first"),
        ({"name": "own.service", "masked": True}, "is a unit file, and the mask would replace it", "`ensure: absent`"),
        ({"name": "reader.service", "drop_ins": {"linked": ""}}, "is a link to /srv/x.conf", "remove the link first"),
        (
            {"name": "shipped.service", "masked": False},
            f"is masked by /{VENDOR}/shipped.service",
            "remove that mask by hand",
        ),
    ],
)
def test_impossible_change_of_unit_is_refused(
    params: dict[str, Any], message: str, hint: str, root: Path, system: System
) -> None:
    for name, text in {"reader": READER, "plain": SERVICE, "hidden": READER, "shipped": ""}.items():
        put(root, f"{VENDOR}/{name}.service", text)
    put(root, f"{CONFIG}/own.service")
    put(root, "srv/linked.service")
    link(root, f"{VENDOR}/nick.service", "reader.service")
    link(root, f"{CONFIG}/hidden.service", "/dev/null")
    link(root, f"{CONFIG}/linked.service", "/srv/linked.service")
    link(root, f"{CONFIG}/reader.service.d/linked.conf", "/srv/x.conf")
    before = snapshot(root)
    with pytest.raises(ProviderError, match=message) as raised:
        converge(systemd_unit, system, **params)
    assert hint in str(raised.value.hint)
    assert snapshot(root) == before


def test_error_of_systemctl_is_reported_in_its_words(root: Path, system: System) -> None:
    put(root, f"{VENDOR}/reader.service", f"{SERVICE}[Install]\nAlias=reader.socket\n")
    with pytest.raises(ProviderError, match="Failed to enable unit"):
        converge(systemd_unit, system, name="reader.service", enabled=True)


@pytest.mark.parametrize(("other", "decided"), [("b: two", "apply"), ("a: one", "apply"), ("a: two", "failed")])
def test_drop_in_of_two_resources_conflicts_if_it_differs(other: str, decided: str, machine: Machine) -> None:
    drop_in = "{type: systemd-unit, apply: once, with: {name: reader.service, drop_ins: {%s}}}"
    machine.declare(f"one: {drop_in % 'a: one'}\ntwo: {drop_in % other}")
    plan = machine.plan(Event.INSTALL)
    assert decisions(plan) == {"one": decided, "two": decided}
    conflict = "'one' wants another value for drop_ins[a] of "
    assert (conflict in reasons(plan)["two"]) == (decided == "failed")
    assert ("reader.service: change one of them" in reasons(plan)["two"]) == (decided == "failed")


def test_drop_in_changed_by_user_is_kept_beside_another(machine: Machine) -> None:
    declared = """
    one:
      type: systemd-unit
      apply: always
      on_user_change: keep
      with: {name: reader.service, drop_ins: {a: one, b: %s}}
    """
    machine.declare(declared % "one")
    machine.apply(Event.INSTALL)
    folder = machine.path("/etc/systemd/system/reader.service.d")
    (folder / "a.conf").write_text("theirs")
    machine.declare(declared % "two")
    assert decisions(machine.apply())["one"] == "keep"
    assert (folder / "a.conf").read_text() == "theirs"
    (folder / "a.conf").write_text("one")
    assert outcomes(machine.apply())["one"] == "changed"
    assert (folder / "b.conf").read_text() == "two"


def test_only_if_compares_contents_of_drop_ins(machine: Machine) -> None:
    machine.declare(f"""
    one:
      type: systemd-unit
      apply: always
      only_if: {{drop_ins: {{a: "{address_of(b"old")}"}}}}
      with: {{name: reader.service, drop_ins: {{a: new}}}}
    """)
    assert decisions(machine.apply(Event.INSTALL))["one"] == "not-applicable"
    put(machine.root, f"{CONFIG}/reader.service.d/a.conf", "old")
    assert outcomes(machine.apply())["one"] == "changed"


def test_unit_from_another_resource_is_decided_after_it(machine: Machine) -> None:
    machine.declare("""
    ours: {type: systemd-unit, apply: always, needs: [file], with: {name: ours.service, enabled: true}}
    file: {type: file, apply: always, with: {path: /etc/systemd/system/ours.service, source: /usr/lib/ours}}
    """)
    put(machine.root, "usr/lib/ours")
    steps = machine.plan(Event.UPGRADE).steps
    assert [(step.id, step.certain) for step in steps] == [("file", True), ("ours", False)]
    assert outcomes(machine.apply(Event.UPGRADE)) == {"file": "changed", "ours": "changed"}
    assert set(outcomes(machine.apply()).values()) == {"unchanged"}
