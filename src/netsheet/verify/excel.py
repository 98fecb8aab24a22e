"""Proof of a workbook: an outside engine recalculates it, every layer is read back and compared.

Values are found through the workbook's own Map sheet, as any other program would find them.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from netsheet.data.inputs import InputValue, Sample
from netsheet.engine.run import engine
from netsheet.equations import FloatArray
from netsheet.errors import FormatError, NetsheetError
from netsheet.fidelity import LayerVerdict, Verdict, judge, worst
from netsheet.network import Network
from netsheet.verify.engines.cells import Area, recalculate
from netsheet.write.excel import to_excel
from netsheet.write.excel.cell_map import COLUMNS, MapRow, place_from, shape_from
from netsheet.write.excel.spreadsheet_functions import LARGEST
from netsheet.write.xlsx.cells import cell_name, escaped

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

Progress = Callable[[int, int], None]


def verify_excel(
    model: Network,
    samples: Sequence[Sample],
    *,
    xlsx: str | Path | None = None,
    engine: str = "ironcalc",
    until: str | None = None,
    arrangement: str = "auto",
    progress: Progress | None = None,
) -> Verdict:
    """Recalculate a workbook with an outside engine and compare every layer with the model.

    Without ``xlsx`` a workbook is written first; with it and no ``samples``, the workbook's own
    input is taken, as it stands there. Cached values are spoiled, so the engine has to
    calculate all of them. A layer that is missing fails.
    """
    if not model.bound and samples:
        model = model.bind({name: v.values.shape for name, v in samples[0].inputs.items()})
    with tempfile.TemporaryDirectory(prefix="netsheet-") as folder:
        if xlsx is None:
            book = Path(folder) / "network.xlsx"
            to_excel(model, book, samples, until=until, arrangement=arrangement)
        else:
            book = Path(xlsx)
        located = read_map(book)
        if xlsx is not None and not samples:
            values, notes = recalculated(book, located, engine)
            sample = _own_sample(model, values, book)
            if not model.bound:
                model = model.bind({t.name: values[t.name].shape for t in model.inputs})
            rows = _judged(model, sample, values, notes, until)
            return Verdict("excel", engine, "ONNX Runtime, float32", rows)
        rounds = []
        for number, sample in enumerate(samples):
            if progress is not None:
                progress(number, len(samples))
            chosen = _chosen(book, Path(folder), located, number)
            values, notes = recalculated(chosen, located, engine)
            rounds.append(_judged(model, sample, values, notes, until))
        if progress is not None:
            progress(len(samples), len(samples))
    layers = [worst(rows[0].layer, list(rows)) for rows in zip(*rounds, strict=True)]
    return Verdict("excel", engine, "ONNX Runtime, float32", layers)


def _own_sample(model: Network, values: Mapping[str, FloatArray], book: Path) -> Sample:
    """The input that flows through a workbook at present."""
    missing = [tensor.name for tensor in model.inputs if tensor.name not in values]
    if missing:
        raise FormatError(f"{book}: there is no input {missing[0]!r}; is it this model's workbook?")
    arrays = {t.name: InputValue(values[t.name].astype(np.float32)) for t in model.inputs}
    return Sample(book.name, arrays)


def recalculated(
    workbook: Path, located: Mapping[str, MapRow], engine: str
) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """Every tensor on the Map after an engine has calculated the workbook.

    Cells that are no numbers become NaN; the second result names one of them for such a tensor.
    """
    wanted = [row for row in located.values() if row.kind in ("input", "output", "step", "helper")]
    areas = [
        Area(row.sheet, row.place.row, row.place.col, row.place.height, row.place.width)
        for row in wanted
    ]
    found = recalculate(workbook, areas, engine)
    values, notes = {}, {}
    for row, array in zip(wanted, found.arrays, strict=True):
        rows, cols = row.place.grid()
        values[row.tensor] = array[rows - row.place.row, cols - row.place.col]
        bad = np.flatnonzero(np.isnan(values[row.tensor].ravel()))
        if bad.size:
            cell = cell_name(int(rows.ravel()[bad[0]]), int(cols.ravel()[bad[0]]))
            notes[row.tensor] = f"{bad.size} cells hold no number, first {row.sheet}!{cell}"
    return values, notes


def _judged(
    model: Network,
    sample: Sample,
    values: Mapping[str, FloatArray],
    notes: Mapping[str, str],
    until: str | None,
) -> list[LayerVerdict]:
    """One row for each input and each layer that the model computes."""
    nodes = model.computed(until)
    read = {tensor for node in nodes for tensor in node.inputs}
    batch = {tensor.name: sample.inputs[tensor.name].values[None] for tensor in model.inputs}
    keys = [tensor.name for node in nodes for tensor in node.outputs]
    reference = engine(model).activations(batch, keys)
    rows = [
        judge(tensor.name, values.get(tensor.name), batch[tensor.name][0])
        for tensor in model.inputs
        if tensor in read
    ]
    rows += [
        judge(key, _infinite(values.get(key)), reference[key][0], notes.get(key, ""))
        for key in keys
    ]
    return rows


def _infinite(values: FloatArray | None) -> FloatArray | None:
    """The values with infinities where a cell holds the number that stands for them."""
    if values is None:
        return None
    return np.where(np.abs(values) >= float(LARGEST), np.copysign(np.inf, values), values)


# ---------------------------------------------------------------------- the Map


def read_map(workbook: Path) -> dict[str, MapRow]:
    """The rows of a workbook's Map sheet by tensor name; FormatError if it has none."""
    for rows in _sheets(workbook):
        head = next(
            (n for n, row in enumerate(rows) if tuple(row[: len(COLUMNS)]) == COLUMNS), None
        )
        if head is not None:
            return dict(_located(rows[head + 1 :], workbook))
    raise FormatError(f"{workbook}: no sheet lists its tensors; was it written by netsheet excel?")


def _located(rows: Sequence[Sequence[str]], workbook: Path) -> Iterator[tuple[str, MapRow]]:
    for row in rows:
        cells = dict(zip(COLUMNS, row, strict=False))
        if not cells.get("tensor") or cells.get("kind") == "reference":
            continue
        axes = [axis for axis in cells["axes"].split(", ") if axis]
        try:
            shape = shape_from(cells["shape"], len(axes))
            place = place_from(cells["sheet"], cells["cells"], shape, cells["steps"])
        except (KeyError, ValueError) as error:
            raise FormatError(
                f"{workbook}: the Map's row for {cells['tensor']!r} cannot be read: {error}"
            ) from error
        yield (
            cells["tensor"],
            MapRow(cells["tensor"], cells["layer"], cells["kind"], cells["sheet"], place, shape),
        )


def _sheets(workbook: Path) -> Iterator[list[list[str]]]:
    """The texts of every sheet, last sheet first; sheets without texts cost little."""
    try:
        with zipfile.ZipFile(workbook) as archive:
            texts = _shared_texts(archive)
            for member in reversed(list(_members(archive).values())):
                yield _texts(archive.read(member), texts)
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError) as error:
        raise FormatError(f"{workbook} is no workbook that can be read: {error}") from error
    except OSError as error:
        raise NetsheetError(f"{workbook}: {error.strerror or error}") from error


def _members(archive: zipfile.ZipFile) -> dict[str, str]:
    """The part of each sheet, by the sheet's name."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {part.get("Id"): str(part.get("Target")) for part in relations}
    return {
        str(sheet.get("name")): "xl/" + targets[sheet.get(_ID)].removeprefix("/xl/")
        for sheet in book.iter(f"{_MAIN}sheet")
    }


def _shared_texts(archive: zipfile.ZipFile) -> list[str]:
    """The table of texts that Excel makes when it saves."""
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    table = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
    return ["".join(t.text or "" for t in item.iter(f"{_MAIN}t")) for item in table]


def _texts(data: bytes, shared: Sequence[str]) -> list[list[str]]:
    """Rows of texts; empty where a cell holds none, or the sheet has no row of titles."""
    if b">tensor<" not in data and "tensor" not in shared:
        return []
    rows: list[list[str]] = []
    for row in ElementTree.fromstring(data).iter(f"{_MAIN}row"):
        cells: list[str] = []
        for cell in row.iter(f"{_MAIN}c"):
            column = _column(str(cell.get("r")))
            cells += [""] * (column - len(cells)) + [_text(cell, shared)]
        rows.append(cells)
    return rows


def _column(name: str) -> int:
    number = 0
    for letter in re.sub(r"\d", "", name):
        number = number * 26 + ord(letter) - 64
    return number - 1


def _text(cell: Any, shared: Sequence[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{_MAIN}t"))
    value = cell.find(f"{_MAIN}v")
    text = "" if value is None else value.text or ""
    return shared[int(text)] if cell.get("t") == "s" else text


# ---------------------------------------------------------------------- changed cells


def _chosen(book: Path, folder: Path, located: Mapping[str, MapRow], number: int) -> Path:
    """The workbook with another sample selected."""
    row = located.get("sample")
    if row is None or row.kind != "selection":
        return book
    copy = folder / f"sample{number + 1}.xlsx"
    edit(book, copy, {(row.sheet, cell_name(row.place.row, row.place.col)): number + 1})
    return copy


def edit(workbook: Path, target: Path, changes: Mapping[tuple[str, str], float | str]) -> None:
    """A copy of a workbook with other contents in some cells, by sheet and name (``B5``).

    Raises:
        NetsheetError: there is no such sheet, or the cell is empty.
    """
    with (
        zipfile.ZipFile(workbook) as archive,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy,
    ):
        members = _members(archive)
        parts = {member: archive.read(member) for member in archive.namelist()}
        for (sheet, cell), content in changes.items():
            if sheet not in members:
                raise NetsheetError(f"{workbook}: there is no sheet {sheet!r}")
            member = members[sheet]
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
