"""The request for a run, from product to phase, and its plan. Reads only."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
from attrs import field, frozen

from converge.checks import check as check_product
from converge.diagnostics import Diagnostic, Mark, Report, Severity
from converge.engine.ledger import Deployment, Ledgers
from converge.engine.occasion import detect
from converge.engine.plan import Plan, Planner
from converge.errors import ConvergeError, UsageError
from converge.facts import FACTS, Facts, Origin, deployment_identity, scope
from converge.language import product as products
from converge.language.expressions import check, parameter_value, parse_expression
from converge.model import Event, Parameter, Phase, Product, Secret, Value
from converge.system import ReadOnlySystem

LAYERS = ("/usr/share/converge/products", "/var/lib/converge/products")
"""The folders of manifests inside the root; a later folder wins."""


@frozen
class Request:
    """All that a command line requests of a run. Paths are the host's; `event` None is `auto`."""

    product: str | None = None
    root: str = "/"
    products: tuple[str, ...] = ()
    event: Event | None = None
    phase: Phase = Phase.ONLINE
    settings: Mapping[str, str] = field(factory=dict, repr=False)
    given: Mapping[str, Value] = field(factory=dict)
    this_hardware: bool = False

    def absolute(self) -> "Request":
        """The same request, valid in every working directory."""
        return attrs.evolve(
            self,
            product=os.path.abspath(self.product) if self.product and is_path(self.product) else self.product,
            root=os.path.abspath(self.root),
            products=tuple(map(os.path.abspath, self.products)),
        )

    def to_json(self) -> dict[str, Any]:
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Request":
        event = None if data["event"] is None else Event(data["event"])
        rest = {"event": event, "phase": Phase(data["phase"]), "products": tuple(data["products"])}
        return cls(**{**data, **rest})


def is_path(product: str) -> bool:
    """Whether a product is named by the path of its manifest."""
    return "/" in product or product.endswith(".yaml")


def names_product(text: str, request: Request) -> bool:
    """Whether a text is the path of a manifest or the name of a product, and not the id of a resource."""
    found = products.Library(search_path(request.root, request.products), Report()).find(text)
    return is_path(text) or found is not None


def search_path(root: str, products: tuple[str, ...]) -> tuple[str, ...]:
    """The folders to search for manifests: those requested, otherwise the layers of the system at `root`."""
    return products or tuple(root.rstrip("/") + layer for layer in LAYERS)


def _site_path(system: ReadOnlySystem) -> str:
    return system.real(system.root.rstrip("/") + products.SITE)


def load_product(request: Request, system: ReadOnlySystem) -> Product:
    """The requested product. Raises InvalidManifest, and UsageError if none is named anywhere."""
    report = Report()
    found = products.load(
        request.product or _usual_product(system),
        search_path(system.root, request.products),
        site=_site_path(system),
        settings=request.settings,
        report=report,
        real=system.real,
    )
    report.raise_errors()
    assert found is not None  # noqa: S101  (there would be an error in the report)
    check_product(found, report)
    report.raise_errors()
    if system.live and os.geteuid() == 0:
        for path in found.files:
            system.require_trusted(os.path.abspath(path))
    return found


def _usual_product(system: ReadOnlySystem) -> str:
    report = Report()
    site = products.read_site(_site_path(system), report)
    report.raise_errors()
    data = site.data if site and isinstance(site.data, Mapping) else {}
    memory = Ledgers.load(system).machine.memory
    remembered = memory.source if memory.source and os.path.isfile(memory.source) else memory.product
    name = data.get("product") or remembered
    if not isinstance(name, str) or not name:
        raise UsageError(
            "the product is not named", hint="give its name, or set `product: NAME` in /etc/converge/site.yaml"
        )
    return name


def planner_for(product: Product, system: ReadOnlySystem, request: Request) -> Planner:
    """Read the ledgers, detect the occasion, and prepare the facts.

    Raises LedgerError if a ledger cannot be read: it is never taken for empty.
    """
    ledgers = Ledgers.load(system)
    deployment = Deployment(*deployment_identity(system, request.given))
    occasion = detect(ledgers, deployment, request.event, live=system.live)
    origin = Origin(occasion.began[0], occasion.installed_version, occasion.previous_version)
    parameters = {name: parameter_value(parameter) for name, parameter in product.parameters.items()}
    facts = Facts(system, origin, given=request.given, parameters=parameters)
    return Planner(system, ledgers, occasion, facts, request.phase)


def prepare(request: Request, system: ReadOnlySystem) -> tuple[Plan, Planner]:
    """The plan of a request, and the planner that made it."""
    product = load_product(request, system)
    for _, secret in _secrets(product):
        system.meet(secret)
    planner = planner_for(product, system, request)
    plan = planner.plan(product)
    diagnostics = (*plan.diagnostics, *_exposed(product, system))
    return attrs.evolve(plan, diagnostics=diagnostics, source=_source(request, planner)), planner


def _source(request: Request, planner: Planner) -> str:
    """The path of the manifest, if the product is named by its path now, or not named and recorded with its path."""
    memory = planner.ledgers.machine.memory
    if request.product is None:
        return memory.source
    return os.path.abspath(request.product) if is_path(request.product) else ""


def _secrets(product: Product) -> Iterator[tuple[Parameter, Secret]]:
    for parameter in product.parameters.values():
        if isinstance(parameter.value, Secret):
            yield parameter, parameter.value


def _exposed(product: Product, system: ReadOnlySystem) -> Iterator[Diagnostic]:
    """A warning if users other than root can read a site.yaml with secrets."""
    path, found = _site_path(system), system.stat(products.SITE)
    if os.geteuid() != 0 or found is None or (found.uid == 0 and not found.mode & 0o077):
        return
    if any(parameter.mark.filename == path for parameter, _ in _secrets(product)):
        message = f"{path} contains secrets, and users other than root can read it"
        hint = f"chmod 0600 {path}" if found.uid == 0 else f"chown root {path}; chmod 0600 {path}"
        yield Diagnostic(Severity.WARNING, "exposed-secret", message, hint)


def gather_facts(
    names: Sequence[str] | None, system: ReadOnlySystem, given: Mapping[str, Value]
) -> Mapping[str, object]:
    """Facts, groups of facts, or probes with their arguments; all facts if none is named. An Unknown has its reason."""
    for name in names or ():
        _require_fact(name)
    nothing = Product("", "", Mark("", 1, 1, 1, 1), parameters={}, resources={})
    return planner_for(nothing, system, Request(given=given)).facts.gather(names or FACTS)


def _require_fact(name: str) -> None:
    if any(fact.startswith(f"{name}.") for fact in FACTS):
        return
    problems = check(parse_expression(name), scope()).problems
    if problems:
        raise ConvergeError(problems[0].message, hint=problems[0].hint)
