"""A network as steps: for each call its functions, one for each of its equations.

Nothing is folded, fused or laid out anew: every tensor of every equation (the maximum of a softmax,
the gates of an LSTM) keeps its own memory in its own order, and every weight is read as the file
has it. So whatever is shown can be asked, and whatever is changed has its effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.engine.lesson import Lesson
from netsheet.equations import FLOAT, Equation, Tensor, Weight
from netsheet.loops.builder import FunctionBuilder, ProgramNames
from netsheet.loops.check import check
from netsheet.loops.computations import Computation
from netsheet.loops.ir import Buffer, Function, PositionTable, Program
from netsheet.loops.names import Identifiers
from netsheet.loops.schedule import scheduled
from netsheet.loops.storage.addresses import natural
from netsheet.loops.storage.constants import Constants
from netsheet.network import Network, Node
from netsheet.write.page.learning import PageLearning, learning_equations, page_lesson
from netsheet.write.page.print import function_text, parameters
from netsheet.write.page.unroll_and_jam import jammed


@dataclass(eq=False)
class PageProgram:
    """The steps of a network, and the numbers of its tensors and weights.

    ``steps[n]`` are the functions of ``nodes[n]``, made of ``equations[n]``; tensors lie one
    behind the other. ``learning`` are the functions of a step of gradient descent, behind them.
    """

    network: Network
    nodes: Sequence[Node]
    equations: Sequence[Sequence[Equation]]
    steps: Sequence[Sequence[Function]]
    tensors: dict[Tensor, Buffer]
    weights: dict[Weight, Buffer]
    tables: Sequence[PositionTable]
    size: int
    learning: Sequence[Function] = ()
    lesson: Lesson | None = None
    asked: str = ""  # what says what the network should give

    @property
    def wide(self) -> bool:
        """True if it computes in whole numbers, which need doubles."""
        return any(tensor.dtype != FLOAT for tensor in (*self.tensors, *self.weights))


class _Memory(dict[Tensor, Buffer]):
    """Every tensor its own part of one memory; weights are constants."""

    def __init__(self) -> None:
        super().__init__()
        self.names, self.constants = Identifiers(), Constants()
        self.weights: dict[Weight, Buffer] = {}
        self.size = 0

    def __missing__(self, tensor: Tensor) -> Buffer:
        if isinstance(tensor, Weight):
            # one buffer for each weight, also where two have equal values: each can be changed
            name = self.names.of(tensor, tensor.name, "w_")
            flat = Constants().add(tensor.name, tensor.values, tensor.name, tensor.dtype)
            made = Buffer(
                name, flat.size, tensor.dtype, "constant", values=flat.values, note=tensor.name
            )
            self.weights[tensor] = made
        else:
            name, size = self.names.of(tensor, tensor.name, "a_"), max(tensor.size, 1)
            made = Buffer(name, size, tensor.dtype, start=self.size, note=tensor.name)
            self.size += size
        self[tensor] = made
        return made


def page_program(network: Network, learn: PageLearning | None = None) -> PageProgram:
    """The steps of all calls that are computed, and those that learn where ``learn`` says so.

    Raises:
        NetsheetError: a read or a write would be outside its tensor; names it.
        UsageError, UnsupportedError: as :func:`~netsheet.write.page.learning.page_lesson`.
    """
    names, memory = ProgramNames(), _Memory()
    inputs = tuple(memory[tensor] for tensor in network.inputs)
    nodes = network.computed()
    equations = [network.node_equations(node) for node in nodes]
    steps = []
    for own in equations:
        computations = scheduled(own, _natural, set(), memory.constants, names, fast=False)
        steps.append([_function(one, memory, names) for one in computations])
    learning, lesson, asked = list[Function](), None, ""
    if learn is not None:
        forward = [eq for own in equations for eq in own]
        lesson, asked = page_lesson(network, forward, learn)
        made = learning_equations(lesson, forward)
        computations = scheduled(made, _natural, set(), memory.constants, names, fast=False)
        learning = [_function(one, memory, names) for one in computations]
    functions = (*(function for step in steps for function in step), *learning)
    tables = tuple(names.tables.values())
    for tensor in network.outputs:
        memory[tensor]
    check(Program(inputs, (), functions, memory.size, tables))
    tensors = {t: b for t, b in memory.items() if not isinstance(t, Weight)}
    return PageProgram(
        network, nodes, equations, steps, tensors, memory.weights, tables, memory.size,
        learning, lesson, asked,
    )  # fmt: skip


def _natural(tensor: Tensor) -> Sequence[int]:
    return natural(tensor.shape)


def _function(one: Computation, memory: _Memory, names: ProgramNames) -> Function:
    builder = FunctionBuilder(names, memory)
    one.lower(builder, _natural)
    tensors = dict.fromkeys([*one.reads, *one.writes])
    buffers = tuple(dict.fromkeys(memory[tensor] for tensor in tensors))
    written = frozenset(memory[tensor] for tensor in one.writes)
    name = names.function(one.writes[-1].name)
    return Function(name, buffers, written, jammed(builder.body))


def program_text(program: PageProgram) -> str:
    """JavaScript: ``network(t, w)`` gives the steps over arrays of tensors and weights.

    ``t`` and ``w`` are in the order of ``program.tensors`` and ``program.weights``. Where the page
    learns, the last step does.
    """
    places = {buffer.name: f"t[{n}]" for n, buffer in enumerate(program.tensors.values())}
    places |= {buffer.name: f"w[{n}]" for n, buffer in enumerate(program.weights.values())}
    lines = ["function network(t, w) {"]
    lines += [f"const {t.name} = [{','.join(map(str, t.values))}];" for t in program.tables]
    calls = []
    for step in (*program.steps, *([program.learning] if program.learning else [])):
        for function in step:
            lines.append(function_text(function))
        inside = "; ".join(
            f"{f.name}({', '.join(places[b.name] for b in parameters(f))})" for f in step
        )
        calls.append(f"() => {{ {inside} }}")
    lines.append("return [\n" + ",\n".join(calls) + "\n];\n}")
    return "\n".join(lines)
