"""The range of every tensor of a file of real numbers, over samples.

The file itself is read back and computed, so that tensors which stand for several layers (a
convolution with its normalisation and activation) have their ranges as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netsheet.engine.run import Engine, Progress
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError
from netsheet.network import Network
from netsheet.read.tflite import network_of
from netsheet.write.tflite.file import file_bytes
from netsheet.write.tflite.graph import LiteGraph, LiteTensor

BINS = 4096  # of the histogram that a percentile is taken from


@dataclass(frozen=True)
class Range:
    """The smallest and the largest value of a tensor."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class RealFile:
    """A graph of real numbers as a file, read back: what computes each of its tensors."""

    graph: LiteGraph
    network: Network
    names: Mapping[LiteTensor, str]  # in the network that was read

    @classmethod
    def of(cls, graph: LiteGraph) -> RealFile:
        """The file of a graph."""
        network = network_of(file_bytes(graph, "real numbers"), "real")
        refused = next((node for node in network.nodes if node.refusal), None)
        if refused is not None:
            raise NetsheetError(f"{refused.key} ({refused.layer.type}): {refused.refusal}")
        tensors = graph.tensors()
        names = {tensors[number]: name for name, number in network.original.numbers.items()}
        return cls(graph, network, names)

    def ranges(
        self,
        samples: Mapping[str, FloatArray],
        percentile: float = 100.0,
        progress: Progress | None = None,
    ) -> dict[LiteTensor, Range]:
        """Smallest and largest values over the samples, by input name.

        ``percentile``: of the values of each tensor so many are inside; 100 takes all.

        Raises:
            NetsheetError: a value is no finite number.
        """
        engine = Engine(self.network)
        names = list(self.names.values())
        arrays = engine.inputs(dict(zip(_input_names(self.network), samples.values(), strict=True)))
        limits = dict.fromkeys(names, (np.inf, -np.inf))
        for batch in engine.batches(arrays):
            for name, values in engine.named(batch, names, progress).items():
                low, high = limits[name]
                limits[name] = min(low, float(values.min())), max(high, float(values.max()))
        for name, pair in limits.items():
            if not np.isfinite(pair).all():
                raise NetsheetError(
                    f"{name}: the calibration samples give values that are no numbers (NaN or "
                    "infinite); look at the samples and at the network with evaluate."
                )
        if percentile < 100:
            limits = self._inside(engine, arrays, limits, percentile)
        return {tensor: Range(*limits[name]) for tensor, name in self.names.items()}

    def _inside(
        self,
        engine: Engine,
        arrays: Mapping[str, FloatArray],
        limits: Mapping[str, tuple[float, float]],
        percentile: float,
    ) -> dict[str, tuple[float, float]]:
        """The limits between which that share of the values lies, as much cut off on each side."""
        counts = {name: np.zeros(BINS, np.int64) for name in limits}
        for batch in engine.batches(arrays):
            for name, values in engine.named(batch, list(limits)).items():
                counts[name] += np.histogram(values, BINS, limits[name])[0]
        outside = (1 - percentile / 100) / 2
        found = {}
        for name, (low, high) in limits.items():
            share = np.cumsum(counts[name]) / max(counts[name].sum(), 1)
            first, last = np.searchsorted(share, (outside, 1 - outside))
            width = (high - low) / BINS
            found[name] = low + first * width, low + min(last + 1, BINS) * width
        return found


def _input_names(network: Network) -> list[str]:
    return [tensor.name for tensor in network.inputs]
