"""Operators with sizes that may contradict: refused, or right; never read beside an array.

Each of ONNX's own cases becomes others: one input gets another shape, by an element more or less
along an axis, another axis, or two axes exchanged. ONNX Runtime is the judge: what it refuses has
to be refused here; what it computes has to be refused or the same.

python tests/node/shapes.py SECONDS [SEED]
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from c_batch import through_c
from cases import (
    PASSED,
    REFUSED,
    WRONG,
    Outcome,
    Prepared,
    node_cases,
    operators,
    through_equations,
)
from cases import prepare as prepared_case

# Refused by ONNX Runtime's kernel, though ONNX itself defines it and this is what it defines.
NARROWER = {
    "LRN": "it takes four axes only",
    "Resize": "linear over three axes only",
    "TensorScatter": "it looks at the positions",
}


@dataclass(frozen=True, eq=False)
class Changed:
    """A case with another shape: what ONNX Runtime makes of it, None where it refuses it."""

    name: str
    what: str
    model: Any
    data_sets: Sequence[Any]
    said: str
    rtol: float = 1e-3
    atol: float = 1e-5

    @property
    def refused(self) -> bool:
        return bool(self.said)


def changed(case: Any, rng: random.Random) -> Changed | None:
    """The case with one input changed; None where ONNX Runtime does not know it at all."""
    import onnx

    given = _arrays(case)
    if given is None or not given:
        return None
    name = rng.choice(sorted(given))
    array, what = _reshaped(given[name], rng)
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for entry in model.graph.input:
        if entry.name == name:
            del entry.type.tensor_type.shape.dim[:]
            for size in array.shape:
                entry.type.tensor_type.shape.dim.add().dim_value = size
    for entry in model.graph.output:
        entry.type.tensor_type.ClearField("shape")
    results, said = _judged(model, {**given, name: array})
    if said is None:
        return None
    inputs = [array if entry.name == name else given[entry.name] for entry in model.graph.input]
    label = f"{case.name}: {name} {given[name].shape} {what} {array.shape}"
    return Changed(case.name, label, model, [(inputs, results)], said)


def _arrays(case: Any) -> dict[str, np.ndarray[Any, Any]] | None:
    names = [entry.name for entry in case.model.graph.input]
    values = case.data_sets[0][0]
    if len(names) != len(values) or not all(isinstance(v, np.ndarray) for v in values):
        return None
    return dict(zip(names, values, strict=True))


def _reshaped(array: np.ndarray[Any, Any], rng: random.Random) -> tuple[np.ndarray[Any, Any], str]:
    """The array in another shape, its values mostly kept."""
    axes = list(range(array.ndim)) if array.size else []
    ways = ["more axes"] + (["less", "more", "less", "more", "fewer axes"] if axes else [])
    ways += ["exchanged"] if len(axes) > 1 else []
    way = rng.choice(ways)
    axis = rng.choice(axes) if axes else 0
    if way == "more axes":
        return array[np.newaxis], way
    if way == "fewer axes":
        return np.ascontiguousarray(np.take(array, 0, axis)), way
    if way == "exchanged":
        other = rng.choice([a for a in axes if a != axis])
        return np.ascontiguousarray(np.swapaxes(array, axis, other)), way
    size = array.shape[axis]
    if way == "less" and size > 1:
        return np.ascontiguousarray(np.take(array, range(size - 1), axis)), way
    place = [*range(size), *[max(size - 1, 0)] * rng.choice([1, size])]
    return np.ascontiguousarray(np.take(array, place, axis)), "more"


def _judged(
    model: Any, given: dict[str, np.ndarray[Any, Any]]
) -> tuple[list[np.ndarray[Any, Any]], str | None]:
    """What ONNX Runtime computes; else what it says, None where it lacks the operator."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return [np.asarray(a) for a in session.run(None, given)], ""
    except Exception as error:
        said = " ".join(str(error).split())
        lacking = ("NOT_IMPLEMENTED", "Could not find an implementation", "opset",
                   "not a registered", "Unsupported model IR", "not supported",
                   "Numpy_type")  # fmt: skip
        return [], None if any(word in said for word in lacking) else said


def judged(one: Changed) -> tuple[Prepared | None, str]:
    """What netsheet makes of it: nothing amiss, or what is; and the case where it is computed."""
    found = prepared_case(one)
    if isinstance(found, Outcome):
        return None, "" if found.state == REFUSED else found.reason
    if one.refused:
        if set(operators(one)) & set(NARROWER) or "index" in one.said or "indices" in one.said:
            return None, ""  # values that are looked up are no sizes
        return None, f"computed, where ONNX Runtime says: {one.said[:300]}"
    outcome = through_equations(found)
    if outcome.state == WRONG and not outcome.reason.startswith("off by nan"):
        return None, outcome.reason  # what a NaN is as an integer is nobody's business
    return (found if outcome.state == PASSED else None), ""


def stream(seed: int) -> Iterator[Changed]:
    """Changed cases without end."""
    rng = random.Random(seed)
    cases = node_cases(seed)
    by_operator: dict[tuple[str, ...], list[Any]] = {}
    for case in cases:
        by_operator.setdefault(operators(case), []).append(case)
    kinds = sorted(by_operator)
    while True:
        rng.shuffle(kinds)
        for kind in kinds:
            one = changed(rng.choice(by_operator[kind]), rng)
            if one is not None:
                yield one


def fuzz(seconds: float, seed: int, most: int = sys.maxsize) -> tuple[Counter[str], list[str]]:
    """How many were refused, computed and compiled, and every finding."""
    end, counts, findings = time.monotonic() + seconds, Counter[str](), list[str]()
    waiting: list[tuple[Changed, Prepared]] = []
    for one in stream(seed):
        if time.monotonic() > end or counts["cases"] >= most:
            break
        counts["cases"] += 1
        counts["refused by ONNX Runtime"] += one.refused
        found, amiss = judged(one)
        findings += [f"{one.what}: {amiss}"] if amiss else []
        if found is not None:
            waiting.append((one, found))
        if len(waiting) >= 64:
            findings += _compiled(waiting, counts)
            waiting = []
    findings += _compiled(waiting, counts)
    return counts, findings


def _compiled(waiting: Sequence[tuple[Changed, Prepared]], counts: Counter[str]) -> list[str]:
    """What generated C makes of them under the sanitizers."""
    outcomes = through_c([found for _, found in waiting], sanitize=True)
    counts["compiled"] += sum(outcome.state == PASSED for outcome in outcomes)
    return [
        f"{one.what}: C: {outcome.reason}"
        for (one, _), outcome in zip(waiting, outcomes, strict=True)
        if outcome.state == WRONG
    ]


if __name__ == "__main__":
    totals, found = fuzz(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(dict(totals))
    print("\n".join(sorted(set(found))))
    sys.exit(bool(found))
