"""Keras's activation arguments: names, functions, layer objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers import activation as a
from netsheet.layers import sparse

# name -> what makes the layer from Keras's major version
ACTIVATIONS: dict[str, Callable[[int], Layer]] = {
    "linear": lambda major: a.Linear(),
    "relu": lambda major: a.ReLU(),
    "relu6": lambda major: a.ReLU6(),
    "leaky_relu": lambda major: a.LeakyReLU(negative_slope=0.2),
    "elu": lambda major: a.ELU(),
    "selu": lambda major: a.SELU(),
    "celu": lambda major: a.CELU(),
    "tanh": lambda major: a.Tanh(),
    "sigmoid": lambda major: a.Sigmoid(),
    "hard_sigmoid": lambda major: hard_sigmoid(major),
    "hard_silu": lambda major: a.HardSiLU(),
    "hard_swish": lambda major: a.HardSiLU(),
    "softplus": lambda major: a.Softplus(),
    "softsign": lambda major: a.Softsign(),
    "softmax": lambda major: a.Softmax(),
    "log_softmax": lambda major: a.LogSoftmax(),
    "swish": lambda major: a.SiLU(),
    "silu": lambda major: a.SiLU(),
    "gelu": lambda major: a.GELU(),
    "exponential": lambda major: a.Exponential(),
    "mish": lambda major: a.Mish(),
    "log_sigmoid": lambda major: a.LogSigmoid(),
    "hard_tanh": lambda major: a.HardTanh(),
    "tanh_shrink": lambda major: a.TanhShrink(),
    "soft_shrink": lambda major: a.SoftShrink(),
    "hard_shrink": lambda major: a.HardShrink(),
    "threshold": lambda major: a.Threshold(),
    "squareplus": lambda major: a.Squareplus(),
    "sparse_plus": lambda major: a.SparsePlus(),
    "sparse_sigmoid": lambda major: sparse.SparseSigmoid(),
    "sparsemax": lambda major: sparse.Sparsemax(),
}


def hard_sigmoid(major: int) -> Layer:
    """0.2 x + 0.5 up to Keras 2, x / 6 + 0.5 from Keras 3 on."""
    return a.HardSigmoid(slope=0.2 if major < 3 else 1 / 6)


def activation(
    value: Any, major: int, make: Callable[[Mapping[str, Any]], Layer], name: str
) -> Layer | None:
    """The activation that an argument names, None for linear; ``make`` reads layer objects."""
    if value is None:
        return None
    layer = _from(value, major, make)
    layer.name = name
    layer.type_name = layer.type_name or type(layer).__name__
    return None if isinstance(layer, a.Linear) else layer


def _from(value: Any, major: int, make: Callable[[Mapping[str, Any]], Layer]) -> Layer:
    if isinstance(value, Mapping):
        config, kind = value.get("config"), value.get("class_name")
        if kind != "function" and isinstance(config, Mapping) and kind not in ACTIVATIONS:
            return make(value)
        value = config if isinstance(config, str) else kind
    if isinstance(value, str):
        key = value.rsplit(">", 1)[-1].rsplit(".", 1)[-1]
        if key in ACTIVATIONS:
            return ACTIVATIONS[key](major)
    raise UnsupportedError(f"the activation {str(value)[:40]!r} is not known")
