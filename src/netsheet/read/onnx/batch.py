"""Which axis of an ONNX graph counts the samples: decided from what the graph does with it.

A symbolic (or unknown) first axis of the inputs is the batch where the outputs keep it and nothing
in between adds up, steps or moves along it, or computes with its size. An exported LSTM whose first
axis is the time, or a maximum over the points of a cloud, is no batch: for one sample it would be
computed for one step alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from netsheet.equations import Equation, Index, Read, Reduce, Tensor, walk
from netsheet.equations.positions import Quotient, Remainder
from netsheet.errors import NetsheetError, UsageError
from netsheet.network import Network
from netsheet.read.onnx.sample_count import may_use_sizes, uses_sample_count

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, ValueInfoProto

AUTO, NONE = "auto", "none"
RARE = 13  # a size for the axis in question that is rare among the sizes of networks
FEW = (2, 1)  # numbers of samples for which a graph that uses their number may do other things
OTHERS = 8  # what stands for other open sizes

Dimension = int | str | None
Reading = Callable[[Mapping[str, Sequence[int]]], Network]


def dimensions(entry: ValueInfoProto) -> list[Dimension]:
    """The sizes of a value: numbers, names, or None where nothing is said."""
    return [
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
        for dim in entry.type.tensor_type.shape.dim
    ]


def symbolic(entries: Iterable[ValueInfoProto]) -> list[ValueInfoProto]:
    """The inputs whose first axis has no fixed size."""
    return [entry for entry in entries if isinstance((dimensions(entry) or [1])[0], str | None)]


def is_batch(graph: GraphProto, given: Sequence[ValueInfoProto], whole: Reading) -> bool:
    """True if the first axis of the inputs counts samples; ``whole`` reads with all axes kept.

    Where the graph cannot be read for the sizes that are tried, it is taken for a batch.
    """
    open_ = symbolic(given)
    if not open_:
        return True
    names = {dimensions(entry)[0] for entry in open_}
    kept = {(dimensions(entry) or [None])[0] for entry in graph.output}
    named = None not in names and names <= kept
    with_sizes = may_use_sizes(graph)
    if named and not with_sizes and not any(map(_may_mix, graph.node)):
        return True
    rare = _rare(given)

    def read(size: int) -> Network:
        return whole({entry.name: _tried(entry, names, size) for entry in given})

    try:
        network = read(rare)
        outputs, equations = network.outputs, network.equations()
    except NetsheetError:
        return True
    try:
        if with_sizes and any(uses_sample_count(network, read(size)) for size in FEW):
            return False
    except NetsheetError:
        return False  # it depends on the number of samples whether it can be read at all
    if len(outputs) < len(graph.output) or any(node.refusal for node in network.nodes):
        return True
    inputs = [tensor for tensor in network.inputs if tensor.shape[:1] == (rare,)]
    return any(rare in t.shape[:1] for t in outputs) and not mixes(equations, inputs, rare)


def _rare(given: Sequence[ValueInfoProto]) -> int:
    sizes = {size for entry in given for size in dimensions(entry)}
    return next(n for n in range(RARE, RARE + 1000) if n not in sizes)


def _tried(entry: ValueInfoProto, names: set[Dimension], rare: int) -> list[int]:
    """Sizes for a trial: the rare one for the first axis, and wherever its name stands."""
    result = []
    for axis, size in enumerate(dimensions(entry)):
        if isinstance(size, int):
            result.append(size)
        else:
            first = axis == 0 or (size is not None and size in names)
            result.append(rare if first else OTHERS)
    return result


# Operators that may add up, step or move along the first axis; those with an axis only if that is
# the first, or counted from the end.
_STEPS = ("LSTM", "GRU", "RNN", "CumSum", "CumProd", "ReverseSequence", "Slice", "Transpose")
_ALONG = ("Softmax", "LogSoftmax", "Hardmax", "ArgMax", "ArgMin", "TopK", "Gather", "Concat",
          "Split", "LpNormalization", "GatherElements", "ScatterElements")  # fmt: skip


def _may_mix(node: NodeProto) -> bool:
    """True for an operator that may compute one sample from others."""
    if node.op_type == "Transpose":
        orders = [attribute.ints[:1] for attribute in node.attribute if attribute.name == "perm"]
        return not orders or list(orders[0]) != [0]
    if node.op_type in _STEPS or node.op_type.startswith("Reduce"):
        return True
    axes = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
    if node.op_type in _ALONG:
        return not axes or axes[0] < -1 or axes[0] == 0
    return False


def mixes(equations: Iterable[Equation], inputs: Sequence[Tensor], size: int) -> bool:
    """True if an equation computes one sample from others; ``size`` is how many there are.

    Which axis of a tensor counts the samples is followed from the inputs on. Where samples are
    joined with another axis, as a reshape of both does, nothing is claimed of what comes behind.
    """
    axis = dict.fromkeys(inputs, 0)
    for eq in equations:
        if eq.time is not None and eq.time.size == size:
            return True
        found: set[Index] = set()
        joined = False
        for part in walk(eq.value):
            if not isinstance(part, Read) or part.tensor not in axis:
                continue
            at = part.at[axis[part.tensor]]
            if any(isinstance(atom, (Quotient, Remainder)) for _, atom in at.terms):
                joined = True
                continue
            index = at.single()
            if index is None:  # turned round, moved, or a sample by its number
                return True
            found.add(index)
        over = {index for part in walk(eq.value) if isinstance(part, Reduce) for index in part.over}
        if found & over or len(found) > 1:
            return True
        places = [n for n, at in enumerate(eq.at) if at.single() in found]
        if places and not joined:
            axis[eq.target] = places[0]
    return False


def chosen_axis(wanted: str | int | None, given: Sequence[ValueInfoProto]) -> int | None:
    """What ``--batch-axis`` means: None for no batch, or the axis's number.

    Raises:
        UsageError: no such axis.
    """
    if wanted in (None, NONE):
        return None
    text = str(wanted)
    for entry in given:
        for axis, size in enumerate(dimensions(entry)):
            if size == text and not text.isdecimal():
                return axis
    if text.isdecimal() and any(int(text) < len(dimensions(entry)) for entry in given):
        return int(text)
    found = sorted({str(size) for entry in given for size in dimensions(entry)
                    if isinstance(size, str)})  # fmt: skip
    raise UsageError(
        f"there is no batch axis {text!r}: give none, the number of an axis"
        + (f", or one of the names {', '.join(found)}." if found else ".")
    )
