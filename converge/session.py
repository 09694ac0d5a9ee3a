"""Get ready to plan: read the ledgers, tell the occasion, and hand decisions what they are made with. Reads only."""

from collections.abc import Mapping

from attrs import field, frozen

from converge.expressions import parameter_value
from converge.facts import Facts, Origin, deployment_identity
from converge.ledger import Deployment, Ledgers
from converge.model import Event, Phase, Product, Value
from converge.occasion import detect
from converge.planner import Planner
from converge.system import ReadOnlySystem


@frozen
class Options:
    """What the command line says of a run. `event` None is `auto`; `given` are facts that are not gathered."""

    event: Event | None = None
    phase: Phase = Phase.ONLINE
    given: Mapping[str, Value] = field(factory=dict)


def planner_for(product: Product, system: ReadOnlySystem, options: Options) -> Planner:
    """Raises LedgerError where a ledger cannot be read: it is never taken for empty."""
    ledgers = Ledgers.load(system)
    deployment = Deployment(*deployment_identity(system, options.given))
    occasion = detect(ledgers, deployment, options.event, live=system.live)
    origin = Origin(occasion.began[0], occasion.installed_version, occasion.previous_version)
    parameters = {name: parameter_value(parameter) for name, parameter in product.parameters.items()}
    facts = Facts(system, origin, given=options.given, parameters=parameters)
    return Planner(system, ledgers, occasion, facts, options.phase)
