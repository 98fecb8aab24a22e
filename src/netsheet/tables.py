"""Tables as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import zip_longest
from typing import Any

import numpy as np

from netsheet.errors import one_line

FOLDED = 16  # columns of a terminal that a folded column keeps at least
MOST = 32  # rows and columns of a heat map in a notebook
Columns = Sequence[tuple[str, str]]  # heading, "left" or "right"
Colour = tuple[int, int, int]
# What stays together in a line: a word of an alphabet, or one letter of a script without spaces,
# with the signs that close something behind it.
_UNITS = re.compile(
    r"(?:[\u2e80-\uffef]|[^\s\u2e80-\uffef]+)"
    r"[\u3001\u3002\u300d\u300f\u30fc\uff09\uff0c\uff0e\uff1a\uff01\uff1f]*\s*|\s+"
)


def text_table(
    columns: Columns, rows: Sequence[Sequence[str]], below: Sequence[str] = (), width: int = 80
) -> list[str]:
    """The lines of a table; ``below`` has a line to stand under each row.

    Where it is wider than ``width``, the first column is folded, and a last one of text.
    """
    from rich.cells import cell_len

    cells = [[one_line(cell) for cell in row] for row in rows]
    heads = [heading for heading, _ in columns]
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    folds = [0] + [len(columns) - 1] * (columns[-1][1] == "left")
    over = sum(widths) + 2 * len(widths) - 1 - width
    for column in reversed(folds):
        kept = max(min(widths[column], FOLDED), widths[column] - max(over, 0))
        over -= widths[column] - kept
        widths[column] = kept
    sides = [side for _, side in columns]
    lines = [_row(heads, widths, sides), " " + "─" * (sum(widths) + 2 * len(widths) - 2)]
    for number, row in enumerate(cells):
        parts = [
            folded(text, wide) if column in folds else [text]
            for column, (text, wide) in enumerate(zip(row, widths, strict=True))
        ]
        lines += [_row(texts, widths, sides) for texts in zip_longest(*parts, fillvalue="")]
        if number < len(below) and below[number]:
            under = folded(one_line(below[number]), width - 6)
            lines += [f"     {line}".rstrip() for line in under]
    return lines


def html_table(
    columns: Columns, rows: Sequence[Sequence[str]], head: str = "", foot: str = ""
) -> str:
    """The same for a notebook: ``head`` above it in bold, ``foot`` below."""
    sides = [f"text-align:{side}" for _, side in columns]
    titles = [f'<th style="{s}">{escape(h)}</th>' for (h, _), s in zip(columns, sides, strict=True)]
    lines = [
        "<tr>"
        + "".join(
            f'<td style="{side};white-space:pre-wrap">{escape(cell)}</td>'
            for cell, side in zip(row, sides, strict=True)
        )
        + "</tr>"
        for row in rows
    ]
    above = f"<b>{escape(head)}</b>" if head else ""
    under = f"<div>{escape(foot)}</div>" if foot else ""
    return f"{above}<table><tr>{''.join(titles)}</tr>{''.join(lines)}</table>{under}"


def html_heat(values: Any, below: Colour, above: Colour, most: float | None = None) -> str:
    """A two-dimensional array as coloured cells, white at zero; its first rows and columns.

    ``below`` and ``above`` are the colours of the numbers farthest from zero (``most``).
    """
    shown = np.asarray(values, float)[:MOST, :MOST]
    most = most or float(np.max(np.abs(shown), initial=0.0, where=np.isfinite(shown))) or 1.0
    rows = []
    for line in shown:
        cells = "".join(
            f'<td title="{value:.7g}" style="padding:0;width:12px;min-width:12px;height:12px;'
            f'background:{_css(value / most, below, above)}"></td>'
            for value in line
        )
        rows.append(f'<tr style="height:12px">{cells}</tr>')
    return (
        '<table style="border-collapse:collapse;display:inline-block;margin:2px 8px 2px 0">'
        f"{''.join(rows)}</table>"
    )


def _css(share: float, below: Colour, above: Colour) -> str:
    if share != share:
        return "rgb(128,128,128)"
    end, part = (below if share < 0 else above), min(abs(share), 1.0)
    return f"rgb({','.join(str(round(255 + (c - 255) * part)) for c in end)})"


def _row(texts: Sequence[str], widths: Sequence[int], sides: Sequence[str]) -> str:
    from rich.cells import cell_len

    parts = []
    for text, width, side in zip(texts, widths, sides, strict=True):
        space = " " * (width - cell_len(text))
        parts.append(space + text if side == "right" else text + space)
    return (" " + "  ".join(parts)).rstrip()


def folded(text: str, width: int) -> list[str]:
    """The text in lines of at most so many columns.

    It is parted at spaces, and beside letters of scripts that write none (Japanese): there anywhere
    but before a sign that ends something.
    """
    from rich.cells import cell_len, chop_cells

    if cell_len(text) <= width:
        return [text]
    lines = [""]
    for unit in _UNITS.findall(text):
        if cell_len(lines[-1] + unit.rstrip()) <= width:
            lines[-1] += unit
        elif lines[-1]:
            lines += chop_cells(unit, width)
        else:
            lines[-1:] = chop_cells(unit, width)
    return [line.strip() for line in lines if line.strip()]
