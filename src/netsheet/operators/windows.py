"""Pooling and other operators over windows of N, C, spatial tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from netsheet.equations import (
    Equation,
    Expr,
    Guard,
    Index,
    Number,
    Position,
    Tensor,
    Value,
    affine,
    call,
    equation,
    indices_of,
    reduce,
    select,
)
from netsheet.errors import UnsupportedError
from netsheet.layer import Graph
from netsheet.layers.base import constant
from netsheet.layers.window import Window, check_table, window
from netsheet.operators.base import Formula, OnnxNode, indices, pointwise

Pairs = tuple[tuple[int, int], ...]


def padding(node: OnnxNode, lengths: Sequence[int], kernel: Sequence[int]) -> Pairs:
    """Padding before and after each spatial axis, ``auto_pad`` worked out."""
    rank = len(lengths)
    auto = node.attr("auto_pad", "NOTSET")
    if auto == "NOTSET":
        pads = [int(n) for n in node.attr("pads") or [0] * 2 * rank]
        return tuple(zip(pads[:rank], pads[rank:], strict=True))
    if auto == "VALID":
        return ((0, 0),) * rank
    strides, dilations = steps(node, "strides", rank), steps(node, "dilations", rank)
    result = []
    for n, k, s, d in zip(lengths, kernel, strides, dilations, strict=True):
        span = window(n, k, s, d, "same")
        pair = (span.before, span.after)
        result.append(pair if auto == "SAME_UPPER" else pair[::-1])
    return tuple(result)


def steps(node: OnnxNode, name: str, rank: int) -> tuple[int, ...]:
    """``strides`` or ``dilations``: 1 where they are not given."""
    return tuple(int(n) for n in node.attr(name) or [1] * rank)


def spans_of(node: OnnxNode, x: Tensor) -> list[Window]:
    """The windows of a pooling operator."""
    lengths = x.shape[2:]
    kernel = [int(n) for n in node.attr("kernel_shape")]
    rank = len(lengths)
    ceil = bool(node.attr("ceil_mode", 0))
    if len(kernel) != rank:
        raise UnsupportedError(f"{node.op} over {len(kernel)} of {rank} axes")
    return [
        window(n, k, s, d, pads, ceil)
        for n, k, s, d, pads in zip(
            lengths,
            kernel,
            steps(node, "strides", rank),
            steps(node, "dilations", rank),
            padding(node, lengths, kernel),
            strict=True,
        )
    ]


def _out(x: Tensor, spans: Sequence[Window]) -> tuple[int, ...]:
    return (*x.shape[:2], *(span.out or 0 for span in spans))


def _taps(spans: Sequence[Window]) -> tuple[Index, ...]:
    return tuple(Index("uvwz"[n % 4], span.size) for n, span in enumerate(spans))


def _native(node: OnnxNode) -> Any:
    """The very operator again."""
    names = ("kernel_shape", "strides", "pads", "auto_pad", "ceil_mode", "count_include_pad")
    kept = {name: node.attributes[name] for name in names if name in node.attributes}

    def append(graph: Graph, given: Sequence[str]) -> list[str]:
        return [graph.node(node.op, given[:1], **kept)]

    # dilated pooling, and a last window beyond the padding, came after version 17
    dilated = any(n != 1 for n in node.attr("dilations") or [])
    # ONNX Runtime refuses windows that lie in the padding alone
    kernel = [int(n) for n in node.attr("kernel_shape")]
    far = any(pad >= size for pad, size in zip(node.attr("pads") or [], kernel * 2, strict=False))
    beyond = dilated or far or node.attr("ceil_mode", 0) or node.outputs > 1
    return None if beyond else append


def max_pool(node: OnnxNode) -> Formula:
    """The largest element of each window, and (second output) its number in the whole tensor."""
    x = node.input(0)
    spans = spans_of(node, x)
    shape = _out(x, spans)
    strides = _element_strides(x.shape, bool(node.attr("storage_order", 0)))

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        at, taps = indices(shape), _taps(spans)
        triples = list(zip(spans, at[2:], taps, strict=True))
        places: list[Position] = [*at[:2], *(span.at(o, u) for span, o, u in triples)]
        guards = [span.guard(o, u) for span, o, u in triples]
        source = x[tuple(places)]
        result = [equation(outputs[0][at], reduce("max", taps, source, guards))]
        if len(outputs) > 1:
            number = affine(0)
            for position, stride in zip(places, strides, strict=True):
                number = number + position * stride
            hit = call("equal", source, outputs[0][at])
            found = call("if", hit, Number(number), x.size)
            result.append(equation(outputs[1][at], reduce("min", taps, found, guards)))
        return result

    count = node.outputs
    return Formula([shape] * count, [node.dtype(), "int64"][:count], write, _native(node))


def _element_strides(shape: Sequence[int], by_column: bool) -> list[int]:
    """Distance of neighbours along each axis; ``by_column`` swaps the roles of the spatial axes."""
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    if by_column:
        spatial = shape[2:]
        strides[2:] = [math.prod(spatial[:axis]) for axis in range(len(spatial))]
    return strides


def average_pool(node: OnnxNode) -> Formula:
    """The mean of each window; padding counts only if ``count_include_pad``."""
    x = node.input(0)
    spans = spans_of(node, x)
    include = bool(node.attr("count_include_pad", 0))

    def element(at: tuple[Index, ...]) -> Expr:
        taps = _taps(spans)
        triples = list(zip(spans, at[2:], taps, strict=True))
        source = x[(*at[:2], *(span.at(o, u) for span, o, u in triples))]
        guards = [span.guard(o, u) for span, o, u in triples]
        if not include:
            return reduce("mean", taps, source, guards)
        total, divisor = reduce("sum", taps, source, guards), 1
        for span, o in zip(spans, at[2:], strict=True):
            counts = _counts(span)
            if len(set(counts)) == 1:
                divisor *= counts[0]
            else:
                total = total / constant(f"count/{o.name}", np.array(counts, float))[o]
        return total / divisor

    return pointwise(_out(x, spans), node.dtype(), element)._replace(native=_native(node))


def _counts(span: Window) -> list[int]:
    """How many taps of each window lie in the input or its padding."""
    assert span.length is not None and span.out is not None
    end = span.length + span.after
    check_table(span.out)
    rooms = [end - (o * span.stride - span.before) for o in range(span.out)]
    return [min(max(-(-room // span.dilation), 0), span.size) for room in rooms]


def lp_pool(node: OnnxNode) -> Formula:
    """``(sum |x|^p)^(1/p)`` of each window."""
    x, p = node.input(0), float(node.attr("p", 2))
    spans = spans_of(node, x)

    def element(at: tuple[Index, ...]) -> Expr:
        taps = _taps(spans)
        triples = list(zip(spans, at[2:], taps, strict=True))
        source = x[(*at[:2], *(span.at(o, u) for span, o, u in triples))]
        return _norm(source, p, taps, [span.guard(o, u) for span, o, u in triples])

    return pointwise(_out(x, spans), node.dtype(), element)


def _norm(x: Expr, p: float, over: Sequence[Index], guards: Sequence[Guard] = ()) -> Expr:
    if p == 1:
        return reduce("sum", over, call("abs", x), guards)
    if p == 2:
        return call("sqrt", reduce("sum", over, x * x, guards))
    return call("pow", reduce("sum", over, call("pow", call("abs", x), p), guards), 1 / p)


def global_pool(op: str) -> Any:
    """One value for each channel; all spatial axes stay, with size 1."""

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)

        def element(at: tuple[Index, ...]) -> Expr:
            over = tuple(Index("uvwz"[n % 4], size) for n, size in enumerate(x.shape[2:]))
            source = x[(*at[:2], *over)]
            if op == "norm":
                return _norm(source, float(node.attr("p", 2)), over)
            return reduce(op, over, source)

        return pointwise((*x.shape[:2], *[1] * (len(x.shape) - 2)), node.dtype(), element)

    return rule


def lrn(node: OnnxNode) -> Formula:
    """Divided by a power of the mean square over neighbouring channels."""
    x, size = node.input(0), int(node.attr("size"))
    alpha, beta = float(node.attr("alpha", 1e-4)), float(node.attr("beta", 0.75))
    bias, channels = float(node.attr("bias", 1.0)), x.shape[1]

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        square, at, j = y.like("square_sum"), indices_of(y), Index("j", size)
        near = at[1] + j - (size - 1) // 2
        source = x[(at[0], near, *at[2:])]
        total = reduce("sum", (j,), source * source, [Guard(near, 0, channels)])
        below = call("pow", square[at] * (alpha / size) + bias, beta)
        return [equation(square[at], total), equation(y[at], x[at] / below)]

    return Formula([x.shape], [node.dtype()], write)


def max_unpool(node: OnnxNode) -> Formula:
    """The pooled elements back at the places that MaxPool's second output says, zeros elsewhere."""
    x, where = node.input(0), node.input(1)
    kernel = [int(n) for n in node.attr("kernel_shape")]
    rank = len(kernel)
    pads = padding(node, x.shape[2:], kernel)
    small = [
        (n - 1) * s + k - before - after
        for n, s, k, (before, after) in zip(
            x.shape[2:], steps(node, "strides", rank), kernel, pads, strict=True
        )
    ]
    shape = tuple(node.integers(2)) if node.has(2) else (*x.shape[:2], *small)
    inner = (*x.shape[:2], *small)

    def element(at: tuple[Index, ...]) -> Expr:
        over = tuple(Index("uvwz"[n % 4], size) for n, size in enumerate(x.shape[2:]))
        number = affine(0)
        for index, size in zip(at, inner, strict=True):
            number = number * size + index
        hit = call("equal", where[(*at[:2], *over)], Number(number))
        return reduce("sum", over, call("if", hit, x[(*at[:2], *over)], 0))

    return pointwise(shape, node.dtype(), element)


def col2im(node: OnnxNode) -> Formula:
    """Columns of blocks added up into an image."""
    x, image, block = node.input(0), node.integers(1), node.integers(2)
    rank = len(image)
    strides, dilations = steps(node, "strides", rank), steps(node, "dilations", rank)
    pads = padding(node, image, block)
    counts = [
        window(n, k, s, d, pair).out or 0
        for n, k, s, d, pair in zip(image, block, strides, dilations, pads, strict=True)
    ]
    channels = x.shape[1] // math.prod(block)

    def element(at: tuple[Index, ...]) -> Expr:
        taps = tuple(Index("uvwz"[n % 4], size) for n, size in enumerate(block))
        row, column = affine(at[1]), affine(0)
        guards = []
        for i, u, s, d, (before, _), n in zip(
            at[2:], taps, strides, dilations, pads, counts, strict=True
        ):
            start = i + before - u * d
            guards += [Guard(start, 0, s * n), *([Guard(start % s, 0, 1)] if s > 1 else [])]
            row, column = row * u.size + u, column * n + start // s
        return reduce("sum", taps, x[at[0], row, column], guards)

    return pointwise((x.shape[0], channels, *image), node.dtype(), element)


def causal_convolution(node: OnnxNode) -> Formula:
    """Each channel with the past only; the last inputs are kept as the state for the next call."""
    x, kernel = node.input(0), node.input(1)
    count, channels, length = x.shape
    size = kernel.shape[2]
    state = (count, channels, size - 1)

    def before(n: Index, c: Index, position: Any) -> Value:
        """The input with the state in front; ``position`` 0 is the first of the state."""
        old: Value = 0
        if node.has(3):
            old = select([Guard(position, 0, size - 1)], node.input(3)[n, c, position], 0)
        new = position - (size - 1)
        return select([Guard(new, 0, length)], x[n, c, new], old)

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        joined = y.step("input", y.axes, (count, channels, length + size - 1))
        n, c, t = indices_of(joined)
        result = [equation(joined[n, c, t], before(n, c, affine(t)))]
        n, c, t = indices_of(y)
        k = Index("k", size)
        total = reduce("sum", (k,), joined[n, c, t + k] * kernel[c, 0, k])
        if node.has(2):
            total = total + node.input(2)[c]
        if node.attr("activation", "none") in ("silu", "swish"):
            linear = y.like("pre")
            result.append(equation(linear[n, c, t], total))
            total = linear[n, c, t] * call("sigmoid", linear[n, c, t])
        elif node.attr("activation", "none") != "none":
            raise UnsupportedError(f"{node.op} with {node.attr('activation')!r}")
        result.append(equation(y[n, c, t], total))
        if len(outputs) > 1:
            at = indices_of(outputs[1])
            result.append(equation(outputs[1][at], joined[at[0], at[1], at[2] + length]))
        return result

    shapes = [x.shape, state][: node.outputs]
    return Formula(shapes, [node.dtype()] * len(shapes), write)


ROWS: dict[str, Any] = {
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "LpPool": lp_pool,
    "GlobalMaxPool": global_pool("max"),
    "GlobalAveragePool": global_pool("mean"),
    "GlobalLpPool": global_pool("norm"),
    "LRN": lrn,
    "MaxUnpool": max_unpool,
    "Col2Im": col2im,
    "CausalConvWithState": causal_convolution,
}
