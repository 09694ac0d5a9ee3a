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
CONNECTIONS = ("desk", "lab")
CONTENTS = ("", "first\n", "second\n", "key=value\n[group]\nkey=other\n")
MODES = ("0600", "0644", "u=rwX,go=rX")
ZONES = ("Europe/Vienna", "Europe/Lisbon", "UTC")
ACCOUNTS = ("root", "alice", "scanner")

UNITS = ("reader.service", "scanner.service")
DROP_INS = ("", "[Service]\nNice=5\n", "[Install]\nWantedBy=basic.target\n")
UNIT_FILE = "[Service]\nExecStart=/usr/bin/{name}\n\n[Install]\nWantedBy={name}.target\nAlias={name}-alias.service\n"

SWAP_FILES = ("/var/swap/one", "/var/swap/two")
PARTITION = "LABEL=swap"
AT_BOOT = ("unit", "fstab", "never")
FSTAB = ("/var/swap/one none swap sw,pri=1 0 0\n", f"{PARTITION} none swap defaults 0 0\n", "/var/swap/two none swap\n")
DEVICES = ("zram0", "zram1")
ZRAM = ("[zram0]\n", "[zram0]\nzram-size=ram\n[zram1]\n", "[zram1]\nzram-fraction=1.0\nmemory-limit=99\n")
GENERATOR = "/usr/lib/systemd/system-generators/zram-generator"
MENUS = ("sysroot.bootloader", "sysroot.bootprefix", "timeout")
MENU = {"/efi/EFI/systemd/systemd-bootx64.efi": "MZ"}

NAMES = (*REMOTES, *CONNECTIONS, *UNITS, *DEVICES, *MENUS, PARTITION, "radio", "lamp", "dial", "knob")
"""Things, other than paths, that two resources can have in common."""

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

folder = st.sampled_from(("/var/lib/app", "/var/lib/cache", "/etc/app/folder"))
directory = joined({"path": folder}, mode=st.just("0750"), owner=account, empty=st.booleans()) | st.fixed_dictionaries(
    {"path": folder, "ensure": st.just("absent"), "recursive": st.just(True)}
)
symlink = joined({"path": st.sampled_from((*PATHS, "/etc/app/link")), "target": path}) | st.fixed_dictionaries(
    {"path": st.just("/etc/app/link"), "ensure": st.just("absent")}
)
move = joined(
    {"from": path, "to": st.sampled_from(("/var/lib/new/one", "/var/lib/new/two"))},
    leave_link=st.booleans(),
    if_target_exists=st.just("keep"),
)
word = st.sampled_from(("first", "key=value", "other line"))
line = joined({"path": path, "line": word, "create": st.booleans()}, pattern=st.just("^key"), ensure=ensure)
keyfile = joined({"path": path, "key": st.just("key"), "value": word}, group=st.just("group"), create=st.booleans())
hostname = joined({"name": st.sampled_from(("desk-1", "desk-2"))}, pretty=st.just("A desk"))
locale = joined({"lang": st.just("C.UTF-8")}, variables=st.just({"LC_TIME": "C.UTF-8"}))
timezone = st.fixed_dictionaries({"zone": st.sampled_from(ZONES)})
sysctl = st.fixed_dictionaries(
    {"key": st.sampled_from(("net.ipv4.ip_forward", "vm.swappiness")), "value": st.integers(0, 1)}
)
argument = st.sampled_from(("quiet", "console=tty0", "console=ttyS0"))
kernel_args = (
    st.fixed_dictionaries({"append": st.lists(argument, min_size=1, unique=True)})
    | st.fixed_dictionaries({"delete": st.lists(argument, min_size=1, unique=True)})
    | st.fixed_dictionaries({"replace": st.just({"console": "tty1"}), "append": st.just(["debug"])})
)
ostree_remote = (
    joined(
        {"name": st.sampled_from(REMOTES), "url": st.just("https://os.example.org/")},
        stored_in=st.sampled_from(("repo", "remotes.d")),
        branches=st.just(["stable"]),
        gpg_verify=st.booleans(),
    )
    | st.fixed_dictionaries({"name": st.sampled_from(REMOTES), "ensure": st.just("absent")})
    | st.just({"gather": True})
)

network_connection = joined(
    {"name": st.sampled_from(CONNECTIONS), "type": st.just("ethernet")},
    ensure=ensure,
    interface=st.sampled_from(("enp1s0", "enp2s0")),
    autoconnect=st.booleans(),
    ipv4=st.just({"method": "manual", "addresses": ["10.0.0.2/24"], "dns": ["10.0.0.53"]}),
    groups=st.just({"ethernet": {"mtu": 1400}, "user-secrets": {"pin": "1234"}}),
)

SCRIPT = 'mkdir -p "${1%/*}" && echo first >"$1"'
guard = st.sampled_from(("creates", "unless"))


@st.composite
def command(draw: Draw) -> dict[str, Any]:
    """Writes one of the paths, unless it has been written already."""
    at = draw(path)
    guards = {"creates": at, "unless": ["grep", "-q", "first", at]}
    chosen = {name: guards[name] for name in draw(st.sets(guard, min_size=1))}
    domain = "deployment" if at.startswith("/etc/") else "machine"
    return {"argv": ["sh", "-c", SCRIPT, "sh", at], "domain": domain, **chosen}


system_account = st.sampled_from(("radio", "lamp"))
group = joined({"name": st.sampled_from(("dial", "knob"))}, gid=st.just(301), ensure=ensure)
user = joined({"name": system_account}, uid=st.just(302), groups=st.just(["scanner"]), ensure=ensure)

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

swap_file = st.sampled_from(SWAP_FILES)
swap = (
    joined(
        {"path": swap_file, "size": st.sampled_from(("1MiB", "2MiB")), "at_boot": st.sampled_from(AT_BOOT)},
        priority=st.integers(-1, 2),
        discard=st.just("once"),
    )
    | st.fixed_dictionaries({"path": swap_file, "ensure": st.just("absent")})
    | joined({"device": st.just(PARTITION), "at_boot": st.sampled_from(AT_BOOT)}, priority=st.just(3), ensure=ensure)
)
zram = joined(
    {"device": st.sampled_from(DEVICES), "size": st.sampled_from(("64MiB", "1GiB"))},
    ensure=ensure,
    priority=st.integers(99, 101),
    algorithms=st.just(["lz4", "lzo"]),
    host_memory_limit=st.just("8GiB"),
)
bootloader_setting: st.SearchStrategy[dict[str, Any]] = joined(
    {"setting": st.just("timeout"), "value": st.integers(0, 2)}, only_if_unset=st.just(True)
) | st.sampled_from(
    (
        {"setting": "timeout", "ensure": "absent"},
        {"setting": "sysroot.bootloader", "value": "none"},
        {"setting": "sysroot.bootloader", "ensure": "absent"},
        {"setting": "sysroot.bootprefix", "value": False},
    )
)

TYPES: Mapping[str, st.SearchStrategy[dict[str, Any]]] = {
    "bootloader-setting": bootloader_setting,
    "collection-id": collection_id,
    "command": command(),
    "directory": directory,
    "file": file,
    "flatpak-remote": flatpak_remote,
    "group": group,
    "hostname": hostname,
    "kernel-args": kernel_args,
    "keyfile": keyfile,
    "line": line,
    "locale": locale,
    "move": move,
    "network-connection": network_connection,
    "ostree-remote": ostree_remote,
    "permissions": permissions,
    "swap": swap,
    "symlink": symlink,
    "sysctl": sysctl,
    "systemd-unit": systemd_unit,
    "timezone": timezone,
    "user": user,
    "zram": zram,
}
"""Per type its parameters."""

FOLLOWING = ("command", "systemd-unit")
"""The types that follow others."""


@st.composite
def products(draw: Draw) -> Drawn:
    types = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=2, max_size=8))
    resources: dict[str, Resource] = {}
    for number, type_ in enumerate(types):
        made = draw(resource(type_, resources))
        if not any(contradicts(made, other) for other in resources.values()):
            resources[f"r{number}"] = made
    files = st.dictionaries(path, content, max_size=3)
    flatpaks, ostrees = draw(st.sets(remote)), draw(st.sets(remote))
    repositories = {
        "/var/lib/flatpak/repo/config": REPOSITORY + "".join(sorted(flatpaks)),
        "/ostree/repo/config": REPOSITORY + "".join(sorted(ostrees)),
    }
    zones = dict.fromkeys(
        (f"/usr/share/zoneinfo/{zone}" for zone in ("Europe/Vienna", "Europe/Lisbon", "UTC")), "TZif2"
    )
    units = {
        f"/usr/lib/systemd/system/{name}": UNIT_FILE.format(name="sysinit") for name in sorted(draw(st.sets(unit)))
    }
    arguments = {"/etc/kernel/cmdline": "root=LABEL=root quiet console=tty0\n"}
    before = {**repositories, **zones, **units, **arguments, **MENU, **draw(swaps())}
    return Drawn(resources, {**draw(files), **before}, draw(files))


@st.composite
def swaps(draw: Draw) -> dict[str, str]:
    """The swap set-up of a machine before: lines in fstab, zram-generator, and its configuration."""
    found = {"/etc/fstab": "".join(draw(st.lists(st.sampled_from(FSTAB), unique=True)))}
    if draw(st.booleans()):
        found |= {GENERATOR: "", "/etc/systemd/zram-generator.conf": draw(st.sampled_from(("", *ZRAM)))}
    return found


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


def contradicts(one: Resource, other: Resource) -> bool:
    """Whether one removes a thing of the other: no law decides which of them comes first."""
    meet = touched(one["with"]) & touched(other["with"])
    return bool(meet) and (takes_away(one) or takes_away(other))


def takes_away(resource: Resource) -> bool:
    chosen = resource["with"]
    away = chosen.get("ensure") == "absent" or chosen.get("empty") or {"delete", "replace"} & set(chosen)
    return bool(resource["type"] == "move" or away)


def touched(with_: Mapping[str, Any]) -> set[str]:
    """The names, and the paths down to their third component, that a resource contains; or the one command line."""
    if {"append", "delete", "replace"} & set(with_):
        return {"the command line"}
    words = [value if isinstance(value, list) else [value] for value in with_.values()]
    texts = [text for each in words for text in each if isinstance(text, str)]
    paths = {"/".join(text.split("/")[:4]) for text in texts if text.startswith("/")}
    return paths | {text for text in texts if text in NAMES}
