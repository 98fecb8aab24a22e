"""The command that turns a network into int8, and what it says of the loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from netsheet.cli import options, show
from netsheet.cli.declarations import Option
from netsheet.cli.opening import opened
from netsheet.cli.options import (
    BatchAxis,
    Inputs,
    Json,
    ModelFile,
    Output,
    OutputOrStream,
)
from netsheet.cli.scaling import Scaled
from netsheet.errors import UsageError

if TYPE_CHECKING:
    from netsheet.data.datasets import Dataset
    from netsheet.equations import FloatArray
    from netsheet.model import Model
    from netsheet.write.tflite import Quantised
    from netsheet.write.tflite.comparison import LayerNoise

ENDINGS = (".tflite", ".onnx", ".nsq.h5")


def quantise(
    model_file: ModelFile,
    output: Output,
    calibrate: Annotated[
        str,
        Option("--calibrate", help="Samples that show the usual values: as --data takes."),
    ],
    samples: Annotated[
        int, Option("--samples", min=1, help="So many of them, spread over the set.")
    ] = 200,
    percentile: Annotated[
        float, Option("--percentile", help="Of each layer's values so many are in its range.")
    ] = 100.0,
    keep_real: Annotated[
        str | None, Option("--float", help="Layers that stay in real numbers: conv1,dense1.")
    ] = None,
    real_ends: Annotated[
        bool, Option("--float-ends", help="Inputs and outputs are real numbers, not int8.")
    ] = False,
    plot: Annotated[
        Path | None, Option("--plot", help="Draw the report as bars into a .png.")
    ] = None,
    wanted: Scaled = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Write the network in int8 for TensorFlow Lite (Micro), calibrated on samples of yours."""
    from netsheet.data.datasets import read_dataset
    from netsheet.write.tflite.comparison import advice, layer_noise

    if not output.name.lower().endswith(ENDINGS):
        raise UsageError(
            f"{output}: a quantised network is written as .tflite, .onnx or .nsq.h5; name it so. "
            "Keras's own files have no place for scales and zero points."
        )
    options.spare(output, model_file, calibrate)
    if plot is not None:
        options.spare(plot, model_file, calibrate, output)
    model = opened(model_file, batch_axis)
    with show.progress("reading") as bar:
        dataset = read_dataset(calibrate, model, wanted, progress=bar)
    chosen = _spread(len(dataset), samples)
    given = {model.inputs[0].name: dataset.x[chosen]}
    if not model.bound:
        model = model.bind([dataset.x.shape[1:]])
    real = [word for word in (keep_real or "").split(",") if word]
    with show.progress("calibrating") as bar:
        found = model.quantise(
            given, percentile=percentile, real=real, real_ends=real_ends, progress=bar
        )
    _write(output, found)
    rows = layer_noise(model, found.quantised, given)
    scores = _scores(model, found, dataset)
    if plot is not None:
        _draw(plot, rows, scores)
        show.note(f"wrote {plot}")
    show.note(f"{dataset.note}; calibrated on {len(chosen):,} of them")
    if as_json:
        show.as_json(_as_json(output, found.quantised, rows, scores, advice(rows)))
        return
    _print(rows, found.quantised, scores)
    if word := advice(rows):
        show.say(word)
    show.wrote(output, f"{output}, {output.stat().st_size:,} bytes")


def tflite(
    model_file: ModelFile,
    output: OutputOrStream,
    inputs: Inputs = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Write a TensorFlow Lite file of real numbers; an input fixes sizes that are open."""
    options.spare(output, model_file, *(inputs or ()))
    model = opened(model_file, batch_axis)
    with show.written_to(output, ".tflite", as_json) as place:
        options.bound(model, inputs).to_tflite(place)
        size = place.stat().st_size
    show.wrote(output, str(output))
    if as_json:
        show.as_json({"path": str(output), "size": size})


def _spread(count: int, wanted: int) -> FloatArray:
    """Positions spread evenly over a set, since sets are often sorted by class."""
    if wanted >= count:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, wanted).round().astype(int))


def _write(output: Path, found: Model) -> None:
    if output.suffix.lower() == ".onnx":
        found.to_onnx(output)
    elif output.suffix.lower() == ".h5":
        from netsheet.write.tflite.numbers_file import to_numbers_file

        to_numbers_file(found, output)
    else:
        found.to_tflite(output)


def _scores(model: Model, found: Model, dataset: Dataset) -> dict[str, Any]:
    """Accuracy, or else the loss, of both networks on all labelled samples."""
    if dataset.y is None:
        return {}
    before, after = (one.evaluate(dataset.x, dataset.y) for one in (model, found))
    if before.accuracy is not None:
        return {"measure": "accuracy", "real": before.accuracy, "int8": after.accuracy,
                "samples": before.samples}  # fmt: skip
    return {"measure": "loss", "real": before.loss, "int8": after.loss, "samples": before.samples}


def _as_json(
    output: Path, found: Quantised, rows: list[LayerNoise], scores: dict[str, Any], word: str
) -> dict[str, Any]:
    return {
        "path": str(output), "size": output.stat().st_size, "real_layers": list(found.real),
        "layers": [
            {"layer": row.layer, "type": row.type, "snr_db": row.decibels,
             "saturated": row.saturated, "scale": row.step}
            for row in rows
        ],
        "scores": scores, "advice": word,
    }  # fmt: skip


def _print(rows: list[LayerNoise], found: Quantised, scores: dict[str, Any]) -> None:
    columns = [("layer", "left"), ("type", "left"), ("signal/noise", "right"),
               ("cut off", "right"), ("scale", "right")]  # fmt: skip
    lines = [
        [row.layer, row.type,
         "exact" if math.isinf(row.decibels) else f"{row.decibels:.1f} dB",
         f"{row.saturated:.2%}" if row.saturated else "",
         "float32" if row.step is None else f"{row.step:.6g}"]
        for row in rows
    ]  # fmt: skip
    show.table_lines(columns, lines)
    show.say()
    if found.real:
        show.say(f"in real numbers: {', '.join(found.real)}")
    if scores:
        show.say(_told(scores))


def _told(scores: dict[str, Any]) -> str:
    """The line that compares the two networks."""
    if scores["measure"] == "accuracy":
        return (
            f"accuracy  {scores['real']:.4f} in float32, {scores['int8']:.4f} in int8  "
            f"({scores['samples']:,} samples)"
        )
    return f"loss      {scores['real']:.6g} in float32, {scores['int8']:.6g} in int8"


def _draw(plot: Path, rows: list[LayerNoise], scores: dict[str, Any]) -> None:
    from netsheet.cli.language import translated, word
    from netsheet.write.pictures.noise import NoiseBar, draw_noise

    bars = [NoiseBar(row.layer, row.decibels, row.saturated, row.hurts) for row in rows]
    title = word("signal over noise of each layer (dB)")
    caption = translated(_told(scores)) if scores else ""
    draw_noise(plot, bars, title, word("cut off"), caption)
