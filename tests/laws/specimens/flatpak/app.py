from typing import Any

from converge.system import System
from tests.laws.workshop import HELLO, OTHER, Workshop, make


def _with_apps(system: System, workshop: Workshop) -> None:
    key = workshop.asset("key.gpg", workshop.key().public)
    make(system, "flatpak-remote", name="apps", url=workshop.url(), gpg_key=key)


def new_app(system: System, workshop: Workshop) -> dict[str, Any]:
    _with_apps(system, workshop)
    return {"app": HELLO, "remote": "apps", "metered": "use"}


def unwanted_app(system: System, workshop: Workshop) -> dict[str, Any]:
    make(system, "flatpak-app", **new_app(system, workshop))
    return {"app": HELLO, "ensure": "absent"}


def app_instead_of_another(system: System, workshop: Workshop) -> dict[str, Any]:
    make(system, "flatpak-app", **new_app(system, workshop))
    replaced = {"app": HELLO, "branch": "stable", "remote": "apps"}
    return {"app": OTHER, "remote": "apps", "replaces": replaced, "metered": "use"}


SPECIMENS = (new_app, unwanted_app, app_instead_of_another)
