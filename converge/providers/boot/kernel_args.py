"""Kernel arguments of the next boot. Owns the arguments that it names, in the place that the system uses.

On an ostree system that is the deployment that boots next (see `bootargs/ostree.py`); elsewhere /etc/kernel/cmdline, or
GRUB's defaults. If the running kernel does not have the arguments yet, the change requests a reboot.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from converge.errors import Later, ProviderError, shown
from converge.model import Change, Domain, Effect, EffectKind, Thing, Value
from converge.providers.boot import bootargs
from converge.providers.boot.bootargs import Argument, Part
from converge.providers.protocol import Declared, Desired, Params, Traits, compare, values
from converge.system import ReadOnlySystem, System
from converge.system.contents import as_value, keep_text, text_of

traits = Traits(domain=Domain.DEPLOYMENT)

LOST = 2
"""How many staged deployments in a row may be lost, as by a power failure, before that is an error."""

_LEFT = "not applied again: the deployment with these arguments was rolled back"
_LOST = "set in the staged deployment, but earlier staged ones were not deployed at shutdown"

SOME = "some"
"""The claim of an appended argument on its key: the key must not be deleted or replaced."""


def _argument(text: str) -> Argument:
    """One argument; quotes around a value with spaces are optional."""
    words = bootargs.split(text)
    found = Argument.of(text) if len(words) == 1 else Argument(*text.split("=", 1))
    is_key = found.key not in ("", "--") and not set(' "').intersection(found.key)
    is_value = '"' not in (found.value or "") and text.count('"') % 2 == 0
    if not (is_key and is_value and text.isprintable()):
        raise ProviderError(
            f"'{shown(text)}' is not a kernel argument", hint='write it as quiet, console=tty0 or a="b c"'
        )
    return found


def _arguments(texts: Sequence[str]) -> tuple[Argument, ...]:
    return tuple(map(_argument, texts))


def _values(given: Mapping[str, Any]) -> dict[str, tuple[Argument, ...]]:
    """The arguments of each key, which has one value or several."""
    several = {key: (value,) if isinstance(value, str) else value for key, value in given.items()}
    return {key: tuple(_argument(f"{key}={each}") for each in texts) for key, texts in several.items()}


@frozen
class Spec:
    append: tuple[Argument, ...] = field(default=(), converter=_arguments)
    delete: tuple[Argument, ...] = field(default=(), converter=_arguments)
    replace: Mapping[str, tuple[Argument, ...]] = field(factory=dict, converter=_values)

    @property
    def whole(self) -> tuple[Argument, ...]:
        """The keys that are managed with all their arguments."""
        return (*(each for each in self.delete if each.value is None), *map(Argument, self.replace))

    @property
    def single(self) -> tuple[Argument, ...]:
        """The arguments that are managed one by one."""
        return (*self.append, *(each for each in self.delete if each.value is not None))

    def requested(self, key: str) -> str:
        """The requested arguments of a whole key, as one text."""
        return " ".join(map(str, self.replace.get(key, ())))

    @property
    def wanted(self) -> Mapping[str, Mapping[str, Value]]:
        """The fields of the state, with the requested values."""
        return {
            "arguments": {str(each): each in self.append or None for each in self.single},
            "keys": {each.key: as_value(self.requested(each.key)) or None for each in self.whole},
        }


@frozen
class State:
    """`arguments`: which arguments of the spec exist. `keys`: all arguments of each whole key. None: missing."""

    arguments: Mapping[str, bool | None] = field(factory=dict)
    keys: Mapping[str, str | None] = field(factory=dict)


def parse(params: Params) -> Spec:
    """ProviderError for contradictions, and for arguments with which the machine would not boot."""
    spec = Spec(**params)
    if not (spec.append or spec.delete or spec.replace):
        raise ProviderError("no parameter set: give at least one of append, delete, replace", hint="add one of them")
    for argument in (*spec.append, *spec.delete, *spec.whole):
        if argument.has_key("ostree"):
            raise ProviderError("ostree= cannot be changed: ostree itself sets it", hint="remove it")
        if argument.has_key("root") and argument not in spec.append:
            hint = "use `append`, which adds it only if it is missing"
            raise ProviderError("root= cannot be changed: the machine would not boot", hint=hint)
    _refuse_contradictions(spec)
    return spec


def _refuse_contradictions(spec: Spec) -> None:
    """ProviderError for a key that is declared both whole and by an argument, and for anything declared twice."""
    for number, argument in enumerate(spec.whole):
        if any(map(argument.has_key, (each.key for each in (*spec.whole[number + 1 :], *spec.single)))):
            hint = "use `replace` with a list of all the values of the key"
            raise ProviderError(f"'{argument.key}' is declared in two ways", hint=hint)
    for number, argument in enumerate(spec.single):
        if any(map(argument.is_same, spec.single[number + 1 :])):
            raise ProviderError(f"'{argument}' is declared twice", hint="write it once")


def thing(spec: Spec) -> Thing:
    names = tuple(map(str, (*spec.append, *spec.delete, *map(Argument, spec.replace))))
    noun = "kernel argument" if len(names) == 1 else "kernel arguments"
    return Thing(noun, ", ".join(names), "kernel-args", "next boot")


def declared(spec: Spec) -> Declared:
    """Each argument and each key is claimed by itself, so that no other resource removes an appended argument."""
    replaced = {str(each): True for found in spec.replace.values() for each in found}
    appended = {each.key: SOME for each in spec.append}
    fields = {"arguments": {**replaced, **spec.wanted["arguments"]}, "keys": {**appended, **spec.wanted["keys"]}}
    return {name: value for name, value in fields.items() if value}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    place = bootargs.place_of(system)
    parts = place.read(system)
    state = _state(spec, parts)
    if compare(spec.wanted, state):
        _refuse_other_root(spec, parts)
        if any(not compare(spec.wanted, _state(spec, [left])) for left in place.history(system).left):
            raise Later(f"{_LEFT}; the next update gets them", until="reboot")
        place.require_changeable(system)
    elif compare(spec.wanted, _state(spec, place.read_lasting(system))):
        if place.history(system).lost >= LOST:
            raise ProviderError(_LOST, hint="run `journalctl --unit ostree-finalize-staged` for the reason")
        raise Later("set in the staged deployment; done after it has booted", until="reboot")
    return state


def _state(spec: Spec, parts: Sequence[Part]) -> State:
    found = tuple(bootargs.for_kernel(parts))
    return State(
        {str(each): any(map(each.is_same, found)) or None for each in spec.single},
        {each.key: as_value(" ".join(bootargs.of_key(parts, each.key))) or None for each in spec.whole},
    )


def _refuse_other_root(spec: Spec, parts: Sequence[Part]) -> None:
    for argument in spec.append:
        others = [each for each in bootargs.of_key(parts, "root") if each != str(argument)]
        if argument.has_key("root") and others:
            hint = "remove it: root= is appended only if it is missing"
            raise ProviderError(f"the machine boots with {others[0]}, and would not boot with {argument}", hint=hint)


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:  # noqa: ARG001  (the protocol)
    """The declared values, without the claims that only protect them from other resources."""
    return spec.wanted


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    if not changes:
        return ()
    place = bootargs.place_of(system)
    before = place.read(system)
    after: Mapping[str, Any] = values(changes)
    for key in after.get("keys", ()):
        keep_text(system, " ".join(bootargs.of_key(before, key)))
    wanted = _edited(system, spec, before, changes)
    undone = _edited(system, spec, before, [change.inverse() for change in changes]) if wanted == before else before
    place.write(system, wanted, undone)
    running = bootargs.running(system)
    needs_reboot = system.live and _edited(system, spec, running, changes) != running
    return (Effect(EffectKind.REBOOT),) if needs_reboot and place.history(system).lost < LOST else ()


def _edited(system: ReadOnlySystem, spec: Spec, parts: Sequence[Part], changes: Sequence[Change]) -> tuple[Part, ...]:
    after: Mapping[str, Any] = values(changes)
    arguments = {written: bool(wanted) for written, wanted in after.get("arguments", {}).items()}
    keys = {
        key: bootargs.split(text_of(system, value or "", spec.requested(key)))
        for key, value in after.get("keys", {}).items()
    }
    return bootargs.edited(parts, arguments, keys)
