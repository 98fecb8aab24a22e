"""Cells as XML text. Rows and columns count from 0; names are as in Excel (A1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384
MAX_FORMULA = 8_192  # characters

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@lru_cache(maxsize=MAX_COLUMNS)
def column_name(column: int) -> str:
    """``A`` for 0, ``XFD`` for 16383."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def cell_name(row: int, column: int) -> str:
    """``C4`` for row 3, column 2."""
    return f"{column_name(column)}{row + 1}"


def escaped(text: str) -> str:
    """Text for XML content and attributes; characters that XML forbids become U+FFFD."""
    text = _FORBIDDEN.sub("\ufffd", text)
    if "&" in text or "<" in text or ">" in text or '"' in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        text = text.replace('"', "&quot;")
    return text


def _names(row: int, column: int, count: int) -> Iterable[str]:
    number = str(row + 1)
    return (column_name(c) + number for c in range(column, column + count))


def number_cells(row: int, column: int, values: Sequence[str], style: int) -> str:
    """Numbers side by side, as the texts that are to be stored."""
    head = f'" s="{style}"><v>'
    names = _names(row, column, len(values))
    return "".join([f'<c r="{n}{head}{v}</v></c>' for n, v in zip(names, values, strict=True)])


def formula_cells(
    row: int, column: int, formulas: Sequence[str], cached: Sequence[str], style: int
) -> str:
    """Formulas (without ``=``, already escaped) side by side with their cached numbers."""
    head = f'" s="{style}"><f>'
    cells = zip(_names(row, column, len(formulas)), formulas, cached, strict=True)
    return "".join([f'<c r="{n}{head}{f}</f><v>{v}</v></c>' for n, f, v in cells])


def text_formula_cell(row: int, column: int, formula: str, cached: str, style: int) -> str:
    """A formula whose result is text."""
    head = f'<c r="{cell_name(row, column)}" s="{style}" t="str">'
    return f"{head}<f>{escaped(formula)}</f><v>{escaped(cached)}</v></c>"


def shared_cells(row: int, column: int, group: int, cached: Sequence[str], style: int) -> str:
    """Cells side by side that repeat the shared formula ``group``, moved to their place."""
    head = f'" s="{style}"><f t="shared" si="{group}"/><v>'
    names = _names(row, column, len(cached))
    return "".join([f'<c r="{n}{head}{v}</v></c>' for n, v in zip(names, cached, strict=True)])


def shared_first_cell(
    row: int, column: int, group: int, area: str, formula: str, cached: str, style: int
) -> str:
    """The top left cell of a shared formula's area (``B2:F9``); the formula is already escaped."""
    name = cell_name(row, column)
    return (
        f'<c r="{name}" s="{style}"><f t="shared" ref="{area}" si="{group}">{formula}</f>'
        f"<v>{cached}</v></c>"
    )


def text_cell(row: int, column: int, text: str, style: int) -> str:
    """A text in the cell itself."""
    name = cell_name(row, column)
    if not text:
        return f'<c r="{name}" s="{style}"/>'
    return (
        f'<c r="{name}" s="{style}" t="inlineStr"><is><t xml:space="preserve">'
        f"{escaped(text)}</t></is></c>"
    )
