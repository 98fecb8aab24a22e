"""ONNX Runtime: on a file that netsheet wrote, or on the original file that a network came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.data.states import with_states
from netsheet.data.succession import going_on
from netsheet.equations import FloatArray
from netsheet.equations.entry import entered
from netsheet.errors import NetsheetError, one_line
from netsheet.network import Network
from netsheet.read.onnx.original import OnnxOriginal
from netsheet.verify.engines.base import Artefact, Recomputed, Values
from netsheet.verify.engines.equations import Equations, in_doubles

HALF = ("float16", "bfloat16")
LONGEST = 160  # characters of what ONNX Runtime says


class OnnxRuntime:
    """Computes the message that netsheet wrote, after ONNX's own checker has passed it."""

    def absent(self) -> str | None:
        """It is always there: netsheet itself needs it."""

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """All outputs of the message, which has a batch axis in front of every value."""
        import onnx

        onnx.checker.check_model(artefact.content, full_check=True)
        session = _session(artefact.content.SerializeToString())
        names = [entry.name for entry in session.get_outputs()]
        rows: list[Values] = []
        for sample in samples:
            sample = going_on(artefact.network, sample, rows, artefact.back)
            whole = with_states(sample, artefact.network.explicit)
            taken = {tensor.name: tensor for tensor in artefact.network.explicit.inputs}
            feeds = {
                entry.name: entered(taken[entry.name], whole.inputs[entry.name].values)[np.newaxis]
                for entry in session.get_inputs()
            }
            found = session.run(names, feeds) if names else []
            rows.append({name: a[0] for name, a in zip(names, found, strict=True)})
        return Recomputed(_version(), rows)


def _version() -> str:
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}"


def _session(message: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(message, options, providers=["CPUExecutionProvider"])


class OriginalOnnx:
    """The original file: its intermediate values are marked as outputs."""

    def absent(self) -> str | None:
        """It is always there."""

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """What the file itself computes; values that it has not come from the equations.

        Where ONNX Runtime does not take the file at all, all of them do, and the name says so.

        Raises:
            NetsheetError: it takes the file, but not these inputs.
        """
        network = artefact.network
        original = network.original
        try:
            session = _session(marked(original, network))
        except Exception as error:  # whatever it says of the file
            why = f"ONNX Runtime does not take the file: {_sentence(error)}"
            return Equations(why).recompute(artefact, samples)
        values = session.get_outputs()
        if any(_is_half(entry.type) for entry in (*values, *session.get_inputs())):
            why = "the file computes in half precision, netsheet in float32"
            return Equations(why).recompute(artefact, samples)
        tensors = network.tensors()
        there = {entry.name for entry in values if entry.type != "tensor(string)"}
        wanted = {
            key: name for key, name in original.names.items() if key in tensors and name in there
        }
        rows = [_run(session, original, network, sample, wanted) for sample in samples]
        return Recomputed(f"the file itself in {_version()}", rows)


def _run(
    session: Any,
    original: OnnxOriginal,
    network: Network,
    sample: Sample,
    wanted: Mapping[str, str],
) -> Values:
    feeds = {
        entry.name: _fed(entry, sample, original)
        for entry in session.get_inputs()
        if entry.name in sample.inputs or entry.name in original.constants
    }
    names = list(dict.fromkeys(wanted.values()))
    try:
        found = dict(zip(names, session.run(names, feeds), strict=True)) if names else {}
    except Exception as error:
        raise NetsheetError(
            f"{network.path}: ONNX Runtime refuses the original file with this input: "
            f"{_sentence(error)}"
        ) from error
    tensors = network.tensors()
    values: dict[str, FloatArray] = {}
    for key, name in wanted.items():
        array, shape = np.asarray(found[name], float), tensors[key].shape
        values[key] = array.reshape(shape) if array.shape in (shape, (1, *shape)) else array
    if set(tensors) - set(values):
        exact = in_doubles(network, sample)
        values = {key: values[key] if key in values else exact[key] for key in tensors}
    return values


def _fed(entry: Any, sample: Sample, original: OnnxOriginal) -> FloatArray:
    """An input in the file's own type, with the batch axis that netsheet takes away."""
    if entry.name in original.constants:
        return original.constants[entry.name]
    array = sample.inputs[entry.name].values
    if array.ndim < len(entry.shape):
        array = array[np.newaxis]
    kind = {"float": "float32", "double": "float64", "bool": "bool"}
    found = entry.type.removeprefix("tensor(").removesuffix(")")
    return array.astype(np.dtype(kind.get(found, found)))


def marked(original: OnnxOriginal, network: Network) -> bytes:
    """The message with every value that a tensor of the network is as an output."""
    import onnx

    message = onnx.ModelProto()
    message.CopyFrom(original.message)
    there = {entry.name for entry in message.graph.output}
    made = {name for node in message.graph.node for name in node.output}
    for key in network.tensors():
        name = original.names.get(key)
        if name in made and name not in there:
            there.add(name)
            message.graph.output.append(onnx.ValueInfoProto(name=name))
    return bytes(message.SerializeToString())


def _is_half(kind: str) -> bool:
    return any(name in kind for name in HALF)


def _sentence(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return one_line(lines[0].rpartition("Status Message: ")[2], LONGEST + 200)[:LONGEST]
