"""How C spells each function of :data:`netsheet.equations.FUNCTIONS`.

Truth is 1 and 0. ``@`` stands for the library's name; what a spelling needs is in HELPERS.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

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
}  # fmt: skip

HELPERS: dict[str, str] = {
    "max": """/* The larger value; NaN if there is one. */
static float @_max(float a, float b)
{
    return a < b || isnan(b) ? b : a;
}
""",
    "min": """/* The smaller value; NaN if there is one. */
static float @_min(float a, float b)
{
    return b < a || isnan(b) ? b : a;
}
""",
    "mod": """/* The remainder with the sign of b. */
static float @_mod(float a, float b)
{
    const float r = fmodf(a, b);
    return r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r;
}
""",
    "sign": """static float @_sign(float x)
{
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x;
}
""",
    "tanh": """/* tanh(x) within 4e-7, as x P(x^2) / Q(x^2); it is 1 to that precision beyond 8. */
static float @_tanh(float x)
{
    const float t = x > 8.0f ? 8.0f : x < -8.0f ? -8.0f : x;
    const float s = t * t;
    const float p = 1.0f + s * (0.133797139f + s * (0.00349402963f
        + s * (2.05834003e-05f + s * 1.33189637e-08f)));
    const float q = 1.0f + s * (0.467130303f + s * (0.0258710552f
        + s * (0.000328308495f + s * 7.76197453e-07f)));
    return t * p / q;
}
""",
    "sigmoid": """/* 1 / (1 + exp(-x)) */
static float @_sigmoid(float x)
{
    return 0.5f + 0.5f * @_tanh(0.5f * x);
}
""",
    "index": """/* A computed position, kept inside 0 .. size - 1. */
static int @_index(float at, int size)
{
    return !(at >= 0.0f) ? 0 : at >= (float)(size - 1) ? size - 1 : (int)at;
}
""",
    "quotient": """/* a / b rounded down, b > 0. */
static int @_quotient(int a, int b)
{
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}
""",
    "remainder": """/* a mod b, never negative, b > 0. */
static int @_remainder(int a, int b)
{
    const int r = a % b;
    return r < 0 ? r + b : r;
}
""",
}

_NEEDS = {"sigmoid": ("tanh",)}


def helpers_of(wanted: Iterable[str]) -> set[str]:
    """The helpers that are wanted, and those that they need."""
    names = set(wanted)
    for name in tuple(names):
        names.update(_NEEDS.get(name, ()))
    return names


def helper_text(names: AbstractSet[str], library: str) -> str:
    """The definitions of helpers, in an order that compiles."""
    return "\n".join(HELPERS[name] for name in HELPERS if name in names).replace("@", library)
