"""The vocabulary of converge as frozen values; no behaviour beyond looking things up."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

from attrs import field, frozen

from converge.diagnostics import Mark, Path
from converge.errors import ProviderError

Value: TypeAlias = "str | int | bool | Sequence[Value] | Mapping[str, Value] | None"
"""What YAML and JSON can hold and converge accepts (there are no floats)."""


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
    """What policy says, met with the difference."""

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
    """What the ledger says of a resource."""

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
    """A text that appears in no plan, ledger, store, log or error: what would show it shows that it is one."""

    _text: str

    def reveal(self) -> str:
        """The text itself, for the one place that has to have it."""
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
    """A declared parameter of a product and the value it has (site.yaml and --set have been heard)."""

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
    """The ids, given in `with`, after whose changes this resource does something."""
    for_each: Value = None
    renamed_from: str | None = None
    why: str | None = None
    marks: Mapping[Path, Mark] = field(factory=dict)

    def mark_of(self, *path: str | int) -> Mark:
        """Where the value at `path` was written, or what holds it, where that value has no place of its own."""
        while path:
            if found := self.marks.get(path):
                return found
            path = path[:-1]
        return self.mark


@frozen
class Product:
    """What a manifest amounts to once inheritance, the site and --set are resolved. Resources keep their order."""

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
    """What the administrator's site.yaml changed, in words such as `override of 'wallpaper'`."""
    files: tuple[str, ...] = ()
    """The manifests that went into it, the most basic one first, and site.yaml last."""


@frozen
class Claim:
    """What a resource owns, one field of one thing, and the value it wants there (None: it depends on the machine).

    A thing that is a part of what is at a path is the path, and in parentheses the part: `/etc/hosts (127.0.0.1)`.
    """

    kind: str
    thing: str
    field: str
    value: Value = None

    @property
    def owned(self) -> tuple[str, str]:
        return (self.kind, self.thing)


@frozen
class Change:
    """One field's before and after."""

    field: str
    before: Value
    after: Value

    def inverse(self) -> "Change":
        return Change(self.field, self.after, self.before)


class EffectKind(StrEnum):
    """What may have to follow a change, once, at the end of a run; in the order they run.

    A notice is no such thing: it waits for the step of the resource that follows the change.
    """

    NOTICE = "notice"
    DAEMON_RELOAD = "daemon-reload"
    RESTART = "restart"
    RELOAD = "reload"
    START = "start"
    BOOT_START = "boot-start"
    """Starting what the boot would have started, had it been enabled before."""
    STOP = "stop"
    REBOOT = "reboot"


@frozen
class Effect:
    """A deferred effect; `unit` is what to start, stop or restart, or the resource told of a change of `cause`."""

    kind: EffectKind
    unit: str = ""
    cause: str = ""


@frozen
class Entry:
    """What a ledger remembers of one resource in one domain."""

    id: str
    type: str
    status: Status
    things: tuple[str, ...] = ()
    """The claimed things, as sorted `kind:thing`; an entry counts only for the same ones."""
    revision: int = 1
    """The highest one that was settled here, also where work is open again for a higher one; 0 where none was."""
    event: Event = Event.REFRESH
    """The event under which the work arose."""
    adopting: bool = False
    reason: str = ""
    base: Mapping[str, Value] = field(factory=dict)
    """Per field: what we last applied or found in place."""
    definition: str = ""
    """A digest of `with` as written when it settled, only to say that it has changed since."""
    alias: str | None = None
    """The id that this one was renamed to."""

    @property
    def has_strayed(self) -> bool:
        """Its things, and with them its domain, were not known when it was written."""
        return not self.things

    unknown: Mapping[str, Value] = field(factory=dict)
    """Keys that a newer converge wrote; kept."""


LOWEST_VERSION = Version(None)
