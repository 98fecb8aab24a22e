"""Tensor equations: what every layer says once and every target prints.

An :class:`Equation` fills (part of) one tensor, element by element::

    conv1[y, x, c] = sum(u, v, i) input[y + u, x + v, i] * kernel[u, v, i, c] + bias[c]

Positions are integer expressions (:class:`Affine`) over :class:`Index` variables, values are
expressions (:class:`Expr`) over reads of tensors. No tensor has a batch axis.

Padding is a condition (:class:`Guard`), never a stored zero: a reduction skips the points where a
guard fails, a :class:`Select` takes its other branch. A printer may therefore read out of range
nowhere.

Several equations may fill one tensor (the pieces of a Concatenate). Consecutive equations that
share a ``time`` index form a recurrence: for t = 0, 1, ... each of them is evaluated at t, and may
read what the group wrote at t - 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[Any]

# Axis names in the order that "channels-first" means, for weights and for tensors.
CHANNELS_FIRST_RANK = (
    "out", "in", "multiplier", "token", "gate", "time", "channel", "depth", "height", "width",
)  # fmt: skip


# --------------------------------------------------------------------------- integers


class _Integer:
    """Arithmetic shared by everything that can stand in a position."""

    def __add__(self, other: Position) -> Affine:
        return _combine(affine(self), affine(other), 1)

    def __radd__(self, other: Position) -> Affine:
        return _combine(affine(other), affine(self), 1)

    def __sub__(self, other: Position) -> Affine:
        return _combine(affine(self), affine(other), -1)

    def __rsub__(self, other: Position) -> Affine:
        return _combine(affine(other), affine(self), -1)

    def __mul__(self, factor: int) -> Affine:
        own = affine(self)
        if factor == 0:
            return Affine((), 0)
        return Affine(tuple((c * factor, a) for c, a in own.terms), own.const * factor)

    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> Affine:
        own = affine(self)
        whole, rest = _split(own, divisor)
        low, high = rest.bounds()
        if low // divisor == high // divisor:
            return whole + low // divisor
        return whole + Affine(((1, Quotient(rest, divisor)),), 0)

    def __mod__(self, divisor: int) -> Affine:
        _, rest = _split(affine(self), divisor)
        low, high = rest.bounds()
        if low // divisor == high // divisor:
            return rest - (low // divisor) * divisor
        return Affine(((1, Remainder(rest, divisor)),), 0)


@dataclass(frozen=True, eq=False)
class Index(_Integer):
    """A variable that runs over 0 .. size - 1; two indices are equal only if they are the same."""

    name: str
    size: int

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value, both included."""
        return 0, self.size - 1


@dataclass(frozen=True)
class Quotient:
    """``value // divisor``, rounded down; the divisor is positive."""

    value: Affine
    divisor: int

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value, both included."""
        low, high = self.value.bounds()
        return low // self.divisor, high // self.divisor


@dataclass(frozen=True)
class Remainder:
    """``value mod divisor``, never negative; the divisor is positive."""

    value: Affine
    divisor: int

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value, both included."""
        return 0, self.divisor - 1


@dataclass(frozen=True)
class Lookup:
    """``table[value]``: a fixed, irregular mapping of positions (nearest-neighbour resizing)."""

    table: tuple[int, ...]
    value: Affine

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value, both included."""
        return min(self.table), max(self.table)


@dataclass(frozen=True, eq=False)
class Gather:
    """A position that is itself computed: ``int(value)``, inside 0 .. size - 1 (Embedding)."""

    value: Expr
    size: int

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value, both included."""
        return 0, self.size - 1


Atom = Index | Quotient | Remainder | Lookup | Gather


@dataclass(frozen=True, eq=False)
class Affine(_Integer):
    """``sum(coefficient * atom) + const``: where an element lies along one axis."""

    terms: tuple[tuple[int, Atom], ...]
    const: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Affine) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[int, frozenset[tuple[int, Atom]]]:
        return self.const, frozenset(self.terms)

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value that the atoms' ranges allow, both included."""
        low = high = self.const
        for coefficient, atom in self.terms:
            ends = [coefficient * end for end in atom.bounds()]
            low, high = low + min(ends), high + max(ends)
        return low, high

    def coefficient(self, atom: Atom) -> int:
        """The factor of ``atom``, 0 where it does not occur."""
        return next((c for c, a in self.terms if a is atom or a == atom), 0)

    def single(self) -> Index | None:
        """The index, if this position is one plain index and nothing else."""
        if self.const == 0 and len(self.terms) == 1:
            coefficient, atom = self.terms[0]
            if coefficient == 1 and isinstance(atom, Index):
                return atom
        return None

    def indices(self) -> tuple[Index, ...]:
        """Every index that the position depends on, in order of appearance."""
        found: dict[Index, None] = {}
        for _, atom in self.terms:
            if isinstance(atom, Index):
                found[atom] = None
            elif isinstance(atom, Gather):
                found.update(dict.fromkeys(free_indices(atom.value)))
            else:
                found.update(dict.fromkeys(atom.value.indices()))
        return tuple(found)


Position = Affine | Index | int


def affine(value: object) -> Affine:
    """``value`` (an int, an Index, an atom or an Affine) as an Affine."""
    if isinstance(value, Affine):
        return value
    if isinstance(value, (Index, Quotient, Remainder, Lookup, Gather)):
        return Affine(((1, value),), 0)
    if isinstance(value, (int, np.integer)):
        return Affine((), int(value))
    raise TypeError(f"{value!r} is no position")


def _combine(left: Affine, right: Affine, sign: int) -> Affine:
    terms: dict[Atom, int] = {}
    for factor, part in ((1, left), (sign, right)):
        for coefficient, atom in part.terms:
            terms[atom] = terms.get(atom, 0) + factor * coefficient
    kept = tuple((c, a) for a, c in terms.items() if c)
    return Affine(kept, left.const + sign * right.const)


def _split(value: Affine, divisor: int) -> tuple[Affine, Affine]:
    """``whole, rest`` with ``value == whole * divisor + rest`` and no multiple left in rest."""
    whole: list[tuple[int, Atom]] = []
    rest: list[tuple[int, Atom]] = []
    for coefficient, atom in value.terms:
        if coefficient % divisor == 0:
            whole.append((coefficient // divisor, atom))
        else:
            rest.append((coefficient, atom))
    return (
        Affine(tuple(whole), value.const // divisor),
        Affine(tuple(rest), value.const % divisor),
    )


# --------------------------------------------------------------------------- tensors


@dataclass(frozen=True, eq=False)
class Tensor:
    """A named array of known axes, without batch axis; identity is equality.

    ``shape`` may hold None before the model is bound to the sizes of an input. ``mask`` is the
    tensor of zeros and ones over time that Keras carries along with this one.
    """

    name: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    mask: Tensor | None = None

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
    """``function`` of :data:`FUNCTIONS` applied to values or numbers."""
    if function not in FUNCTIONS:
        raise KeyError(f"no function {function!r} in netsheet.expr.FUNCTIONS")
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


# --------------------------------------------------------------------------- functions


def _erf(x: FloatArray) -> FloatArray:
    return np.vectorize(math.erf, otypes=[float])(x) if x.size else x


def _sigmoid(x: FloatArray) -> FloatArray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _if(test: FloatArray, then: FloatArray, otherwise: FloatArray) -> FloatArray:
    return np.where(test != 0, then, otherwise)


def _truth(test: Callable[..., Any]) -> Callable[..., FloatArray]:
    return lambda *args: test(*args).astype(float)


# The closed list of functions; each printer has one spelling for each. Truth is 1.0 and 0.0.
FUNCTIONS: dict[str, Callable[..., FloatArray]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative,
    "max": np.maximum, "min": np.minimum, "pow": np.power, "mod": np.mod, "fmod": np.fmod,
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs, "sign": np.sign,
    "floor": np.floor, "ceil": np.ceil, "round": np.round,
    "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "erf": _erf, "sigmoid": _sigmoid,
    "less": _truth(np.less), "less_equal": _truth(np.less_equal), "equal": _truth(np.equal),
    "isnan": _truth(np.isnan), "isinf": _truth(np.isinf),
    "and": _truth(np.logical_and), "or": _truth(np.logical_or), "xor": _truth(np.logical_xor),
    "not": _truth(np.logical_not),
    "if": _if,
}  # fmt: skip


# --------------------------------------------------------------------------- equations


@dataclass(frozen=True, eq=False)
class Equation:
    """``target[at] = value`` for all values of ``indices`` (in loop order).

    ``time`` is one of the indices if the equation belongs to a recurrence.
    """

    target: Tensor
    at: tuple[Affine, ...]
    indices: tuple[Index, ...]
    value: Expr
    time: Index | None = None


def equation(read: Expr, value_: Value, time: Index | None = None) -> Equation:
    """The equation whose left side is written as a read: ``equation(y[i, j], x[j, i])``."""
    assert isinstance(read, Read)
    indices: dict[Index, None] = {}
    for position in read.at:
        indices.update(dict.fromkeys(position.indices()))
    return Equation(read.tensor, read.at, tuple(indices), value(value_), time)


def indices_of(tensor: Tensor, names: Sequence[str] | None = None) -> tuple[Index, ...]:
    """One fresh index per axis of ``tensor``, named after the axes."""
    return tuple(
        Index(name, size)
        for name, size in zip(names or index_names(tensor.axes), tensor.shape, strict=True)
    )


_SHORT = {
    "height": "y", "width": "x", "channel": "c", "depth": "z", "time": "t", "in": "i", "out": "o",
    "multiplier": "m", "gate": "g", "head": "h", "query": "q", "key": "k", "unit": "d",
}  # fmt: skip


def index_names(axes: Sequence[str]) -> list[str]:
    """Short, distinct names for indices over ``axes``: y, x, c, ..."""
    names: list[str] = []
    for axis in axes:
        name = _SHORT.get(axis, axis[:1] or "n")
        while name in names:
            name += "'"
        names.append(name)
    return names


# --------------------------------------------------------------------------- walking


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct operands of an expression (computed positions included)."""
    if isinstance(expr, Call):
        return expr.args
    if isinstance(expr, Reduce):
        return (expr.body,)
    if isinstance(expr, Select):
        return (expr.then, expr.otherwise)
    if isinstance(expr, Read):
        return tuple(
            atom.value for at in expr.at for _, atom in at.terms if isinstance(atom, Gather)
        )
    return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and everything below it, outermost first."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def reads(expr: Expr) -> Iterator[Read]:
    """Every read in the expression."""
    return (node for node in walk(expr) if isinstance(node, Read))


def free_indices(expr: Expr) -> tuple[Index, ...]:
    """The indices that the value depends on, in order of appearance."""
    found: dict[Index, None] = {}

    def visit(node: Expr, bound: frozenset[Index]) -> None:
        positions: tuple[Affine, ...] = ()
        if isinstance(node, Read):
            positions = node.at
        elif isinstance(node, Number):
            positions = (node.value,)
        elif isinstance(node, (Reduce, Select)):
            positions = tuple(guard.value for guard in node.where)
        inner = bound | frozenset(node.over) if isinstance(node, Reduce) else bound
        for position in positions:
            found.update(dict.fromkeys(i for i in position.indices() if i not in inner))
        for child in children(node):
            visit(child, inner)

    visit(expr, frozenset())
    return tuple(found)


def factors(expr: Expr) -> list[Expr]:
    """The factors of a product: ``a * (b * c)`` gives a, b, c."""
    if isinstance(expr, Call) and expr.function == "mul":
        return [factor for arg in expr.args for factor in factors(arg)]
    return [expr]


def rewrite(
    expr: Expr,
    read: Callable[[Read], Expr],
    position: Callable[[Affine], Affine] = lambda at: at,
) -> Expr:
    """A copy with every read and every position replaced by what the functions return."""

    def at(place: Affine) -> Affine:
        terms = tuple(
            (c, Gather(visit(a.value), a.size) if isinstance(a, Gather) else a)
            for c, a in place.terms
        )
        return position(Affine(terms, place.const))

    def guards(where: tuple[Guard, ...]) -> tuple[Guard, ...]:
        return tuple(replace(guard, value=at(guard.value)) for guard in where)

    def visit(node: Expr) -> Expr:
        if isinstance(node, Read):
            return read(Read(node.tensor, tuple(at(place) for place in node.at)))
        if isinstance(node, Call):
            return Call(node.function, tuple(visit(arg) for arg in node.args))
        if isinstance(node, Reduce):
            return Reduce(node.op, node.over, visit(node.body), guards(node.where))
        if isinstance(node, Select):
            return Select(guards(node.where), visit(node.then), visit(node.otherwise))
        if isinstance(node, Number):
            return Number(at(node.value))
        return node

    return visit(expr)


def lift(
    equations: Iterable[Equation], index: Index, lifted: Mapping[Tensor, Tensor], axis: str
) -> list[Equation]:
    """The equations of one step repeated for every value of ``index`` (TimeDistributed).

    ``lifted`` maps tensors of one step to those that have ``index`` as their first axis;
    intermediate tensors get theirs here, named ``axis``.
    """
    equations = list(equations)
    mapping = dict(lifted)
    for eq in equations:
        if eq.target not in mapping:
            tensor = eq.target
            mapping[tensor] = Tensor(tensor.name, (axis, *tensor.axes), (index.size, *tensor.shape))

    def read(node: Read) -> Expr:
        if node.tensor in mapping:
            return Read(mapping[node.tensor], (affine(index), *node.at))
        return node

    return [
        Equation(
            mapping[eq.target],
            (affine(index), *eq.at),
            (index, *eq.indices),
            rewrite(eq.value, read),
            eq.time,
        )
        for eq in equations
    ]


def multiply_accumulates(equations: Iterable[Equation]) -> int:
    """Multiplications that are summed up, padding included: the MACs of one inference."""
    total = 0
    for eq in equations:
        points = math.prod(index.size for index in eq.indices)
        for node in walk(eq.value):
            if isinstance(node, Reduce) and node.op == "sum" and len(factors(node.body)) > 1:
                total += points * math.prod(index.size for index in node.over)
    return total
