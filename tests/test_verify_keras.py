"""Real Keras agrees with the engine, layer by layer; what it cannot do is said in one line."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import netsheet
from excel_models import corpus, random_samples, single, with_reference_input
from netsheet.cli import main
from netsheet.data.inputs import Sample
from netsheet.errors import NetsheetError, UsageError
from netsheet.layers.activation import Tanh
from netsheet.model import Model
from netsheet.verify import verify

# Where Keras itself fails, and what its one line says.
REFUSED_BY_KERAS = {
    "k3_mha.h5": "too many positional arguments",
    "k3_shared.h5": "Unknown layer: 'Relu'",
}


def opened(shared: Path, name: str) -> tuple[Model, Sample]:
    (pair,) = [pair for pair in corpus(shared) if pair[0].name == name]
    pytest.importorskip("tf_keras" if name.startswith("k2") else "keras")
    return with_reference_input(*pair)


@pytest.mark.parametrize("name", ["k2_nested_shared.h5", "k3_gru_both.keras", "k3_q.keras"])
def test_real_keras_agrees(name: str, shared: Path) -> None:
    model, sample = opened(shared, name)
    verdict = verify(model, "keras", [sample])
    assert verdict.ok, verdict.first_failure
    assert {row.layer for row in verdict.layers} == set(model.tensors())
    assert verdict.reference.startswith("tf_keras 2" if name.startswith("k2") else "keras 3")


def test_another_weight_is_noticed(shared: Path) -> None:
    model, sample = opened(shared, "k3_mlp_norm.keras")
    layer = next(layer for layer in model.layers.values() if "kernel" in layer.weights)
    values = layer.weights["kernel"].values.copy()
    values.flat[0] += 0.5
    layer.weights["kernel"] = replace(layer.weights["kernel"], values=values)
    verdict = verify(model, "keras", [sample])
    assert not verdict.ok
    assert verdict.first_failure is not None
    assert verdict.first_failure.layer.startswith(layer.name)


@pytest.mark.parametrize("name", REFUSED_BY_KERAS)
def test_what_keras_cannot_do_is_one_line(name: str, shared: Path) -> None:
    model, sample = opened(shared, name)
    with pytest.raises(NetsheetError, match=REFUSED_BY_KERAS[name]) as caught:
        verify(model, "keras", [sample])
    assert "\n" not in str(caught.value)
    assert "cannot load or compute it" in str(caught.value)


def test_without_keras_the_command_says_what_to_install(
    shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("keras", "tf_keras"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails
    path, picture = shared / "seed" / "my_model.h5", shared / "seed" / "digit5.png"
    arguments = ["verify", str(path), "--target", "keras", "--input", str(picture)]
    monkeypatch.setattr(sys, "argv", ["netsheet", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("netsheet: Keras is not installed here: pip install")


def test_only_keras_files_with_an_input_and_without_code(shared: Path) -> None:
    model = single(Tanh(), (4,), {})
    with pytest.raises(UsageError, match="at least one input"):
        verify(model, "keras", [])
    with pytest.raises(UsageError, match="is no Keras file"):
        verify(model, "keras", random_samples(model))
    closed = netsheet.load(shared / "corpus" / "dialects" / "k2_lam.h5")
    with pytest.raises(NetsheetError, match="its code is not run"):
        verify(closed, "keras", random_samples(closed))


@pytest.mark.slow
def test_every_file_of_the_corpora(shared: Path) -> None:
    for module in ("keras", "tf_keras"):
        pytest.importorskip(module)
    agreed = 0
    for path, reference in corpus(shared):
        if "channels_first" in path.name:
            continue  # TensorFlow on a CPU refuses it, or with oneDNN pads on the other side
        model, sample = with_reference_input(path, reference)
        try:
            verdict = verify(model, "keras", [sample])
        except NetsheetError as error:
            assert REFUSED_BY_KERAS[path.name] in str(error)
            continue
        assert verdict.ok, (path.name, verdict.first_failure)
        agreed += 1
    assert agreed >= 100


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ad01.h5", "pretrainedResnet.h5", "str_ww_ref_model.h5"])
def test_published_models(name: str, shared: Path) -> None:
    pytest.importorskip("tf_keras")
    model = netsheet.load(shared / "models" / name)
    rng = np.random.default_rng(0)
    inputs = {
        key: replace(value, values=rng.uniform(0, 1, value.values.shape).astype(np.float32))
        for key, value in random_samples(model)[0].inputs.items()
    }
    verdict = verify(model, "keras", [Sample("random", inputs)])
    assert verdict.ok, verdict.first_failure
