"""The first sheet: what the network is, what flows in, and what comes out."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from netsheet.equations import (
    FLOAT,
    Equation,
    FloatArray,
    Gather,
    Index,
    Tensor,
    affine,
    equation,
    reduce,
)
from netsheet.network import Network
from netsheet.write.excel import arrangements, looks
from netsheet.write.excel.book_layout import BookLayout, LayerSheet
from netsheet.write.excel.cell_block import computed
from netsheet.write.excel.input_sheet import SAMPLE_ROW, WorkbookInputs
from netsheet.write.excel.layer_table import layer_table
from netsheet.write.excel.placement import CellArea, Placement, along, cell_name
from netsheet.write.excel.sheet_content import BarsOver, ColourScale, SheetContent, value_scale
from netsheet.write.excel.sheet_names import quoted
from netsheet.write.excel.steps_sheet import StepRows

CHOICE_ROW, VALUE_COL = 8, 1  # the drop-down; the number of the sample stands above it
TRUE_LABEL = (CHOICE_ROW + 1, VALUE_COL)
PICTURE_ROW, PICTURE_COL, NARROW = 4, 3, 18  # square columns under the picture, for both
CLASS_COL = PICTURE_COL + NARROW + 1
CHART_COL, CHART_COLUMNS, CHART_ROWS = CLASS_COL + 5, 4, 15
SQUARE = 2.71  # characters: 20 pixels, as the rows have
DIGITS_ROW = 12
NUMBERS_ROW = 15
MAX_PICTURE, MAX_CLASSES = 16, 100


def chosen_place(name: str) -> Placement:
    """The cell with the number of the selected sample."""
    return Placement((), arrangements.CELL, sheet=name, row=CHOICE_ROW - 1, col=VALUE_COL)


@dataclass(eq=False)
class OverviewTensors:
    """The tensors that the overview shows, with the equations that fetch them."""

    name: str
    picture: Tensor | None = None
    stride: int = 1
    source: Tensor | None = None
    scores: Tensor | None = None
    output: Tensor | None = None
    equations: list[Equation] = field(default_factory=list)


def planned(
    plan: BookLayout,
    name: str,
    inputs: WorkbookInputs,
    outputs: Sequence[Tensor],
    steps: StepRows | None = None,
    states: Collection[str] = (),
) -> OverviewTensors:
    """Places for the picture of the input and for the list of output values.

    Inputs that are ``states``, by name, are not shown. With several ``steps`` both are those of
    the step that is chosen.
    """
    result = OverviewTensors(name)
    for tensor, source in inputs.shown.items():
        if tensor.name not in states and _picture(plan, result, source, inputs):
            break
    output = next((t for t in outputs if len(t.shape) == 1), None)
    if output is not None:
        result.output = output
        size = min(output.shape[0], MAX_CLASSES)
        result.scores = Tensor("overview/output", ("class",), (size,))
        plan.places[result.scores] = Placement(
            (along(size, 1, 0),), arrangements.COLUMN, sheet=name, row=4, col=CLASS_COL + 1
        )
        k = Index("k", size)
        value = output[k]
        if steps is not None and inputs.step is not None and output in steps.outputs:
            step = affine(Gather(inputs.step[()], len(inputs.names))) - 1
            value = steps.outputs[output][(step, k)]
        result.equations.append(equation(result.scores[k], value))
    return result


def _picture(
    plan: BookLayout, result: OverviewTensors, source: Tensor, inputs: WorkbookInputs
) -> bool:
    """Every n-th row and column of the input, its channels averaged."""
    rank = len(source.shape)
    if rank == 0 or rank > 3:
        return False
    if rank == 3:
        down, right = arrangements.spatial(source) or (0, 1)
    else:
        down, right = (0, 1) if rank == 2 else (-1, 0)
    high = source.shape[down] if rank > 1 else 1
    wide = source.shape[right]
    stride = max(1, math.ceil(max(high, wide) / MAX_PICTURE))
    y, x = Index("y", math.ceil(high / stride)), Index("x", math.ceil(wide / stride))
    at = [y * stride if axis == down else x * stride for axis in range(rank)]
    rest = [axis for axis in range(rank) if axis not in (down, right)]
    over = [Index("c", source.shape[axis]) for axis in rest]
    for axis, index in zip(rest, over, strict=True):
        at[axis] = index + 0
    read = source[tuple(at)]
    if inputs.step is not None and source in inputs.rows:
        step = affine(Gather(inputs.step[()], len(inputs.names))) - 1
        read = inputs.rows[source][0][(step, *at)]
    value = reduce("mean", over, read)
    result.picture = Tensor("overview/picture", ("height", "width"), (y.size, x.size))
    result.stride, result.source = stride, source
    plan.places[result.picture] = arrangements.matrix(result.picture).moved(
        result.name, PICTURE_ROW, PICTURE_COL
    )
    result.equations.append(equation(result.picture[y, x], value))
    return True


def overview_sheet(
    overview: OverviewTensors,
    model: Network,
    plan: BookLayout,
    layers: Sequence[LayerSheet],
    inputs: WorkbookInputs,
    values: Mapping[Tensor, FloatArray],
    class_names: Sequence[str] | None,
    words: Mapping[str, str],
    formulas: int,
    deviations: Mapping[Tensor, tuple[int, float, bool]],
) -> SheetContent:
    """The whole sheet."""
    result = SheetContent(overview.name, tab="1D4ED8", row_height=15.0)
    result.widths.update({0: 17, 1: 21, 2: 1.5, CLASS_COL - 1: 1.5, CHART_COL - 1: 1.5})
    result.widths.update({PICTURE_COL + n: SQUARE for n in range(NARROW)})
    result.widths.update({CLASS_COL: 9, CLASS_COL + 1: 10, CLASS_COL + 2: 7, CLASS_COL + 3: 10})
    result.put(0, 0, model.name, looks.TITLE)
    result.heights[0] = 27
    result.put(1, 0, words["about"], looks.NOTE)
    result.put(2, 0, f"{model.path.name}   SHA-256 {model.sha256}", looks.NOTE)
    facts: list[tuple[str, str | int]] = [
        ("format", model.format),
        ("parameters", model.params),
        ("formulas", formulas),
    ]
    for row, (label, content) in enumerate(facts, 4):
        result.put(row, 0, words[label], looks.HEADING)
        look = looks.WHOLE if isinstance(content, int) else replace(looks.PLAIN, shrink=True)
        result.put(row, VALUE_COL, content, _left(look))
    _numbers(result, model, words)
    _sample(result, inputs, words)
    _digits(result, words)
    tokens = overview.source is not None and overview.source in inputs.tokens
    _show_picture(result, overview, plan, values, words, tokens)
    known = model.classes is not None or class_names is not None
    _show_scores(result, overview, plan, values, class_names, words, known, inputs)
    layer_table(result, layers, words, deviations)
    return result


def _left(look: looks.CellLook) -> looks.CellLook:
    return replace(look, align="left")


def _sample(result: SheetContent, inputs: WorkbookInputs, words: Mapping[str, str]) -> None:
    """The drop-down, or the one sample's name; the true label."""
    row = CHOICE_ROW
    heading = words["sample"] if inputs.step is None else words["step shown"]
    result.put(row, 0, heading, looks.HEADING)
    if inputs.choice is None and inputs.step is None:
        result.put(row, VALUE_COL, inputs.names[0], looks.PLAIN)
        if inputs.labels[0] is not None:
            result.put(row + 1, 0, words["true label"], looks.HEADING)
            result.put(row + 1, VALUE_COL, inputs.labels[0], _left(looks.RESULT))
        return
    if inputs.steps:
        result.link(row - 1, 0, words["steps"], inputs.steps)
    sheet = quoted(inputs.steps or inputs.samples)
    first, last = SAMPLE_ROW, SAMPLE_ROW + len(inputs.names) - 1
    column = 1 if inputs.step is None else 0  # steps are chosen by their numbers
    names, labels = CellArea(first, column, last, column), CellArea(first, 2, last, 2)
    shown: str | int = inputs.names[0] if inputs.step is None else 1
    result.put(row, VALUE_COL, shown, _left(looks.CHOICE))
    result.choices.append((CellArea(row, VALUE_COL, row, VALUE_COL), f"{sheet}!{names.absolute()}"))
    chosen = cell_name(row, VALUE_COL, True)
    number = cell_name(row - 1, VALUE_COL, True)
    look = looks.CellLook(9, colour=looks.GREY, digits=f'"▼ {words["choose"]} ("0")"', align="left")
    result.put(row - 1, VALUE_COL, 1, look, f"MATCH({chosen},{sheet}!{names.absolute()},0)")
    if any(label is not None for label in inputs.labels):
        content: str | int = "" if inputs.labels[0] is None else inputs.labels[0]
        result.put(row + 1, 0, words["true label"], looks.HEADING)
        result.put(
            row + 1,
            VALUE_COL,
            content,
            _left(looks.RESULT),
            f"INDEX({sheet}!{labels.absolute()},{number})",
        )


def _digits(result: SheetContent, words: Mapping[str, str]) -> None:
    """The switch between few digits and all: every sheet's formats follow this cell."""
    result.put(DIGITS_ROW, 0, words["digits"], looks.HEADING)
    cell = CellArea(DIGITS_ROW, VALUE_COL, DIGITS_ROW, VALUE_COL)
    result.put(DIGITS_ROW, VALUE_COL, 4, replace(looks.CHOICE, align="left"))
    result.put(DIGITS_ROW + 1, VALUE_COL, words["digits about"], looks.NOTE)
    result.choices.append((cell, '"4,8"'))
    result.names.append((looks.DIGITS, cell))


def _numbers(result: SheetContent, model: Network, words: Mapping[str, str]) -> None:
    """What kind of numbers a network of whole ones computes with."""
    kinds = dict.fromkeys(tensor.dtype for tensor in model.tensors().values())
    whole = [kind for kind in kinds if kind != FLOAT]
    if not whole:
        return
    result.put(NUMBERS_ROW, 0, words["whole numbers"], looks.HEADING)
    result.put(NUMBERS_ROW, VALUE_COL, ", ".join(kinds), _left(looks.RESULT))
    result.put(NUMBERS_ROW + 1, VALUE_COL, words["whole about"], looks.NOTE)


def _show_picture(
    result: SheetContent,
    overview: OverviewTensors,
    plan: BookLayout,
    values: Mapping[Tensor, FloatArray],
    words: Mapping[str, str],
    tokens: bool,
) -> None:
    if overview.picture is None or overview.source is None:
        return
    place = plan.places[overview.picture]
    title = words["input"]
    if len(overview.source.shape) == 3 and min(overview.source.shape) > 1:
        title += " " + words["mean of channels"]
    if overview.stride > 1:
        title += " " + words["every nth"].format(overview.stride)
    result.put(PICTURE_ROW - 1, PICTURE_COL, title, looks.HEADING)
    picture = values[overview.picture]
    grid = computed(overview.picture, overview.equations, plan.places, picture)
    if tokens:
        result.grids.append((grid, looks.TOKEN))
        return
    result.grids.append((grid, looks.CellLook(8, colour="808080", digits=";;;")))
    raw = overview.source.name.endswith("/raw")
    result.scales.append(
        ColourScale(place.area, "000000", "FFFFFF", ends=(0, 255) if raw else None)
    )


def _show_scores(
    result: SheetContent,
    overview: OverviewTensors,
    plan: BookLayout,
    values: Mapping[Tensor, FloatArray],
    class_names: Sequence[str] | None,
    words: Mapping[str, str],
    classes: bool,
    inputs: WorkbookInputs,
) -> None:
    """The table of output values and a bar chart; where they are classes, the winning one."""
    if overview.scores is None or overview.output is None:
        return
    scores = values[overview.scores]
    size = len(scores)
    place = plan.places[overview.scores]
    whole = values[overview.output]
    probable = classes and bool(whole.min() >= 0 and whole.max() <= 1)
    heading = words["probability"] if probable else words["value"]
    result.put(3, CLASS_COL, words["class"] if classes else words["number"], looks.HEAD)
    result.put(3, CLASS_COL + 1, heading, looks.HEAD)
    names = [*(class_names or [])][:size]
    names += [str(number) for number in range(len(names), size)]
    for number, name in enumerate(names):
        content: str | int = int(name) if name == str(number) else name
        result.put(4 + number, CLASS_COL, content, _left(looks.PLAIN))
    grid = computed(overview.scores, overview.equations, plan.places, scores)
    result.grids.append((grid, looks.FIGURE))
    result.precise.append((place.area, looks.all_digits(float(np.abs(scores).max(initial=0)))))
    if overview.output.shape[0] > size:
        note = words["first values"].format(size, overview.output.shape[0])
        result.put(2, CLASS_COL, note, looks.NOTE)
    if size < 2:
        return
    area, titles = place.area, CellArea(4, CLASS_COL, 3 + size, CLASS_COL)
    left = CLASS_COL + 3  # of the chart
    if classes:
        _winner(result, names, scores, titles, area, words)
        if _targets(result, scores, inputs, words):
            left = CHART_COL
    chart = CellArea(3, left, 3 + CHART_ROWS, left + CHART_COLUMNS)
    limits = (0.0, 1.0) if probable else None
    result.bars.append(BarsOver(chart, heading, titles, area, names, scores.tolist(), limits))
    if scores.min() >= 0:
        result.data_bars.append((area, "93C5FD"))
    else:  # programs draw bars to the left in red, as if something were wrong
        result.scales.append(value_scale(area, scores))


def _winner(
    result: SheetContent,
    names: Sequence[str],
    scores: FloatArray,
    titles: CellArea,
    area: CellArea,
    words: Mapping[str, str],
) -> None:
    best = names[int(np.argmax(scores))]
    winner: str | int = int(best) if best.isdigit() else best
    result.put(CHOICE_ROW + 2, 0, words["predicted"], looks.HEADING)
    result.put(
        CHOICE_ROW + 2, VALUE_COL, winner, _left(looks.RESULT),
        f"INDEX({titles},MATCH(MAX({area}),{area},0))",
    )  # fmt: skip


def _targets(
    result: SheetContent, scores: FloatArray, inputs: WorkbookInputs, words: Mapping[str, str]
) -> bool:
    """Where the true class is known: 1 for it and 0 for the others, and the error of each.

    False where it is not known, and nothing is shown.
    """
    label = inputs.labels[0]
    if label is None or any(other is None for other in inputs.labels) or len(scores) > MAX_CLASSES:
        return False
    truth = cell_name(CHOICE_ROW + 1, VALUE_COL, True)
    result.put(3, CLASS_COL + 2, words["target"], looks.HEAD)
    result.put(3, CLASS_COL + 3, words["error"], looks.HEAD)
    for number, score in enumerate(scores.tolist()):
        row, hit = 4 + number, int(number == label)
        target, value = cell_name(row, CLASS_COL + 2), cell_name(row, CLASS_COL + 1)
        result.put(row, CLASS_COL + 2, hit, looks.WHOLE, f"IF({truth}={number},1,0)")
        result.put(row, CLASS_COL + 3, score - hit, looks.FIGURE, f"{value}-{target}")
    result.precise.append(
        (CellArea(4, CLASS_COL + 3, 3 + len(scores), CLASS_COL + 3), looks.all_digits(1.0))
    )
    return True
