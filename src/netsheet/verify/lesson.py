"""A workbook that learns: its adjoints, new weights and losses against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.engine.lesson import GIVEN, LABEL, OWN_INPUT, Lesson, lesson
from netsheet.equations import FloatArray, Tensor
from netsheet.network import Network
from netsheet.verify.engines.base import Recomputed
from netsheet.verify.engines.workbook import read_map
from netsheet.write.excel.cell_map import MapRow

RATE_KIND = "learning"  # what the Map calls the learning rate; the row's layer names the loss
PROVED = ("gradient", "new", "passage")


def lesson_of(network: Network, workbook: Path) -> Lesson | None:
    """The lesson that a workbook says it is; None for one that does not learn."""
    located = read_map(workbook)
    rate = next((row for row in located.values() if row.kind == RATE_KIND), None)
    if rate is None:
        return None
    steps = 1 + sum(name.startswith("loss (step ") for name in located)
    by = LABEL if "label" in located else OWN_INPUT
    if "target" in located and "label" not in located and not _own_input(located):
        by = GIVEN
    return lesson(network, network.equations(), rate.layer, steps, by)


def _own_input(located: Mapping[str, MapRow]) -> bool:
    return located["target"].kind == "step"


def proved(found: Lesson, workbook: Path) -> list[Tensor]:
    """The tensors of the lesson that stand in the workbook and can be held against float32.

    Left out is which element of a window is the largest (its adjoint shows that), and the measured
    slope, a difference of two losses that float32 cannot tell apart.
    """
    located = read_map(workbook)
    passing = [eq.target for passage in found.passages for eq in passage.equations]
    named = dict.fromkeys([found.loss, *passing])
    return [
        tensor for tensor in named
        if tensor.name in located and located[tensor.name].kind in PROVED
        and "/first" not in tensor.name
    ] + [found.loss]  # fmt: skip


def with_lesson(
    found: Lesson, wanted: Sequence[Tensor], samples: Sequence[Sample], engine: Recomputed,
    reference: Recomputed,
) -> Recomputed:  # fmt: skip
    """The reference, and what ONNX Runtime makes of the lesson with the workbook's own numbers."""
    import onnxruntime

    values = []
    for sample, calculated, known in zip(samples, engine.samples, reference.samples, strict=True):
        arrays: dict[str, FloatArray] = {
            name: value.values[None] for name, value in sample.inputs.items()
        }
        for tensor in found.given:
            arrays[tensor.name] = np.asarray(calculated[tensor.name])[None]
        computed = found.computed(wanted, arrays)
        values.append({**known, **{name: array[0] for name, array in computed.items()}})
    name = f"{reference.engine}; what it learns: ONNX Runtime {onnxruntime.__version__}"
    return Recomputed(name, values, reference.programs, reference.notes, reference.remarks)
