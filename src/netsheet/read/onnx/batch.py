"""Which axis of an ONNX graph counts the samples: decided from what the graph does with it.

A symbolic (or unknown) first axis of the inputs is the batch where the outputs keep it and nothing
in between adds up or steps along it. An exported LSTM whose first axis is the time, or a maximum
over the points of a cloud, is no batch: for one sample it would be computed for one step alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from netsheet.equations import Equation, Reduce, walk
from netsheet.errors import NetsheetError, UsageError
from netsheet.network import Network

if TYPE_CHECKING:
    from onnx import GraphProto, ValueInfoProto

AUTO, NONE = "auto", "none"
RARE = 13  # a size for the axis in question that is rare among the sizes of networks
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
    if named and not any(node.op_type in ("LSTM", "GRU", "RNN") for node in graph.node):
        return True
    rare = _rare(given)
    shapes = {entry.name: _tried(entry, names, rare) for entry in given}
    try:
        network = whole(shapes)
        outputs, equations = network.outputs, network.equations()
    except NetsheetError:
        return True
    if len(outputs) < len(graph.output) or any(node.refusal for node in network.nodes):
        return True
    return any(rare in t.shape[:1] for t in outputs) and not _mixes(equations, rare)


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


def _mixes(equations: Iterable[Equation], size: int) -> bool:
    """True if an equation adds up, or steps, along an axis of this size."""
    for eq in equations:
        if eq.time is not None and eq.time.size == size:
            return True
        for part in walk(eq.value):
            if isinstance(part, Reduce) and any(index.size == size for index in part.over):
                return True
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
