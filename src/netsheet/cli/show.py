"""What commands print: tables for people, JSON for programs, progress on a terminal."""

from __future__ import annotations

import json
import math
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsheet.cli.language import translated, word
from netsheet.errors import InputWarning, UsageError, one_line, spelled
from netsheet.tables import Columns, text_table

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
    """A line on standard output, without markup, in the language of this run."""
    print(spelled(translated(text)))


quiet = False  # --quiet: no notes and no progress; warnings are said all the same


def note(text: str) -> None:
    """A line beside the result, on standard error."""
    if text and (not quiet or text.startswith("warning: ")):
        print(spelled(translated(text)), file=sys.stderr)


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Whatever warns of an input, once, as one line beside the result."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        usual: Callable[..., None] = warnings.showwarning
        said: set[str] = set()

        def shown(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if not issubclass(category, InputWarning):
                usual(message, category, *where)
            elif str(message) not in said:  # an input may be read twice, once for its size
                said.add(str(message))
                note(f"warning: {one_line(str(message))}")

        vars(warnings)["showwarning"] = shown
        yield


def table(title: str, columns: Columns, rows: Sequence[Sequence[str]], foot: str = "") -> None:
    """A table with a title, as :func:`~netsheet.tables.text_table` draws it."""
    say(one_line(title))
    say()
    table_lines(columns, rows)
    say()
    if foot:
        say(foot)


def table_lines(columns: Columns, rows: Sequence[Sequence[str]], below: Sequence[str] = ()) -> None:
    """The lines of a table, its headings and what its cells say in the language of this run."""
    heads = [(word(heading), side) for heading, side in columns]
    cells = [[translated(cell) for cell in row] for row in rows]
    under = [translated(line) for line in below]
    for line in text_table(heads, cells, under, console_width()):
        print(spelled(line))


def console_width() -> int:
    """The terminal's columns; in a pipe enough for any table."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 120


@contextmanager
def written_to(output: Path, suffix: str, as_json: bool = False) -> Iterator[Path]:
    """The file to write; for ``-`` one of its own, whose bytes then go to standard output.

    Raises:
        UsageError: JSON is to go there as well, or several files were written.
    """
    if str(output) != "-":
        yield output
        return
    if as_json:
        raise UsageError("-o - and --json both write to standard output; choose one.")
    with tempfile.TemporaryDirectory(prefix="netsheet-") as folder:
        path = Path(folder) / f"output{suffix}"
        yield path
        if not path.is_file():
            raise UsageError("several files cannot go to standard output; name one with -o.")
        sys.stdout.flush()
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


def wrote(output: Path, text: str) -> None:
    """Notes what was written, unless it went to standard output."""
    if str(output) != "-":
        note(f"wrote {text}")


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


Told = Callable[[int, int, str], None]  # how many are done, of how many, and what is reached


@contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """A progress bar on a terminal; nothing in a pipe, in a notebook or with --quiet."""
    with progress_with_text(what) as bar:
        yield None if bar is None else lambda done, total: bar(done, total, "")


@contextmanager
def progress_with_text(what: str) -> Iterator[Told | None]:
    """The same with a text behind the bar."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    with Bar(
        TextColumn(word(what)), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[text]}"), TimeRemainingColumn(), console=console(stderr=True),
        transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task(what, text="")

        def told(done: int, total: int, text: str) -> None:
            bar.update(task, completed=done, total=total, text=text)

        yield told
