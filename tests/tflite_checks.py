"""A quantised network in every form, held against TensorFlow Lite Micro on the same file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from netsheet.equations import FLOAT, LIMITS, Tensor
from netsheet.equations.evaluation import evaluate
from netsheet.model import Model
from netsheet.verify.engines.c_harness import WARNINGS
from netsheet.verify.engines.c_host import run_library
from netsheet.verify.engines.tflite import every_tensor
from netsheet.write.c.library import library

BOUND = 1e-5


def samples(model: Model, count: int = 3) -> list[list[np.ndarray]]:
    """Random inputs over everything that the input's type holds."""
    random = np.random.default_rng(7)
    return [[_random(random, tensor) for tensor in model.inputs] for _ in range(count)]


def _random(random: np.random.Generator, tensor: Tensor) -> np.ndarray:
    if tensor.dtype == FLOAT:
        return random.standard_normal(tensor.shape).astype(np.float32)
    low, high = LIMITS[tensor.dtype]
    return random.integers(low, high + 1, tensor.shape).astype(tensor.dtype)


def expected(model: Model, inputs: Sequence[Sequence[np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """What TensorFlow Lite Micro finds for every tensor of the network that the file has."""
    pytest.importorskip("tflite_micro")
    tensors = model.tensors()
    numbers = {key: n for key, n in model.original.numbers.items() if key in tensors}
    found = every_tensor(model.original.content, inputs, sorted(numbers.values()))
    return [{key: one[n].reshape(tensors[key].shape) for key, n in numbers.items()}
            for one in found]  # fmt: skip


def differing(model: Model, found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> dict:
    """How many values of each tensor are not those that are wanted, where there are any."""
    wrong = {}
    for name, tensor in model.tensors().items():
        if name not in wanted:
            continue
        off = np.abs(np.asarray(found[name], float) - wanted[name].astype(float))
        largest = max(1.0, float(np.abs(wanted[name]).max(initial=0)))
        count = int((off > (0 if tensor.dtype != FLOAT else BOUND * largest)).sum())
        if count:
            wrong[name] = count
    return wrong


def check_everywhere(model: Model, c: bool = True) -> int:
    """Equations, ONNX Runtime and C against the oracle; returns how many values were compared."""
    given = samples(model)
    wanted = expected(model, given)
    stacked = model.activations([np.stack(column) for column in zip(*given, strict=True)])
    traced = run_library(library(model), given, options=[*WARNINGS, "-O0"]) if c else []
    for n, one in enumerate(given):
        exact = evaluate(model.equations(), dict(zip(model.inputs, one, strict=True)))
        by_name = {tensor.name: array for tensor, array in exact.items()}
        assert differing(model, by_name, wanted[n]) == {}
        assert differing(model, {key: a[n] for key, a in stacked.items()}, wanted[n]) == {}
        if c:
            shown = {key: a.reshape(model.tensors()[key].shape)
                     for key, a in traced[n] if key in model.tensors()}  # fmt: skip
            assert differing(model, shown, wanted[n]) == {}
    return sum(array.size for one in wanted for array in one.values())
