"""The commands by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from netsheet.cli.opening import opening

# In the order of the help; each a function of that name in that module.
COMMANDS = {
    "summary": "inspect", "predict": "predict", "evaluate": "inspect",
    "data": "data", "train": "train", "weights": "inspect",
    "activations": "inspect", "equations": "inspect", "explain": "explain",
    "csv": "artefacts", "excel": "artefacts", "page": "page", "c": "artefacts",
    "onnx": "artefacts", "tflite": "quantise", "quantise": "quantise", "verify": "artefacts",
    "demo": "artefacts",
}  # fmt: skip


def command_named(name: str) -> Callable[..., Any]:
    """The function of a command, with the options that every such command has."""
    return opening(getattr(importlib.import_module(f"netsheet.cli.{COMMANDS[name]}"), name))
