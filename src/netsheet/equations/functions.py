"""The closed list of functions that equations may apply; each printer has a spelling for each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[Any]


def _erf(x: FloatArray) -> FloatArray:
    return np.vectorize(math.erf, otypes=[float])(x) if x.size else x


def _sigmoid(x: FloatArray) -> FloatArray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _if(test: FloatArray, then: FloatArray, otherwise: FloatArray) -> FloatArray:
    return np.where(test != 0, then, otherwise)


def _truth(test: Callable[..., Any]) -> Callable[..., FloatArray]:
    return lambda *args: test(*args).astype(float)


# Truth is 1.0 and 0.0.
FUNCTIONS: dict[str, Callable[..., FloatArray]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative,
    "max": np.maximum, "min": np.minimum, "pow": np.power, "mod": np.mod, "fmod": np.fmod,
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs, "sign": np.sign,
    "floor": np.floor, "ceil": np.ceil, "round": np.round,
    "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "erf": _erf, "sigmoid": _sigmoid,
    "less": _truth(np.less), "less_equal": _truth(np.less_equal), "equal": _truth(np.equal),
    "isnan": _truth(np.isnan), "isinf": _truth(np.isinf),
    "and": _truth(np.logical_and), "or": _truth(np.logical_or), "xor": _truth(np.logical_xor),
    "not": _truth(np.logical_not),
    "if": _if,
}  # fmt: skip
