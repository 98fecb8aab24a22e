"""The loop IR, all of it on this page: what every target that runs in loops prints.

A program is a list of functions over buffers, called one after the other. A function is loops and
statements over the elements of its buffers; an offset counts elements from a buffer's first one.
Values have a dtype; positions are integers. Nothing here knows a language: C and JavaScript print
the same nodes, and :mod:`netsheet.loops.interpret` runs them.

Names are identifiers of letters, digits and underscores, distinct within a function (buffers:
within a program), and no word of the languages that are printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netsheet.loops.products.row_function import RowFunction, RowGeometry
from netsheet.loops.products.tile_shape import TileShape

FLOAT = "float32"
INT = "int"  # of a position; whole numbers in memory are of int8, uint8, int16 or int32
WHOLE = "int32"  # in which whole numbers are computed
NARROW = ("int8", "uint8", "int16")  # which become int32 when they are loaded


# --------------------------------------------------------------------------- memory


@dataclass(frozen=True, eq=False)
class Buffer:
    """``size`` elements of one dtype.

    ``place``: ``input`` and ``output`` are given by the caller, ``arena`` lies at ``start`` (in
    words of four bytes) of the memory that all activations share, ``constant`` has its values in
    ``values``, ``local`` is a variable of the block that declares it.
    """

    name: str
    size: int
    dtype: str = FLOAT
    place: str = "arena"
    start: int = 0
    values: npt.NDArray[Any] | None = field(default=None, repr=False)
    note: str = ""  # what it is, for people

    @property
    def bytes(self) -> int:
        """How many bytes it takes."""
        return self.size * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, eq=False)
class Pointer:
    """A place in a buffer, from which offsets count.

    As a statement it gives the place its name; without a name it is only an operand.
    """

    name: str
    buffer: Buffer | Pointer
    offset: Integer


@dataclass(frozen=True)
class EitherPointer:
    """One of two places, by a test."""

    test: Test
    then: Pointer | None
    otherwise: Pointer | None


@dataclass(frozen=True)
class PositionTable:
    """Fixed positions, looked up by position (nearest-neighbour resizing)."""

    name: str
    values: tuple[int, ...]


# --------------------------------------------------------------------------- positions


@dataclass(frozen=True)
class Variable:
    """What a Let or a For has named."""

    name: str
    dtype: str = INT


@dataclass(frozen=True)
class Combination:
    """``sum(factor * term) + const``; see :func:`plus`."""

    terms: tuple[tuple[int, Integer], ...]
    const: int


@dataclass(frozen=True)
class FloorDivide:
    """``value / divisor`` rounded down, ``divisor > 0``; ``positive``: the value is never < 0."""

    value: Integer
    divisor: int
    positive: bool = False


@dataclass(frozen=True)
class Modulo:
    """``value mod divisor``, never negative; ``positive``: the value is never negative."""

    value: Integer
    divisor: int
    positive: bool = False


@dataclass(frozen=True)
class Least:
    """The smaller of two positions."""

    left: Integer
    right: Integer


@dataclass(frozen=True)
class Greatest:
    """The larger of two positions."""

    left: Integer
    right: Integer


@dataclass(frozen=True)
class Times:
    """The product of positions (how many points a mean is over)."""

    parts: tuple[Integer, ...]


@dataclass(frozen=True)
class TableEntry:
    """``table[position]``."""

    table: PositionTable
    position: Integer


@dataclass(frozen=True)
class PositionOf:
    """A computed value as a position, cut to a whole number inside 0 .. size - 1 (Embedding).

    ``dtype`` is the value's.
    """

    value: Scalar
    size: int
    dtype: str = FLOAT


# --------------------------------------------------------------------------- values


@dataclass(frozen=True)
class Literal:
    """A number."""

    value: float
    dtype: str = FLOAT


@dataclass(frozen=True)
class Convert:
    """A position as a number of some dtype."""

    value: Integer
    dtype: str = FLOAT


@dataclass(frozen=True)
class Load:
    """One element."""

    source: Buffer | Pointer
    offset: Integer


@dataclass(frozen=True)
class Apply:
    """A function of :data:`netsheet.equations.FUNCTIONS` applied to values.

    Those of :data:`netsheet.equations.WHOLE_FUNCTIONS` take and give int32; only ``real`` makes a
    float32 of one, ``whole`` one of a float32.
    """

    function: str
    arguments: tuple[Scalar, ...]
    dtype: str = FLOAT


@dataclass(frozen=True)
class Conditional:
    """``then`` where the test holds, else ``otherwise``; only one of them is evaluated."""

    test: Test
    then: Integer | Scalar
    otherwise: Integer | Scalar


@dataclass(frozen=True)
class Comparison:
    """``left sign right`` with the sign ``<``, ``<=``, ``>``, ``>=``, ``==`` or ``!=``."""

    left: Integer | Scalar
    sign: str
    right: Integer | Scalar


@dataclass(frozen=True)
class Classified:
    """``isnan(value)`` or ``isinf(value)``."""

    function: str
    value: Scalar


@dataclass(frozen=True)
class AllOf:
    """True if all tests hold; of none: true."""

    tests: tuple[Test, ...]


# --------------------------------------------------------------------------- statements


@dataclass(frozen=True)
class Let:
    """Names a value; ``mutable``: it is assigned to later (and may have no value before)."""

    name: str
    dtype: str
    value: Integer | Scalar | Test | None
    mutable: bool = False


@dataclass(frozen=True)
class Assign:
    """A new value for a mutable Let."""

    name: str
    value: Scalar


@dataclass(frozen=True)
class Accumulate:
    """``name = name op value`` for a mutable Let: ``sum``, ``prod``, ``max``, ``min``, ``div``.

    ``max`` and ``min`` keep the old value where the new one is no number.
    """

    op: str
    name: str
    value: Integer | Scalar
    dtype: str = FLOAT


@dataclass(frozen=True)
class Store:
    """Fills one element."""

    target: Buffer | Pointer
    offset: Integer
    value: Scalar


@dataclass(frozen=True)
class For:
    """The body for ``index`` from ``low`` to ``high - 1``; not at all if that is nothing."""

    index: str
    low: Integer
    high: Integer
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class If:
    """One of two bodies."""

    test: Test
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Kernel:
    """One row of pixels of a sum of products, for which a target may have a function by hand.

    ``geometry`` says how the row lies, ``function`` which register tiles suit it. ``rows`` are the
    first row of taps and the one behind the last; where ``when`` fails there are none. The places
    are of the first pixel's first tap (of row 0), of the weights of row 0, and so on.
    :func:`netsheet.loops.products.plain.plain` is the same as loops.
    """

    name: str  # of the geometry, for targets that store it
    function: RowFunction
    geometry: RowGeometry
    x: Pointer
    rows: tuple[Integer, Integer]
    weights: Pointer
    bias: Pointer | EitherPointer
    y: Pointer
    added: Pointer | EitherPointer | None = None
    when: Test | None = None


@dataclass(frozen=True)
class Tile:
    """Sums of products of whole numbers, which it declares: ``sums[p * channels + c]``.

    From ``start`` on; :func:`netsheet.loops.products.plain.plain_tile` is the same as loops.
    """

    shape: TileShape
    sums: Buffer  # of the place ``local``
    limit: int  # magnitude that no sum exceeds
    x: Pointer
    weights: Pointer
    start: Pointer


Integer: TypeAlias = (
    "int | Variable | Combination | FloorDivide | Modulo | Least | Greatest | Times | TableEntry"
    " | PositionOf | Conditional"
)
Scalar: TypeAlias = "Literal | Convert | Load | Variable | Apply | Conditional"
Test: TypeAlias = "Comparison | Classified | AllOf | Variable"
Statement: TypeAlias = "Let | Assign | Accumulate | Store | For | If | Pointer | Kernel | Tile"


# --------------------------------------------------------------------------- programs


@dataclass(frozen=True, eq=False)
class Function:
    """A body over some buffers, constants apart; ``written`` are those that it fills."""

    name: str
    buffers: tuple[Buffer, ...]
    written: frozenset[Buffer]
    body: tuple[Statement, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """Functions, called in this order; ``arena`` is the size of shared memory, in words."""

    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    functions: tuple[Function, ...]
    arena: int
    tables: tuple[PositionTable, ...] = ()


# --------------------------------------------------------------------------- arithmetic


def plus(*parts: Integer) -> Integer:
    """The sum of positions, in its shortest form."""
    return combination([(1, part) for part in parts], 0)


def times(part: Integer, factor: int) -> Integer:
    """A position times a number."""
    return combination([(factor, part)], 0)


def combination(parts: Sequence[tuple[int, Integer]], const: int) -> Integer:
    """``sum(factor * part) + const`` without sums in sums; an int or one term where it is that."""
    terms: dict[Integer, int] = {}
    for factor, part in parts:
        if isinstance(part, (int, np.integer)):
            const += factor * int(part)
        elif isinstance(part, Combination):
            const += factor * part.const
            for inner, term in part.terms:
                terms[term] = terms.get(term, 0) + factor * inner
        else:
            terms[part] = terms.get(part, 0) + factor
    kept = tuple((factor, term) for term, factor in terms.items() if factor)
    if not kept:
        return const
    if const == 0 and len(kept) == 1 and kept[0][0] == 1:
        return kept[0][1]
    return Combination(kept, const)
