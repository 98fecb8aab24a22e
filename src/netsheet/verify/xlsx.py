"""Reading a workbook as any other program would: sheets, cells, and copies with changed cells."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from netsheet.errors import FormatError, NetsheetError
from netsheet.write.xlsx.cells import escaped

Cell = float | str

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


class XlsxFile:
    """The stored contents of a workbook: what its formulas had come to, and its texts.

    Raises:
        FormatError: the file is no workbook.
        NetsheetError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[str, dict[str, Cell]] = {}
        try:
            self._archive = zipfile.ZipFile(path)
            self.members = members(self._archive)
            self._texts = _shared_texts(self._archive)
        except (zipfile.BadZipFile, KeyError, ElementTree.ParseError) as error:
            raise FormatError(f"{path} is no workbook that can be read: {error}") from error
        except OSError as error:
            raise NetsheetError(f"{path}: {error.strerror or error}") from error

    def cells(self, sheet: str) -> dict[str, Cell]:
        """The numbers and texts of a sheet by cell name (``B5``); NetsheetError without it."""
        if sheet not in self.members:
            raise NetsheetError(f"the workbook has no sheet {sheet!r}")
        if sheet not in self._read:
            try:
                data = self._archive.read(self.members[sheet])
                self._read[sheet] = dict(_contents(data, self._texts))
            except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, ValueError) as error:
                text = f"{self.path} is no workbook that can be read: {error}"
                raise FormatError(text) from error
        return self._read[sheet]

    def rows(self, sheet: str) -> list[list[str]]:
        """The contents of a sheet as texts, row by row; empty where a cell holds nothing."""
        found: dict[int, dict[int, str]] = {}
        for name, content in self.cells(sheet).items():
            row, column = position(name)
            found.setdefault(row, {})[column] = _text(content)
        return [
            [row.get(column, "") for column in range(max(row) + 1)]
            for _, row in sorted(found.items())
        ]

    def mentions(self, sheet: str, text: str) -> bool:
        """True if a cell of the sheet may hold this text; costs little."""
        return text in self._texts or f">{text}<".encode() in self._archive.read(
            self.members[sheet]
        )


def members(archive: zipfile.ZipFile) -> dict[str, str]:
    """The part of each sheet, by the sheet's name."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {part.get("Id"): str(part.get("Target")) for part in relations}
    return {
        str(sheet.get("name")): "xl/" + targets[sheet.get(_ID)].removeprefix("/xl/")
        for sheet in book.iter(f"{_MAIN}sheet")
    }


def position(name: str) -> tuple[int, int]:
    """Row and column, from 0, of a cell's name."""
    letters = name.rstrip("0123456789")
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return int(name[len(letters) :]) - 1, number - 1


def _text(content: Cell) -> str:
    if isinstance(content, str):
        return content
    return str(int(content)) if content == int(content) else str(content)


def _shared_texts(archive: zipfile.ZipFile) -> list[str]:
    """The table of texts that Excel makes when it saves."""
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    table = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
    return ["".join(t.text or "" for t in item.iter(f"{_MAIN}t")) for item in table]


def _contents(data: bytes, shared: list[str]) -> Iterator[tuple[str, Cell]]:
    for cell in ElementTree.fromstring(data).iter(f"{_MAIN}c"):
        content = _content(cell, shared)
        if content is not None:
            yield str(cell.get("r")), content


def _content(cell: Any, shared: list[str]) -> Cell | None:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{_MAIN}t"))
    value = cell.find(f"{_MAIN}v")
    if value is None or value.text is None:
        return None
    if kind == "s":
        return shared[int(value.text)]
    return float(value.text) if kind == "n" else str(value.text)


def edit(workbook: Path, target: Path, changes: Mapping[tuple[str, str], float | str]) -> None:
    """A copy of a workbook with other contents in some cells, by sheet and name (``B5``).

    Raises:
        NetsheetError: there is no such sheet, or the cell is empty.
    """
    with (
        zipfile.ZipFile(workbook) as archive,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy,
    ):
        sheets = members(archive)
        parts = {member: archive.read(member) for member in archive.namelist()}
        for (sheet, cell), content in changes.items():
            if sheet not in sheets:
                raise NetsheetError(f"{workbook}: there is no sheet {sheet!r}")
            member = sheets[sheet]
            parts[member] = _replaced(parts[member], cell, content)
        for member, data in parts.items():
            copy.writestr(member, data)


def _replaced(data: bytes, cell: str, content: float | str) -> bytes:
    pattern = re.compile(rb'<c r="%s"([^>]*?)(?:/>|>.*?</c>)' % cell.encode(), re.DOTALL)

    def new(match: re.Match[bytes]) -> bytes:
        style = re.search(rb' s="\d+"', match[1])
        head = b'<c r="%s"%s' % (cell.encode(), style[0] if style else b"")
        if isinstance(content, str):
            text = escaped(content).encode()
            return head + b' t="inlineStr"><is><t>' + text + b"</t></is></c>"
        return head + b"><v>" + repr(content).encode() + b"</v></c>"

    result, count = pattern.subn(new, data, count=1)
    if not count:
        raise NetsheetError(f"the cell {cell} is empty: nothing to change")
    return result
