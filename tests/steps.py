"""Steps made by hand, for tests of their use."""

from typing import Any

from converge.diagnostics import Mark
from converge.engine.plan import Plan
from converge.engine.step import Step
from converge.model import Action, Decision, Domain, Event, Policy, Product, Resource, Thing
from converge.providers import registry

MARK = Mark("school.yaml", 1, 1, 1, 1)


def step(
    id_: str,
    decision: Decision,
    action: Action = Action.NONE,
    *,
    type_: str = "file",
    policy: Policy = Policy.ALWAYS,
    thing: str = "file /etc/app.conf",
    why: str | None = None,
    mark: Mark = MARK,
    **more: Any,
) -> Step:
    noun, _, name = thing.rpartition(" ")
    return Step(
        id_,
        Resource(id_, type_, policy, mark, why=why),
        registry.load(type_),
        things=(Thing(noun, name, "path", name),),
        event=Event.UPGRADE,
        decision=decision,
        action=action,
        **more,
    )


def plan_of(*steps: Step, **more: Any) -> Plan:
    product = Product("school", "School edition", MARK, {}, {})
    return Plan(product, dict.fromkeys(Domain, Event.UPGRADE), steps=steps, **({"adopting": False} | more))
