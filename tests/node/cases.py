"""ONNX's own backend node tests, and what becomes of each of them here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsheet.equations.evaluation import evaluate
from netsheet.errors import NetsheetError, UnsupportedError
from netsheet.fidelity import judge
from netsheet.model import Model
from netsheet.network import Network
from netsheet.read.onnx import from_proto

Arrays = dict[str, np.ndarray[Any, Any]]

PASSED, REFUSED, WRONG = "passed", "refused", "wrong"
QUANTIZING = {"QuantizeLinear", "DynamicQuantizeLinear"}
TIE = "off by one step of the quantisation"
EXACT = 2**24  # integers up to here are float32 values


@dataclass(frozen=True)
class Outcome:
    """What one engine made of one case; ``fixed`` inputs were given while reading."""

    case: str
    operators: tuple[str, ...]
    state: str
    reason: str = ""
    fixed: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Prepared:
    """A case that is read: its model, the inputs and what should come out, set by set."""

    case: Any
    model: Model
    fixed: tuple[str, ...]
    inputs: list[Arrays]
    expected: list[list[np.ndarray[Any, Any]]]

    def outcome(self, state: str, reason: str = "") -> Outcome:
        """The outcome of this case."""
        return Outcome(self.case.name, operators(self.case), state, reason, self.fixed)


def node_cases(seed: int = 0) -> list[Any]:
    """Every case that the onnx package generates, its random numbers from ``seed``."""
    np.random.seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return list(collect_testcases(None))


def operators(case: Any) -> tuple[str, ...]:
    """The operators in a case."""
    return tuple(sorted({node.op_type for node in case.model.graph.node}))


def prepare(case: Any) -> Prepared | Outcome:
    """The case with all axes kept, or why it is not computed."""
    names = operators(case)
    try:
        model, fixed = _read(case)
    except NetsheetError as error:
        return Outcome(case.name, names, REFUSED, str(error))
    except Exception as error:  # a crash is no answer
        return Outcome(case.name, names, WRONG, f"reading: {type(error).__name__}: {error}")
    refusals = [node.refusal for node in model.nodes if node.refusal]
    if refusals or len(model.outputs) < len(case.model.graph.output):
        reason = refusals[0] if refusals else "an output is not computed"
        return Outcome(case.name, names, REFUSED, reason, fixed)
    reason = _beyond(case)
    if reason:
        return Outcome(case.name, names, REFUSED, reason, fixed)
    inputs = []
    for data in case.data_sets:
        given = _inputs(case, data)
        inputs.append({t.name: np.asarray(given[t.name], float) for t in model.inputs})
    expected = [[_array(value) for value in data[1]] for data in case.data_sets]
    return Prepared(case, model, fixed, inputs, expected)


def through_equations(prepared: Prepared) -> Outcome:
    """The case by the plain evaluator of equations, in doubles."""
    results = []
    try:
        for inputs in prepared.inputs:
            given = {tensor: inputs[tensor.name] for tensor in prepared.model.inputs}
            values = evaluate(prepared.model.equations(), given) | given
            results.append([values[tensor] for tensor in prepared.model.outputs])
    except UnsupportedError as error:
        return prepared.outcome(REFUSED, str(error))
    except Exception as error:  # a crash is no answer
        return prepared.outcome(WRONG, f"{type(error).__name__}: {error}")
    found = judged(prepared, results)
    if found.state == WRONG and found.reason == TIE:
        reason = "a tie that float32 decides in another way than double precision"
        return prepared.outcome(REFUSED, reason)
    return found


def judged(prepared: Prepared, results: Sequence[Sequence[Any]]) -> Outcome:
    """Passed, or wrong: the results of each set against the expected ones."""
    for got, expected in zip(results, prepared.expected, strict=True):
        for array, wanted in zip(got, expected, strict=True):
            problem = _difference(prepared.case, array, wanted)
            if problem:
                return prepared.outcome(WRONG, problem)
    return prepared.outcome(PASSED)


def _read(case: Any) -> tuple[Network, tuple[str, ...]]:
    """The model; inputs that decide a shape are fixed to the values of the case."""
    graph = case.model.graph
    values = _inputs(case, case.data_sets[0])
    # as in a network that somebody trained
    kernels = {
        name
        for node in graph.node
        if node.op_type in ("Conv", "ConvTranspose")
        for name in node.input[1:]
    }
    fixed: dict[str, Any] = {name: values[name] for name in values if name in kernels}
    model = from_proto(case.model, batch=False, constants=fixed)
    for _ in range(len(values)):
        wanted = [name for name in _sources(graph, model.deciding) if name not in fixed]
        if not wanted:
            break
        fixed.update({name: values[name] for name in wanted if name in values})
        model = from_proto(case.model, batch=False, constants=fixed)
    return model, tuple(fixed)


def _sources(graph: Any, names: Sequence[str]) -> list[str]:
    """The inputs of the graph that some values come from."""
    made = {output: node for node in graph.node for output in node.output}
    found, todo = [], list(names)
    inputs = {entry.name for entry in graph.input}
    while todo:
        name = todo.pop()
        if name in inputs and name not in found:
            found.append(name)
        if name in made:
            todo += made.pop(name).input
    return found


def _inputs(case: Any, data: Any) -> Arrays:
    names = [entry.name for entry in case.model.graph.input]
    return {
        name: _array(value)
        for name, value in zip(names, data[0], strict=False)
        if not isinstance(value, (list, dict)) and value is not None
    }


def _array(value: Any) -> np.ndarray[Any, Any]:
    """A value of a case, which may be a message."""
    from onnx import TensorProto, numpy_helper

    return np.asarray(numpy_helper.to_array(value) if isinstance(value, TensorProto) else value)


def _beyond(case: Any) -> str:
    """Why the values of the case are not real numbers that float32 holds."""
    for data in case.data_sets:
        for value in (*data[0], *data[1]):
            array = np.asarray(value)
            if (
                array.dtype.kind in "iu"
                and array.size
                and np.abs(array.astype(float)).max() > EXACT
            ):
                return "integers beyond 2^24"
    return ""


def _difference(case: Any, got: Any, expected: Any) -> str:
    """How a result differs; nothing where it does not.

    Integers and truth values have to be equal. Real numbers have to be within the case's own
    tolerances, or within netsheet's bound: expected values are float32 and carry its noise.
    """
    wanted, result = expected.astype(float), np.asarray(got, float)
    if result.shape != wanted.shape:
        return f"shape {result.shape} for {wanted.shape}"
    if expected.dtype.kind in "iub":
        if np.array_equal(result, wanted):
            return ""
        quantized = QUANTIZING & {node.op_type for node in case.model.graph.node}
        if quantized and np.abs(result - wanted).max() == 1:
            return TIE
    else:
        if expected.dtype.itemsize == 2:
            # the result is stored in the output's type: float16 or bfloat16
            result = result.astype(expected.dtype).astype(float)
        if np.allclose(result, wanted, case.rtol, case.atol, equal_nan=True):
            return ""
        if judge(case.name, result, wanted).ok:
            return ""
    with np.errstate(all="ignore"):
        worst = np.nanmax(np.abs(result - wanted))
    return f"off by {worst:.3g} of {np.nanmax(np.abs(wanted)):.3g}"
