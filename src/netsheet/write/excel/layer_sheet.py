"""The sheet of one layer: what it computes, its weights, and its maps in coloured cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from netsheet.equations import FloatArray, Tensor, Weight
from netsheet.write.excel import arrange, canvas
from netsheet.write.excel.canvas import Canvas, Scale
from netsheet.write.excel.describe import sentence
from netsheet.write.excel.grid import computed, numbers
from netsheet.write.excel.kernels import KERNELS
from netsheet.write.excel.place import Placement, cell_name
from netsheet.write.excel.plan import INPUT, MAX_STATED, RAW, Block, Plan, Sheet
from netsheet.write.mathematics import text

WIDE_CELLS = 12  # columns from which on cells are square, as in a picture
MAX_INDEX = 2048  # labels along one side of a block
SQUARE_WIDTH, SQUARE_HEIGHT = 4.0, 24.0  # characters and points: 33 and 32 pixels


def layer_canvas(
    sheet: Sheet,
    plan: Plan,
    values: Mapping[Tensor, FloatArray],
    words: Mapping[str, str],
    language: str,
) -> Canvas:
    """Everything on a layer's sheet, or on the sheet of the inputs."""
    result = Canvas(sheet.name)
    _shaped(result, sheet)
    node = sheet.node
    result.put(0, 0, words["input"] if node is None else node.key, canvas.TITLE)
    result.heights[0] = 27
    if node is not None:
        shapes = " → ".join(
            ", ".join(map(_shape, tensors)) for tensors in (node.inputs, node.outputs)
        )
        result.put(1, 0, f"{node.layer.type}   {shapes}", canvas.PLAIN)
    for number, eq in enumerate(sheet.stated[:MAX_STATED]):
        row = 3 + 2 * number
        result.put(row, 0, text(eq), canvas.FORMULA)
        result.put(row + 1, 0, sentence(eq, language), canvas.NOTE)
        result.heights[row] = result.heights[row + 1] = 15
    more = len(sheet.stated) - MAX_STATED
    if more > 0:
        result.put(3 + 2 * MAX_STATED, 0, words["more"].format(more), canvas.NOTE)
    _navigation(result, sheet, words)
    _add_blocks(result, sheet, plan, values, words)
    result.frozen = (3, 0)
    return result


def _shape(tensor: Tensor) -> str:
    return "×".join(str(size) for size in tensor.shape) or "1"


def _shaped(result: Canvas, sheet: Sheet) -> None:
    """Square cells where there are pictures, wider ones for a few numbers."""
    pictures = any(
        block.place.width > WIDE_CELLS or arrange.spatial(block.tensor) for block in sheet.blocks
    )
    if not pictures:
        result.widths[0] = 7
        return
    result.column_width, result.row_height = SQUARE_WIDTH, SQUARE_HEIGHT
    result.widths[0] = 6
    result.zoom = 100 if sheet.columns < 36 else 70 if sheet.columns < 90 else 55


def _navigation(result: Canvas, sheet: Sheet, words: Mapping[str, str]) -> None:
    """Links to the overview and to every block."""
    step = 5 if result.row_height else 2
    result.link(2, 0, words["back"], words["overview"])
    result.heights[1] = result.heights[2] = 16.5
    for number, block in enumerate(sheet.blocks[:12]):
        cell = cell_name(block.title, block.place.col - 1)
        result.link(2, 3 + number * step, _short(block.tensor), sheet.name, cell)


def _short(tensor: Tensor) -> str:
    if isinstance(tensor, Weight):
        return tensor.label or tensor.name
    return tensor.name.rpartition("/")[2]


def _add_blocks(
    result: Canvas,
    sheet: Sheet,
    plan: Plan,
    values: Mapping[Tensor, FloatArray],
    words: Mapping[str, str],
) -> None:
    """Headings, labels, cells and colours of all blocks of a sheet."""
    filled = {eq.target for eq in sheet.equations}
    for block in sheet.blocks:
        place, tensor = block.place, block.tensor
        _heading(result, block, words)
        _labels(result, block)
        if tensor in filled:
            grid = computed(tensor, sheet.equations, plan.places, values[tensor])
        else:
            grid = numbers(place, values[tensor])
        largest = float(np.abs(values[tensor]).max(initial=0))
        result.grids.append((grid, _look(block, result.row_height is not None, largest)))
        _colours(result, block, values[tensor])


def _look(block: Block, square: bool, largest: float) -> canvas.Look:
    """As many digits as fit into the cells."""
    if block.role == RAW:
        return canvas.PIXEL
    if not square:
        small = 0 < largest < 1e-3
        return replace(canvas.VALUE, digits="0.00E+00") if small else canvas.VALUE
    digits = "0" if largest >= 100 else "0.0" if largest >= 10 else "0.00"
    return replace(canvas.SQUARE, digits=digits)


def _colours(result: Canvas, block: Block, values: FloatArray) -> None:
    """Grey levels for raw values, two colours around white for the others."""
    if block.tensor.size < 2:
        return
    if block.role == RAW:
        result.scales.append(Scale(block.place.area, "000000", "FFFFFF", ends=(0, 255)))
        return
    weight = isinstance(block.tensor, Weight)
    low, high = canvas.WEIGHT_COLOURS if weight else canvas.VALUE_COLOURS
    white = "FFFFFF"
    if values.min() >= 0:
        scale = Scale(block.place.area, white, high, from_zero=True)
    elif values.max() <= 0:
        scale = Scale(block.place.area, low, white, to_zero=True)
    else:
        scale = Scale(block.place.area, low, high, white)
    result.scales.append(scale)


def _heading(result: Canvas, block: Block, words: Mapping[str, str]) -> None:
    role = words["scaled" if block.role == INPUT else block.role]
    tensor = block.tensor
    axes = " × ".join(
        f"{name} {size}" for name, size in zip(tensor.axes, tensor.shape, strict=True)
    )
    name = (tensor.label or tensor.name) if isinstance(tensor, Weight) else tensor.name
    shown = f"{name}   ({role}{': ' + axes if axes else ''})"
    if block.place.arrangement == arrange.INTERLEAVED and arrange.spatial(tensor):
        channel = arrange.channel_axis(tensor)
        if channel is not None:
            shown += "   " + words["channels side by side"].format(tensor.shape[channel])
    if block.place.zeros:
        shown += "   " + words["zeros"]
    result.put(block.title, block.place.col - 1, shown, canvas.HEADING)
    result.heights[block.title] = 18


def _labels(result: Canvas, block: Block) -> None:
    """Numbers along the block's sides, or above each plane."""
    place, tensor = block.place, block.tensor
    if place.arrangement in (arrange.PLANES, KERNELS):
        _plane_labels(result, place, tensor)
        return
    right = [axis for axis in place.axes if axis.cols.any()]
    down = [axis for axis in place.axes if axis.rows.any()]
    if len(right) == 1 and right[0].size <= MAX_INDEX:
        for position, step in enumerate(right[0].cols.tolist()):
            result.put(place.row - 1, place.col + step, position, canvas.INDEX)
    elif place.arrangement == arrange.INTERLEAVED and arrange.spatial(tensor):
        _column_labels(result, place, tensor)
    if len(down) == 1 and down[0].size <= MAX_INDEX:
        for position, step in enumerate(down[0].rows.tolist()):
            result.put(place.row + step, place.col - 1, position, canvas.INDEX)


def _column_labels(result: Canvas, place: Placement, tensor: Tensor) -> None:
    """Above interleaved channels: which column of the map begins here."""
    picture = arrange.spatial(tensor)
    assert picture is not None
    axis = place.axes[picture[1]]
    for position in range(min(axis.size, MAX_INDEX)):
        column = place.col + int(axis.cols[position])
        result.put(place.row - 1, column, f"x {position}", canvas.NAME)


def _plane_labels(result: Canvas, place: Placement, tensor: Tensor) -> None:
    """One label above each plane: ``channel 3``, or ``in 0 → out 2`` for kernels."""
    axes = sorted(place.planes)
    points: list[tuple[tuple[int, ...], int, int]] = [((), place.row, place.col)]
    for axis in axes:
        table = place.axes[axis]
        points = [
            ((*at, position), row + int(table.rows[position]), col + int(table.cols[position]))
            for at, row, col in points
            for position in range(table.size)
        ]
        if len(points) > MAX_INDEX:
            return
    kernel = place.arrangement == KERNELS
    for at, row, col in points:
        names = [tensor.axes[axis] for axis in axes]
        if kernel:
            shown = "→".join(str(position) for position in at)
        else:
            shown = ", ".join(f"{name} {n}" for name, n in zip(names, at, strict=True))
        if shown:
            result.put(row - 1, col, shown, canvas.NAME)
