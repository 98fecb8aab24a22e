"""How far a quantised network is from the one it was made of, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netsheet.engine.run import Engine
from netsheet.equations import LIMITS, FloatArray, Tensor
from netsheet.equations.entry import meaning
from netsheet.network import Network
from netsheet.write.tflite.quantise import Quantised

# Of values at an end of the range, more than this share is worth a word.
MANY_SATURATED = 0.01
LOUD = 10.0  # dB of signal over noise, below which a layer's values are hardly its own


@dataclass(frozen=True)
class LayerNoise:
    """One layer's values in int8 against its real ones, over samples.

    ``decibels``: ten times the logarithm of signal over noise, both as sums of squares; infinite
    without noise. ``saturated``: the share of values at an end of int8's range that a real value
    beyond that end was put on. ``step``: the scale, None where it stays real.
    """

    layer: str
    type: str
    decibels: float
    saturated: float
    step: float | None

    @property
    def hurts(self) -> bool:
        """True if noise and signal are of about the same size."""
        return self.decibels < LOUD


@dataclass(eq=False)
class _Sums:
    """What is added up of one tensor over batches."""

    tensor: Tensor  # in the quantised network
    signal: float = 0.0
    noise: float = 0.0
    beyond: int = 0
    count: int = 0

    def take(self, before: FloatArray, whole: FloatArray) -> None:
        """A batch of real values, and what the quantised network has in their place."""
        before = before.astype(float)
        after = meaning(self.tensor, whole).astype(float).reshape(before.shape)
        self.signal += float((before**2).sum())
        self.noise += float(((before - after) ** 2).sum())
        self.count += before.size
        own = self.tensor.quantisation
        if own is not None:
            # less than a step is no more than rounding: tanh's 1 is 127/128 by its fixed scale
            low, high = own.real(np.array(LIMITS[self.tensor.dtype])).tolist()
            self.beyond += int(((before < low - own.step) | (before > high + own.step)).sum())

    def row(self, key: str, kind: str) -> LayerNoise:
        """The layer's line of the report."""
        own = self.tensor.quantisation
        decibels = _decibels(self.signal, self.noise)
        share = self.beyond / max(self.count, 1)
        return LayerNoise(key, kind, decibels, share, None if own is None else own.step)


def layer_noise(
    network: Network, quantised: Quantised, samples: Mapping[str, FloatArray]
) -> list[LayerNoise]:
    """Every layer whose values both networks have, in the order of computation.

    A layer that does nothing (its output is its input itself) has no line.
    """
    real, whole = Engine(network), Engine(quantised.network)
    tensors = {t.name: t for node in quantised.network.nodes for t in node.outputs}
    sums = {
        key: _Sums(tensors[name])
        for key, name in quantised.meaning.items()
        if key in network.tensors() and name in tensors
    }
    inputs = [tensor.name for tensor in quantised.network.inputs]
    for batch in real.batches(real.inputs(dict(samples))):
        wanted = real.activations(batch, list(sums))
        given = whole.inputs(dict(zip(inputs, batch.values(), strict=True)))
        found = whole.named(given, [one.tensor.name for one in sums.values()])
        for key, one in sums.items():
            values = found[one.tensor.name]
            order = quantised.orders.get(key)
            one.take(wanted[key], values if order is None else values.transpose(order))
    return [one.row(key, network.node(key).layer.type) for key, one in sums.items()]


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def advice(rows: Sequence[LayerNoise]) -> str:
    """The first layer that hurts and what to do; empty where none does."""
    first = next((row for row in rows if row.hurts), None)
    if first is not None:
        return (
            f"{first.layer} ({first.type}) is the first layer that hurts: {first.decibels:.1f} dB "
            f"of signal over noise. More or other calibration samples, --percentile 99.9, or "
            f"--float {first.layer} to keep it in real numbers may help."
        )
    cut = next((row for row in rows if row.saturated > MANY_SATURATED), None)
    if cut is not None:
        return (
            f"{cut.layer} ({cut.type}) is cut off at {cut.saturated:.1%} of its values: calibrate "
            "with more samples, or with a higher --percentile."
        )
    return ""
