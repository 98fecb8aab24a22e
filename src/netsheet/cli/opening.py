"""How commands open their model: with an architecture beside it, with layers of the user's own."""

from __future__ import annotations

import functools
import inspect
import runpy
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import netsheet
from netsheet.cli.declarations import Option
from netsheet.cli.scaling import SCALING, scaling
from netsheet.errors import NetsheetError, UsageError

if TYPE_CHECKING:
    from netsheet.model import Model

Architecture = Annotated[
    Path | None,
    Option(
        "--architecture",
        help="For a file of weights: the JSON of to_json(), or a .keras or .h5 of that network.",
    ),
]
OwnLayers = Annotated[
    Path | None,
    Option("--layers", help="Your own Python file, which is run: it calls netsheet.register()."),
]

Label = Annotated[
    str | None,
    Option("--label", help="Of a CSV, the column of labels: its heading, first, last."),
]

_label: ContextVar[str | None] = ContextVar("label", default=None)
_architecture: ContextVar[Path | None] = ContextVar("architecture", default=None)


def opened(model_file: Path, batch_axis: str = "auto") -> Model:
    """The model of a command, with the architecture that its options name."""
    return netsheet.load(model_file, batch_axis, _architecture.get())


def label_column() -> str | None:
    """The column of labels that the command's options name."""
    return _label.get()


def opening(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with the options that it does not name itself.

    These are how its model is opened, if it takes one; which column of its data are labels; and the
    four of ``wanted``, the scaling that is asked for. Its signature has its annotations resolved.
    """
    signature = inspect.signature(command)
    kinds = get_type_hints(command, include_extras=True)
    takes_model = "model_file" in signature.parameters
    # what reads data has the option, if it does not have one of its own
    asks_label = takes_model and "data" in kinds and "label" not in kinds
    more = {"architecture": Architecture, "own_layers": OwnLayers} if takes_model else {}
    more |= {"label": Label} if asks_label else {}

    @functools.wraps(command)
    def run(architecture: Path | None = None, own_layers: Path | None = None, **given: Any) -> Any:
        token = _architecture.set(architecture)
        column = _label.set(given.pop("label", None) if asks_label else None)
        try:
            if own_layers is not None:
                run_own_layers(own_layers)
            if "wanted" in signature.parameters:
                given["wanted"] = scaling(*(given.pop(name) for name in SCALING))
            return command(**given)
        finally:
            _label.reset(column)
            _architecture.reset(token)

    parameters = []
    for name, parameter in signature.parameters.items():
        if name == "wanted":
            parameters += [_option(*one) for one in SCALING.items()]
        else:
            parameters.append(parameter.replace(annotation=kinds[name]))
    parameters += [_option(name, (kind, None)) for name, kind in more.items()]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return run


def _option(name: str, declared: tuple[Any, Any]) -> inspect.Parameter:
    kind, default = declared
    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind
    )


def run_own_layers(path: Path) -> None:
    """Runs the user's own file, so that it registers layers; never one that a model file names.

    Raises:
        UsageError: there is no such file.
        NetsheetError: it fails; the text says how and where.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file.")
    try:
        runpy.run_path(str(path))
    except NetsheetError:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        line = _line_in(path, error)
        raise NetsheetError(
            f"{path}{line}: {type(error).__name__}: {error or 'it ended'}"
        ) from error


def _line_in(path: Path, error: BaseException) -> str:
    trace, found = error.__traceback__, ""
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            found = f", line {trace.tb_lineno}"
        trace = trace.tb_next
    return found
