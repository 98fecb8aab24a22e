"""CSV layouts: which axes of a weight run down, which across, and what stands around the numbers.

A layout is a TOML file; those in ``layouts/`` beside this module are the built-in ones. The keys
and templates are described in docs/csv-layouts.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Any

from netsheet.errors import FormatError, UsageError

FILE_FIELDS = ("model", "all_axes")
WEIGHT_FIELDS = ("model", "layer", "weight", "name", "type", "shape", "axes", "all_axes")
PLACE_FIELDS = ("block", "places")
# These become several cells, so nothing else may share their cell.
SEVERAL_CELLS = ("all_axes", "block", "places")
AXIS_FIELDS = (
    "out", "in", "multiplier", "token", "gate", "time", "channel", "depth", "height", "width",
    "unit", "head", "query", "key",
)  # fmt: skip

Lines = tuple[str, ...]
# The axes of a table: those that make blocks, those that run down, those that run across.
Arrangement = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Split:
    """``lines`` between the rows after every ``every`` positions along ``axis``."""

    axis: str = ""
    every: int = 1
    lines: Lines = ("",)


@dataclass(frozen=True)
class Table:
    """How the weights that fit are written: names and types are patterns, axes are named.

    In ``blocks``, ``down`` and ``across``, ``*`` stands for all axes not named elsewhere and
    ``last`` for the last of those.
    """

    weights: Lines = ("*",)
    types: Lines = ("*",)
    blocks: Lines = ()
    down: Lines = ()
    across: Lines = ()
    before: Lines = ()
    block_before: Lines = ()
    block_after: Lines = ()
    row: str = ""
    split: Split | None = None
    after: Lines = ()

    def fits(self, label: str, layer_type: str) -> bool:
        """True if the weight's name and its layer's type are among those asked for."""
        return any(fnmatchcase(label, name) for name in self.weights) and any(
            fnmatchcase(layer_type, name) for name in self.types
        )

    def arrange(self, axes: Sequence[str]) -> Arrangement | None:
        """``axes`` as blocks, down and across; None where they are not the ones named."""
        keys = (self.across, self.down, self.blocks)
        named = {axis for key in keys for axis in key if axis not in ("*", "last")}
        if not named <= set(axes):
            return None
        free = [axis for axis in axes if axis not in named]
        last = [[free.pop()] if "last" in key and free else [] for key in keys]
        if free and not any("*" in key for key in keys):
            return None
        across, down, blocks = (
            tuple(
                axis
                for name in key
                for axis in (free if name == "*" else ends if name == "last" else [name])
            )
            for key, ends in zip(keys, last, strict=True)
        )
        return blocks, down, across


@dataclass(frozen=True)
class Layout:
    """A whole layout; ``tables`` are tried in their order for every weight."""

    name: str
    tables: tuple[Table, ...]
    description: str = ""
    separator: str = ","
    order: str = "channels-first"
    unflatten: bool = False
    files: str = "one"
    head: Lines = ()
    tail: Lines = ()
    decimal: str = "point"

    @property
    def delimiter(self) -> str:
        """What stands between cells: ``separator``, or ``;`` where that is the decimal comma."""
        return ";" if self.decimal == "comma" and self.separator == "," else self.separator


def layout_names() -> list[str]:
    """The built-in layouts."""
    folder = resources.files("netsheet.write.csv") / "layouts"
    return sorted(
        item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")
    )


def written_layout(layout: str | Path | Layout, decimal: str = "point") -> Layout:
    """A layout, by its name, file or itself, with a decimal ``point`` or ``comma``.

    Raises:
        UsageError: another decimal; otherwise as :func:`load_layout`.
    """
    if decimal not in ("point", "comma"):
        raise UsageError(f"decimal {decimal!r}: allowed are point and comma.")
    chosen = layout if isinstance(layout, Layout) else load_layout(layout)
    return replace(chosen, decimal=decimal) if decimal != "point" else chosen


def load_layout(name_or_path: str | Path) -> Layout:
    """The built-in layout of that name, or the one in a TOML file.

    Raises:
        UsageError: there is neither; the message lists the built-in ones.
        FormatError: the file is no TOML, or a key, value or template in it is not known.
    """
    name = str(name_or_path)
    if name in layout_names():
        text = (resources.files("netsheet.write.csv") / "layouts" / f"{name}.toml").read_text(
            "utf-8"
        )
        return parse_layout(text, name)
    path = Path(name_or_path)
    if not path.is_file():
        raise UsageError(
            f"layout {name!r}: no such file, and not one of {', '.join(layout_names())}; "
            "name one of these or the TOML file of your own layout."
        )
    try:
        return parse_layout(path.read_text("utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: cannot be read as text: {error}.") from error


LONGEST = 16_000  # characters; a key of many dots takes the square of its length


def parse_layout(text: str, where: str) -> Layout:
    """The layout that ``text`` (TOML) describes; ``where`` names it in messages."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    if len(text) > LONGEST:
        raise FormatError(f"{where}: has {len(text):,} characters; {LONGEST:,} are the limit.")
    try:
        raw = tomllib.loads(text)
    except RecursionError:
        raise FormatError(f"{where}: is nested too deeply.") from None
    except ValueError as error:  # TOMLDecodeError, and numbers of too many digits
        raise FormatError(f"{where}: not valid TOML: {error}.") from error
    tables = raw.pop("table", [])
    if not (isinstance(tables, list) and tables and all(isinstance(t, dict) for t in tables)):
        raise FormatError(f"{where}: has no [[table]]; a layout needs at least one.")
    given = _checked(raw, Layout, where, leave_out=("name", "tables"))
    layout = Layout(
        name=Path(where).stem,
        tables=tuple(_table(t, f"{where}: table {n}") for n, t in enumerate(tables, 1)),
        **given,
    )
    _one_of(layout.order, ("channels-first", "original"), "order", where)
    _one_of(layout.files, ("one", "layer"), "files", where)
    _one_of(layout.decimal, ("point", "comma"), "decimal", where)
    if not layout.separator or set(layout.separator) & set('"\r\n'):
        raise FormatError(f"{where}: separator must be a character such as ',' ';' or a tab.")
    for key in ("head", "tail"):
        _check_templates(getattr(layout, key), FILE_FIELDS, layout.separator, f"{where}: {key}")
    for number, table in enumerate(layout.tables, 1):
        _check_table_templates(table, layout.separator, f"{where}: table {number}")
    return layout


def _table(raw: dict[str, Any], where: str) -> Table:
    split = raw.pop("split", None)
    if split is not None and not isinstance(split, dict):
        raise FormatError(f"{where}: split must be a table with axis, every and lines.")
    given = _checked(raw, Table, where, leave_out=("split",))
    if split is not None:
        given["split"] = Split(**_checked(split, Split, f"{where}: split"))
        if given["split"].every < 1:
            raise FormatError(f"{where}: split: every must be at least 1.")
    table = Table(**given)
    axes = [axis for key in (table.blocks, table.down, table.across) for axis in key]
    named = [axis for axis in axes if axis != "last"]
    if len(set(named)) < len(named):
        raise FormatError(f"{where}: blocks, down and across name an axis (or '*') twice.")
    return table


def _checked(
    raw: Mapping[str, Any], kind: type, where: str, leave_out: Sequence[str] = ()
) -> dict[str, Any]:
    """The values of ``raw``, each of the type that the dataclass ``kind`` gives its field."""
    known = {field.name: field for field in fields(kind) if field.name not in leave_out}
    given: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in known:
            extra = {"Layout": ("table",), "Table": ("split",)}.get(kind.__name__, ())
            allowed = ", ".join(sorted([*known, *extra]))
            raise FormatError(f"{where}: unknown key {key!r}; allowed are {allowed}.")
        default = known[key].default
        if isinstance(default, tuple):
            value = (value,) if isinstance(value, str) else value
            if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
                raise FormatError(f"{where}: {key} must be a string or a list of strings.")
            given[key] = tuple(value)
        elif type(value) is not type(default):
            raise FormatError(f"{where}: {key} must be a {_TOML_TYPES[type(default)]}.")
        else:
            given[key] = value
    return given


_TOML_TYPES = {str: "string", bool: "boolean (true or false)", int: "whole number"}


def _one_of(value: str, allowed: Sequence[str], key: str, where: str) -> None:
    if value not in allowed:
        raise FormatError(f"{where}: {key} is {value!r}; allowed are {', '.join(allowed)}.")


def _check_table_templates(table: Table, separator: str, where: str) -> None:
    named = [axis for key in (table.blocks, table.down, table.across) for axis in key]
    axes = tuple(dict.fromkeys([*AXIS_FIELDS, *(a for a in named if a not in ("*", "last"))]))
    for key in ("before", "after"):
        _check_templates(getattr(table, key), WEIGHT_FIELDS, separator, f"{where}: {key}")
    if table.split:
        _check_templates(table.split.lines, WEIGHT_FIELDS, separator, f"{where}: split")
    for key in ("block_before", "block_after", "row"):
        lines = getattr(table, key)
        _check_templates(
            (lines,) if isinstance(lines, str) else lines,
            (*WEIGHT_FIELDS, *PLACE_FIELDS, *axes),
            separator,
            f"{where}: {key}",
        )


def _check_templates(
    lines: Iterable[str], allowed: Sequence[str], separator: str, where: str
) -> None:
    for line in lines:
        if set(line) & set("\r\n\0"):
            raise FormatError(f"{where}: a line must not hold a line end; make it two lines.")
        for cell in line.split(separator):
            _check_cell(cell, allowed, where)


def _check_cell(cell: str, allowed: Sequence[str], where: str) -> None:
    try:
        parts = list(Formatter().parse(cell))
    except ValueError as error:
        raise FormatError(f"{where}: {cell!r}: {error}; write {{{{ for a brace.") from error
    for text, name, spec, conversion in parts:
        if name is None:
            continue
        if name not in allowed or spec or conversion:
            fields_ = ", ".join(f"{{{field}}}" for field in allowed)
            raise FormatError(f"{where}: unknown field in {cell!r}; allowed are {fields_}.")
        if name in SEVERAL_CELLS and (len(parts) > 1 or text):
            raise FormatError(f"{where}: {{{name}}} is several cells; let it stand alone in one.")
