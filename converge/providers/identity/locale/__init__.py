"""Language and keyboard of the machine. Owns LANG and other variables of /etc/locale.conf, and the keyboard's layouts.

On a root that has them the files are Debian's: /etc/default/locale for the variables, /etc/default/keyboard for the
layout of X11; otherwise this is in /etc/vconsole.conf (XKBLAYOUT, which systemd knows since version 253) beside the
keymap of the console (KEYMAP). On the live root the service manager passes the variables on to what it starts from then
on, and the console gets its keymap at the end of the run; what runs already keeps what it began with.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from converge.diagnostics import did_you_mean
from converge.errors import ProviderError
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.identity.locale.installed import require_keymap, require_locale
from converge.providers.identity.locale.running import console_effects, tell_manager
from converge.providers.protocol import Params, assign, assigned, compare, domain_of_path, meant, told, values
from converge.system import ReadOnlySystem, System

__all__ = ["TYPE", "Spec", "State", "apply", "claims", "diff", "domains", "inspect", "parse"]

TYPE = "locale"

LOCALE, DEBIAN_LOCALE = "/etc/locale.conf", "/etc/default/locale"
CONSOLE, DEBIAN_KEYBOARD = "/etc/vconsole.conf", "/etc/default/keyboard"

VARIABLES = (
    "LANGUAGE",
    *(f"LC_{name}" for name in ("CTYPE", "NUMERIC", "TIME", "COLLATE", "MONETARY", "MESSAGES", "PAPER", "NAME")),
    *(f"LC_{name}" for name in ("ADDRESS", "TELEPHONE", "MEASUREMENT", "IDENTIFICATION")),
)
"""Those of locale.conf(5) besides LANG."""


@frozen
class Spec:
    lang: str | None = None
    variables: Mapping[str, str] = field(factory=dict)
    keymap: str | None = None
    x11_layout: str | None = None


@frozen
class State:
    """`variables` holds those that the spec names."""

    lang: str | None = None
    variables: Mapping[str, str | None] = field(factory=dict)
    keymap: str | None = None
    x11_layout: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if not _desired(spec):
        raise ProviderError("there is nothing to set", hint="give `lang`, `variables`, `keymap` or `x11_layout`")
    for name in spec.variables:
        if name not in VARIABLES:
            raise ProviderError(f"'{name}' is no variable of locale.conf", hint=did_you_mean(name, VARIABLES))
    for text in (spec.lang, *spec.variables.values(), spec.keymap, spec.x11_layout):
        if text and (told(text) != text or any(map(str.isspace, text))):
            raise ProviderError(f"'{text}' is too long or has space in it", hint="write the one name alone")
    return spec


def _desired(spec: Spec) -> dict[str, Value]:
    """An empty text unsets."""
    asked = {"lang": spec.lang, "keymap": spec.keymap, "x11_layout": spec.x11_layout}
    texts: dict[str, Value] = {name: text or None for name, text in asked.items() if text is not None}
    return texts | ({"variables": _unsetting(spec)} if spec.variables else {})


def _unsetting(spec: Spec) -> dict[str, Value]:
    return {name: text or None for name, text in spec.variables.items()}


def claims(spec: Spec) -> tuple[Claim, ...]:
    return tuple(Claim("locale", "system", name, value) for name, value in _desired(spec).items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol's)
    return {name: domain_of_path(system, _file(system, name)) for name in ("lang", "variables", "keymap", "x11_layout")}


def _file(system: ReadOnlySystem, name: str) -> str:
    """The file that a field is in."""
    if name == "keymap":
        return CONSOLE
    debian, usual = (DEBIAN_KEYBOARD, CONSOLE) if name == "x11_layout" else (DEBIAN_LOCALE, LOCALE)
    return debian if system.stat(debian) else usual


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    locale = _file(system, "lang")
    state = State(
        assigned(system, locale, "LANG"),
        {name: assigned(system, locale, name) for name in spec.variables},
        assigned(system, _file(system, "keymap"), "KEYMAP"),
        assigned(system, _file(system, "x11_layout"), "XKBLAYOUT"),
    )
    _require_installed(system, spec, state)
    return state


def _require_installed(system: ReadOnlySystem, spec: Spec, state: State) -> None:
    """ProviderError for a locale or keymap that is to be set and is not there to be used."""
    live = {"LANG": state.lang, **state.variables}
    for name, text in {"LANG": spec.lang, **spec.variables}.items():
        if text and text != live[name] and name != "LANGUAGE":
            require_locale(system, text)
    if spec.keymap and spec.keymap != state.keymap:
        require_keymap(system, spec.keymap)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    return compare(_desired(spec), state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:  # noqa: ARG001  (the protocol's)
    after: Mapping[str, Any] = values(changes)
    variables = {**({"LANG": after["lang"]} if "lang" in after else {}), **after.get("variables", {})}
    if variables:
        tell_manager(system, {name: text and meant(system, text) for name, text in variables.items()})
        _assign(system, _file(system, "lang"), variables)
    for name, key in (("keymap", "KEYMAP"), ("x11_layout", "XKBLAYOUT")):
        if name in after:
            _assign(system, _file(system, name), {key: after[name]})
    return console_effects(system) if "keymap" in after else ()


def _assign(system: System, path: str, variables: Mapping[str, str | None]) -> None:
    """Set the variables in a file, or unset them. Debian's files stay even where they become empty, others go."""
    assign(system, path, variables, stays=path in (DEBIAN_LOCALE, DEBIAN_KEYBOARD))
