"""`converge ledger`: show the ledgers, and edit them by hand."""

from typing import Annotated

import typer

from converge.cli import base
from converge.errors import ExitCode

app = typer.Typer(help="Show the ledgers, and edit them by hand.", no_args_is_help=True)

Id = Annotated[
    str, typer.Argument(metavar="ID", help="The id of a resource, or of one element of a `for_each`: ID[KEY].")
]


@app.command("show")
def show(
    id_: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Show only the entries of this resource.", show_default=False)
    ] = None,
    root: base.RootOption = "/",
    format_: base.FormatOption = base.Format.TEXT,
    json_into: base.JsonIntoOption = None,
    color: base.ColorOption = base.ColorChoice.AUTO,
) -> ExitCode:
    """Show both ledgers, or the entries of one resource."""
    output = base.Output(color, format_, json_into)
    with output.result():
        from converge.engine.ledger import Ledgers
        from converge.engine.ledger_edit import require_known
        from converge.render import status as text
        from converge.system import ReadOnlySystem
        from converge.system.sysroot import composed

        with composed(root) as path:
            found = Ledgers.load(ReadOnlySystem(path))
        if id_ is not None:
            require_known(id_, found)
        output.write(lambda: text.ledgers_document(found, id_), lambda: text.ledgers(found, id_))
    return ExitCode.OK


@app.command("baseline")
def baseline(
    id_: Id,
    product: base.ProductArgument = None,
    products: base.ProductsOption = None,
    settings: base.SetOption = None,
    root: base.RootOption = "/",
    facts: base.FactsOption = None,
    this_hardware: base.HardwareOption = False,
) -> ExitCode:
    """Record a resource as done, without doing it."""
    from converge.engine import ledger_edit
    from converge.engine.request import prepare
    from converge.system import System, lock
    from converge.system.sysroot import composed

    event, phase = base.EventChoice.REFRESH, base.PhaseChoice.ONLINE
    request = base.request(product, root, products, event, phase, settings, facts, this_hardware=this_hardware)
    with composed(root) as path, lock(system := System(path, this_hardware=this_hardware)):
        plan, planner = prepare(request, system.read_only())
        ids = ledger_edit.baseline(id_, plan.steps, planner.ledgers, system)
    typer.echo(f"baselined {', '.join(ids)}")
    return ExitCode.OK


@app.command("forget")
def forget(id_: Id, root: base.RootOption = "/") -> ExitCode:
    """Forget a resource: the next run treats it as new."""
    from converge.engine import ledger_edit
    from converge.engine.ledger import Ledgers
    from converge.system import System, lock
    from converge.system.sysroot import composed

    with composed(root) as path, lock(system := System(path)):
        ledger_edit.forget(id_, Ledgers.load(system.read_only()), system)
    typer.echo(f"forgot {id_}")
    return ExitCode.OK
