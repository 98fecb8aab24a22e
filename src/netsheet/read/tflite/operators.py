"""Operators of TensorFlow Lite that ONNX has too, as layers over ONNX's own formulas."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from netsheet.equations import Expr, Weight
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer, default_axes
from netsheet.operators.base import Operator, Rule
from netsheet.operators.elementwise import same
from netsheet.operators.reduction import reduction as reduced
from netsheet.read.onnx.table import RULES
from netsheet.read.tflite.file import StoredTensor
from netsheet.read.tflite.operands import TfliteNode, fused_activation

OPSET = 13
Row = Callable[[TfliteNode], Layer]


def operator(
    node: TfliteNode,
    op: str,
    inputs: Sequence[int | None] | None = None,
    attributes: Mapping[str, Any] = {},
    settings: Mapping[str, Sequence[int]] = {},
    activation: int = 0,
    rule: Rule | None = None,
) -> Operator:
    """The layer of ONNX's ``op`` over some of the operands, in ONNX's order.

    ``settings`` are further inputs, lists of whole numbers that decide what is computed.
    """
    chosen = range(len(node.inputs)) if inputs is None else inputs
    operands: list[int | str | None] = []
    weights: dict[str, Weight] = {}
    fixed: dict[str, Weight] = {}
    for index in chosen:
        tensor = None if index is None else node.input(index)
        if tensor is None:
            operands.append(None)
        elif tensor.values is None:
            _check_batch(node, tensor)
            operands.append(sum(isinstance(known, int) for known in operands))
        else:
            assert index is not None
            label = f"constant{index}" if weights else "constant"
            weights[label] = node.weight(index, label, default_axes(len(tensor.shape)))
            operands.append(label)
    for label, numbers in settings.items():
        array = np.asarray(numbers, np.int64)
        name = f"{node.name}/{label}"
        fixed[label] = Weight(name, ("in",), array.shape, label=label, values=array)
        operands.append(label)
    for tensor in node.outputs:
        _check_batch(node, tensor)
    count = sum(isinstance(known, int) for known in operands)
    return Operator(
        rule=rule or RULES[op],
        op=op,
        opset=OPSET,
        attributes=dict(attributes),
        operands=tuple(operands),
        dtypes=("float32",) * len(operands),
        stripped=(True,) * count,
        batch=True,
        count=len(node.outputs),
        weights=weights,
        settings=fixed,
        activation=fused_activation(activation, node.op),
        channels_last=True,
        type_name=_words(node.op),
    )


def _check_batch(node: TfliteNode, tensor: StoredTensor) -> None:
    if tensor.shape[:1] not in ((1,), (-1,)):
        raise UnsupportedError(
            f"{node.op} with the shape {tensor.shape} does not keep the batch in front: that is "
            "not computed"
        )


def _words(op: str) -> str:
    """``RESIZE_NEAREST_NEIGHBOR`` as ``ResizeNearestNeighbor``."""
    return "".join(word.capitalize() for word in op.split("_"))


def plain(op: str) -> Row:
    """An operator without options that matter."""
    return lambda node: operator(node, op)


def real(op: str) -> Row:
    """An operator of real numbers; in whole ones TensorFlow Lite computes it otherwise."""

    def row(node: TfliteNode) -> Layer:
        _check_real(node)
        return operator(node, op)

    return row


def real_formula(function: Callable[..., Expr]) -> Row:
    """The same for a formula of the operands' elements."""

    def row(node: TfliteNode) -> Layer:
        _check_real(node)
        return operator(node, "Identity", rule=same(function))

    return row


def _check_real(node: TfliteNode) -> None:
    if node.whole:
        raise UnsupportedError(f"{node.op} of quantised numbers is not computed")


def matrix_product(node: TfliteNode) -> Layer:
    """BATCH_MATMUL of real matrices as they are, not transposed."""
    _check_real(node)
    options = node.options("BatchMatMulOptions")
    if options.AdjX() or options.AdjY():
        raise UnsupportedError(f"{node.op} of a transposed matrix is not computed")
    return operator(node, "MatMul")


def arithmetic(op: str, kind: str) -> Row:
    """Two operands, then an activation."""
    return lambda node: operator(
        node, op, activation=_code(node, kind) if node.operator.options(kind) is not None else 0
    )


def _code(node: TfliteNode, kind: str) -> int:
    return int(node.options(kind).FusedActivationFunction())


def concatenation(node: TfliteNode) -> Layer:
    """CONCATENATION along one axis, counted with the batch."""
    options = node.options("ConcatenationOptions")
    axis = inner_axis(options.Axis(), len(node.outputs[0].shape), node)
    return operator(
        node, "Concat", None, {"axis": axis}, activation=options.FusedActivationFunction()
    )


def inner_axis(axis: int, rank: int, node: TfliteNode) -> int:
    """An axis behind the batch, counted from the front with it."""
    if not -rank <= axis < rank or axis % rank == 0:
        raise UnsupportedError(f"{node.op} along axis {axis} of {rank} axes is not computed")
    return axis % rank


def padding(node: TfliteNode) -> Layer:
    """PAD and PADV2: a border of one number, which is 0 where none is given."""
    before, after = _borders(node)
    given = [0, 2] if node.has(2) else [0]
    made = operator(node, "Pad", given, settings={"pads": [*before, *after]})
    if node.has(2):
        if node.constant(2).size != 1:
            raise UnsupportedError(f"{node.op} with {node.constant(2).size} numbers to pad with")
        made.operands = (0, "pads", "constant")
    return made


def mirrored(node: TfliteNode) -> Layer:
    """MIRROR_PAD without the edge itself (REFLECT)."""
    if node.options("MirrorPadOptions").Mode() != 0:
        raise UnsupportedError(f"{node.op} that repeats the edge (SYMMETRIC) is not computed")
    before, after = _borders(node)
    return operator(node, "Pad", [0], {"mode": "reflect"}, {"pads": [*before, *after]})


def _borders(node: TfliteNode) -> tuple[list[int], list[int]]:
    pads = node.constant(1)
    if pads.shape != (len(node.input(0).shape), 2) or (pads < 0).any() or pads[0].any():
        raise UnsupportedError(f"{node.op} by {pads.tolist()} is not computed")
    return [int(n) for n in pads[:, 0]], [int(n) for n in pads[:, 1]]


def transposition(node: TfliteNode) -> Layer:
    """TRANSPOSE; the batch stays in front."""
    order = [int(n) for n in node.constant(1).reshape(-1)]
    if sorted(order) != list(range(len(node.input(0).shape))) or order[0] != 0:
        raise UnsupportedError(f"{node.op} to the order {order} is not computed")
    return operator(node, "Transpose", [0], {"perm": order})


def repetition(node: TfliteNode) -> Layer:
    """TILE: the whole tensor several times along each axis but the batch."""
    times = [int(n) for n in node.constant(1).reshape(-1)]
    if len(times) != len(node.input(0).shape) or times[0] != 1 or min(times) < 1:
        raise UnsupportedError(f"{node.op} by {times} is not computed")
    return operator(node, "Tile", [0], settings={"repeats": times})


def reduction(op: str) -> Row:
    """A reduction along stored axes."""

    def row(node: TfliteNode) -> Layer:
        rank = len(node.input(0).shape)
        axes = sorted({inner_axis(int(n), rank, node) for n in node.constant(1).reshape(-1)})
        keep = int(node.options("ReducerOptions").KeepDims())
        if not axes:
            return operator(node, "Identity", [0])
        attributes = {"axes": axes, "keepdims": keep}
        if op == "ReduceSum":
            return operator(node, op, [0], {"keepdims": keep}, {"axes": axes})
        if op != "ReduceMean":
            return operator(node, op, [0], attributes)
        # as a sum that is scaled, which is how TensorFlow Lite rounds it
        points = math.prod(node.input(0).shape[axis] for axis in axes)
        mean = reduced("sum", lambda x: x, lambda x: x / points)
        return operator(node, op, [0], attributes, rule=mean)

    return row


def prelu(node: TfliteNode) -> Layer:
    """PRELU: a stored slope for each channel."""
    return operator(node, "PRelu")
