"""The words that token numbers stand for: a sheet of them, and each token's word beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netsheet.equations import FloatArray, Tensor
from netsheet.write.excel import looks
from netsheet.write.excel.input_sheet import WorkbookInputs
from netsheet.write.excel.placement import Placement, cell_name
from netsheet.write.excel.sheet_content import SheetContent

FIRST_ROW, NUMBER, WORD = 3, 0, 1


def vocabulary_sheet(vocabulary: Sequence[str], words: Mapping[str, str]) -> SheetContent:
    """Numbers and words, one a row."""
    result = SheetContent(words["vocabulary"], tab="F59E0B")
    result.put(0, 0, words["vocabulary"], looks.TITLE)
    result.heights[0] = 27
    result.widths.update({NUMBER: 10, WORD: 28})
    result.put(FIRST_ROW - 1, NUMBER, words["number"], looks.HEAD)
    result.put(FIRST_ROW - 1, WORD, words["word"], looks.HEAD)
    for number, word in enumerate(vocabulary):
        result.put(FIRST_ROW + number, NUMBER, number, looks.PLAIN)
        result.put(FIRST_ROW + number, WORD, word, looks.PLAIN)
    result.frozen = (FIRST_ROW, 0)
    return result


def put_words(
    content: SheetContent,
    inputs: WorkbookInputs,
    named: Sequence[str],
    places: Mapping[Tensor, Placement],
    values: Mapping[Tensor, FloatArray],
    vocabulary: Sequence[str],
    words: Mapping[str, str],
) -> None:
    """Beside each token of the inputs ``named`` its word, live.

    Only tokens one below the other have room for their words.
    """
    last = FIRST_ROW + len(vocabulary) - 1
    sheet = SheetContent(words["vocabulary"])
    top, bottom = sheet.reference(FIRST_ROW, WORD), cell_name(last, WORD, True)
    for tensor in inputs.tokens:
        place = places[tensor]
        if tensor.name not in named or place.width > 1:
            continue
        column = place.col + 1
        content.widths[column] = 18.0
        rows, _ = place.grid()
        for row, token in zip(rows.reshape(-1), values[tensor].reshape(-1), strict=True):
            number = int(token) if np.isfinite(token) else -1
            word = vocabulary[number] if 0 <= number < len(vocabulary) else ""
            cell = cell_name(int(row), place.col)
            content.put(
                int(row), column, word, looks.PLAIN,
                f'IFERROR(INDEX({top}:{bottom},{cell}+1)&"","")',
            )  # fmt: skip
