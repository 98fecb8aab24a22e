"""The one comparison: what an engine recomputed against a reference, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.data.states import with_states
from netsheet.engine.run import engine
from netsheet.equations import FLOAT, FloatArray
from netsheet.fidelity import BOUND, ROUNDING, LayerVerdict, Verdict, judge, worst
from netsheet.network import Network
from netsheet.selection import refused, told
from netsheet.verify.engines.base import Artefact, Recomputed, Values
from netsheet.verify.engines.equations import in_doubles


def prove(
    target: str,
    artefact: Artefact,
    samples: Sequence[Sample],
    found: Recomputed,
    reference: Recomputed,
) -> Verdict:
    """One row for each key of the artefact, and for each output of each further program.

    A value that the engine did not find fails. Where a layer is out of bounds, float32 itself is
    measured against doubles: if it is about as far off there, the row says so.
    """
    rounds = [
        _rows(artefact, found, n, {**_given(sample), **reference.samples[n]})
        for n, sample in enumerate(samples)
    ]
    layers = [worst(rows[0].layer, list(rows)) for rows in zip(*rounds, strict=True)]
    layers = _explained(artefact.network, samples, layers)
    return Verdict(
        target,
        found.engine,
        reference.engine,
        layers,
        tuple(found.remarks),
        tuple(told(refused(artefact.network))),
    )


def _given(sample: Sample) -> Values:
    return {name: value.values for name, value in sample.inputs.items()}


def _rows(
    artefact: Artefact, found: Recomputed, number: int, expected: Values
) -> list[LayerVerdict]:
    values = found.samples[number]
    rows = [_judged(key, key, values.get(key), expected, found.notes) for key in artefact.keys]
    for program, samples in found.programs.items():
        for tensor, array in zip(artefact.network.outputs, samples[number], strict=True):
            label = f"{tensor.name} ({program})"
            rows.append(_judged(label, tensor.name, array, expected, {}))
    return rows


def _judged(
    label: str,
    key: str,
    values: FloatArray | None,
    expected: Values,
    notes: Mapping[str, str],
) -> LayerVerdict:
    if key not in expected:
        size = 0 if values is None else values.size
        note = "the reference has no such value"
        return LayerVerdict(label, size, math.inf, math.inf, False, note)
    return judge(label, values, expected[key], notes.get(key, ""))


def _explained(
    network: Network, samples: Sequence[Sample], layers: list[LayerVerdict]
) -> list[LayerVerdict]:
    """The rows; a failing one is marked where float32 itself is about as far from doubles.

    Large sums that cancel, or a small range behind large values (ReLU6 in a network of random
    weights), lose digits in any order of summation.
    """
    failing = [row for row in layers if not row.ok and math.isfinite(row.max_abs)]
    if not failing or not samples or not network.bound:
        return layers
    # whole numbers are equal or wrong
    tensors = {
        tensor.name
        for tensor in (*network.tensors().values(), *network.inputs)
        if tensor.dtype == FLOAT
    }
    off: dict[str, float] = {}
    for sample in samples:
        exact = in_doubles(network, sample)
        explicit = network.explicit
        whole = with_states(sample, explicit)
        single = engine(explicit).activations(
            {tensor.name: whole.inputs[tensor.name].values[None] for tensor in explicit.inputs}
        )
        for key in tensors & exact.keys() & single.keys():
            own = _distance(single[key][0], exact[key])
            if own > BOUND * max(1.0, float(np.abs(exact[key]).max(initial=0.0))) / ROUNDING:
                off[key] = max(own, off.get(key, 0.0))
    return [_marked(row, off) for row in layers]


def _distance(first: FloatArray, second: FloatArray) -> float:
    """The largest difference; 0 where one of them is no number."""
    difference = np.abs(np.asarray(first, float) - second)
    return float(difference[np.isfinite(difference)].max(initial=0.0))


def _marked(row: LayerVerdict, off: Mapping[str, float]) -> LayerVerdict:
    key = row.layer if row.layer in off else row.layer.rpartition(" (")[0]
    if row.ok or key not in off or not math.isfinite(row.max_abs):
        return row
    note = row.note or f"float32 itself is off by {off[key]:.1e} here"
    return replace(row, note=note, rounding=row.max_abs <= ROUNDING * off[key])
