"""What each target computes for a file of a corpus, compared with Keras's own values."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import netsheet
from corpus.reading import Array, Entry
from netsheet.data.inputs import InputValue, Sample
from netsheet.equations.evaluation import evaluate
from netsheet.errors import NetsheetError
from netsheet.model import Model
from netsheet.verify import TARGETS as TABLE
from netsheet.verify import recompute

EXCEL_CELLS = 200_000


@dataclass(frozen=True)
class Opened:
    """A loaded model, bound to the sizes of its reference, with inputs by name."""

    entry: Entry
    model: Model
    inputs: Mapping[str, Array]
    expected: Mapping[str, Array]  # by key of the reference, without "output:"


@dataclass(frozen=True)
class Result:
    """One layer's output: ``difference`` is relative to its bound (up to 1 is right)."""

    key: str
    kind: str  # the layer's class
    difference: float
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.difference <= 1


def opened(entry: Entry, temporary: Path) -> Opened:
    """The model and what Keras computed with it."""
    stored = entry.values()
    model = netsheet.load(entry.path(temporary))
    given = [key for key in stored if key.startswith("input:")]
    inputs = {}
    for number, source in enumerate(model.sources):
        key = f"input:{source.name}"
        inputs[source.name] = stored[key if key in stored else given[number]]
    if not model.bound:
        model = model.bind({name: array.shape[1:] for name, array in inputs.items()})
    expected = {key[7:]: array for key, array in stored.items() if key.startswith("output:")}
    expected |= {key: array for key, array in stored.items() if key.startswith("final:")}
    return Opened(entry, model, inputs, expected)


Computed = Mapping[str, Array]  # batch axis in front; by key of the model


def run(case: Opened) -> Computed:
    """ONNX Runtime, the engine behind run and evaluate."""
    return case.model.activations(case.inputs)


def equations(case: Opened) -> Computed:
    """The equations, evaluated in doubles."""
    rows = []
    every = case.model.equations()
    for sample in _samples(case):
        given = {tensor: sample[tensor.name] for tensor in case.model.inputs}
        values = evaluate(every, given)
        rows.append({tensor.name: array for tensor, array in values.items()})
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


# A workbook is calculated for the first sample: one cell at a time is slow.
FIRST_ONLY = ("excel",)
ENGINES = {"page": {"engine": "node"}}  # a browser for each file would take too long


def written(case: Opened, target: str) -> Computed:
    """What the first engine of a row in the table of targets finds, and the outputs of programs."""
    samples = [
        Sample(f"sample {n}", {name: InputValue(array) for name, array in sample.items()})
        for n, sample in enumerate(_samples(case))
    ]
    chosen = samples[:1] if target in FIRST_ONLY else samples
    found = recompute(case.model, target, chosen, **ENGINES.get(target, {}))
    if found.notes:
        raise NetsheetError(next(iter(found.notes.values())))
    rows = found.samples
    result = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    if found.programs:  # the last one is the barest
        outputs = list(found.programs.values())[-1]
        for number in range(len(case.model.outputs)):
            result[f"final:{number}"] = np.stack([arrays[number] for arrays in outputs])
    return result


TARGETS: dict[str, Callable[[Opened], Computed]] = {
    "run": run,
    "equations": equations,
    **{
        name: functools.partial(written, target=name)
        for name, target in TABLE.items()
        if target.reference is None
    },
}


def _samples(case: Opened) -> list[dict[str, Array]]:
    count = len(next(iter(case.inputs.values())))
    return [{name: array[n] for name, array in case.inputs.items()} for n in range(count)]


def cells(model: Model) -> int:
    """About how many formulas a workbook has."""
    return sum(eq.target.size for eq in model.equations())


def judged(case: Opened, computed: Computed) -> list[Result]:
    """Every value of the reference against what was computed; what is missing has failed."""
    aliases = {key: tensor.name for key, tensor in case.model.alias_tensors().items()}
    kinds = {t.name: node.layer.type for node in case.model.nodes for t in node.outputs}
    given, known = {t.name for t in case.model.inputs}, case.model.tensors()
    results = []
    for key, array in case.expected.items():
        name = _name(case.model, key, aliases)
        kind = "(model output)" if key.startswith("final:") else kinds.get(name, "(model)")
        if key in aliases or key.replace("#0", "") in aliases:
            kind = "(nested model)"
        if name in given or (case.entry.source == "dialects" and name not in known):
            continue  # their recorder counted other layers as calls too
        got = computed.get(key, computed.get(name))
        results.append(_judge(key, kind, got, array, case.entry.bound))
    return results


def _name(model: Model, key: str, aliases: Mapping[str, str]) -> str:
    """The tensor that a key of a reference means: manifests differ in calling one call #0."""
    if key.startswith("final:"):
        return model.outputs[int(key[6:])].name
    known = model.tensors()
    plain = key.replace("#0", "")
    for name in (key, plain, f"{plain}[0]"):
        if name in aliases or name in known:
            return aliases.get(name, name)
    return key


def _judge(key: str, kind: str, got: Array | None, wanted: Array, bound: float) -> Result:
    if got is None:
        return Result(key, kind, float("inf"), "missing")
    wanted = wanted[: len(got)].astype(float)
    if got.shape != wanted.shape:
        return Result(key, kind, float("inf"), f"shape {got.shape}, not {wanted.shape}")
    got = got.astype(float)
    finite = np.isfinite(wanted)
    if not np.array_equal(got[~finite], wanted[~finite], equal_nan=True):
        return Result(key, kind, float("inf"), "values that are no numbers")
    most = max(1.0, float(np.abs(wanted[finite]).max(initial=0)))
    worst = float(np.abs(got[finite] - wanted[finite]).max(initial=0))
    return Result(key, kind, worst / (bound * most) if np.isfinite(worst) else float("inf"))
