"""The one way to rewrite expressions: what is shared stays shared, at any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from netsheet.equations.assignments import Equation
from netsheet.equations.positions import (
    Affine,
    Gather,
    Index,
    Position,
    affine,
    gathers,
    substituted,
    with_gathers,
)
from netsheet.equations.values import (
    Call,
    Expr,
    Guard,
    Number,
    Read,
    Reduce,
    Select,
    Tensor,
    children,
)

Rule = Callable[[Expr], Expr | None]
PositionRule = Callable[[Affine], Affine]


class Transform:
    """A rewriting that is applied to several expressions; a part they share is rewritten once.

    Args:
        rule: is given every node, its operands rewritten already; what it returns stands in the
            node's place, None leaves the node alone.
        position: is given every position, the computed ones in it rewritten already.
    """

    def __init__(self, rule: Rule | None = None, position: PositionRule | None = None) -> None:
        self._rule, self._position = rule, position
        # the original is kept with its copy, so that its id stays its own
        self._done: dict[int, tuple[Expr, Expr]] = {}

    def __call__(self, expr: Expr) -> Expr:
        """The rewritten expression; the same object where nothing changed."""
        done, stack = self._done, [expr]
        while stack:
            node = stack[-1]
            if id(node) in done:
                stack.pop()
                continue
            missing = [child for child in children(node) if id(child) not in done]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            copy = self._rebuilt(node)
            result = self._rule(copy) if self._rule is not None else None
            done[id(node)] = node, copy if result is None else result
        return done[id(expr)][1]

    def at(self, place: Affine) -> Affine:
        """The rewritten position."""
        new: dict[Gather, Gather] = {}
        for gather in gathers(place):
            inside = self(gather.value)
            if inside is not gather.value:
                new[gather] = Gather(inside, gather.size)
        moved = with_gathers(place, new)
        return moved if self._position is None else self._position(moved)

    def guards(self, where: tuple[Guard, ...]) -> tuple[Guard, ...]:
        """The rewritten guards, without those that always hold then."""
        moved = tuple(self._guard(guard) for guard in where)
        if all(new is old for new, old in zip(moved, where, strict=True)):
            return where
        return tuple(guard for guard in moved if not guard.always())

    def equation(self, eq: Equation) -> Equation:
        """The equation with its value and the positions of its target rewritten."""
        return replace(eq, at=tuple(map(self.at, eq.at)), value=self(eq.value))

    def _guard(self, guard: Guard) -> Guard:
        value = self.at(guard.value)
        return guard if value is guard.value else replace(guard, value=value)

    def _rebuilt(self, node: Expr) -> Expr:
        """The node over its rewritten operands; the node itself where they are the old ones."""
        if isinstance(node, Read):
            at = tuple(map(self.at, node.at))
            same = all(new is old for new, old in zip(at, node.at, strict=True))
            return node if same else Read(node.tensor, at)
        if isinstance(node, Call):
            args = tuple(map(self._copy, node.args))
            same = all(new is old for new, old in zip(args, node.args, strict=True))
            return node if same else Call(node.function, args)
        if isinstance(node, Reduce):
            body, where = self._copy(node.body), self.guards(node.where)
            same = body is node.body and where is node.where
            return node if same else Reduce(node.op, node.over, body, where)
        if isinstance(node, Select):
            where = self.guards(node.where)
            then, otherwise = self._copy(node.then), self._copy(node.otherwise)
            if not where:
                return then
            same = where is node.where and then is node.then and otherwise is node.otherwise
            return node if same else Select(where, then, otherwise)
        if isinstance(node, Number):
            value = self.at(node.value)
            return node if value is node.value else Number(value)
        return node

    def _copy(self, node: Expr) -> Expr:
        return self._done[id(node)][1]


def transform(expr: Expr, rule: Rule | None = None, position: PositionRule | None = None) -> Expr:
    """``expr`` rewritten from its leaves up; see :class:`Transform`."""
    return Transform(rule, position)(expr)


def on_reads(function: Callable[[Read], Expr]) -> Rule:
    """The rule that replaces every read by what ``function`` returns."""
    return lambda node: function(node) if isinstance(node, Read) else None


def reading(equations: Iterable[Equation], given: Mapping[Tensor, Tensor]) -> list[Equation]:
    """The same equations, which read the tensors ``given`` in place of others."""

    def read(node: Read) -> Expr:
        return Read(given[node.tensor], node.at) if node.tensor in given else node

    rewriting = Transform(on_reads(read))
    return [rewriting.equation(eq) for eq in equations]


def substitute(expr: Expr, mapping: Mapping[Index, Position]) -> Expr:
    """The expression with indices replaced by positions."""
    return transform(expr, position=lambda at: substituted(at, mapping))


def replaced(expr: Expr, old: Expr, new: Expr) -> Expr:
    """The expression with one node, wherever it occurs, replaced by another."""
    return transform(expr, lambda node: new if node is old else None)


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
            mapping[tensor] = replace(
                tensor, axes=(axis, *tensor.axes), shape=(index.size, *tensor.shape), mask=None
            )

    def read(node: Read) -> Expr:
        if node.tensor in mapping:
            return Read(mapping[node.tensor], (affine(index), *node.at))
        return node

    rewriting = Transform(on_reads(read))
    return [
        Equation(
            mapping[eq.target],
            (affine(index), *eq.at),
            (index, *eq.indices),
            rewriting(eq.value),
            eq.time,
        )
        for eq in equations
    ]


def copied(
    equations: Iterable[Equation], mark: str, given: Mapping[Tensor, Tensor]
) -> tuple[list[Equation], dict[Tensor, Tensor]]:
    """The same equations once more: each tensor that they fill is another one, with ``mark`` behind
    its name; ``given`` stand in for tensors that they only read.

    The second result has the new tensor of each old one, those given included.
    """
    equations = list(equations)
    mapping = dict(given)
    for eq in equations:
        tensor = eq.target
        if tensor not in mapping:
            mapping[tensor] = Tensor(f"{tensor.name} {mark}", tensor.axes, tensor.shape)

    def read(node: Read) -> Expr:
        return Read(mapping[node.tensor], node.at) if node.tensor in mapping else node

    rewriting = Transform(on_reads(read))
    made = [replace(rewriting.equation(eq), target=mapping[eq.target]) for eq in equations]
    return made, mapping
