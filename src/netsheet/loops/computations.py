"""What a program computes, one after the other: each becomes one function over a few buffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from netsheet.equations import Affine, Equation, Index, Reduce, Tensor, Weight, reads, walk
from netsheet.loops.builder import FunctionBuilder
from netsheet.loops.lower import lower_equation
from netsheet.loops.passes.readers import read_by
from netsheet.loops.storage.addresses import Layout, Memory, flattened


class Computation:
    """Something that fills tensors from others."""

    reads: list[Tensor]
    writes: list[Tensor]
    scratch: list[Tensor]  # needed only while it runs

    @property
    def equations(self) -> list[Equation]:
        """What it computes."""
        raise NotImplementedError

    def reused(self, layout: Layout) -> list[Tensor]:
        """Tensors that it may write its (only) target over."""
        return []

    def lower(self, builder: FunctionBuilder, layout: Layout) -> None:
        """Add its statements."""
        raise NotImplementedError


@dataclass(eq=False)
class ElementLoops(Computation):
    """One equation, element by element."""

    equation: Equation
    fixed: Sequence[Index] = ()
    scratch: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reads = ordered_reads([self.equation])
        self.writes = [self.equation.target]

    @property
    def equations(self) -> list[Equation]:
        return [self.equation]

    def reused(self, layout: Layout) -> list[Tensor]:
        return read_in_place(self.equation, layout)

    def lower(self, builder: FunctionBuilder, layout: Layout) -> None:
        lower_equation(builder, self.equation, layout, self.fixed)


@dataclass(eq=False)
class TimeLoop(Computation):
    """Computations that are repeated for every value of a time index."""

    time: Index
    members: Sequence[Computation]
    scratch: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.writes = list(dict.fromkeys(t for member in self.members for t in member.writes))
        self.reads = list(dict.fromkeys(t for member in self.members for t in member.reads))
        self.scratch = [tensor for member in self.members for tensor in member.scratch]

    @property
    def equations(self) -> list[Equation]:
        return [eq for member in self.members for eq in member.equations]

    def lower(self, builder: FunctionBuilder, layout: Layout) -> None:
        with builder.loop(self.time):
            for member in self.members:
                member.lower(builder, layout)


def ordered_reads(equations: Sequence[Equation]) -> list[Tensor]:
    """The tensors, not weights, that equations read."""
    found = {
        tensor: None for eq in equations for tensor in read_by(eq) if not isinstance(tensor, Weight)
    }
    return sorted(found, key=lambda tensor: tensor.name)


def read_in_place(eq: Equation, layout: Layout) -> list[Tensor]:
    """Tensors of which each element is read only where the same element is written."""
    flat = flattened(eq, layout)
    found: dict[Tensor, set[Affine]] = {}
    for node in reads(flat.value):
        assert isinstance(node.tensor, Memory) and node.tensor.source is not None
        found.setdefault(node.tensor.source, set()).add(node.at[0])
    if any(isinstance(node, Reduce) for node in walk(flat.value)):
        return []
    return [
        tensor
        for tensor, at in found.items()
        if at == {flat.at[0]} and tensor.size == eq.target.size and not isinstance(tensor, Weight)
    ]


def groups(equations: Sequence[Equation]) -> Iterator[tuple[Index | None, list[Equation]]]:
    """Runs of equations that share a time index."""
    for time, members in groupby(equations, key=lambda eq: eq.time):
        yield time, list(members)
