"""The Steps sheet: a network that keeps states, computed for one input after another.

A row for each: what goes in, the states that the one before has left, and what comes out. What goes
in and the first states are stored here, to be changed; all the rest is live.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from netsheet.data.succession import Succession
from netsheet.equations import Equation, FloatArray, Index, Tensor, affine, equation
from netsheet.write.excel import looks
from netsheet.write.excel.book_layout import STEP, BookLayout, TensorBlock
from netsheet.write.excel.cell_block import computed, numbers
from netsheet.write.excel.input_sheet import MOST_IN_ROW, SAMPLE_COL, SAMPLE_ROW, WorkbookInputs
from netsheet.write.excel.placement import Placement, along
from netsheet.write.excel.sheet_content import SheetContent, value_scale

GROUP_ROW, HEAD_ROW = SAMPLE_ROW - 2, SAMPLE_ROW - 1
FED, BEFORE, RESULT = "fed", "before", "result"  # what a row shows of a step
MOST_OUTPUTS = 100  # of a vector that comes out, as many as the Overview shows
ENTERED = looks.CellLook(10, colour=looks.INK, fill="FEF3C7", align="center", shrink=True)


@dataclass(frozen=True, eq=False)
class StepColumns:
    """Columns of one tensor: of every step its values, or where they stand if they are many.

    ``stored`` are rows of numbers to be changed, ``live`` those below them; ``tensors`` are what
    the rows show.
    """

    name: str
    what: str  # a key of the workbook's words
    column: int
    tensors: Sequence[Tensor]
    stored: Tensor | None = None
    live: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of what a row shows of one step."""
        listed = self.live or self.stored
        return () if listed is None else listed.shape[1:]

    @property
    def width(self) -> int:
        """Columns that they take."""
        return math.prod(self.shape)


@dataclass(eq=False)
class StepRows:
    """The columns of the sheet in order, and the equations that fetch what it shows."""

    name: str
    succession: Succession
    columns: list[StepColumns] = field(default_factory=list)
    equations: list[Equation] = field(default_factory=list)
    outputs: dict[Tensor, Tensor] = field(default_factory=dict)  # the first step's -> all steps'

    blocks: list[TensorBlock] = field(default_factory=list)  # of what is fetched
    free: int = SAMPLE_COL  # the first column that nothing takes


def planned_steps(plan: BookLayout, inputs: WorkbookInputs, succession: Succession) -> StepRows:
    """Places for what each row shows, behind the inputs and states that are stored there."""
    result = StepRows(inputs.steps, succession, free=inputs.free)
    states = {state.before.name: state.after.name for state in succession.of.states}
    for tensor in succession.of.explicit.inputs:
        count = succession.count
        every = [succession.tensor(tensor.name, number) for number in range(count)]
        if every[0] not in inputs.shown:
            continue
        what, first = FED, inputs.shown[every[0]]
        if tensor.name in states:
            what, after = BEFORE, states[tensor.name]
            last = range(max(0, count - succession.batch), count)
            every += [succession.tensor(after, number) for number in last]
        if every[0] in inputs.told:
            told = StepColumns(tensor.name, what, inputs.told[every[0]], every)
            result.columns.append(told)
            continue
        stored, _ = inputs.rows[first]
        column = plan.places[stored].col
        live = None
        if what == BEFORE:
            live = _live_rows(plan, result, tensor.name, every[stored.shape[0] :], stored.shape[0],
                              column, tensor.shape)  # fmt: skip
        result.columns.append(StepColumns(tensor.name, what, column, every, stored, live))
    for tensor in succession.of.outputs:
        every = [succession.tensor(tensor.name, n) for n in range(succession.count)]
        column, shape, live = result.free, tensor.shape, None
        if len(shape) == 1:
            shape = (min(shape[0], MOST_OUTPUTS),)  # the first ones, as on the Overview
        if len(shape) == 1 or tensor.size <= MOST_IN_ROW:
            live = _live_rows(plan, result, tensor.name, every, 0, column, shape)
            result.outputs[plan.real.first(every[0])] = live
        result.columns.append(StepColumns(tensor.name, RESULT, column, every, None, live))
        result.free += result.columns[-1].width + 1
    return result


def _live_rows(
    plan: BookLayout,
    result: StepRows,
    name: str,
    every: Sequence[Tensor],
    first: int,
    column: int,
    shape: tuple[int, ...],
) -> Tensor:
    """A tensor with a row for each of these, from row ``first`` on."""
    live = Tensor(f"steps/{name}", ("step", *every[0].axes), (len(every), *shape))
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    axes = [along(len(every), 1, 0)]
    axes += [along(size, 0, step) for size, step in zip(shape, strides, strict=True)]
    place = Placement(tuple(axes), "samples").moved(result.name, SAMPLE_ROW + first, column)
    plan.places[live] = place
    result.blocks.append(TensorBlock(live, place, STEP, GROUP_ROW))
    for number, tensor in enumerate(every):
        at = tuple(Index(f"n{axis}", size) for axis, size in enumerate(shape))
        value = plan.real.first(tensor)[at]
        result.equations.append(equation(live[(affine(number), *at)], value))
    return live


def steps_sheet(
    rows: StepRows,
    plan: BookLayout,
    inputs: WorkbookInputs,
    values: Mapping[Tensor, FloatArray],
    words: Mapping[str, str],
) -> SheetContent:
    """The whole sheet."""
    result = SheetContent(rows.name, tab="F59E0B", column_width=8.5)
    result.put(0, 0, words["steps"], looks.TITLE)
    result.heights[0] = 27
    result.put(1, 0, words["steps about"], looks.NOTE)
    _list_steps(result, rows, inputs, words)
    owners = {block.tensor: sheet.name for sheet in plan.sheets for block in sheet.blocks}
    for columns in rows.columns:
        _heads(result, columns, words)
        if columns.stored is None and columns.live is None:
            _links(result, columns, plan, owners, inputs)
            continue
        if columns.stored is not None:
            place, found = plan.places[columns.stored], values[columns.stored]
            whole = bool((found == np.round(found)).all())
            look = ENTERED if whole else replace(ENTERED, digits="0.0000")
            result.grids.append((numbers(place, found), look))
            if not whole:
                _all_digits(result, place, found)
        if columns.live is not None:
            _live(result, columns.live, rows, plan, values)
    result.frozen = (SAMPLE_ROW, SAMPLE_COL - 1)
    return result


def _list_steps(
    result: SheetContent, rows: StepRows, inputs: WorkbookInputs, words: Mapping[str, str]
) -> None:
    """Number, name and label of every step; the rows of the states that the last ones leave."""
    result.widths.update({0: 9, 1: 26, 2: 12, 3: 3})
    for column, head in enumerate((words["step head"], words["sample"], words["true label"])):
        result.put(HEAD_ROW, column, head, looks.HEAD)
    batch = rows.succession.batch
    for number, (name, label) in enumerate(zip(inputs.names, inputs.labels, strict=True)):
        if batch > 1:
            name += "   " + words["step row"].format(number // batch + 1, number % batch + 1)
        result.put(SAMPLE_ROW + number, 0, number + 1, replace(looks.PLAIN, align="center"))
        result.put(SAMPLE_ROW + number, 1, name, looks.PLAIN)
        if label is not None:
            result.put(SAMPLE_ROW + number, 2, label, looks.PLAIN)
    if any(columns.what == BEFORE for columns in rows.columns):
        result.put(SAMPLE_ROW + len(inputs.names), 1, words["left at last"], looks.NOTE)


def _heads(result: SheetContent, columns: StepColumns, words: Mapping[str, str]) -> None:
    title = f"{columns.name}   ({words[columns.what]})"
    whole = columns.tensors[0].size
    if columns.live is not None and columns.width < whole:
        title += "   " + words["first values"].format(columns.width, whole)
    result.put(GROUP_ROW, columns.column, title, looks.HEADING)
    listed = columns.stored is not None or columns.live is not None
    for number in range(columns.width):
        at = np.unravel_index(number, columns.shape) if columns.shape else ()
        label = ", ".join(str(position) for position in at)
        content: str | int = int(label) if label.isdigit() else label
        result.put(HEAD_ROW, columns.column + number, content, replace(looks.HEAD, align="center"))
    result.widths[columns.column + columns.width] = 3
    if not listed:
        result.widths[columns.column] = 30


def _links(
    result: SheetContent,
    columns: StepColumns,
    plan: BookLayout,
    owners: Mapping[Tensor, str],
    inputs: WorkbookInputs,
) -> None:
    """Where the values of each step stand, as links."""
    for number, tensor in enumerate(columns.tensors):
        shown = plan.real.first(inputs.shown.get(tensor, tensor))
        if shown not in owners:
            continue
        area = plan.places[shown].area
        text = f"{owners[shown]}!{area}"
        result.link(SAMPLE_ROW + number, columns.column, text, owners[shown], str(area))


def _live(
    result: SheetContent,
    tensor: Tensor,
    rows: StepRows,
    plan: BookLayout,
    values: Mapping[Tensor, FloatArray],
) -> None:
    place, found = plan.places[tensor], values[tensor]
    grid = computed(tensor, rows.equations, plan.places, found)
    result.grids.append((grid, looks.VALUE))
    _all_digits(result, place, found)
    if found.size > 1:
        result.scales.append(value_scale(place.area, found))


def _all_digits(result: SheetContent, place: Placement, values: FloatArray) -> None:
    largest = float(np.abs(values).max(initial=0))
    result.precise.append((place.area, looks.all_digits(largest)))
