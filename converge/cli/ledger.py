"""`converge ledger`: the memory, and mending it by hand."""

from typing import Annotated

import typer

from converge.cli import base
from converge.errors import ExitCode

app = typer.Typer(help="Show what is remembered, and mend it by hand.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The id of a resource, or of one element: ID[KEY].")]


@app.command("show")
def show(
    root: base.RootOption = "/",
    format_: base.FormatOption = base.Format.TEXT,
    json_into: base.JsonIntoOption = None,
    color: base.ColorOption = base.ColorChoice.AUTO,
) -> ExitCode:
    """Show both ledgers."""
    output = base.Output(color, format_, json_into)
    with output.result():
        from converge.engine.ledger import Ledgers
        from converge.render import memory
        from converge.system import ReadOnlySystem
        from converge.system.sysroot import composed

        with composed(root) as path:
            found = Ledgers.load(ReadOnlySystem(path))
        output.write(lambda: memory.ledgers_document(found), lambda: memory.ledgers(found))
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
    """Remember a resource as done, without doing it."""
    from converge.engine import ledger_edit as mend
    from converge.engine.request import prepare
    from converge.system import System, lock
    from converge.system.sysroot import composed

    event, phase = base.EventChoice.REFRESH, base.PhaseChoice.ONLINE
    request = base.request(product, root, products, event, phase, settings, facts, this_hardware=this_hardware)
    with composed(root) as path, lock(system := System(path, this_hardware=this_hardware)):
        plan, planner = prepare(request, system.read_only())
        ids = mend.baseline(id_, plan.steps, planner.ledgers, system)
    typer.echo(f"baselined {', '.join(ids)}")
    return ExitCode.OK


@app.command("forget")
def forget(id_: Id, root: base.RootOption = "/") -> ExitCode:
    """Forget a resource, so that the next run meets it as new."""
    from converge.engine import ledger_edit as mend
    from converge.engine.ledger import Ledgers
    from converge.system import System, lock
    from converge.system.sysroot import composed

    with composed(root) as path, lock(system := System(path)):
        mend.forget(id_, Ledgers.load(system.read_only()), system)
    typer.echo(f"forgot {id_}")
    return ExitCode.OK
