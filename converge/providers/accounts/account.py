"""The provider that `user` and `group` share; each adds only how its own fields are read and written.

Both modules take the functions of the protocol from here; their `Spec` is an `Account` with two methods.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar

from attrs import field, frozen

from converge.errors import ProviderError
from converge.model import Change, Effect, Thing
from converge.providers.accounts.accountfiles import Accounts, Editor, require_changeable, require_system_number
from converge.providers.accounts.accountfiles.table import NUMBERS, Kind
from converge.providers.accounts.names import account_name
from converge.providers.protocol import ABSENT, PRESENT, Declared, field_names, values
from converge.system import ReadOnlySystem, System


@frozen
class AccountState:
    ensure: str


StateT = TypeVar("StateT", bound=AccountState)


@frozen
class Account(ABC, Generic[StateT]):
    """The parameters of both types. All but `name` are fields of the state as well."""

    kind: ClassVar[Kind]
    name: str = field(converter=account_name)
    ensure: Literal["present", "absent"] = "present"

    def __attrs_post_init__(self) -> None:
        require_system_number(self.kind, self.name, self.number)

    @property
    def number(self) -> int | None:
        """The declared uid or gid."""
        number: int | None = getattr(self, NUMBERS[self.kind])
        return number

    @abstractmethod
    def state(self, accounts: Accounts) -> StateT:
        """Find the present state. ProviderError if the account cannot be as declared."""

    @abstractmethod
    def put(self, editor: Editor, changes: tuple[Change, ...]) -> None:
        """Add the account or change it, in memory. A new one has its defaults from sysusers.d(5)."""


def thing(spec: Account[Any]) -> Thing:
    return Thing(spec.kind, spec.name, spec.kind, spec.name)


def declared(spec: Account[Any]) -> Declared:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    given = {name: getattr(spec, name) for name in field_names(type(spec)) if name != "name"}
    return {name: value for name, value in given.items() if value not in (None, ())}


def inspect(system: ReadOnlySystem, spec: Account[StateT]) -> StateT:
    accounts = Accounts(system)
    state = spec.state(accounts)
    if spec.ensure == ABSENT and state.ensure == PRESENT:
        accounts.require_removable(spec.kind, spec.name)
    if spec.ensure == PRESENT and state.ensure == ABSENT and spec.number is not None:
        accounts.require_free(spec.kind, spec.name, spec.number)
    return state


def check(spec: Account[StateT], state: StateT, changes: tuple[Change, ...]) -> None:
    found: int | None = getattr(state, NUMBERS[spec.kind])
    if changes and found is not None:
        require_changeable(spec.kind, spec.name, found)
        if spec.ensure == PRESENT:
            _require_number(spec, found, spec.number)


def apply(system: System, spec: Account[Any], changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    with system.lock_accounts():
        editor = Editor(system)
        if after.get("ensure") == ABSENT:
            editor.drop(spec.kind, spec.name)
        elif after:
            _require_possible(editor, spec, after)
            spec.put(editor, changes)
        editor.save(system)
    return ()


def _require_possible(editor: Editor, spec: Account[Any], after: Mapping[str, Any]) -> None:
    """ProviderError if the account was removed since the inspection, or cannot have its number."""
    found, number = editor.find(spec.kind, spec.name), after.get(NUMBERS[spec.kind])
    if found is not None:
        _require_number(spec, found.id, number)
    elif "ensure" not in after:
        message = f"the {spec.kind} '{spec.name}' was removed during the run"
        raise ProviderError(message, hint="run converge again")
    elif number is not None:
        editor.require_free(spec.kind, spec.name, number)


def _require_number(spec: Account[Any], found: int, number: int | None) -> None:
    """ProviderError if the account would get another number: its files would still belong to the old one."""
    if number not in (None, found):
        word = NUMBERS[spec.kind]
        tool = "usermod --uid" if spec.kind == "user" else "groupmod --gid"
        raise ProviderError(
            f"the {spec.kind} '{spec.name}' has the {word} {found}, not {number}, and files belong to that number",
            hint=f"remove `{word}`; or change the number by hand with {tool}, and fix the files with `permissions`",
        )
