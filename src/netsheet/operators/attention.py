"""Attention and what goes with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from netsheet.equations import (
    Equation,
    Expr,
    Gather,
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
from netsheet.operators.base import Formula, OnnxNode, Shape, indices
from netsheet.operators.products import broadcast_places

MASKED = -3.0e38  # stands for "this key takes no part"
Reader = Callable[[Position, Position, Position, Position], Expr]


class Heads:
    """A tensor of (batch, head, step, size), or packed as (batch, step, head * size)."""

    def __init__(self, tensor: Tensor, heads: int | None) -> None:
        self.tensor = tensor
        self.packed = len(tensor.shape) == 3
        if self.packed:
            self.batch, self.steps, hidden = tensor.shape
            if not heads:
                raise UnsupportedError("attention over packed heads without their number")
            self.heads, self.size = heads, hidden // heads
        else:
            self.batch, self.heads, self.steps, self.size = tensor.shape

    def at(self, b: Position, h: Position, t: Position, d: Position) -> Expr:
        """One element."""
        if self.packed:
            return self.tensor[b, t, affine(h) * self.size + d]
        return self.tensor[b, h, t, d]


def _joined(own: Heads, past: Tensor | None, to: Tensor) -> list[Equation]:
    """``to`` (batch, head, step, size): the past, if there is one, and then the own steps."""
    b, h, d = Index("b", own.batch), Index("h", own.heads), Index("d", own.size)
    result, before = [], 0
    if past is not None and past.shape[2]:
        before = past.shape[2]
        t = Index("t", before)
        result.append(equation(to[b, h, t, d], past[b, h, t, d]))
    if own.steps:
        t = Index("t", own.steps)
        result.append(equation(to[b, h, t + before, d], own.at(b, h, t, d)))
    return result


def attention(node: OnnxNode) -> Formula:
    """``softmax(Q K^T * scale + mask) V``, with grouped heads, a cache, and windows."""
    q = Heads(node.input(0), node.attr("q_num_heads"))
    k, v = (Heads(node.input(n), node.attr("kv_num_heads")) for n in (1, 2))
    past = node.input(4).shape[2] if node.has(4) else 0
    keys = past + k.steps
    if "bfloat16" in node.dtypes:
        raise UnsupportedError("Attention of bfloat16 values rounds at every step")
    scores = (q.batch, q.heads, q.steps, keys)
    y_shape: Shape = (q.batch, q.heads, q.steps, v.size)
    if q.packed:
        y_shape = (q.batch, q.steps, q.heads * v.size)
    shapes = [y_shape, (k.batch, k.heads, keys, k.size), (v.batch, v.heads, keys, v.size), scores]

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        made = [
            outputs[n] if n < len(outputs) else y.step(name, axes, shape)
            for n, name, axes, shape in (
                (1, "key", ("batch", "head", "key", "unit"), shapes[1]),
                (2, "value", ("batch", "head", "key", "unit"), shapes[2]),
            )
        ]
        result = _joined(k, node.input(4) if node.has(4) else None, made[0])
        result += _joined(v, node.input(5) if node.has(5) else None, made[1])
        steps = [y.step(name, ("batch", "head", "query", "key"), scores)
                 for name in ("scores", "masked", "exp", "weights")]  # fmt: skip
        result += _weights(node, q, made[0], past, steps, y)
        result += _mixed(q, made[1], steps[3], y)
        if len(outputs) > 3:
            result.append(_debug(node, outputs[3], steps))
        return result

    count = node.outputs
    return Formula(shapes[:count], [node.dtype()] * count, write)


def _weights(
    node: OnnxNode, q: Heads, key: Tensor, past: int, steps: Sequence[Tensor], y: Tensor
) -> list[Equation]:
    """Scores, masked scores, their exponentials and their quotients."""
    scores, masked, exp, weights = steps
    at = b, h, i, j = indices_of(scores, ("b", "h", "i", "j"))
    d = Index("d", q.size)
    group = q.heads // key.shape[1]
    factor = node.attr("scale")
    factor = 1 / math.sqrt(q.size) if factor is None else float(factor)
    product = reduce("sum", (d,), q.at(b, h, i, d) * key[b, h // group, j, d]) * factor
    cap = float(node.attr("softcap", 0.0) or 0.0)
    if cap:
        product = call("tanh", product / cap) * cap
    rest, sizes = scores.axes[:3], scores.shape[:3]
    most, total = y.step("max", rest, sizes), y.step("sum", rest, sizes)
    bias, allowed = _bias(node, q, past, at, key.shape[2])
    biased = scores[at] if bias is None else scores[at] + bias
    for test in allowed:
        biased = test(biased)
    takes_part = call("less", MASKED / 2, masked[at])
    exponential = call("exp", masked[at] - most[b, h, i])
    return [
        equation(scores[at], product),
        equation(masked[at], biased),
        equation(most[b, h, i], reduce("max", (j,), masked[at])),
        equation(exp[at], call("if", takes_part, exponential, 0)),
        equation(total[b, h, i], reduce("sum", (j,), exp[at])),
        equation(weights[at], call("if", total[b, h, i], exp[at] / total[b, h, i], 0)),
    ]


def _bias(
    node: OnnxNode, q: Heads, past: int, at: Sequence[Index], keys: int
) -> tuple[Expr | None, list[Callable[[Expr], Expr]]]:
    """What is added to a score, and the conditions under which it counts at all."""
    b, _, i, j = at
    bias: Expr | None = None
    tests: list[Callable[[Expr], Expr]] = []

    def only_if(condition: Expr) -> None:
        tests.append(lambda x: call("if", condition, x, MASKED))

    def only_within(guard: Guard) -> None:
        tests.append(lambda x: select([guard], x, MASKED))

    if node.has(3):
        mask = node.input(3)
        length = mask.shape[-1]
        places = broadcast_places(mask.shape, at)
        read: Expr = mask[places] if length == keys else mask[(*places[:-1], j)]
        inside = Guard(affine(j), 0, length) if 1 < length < keys else None
        if node.dtype(3) == "bool":
            allowed = read
        else:
            # an infinite mask leaves the key out; nothing is computed with the infinity
            allowed = call("less", MASKED, read)
            bias = call("max", read, MASKED) if inside is None else select([inside], read, 0)
        only_if(allowed if inside is None else select([inside], allowed, 0))
    far = keys + q.steps + 1
    limits: list[tuple[int, int]] = []
    left, right = int(node.attr("left_window_size", -1)), int(node.attr("right_window_size", -1))
    if node.attr("is_causal", 0):
        limits.append((-far - past, 1))
    if left >= 0 or right >= 0:
        limits.append((-left if left >= 0 else -far - past, right + 1 if right >= 0 else far))
    for low, high in limits:
        if node.has(6):
            ahead = Number(j - i + q.steps) - node.input(6)[b]
            only_if(call("and", call("less_equal", low, ahead), call("less", ahead, high)))
        else:
            only_within(Guard(j - i - past, low, high))
    if node.has(6):
        only_if(call("less", Number(affine(j)), node.input(6)[b]))
    return bias, tests


def _mixed(q: Heads, values: Tensor, weights: Tensor, y: Tensor) -> list[Equation]:
    """The values, added up by the weights."""
    b, h, i, j = indices_of(weights, ("b", "h", "i", "j"))
    d = Index("d", values.shape[3])
    total = reduce("sum", (j,), weights[b, h, i, j] * values[b, h // (q.heads // values.shape[1]),
                                                             j, d])  # fmt: skip
    target = y[b, i, h * d.size + d] if q.packed else y[b, h, i, d]
    return [equation(target, total)]


def _debug(node: OnnxNode, to: Tensor, steps: Sequence[Tensor]) -> Equation:
    """The fourth output: raw scores, capped ones, masked ones or weights."""
    mode = int(node.attr("qk_matmul_output_mode", 0))
    at = indices_of(to, ("b", "h", "i", "j"))
    if mode == 0 and node.attr("softcap", 0.0):
        raise UnsupportedError("Attention with softcap and its raw scores is not computed")
    source = steps[{0: 0, 1: 0, 2: 1, 3: 3}[mode]]
    result: Expr = source[at]
    if mode == 2:
        # minus infinity, as ONNX has it
        result = call("if", call("less", MASKED / 2, result), result, call("log", 0))
    return equation(to[at], result)


def linear_attention(node: OnnxNode) -> Formula:
    """A state of key times value products that every step decays, corrects and adds to."""
    heads = int(node.attr("kv_num_heads"))
    q = Heads(node.input(0), int(node.attr("q_num_heads")))
    k, v = Heads(node.input(1), heads), Heads(node.input(2), heads)
    rule = node.attr("update_rule", "gated_delta")
    factor = float(node.attr("scale", 0.0)) or 1 / math.sqrt(q.size)
    last = (q.batch, heads, k.size, v.size)
    group = q.heads // heads

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        state = y.step("state", ("time", "batch", "head", "in", "out"), (q.steps, *last))
        found = y.step("found", ("time", "batch", "head", "out"), (q.steps, *last[:2], v.size))
        t, b, h, i, o = indices_of(state, ("t", "b", "h", "i", "o"))

        def kept(row: Position) -> Expr:
            """The state before this step, decayed."""
            first: Value = node.input(3)[b, h, row, o] if node.has(3) else 0
            before = select([Guard(t - 1, 0, q.steps)], state[t - 1, b, h, row, o], first)
            if rule not in ("gated", "gated_delta"):
                return before
            decay = node.input(4)
            single = decay.shape[2] == heads
            read = decay[b, t, h] if single else decay[b, t, h * k.size + row]
            return before * call("exp", read)

        addend = v.at(b, h, t, o)
        result: list[Equation] = []
        if rule in ("delta", "gated_delta"):
            n, beta = Index("n", k.size), node.input(5)
            seen = reduce("sum", (n,), kept(n) * k.at(b, h, t, n))
            result.append(equation(found[t, b, h, o], seen, t))
            rate = beta[b, t, h if beta.shape[2] == heads else 0]
            addend = (addend - found[t, b, h, o]) * rate
        result.append(equation(state[t, b, h, i, o], kept(i) + k.at(b, h, t, i) * addend, t))
        b, t, h = Index("b", q.batch), Index("t", q.steps), Index("h", q.heads)
        i, o = Index("i", q.size), Index("o", v.size)
        total = reduce("sum", (i,), q.at(b, h, t, i) * state[t, b, h // group, i, o]) * factor
        result.append(equation(y[b, t, h * v.size + o], total))
        if len(outputs) > 1:
            at = indices(last)
            result.append(equation(outputs[1][at], state[(q.steps - 1, *at)]))
        return result

    shapes = [(q.batch, q.steps, q.heads * v.size), last][: node.outputs]
    return Formula(shapes, [node.dtype()] * len(shapes), write)


def rotary_embedding(node: OnnxNode) -> Formula:
    """Pairs of units turned by an angle that depends on the position."""
    x = Heads(node.input(0), node.attr("num_heads"))
    cos, sin = node.input(1), node.input(2)
    turned = int(node.attr("rotary_embedding_dim", 0)) or x.size
    half, mixed = turned // 2, bool(node.attr("interleaved", 0))
    shape = node.input(0).shape

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = Heads(outputs[0], x.heads)
        b, h, t = Index("b", x.batch), Index("h", x.heads), Index("t", x.steps)
        d = Index("d", half)
        one, other = (d * 2, d * 2 + 1) if mixed else (affine(d), d + half)

        def angle(cache: Tensor) -> Expr:
            if node.has(3):
                place = Gather(node.input(3)[b, t], cache.shape[0])
                return cache[affine(place), d]
            return cache[b, t, d]

        real, imaginary = x.at(b, h, t, one), x.at(b, h, t, other)
        result = [
            equation(y.at(b, h, t, one), real * angle(cos) - imaginary * angle(sin)),
            equation(y.at(b, h, t, other), real * angle(sin) + imaginary * angle(cos)),
        ]
        if turned < x.size:
            rest = Index("e", x.size - turned) + turned
            result.append(equation(y.at(b, h, t, rest), x.at(b, h, t, rest)))
        return result

    return Formula([shape], [node.dtype()], write)


ROWS: dict[str, Any] = {
    "Attention": attention,
    "LinearAttention": linear_attention,
    "RotaryEmbedding": rotary_embedding,
}
