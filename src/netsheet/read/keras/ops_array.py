"""Array operations of keras.ops and TensorFlow: which arguments become which rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.equations import call
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers import activation, norm, ops, shape, sparse
from netsheet.layers.base import constant
from netsheet.operators import array_ops
from netsheet.operators.base import Formula, OnnxNode
from netsheet.operators.reduction import arg, log_sum_exp, top_k
from netsheet.read.keras.graph import TensorRef
from netsheet.read.keras.ops_made import Made, OperationRow, made
from netsheet.read.keras.ops_matrices import MATRICES

if TYPE_CHECKING:
    from netsheet.read.keras.ops import OperationCall


def _axes(c: OperationCall, position: int = 1, default: Any = None) -> list[int]:
    given = c.get(position, ("axis", "axes"), default)
    if given is None:
        raise UnsupportedError("it reduces the batch axis")
    return [int(n) for n in (given if isinstance(given, (list, tuple)) else [given])]


def _axis(c: OperationCall, position: int = 1, default: Any = None) -> int:
    (axis,) = _axes(c, position, default)
    return axis


def _keep(c: OperationCall) -> bool:
    return c.flag("keepdims") or c.flag("keep_dims")


# --------------------------------------------------------------------------- reductions


def _reduced(op: str, before: Any = lambda x: x, after: Any = lambda x: x) -> OperationRow:
    return lambda c: made(array_ops.reduced(op, _axes(c), _keep(c), before, after), [c.tensor()])


def _variance(root: bool) -> OperationRow:
    return lambda c: made(array_ops.variance(_axes(c), _keep(c), root), [c.tensor()])


def _norm(c: OperationCall) -> Made:
    order = c.get(1, ("ord",), None)
    axes, keep = _axes(c, 2), _keep(c)
    if order in (None, "euclidean", 2):
        rule = array_ops.reduced("sum", axes, keep, lambda x: x * x, lambda x: call("sqrt", x))
    elif order == 1 and len(axes) == 1:
        rule = array_ops.reduced("sum", axes, keep, lambda x: call("abs", x))
    elif order in ("inf", math.inf) and len(axes) == 1:
        rule = array_ops.reduced("max", axes, keep, lambda x: call("abs", x))
    else:
        raise UnsupportedError(f"the norm of order {order!r} is not computed")
    return made(rule, [c.tensor()])


def _average(c: OperationCall) -> Made:
    if c.get(2, ("weights",), None) is not None:
        raise UnsupportedError("a weighted average is not computed")
    return made(array_ops.reduced("mean", _axes(c), _keep(c)), [c.tensor()])


def _log_sum_exp(c: OperationCall) -> Made:
    attributes = {"axes": _axes(c), "keepdims": int(_keep(c))}
    return made(log_sum_exp, [c.tensor()], attributes=attributes)


def _arg(greatest: bool) -> OperationRow:
    def row(c: OperationCall) -> Made:
        attributes = {"axis": _axis(c), "keepdims": int(_keep(c))}
        return made(arg(greatest), [c.tensor()], attributes=attributes)

    return row


def _accumulated(op: str) -> OperationRow:
    return lambda c: made(
        array_ops.accumulated(op, _axis(c), c.flag("reverse"), c.flag("exclusive")), [c.tensor()]
    )


# --------------------------------------------------------------------------- movements


def _tile(c: OperationCall) -> Made:
    repeats = c.get(1, ("repeats", "multiples"))
    if not isinstance(repeats, (list, tuple)) or repeats[0] != 1:
        raise UnsupportedError("it repeats the batch axis")
    return made(array_ops.tiled([int(n) for n in repeats]), [c.tensor()])


def _repeat(c: OperationCall) -> Made:
    times = c.get(1, ("repeats",))
    if not isinstance(times, int):
        raise UnsupportedError("it repeats each element another number of times")
    rule = array_ops.selected(
        _axis(c, 2), None, lambda n: [i for i in range(n) for _ in range(times)]
    )
    return made(rule, [c.tensor()])


def _flip(c: OperationCall) -> Made:
    return made(array_ops.selected(_axis(c), None, lambda n: list(range(n))[::-1]), [c.tensor()])


def _roll(c: OperationCall) -> Made:
    shift = c.get(1, ("shift",))
    if isinstance(shift, (list, tuple)):
        (shift,) = shift
    rule = array_ops.selected(_axis(c, 2), None, lambda n: [(i - shift) % n for i in range(n)])
    return made(rule, [c.tensor()])


def _take(c: OperationCall) -> Made:
    places = c.get(1, ("indices",))
    if isinstance(places, TensorRef):
        raise UnsupportedError("it takes elements at computed positions")
    array = np.asarray(places)
    if array.ndim != 1:
        raise UnsupportedError("it takes elements at a table of positions")
    axis = c.get(2, ("axis",), None)
    if axis is None:
        axis = c.get(3, ("axis",), 0)
    listed = [int(n) for n in array]
    return made(array_ops.selected(int(axis), listed, lambda n: listed), [c.tensor()])


def _pad(c: OperationCall) -> Made:
    pads = c.get(1, ("pad_width", "paddings"))
    mode = str(c.get(2, ("mode",), "constant")).lower()
    filling = c.get(3, ("constant_values",), None)
    if mode not in ("constant", "reflect", "symmetric") or not isinstance(pads, (list, tuple)):
        raise UnsupportedError(f"padding of the kind {mode!r} is not computed")
    pairs = [(int(pair[0]), int(pair[1])) for pair in pads]
    return made(array_ops.padded(pairs, mode, float(filling or 0)), [c.tensor()])


def _swap(c: OperationCall) -> Made:
    first, second = int(c.get(1, ("axis1",))), int(c.get(2, ("axis2",)))

    def order(rank: int) -> list[int]:
        axes = list(range(rank))
        axes[first % rank], axes[second % rank] = axes[second % rank], axes[first % rank]
        return axes

    return made(array_ops.permuted(order), [c.tensor()])


def _move(c: OperationCall) -> Made:
    source, target = c.get(1, ("source",)), c.get(2, ("destination",))
    pairs = [
        [int(n) for n in (part if isinstance(part, (list, tuple)) else [part])]
        for part in (source, target)
    ]
    return made(array_ops.permuted(lambda rank: _moved(rank, *pairs)), [c.tensor()])


def _moved(rank: int, source: list[int], target: list[int]) -> list[int]:
    marked = np.moveaxis(np.empty(tuple(range(1, rank + 1)), np.int8), source, target)
    return [size - 1 for size in marked.shape]


def _expand(c: OperationCall) -> Made:
    wanted = c.get(1, ("shape",))
    if not isinstance(wanted, (list, tuple)):
        raise UnsupportedError("its shape is computed")
    return made(array_ops.expanded(list(wanted)), [c.tensor()])


def _split(c: OperationCall) -> Made:
    keras = "indices_or_sections" in c.kwargs or c.keras
    parts = c.get(1, ("indices_or_sections", "num_or_size_splits"))
    axis = _axis(c, 2, 0)
    if isinstance(parts, int):
        count = parts
    else:
        parts = [int(n) for n in parts]
        count = len(parts) + 1 if keras else len(parts)
    tensor = c.get(0, ("value", "x", "ary"))
    return made(array_ops.split(axis, parts, keras), [tensor], count=count)


def _unstack(c: OperationCall) -> Made:
    axis, number = c.get(2, ("axis",), 0), c.get(1, ("num",), None)
    rule = array_ops.unstacked(int(axis), -1 if number is None else int(number))
    return made(rule, [c.get(0, ("value", "x"))])


def _slice(c: OperationCall) -> Made:
    begin, size = c.get(1, ("begin", "start_indices")), c.get(2, ("size", "shape"))
    if not all(isinstance(part, (list, tuple)) for part in (begin, size)) or begin[0] != 0:
        raise UnsupportedError("it slices the batch axis")
    parts = tuple(
        (int(b), None if n == -1 else int(b) + int(n), None)
        for b, n in zip(begin[1:], size[1:], strict=True)
    )
    return shape.Slice(parts=parts), [c.tensor()]


def _normalize(c: OperationCall) -> Made:
    if c.get(2, ("order",), 2) != 2 and c.keras:
        raise UnsupportedError("only the norm of order 2 normalizes")
    axes = c.axes(1, -1)
    assert axes is not None
    return norm.UnitNormalization(axis=axes if len(axes) > 1 else axes[0]), [c.tensor()]


def _strided(c: OperationCall) -> Made:
    """tf.strided_slice: bits of a mask say which bounds are left out."""
    begin, end = c.get(1, ("begin",)), c.get(2, ("end",))
    steps = c.get(3, ("strides",), None) or [1] * len(begin)
    bits = {name: int(c.kwargs.get(f"{name}_mask") or 0) for name in _BOUNDS}
    if bits["ellipsis"] or bits["new_axis"] or not all(map(_whole, (begin, end, steps))):
        raise UnsupportedError("a slice with these masks or with computed bounds is not computed")
    parts: list[Any] = []
    for n, (first, last, step) in enumerate(zip(begin, end, steps, strict=True)):
        left_out = {name for name, mask in bits.items() if mask >> n & 1}
        bounds = (None if "begin" in left_out else first, None if "end" in left_out else last, step)
        parts.append(first if "shrink_axis" in left_out else bounds)
    if parts[0] not in ((None, None, 1), (0, None, 1)):
        raise UnsupportedError("it slices the batch axis")
    return shape.Slice(parts=tuple(parts[1:])), [c.get(0, ("input_", "input", "x"))]


_BOUNDS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")


def _whole(given: Any) -> bool:
    return isinstance(given, (list, tuple)) and all(isinstance(n, int) for n in given)


def _top(c: OperationCall) -> Made:
    k = c.get(1, ("k",), 1)
    if not isinstance(k, int):
        raise UnsupportedError("how many it takes is computed")
    return made(top_k, [c.get(0, ("input", "x")), [k]], count=2)


def _sorted(c: OperationCall) -> Made:
    axis = _axis(c, 1, -1)
    falling = str(c.get(2, ("direction",), "ASCENDING")).upper() == "DESCENDING"

    def rule(node: OnnxNode) -> Formula:
        x = node.input(0)
        number = array_ops.inner(axis, len(x.shape))
        count = constant("k", np.array([x.shape[number]]))
        attributes = {"axis": number, "largest": int(falling)}
        every = OnnxNode("TopK", 13, attributes, [x, count], [node.dtype(), "int64"])
        formula = top_k(every)
        return Formula(formula.shapes[:1], formula.dtypes[:1], formula.write)

    return made(rule, [c.get(0, ("values", "x"))])


def _turned(c: OperationCall) -> Made:
    def order(rank: int) -> list[int]:
        return [*range(rank - 2), rank - 1, rank - 2]

    return made(array_ops.permuted(order), [c.get(0, ("a", "x"))])


def _one_hot(c: OperationCall) -> Made:
    depth = int(c.get(1, ("num_classes", "depth")))
    on, off = c.kwargs.get("on_value"), c.kwargs.get("off_value")
    axis = int(c.kwargs.get("axis", -1) or -1)
    rule = array_ops.one_hot(depth, axis, 1.0 if on is None else on, off or 0.0)
    return made(rule, [c.get(0, ("x", "indices"))])


# --------------------------------------------------------------------------- activations


def _with(kind: Callable[..., Layer], **parameters: float) -> OperationRow:
    """A layer whose numbers come by position or by name."""

    def row(c: OperationCall) -> Made:
        values = {
            name: float(c.get(1 + n, (name,), default))
            for n, (name, default) in enumerate(parameters.items())
        }
        return kind(**values), [c.tensor()]

    return row


def _log_softmax(c: OperationCall) -> Made:
    axes = c.axes(1, -1)
    return activation.LogSoftmax(axis=-1 if axes is None else axes), [c.tensor()]


def _sparsemax(c: OperationCall) -> Made:
    axes = c.axes(1, -1)
    return sparse.Sparsemax(axis=-1 if axes is None else axes[0]), [c.tensor()]


def _glu(c: OperationCall) -> Made:
    return made(array_ops.gated(_axis(c, 1, -1)), [c.tensor()])


def _both_signs(c: OperationCall) -> Made:
    return made(array_ops.both_signs(_axis(c, 1, -1)), [c.tensor()])


def _cast(c: OperationCall) -> Made:
    """To whole numbers rounds towards 0, to truth is 1 where there is no 0."""
    dtype = c.get(1, ("dtype",), None)
    if isinstance(dtype, Mapping):
        config = dtype.get("config")
        dtype = config.get("name") if isinstance(config, Mapping) else dtype.get("value")
    kind = str(dtype)
    if "int" in kind:

        def whole(x: Any) -> Any:
            return call("sign", x) * call("floor", call("abs", x))

        return ops.Operation(function=whole, operands=(None,)), [c.tensor()]
    if "bool" in kind:

        def truth(x: Any) -> Any:
            return call("not", call("equal", x, 0))

        return ops.Operation(function=truth, operands=(None,)), [c.tensor()]
    return activation.Linear(), [c.tensor()]


def _truth(x: Any) -> Any:
    return call("not", call("equal", x, 0))


ARRAY: dict[str, OperationRow] = {
    "var": _variance(False), "variance": _variance(False), "reduce_variance": _variance(False),
    "std": _variance(True), "logsumexp": _log_sum_exp, "norm": _norm,
    "euclidean_norm": _reduced("sum", lambda x: x * x, lambda x: call("sqrt", x)),
    "any": _reduced("max", _truth), "all": _reduced("min", _truth), "average": _average,
    "count_nonzero": _reduced("sum", _truth), "argmax": _arg(True), "argmin": _arg(False),
    "cumsum": _accumulated("sum"), "cumprod": _accumulated("prod"),
    "tile": _tile, "repeat": _repeat, "flip": _flip, "reverse": _flip, "roll": _roll,
    "take": _take, "gather": _take, "pad": _pad, "swapaxes": _swap, "moveaxis": _move,
    "broadcast_to": _expand, "split": _split, "unstack": _unstack, "slice": _slice,
    "zeros_like": lambda c: made(array_ops.filled(0), [c.tensor()]),
    "ones_like": lambda c: made(array_ops.filled(1), [c.tensor()]),
    **MATRICES,
    "normalize": _normalize, "l2_normalize": _normalize,
    "strided_slice": _strided, "top_k": _top, "sort": _sorted, "matrix_transpose": _turned,
    "one_hot": _one_hot, "cast": _cast, "log_softmax": _log_softmax, "sparsemax": _sparsemax,
    "crelu": _both_signs,
    "glu": _glu, "celu": _with(activation.CELU, alpha=1.0),
    "soft_shrink": _with(activation.SoftShrink, threshold=0.5),
    "hard_shrink": _with(activation.HardShrink, threshold=0.5),
    "threshold": _with(activation.Threshold, threshold=0.0, default_value=0.0),
    "squareplus": _with(activation.Squareplus, b=4.0),
    "sparse_sigmoid": lambda c: (sparse.SparseSigmoid(), [c.tensor()]),
}  # fmt: skip
