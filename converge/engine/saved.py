"""Saved plans: a request with its plan. A saved plan fits as long as the request gives the same plan."""

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from converge.engine.request import Request
from converge.errors import ConvergeError, StalePlan, UsageError
from converge.model import Product

FORMAT = 1
NAMED = 5
"""How many changed resources the error of a stale plan names."""
_KEY = "converge_plan"
_UNCOMPARED: Mapping[str, Any] = {"diagnostics": []}
"""Keys that are only for the reader of the plan."""


@frozen
class SavedPlan:
    """`plan` is the plan's JSON document."""

    path: str
    request: Request
    plan: Mapping[str, Any]


def save(path: str, request: Request, product: Product, plan: Mapping[str, Any]) -> None:
    """Save a plan. UsageError if the request contains a secret, which no file may store."""
    for name in request.settings:
        if product.parameters[name].type == "secret":
            raise UsageError(
                f"--set {name}=… is a secret, which cannot be saved in a plan",
                hint="set it in /etc/converge/site.yaml, or apply without a saved plan",
            )
    document = {_KEY: FORMAT, "request": request.absolute().to_json(), "plan": plan}
    try:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
    except OSError as error:
        raise ConvergeError(f"cannot write {path}: {error.strerror}") from error


def load(path: str) -> SavedPlan | None:
    """The plan saved at a path; None if the path is not a saved plan (the name of a product, a manifest)."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict) or _KEY not in document:
        return None
    if document[_KEY] != FORMAT:
        raise ConvergeError(
            f"{path} is a plan of another version of converge", hint=f"make it again: converge plan --out {path}"
        )
    try:
        return SavedPlan(path, Request.from_json(document["request"]), document["plan"])
    except (KeyError, TypeError, ValueError) as error:
        raise ConvergeError(
            f"the saved plan {path} is damaged", hint=f"make it again: converge plan --out {path}"
        ) from error


def require_fit(saved: SavedPlan, plan: Mapping[str, Any]) -> None:
    """Raise StalePlan unless the request still gives the saved plan."""
    now = json.loads(json.dumps(plan))
    if {**now, **_UNCOMPARED} == {**saved.plan, **_UNCOMPARED}:
        return
    before = {step["id"]: step for step in saved.plan["steps"]}
    after = {step["id"]: step for step in now["steps"]}
    changed = [id_ for id_ in {**before, **after} if before.get(id_) != after.get(id_)]
    what = ", ".join(f"'{id_}'" for id_ in changed[:NAMED]) or "the event"
    rest = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    raise StalePlan(
        f"the plan {saved.path} is out of date: {what}{rest} changed",
        hint=f"make it again: converge plan --out {saved.path}",
    )
