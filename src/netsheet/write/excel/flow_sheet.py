"""The Flow sheet: the whole network from left to right, every map small and live."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from netsheet.data.succession import Succession
from netsheet.equations import Equation, FloatArray, Index, Position, Tensor, equation
from netsheet.write.excel import arrangements, looks
from netsheet.write.excel.book_layout import BookLayout, LayerSheet
from netsheet.write.excel.cell_block import computed
from netsheet.write.excel.input_sheet import WorkbookInputs
from netsheet.write.excel.looks import CellLook
from netsheet.write.excel.placement import AxisOffsets, CellArea, Placement, along, cell_name
from netsheet.write.excel.sheet_content import SheetContent, value_scale

MOST_CELLS = 9_000  # of all small maps together
LARGEST_MAP, MOST_MAPS = 16, 16  # rows and columns of a map, maps of a layer
NAME_ROW, KIND_ROW, FROM_ROW, MAP_ROW = 3, 4, 5, 7
NARROWEST, WIDEST_NAME, PER_LETTER = 9, 20, 0.62  # columns of a layer, for its name
NUMBERED = 20  # up to so many values of a vector are shown as numbers too
SMALL = CellLook(7, colour=looks.INK, digits=";;;")
VALUE = CellLook(7, colour=looks.INK)


@dataclass(frozen=True, eq=False)
class SmallMaps:
    """A layer's maps on the Flow sheet: every ``stride``-th row and column of ``source``."""

    name: str
    source: Tensor  # of whole numbers, what they stand for
    sheet: str
    shown: Tensor
    fetched: Equation  # what fills it
    stride: int
    maps: int  # how many are shown
    kind: str
    sources: tuple[str, ...]
    raw: bool
    tokens: bool = False


@dataclass(eq=False)
class Flow:
    """The small maps in order, and the equations that fetch their values."""

    name: str
    maps: list[SmallMaps] = field(default_factory=list)
    equations: list[Equation] = field(default_factory=list)
    bands: list[int] = field(default_factory=list)  # the first row of each step's maps


def planned_flow(
    plan: BookLayout,
    name: str,
    inputs: WorkbookInputs,
    layers: Sequence[LayerSheet],
    succession: Succession | None = None,
) -> Flow:
    """Places for small maps of every input and layer; a band of them for each step."""
    result = Flow(name)
    column, times = 1, 1 if succession is None else succession.count
    bands = [list(_tensors(inputs, layers, succession, n)) for n in range(times)]
    budget = max(32, MOST_CELLS // max(1, times * len(bands[0])))
    columns, row = list[int](), MAP_ROW
    for number, chosen in enumerate(bands):
        result.bands.append(row)
        lowest = row
        for position, (tensor, sheet, kind, sources, raw) in enumerate(chosen):
            source, label = plan.real.first(tensor), tensor.name.removesuffix("/raw")
            shown, at, stride, maps = _small(source, budget, number)
            if number == 0:
                columns.append(column)
            place = _placement(shown).moved(name, row, columns[position])
            plan.places[shown] = place
            tokens = source in inputs.tokens
            own = [Index(f"n{axis}", size) for axis, size in enumerate(shown.shape)]
            fetched = equation(shown[tuple(own)], source[tuple(at(own))])
            result.equations.append(fetched)
            result.maps.append(
                SmallMaps(
                    label, source, sheet, shown, fetched, stride, maps, kind, sources, raw, tokens
                )
            )
            named = min(math.ceil(PER_LETTER * len(label)), WIDEST_NAME)  # a sheet has an end
            column += max(place.width, NARROWEST, named) + 2
            lowest = max(lowest, place.area.bottom)
        row = lowest + 3
    return result


def _tensors(
    inputs: WorkbookInputs,
    layers: Sequence[LayerSheet],
    succession: Succession | None,
    number: int,
) -> Iterator[tuple[Tensor, str, str, tuple[str, ...], bool]]:
    if succession is None:
        for tensor, source in inputs.shown.items():
            yield source, inputs.sheet.name, "", (), source is not tensor
    else:
        for tensor in succession.of.explicit.inputs:
            here = succession.tensor(tensor.name, number)
            source = inputs.shown.get(here, here)
            if succession.tensor(tensor.name, 0) in inputs.shown:
                yield source, inputs.sheet.name, "", (), source is not here
    for sheet in layers:
        node = sheet.nodes[number]
        sources = tuple(tensor.name for tensor in node.inputs)
        for tensor in node.outputs:
            if tensor.size:
                yield tensor, sheet.name, node.layer.type, sources, False


def _small(
    source: Tensor, budget: int, number: int
) -> tuple[Tensor, Callable[[Sequence[Index]], list[Position]], int, int]:
    """The tensor shown for a layer's, how to find its elements there, its stride and maps."""
    rank = len(source.shape)
    down, right = arrangements.map_axes(source)
    high = source.shape[down] if down is not None else 1
    wide = source.shape[right] if right is not None else 1
    others = [axis for axis in range(rank) if axis not in (down, right)]
    stack = next((axis for axis in others if source.axes[axis] == "channel"), None)
    if stack is None and others:
        stack = others[-1]
    longest = LARGEST_MAP if right is not None else 64
    stride = max(1, math.ceil(max(high, wide) / longest))
    high, wide = math.ceil(high / stride), math.ceil(wide / stride)
    count = 1 if stack is None else source.shape[stack]
    maps = max(1, min(count, MOST_MAPS, budget // (high * wide)))
    name = f"flow/{source.name}" if number == 0 else f"flow/{source.name} {number + 1}"
    shown = Tensor(name, ("map", "height", "width"), (maps, high, wide))

    def at(own: Sequence[Index]) -> list[Position]:
        places: list[Position] = [0] * rank
        if down is not None:
            places[down] = own[1] * stride
        if right is not None:
            places[right] = own[2] * stride
        if stack is not None:
            places[stack] = own[0] + 0
        return places

    return shown, at, stride, maps


def _placement(shown: Tensor) -> Placement:
    maps, high, wide = shown.shape
    axes: tuple[AxisOffsets, ...] = (
        along(maps, high + 1, 0), along(high, 1, 0), along(wide, 0, 1)
    )  # fmt: skip
    return Placement(axes, arrangements.PLANES, frozenset({0}))


def flow_sheet(
    flow: Flow, plan: BookLayout, values: Mapping[Tensor, FloatArray], words: Mapping[str, str]
) -> SheetContent:
    """The whole sheet."""
    result = SheetContent(flow.name, tab="0EA5E9", column_width=1.43, row_height=9.75)
    result.put(0, 0, words["flow"], looks.TITLE)
    result.put(1, 0, words["flow about"], looks.NOTE)
    result.heights.update({0: 27, 1: 15, NAME_ROW: 15, KIND_ROW: 13.5, FROM_ROW: 13.5})
    before = ""
    for number, row in enumerate(flow.bands if len(flow.bands) > 1 else ()):
        result.put(row - 1, 1, words["step number"].format(number + 1), looks.HEADING)
        result.heights[row - 1] = 15
    for maps in flow.maps:
        place = plan.places[maps.shown]
        if place.row > MAP_ROW:
            _cells(result, maps, plan, values)
            continue
        result.link(NAME_ROW, place.col, maps.name, maps.sheet)
        shape = "×".join(map(str, maps.source.shape)) or "1"
        result.put(KIND_ROW, place.col, f"{maps.kind} {shape}".strip(), looks.NOTE)
        result.put(FROM_ROW, place.col, _origin(maps, before, words), looks.NAME)
        _cells(result, maps, plan, values)
        before = maps.name
    result.frozen = (MAP_ROW - 1, 0)
    return result


def _origin(maps: SmallMaps, before: str, words: Mapping[str, str]) -> str:
    """What the layer reads, where that is not the one left of it; what is left out of its maps."""
    parts = []
    if maps.sources and maps.sources != (before,):
        parts.append("← " + ", ".join(maps.sources))
    if maps.stride > 1:
        parts.append(f"1/{maps.stride}")
    stacked = maps.source.size // max(1, _plane_size(maps.source))
    if stacked > maps.maps:
        parts.append(words["maps of"].format(maps.maps, stacked))
    return "  ".join(parts)


def _plane_size(source: Tensor) -> int:
    return math.prod(source.shape[a] for a in arrangements.map_axes(source) if a is not None)


def _cells(
    result: SheetContent,
    maps: SmallMaps,
    plan: BookLayout,
    values: Mapping[Tensor, FloatArray],
) -> None:
    place, shown = plan.places[maps.shown], rounded(values[maps.shown])
    result.grids.append((computed(maps.shown, [maps.fetched], plan.places, shown), SMALL))
    for number in range(maps.maps):
        top = place.row + int(place.axes[0].rows[number])
        height, width = maps.shown.shape[1:]
        area = CellArea(top, place.col, top + height - 1, place.col + width - 1)
        whole = CellArea(place.row, place.col, place.area.bottom, place.area.right)
        if number == 0 and not maps.tokens:
            result.scales.append(value_scale(whole, shown, raw=maps.raw))
        if width == 1 and height <= NUMBERED and maps.maps == 1:
            for row in range(area.top, area.bottom + 1):
                source = cell_name(row, place.col)
                value = float(shown[0, row - area.top, 0])
                result.put(
                    row, place.col + 1, f"{value:.0f}" if maps.tokens else f"{value:.4f}", VALUE,
                    f'TEXT({source},"{"0" if maps.tokens else "0.0000"}")',
                )  # fmt: skip


def rounded(values: FloatArray) -> FloatArray:
    """Values with the few digits that a colour needs: what is stored until a program calculates."""
    return np.array([float(f"{value:.4g}") for value in values.ravel()]).reshape(values.shape)
