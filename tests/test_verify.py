"""What a verdict says: right, wrong, as far off as float32 itself, or only a part."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import netsheet
from excel_models import random_samples
from netsheet.cli import main
from netsheet.data.inputs import InputValue, Sample
from netsheet.errors import UsageError
from netsheet.fidelity import EXIT_CODES
from netsheet.verify import TARGETS, verify

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The command line: exit code, standard output, standard error."""

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["netsheet", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return command


def cancelling(folder: Path, size: float) -> tuple[Path, Sample]:
    """A Keras file whose sums are near 3 after terms of about ``size`` have cancelled."""
    keras: Any = pytest.importorskip("keras")
    random = np.random.default_rng(1)
    model = keras.Sequential(
        [keras.Input((400,)), keras.layers.Dense(30), keras.layers.ReLU(max_value=6, name="cut")]
    )
    kernel = (random.normal(size=(400, 30)) * size).astype("float32")
    x = random.normal(size=400).astype("float32")
    bias = 3 - x.astype(float) @ kernel.astype(float)
    model.set_weights([kernel, bias.astype("float32")])
    model.save(folder / "m.keras")
    name = netsheet.load(folder / "m.keras").inputs[0].name
    return folder / "m.keras", Sample("x", {name: InputValue(x)})


@pytest.mark.parametrize("target", ["onnx", "c"])
@pytest.mark.parametrize(("size", "outcome"), [(1e6, "rounding"), (0.1, "ok")])
def test_float32_itself_has_a_verdict_of_its_own(
    tmp_path: Path, run: Run, size: float, outcome: str, target: str
) -> None:
    path, sample = cancelling(tmp_path, size)
    verdict = verify(netsheet.load(path), target, [sample])
    assert verdict.outcome == outcome and verdict.ok == (outcome == "ok")
    cut = next(row for row in verdict.layers if row.layer == "cut")
    assert cut.note.startswith("float32 itself is off by") == (outcome == "rounding")
    np.save(tmp_path / "x.npy", sample.arrays[0])
    code, out, _ = run("verify", path, "--target", target, "--input", tmp_path / "x.npy")
    assert code == EXIT_CODES[outcome]
    assert "WRONG" not in out
    assert ("no further than float32 itself" in out) == (outcome == "rounding")


def test_a_fault_behind_rounding_stays_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from netsheet.verify.engines.base import Artefact, Recomputed
    from netsheet.verify.engines.onnxruntime import OnnxRuntime

    path, sample = cancelling(tmp_path, 1e6)
    original = OnnxRuntime.recompute

    def shifted(self: OnnxRuntime, artefact: Artefact, samples: list[Sample]) -> Recomputed:
        found = original(self, artefact, samples)
        rows = [{key: array + 100 for key, array in row.items()} for row in found.samples]
        return Recomputed(found.engine, rows)

    monkeypatch.setattr(OnnxRuntime, "recompute", shifted)
    assert verify(netsheet.load(path), "onnx", [sample]).outcome == "wrong"


def odd(folder: Path, where: str) -> Path:
    """A Keras file of three layers, one of which is of a class that nobody knows."""
    keras: Any = pytest.importorskip("keras")

    class Odd(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2

    layers = [keras.layers.Dense(4, name=f"dense{n}") for n in range(2)]
    layers.insert({"first": 0, "middle": 1}[where], Odd(name="odd"))
    keras.Sequential([keras.Input((4,)), *layers]).save(folder / "odd.keras")
    return folder / "odd.keras"


def test_what_is_not_verified_is_named(tmp_path: Path, run: Run) -> None:
    path = odd(tmp_path, "middle")
    code, out, _ = run("verify", path, "--target", "onnx")
    assert code == EXIT_CODES["part"]
    assert "1 of 1 layers agree" in out
    said = [line for line in out.splitlines() if line.startswith("Not computed, hence")]
    assert len(said) == 2 and "odd" in said[0] and "dense1" in said[1]


def test_activations_end_where_a_layer_is_not_computed(tmp_path: Path, run: Run) -> None:
    path, x, values = odd(tmp_path, "middle"), npy(tmp_path, (4,)), tmp_path / "y.npz"
    code, out, err = run("activations", path, "--input", x, "-o", values)
    assert code == 1 and not out
    assert "is not computed to its end: layer 'odd': " in err.splitlines()[-1]
    with np.load(values) as written:
        assert written.files == ["dense0"]
    assert run("activations", path, "--input", x, "--layer", "dense0")[0] == 0
    code, _, err = run("activations", path, "--input", x, "--layer", "dense1")
    assert code == 1
    assert "layer 'dense1' (Dense) is not computed: it needs 'odd'" in err


@pytest.mark.parametrize("target", list(TARGETS))
def test_nothing_computed_is_a_failure_with_its_reason(
    tmp_path: Path, run: Run, target: str
) -> None:
    path = odd(tmp_path, "first")
    code, out, err = run("verify", path, "--target", target)
    assert code == 1 and not out
    assert "netsheet: no layer of odd.keras is computed: layer 'odd' (" in err
    x, values = npy(tmp_path, (4,)), tmp_path / "y.npz"
    code, _, err = run("activations", path, "--input", x, "-o", values)
    assert code == 1 and "no layer of odd.keras is computed" in err
    assert not values.exists()


def npy(folder: Path, shape: tuple[int, ...]) -> Path:
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=shape).astype(np.float32))
    return folder / "x.npy"


def gemm(folder: Path, rows: int = 4) -> Path:
    """An ONNX file: x (N, 4) times a matrix of ``rows`` rows, and a sigmoid."""
    weight = np.random.default_rng(3).normal(size=(rows, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w"], ["hidden"], name="gemm"),
            helper.make_node("Sigmoid", ["hidden"], ["y"], name="sigmoid"),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


@pytest.mark.parametrize("target", ["onnx", "c", "excel"])
def test_the_reference_of_an_onnx_file_is_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    from netsheet.operators import elementwise

    path = gemm(tmp_path)
    model = netsheet.load(path)
    verdict = verify(model, target, random_samples(model, 2))
    assert verdict.ok, verdict.first_failure
    assert verdict.reference.startswith("the file itself in onnxruntime")
    # A fault of reading no longer agrees with itself.
    monkeypatch.setitem(elementwise.ROWS, "Sigmoid", elementwise.named("tanh"))
    monkeypatch.setitem(
        __import__("netsheet.read.onnx.table", fromlist=["RULES"]).RULES,
        "Sigmoid",
        elementwise.named("tanh"),
    )
    model = netsheet.load(path)
    verdict = verify(model, target, random_samples(model))
    assert verdict.outcome == "wrong"
    assert verdict.first_failure is not None and verdict.first_failure.layer == "sigmoid"


@pytest.mark.parametrize("kind", ["keras", "tf_keras"])
def test_half_precision_is_compared_in_float32(tmp_path: Path, run: Run, kind: str) -> None:
    keras: Any = pytest.importorskip(kind)
    policies = keras.config if kind == "keras" else keras.mixed_precision
    choose = getattr(policies, "set_dtype_policy", None) or policies.set_global_policy
    choose("float16")
    try:
        inner = keras.Sequential(
            [keras.layers.Conv2D(3, 3, activation="relu"), keras.layers.BatchNormalization()],
            name="inner",
        )
        x = keras.Input((8, 8, 1))
        y = keras.layers.Dense(2)(keras.layers.Flatten()(inner(x)))
        path = tmp_path / ("half.keras" if kind == "keras" else "half.h5")
        keras.Model(x, y).save(path)
    finally:
        choose("float32")
    code, out, err = run("verify", path, "--target", "keras")
    assert code == 0, out + err
    assert "layers agree" in out


def test_tensorflow_keeps_silent(tmp_path: Path) -> None:
    import subprocess

    keras: Any = pytest.importorskip("keras")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "m.keras")
    plain = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-m", "netsheet", "verify", tmp_path / "m.keras", "--target", "keras"],
        capture_output=True, text=True, env=plain, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["no input was given: random numbers stand in"]


def test_options_belong_to_targets(tmp_path: Path, run: Run) -> None:
    path = gemm(tmp_path)
    model = netsheet.load(path)
    with pytest.raises(UsageError, match="sanitize does not belong to the target onnx"):
        verify(model, "onnx", random_samples(model), sanitize=True)
    with pytest.raises(UsageError, match=r"targets are excel, c, .*onnx, keras"):
        verify(model, "fortran", random_samples(model))
    code, _, err = run("verify", path, "--target", "onnx", "--board", "qemu-cortex-m4")
    assert code == 2 and "--board belongs to --target c, not to onnx" in err
    code, out, _ = run("verify", path, "--target", "onnx", "--until", "gemm")
    assert code == 0 and "1 of 1 layers agree" in out
