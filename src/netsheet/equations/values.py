"""What an equation fills and reads: tensors, and expressions over their elements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.equations.dtypes import FLOAT, Quantisation
from netsheet.equations.functions import FUNCTIONS
from netsheet.equations.positions import Affine, Index, Position, affine, gathers
from netsheet.equations.whole_functions import WHOLE_FUNCTIONS

FloatArray = npt.NDArray[Any]

# Axis names in the order that "channels-first" means, for weights and for tensors.
CHANNELS_FIRST_RANK = (
    "out", "in", "multiplier", "token", "gate", "time", "channel", "depth", "height", "width",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tensor:
    """A named array of known axes, without batch axis; identity is equality.

    ``shape`` may hold None before the model is bound to the sizes of an input. ``mask`` is the
    tensor of zeros and ones over time that Keras carries along with this one. A tensor of whole
    numbers has another ``dtype`` than float32, and may say which real numbers they stand for.
    """

    name: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    mask: Tensor | None = None
    dtype: str = field(default=FLOAT, kw_only=True)
    quantisation: Quantisation | None = field(default=None, kw_only=True)

    def __getitem__(self, at: Position | tuple[Position, ...]) -> Read:
        positions = at if isinstance(at, tuple) else (at,)
        return Read(self, tuple(affine(position) for position in positions))

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def step(self, name: str, axes: tuple[str, ...], shape: tuple[int, ...]) -> Tensor:
        """An intermediate tensor ``<this>/<name>`` on the way to this one."""
        return Tensor(f"{self.name}/{name}", axes, shape)

    def like(self, name: str) -> Tensor:
        """An intermediate tensor of this one's axes and shape."""
        return self.step(name, self.axes, self.shape)


@dataclass(frozen=True, eq=False)
class Weight(Tensor):
    """A tensor with stored values, in the framework's own axis order.

    ``name`` is unique in the model (``conv1/kernel``), ``label`` is the short one (``kernel``).
    """

    label: str = ""
    values: FloatArray = field(default_factory=lambda: np.zeros(()))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> FloatArray:
        return np.asarray(self.values, dtype=dtype)

    def to(self, axes: Sequence[str]) -> FloatArray:
        """The values with the axes in another order: ``("out", "in", "height", "width")``."""
        if sorted(axes) != sorted(self.axes):
            raise ValueError(f"{self.name} has the axes {self.axes}, not {tuple(axes)}")
        return self.values.transpose([self.axes.index(axis) for axis in axes])

    @property
    def channels_first_axes(self) -> tuple[str, ...]:
        """The axes as channels-first has them: out, in, then space."""
        return tuple(sorted(self.axes, key=_rank))

    @property
    def channels_first(self) -> FloatArray:
        """The values in channels-first order; a Conv2D kernel becomes (out, in, height, width)."""
        return self.to(self.channels_first_axes)

    def _repr_html_(self) -> str:
        from netsheet.tables import MOST, html_heat

        values, axes = self.channels_first, self.channels_first_axes
        planes = values.reshape(-1, *values.shape[-2:]) if values.ndim > 1 else [values[None]]
        if values.ndim == 0:
            planes = [values.reshape(1, 1)]
        most = float(np.max(np.abs(values), initial=0.0)) if values.dtype.kind != "b" else 1.0
        heat = "".join(html_heat(plane, *WEIGHT_COLOURS, most) for plane in planes[:MOST])
        more = "" if len(planes) <= MOST else f"<div>the first {MOST} of {len(planes)} maps</div>"
        head = f"<b>{escape(self.name)}</b> {values.shape} ({escape(', '.join(axes))})"
        return f"{head}<div>{heat}</div>{more}"


# Of numbers below and above zero, as the workbook has them.
WEIGHT_COLOURS = ((167, 139, 250), (52, 211, 153))


def _rank(axis: str) -> int:
    return CHANNELS_FIRST_RANK.index(axis) if axis in CHANNELS_FIRST_RANK else -1


# --------------------------------------------------------------------------- values


class Expr:
    """A real value; numbers may stand wherever an Expr may."""

    def __add__(self, other: Value) -> Expr:
        return call("add", self, other)

    def __radd__(self, other: Value) -> Expr:
        return call("add", other, self)

    def __sub__(self, other: Value) -> Expr:
        return call("sub", self, other)

    def __rsub__(self, other: Value) -> Expr:
        return call("sub", other, self)

    def __mul__(self, other: Value) -> Expr:
        return call("mul", self, other)

    def __rmul__(self, other: Value) -> Expr:
        return call("mul", other, self)

    def __truediv__(self, other: Value) -> Expr:
        return call("div", self, other)

    def __rtruediv__(self, other: Value) -> Expr:
        return call("div", other, self)

    def __neg__(self) -> Expr:
        return call("neg", self)

    def indices(self) -> tuple[Index, ...]:
        """The indices that the value depends on, in order of appearance."""
        return free_indices(self)


Value = Expr | float | int


@dataclass(frozen=True, eq=False)
class Const(Expr):
    """A number."""

    value: float


@dataclass(frozen=True, eq=False)
class Number(Expr):
    """A position used as a value."""

    value: Affine


@dataclass(frozen=True, eq=False)
class Read(Expr):
    """One element of a tensor: one position per axis, within the shape where guards hold."""

    tensor: Tensor
    at: tuple[Affine, ...]

    def __post_init__(self) -> None:
        if len(self.at) != len(self.tensor.shape):
            raise ValueError(f"{self.tensor.name}{self.tensor.shape} read at {len(self.at)} axes")


@dataclass(frozen=True, eq=False)
class Call(Expr):
    """A function of :data:`FUNCTIONS` applied to its arguments."""

    function: str
    args: tuple[Expr, ...]


@dataclass(frozen=True)
class Guard:
    """True where ``low <= value < high``."""

    value: Affine
    low: int
    high: int

    def always(self) -> bool:
        """True if no value of the indices makes the guard fail."""
        low, high = self.value.bounds()
        return self.low <= low and high < self.high


@dataclass(frozen=True, eq=False)
class Reduce(Expr):
    """``op`` (sum, prod, max, min, mean) over all points of ``over`` where every guard holds.

    A mean divides by the number of points that count. An empty max or min does not occur.
    """

    op: str
    over: tuple[Index, ...]
    body: Expr
    where: tuple[Guard, ...] = ()


@dataclass(frozen=True, eq=False)
class Select(Expr):
    """``then`` where all guards hold, else ``otherwise`` (reads there are not made)."""

    where: tuple[Guard, ...]
    then: Expr
    otherwise: Expr


def value(number: Value) -> Expr:
    """A Python number as an Expr."""
    return number if isinstance(number, Expr) else Const(float(number))


def call(function: str, *args: Value) -> Expr:
    """``function`` of :data:`FUNCTIONS` or :data:`WHOLE_FUNCTIONS` of values or numbers."""
    if function not in FUNCTIONS and function not in WHOLE_FUNCTIONS:
        raise KeyError(f"no function {function!r} in netsheet.equations.functions.FUNCTIONS")
    return Call(function, tuple(value(arg) for arg in args))


def reduce(op: str, over: Iterable[Index], body: Value, where: Iterable[Guard] = ()) -> Expr:
    """A :class:`Reduce` without the guards that always hold; the body itself over no index."""
    indices = tuple(over)
    guards = tuple(guard for guard in where if not guard.always())
    return Reduce(op, indices, value(body), guards) if indices or guards else value(body)


def select(where: Iterable[Guard], then: Value, otherwise: Value) -> Expr:
    """A :class:`Select` without the guards that always hold."""
    guards = tuple(guard for guard in where if not guard.always())
    return Select(guards, value(then), value(otherwise)) if guards else value(then)


# --------------------------------------------------------------------------- walking


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct operands of an expression (computed positions included)."""
    if isinstance(expr, Call):
        return expr.args
    found: tuple[Expr, ...] | None = expr.__dict__.get("_children")
    if found is None:  # kept with the node, which never changes and is walked by many passes
        found = _operands(expr)
        object.__setattr__(expr, "_children", found)
    return found


def _operands(expr: Expr) -> tuple[Expr, ...]:
    inside = tuple(gather.value for at in positions(expr) for gather in gathers(at))
    if isinstance(expr, Reduce):
        return (*inside, expr.body)
    if isinstance(expr, Select):
        return (*inside, expr.then, expr.otherwise)
    return inside


def positions(expr: Expr) -> tuple[Affine, ...]:
    """The positions that stand in this node itself: of a read, a number or a guard."""
    if isinstance(expr, Read):
        return expr.at
    if isinstance(expr, Number):
        return (expr.value,)
    if isinstance(expr, (Reduce, Select)):
        return tuple(guard.value for guard in expr.where)
    return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and everything below it, outermost first.

    An expression is a graph: a part that is used several times comes once.
    """
    seen: set[int] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            stack.extend(reversed(children(node)))


def reads(expr: Expr) -> Iterator[Read]:
    """Every read in the expression."""
    return (node for node in walk(expr) if isinstance(node, Read))


def free_indices(expr: Expr) -> tuple[Index, ...]:
    """The indices that the value depends on, in order of appearance."""
    found: dict[int, dict[Index, None]] = {}
    for node in reversed(in_order(expr)):
        own: dict[Index, None] = {}
        for at in positions(node):
            own.update(dict.fromkeys(at.indices()))
        for child in children(node):
            own.update(found[id(child)])
        if isinstance(node, Reduce):
            own = {index: None for index in own if index not in node.over}
        found[id(node)] = own
    return tuple(found[id(expr)])


def in_order(expr: Expr) -> list[Expr]:
    """Every node once, each before its operands."""
    done: set[int] = set()
    result: list[Expr] = []
    stack: list[tuple[Expr, bool]] = [(expr, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            result.append(node)
        elif id(node) not in done:
            done.add(id(node))
            stack.append((node, True))
            stack.extend((child, False) for child in children(node) if id(child) not in done)
    result.reverse()
    return result


def factors(expr: Expr) -> list[Expr]:
    """The factors of a product: ``a * (b * c)`` gives a, b, c."""
    found, stack = [], [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, Call) and node.function == "mul":
            stack.extend(reversed(node.args))
        else:
            found.append(node)
    return found
