"""How a network becomes loops: every pass, in its order. Read this first.

Equations, one list for the whole network, are rewritten:

0. ``check_reads`` proves that every position lies inside its axis.
1. ``with_results`` gives every output a tensor of its own, with a copy where it is shown as well;
   ``bounded`` makes several equations of one with very many levels.
2. ``fold_constants`` computes what depends on weights alone.
3. ``without_dead_code`` drops what no kept tensor needs.
4. ``simplify`` propagates copies (reshapes, transposes), turns padding into guards of sums, and
   inlines element-by-element equations, until nothing changes.
5. ``without_dead_code`` again, then ``narrowed`` drops taps that are outside of every window.

Storage is decided for what is left:

6. ``layouts`` chooses which axes of each tensor are contiguous: those along which sums run.
7. ``with_copies`` copies inputs and outputs whose layout is given and differs.
8. ``folded_axes`` lets recurrent tensors keep their newest step only (storage folding).

Equations become computations, and those become functions of the loop IR:

9. ``scheduled`` recognises sums of products and poolings, joins sums with the pooling behind them,
   chooses register tiles (``choose_row_functions``) and packs weights; the rest are plain loops.
10. ``lifetimes`` and ``place`` put every tensor into the arena, over those that are dead.
11. ``lower`` of each computation makes its loops (storage flattening, ``collapsed`` loops).
12. ``with_short_products`` rounds whole numbers in few steps where their limits allow it.
13. ``check`` proves every offset inside its buffer, and the types.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from netsheet.equations import Equation, Tensor, Weight
from netsheet.loops.builder import FunctionBuilder, ProgramNames
from netsheet.loops.check import check
from netsheet.loops.check_reads import check_reads
from netsheet.loops.computations import Computation
from netsheet.loops.ir import Buffer, Function, Program
from netsheet.loops.names import Identifiers
from netsheet.loops.passes.bound_depth import bounded
from netsheet.loops.passes.dead_code import without_dead_code
from netsheet.loops.passes.ends import with_copies, with_results
from netsheet.loops.passes.fold_constants import fold_constants
from netsheet.loops.passes.guards import narrowed
from netsheet.loops.passes.rescaling import with_short_products
from netsheet.loops.passes.simplify import simplify
from netsheet.loops.schedule import scheduled
from netsheet.loops.storage.addresses import Layout, natural
from netsheet.loops.storage.arena import place
from netsheet.loops.storage.constants import Constants
from netsheet.loops.storage.folding import folded_axes
from netsheet.loops.storage.layout import layouts
from netsheet.loops.storage.lifetimes import lifetimes


@dataclass(eq=False)
class LoopedNetwork:
    """A network as loops, and where each of its tensors lies.

    Function ``n`` of the program does computation ``n``. ``done_at`` says after which one each
    kept tensor is whole.
    """

    program: Program
    computations: list[Computation]
    buffers: dict[Tensor, Buffer]
    strides: dict[Tensor, tuple[int, ...]]
    done_at: dict[Tensor, int]

    def layout(self, tensor: Tensor) -> Sequence[int]:
        """Elements from one position of each axis to the next."""
        return self.strides.get(tensor) or natural(tensor.shape)


def looped(
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    equations: Sequence[Equation],
    *,
    kept: Sequence[Tensor] = (),
    constants: Constants | None = None,
    fast: bool = True,
    memory: Sequence[Tensor] = (),
) -> LoopedNetwork:
    """The loops that fill ``outputs``, and every tensor of ``kept`` at some time.

    Args:
        constants: shared with the other programs of the network.
        fast: False makes plain loops of every equation.
        memory: further inputs that are read where they lie (weights in RAM), in their own order.

    Raises:
        NetsheetError: a read or a write would be outside its tensor; names it.
    """
    constants = constants or Constants()
    check_reads(equations)
    everything, results = with_results([*inputs, *memory], outputs, equations, kept)
    held = {*results, *kept}
    short = _rewritten(everything, held)
    strides, decided = layouts(short)
    short, copies = with_copies(short, inputs, results, strides, decided)
    held |= copies
    for tensor in (*inputs, *memory, *results):
        strides[tensor] = natural(tensor.shape)
    folded = folded_axes(short, held)
    for tensor, axis in folded.items():
        strides[tensor] = _without_axis(strides[tensor], tensor, axis)
    sizes = {tensor: tensor.size // tensor.shape[axis] for tensor, axis in folded.items()}

    def layout(tensor: Tensor) -> Sequence[int]:
        return strides.get(tensor) or natural(tensor.shape)

    shared = ProgramNames()
    computations = scheduled(short, layout, held, constants, shared, fast)
    storage = _Storage([*inputs, *memory], results, constants)
    arena = storage.place(computations, sizes, layout)
    functions = tuple(_function(one, storage, shared, layout) for one in computations)
    if fast:
        functions = tuple(with_short_products(function) for function in functions)
    program = Program(
        storage.inputs, storage.outputs, functions, arena, tuple(shared.tables.values())
    )
    check(program)
    done_at = {tensor: n for n, one in enumerate(computations) for tensor in one.writes}
    wanted = set(kept)
    done_at = {tensor: n for tensor, n in done_at.items() if tensor in wanted}
    return LoopedNetwork(program, computations, dict(storage), strides, done_at)


def _rewritten(equations: Sequence[Equation], held: AbstractSet[Tensor]) -> list[Equation]:
    """The same computation in fewer equations; held tensors stay."""
    every = [part for eq in equations for part in bounded(eq)]
    every = without_dead_code(fold_constants(every, held), held)
    every = without_dead_code(simplify(every, held), held)
    return [narrowed(eq) for eq in every]


def _without_axis(strides: Sequence[int], tensor: Tensor, axis: int) -> tuple[int, ...]:
    """Strides of a tensor whose elements along one axis share their memory."""
    outer, size = strides[axis], tensor.shape[axis]
    return tuple(
        0 if n == axis else stride // size if stride > outer else stride
        for n, stride in enumerate(strides)
    )


class _Storage(dict[Tensor, Buffer]):
    """The buffer of each tensor; weights are constants, added when they are first read."""

    def __init__(
        self,
        inputs: Sequence[Tensor],
        results: Sequence[Tensor],
        constants: Constants,
    ) -> None:
        super().__init__()
        self._constants = constants
        self._identifiers = Identifiers()
        for tensors, kind in ((inputs, "input"), (results, "output")):
            for tensor in tensors:
                self[tensor] = self._buffer(tensor, max(tensor.size, 1), kind)
        self.inputs = tuple(self[tensor] for tensor in inputs)
        self.outputs = tuple(self[tensor] for tensor in results)

    def place(
        self, computations: Sequence[Computation], sizes: dict[Tensor, int], layout: Layout
    ) -> int:
        """Put every other tensor into the arena; returns the arena's size."""
        found = lifetimes(computations, self.keys(), sizes, layout)
        arena = place(list(dict.fromkeys(found.values())))
        for tensor, lifetime in found.items():
            size = sizes.get(tensor, tensor.size)
            self[tensor] = self._buffer(tensor, size, "arena", lifetime.offset)
        return arena

    def _buffer(self, tensor: Tensor, size: int, kind: str, start: int = 0) -> Buffer:
        name = self._identifiers.of(tensor, tensor.name, "a_")
        return Buffer(name, size, tensor.dtype, kind, start, note=tensor.name)

    def __missing__(self, tensor: Tensor) -> Buffer:
        assert isinstance(tensor, Weight), f"{tensor.name} has no place"
        note = f"{tensor.name} {tuple(tensor.shape)}"
        return self._constants.add(tensor.name, tensor.values, note, tensor.dtype)


def _function(one: Computation, storage: _Storage, names: ProgramNames, layout: Layout) -> Function:
    """The loops of one computation."""
    tensors = list(dict.fromkeys([*one.reads, *one.writes, *one.scratch]))
    name = names.function(one.writes[-1].name)
    builder = FunctionBuilder(names, storage)
    one.lower(builder, layout)
    written = frozenset(storage[tensor] for tensor in (*one.writes, *one.scratch))
    return Function(name, tuple(storage[tensor] for tensor in tensors), written, builder.body)
