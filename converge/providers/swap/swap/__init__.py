"""A swap of the machine: a file, or an existing swap partition.

Owns the file and its use now (the machine's domain), and its use at each boot, with its priority: a `.swap` unit in
/etc/systemd/system or a line in /etc/fstab (the deployment's domain). Of a partition it owns the use, now and at boot,
but never the contents.

A swap file in use can be neither written nor removed. So it is turned off first (swapoff(8)), which waits if memory
cannot hold its contents. A file of another size is recreated: then it is in one piece, and needs no extra space.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from converge.errors import Later, ProviderError, shown
from converge.model import Change, Depends, Domain, Effect, EffectKind, Thing, Value
from converge.providers.protocol import (
    ABSENT,
    PRESENT,
    Declared,
    Desired,
    Params,
    Traits,
    domain_of_path,
    field_names,
    values,
)
from converge.providers.swap import hibernation, swaps
from converge.providers.swap.sizes import MIB
from converge.providers.swap.swap import boot, finding
from converge.providers.swap.swap.spec import AUTO, MODE, NEVER, Spec, State
from converge.system import ReadOnlySystem, System, disks
from converge.values import UNITS, size_words

__all__ = ["Spec", "State", "apply", "check", "declared", "desired", "domains", "inspect", "parse", "thing", "traits"]

AT_BOOT = ("at_boot", "priority", "discard")
SMALLEST = MIB
"""Bytes; mkswap(8) requires ten pages."""

traits = Traits(groups=(("ensure", "size", "mode"), AT_BOOT), recreated=("size",), added="created")


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if (spec.path is None) == (spec.device is None):
        hint = "set `path` for a swap file, or `device` for a partition"
        raise ProviderError("either `path` or `device` is required, not both", hint=hint)
    if spec.path and (not spec.path.isprintable() or spec.path.endswith(("\\", " "))):
        hint = "choose a path without control characters, and without a space or backslash at its end"
        raise ProviderError(f"a systemd unit cannot contain the path '{shown(spec.path)}'", hint=hint)
    for name in ("size", "percent", "minimum", "maximum", "keep_free"):
        if spec.device and getattr(spec, name) is not None:
            hint = f"remove `{name}`: only `swap-partition` sets the size of a partition"
            raise ProviderError(f"`{name}` cannot be used with `device`: it is for a swap file", hint=hint)
    _check_size(spec)
    return spec


def _check_size(spec: Spec) -> None:
    if spec.path and spec.ensure == PRESENT and (spec.size is None) == (spec.percent is None):
        hint = "set `size`, such as 4GiB, or `percent` of the file system"
        raise ProviderError("either `size` or `percent` is required for a swap file, not both", hint=hint)
    if spec.percent is None and (spec.minimum, spec.maximum) != (None, None):
        raise ProviderError("`minimum` and `maximum` require `percent`", hint="add `percent`, or remove them")
    if spec.minimum is not None and spec.maximum is not None and spec.minimum > spec.maximum:
        raise ProviderError("`minimum` is larger than `maximum`", hint="exchange the two values")
    for name, size in (("size", spec.size), ("maximum", spec.maximum)):
        if size is not None and size < SMALLEST:
            message = f"`{name}` is too small for a swap file: {size} bytes"
            raise ProviderError(message, hint=f"set `{name}` to at least 1MiB")


def thing(spec: Spec) -> Thing:
    noun, kind = ("swap file", "path") if spec.path else ("swap partition", "swap")
    return Thing(noun, spec.source, kind, spec.source)


def declared(spec: Spec) -> Declared:
    found: dict[str, Value | Depends] = {} if spec.device else {"ensure": spec.ensure}
    if spec.percent is not None:
        found["size"] = Depends.ON_MACHINE
    if spec.ensure == ABSENT:
        return {**found, "at_boot": NEVER, **({"active": False} if spec.device else {})}
    if spec.path:
        found |= {"mode": MODE, **({} if spec.size is None else {"size": spec.size})}
    if spec.at_boot != NEVER:
        settings = {"priority": spec.priority, "discard": spec.discard}
        found |= {name: value for name, value in settings.items() if value is not None}
    return {**found, "at_boot": spec.at_boot, "active": True}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    own = domain_of_path(system, spec.path) if spec.path else Domain.DEPLOYMENT
    return {name: Domain.DEPLOYMENT if name in AT_BOOT else own for name in field_names(State)}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    return finding.state(system, spec, boot.found(system, spec))


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:
    wanted = {name: value for name, value in declared(spec).items() if not isinstance(value, Depends)}
    if spec.path and spec.percent is not None:
        # Whole MiB, so that each run computes the same size.
        share = disks.space(system, spec.path).total * spec.percent // 100 // MIB * MIB
        wanted["size"] = max(spec.minimum or SMALLEST, min(share, spec.maximum or share))
    if state.active is None:
        wanted.pop("active", None)
    else:
        wanted["active"] = spec.ensure == PRESENT
    return wanted


def check(spec: Spec, state: State, changes: tuple[Change, ...]) -> None:
    after: Mapping[str, Any] = values(changes)
    if after and spec.ensure == PRESENT and state.unusable:
        raise ProviderError(state.unusable, hint="set `path` or `device` to another place")
    if state.resumes and _is_lost(after):
        raise hibernation.needed(spec.source)
    if state.full and state.active and _is_left(after):
        raise swaps.not_leavable(spec.source)
    size = after.get("size") or 0
    if size > (state.size or 0) and size + (spec.keep_free or 0) > state.free:
        kept = f", and `keep_free` {size_words(spec.keep_free)}" if spec.keep_free else ""
        unit = UNITS["GiB"] if state.free >= 10 * UNITS["GiB"] else MIB
        room = size_words(state.free // unit * unit)
        raise Later(f"{spec.path} requires {size_words(size)}{kept}: {room} are available", "room")


def _is_lost(after: Mapping[str, Any]) -> bool:
    """Whether the changes remove the present swap."""
    return "size" in after or after.get("ensure") == ABSENT or after.get("active") is False


def _is_left(after: Mapping[str, Any]) -> bool:
    """Whether the swap must be turned off for the changes: its settings in use cannot change."""
    return _is_lost(after) or not after.keys().isdisjoint(("priority", "discard"))


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after: dict[str, Any] = values(changes)
    used = system.live and finding.in_use(system, spec) is not None
    if used and _is_left(after):
        swaps.turn_off(system, finding.place(system, spec))
    try:
        _change(system, spec, changes)
    except ProviderError:
        if used:
            with suppress(ProviderError):
                _turn_on(system, spec)
        raise
    if system.live and after.get("active", used and after.get("ensure") != ABSENT):
        _turn_on(system, spec)
    return (Effect(EffectKind.DAEMON_RELOAD),) if _is_of_boot(after) else ()


def _change(system: System, spec: Spec, changes: tuple[Change, ...]) -> None:
    """If a new file cannot be made, one of the old size is made again: the machine must not lose its swap."""
    after, before = values(changes), {change.field: change.before for change in changes}
    try:
        _change_file(system, spec, after)
    except ProviderError:
        with suppress(ProviderError):
            if spec.path and system.stat(spec.path) is None:
                _change_file(system, spec, before)
        raise
    if _is_of_boot(after):
        boot.change(system, spec, dict(after))


def _change_file(system: System, spec: Spec, wanted: Mapping[str, Any]) -> None:
    if spec.path and (wanted.get("ensure") == ABSENT or "size" in wanted):
        if finding.is_swap_file(system, spec.path):  # another file there is not ours
            system.delete(system.resolve(spec.path))
        system.delete(system.unfinished(spec.path))
    if spec.path and wanted.get("size"):
        system.make_swap_file(spec.path, wanted["size"], no_copy_on_write=finding.filesystem(system, spec) == "btrfs")
    if spec.path and wanted.get("mode"):
        system.set_mode(system.resolve(spec.path), int(wanted["mode"], 8))


def _is_of_boot(after: Mapping[str, Any]) -> bool:
    return not after.keys().isdisjoint(AT_BOOT)


def _turn_on(system: System, spec: Spec) -> None:
    """With the settings that apply at boot, or, if the boot does not swap to it, the declared ones."""
    if finding.in_use(system, spec) is None:
        found = State(None, **boot.found(system, spec))
        given = spec if found.at_boot in (NEVER, AUTO) else found
        swaps.turn_on(system, finding.place(system, spec), priority=given.priority, discard=given.discard)
