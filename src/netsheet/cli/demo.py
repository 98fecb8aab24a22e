"""The demonstration: every capability once, on the package's own sample.

What needs a program or package that is not here is left out, with a line that says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from textwrap import shorten
from typing import Any

import netsheet
from netsheet.cli import language, show
from netsheet.cli.predict import verdict_line
from netsheet.data.datasets import Dataset, read_dataset
from netsheet.data.inputs import Sample, read_input
from netsheet.errors import NetsheetError, one_line


def run(folder: Path, as_json: bool = False) -> None:
    """Writes the demonstration's files into a folder and prints a line for each."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NetsheetError(f"{folder} cannot be made: {error.strerror}.") from error
    with resources.as_file(resources.files("netsheet.data") / "sample") as sample:
        if as_json:
            steps = [{"command": c, "result": r} for c, r in _steps(sample, folder)]
            show.as_json({"folder": str(folder), "steps": steps})
            return
        for command, result in _steps(sample, folder):
            show.say(f"$ netsheet {command}")
            show.say(f"  {result}")
    show.say(f"\nIt is all in {folder}: open digits.html and draw, or digits.xlsx.")


def _steps(sample: Path, folder: Path) -> Iterator[tuple[str, str]]:
    from netsheet.engine.prediction import predictions
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
    (found,) = predictions(model, [digit])
    yield f"predict {file.name} --input {picture.name}", verdict_line(found)
    first = next(layer for layer in model.layers.values() if layer.weights)
    write_weight(folder / "kernels.png", list(first.weights.values()), language.chosen)
    yield f"weights {file.name} {first.name} --plot kernels.png", "the kernels as heat maps"

    values = model.activations([array[None] for array in digit.arrays])
    for name in ("activations.npz", "activations.png"):
        tensors = model.tensors() | {tensor.name: tensor for tensor in model.inputs}
        given = {key: value.values[None] for key, value in digit.inputs.items()}
        write_activations(folder / name, values, tensors, inputs=given, samples=[digit.name])
        yield f"activations {file.name} --input {picture.name} -o {name}", f"{len(values)} layers"

    (folder / "equations.txt").write_text(_equations(model), "utf-8")
    yield f"equations {file.name} > equations.txt", "what every layer computes"
    model.to_csv(folder / "weights.csv")
    yield f"csv {file.name} -o weights.csv", "all weights, channels-first, in headed blocks"

    yield from _artefacts(model, file.name, picture.name, folder, digit, dataset)


def _artefacts(
    model: netsheet.model.Model,
    file: str,
    picture: str,
    folder: Path,
    digit: Sample,
    dataset: Dataset,
) -> Iterator[tuple[str, str]]:
    """What the network is written as, and a proof of each."""
    report = model.to_excel(folder / "digits.xlsx", [digit], lang=language.chosen)
    yield f"excel {file} --input {picture} -o digits.xlsx", str(report)
    command = f"verify {file} --target excel --xlsx digits.xlsx"
    yield _proof(model, command, digit, xlsx=folder / "digits.xlsx")
    samples = [digit, *(dataset.sample(n, model.inputs) for n in range(8))]
    page = model.to_page(folder / "digits.html", samples=samples)
    yield (
        f"page {file} -i {picture} --data digits --samples 8 -o digits.html",
        f"draw a digit and watch it think: {page}",
    )
    yield _proof(model, f"verify {file} --target page --input {picture}", digit)
    figures = model.to_c(folder / "c", sample=digit, lang=language.chosen)
    yield (
        f"c {file} --input {picture} -o c",
        f"C99 and a test program: {figures.flash:,} bytes of flash, {figures.arena:,} of RAM",
    )
    yield _proof(model, f"verify {file} --target c --input {picture}", digit)
    model.to_onnx(folder / "digits.onnx")
    yield f"onnx {file} -o digits.onnx", "for any ONNX runtime"
    yield _proof(model, f"verify {file} --target onnx --input {picture}", digit)


def _proof(
    model: netsheet.model.Model, command: str, digit: Sample, **options: Any
) -> tuple[str, str]:
    """A verification by the first engine of the target that is here, and its command."""
    from netsheet.verify import verify
    from netsheet.verify.targets import target_of

    target = target_of(command.split()[3])
    absent = ""
    for number, name in enumerate(target.engines if target.chooses == "engine" else [""]):
        chosen: dict[str, Any] = {target.chooses: name} if target.chooses and name else {}
        said = target.engine(chosen).absent()
        if said is not None:
            absent = absent or said
            continue
        try:
            verdict = verify(model, target.name, [digit], **chosen, **options)
        except NetsheetError as error:  # it is here, but does not work
            absent = absent or one_line(str(error))
            continue
        if not verdict.ok:
            raise NetsheetError(f"the demonstration's {target.title} differs from its network")
        good = sum(layer.ok for layer in verdict.layers)
        agree = f"{good} of {len(verdict.layers)} layers agree, recomputed by {verdict.engine}"
        return command + (f" --engine {name}" if number else ""), shorten(agree, 78)
    return command, f"left out: {absent}"


def _equations(model: netsheet.model.Model) -> str:
    from netsheet.write.mathematics import ranges, text

    lines = [f"{text(eq)}\n    {ranges(eq)}" for eq in model.equations()]
    return "\n".join(lines) + "\n"
