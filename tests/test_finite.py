"""Which tensors are known to be numbers."""

from __future__ import annotations

import numpy as np

from netsheet.engine.finite import finite_tensors
from netsheet.equations import Guard, Index, Tensor, affine, call, equation, reduce
from netsheet.layers.base import constant


def test_what_may_be_infinite_is_not_known_as_a_number() -> None:
    x = Tensor("x", ("width",), (4,))
    weights = {"sound": np.ones(4), "masked": np.array([0, -np.inf, 0, 0])}
    sound, masked = (constant(name, values) for name, values in weights.items())
    i, u = Index("i", 4), Index("u", 2)
    windows = {
        "inside": reduce("max", [u], x[i + u], [Guard(i + u, 0, 4)]),
        "outside": reduce("max", [u], x[i + u + 2], [Guard(i + u + 2, 0, 4)]),
    }
    values = windows | {
        "weighted": x[i] * sound[i], "held off": x[i] + masked[i], "halved": x[i] / 2,
        "divided": x[i] / sound[i], "logarithm": call("log", x[i]), "share": call("tanh", x[i]),
    }  # fmt: skip
    made = {name: Tensor(name, ("width",), (4,)) for name in values}
    equations = [equation(made[name][i], value) for name, value in values.items()]
    behind = Tensor("behind", ("width",), (4,))
    equations.append(equation(behind[i], made["share"][i] + made["logarithm"][i]))
    found = {tensor.name for tensor in finite_tensors(equations)}
    assert found == {"inside", "weighted", "halved", "share"}


def test_a_recurrence_is_read_before_it_is_written() -> None:
    state, part = Tensor("state", ("time",), (3,)), Tensor("part", ("time",), (3,))
    time = Index("t", 3)
    before = state[affine(time) - 1]
    equations = [
        equation(part[time], call("tanh", before), time),
        equation(state[time], call("log", part[time]), time),
    ]
    assert not finite_tensors(equations)
