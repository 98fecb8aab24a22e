"""The demonstration: every capability once, on the package's own sample."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import netsheet
from netsheet.cli import show
from netsheet.data.datasets import read_dataset
from netsheet.data.inputs import Sample, read_input
from netsheet.errors import NetsheetError


def run(folder: Path) -> None:
    """Writes the demonstration's files into a folder and prints a line for each."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NetsheetError(f"{folder} cannot be made: {error.strerror}.") from error
    with resources.as_file(resources.files("netsheet.data") / "sample") as sample:
        for command, result in _steps(sample, folder):
            show.say(f"$ netsheet {command}")
            show.say(f"  {result}")
    show.say(f"\nIt is all in {folder}: open digits.xlsx, change a pixel, and watch.")


def _steps(sample: Path, folder: Path) -> Iterator[tuple[str, str]]:
    from netsheet.verify import verify
    from netsheet.write.pictures.activations import write_activations
    from netsheet.write.pictures.draw import write_weight

    file = sample / "digits.h5"
    model = netsheet.load(file)
    copied = folder / file.name
    copied.write_bytes(file.read_bytes())
    picture = sample / "digit5.png"
    (folder / picture.name).write_bytes(picture.read_bytes())
    shutil.copytree(sample / "digits", folder / "digits", dirs_exist_ok=True)
    digit = read_input(picture, model)

    yield (
        f"summary {file.name}",
        (f"{len(model.summary())} layers, {model.params:,} parameters, {model.format}"),
    )
    dataset = read_dataset(str(sample / "digits"), model)
    assert dataset.y is not None
    result = model.evaluate(dataset.x, dataset.y)
    yield (
        f"evaluate {file.name} --data digits",
        (f"{result.samples} samples, accuracy {result.accuracy:.4f}, loss {result.loss:.6f}"),
    )
    first = next(layer for layer in model.layers.values() if layer.weights)
    write_weight(folder / "kernels.png", list(first.weights.values()))
    yield f"weights {file.name} {first.name} --plot kernels.png", "the kernels as heat maps"

    values = model.activations([array[None] for array in digit.arrays])
    for name in ("activations.npz", "activations.png"):
        write_activations(folder / name, values, model.tensors() | model.alias_tensors())
        yield f"activations {file.name} --input {picture.name} -o {name}", f"{len(values)} layers"

    (folder / "equations.txt").write_text(_equations(model), "utf-8")
    yield f"equations {file.name} > equations.txt", "what every layer computes"
    model.to_csv(folder / "weights.csv")
    yield f"csv {file.name} -o weights.csv", "all weights, channels-first, in headed blocks"

    report = model.to_excel(folder / "digits.xlsx", [digit])
    yield f"excel {file.name} --input {picture.name} -o digits.xlsx", str(report)
    verdict = verify(model, "excel", [digit], xlsx=folder / "digits.xlsx")
    good = sum(layer.ok for layer in verdict.layers)
    yield (
        f"verify {file.name} --target excel --xlsx digits.xlsx",
        (f"{good} of {len(verdict.layers)} layers agree after recalculation by {verdict.engine}"),
    )
    if not verdict.ok:
        raise NetsheetError("the demonstration's workbook does not agree with its network")
    figures = model.to_c(folder / "c", sample=digit)
    yield (
        f"c {file.name} --input {picture.name} -o c",
        f"C99 and a test program: {figures.flash:,} bytes of flash, {figures.arena:,} of RAM",
    )
    yield f"verify {file.name} --target c --input {picture.name}", _verified(model, digit)
    model.to_onnx(folder / "digits.onnx")
    yield f"onnx {file.name} -o digits.onnx", "for any ONNX runtime"


def _verified(model: netsheet.model.Model, digit: Sample) -> str:
    from netsheet.verify import verify
    from netsheet.verify.engines.c_host import compiler

    try:
        compiler()
    except NetsheetError as error:
        return f"left out: {error}"
    verdict = verify(model, "c", [digit])
    if not verdict.ok:
        raise NetsheetError("the demonstration's C does not agree with its network")
    return f"{len(verdict.layers)} of {len(verdict.layers)} layers agree, as compiled here"


def _equations(model: netsheet.model.Model) -> str:
    from netsheet.write.mathematics import ranges, text

    lines = [f"{text(eq)}\n    {ranges(eq)}" for eq in model.equations()]
    return "\n".join(lines) + "\n"
