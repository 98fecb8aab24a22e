"""Operators that compute each element from the same element of their inputs (broadcast)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netsheet.equations import Expr, Tensor, call, value
from netsheet.errors import UnsupportedError
from netsheet.layers.activation import ELU, GELU, Mish, ReLU, Softplus
from netsheet.layers.base import Elementwise, broadcast
from netsheet.operators.base import Formula, OnnxNode, Rule, pointwise
from netsheet.operators.numbers import (
    UNSIGNED,
    bits,
    check,
    converted,
    is_float,
    is_integer,
    limits,
    truncated,
    wrapped,
)

Function = Callable[..., Expr]


def together(node: OnnxNode, dtype: str, function: Function) -> Formula:
    """``function`` of one element of each input that is there; None for those left out."""
    inputs = list(node.inputs)
    shape = broadcast_shape(node, [tensor for tensor in inputs if tensor is not None])
    return pointwise(
        shape,
        check(dtype, node.op),
        lambda at: function(*(None if t is None else broadcast(t, at) for t in inputs)),
    )


def broadcast_shape(node: OnnxNode, tensors: Sequence[Tensor]) -> tuple[int, ...]:
    """The shape that the inputs broadcast to."""
    try:
        return np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    except ValueError as error:
        shapes = ", ".join(str(tensor.shape) for tensor in tensors)
        raise UnsupportedError(f"{node.op} of the shapes {shapes} is not computed") from error


def same(function: Function) -> Rule:
    """``function(*inputs)``, of the first input's type."""
    return lambda node: together(node, node.dtype(), function)


def named(name: str) -> Rule:
    """A function of :data:`netsheet.equations.FUNCTIONS`."""
    return same(lambda *args: call(name, *args))


def with_node(function: Callable[..., Expr]) -> Rule:
    """``function(node, *inputs)``, of the first input's type."""
    return lambda node: together(node, node.dtype(), lambda *args: function(node, *args))


def truth(function: Function) -> Rule:
    """As :func:`same`, with a truth value as result."""
    return lambda node: together(node, "bool", function)


def layer(make: Callable[[OnnxNode], Elementwise]) -> Rule:
    """The formula of one of the activation layers."""

    def rule(node: OnnxNode) -> Formula:
        made = make(node)
        return together(node, node.dtype(), lambda x, *_: made.formula(x))

    return rule


def arithmetic(name: str) -> Rule:
    """Addition, subtraction, multiplication; narrow integers wrap around."""

    def rule(node: OnnxNode) -> Formula:
        dtype = node.dtype()
        if name == "mul" and is_integer(dtype) and bits(dtype) == 16:
            raise UnsupportedError(f"Mul of {dtype} may leave the numbers that float32 holds")
        return together(node, dtype, lambda a, b: wrapped(call(name, a, b), dtype))

    return rule


def divide(node: OnnxNode) -> Formula:
    """The quotient; of integers, towards zero."""
    dtype = node.dtype()
    whole = is_integer(dtype)
    return together(node, dtype, lambda a, b: wrapped(truncated(a / b), dtype) if whole else a / b)


def modulo(node: OnnxNode) -> Formula:
    """The remainder, with the sign of the divisor or (``fmod``) of the dividend."""
    name = "fmod" if node.attr("fmod", 0) else "mod"
    return together(node, node.dtype(), lambda a, b: call(name, a, b))


def power(node: OnnxNode) -> Formula:
    """``x ** y`` of the first input's type."""
    base, exponent = node.dtype(0), node.dtype(1)

    def function(a: Expr, b: Expr) -> Expr:
        result = call("pow", a, b)
        if is_float(base):
            return result
        return call("round", result) if is_integer(exponent) else truncated(result)

    return together(node, base, function)


def many(name: str) -> Rule:
    """A function of two applied to any number of inputs, one after the other."""

    def function(*args: Expr) -> Expr:
        total = args[0]
        for arg in args[1:]:
            total = call(name, total, arg)
        return total

    return same(function)


def mean(node: OnnxNode) -> Formula:
    """The mean of the inputs."""
    count = len(node.inputs)
    return together(node, node.dtype(), lambda *args: sum(args[1:], args[0]) / count)


def clip(node: OnnxNode) -> Formula:
    """``min(max(x, low), high)``; bounds were attributes before version 11."""

    def function(x: Expr, low: Expr | None = None, high: Expr | None = None) -> Expr:
        if node.opset < 11:
            low, high = (
                None if bound is None else value(float(bound))
                for bound in (node.attr("min"), node.attr("max"))
            )
        x = x if low is None else call("max", x, low)
        return x if high is None else call("min", x, high)

    return together(node, node.dtype(), function)


def where(node: OnnxNode) -> Formula:
    """The second input where the first is true, else the third."""
    return together(node, node.dtype(1), lambda test, a, b: call("if", test, a, b))


def cast(node: OnnxNode) -> Formula:
    """The values as another type."""
    source, target = node.dtype(), type_name(node.attr("to"))
    return together(node, target, lambda x: converted(x, source, target))


def cast_like(node: OnnxNode) -> Formula:
    """The values as the second input's type."""
    source, target = node.dtype(0), node.dtype(1)
    shape = node.input(0).shape
    x = node.input(0)
    return pointwise(shape, target, lambda at: converted(x[at], source, target, "CastLike"))


def type_name(number: int | None) -> str:
    """The name of an ONNX element type: 1 is float32."""
    from onnx import TensorProto, helper

    if number is None:
        raise UnsupportedError("Cast without a type")
    try:
        return str(np.dtype(helper.tensor_dtype_to_np_dtype(number)).name)
    except (KeyError, TypeError, ValueError):
        known = number in TensorProto.DataType.values()
        name = TensorProto.DataType.Name(number) if known else f"type {number}"
        raise UnsupportedError(f"{name.lower()} values are not computed") from None


def bit_shift(node: OnnxNode) -> Formula:
    """Multiplied or divided by a power of two, within the type's width.

    Shifting by the width or more, or by a negative number, leaves the sign only.
    """
    dtype = node.dtype()
    width = bits(dtype)
    size, half = 2.0**width, 2.0 ** (width - 1)

    def function(x: Expr, steps: Expr) -> Expr:
        within = call("and", call("less_equal", 0, steps), call("less", steps, width))
        factor = call("pow", 2, call("max", 0, call("min", steps, width)))
        if node.attr("direction") == "RIGHT":
            return call("if", within, call("floor", x / factor), call("min", call("sign", x), 0))
        # fmod and the differences are exact in any floating-point format
        rest = call("fmod", x * factor, size)
        if dtype not in UNSIGNED:
            above = call("if", call("less", rest, half), rest, rest - size)
            rest = call("if", call("less", rest, -half), rest + size, above)
        return call("if", within, rest, 0)

    return together(node, dtype, function)


def bitwise_not(node: OnnxNode) -> Formula:
    """Every bit turned around: ``-1 - x``, or the largest value minus x where unsigned."""
    dtype = node.dtype()
    low, high = limits(dtype)
    if bits(dtype) > WIDEST:
        raise UnsupportedError(f"BitwiseNot of {dtype} leaves the numbers that float32 holds")
    return together(node, dtype, lambda x: (high if low == 0 else -1) - x)


WIDEST = 16


def bitwise(keep: Callable[[Expr, Expr], Expr]) -> Rule:
    """Bit by bit; ``keep`` combines two bits that are 0 or 1."""

    def rule(node: OnnxNode) -> Formula:
        dtype = node.dtype()
        if bits(dtype) > WIDEST:
            raise UnsupportedError(f"{node.op} of {dtype} leaves the numbers that float32 holds")

        def function(a: Expr, b: Expr) -> Expr:
            low, _ = limits(dtype)
            total: Expr = value(0)
            for bit in range(bits(dtype)):
                pair = [call("mod", call("floor", x / 2.0**bit), 2) for x in (a, b)]
                negative = low and bit == bits(dtype) - 1
                total = total + keep(*pair) * (-(2.0**bit) if negative else 2.0**bit)
            return total

        return together(node, dtype, function)

    return rule


def _leaky(node: OnnxNode, x: Expr) -> Expr:
    return call("if", call("less", x, 0), x * float(node.attr("alpha", 0.01)), x)


def _prelu(x: Expr, slope: Expr) -> Expr:
    return call("if", call("less", x, 0), x * slope, x)


def _elu(node: OnnxNode) -> Elementwise:
    return ELU(alpha=node.attr("alpha", 1.0))


def _selu(node: OnnxNode, x: Expr) -> Expr:
    alpha = float(node.attr("alpha", 1.67326319217681884765625))
    gamma = float(node.attr("gamma", 1.05070102214813232421875))
    return call("if", call("less", 0, x), x, (call("exp", x) - 1) * alpha) * gamma


def _celu(node: OnnxNode, x: Expr) -> Expr:
    alpha = float(node.attr("alpha", 1.0))
    below = (call("exp", call("min", x, 0) / alpha) - 1) * alpha
    return call("max", x, 0) + below


def _hard_sigmoid(node: OnnxNode, x: Expr) -> Expr:
    line = x * float(node.attr("alpha", 0.2)) + float(node.attr("beta", 0.5))
    return call("max", 0, call("min", 1, line))


def _thresholded(node: OnnxNode, x: Expr) -> Expr:
    return call("if", call("less", node.attr("alpha", 1.0), x), x, 0)


def _shrink(node: OnnxNode, x: Expr) -> Expr:
    lambd, bias = node.attr("lambd", 0.5), node.attr("bias", 0.0)
    above = call("if", call("less", lambd, x), x - bias, 0)
    return call("if", call("less", x, -lambd), x + bias, above)


def _swish(node: OnnxNode, x: Expr) -> Expr:
    return x * call("sigmoid", x * float(node.attr("alpha", 1.0)))


def _is_inf(node: OnnxNode) -> Formula:
    positive, negative = node.attr("detect_positive", 1), node.attr("detect_negative", 1)

    def function(x: Expr) -> Expr:
        sides = [call("less", 0, x)] * bool(positive) + [call("less", x, 0)] * bool(negative)
        either = call("or", *sides) if len(sides) == 2 else sides[0] if sides else value(0)
        return call("and", call("isinf", x), either)

    return together(node, "bool", function)


def _gelu(node: OnnxNode) -> Elementwise:
    kind = node.attr("approximate", "none")
    return GELU(approximate=kind == "tanh")


def _binarizer(node: OnnxNode, x: Expr) -> Expr:
    return call("less", node.attr("threshold", 0.0), x)


def _swiglu(node: OnnxNode) -> Formula:
    """``x * sigmoid(alpha x)`` of the first input times the second."""
    return together(node, node.dtype(), lambda a, b: _swish(node, a) * b)


ROWS: dict[str, Any] = {
    **{
        name: named(name.lower())
        for name in (
            "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf",
            "Exp", "Floor", "Log", "Round", "Sigmoid", "Sign", "Sin", "Sinh", "Sqrt", "Tan", "Tanh",
        )
    },
    "Neg": named("neg"),
    "Reciprocal": same(lambda x: 1 / x),
    "Identity": same(lambda x: x),
    "Add": arithmetic("add"),
    "Sub": arithmetic("sub"),
    "Mul": arithmetic("mul"),
    "Div": divide,
    "Mod": modulo,
    "Pow": power,
    "Sum": many("add"),
    "Max": many("max"),
    "Min": many("min"),
    "Mean": mean,
    "Clip": clip,
    "Where": where,
    "Cast": cast,
    "CastLike": cast_like,
    "Not": truth(lambda x: call("not", x)),
    "And": truth(lambda a, b: call("and", a, b)),
    "Or": truth(lambda a, b: call("or", a, b)),
    "Xor": truth(lambda a, b: call("xor", a, b)),
    "Equal": truth(lambda a, b: call("equal", a, b)),
    "Less": truth(lambda a, b: call("less", a, b)),
    "LessOrEqual": truth(lambda a, b: call("less_equal", a, b)),
    "Greater": truth(lambda a, b: call("less", b, a)),
    "GreaterOrEqual": truth(lambda a, b: call("less_equal", b, a)),
    "IsNaN": truth(lambda x: call("isnan", x)),
    "IsInf": _is_inf,
    "BitShift": bit_shift,
    "BitwiseNot": bitwise_not,
    "BitwiseAnd": bitwise(lambda a, b: a * b),
    "BitwiseOr": bitwise(lambda a, b: call("max", a, b)),
    "BitwiseXor": bitwise(lambda a, b: call("abs", a - b)),
    "Relu": layer(lambda _: ReLU()),
    "LeakyRelu": with_node(_leaky),
    "PRelu": same(_prelu),
    "Elu": layer(_elu),
    "Selu": with_node(_selu),
    "Celu": with_node(_celu),
    "HardSigmoid": with_node(_hard_sigmoid),
    "HardSwish": same(lambda x: x * call("max", 0, call("min", 1, x / 6 + 0.5))),
    "ThresholdedRelu": with_node(_thresholded),
    "Shrink": with_node(_shrink),
    "Softplus": layer(lambda _: Softplus()),
    "Softsign": same(lambda x: x / (1 + call("abs", x))),
    "Gelu": layer(_gelu),
    "Mish": layer(lambda _: Mish()),
    "Swish": with_node(_swish),
    "SwiGLU": _swiglu,
    "Binarizer": with_node(_binarizer),
}  # fmt: skip
