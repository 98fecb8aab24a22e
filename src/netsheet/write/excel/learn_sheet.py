"""The Learn sheet: the rate to change, the loss before and after, and one slope measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netsheet.equations import FloatArray, Tensor
from netsheet.write.excel import arrangements, looks
from netsheet.write.excel.book_layout import BookLayout
from netsheet.write.excel.cell_block import computed
from netsheet.write.excel.looks import CellLook
from netsheet.write.excel.placement import CellArea, Placement, along, cell_name
from netsheet.write.excel.sheet_content import BarsOver, SheetContent, value_scale
from netsheet.write.excel.sheet_names import quoted

if TYPE_CHECKING:
    from netsheet.write.excel.learning import LearningSheets

FACTS = 3  # the first row of what is said and chosen
LABEL, RATE = (FACTS + 1, 1), (FACTS + 2, 1)
BEFORE, AFTER, CHANGE = FACTS + 3, FACTS + 4, FACTS + 5
CHECK = 11  # the heading of the measured slope
WEIGHT_ROW, AXIS_ROW, PICK_ROW, SIZE_ROW = CHECK + 2, CHECK + 3, CHECK + 4, CHECK + 5
MOVE, ADJOINT, MEASURED = (CHECK + 6, 1), (CHECK + 7, 1), (CHECK + 8, 1)
DIFFERENCE, VERDICT = CHECK + 9, CHECK + 10
AXES = 5  # of a weight that can be picked
TRAIL_ROW, TRAIL = 5, 13  # the table of what comes of each step: its first row and column
CHART, CHART_COLUMNS, CHART_ROWS = 7, 5, 18
LIST_ROW = 26  # the first row of the table of weights
SIZES, COUNT, PICKED, LARGEST, MOVED = 1, 6, 7, 8, 9  # columns of that table
SMALL_MOVE = 1e-4
CLOSE = 1e-6  # a measured slope agrees up to this part of the larger of it and 1
NUMBER = replace(looks.CHOICE, digits="General", align="left")
LOSS = CellLook(14, bold=True, colour=looks.INK, digits="0.000000", align="left")
EXACT = CellLook(11, colour=looks.INK, digits="0.000000000", align="left")


def cell(sheet: str, row: int, column: int) -> Placement:
    """One cell of the sheet."""
    return Placement((), arrangements.CELL, sheet=sheet, row=row, col=column)


def trail_place(sheet: str, size: int) -> Placement:
    """The losses, one below the other."""
    axes = (along(size, 1, 0),)
    return Placement(axes, arrangements.COLUMN, sheet=sheet, row=TRAIL_ROW, col=TRAIL + 1)


def followed_place(sheet: str, tensor: Tensor, column: int) -> Placement:
    """A tensor's elements side by side, a row for each step, ``column`` being the first of them."""
    steps, size = tensor.shape
    axes = (along(steps, 1, 0), along(size, 0, 1))
    place = Placement(axes, arrangements.MATRIX)
    return place.moved(sheet, TRAIL_ROW, TRAIL + 3 + column)


def learn_sheet(
    learning: LearningSheets,
    plan: BookLayout,
    values: Mapping[Tensor, FloatArray],
    label_source: str | None,
) -> SheetContent:
    """The whole sheet; ``label_source`` is the cell with the chosen sample's class."""
    return _LearnWriter(learning, plan, values, label_source).written()


class _LearnWriter:
    def __init__(
        self,
        learning: LearningSheets,
        plan: BookLayout,
        values: Mapping[Tensor, FloatArray],
        label_source: str | None,
    ) -> None:
        self.learning, self.plan, self.values = learning, plan, values
        self.label_source, self.words = label_source, learning.words
        self.found = learning.descent
        self.result = SheetContent(self.words["learn"], tab="DC2626", row_height=15.0)

    def written(self) -> SheetContent:
        result, words = self.result, self.words
        result.widths.update({0: 24, 1: 16, **dict.fromkeys(range(2, 6), 7.0), 6: 8, PICKED: 8})
        result.widths.update({LARGEST: 17, MOVED: 16, TRAIL - 1: 2, TRAIL: 9, TRAIL + 2: 2})
        result.put(0, 0, words["learn"], looks.TITLE)
        result.heights[0] = 27
        result.put(1, 0, words["learn about"], looks.NOTE)
        self._facts()
        self._losses()
        self._slope()
        self._list()
        self._followed()
        return result

    # ------------------------------------------------------------------ rate and losses

    def _facts(self) -> None:
        result, words, found = self.result, self.words, self.found
        result.put(FACTS, 0, words["loss function"], looks.HEADING)
        result.link(FACTS, 1, self.learning.lesson.loss_name, self.learning.loss_sheet.name)
        label = self.learning.lesson.label
        result.put(LABEL[0], 0, words["should give"], looks.HEADING)
        if self.learning.learning.own_input:
            result.put(*LABEL, words["own input"], looks.PLAIN)
        elif label is None:
            place = self.plan.places[self.learning.lesson.target]
            there = cell_name(place.row, place.col)
            result.link(*LABEL, words["target"], place.sheet, there)
        elif self.label_source is not None:
            shown = float(self.values[label])
            result.put(*LABEL, shown, replace(LOSS, digits="0"), self.label_source)
        else:
            result.put(*LABEL, float(self.values[label]), NUMBER)
        result.put(RATE[0], 0, words["rate"], looks.HEADING)
        result.put(*RATE, float(self.values[found.rate]), NUMBER)
        result.put(RATE[0], 2, words["rate about"], looks.NOTE)
        first, last = self._loss_cells()
        before, after = (float(self.values[loss]) for loss in (found.losses[0], found.losses[-1]))
        change = f"{cell_name(AFTER, 1)}-{cell_name(BEFORE, 1)}"
        for row, key, content, formula in (
            (BEFORE, "loss before", before, first), (AFTER, "loss after", after, last),
            (CHANGE, "loss change", after - before, change),
        ):  # fmt: skip
            said = words[key].format(self.learning.learning.steps)
            result.put(row, 0, said, looks.HEADING)
            result.put(row, 1, content, LOSS, formula)
            result.heights[row] = 20

    def _loss_cells(self) -> tuple[str, str]:
        place = self.plan.places[self.learning.trail]
        return cell_name(place.row, place.col), cell_name(place.area.bottom, place.col)

    def _losses(self) -> None:
        """The loss before each step and behind the last one, with a line through them."""
        result, words = self.result, self.words
        trail, place = self.learning.trail, self.plan.places[self.learning.trail]
        losses = self.values[trail]
        result.put(TRAIL_ROW - 2, TRAIL, words["weights over steps"], looks.HEADING)
        result.put(TRAIL_ROW - 1, TRAIL, words["steps done"], looks.HEAD)
        result.put(TRAIL_ROW - 1, TRAIL + 1, words["loss"], looks.HEAD)
        for number in range(len(losses)):
            result.put(TRAIL_ROW + number, TRAIL, number, looks.INDEX)
        result.grids.append(
            (computed(trail, self.learning.equations, self.plan.places, losses), looks.FIGURE)
        )
        bottom = place.area.bottom
        names = CellArea(place.row, TRAIL, bottom, TRAIL)
        area = CellArea(3, CHART, 3 + CHART_ROWS, CHART + CHART_COLUMNS)
        shown = [str(number) for number in range(len(losses))]
        result.bars.append(
            BarsOver(area, words["loss over steps"], names, place.area, shown, losses.tolist(),
                     line=True)
        )  # fmt: skip

    # ------------------------------------------------------------------ one slope, measured

    def _slope(self) -> None:
        """Which weight, and what reverse mode and a measurement say of its slope."""
        result, words, weights = self.result, self.words, self.found.weights
        result.put(CHECK, 0, words["slope"], replace(looks.HEADING, size=13))
        result.put(CHECK + 1, 0, words["slope about"], looks.NOTE)
        result.put(WEIGHT_ROW, 0, words["chosen weight"], looks.HEADING)
        result.put(WEIGHT_ROW, 1, weights[0].name, looks.CHOICE)
        result.merged.append(CellArea(WEIGHT_ROW, 1, WEIGHT_ROW, AXES))
        for column in range(2, AXES + 1):
            result.put(WEIGHT_ROW, column, "", looks.CHOICE)
        names = CellArea(LIST_ROW, 0, LIST_ROW + len(weights) - 1, 0)
        here = quoted(result.name)
        chosen = CellArea(WEIGHT_ROW, 1, WEIGHT_ROW, 1)
        result.choices.append((chosen, f"{here}!{names.absolute()}"))
        self._axes()
        check = self.found.check
        adjoint, measured = (float(self.values[t]) for t in (check.adjoint, check.measured))
        result.put(MOVE[0], 0, words["move"], looks.HEADING)
        result.put(*MOVE, float(self.values[check.h]), NUMBER)
        for tensor, (row, _), key in ((check.adjoint, ADJOINT, "adjoint"),
                                      (check.measured, MEASURED, "measured")):  # fmt: skip
            result.put(row, 0, words[key], looks.HEADING)
            value = self.values[tensor]
            block = computed(tensor, self.learning.equations, self.plan.places, value)
            result.grids.append((block, EXACT))
        one, other = (cell_name(*place) for place in (ADJOINT, MEASURED))
        result.put(DIFFERENCE, 0, words["difference"], looks.HEADING)
        result.put(DIFFERENCE, 1, abs(adjoint - measured),
                   replace(looks.SMALL, align="left"), f"ABS({one}-{other})")  # fmt: skip
        good = abs(adjoint - measured) <= CLOSE * max(1, abs(adjoint))
        result.put(
            VERDICT, 1, words["ok"] if good else words["differs"], looks.VERDICT,
            f'IF({cell_name(DIFFERENCE, 1)}<=1E-6*MAX(1,ABS({one})),"{words["ok"]}",'
            f'"{words["differs"]}")',
        )  # fmt: skip
        result.verdicts.append((CellArea(VERDICT, 1, VERDICT, 1), words["ok"], words["differs"]))

    def _axes(self) -> None:
        """A cell for the position along each axis of the chosen weight."""
        result, words, weights = self.result, self.words, self.found.weights
        result.put(PICK_ROW, 0, words["position"], looks.HEADING)
        first = weights[0]
        last = LIST_ROW + len(weights) - 1
        names = CellArea(LIST_ROW, 0, last, 0).absolute()
        row = f"MATCH({cell_name(WEIGHT_ROW, 1, True)},{names},0)"
        for axis in range(AXES):
            used = axis < len(first.shape)
            sizes = CellArea(LIST_ROW, SIZES + axis, last, SIZES + axis).absolute()
            size = f"INDEX({sizes},{row})"
            shown: str = f"0 … {first.shape[axis] - 1}" if used else ""
            result.put(
                SIZE_ROW, 1 + axis, shown, looks.NOTE, f'IF({size}="","","0 … "&({size}-1))'
            )  # fmt: skip
            result.put(PICK_ROW, 1 + axis, 0, looks.CHOICE)
            blank = CellArea(PICK_ROW, 1 + axis, PICK_ROW, 1 + axis)
            result.blank_if.append((blank, f'{cell_name(SIZE_ROW, 1 + axis, True)}=""'))

    # ------------------------------------------------------------------ the table of weights

    def _list(self) -> None:
        result, words = self.result, self.words
        heads = ((0, "chosen weight"), (SIZES, "sizes"), (COUNT, "elements"), (PICKED, "picked"),
                 (LARGEST, "largest slope"), (MOVED, "its sheet"))  # fmt: skip
        for column in range(MOVED + 1):
            text = next((words[key] for at, key in heads if at == column), "")
            result.put(LIST_ROW - 1, column, text, looks.HEAD)
        for number, weight in enumerate(self.found.weights):
            self._weight(LIST_ROW + number, weight)

    def _weight(self, row: int, weight: Tensor) -> None:
        result, plan = self.result, self.plan
        result.put(row, 0, weight.name, looks.PLAIN)
        for axis, size in enumerate(weight.shape[:AXES]):
            result.put(row, SIZES + axis, size, looks.WHOLE)
        result.put(row, COUNT, weight.size, looks.WHOLE)
        number = "0"
        for axis, size in enumerate(weight.shape[:AXES]):
            at = cell_name(PICK_ROW, 1 + axis, True)
            within = f"MAX(0,MIN({size - 1},INT({at})))"
            number = within if axis == 0 else f"({number})*{size}+{within}"
        chosen = cell_name(WEIGHT_ROW, 1, True)
        shown = int(self.values[self.found.check.picked[weight]])
        result.put(
            row, PICKED, shown, looks.WHOLE, f"IF({chosen}={cell_name(row, 0)},{number},-1)"
        )  # fmt: skip
        adjoint = self.found.adjoints[weight]
        place = plan.places[adjoint]
        whole = f"{quoted(place.sheet)}!{place.area}"
        largest = float(np.abs(self.values[adjoint]).max(initial=0))
        result.put(row, LARGEST, largest, looks.SMALL, f"MAX(MAX({whole}),-MIN({whole}))")
        result.link(row, MOVED, place.sheet, place.sheet, cell_name(place.row, place.col))

    def _followed(self) -> None:
        """The outputs, and each weight of a small network, step by step."""
        result, followed = self.result, self.learning.followed
        if not followed:
            return
        for source, tensor in followed:
            place = self.plan.places[tensor]
            weight = source in self.found.new
            result.put(TRAIL_ROW - 2, place.col, source.name, looks.HEADING)
            for number, at in enumerate(np.ndindex(*source.shape)):
                shown = ",".join(map(str, at)) or "0"
                result.put(TRAIL_ROW - 1, place.col + number, shown, looks.HEAD)
            block = computed(
                tensor, self.learning.equations, self.plan.places, self.values[tensor]
            )  # fmt: skip
            result.grids.append((block, looks.VALUE))
            colours = looks.WEIGHT_COLOURS if weight else looks.VALUE_COLOURS
            result.scales.append(value_scale(place.area, self.values[tensor], colours))
