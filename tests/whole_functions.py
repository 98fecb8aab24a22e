"""Pairs of whole numbers at the edges of 32 bits, with what whole functions make of them."""

from __future__ import annotations

from fractions import Fraction
from math import floor

FUNCTIONS = ("high_product", "shift_right", "shift_left", "rounded_quotient", "leading_zeros")
EDGES = [0, 1, -1, 2, -2, 3, -3, 5, -5, 127, -128, 1 << 19, 2**30, -(2**30), 2**30 + 1,
         -(2**30) - 1, 2**31 - 1, -(2**31) + 1, -(2**31)]  # fmt: skip
# products and shifts that lie on a half, or beside one
CLOSE = [930, 888, 2049438705, 1515870810, -1010580540, 3 << 28, 3 << 29, 2**29 + 1, 65535, 65536,
         65537, -65537, 32767 << 15]  # fmt: skip


def pairs(function: str) -> list[tuple[int, int]]:
    """Both operands; a function of one number leaves the second alone."""
    numbers = EDGES + CLOSE
    others = {"high_product": numbers, "rounded_quotient": [1, 2, 3, 7, 64, 1000],
              "leading_zeros": [0]}.get(function, [0, 1, 2, 7, 9, 19, 30, 31])  # fmt: skip
    firsts = [n for n in numbers if n > 0] if function == "leading_zeros" else numbers
    if function == "leading_zeros":
        firsts += [2**n - 1 for n in range(1, 32)] + [2**n for n in range(31)]
    if function == "rounded_quotient":
        firsts = [n for n in numbers if abs(n) < 2**31 - 1000]
    return [(a, b) for a in firsts for b in others]


def right(function: str, a: int, b: int) -> int:
    """What the functions mean, in Python's unbounded integers and fractions."""
    if function == "high_product":
        return min(floor(Fraction(a * b, 2**31) + Fraction(1, 2)), 2**31 - 1)
    if function == "shift_right":
        return _away(Fraction(a, 2**b))
    if function == "shift_left":
        return min(max(a * 2**b, -(2**31)), 2**31 - 1)
    if function == "rounded_quotient":
        return _away(Fraction(a, b))
    return 32 - a.bit_length()


def _away(x: Fraction) -> int:
    return floor(abs(x) + Fraction(1, 2)) * (1 if x >= 0 else -1)
