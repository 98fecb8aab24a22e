"""TensorFlow Lite Micro on the original file that a network came from."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.read.tflite.original import TfliteOriginal
from netsheet.verify.engines.base import Artefact, Recomputed, Values, importable
from netsheet.verify.engines.equations import Equations

PACKAGE = "tflite_micro"
PROCESS = "netsheet.verify.engines.tflite_process"
TIME_LIMIT = 600  # seconds


class TfliteMicroError(Exception):
    """The runtime does not take the file; the text says what it said."""


class OriginalTflite:
    """What the file's own runtime computes, every tensor of it.

    The equations stand in for it where it is not installed or does not take the file; the name
    says so.
    """

    def absent(self) -> str | None:
        """It is always there, as the equations if nothing else."""

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """Every tensor of the file that the network has."""
        if not importable(PACKAGE):
            return Equations(f"{PACKAGE} is not installed").recompute(artefact, samples)
        original: TfliteOriginal = artefact.network.original
        if original.doubt:
            told = f"TensorFlow Lite Micro computes something else: {original.doubt}"
            return Equations(told).recompute(artefact, samples)
        tensors = artefact.network.tensors()
        names = {name: number for name, number in original.numbers.items() if name in tensors}
        inputs = [[s.inputs[t.name].values for t in artefact.network.inputs] for s in samples]
        try:
            found = every_tensor(original.content, inputs, sorted(names.values()))
        except TfliteMicroError as error:
            return Equations(f"TensorFlow Lite Micro: {error}").recompute(artefact, samples)
        rows: list[Values] = [
            {name: one[number].reshape(tensors[name].shape).astype(float)
             for name, number in names.items()}
            for one in found
        ]  # fmt: skip
        return Recomputed(f"the file itself in TensorFlow Lite Micro {version()}", rows)


def version() -> str:
    """The installed version."""
    from importlib.metadata import version as installed

    return installed(PACKAGE)


def every_tensor(
    content: bytes, samples: Sequence[Sequence[FloatArray]], numbers: Sequence[int]
) -> list[Mapping[int, FloatArray]]:
    """The values of tensors by their numbers in the file, for inputs without batch axis.

    Raises:
        TfliteMicroError: the runtime does not take the file.
    """
    with tempfile.TemporaryDirectory(prefix="netsheet-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(content)
        given: dict[str, Any] = {
            f"{n}_{k}": a for n, arrays in enumerate(samples) for k, a in enumerate(arrays)
        }
        np.savez(folder / "inputs.npz", **given)
        np.save(folder / "wanted.npy", np.asarray(numbers, np.int64))
        done = subprocess.run(
            [sys.executable, "-m", PROCESS, str(folder)],
            capture_output=True, text=True, errors="replace", check=False, timeout=TIME_LIMIT,
        )  # fmt: skip
        if done.returncode or not (folder / "found.npz").is_file():
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise TfliteMicroError((said or [f"it ended with {done.returncode}"])[-1][:120])
        with np.load(folder / "found.npz") as found:
            return [
                {number: found[f"{n}_{number}"] for number in numbers} for n in range(len(samples))
            ]
