"""The table of layers on the first sheet: sizes, deviations and verdicts, a link to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from netsheet.equations import Tensor
from netsheet.write.excel import looks
from netsheet.write.excel.book_layout import LayerSheet
from netsheet.write.excel.check_sheet import DEVIATION_COLUMN, VERDICT_COLUMN
from netsheet.write.excel.check_sheet import FIRST as CHECK_FIRST
from netsheet.write.excel.placement import CellArea
from netsheet.write.excel.sentences import function_names
from netsheet.write.excel.sheet_content import SheetContent
from netsheet.write.excel.sheet_names import quoted

TABLE_ROW = 21
# columns of the table of layers: heading, first column, columns that it takes
TABLE = (
    ("layer", 0, 1), ("type", 1, 1), ("output shape", 3, 5), ("short parameters", 8, 4),
    ("short formulas", 12, 3), ("short deviation", 15, 3), ("verdict", 18, 3),
)  # fmt: skip


def layer_table(
    result: SheetContent,
    layers: Sequence[LayerSheet],
    words: Mapping[str, str],
    deviations: Mapping[Tensor, tuple[int, float, bool]],
) -> None:
    """One row for each layer, leading to its sheet."""
    row = TABLE_ROW
    result.put(row - 1, 0, words["layers"], looks.HEADING)
    for head, column, wide in TABLE:
        result.put(row, column, words[head], replace(looks.HEAD, shrink=True))
        _spread(result, row, column, wide, looks.HEAD)
    result.put(row, 2, "", looks.HEAD)
    counted: set[object] = set()
    check = quoted(words["check"])
    for sheet in layers:
        row += 1
        node = sheet.node
        assert node is not None
        for _, column, wide in TABLE[2:]:
            _spread(result, row, column, wide, None)
        result.link(row, 0, node.key, sheet.name, look=replace(looks.LINK, shrink=True))
        functions = function_names(sheet.stated, "en")
        kind = f"{node.layer.type} ({functions})" if functions else node.layer.type
        result.put(row, 1, kind, replace(looks.PLAIN, shrink=True))
        shape = " × ".join(map(str, node.outputs[0].shape)) or "1"
        result.put(row, TABLE[2][1], shape, replace(looks.PLAIN, shrink=True))
        new = node.layer not in counted
        counted.add(node.layer)
        result.put(row, TABLE[3][1], node.layer.params if new else 0, looks.WHOLE)
        result.put(row, TABLE[4][1], sum(_filled(sheet)), looks.WHOLE)
        outputs = [tensor for node in sheet.nodes for tensor in node.outputs[:1]]
        if len(sheet.nodes) > 1:
            outputs = [tensor for node in sheet.nodes for tensor in node.outputs]
        found = [deviations[tensor] for tensor in outputs if tensor in deviations]
        if found:
            _judged(result, row, found, check, words)
    last = TABLE[6][1]
    judged = CellArea(TABLE_ROW + 1, last, max(row, TABLE_ROW + 1), last)
    result.verdicts.append((judged, words["ok"], words["differs"]))


def _judged(
    result: SheetContent,
    row: int,
    found: Sequence[tuple[int, float, bool]],
    check: str,
    words: Mapping[str, str],
) -> None:
    """The deviation and verdict of a layer on the Check sheet; the worst ones of several steps."""
    rows = [CHECK_FIRST + number for number, _, _ in found]
    deviation, verdict = (
        f"{check}!{CellArea(rows[0], column, rows[-1], column)}"
        for column in (DEVIATION_COLUMN, VERDICT_COLUMN)
    )
    if len(found) > 1:
        passed = f'COUNTIF({verdict},"{words["ok"]}")={len(found)}'
        deviation = f"MAX({deviation})"
        verdict = f'IF({passed},"{words["ok"]}","{words["differs"]}")'
    said = words["ok"] if all(good for _, _, good in found) else words["differs"]
    largest = max(deviation for _, deviation, _ in found)
    result.put(row, TABLE[5][1], largest, looks.SMALL, deviation)
    result.put(row, TABLE[6][1], said, looks.VERDICT, verdict)


def _spread(
    result: SheetContent, row: int, column: int, wide: int, look: looks.CellLook | None
) -> None:
    """One cell over several of the narrow columns that the picture needs."""
    if wide < 2:
        return
    result.merged.append(CellArea(row, column, row, column + wide - 1))
    if look is not None:
        for n in range(1, wide):
            result.put(row, column + n, "", look)


def _filled(sheet: LayerSheet) -> list[int]:
    """Formula cells of each tensor that a sheet computes."""
    return [tensor.size for tensor in {eq.target for eq in sheet.equations}]
