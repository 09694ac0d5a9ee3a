"""A provider made of a module or an object: held against the protocol, and guarded.

Whatever goes wrong in a third party's code is a ProviderError, which fails the resource and never the run.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import isfunction, ismethod
from itertools import chain
from types import ModuleType
from typing import Any, TypeVar

import attrs

from converge.diagnostics import did_you_mean
from converge.errors import ConvergeError, ProviderError, bug
from converge.model import Change, Depends, Domain, Effect, Phase, Thing, Value
from converge.providers.protocol import (
    ABSENT,
    OPTIONAL,
    PRESENT,
    Declared,
    Desired,
    Params,
    Provider,
    Traits,
    domain_of_path,
    field_names,
)
from converge.system import ReadOnlySystem

_KINDS = {
    "traits": "a `Traits`",
    "Spec": "an attrs class",
    "State": "an attrs class",
    **dict.fromkeys(("thing", "declared", "inspect", "apply"), "a function"),
}
REQUIRED = tuple(_KINDS)
MANUAL = "converge/README.md, 'How to write a provider'"

_T = TypeVar("_T")


def provider_from(type_: str, source: Any) -> Provider:  # noqa: ANN401  (whatever a third party registered)
    """Make the provider of a module or an object. ProviderError if it does not follow the protocol."""
    _require_protocol(type_, source)
    traits, spec_type = source.traits, source.Spec
    own_results = {"inspect": source.State, **dict.fromkeys(("parse", "notified", "yield_to"), spec_type)}

    def parse(params: Params) -> object:
        return spec_type(**params)

    def domains(system: ReadOnlySystem, spec: object) -> Mapping[str, Domain]:
        own, others = provider.thing(spec), provider.things(spec)
        return {
            name: traits.domain or domain_of_path(system, thing.path, follow=thing.follow)
            for name in field_names(source.State)
            for thing in [others.get(name, own)]
        }

    def desired(system: ReadOnlySystem, spec: object, state: object) -> Desired:  # noqa: ARG001  (the protocol)
        return _known(type_, provider.declared(spec))

    def guarded(name: str, function: Callable[..., _T]) -> Callable[..., _T]:
        return _guarded(type_, name, function, {**_RESULTS, **own_results}.get(name, object))

    def chosen(name: str, default: Any) -> Any:  # noqa: ANN401  (a function of the kind that `Provider` says)
        return guarded(name, getattr(source, name)) if hasattr(source, name) else default

    provider = Provider(
        type=type_,
        traits=traits,
        spec_type=spec_type,
        state_type=source.State,
        thing=guarded("thing", source.thing),
        declared=guarded("declared", source.declared),
        inspect=guarded("inspect", source.inspect),
        apply=guarded("apply", source.apply),
        parse=chosen("parse", guarded("parse", parse)),
        things=chosen("things", _no_things),
        domains=chosen("domains", guarded("domains", domains)),
        desired=chosen("desired", desired),
        check=chosen("check", _no_check),
        phase=chosen("phase", _boot),
        implied_only_if=chosen("implied_only_if", _no_condition),
        absent=chosen("absent", _says_absent),
        yield_to=chosen("yield_to", None),
        fetch=chosen("fetch", None),
        notified=chosen("notified", _same),
        contents=chosen("contents", _no_contents),
        idle=chosen("idle", _not_idle),
    )
    return provider


def _known(type_: str, declared: Declared) -> Desired:
    """What is declared, if nothing of it depends on the machine; ProviderError otherwise."""
    known = {name: value for name, value in declared.items() if not isinstance(value, Depends)}
    for name in declared.keys() - known.keys():
        message = f"`declared` leaves `{name}` to the machine, and the provider of '{type_}' has no `desired`"
        raise ProviderError(message, hint=f"see {MANUAL}")
    return known


def _no_things(spec: object) -> Mapping[str, Thing]:  # noqa: ARG001  (the protocol)
    return {}


def _no_check(spec: object, state: object, changes: tuple[Change, ...]) -> None:
    """Nothing speaks against the changes."""


def _boot(spec: object, changes: tuple[Change, ...]) -> Phase:  # noqa: ARG001  (the protocol)
    return Phase.BOOT


def _no_condition(spec: object) -> Mapping[str, Value]:  # noqa: ARG001  (the protocol)
    return {}


def _says_absent(spec: object, state: object) -> bool:  # noqa: ARG001  (the protocol)
    return getattr(state, "ensure", PRESENT) == ABSENT


def _same(spec: _T, ids: tuple[str, ...]) -> _T:  # noqa: ARG001  (the protocol)
    return spec


def _no_contents(system: ReadOnlySystem, spec: object) -> Sequence[bytes]:  # noqa: ARG001  (the protocol)
    return ()


def _not_idle(spec: object, state: object) -> str:  # noqa: ARG001  (the protocol)
    return ""


_RESULTS: Mapping[str, type | tuple[type, ...]] = {
    "thing": Thing,
    "declared": Mapping,
    "things": Mapping,
    "domains": Mapping,
    "desired": Mapping,
    "check": type(None),
    "phase": Phase,
    "implied_only_if": Mapping,
    "absent": bool,
    "fetch": type(None),
    "contents": (list, tuple),
    "apply": tuple,
    "idle": str,
}
"""What a function has to return; the others return a `Spec` or a `State` of the provider."""


_PARTS: Mapping[str, type] = {"things": Thing, "domains": Domain, "apply": Effect}
"""What is in a mapping or tuple that a function returns."""


def _holds(result: Any, kind: type) -> bool:  # noqa: ANN401  (whatever a third party returned)
    """Whether everything in a mapping or tuple is of the right kind."""
    return all(isinstance(part, kind) for part in (result.values() if isinstance(result, Mapping) else result))


def _described(result: object) -> str:
    kinds = sorted({type(part).__name__ for part in result}) if isinstance(result, list | tuple) else []
    return f"{type(result).__name__} of {' and '.join(kinds)}" if kinds else type(result).__name__


def _guarded(
    type_: str, name: str, function: Callable[..., _T], expected: type | tuple[type, ...]
) -> Callable[..., _T]:
    """The function, so that a bug in it fails the resource and not the run."""
    hint = f"this is a bug in the provider of '{type_}': report it"
    kind = _PARTS.get(name)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> _T:  # noqa: ANN401  (those of the function itself)
        try:
            result = function(*args, **kwargs)
        except ConvergeError:
            raise
        except (Exception, SystemExit) as error:
            raise ProviderError(f"{bug(error)} in `{name}`", hint=hint) from error
        if not isinstance(result, expected) or (kind and not _holds(result, kind)):
            raise ProviderError(f"`{name}` of the provider of '{type_}' returned {_described(result)}", hint=hint)
        return result

    return call


def _require_protocol(type_: str, source: Any) -> None:  # noqa: ANN401  (whatever a third party registered)
    """ProviderError if a name of the protocol is missing, is of the wrong kind, or is misspelt."""
    if not hasattr(source, "traits") and any(hasattr(source, name) for name in ("TYPE", "claims", "diff")):
        message = f"the provider of '{type_}' is written for the first provider protocol"
        hint = "replace its upper-case names by `traits`, and `claims` and `diff` by `thing` and `declared`"
        raise ProviderError(message, hint=f"{hint}; see {MANUAL}")
    for name in REQUIRED:
        if not hasattr(source, name):
            raise ProviderError(f"the provider of '{type_}' has no `{name}`", hint=f"see {MANUAL}")
        if not _is_right(name, getattr(source, name)):
            raise ProviderError(f"`{name}` of the provider of '{type_}' is not {_KINDS[name]}", hint=f"see {MANUAL}")
    _require_fields(type_, source.traits, source.State)
    _require_functions(type_, source)


def _require_functions(type_: str, source: Any) -> None:  # noqa: ANN401  (whatever a third party registered)
    """ProviderError if an optional name is not a function, or a function is not a name of the protocol."""
    for name in OPTIONAL:
        if hasattr(source, name) and not callable(getattr(source, name)):
            raise ProviderError(f"`{name}` of the provider of '{type_}' is not a function", hint=f"see {MANUAL}")
    for name in _own_functions(source):
        if name not in (*REQUIRED, *OPTIONAL):
            hint = did_you_mean(name, [*REQUIRED, *OPTIONAL]) or "put an underscore in front of a helper's name"
            raise ProviderError(f"the provider protocol has no function `{name}` (in '{type_}')", hint=hint)


def _require_fields(type_: str, traits: Traits, state_type: type) -> None:
    """ProviderError if the traits name a field that `State` does not have."""
    named = (*traits.unprotected, *traits.unseen, *traits.recreated, *traits.deferred, *chain(*traits.groups))
    for name in named:
        if name not in field_names(state_type):
            message = f"`traits` of the provider of '{type_}' names `{name}`, which is not a field of `State`"
            raise ProviderError(message, hint=did_you_mean(name, field_names(state_type)))


def _is_right(name: str, value: object) -> bool:
    if name == "traits":
        return isinstance(value, Traits)
    return attrs.has(value) if isinstance(value, type) else name not in ("Spec", "State") and callable(value)


def _own_functions(source: Any) -> list[str]:  # noqa: ANN401  (whatever a third party registered)
    """The public functions that a module or the class of an object defines itself."""
    if isinstance(source, ModuleType):
        return [
            name
            for name, value in vars(source).items()
            if isfunction(value) and value.__module__ == source.__name__ and not name.startswith("_")
        ]
    return [name for name in dir(source) if not name.startswith("_") and ismethod(getattr(source, name, None))]
