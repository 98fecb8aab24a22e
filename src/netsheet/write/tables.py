"""A model's weights as a layout arranges them: what the CSV writer writes and the reader expects.

A :class:`Sheet` is one weight as rows of numbers with text lines between them. Rows are counted
over the whole weight; a *unit* is the longest run of rows with no text inside.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from netsheet.errors import FormatError
from netsheet.expr import Weight
from netsheet.write.layout import Layout, Split, Table

if TYPE_CHECKING:
    from netsheet.layers.base import Layer

Array = npt.NDArray[Any]


class Weighted(Protocol):
    """What a layout needs of a model."""

    @property
    def name(self) -> str: ...

    @property
    def layers(self) -> dict[str, Layer]: ...


@dataclass(frozen=True)
class Stencil:
    """Text with places for positions along some axes; ``picks`` are their numbers in an index."""

    text: str
    picks: tuple[int, ...] = ()

    def fill(self, index: Sequence[int]) -> str:
        """The text at one index of the axes."""
        return self.text % tuple(index[pick] for pick in self.picks)

    def __bool__(self) -> bool:
        return bool(self.text)


@dataclass(frozen=True, eq=False)
class Sheet:
    """One weight, its axes in the order blocks, down, across (``values`` is a view).

    Texts end with the line end, except ``row``, which ends with the separator.
    """

    weight: Weight
    values: Array
    blocks: int  # how many axes are blocks, down and across
    down: int
    across: int
    axes: tuple[str, ...]
    order: tuple[int, ...]  # where the axes stand in the (un-flattened) stored order
    before: str
    block_before: Stencil
    block_after: Stencil
    row: Stencil
    split: Split | None
    split_text: str
    after: str

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Sizes of the axes that are counted by rows: blocks and down."""
        return self.values.shape[: self.blocks + self.down]

    @property
    def rows(self) -> int:
        """How many rows of numbers there are; none where there are no numbers."""
        return math.prod(self.row_shape) if self.values.size else 0

    @property
    def columns(self) -> int:
        """How many numbers a row has."""
        return math.prod(self.values.shape[self.blocks + self.down :])

    @property
    def block_rows(self) -> int:
        """Rows in a block."""
        return math.prod(self.values.shape[self.blocks : self.blocks + self.down])

    @property
    def unit_rows(self) -> int:
        """Rows that follow each other without text between them."""
        candidates = [self.rows]
        if self.row:
            candidates.append(1)
        if self.block_before or self.block_after:
            candidates.append(self.block_rows)
        if self.split:
            candidates.append(self._split_rows(self.split))
        return max(1, min(candidates))  # each divides the next larger: products of last sizes

    def _split_rows(self, split: Split) -> int:
        """Rows between one position along the axis of the split and the next."""
        return math.prod(self.row_shape[self.axes.index(split.axis) + 1 :])

    def texts(self, first: int, count: int) -> list[str]:
        """The text in front of each of ``count`` units, from unit ``first`` on."""
        unit = self.unit_rows
        indices = itertools.islice(
            _indices(self.row_shape, first * unit), 0, (count - 1) * unit + 1, unit
        )
        texts = [self.row.fill(index) for index in indices] if self.row else [""] * count
        if self.block_before or self.block_after:
            step = self.block_rows // unit
            for at in range(-first % step, count, step):
                texts[at] = self._block_text((first + at) // step) + texts[at]
        if self.split:
            self._add_splits(self.split, texts, first)
        return texts

    def _block_text(self, block: int) -> str:
        """What stands between the block before and this one."""
        shape = self.values.shape[: self.blocks]
        index = np.unravel_index(block, shape)
        text = self.block_before.fill([int(i) for i in index])
        if block:
            text = (
                self.block_after.fill([int(i) for i in np.unravel_index(block - 1, shape)]) + text
            )
        return text

    def _add_splits(self, split: Split, texts: list[str], first: int) -> None:
        each = self._split_rows(split) // self.unit_rows
        size = self.values.shape[self.axes.index(split.axis)]
        for at in range(-first % each, len(texts), each):
            position = (first + at) // each % size
            if position and position % split.every == 0:
                texts[at] = self.split_text + texts[at]

    @property
    def end(self) -> str:
        """The text behind the last row."""
        shape = self.values.shape[: self.blocks]
        last = self.block_after.fill([size - 1 for size in shape])
        return last + self.after

    def restore(self, table: Array) -> Array:
        """Rows and columns of numbers as the weight's own array."""
        arranged = table.reshape(self.values.shape)
        return arranged.transpose(np.argsort(self.order)).reshape(self.weight.values.shape)


@dataclass(frozen=True, eq=False)
class Page:
    """What one file holds; ``layer`` names it where every layer has its own."""

    layer: str | None
    head: str
    sheets: tuple[Sheet, ...]
    tail: str


def pages(model: Weighted, layout: Layout, newline: str = "\r\n") -> list[Page]:
    """Every file that the layout makes of the model's weights.

    Raises:
        FormatError: the layout has no table that fits one of the weights.
    """
    arranged = [
        _arranged(layer, label, weight, layout)
        for layer in model.layers.values()
        for label, weight in layer.weights.items()
    ]
    names = [axis for one in arranged for axis in one.axes]
    fields = {"model": [model.name], "all_axes": list(dict.fromkeys(names))}
    writer = _Writer(layout, fields, newline)
    head, tail = (writer.lines(lines).fill(()) for lines in (layout.head, layout.tail))
    sheets = [(one.layer, writer.sheet(one)) for one in arranged]
    if layout.files == "one":
        return [Page(None, head, tuple(sheet for _, sheet in sheets), tail)]
    return [
        Page(layer.name, head, tuple(sheet for _, sheet in group), tail)
        for layer, group in itertools.groupby(sheets, key=lambda pair: pair[0])
    ]


def page_path(target: Path, page: Page, taken: set[str]) -> Path:
    """Where a page goes: ``target`` itself, or ``<target>-<layer>.csv`` beside it.

    A layer's name comes from an untrusted file: only letters, digits, ``_`` and ``.`` stay.
    """
    if page.layer is None:
        return target
    plain = "".join(c if c.isalnum() or c in "_-." else "_" for c in page.layer)[:80]
    name = plain
    for number in itertools.count(2):
        if name.lower() not in taken:
            break
        name = f"{plain}_{number}"
    taken.add(name.lower())
    return target.with_name(f"{target.stem}-{name}{target.suffix or '.csv'}")


@dataclass(frozen=True, eq=False)
class _Arranged:
    """A weight and the table of the layout that fits it."""

    layer: Layer
    label: str
    weight: Weight
    table: Table
    values: Array
    stored_axes: tuple[str, ...]
    blocks: tuple[str, ...]
    down: tuple[str, ...]
    across: tuple[str, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        return self.blocks + self.down + self.across


def _arranged(layer: Layer, label: str, weight: Weight, layout: Layout) -> _Arranged:
    values, axes = weight.values, weight.axes
    flattened = layer.flattened
    if (
        layout.unflatten
        and flattened is not None
        and axes[:1] == ("in",)
        and len(axes) == 2
        and math.prod(flattened[1]) == values.shape[0]
    ):
        values = values.reshape(*flattened[1], values.shape[1])
        axes = (*flattened[0], axes[1])
    ordered = axes
    if layout.order == "channels-first":
        ordered = Weight(weight.name, axes, values.shape).channels_first_axes
    for table in layout.tables:
        found = table.arrange(ordered) if table.fits(label, layer.type) else None
        if found is not None and (not table.split or table.split.axis in found[0] + found[1]):
            return _Arranged(layer, label, weight, table, values, axes, *found)
    raise FormatError(
        f"layout {layout.name}: no [[table]] fits {weight.name} of layer type {layer.type} with "
        f'the axes {", ".join(ordered)}; add one with down = "*" and across = "last" at the end.'
    )


class _Writer:
    """Fills the templates of one layout."""

    def __init__(self, layout: Layout, fields: dict[str, list[str]], newline: str) -> None:
        self.layout = layout
        self.fields = fields
        self.newline = newline

    def sheet(self, one: _Arranged) -> Sheet:
        order = tuple(one.stored_axes.index(axis) for axis in one.axes)
        values = one.values.transpose(order)
        fields = self.fields | {
            "layer": [one.layer.name],
            "weight": [one.label],
            "name": [one.weight.name],
            "type": [one.layer.type],
            "shape": ["x".join(str(size) for size in values.shape) or "1"],
            "axes": [" ".join(one.axes)],
        }
        table, blocks, rows = one.table, one.blocks, one.blocks + one.down
        row = self._line(table.row, fields, rows, rows)
        separator = self.layout.separator if table.row and one.values.size else ""
        return Sheet(
            weight=one.weight,
            values=values,
            blocks=len(blocks),
            down=len(one.down),
            across=len(one.across),
            axes=one.axes,
            order=order,
            before=self.lines(table.before, fields).fill(()),
            block_before=self.lines(table.block_before if blocks else (), fields, blocks, rows),
            block_after=self.lines(table.block_after if blocks else (), fields, blocks, rows),
            row=Stencil(row.text + separator, row.picks),
            split=table.split,
            split_text=self.lines(table.split.lines, fields).fill(()) if table.split else "",
            after=self.lines(table.after, fields).fill(()),
        )

    def lines(
        self,
        lines: Sequence[str],
        fields: dict[str, list[str]] | None = None,
        indexed: Sequence[str] = (),
        rows: Sequence[str] = (),
    ) -> Stencil:
        """Lines with their ends; ``indexed`` axes have a position there, ``rows`` may have."""
        made = [self._line(line, fields or self.fields, indexed, rows) for line in lines]
        text = "".join(stencil.text + self.newline for stencil in made)
        return Stencil(text, tuple(pick for stencil in made for pick in stencil.picks))

    def _line(
        self,
        line: str,
        fields: dict[str, list[str]],
        indexed: Sequence[str],
        rows: Sequence[str],
    ) -> Stencil:
        cells: list[str] = []
        picks: list[int] = []
        for template in line.split(self.layout.separator):
            if template == "{block}":
                cells += [f"{_escaped(axis)} %d" for axis in indexed]
                picks += range(len(indexed))
            elif template == "{places}":
                for axis in fields["all_axes"]:
                    cells.append("%d" if axis in indexed else "")
                    picks += [indexed.index(axis)] if axis in indexed else []
            elif template == "{all_axes}":
                cells += [self._quoted(_escaped(axis)) for axis in fields["all_axes"]]
            else:
                text, found = _cell(template, fields, indexed)
                cells.append(self._quoted(text))
                picks += found
        return Stencil(self.layout.separator.join(cells), tuple(picks))

    def _quoted(self, cell: str) -> str:
        if any(mark in cell for mark in (self.layout.separator, '"', "\r", "\n")):
            return '"' + cell.replace('"', '""') + '"'
        return cell


def _cell(
    template: str, fields: dict[str, list[str]], indexed: Sequence[str]
) -> tuple[str, list[int]]:
    """A cell's text with ``%d`` for the positions, and which positions they are."""
    parts: list[str] = []
    picks: list[int] = []
    for text, name, _, _ in Formatter().parse(template):
        parts.append(_escaped(text))
        if name is None:
            continue
        if name in fields:
            parts.append(_escaped(fields[name][0]))
        elif name in indexed:
            parts.append("%d")
            picks.append(indexed.index(name))
    return "".join(parts), picks


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _indices(shape: Sequence[int], first: int) -> Iterator[tuple[int, ...]]:
    """The indices of an array of this shape in C order, from number ``first`` on."""
    if not shape:
        yield ()
        return
    inner = math.prod(shape[1:])
    start = first // inner if inner else 0
    skip = first - start * inner
    for i in range(start, shape[0]):
        for rest in _indices(shape[1:], skip):
            yield (i, *rest)
        skip = 0
