"""Quantised networks, held against TensorFlow Lite Micro on the same file: to the last bit."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import netsheet as ns
from netsheet.data.inputs import InputValue, Sample
from netsheet.equations import Tensor
from netsheet.verify.engines.c_harness import WARNINGS
from tflite_checks import check_everywhere, samples
from whole_functions import FUNCTIONS, pairs, right


def test_the_seed_is_equal_everywhere(shared: Path) -> None:
    model = ns.load(shared / "models/tflite/made/seed_int8.tflite")
    assert check_everywhere(model) == 3 * 5495


def test_the_seed_by_hand(shared: Path) -> None:
    """One value of the first layer, from the stored numbers alone, in Python's own integers."""
    model = ns.load(shared / "models/tflite/made/seed_int8.tflite")
    (x,) = samples(model, 1)[0]
    conv = model.layers["conv1"]
    kernel, bias = conv.weights["kernel"].values, conv.weights["bias"].values
    window = x[3:7, 5:9, 0].astype(int) + 128
    total = int((window * kernel[2, :, :, 0].astype(int)).sum()) + int(bias[2])
    scale = 0.003921568859368563 * float(np.float32(0.03339364))
    step = model.node("conv1").outputs[0].quantisation
    real = total * scale / step.step
    found = model.activations(x[None], ["conv1"])["conv1"][0, 3, 5, 2]
    assert abs(found - min(max(real + step.zero_point, -128), 127)) <= 0.51


def test_verify_holds_it_against_the_file_itself(shared: Path) -> None:
    pytest.importorskip("tflite_micro")
    path = shared / "models/tflite/made/seed_int8.tflite"
    model = ns.load(path)
    for target in ("c", "onnx"):
        verdict = model.verify(target, shared / "seed/digit5.png")
        assert verdict.ok, verdict
        assert "TensorFlow Lite Micro" in verdict.reference
        assert all(layer.max_abs == 0 for layer in verdict.layers)


def test_a_spoiled_multiplier_is_found(shared: Path) -> None:
    """The proof can fail: one number of one layer off by one shift."""
    pytest.importorskip("tflite_micro")
    model = ns.load(shared / "models/tflite/made/seed_int8.tflite")
    shift = model.layers["conv2"].weights["shift"]
    shift.values[1] += 1
    verdict = model.verify("c", shared / "seed/digit5.png")
    assert not verdict.ok
    assert verdict.first_failure is not None
    assert verdict.first_failure.layer == "conv2"


def test_a_picture_is_quantised_as_the_input_says(shared: Path) -> None:
    model = ns.load(shared / "models/tflite/made/seed_int8.tflite")
    sample = ns.read_input(shared / "seed/digit5.png", model)
    assert "quantised to int8" in sample.note
    pixels = np.load(shared / "seed/digit5.npy").reshape(28, 28, 1)
    assert sample.inputs["input_2"].values.dtype == np.int8
    assert (sample.inputs["input_2"].values == pixels.astype(int) - 128).all()
    assert model.predict(shared / "seed/digit5.png").argmax() == 5


def test_real_numbers_and_whole_ones_are_told_apart(shared: Path) -> None:
    model = ns.load(shared / "models/tflite/made/seed_int8.tflite")
    real = np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28, 1)
    whole = np.clip(np.round(real / np.float32(0.003921568859368563)) - 128, -128, 127)
    first = model.activations(real)
    second = model.activations(whole.astype(np.int8))
    assert all((first[key] == second[key]).all() for key in first)
    with pytest.raises(ns.NetsheetError, match="from -128 to 127"):
        model.activations(whole.astype(int) + 200)


def test_samples_carry_whole_numbers() -> None:
    tensor = Tensor("x", ("channel",), (3,), dtype="int8")
    sample = Sample("x", {"x": InputValue(np.array([1, 2, 3], np.int8))})
    assert sample.arrays[0].dtype == tensor.dtype


# --------------------------------------------------------------------------- whole functions


def test_every_printer_spells_every_whole_function() -> None:
    from netsheet.equations import WHOLE_FUNCTIONS
    from netsheet.write.c.spelling import SPELLED as C_SPELLED
    from netsheet.write.excel.spreadsheet_functions import FORMS
    from netsheet.write.onnx.functions import WHOLE_SPELLED

    assert set(WHOLE_FUNCTIONS) <= set(C_SPELLED)
    assert set(WHOLE_FUNCTIONS) <= set(FORMS)
    assert set(WHOLE_FUNCTIONS) == WHOLE_SPELLED


@pytest.mark.parametrize("function", FUNCTIONS)
def test_whole_functions_are_exact(function: str) -> None:
    from netsheet.equations import WHOLE_FUNCTIONS

    both = pairs(function)
    a, b = np.array(both, float).T
    given = (a,) if function == "leading_zeros" else (a, b)
    wanted = [right(function, *pair) for pair in both]
    assert WHOLE_FUNCTIONS[function](*given).astype(int).tolist() == wanted
    assert _onnx(function, given) == wanted
    assert _c(function, both) == wanted
    if shutil.which("node"):
        assert _javascript(function, both) == wanted


def _javascript(function: str, both: Sequence[tuple[int, int]]) -> list[int]:
    from netsheet.write.page.document import asset
    from netsheet.write.page.spelling import SPELLED

    text = f"{asset('functions.js')}\nconst pairs = {json.dumps(both)};\n"
    text += f"const of = (a, b) => {SPELLED[function].format('a', 'b')};\n"
    text += "console.log(JSON.stringify(pairs.map(([a, b]) => of(a, b))));"
    done = subprocess.run(["node", "-e", text], capture_output=True, text=True, check=True)
    return [int(number) for number in json.loads(done.stdout)]


def _onnx(function: str, given: Sequence[np.ndarray]) -> list[int]:
    import onnxruntime

    from netsheet.write.onnx.builder import Builder
    from netsheet.write.onnx.functions import spell

    x = Tensor("x", ("n",), (len(given[0]),), dtype="int32")
    graph = Builder([x])
    names = [graph.constant(part.astype(np.int64)[None]) for part in given]
    graph.node("Identity", [spell(graph, function, names)])
    proto = graph.finish("whole", [])
    made = proto.graph.node[-1].output[0]
    import onnx

    proto.graph.output.append(onnx.helper.make_tensor_value_info(made, 7, None))
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    found = session.run([made], {"x": np.zeros((1, len(given[0])), np.int32)})[0]
    return found[0].tolist()


def _c(function: str, both: Sequence[tuple[int, int]]) -> list[int]:
    from netsheet.verify.engines.c_host import SANITIZE, compiler
    from netsheet.write.c.spelling import SPELLED, helper_text

    spelled = SPELLED[function].replace("@", "net").format("(int32_t)a[i]", "(int32_t)b[i]")
    columns = ["LL, ".join(map(str, column)) + "LL" for column in zip(*both, strict=True)]
    text = (
        "#define NET_CODE\n#include <stdint.h>\n#include <math.h>\n#include <stdio.h>\n"
        f"{helper_text({function}, 'net')}\n"
        f"static const long long a[] = {{{columns[0]}}}, b[] = {{{columns[1]}}};\n"
        f"int main(void)\n{{\n    for (int i = 0; i < {len(both)}; i++)\n"
        f'        printf("%ld\\n", (long){spelled});\n    return (int)b[0] * 0;\n}}\n'
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "whole.c").write_text(text)
        command = [compiler(), *WARNINGS, "-Wno-unused", *SANITIZE, "-o", "whole", "whole.c", "-lm"]
        subprocess.run(command, cwd=folder, check=True)
        done = subprocess.run([f"{folder}/whole"], capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


# --------------------------------------------------------------------------- C folders


@pytest.mark.parametrize("target", ["plain", "esp-idf"])
def test_a_c_folder_compiles_and_finds_itself_right(
    shared: Path, tmp_path: Path, target: str
) -> None:
    from netsheet.verify.engines.c_host import compiler

    model = ns.load(shared / "models/tflite/made/seed_int8.tflite")
    model.to_c(tmp_path, target=target, sample=str(shared / "seed/digit5.png"))
    (test,) = tmp_path.rglob("net_test.c")
    sources = [str(test), *(str(next(tmp_path.rglob(n))) for n in ("net.c", "net_weights.c"))]
    include = f"-I{next(tmp_path.rglob('net.h')).parent}"
    for option in ((), ("-DNET_TRACE",)):
        command = [compiler(), *WARNINGS, include, *option, *sources, "-lm", "-o", "test"]
        subprocess.run(command, cwd=tmp_path, check=True)
        done = subprocess.run([tmp_path / "test"], capture_output=True, text=True, check=True)
        assert "all agrees with the reference" in done.stdout
        assert "class 5, reference 5" in done.stdout
    for main in tmp_path.rglob("main.c"):
        command = [compiler(), *WARNINGS, include, f"-I{main.parent}", "-c", str(main)]
        subprocess.run(command, cwd=tmp_path, check=True)
    text = next(tmp_path.rglob("net.h")).read_text()
    assert "#define NET_INPUT_ZERO_POINT (-128)" in text
    code = next(tmp_path.rglob("net.c")).read_text()
    body = code[: code.index("#else /* NET_TRACE")]
    assert "float" not in body.replace("float arena", "").replace("float *)", "")


def test_edited_weights_come_back_into_a_file(shared: Path, tmp_path: Path) -> None:
    from netsheet.write.csv.copy_model import by_dataset, write_copy
    from netsheet.write.csv.read_back import import_csv

    path = shared / "models/tflite/made/seed_int8.tflite"
    model = ns.load(path)
    model.to_csv(tmp_path / "w.csv")
    text = (tmp_path / "w.csv").read_text()
    assert "\n-476,-13390," in text  # conv1's bias
    (tmp_path / "w.csv").write_text(text.replace("\n-476,-13390,", "\n-476,-13000,"))
    changed = by_dataset(model, import_csv(model, tmp_path / "w.csv"))
    assert len(changed) == 1
    write_copy(path, changed, tmp_path / "new.tflite")
    new = ns.load(tmp_path / "new.tflite")
    assert new.layers["conv1"].weights["bias"].values.tolist()[1] == -13000
    assert check_everywhere(new, c=False)


@pytest.mark.parametrize("name", ["seed_int8", "seed_int8_pt"])
def test_scales_stand_behind_the_weights_that_they_belong_to(
    shared: Path, tmp_path: Path, name: str
) -> None:
    """As the converter's own package reads them from the file; they are shown, not read back."""
    schema = pytest.importorskip("tflite")
    from netsheet.write.csv.copy_model import by_dataset
    from netsheet.write.csv.read_back import import_csv

    path = shared / f"models/tflite/made/{name}.tflite"
    graph = schema.Model.GetRootAsModel(path.read_bytes(), 0).Subgraphs(0)
    kernel = graph.Tensors(graph.Operators(0).Inputs(1))
    wanted = kernel.Quantization().ScaleAsNumpy()
    model = ns.load(path)
    model.to_csv(tmp_path / "w.csv")
    text = (tmp_path / "w.csv").read_text()
    rows = text.split("\nconv1,kernel_scale,")[1].splitlines()
    assert np.array_equal(np.array(rows[1].split(","), np.float32), wanted)
    assert by_dataset(model, import_csv(model, tmp_path / "w.csv")) == {}
    (tmp_path / "w.csv").write_text(text.replace(rows[1], rows[1].replace("0.0", "0.1")))
    with pytest.raises(ns.NetsheetError, match="conv1/kernel_scale cannot be changed"):
        by_dataset(model, import_csv(model, tmp_path / "w.csv"))


def test_whole_numbers_have_no_gradients(shared: Path) -> None:
    from netsheet.engine.gradients import backward

    model = ns.load(shared / "models/tflite/made/seed_int8.tflite")
    with pytest.raises(ns.NetsheetError, match="have no gradients"):
        backward(model, "categorical_crossentropy")


@pytest.mark.parametrize(
    ("scale", "zero", "white"), [(1 / 255, -128, 1.0), (2 / 255, 0, 1.0), (1.0, -128, 255.0)]
)
def test_pixels_are_scaled_to_what_a_quantised_input_holds(
    scale: float, zero: int, white: float
) -> None:
    from netsheet.data.scaling import decided
    from netsheet.equations import Quantisation

    known = Quantisation(np.float32(scale), zero)
    tensor = Tensor(
        "x", ("height", "width", "channel"), (2, 2, 1), dtype="int8", quantisation=known
    )
    pixels = np.array([0, 128, 255, 7], np.uint8).reshape(1, 2, 2, 1)
    used = decided(None, tensor, pixels)
    assert abs((255 * used.scale - used.mean[0]) / used.std[0] - white) < 1e-6


def test_a_file_whose_weights_alone_are_whole_says_what_is_computed(tmp_path: Path) -> None:
    """Dynamic-range quantisation: TensorFlow's default without samples."""
    tf = pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    layers = [keras.Input((64,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(9)]
    model = keras.Sequential(layers)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    (tmp_path / "m.tflite").write_bytes(converter.convert())
    ours = ns.load(tmp_path / "m.tflite")
    assert any("TensorFlow Lite rounds the activations" in note for note in ours.notes)
    x = np.random.default_rng(1).standard_normal((2, 64)).astype(np.float32)
    assert np.abs(ours.predict(x) - model.predict(x, verbose=0)).max() < 0.05


def test_pixels_for_an_onnx_input_of_int8_are_asked_about(shared: Path, tmp_path: Path) -> None:
    """A file in ONNX's QuantizeLinear form does not say what its input's whole numbers mean."""
    quantised = ns.load(shared / "models/tflite/made/seed_int8.tflite")
    quantised.to_onnx(tmp_path / "qdq.onnx", form="qdq")
    model = ns.load(tmp_path / "qdq.onnx")
    with pytest.raises(ns.NetsheetError, match="--scale 1 --mean 128"):
        model.predict(shared / "seed/digit5.png")
    whole = np.load(shared / "seed/digit5.npy").reshape(1, 28, 28, 1).astype(int) - 128
    assert model.predict(whole.astype(np.int8)).argmax() == 5
