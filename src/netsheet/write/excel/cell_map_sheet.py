"""The Map sheet: one row for each tensor, for programs that look for a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from netsheet.write.excel import looks
from netsheet.write.excel.book_layout import INPUT, TOKENS, LayerSheet, TensorBlock
from netsheet.write.excel.cell_map import COLUMNS, shape_text, steps_text
from netsheet.write.excel.sheet_content import SheetContent

FIRST = 4


def cell_map_sheet(
    sheets: Iterable[LayerSheet], extra: Sequence[tuple[str, TensorBlock]], words: Mapping[str, str]
) -> SheetContent:
    """Rows in the columns of :data:`~netsheet.write.excel.cell_map.COLUMNS`."""
    result = SheetContent(words["map"])
    result.widths.update({0: 30, 1: 24, 2: 11, 3: 24, 4: 16, 5: 15, 6: 28, 7: 18, 8: 60})
    result.put(0, 0, words["map"], looks.TITLE)
    result.heights[0] = 27
    result.put(1, 0, words["map about"], looks.NOTE)
    for column, name in enumerate(COLUMNS):
        result.put(FIRST - 1, column, name, looks.HEAD)
        if meaning := words.get(f"map {name}", ""):
            result.put(FIRST - 2, column, meaning, looks.HEADING)
    blocks = [
        (sheet.node.key if sheet.node else "", block) for sheet in sheets for block in sheet.blocks
    ]
    for row, (layer, block) in enumerate([*blocks, *extra], FIRST):
        tensor, place = block.tensor, block.place
        owner = layer or tensor.name.partition("/")[0]
        texts = (
            tensor.name,
            owner,
            INPUT if block.role == TOKENS else block.role,
            place.sheet,
            str(place.area),
            place.arrangement,
            ", ".join(tensor.axes),
            shape_text(tensor.shape),
            steps_text(place, tensor.axes),
        )
        for column, text in enumerate(texts):
            result.put(row, column, text, looks.PLAIN)
    result.frozen = (FIRST, 1)
    return result
