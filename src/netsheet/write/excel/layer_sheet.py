"""The sheet of one layer: what it computes, its weights, and its maps in coloured cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from netsheet.equations import FloatArray, Tensor, Weight, reads
from netsheet.equations.entry import scale_text
from netsheet.write.excel import arrangements, looks
from netsheet.write.excel.book_layout import (
    INPUT,
    MAX_STATED,
    NEW,
    RAW,
    STEP,
    TOKENS,
    BookLayout,
    LayerSheet,
    TensorBlock,
)
from netsheet.write.excel.cell_block import by_target, computed, numbers
from netsheet.write.excel.looks import CellLook
from netsheet.write.excel.placement import AxisOffsets, CellArea, Placement, cell_name
from netsheet.write.excel.real_values import is_whole
from netsheet.write.excel.sentences import function_names, sentence
from netsheet.write.excel.sheet_content import SheetContent, value_scale
from netsheet.write.excel.weight_windows import KERNELS
from netsheet.write.mathematics import text

WIDE_CELLS = 12  # columns from which on cells are square, as in a picture
MAX_LINK, MAX_LINKS = 16, 12  # characters of a link; links to blocks
MAX_INDEX = 2048  # labels along one side of a block
SINGLE = 3  # square cells of a single long number
UPRIGHT_HEIGHT = 52.0  # points of a row of ten digits that run upwards
SQUARE_WIDTH, SQUARE_HEIGHT = 4.0, 24.0  # characters and points: 33 and 32 pixels


def layer_sheet(
    sheet: LayerSheet,
    plan: BookLayout,
    values: Mapping[Tensor, FloatArray],
    words: Mapping[str, str],
    language: str,
) -> SheetContent:
    """Everything on a layer's sheet, or on the sheet of the inputs."""
    result = SheetContent(sheet.name, tab=sheet.colour)
    _shaped(result, sheet)
    node = sheet.node
    title = sheet.title or (words["input"] if node is None else node.key)
    result.put(0, 0, title, looks.TITLE)
    if sheet.about:
        result.put(1, 0, sheet.about, looks.PLAIN)
    result.heights[0] = 27
    if node is not None:
        shapes = " → ".join(
            ", ".join(map(_shape, tensors)) for tensors in (node.inputs, node.outputs)
        )
        functions = function_names(sheet.stated, language)
        kind = f"{node.layer.type} ({functions})" if functions else node.layer.type
        result.put(1, 0, f"{kind}   {shapes}", looks.PLAIN)
    for number, eq in enumerate(sheet.listed[:MAX_STATED]):
        row = 3 + 2 * number
        result.put(row, 0, text(eq), looks.FORMULA)
        result.put(row + 1, 0, sentence(eq, language), looks.NOTE)
        result.heights[row] = result.heights[row + 1] = 15
    more = len(sheet.listed) - MAX_STATED
    if more > 0:
        result.put(3 + 2 * MAX_STATED, 0, words["more"].format(more), looks.NOTE)
    _navigation(result, sheet, plan.sheets, words)
    _add_blocks(result, sheet, plan, values, words)
    result.frozen = (3, 0)
    return result


def _shape(tensor: Tensor) -> str:
    return "×".join(str(size) for size in tensor.shape) or "1"


def _shaped(result: SheetContent, sheet: LayerSheet) -> None:
    """Square cells where there are pictures, wider ones for a few numbers."""
    pictures = any(
        block.place.width > WIDE_CELLS or arrangements.spatial(block.tensor)
        for block in sheet.blocks
    )
    if not pictures:
        result.widths[0] = 7
        return
    result.column_width, result.row_height = SQUARE_WIDTH, SQUARE_HEIGHT
    result.widths[0] = 6
    result.zoom = 100 if sheet.columns < 36 else 70 if sheet.columns < 90 else 55


def _navigation(
    result: SheetContent, sheet: LayerSheet, sheets: Sequence[LayerSheet], words: Mapping[str, str]
) -> None:
    """Links to the overview, to the layers before and after, and to every block."""
    step = 5 if result.row_height else 2
    result.link(2, 0, words["back"], words["overview"])
    result.heights[1] = result.heights[2] = 16.5
    number = sheets.index(sheet)
    for place, mark, other in ((1, "◀ ", number - 1), (2, "▶ ", number + 1)):
        if 0 <= other < len(sheets):
            result.link(2, place * step, mark + _cut(sheets[other].name), sheets[other].name)
    blocks, further = list(sheet.blocks), list[TensorBlock]()
    if sheet.begins:  # of steps behind the first one, only where they begin
        further = [block for block in blocks if sheet.begins.get(block.tensor, 0) > 0]
        blocks = blocks[: blocks.index(further[0])]
    for number, block in enumerate([*blocks, *further][:MAX_LINKS], 3):
        cell = cell_name(block.title, block.place.col - 1)
        name = _cut(_short(block.tensor))
        if block in further:
            name = words["step number"].format(sheet.begins[block.tensor] + 1)
        result.link(2, number * step, name, sheet.name, cell)


def _cut(name: str) -> str:
    """A name that fits beside its neighbours."""
    return name if len(name) <= MAX_LINK else name[: MAX_LINK - 1] + "…"


def _short(tensor: Tensor) -> str:
    if isinstance(tensor, Weight):
        return tensor.label or tensor.name
    *_, before, last = ("", *tensor.name.split("/"))
    return f"{before}/{last}" if before and last in ("grad", "new") else last


def _add_blocks(
    result: SheetContent,
    sheet: LayerSheet,
    plan: BookLayout,
    values: Mapping[Tensor, FloatArray],
    words: Mapping[str, str],
) -> None:
    """Headings, labels, cells and colours of all blocks of a sheet."""
    filled = by_target(sheet.equations)
    gates = gate_names(sheet)
    for block in sheet.blocks:
        place, tensor = block.place, block.tensor
        if tensor in sheet.begins:
            step = words["step number"].format(sheet.begins[tensor] + 1)
            result.put(block.title - 1, 0, step, looks.RESULT)
            result.heights[block.title - 1] = 21
        _heading(result, block, words)
        own: Sequence[str] = ()
        if sheet.node is not None and isinstance(tensor, Weight):
            own = sheet.node.layer.gates_of(tensor.label)
        _labels(result, block, own or gates, words)
        if tensor in filled:
            grid = computed(tensor, filled[tensor], plan.places, values[tensor], plan.families)
        else:
            grid = numbers(place, values[tensor])
        largest = float(np.abs(values[tensor]).max(initial=0))
        square = result.row_height is not None
        look = _whole_look(result, block, largest) if square and plan.real.of else None
        result.grids.append((grid, look or _look(block, square, largest)))
        if block.role not in (RAW, TOKENS) and not is_whole(tensor):
            result.precise.append((place.area, looks.all_digits(largest)))
        _colours(result, block, values[tensor])


def _look(block: TensorBlock, square: bool, largest: float) -> CellLook:
    """As many digits as fit into the cells."""
    if block.role == RAW:
        return looks.PIXEL
    if block.role == TOKENS:
        return looks.TOKEN
    if is_whole(block.tensor):
        return replace(looks.SQUARE if square else looks.VALUE, digits="0")
    if not square:
        small = 0 < largest < 1e-3
        return replace(looks.VALUE, digits="0.00E+00") if small else looks.VALUE
    digits = "0" if largest >= 100 else "0.0" if largest >= 10 else "0.00"
    return replace(looks.SQUARE, digits=digits)


def _whole_look(result: SheetContent, block: TensorBlock, largest: float) -> CellLook | None:
    """For numbers that square cells are too small for, in a network of whole numbers.

    A single one gets three cells in a row; others run upwards. None for numbers that fit.
    """
    place, fraction = block.place, not is_whole(block.tensor)
    if block.role in (RAW, TOKENS) or place.height > 1 or (not fraction and largest < 1e5):
        return None
    if place.width == 1:
        area = CellArea(place.row, place.col, place.row, place.col + SINGLE - 1)
        result.merged.append(area)
        return looks.WIDE
    if fraction and not isinstance(block.tensor, Weight):
        return None
    result.heights[place.row] = UPRIGHT_HEIGHT
    return looks.UPRIGHT


def _colours(result: SheetContent, block: TensorBlock, values: FloatArray) -> None:
    """Grey levels for raw values, two colours around white for the others."""
    if block.tensor.size < 2 or block.role == TOKENS:
        return
    weight = isinstance(block.tensor, Weight) or block.role == NEW
    colours = looks.WEIGHT_COLOURS if weight else looks.VALUE_COLOURS
    known = block.tensor.quantisation
    zero = 0 if known is None else known.zero_point
    raw = block.role == RAW
    result.scales.append(value_scale(block.place.area, values, colours, raw, zero))


def _heading(result: SheetContent, block: TensorBlock, words: Mapping[str, str]) -> None:
    role = words["scaled" if block.role == INPUT else block.role]
    tensor = block.tensor
    axes = " × ".join(_axes(block, words))
    name = (tensor.label or tensor.name) if isinstance(tensor, Weight) else tensor.name
    meaning = words.get(f"weight {name.rpartition('/')[2]}", "")
    if isinstance(tensor, Weight) and meaning:
        name += f" = {meaning}"
    shown = f"{name}   ({role}{': ' + axes if axes else ''})"
    if block.place.arrangement == arrangements.INTERLEAVED and arrangements.spatial(tensor):
        channel = arrangements.channel_axis(tensor)
        if channel is not None:
            shown += "   " + words["channels side by side"].format(tensor.shape[channel])
    if tensor.quantisation is not None and not tensor.quantisation.axes:
        shown += f"   {scale_text(tensor.dtype, tensor.quantisation)}"
    if block.place.zeros:
        shown += "   " + words["zeros"]
    result.put(block.title, block.place.col - 1, shown, looks.HEADING)
    result.heights[block.title] = 18


def _axes(block: TensorBlock, words: Mapping[str, str]) -> Iterator[str]:
    """``in 3`` for each axis; where all of them run one way, an arrow says which one."""
    axes = block.place.axes
    straight = all(bool(axis.rows.any()) != bool(axis.cols.any()) for axis in axes if axis.size > 1)
    for name, size, axis in zip(block.tensor.axes, block.tensor.shape, axes, strict=True):
        if block.role == TOKENS:
            yield str(size)
            continue
        arrow = "↓ " if axis.rows.any() else "→ " if axis.cols.any() else ""
        told = straight and len(axes) == 2
        yield f"{arrow if told else ''}{words.get(f'axis {name}', name)} {size}"


def gate_names(sheet: LayerSheet) -> list[str]:
    """The gates that lie one after another along the last axis, by the steps that read them.

    Each step reads its part of a wider one: ``lstm/f[t, c] = sigmoid(lstm/pre[t, c + 5])``.
    """
    gates = 1 if sheet.node is None else sheet.node.layer.gates
    found: dict[int, str] = {}
    for eq in sheet.stated if gates > 1 else ():
        for read in reads(eq.value):
            width = read.tensor.shape[-1] if read.tensor.shape else 0
            if isinstance(read.tensor, Weight) or width % gates or not width:
                continue
            if eq.target.shape and width == gates * eq.target.shape[-1]:
                name = eq.target.name.rpartition("/")[2]
                found.setdefault(read.at[-1].const // (width // gates), name)
    return [found.get(number, str(number)) for number in range(gates)] if found else []


def _labels(
    result: SheetContent, block: TensorBlock, gates: Sequence[str], words: Mapping[str, str]
) -> None:
    """Numbers along the block's sides, or above each plane; the gate in front of each number."""
    place, tensor = block.place, block.tensor
    if place.arrangement in (arrangements.PLANES, KERNELS):
        _plane_labels(result, place, tensor, words)
        return
    gated = 0
    if gates and tensor.shape and (isinstance(tensor, Weight) or _holds_gates(block, gates)):
        gated = tensor.shape[-1] // len(gates) if tensor.shape[-1] % len(gates) == 0 else 0

    def named(axis: AxisOffsets, position: int) -> str | int:
        if gated and axis is place.axes[-1]:
            return f"{gates[position // gated]} {position % gated}"
        return position

    right = [axis for axis in place.axes if axis.cols.any()]
    down = [axis for axis in place.axes if axis.rows.any()]
    if len(right) == 1 and right[0].size <= MAX_INDEX:
        for position, step in enumerate(right[0].cols.tolist()):
            result.put(place.row - 1, place.col + step, named(right[0], position), looks.INDEX)
    elif place.arrangement == arrangements.INTERLEAVED and arrangements.spatial(tensor):
        _column_labels(result, place, tensor)
    if len(down) == 1 and down[0].size <= MAX_INDEX:
        for position, step in enumerate(down[0].rows.tolist()):
            result.put(place.row + step, place.col - 1, named(down[0], position), looks.INDEX)


def _holds_gates(block: TensorBlock, gates: Sequence[str]) -> bool:
    """True for a step that is not one of the gates itself, nor the layer's output."""
    return block.role == STEP and block.tensor.name.rpartition("/")[2] not in gates


def _column_labels(result: SheetContent, place: Placement, tensor: Tensor) -> None:
    """Above interleaved channels: which column of the map begins here."""
    picture = arrangements.spatial(tensor)
    assert picture is not None
    axis = place.axes[picture[1]]
    for position in range(min(axis.size, MAX_INDEX)):
        column = place.col + int(axis.cols[position])
        result.put(place.row - 1, column, f"x {position}", looks.NAME)


def _plane_labels(
    result: SheetContent, place: Placement, tensor: Tensor, words: Mapping[str, str]
) -> None:
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
            shown = ", ".join(
                f"{words.get(f'axis {name}', name)} {n}" for name, n in zip(names, at, strict=True)
            )
        if shown:
            result.put(row - 1, col, shown, looks.NAME)
