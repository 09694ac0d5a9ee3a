"""`converge facts`: the facts that expressions can use here."""

from typing import Annotated

import typer

from converge.cli import base
from converge.errors import ExitCode

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME…", help="Facts, such as os.version. Default: all facts.", show_default=False),
]


def facts(
    names: Names = None,
    root: base.RootOption = "/",
    facts: base.FactsOption = None,
    this_hardware: base.HardwareOption = False,
    format_: base.FormatOption = base.Format.TEXT,
    json_into: base.JsonIntoOption = None,
    color: base.ColorOption = base.ColorChoice.AUTO,
) -> ExitCode:
    """Show facts: their values, or the reasons why they are unknown."""
    output = base.Output(color, format_, json_into)
    with output.result():
        from converge.engine.request import gather_facts
        from converge.render import facts as render
        from converge.system import ReadOnlySystem
        from converge.system.sysroot import composed

        given = base.given_facts(facts) if facts else {}
        with composed(root) as path:
            found = gather_facts(names, ReadOnlySystem(path, this_hardware=this_hardware), given)
        output.write(lambda: render.document(found), lambda: render.lines(found))
    return ExitCode.OK
