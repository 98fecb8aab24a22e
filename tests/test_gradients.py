"""Gradients as equations: against central differences, and against Keras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from netsheet.equations import (
    Equation,
    FloatArray,
    Tensor,
    Weight,
    equation,
    indices_of,
    reads,
    reduce,
)
from netsheet.equations.evaluation import evaluate
from netsheet.gradient import gradients
from netsheet.layers.base import constant, default_axes
from random_equations import STAGES, MadeUp

CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
STEP = 1e-5

chains = st.lists(
    st.tuples(st.sampled_from(sorted(STAGES)), st.integers(0, 1 << 20)), min_size=1, max_size=4
)
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


def weighted_sum(output: Tensor, seed: int) -> tuple[list[Equation], Tensor]:
    """A loss that every element of the output has a weight of its own in."""
    values = np.random.default_rng(seed).normal(size=output.shape)
    factor = constant("factor", values)
    loss, at = Tensor("loss", (), ()), indices_of(output)
    return [equation(loss[()], reduce("sum", at, output[at] * factor[at]))], loss


def slopes(
    equations: Sequence[Equation], loss: Tensor, given_: dict[Tensor, FloatArray], tensor: Tensor
) -> FloatArray:
    """Central differences, element by element, in doubles."""
    base = given_[tensor]
    result = np.zeros_like(base)
    for place in np.ndindex(base.shape):
        ends = []
        for step in (STEP, -STEP):
            moved = base.copy()
            moved[place] += step
            ends.append(float(evaluate(equations, {**given_, tensor: moved})[loss]))
        result[place] = (ends[0] - ends[1]) / (2 * STEP)
    return result


@settings(deadline=None, suppress_health_check=CHECKS, phases=PHASES, max_examples=100)
@given(shapes, chains, st.integers(0, 1 << 20))
def test_central_differences(
    shape: tuple[int, ...], chain: list[tuple[str, int]], seed: int
) -> None:
    x = Tensor("x", default_axes(len(shape)), shape)
    layer = MadeUp(name="made", type_name="MadeUp", stages=tuple(chain))
    (signature,) = layer.infer([x])
    y = Tensor("y", signature.axes, signature.shape)  # type: ignore[arg-type]
    equations = layer.equations([x], [y])
    more, loss = weighted_sum(y, seed)
    equations += more
    weights = {
        read.tensor for eq in equations for read in reads(eq.value)
        if isinstance(read.tensor, Weight) and read.tensor.name not in ("factor", "chosen")
    }  # fmt: skip
    wanted = [x, *sorted(weights, key=lambda tensor: tensor.name)]
    found = gradients(equations, loss, wanted)
    values: dict[Tensor, FloatArray] = {x: np.random.default_rng(seed + 1).normal(size=shape)}
    values |= {w: w.values.astype(float) for w in weights if isinstance(w, Weight)}
    results = evaluate(found.equations, values)
    for tensor in wanted:
        expected = slopes(equations, loss, values, tensor)
        adjoint = found.adjoints.get(tensor)
        got = results[adjoint] if adjoint is not None else np.zeros(tensor.shape)
        largest = max(1.0, float(np.abs(expected).max(initial=0)))
        assert np.abs(got - expected).max(initial=0) < 1e-6 * largest, (tensor.name, chain)


def test_a_loss_is_one_number() -> None:
    x = Tensor("x", ("channel",), (3,))
    with pytest.raises(ValueError, match="a loss is one number"):
        gradients([], x, [x])
