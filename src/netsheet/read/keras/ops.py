"""Plain operations in Functional graphs: TFOpLambda of Keras 2, keras.ops nodes of Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netsheet.equations import Expr, Weight, call, value
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers import activation, merge, ops, shape
from netsheet.layers.base import Elementwise, constant
from netsheet.layers.opaque import Opaque
from netsheet.read.keras.graph import CallConfig, LayerConfig, TensorRef
from netsheet.read.keras.v3_layout import to_snake_case

Made = tuple[Layer, list[TensorRef]]


def operation(name: str, layer: LayerConfig, called: CallConfig) -> Made:
    """The layer for an operation node, and the tensors that it takes."""
    op = normal_name(layer)
    try:
        made, refs = make(name, op, layer, called)
    except UnsupportedError as error:
        made, refs = Opaque(reason=str(error)), called.refs()
    except (TypeError, ValueError, LookupError, AttributeError, AssertionError) as error:
        reason = f"the arguments of the operation {op!r} are not understood ({error})"
        made, refs = Opaque(reason=reason), called.refs()
    made.name, made.type_name = name, layer.class_name
    return made, refs


def normal_name(layer: LayerConfig) -> str:
    """``math.reduce_mean`` and ``Mean`` as one name: ``mean``."""
    if layer.is_op:
        op = to_snake_case(layer.class_name)
    else:
        op = str(layer.config.get("function", layer.config.get("name", ""))).rsplit(".", 1)[-1]
    op = op.removeprefix("reduce_")
    return _SYNONYMS.get(op, op)


_SYNONYMS = {
    "sub": "subtract", "mul": "multiply", "div": "divide", "truediv": "divide",
    "true_divide": "divide", "realdiv": "divide", "negative": "neg", "absolute": "abs",
    "pow": "power", "concat": "concatenate", "getitem": "get_item", "clip_by_value": "clip",
    "amax": "max", "amin": "min", "identity": "copy", "stop_gradient": "copy",
    "convert_to_tensor": "copy", "swish": "silu", "transpose_v2": "transpose",
    "floordiv": "floor_divide", "floor_div": "floor_divide", "floormod": "mod",
    "batch_matmul": "matmul", "gather_v2": "gather", "pad_v2": "pad", "softmax_v2": "softmax",
    "arctan": "atan", "arcsin": "asin", "arccos": "acos", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "atan2": "arctan2", "resize_images_v2": "resize",
    "is_nan": "isnan", "is_inf": "isinf", "is_finite": "isfinite", "rint": "round",
    "batch_flatten": "flatten", "mul_no_nan": "multiply_no_nan", "div_no_nan": "divide_no_nan",
    "sigmoid_v2": "sigmoid", "log_softmax_v2": "log_softmax", "squeeze_v2": "squeeze",
    "expand_dims_v2": "expand_dims", "argmax_v2": "argmax", "argmin_v2": "argmin",
    "greater_than": "greater", "less_than": "less", "prelu": "p_relu",
}  # fmt: skip

_MOST = 3.4028234663852886e38  # the largest float32


def _angle(y: Expr, x: Expr) -> Expr:
    """The angle of the point (x, y)."""
    half = call("if", call("less", y, 0), -np.pi, np.pi)
    turned = call("if", call("less", x, 0), call("atan", y / x) + half, call("atan", y / x))
    upright = call("if", call("equal", y, 0), 0, half * 0.5)
    return call("if", call("equal", x, 0), upright, turned)


# name -> (parameters in order, function of their values)
_ELEMENTWISE: dict[str, tuple[tuple[str, ...], Callable[..., Expr]]] = {
    "add": (("x", "y"), lambda x, y: x + y),
    "subtract": (("x", "y"), lambda x, y: x - y),
    "multiply": (("x", "y"), lambda x, y: x * y),
    "divide": (("x", "y"), lambda x, y: x / y),
    "power": (("x", "y"), lambda x, y: call("pow", x, y)),
    "maximum": (("x", "y"), lambda x, y: call("max", x, y)),
    "minimum": (("x", "y"), lambda x, y: call("min", x, y)),
    "mod": (("x", "y"), lambda x, y: call("mod", x, y)),
    "floor_divide": (("x", "y"), lambda x, y: call("floor", x / y)),
    "squared_difference": (("x", "y"), lambda x, y: (x - y) * (x - y)),
    "less": (("x", "y"), lambda x, y: call("less", x, y)),
    "less_equal": (("x", "y"), lambda x, y: call("less_equal", x, y)),
    "greater": (("x", "y"), lambda x, y: call("less", y, x)),
    "greater_equal": (("x", "y"), lambda x, y: call("less_equal", y, x)),
    "equal": (("x", "y"), lambda x, y: call("equal", x, y)),
    "not_equal": (("x", "y"), lambda x, y: call("not", call("equal", x, y))),
    "where": (("condition", "x", "y"), lambda c, x, y: call("if", c, x, y)),
    "clip": (("x", "x_min", "x_max"), lambda x, low, high: call("min", call("max", x, low), high)),
    "square": (("x",), lambda x: x * x),
    "rsqrt": (("x",), lambda x: 1 / call("sqrt", x)),
    "reciprocal": (("x",), lambda x: 1 / x),
    "log1p": (("x",), lambda x: call("log", x + 1)),
    "expm1": (("x",), lambda x: call("exp", x) - 1),
    "log2": (("x",), lambda x: call("log", x) / float(np.log(2))),
    "trunc": (("x",), lambda x: call("sign", x) * call("floor", call("abs", x))),
    "exp2": (("x",), lambda x: call("exp", x * float(np.log(2)))),
    "cbrt": (("x",), lambda x: call("sign", x) * call("pow", call("abs", x), 1 / 3)),
    "rad2deg": (("x",), lambda x: x * (180 / np.pi)),
    "deg2rad": (("x",), lambda x: x * (np.pi / 180)),
    "isfinite": (("x",), lambda x: call("not", call("or", call("isnan", x), call("isinf", x)))),
    "nan_to_num": (
        ("x",),
        lambda x: call("if", call("isnan", x), 0, call("max", call("min", x, _MOST), -_MOST)),
    ),
    "logical_not": (("x",), lambda x: call("not", x)),
    "logical_and": (("x", "y"), lambda x, y: call("and", x, y)),
    "logical_or": (("x", "y"), lambda x, y: call("or", x, y)),
    "logical_xor": (("x", "y"), lambda x, y: call("xor", x, y)),
    "hypot": (("x", "y"), lambda x, y: call("sqrt", x * x + y * y)),
    "logaddexp": (
        ("x", "y"),
        lambda x, y: call("max", x, y) + call("log", 1 + call("exp", -call("abs", x - y))),
    ),
    "multiply_no_nan": (("x", "y"), lambda x, y: call("if", call("equal", y, 0), 0, x * y)),
    "divide_no_nan": (("x", "y"), lambda x, y: call("if", call("equal", y, 0), 0, x / y)),
    "arctan2": (("y", "x"), lambda y, x: _angle(y, x)),
    "erfc": (("x",), lambda x: 1 - call("erf", x)),
    "reciprocal_no_nan": (("x",), lambda x: call("if", call("equal", x, 0), 0, 1 / x)),
    "xlogy": (("x", "y"), lambda x, y: call("if", call("equal", x, 0), 0, x * call("log", y))),
    "scalar_mul": (("scalar", "x"), lambda scalar, x: scalar * x),
    "log10": (("x",), lambda x: call("log", x) / float(np.log(10))),
    **{
        name: (("x",), lambda x, name=name: call(name, x))
        for name in (
            "neg", "exp", "log", "sqrt", "abs", "sign", "floor", "ceil", "round", "sin", "cos",
            "tan", "tanh", "sinh", "cosh", "erf", "sigmoid", "asin", "acos", "atan", "asinh",
            "acosh", "atanh", "isnan", "isinf",
        )
    },
}  # fmt: skip

_ACTIVATIONS: dict[str, type[Elementwise]] = {
    "relu": activation.ReLU, "relu6": activation.ReLU6, "selu": activation.SELU,
    "softplus": activation.Softplus, "softsign": activation.Softsign, "silu": activation.SiLU,
    "hard_silu": activation.HardSiLU, "hard_swish": activation.HardSiLU,
    "hard_sigmoid": activation.HardSigmoid, "log_sigmoid": activation.LogSigmoid,
    "hard_tanh": activation.HardTanh, "mish": activation.Mish, "copy": activation.Linear,
    "tanh_shrink": activation.TanhShrink, "sparse_plus": activation.SparsePlus,
}  # fmt: skip

_REDUCTIONS = ("mean", "sum", "max", "min", "prod")

# Names that TensorFlow gives to what Keras calls x (and to the first operand in general).
_FIRST = ("x", "x1", "a", "input", "input_tensor", "features", "logits", "tensor", "values",
          "inputs", "xs", "arrays", "t", "data", "clip_value", "equation")  # fmt: skip
_SECOND = ("y", "x2", "b", "name2")
_LOW, _HIGH = ("x_min", "clip_value_min", "a_min"), ("x_max", "clip_value_max", "a_max")


class OperationCall:
    """Arguments by position or by any of their names; the node's config fills in the rest."""

    def __init__(self, layer: LayerConfig, called: CallConfig) -> None:
        self.args = list(called.args)
        self.keras = layer.is_op  # an operation of Keras 3, not a function of TensorFlow
        fixed = layer.config if layer.is_op else {}
        self.kwargs = {**fixed, **called.kwargs}

    def get(self, position: int, names: Sequence[str], default: Any = None) -> Any:
        for name in names:
            if name in self.kwargs:
                return self.kwargs[name]
        return self.args[position] if position < len(self.args) else default

    def tensor(self) -> TensorRef:
        first = self.get(0, _FIRST)
        if not isinstance(first, TensorRef):
            raise ValueError("the first argument is no tensor")
        return first

    def axes(self, position: int, default: Any = None) -> tuple[int, ...] | None:
        """Axes without the batch; None where none were named."""
        given = self.get(position, ("axis", "axes"), default)
        if given is None:
            return None
        return tuple(without_batch(axis) for axis in (given if _listed(given) else [given]))

    def flag(self, name: str) -> bool:
        return bool(self.kwargs.get(name, False))


def without_batch(axis: int) -> int:
    """An axis counted without the batch; UnsupportedError for the batch itself."""
    if not isinstance(axis, int) or axis == 0:
        raise UnsupportedError("it works along the batch axis")
    return axis - 1 if axis > 0 else axis


def _listed(given: Any) -> bool:
    return isinstance(given, (list, tuple))


def make(name: str, op: str, layer: LayerConfig, called: CallConfig) -> Made:
    """The layer of an operation and its tensors; UnsupportedError where it is not known."""
    c = OperationCall(layer, called)
    if op in _ELEMENTWISE:
        return _elementwise(name, op, c)
    if op in _ACTIVATIONS:
        return _ACTIVATIONS[op](), [c.tensor()]
    if op in _REDUCTIONS:
        axes = c.axes(1)
        if axes is None:
            raise UnsupportedError("it reduces the batch axis")
        keep = c.flag("keepdims") or c.flag("keep_dims")
        return ops.ReduceAxes(op=op, axes=axes, keepdims=keep), [c.tensor()]
    if op in _TABLE:
        return _TABLE[op](c)
    from netsheet.read.keras.ops_array import ARRAY
    from netsheet.read.keras.ops_series import SERIES
    from netsheet.read.keras.ops_windows import WINDOWS

    if op in ARRAY:
        return ARRAY[op](c)
    if op in SERIES:
        return SERIES[op](c)
    if op in WINDOWS:
        return WINDOWS[op](c)
    raise UnsupportedError(f"the operation {op!r} is not known")


def _elementwise(name: str, op: str, c: OperationCall) -> Made:
    parameters, function = _ELEMENTWISE[op]
    groups = {"x": _FIRST, "y": _SECOND, "x_min": _LOW, "x_max": _HIGH}
    given = [c.get(i, groups.get(p, (p,))) for i, p in enumerate(parameters)]
    if op == "where":
        given = [c.get(0, ("condition",)), c.get(1, ("x", "x1")), c.get(2, ("y", "x2"))]
    refs = [part for part in given if isinstance(part, TensorRef)]
    if not refs:
        raise ValueError("no tensor among its arguments")
    if all(isinstance(part, (int, float, TensorRef)) for part in given):
        numbers = [None if isinstance(part, TensorRef) else value(part) for part in given]

        def filled(*values: Expr) -> Expr:
            rest = iter(values)
            return function(*(next(rest) if n is None else n for n in numbers))

        return ops.Operation(function=filled, operands=(None,) * len(refs)), refs
    operands: list[Weight | None] = []
    for part, parameter in zip(given, parameters, strict=True):
        if isinstance(part, TensorRef):
            operands.append(None)
        else:
            array = np.asarray(part, float)
            # a constant's leading axis of 1 stands for the batch
            array = array[0] if array.ndim > 1 and array.shape[0] == 1 else array
            operands.append(constant(f"{name}/{parameter}", array))
    return ops.Operation(function=function, operands=tuple(operands)), refs


def _leaky_relu(c: OperationCall) -> Made:
    slope = c.get(1, ("negative_slope", "alpha"), 0.2)
    return activation.LeakyReLU(negative_slope=float(slope)), [c.tensor()]


def _elu(c: OperationCall) -> Made:
    return activation.ELU(alpha=float(c.get(1, ("alpha",), 1.0))), [c.tensor()]


def _gelu(c: OperationCall) -> Made:
    return activation.GELU(approximate=bool(c.get(1, ("approximate",), False))), [c.tensor()]


def _softmax(c: OperationCall) -> Made:
    axes = c.axes(1, -1)
    return activation.Softmax(axis=axes if axes is not None else -1), [c.tensor()]


def _reshape(c: OperationCall) -> Made:
    target = c.get(1, ("shape", "newshape", "target_shape"))
    if not _listed(target) or not all(n is None or isinstance(n, int) for n in target):
        raise UnsupportedError("its shape is computed")
    first, *rest = target
    if None in rest or (first not in (None, -1) and -1 in rest):
        raise UnsupportedError("it moves the batch axis")
    return shape.Reshape(target_shape=tuple(-1 if n is None else n for n in target[1:])), [
        c.tensor()
    ]


def _transpose(c: OperationCall) -> Made:
    order = c.get(1, ("perm", "axes"))
    if not _listed(order) or order[0] != 0:
        raise UnsupportedError("it moves the batch axis")
    return shape.Permute(dims=tuple(order[1:])), [c.tensor()]


def _expand_dims(c: OperationCall) -> Made:
    axes = c.axes(1)
    if axes is None or len(axes) != 1:
        raise UnsupportedError("it adds several axes")
    return ops.ExpandDims(axis=axes[0]), [c.tensor()]


def _squeeze(c: OperationCall) -> Made:
    return ops.Squeeze(axes=c.axes(1)), [c.tensor()]


def _several(c: OperationCall) -> list[TensorRef]:
    values = c.get(0, _FIRST)
    refs = values if _listed(values) else [arg for arg in c.args if isinstance(arg, TensorRef)]
    if not all(isinstance(ref, TensorRef) for ref in refs):
        raise UnsupportedError("it joins constants")
    return list(refs)


def _concatenate(c: OperationCall) -> Made:
    return merge.Concatenate(axis=without_batch(c.get(1, ("axis",), -1))), _several(c)


def _stack(c: OperationCall) -> Made:
    return ops.Stack(axis=without_batch(c.get(1, ("axis",), 0))), _several(c)


def _add_n(c: OperationCall) -> Made:
    return merge.Add(), _several(c)


def _matmul(c: OperationCall) -> Made:
    refs = [c.get(0, _FIRST), c.get(1, _SECOND)]
    if not all(isinstance(ref, TensorRef) for ref in refs):
        from netsheet.read.keras.ops_matrices import matrix_product

        return matrix_product(c)
    layer = ops.MatMul(transpose_a=c.flag("transpose_a"), transpose_b=c.flag("transpose_b"))
    return layer, refs


def _get_item(c: OperationCall) -> Made:
    parts = c.get(1, ("slice_spec", "key"))
    parts = list(parts) if _listed(parts) else [parts]
    if parts and parts[0] is Ellipsis:
        parts = [slice(None), *parts]  # the ellipsis stands for the batch, too
    if not parts or not isinstance(parts[0], slice):
        raise UnsupportedError("it slices the batch axis")
    batch, rest = parts[0], parts[1:]
    if (batch.start, batch.stop, batch.step) not in (
        (None, None, None),
        (0, None, None),
        (None, None, 1),
    ):
        raise UnsupportedError("it slices the batch axis")
    if any(isinstance(part, (list, tuple, TensorRef)) for part in rest):
        raise UnsupportedError("it reads at positions from a list or a tensor")
    steps = tuple(
        (p.start, p.stop, p.step)
        if isinstance(p, slice)
        else p
        if p is None or p is Ellipsis
        else int(p)
        for p in rest
    )
    return shape.Slice(parts=steps), [c.tensor()]


def _flatten(c: OperationCall) -> Made:
    return shape.Flatten(), [c.tensor()]


_TABLE: dict[str, Callable[[OperationCall], Made]] = {
    "leaky_relu": _leaky_relu, "elu": _elu, "gelu": _gelu, "softmax": _softmax,
    "reshape": _reshape, "transpose": _transpose, "expand_dims": _expand_dims,
    "squeeze": _squeeze, "concatenate": _concatenate, "stack": _stack, "add_n": _add_n,
    "matmul": _matmul, "get_item": _get_item, "flatten": _flatten,
}  # fmt: skip
