"""Whether an expression is a real number or a whole one."""

from __future__ import annotations

from netsheet.equations.dtypes import FLOAT, WHOLE
from netsheet.equations.values import Call, Expr, Read, Reduce, Select, in_order
from netsheet.equations.whole_functions import WHOLE_FUNCTIONS


def dtype_of(expr: Expr) -> str | None:
    """float32, int32 (whatever the width in which it is stored), or None for a mere number.

    Numbers and positions are of the kind that is asked for where they stand.
    """
    kept: str | None = expr.__dict__.get("_dtype", "")
    if kept != "":
        return kept
    for node in reversed(in_order(expr)):
        if "_dtype" not in node.__dict__:
            object.__setattr__(node, "_dtype", _own(node))
    found: str | None = expr.__dict__["_dtype"]
    return found


def _own(node: Expr) -> str | None:
    if isinstance(node, Read):
        return FLOAT if node.tensor.dtype == FLOAT else WHOLE
    if isinstance(node, Call):
        if node.function in WHOLE_FUNCTIONS:
            return FLOAT if node.function == "real" else WHOLE
        return _joined(node.args[1:] if node.function == "if" else node.args)
    if isinstance(node, Select):
        return _joined((node.then, node.otherwise))
    return dtype_of(node.body) if isinstance(node, Reduce) else None


def _joined(parts: tuple[Expr, ...]) -> str | None:
    found = {dtype_of(part) for part in parts}
    return FLOAT if FLOAT in found else WHOLE if WHOLE in found else None
