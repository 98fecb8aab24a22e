"""What commands print: tables for people, JSON for programs, progress on a terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from netsheet.errors import one_line, spelled

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[int, int], None]


def console(stderr: bool = False) -> Console:
    """A console as wide as the terminal; in a pipe wide enough for any table."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 120
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)


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
    from rich import box
    from rich.table import Table
    from rich.text import Text

    say(one_line(title))  # not as the table's own title, which is folded at the table's width
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, (heading, side) in enumerate(columns):
        folds = number == 0 or (number == len(columns) - 1 and side == "left")
        made.add_column(
            heading, justify="right" if side == "right" else "left",
            overflow="fold", no_wrap=not folds,
        )  # fmt: skip
    for row in rows:
        made.add_row(*(Text(one_line(cell)) for cell in row))
    console().print(made)
    if foot:
        say(foot)


def as_json(data: Any) -> None:
    """JSON on standard output; numbers that JSON does not have become null.

    Letters stand for themselves where the output is some form of Unicode, else as ``\\u5199``.
    """
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(_plain(data), ensure_ascii=not unicode, indent=2, allow_nan=False))


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_plain(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data if data is None or isinstance(data, (bool, int, float, str)) else _numbers(data)


def _numbers(array: Any) -> Any:
    """A NumPy array or scalar as lists of numbers, float32 as the shortest text that is it."""
    import numpy as np
    import orjson

    values = np.asarray(array)
    if values.dtype.kind not in "biu" and values.dtype != np.float64:
        values = values.astype(np.float32)
    flat = np.ascontiguousarray(values).reshape(-1)
    numbers = np.array(orjson.loads(orjson.dumps(flat, option=orjson.OPT_SERIALIZE_NUMPY)), object)
    return numbers.reshape(values.shape).tolist()


@contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """A progress bar on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    with Bar(
        TextColumn(what), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(), console=console(stderr=True), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)
