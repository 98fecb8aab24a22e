"""How C spells each function of real and of whole numbers that equations apply.

Truth is 1 and 0. ``@`` stands for the library's name; what a spelling needs is in HELPERS.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from netsheet.write.c.template import fill, template

SPELLED: dict[str, str] = {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "neg": "-{0}",
    "max": "@_max({0}, {1})", "min": "@_min({0}, {1})", "pow": "powf({0}, {1})",
    "mod": "@_mod({0}, {1})", "fmod": "fmodf({0}, {1})",
    "exp": "expf({0})", "log": "logf({0})", "sqrt": "sqrtf({0})", "abs": "fabsf({0})",
    "sign": "@_sign({0})", "floor": "floorf({0})", "ceil": "ceilf({0})", "round": "rintf({0})",
    "sin": "sinf({0})", "cos": "cosf({0})", "tan": "tanf({0})",
    "asin": "asinf({0})", "acos": "acosf({0})", "atan": "atanf({0})",
    "sinh": "sinhf({0})", "cosh": "coshf({0})", "tanh": "@_tanh({0})",
    "asinh": "asinhf({0})", "acosh": "acoshf({0})", "atanh": "atanhf({0})",
    "erf": "erff({0})", "sigmoid": "@_sigmoid({0})",
    "less": "({0} < {1} ? 1.0f : 0.0f)", "less_equal": "({0} <= {1} ? 1.0f : 0.0f)",
    "equal": "({0} == {1} ? 1.0f : 0.0f)",
    "isnan": "(isnan({0}) ? 1.0f : 0.0f)", "isinf": "(isinf({0}) ? 1.0f : 0.0f)",
    "and": "({0} != 0.0f && {1} != 0.0f ? 1.0f : 0.0f)",
    "or": "({0} != 0.0f || {1} != 0.0f ? 1.0f : 0.0f)",
    "xor": "(({0} != 0.0f) != ({1} != 0.0f) ? 1.0f : 0.0f)",
    "not": "({0} != 0.0f ? 0.0f : 1.0f)",
    "if": "({0} != 0.0f ? {1} : {2})",
    "high_product": "@_high_product({0}, {1})", "shift_right": "@_shift_right({0}, {1})",
    "shift_left": "@_shift_left({0}, {1})", "rounded_quotient": "@_rounded_quotient({0}, {1})",
    "leading_zeros": "@_leading_zeros({0})", "short_product": "@_short_product({0}, {1})",
    "rescaled": "@_rescaled({0}, {1}, {2})", "int8": "@_int8({0})",
    "whole": "@_whole({0})", "real": "(float)({0})",
}  # fmt: skip

# Each is a file in files/helpers; this is the order in which they compile.
HELPERS = (
    "max", "min", "mod", "sign", "tanh", "sigmoid", "index", "quotient", "remainder",
    "high_product", "shift_right", "shift_left", "rounded_quotient", "leading_zeros", "whole",
    "place", "short_product", "rescaled", "int8", "widen",
)  # fmt: skip

_NEEDS = {"sigmoid": ("tanh",), "rescaled": ("short_product",)}


def helpers_of(wanted: Iterable[str]) -> set[str]:
    """The helpers that are wanted, and those that they need."""
    names = set(wanted)
    for name in tuple(names):
        names.update(_NEEDS.get(name, ()))
    return names


def helper_text(names: AbstractSet[str], library: str) -> str:
    """The definitions of helpers, in an order that compiles."""
    texts = [template(f"helpers/{name}.c") for name in HELPERS if name in names]
    return fill("\n".join(texts), library)
