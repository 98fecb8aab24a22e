"""The proof of the ONNX export notices what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from netsheet.data.inputs import InputValue, Sample
from netsheet.errors import UsageError
from netsheet.expr import Tensor
from netsheet.layers.activation import Tanh
from netsheet.layers.base import Graph
from netsheet.model import Call, Model, Ref, Source
from netsheet.read.onnx import from_proto
from netsheet.verify.onnx import verify_onnx
from onnx_models import NETWORKS


class WrongTanh(Tanh):
    """Its ONNX node is not what its equation says."""

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        return [graph.node("Sigmoid", names)]


def samples(model: Model, count: int = 2) -> list[Sample]:
    rng = np.random.default_rng(6)
    return [
        Sample(
            f"sample {n}",
            {
                s.name: InputValue(rng.normal(size=[k or 4 for k in s.shape]).astype(np.float32))
                for s in model.sources
            },
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_export_is_what_the_equations_say(name: str) -> None:
    model = from_proto(NETWORKS[name])
    verdict = verify_onnx(model, samples(model))
    assert verdict.ok, verdict.first_failure
    assert [layer.layer for layer in verdict.layers] == list(model.tensors())


def test_a_wrong_node_is_noticed() -> None:
    calls = [
        Call("right", Tanh(name="right"), (Ref("x"),)),
        Call("wrong", WrongTanh(name="wrong"), (Ref("right"),)),
    ]
    model = Model("m", calls, [Source("x", (None,))], [Ref("wrong")])
    steps: list[tuple[int, int]] = []
    verdict = verify_onnx(model, samples(model), lambda *at: steps.append(at))
    assert [layer.ok for layer in verdict.layers] == [True, False]
    assert verdict.first_failure is not None and verdict.first_failure.layer == "wrong"
    assert steps == [(1, 2), (2, 2)]


def test_nothing_is_verified_without_an_input() -> None:
    with pytest.raises(UsageError, match="at least one input"):
        verify_onnx(from_proto(NETWORKS["u-net"]), [])
