"""The proof of the ONNX export notices what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import netsheet
from excel_models import corpus, random_samples, single, with_reference_input
from netsheet.cli import artefacts
from netsheet.data.inputs import InputValue, Sample
from netsheet.equations import Tensor
from netsheet.errors import UnsupportedError, UsageError
from netsheet.fidelity import judge
from netsheet.layer import Graph
from netsheet.layers.activation import Tanh
from netsheet.layers.conv import Conv2D
from netsheet.model import Model
from netsheet.network import LayerCall, Source, ValueRef
from netsheet.read.onnx import from_proto
from netsheet.verify import verify
from netsheet.write.onnx import to_onnx
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
    verdict = verify(model, "onnx", samples(model))
    assert verdict.ok, verdict.first_failure
    assert [layer.layer for layer in verdict.layers] == list(model.tensors())


def test_a_wrong_node_is_noticed() -> None:
    calls = [
        LayerCall("right", Tanh(name="right"), (ValueRef("x"),)),
        LayerCall("wrong", WrongTanh(name="wrong"), (ValueRef("right"),)),
    ]
    model = Model("m", calls, [Source("x", (None,))], [ValueRef("wrong")])
    steps: list[tuple[int, int]] = []
    verdict = verify(model, "onnx", samples(model), progress=lambda *at: steps.append(at))
    assert [layer.ok for layer in verdict.layers] == [True, False]
    assert verdict.first_failure is not None and verdict.first_failure.layer == "wrong"
    assert steps == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_nothing_is_verified_without_an_input() -> None:
    with pytest.raises(UsageError, match="at least one input"):
        verify(from_proto(NETWORKS["u-net"]), "onnx", [])


def written_and_read(model: Model, sample: Sample, folder: Path) -> None:
    """The export is clean and agrees in every layer; read again, it gives the same outputs."""
    import onnx

    if not model.bound:
        model = model.bind([array.shape for array in sample.arrays])
    verdict = verify(model, "onnx", [sample])
    assert verdict.ok, (model.path.name, verdict.first_failure)
    path = to_onnx(model, folder / f"{model.path.name}.onnx")
    onnx.checker.check_model(path, full_check=True)
    again = netsheet.load(path)
    assert not [node.refusal for node in again.nodes if node.refusal], model.path.name
    batch = [array[None] for array in sample.arrays]
    first, second = model.predict(batch), again.predict(batch)
    for ours, theirs in zip(
        first if isinstance(first, list) else [first],
        second if isinstance(second, list) else [second],
        strict=True,
    ):
        assert judge(model.path.name, theirs, ours).ok, model.path.name


@pytest.mark.parametrize(
    "name", ["k3_attention_block.keras", "k2_lstm_stack.h5", "k3_nested_shared.keras"]
)
def test_a_keras_file_becomes_onnx_and_comes_back(name: str, shared: Path, tmp_path: Path) -> None:
    (pair,) = [pair for pair in corpus(shared) if pair[0].name == name]
    written_and_read(*with_reference_input(*pair), tmp_path)


@pytest.mark.slow
def test_every_keras_file_becomes_onnx_and_comes_back(shared: Path, tmp_path: Path) -> None:
    for pair in corpus(shared):
        written_and_read(*with_reference_input(*pair), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ad01.h5", "pretrainedResnet.h5", "str_ww_ref_model.h5"])
def test_published_models_become_onnx(name: str, shared: Path, tmp_path: Path) -> None:
    model = netsheet.load(shared / "models" / name)
    written_and_read(model, random_samples(model)[0], tmp_path)


def test_open_sizes_want_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Conv2D(filters=2, kernel_size=(3, 3), strides=(1, 1), dilation_rate=(1, 1),
                   padding="same", use_bias=True)  # fmt: skip
    model = single(layer, (None, None, 1), {"height": 3, "width": 3, "in": 1, "out": 2})  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="with open sizes: give an input"):
        to_onnx(model, tmp_path / "net.onnx")
    np.save(tmp_path / "x.npy", np.zeros((6, 5, 1), np.float32))
    monkeypatch.setattr(netsheet, "load", lambda *_: model)
    artefacts.onnx(tmp_path / "any.keras", tmp_path / "net.onnx", [str(tmp_path / "x.npy")])
    monkeypatch.undo()
    assert netsheet.load(tmp_path / "net.onnx").sources[0].shape == (6, 5, 1)
