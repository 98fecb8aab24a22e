"""A workbook that learns: backward sheets, new weights, and the network once more with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from netsheet.engine.lesson import Lesson, filled
from netsheet.equations import Equation, FloatArray, Tensor, Weight, affine, equation, indices_of
from netsheet.gradient.descent import Descent, Passage
from netsheet.gradient.reductions import numbered
from netsheet.network import Network, Node
from netsheet.write.excel import learn_sheet
from netsheet.write.excel.book_layout import (
    GIVEN,
    GRADIENT,
    NEW,
    OUTPUT,
    PASSAGE,
    STEP,
    BookLayout,
    LayerSheet,
    TensorBlock,
)
from netsheet.write.excel.learning_choice import Learning
from netsheet.write.excel.sheet_names import sheet_names

BACK = "∂"  # in front of a layer's name: the sheet of its adjoints
MOST_FOLLOWED = 40  # weights up to which the Learn sheet shows each of them at every step
MOST_OUTPUTS = 12  # the same for outputs
COLOUR = "DC2626"


@dataclass(eq=False)
class LearningSheets:
    """The sheets of a workbook that learns, laid out behind those of the network.

    ``given`` are the numbers that stand in cells: rate, label, which weight is looked at.
    """

    plan: BookLayout
    network: Network
    learning: Learning
    words: Mapping[str, str]
    label: int | None
    given: dict[Tensor, FloatArray] = field(default_factory=dict)
    equations: list[Equation] = field(default_factory=list)  # of the Learn sheet itself
    back: dict[str, LayerSheet] = field(default_factory=dict)  # by the sheet in front of each
    further: list[LayerSheet] = field(default_factory=list)

    def lay_out(self, stated: Sequence[tuple[Node, list[Equation]]], taken: Sequence[str]) -> None:
        """Sheets for loss, adjoints, further steps and the passages that measure a slope."""
        plan, words = self.plan, self.words
        forward = [eq for _, equations in stated for eq in equations]
        self.lesson: Lesson = self.learning.lesson(self.network, forward)
        self.descent: Descent = self.lesson.descent
        inputs = [tensor for tensor in self.network.inputs if tensor in plan.places]
        self._place_scalars()
        owners = self._owners(inputs)
        made = self._by_owner(self.descent.steps[0].backward, owners)
        names = iter(sheet_names(self._wanted_names(), taken))
        self._loss_sheet(next(names), made.pop("", []))
        layers = {sheet.node.key: sheet for sheet in plan.sheets if sheet.node is not None}
        for key, sheet in reversed([("/input", plan.sheets[0]), *layers.items()]):
            name = next(names)
            if made.get(key):
                self.back[sheet.name] = self._back_sheet(name, sheet, made[key])
        for step in self.descent.steps[1:]:
            self._passage_sheet(next(names), words["step sheet"].format(step.mark), step)
        self._passage_sheet(next(names), words["after about"], self.descent.after)
        self._slope_sheets(next(names), next(names))
        self._follow()

    def _wanted_names(self) -> list[str]:
        words = self.words
        yielded = [words["loss sheet"]]
        for sheet in reversed(self.plan.sheets):
            yielded.append(BACK + sheet.name)
        yielded += [words["step name"].format(n) for n in range(2, self.learning.steps + 1)]
        return [*yielded, words["after"], words["higher"], words["lower"]]

    # ------------------------------------------------------------------ numbers to change

    def _place_scalars(self) -> None:
        """The cells of the Learn sheet that others read."""
        found, name = self.descent, self.words["learn"]
        scalars = [(found.rate, learn_sheet.RATE, self.learning.rate),
                   (found.check.h, learn_sheet.MOVE, learn_sheet.SMALL_MOVE)]  # fmt: skip
        if self.lesson.label is not None:
            assert self.label is not None
            scalars.append((self.lesson.label, learn_sheet.LABEL, float(self.label)))
        for number, weight in enumerate(found.weights):
            place = (learn_sheet.LIST_ROW + number, learn_sheet.PICKED)
            scalars.append((found.check.picked[weight], place, 0.0 if number == 0 else -1.0))
        for tensor, (row, column), content in scalars:
            self.plan.places[tensor] = learn_sheet.cell(name, row, column)
            self.given[tensor] = np.array(content)

    # ------------------------------------------------------------------ who owns what

    def _owners(self, inputs: Sequence[Tensor]) -> dict[str, str]:
        """The key of the node that a tensor belongs to, by the tensor's name."""
        owners = {tensor.name: "/input" for tensor in inputs}
        owners |= {eq.target.name: "" for eq in self.lesson.loss_rows}
        for sheet in self.plan.sheets:
            if sheet.node is not None:
                tensors = [block.tensor for block in sheet.blocks]
                tensors += [eq.target for eq in sheet.stated]
                owners |= {tensor.name: sheet.node.key for tensor in tensors}
        return owners

    def _by_owner(
        self, equations: Sequence[Equation], owners: Mapping[str, str]
    ) -> dict[str, list[Equation]]:
        made: dict[str, list[Equation]] = {}
        for eq in equations:
            name = eq.target.name
            while name not in owners:
                name = name.rpartition("/")[0]
            made.setdefault(owners[name], []).append(eq)
        return made

    # ------------------------------------------------------------------ sheets

    def _loss_sheet(self, name: str, backward: Sequence[Equation]) -> None:
        sheet = LayerSheet(name, None, self.words["loss sheet"], self.lesson.loss_name, COLOUR)
        sheet.stated = [*self.lesson.loss_rows, *backward]
        self.plan.places[self.lesson.target] = self.plan.places[self.lesson.taken].moved(name, 0, 0)
        self._arranged(sheet, {})
        outputs = list(dict.fromkeys([self.lesson.target, *(eq.target for eq in sheet.stated)]))
        roles = {self.lesson.loss: OUTPUT}
        if self.learning.target is not None:
            self.given[self.lesson.target] = np.asarray(self.learning.target, float)
            roles[self.lesson.target] = GIVEN
        self.plan.add_sheet(sheet, [], [(t, roles.get(t, STEP)) for t in outputs])
        self.loss_sheet = sheet

    def _back_sheet(self, name: str, front: LayerSheet, stated: list[Equation]) -> LayerSheet:
        title = BACK + (front.node.key if front.node is not None else self.words["input"])
        sheet = LayerSheet(name, None, title, self.words["back about"].format(front.name), COLOUR)
        sheet.stated = stated
        found = self.descent
        mirrored = {adjoint: tensor for tensor, adjoint in found.adjoints.items()}
        mirrored |= {new: weight for weight, new in found.new.items()}
        self._arranged(sheet, mirrored)
        targets = dict.fromkeys(eq.target for eq in stated)
        weights = [t for t in targets if isinstance(mirrored.get(t), Weight)]
        weights.sort(key=lambda t: [w.name for w in found.weights].index(mirrored[t].name))
        maps = [t for t in targets if t not in weights]
        maps.sort(key=lambda t: t not in mirrored or mirrored[t].name.count("/") > 0)
        self.plan.add_sheet(
            sheet,
            [(t, NEW if t in found.new.values() else GRADIENT) for t in weights],
            [(t, GRADIENT if t.name.endswith("/grad") else STEP) for t in maps],
        )
        return sheet

    def _passage_sheet(
        self, name: str, about: str, passage: Passage, more: Sequence[Equation] = ()
    ) -> LayerSheet:
        sheet = LayerSheet(name, None, name, about, COLOUR)
        sheet.stated, sheet.repeats = [*more, *passage.equations], True
        self._arranged(sheet, {new: old for old, new in passage.tensors.items()})
        targets = dict.fromkeys(eq.target for eq in sheet.stated)
        self.plan.add_sheet(sheet, [], [(tensor, PASSAGE) for tensor in targets])
        self.further.append(sheet)
        return sheet

    def _slope_sheets(self, higher: str, lower: str) -> None:
        """Both passages that measure a slope; the moved weights stand on the first one."""
        check, words = self.descent.check, self.words
        for eq in check.moves:
            if eq.target.shape or not eq.target.name.endswith("/slope"):
                weight = self._ancestor(eq.target)
                assert weight is not None
                self.plan.places[eq.target] = self.plan.places[weight].moved(higher, 0, 0)
        up, down = check.passages
        self._passage_sheet(higher, words["higher about"], up, check.moves)
        self._passage_sheet(lower, words["lower about"], down)
        self.equations += check.result
        for tensor, place in ((check.adjoint, learn_sheet.ADJOINT),
                              (check.measured, learn_sheet.MEASURED)):  # fmt: skip
            self.plan.places[tensor] = learn_sheet.cell(words["learn"], *place)

    def _arranged(self, sheet: LayerSheet, mirrored: Mapping[Tensor, Tensor]) -> None:
        """Arrangements for what a sheet computes: as the tensors that it mirrors have them."""
        places = self.plan.places
        for eq in sheet.stated:
            tensor = eq.target
            model = mirrored.get(tensor) or self._ancestor(tensor)
            if tensor not in places and model in places and model.shape == tensor.shape:
                places[tensor] = places[model].moved(sheet.name, 0, 0)
        self.plan.arrange([], sheet.stated)

    def _ancestor(self, tensor: Tensor) -> Tensor | None:
        """What a tensor is a step on the way from, by its name: ``pool`` of ``pool/first``."""
        named = {known.name: known for known in self.plan.places}
        name = tensor.name
        while "/" in name:
            name = name.rpartition("/")[0]
            if name in named and named[name].shape == tensor.shape:
                return named[name]
        return None

    # ------------------------------------------------------------------ what the Learn sheet shows

    def _follow(self) -> None:
        """Losses, and a few weights, at every step in one table."""
        losses, name = self.descent.losses, self.words["learn"]
        self.trail = Tensor("learn/loss", ("step",), (len(losses),))
        self.plan.places[self.trail] = learn_sheet.trail_place(name, len(losses))
        self.equations += [
            equation(self.trail[affine(number)], loss[()]) for number, loss in enumerate(losses)
        ]
        self.followed: list[tuple[Tensor, Tensor]] = []
        (output,) = self.network.outputs
        weights = self.descent.weights
        chosen: list[Tensor] = [output] if output.size <= MOST_OUTPUTS else []
        if sum(weight.size for weight in weights) <= MOST_FOLLOWED:
            chosen += weights
        column = 0
        for source in chosen:
            axes, shape = ("step", "element"), (len(losses), source.size)
            tensor = Tensor(f"learn/{source.name}", axes, shape)
            self.plan.places[tensor] = learn_sheet.followed_place(name, tensor, column)
            column += source.size + 1
            self.followed.append((source, tensor))
            for number, present in enumerate(self._at_steps(source)):
                at = indices_of(source)
                self.equations.append(equation(tensor[affine(number), numbered(at)], present[at]))

    def _at_steps(self, tensor: Tensor) -> Iterator[Tensor]:
        """A weight, or an output, before each step, and behind the last one."""
        new = self.descent.new.get(tensor)
        yield tensor
        if new is not None:
            yield new
        for step in self.descent.steps[1:]:
            yield step.tensors[tensor if new is None else new]
        if new is None:
            yield self.descent.after.tensors[tensor]

    def checked(self) -> list[Tensor]:
        """What is held against the gradients of the original network: adjoints and losses."""
        adjoints = [
            adjoint for tensor, adjoint in self.descent.adjoints.items()
            if isinstance(tensor, Weight) or tensor.name in self.network.tensors()
            or tensor in self.network.inputs
        ]  # fmt: skip
        return [self.lesson.loss, *adjoints, self.descent.after.loss]

    def references(
        self, batch: Mapping[str, FloatArray], labels: Sequence[int | None]
    ) -> dict[str, FloatArray]:
        """What ONNX Runtime makes of the same equations, by name, samples in front."""
        count = len(next(iter(batch.values())))
        arrays = {**batch, self.descent.rate.name: filled(count, self.learning.rate)}
        if self.lesson.label is not None:
            arrays[self.lesson.label.name] = np.array(labels, float)
        if self.learning.target is not None:
            arrays[self.lesson.target.name] = np.stack([self.learning.target] * count)
        return self.lesson.computed(self.checked(), arrays)

    def blocks(self) -> list[tuple[str, TensorBlock]]:
        """Rows of the Map for numbers on the Learn sheet; the first one names the loss."""
        rows = []
        for tensor in self.given:
            if tensor is self.lesson.target:
                continue  # it stands on the sheet of the loss
            role = "learning" if tensor is self.descent.rate else GIVEN
            owner = self.lesson.asked if tensor is self.descent.rate else ""
            rows.append((owner, TensorBlock(tensor, self.plan.places[tensor], role, 0)))
        followed = [tensor for _, tensor in self.followed]
        check = self.descent.check
        for tensor in (self.trail, *followed, check.adjoint, check.measured):
            rows.append(("", TensorBlock(tensor, self.plan.places[tensor], STEP, 0)))
        return rows
