"""LibreOffice Calc: opens a workbook without a window, recalculates it and writes a copy."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from netsheet.errors import NetsheetError
from netsheet.verify.engines.workbook import CellRange, Lookup, WorkbookEngine
from netsheet.verify.spoil import spoil
from netsheet.verify.xlsx import XlsxFile
from netsheet.write.xlsx.cells import cell_name

TIME_LIMIT = 600  # seconds
WORKBOOK = "xlsx:Calc MS Excel 2007 XML"

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


def _program() -> str | None:
    return shutil.which("soffice") or shutil.which("libreoffice")


class LibreOffice(WorkbookEngine):
    """Reads the copy that LibreOffice writes."""

    name = "libreoffice"
    install = "install LibreOffice Calc (apt install libreoffice-calc)."

    def missing(self) -> bool:
        return _program() is None

    def calculated(self, workbook: Path) -> Lookup:
        folder = workbook.with_name("out")
        convert(workbook, folder, WORKBOOK)
        book = XlsxFile(folder / workbook.name)

        def lookup(area: CellRange) -> Iterable[Any]:
            cells = book.cells(area.sheet)
            for row in range(area.row, area.row + area.rows):
                for column in range(area.column, area.column + area.columns):
                    yield cells.get(cell_name(row, column))

        return lookup


def convert(workbook: Path, folder: Path, kind: str) -> None:
    """LibreOffice, made to recalculate, writes the workbook into a folder as another kind."""
    program = _program()
    if program is None:
        raise NetsheetError(f"the engine libreoffice is not installed: {LibreOffice.install}")
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
        convert(spoiled, Path(folder) / "out", WORKBOOK)
        return time.perf_counter() - start
