"""What operators that add up products ask of the shapes of their inputs."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from netsheet.operators.base import OnnxNode, Shape
from netsheet.operators.fitting import (
    Condition,
    fit,
    ranks,
    refused,
    scalars,
    stretched,
    stretches_to,
)


def _gemm(node: OnnxNode) -> None:
    a, b = node.input(0).shape, node.input(1).shape
    if len(a) != 2 or len(b) != 2:
        raise refused(node, "both factors have two axes")
    a = a[::-1] if node.attr("transA", 0) else a
    b = b[::-1] if node.attr("transB", 0) else b
    if a[1] != b[0]:
        raise refused(node, f"{a[1]} columns meet {b[0]} rows")
    if node.has(2):
        stretched(node, 2, (a[0], b[1]))


def _einsum(node: OnnxNode) -> None:
    words = str(node.attr("equation")).replace(" ", "").partition("->")[0].split(",")
    if len(words) != len(node.inputs):
        raise refused(node, f"{node.attr('equation')!r} has {len(words)} inputs")
    sizes: dict[str, int] = {}
    lead: list[Shape] = []
    for n, word in enumerate(words):
        shape = node.input(n).shape
        before, dots, after = word.partition("...")
        rank = len(before) + len(after)
        if len(shape) < rank or (len(shape) > rank and not dots):
            raise refused(node, f"{word!r} does not name the axes of {shape}")
        named = (*shape[: len(before)], *shape[len(shape) - len(after) :])
        lead.append(tuple(shape[len(before) : len(shape) - len(after)]))
        for letter, size in zip(before + after, named, strict=True):
            if size != 1 and sizes.setdefault(letter, size) != size:
                raise refused(node, f"{letter!r} is {sizes[letter]} and {size}")
    try:
        np.broadcast_shapes(*lead)
    except ValueError as error:
        raise refused(node, f"'...' is {', '.join(map(str, lead))}") from error


def _square(node: OnnxNode) -> None:
    shape = node.input(0).shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise refused(node, "the last two axes are a square matrix")


def convolved(kernel_at: int, bias_at: int, transposed: bool = False) -> Condition:
    """Kernel and bias of a convolution fit the input's channels and each other."""

    def condition(node: OnnxNode) -> None:
        x, kernel = node.input(0).shape, node.input(kernel_at).shape
        groups = int(node.attr("group", 1))
        if len(kernel) != len(x) or len(x) < 3:
            raise refused(node, "input and kernel have the same number of axes")
        inner = kernel[0] if transposed else kernel[1] * groups
        if x[1] != inner or groups < 1 or kernel[0] % groups:
            raise refused(node, f"{x[1]} channels, {inner} in the kernel, {groups} groups")
        declared = node.attr("kernel_shape")
        if declared is not None and tuple(int(n) for n in declared) != kernel[2:]:
            raise refused(node, f"kernel_shape says {tuple(int(n) for n in declared)}")
        outer = kernel[1] * groups if transposed else kernel[0]
        if node.has(bias_at) and node.input(bias_at).shape != (outer,):
            raise refused(node, f"the bias has {outer} elements")

    return condition


def one_or_each(index: int, axis_of: int, axis: int) -> Condition:
    """A scale or zero point: one number, or one for each position of an input's axis."""

    def condition(node: OnnxNode) -> None:
        if not node.has(index):
            return
        tensor, size = node.input(index), node.input(axis_of).shape[axis]
        if tensor.size != 1 and tensor.size != size:
            raise refused(node, f"input {index}, {tensor.shape}: one number, or {size}")

    return condition


def _alike(first: Shape, second: Shape) -> bool:
    """The same shape, or one number in either of its two forms."""
    return first == second or {first, second} <= {(), (1,)}


def _scales(node: OnnxNode) -> None:
    """QuantizeLinear, DequantizeLinear: one scale, one for each position of an axis, or blocks."""
    x, scale = node.input(0).shape, node.input(1).shape
    if node.has(2) and not _alike(node.input(2).shape, scale):
        raise refused(node, "scale and zero point have the same shape")
    if scale in ((), (1,)):
        return
    axis = node.axis(1, len(x))
    block = int(node.attr("block_size", 0))
    if len(scale) == 1 and not block:
        if scale[0] != x[axis]:
            raise refused(node, f"axis {axis} has {x[axis]} positions")
        return
    fits = block > 0 and len(scale) == len(x) and all(
        b == (-(-a // block) if i == axis else a)
        for i, (a, b) in enumerate(zip(x, scale, strict=True))
    )  # fmt: skip
    if not fits:
        raise refused(node, f"blocks of {block} along axis {axis}")


def _matrix_quantised(node: OnnxNode) -> None:
    for index, factor, axis in ((1, 0, -2), (2, 0, -2), (4, 3, -1), (5, 3, -1)):
        size = node.input(factor).shape[axis] if len(node.input(factor).shape) > 1 else 1
        if node.input(index).size not in (1, size):
            raise refused(node, f"input {index}, {node.input(index).shape}: one number, or {size}")
    for scale, zero in ((1, 2), (4, 5), (6, 7)):
        if not _alike(node.input(scale).shape, node.input(zero).shape):
            raise refused(node, f"inputs {scale} and {zero} have the same shape")


def _targets(node: OnnxNode) -> None:
    scores, target = node.input(0).shape, node.input(1).shape
    if len(scores) < 2 or (scores[0], *scores[2:]) != target:
        raise refused(node, "there is a target for each position")
    if node.has(2) and node.input(2).shape != (scores[1],):
        raise refused(node, f"there is a weight for each of {scores[1]} classes")


def _heads(node: OnnxNode) -> None:
    """Attention: as many heads, steps and units as the others have."""
    shapes = [node.input(n).shape for n in range(3)]
    counts = [node.attr("q_num_heads"), *[node.attr("kv_num_heads")] * 2]
    found = []
    for shape, count in zip(shapes, counts, strict=True):
        if len(shape) == 3:
            if not count or shape[2] % int(count):
                raise refused(node, f"{count} heads of {shape[2]} units")
            shape = (shape[0], int(count), shape[1], shape[2] // int(count))
        if len(shape) != 4:
            raise refused(node, "query, key and value have three or four axes")
        found.append(shape)
    q, k, v = found
    if not q[0] == k[0] == v[0] or k[1:3] != v[1:3] or (node.op == "Attention" and q[3] != k[3]):
        raise refused(node, "batch, heads, steps and units of query, key and value")
    if k[1] < 1 or q[1] % k[1]:
        raise refused(node, f"{q[1]} heads of the query for {k[1]} of the key")
    if node.op != "Attention":
        _decayed(node, q, k, v)
        return
    past = 0
    for index, own in ((4, k), (5, v)):
        if node.has(index):
            shape = node.input(index).shape
            if len(shape) != 4 or (*shape[:2], shape[3]) != (*own[:2], own[3]):
                raise refused(node, f"the past, {shape}, of {own}")
            if index == 5 and node.has(4) and shape[2] != past:
                raise refused(node, f"a past of {past} steps of keys, {shape[2]} of values")
            past = shape[2]
    if node.has(3):
        _masked(node, node.input(3).shape, (*q[:3], k[2] + past))


def _masked(node: OnnxNode, mask: Shape, scores: Shape) -> None:
    """The mask has the queries and keys of the scores; batch and heads may be 1 or left out.

    ONNX lets a mask end before the keys do. Where it is stretched from 1 along the queries or
    keys, ONNX's own evaluator and ONNX Runtime are at odds. Keys beyond the mask are only read
    where their number is said for each sample.
    """
    lead = scores[4 - len(mask) : 2]
    fits = 2 <= len(mask) <= 4 and mask[-2] == scores[2]
    fits = fits and all(a in (1, b) for a, b in zip(mask[:-2], lead, strict=True))
    ends = mask[-1:] == scores[3:] or (node.has(6) and 1 < mask[-1] < scores[3])
    if not (fits and ends):
        raise refused(node, f"the mask, {mask}, for scores of {scores}")


def _decayed(node: OnnxNode, q: Shape, k: Shape, v: Shape) -> None:
    """LinearAttention: steps of all, the state, its decay and its rate."""
    batch, heads, steps, size = k
    if q[2:] != k[2:]:
        raise refused(node, "query and key have the same steps and units")
    allowed: dict[int, Sequence[Shape]] = {
        3: [(batch, heads, size, v[3])],
        4: [(batch, steps, heads), (batch, steps, heads * size)],
        5: [(batch, steps, heads), (batch, steps, 1)],
    }
    for index, shapes in allowed.items():
        if node.has(index) and node.input(index).shape not in shapes:
            raise refused(node, f"input {index} should be {' or '.join(map(str, shapes))}")


def _transformed(node: OnnxNode) -> None:
    """DFT: the last axis is a real part, or a real and an imaginary one."""
    parts = node.input(0).shape[-1:]
    if parts not in ((1,), (2,)) or (node.attr("onesided", 0) and parts == (2,)):
        raise refused(node, "the last axis is the real part, or both")


def _rotary(node: OnnxNode) -> None:
    x, cos, sin = (node.input(n).shape for n in range(3))
    heads = node.attr("num_heads")
    if len(x) == 3 and (not heads or x[2] % int(heads)):
        raise refused(node, f"{heads} heads")
    size = x[3] if len(x) == 4 else x[2] // int(heads)
    turned = int(node.attr("rotary_embedding_dim", 0)) or size
    steps = x[2] if len(x) == 4 else x[1]
    if turned % 2:
        raise refused(node, f"units are turned in pairs, of which {turned} are none")
    rank = 2 if node.has(3) else 3
    fits = cos == sin and len(cos) == rank and cos[-1] == turned // 2 and turned <= size
    if not fits or (rank == 3 and cos[:2] != (x[0], steps)):
        raise refused(node, f"angles of {turned // 2} units")
    if node.has(3) and node.input(3).shape != (x[0], steps):
        raise refused(node, "there is a position for each step")


def _carried(node: OnnxNode) -> None:
    """CausalConvWithState: the steps before that the kernel reaches back to."""
    if node.has(3) and node.input(3).shape[2] != node.input(1).shape[2] - 1:
        raise refused(node, f"the kernel reaches {node.input(1).shape[2] - 1} steps back")


def _normalised(node: OnnxNode) -> int:
    return node.axis(-1, len(node.input(0).shape))


def _groups(node: OnnxNode) -> None:
    channels, groups = node.input(0).shape[1], int(node.attr("num_groups"))
    if groups < 1 or channels % groups:
        raise refused(node, f"{groups} groups of {channels} channels")


def _layout(*patterns: str) -> Condition:
    """Patterns of a recurrent operator, for both places of the batch axis."""
    first = [
        re.sub(r"^T B", "B T", p) if n == 0 else re.sub(r"^D B", "B D", p)
        for n, p in enumerate(patterns)
    ]

    def condition(node: OnnxNode) -> None:
        fit(node, first if node.attr("layout", 0) else patterns)

    return condition


PATTERNS: dict[str, Sequence[str]] = {
    "BatchNormalization": ("N C ...|N", "C", "C", "C", "C"),
    "InstanceNormalization": ("N C ...", "C", "C"),
    "GroupNormalization": ("N C ...", "C|G", "C|G"),
    "MaxUnpool": ("N C ...", "N C ...", "*"),
    "CausalConvWithState": ("N C L", "C 1 K", "C", "N C ?"),
    "Trilu": ("... R C", "*"),
    "EyeLike": ("R C",),
    "LRN": ("N C ...",),
    "SwiGLU": ("...", "..."),
}

CONDITIONS: dict[str, Sequence[Condition]] = {
    "LSTM": (_layout("T B I", "D 4H I", "D 4H H", "D 8H", "B", "D B H", "D B H", "D 3H"),),
    "GRU": (_layout("T B I", "D 3H I", "D 3H H", "D 6H", "B", "D B H"),),
    "RNN": (_layout("T B I", "D H I", "D H H", "D 2H", "B", "D B H"),),
    "Gemm": (_gemm,),
    "Einsum": (_einsum,),
    "Det": (_square,),
    "DFT": (_transformed,),
    "PRelu": (stretches_to(1),),
    "Clip": (scalars(1, 2),),
    "Conv": (convolved(1, 2),),
    "FusedConv": (convolved(1, 2),),
    "ConvTranspose": (convolved(1, 2, transposed=True),),
    "ConvInteger": (convolved(1, 99), scalars(2), one_or_each(3, 1, 0)),
    "QLinearConv": (
        convolved(3, 8),
        scalars(1, 2, 6, 7),
        one_or_each(4, 3, 0),
        one_or_each(5, 3, 0),
    ),
    "MatMulInteger": (one_or_each(2, 0, -2), one_or_each(3, 1, -1)),
    "QLinearMatMul": (_matrix_quantised,),
    "QuantizeLinear": (_scales,),
    "DequantizeLinear": (_scales,),
    "GroupNormalization": (_groups,),
    "LayerNormalization": (stretches_to(1, _normalised), stretches_to(2, _normalised)),
    "RMSNormalization": (stretches_to(1, _normalised),),
    **{name: (ranks(3),) for name in ("MaxPool", "AveragePool", "LpPool")},
    **{name: (ranks(2),) for name in ("GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool")},
    "NegativeLogLikelihoodLoss": (_targets,),
    "SoftmaxCrossEntropyLoss": (_targets,),
    "Attention": (_heads,),
    "LinearAttention": (_heads,),
    "RotaryEmbedding": (_rotary,),
    "CausalConvWithState": (_carried,),
}
