"""The `converge` command: its verbs, and the exit code and message of an error."""

import os
import sys
from typing import Annotated, TextIO

import typer

from converge import __version__
from converge.cli import apply, explain, facts, ledger, plan, status, validate
from converge.cli.base import ColorChoice, Output, columns
from converge.errors import ConvergeError, ExitCode, bug

INTERRUPTED = 130
"""128 plus the number of SIGINT, as shells return it."""

app = typer.Typer(
    name="converge",
    help="Bring a machine to the state that its product declares.",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("validate")(validate.validate)
app.command("plan")(plan.plan)
app.command("apply")(apply.apply)
app.command("status")(status.status)
app.command("facts")(facts.facts)
app.command("explain")(explain.explain)
app.add_typer(ledger.app, name="ledger")


def main() -> None:
    """Run a command line and exit with its code."""
    sys.stdout, sys.stderr = _stream(sys.stdout), _stream(sys.stderr)
    sys.exit(run(sys.argv[1:]))


def _stream(given: TextIO | None) -> TextIO:
    """The stream, which escapes what it cannot encode; /dev/null if the caller has closed the stream."""
    stream = given or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (it stays open to the end)
    stream.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]  # both are text files here
    return stream


def run(arguments: list[str]) -> int:
    """Run a command line; every error becomes a message on stderr and an exit code."""
    try:
        code: ExitCode | int | None = app(arguments, prog_name="converge", standalone_mode=False)
    except ConvergeError as error:
        return _report(error)
    except typer.TyperException as error:
        return _report_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  (a traceback shown to a user is a bug)
        return _report_bug(error)
    return code or ExitCode.OK


@app.callback(invoke_without_command=True)
def _converge(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"converge {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


def _report(error: ConvergeError) -> int:
    from converge.render import diagnostics

    Output(ColorChoice.AUTO).lines(diagnostics.failure(error, columns=columns(sys.stderr)), sys.stderr)
    return error.exit_code


def _report_usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "converge"
    message = error.format_message().replace("Value error, ", "")  # a prefix of the library, which does not help a user
    if message:  # empty if `converge ledger` alone has shown its help
        typer.echo(f"error: {message[:1].lower()}{message[1:].rstrip('.')}", err=True)
        typer.echo(f"hint: see {command} --help", err=True)
    return ExitCode.USAGE


def _report_bug(error: Exception) -> int:
    if os.environ.get("CONVERGE_DEBUG"):
        raise error
    typer.echo(f"error: this is a bug in converge, please report it: {bug(error)}", err=True)
    typer.echo("hint: set CONVERGE_DEBUG=1 to see the traceback; it may contain secrets", err=True)
    return ExitCode.ERROR
