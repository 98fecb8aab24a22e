"""Command lines that need no explanation, read without the library that gives one.

typer takes longer to be imported than most commands to run. What is spelled in the plainest way is
read here; whatever else there is, help and mistakes of all kinds, is left to typer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from netsheet.cli.declarations import Argument, Option

_KINDS: tuple[type, ...] = (str, Path, int, float)


def parsed(command: Callable[..., Any], words: Sequence[str]) -> dict[str, Any] | None:
    """The values of a command's parameters; None where typer has to look at it."""
    parameters = inspect.signature(command).parameters
    options = {
        name: parameter
        for parameter in parameters.values()
        if isinstance(declared := _declared(parameter), Option)
        for name in declared.names
    }
    places = [one for one in parameters.values() if isinstance(_declared(one), Argument)]
    values = {one.name: one.default for one in parameters.values()}
    try:
        for parameter, word in _pairs(words, options, places):
            _take(values, parameter, word)
    except (LookupError, ValueError):
        return None
    return None if inspect.Parameter.empty in values.values() else values


def _declared(parameter: inspect.Parameter) -> object:
    return get_args(parameter.annotation)[1]


def _kind(parameter: inspect.Parameter) -> Any:
    """The parameter's type without None."""
    kind = get_args(parameter.annotation)[0]
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (one for one in get_args(kind) if one is not type(None))
    return kind


def _pairs(
    words: Sequence[str],
    options: Mapping[str, inspect.Parameter],
    places: Sequence[inspect.Parameter],
) -> Iterator[tuple[inspect.Parameter, str]]:
    """Each parameter that is given, with its word. LookupError: this is not plain."""
    left, free = iter(words), iter(places)
    for word in left:
        if not word.startswith("-") or word == "-":
            place = next(free, None)
            if place is None:
                raise LookupError(word)
            yield place, word
            continue
        name, equals, value = word.partition("=")
        parameter = options[name]
        if _kind(parameter) is bool or (equals and not name.startswith("--")):
            if equals:
                raise LookupError(word)
            yield parameter, ""
            continue
        if not equals:
            value = next(left, "--")
        if value.startswith("-") and value != "-":
            raise LookupError(word)
        yield parameter, value


def _take(values: dict[str, Any], parameter: inspect.Parameter, word: str) -> None:
    """Puts a value in its place. ValueError: typer has to say what is wrong with it."""
    kind, name = _kind(parameter), parameter.name
    if kind is bool:
        values[name] = True
    elif kind == list[str]:
        values[name] = [*(values[name] or ()), word]
    elif values[name] is not parameter.default or kind not in _KINDS:
        raise ValueError(word)  # given twice
    else:
        value = kind(word)
        declared = _declared(parameter)
        least = declared.min if isinstance(declared, Option) else None
        if least is not None and value < least:
            raise ValueError(word)
        values[name] = value
