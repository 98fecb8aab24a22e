"""A command line from functions: parameters are arguments and options, docstrings the help.

A parameter says what it is by its annotation::

    def summary(model: Annotated[Path, Argument("MODEL", "A file.")],
                as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False) -> None:

Types are Path, str, int, float, bool (a flag), ``X | None`` and ``list[X] | None`` (may be
repeated). Built on argparse, which costs no time to import.
"""

from __future__ import annotations

import argparse
import inspect
import re
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, get_args, get_origin

from netsheet.errors import UsageError

Command = Callable[..., None]
_NEGATIVE = re.compile(r"-[\d.]")


class Argument:
    """A parameter without a name; it may be left out if it has a default."""

    def __init__(self, metavar: str, help: str = "") -> None:
        self.metavar, self.help = metavar, help


class Option:
    """A parameter with names; a number may have a least value."""

    def __init__(self, *names: str, help: str = "", min: int | None = None) -> None:
        self.names, self.help, self.min = names, help, min


class _Parser(argparse.ArgumentParser):
    """Errors are UsageErrors: one sentence."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].lower()}{message[1:]}; see '{self.prog} --help'.")


class Program:
    """Commands by name, in the order of the help."""

    def __init__(self, name: str, about: str, version: str, commands: Sequence[Command]) -> None:
        self.name, self.about, self.version = name, about, version
        self.commands = {command.__name__: command for command in commands}

    def run(self, arguments: Sequence[str]) -> int:
        """Runs what the arguments say; returns the exit code.

        Raises:
            UsageError: there is no such command or option, or one is missing.
        """
        if not arguments or arguments[0] in ("-h", "--help"):
            print(self.help(), end="")
            return 0 if arguments else 2
        if arguments[0] == "--version":
            print(f"{self.name} {self.version}")
            return 0
        if arguments[0] not in self.commands:
            known = ", ".join(self.commands)
            raise UsageError(f"there is no command {arguments[0]!r}; commands are {known}.")
        command = self.commands[arguments[0]]
        parser = _parser(f"{self.name} {command.__name__}", command)
        given = parser.parse_intermixed_args(_joined(parser, arguments[1:]))
        command(**vars(given))
        return 0

    def help(self) -> str:
        """What is printed for ``--help``."""
        width = max(map(len, self.commands)) + 2
        formatter = argparse.HelpFormatter(self.name)
        formatter.add_text(self.about)
        text = formatter.format_help()
        lines = [f"  {name:{width}}{_summary(f)}" for name, f in self.commands.items()]
        return (
            f"usage: {self.name} COMMAND ...\n\n{text}\ncommands:\n" + "\n".join(lines) + "\n\n"
            f"{self.name} COMMAND --help tells more; {self.name} --version prints the version.\n"
        )


def _summary(command: Command) -> str:
    return (inspect.getdoc(command) or "").partition("\n\n")[0].replace("\n", " ")


def _parser(name: str, command: Command) -> _Parser:
    parser = _Parser(prog=name, description=inspect.getdoc(command), allow_abbrev=False)
    hints = typing.get_type_hints(command, include_extras=True)
    for key, parameter in inspect.signature(command).parameters.items():
        kind, *notes = get_args(hints[key])
        (note,) = (part for part in notes if isinstance(part, (Argument, Option)))
        _add(parser, key, kind, note, parameter.default)
    return parser


def _add(parser: _Parser, key: str, kind: Any, note: Argument | Option, default: Any) -> None:
    several, single = _taken_apart(kind)
    needed = default is inspect.Parameter.empty
    help_ = note.help
    if not needed and default not in (None, False, ""):
        help_ += f" [{default}]"
    options: dict[str, Any] = {"help": help_.replace("%", "%%")}
    if isinstance(note, Argument):
        # argparse itself never fills it: the name of the parameter is its place
        action = parser.add_argument(key, metavar=note.metavar, type=single, **options)
        if not needed:
            action.nargs, action.default, action.required = "?", default, False
        return
    if single is bool:
        parser.add_argument(*note.names, dest=key, action="store_true", **options)
        return
    parser.add_argument(
        *note.names,
        dest=key,
        type=_at_least(note.min, note.names[0]) if note.min is not None else single,
        action="append" if several else "store",
        default=None if needed else default,
        required=needed,
        metavar=_metavar(single),
        **options,
    )


def _taken_apart(kind: Any) -> tuple[bool, type]:
    """Whether it may be repeated, and the type of one value."""
    if get_origin(kind) in (types.UnionType, typing.Union):
        (kind,) = (part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is list:
        return True, get_args(kind)[0]
    return False, kind


def _metavar(kind: type) -> str:
    return {"Path": "FILE", "int": "N", "float": "NUMBER"}.get(kind.__name__, "TEXT")


def _at_least(least: int, name: str) -> Callable[[str], int]:
    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise UsageError(f"{name} takes a whole number of at least {least}, not {text!r}.")
        return value

    return number


def _joined(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> list[str]:
    """``--mean -0.5,1`` as ``--mean=-0.5,1``: argparse would take the value for an option."""
    takes_value = {
        name for action in parser._actions if action.nargs is None for name in action.option_strings
    }
    result: list[str] = []
    for argument in arguments:
        if result and result[-1] in takes_value and _NEGATIVE.match(argument):
            result[-1] += f"={argument}"
        else:
            result.append(argument)
    return result
