"""The demonstration of learning: XOR with two hidden units, twenty steps in one workbook."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np

import netsheet
from netsheet.cli import language, show
from netsheet.data.inputs import InputValue, Sample
from netsheet.errors import NetsheetError
from netsheet.model import Model

QUESTIONS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
ANSWERS = np.array([[0], [1], [1], [0]], np.float32)
STEPS, RATE = 20, 2.0


def run(folder: Path, as_json: bool = False) -> None:
    """Writes network and workbook into a folder and prints what they are."""
    from netsheet.write.excel import Learning, to_excel

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NetsheetError(f"{folder} cannot be made: {error.strerror}.") from error
    with resources.as_file(resources.files("netsheet.data") / "sample" / "xor.h5") as file:
        (folder / file.name).write_bytes(file.read_bytes())
    model = at_once(netsheet.load(folder / "xor.h5"), len(QUESTIONS))
    sample = Sample("XOR", {model.inputs[0].name: InputValue(QUESTIONS)})
    learning = Learning(rate=RATE, steps=STEPS, target=ANSWERS)
    book = folder / "xor.xlsx"
    report = to_excel(model, book, [sample], lang=language.chosen, learn=learning)
    proof = _proof(model, sample, book)
    if as_json:
        show.as_json({"folder": str(folder), "workbook": str(report), "proof": proof})
        return
    show.say(f"{book}: {report}")
    show.say(proof)
    show.say(
        "Open it at the sheet Learn: change the rate, and watch the loss of all twenty steps move."
    )


def at_once(model: Model, count: int) -> Model:
    """A network of dense layers for ``count`` samples at once: they are its input's first axis."""
    (source,) = model.sources
    whole = replace(source, shape=(count, *source.shape), axes=("sample", "channel"))
    return replace(model, sources=[whole])


def _proof(model: Model, sample: Sample, book: Path) -> str:
    """What a spreadsheet engine finds, held against ONNX Runtime."""
    from netsheet.verify import verify

    try:
        verdict = verify(model, "excel", [sample], xlsx=book)
    except NetsheetError as error:  # no engine is here
        return f"left out: {error}"
    if not verdict.ok:
        raise NetsheetError("the demonstration's workbook differs from its network")
    return f"{len(verdict.layers)} tensors recomputed by {verdict.engine}: all agree"
