"""What the page says of a value: its operands give the value, its formula is the workbook's."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from conftest import SHARED
from corpus.reading import OWN, Entry, own
from corpus.reading import shared as shared_entries
from corpus.targets import opened as corpus_opened
from netsheet.data.inputs import InputValue, Sample, read_input
from netsheet.data.probe import probe
from netsheet.engine.run import engine
from netsheet.model import Model
from netsheet.write.excel import cell_formulas
from netsheet.write.page import to_page

SCRIPT = Path(__file__).with_name("page_explanations.js")
SHARED_FILES = ("seed/my_model.h5", "seed/my_model_channels_last.h5", "models/pretrainedResnet.h5",
                "models/str_ww_ref_model.h5", "models/ad01.h5")  # fmt: skip
OWN_FILES = (
    "k3_depthwise.keras", "k2_transposed2d.h5", "k3_pool2d.keras", "k2_gru.h5",
    "k3_bidirectional.keras", "k2_masking.h5", "k3_heads.keras", "k3_group_norms.keras",
    "k2_time_distributed.h5", "k3_words.keras", "k3_transformer.keras", "k3_resizing.keras",
    "k3_activation_layers.keras",
)  # fmt: skip

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="there is no node")


def taken_apart(model: Model, sample: Sample, folder: Path, picks: int) -> list[dict[str, Any]]:
    """Random elements of every tensor, as the page's own code takes them apart in Node."""
    page = folder / "page.html"
    to_page(model, page, samples=[sample])
    with resources.as_file(resources.files("netsheet.write.page") / "assets") as assets:
        done = subprocess.run(
            ["node", str(SCRIPT), str(page), str(assets), str(picks)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def opened(file: str, shared: Path | None, folder: Path) -> tuple[Model, Sample]:
    if shared is not None:
        model = netsheet.load(shared / file)
    else:
        with zipfile.ZipFile(OWN / f"keras{file[1]}.zip") as archive:
            model = netsheet.load(Path(archive.extract(file, folder)))
    sample = probe(model)
    if shared is not None and file.startswith("seed"):
        sample = read_input(shared / "seed/digit5.png", model.inputs)
    if not model.bound:
        model = model.bind([array.shape for array in sample.arrays])
    return model, sample


def check_values(model: Model, sample: Sample, found: list[dict[str, Any]]) -> None:
    """The operands give the value, and the value is ONNX Runtime's."""
    batch = {t.name: a[None] for t, a in zip(model.inputs, sample.arrays, strict=True)}
    reference = engine(model).activations(batch)
    assert {one["name"] for one in found} >= set(model.tensors())
    for one in found:
        value = float(one["value"])
        if one["name"] in reference:
            wanted = reference[one["name"]][0]
            most = max(1.0, float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0)))
            exact = float(wanted[tuple(one["at"])])
            assert abs(value - exact) <= 1e-5 * most or value == exact, one["name"]
        if one["equation"] is None:
            continue
        size = max(1.0, abs(value))
        assert math.isclose(float(one["last"]), value, abs_tol=1e-6 * size) or (
            math.isnan(value) and one["last"] == "NaN"
        ), one["name"]
        for reduction in one["terms"]:
            products = [math.prod(f) for f in reduction["factors"]]
            total = {
                "sum": math.fsum, "mean": lambda p: math.fsum(p) / len(p), "prod": math.prod,
                "max": max, "min": min,
            }[reduction["op"]](products)  # fmt: skip
            assert math.isclose(total, reduction["total"], rel_tol=1e-9, abs_tol=1e-9)
        assert one["equation"].startswith(one["name"])


@pytest.mark.parametrize("file", SHARED_FILES)
def test_operands_give_the_value(shared: Path, file: str, tmp_path: Path) -> None:
    model, sample = opened(file, shared, tmp_path)
    found = taken_apart(model, sample, tmp_path, 3)
    check_values(model, sample, found)
    assert all(one["equation"] for one in found)


@pytest.mark.parametrize("file", OWN_FILES)
def test_operands_of_every_kind_of_layer(file: str, tmp_path: Path) -> None:
    model, sample = opened(file, None, tmp_path)
    check_values(model, sample, taken_apart(model, sample, tmp_path, 3))


@pytest.mark.slow
@pytest.mark.parametrize("entry", [*own(), *shared_entries(SHARED)], ids=str)
def test_operands_of_every_file(entry: Entry, tmp_path: Path) -> None:
    case = corpus_opened(entry, tmp_path)
    arrays = {name: InputValue(np.asarray(a[0], np.float32)) for name, a in case.inputs.items()}
    sample = Sample("first", arrays)
    check_values(case.model, sample, taken_apart(case.model, sample, tmp_path, 2))


@pytest.mark.parametrize("file", ["seed/my_model.h5", "models/str_ww_ref_model.h5"])
def test_the_same_elements_as_the_explanation_in_python(
    shared: Path, file: str, tmp_path: Path
) -> None:
    model, sample = opened(file, shared, tmp_path)
    for one in taken_apart(model, sample, tmp_path, 2):
        told = model.explain(one["name"], one["at"], sample)
        assert math.isclose(told.value, float(one["value"]), rel_tol=1e-4, abs_tol=1e-5)
        read = [
            [tensor.name, list(at)]
            for terms in told.terms
            for term in terms
            for operand in term.operands
            for tensor, at in operand.elements
        ]
        assert [place for place in one["read"] if place in read] or not read


@pytest.mark.parametrize("file", ["seed/my_model.h5", "seed/my_model_channels_last.h5"])
def test_formulas_are_the_workbooks(shared: Path, file: str, tmp_path: Path) -> None:
    model, sample = opened(file, shared, tmp_path)
    check_formulas(model, sample, taken_apart(model, sample, tmp_path, 6), missing=0)


@pytest.mark.parametrize("file", ["k3_depthwise.keras", "k2_gru.h5", "k3_words.keras",
                                  "k3_heads.keras", "k3_pool2d.keras"])  # fmt: skip
def test_formulas_of_other_layers_are_the_workbooks(file: str, tmp_path: Path) -> None:
    model, sample = opened(file, None, tmp_path)
    check_formulas(model, sample, taken_apart(model, sample, tmp_path, 1), missing=0.5)


@pytest.mark.slow
def test_formulas_of_a_large_network_are_the_workbooks(shared: Path, tmp_path: Path) -> None:
    model, sample = opened("models/pretrainedResnet.h5", shared, tmp_path)
    check_formulas(model, sample, taken_apart(model, sample, tmp_path, 1), missing=0.3)


def check_formulas(
    model: Model, sample: Sample, found: list[dict[str, Any]], missing: float
) -> None:
    """Address and text as the workbook has them; at most that part of the picks has none."""
    shown = [one for one in found if one["excel"] and one["excel"]["formula"] is not None]
    cells = cell_formulas(model, [sample], [(one["name"], one["at"]) for one in shown])
    for one, cell in zip(shown, cells, strict=True):
        assert cell is not None, one["name"]
        assert (one["excel"]["address"], one["excel"]["formula"]) == (cell.address, cell.formula)
    assert len(found) - len(shown) <= missing * len(found)
