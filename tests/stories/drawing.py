"""Products drawn at random, out of every type, over few enough paths and names that resources meet each other.

A drawn product is what a manifest holds, and `before` is what a machine has when converge first comes to it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from hypothesis import strategies as st

Resource = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

PATHS = tuple(f"{folder}/{name}" for folder in ("/etc/app", "/var/lib/app") for name in ("one", "two"))
REMOTES = ("apps", "more")
CONTENTS = ("", "first\n", "second\n", "key=value\n[group]\nkey=other\n")
MODES = ("0600", "0644", "u=rwX,go=rX")
ACCOUNTS = ("root", "alice", "scanner")

UNITS = ("reader.service", "scanner.service")
DROP_INS = ("", "[Service]\nNice=5\n", "[Install]\nWantedBy=basic.target\n")
UNIT_FILE = "[Service]\nExecStart=/usr/bin/{name}\n\n[Install]\nWantedBy={name}.target\nAlias={name}-alias.service\n"

REPOSITORY = "[core]\nrepo_version=1\nmode=bare-user-only\n"
REMOTE = '\n[remote "{name}"]\nurl=https://{name}.example.org/\ngpg-verify=true\n'


@frozen
class Drawn:
    """`before` maps a path to the content of a file; `edits` are made by a user between two runs."""

    resources: Mapping[str, Resource]
    before: Mapping[str, str]
    edits: Mapping[str, str]


def subset(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=optional)


def joined(
    required: Mapping[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(dict(required), optional=optional)


path, mode, account, content = (st.sampled_from(pool) for pool in (PATHS, MODES, ACCOUNTS, CONTENTS))
ensure = st.sampled_from(("present", "absent"))

file = joined({"path": path}, ensure=ensure, content=content, mode=mode, owner=account, group=account) | joined(
    {"path": path, "content": content, "merge": st.just("three-way")}
)
permissions = joined({"path": path, "mode": mode}, owner=account) | joined(
    {"path": st.just("/var/lib/app"), "recursive": st.just(True), "mode": mode}, owner=account, group=account
)
flatpak_remote = joined(
    {"name": st.sampled_from(REMOTES), "url": st.sampled_from(("https://a.example.org/", "https://b.example.org/"))},
    title=st.sampled_from(("Apps", "More apps")),
    priority=st.integers(1, 3),
    enumerate=st.booleans(),
)
collection_id = joined({"flatpak": st.sampled_from(REMOTES), "collection_id": st.sampled_from(("org.a", "org.b"))})

unit, drop_in = st.sampled_from(UNITS), st.sampled_from(("one", "two"))
unit_file = st.sampled_from(("multi-user", "graphical")).map(lambda name: UNIT_FILE.format(name=name))
drop_ins = st.dictionaries(drop_in, st.sampled_from(DROP_INS), min_size=1)
systemd_unit = (
    joined({"name": unit, "content": unit_file}, enabled=st.booleans(), masked=st.just(False), drop_ins=drop_ins)
    | joined({"name": unit, "masked": st.booleans()}, running=st.just(False), drop_ins=drop_ins)
    | joined({"name": unit, "preset": st.just(True)}, without_drop_ins=st.lists(drop_in, max_size=1))
    | joined({"name": unit, "enabled": st.booleans()}, running=st.booleans())
    | joined({"name": unit, "ensure": st.just("absent")})
)

TYPES: Mapping[str, st.SearchStrategy[dict[str, Any]]] = {
    "collection-id": collection_id,
    "file": file,
    "flatpak-remote": flatpak_remote,
    "permissions": permissions,
    "systemd-unit": systemd_unit,
}
"""Per type its parameters."""

FOLLOWING: Mapping[str, bool] = {"systemd-unit": False}
"""The types that follow others, and whether they must."""


@st.composite
def products(draw: Draw) -> Drawn:
    types = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=2, max_size=8))
    resources: dict[str, Resource] = {}
    for number, type_ in enumerate(types):
        resources[f"r{number}"] = draw(resource(type_, resources))
    files = st.dictionaries(path, content, max_size=3)
    repository = {"/var/lib/flatpak/repo/config": REPOSITORY + "".join(draw(st.sets(remote)))}
    units = {f"/usr/lib/systemd/system/{name}": UNIT_FILE.format(name="sysinit") for name in draw(st.sets(unit))}
    return Drawn(resources, {**draw(files), **repository, **units}, draw(files))


remote = st.sampled_from([REMOTE.format(name=name) for name in REMOTES])


@st.composite
def resource(draw: Draw, type_: str, before: Mapping[str, Resource]) -> Resource:
    """A resource that needs some of those before it, and always those that meet it at a path or a name.

    Without that, which of the two comes first is chance, and with it what the other one finds.
    """
    policy = draw(st.sampled_from(("once", "once", "always", "always", "install-only")))
    envelope = draw(
        subset(
            on_user_change=st.sampled_from(("keep", "overwrite")),
            on_adopt=st.sampled_from(("apply", "settle")),
            events=st.just(["upgrade"]),
        )
    )
    names = st.lists(st.sampled_from(sorted(before)), unique=True, max_size=2) if before else st.just([])
    with_ = dict(draw(TYPES[type_]))
    met = [id_ for id_, other in before.items() if touched(other["with"]) & touched(with_)]
    needs = dict.fromkeys([*draw(names), *met])
    if type_ in FOLLOWING:
        followed = draw(names)
        with_ |= {"after_change": followed} if followed else {}
    return {"type": type_, "apply": policy, "needs": list(needs), "with": with_, **envelope}


def touched(with_: Mapping[str, Any]) -> set[str]:
    """The names, and the paths down to their third component, that a resource speaks of."""
    texts = [value for value in with_.values() if isinstance(value, str)]
    paths = {"/".join(text.split("/")[:4]) for text in texts if text.startswith("/")}
    return paths | {text for text in texts if text in REMOTES or text in UNITS}
