"""`converge status`: the state of each resource, and what has drifted."""

from typing import Annotated

import typer

from converge.cli import base
from converge.errors import ExitCode

First = Annotated[
    str | None,
    typer.Argument(
        metavar="[PRODUCT]",
        help="A product's name or the path of its manifest. Default: the product of site.yaml or of the last run.",
        show_default=False,
    ),
]
Second = Annotated[
    str | None,
    typer.Argument(metavar="[ID]", help="Show all that is known of this resource.", show_default=False),
]


def status(
    product: First = None,
    id_: Second = None,
    products: base.ProductsOption = None,
    settings: base.SetOption = None,
    root: base.RootOption = "/",
    facts: base.FactsOption = None,
    this_hardware: base.HardwareOption = False,
    format_: base.FormatOption = base.Format.TEXT,
    json_into: base.JsonIntoOption = None,
    color: base.ColorOption = base.ColorChoice.AUTO,
    verbose: base.VerboseOption = False,
) -> ExitCode:
    """Show the state of each resource. Exits with 4 if one failed or cannot be inspected, with 3 if one drifted.

    A single argument that is neither a path nor the name of a product is taken as the ID of a resource.
    """
    output = base.Output(color, format_, json_into)
    with output.result():
        from attrs import evolve

        from converge.engine import status
        from converge.engine.request import names_product, prepare
        from converge.render import status as text
        from converge.system import ReadOnlySystem
        from converge.system.sysroot import composed

        event, phase = base.EventChoice.REFRESH, base.PhaseChoice.ONLINE
        request = base.request(product, root, products, event, phase, settings, facts, this_hardware=this_hardware)
        with composed(root) as path:
            if product is not None and id_ is None and not names_product(product, evolve(request, root=path)):
                request, id_ = evolve(request, product=None), product
            system = ReadOnlySystem(path, this_hardware=this_hardware)
            plan, planner = prepare(request, system)
            found = status.status(plan, planner.ledgers, system)
        chosen = found if id_ is None else found.of(id_)
        output.write(
            lambda: text.status_document(chosen, planner.ledgers),
            lambda: (
                text.status(chosen, planner.ledgers, columns=output.columns, verbose=verbose)
                if id_ is None
                else text.details(chosen, columns=output.columns)
            ),
        )
    return chosen.exit_code
