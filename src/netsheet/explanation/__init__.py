"""What one value is made of, read from its equation: products, their sum, what is done with it.

:func:`compositions` says it for every element of a tensor at once, over indices that stand for
the element; a workbook or a page prints that with live selectors. :func:`explain` says it for one
element, in numbers. Both know equations only, so that any layer is explained, own ones too.
"""

from netsheet.explanation.composition import (
    Composition,
    Compositions,
    Reduction,
    Stage,
    chain,
    compositions,
    rounds,
    taken_apart,
)
from netsheet.explanation.numbers import (
    CompositionNumbers,
    Explanation,
    Operand,
    Term,
    explain,
    explain_value,
    numbers,
)
from netsheet.explanation.roundings import before_rounding

__all__ = [
    "Composition", "CompositionNumbers", "Compositions", "Explanation", "Operand", "Reduction",
    "Stage", "Term", "before_rounding", "chain", "compositions", "explain", "explain_value",
    "numbers", "rounds", "taken_apart",
]  # fmt: skip
