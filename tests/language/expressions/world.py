"""A small environment of facts, parameters and a probe."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from converge.language.expressions import (
    BOOLEAN,
    CONSTANTS,
    FUNCTIONS,
    INTEGER,
    SIZE,
    TEXT,
    TEXTS,
    VERSION,
    Found,
    Function,
    Scope,
    optional,
    record,
    takes,
)
from converge.model import Unknown, Version

APP = record(installed=BOOLEAN, origin=optional(TEXT))

SCOPE = Scope(
    {
        **dict.fromkeys(CONSTANTS, SIZE),
        "machine.live": BOOLEAN,
        "machine.vendor": optional(TEXT),
        "disk.size": SIZE,
        "memory.total": SIZE,
        "installed.version": VERSION,
        "kernel.arguments": TEXTS,
        "network.online": BOOLEAN,
        "swap_ceiling": SIZE,
        "name": TEXT,
        "count": INTEGER,
        "item": record(key=TEXT, value=INTEGER),
    },
    {**FUNCTIONS, "flatpak": Function("flatpak(ref)", "", takes(APP, "text"))},
)

VALUES: Mapping[str, Any] = {
    **CONSTANTS,
    "machine.live": False,
    "machine.vendor": None,
    "disk.size": 128 << 30,
    "memory.total": 2 << 30,
    "installed.version": Version("3.10.1"),
    "kernel.arguments": ("quiet", "splash"),
    "network.online": Unknown("no network facts here"),
    "swap_ceiling": 8 << 30,
    "name": "school",
    "count": 3,
    "item.key": "a",
    "item.value": 7,
}


@frozen
class World:
    values: Mapping[str, Any] = field(factory=lambda: VALUES)

    def name(self, path: tuple[str, ...]) -> Found:
        found: Found = self.values[".".join(path)]
        return found

    def call(self, name: str, arguments: Sequence[Found]) -> Found:
        assert name == "flatpak"
        return {"installed": arguments == ["org.gimp.GIMP"], "origin": None}
