"""From equations to C functions: which steps, which memory, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from netsheet.equations import Equation, Tensor, Weight, equation, indices_of
from netsheet.write.c.arena import Buffer, merged, plan
from netsheet.write.c.kernels import rows_text
from netsheet.write.c.layouts import layouts
from netsheet.write.c.notes import note
from netsheet.write.c.places import natural, same_layout
from netsheet.write.c.recurrence import newest_only
from netsheet.write.c.schedule import scheduled
from netsheet.write.c.simplify import read_by, simplified
from netsheet.write.c.steps import Step
from netsheet.write.c.text import Constants, Scope, Unit


@dataclass(eq=False)
class Program:
    """Steps with a place in memory for every tensor.

    ``arguments`` are the C parameters of the inputs and outputs; ``kept`` are the tensors that
    exist after some step and can be shown, each with the number of that step.
    """

    unit: Unit
    constants: Constants
    steps: list[Step]
    arguments: dict[Tensor, str]
    strides: dict[Tensor, tuple[int, ...]]
    offsets: dict[Tensor, int]
    arena: int  # floats
    done_at: dict[Tensor, int]
    sizes: dict[Tensor, int] = field(default_factory=dict)  # floats, where not the tensor's
    functions: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def layout(self, tensor: Tensor) -> Sequence[int]:
        """Elements from one position of each axis to the next."""
        return self.strides.get(tensor) or natural(tensor.shape)

    def pointer(self, tensor: Tensor) -> str:
        """The C expression of a tensor's first element, in the function that runs it all."""
        if tensor in self.arguments:
            return self.arguments[tensor]
        return f"arena + {self.offsets[tensor]}"


def build(
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    equations: Sequence[Equation],
    kept: Sequence[Tensor],
    unit: Unit,
    constants: Constants,
    arguments: tuple[Sequence[str], Sequence[str]],
    fast: bool = True,
) -> Program:
    """Plan a program that fills ``outputs`` and has every tensor of ``kept`` at some time.

    ``fast`` False keeps to the general printer.
    """
    everything, results = _with_results(inputs, outputs, equations, kept)
    held = {*results, *kept}
    short = simplified(everything, held)
    strides, decided = layouts(short)
    short, copies = _with_copies(short, inputs, results, strides, decided)
    held |= copies
    names = dict(zip([*inputs, *results], [*arguments[0], *arguments[1]], strict=True))
    for tensor in names:
        strides[tensor] = natural(tensor.shape)
    newest = newest_only(short, held)
    for tensor, axis in newest.items():
        strides[tensor] = _without_axis(strides[tensor], tensor, axis)
    program = Program(unit, constants, [], names, strides, {}, 0, {})
    program.sizes = {tensor: tensor.size // tensor.shape[axis] for tensor, axis in newest.items()}
    program.steps = scheduled(short, program.layout, held, constants, unit, fast)
    _place(program, kept)
    _print(program)
    if unit.rows:
        program.functions.insert(0, rows_text(unit.rows, unit.kernels, unit.library))
    return program


def _without_axis(strides: Sequence[int], tensor: Tensor, axis: int) -> tuple[int, ...]:
    """Strides of a tensor whose elements along one axis share their memory."""
    outer, size = strides[axis], tensor.shape[axis]
    return tuple(
        0 if n == axis else stride // size if stride > outer else stride
        for n, stride in enumerate(strides)
    )


def _with_results(
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    equations: Sequence[Equation],
    kept: Sequence[Tensor],
) -> tuple[list[Equation], list[Tensor]]:
    """Equations that fill tensors of their own for the outputs; as copies where need be."""
    every = list(equations)
    results = []
    for number, tensor in enumerate(outputs):
        result = Tensor(f"{tensor.name}/output{number}", tensor.axes, tensor.shape)
        results.append(result)
        if {tensor} & {*inputs, *kept} or list(outputs).count(tensor) > 1:
            at = indices_of(tensor)
            every.append(equation(result[at], tensor[at]))
        else:
            every = [_with(eq, tensor, result) for eq in every]
    return every, results


def _with_copies(
    equations: Sequence[Equation],
    inputs: Sequence[Tensor],
    results: Sequence[Tensor],
    strides: dict[Tensor, tuple[int, ...]],
    decided: AbstractSet[Tensor],
) -> tuple[list[Equation], set[Tensor]]:
    """Copies of inputs and outputs in the layout that sums want, where it is not their own."""
    every = list(equations)
    copies: set[Tensor] = set()
    for tensor in (*inputs, *results):
        own = natural(tensor.shape)
        if tensor not in decided or same_layout(tensor.shape, own, strides[tensor]):
            continue
        inner = Tensor(f"{tensor.name}/inside", tensor.axes, tensor.shape)
        strides[inner] = strides[tensor]
        copies.add(inner)
        at = indices_of(tensor)
        every = [_with(eq, tensor, inner) for eq in every]
        if tensor in inputs:
            every.insert(0, equation(inner[at], tensor[at]))
        else:
            every.append(equation(tensor[at], inner[at]))
    return every, copies


def _with(eq: Equation, old: Tensor, new: Tensor) -> Equation:
    """The equation with one tensor in place of another."""
    moved = _reading(eq, old, new)
    return replace(moved, target=new) if eq.target is old else moved


def _reading(eq: Equation, old: Tensor, new: Tensor) -> Equation:
    from netsheet.equations.transform import Transform, on_reads

    if old not in read_by(eq):
        return eq
    moved = on_reads(lambda node: replace(node, tensor=new) if node.tensor is old else node)
    return Transform(moved).equation(eq)


def _place(program: Program, kept: Sequence[Tensor]) -> None:
    """Lifetimes, then offsets in the arena."""
    buffers: dict[object, Buffer] = {}
    pairs = []
    for number, step in enumerate(program.steps):
        for tensor in step.writes:
            if tensor not in program.arguments:
                size = program.sizes.get(tensor, tensor.size)
                buffers.setdefault(tensor, Buffer(size, number, number, [tensor]))
                buffers[tensor].last = number
            program.done_at[tensor] = number
        for tensor in step.scratch:
            buffers[tensor] = Buffer(tensor.size, number, number, [tensor])
        for tensor in step.reads:
            if tensor in buffers:
                buffers[tensor].last = number
        if len(step.writes) == 1 and step.writes[0] not in program.arguments:
            pairs += [
                (old, step.writes[0])
                for old in step.reused(program.layout)
                if old in buffers and buffers[step.writes[0]].first == number
            ]
    merged(buffers, pairs)
    distinct = list(dict.fromkeys(buffers.values()))
    program.arena = plan(distinct)
    for buffer in distinct:
        for user in buffer.users:
            assert isinstance(user, Tensor)
            program.offsets[user] = buffer.offset
    program.done_at = {t: n for t, n in program.done_at.items() if t in kept}


def _print(program: Program) -> None:
    for step in program.steps:
        tensors = list(dict.fromkeys([*step.reads, *step.writes, *step.scratch]))
        written = {*step.writes, *step.scratch}
        unit = program.unit
        name = unit.names.fresh(f"{unit.library}_layer_{_short(step.writes[-1])}")
        pointers = _pointer_names(tensors)
        scope = Scope(unit, _WithWeights(pointers, program.constants))
        step.print(scope, program.layout)
        parameters = ", ".join(
            f"{'' if t in written else 'const '}float *{pointers[t]}" for t in tensors
        )
        head = f"static void {name}({parameters})"
        program.functions.append(f"{note(step)}{head}\n{{\n{scope.lines}\n}}\n")
        arguments = ", ".join(program.pointer(tensor) for tensor in tensors)
        program.calls.append(f"{name}({arguments});")


def _short(tensor: Tensor) -> str:
    from netsheet.write.c.names import identifier

    return identifier(tensor.name)


def _pointer_names(tensors: Sequence[Tensor]) -> dict[Tensor, str]:
    from netsheet.write.c.names import Identifiers

    names = Identifiers()
    return {tensor: names.of(tensor, tensor.name, "a_") for tensor in tensors}


class _WithWeights(dict[Tensor, str]):
    """Pointers of a function; weights are constants, added when they are first read."""

    def __init__(self, pointers: dict[Tensor, str], constants: Constants) -> None:
        super().__init__(pointers)
        self._constants = constants

    def __missing__(self, tensor: Tensor) -> str:
        assert isinstance(tensor, Weight), f"{tensor.name} has no place"
        note = f"{tensor.name} {tuple(tensor.shape)}"
        return self._constants.add(tensor.name, tensor.values, note)
