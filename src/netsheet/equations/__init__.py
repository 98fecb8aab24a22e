"""Tensor equations: what every layer says once and every target prints.

An :class:`Equation` fills (part of) one tensor, element by element::

    conv1[y, x, c] = sum(u, v, i) input[y + u, x + v, i] * kernel[u, v, i, c] + bias[c]

Positions are integer expressions (:class:`Affine`) over :class:`Index` variables, values are
expressions (:class:`Expr`) over reads of tensors. No tensor has a batch axis.

Padding is a condition (:class:`Guard`), never a stored zero: a reduction skips the points where a
guard fails, a :class:`Select` takes its other branch. A printer may therefore read out of range
nowhere.

Several equations may fill one tensor (the parts of a Concatenate). Consecutive equations that
share a ``time`` index form a recurrence: for t = 0, 1, ... each of them is evaluated at t, and may
read what the group wrote at t - 1.

A value is a real number, or a whole one where tensors of whole numbers are read: of these there
are functions of their own (:data:`WHOLE_FUNCTIONS`), which compute in 64 bits and give 32. A whole
number becomes a real one by the function ``real`` only, and never by the way; ``whole`` is the way
back. :func:`dtype_of` says which an expression is.
"""

from netsheet.equations.assignments import (
    Equation,
    equation,
    index_names,
    indices_of,
    multiply_accumulates,
)
from netsheet.equations.batch import Batch, Draw, Drawn, Moving, Noise
from netsheet.equations.dtypes import FLOAT, LIMITS, WHOLE, Quantisation
from netsheet.equations.functions import FUNCTIONS
from netsheet.equations.kinds import dtype_of
from netsheet.equations.positions import (
    Affine,
    Atom,
    Gather,
    Index,
    Lookup,
    Position,
    Quotient,
    Remainder,
    affine,
    gathers,
    substituted,
)
from netsheet.equations.transform import (
    Transform,
    copied,
    lift,
    on_reads,
    reading,
    replaced,
    substitute,
    transform,
)
from netsheet.equations.values import (
    CHANNELS_FIRST_RANK,
    Call,
    Const,
    Expr,
    FloatArray,
    Guard,
    Number,
    Read,
    Reduce,
    Select,
    Tensor,
    Value,
    Weight,
    call,
    children,
    factors,
    free_indices,
    in_order,
    positions,
    reads,
    reduce,
    select,
    value,
    walk,
)
from netsheet.equations.whole_functions import WHOLE_FUNCTIONS

__all__ = [
    "CHANNELS_FIRST_RANK",
    "FLOAT",
    "FUNCTIONS",
    "LIMITS",
    "WHOLE",
    "WHOLE_FUNCTIONS",
    "Affine",
    "Atom",
    "Batch",
    "Call",
    "Const",
    "Draw",
    "Drawn",
    "Equation",
    "Expr",
    "FloatArray",
    "Gather",
    "Guard",
    "Index",
    "Lookup",
    "Moving",
    "Noise",
    "Number",
    "Position",
    "Quantisation",
    "Quotient",
    "Read",
    "Reduce",
    "Remainder",
    "Select",
    "Tensor",
    "Transform",
    "Value",
    "Weight",
    "affine",
    "call",
    "children",
    "copied",
    "dtype_of",
    "equation",
    "factors",
    "free_indices",
    "gathers",
    "in_order",
    "index_names",
    "indices_of",
    "lift",
    "multiply_accumulates",
    "on_reads",
    "positions",
    "reading",
    "reads",
    "reduce",
    "replaced",
    "select",
    "substitute",
    "substituted",
    "transform",
    "value",
    "walk",
]  # fmt: skip
