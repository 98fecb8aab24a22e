"""TensorFlow Lite Micro in a process of its own: a file that it does not take ends the process.

``python -m netsheet.verify.engines.tflite_process FOLDER`` reads ``model.tflite``, ``inputs.npz``
(``sample_place``) and ``wanted.npy`` in the folder, and writes ``found.npz`` (``sample_number``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

FIRST_ARENA, LARGEST_ARENA = 1 << 21, 1 << 30  # bytes; what a file needs can only be tried


def machine(content: bytes) -> Any:
    """An interpreter that keeps every tensor.

    Raises:
        RuntimeError: it does not take the file.
    """
    from tflite_micro.python.tflite_micro import runtime

    arena = FIRST_ARENA
    while True:
        try:
            return runtime.Interpreter.from_bytes(
                content, arena_size=arena,
                intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
            )  # fmt: skip
        except RuntimeError:
            arena *= 8
            if arena > LARGEST_ARENA:
                raise


def run(folder: Path) -> None:
    """Compute every sample."""
    content = (folder / "model.tflite").read_bytes()
    given = np.load(folder / "inputs.npz")
    wanted = np.load(folder / "wanted.npy")
    found: dict[str, Any] = {}
    one = machine(content)
    for name in given.files:
        sample, place = name.split("_")
        details = one.get_input_details(int(place))
        values = np.asarray(given[name], np.dtype(details["dtype"])).reshape(details["shape"])
        one.set_input(values, int(place))
        if f"{sample}_{int(place) + 1}" in given.files:
            continue
        one.invoke()
        for number in wanted:
            found[f"{sample}_{number}"] = np.array(one.GetTensor(int(number), 0)["tensor_data"])
    np.savez(folder / "found.npz", **found)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
