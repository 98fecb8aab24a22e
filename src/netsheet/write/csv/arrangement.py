"""A model's weights as a layout arranges them: what the CSV writer writes and the reader expects.

A :class:`Sheet` is one weight as rows of numbers with text lines between them. Rows are counted
over the whole weight; a *unit* is the longest run of rows with no text inside.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from netsheet.equations import Weight
from netsheet.equations.entry import with_scales
from netsheet.errors import FormatError
from netsheet.write.csv.feature_maps import feature_maps
from netsheet.write.csv.layout import Layout, Split, Table

if TYPE_CHECKING:
    from netsheet.layer import Layer, Signature
    from netsheet.nodes import Node

Array = npt.NDArray[Any]

TAILS = 1 << 16  # texts of one weight that are kept while it is written


class Weighted(Protocol):
    """What a layout needs of a model."""

    @property
    def name(self) -> str: ...

    @property
    def layers(self) -> dict[str, Layer]: ...

    @property
    def nodes(self) -> list[Node]: ...


@dataclass(frozen=True)
class Stencil:
    """Text with gaps for positions along axes: ``pieces[0]``, index[picks[0]], ``pieces[1]`` ..."""

    pieces: tuple[str, ...] = ("",)
    picks: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return self != Stencil()

    def __add__(self, other: Stencil) -> Stencil:
        joint = self.pieces[-1] + other.pieces[0]
        pieces = (*self.pieces[:-1], joint, *other.pieces[1:])
        return Stencil(pieces, self.picks + other.picks)

    def fill(self, index: Sequence[int] = ()) -> bytes:
        """The text at one index of the axes."""
        parts = [self.pieces[0]]
        for pick, piece in zip(self.picks, self.pieces[1:], strict=True):
            parts += (str(index[pick]), piece)
        return "".join(parts).encode()

    def fills(self, shape: Sequence[int]) -> Iterator[bytes]:
        """The texts at all indices of axes of this shape, in C order."""
        outer = len(shape)
        while outer and math.prod(shape[outer - 1 :]) <= TAILS:
            outer -= 1
        if list(self.picks) != sorted(self.picks):
            outer = 0
        # The end of the text depends on the inner axes only: made once, used for all outer ones.
        cut = sum(pick < outer for pick in self.picks)
        head = Stencil((*self.pieces[:cut], self.pieces[cut]), self.picks[:cut])
        tail = Stencil(("", *self.pieces[cut + 1 :]), self.picks[cut:])
        inner = itertools.product(*(range(size) for size in shape[outer:]))
        if outer == 0:
            return map((head + tail).fill, inner)
        tails = [tail.fill((*(0,) * outer, *index)) for index in inner]
        heads = map(head.fill, itertools.product(*(range(size) for size in shape[:outer])))
        return itertools.chain.from_iterable(map(text.__add__, tails) for text in heads)


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
    before: bytes
    block_before: Stencil
    block_after: Stencil
    row: Stencil
    split: Split | None
    split_text: bytes
    after: bytes

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

    def texts(self) -> Iterator[bytes]:
        """The text in front of each unit, in order."""
        unit = self.unit_rows
        texts: Iterator[bytes] | None = None
        if self.row:
            texts = self.row.fills(self.row_shape)
        if self.block_before or self.block_after:
            texts = _in_front(texts, self._block_texts(), self.block_rows // unit)
        if self.split:
            splits = self._split_texts(self.split)
            texts = _in_front(texts, splits, self._split_rows(self.split) // unit)
        return itertools.repeat(b"") if texts is None else texts

    def _block_texts(self) -> Iterator[bytes]:
        """What stands between each block and the one before it."""
        shape = self.values.shape[: self.blocks]
        before = self.block_before.fills(shape)
        if not self.block_after:
            return before
        behind = itertools.chain([b""], self.block_after.fills(shape))
        return map(operator.add, behind, before)

    def _split_texts(self, split: Split) -> Iterator[bytes]:
        """What stands in front of each position along the axis of the split."""
        axis = self.axes.index(split.axis)
        for _ in range(math.prod(self.row_shape[:axis])):
            for position in range(self.row_shape[axis]):
                yield self.split_text if position and position % split.every == 0 else b""

    @property
    def end(self) -> bytes:
        """The text behind the last row."""
        return self.block_after.fill([size - 1 for size in self.values.shape]) + self.after

    def restore(self, table: Array) -> Array:
        """Rows and columns of numbers as the weight's own array."""
        arranged = table.reshape(self.values.shape)
        return arranged.transpose(np.argsort(self.order)).reshape(self.weight.values.shape)


@dataclass(frozen=True, eq=False)
class Page:
    """What one file holds; ``layer`` names it where every layer has its own."""

    layer: str | None
    head: bytes
    sheets: tuple[Sheet, ...]
    tail: bytes


def pages(model: Weighted, layout: Layout, newline: str = "\r\n") -> list[Page]:
    """Every file that the layout makes of the model's weights.

    Raises:
        FormatError: the layout has no table that fits one of the weights.
    """
    maps = feature_maps(model.nodes)
    arranged = [
        _arranged(layer, label, weight, layout, maps.get(layer))
        for layer in model.layers.values()
        for label, weight in with_scales(layer.weights)
    ]
    names = [axis for one in arranged for axis in one.axes]
    fields = {"model": [_one_line(model.name)], "all_axes": list(dict.fromkeys(names))}
    writer = _Writer(layout, fields, newline)
    head, tail = (writer.lines(lines).fill() for lines in (layout.head, layout.tail))
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


def _arranged(
    layer: Layer, label: str, weight: Weight, layout: Layout, flattened: Signature | None
) -> _Arranged:
    values, axes = weight.values, weight.axes
    if (
        layout.unflatten
        and flattened is not None
        and axes[:1] == ("in",)
        and len(axes) == 2
        and math.prod(n or 0 for n in flattened.shape) == values.shape[0]
    ):
        values = values.reshape(*(n or 0 for n in flattened.shape), values.shape[1])
        axes = (*flattened.axes, axes[1])
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
            "layer": [_one_line(one.layer.name)],
            "weight": [_one_line(one.label)],
            "name": [_one_line(one.weight.name)],
            "type": [one.layer.type],
            "shape": ["x".join(str(size) for size in values.shape) or "1"],
            "axes": [_axes(one)],
        }
        table, blocks, rows = one.table, one.blocks, one.blocks + one.down
        row = Stencil()
        if table.row:
            row = self._line(table.row, fields, rows) + Stencil((self.layout.delimiter,))
        return Sheet(
            weight=one.weight,
            values=values,
            blocks=len(blocks),
            down=len(one.down),
            across=len(one.across),
            axes=one.axes,
            order=order,
            before=self.lines(table.before, fields).fill(),
            block_before=self.lines(table.block_before if blocks else (), fields, blocks),
            block_after=self.lines(table.block_after if blocks else (), fields, blocks),
            row=row,
            split=table.split,
            split_text=self.lines(table.split.lines, fields).fill() if table.split else b"",
            after=self.lines(table.after, fields).fill(),
        )

    def lines(
        self,
        lines: Sequence[str],
        fields: dict[str, list[str]] | None = None,
        indexed: Sequence[str] = (),
    ) -> Stencil:
        """Lines with their ends; the axes ``indexed`` have a position there."""
        made = Stencil()
        for line in lines:
            made += self._line(line, fields or self.fields, indexed) + Stencil((self.newline,))
        return made

    def _line(self, line: str, fields: dict[str, list[str]], indexed: Sequence[str]) -> Stencil:
        gap = {axis: Stencil(("", ""), (at,)) for at, axis in enumerate(indexed)}
        cells: list[Stencil] = []
        for template in line.split(self.layout.separator):
            if template == "{block}":
                cells += [Stencil((f"{axis} ",)) + gap[axis] for axis in indexed]
            elif template == "{places}":
                cells += [gap.get(axis, Stencil()) for axis in fields["all_axes"]]
            elif template == "{all_axes}":
                cells += [Stencil((axis,)) for axis in fields["all_axes"]]
            else:
                cells.append(_cell(template, fields, gap))
        made = Stencil()
        for number, cell in enumerate(cells):
            made += Stencil((self.layout.delimiter if number else "",)) + self._quoted(cell)
        return made

    def _quoted(self, cell: Stencil) -> Stencil:
        text = "".join(cell.pieces)
        if not any(mark in text for mark in (self.layout.delimiter, '"', "\r", "\n")):
            return cell
        pieces = tuple(piece.replace('"', '""') for piece in cell.pieces)
        return Stencil(('"',)) + Stencil(pieces, cell.picks) + Stencil(('"',))


def _cell(template: str, fields: dict[str, list[str]], gap: dict[str, Stencil]) -> Stencil:
    made = Stencil()
    for text, name, _, _ in Formatter().parse(template):
        made += Stencil((text,))
        if name in fields:
            made += Stencil((fields[name][0],))
        elif name in gap:
            made += gap[name]
    return made


def _in_front(texts: Iterator[bytes] | None, others: Iterator[bytes], step: int) -> Iterator[bytes]:
    """``texts`` with the next of ``others`` in front of every ``step``-th, from the first on."""
    if texts is None:
        if step == 1:
            return others
        texts = itertools.repeat(b"")
    return _interleaved(texts, others, step)


def _interleaved(texts: Iterator[bytes], others: Iterator[bytes], step: int) -> Iterator[bytes]:
    for other in others:
        yield other + next(texts)
        yield from itertools.islice(texts, step - 1)


def _one_line(name: str) -> str:
    """A name from a file, without line ends and the like."""
    return "".join(letter if letter.isprintable() else " " for letter in name)


def _axes(one: _Arranged) -> str:
    """The names of the axes as arranged; behind the one that holds gates, these: ``out (i f)``."""
    gates = one.layer.gates_of(one.label)
    last = one.stored_axes[-1] if one.stored_axes else ""
    divided = bool(gates) and one.values.shape[-1] % len(gates) == 0
    return " ".join(
        f"{axis} ({' '.join(gates)})" if divided and axis == last else axis for axis in one.axes
    )
