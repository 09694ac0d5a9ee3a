"""What is asked of an app or a runtime, and what is found of it."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from converge.providers.protocol import ABSENT
from converge.system import flatpak


@frozen
class Replaced:
    app: str | None = None
    runtime: str | None = None
    branch: str | None = None
    remote: str | None = None


def _replaced(given: Mapping[str, str] | None) -> Replaced | None:
    return None if given is None else Replaced(**given)


def _arch(given: str | None) -> str:
    return given or flatpak.default_arch()


@frozen
class Spec:
    app: str | None = None
    runtime: str | None = None
    ensure: Literal["present", "absent"] = "present"
    remote: str | None = None
    branch: str = "stable"
    arch: str = field(default=None, converter=_arch)
    replaces: Replaced | None = field(default=None, converter=_replaced)
    metered: Literal["wait", "use"] = "wait"

    @property
    def ref(self) -> str:
        return f"{kind_and_id(self)}/{self.arch}/{self.branch}"


@frozen
class State:
    ensure: str
    origin: str | None = None
    replaced: str = ABSENT
    """Whether what the app replaces is installed."""


def kind_and_id(named: Spec | Replaced) -> str:
    return f"app/{named.app}" if named.app is not None else f"runtime/{named.runtime}"
