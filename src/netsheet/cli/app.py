"""The commands, and what happens when one fails."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import netsheet
from netsheet.cli import artefacts, inspect
from netsheet.errors import NetsheetError, one_line

app = typer.Typer(
    name="netsheet",
    help="Open a trained neural network and see, check and carry everything in it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    inspect.summary, inspect.evaluate, inspect.weights, inspect.activations, inspect.equations,
    artefacts.csv, artefacts.excel, artefacts.c, artefacts.onnx, artefacts.verify, artefacts.demo,
):  # fmt: skip
    app.command()(command)


def _version(asked: bool) -> None:
    if asked:
        print(f"netsheet {netsheet.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line; a failure is one sentence on standard error and an exit code."""
    try:
        app()
    except NetsheetError as error:
        print(f"netsheet: {one_line(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("netsheet: interrupted", file=sys.stderr)
        sys.exit(130)
    except MemoryError:
        print("netsheet: there is not enough memory for this", file=sys.stderr)
        sys.exit(1)
