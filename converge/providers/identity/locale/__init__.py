"""Language and keyboard of the machine. Owns LANG and other variables of /etc/locale.conf, and the keyboard layouts.

If the root has Debian's files, they are used: /etc/default/locale for the variables, /etc/default/keyboard for the X11
layout. Otherwise the layout is in /etc/vconsole.conf (XKBLAYOUT, known to systemd since version 253) beside the console
keymap (KEYMAP). On the live root, the service manager passes the variables on to programs that it starts from then on,
and the console gets its keymap at the end of the run. Running programs keep the old settings.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from converge.diagnostics import did_you_mean
from converge.errors import ProviderError
from converge.model import Change, Domain, Effect, Thing, Value
from converge.providers.identity.locale.installed import require_keymap, require_locale
from converge.providers.identity.locale.running import console_effects, set_environment
from converge.providers.identity.variables import assign, assigned
from converge.providers.protocol import Declared, Params, Traits, domain_of_path, field_names, values
from converge.system import ReadOnlySystem, System
from converge.system.contents import as_value, text_of

traits = Traits()

LOCALE, DEBIAN_LOCALE = "/etc/locale.conf", "/etc/default/locale"
CONSOLE, DEBIAN_KEYBOARD = "/etc/vconsole.conf", "/etc/default/keyboard"

VARIABLES = (
    "LANGUAGE",
    *(f"LC_{name}" for name in ("CTYPE", "NUMERIC", "TIME", "COLLATE", "MONETARY", "MESSAGES", "PAPER", "NAME")),
    *(f"LC_{name}" for name in ("ADDRESS", "TELEPHONE", "MEASUREMENT", "IDENTIFICATION")),
)
"""The variables of locale.conf(5) other than LANG."""


@frozen
class Spec:
    lang: str | None = None
    variables: Mapping[str, str] = field(factory=dict)
    keymap: str | None = None
    x11_layout: str | None = None


@frozen
class State:
    """`variables` contains those that the spec names."""

    lang: str | None = None
    variables: Mapping[str, str | None] = field(factory=dict)
    keymap: str | None = None
    x11_layout: str | None = None


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if not declared(spec):
        raise ProviderError("no parameter set", hint="give at least one of `lang`, `variables`, `keymap`, `x11_layout`")
    for name in spec.variables:
        if name not in VARIABLES:
            raise ProviderError(f"'{name}' is not a variable of locale.conf", hint=did_you_mean(name, VARIABLES))
    for text in (spec.lang, *spec.variables.values(), spec.keymap, spec.x11_layout):
        if text and (as_value(text) != text or any(map(str.isspace, text))):
            raise ProviderError(f"'{text}' is too long or contains white space", hint="write only the name")
    return spec


def thing(spec: Spec) -> Thing:
    settings = {"LANG": spec.lang, **spec.variables, "keymap": spec.keymap, "layout": spec.x11_layout}
    words = [f"{name} {text or 'unset'}" for name, text in settings.items() if text is not None]
    if spec.lang:
        words[0] = spec.lang
    return Thing("locale", ", ".join(words), "locale", "system")


def declared(spec: Spec) -> Declared:
    """An empty text unsets."""
    texts = {"lang": spec.lang, "keymap": spec.keymap, "x11_layout": spec.x11_layout}
    fields: dict[str, Value] = {name: text or None for name, text in texts.items() if text is not None}
    if spec.variables:
        fields["variables"] = {name: text or None for name, text in spec.variables.items()}
    return fields


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return {name: domain_of_path(system, _file(system, name)) for name in field_names(State)}


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
    """Raise ProviderError if a locale or keymap that must be set is not installed."""
    live = {"LANG": state.lang, **state.variables}
    for name, text in {"LANG": spec.lang, **spec.variables}.items():
        if text and text != live[name] and name != "LANGUAGE":
            require_locale(system, text)
    if spec.keymap and spec.keymap != state.keymap:
        require_keymap(system, spec.keymap)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:  # noqa: ARG001  (the protocol)
    after: Mapping[str, Any] = values(changes)
    variables = {**({"LANG": after["lang"]} if "lang" in after else {}), **after.get("variables", {})}
    if variables:
        set_environment(system, {name: text and text_of(system, text) for name, text in variables.items()})
        _assign(system, _file(system, "lang"), variables)
    for name, key in (("keymap", "KEYMAP"), ("x11_layout", "XKBLAYOUT")):
        if name in after:
            _assign(system, _file(system, name), {key: after[name]})
    return console_effects(system) if "keymap" in after else ()


def _assign(system: System, path: str, variables: Mapping[str, str | None]) -> None:
    """Set or unset the variables in a file. If it becomes empty, a file of Debian's stays; another one is removed."""
    assign(system, path, variables, stays=path in (DEBIAN_LOCALE, DEBIAN_KEYBOARD))
