"""``netsheet explain``: the text and number that the workbook has in that cell."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import netsheet
from excel_models import corpus, with_reference_input
from netsheet.cli.app import main
from netsheet.engine.run import engine
from netsheet.equations.evaluation import evaluate
from netsheet.explanation import compositions, explain

openpyxl = pytest.importorskip("openpyxl")


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: str) -> str:
    monkeypatch.setattr("sys.argv", ["netsheet", *args])
    try:
        main()
    except SystemExit as end:
        assert not end.code, capsys.readouterr().err
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("layer", "at"),
    [("conv1", (0, 12, 12)), ("conv2", (2, 3, 0)), ("maxpool1", (1, 12, 12)),
     ("activation_4", (4, 5, 6)), ("dense1", (5,)), ("activation_7/exp", (5,))],
)  # fmt: skip
def test_formula_and_value_are_those_of_the_workbook(
    seed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    layer: str,
    at: tuple[int, ...],
) -> None:
    model, picture = str(seed / "my_model.h5"), str(seed / "digit5.png")
    book = tmp_path / "net.xlsx"
    run(capsys, monkeypatch, "excel", model, "-i", picture, "-o", str(book))
    position = ",".join(map(str, at))
    printed = run(capsys, monkeypatch, "explain", model, layer, position, "-i", picture, "--json")
    found = json.loads(printed)
    sheet, cell = found["cell"].rsplit("!", 1)
    sheet = sheet.strip("'")
    stored = openpyxl.load_workbook(book, data_only=True)[sheet][cell].value
    assert found["value"] == pytest.approx(stored, rel=2e-6)
    # openpyxl gives a shared formula's text in its first cell only
    text = openpyxl.load_workbook(book)[sheet][cell].value
    if text != "=":
        assert found["formula"] == text
    for one in found["sums"]:
        parts = [term["value"] for term in one["terms"] if term["inside"]]
        total = {"sum": sum, "max": max}[one["operation"]](parts)
        assert one["value"] == pytest.approx(total, rel=1e-12)
    shown = run(capsys, monkeypatch, "explain", model, layer, position, "-i", picture)
    assert found["formula"] in shown and found["cell"] in shown
    lines = [line for line in shown.splitlines() if found["formula"] not in line]
    assert all(len(line) < 100 for line in lines)


def test_published_numbers(
    seed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ["explain", str(seed / "my_model.h5"), "activation_7", "5"]
    printed = run(capsys, monkeypatch, *args, "-i", str(seed / "digit5.png"))
    assert printed.startswith("activation_7[5] = 0.98673")
    assert "activation_7[5] = activation_7/exp[5] / activation_7/sum" in printed


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["conv1", "0,99,0"], "height is 0 to 24, not 99"),
        (["conv1", "0,1"], "give 3 numbers, not 2"),
        (["conv1", "a"], "a position is whole numbers"),
        (["nothing", "0"], "there is no layer 'nothing'"),
    ],
)
def test_what_is_not_there_is_said(
    seed: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    message: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["netsheet", "explain", str(seed / "my_model.h5"), *args])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_every_kind_of_layer_adds_up_to_what_onnx_runtime_computes(shared: Path) -> None:
    rng = np.random.default_rng(5)
    compared = 0
    for path, reference in corpus(shared)[::12]:
        model, sample = with_reference_input(path, reference)
        if not model.bound:
            model = model.bind({name: v.values.shape for name, v in sample.inputs.items()})
        stated = {node: model.node_equations(node) for node in model.computed()}
        batch = {t.name: sample.inputs[t.name].values[None] for t in model.inputs}
        expected = engine(model).activations(batch)
        given = {t: sample.inputs[t.name].values.astype(float) for t in model.inputs}
        values = {**given, **evaluate([eq for every in stated.values() for eq in every], given)}
        for node, equations in stated.items():
            for tensor in node.outputs:
                at = tuple(int(rng.integers(size)) for size in tensor.shape)
                found = explain(tensor, at, equations, values)
                wanted = expected[tensor.name][0]
                bound = 1e-5 * max(1.0, float(np.abs(wanted).max()))
                assert found.value == pytest.approx(float(wanted[at]), abs=4 * bound), node.key
                compared += 1
    assert compared > 100


def test_an_element_of_a_transposed_convolution_is_found_by_its_phase(shared: Path) -> None:
    path = shared / "corpus/open/k2_conv_transpose.h5"
    if not path.is_file():
        pytest.skip("no corpus here")
    model = netsheet.load(path)
    node = model.node("conv2d_transpose")
    equations = model.node_equations(node)
    made = compositions(equations[0].target, equations)
    assert made is not None and len(made.parts) == 4
    assert re.match(r"conv2d_transpose/pre", made.tensor.name)


def test_whole_numbers_step_by_step(
    shared: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every rounding in Python's own integers, from what the command says was read."""
    model, picture = str(shared / "models/tflite/made/seed_int8.tflite"), shared / "seed/digit5.png"
    asked = ("explain", model, "conv1", "10,12,2", "-i", str(picture))
    found = json.loads(run(capsys, monkeypatch, *asked, "--json"))
    total, multiplier, shift = (int(one["value"]) for one in found["reads"])
    product = (total * multiplier + 2**30) >> 31
    shifted = (product + (1 << (shift - 1))) >> shift
    assert total > 0  # halves away from zero are upwards here
    steps = [int(one["value"]) for one in found["results"]]
    assert steps == [product, shifted, shifted - 30, max(shifted - 30, -128)]
    known = netsheet.load(model).node("conv1").outputs[0].quantisation
    assert found["real"] == (steps[-1] - known.zero_point) * float(known.scale)
    said = run(capsys, monkeypatch, *asked)
    exact = f"{total * multiplier / 2**31:.6f}"
    assert f"{total} × {multiplier} / 2^31 = {exact}" in said
    assert f"{product} / 2^{shift} = {product / 2**shift}" in said
    assert "as a real number" in said
