"""Where tensors lie in memory: strides, addresses, and equations over plain memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from netsheet.expr import (
    Affine,
    Call,
    Equation,
    Expr,
    Gather,
    Guard,
    Index,
    Lookup,
    Number,
    Position,
    Quotient,
    Read,
    Reduce,
    Remainder,
    Select,
    Tensor,
    affine,
)


def natural(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of the framework's own layout, the last axis contiguous."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def channels_last(tensor: Tensor) -> tuple[int, ...]:
    """Strides of the layout that is used inside: the axis named channel is contiguous."""
    if "channel" not in tensor.axes or len(tensor.axes) < 2:
        return natural(tensor.shape)
    channel = tensor.axes.index("channel")
    order = [axis for axis in range(len(tensor.shape)) if axis != channel] + [channel]
    strides = natural([tensor.shape[axis] for axis in order])
    return tuple(strides[order.index(axis)] for axis in range(len(tensor.shape)))


def same_layout(shape: Sequence[int], left: Sequence[int], right: Sequence[int]) -> bool:
    """True if two layouts of a shape put every element at the same address."""
    return all(n == 1 or a == b for n, a, b in zip(shape, left, right, strict=True))


def address(at: Sequence[Affine], shape: Sequence[int], strides: Sequence[int]) -> Affine:
    """The element's distance from the first one."""
    total = affine(0)
    for place, size, stride in zip(at, shape, strides, strict=True):
        if size > 1:
            total = total + place * stride
    return total


@dataclass(frozen=True, eq=False)
class Memory(Tensor):
    """A tensor's memory as one axis; ``source`` is the tensor."""

    source: Tensor | None = None


def substituted(at: Affine, mapping: Mapping[Index, Position]) -> Affine:
    """The position with indices replaced by other positions."""
    if not any(index in mapping for index in at.indices()):
        return at
    total = affine(at.const)
    for factor, atom in at.terms:
        total = total + _atom(atom, mapping) * factor
    return total


def _atom(atom: object, mapping: Mapping[Index, Position]) -> Affine:
    if isinstance(atom, Index):
        return affine(mapping.get(atom, atom))
    if isinstance(atom, Quotient):
        return substituted(atom.value, mapping) // atom.divisor
    if isinstance(atom, Remainder):
        return substituted(atom.value, mapping) % atom.divisor
    if isinstance(atom, Lookup):
        inside = substituted(atom.value, mapping)
        if not inside.terms:
            return affine(atom.table[inside.const])
        return affine(Lookup(atom.table, inside))
    assert isinstance(atom, Gather)
    return affine(Gather(substitute(atom.value, mapping), atom.size))


class Rewriter:
    """Copies an expression; equal nodes stay equal, so that a value used twice is still one."""

    def __init__(
        self,
        read: Callable[[Read], Expr] = lambda read: read,
        position: Callable[[Affine], Affine] = lambda at: at,
    ) -> None:
        self._read, self._position = read, position
        self._done: dict[int, tuple[Expr, Expr]] = {}

    def __call__(self, node: Expr) -> Expr:
        if id(node) not in self._done:
            # the node is kept alive, so that its id stays its own
            self._done[id(node)] = node, self._copy(node)
        return self._done[id(node)][1]

    def at(self, place: Affine) -> Affine:
        """A position with what stands in it replaced."""
        terms = []
        for factor, atom in place.terms:
            gathered = isinstance(atom, Gather)
            terms.append(
                (factor, Gather(self(atom.value), atom.size) if gathered else atom)  # type: ignore[union-attr,arg-type]
            )
        return self._position(Affine(tuple(terms), place.const))

    def guards(self, where: tuple[Guard, ...]) -> tuple[Guard, ...]:
        """Guards with their positions replaced, without those that always hold then."""
        moved = (replace(guard, value=self.at(guard.value)) for guard in where)
        return tuple(guard for guard in moved if not guard.always())

    def _copy(self, node: Expr) -> Expr:
        if isinstance(node, Read):
            return self._read(Read(node.tensor, tuple(self.at(place) for place in node.at)))
        if isinstance(node, Call):
            return Call(node.function, tuple(self(arg) for arg in node.args))
        if isinstance(node, Reduce):
            return Reduce(node.op, node.over, self(node.body), self.guards(node.where))
        if isinstance(node, Select):
            where = self.guards(node.where)
            return (
                Select(where, self(node.then), self(node.otherwise)) if where else self(node.then)
            )
        if isinstance(node, Number):
            return Number(self.at(node.value))
        return node


def substitute(expr: Expr, mapping: Mapping[Index, Position]) -> Expr:
    """The expression with indices replaced by positions."""
    return Rewriter(position=lambda at: substituted(at, mapping))(expr)


def replaced(expr: Expr, old: Expr, new: Expr) -> Expr:
    """The expression with one node, wherever it occurs, replaced by another."""

    class Replacer(Rewriter):
        def _copy(self, node: Expr) -> Expr:
            return new if node is old else super()._copy(node)

    return Replacer()(expr)


Layout = Callable[[Tensor], Sequence[int]]


def lowered(eq: Equation, layout: Layout) -> Equation:
    """The equation over memory: every tensor has one axis, every position is an address."""
    memories: dict[Tensor, Memory] = {}

    def memory(tensor: Tensor) -> Memory:
        if tensor not in memories:
            flat = Memory(tensor.name, ("address",), (max(tensor.size, 1),), source=tensor)
            memories[tensor] = flat
        return memories[tensor]

    def read(node: Read) -> Expr:
        if isinstance(node.tensor, Memory):
            return node
        where = address(node.at, node.tensor.shape, layout(node.tensor))
        return Read(memory(node.tensor), (where,))

    units = {index: 0 for index in (*eq.indices, *bound(eq.value)) if index.size == 1}
    rewriter = Rewriter(read, lambda at: substituted(at, units))
    at = tuple(rewriter.at(place) for place in eq.at)
    return Equation(
        memory(eq.target),
        (address(at, eq.target.shape, layout(eq.target)),),
        tuple(index for index in eq.indices if index.size > 1),
        rewriter(eq.value),
        eq.time,
    )


def bound(expr: Expr) -> list[Index]:
    """The indices that reductions in the expression run over."""
    from netsheet.expr import walk

    return [index for node in walk(expr) if isinstance(node, Reduce) for index in node.over]
