"""Formulas of every kind of layer, in every arrangement, recalculated by an outside engine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from conftest import SHARED
from excel_models import (
    corpus,
    random_samples,
    recalculated,
    single,
    with_reference_input,
)
from netsheet.equations import FUNCTIONS, Equation, Tensor, call, equation, indices_of
from netsheet.layer import Layer, Signature
from netsheet.layers.conv import Conv2D, DepthwiseConv2D
from netsheet.layers.conv_transpose import Conv2DTranspose
from netsheet.layers.merge import Add
from netsheet.model import Model
from netsheet.network import LayerCall, Source, ValueRef
from netsheet.verify import verify
from netsheet.verify.engines.workbook import read_map
from netsheet.write.excel import to_excel
from netsheet.write.excel.cell_map import place_from, steps_text
from netsheet.write.excel.sheet_names import quoted, sheet_names

pytest.importorskip("ironcalc")

CONV: dict[str, Any] = {"kernel_size": (3, 3), "strides": (1, 1), "dilation_rate": (1, 1)}
CASES: dict[str, tuple[type[Layer], dict[str, Any], int]] = {
    "same": (Conv2D, {"filters": 4, "padding": "same"}, 3),
    "strided": (Conv2D, {"filters": 4, "padding": "same", "strides": (2, 3)}, 3),
    "dilated": (Conv2D, {"filters": 4, "padding": "same", "dilation_rate": (2, 3)}, 3),
    "uneven": (Conv2D, {"filters": 2, "padding": ((2, 0), (0, 1)), "kernel_size": (2, 4)}, 3),
    "grouped": (Conv2D, {"filters": 4, "padding": "same", "groups": 2}, 6),
    "depthwise": (DepthwiseConv2D, {"depth_multiplier": 2, "padding": "same"}, 4),
    "transposed": (Conv2DTranspose, {"filters": 3, "strides": (2, 3)}, 4),
    "many channels": (Conv2D, {"filters": 2, "padding": "same"}, 12),
}


@pytest.mark.parametrize("arrangement", ["planes", "interleaved"])
@pytest.mark.parametrize("case", CASES)
def test_convolutions(case: str, arrangement: str) -> None:
    kind, options, channels = CASES[case]
    layer = kind(**(CONV | options))
    size = layer.kernel_size
    filters, groups = options.get("filters", 0), options.get("groups", 1)
    sizes = {"height": size[0], "width": size[1], "in": channels // groups, "out": filters}
    if kind is DepthwiseConv2D:
        sizes |= {"multiplier": 2, "out": 2 * channels}
    model = single(layer, (7, 8, channels), sizes)
    verdict = verify(model, "excel", random_samples(model), arrangement=arrangement)
    assert verdict.ok, verdict.first_failure


def test_sums_too_long_for_a_cell_get_visible_parts(tmp_path: Path) -> None:
    layer = Conv2D(**CONV, filters=1, padding="valid")
    model = single(layer, (4, 4, 230), {"height": 3, "width": 3, "in": 230, "out": 1})
    samples = random_samples(model)
    to_excel(model, tmp_path / "x.xlsx", samples, arrangement="planes")
    located = read_map(tmp_path / "x.xlsx")
    assert "helper" in [row.kind for row in located.values()]
    verdict = verify(model, "excel", samples, xlsx=tmp_path / "x.xlsx")
    assert verdict.ok, verdict.first_failure
    to_excel(model, tmp_path / "auto.xlsx", samples)
    assert "helper" not in [row.kind for row in read_map(tmp_path / "auto.xlsx").values()]


class Everything(Layer):
    """Every function of the equations, applied to the same numbers."""

    def infer(self, inputs: Any) -> list[Signature]:
        return [Signature(("channel", *inputs[0].axes), (len(FUNCTIONS), *inputs[0].shape))]

    def equations(self, inputs: Any, outputs: Any) -> list[Equation]:
        x: Tensor = inputs[0]
        at = indices_of(x)
        result = []
        for number, (name, function) in enumerate(FUNCTIONS.items()):
            count = 3 if name == "if" else function.nin if hasattr(function, "nin") else 0
            count = count or {"less": 2, "less_equal": 2, "equal": 2, "and": 2, "or": 2,
                              "xor": 2}.get(name, 1)  # fmt: skip
            arguments = [x[at], x[at] + 0.25, x[at] - 1][:count]
            if name in ("and", "or", "xor", "not"):
                arguments = [call("less", 0.5, argument) for argument in arguments]
            if name in ("acosh",):
                arguments = [1 + call("abs", x[at])]
            if name in ("asin", "acos", "atanh"):
                arguments = [call("sin", x[at]) * 0.9]
            if name in ("log", "sqrt", "pow"):
                arguments = [call("abs", argument) + 0.1 for argument in arguments]
            result.append(equation(outputs[0][(number, *at)], call(name, *arguments)))
        return result


@pytest.mark.parametrize("engine", ["ironcalc", "libreoffice"])
def test_every_function(engine: str, tmp_path: Path) -> None:
    if engine == "libreoffice" and not shutil.which("soffice"):
        pytest.skip("LibreOffice is not installed")
    model = Model(
        "all",
        [LayerCall("all", Everything(name="all"), (ValueRef("x"),))],
        [Source("x", (9,))],
        [ValueRef("all")],
    )
    numbers = np.array([-20, -2.5, -1, -0.5, 0.25, 0.5, 1.5, 2.5, 30], np.float32)
    (sample,) = random_samples(model)
    sample.inputs["x"].values[:] = numbers
    to_excel(model, tmp_path / "x.xlsx", [sample])
    values, notes = recalculated(tmp_path / "x.xlsx", read_map(tmp_path / "x.xlsx"), engine)
    assert not notes
    from netsheet.equations.evaluation import evaluate

    expected = evaluate(model.equations(), {model.inputs[0]: numbers})[model.nodes[0].outputs[0]]
    for number, name in enumerate(FUNCTIONS):
        # IronCalc's ERF is good to ten digits
        close = 1e-9 if name == "erf" else 1e-12
        np.testing.assert_allclose(
            values["all"][number], expected[number], rtol=close, atol=1e-12, err_msg=name
        )


def test_two_inputs() -> None:
    calls = [LayerCall("add", Add(name="add"), (ValueRef("a"), ValueRef("b")))]
    model = Model("two", calls, [Source("a", (2, 3)), Source("b", (2, 3))], [ValueRef("add")])
    verdict = verify(model, "excel", random_samples(model, 2))
    assert verdict.ok, verdict.first_failure


QUICK = ["k2_conv_transpose.h5", "k3_attention_block.h5", "k3_embedding.h5", "k2_lstm_stack.h5",
         "k3_grouped.h5", "k2_nested_shared.h5", "k2_resample.h5", "k3_12.keras"]  # fmt: skip
ALL = corpus(SHARED) if SHARED.is_dir() else []


def _verify(path: Path, reference: Path, arrangement: str = "auto") -> None:
    model, sample = with_reference_input(path, reference)
    if any(node.refusal for node in model.nodes):
        pytest.skip("a layer is not computed")
    verdict = verify(model, "excel", [sample], arrangement=arrangement)
    assert verdict.ok, verdict.first_failure


@pytest.mark.parametrize(
    ("path", "reference"), [p for p in ALL if p[0].name in QUICK], ids=lambda path: path.name
)
def test_kinds_of_networks(path: Path, reference: Path) -> None:
    _verify(path, reference)


@pytest.mark.slow
@pytest.mark.parametrize("arrangement", ["auto", "planes", "interleaved"])
@pytest.mark.parametrize(("path", "reference"), ALL, ids=lambda path: path.name)
def test_corpus(path: Path, reference: Path, arrangement: str) -> None:
    _verify(path, reference, arrangement)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ironcalc", "libreoffice"])
@pytest.mark.parametrize("name", ["pretrainedResnet.h5", "ad01.h5", "str_ww_ref_model.h5"])
def test_published_models(shared: Path, name: str, engine: str) -> None:
    model = netsheet.load(shared / "models" / name)
    if not model.bound:
        model = model.bind([[size or 1 for size in t.shape] for t in model.inputs])
    verdict = verify(model, "excel", random_samples(model), engine=engine)
    assert verdict.ok, verdict.first_failure


@pytest.mark.parametrize(("path", "reference"), ALL[:6], ids=lambda path: path.name)
def test_the_map_says_where_everything_is(path: Path, reference: Path, tmp_path: Path) -> None:
    model, sample = with_reference_input(path, reference)
    to_excel(model, tmp_path / "x.xlsx", [sample])
    for row in read_map(tmp_path / "x.xlsx").values():
        axes = [f"axis{number}" for number in range(len(row.shape))]
        again = place_from(row.sheet, str(row.place.area), row.shape, steps_text(row.place, axes))
        assert np.array_equal(again.grid(), row.place.grid())


def test_sheet_names() -> None:
    names = sheet_names(["conv1", "Conv1", "a/b", "x" * 40, "x" * 41, "[q]", "history"], ["Map"])
    assert names[:3] == ["conv1", "Conv1 (2)", "a.b"]
    assert all(0 < len(name) <= 31 for name in names)
    assert len({name.lower() for name in names}) == len(names)
    assert names[-1] != "history"
    shown = [quoted(name) for name in ("conv1", "add1", "R1C1", "true", "it's", "conv_1", "a b")]
    assert shown == ["conv1", "'add1'", "'R1C1'", "'true'", "'it''s'", "conv_1", "'a b'"]
