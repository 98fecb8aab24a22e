"""What the page holds beside its code: structure, weights, samples, references, explanations."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netsheet.classes import class_count
from netsheet.data.inputs import Sample
from netsheet.data.scaling import Scaling, expectations, of_pixels, token_inputs
from netsheet.engine.run import engine
from netsheet.equations import LIMITS, FloatArray, Tensor, Weight, multiply_accumulates, reads
from netsheet.network import Network, Node
from netsheet.selection import refused
from netsheet.write.page.expressions import explained
from netsheet.write.page.formulas import workbook_formulas
from netsheet.write.page.learning import PageLearning, learning_data
from netsheet.write.page.program import PageProgram

WHOLE = 64 * 1024  # bytes of references of one sample that are kept whole
KEPT = 256  # of larger ones, so many values of each layer


def page_data(
    program: PageProgram,
    samples: Sequence[Sample],
    class_names: Sequence[str] | None,
    learn: PageLearning | None = None,
) -> dict[str, Any]:
    """Everything as plain numbers, strings, lists and dictionaries."""
    network = program.network
    numbers: dict[Tensor, Any] = {tensor: n for n, tensor in enumerate(program.tensors)}
    numbers |= {weight: -1 - n for n, weight in enumerate(program.weights)}
    made = dict[Tensor, Any]()
    names = {tensor.name: numbers[tensor] for tensor in program.tensors}
    for equations in program.equations:
        for tensor in {eq.target: None for eq in equations}:
            made[tensor] = explained(tensor, equations, numbers.__getitem__)
    every = [eq for n in program.nodes for eq in n.layer.meaning(n.inputs, n.outputs)]
    kind = np.float64 if program.wide else np.float32
    lesson = program.lesson
    values = [np.asarray(b.values, kind) for b in program.weights.values()]
    return {
        "name": network.name,
        "file": network.path.name,
        "format": network.format,
        "params": network.params,
        "macs": sum(multiply_accumulates(equations) for equations in program.equations),
        "memory": program.size,
        "wide": program.wide,
        "tensors": [_tensor(t, b.start, b.size) for t, b in program.tensors.items()],
        "weights": [_weight(weight) for weight in program.weights],
        "values": _stored(values, program.wide),
        "nodes": [
            _node(node, equations, numbers)
            for node, equations in zip(program.nodes, program.equations, strict=True)
        ],
        "refused": [[n.key, n.layer.type, str(n.refusal)] for n in refused(network)],
        "inputs": [numbers[tensor] for tensor in network.inputs],
        "outputs": [numbers[tensor] for tensor in network.outputs],
        "classCounts": [
            class_count(network.inputs, tensor, every, network.training_config)
            for tensor in network.outputs
        ],
        "scaling": _scaling(network, samples),
        "tokens": token_inputs(network),
        "samples": [_sample(sample) for sample in samples],
        "references": references(program, samples),
        "classes": list(class_names or ()),
        "learn": None
        if lesson is None or learn is None
        else learning_data(lesson, program.asked, learn.rate, numbers),
        "details": _packed(
            {
                "explained": [made.get(tensor) for tensor in program.tensors],
                "excel": workbook_formulas(network, samples, names),
            }
        ),
    }


def _stored(values: Sequence[FloatArray], wide: bool) -> dict[str, Any]:
    """All weights one behind the other; many of them with their bytes sorted and deflated."""
    flat = np.concatenate(values) if values else np.zeros(0, np.float32)
    with np.errstate(over="ignore"):
        flat = flat.astype("<f8" if wide else "<f4")
    if flat.nbytes <= WHOLE:
        return {"wide": wide, "plain": base64.b64encode(flat.tobytes()).decode("ascii")}
    planes = flat.view(np.uint8).reshape(-1, flat.itemsize).T.tobytes()
    packed = base64.b64encode(zlib.compress(planes, 9)).decode("ascii")
    return {"wide": wide, "deflated": packed}


def _packed(details: dict[str, Any]) -> dict[str, Any]:
    """What is needed only to explain; where it is large, deflated."""
    text = json.dumps(details, allow_nan=False, separators=(",", ":")).encode("utf-8")
    if len(text) <= WHOLE // 2:
        return {"plain": details}
    return {"deflated": base64.b64encode(zlib.compress(text, 9)).decode("ascii")}


def encoded(array: FloatArray) -> str:
    """float32, little endian, as base64."""
    with np.errstate(over="ignore"):
        flat = np.ascontiguousarray(array, "<f4")
    return base64.b64encode(flat.tobytes()).decode("ascii")


def _tensor(tensor: Tensor, start: int, size: int) -> dict[str, Any]:
    known = tensor.quantisation
    scale = {} if known is None else {
        "scale": [known.step, known.zero_point, *LIMITS[tensor.dtype]]
    }  # fmt: skip
    return {"name": tensor.name, "axes": tensor.axes, "shape": tensor.shape,
            "start": start, "size": size, **scale}  # fmt: skip


def _weight(weight: Weight) -> dict[str, Any]:
    return {"name": weight.name, "label": weight.label or weight.name, "axes": weight.axes,
            "shape": weight.shape, "size": max(weight.size, 1)}  # fmt: skip


def _node(node: Node, equations: Sequence[Any], numbers: Mapping[Tensor, int]) -> dict[str, Any]:
    outputs = [tensor for tensor in node.outputs if tensor in numbers]
    filled = dict.fromkeys(eq.target for eq in equations)
    read = dict.fromkeys(read.tensor for eq in equations for read in reads(eq.value))
    return {
        "key": node.key,
        "layer": node.layer.name,
        "type": node.layer.type,
        "inputs": [numbers[t] for t in read if t not in filled and not isinstance(t, Weight)],
        "outputs": [numbers[t] for t in outputs],
        "steps": [numbers[t] for t in filled if t not in outputs],
        "weights": [-1 - numbers[t] for t in read if isinstance(t, Weight)],
        "macs": multiply_accumulates(equations),
    }


def _scaling(network: Network, samples: Sequence[Sample]) -> dict[str, Any]:
    """How pixels become the network's numbers: as the samples' were, else as it expects them."""
    used = [v.scaling for sample in samples for v in sample.inputs.values()
            if v.scaling is not None and v.scaling.changes]  # fmt: skip
    by_nature = Scaling() if expectations(network) else of_pixels(network.inputs[0])
    chosen = used[0] if used else by_nature
    return {"scale": chosen.scale, "mean": chosen.mean, "std": chosen.std,
            "invert": chosen.invert}  # fmt: skip


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        "name": sample.name,
        "label": sample.label,
        "values": [encoded(array) for array in sample.arrays],
    }


def references(program: PageProgram, samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Each sample's values of every layer, by ONNX Runtime; of large networks only some."""
    network = program.network
    keys = {t.name: n for n, t in enumerate(program.tensors) if t.name in network.tensors()}
    columns = zip(*(sample.arrays for sample in samples), strict=True)
    found = engine(network).activations([np.stack(column) for column in columns], list(keys))
    whole = sum(array[0].size for array in found.values()) * 4 <= WHOLE
    result = []
    for row in range(len(samples)):
        stored = {}
        for name, number in keys.items():
            flat = found[name][row].reshape(-1)
            entry: dict[str, Any] = {"most": float(np.abs(flat[np.isfinite(flat)]).max(initial=0))}
            if not whole and flat.size > KEPT:
                flat = flat[np.arange(KEPT) * flat.size // KEPT]  # as assets/engine.js counts
            stored[str(number)] = {**entry, "values": encoded(flat)}
        result.append(stored)
    return result
