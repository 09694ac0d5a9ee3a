"""`converge plan`: show decisions and differences; change nothing."""

from typing import Annotated

import typer

from converge.cli import base
from converge.errors import ExitCode


def plan(
    product: base.ProductArgument = None,
    products: base.ProductsOption = None,
    settings: base.SetOption = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Save the plan to FILE, for `converge apply FILE`.")
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 if there are changes to make.")
    ] = False,
    root: base.RootOption = "/",
    event: base.EventOption = base.EventChoice.AUTO,
    phase: base.PhaseOption = base.PhaseChoice.ONLINE,
    facts: base.FactsOption = None,
    this_hardware: base.HardwareOption = False,
    format_: base.FormatOption = base.Format.TEXT,
    json_into: base.JsonIntoOption = None,
    color: base.ColorOption = base.ColorChoice.AUTO,
    verbose: base.VerboseOption = False,
) -> ExitCode:
    """Show what `converge apply` would do, and why; change nothing. Exits with 4 if a resource cannot be applied."""
    output = base.Output(color, format_, json_into)
    with output.result():
        from converge.engine import saved
        from converge.engine.request import prepare
        from converge.render import json
        from converge.render import plan as text
        from converge.system import ReadOnlySystem
        from converge.system.sysroot import composed

        request = base.request(product, root, products, event, phase, settings, facts, this_hardware=this_hardware)
        if out:  # a saved plan names files, and is compared from another folder
            request = request.absolute()
        with composed(request.root) as path:
            made, _ = prepare(request, ReadOnlySystem(path, this_hardware=this_hardware))
        if out:
            saved.save(out, request, made.product, json.plan(made))
        output.write(lambda: json.plan(made), lambda: text.plan(made, columns=output.columns, verbose=verbose))
    if made.has_failed:
        return ExitCode.FAILED
    return ExitCode.CHANGES if detailed_exitcode and made.has_changes else ExitCode.OK
