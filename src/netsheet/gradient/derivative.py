"""The chain rule within one expression: what each read contributes to the adjoint of the whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from netsheet.equations import (
    Call,
    Const,
    Expr,
    Read,
    Select,
    Value,
    call,
    in_order,
    select,
)

# From the adjoint of a call, its operands and the call itself: the adjoints of the operands, None
# where a small change of the operand changes nothing.
Rule = Callable[[Expr, Sequence[Expr], Expr], Sequence[Expr | None]]


def contributions(expr: Expr, adjoint: Expr, known: Expr | None = None) -> list[tuple[Read, Expr]]:
    """Each read of ``expr`` with what it contributes, ``adjoint`` being that of ``expr``.

    ``known`` is a read of the tensor that holds the value of ``expr``. A value that is used
    several times gets the sum of its uses. Reductions are not looked into: an expression has none
    (:func:`netsheet.gradient.reductions.apart`).
    """
    adjoints: dict[int, Expr] = {id(expr): adjoint}
    found: list[tuple[Read, Expr]] = []

    def give(node: Expr, part: Expr | None) -> None:
        if part is None or isinstance(node, Const):
            return
        before = adjoints.get(id(node))
        adjoints[id(node)] = part if before is None else before + part

    for node in in_order(expr):
        own = adjoints.get(id(node))
        if own is None:
            continue
        if isinstance(node, Read):
            found.append((node, own))
        elif isinstance(node, Select):
            give(node.then, select(node.where, own, 0))
            give(node.otherwise, select(node.where, 0, own))
        elif isinstance(node, Call):
            value = known if node is expr and known is not None else node
            parts = RULES[node.function](own, node.args, value)
            for arg, part in zip(node.args, parts, strict=True):
                give(arg, part)
    return found


def _where(test: Expr, then: Value, otherwise: Value) -> Expr:
    return call("if", test, then, otherwise)


def _largest(d: Expr, args: Sequence[Expr], y: Expr) -> Sequence[Expr | None]:
    """To the first where both are equal, as TensorFlow does; a limit takes nothing there (ReLU)."""
    a, b = args
    if isinstance(b, Const):  # the larger one is above the limit just where the operand is
        return _where(call("less", b, y if isinstance(y, Read) else a), d, 0), None
    second = call("less", a, b)
    return _where(second, 0, d), _where(second, d, 0)


def _smallest(d: Expr, args: Sequence[Expr], y: Expr) -> Sequence[Expr | None]:
    a, b = args
    if isinstance(b, Const):
        return _where(call("less", y if isinstance(y, Read) else a, b), d, 0), None
    second = call("less", b, a)
    return _where(second, 0, d), _where(second, d, 0)


def _power(d: Expr, args: Sequence[Expr], y: Expr) -> Sequence[Expr | None]:
    a, b = args
    base = d * b * call("pow", a, b - 1)
    if isinstance(b, Const):
        return base, None
    # a negative base has real powers at whole exponents only: there is no slope along the exponent
    positive = call("less", 0, a)
    return base, _where(positive, d * y * call("log", _where(positive, a, 1)), 0)


def _choice(d: Expr, args: Sequence[Expr], y: Expr) -> Sequence[Expr | None]:
    return None, _where(args[0], d, 0), _where(args[0], 0, d)


def _one(slope: Callable[[Expr, Expr], Expr]) -> Rule:
    """A function of one operand x with value y: its slope from both."""
    return lambda d, args, y: (d * slope(args[0], y),)


def _flat(d: Expr, args: Sequence[Expr], y: Expr) -> Sequence[Expr | None]:
    return [None] * len(args)


def _square(x: Expr) -> Expr:
    return x * x


RULES: dict[str, Rule] = {
    "add": lambda d, args, y: (d, d),
    "sub": lambda d, args, y: (d, -d),
    "neg": lambda d, args, y: (-d,),
    "mul": lambda d, args, y: (d * args[1], d * args[0]),
    "div": lambda d, args, y: (d / args[1], -(d * y / args[1])),
    "max": _largest,
    "min": _smallest,
    "pow": _power,
    "mod": lambda d, args, y: (d, -(d * call("floor", args[0] / args[1]))),
    "fmod": lambda d, args, y: (d, d * (y - args[0]) / args[1]),
    "exp": _one(lambda x, y: y),
    "log": _one(lambda x, y: 1 / x),
    "sqrt": _one(lambda x, y: 0.5 / y),
    "abs": _one(lambda x, y: call("sign", x)),
    "sin": _one(lambda x, y: call("cos", x)),
    "cos": _one(lambda x, y: -call("sin", x)),
    "tan": _one(lambda x, y: 1 + _square(y)),
    "asin": _one(lambda x, y: 1 / call("sqrt", 1 - _square(x))),
    "acos": _one(lambda x, y: -1 / call("sqrt", 1 - _square(x))),
    "atan": _one(lambda x, y: 1 / (1 + _square(x))),
    "sinh": _one(lambda x, y: call("cosh", x)),
    "cosh": _one(lambda x, y: call("sinh", x)),
    "tanh": _one(lambda x, y: 1 - _square(y)),
    "asinh": _one(lambda x, y: 1 / call("sqrt", _square(x) + 1)),
    "acosh": _one(lambda x, y: 1 / call("sqrt", _square(x) - 1)),
    "atanh": _one(lambda x, y: 1 / (1 - _square(x))),
    "erf": _one(lambda x, y: 2 / math.sqrt(math.pi) * call("exp", -_square(x))),
    "sigmoid": _one(lambda x, y: y * (1 - y)),
    "if": _choice,
    **dict.fromkeys(
        ("sign", "floor", "ceil", "round", "less", "less_equal", "equal", "isnan", "isinf",
         "and", "or", "xor", "not"), _flat),
}  # fmt: skip
