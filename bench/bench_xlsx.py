"""Writing formulas: netsheet's streaming writer against XlsxWriter, in one run.

    python bench/bench_xlsx.py [--thousands 200] [--rounds 3]

The same formulas with cached values and one cell format, in 200 columns: each one different text
(as in the sheet of a convolution), as a user of either library would write them. Each writer runs
in a process of its own; the best time is compared, memory is the peak of the process. Then a
million formulas by netsheet alone, and what shared formulas save.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

COLUMNS = 200
FORMAT = "0.000"


def formula(row: int, column: int, name: Callable[[int, int], str]) -> str:
    """A window of the input times a kernel, plus a bias."""
    window = f"{name(row, column)}:{name(row + 2, column + 2)}"
    return f"SUMPRODUCT(Input!{window},$B$5:$D$7)+$B$10"


def cached(rows: int) -> Iterator[list[float]]:
    """The values of each row."""
    rng = np.random.default_rng(0)
    for _ in range(rows):
        yield rng.normal(size=COLUMNS).tolist()


def texts(values: Sequence[float]) -> list[str]:
    """Values with the 15 digits that a cell shows."""
    return [f"{value:.15g}" for value in values]


def by_netsheet(target: Path, count: int, shared: bool = False) -> None:
    """Rows of text; with ``shared`` one formula for each block of 200 x 200 cells."""
    from netsheet.write.xlsx import Book, Style, cell_name, formula_cells, shared_cells
    from netsheet.write.xlsx.cells import shared_first_cell

    book = Book(target)
    style = book.style(Style(number_format=FORMAT))
    with book.sheet("Input") as sheet:
        sheet.row(0, "")
    rows = -(-count // COLUMNS)
    with book.sheet("layer") as sheet:
        for row, numbers in enumerate(cached(rows)):
            values = texts(numbers)
            if not shared:
                formulas = [formula(row, column, cell_name) for column in range(COLUMNS)]
                sheet.row(row, formula_cells(row, 0, formulas, values, style))
                continue
            group, first = divmod(row, 200)
            if first == 0:
                last = cell_name(min(row + 199, rows - 1), COLUMNS - 1)
                text = formula(row, 0, cell_name).replace("Input!", "")
                area = f"{cell_name(row, 0)}:{last}"
                cells = shared_first_cell(row, 0, group, area, text, values[0], style)
                cells += shared_cells(row, 1, group, values[1:], style)
            else:
                cells = shared_cells(row, 0, group, values, style)
            sheet.row(row, cells)
    book.close()


def by_xlsxwriter(target: Path, count: int, constant_memory: bool = False) -> None:
    """``write_formula`` for every cell, with its value and the format."""
    import xlsxwriter
    from xlsxwriter.utility import xl_rowcol_to_cell

    book = xlsxwriter.Workbook(str(target), {"constant_memory": constant_memory})
    style = book.add_format({"num_format": FORMAT})
    book.add_worksheet("Input")
    sheet = book.add_worksheet("layer")
    for row, values in enumerate(cached(-(-count // COLUMNS))):
        for column in range(COLUMNS):
            text = "=" + formula(row, column, xl_rowcol_to_cell)
            sheet.write_formula(row, column, text, style, values[column])
    book.close()


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "netsheet": by_netsheet,
    "netsheet, shared formulas": lambda target, count: by_netsheet(target, count, True),
    "XlsxWriter": by_xlsxwriter,
    "XlsxWriter, constant_memory": lambda target, count: by_xlsxwriter(target, count, True),
}


def once(writer: str, count: int) -> dict[str, float]:
    """Seconds, peak memory and size of one file; the imports do not count."""
    import xlsxwriter.utility  # noqa: F401

    import netsheet.write.xlsx  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "book.xlsx"
        start, used = time.perf_counter(), time.process_time()
        WRITERS[writer](target, count)
        seconds, processor = time.perf_counter() - start, time.process_time() - used
        size = target.stat().st_size
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        with zipfile.ZipFile(target) as archive:
            text = archive.read("xl/worksheets/sheet2.xml")
    if text.count(b"<v>") != count:
        raise SystemExit(f"{writer} wrote {text.count(b'<v>')} values, not {count}")
    return {"seconds": seconds, "processor": processor, "memory": peak, "size": size}


def measured(writer: str, count: int, rounds: int) -> dict[str, float]:
    """The best of several processes."""
    results = []
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, __file__, "--one", writer, "--count", str(count)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        results.append(json.loads(done.stdout))
    return {key: min(result[key] for result in results) for key in results[0]}


def shown(name: str, result: dict[str, float], base: dict[str, float] | None = None) -> None:
    """One line; ratios are those to XlsxWriter."""
    text = (
        f"  {name:29} {result['seconds']:6.2f} s (processor {result['processor']:.2f}), "
        f"{result['size'] / 1e6:5.2f} MB, peak {result['memory']:4.0f} MB"
    )
    if base is not None:
        text += (
            f"; time {result['seconds'] / base['seconds']:.3f} (processor "
            f"{result['processor'] / base['processor']:.3f}), size "
            f"{result['size'] / base['size']:.2f}"
        )
    print(text)


def main() -> None:
    """Everything, in one run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--thousands", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=WRITERS)
    parser.add_argument("--count", type=int, default=0)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(once(options.one, options.count)))
        return
    count = options.thousands * 1000
    print(f"{count:,} formulas with cached values and a format; ratios to XlsxWriter:")
    results = {name: measured(name, count, options.rounds) for name in WRITERS}
    for name, result in results.items():
        shown(name, result, None if name == "XlsxWriter" else results["XlsxWriter"])
    print("1,000,000 formulas (at most 6 s and 200 MB):")
    shown("netsheet", measured("netsheet", 1_000_000, 1))


if __name__ == "__main__":
    main()
