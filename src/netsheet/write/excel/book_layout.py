"""Which tensor stands where: sheets, blocks in them, arrangements; before any cell is written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netsheet.equations import (
    Equation,
    Expr,
    Gather,
    Index,
    Read,
    Reduce,
    Tensor,
    Weight,
    factors,
    free_indices,
    reads,
    walk,
)
from netsheet.write.excel import arrangements, weight_windows
from netsheet.write.excel.computed_guards import with_conditions
from netsheet.write.excel.formula_writer import FormulaFamily
from netsheet.write.excel.local_copies import with_copies
from netsheet.write.excel.partial_sums import split
from netsheet.write.excel.placement import Placement
from netsheet.write.excel.real_values import RealValues, weight_scales
from netsheet.write.excel.sheet_names import sheet_names
from netsheet.write.excel.turned_kernels import with_turned

if TYPE_CHECKING:
    from netsheet.network import Network, Node

AUTO = "auto"
ARRANGEMENTS = (AUTO, arrangements.PLANES, arrangements.INTERLEAVED)
MOST_PLANES = 150  # up to so many are summed up in one formula; more are interleaved
FEW_CHANNELS = 8  # the same where the workbook would become too large
LARGE = 1_100_000  # formula cells of planes, about 20 MB of a file
LONG_VECTOR = 16  # a longer flattened map runs down, as the rows of a Dense kernel do
MAX_STATED = 12  # equations shown above the blocks
SHELF = 66  # columns that blocks side by side may take
LONG_HEADING = 13  # columns of four characters for a single number and what it means
MARGIN = 1  # columns left of the blocks, for labels
HEAD_FIRST = 60  # rows of weights that may stand above the outputs

OUTPUT, STEP, HELPER, WEIGHT, INPUT, RAW = "output", "step", "helper", "weight", "input", "raw"
COPY, GRADIENT, NEW, PASSAGE, GIVEN = "copy", "gradient", "new", "passage", "given"
REAL = "real"  # what whole numbers stand for
TOKENS = "tokens"  # an input of whole numbers that name something


@dataclass(frozen=True, eq=False)
class TensorBlock:
    """A tensor on a sheet; ``title`` is the row of its heading."""

    tensor: Tensor
    place: Placement
    role: str
    title: int


@dataclass(eq=False)
class LayerSheet:
    """The blocks of one layer (or of the inputs), and the equations printed in them.

    ``title`` and ``about`` stand on top where there is no node to take them from; ``colour`` is
    that of the tab. Where a network is computed for several inputs one after another, ``nodes`` are
    the layer's calls, the first one included, and ``begins`` says with which tensor each begins.
    """

    name: str
    node: Node | None
    title: str = ""
    about: str = ""
    colour: str | None = None
    nodes: Sequence[Node] = ()
    begins: dict[Tensor, int] = field(default_factory=dict)
    stated: list[Equation] = field(default_factory=list)  # as the layer says them
    said: int | None = None  # of these, so many at the front are listed; None: all
    repeats: bool = False  # what other sheets say already: the equations are not listed again
    equations: list[Equation] = field(default_factory=list)  # as the cells compute them
    blocks: list[TensorBlock] = field(default_factory=list)

    @property
    def listed(self) -> list[Equation]:
        """The equations that are listed above the blocks."""
        return [] if self.repeats else self.stated[: self.said]

    @property
    def rows(self) -> int:
        """Rows from the top to the last block."""
        return max((block.place.area.bottom + 1 for block in self.blocks), default=1)

    @property
    def columns(self) -> int:
        """Columns from the left to the widest block."""
        return max((block.place.area.right + 1 for block in self.blocks), default=1)


class BookLayout:
    """Sheets in order, and the place of every tensor and weight."""

    def __init__(self, arrangement: str = AUTO, real: RealValues | None = None) -> None:
        self.arrangement = arrangement
        self.real = real or RealValues()
        self.places: dict[Tensor, Placement] = {}
        self.sheets: list[LayerSheet] = []  # as their tabs follow each other
        self.computed: list[LayerSheet] = []  # in the order of computation
        # formulas that were written while their equations were laid out, until a sheet takes them
        self.families: dict[Equation, list[FormulaFamily]] = {}

    def equations(self) -> list[Equation]:
        """Everything that is computed, in order."""
        return [eq for sheet in self.computed for eq in sheet.equations]

    def add_layers(
        self, stated: Sequence[tuple[Node, list[Equation]]], taken: list[str], times: int = 1
    ) -> None:
        """A sheet for each node, in order; with all of them ``times`` over, one for each layer."""
        count = len(stated) // times
        names = sheet_names([node.key for node, _ in stated[:count]], taken)
        for number, name in enumerate(names):
            calls = stated[number::count]
            node, first = calls[0]
            sheet = LayerSheet(name, node, nodes=[node for node, _ in calls])
            sheet.stated = [eq for _, equations in calls for eq in equations]
            if times > 1:
                sheet.said = len(first)
                sheet.begins = {
                    equations[0].target: number for number, (_, equations) in enumerate(calls)
                    if equations
                }  # fmt: skip
            self._add_layer(sheet)

    def arrange(self, tensors: Iterable[Tensor], equations: Sequence[Equation]) -> None:
        """Choose the arrangement of every tensor, without a place yet."""
        large = sum(tensor.size for tensor in {eq.target for eq in equations}) > LARGE
        most = FEW_CHANNELS if large else MOST_PLANES
        wanted = _interleaved(equations, most) if self.arrangement == AUTO else set()
        for tensor in tensors:
            interleave = tensor in wanted or self.arrangement == arrangements.INTERLEAVED
            self.places[tensor] = arrangements.default(tensor, interleave, arrangements.COLUMN)
        filled: dict[Tensor, Equation] = {}
        for eq in equations:
            filled.setdefault(eq.target, eq)
        for tensor, eq in filled.items():
            if tensor in self.places:
                continue
            interleave = tensor in wanted or self.arrangement == arrangements.INTERLEAVED
            direction = self._direction(eq) if len(tensor.shape) == 1 else arrangements.COLUMN
            self.places[tensor] = arrangements.default(tensor, interleave, direction)
        for eq in equations:
            self._turn(eq, filled)

    def _direction(self, eq: Equation) -> str:
        """Whether a vector runs right or down: as what it is made from, or across a kernel."""
        index = next(iter(eq.at[0].indices()), None)
        known = [read for read in reads(eq.value) if not isinstance(read.tensor, Weight)]
        for read in known:
            steps = [axis.step() for axis in self.places[read.tensor].axes]
            alike = [s for at, s in zip(read.at, steps, strict=True) if at.single() is index]
            for step in alike:
                if step in ((0, 1), (1, 0)):
                    return arrangements.ROW if step == (0, 1) else arrangements.COLUMN
            if len(steps) == 1 and steps[0] in ((0, 1), (1, 0)):
                return arrangements.COLUMN if steps[0] == (0, 1) else arrangements.ROW
        return arrangements.COLUMN if known and eq.target.size > LONG_VECTOR else arrangements.ROW

    def _turn(self, eq: Equation, filled: Mapping[Tensor, Equation]) -> None:
        """Turn an intermediate matrix round where that lets it meet its partner in rectangles."""
        for node in walk(eq.value):
            if not isinstance(node, Reduce) or node.op != "sum" or len(node.over) != 1:
                continue
            pair = [factor for factor in factors(node.body) if isinstance(factor, Read)]
            if len(pair) != 2 or any(isinstance(read.tensor, Weight) for read in pair):
                continue
            ways = [self._way(read, node.over[0]) for read in pair]
            if None in ways or (0, 0) in ways or ways[0] == ways[1]:
                continue
            for read, other in ((pair[1], pair[0]), (pair[0], pair[1])):
                inner = read.tensor in filled and "/" in read.tensor.name
                if inner and self._way(other, node.over[0]) == (0, 1):
                    across = [node.over[0] in at.indices() for at in read.at].index(True)
                    self.places[read.tensor] = arrangements.turned(read.tensor, across)
                    break

    def _way(self, read: Read, index: Index) -> tuple[int, int] | None:
        return weight_windows.step_of(read, self.places[read.tensor], index)

    def _add_layer(self, sheet: LayerSheet) -> None:
        """Lay out a layer's weights, steps and outputs."""
        outputs = list(dict.fromkeys(eq.target for eq in sheet.stated))
        weights = [weight for weight in weights_of(sheet.stated) if weight not in self.places]
        for weight in weights:
            self.places[weight] = weight_windows.fitted(weight, sheet.stated, self.places)
        scales = weight_scales(weights)
        for weight in scales:
            self.places[weight] = arrangements.default(weight, False, arrangements.ROW)
        keys = {tensor for node in sheet.nodes for tensor in node.outputs}
        roles = dict.fromkeys(keys, OUTPUT) | {
            real: REAL for tensor, real in self.real.of.items() if tensor in keys
        }
        self.add_sheet(
            sheet,
            [(weight, WEIGHT) for weight in (*weights, *scales)],
            [(tensor, roles.get(tensor, STEP)) for tensor in outputs],
        )

    def add_sheet(
        self,
        sheet: LayerSheet,
        first: Sequence[tuple[Tensor, str]],
        second: Sequence[tuple[Tensor, str]],
    ) -> None:
        """Put the blocks on a sheet, the second ones on top where the first ones are large.

        Every tensor has its arrangement. Kernels that have to be turned and maps that are better
        copied get blocks of their own, equations that do not fit into cells helper blocks.
        """
        turned = with_turned(with_conditions(sheet.stated), self.places, sheet.name)
        self.places.update(turned.placements)
        local = with_copies(turned.equations, self.places, sheet.name)
        self.places.update(local.placements)
        if sum(self.places[tensor].height + 3 for tensor, _ in first) > HEAD_FIRST:
            first, second = second, first
        row = layer_head(sheet.listed)
        made = (*turned.placements, *local.placements)
        for tensor, role in (*first, *second, *((copy, COPY) for copy in made)):
            row = self.put(sheet, tensor, role, row)
        for eq in local.equations:
            fitting = split(eq, self.places)
            sheet.equations += fitting.equations
            if fitting.families is not None:
                self.families[eq] = fitting.families
            for tensor, place in fitting.helpers.items():
                self.places[tensor] = place
                row = self.put(sheet, tensor, HELPER, row)
        self.sheets.append(sheet)
        self.computed.append(sheet)

    def put(self, sheet: LayerSheet, tensor: Tensor, role: str, row: int) -> int:
        """Place a tensor at ``row``, or beside the block before if both are alike and narrow.

        A heading, labels, then its cells. Returns the next free row.
        """
        place, column = self.places[tensor], MARGIN
        if tensor in sheet.begins:
            row += 1  # for what is said of the call that begins here
        elif sheet.blocks:
            last = sheet.blocks[-1]
            beside = last.place.col + max(last.place.width, heading_columns(last.tensor)) + 2
            alike = last.place.height == place.height > 1
            if self.real.of and last.tensor.size == tensor.size == 1:
                alike, beside = True, last.place.col + LONG_HEADING
            if alike and beside + max(place.width, heading_columns(tensor)) <= SHELF:
                row, column = last.title, beside
        place = place.moved(sheet.name, row + 2, column)
        self.places[tensor] = place
        sheet.blocks.append(TensorBlock(tensor, place, role, row))
        return place.area.bottom + 2


def heading_columns(tensor: Tensor) -> int:
    """Columns of four characters that the heading of a block takes."""
    name = (tensor.label or tensor.name) if isinstance(tensor, Weight) else tensor.name
    axes = sum(len(axis) + len(str(size)) + 4 for axis, size in _axes(tensor))
    return math.ceil((len(name) + axes + 14) / 4)


def _axes(tensor: Tensor) -> list[tuple[str, int]]:
    return list(zip(tensor.axes, tensor.shape, strict=True))


def layer_head(equations: Sequence[Equation]) -> int:
    """Rows above the first block: title, kind, links, and two lines for each equation shown."""
    return 4 + 2 * min(len(equations), MAX_STATED) + (len(equations) > MAX_STATED)


def weights_of(equations: Iterable[Equation]) -> list[Weight]:
    """Every weight that equations read, once, in order of appearance."""
    found: dict[Weight, None] = {}
    for eq in equations:
        for read in _all_reads(eq):
            if isinstance(read.tensor, Weight):
                found[read.tensor] = None
    return list(found)


def _all_reads(eq: Equation) -> Iterator[Read]:
    yield from reads(eq.value)
    for at in eq.at:
        for _, atom in at.terms:
            if isinstance(atom, Gather):
                yield from reads(atom.value)


def _interleaved(equations: Sequence[Equation], most: int) -> set[Tensor]:
    """The tensors whose many channels are summed up, and those that only lead to them."""
    wanted: set[Tensor] = set()
    for eq in reversed(equations):
        for node in walk(eq.value):
            if isinstance(node, Reduce) and node.op == "sum":
                wanted |= set(_summed(node, most))
        if eq.target in wanted and not any(isinstance(node, Reduce) for node in walk(eq.value)):
            wanted |= {
                read.tensor
                for read in reads(eq.value)
                if not isinstance(read.tensor, Weight) and len(read.tensor.shape) >= 3
            }
    return wanted


def _summed(node: Reduce, most: int) -> Iterator[Tensor]:
    """The tensors of which a sum of products runs over many planes."""
    parts = _products(node.body)
    if len(parts) < 2:
        return
    for read in parts:
        channel = arrangements.channel_axis(read.tensor)
        if channel is None or isinstance(read.tensor, Weight):
            continue
        indices = set(node.over) & set(read.at[channel].indices())
        if indices and max(index.size for index in indices) > most:
            yield read.tensor


def _products(body: Expr) -> list[Read]:
    return [factor for factor in factors(body) if isinstance(factor, Read) and free_indices(factor)]


def stated_equations(model: Network) -> list[tuple[Node, list[Equation]]]:
    """The computed nodes, each with its equations (whose intermediates are made once here)."""
    return [(node, model.node_equations(node)) for node in model.computed()]
