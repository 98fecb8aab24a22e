"""Hostile and broken files, each with what netsheet has to answer.

    python tests/attacks/make_attacks.py FOLDER

writes them all. Every function is one file; its docstring or name says the trick. A file that
opens nevertheless (``opens=True``) has a layer that is refused, or is harmless.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import attacks_config  # noqa: F401  (each of these modules registers its attacks)
import attacks_containers  # noqa: F401
import attacks_inputs  # noqa: F401
import attacks_tflite  # noqa: F401
import numpy as np
from attack import ATTACKS, MARK, MODEL, OUTSIDE, Attack
from attacks_onnx import WEIGHT, graph, node, written
from seeds import whole_h5


def make_all(folder: Path) -> list[Attack]:
    """Writes every file into the folder, and beside them what they point to."""
    outside = folder / OUTSIDE
    if hasattr(os, "mkfifo"):
        os.mkfifo(outside)  # whoever opens it waits for ever
    else:
        outside.write_bytes(b"\0" * 64)
    (folder / "trap.py").write_text(f"open({MARK!r}, 'w')\n")  # a module that a file names
    whole_h5(folder / MODEL)
    np.save(folder / "sound.npy", np.zeros(3, "f4"))
    written(folder / "sound.onnx", graph(node("MatMul", "x", "w"), initializers=(WEIGHT,)))
    for each in ATTACKS:
        each.make(folder / each.name)
    return ATTACKS


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for made in make_all(target):
        print(f"{made.name:32} {'opens' if made.opens else 'refused':8} {made.expected}")
