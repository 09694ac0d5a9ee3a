"""The vocabulary of converge as frozen values, without behaviour except look-ups."""

from collections.abc import Mapping, Sequence
from enum import Enum, StrEnum
from functools import cached_property
from typing import TypeAlias

from attrs import field, frozen

from converge.diagnostics import Mark, Path
from converge.errors import ProviderError

Value: TypeAlias = "str | int | bool | Sequence[Value] | Mapping[str, Value] | None"
"""The values of YAML and JSON that converge accepts (floats are not among them)."""


class Policy(StrEnum):
    """How often a resource applies."""

    INSTALL_ONLY = "install-only"
    ONCE = "once"
    ALWAYS = "always"


class Event(StrEnum):
    """Why we run."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    REFRESH = "refresh"
    ROLLBACK = "rollback"


class Phase(StrEnum):
    """Where in an upgrade we are, in the order of time."""

    FETCH = "fetch"
    BOOT = "boot"
    ONLINE = "online"

    @property
    def rank(self) -> int:
        return list(Phase).index(self)


class Domain(StrEnum):
    """Where a resource's state lives: with one ostree deployment, or shared by all of them."""

    DEPLOYMENT = "deployment"
    MACHINE = "machine"


class OnUserChange(StrEnum):
    OVERWRITE = "overwrite"
    KEEP = "keep"


class OnAdopt(StrEnum):
    APPLY = "apply"
    SETTLE = "settle"


class WhenFalse(StrEnum):
    ASK_AGAIN = "ask-again"
    FINAL = "final"


class Decision(StrEnum):
    """The answer of policy combined with the difference."""

    APPLY = "apply"
    SETTLED = "settled"
    BASELINE = "baseline"
    KEEP = "keep"
    IN_PLACE = "in-place"
    OWED = "owed"
    NOT_APPLICABLE = "not-applicable"
    BLOCKED = "blocked"
    FAILED = "failed"


class Action(StrEnum):
    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    NONE = "none"


class Outcome(StrEnum):
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    BLOCKED = "blocked"
    OWED = "owed"


class Status(StrEnum):
    """The status of a resource in the ledger."""

    DONE = "done"
    BASELINED = "baselined"
    OWED = "owed"
    FAILED = "failed"
    BLOCKED = "blocked"

    @property
    def settled(self) -> bool:
        return self in (Status.DONE, Status.BASELINED)


@frozen
class Unknown:
    """A value that cannot be known here and now, with the reason; logic over it is three-valued."""

    reason: str

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false")


@frozen
class Version:
    """A version in the UAPI version format; `text` None is the version before all versions."""

    text: str | None

    def __str__(self) -> str:
        return self.text if self.text is not None else "none"


@frozen(repr=False)
class Secret:
    """A text that must not appear in a plan, ledger, store, log or error; its repr is `(secret)`."""

    _text: str

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "(secret)"


@frozen(slots=False)
class Asset:
    """A file that a manifest brings with it, by its path on the host; read at most once, and only if needed."""

    path: str

    @cached_property
    def data(self) -> bytes:
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except OSError as error:
            raise ProviderError(f"cannot read {self.path}: {error.strerror}") from error


@frozen
class Parameter:
    """A declared parameter of a product and the value it has (after site.yaml and --set)."""

    name: str
    type: str
    value: "Value | Secret"
    description: str
    mark: Mark


@frozen
class Resource:
    """One declared piece of state, inheritance resolved. `when`, `with_` and `for_each` may hold expressions."""

    id: str
    type: str
    apply: Policy
    mark: Mark
    with_: Mapping[str, Value] = field(factory=dict)
    events: frozenset[Event] = frozenset((Event.INSTALL, Event.UPGRADE, Event.REFRESH))
    revision: int = 1
    when: str | None = None
    when_false: WhenFalse = WhenFalse.ASK_AGAIN
    only_if: tuple[Mapping[str, Value], ...] = ()
    on_user_change: OnUserChange = OnUserChange.OVERWRITE
    on_adopt: OnAdopt = OnAdopt.APPLY
    needs: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    """The ids, given in `with`, whose changes this resource reacts to."""
    for_each: Value = None
    renamed_from: str | None = None
    why: str | None = None
    marks: Mapping[Path, Mark] = field(factory=dict)

    def mark_of(self, *path: str | int) -> Mark:
        """The place of the value at `path`; that of its container if it has none of its own."""
        while path:
            if found := self.marks.get(path):
                return found
            path = path[:-1]
        return self.mark


@frozen
class Product:
    """A manifest after inheritance, the site and --set are resolved. Resources keep their order."""

    name: str
    title: str
    mark: Mark
    parameters: Mapping[str, Parameter]
    resources: Mapping[str, Resource]
    overridden: Mapping[str, Mapping[str, Resource]] = field(factory=dict)
    """Per id and key of an element (`id[key]` in `override`): the resource with that override, to be used for it."""
    dropped: frozenset[str] = frozenset()
    """Elements (`id[key]` in `without`) that the product drops."""
    from_site: tuple[str, ...] = ()
    """The changes by the administrator's site.yaml, in words such as `override of 'wallpaper'`."""
    files: tuple[str, ...] = ()
    """The files of the product: the most basic manifest first, site.yaml last."""


class Depends(Enum):
    """Replaces a declared value that only the machine can supply."""

    ON_MACHINE = "depends on the machine"


@frozen
class Thing:
    """The thing that a resource manages: in words for people, and as it is claimed.

    `noun` and `name` are for people: "flatpak remote", "flathub". `kind` and `key` identify it, and
    are its spelling in ledgers: ("flatpak-remote", "system:flathub"), ("path", "/etc/app.conf") or, for all below a
    path, ("tree", "/var/lib/saned"). `part` is a part of it, such as "[net] timeout" of a file.
    """

    noun: str
    name: str
    kind: str
    key: str
    part: str | None = None
    stored_in: str = ""
    """The path whose place decides the domain, if `key` is not that path."""
    follow: bool = True
    """Whether a link at that path is followed."""

    @property
    def words(self) -> str:
        return f"{self.noun} {self.name}".strip()

    @property
    def path(self) -> str:
        return self.stored_in or self.key

    @property
    def recorded(self) -> str:
        """The thing as ledgers spell it."""
        return f"{self.kind}:{self.key}" + (f" ({self.part})" if self.part is not None else "")


@frozen
class Claim:
    """One field of one thing that a resource owns, and its declared value."""

    thing: Thing
    field: str
    value: "Value | Depends" = None


@frozen
class Change:
    """One field's before and after."""

    field: str
    before: Value
    after: Value

    def inverse(self) -> "Change":
        return Change(self.field, self.after, self.before)


class EffectKind(StrEnum):
    """The kinds of effects, which follow changes once at the end of a run; in the order they run.

    A notice is different: it waits for the step of the resource that follows the change.
    """

    NOTICE = "notice"
    DAEMON_RELOAD = "daemon-reload"
    RESTART = "restart"
    RELOAD = "reload"
    START = "start"
    BOOT_START = "boot-start"
    """Start a unit that the boot would have started if it had been enabled before."""
    STOP = "stop"
    REBOOT = "reboot"


@frozen
class Effect:
    """A deferred effect; `unit` is what to start, stop or restart; in a notice the resource that follows `cause`."""

    kind: EffectKind
    unit: str = ""
    cause: str = ""


@frozen
class Entry:
    """The record of one resource in one ledger."""

    id: str
    type: str
    status: Status
    things: tuple[str, ...] = ()
    """The claimed things, as sorted `kind:thing`; an entry counts only for the same ones."""
    revision: int = 1
    """The highest one that was settled here, also if work for a higher one is open; 0 if none was."""
    event: Event = Event.REFRESH
    """The event under which the work arose."""
    adopting: bool = False
    reason: str = ""
    base: Mapping[str, Value] = field(factory=dict)
    """Per field: the value that we last applied or found in place."""
    definition: str = ""
    """A digest of `with` as written when it settled, only to report a later edit."""
    alias: str | None = None
    """The id that this one was renamed to."""

    run: Mapping[str, str] = field(factory=dict)
    """The run that wrote it: its time, event, OS version and product; empty in an entry of an older converge."""
    unknown: Mapping[str, Value] = field(factory=dict)
    """Keys that a newer converge wrote; kept."""

    @property
    def is_misplaced(self) -> bool:
        """Its things, and so its domain, were not known when it was written."""
        return not self.things


LOWEST_VERSION = Version(None)
