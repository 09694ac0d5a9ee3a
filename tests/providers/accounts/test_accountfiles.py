"""With any content of the account files: a declared account is applied, can be undone, and no other line changes."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from converge.errors import ProviderError
from converge.model import Change
from converge.providers.accounts import group, user
from converge.providers.protocol import fields_of
from converge.system import System
from tests.real.converging import acting

NAMES = ("saned", "lp", "scanner", "audio", "root", "ann")
FILES = ("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "usr/lib/passwd", "usr/lib/group")

names = st.sampled_from(NAMES)
numbers = st.sampled_from(("0", "7", "117", "998", "999", "1000", "65534", "", "x"))
lists = st.lists(names, max_size=3).map(",".join)
passwd = st.tuples(
    names, st.just("x"), numbers, numbers, st.sampled_from(("", "Ä b")), st.just("/"), st.just("/bin/sh")
)
groups = st.tuples(names, st.just("x"), numbers, lists)
shadow = st.tuples(names, st.sampled_from(("!*", "$y$")), *[st.just("")] * 7)
gshadow = st.tuples(names, st.sampled_from(("!*", "$y$")), lists, lists)
odd = st.sampled_from(("", "# a comment", "saned", "lp:x:7", "ann:x", "+", "-nis::", "::", "a:b:c:d:e:f:g:h:i:j"))


def files_of(rows: st.SearchStrategy[tuple[str, ...]]) -> st.SearchStrategy[str | None]:
    lines = st.lists(st.one_of(rows.map(":".join), rows.map(":".join), odd), max_size=6)
    return st.one_of(st.none(), lines.map("\n".join), lines.map(lambda each: "".join(f"{line}\n" for line in each)))


roots = st.tuples(*map(files_of, (passwd, groups, shadow, gshadow, passwd, groups)), st.booleans())
ensures = st.sampled_from(("present", "absent"))
ids = st.sampled_from((None, 7, 117, 998))
users = st.fixed_dictionaries(
    {"name": names, "ensure": ensures, "uid": ids, "groups": st.lists(names, max_size=2)},
    optional={
        "group": st.sampled_from((*NAMES, "7", "117")),
        "description": st.just("c"),
        "shell": st.just("/bin/false"),
    },
)
declared = st.one_of(
    st.tuples(st.just("user"), users),
    st.tuples(st.just("group"), st.fixed_dictionaries({"name": names, "ensure": ensures, "gid": ids})),
)


def lay(root: Path, texts: tuple[Any, ...]) -> None:
    for name, text in zip(FILES, texts[:-1], strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            (root / name).write_text(text)
    if texts[-1]:
        (root / "etc/nsswitch.conf").write_text("passwd: files altfiles\ngroup: files altfiles\n")


def contents(root: Path) -> dict[str, list[str]]:
    return {name: (root / name).read_text().split("\n") for name in FILES if (root / name).exists()}


def others(lines: list[str], touched: set[str]) -> list[str]:
    """The lines of the other accounts, in their order."""
    return [line for line in lines if line and line.partition(":")[0] not in touched]


@settings(deadline=None, max_examples=300)
@given(roots, declared)
def test_declared_account_is_applied_and_other_lines_stay(
    texts: tuple[Any, ...], declared: tuple[str, dict[str, Any]]
) -> None:
    type_, params = declared
    provider = acting({"user": user, "group": group}[type_])
    with tempfile.TemporaryDirectory() as folder:
        root, system = Path(folder), System(folder)
        lay(root, texts)
        files = contents(root)
        spec = provider.parse(params)
        try:
            before = fields_of(provider.inspect(system.read_only(), spec))
            before_by_number = by_number(system, before)
            changes = provider.changes(system.read_only(), spec, provider.inspect(system.read_only(), spec))
            provider.apply(system, spec, changes)
        except ProviderError:
            assert contents(root) == files
            return
        assert provider.changes(system, spec, provider.inspect(system, spec)) == ()
        assert_untouched(files, contents(root), type_, params, before)
        if number_is_shared(files, before.get("uid", before.get("gid"))):
            return  # a shared number is not given to a second account, not even to its former one
        after = fields_of(provider.inspect(system, spec))
        provider.apply(system, spec, tuple(Change(name, after[name], before[name]) for name in before))
        assert by_number(system, fields_of(provider.inspect(system, spec))) == before_by_number


def by_number(system: System, state: dict[str, Any]) -> dict[str, Any]:
    """A state with the number of the primary group: undo does not remove the group that was created for a name."""
    return state if state.get("group") is None else {**state, "group": system.group_id(state["group"])}


def number_is_shared(files: dict[str, list[str]], number: object) -> bool:
    """Whether several names have one number."""
    rows = [line.split(":") for name in files if "shadow" not in name for line in files[name]]
    return len({row[0] for row in rows if row[2:3] == [str(number)]}) > 1


def assert_untouched(
    before: dict[str, list[str]], after: dict[str, list[str]], type_: str, params: dict[str, Any], state: dict[str, Any]
) -> None:
    own = {params["name"]}
    joined = own | set(params.get("groups", ())) | set(state.get("groups") or ())
    if params["ensure"] == "absent":
        lines = [*before.get("etc/group", ()), *before.get("etc/gshadow", ())]
        joined |= {line.partition(":")[0] for line in lines if params["name"] in line}
    of_users = own if type_ == "user" else set()
    for name, touched in zip(FILES, (of_users, joined, of_users, joined, set(), set()), strict=True):
        assert others(after.get(name, []), touched) == others(before.get(name, []), touched), name
    assert {name for name in after if "shadow" in name} == {name for name in before if "shadow" in name}
