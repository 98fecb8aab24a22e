"""What commands print: tables for people, JSON for programs, progress on a terminal."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from netsheet.errors import one_line, spelled

Progress = Callable[[int, int], None]

PIPE = 120  # columns where there is no terminal
LEAST = 12  # columns that a folded one keeps
BAR = 30


def say(text: str = "") -> None:
    """A line on standard output, without markup."""
    print(spelled(text))


def note(text: str) -> None:
    """A line beside the result, on standard error."""
    if text:
        print(spelled(text), file=sys.stderr)


def table(
    title: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], foot: str = ""
) -> None:
    """A table; columns are (heading, "left" or "right").

    In a narrow terminal the first column is folded, and a last one of text.
    """
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE
    print(spelled(one_line(title)) + "\n")
    rule = "─" if "utf" in str(sys.stdout.encoding).lower() else "-"
    for line in lines(columns, [[one_line(cell) for cell in row] for row in rows], room, rule):
        print(line)
    print()
    if foot:
        say(foot)


def lines(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], room: int, rule: str = "-"
) -> Iterator[str]:
    """The heading, a rule and the rows, within ``room`` columns where folding allows it."""
    cells = [[heading for heading, _ in columns], *rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    last = len(columns) - 1
    over = sum(widths) + 2 * last + 2 - room
    for folding in dict.fromkeys([last, 0] if columns[last][1] == "left" else [0]):
        narrow = max(widths[folding] - max(over, 0), min(widths[folding], LEAST))
        over, widths[folding] = over - (widths[folding] - narrow), narrow
    for number, row in enumerate(cells):
        folded = [_folded(cell, widths[n]) for n, cell in enumerate(row)]
        for part in range(max(map(len, folded))):
            texts = [pieces[part] if part < len(pieces) else "" for pieces in folded]
            padded = [
                _padded(text, size, side)
                for text, size, (_, side) in zip(texts, widths, columns, strict=True)
            ]
            yield (" " + "  ".join(padded)).rstrip()
        if number == 0:
            yield " " + rule * (sum(widths) + 2 * last)


def width(text: str) -> int:
    """Columns on a terminal: wide East Asian characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _padded(text: str, size: int, side: str) -> str:
    gap = " " * (size - width(text))
    return gap + text if side == "right" else text + gap


def _folded(text: str, size: int) -> list[str]:
    """Pieces of at most ``size`` columns."""
    pieces = [""]
    for character in text:
        if pieces[-1] and width(pieces[-1] + character) > size:
            pieces.append("")
        pieces[-1] += character
    return pieces


def as_json(data: Any) -> None:
    """JSON on standard output; numbers that JSON does not have become null."""
    print(json.dumps(_plain(data), ensure_ascii=False, indent=2, allow_nan=False))


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_plain(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data


@contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """A progress bar on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    start = time.monotonic()
    told = -1

    def tell(done: int, total: int) -> None:
        nonlocal told
        percent = 100 * done // max(total, 1)
        if percent == told:
            return
        told = percent
        past = time.monotonic() - start
        left = f"{past * (total - done) / done:.0f} s left" if done and past > 1 else ""
        bar = "#" * (percent * BAR // 100)
        sys.stderr.write(f"\r{what} {bar:.<{BAR}} {percent:3} %  {left}\x1b[K")
        sys.stderr.flush()

    try:
        yield tell
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
