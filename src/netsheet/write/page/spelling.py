"""How JavaScript spells each function of real and of whole numbers that equations apply.

Truth is 1 and 0. What begins with ``m.`` is defined in assets/functions.js.
"""

from __future__ import annotations

SPELLED: dict[str, str] = {
    "add": "({0} + {1})", "sub": "({0} - {1})", "mul": "({0} * {1})", "div": "({0} / {1})",
    "neg": "(-{0})", "max": "Math.max({0}, {1})", "min": "Math.min({0}, {1})",
    "pow": "m.pow({0}, {1})", "mod": "m.mod({0}, {1})", "fmod": "({0} % {1})",
    "exp": "Math.exp({0})", "log": "Math.log({0})", "sqrt": "Math.sqrt({0})",
    "abs": "Math.abs({0})", "sign": "Math.sign({0})", "floor": "Math.floor({0})",
    "ceil": "Math.ceil({0})", "round": "m.round({0})",
    "sin": "Math.sin({0})", "cos": "Math.cos({0})", "tan": "Math.tan({0})",
    "asin": "Math.asin({0})", "acos": "Math.acos({0})", "atan": "Math.atan({0})",
    "sinh": "Math.sinh({0})", "cosh": "Math.cosh({0})", "tanh": "Math.tanh({0})",
    "asinh": "Math.asinh({0})", "acosh": "Math.acosh({0})", "atanh": "Math.atanh({0})",
    "erf": "m.erf({0})", "sigmoid": "m.sigmoid({0})",
    "less": "({0} < {1} ? 1 : 0)", "less_equal": "({0} <= {1} ? 1 : 0)",
    "equal": "({0} === {1} ? 1 : 0)",
    "isnan": "m.isnan({0})", "isinf": "m.isinf({0})",
    "and": "({0} !== 0 && {1} !== 0 ? 1 : 0)", "or": "({0} !== 0 || {1} !== 0 ? 1 : 0)",
    "xor": "(({0} !== 0) !== ({1} !== 0) ? 1 : 0)", "not": "({0} !== 0 ? 0 : 1)",
    "if": "({0} !== 0 ? {1} : {2})",
    "high_product": "m.highProduct({0}, {1})", "shift_right": "m.shiftRight({0}, {1})",
    "shift_left": "m.shiftLeft({0}, {1})", "rounded_quotient": "m.quotient({0}, {1})",
    "leading_zeros": "m.zeros({0})", "whole": "m.whole({0})", "real": "{0}",
}  # fmt: skip
