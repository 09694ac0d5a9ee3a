"""Arguments that the kernel is given at its next boot. Owns those that it names, wherever the system has them.

On an ostree system that is the deployment which boots next (`../bootargs/ostree.py` says which, and how); elsewhere
/etc/kernel/cmdline, or GRUB's defaults. What the running kernel was not given yet needs a reboot, which is
asked for with the change.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from converge.errors import Later, ProviderError
from converge.model import Change, Claim, Domain, Effect, EffectKind, Value
from converge.providers.boot import bootargs
from converge.providers.boot.bootargs import Part
from converge.providers.boot.kernel_args.asking import Spec, require_possible
from converge.providers.protocol import Params, compare, every_field, keep_told, meant, told, values
from converge.system import ReadOnlySystem, System

__all__ = ["TYPE", "Spec", "State", "apply", "claims", "diff", "domains", "inspect", "parse"]

TYPE = "kernel-args"

LOST = 2
"""How many times in a row what was staged may be lost, as with the power, before that is an error."""

_LEFT = "not set again, since somebody went back from the deployment that has it"
_LOST = "set in the deployment that is staged, as before in others that were not deployed as the machine went down"

SOME = "some"
"""The claim of whoever appends an argument, on its key: that it is not deleted or replaced."""


@frozen
class State:
    """Of what the spec names: `arguments` says which are there, `keys` all that a whole key has; None: none."""

    arguments: Mapping[str, bool | None] = field(factory=dict)
    keys: Mapping[str, str | None] = field(factory=dict)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    require_possible(spec)
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    """Each argument is a claim of its own, and so is each key, since others are not to take away what is appended."""
    replaced: dict[str, Value] = {str(each): True for found in spec.replace.values() for each in found}
    appended: dict[str, Value] = {each.key: SOME for each in spec.append}
    wanted = {"arguments": {**replaced, **spec.wanted.get("arguments", {})}}
    wanted["keys"] = {**appended, **spec.wanted.get("keys", {})}
    return tuple(Claim("kernel-args", "next boot", name, value) for name, value in wanted.items() if value)


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol's)
    return every_field(State, Domain.DEPLOYMENT)


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    place = bootargs.place_of(system)
    parts = place.read(system)
    state = _state(spec, parts)
    if diff(spec, state):
        _refuse_other_root(spec, parts)
        if any(not diff(spec, _state(spec, [left])) for left in place.history(system).left):
            raise Later(f"{_LEFT}; the next update gets it", until="reboot")
        place.require_changeable(system)
    elif diff(spec, _state(spec, place.read_lasting(system))):
        if place.history(system).lost >= LOST:
            raise ProviderError(_LOST, hint="`journalctl --unit ostree-finalize-staged` may say why")
        raise Later("set in the deployment that is staged, and done once that has booted", until="reboot")
    return state


def _state(spec: Spec, parts: Sequence[Part]) -> State:
    found = tuple(bootargs.for_kernel(parts))
    return State(
        {str(each): any(map(each.is_same, found)) or None for each in spec.single},
        {each.key: told(" ".join(bootargs.of_key(parts, each.key))) or None for each in spec.whole},
    )


def _refuse_other_root(spec: Spec, parts: Sequence[Part]) -> None:
    for argument in spec.append:
        others = [each for each in bootargs.of_key(parts, "root") if each != str(argument)]
        if argument.has_key("root") and others:
            hint = "leave it out: only where there is no root= yet it is appended"
            raise ProviderError(f"the machine boots with {others[0]}, and would not with {argument}", hint=hint)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    return compare(spec.wanted, state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    if not changes:
        return ()
    place = bootargs.place_of(system)
    before = place.read(system)
    after: Mapping[str, Any] = values(changes)
    for key in after.get("keys", ()):
        keep_told(system, " ".join(bootargs.of_key(before, key)))
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
        key: bootargs.split(meant(system, value or "", spec.asked(key))) for key, value in after.get("keys", {}).items()
    }
    return bootargs.edited(parts, arguments, keys)
