"""TensorFlow Lite Micro on the original file that a network came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.network import Network
from netsheet.read.tflite.original import TfliteOriginal
from netsheet.verify.engines.base import Artefact, Recomputed, Values, importable
from netsheet.verify.engines.equations import Equations

PACKAGE = "tflite_micro"
FIRST_ARENA, LARGEST_ARENA = 1 << 20, 1 << 30  # bytes


class OriginalTflite:
    """What the file's own runtime computes, every tensor of it.

    The equations stand in for it where it is not installed or does not take the file; the name
    says so.
    """

    def absent(self) -> str | None:
        """It is always there, as the equations if nothing else."""

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """Every tensor of the file that the network has; the rest from the equations."""
        network = artefact.network
        if not importable(PACKAGE):
            return Equations(f"{PACKAGE} is not installed").recompute(artefact, samples)
        try:
            rows = [computed(network, sample) for sample in samples]
        except RuntimeError as error:
            why = str(error).strip().splitlines()[-1:] or ["it does not take the file"]
            return Equations(f"TensorFlow Lite Micro: {why[0][:120]}").recompute(artefact, samples)
        return Recomputed(f"the file itself in TensorFlow Lite Micro {version()}", rows)


def version() -> str:
    """The installed version."""
    from importlib.metadata import version as installed

    return installed(PACKAGE)


def computed(network: Network, sample: Sample) -> Values:
    """The tensors of the network that the file has, by their names in the network."""
    original: TfliteOriginal = network.original
    inputs = [sample.inputs[tensor.name].values for tensor in network.inputs]
    found = every_tensor(original.content, inputs)
    tensors = network.tensors()
    return {
        name: found(number).reshape(tensors[name].shape).astype(float)
        for name, number in original.numbers.items()
        if name in tensors
    }


def every_tensor(content: bytes, inputs: Sequence[FloatArray]) -> Any:
    """A function from a tensor's number to its values, for inputs without batch axis.

    Raises:
        RuntimeError: the runtime does not take the file.
    """
    from tflite_micro.python.tflite_micro import runtime

    arena = FIRST_ARENA
    while True:
        try:
            machine = runtime.Interpreter.from_bytes(
                content, arena_size=arena,
                intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
            )  # fmt: skip
            break
        except RuntimeError:
            arena *= 8  # what it needs can only be tried
            if arena > LARGEST_ARENA:
                raise
    for place, values in enumerate(inputs):
        details = machine.get_input_details(place)
        kind = np.dtype(details["dtype"])
        machine.set_input(np.asarray(values, kind).reshape(details["shape"]), place)
    machine.invoke()
    return lambda number: np.array(machine.GetTensor(number, 0)["tensor_data"])
