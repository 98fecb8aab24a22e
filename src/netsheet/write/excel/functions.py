"""How each function of the equations is written in a spreadsheet.

Only functions that Excel 2010, LibreOffice, IronCalc and Google Sheets share. Truth is 1 and 0.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

LARGEST = "1E+300"  # what stands for infinity, which a cell cannot hold


class Level(IntEnum):
    """How tightly an expression binds; a sign binds tighter than a power in spreadsheets."""

    COMPARE = 1
    ADD = 2
    MULTIPLY = 3
    POWER = 4
    SIGN = 5
    ATOM = 6


class Form(NamedTuple):
    """A template with ``{0}``, ``{1}`` for the operands, its level, and the level they need."""

    template: str
    level: Level = Level.ATOM
    needs: tuple[Level, ...] = ()


def _operator(sign: str, level: Level, right: Level) -> Form:
    return Form("{0}" + sign + "{1}", level, (level, right))


FORMS: dict[str, Form] = {
    "add": _operator("+", Level.ADD, Level.ADD),
    "sub": _operator("-", Level.ADD, Level.MULTIPLY),
    "mul": _operator("*", Level.MULTIPLY, Level.MULTIPLY),
    "div": _operator("/", Level.MULTIPLY, Level.POWER),
    "pow": Form("{0}^{1}", Level.POWER, (Level.ATOM, Level.ATOM)),
    "neg": Form("-{0}", Level.SIGN, (Level.ATOM,)),
    "max": Form("MAX({0},{1})"),
    "min": Form("MIN({0},{1})"),
    "mod": Form("MOD({0},{1})"),
    "fmod": Form("({0}-{1}*TRUNC({0}/{1}))", Level.ATOM, (Level.ATOM, Level.ATOM)),
    "exp": Form("EXP({0})"),
    "log": Form("LN({0})"),
    "sqrt": Form("SQRT({0})"),
    "abs": Form("ABS({0})"),
    "sign": Form("SIGN({0})"),
    "floor": Form("INT({0})"),
    "ceil": Form("-INT(-{0})", Level.SIGN, (Level.ATOM,)),
    # halves go to the even neighbour
    "round": Form(
        "IF(ABS({0}-TRUNC({0}))=0.5,2*ROUND({0}/2,0),ROUND({0},0))", Level.ATOM, (Level.ATOM,)
    ),
    "sin": Form("SIN({0})"),
    "cos": Form("COS({0})"),
    "tan": Form("TAN({0})"),
    "asin": Form("ASIN({0})"),
    "acos": Form("ACOS({0})"),
    "atan": Form("ATAN({0})"),
    "sinh": Form("SINH({0})"),
    "cosh": Form("COSH({0})"),
    "tanh": Form("TANH({0})"),
    "asinh": Form("ASINH({0})"),
    "acosh": Form("ACOSH({0})"),
    "atanh": Form("ATANH({0})"),
    "erf": Form("ERF({0})"),
    # 1/(1+EXP(-x)) overflows below x = -709
    "sigmoid": Form("(0.5+0.5*TANH({0}/2))", Level.ATOM, (Level.MULTIPLY,)),
    "if": Form("IF({0},{1},{2})"),
}

# Comparisons; used as they are inside IF, AND, OR, NOT, and as IF(...,1,0) elsewhere.
CONDITIONS: dict[str, Form] = {
    "less": Form("{0}<{1}", Level.COMPARE, (Level.ADD, Level.ADD)),
    "less_equal": Form("{0}<={1}", Level.COMPARE, (Level.ADD, Level.ADD)),
    "equal": Form("{0}={1}", Level.COMPARE, (Level.ADD, Level.ADD)),
    # a cell holds neither: what would be NaN or infinite is an error value there
    "isnan": Form("ISERROR({0})"),
    "isinf": Form("ISERROR({0})"),
}
LOGIC: dict[str, Form] = {
    "and": Form("AND({0},{1})"),
    "or": Form("OR({0},{1})"),
    # XOR is younger than Excel 2010, and not every engine compares truth values
    "xor": Form("IF({0},1,0)<>IF({1},1,0)", Level.COMPARE),
    "not": Form("NOT({0})"),
}

# Operators that work on whole ranges inside SUMPRODUCT in every engine, without array entry.
ARRAY_OPERATORS = frozenset({"add", "sub", "mul", "div", "pow", "neg"})

AGGREGATES = {"sum": "SUM", "max": "MAX", "min": "MIN", "mean": "AVERAGE", "prod": "PRODUCT"}


def number_text(number: float) -> str:
    """A number as a formula has it; infinities become the largest plain number."""
    if number != number:
        return "NA()"
    if number in (float("inf"), float("-inf")):
        return LARGEST if number > 0 else f"-{LARGEST}"
    if float(number).is_integer() and abs(number) < 1e15:
        return str(int(number))
    return repr(float(number)).upper()
