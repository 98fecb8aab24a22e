"""Convolutions that are no layer of their own: in groups the other way, over integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from netsheet.equations import Expr, Guard, Index, Position, Tensor, Weight, call, reduce
from netsheet.errors import UnsupportedError
from netsheet.layer import Graph
from netsheet.layers.window import window
from netsheet.operators.base import Formula, OnnxNode, pointwise
from netsheet.operators.numbers import limits
from netsheet.operators.windows import padding, steps


def taps_of(kernel: Sequence[int]) -> tuple[Index, ...]:
    """One index for each spatial axis of a kernel."""
    return tuple(Index("uvwz"[n % 4], size) for n, size in enumerate(kernel))


def transposed_pads(
    node: OnnxNode, lengths: Sequence[int], kernel: Sequence[int]
) -> list[tuple[int, int, int]]:
    """For each axis what ConvTranspose cuts off before and after, and the length that is left."""
    rank = len(lengths)
    strides, dilations = steps(node, "strides", rank), steps(node, "dilations", rank)
    extra = [int(n) for n in node.attr("output_padding") or [0] * rank]
    full = [
        (n - 1) * s + (k - 1) * d + 1 + e
        for n, s, k, d, e in zip(lengths, strides, kernel, dilations, extra, strict=True)
    ]
    auto, wanted = node.attr("auto_pad", "NOTSET"), node.attr("output_shape")
    if auto.startswith("SAME") and not wanted:
        wanted = [n * s for n, s in zip(lengths, strides, strict=True)]
    if wanted:
        gaps = [most - int(n) for most, n in zip(full, list(wanted)[-rank:], strict=True)]
        pads = [(gap // 2, gap - gap // 2) for gap in gaps]
        pads = pads if auto == "SAME_UPPER" else [pair[::-1] for pair in pads]
    else:
        pads = list(padding(node, lengths, kernel))
    return [(before, after, most - before - after)
            for (before, after), most in zip(pads, full, strict=True)]  # fmt: skip


def grouped_transposed(node: OnnxNode) -> Formula:
    """ConvTranspose in groups: each part of the channels has kernels of its own."""
    x, kernel = node.input(0), node.input(1)
    groups, size = int(node.attr("group", 1)), kernel.shape[2:]
    rank, lengths = len(size), x.shape[2:]
    strides, dilations = steps(node, "strides", rank), steps(node, "dilations", rank)
    cuts = transposed_pads(node, lengths, size)
    inner, outer = x.shape[1] // groups, kernel.shape[1]
    shape = (x.shape[0], groups * outer, *(length for _, _, length in cuts))

    def element(at: tuple[Index, ...]) -> Expr:
        taps, c = taps_of(size), Index("i", inner)
        channel = at[1] // outer * inner + c
        places: list[Position] = []
        guards: list[Guard] = []
        for o, u, s, d, n, (before, _, _) in zip(
            at[2:], taps, strides, dilations, lengths, cuts, strict=True
        ):
            start = o + before - u * d
            guards += [Guard(start, 0, s * n), *([Guard(start % s, 0, 1)] if s > 1 else [])]
            places.append(start // s)
        term = x[(at[0], channel, *places)] * kernel[(channel, at[1] % outer, *taps)]
        total = reduce("sum", (*taps, c), term, guards)
        return total + node.input(2)[at[1]] if node.has(2) else total

    def native(graph: Graph, given: Sequence[str]) -> list[str]:
        weights = [graph.weight(t) for t in node.inputs[1:] if isinstance(t, Weight)]
        pads = [before for before, _, _ in cuts] + [after for _, after, _ in cuts]
        extra = node.attr("output_padding") or [0] * rank
        return [
            graph.node(
                "ConvTranspose", [given[0], *weights], group=groups, kernel_shape=list(size),
                strides=list(strides), dilations=list(dilations), pads=pads,
                output_padding=list(extra),
            )
        ]  # fmt: skip

    stored = all(isinstance(tensor, Weight) for tensor in node.inputs[1:] if tensor is not None)
    kept = all(n >= 0 for before, after, _ in cuts for n in (before, after))
    formula = pointwise(shape, node.dtype(), element)
    return formula._replace(native=native) if stored and kept else formula


def _convolved(
    node: OnnxNode,
    x: Tensor,
    kernel: Tensor,
    product: Callable[[Expr, Expr, Position], Expr],
) -> tuple[tuple[int, ...], Callable[[tuple[Index, ...]], Expr]]:
    """Shape and sum of a convolution of whole tensors; padding is left out of the sum.

    ``product`` of an element of the input and one of the kernel may depend on the output channel.
    """
    groups, size, lengths = int(node.attr("group", 1)), kernel.shape[2:], x.shape[2:]
    rank = len(size)
    strides, dilations = steps(node, "strides", rank), steps(node, "dilations", rank)
    spans = [
        window(n, k, s, d, pads)
        for n, k, s, d, pads in zip(
            lengths, size, strides, dilations, padding(node, lengths, size), strict=True
        )
    ]
    inner, outer = kernel.shape[1], kernel.shape[0] // groups

    def element(at: tuple[Index, ...]) -> Expr:
        taps, c = taps_of(size), Index("i", inner)
        triples = list(zip(spans, at[2:], taps, strict=True))
        places = [span.at(o, u) for span, o, u in triples]
        guards = [span.guard(o, u) for span, o, u in triples]
        value = x[(at[0], at[1] // outer * inner + c, *places)]
        term = product(value, kernel[(at[1], c, *taps)], at[1])
        return reduce("sum", (*taps, c), term, guards)

    return (x.shape[0], kernel.shape[0], *(span.out or 0 for span in spans)), element


def _entry(tensor: Tensor, channel: Position) -> Expr:
    """A parameter of one number, or one for each output channel."""
    return tensor[(0,) * len(tensor.shape)] if tensor.size == 1 else tensor[channel]


def integer_convolution(node: OnnxNode) -> Formula:
    """The convolution of integers less their zero points; padding is the input's zero point."""

    def product(x: Expr, w: Expr, channel: Position) -> Expr:
        x = x - _entry(node.input(2), channel) if node.has(2) else x
        return x * (w - _entry(node.input(3), channel) if node.has(3) else w)

    shape, element = _convolved(node, node.input(0), node.input(1), product)
    return pointwise(shape, "int32", element)


def quantized_convolution(node: OnnxNode) -> Formula:
    """The convolution of quantised values, quantised again."""
    x, kernel = node.input(0), node.input(3)
    dtype = node.dtype(7)
    low, high = limits(dtype)

    def product(value: Expr, w: Expr, channel: Position) -> Expr:
        return (value - _entry(node.input(2), channel)) * (w - _entry(node.input(5), channel))

    shape, total = _convolved(node, x, kernel, product)

    def element(at: tuple[Index, ...]) -> Expr:
        channel = at[1]
        scales = [_entry(node.input(n), channel) for n in (1, 4, 6)]
        result = total(at)
        if node.has(8):
            result = result + node.input(8)[channel]
        result = call("round", result * scales[0] * scales[1] / scales[2])
        return call("max", call("min", result + _entry(node.input(7), channel), high), low)

    return pointwise(shape, dtype, element)


def convolution_of_computed(node: OnnxNode) -> Formula:
    """Conv whose kernel is computed."""
    if len(node.input(0).shape) < 3:
        raise UnsupportedError("Conv without spatial axes is not computed")
    shape, total = _convolved(node, node.input(0), node.input(1), lambda x, w, _: x * w)

    def element(at: tuple[Index, ...]) -> Expr:
        return total(at) + node.input(2)[at[1]] if node.has(2) else total(at)

    return pointwise(shape, node.dtype(), element)


ROWS: dict[str, Any] = {
    "Conv": convolution_of_computed,
    "ConvTranspose": grouped_transposed,
    "ConvInteger": integer_convolution,
    "QLinearConv": quantized_convolution,
}
