"""A network as a TensorFlow Lite file: as it is, or quantised with ranges from samples."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netsheet.engine.run import Progress
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UsageError, choices
from netsheet.files import atomic
from netsheet.network import Network
from netsheet.read.tflite import network_of
from netsheet.read.tflite.original import TfliteOriginal
from netsheet.write.tflite.file import file_bytes
from netsheet.write.tflite.networks import lowered
from netsheet.write.tflite.passes import joined
from netsheet.write.tflite.quantising import WHOLE, quantised_graph
from netsheet.write.tflite.ranges import RealFile

DESCRIPTION = "netsheet"


@dataclass(frozen=True, eq=False)
class Quantised:
    """A quantised network with its file.

    ``real``: keys of the calls that stay in real numbers. ``meaning``: which tensor of the
    quantised network stands for which call of the given one, where one does; ``orders``: which of
    its axes (the batch counted) each axis of the call is, where they are in another order.
    """

    content: bytes
    network: Network
    real: tuple[str, ...]
    meaning: Mapping[str, str]
    orders: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def to_tflite(network: Network, target: str | Path) -> None:
    """Write a TensorFlow Lite file: of real numbers, or the one that the network was read from.

    Raises:
        UnsupportedError: layers that have no form there, named.
    """
    if isinstance(network.original, TfliteOriginal):
        content = network.original.content
    else:
        content = file_bytes(joined(lowered(network)), DESCRIPTION)
    with atomic(target) as path:
        path.write_bytes(content)


def quantise(
    network: Network,
    samples: Mapping[str, FloatArray],
    *,
    percentile: float = 100.0,
    real: Sequence[str] = (),
    real_ends: bool = False,
    progress: Progress | None = None,
) -> Quantised:
    """The network in int8, as TensorFlow's converter quantises.

    Args:
        samples: calibration samples by input name, batch axis in front, as the network takes them.
        percentile: of each tensor's values, so many are inside its range; 100 takes all.
        real: keys of calls that stay in real numbers.
        real_ends: inputs and outputs hold real numbers; otherwise int8.

    Raises:
        NetsheetError: no samples, or samples that give no numbers.
        UnsupportedError: layers that have no form in TensorFlow Lite, named.
        UsageError: a key in ``real`` that no call has.
    """
    if not 50 < percentile <= 100:
        raise UsageError(f"a percentile is from 50 to 100, not {percentile:g}.")
    keys = [node.key for node in network.nodes]
    for key in real:
        if key not in keys:
            raise UsageError(f"there is no layer {key!r}{choices(key, keys)}")
    if any(tensor.quantisation is not None for tensor in network.inputs):
        raise NetsheetError(f"{network.name} is quantised already.")
    graph = joined(lowered(network))
    ranges = RealFile.of(graph).ranges(samples, percentile, progress)
    calls = {op.layer for op in graph.operators if op.layer in real or op.name not in WHOLE}
    graph = quantised_graph(copy.copy(graph), ranges, calls, real_ends)
    content = file_bytes(graph, DESCRIPTION)
    found = network_of(content, f"{network.name}_int8")
    found.training_config, found.class_names = network.training_config, network.class_names
    found.preparation = network.preparation
    numbers = {number: name for name, number in found.original.numbers.items()}
    tensors = graph.tensors()
    meaning = {
        key: numbers[tensors.index(tensor)]
        for key, tensor in graph.tensors_of.items()
        if tensor in tensors and tensors.index(tensor) in numbers
    }
    return Quantised(content, found, tuple(k for k in keys if k in calls), meaning, graph.orders)
