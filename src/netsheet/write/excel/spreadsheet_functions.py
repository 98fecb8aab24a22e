"""How each function of the equations is written in a spreadsheet.

Only functions that Excel 2010, LibreOffice, IronCalc and Google Sheets share. Truth is 1 and 0.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

LARGEST = "1E+300"  # what stands for infinity, which a cell cannot hold


class Binding(IntEnum):
    """How tightly an expression binds; a sign binds tighter than a power in spreadsheets."""

    COMPARE = 1
    ADD = 2
    MULTIPLY = 3
    POWER = 4
    SIGN = 5
    ATOM = 6


class FunctionForm(NamedTuple):
    """A template with ``{0}``, ``{1}`` for the operands, its level, and the level they need."""

    template: str
    level: Binding = Binding.ATOM
    needs: tuple[Binding, ...] = ()


def _operator(sign: str, level: Binding, right: Binding) -> FunctionForm:
    return FunctionForm("{0}" + sign + "{1}", level, (level, right))


FORMS: dict[str, FunctionForm] = {
    "add": _operator("+", Binding.ADD, Binding.ADD),
    "sub": _operator("-", Binding.ADD, Binding.MULTIPLY),
    "mul": _operator("*", Binding.MULTIPLY, Binding.MULTIPLY),
    "div": _operator("/", Binding.MULTIPLY, Binding.POWER),
    "pow": FunctionForm("{0}^{1}", Binding.POWER, (Binding.ATOM, Binding.ATOM)),
    "neg": FunctionForm("-{0}", Binding.SIGN, (Binding.ATOM,)),
    "max": FunctionForm("MAX({0},{1})"),
    "min": FunctionForm("MIN({0},{1})"),
    "mod": FunctionForm("MOD({0},{1})"),
    "fmod": FunctionForm("({0}-{1}*TRUNC({0}/{1}))", Binding.ATOM, (Binding.ATOM, Binding.ATOM)),
    "exp": FunctionForm("EXP({0})"),
    "log": FunctionForm("LN({0})"),
    "sqrt": FunctionForm("SQRT({0})"),
    "abs": FunctionForm("ABS({0})"),
    "sign": FunctionForm("SIGN({0})"),
    "floor": FunctionForm("INT({0})"),
    "ceil": FunctionForm("-INT(-{0})", Binding.SIGN, (Binding.ATOM,)),
    # halves go to the even neighbour
    "round": FunctionForm(
        "IF(ABS({0}-TRUNC({0}))=0.5,2*ROUND({0}/2,0),ROUND({0},0))", Binding.ATOM, (Binding.ATOM,)
    ),
    "sin": FunctionForm("SIN({0})"),
    "cos": FunctionForm("COS({0})"),
    "tan": FunctionForm("TAN({0})"),
    "asin": FunctionForm("ASIN({0})"),
    "acos": FunctionForm("ACOS({0})"),
    "atan": FunctionForm("ATAN({0})"),
    "sinh": FunctionForm("SINH({0})"),
    "cosh": FunctionForm("COSH({0})"),
    "tanh": FunctionForm("TANH({0})"),
    "asinh": FunctionForm("ASINH({0})"),
    "acosh": FunctionForm("ACOSH({0})"),
    "atanh": FunctionForm("ATANH({0})"),
    "erf": FunctionForm("ERF({0})"),
    # 1/(1+EXP(-x)) overflows below x = -709
    "sigmoid": FunctionForm("(0.5+0.5*TANH({0}/2))", Binding.ATOM, (Binding.MULTIPLY,)),
    "if": FunctionForm("IF({0},{1},{2})"),
    # Whole numbers of 32 bits, exact in doubles. A product of two of them has up to 62 bits, more
    # than a double: the second is split into its upper and its lower 16 bits, so that no number on
    # the way has more than 48. INT rounds down, ROUND to the nearest with halves away from zero.
    "high_product": FunctionForm(
        "MIN(INT(({0}*INT({1}/65536)+INT(({0}*MOD({1},65536)+1073741824)/65536))/32768),2147483647)",
        Binding.ATOM, (Binding.MULTIPLY, Binding.ATOM),
    ),
    "shift_right": FunctionForm(
        "ROUND({0}/2^{1},0)", Binding.ATOM, (Binding.MULTIPLY, Binding.ATOM)
    ),
    "shift_left": FunctionForm(
        "MAX(MIN({0}*2^{1},2147483647),-2147483648)",
        Binding.ATOM, (Binding.MULTIPLY, Binding.ATOM),
    ),
    "rounded_quotient": FunctionForm(
        "ROUND({0}/{1},0)", Binding.ATOM, (Binding.MULTIPLY, Binding.ATOM)
    ),
    # half a unit more keeps the logarithm of a power of two from falling below its whole number
    "leading_zeros": FunctionForm(
        "(31-INT(LOG({0}+0.5,2)))", Binding.ATOM, (Binding.ADD,)
    ),
    # of the double first the nearest float32: x * (2^29 + 1) pushes the bits that are too many out
    "whole": FunctionForm(
        "MAX(MIN(ROUND({0}*536870913-({0}*536870913-{0}),0),2147483647),-2147483648)",
        Binding.ATOM, (Binding.MULTIPLY,),
    ),
    "real": FunctionForm("{0}", Binding.COMPARE),
}  # fmt: skip

# Comparisons; used as they are inside IF, AND, OR, NOT, and as IF(...,1,0) elsewhere.
CONDITIONS: dict[str, FunctionForm] = {
    "less": FunctionForm("{0}<{1}", Binding.COMPARE, (Binding.ADD, Binding.ADD)),
    "less_equal": FunctionForm("{0}<={1}", Binding.COMPARE, (Binding.ADD, Binding.ADD)),
    "equal": FunctionForm("{0}={1}", Binding.COMPARE, (Binding.ADD, Binding.ADD)),
    # a cell holds neither: what would be NaN or infinite is an error value there
    "isnan": FunctionForm("ISERROR({0})"),
    "isinf": FunctionForm("ISERROR({0})"),
}
LOGIC: dict[str, FunctionForm] = {
    "and": FunctionForm("AND({0},{1})"),
    "or": FunctionForm("OR({0},{1})"),
    # XOR is younger than Excel 2010, and not every engine compares truth values
    "xor": FunctionForm("IF({0},1,0)<>IF({1},1,0)", Binding.COMPARE),
    "not": FunctionForm("NOT({0})"),
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
