"""Small models and samples that the workbook's tests share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import netsheet
from netsheet.data.inputs import InputValue, Sample
from netsheet.data.scaling import Scaling
from netsheet.equations import Weight
from netsheet.layer import Layer
from netsheet.model import Model
from netsheet.network import LayerCall, Source, ValueRef
from netsheet.verify import TARGETS
from netsheet.verify.engines.workbook import WorkbookEngine
from netsheet.write.excel.cell_map import MapRow


def single(layer: Layer, shape: tuple[int, ...], sizes: dict[str, int]) -> Model:
    """A model of one layer with random weights, whose axes have the given sizes."""
    rng = np.random.default_rng(1)
    for label, axes in layer.weight_axes().items():
        values = rng.normal(size=[sizes[axis] for axis in axes]).astype(np.float32)
        layer.weights[label] = Weight(
            f"layer/{label}", axes, values.shape, label=label, values=values
        )
    layer.name = "layer"
    calls = [LayerCall("layer", layer, (ValueRef("input"),))]
    return Model("one", calls, [Source("input", shape)], [ValueRef("layer")])


def random_samples(model: Model, count: int = 1) -> list[Sample]:
    """Samples of standard normal numbers."""
    rng = np.random.default_rng(2)
    return [
        Sample(
            f"sample {number}",
            {
                tensor.name: InputValue(rng.normal(size=tensor.shape).astype(np.float32))
                for tensor in model.inputs
            },
        )
        for number in range(count)
    ]


def picture(pixels: Any, name: str = "digit5.png", label: int | None = 5) -> Sample:
    """A 28x28 picture for the published network."""
    raw = np.asarray(pixels).reshape(1, 28, 28).astype(np.int64)
    value = InputValue((raw / 255).astype(np.float32), raw, Scaling(1 / 255))
    return Sample(name, {"input_1": value}, label)


def corpus(shared: Path) -> list[tuple[Path, Path]]:
    """Every file of the corpora that computes, with its reference."""
    result = []
    for kind in ("open", "dialects"):
        folder = shared / "corpus" / kind
        files = json.loads((folder / "manifest.json").read_text())["files"]
        entries = files if isinstance(files, list) else [{"file": k, **v} for k, v in files.items()]
        for entry in entries:
            if entry.get("reference") and "weights" not in entry["file"]:
                result.append((folder / entry["file"], folder / entry["reference"]))
    return result


def with_reference_input(path: Path, reference: Path) -> tuple[Model, Sample]:
    """A model and the first sample of its stored input."""
    model = netsheet.load(path)
    stored = np.load(reference)
    names = [name for name in stored.files if name.startswith("input:")]
    inputs = {}
    for number, source in enumerate(model.sources):
        key = f"input:{source.name}"
        array = stored[key if key in names else names[number]]
        inputs[source.name] = InputValue(np.asarray(array[0], np.float32))
    return model, Sample(path.name, inputs)


def recalculated(
    workbook: Path, located: Mapping[str, MapRow], engine: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Every tensor on the Map after an engine has calculated the workbook, and what is amiss."""
    return workbook_engine(engine).recalculated(workbook, located)


def workbook_engine(name: str) -> WorkbookEngine:
    found = TARGETS["excel"].engine({"engine": name})
    assert isinstance(found, WorkbookEngine)
    return found
