"""ONNX's own backend node tests, and what becomes of each of them here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsheet.errors import NetsheetError, UnsupportedError
from netsheet.model import Model
from netsheet.read.onnx import OnnxModel, from_proto
from netsheet.reference import evaluate
from netsheet.verify.verdict import judge

Arrays = dict[str, np.ndarray[Any, Any]]
Run = Callable[[Model, Arrays], Arrays]

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


def node_cases() -> list[Any]:
    """Every case that the onnx package generates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return list(collect_testcases(None))


def by_equations(model: Model, inputs: Arrays) -> Arrays:
    """The outputs, by the plain evaluator of equations in doubles."""
    given = {tensor: inputs[tensor.name] for tensor in model.inputs}
    values = evaluate(model.equations(), given)
    values.update({tensor: np.asarray(array, float) for tensor, array in given.items()})
    return {tensor.name: values[tensor] for tensor in model.outputs}


def by_c(model: Model, inputs: Arrays) -> Arrays:
    """The outputs, by the generated C code on this machine in single precision."""
    from netsheet.verify.c_host import run_host

    return dict(run_host(model, inputs))


def outcome(case: Any, engines: Sequence[Run]) -> list[Outcome]:
    """The case through each engine; read once, with all axes kept."""
    operators = tuple(sorted({node.op_type for node in case.model.graph.node}))

    def same(state: str, reason: str, fixed: tuple[str, ...] = ()) -> list[Outcome]:
        return [Outcome(case.name, operators, state, reason, fixed)] * len(engines)

    try:
        model, fixed = _read(case)
    except NetsheetError as error:
        return same(REFUSED, str(error))
    except Exception as error:  # a crash is no answer
        return same(WRONG, f"reading: {type(error).__name__}: {error}")
    refusals = [node.refusal for node in model.nodes if node.refusal]
    if refusals or len(model.outputs) < len(case.model.graph.output):
        return same(REFUSED, refusals[0] if refusals else "an output is not computed", fixed)
    reason = _beyond(case)
    if reason:
        return same(REFUSED, reason, fixed)
    return [Outcome(case.name, operators, *_judged(case, model, run), fixed) for run in engines]


def _read(case: Any) -> tuple[OnnxModel, tuple[str, ...]]:
    """The model; inputs that decide a shape are fixed to the values of the case."""
    graph = case.model.graph
    values = _inputs(case, case.data_sets[0])
    fixed: dict[str, Any] = {}
    model = from_proto(case.model, batch=False)
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


def _judged(case: Any, model: Model, run: Run) -> tuple[str, str]:
    for data in case.data_sets:
        given = _inputs(case, data)
        try:
            inputs = {t.name: np.asarray(given[t.name], float) for t in model.inputs}
            got = run(model, inputs)
        except UnsupportedError as error:
            return REFUSED, str(error)
        except Exception as error:  # a crash is no answer
            return WRONG, f"{type(error).__name__}: {error}"
        for tensor, expected in zip(model.outputs, data[1], strict=True):
            problem = _difference(case, got[tensor.name], _array(expected))
            if problem == TIE and run is by_equations:
                return REFUSED, "a tie that float32 decides in another way than double precision"
            if problem:
                return WRONG, problem
    return PASSED, ""


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
