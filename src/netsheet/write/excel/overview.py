"""The first sheet: what the network is, what flows in, and what comes out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from netsheet.equations import Equation, FloatArray, Index, Tensor, equation, reduce
from netsheet.network import Network, shown
from netsheet.write.excel import arrange, canvas
from netsheet.write.excel.canvas import Bars, Canvas, Scale
from netsheet.write.excel.check import DEVIATION_COLUMN, VERDICT_COLUMN
from netsheet.write.excel.check import FIRST as CHECK_FIRST
from netsheet.write.excel.grid import computed
from netsheet.write.excel.inputs import SAMPLE_ROW, Inputs
from netsheet.write.excel.place import Area, Placement, along, cell_name
from netsheet.write.excel.plan import Plan, Sheet
from netsheet.write.excel.sheetname import quoted

CHOICE_ROW, VALUE_COL = 8, 1  # the drop-down; the number of the sample stands right of it
TABLE_ROW = 17
CHART_COL = 3
CLASS_COL, PICTURE_COL, PICTURE_ROW = 8, 11, 4
MAX_PICTURE, MAX_CLASSES = 64, 100


def chosen_place(name: str) -> Placement:
    """The cell with the number of the selected sample."""
    return Placement((), arrange.CELL, sheet=name, row=CHOICE_ROW, col=VALUE_COL + 1)


@dataclass(eq=False)
class Overview:
    """The tensors that the overview shows, with the equations that fetch them."""

    name: str
    picture: Tensor | None = None
    stride: int = 1
    source: Tensor | None = None
    scores: Tensor | None = None
    output: Tensor | None = None
    equations: list[Equation] = field(default_factory=list)


def planned(plan: Plan, name: str, inputs: Inputs, outputs: Sequence[Tensor]) -> Overview:
    """Places for the picture of the input and for the list of output values."""
    result = Overview(name)
    for source in inputs.shown.values():
        if _picture(plan, result, source):
            break
    output = next((t for t in outputs if len(t.shape) == 1), None)
    if output is not None:
        result.output = output
        size = min(output.shape[0], MAX_CLASSES)
        result.scores = Tensor("overview/output", ("class",), (size,))
        plan.places[result.scores] = Placement(
            (along(size, 1, 0),), arrange.COLUMN, sheet=name, row=4, col=CLASS_COL + 1
        )
        k = Index("k", size)
        result.equations.append(equation(result.scores[k], output[k]))
    return result


def _picture(plan: Plan, result: Overview, source: Tensor) -> bool:
    """Every n-th row and column of the input, its channels averaged."""
    rank = len(source.shape)
    if rank == 0 or rank > 3:
        return False
    if rank == 3:
        down, right = arrange.spatial(source) or (0, 1)
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
    value = reduce("mean", over, source[tuple(at)])
    result.picture = Tensor("overview/picture", ("height", "width"), (y.size, x.size))
    result.stride, result.source = stride, source
    plan.places[result.picture] = arrange.matrix(result.picture).moved(
        result.name, PICTURE_ROW, PICTURE_COL
    )
    result.equations.append(equation(result.picture[y, x], value))
    return True


def overview_canvas(
    overview: Overview,
    model: Network,
    plan: Plan,
    layers: Sequence[Sheet],
    inputs: Inputs,
    values: Mapping[Tensor, FloatArray],
    class_names: Sequence[str] | None,
    words: Mapping[str, str],
    formulas: int,
    deviations: Mapping[Tensor, tuple[int, float, bool]],
) -> Canvas:
    """The whole sheet."""
    result = Canvas(overview.name, tab="1D4ED8", row_height=15.0)
    result.widths.update({0: 22, 1: 20, 2: 17, 3: 12, 4: 11, 5: 17, 6: 11, 7: 3})
    result.widths.update({CLASS_COL: 12, CLASS_COL + 1: 14, CLASS_COL + 2: 3})
    result.put(0, 0, model.name, canvas.TITLE)
    result.heights[0] = 27
    result.put(1, 0, words["about"], canvas.NOTE)
    result.put(2, 0, f"{model.path.name}   SHA-256 {model.sha256}", canvas.NOTE)
    facts: list[tuple[str, str | int]] = [
        ("format", model.format),
        ("parameters", model.params),
        ("formulas", formulas),
    ]
    for row, (label, content) in enumerate(facts, 4):
        result.put(row, 0, words[label], canvas.HEADING)
        look = canvas.WHOLE if isinstance(content, int) else canvas.PLAIN
        result.put(row, VALUE_COL, content, _left(look))
    _sample(result, inputs, words)
    _show_picture(result, overview, plan, values, words)
    _show_scores(result, overview, plan, values, class_names, words)
    _table(result, layers, words, deviations)
    return result


def _left(look: canvas.Look) -> canvas.Look:
    from dataclasses import replace

    return replace(look, align="left")


def _sample(result: Canvas, inputs: Inputs, words: Mapping[str, str]) -> None:
    """The drop-down, or the one sample's name; the true label."""
    row = CHOICE_ROW
    result.put(row, 0, words["sample"], canvas.HEADING)
    if inputs.choice is None:
        result.put(row, VALUE_COL, inputs.names[0], canvas.PLAIN)
        if inputs.labels[0] is not None:
            result.put(row + 1, 0, words["true label"], canvas.HEADING)
            result.put(row + 1, VALUE_COL, inputs.labels[0], _left(canvas.RESULT))
        return
    sheet = quoted(inputs.samples)
    first, last = SAMPLE_ROW, SAMPLE_ROW + len(inputs.names) - 1
    names, labels = Area(first, 1, last, 1), Area(first, 2, last, 2)
    result.put(row, VALUE_COL, inputs.names[0], canvas.CHOICE)
    result.choices.append((Area(row, VALUE_COL, row, VALUE_COL), f"{sheet}!{names.absolute()}"))
    chosen = cell_name(row, VALUE_COL, True)
    number = cell_name(row, VALUE_COL + 1, True)
    look = canvas.Look(9, colour=canvas.GREY, digits=f'"← {words["choose"]} ("0")"', align="left")
    result.put(row, VALUE_COL + 1, 1, look, f"MATCH({chosen},{sheet}!{names.absolute()},0)")
    if any(label is not None for label in inputs.labels):
        content: str | int = "" if inputs.labels[0] is None else inputs.labels[0]
        result.put(row + 1, 0, words["true label"], canvas.HEADING)
        result.put(
            row + 1,
            VALUE_COL,
            content,
            _left(canvas.RESULT),
            f"INDEX({sheet}!{labels.absolute()},{number})",
        )


def _show_picture(
    result: Canvas,
    overview: Overview,
    plan: Plan,
    values: Mapping[Tensor, FloatArray],
    words: Mapping[str, str],
) -> None:
    if overview.picture is None or overview.source is None:
        return
    place = plan.places[overview.picture]
    title = words["input"]
    if len(overview.source.shape) == 3 and min(overview.source.shape) > 1:
        title += " " + words["mean of channels"]
    if overview.stride > 1:
        title += " " + words["every nth"].format(overview.stride)
    result.put(PICTURE_ROW - 1, PICTURE_COL, title, canvas.HEADING)
    picture = values[overview.picture]
    grid = computed(overview.picture, overview.equations, plan.places, picture)
    result.grids.append((grid, canvas.Look(8, colour="808080", digits=";;;")))
    raw = overview.source.name.endswith("/raw")
    result.scales.append(Scale(place.area, "000000", "FFFFFF", ends=(0, 255) if raw else None))
    for column in range(place.col, place.area.right + 1):
        result.widths[column] = 2.14


def _show_scores(
    result: Canvas,
    overview: Overview,
    plan: Plan,
    values: Mapping[Tensor, FloatArray],
    class_names: Sequence[str] | None,
    words: Mapping[str, str],
) -> None:
    """The table of output values, the winning class, and a bar chart."""
    if overview.scores is None or overview.output is None:
        return
    scores = values[overview.scores]
    size = len(scores)
    place = plan.places[overview.scores]
    probable = bool(scores.min() >= 0 and abs(values[overview.output].sum() - 1) < 1e-3)
    heading = words["probability"] if probable else words["value"]
    result.put(3, CLASS_COL, words["class"], canvas.HEAD)
    result.put(3, CLASS_COL + 1, heading, canvas.HEAD)
    names = [*(class_names or [])][:size]
    names += [str(number) for number in range(len(names), size)]
    for number, name in enumerate(names):
        content: str | int = int(name) if name == str(number) else name
        result.put(4 + number, CLASS_COL, content, _left(canvas.PLAIN))
    grid = computed(overview.scores, overview.equations, plan.places, scores)
    result.grids.append((grid, canvas.FIGURE))
    if overview.output.shape[0] > size:
        note = words["first values"].format(size, overview.output.shape[0])
        result.put(2, CLASS_COL, note, canvas.NOTE)
    if size > 1:
        area, titles = place.area, Area(4, CLASS_COL, 3 + size, CLASS_COL)
        best = names[int(np.argmax(scores))]
        winner: str | int = int(best) if best.isdigit() else best
        result.put(CHOICE_ROW + 2, 0, words["predicted"], canvas.HEADING)
        result.put(
            CHOICE_ROW + 2, VALUE_COL, winner, _left(canvas.RESULT),
            f"INDEX({titles},MATCH(MAX({area}),{area},0))",
        )  # fmt: skip
        chart = Area(3, CHART_COL, TABLE_ROW - 2, CLASS_COL - 1)
        result.bars.append(Bars(chart, heading, titles, area, names, scores.tolist()))
        result.data_bars.append((area, "93C5FD"))


def _table(
    result: Canvas,
    layers: Sequence[Sheet],
    words: Mapping[str, str],
    deviations: Mapping[Tensor, tuple[int, float, bool]],
) -> None:
    """One row for each layer, leading to its sheet."""
    row = TABLE_ROW
    result.put(row - 1, 0, words["layers"], canvas.HEADING)
    heads = ("layer", "type", "output shape", "parameters", "formulas", "deviation", "verdict")
    for column, head in enumerate(heads):
        result.put(row, column, words[head], canvas.HEAD)
    counted: set[object] = set()
    check = quoted(words["check"])
    for sheet in layers:
        row += 1
        node = sheet.node
        assert node is not None
        result.link(row, 0, node.key, sheet.name)
        result.put(row, 1, node.layer.type, canvas.PLAIN)
        result.put(row, 2, shown(node.outputs[0].shape), canvas.PLAIN)
        new = node.layer not in counted
        counted.add(node.layer)
        result.put(row, 3, node.layer.params if new else 0, canvas.WHOLE)
        result.put(row, 4, sum(_filled(sheet)), canvas.WHOLE)
        found = deviations.get(node.outputs[0])
        if found is not None:
            number, deviation, good = found
            for column, content, source, look in (
                (5, deviation, DEVIATION_COLUMN, canvas.SMALL),
                (6, words["ok"] if good else words["differs"], VERDICT_COLUMN, canvas.VERDICT),
            ):
                cell = cell_name(CHECK_FIRST + number, source)
                result.put(row, column, content, look, f"{check}!{cell}")
    judged = Area(TABLE_ROW + 1, 6, max(row, TABLE_ROW + 1), 6)
    result.verdicts.append((judged, words["ok"], words["differs"]))


def _filled(sheet: Sheet) -> list[int]:
    """Formula cells of each tensor that a sheet computes."""
    return [tensor.size for tensor in {eq.target for eq in sheet.equations}]
