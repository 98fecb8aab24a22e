"""Steps of a C program: each becomes one function over a few tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from netsheet.equations import Affine, Equation, Index, Reduce, Tensor, Weight, reads, walk
from netsheet.write.c.loops import print_equation
from netsheet.write.c.places import Layout, Memory, lowered
from netsheet.write.c.simplify import read_by
from netsheet.write.c.text import Scope


class Step:
    """Something that fills tensors from others."""

    reads: list[Tensor]
    writes: list[Tensor]
    scratch: list[Tensor]  # needed during the step only

    def reused(self, layout: Layout) -> list[Tensor]:
        """Tensors that it may write its (only) target over."""
        return []

    def print(self, scope: Scope, layout: Layout) -> None:
        """The statements of the function."""
        raise NotImplementedError


@dataclass(eq=False)
class Loops(Step):
    """One equation by the general printer."""

    equation: Equation
    fixed: Sequence[Index] = ()
    scratch: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reads = ordered_reads([self.equation])
        self.writes = [self.equation.target]

    def reused(self, layout: Layout) -> list[Tensor]:
        return read_in_place(self.equation, layout)

    def print(self, scope: Scope, layout: Layout) -> None:
        print_equation(scope, self.equation, layout, self.fixed)


@dataclass(eq=False)
class Recurrence(Step):
    """Steps that are repeated for every value of a time index."""

    time: Index
    steps: Sequence[Step]
    scratch: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.writes = list(dict.fromkeys(t for step in self.steps for t in step.writes))
        self.reads = list(dict.fromkeys(t for step in self.steps for t in step.reads))
        self.scratch = [tensor for step in self.steps for tensor in step.scratch]

    def print(self, scope: Scope, layout: Layout) -> None:
        with scope.loop(self.time):
            for step in self.steps:
                step.print(scope, layout)


def ordered_reads(equations: Sequence[Equation]) -> list[Tensor]:
    """The tensors, not weights, that equations read."""
    found = {
        tensor: None for eq in equations for tensor in read_by(eq) if not isinstance(tensor, Weight)
    }
    return sorted(found, key=lambda tensor: tensor.name)


def read_in_place(eq: Equation, layout: Layout) -> list[Tensor]:
    """Tensors of which each element is read only where the same element is written."""
    low = lowered(eq, layout)
    places: dict[Tensor, set[Affine]] = {}
    for node in reads(low.value):
        assert isinstance(node.tensor, Memory) and node.tensor.source is not None
        places.setdefault(node.tensor.source, set()).add(node.at[0])
    if any(isinstance(node, Reduce) for node in walk(low.value)):
        return []
    return [
        tensor
        for tensor, at in places.items()
        if at == {low.at[0]} and tensor.size == eq.target.size and not isinstance(tensor, Weight)
    ]


def groups(equations: Sequence[Equation]) -> Iterator[tuple[Index | None, list[Equation]]]:
    """Runs of equations that share a time index."""
    for time, members in groupby(equations, key=lambda eq: eq.time):
        yield time, list(members)
