"""A system group, as systemd-sysusers makes it: there with its number, or gone.

Owns the group's line in /etc/group, with the one in /etc/gshadow, but not who is in it. A group of the image
(/usr/lib/group, where nsswitch.conf names altfiles) is there as well.
"""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import evolve, field, frozen

from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.accounts.accountfiles import (
    Accounts,
    Editor,
    Group,
    require_changeable,
    require_number,
    require_system_number,
)
from converge.providers.protocol import ABSENT, PRESENT, Params, account_name, compare, every_field, values
from converge.system import ReadOnlySystem, System

TYPE = "group"
GROUPS = (("ensure", "gid"),)


@frozen
class Spec:
    name: str = field(converter=account_name)
    ensure: Literal["present", "absent"] = "present"
    gid: int | None = None


@frozen
class State:
    ensure: str
    gid: int | None = None
    members: tuple[str, ...] | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    require_system_number("group", spec.name, spec.gid)
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    return tuple(Claim("group", spec.name, name, value) for name, value in _desired(spec).items())


def _desired(spec: Spec) -> dict[str, Value]:
    gid: dict[str, Value] = {} if spec.gid is None or spec.ensure == ABSENT else {"gid": spec.gid}
    return {"ensure": spec.ensure, **gid}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return every_field(State, Domain.DEPLOYMENT)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    accounts = Accounts(system)
    group = accounts.group(spec.name)
    if group is None:
        if spec.ensure == PRESENT and spec.gid is not None:
            accounts.require_free("group", spec.name, spec.gid)
        return State(ABSENT)
    if spec.ensure == ABSENT:
        accounts.require_removable("group", spec.name)
    return State(PRESENT, group.id, tuple(sorted(group.members)))


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    changes = compare(_desired(spec), state)
    if changes and state.gid is not None:
        require_changeable("group", spec.name, state.gid)
        if spec.gid is not None and spec.ensure == PRESENT:
            require_number("group", spec.name, state.gid, spec.gid)
    return changes


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    with system.lock_accounts():
        editor = Editor(system)
        after: Mapping[str, Any] = values(changes)
        if after.get("ensure") == ABSENT:
            editor.drop_group(spec.name)
        elif after:
            _put(editor, spec.name, after)
        editor.save(system)
    return ()


def _put(editor: Editor, name: str, after: Mapping[str, Any]) -> None:
    """Make the group, or what undo asks of one that is there: its members."""
    group = editor.group(name)
    if group is None:
        group = _new(editor, name, after)
    elif after.get("gid") is not None:
        require_number("group", name, group.id, after["gid"])
    members = after.get("members")
    editor.put_group(group if members is None else evolve(group, members=tuple(members)))


def _new(editor: Editor, name: str, after: Mapping[str, Any]) -> Group:
    if "ensure" not in after:
        raise ProviderError(f"the group '{name}' is gone", hint="somebody removed it meanwhile; run converge again")
    if after.get("gid") is None:
        return Group(name, editor.free_id("group", name))
    editor.require_free("group", name, after["gid"])
    return Group(name, after["gid"])
