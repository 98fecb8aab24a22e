"""What a rounded whole number was before it was rounded, as one computes it by hand."""

from __future__ import annotations

from collections.abc import Sequence

_FORMS = {
    "high_product": "{0} × {1} / 2^31",
    "shift_right": "{0} / 2^{1}",
    "rounded_quotient": "{0} / {1}",
}


def before_rounding(function: str, operands: Sequence[float]) -> str:
    """``930 × 2049438705 / 2^31 = 887.5381``; empty for functions that do not round."""
    if function not in _FORMS:
        return ""
    first, second = operands
    exact = {
        "high_product": lambda: int(first) * int(second) / 2**31,
        "shift_right": lambda: first / 2**second,
        "rounded_quotient": lambda: first / second,
    }[function]()
    return f"{_FORMS[function].format(int(first), int(second))} = {_digits(exact)}"


def _digits(value: float) -> str:
    """Up to six digits behind the point; all of them where six would look like a half."""
    shown = f"{value:.6f}".rstrip("0").rstrip(".")
    return repr(value) if shown.endswith(".5") and float(shown) != value else shown
