"""The command line as typer reads it: help, and what is wrong with what was given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args

import typer

import netsheet
from netsheet.cli import language
from netsheet.cli.commands import COMMANDS, command_named
from netsheet.cli.declarations import Argument
from netsheet.errors import UsageError, choices


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
        result.command()(_typed(command_named(name)))
    return result


def _typed(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with what it says of its parameters as typer's own."""
    signature = inspect.signature(command)
    parameters = [
        parameter.replace(annotation=_annotation(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


def _annotation(annotation: Any) -> Any:
    kind, declared = get_args(annotation)
    if isinstance(declared, Argument):
        return Annotated[kind, typer.Argument(help=declared.help, metavar=declared.metavar)]
    return Annotated[kind, typer.Option(*declared.names, help=declared.help, min=declared.min)]


def explained(arguments: list[str]) -> int:
    """Run a command, or print help; the exit code.

    Raises:
        UsageError: an unknown command or option, or one that lacks something: one line for each.
    """
    arguments = arguments or ["--help"]
    try:
        command = typer.main.get_command(app(arguments))
        if language.chosen != "en":
            from netsheet.cli.helptexts import translate_help

            translate_help(command)
        code = command(arguments, standalone_mode=False)
    except _WRONGLY_USED as error:
        raise UsageError(_one_sentence(error, arguments)) from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else 0


# What typer raises is click's, of the package of that name or of typer's own copy.
_WRONGLY_USED: Any = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError"
)


def _one_sentence(error: Any, arguments: list[str]) -> str:
    """What typer found, and where help is."""
    word = next(iter(arguments), "")
    if not word.startswith("-") and word not in COMMANDS:
        return f"there is no command {word!r}{choices(word, COMMANDS, most=len(COMMANDS))}"
    possible = getattr(error, "possibilities", None)
    said = (error.message if possible else error.format_message()).rstrip(".")
    if possible:
        said += f" (did you mean {possible[0]}?)"
    command = f"netsheet {word}" if word in COMMANDS else "netsheet"
    return f"{said[:1].lower()}{said[1:]}; see {command} --help"


def _version(asked: bool) -> None:
    if asked:
        print(f"netsheet {netsheet.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Results only: no notes, no progress (anywhere).")
    ] = False,
    lang: Annotated[
        str, typer.Option("--lang", help="Of messages and of what is written: en or ja (anywhere).")
    ] = "",
) -> None:
    pass
