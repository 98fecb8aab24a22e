"""The sheets of one workbook: layout, values, and every sheet when it is its turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.data.scaling import token_inputs, whole_inputs
from netsheet.data.succession import Succession
from netsheet.engine.run import engine
from netsheet.equations import FloatArray, Tensor, Weight
from netsheet.equations.evaluation import evaluate
from netsheet.errors import NetsheetError
from netsheet.language import translated
from netsheet.network import Network, Node
from netsheet.write.excel import input_sheet, looks, overview_sheet
from netsheet.write.excel.book_layout import (
    BookLayout,
    LayerSheet,
    TensorBlock,
    stated_equations,
)
from netsheet.write.excel.cell_block import numbers
from netsheet.write.excel.cell_map_sheet import cell_map_sheet
from netsheet.write.excel.check_sheet import (
    MAX_CHOICES,
    ReferenceValues,
    check_sheet,
    reference_sheet,
)
from netsheet.write.excel.explaining import Explaining
from netsheet.write.excel.flow_sheet import flow_sheet, planned_flow
from netsheet.write.excel.input_sheet import SAMPLE_COL, SAMPLE_ROW, WorkbookInputs
from netsheet.write.excel.layer_sheet import layer_sheet
from netsheet.write.excel.placement import MAX_COLUMNS, MAX_ROWS, Placement
from netsheet.write.excel.real_values import with_real_values
from netsheet.write.excel.sheet_content import SheetContent
from netsheet.write.excel.steps_sheet import StepRows, planned_steps, steps_sheet
from netsheet.write.excel.stored_numbers import as_stored
from netsheet.write.excel.vocabulary_sheet import put_words, vocabulary_sheet

if TYPE_CHECKING:
    from netsheet.write.excel.learning import LearningSheets
    from netsheet.write.excel.learning_choice import Learning

MAX_CELLS = 8_000_000
BYTES_PER_CELL = 12  # of a finished file, measured on convolutional networks


class NetworkBook:
    """Layout, values and sheets of one workbook."""

    def __init__(
        self,
        model: Network,
        samples: Sequence[Sample],
        words: Mapping[str, str],
        language: str,
        arrangement: str,
        class_names: Sequence[str] | None,
        learning: Learning | None = None,
        vocabulary: Sequence[str] = (),
        succession: Succession | None = None,
    ) -> None:
        samples = [replace(one, name=translated(one.name, language)) for one in samples]
        self.model, self.samples = model, samples
        self.words, self.language, self.class_names = words, language, class_names
        self.vocabulary, self.succession = vocabulary, succession
        self.origin = model if succession is None else succession.of  # what is said of the network
        stated, real = with_real_values(stated_equations(model))
        self.nodes: list[Node] = [node for node, _ in stated]
        self.plan = BookLayout(arrangement, real)
        used = _used_inputs(model, self.nodes)
        self.plan.arrange(used, [eq for _, equations in stated for eq in equations])
        self.inputs: WorkbookInputs = input_sheet.laid_out(
            self.plan,
            used,
            samples,
            (words["input"], words["samples"], words["steps"]),
            overview_sheet.chosen_place(words["overview"]),
            {*token_inputs(model), *whole_inputs(model)},
            succession,
        )
        taken = [
            words[key]
            for key in ("overview", "explain", "flow", "terms", "input", "samples", "steps",
                        "check", "map", "vocabulary")
        ]  # fmt: skip
        times = 1 if succession is None else succession.count
        self.plan.add_layers(stated, [*taken, words["reference"]], times)
        self.layers = [sheet for sheet in self.plan.sheets if sheet.node is not None]
        outputs = [t for node in self.nodes for t in node.outputs]
        ends = [t for t in model.outputs if t in outputs] or list(self.nodes[-1].outputs)
        ends = [real.first(tensor) for tensor in ends]
        self.steps: StepRows | None = None
        if succession is not None:
            self.steps = planned_steps(self.plan, self.inputs, succession)
            # all that a layer gives in every step, in rows of the Check that follow each other
            outputs = [t for sheet in self.layers for node in sheet.nodes for t in node.outputs]
        self.front = overview_sheet.planned(
            self.plan, words["overview"], self.inputs, ends, self.steps,
            model.state_names if succession is None else succession.starts,
        )  # fmt: skip
        self.flow = planned_flow(self.plan, words["flow"], self.inputs, self.layers, succession)
        self.checked = [t for t in outputs if t.name in model.tensors()]
        self.learns: LearningSheets | None = None
        if learning is not None:
            from netsheet.write.excel.learning import LearningSheets

            self.learns = LearningSheets(self.plan, model, learning, words, samples[0].label)
            names = [*taken, words["reference"], *(sheet.name for sheet in self.plan.sheets)]
            self.learns.lay_out(stated, [*names, words["learn"]])
            self.checked += self.learns.checked()
            self._order_tabs(self.learns)

    def _order_tabs(self, learns: LearningSheets) -> None:
        """Each backward sheet behind its forward one, then the loss and the further passages."""
        front = [s for s in self.plan.sheets if s.node is not None or s is self.inputs.sheet]
        ordered: list[LayerSheet] = []
        for sheet in front:
            ordered += [sheet, *([learns.back[sheet.name]] if sheet.name in learns.back else [])]
        self.plan.sheets[:] = [*ordered, learns.loss_sheet, *learns.further]

    # ------------------------------------------------------------------ sizes

    @property
    def formulas(self) -> int:
        """Formula cells of all layers and inputs."""
        return sum(
            tensor.size
            for sheet in self.plan.sheets
            for tensor in {eq.target for eq in sheet.equations}
        )

    @property
    def numbers(self) -> int:
        """Stored numbers: weights, samples, references."""
        stored = sum(t.size for t in self.plan.places if isinstance(t, Weight))
        given = sum(t.size for t in self.inputs.shown.values()) if not self.inputs.choice else 0
        return stored + given + sum(tensor.size for tensor in self.checked)

    def refuse_oversized(self) -> None:
        """NetsheetError, with the numbers, if Excel could not hold the workbook."""
        cells = self.formulas + self.numbers
        megabytes = cells * BYTES_PER_CELL / 1e6
        advice = f"write fewer layers: --until {self._first_half()}"
        if self.succession is not None:
            advice = f"give fewer inputs (--samples), or {advice}"
        if cells > MAX_CELLS:
            raise NetsheetError(
                f"the workbook would have {self.formulas:,} formulas and {self.numbers:,} numbers "
                f"(about {megabytes:,.0f} MB; at most {MAX_CELLS:,} cells open in practice); "
                f"{advice}."
            )
        for tensor, place in self.plan.places.items():
            area = place.area
            if area.bottom >= MAX_ROWS - 8 or area.right >= MAX_COLUMNS - 8:
                raise NetsheetError(
                    f"{tensor.name} ({' x '.join(map(str, tensor.shape))}) would take "
                    f"{area.bottom + 1:,} rows and {area.right + 1:,} columns; a sheet of Excel "
                    f"has {MAX_ROWS:,} rows and {MAX_COLUMNS:,} columns; {advice}."
                )

    def _first_half(self) -> str:
        """The last layer before half of the cells are written."""
        total, done = self.formulas, 0
        for sheet in self.layers:
            done += sum(tensor.size for tensor in {eq.target for eq in sheet.equations})
            if done * 2 > total:
                return sheet.node.key if sheet.node else ""
        return self.nodes[-1].key

    # ------------------------------------------------------------------ values

    def _values(self) -> dict[Tensor, FloatArray]:
        """Every tensor's value for the first sample, computed in doubles from stored numbers."""
        given = dict(self.inputs.given)
        for tensor in self.plan.places:
            if isinstance(tensor, Weight) and tensor not in given:
                given[tensor] = as_stored(tensor.values)
        equations = self.plan.equations()
        if self.steps is not None:
            equations += self.steps.equations
        equations += [*self.front.equations, *self.flow.equations]
        if self.learns is not None:
            given.update(self.learns.given)
            equations += self.learns.equations
        return {**given, **evaluate(equations, given)}

    def _references(self) -> ReferenceValues:
        if self.succession is not None:
            return self._references_in_a_row(self.succession)
        cells = sum(tensor.size for tensor in self.checked)
        stored = len(self.samples) if cells * len(self.samples) <= MAX_CHOICES else 1
        batch = {
            tensor.name: np.stack([s.inputs[tensor.name].values for s in self.samples[:stored]])
            for tensor in self.model.inputs
        }
        computed = self.model.tensors()
        keys = [tensor.name for tensor in self.checked if tensor.name in computed]
        found = dict(engine(self.model).activations(batch, keys))
        if self.learns is not None:
            labels = [sample.label for sample in self.samples[:stored]]
            found |= self.learns.references(batch, labels)
        keys = [tensor.name for tensor in self.checked]
        return ReferenceValues({key: found[key] for key in keys}, "ONNX Runtime", stored)

    def _references_in_a_row(self, succession: Succession) -> ReferenceValues:
        """What the network itself gives when it is called with one input after another."""
        batch = {
            tensor.name: np.stack([s.inputs[tensor.name].values for s in self.samples])
            for tensor in succession.of.inputs
        }
        found = engine(succession.of).activations(batch)
        every = {
            names[key]: array[number : number + 1]
            for number, names in enumerate(succession.names)
            for key, array in found.items()
            if key in names
        }
        keys = [tensor.name for tensor in self.checked]
        return ReferenceValues({key: every[key] for key in keys}, "ONNX Runtime", 1)

    # ------------------------------------------------------------------ sheets

    def sheets_in_order(self) -> Iterator[SheetContent]:
        """All sheets, each made when it is its turn."""
        values, references = self._values(), self._references()
        choice = self._choice()
        names = {t: sheet.name for sheet in self.plan.sheets for t in _shown(sheet)}
        stored, places = reference_sheet(
            references, self.checked, self.plan, self.words["reference"], choice
        )
        check = check_sheet(
            self.checked, names, self.plan, places, values, references, self.words,
            self._notes(references), choice,
        )  # fmt: skip
        judged = {
            tensor: (number, *_judged(values[tensor], references.of(tensor)[0]))
            for number, tensor in enumerate(self.checked)
        }
        front = overview_sheet.overview_sheet(
            self.front, self.origin, self.plan, self.layers, self.inputs, values,
            self.class_names, self.words, self.formulas, judged,
        )  # fmt: skip
        yield replace(front, tab_number=1)
        sheet = self.inputs.sheet
        shown = self._explained()
        flow = flow_sheet(self.flow, self.plan, values, self.words)
        tab = 2 + shown.tabs
        if self.learns is not None:
            from netsheet.write.excel.learn_sheet import learn_sheet

            learn = learn_sheet(self.learns, self.plan, values, self._true_label())
            yield replace(learn, tab_number=tab)
            tab += 1
        yield replace(flow, tab_number=tab)
        content = layer_sheet(sheet, self.plan, values, self.words, self.language)
        if self.vocabulary:
            named = list(token_inputs(self.model))
            put_words(
                content, self.inputs, named, self.plan.places, values, self.vocabulary, self.words
            )
        yield replace(content, tab_number=tab + 1)
        yield from self._sample_sheets(values)
        for sheet in self.plan.sheets:
            if sheet is not self.inputs.sheet:
                content = layer_sheet(sheet, self.plan, values, self.words, self.language)
                if sheet in self.layers:
                    shown.note_formulas(sheet, content)
                yield content
        yield from shown.sheets(values)
        if self.vocabulary:
            yield vocabulary_sheet(self.vocabulary, self.words)
        yield check
        yield stored
        yield cell_map_sheet(self.plan.sheets, self._extra(places), self.words)

    def _explained(self) -> Explaining:
        return Explaining(self.layers, self.plan, self.words)

    def _true_label(self) -> str | None:
        """The cell with the selected sample's class, where one is selected."""
        if self.inputs.choice is None:
            return None
        return SheetContent(self.words["overview"]).reference(*overview_sheet.TRUE_LABEL)

    def _choice(self) -> str | None:
        if self.inputs.choice is None:
            return None
        place = self.plan.places[self.inputs.choice]
        return SheetContent(place.sheet).reference(place.row, place.col)

    def _notes(self, references: ReferenceValues) -> list[str]:
        notes = [
            self.words["check about"].format(references.engine),
            self.words["check changed"],
        ]
        if references.samples < len(self.samples) and self.succession is None:
            notes.append(self.words["check first"].format(self.inputs.names[0]))
        return notes

    def _extra(self, places: Mapping[Tensor, Placement]) -> list[tuple[str, TensorBlock]]:
        """Rows of the Map beside those of the sheets: samples, references, the selection."""
        rows = [("", block) for block in self.inputs.tables]
        if self.inputs.choice is not None:
            place = self.plan.places[self.inputs.choice]
            rows.append(("", TensorBlock(self.inputs.choice, place, "selection", 0)))
        if self.steps is not None:
            rows += [("", block) for block in self.steps.blocks]
        for tensor, place in places.items():
            rows.append((tensor.name, TensorBlock(tensor, place, "reference", 0)))
        if self.learns is not None:
            rows += self.learns.blocks()
        return rows

    def _sample_sheets(self, values: Mapping[Tensor, FloatArray]) -> Iterator[SheetContent]:
        """The stored samples: one row each, name and label in front; the steps made of them."""
        if self.steps is not None:
            yield steps_sheet(self.steps, self.plan, self.inputs, values, self.words)
        names = dict.fromkeys(block.place.sheet for block in self.inputs.tables)
        if self.inputs.choice is not None:
            names = {self.inputs.samples: None} | names
        for name in names:
            if name == self.inputs.steps:
                continue
            result = SheetContent(name, tab="F59E0B", column_width=6.0)
            result.put(0, 0, self.words["samples"], looks.TITLE)
            result.heights[0] = 27
            if name == self.inputs.samples:
                _list_samples(result, self.inputs, self.words)
            for block in self.inputs.tables:
                if block.place.sheet == name:
                    result.put(block.title, block.place.col, block.tensor.name, looks.HEADING)
                    result.grids.append((numbers(block.place, values[block.tensor]), looks.PLAIN))
            yield result


def _list_samples(result: SheetContent, found: WorkbookInputs, words: Mapping[str, str]) -> None:
    result.widths.update({0: 6, 1: 26, 2: 12, 3: 3})
    for column, head in enumerate(("#", words["sample"], words["true label"])):
        result.put(SAMPLE_ROW - 1, column, head, looks.HEAD)
    for number, (name, label) in enumerate(zip(found.names, found.labels, strict=True)):
        result.put(SAMPLE_ROW + number, 0, number + 1, looks.PLAIN)
        result.put(SAMPLE_ROW + number, 1, name, looks.PLAIN)
        if label is not None:
            result.put(SAMPLE_ROW + number, 2, label, looks.PLAIN)
    result.frozen = (SAMPLE_ROW, SAMPLE_COL)


def _used_inputs(model: Network, nodes: Sequence[Node]) -> list[Tensor]:
    """The inputs that the written layers read."""
    read = {tensor for node in nodes for tensor in node.inputs}
    return [tensor for tensor in model.inputs if tensor in read]


def _shown(sheet: LayerSheet) -> list[Tensor]:
    return [block.tensor for block in sheet.blocks]


def _judged(values: FloatArray, reference: FloatArray) -> tuple[float, bool]:
    from netsheet.fidelity import judge

    verdict = judge("", values, reference)
    return verdict.max_abs, verdict.ok
