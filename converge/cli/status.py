"""`converge status`: what was done here, what is still to be done, and what is no longer as it was."""

from converge.cli import base
from converge.errors import ExitCode


def status(
    product: base.ProductArgument = None,
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
    """Show what is settled, owed, failed, drifted and orphaned; exits with 3 if anything has drifted."""
    output = base.Output(color, format_, json_into)
    with output.result():
        from converge.engine import status
        from converge.engine.request import prepare
        from converge.render import memory
        from converge.system import ReadOnlySystem
        from converge.system.sysroot import composed

        event, phase = base.EventChoice.REFRESH, base.PhaseChoice.ONLINE
        request = base.request(product, root, products, event, phase, settings, facts, this_hardware=this_hardware)
        with composed(root) as path:
            plan, planner = prepare(request, ReadOnlySystem(path, this_hardware=this_hardware))
        found = status.status(plan, planner.ledgers)
        output.write(
            lambda: memory.status_document(found, planner.ledgers),
            lambda: memory.status(found, planner.ledgers, verbose=verbose),
        )
    return ExitCode.DRIFT if found.drifted else ExitCode.OK
