"""Matrix products and other sums of products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netsheet.equations import Equation, Expr, Index, Position, Tensor, Value, equation, reduce
from netsheet.errors import UnsupportedError
from netsheet.layers.base import broadcast
from netsheet.operators.base import Formula, OnnxNode, pointwise


def product_shape(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    """The shape of NumPy's matmul."""
    if not a or not b or a[-1] != (b[-2] if len(b) > 1 else b[0]):
        raise UnsupportedError(f"MatMul of {tuple(a)} and {tuple(b)} does not fit")
    lead = np.broadcast_shapes(tuple(a[:-2]), tuple(b[:-2]))
    return (*lead, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


def product_reads(
    a: Tensor, b: Tensor, at: Sequence[Position], k: Index
) -> tuple[tuple[Position, ...], tuple[Position, ...]]:
    """Where element ``at`` of a matrix product reads both of its factors."""
    rank = len(at)
    lead = rank - (len(a.shape) > 1) - (len(b.shape) > 1)
    row = (at[lead],) if len(a.shape) > 1 else ()
    column = (at[rank - 1],) if len(b.shape) > 1 else ()
    left = broadcast_places(a.shape[:-2], at[:lead])
    right = broadcast_places(b.shape[:-2], at[:lead])
    return (*left, *row, k), (*right, k, *column)


def broadcast_places(shape: Sequence[int], at: Sequence[Position]) -> tuple[Position, ...]:
    """The last positions of ``at``, 0 along axes of size 1."""
    last = at[len(at) - len(shape) :]
    return tuple(0 if size == 1 else i for size, i in zip(shape, last, strict=True))


def matmul(node: OnnxNode) -> Formula:
    """The matrix product of the last two axes, the others broadcast."""
    a, b = node.input(0), node.input(1)
    k = Index("k", a.shape[-1])

    def element(at: tuple[Index, ...]) -> Expr:
        left, right = product_reads(a, b, at, k)
        return reduce("sum", (k,), a[left] * b[right])

    return pointwise(product_shape(a.shape, b.shape), node.dtype(), element)


def gemm(node: OnnxNode) -> Formula:
    """``alpha * A B + beta * C``, A and B transposed if so said."""
    a, b = node.input(0), node.input(1)
    across, down = bool(node.attr("transA", 0)), bool(node.attr("transB", 0))
    rows, inner = a.shape[::-1] if across else a.shape
    columns = b.shape[0] if down else b.shape[1]
    k = Index("k", inner)
    alpha, beta = float(node.attr("alpha", 1.0)), float(node.attr("beta", 1.0))

    def element(at: tuple[Index, ...]) -> Expr:
        i, j = at
        left = a[k, i] if across else a[i, k]
        total = reduce("sum", (k,), left * (b[j, k] if down else b[k, j]))
        total = total if alpha == 1 else total * alpha
        if not node.has(2):
            return total
        c = broadcast(node.input(2), at)
        return total + (c if beta == 1 else c * beta)

    return pointwise((rows, columns), node.dtype(), element)


def einsum(node: OnnxNode) -> Formula:
    """Einstein's summation, ``...`` and implicit output included."""
    tensors = [node.input(n) for n in range(len(node.inputs))]
    words, out = _letters(str(node.attr("equation")), [len(t.shape) for t in tensors])
    index: dict[str, Index] = {}
    for word, tensor in zip(words, tensors, strict=True):
        for letter, size in zip(word, tensor.shape, strict=True):
            if letter not in index or index[letter].size == 1:
                index[letter] = Index(letter, size)

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        result: Expr | None = None
        for word, tensor in zip(words, tensors, strict=True):
            sizes = zip(word, tensor.shape, strict=True)
            read = tensor[tuple(0 if size == 1 else index[letter] for letter, size in sizes)]
            result = read if result is None else result * read
        assert result is not None
        over = [index[letter] for letter in index if letter not in out]
        return [equation(outputs[0][tuple(index[c] for c in out)], reduce("sum", over, result))]

    return Formula([tuple(index[letter].size for letter in out)], [node.dtype()], write)


def _letters(text: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """A word per input and for the output, with letters in place of ``...``."""
    left, arrow, out = text.replace(" ", "").partition("->")
    words = left.split(",")
    free = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in text]
    most = max(
        (rank - len(word) + 3 for word, rank in zip(words, ranks, strict=True) if "..." in word),
        default=0,
    )
    dots = "".join(free[:most])
    if not arrow:
        letters = sorted({c for c in left if c.isalpha() and left.count(c) == 1})
        out = ("..." if "..." in left else "") + "".join(letters)
    filled = [
        word.replace("...", dots[len(dots) - (rank - len(word) + 3) :]) if "..." in word else word
        for word, rank in zip(words, ranks, strict=True)
    ]
    return filled, out.replace("...", dots)


def _less_zero(node: OnnxNode, read: Expr, index: int, at: Sequence[Position]) -> Expr:
    """The value minus its zero point, where there is one."""
    if not node.has(index):
        return read
    zero = node.input(index)
    return read - (zero[()] if not zero.shape else broadcast(zero, at))


def matmul_integer(node: OnnxNode) -> Formula:
    """The matrix product of integers less their zero points."""
    a, b = node.input(0), node.input(1)
    k = Index("k", a.shape[-1])

    def element(at: tuple[Index, ...]) -> Expr:
        left, right = product_reads(a, b, at, k)
        zero_at = left[-2:-1] if node.has(2) and node.input(2).shape not in ((), (1,)) else (0,)
        first = _less_zero(node, a[left], 2, zero_at)
        second = _less_zero(node, b[right], 3, right[-1:])
        return reduce("sum", (k,), first * second)

    return pointwise(product_shape(a.shape, b.shape), "int32", element)


def det(node: OnnxNode) -> Formula:
    """The determinant of the last two axes, for matrices of up to 3 x 3."""
    x = node.input(0)
    n = x.shape[-1]
    if n > 3:
        raise UnsupportedError(f"Det of {n} x {n} matrices is not computed")

    def minor(at: tuple[Index, ...], rows: Sequence[int], columns: Sequence[int]) -> Expr:
        if len(rows) == 1:
            return x[(*at, rows[0], columns[0])]
        total: Value = 0
        for position, column in enumerate(columns):
            rest = [c for c in columns if c != column]
            term = x[(*at, rows[0], column)] * minor(at, rows[1:], rest)
            total = total - term if position % 2 else total + term
        assert isinstance(total, Expr)
        return total

    everything = list(range(n))
    return pointwise(x.shape[:-2], node.dtype(), lambda at: minor(at, everything, everything))


ROWS: dict[str, Any] = {
    "MatMul": matmul,
    "Gemm": gemm,
    "Einsum": einsum,
    "MatMulInteger": matmul_integer,
    "Det": det,
}
