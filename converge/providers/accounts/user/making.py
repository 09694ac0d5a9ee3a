"""Making a system user and changing one, in memory."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from converge.errors import ProviderError
from converge.model import Change
from converge.providers.accounts.accountfiles import Editor, Group, User, require_number
from converge.providers.accounts.user.base import TEXTS


def put(editor: Editor, name: str, after: Mapping[str, Any]) -> None:
    """Make the user, or change one that is there; what is not asked of a new one is as sysusers.d(5) has it."""
    before = editor.user(name)
    user = before or _new(editor, name, after)
    if after.get("uid") is not None:
        require_number("user", name, user.id, after["uid"])
    if after.get("group") is not None:
        user = evolve(user, gid=_primary(editor, name, after["group"], user.id))
    user = evolve(user, **{text: after[text] for text in TEXTS if after.get(text) is not None})
    if user != before:
        editor.put_user(user)


def _new(editor: Editor, name: str, after: Mapping[str, Any]) -> User:
    if "ensure" not in after:
        raise ProviderError(f"the user '{name}' is gone", hint="somebody removed it meanwhile; run converge again")
    asked = after.get("uid")
    if asked is not None:
        editor.require_free("user", name, asked)
    gid = _primary(editor, name, after.get("group") or name, asked)
    return User(name, editor.free_id("user", name, gid) if asked is None else asked, gid)


def _primary(editor: Editor, name: str, group: str, uid: int | None) -> int:
    """The number of the primary group, which is made where it is the user's own."""
    gid = editor.group_id(group)
    if gid is not None:
        return gid
    if group != name:
        raise ProviderError(f"there is no group '{group}'", hint="somebody removed it meanwhile; run converge again")
    gid = editor.free_id("group", name, uid)
    editor.put_group(Group(name, gid))
    return gid


def join(editor: Editor, name: str, changes: tuple[Change, ...]) -> None:
    """Only what the change adds or takes away: the user stays in whatever else it is in."""
    for change in changes:
        if change.field == "groups":
            before, after = (_names(value) for value in (change.before, change.after))
            for group in sorted(after - before):
                editor.join(name, group)
            for group in sorted(before - after):
                editor.leave(name, group)


def _names(value: Any) -> set[str]:  # noqa: ANN401  (a value of the field `groups`)
    return set(value or ())
