"""Products and matrices of keras.ops and TensorFlow: which arguments become which rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netsheet.equations import Weight
from netsheet.errors import UnsupportedError
from netsheet.operators import matrices
from netsheet.operators.base import Formula, OnnxNode
from netsheet.operators.products import einsum, matmul

if TYPE_CHECKING:
    from netsheet.read.keras.ops import OperationCall

from netsheet.read.keras.ops_made import Made, OperationRow, made


def _einsum(c: OperationCall) -> Made:
    args = [*c.args]
    equation = next((part for part in args if isinstance(part, str)), None)
    equation = c.kwargs.get("subscripts", c.kwargs.get("equation", equation))
    given = [part for part in args if not isinstance(part, str)]
    if not isinstance(equation, str):
        raise UnsupportedError("it has no equation")
    flat: list[Any] = []
    for part in given:
        flat += part if isinstance(part, (list, tuple)) else [part]
    if len(flat) != equation.count(",") + 1:
        raise UnsupportedError("the file does not say what it multiplies")
    return made(einsum, flat, attributes={"equation": equation})


def matrix_product(c: OperationCall) -> Made:
    """A product of which one factor may be constant, or lie transposed."""
    given = [c.get(0, ("a", "x1")), c.get(1, ("b", "x2"))]
    turned = (c.flag("transpose_a"), c.flag("transpose_b"))
    if not any(turned):
        return made(matmul, given)

    def rule(node: OnnxNode) -> Formula:
        ranks = [len(node.input(n).shape) - 2 for n in range(2)]
        lead = "mnopqrstuvwxyz"[: max(ranks)]
        pairs = ("ji" if turned[0] else "ij", "kj" if turned[1] else "jk")
        words = [lead[len(lead) - n :] + pair for n, pair in zip(ranks, pairs, strict=True)]
        return _summed(node, f"{words[0]},{words[1]}->{lead}ik")

    return made(rule, given)


def _summed(node: OnnxNode, equation: str) -> Formula:
    attributes = {"equation": equation}
    return einsum(OnnxNode("Einsum", node.opset, attributes, node.inputs, node.dtypes))


def _tensordot(c: OperationCall) -> Made:
    """A product summed along pairs of axes; the free axes of both follow each other."""
    axes = c.get(2, ("axes",), 2)

    def rule(node: OnnxNode) -> Formula:
        a, b = node.input(0), node.input(1)
        ranks = len(a.shape), len(b.shape)
        if isinstance(axes, int):
            pairs = (list(range(ranks[0] - axes, ranks[0])), list(range(axes)))
        else:
            first, second = (part if isinstance(part, (list, tuple)) else [part] for part in axes)
            pairs = ([int(n) for n in first], [int(n) for n in second])
        left = [chr(ord("a") + n) for n in range(ranks[0])]
        right = [chr(ord("n") + n) for n in range(ranks[1])]
        for one, other in zip(*pairs, strict=True):
            if one % ranks[0] == 0:
                raise UnsupportedError("it sums along the batch axis")
            right[other % ranks[1]] = left[one % ranks[0]]
        summed = {left[one % ranks[0]] for one in pairs[0]}
        out = [letter for letter in left + right if letter not in summed]
        if isinstance(a, Weight) or not isinstance(b, Weight):
            raise UnsupportedError("only a product of a tensor and a constant is computed")
        return _summed(node, f"{''.join(left)},{''.join(right)}->{''.join(out)}")

    return made(rule, [c.get(0, ("a", "x1")), c.get(1, ("b", "x2"))])


def _offset(c: OperationCall, name: str) -> int:
    """The number of a diagonal; UnsupportedError where it does not run over the last two axes."""
    axes = c.get(2, ("axis1",), 0), c.get(3, ("axis2",), 1)
    if c.keras and axes != (-2, -1):
        raise UnsupportedError(f"its axes {axes} are not named from the end as -2 and -1")
    offset = c.get(1, (name,), 0) if c.keras else c.kwargs.get(name, 0)
    if not isinstance(offset, int):
        raise UnsupportedError("it takes several diagonals")
    return offset


def _diagonal(c: OperationCall) -> Made:
    name = "offset" if c.keras else "k"
    return made(matrices.diagonal(_offset(c, name)), [c.tensor()])


def _trace(c: OperationCall) -> Made:
    return made(matrices.trace(_offset(c, "offset")), [c.tensor()])


def _band(c: OperationCall) -> Made:
    bounds = c.get(1, ("num_lower",)), c.get(2, ("num_upper",))
    if not all(isinstance(bound, int) for bound in bounds):
        raise UnsupportedError("the bounds of its band are computed")
    lower, upper = (None if bound < 0 else bound for bound in bounds)
    return made(matrices.band(None if lower is None else -lower, upper), [c.tensor()])


def _triangle(upper: bool) -> OperationRow:
    def row(c: OperationCall) -> Made:
        edge = int(c.get(1, ("k",), 0))
        rule = matrices.band(edge, None) if upper else matrices.band(None, edge)
        return made(rule, [c.tensor()])

    return row


MATRICES: dict[str, OperationRow] = {
    "einsum": _einsum,
    "dot": matrix_product,
    "tensordot": _tensordot,
    "diag_part": _diagonal,
    "diagonal": _diagonal,
    "trace": _trace,
    "band_part": _band,
    "tril": _triangle(False),
    "triu": _triangle(True),
}
