"""The command line: commands, options and help, by typer."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

import netsheet

# In the order of the help; each a function of that name in that module.
COMMANDS = {
    "summary": "inspect", "evaluate": "inspect", "train": "train", "weights": "inspect",
    "activations": "inspect", "equations": "inspect", "explain": "explain",
    "csv": "artefacts", "excel": "artefacts", "c": "artefacts",
    "onnx": "artefacts", "verify": "artefacts", "demo": "artefacts",
}  # fmt: skip


def app(arguments: list[str]) -> typer.Typer:
    """The program; only the command that the arguments begin with, where they begin with one.

    Taking the signatures of all commands apart would take longer than most of them run.
    """
    result = typer.Typer(
        name="netsheet",
        help="Open a trained neural network and see, check and carry everything in it.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    result.callback()(_options)
    for name in [n for n in COMMANDS if n in arguments[:1]] or COMMANDS:
        module = importlib.import_module(f"netsheet.cli.{COMMANDS[name]}")
        result.command()(getattr(module, name))
    return result


def _version(asked: bool) -> None:
    if asked:
        print(f"netsheet {netsheet.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
