"""Outside engines that recalculate a workbook: IronCalc, LibreOffice, formualizer.

None of them gets a value that netsheet computed: every cached result is spoiled first.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np

from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UsageError
from netsheet.verify.spoil import spoil
from netsheet.write.xlsx.cells import cell_name

ENGINES = ("ironcalc", "libreoffice", "formualizer")
TIME_LIMIT = 600  # seconds for LibreOffice


class Area(NamedTuple):
    """Cells of a sheet; row and column count from 0."""

    sheet: str
    row: int
    column: int
    rows: int
    columns: int


class Recalculated(NamedTuple):
    """One array per area; a cell that is no number is NaN, and named in ``notes``."""

    arrays: list[FloatArray]
    notes: list[str]


Lookup = Callable[[Area], Iterable[Any]]


def recalculate(workbook: Path, areas: Sequence[Area], engine: str = "ironcalc") -> Recalculated:
    """The values of areas after an engine has calculated the whole workbook anew."""
    if engine not in ENGINES:
        raise UsageError(f"there is no engine {engine!r}; engines are {', '.join(ENGINES)}.")
    with tempfile.TemporaryDirectory(prefix="netsheet-") as folder:
        spoiled = Path(folder) / "spoiled.xlsx"
        spoil(workbook, spoiled)
        lookup = {
            "ironcalc": _ironcalc,
            "libreoffice": _libreoffice,
            "formualizer": _formualizer,
        }[engine](spoiled)
        return _collected(areas, lookup)


def _collected(areas: Sequence[Area], lookup: Lookup) -> Recalculated:
    arrays: list[FloatArray] = []
    notes: list[str] = []
    for area in areas:
        values = np.full(area.rows * area.columns, np.nan)
        for i, value in enumerate(lookup(area)):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                values[i] = value
            elif len(notes) < 20:
                place = cell_name(area.row + i // area.columns, area.column + i % area.columns)
                notes.append(f"{area.sheet}!{place} is {value!r}, not a number")
        arrays.append(values.reshape(area.rows, area.columns))
    return Recalculated(arrays, notes)


def _missing(engine: str, how: str) -> NetsheetError:
    return NetsheetError(f"the engine {engine} is not installed: {how}")


# --------------------------------------------------------------------------- IronCalc


def _ironcalc(workbook: Path) -> Lookup:
    try:
        import ironcalc
    except ImportError:
        raise _missing("ironcalc", "pip install 'netsheet[verify]'.") from None
    model = ironcalc.load_from_xlsx(str(workbook), "en", "UTC", "en")
    model.evaluate()
    names = [str(properties["name"]) for properties in model.get_worksheets_properties()]
    numbers = {name: number for number, name in enumerate(names)}

    def lookup(area: Area) -> Iterable[Any]:
        sheet, value = _sheet(numbers, area.sheet), model.get_cell_value
        for row in range(area.row + 1, area.row + area.rows + 1):
            for column in range(area.column + 1, area.column + area.columns + 1):
                yield value(sheet, row, column)

    return lookup


def _sheet(numbers: dict[str, Any], name: str) -> Any:
    if name not in numbers:
        raise NetsheetError(f"the workbook has no sheet {name!r}")
    return numbers[name]


# --------------------------------------------------------------------------- formualizer


def _formualizer(workbook: Path) -> Lookup:
    try:
        import formualizer
    except ImportError:
        raise _missing("formualizer", "pip install formualizer.") from None
    book = formualizer.load_workbook(str(workbook))
    book.evaluate_all()

    def lookup(area: Area) -> Iterable[Any]:
        for row in range(area.row + 1, area.row + area.rows + 1):
            for column in range(area.column + 1, area.column + area.columns + 1):
                yield book.get_value(area.sheet, row, column)

    return lookup


# --------------------------------------------------------------------------- LibreOffice

# Without this LibreOffice trusts the results that a file carries (Mode 0: always recalculate).
_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry"
 xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="ODFRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>
"""


def _libreoffice(workbook: Path) -> Lookup:
    converted = workbook.with_name("out") / workbook.name
    convert(workbook, converted.parent, "xlsx:Calc MS Excel 2007 XML")
    cells = _Cells(converted)

    def lookup(area: Area) -> Iterable[Any]:
        sheet = cells.sheet(area.sheet)
        for row in range(area.row, area.row + area.rows):
            for column in range(area.column, area.column + area.columns):
                yield sheet.get(cell_name(row, column))

    return lookup


def convert(workbook: Path, folder: Path, kind: str) -> None:
    """LibreOffice, made to recalculate, writes the workbook into a folder as another kind."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        raise _missing("libreoffice", "install LibreOffice Calc (apt install libreoffice-calc).")
    with tempfile.TemporaryDirectory(prefix="netsheet-profile-") as profile:
        user = Path(profile) / "user"
        user.mkdir()
        (user / "registrymodifications.xcu").write_text(_PROFILE, encoding="utf-8")
        command = [
            program, f"-env:UserInstallation={Path(profile).as_uri()}", "--headless",
            "--norestore", "--convert-to", kind, "--outdir", str(folder), str(workbook),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=TIME_LIMIT, check=False, text=True
            )
        except subprocess.TimeoutExpired:
            raise NetsheetError(
                f"LibreOffice took more than {TIME_LIMIT} s and was ended"
            ) from None
    made = folder / f"{workbook.stem}.{kind.split(':')[0]}"
    if not made.exists():
        raise NetsheetError(f"LibreOffice could not open the workbook: {done.stderr.strip()[:300]}")


def time_libreoffice(workbook: Path) -> float:
    """Seconds that LibreOffice takes to start, open, recalculate and write a workbook."""
    with tempfile.TemporaryDirectory(prefix="netsheet-") as folder:
        spoiled = Path(folder) / "spoiled.xlsx"
        spoil(workbook, spoiled)
        start = time.perf_counter()
        convert(spoiled, Path(folder) / "out", "xlsx:Calc MS Excel 2007 XML")
        return time.perf_counter() - start


_CELL = re.compile(rb'<c r="([A-Z]+\d+)"([^>]*?)(?:/>|>(.*?)</c>)', re.DOTALL)
_VALUE = re.compile(rb"<v>([^<]*)</v>")
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


class _Cells:
    """The stored values of a workbook, sheet by sheet, by cell name."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)
        book = ElementTree.fromstring(self.archive.read("xl/workbook.xml"))
        relations = ElementTree.fromstring(self.archive.read("xl/_rels/workbook.xml.rels"))
        targets = {part.get("Id"): part.get("Target") for part in relations}
        self.members = {
            str(sheet.get("name")): f"xl/{targets[sheet.get(_ID)]}"
            for sheet in book.iter(f"{_MAIN}sheet")
        }
        self.read: dict[str, dict[str, Any]] = {}

    def sheet(self, name: str) -> dict[str, Any]:
        if name not in self.read:
            data = self.archive.read(_sheet(self.members, name))
            self.read[name] = dict(_cell_values(data))
        return self.read[name]


def _cell_values(data: bytes) -> Iterable[tuple[str, Any]]:
    for name, attributes, content in _CELL.findall(data):
        found = _VALUE.search(content)
        if found is not None:
            text = found.group(1).decode()
            numeric = b't="' not in attributes or b't="n"' in attributes
            yield name.decode(), float(text) if numeric else text
