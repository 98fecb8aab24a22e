"""Sizes that operations compute with: ``tf.shape`` and what is made of it.

A size is known once the shapes of the tensors are, so that it is no tensor of the network: it is
worked out then, and stands as a number among the arguments of the operation that takes it. The
number of samples is not known: two numbers stand for it, and what differs with them depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from netsheet.errors import UnsupportedError
from netsheet.layer import Layer, Shape
from netsheet.layers import ops
from netsheet.read.keras.graph import CallConfig, LayerConfig, TensorRef
from netsheet.read.keras.ops import OperationCall, make, normal_name

SAMPLES = 1_000_003, 1_000_033  # stand for the number of samples
MOST = 8  # sizes that an operation gives as outputs of its own

Shapes = Mapping[TensorRef, Shape]


@dataclass(frozen=True, eq=False)
class Size:
    """A number or a list of numbers; ``sources`` are the tensors whose shapes it needs."""

    sources: tuple[TensorRef, ...]
    compute: Callable[[Shapes, int], Any]


def makes_sizes(layer: LayerConfig, call: CallConfig, known: Mapping[TensorRef, Size]) -> bool:
    """True for an operation whose results are sizes."""
    op = normal_name(layer)
    if op in _FILLED:
        return False
    return op in _OF_TENSORS or (bool(known) and all(ref in known for ref in call.refs()))


def sizes_of(layer: LayerConfig, call: CallConfig, known: Mapping[TensorRef, Size]) -> list[Size]:
    """The results of such an operation.

    Raises:
        UnsupportedError: it is not known how it computes with sizes.
    """
    op = normal_name(layer)
    if op in _OF_TENSORS:
        tensor = OperationCall(layer, call).tensor()
        if tensor not in known:
            return [Size((tensor,), lambda shapes, batch: _OF_TENSORS[op](shapes, tensor, batch))]
    rule = _RULES.get(op)
    if rule is None:
        raise UnsupportedError(f"the operation {op!r} with the size of a tensor is not computed")
    sources = tuple(dict.fromkeys(s for ref in call.refs() for s in known[ref].sources))

    def compute(shapes: Shapes, batch: int) -> Any:
        numbers = {ref: known[ref].compute(shapes, batch) for ref in call.refs()}
        filled = CallConfig(_filled(call.args, numbers), _filled(dict(call.kwargs), numbers))
        return rule(OperationCall(layer, filled))

    if op != "unstack":
        return [Size(sources, compute)]
    return [
        Size(sources, lambda shapes, batch, n=n: compute(shapes, batch)[n])  # type: ignore[misc]
        for n in range(MOST)
    ]


def with_sizes(
    name: str, layer: LayerConfig, call: CallConfig, known: Mapping[TensorRef, Size]
) -> tuple[Layer, list[TensorRef]]:
    """An operation some of whose arguments are sizes, and the tensors that it takes.

    Behind its own tensors stand those whose shapes decide.
    """
    own = [ref for ref in dict.fromkeys(call.refs()) if ref not in known]
    sources = [s for ref in call.refs() if ref in known for s in known[ref].sources]
    tensors = list(dict.fromkeys([*own, *sources]))
    op = normal_name(layer)

    def choose(shapes: Sequence[Shape]) -> tuple[Layer, list[int]]:
        if any(None in shape for shape in shapes):
            raise UnsupportedError("it computes with sizes that are open: give an input")
        given = dict(zip(tensors, shapes, strict=True))
        numbers = {ref: _settled(size, given) for ref, size in known.items()}
        args, kwargs = _filled(call.args, numbers), _filled(dict(call.kwargs), numbers)
        if op in _FILLED:
            return _made_filled(op, OperationCall(layer, CallConfig(args, kwargs))), [0]
        alone = [
            part for part in (*call.args, *call.kwargs.values()) if isinstance(part, TensorRef)
        ]
        if any(ref in numbers and numbers[ref] is None for ref in alone):
            raise UnsupportedError("it computes with the number of samples")
        made, refs = make(name, op, layer, CallConfig(args, kwargs))
        return made, [tensors.index(ref) for ref in refs]

    return ops.BySizes(choose=choose), tensors


def _settled(size: Size, shapes: Shapes) -> Any:
    """A size as numbers, the number of samples as None."""
    first, second = (np.asarray(size.compute(shapes, batch)) for batch in SAMPLES)
    if first.shape != second.shape:
        raise UnsupportedError("it computes with the number of samples")

    def number(one: Any, other: Any) -> Any:
        if one == other:
            return int(one) if float(one).is_integer() else float(one)
        if (one, other) == SAMPLES:
            return None
        raise UnsupportedError("it computes with the number of samples")

    flat = [number(one, other) for one, other in zip(first.flat, second.flat, strict=True)]
    return flat[0] if not first.shape else _nested(flat, first.shape)


def _nested(flat: Sequence[Any], shape: Sequence[int]) -> Any:
    table = np.empty(len(flat), object)
    table[:] = flat
    return table.reshape(shape).tolist()


def _filled(tree: Any, numbers: Mapping[TensorRef, Any]) -> Any:
    """Arguments with numbers in place of sizes."""
    if isinstance(tree, TensorRef):
        return numbers.get(tree, tree)
    if isinstance(tree, (list, tuple)):
        return type(tree)(_filled(part, numbers) for part in tree)
    if isinstance(tree, Mapping):
        return {key: _filled(part, numbers) for key, part in tree.items()}
    if isinstance(tree, slice):
        return slice(*(_filled(part, numbers) for part in (tree.start, tree.stop, tree.step)))
    return tree


# --------------------------------------------------------------------------- what is computed


def _whole_shape(shapes: Shapes, ref: TensorRef, batch: int) -> Any:
    if None in shapes[ref]:
        raise UnsupportedError("it computes with sizes that are open: give an input")
    return np.array([batch, *shapes[ref]], np.int64)


_OF_TENSORS: dict[str, Callable[[Shapes, TensorRef, int], Any]] = {
    "shape": _whole_shape,
    "size": lambda shapes, ref, batch: _whole_shape(shapes, ref, batch).prod(),
    "rank": lambda shapes, ref, batch: len(shapes[ref]) + 1,
    "ndim": lambda shapes, ref, batch: len(shapes[ref]) + 1,
}

_FILLED = ("zeros", "ones", "fill")


def _made_filled(op: str, c: OperationCall) -> Layer:
    """A tensor of one number for each sample."""
    dims = c.get(0, ("shape", "dims"))
    if not isinstance(dims, (list, tuple)):  # Keras 2 writes the list as so many arguments
        dims = [part for part in c.args if part is None or isinstance(part, int)]
    if (dims[:1] != [None] and dims[:1] != (None,)) or None in dims[1:]:
        raise UnsupportedError("it makes a tensor without the batch axis")
    number = {"zeros": 0.0, "ones": 1.0}.get(op, c.kwargs.get("value"))
    if not isinstance(number, (int, float)):
        raise UnsupportedError("what it fills with is computed")
    return ops.Filled(shape=tuple(int(n) for n in dims[1:]), number=float(number))


def _parts(c: OperationCall) -> list[Any]:
    """The parts of a list, which Keras 2 writes as so many arguments."""
    listed = c.get(0, ("values", "arrays", "xs", "x"))
    several = isinstance(listed, (list, tuple)) and not isinstance(listed, np.ndarray)
    return list(listed) if several and len(c.args) < 2 else list(c.args)


def _item(c: OperationCall) -> Any:
    key = c.get(1, ("slice_spec", "key"))
    array = np.asarray(c.get(0, ("tensor", "x")))
    for part in reversed(key if isinstance(key, (list, tuple)) else [key]):
        array = array[part]
    return array


def _pair(function: Callable[..., Any]) -> Callable[[OperationCall], Any]:
    names = ("x", "x1", "a"), ("y", "x2", "b")
    return lambda c: function(*(np.asarray(c.get(n, names[n])) for n in range(2)))


def _alone(function: Callable[..., Any]) -> Callable[[OperationCall], Any]:
    names = ("x", "input", "input_tensor", "value", "tensor", "values", "t")
    return lambda c: function(np.asarray(c.get(0, names)))


def _joined(c: OperationCall) -> Any:
    return np.concatenate([np.atleast_1d(np.asarray(part)) for part in _parts(c)])


def _chosen(c: OperationCall) -> Any:
    where, x, y = c.get(0, ("condition",)), c.get(1, ("x", "x1")), c.get(2, ("y", "x2"))
    return np.where(np.asarray(where) != 0, np.asarray(x), np.asarray(y))


def _picked(c: OperationCall) -> Any:
    return np.asarray(c.get(0, ("params", "x")))[np.asarray(c.get(1, ("indices",)))]


_RULES: dict[str, Callable[[OperationCall], Any]] = {
    "get_item": _item, "concatenate": _joined, "where": _chosen, "gather": _picked,
    "take": _picked, "stack": lambda c: np.stack([np.asarray(part) for part in _parts(c)]),
    "cast": lambda c: c.get(0, ("x",)), "copy": lambda c: c.get(0, ("x", "value", "input")),
    "unstack": lambda c: list(np.asarray(c.get(0, ("value", "x")))),
    "expand_dims": _alone(np.atleast_1d), "squeeze": _alone(np.squeeze),
    "reshape": lambda c: np.reshape(c.get(0, ("tensor", "x")), c.get(1, ("shape", "newshape"))),
    "shape": lambda c: np.array(np.shape(c.get(0, ("x", "input")))),
    "size": _alone(np.size), "rank": _alone(np.ndim), "ndim": _alone(np.ndim),
    "prod": _alone(np.prod), "sum": _alone(np.sum), "max": _alone(np.max), "min": _alone(np.min),
    "any": _alone(np.any), "all": _alone(np.all),
    "ones_like": _alone(np.ones_like), "zeros_like": _alone(np.zeros_like),
    "sqrt": _alone(np.sqrt), "rsqrt": _alone(lambda x: 1 / np.sqrt(x)), "neg": _alone(np.negative),
    "square": _alone(np.square), "log": _alone(np.log), "floor": _alone(np.floor),
    "ceil": _alone(np.ceil), "abs": _alone(np.abs), "reciprocal": _alone(lambda x: 1 / x),
    "add": _pair(np.add), "subtract": _pair(np.subtract), "multiply": _pair(np.multiply),
    "divide": _pair(np.divide), "floor_divide": _pair(np.floor_divide), "mod": _pair(np.mod),
    "maximum": _pair(np.maximum), "minimum": _pair(np.minimum), "power": _pair(np.power),
    "less": _pair(np.less), "less_equal": _pair(np.less_equal), "greater": _pair(np.greater),
    "greater_equal": _pair(np.greater_equal), "equal": _pair(np.equal),
    "not_equal": _pair(np.not_equal),
}  # fmt: skip


# --------------------------------------------------------------------------- rows of a product


def rows_of(layer: LayerConfig, call: CallConfig) -> TensorRef | None:
    """What ``reshape(x, [-1, n])`` puts in rows, one under the other, samples too."""
    if normal_name(layer) != "reshape":
        return None
    c = OperationCall(layer, call)
    target = c.get(1, ("shape", "newshape"))
    if isinstance(target, (list, tuple)) and len(target) == 2 and target[0] == -1:
        return c.tensor()
    return None


def takes_rows(layer: LayerConfig, users: Sequence[str | None]) -> bool:
    """True for the product of ``K.dot``: of rows with a constant, its result reshaped again.

    Along the last axis it is the same without the rows; the axes in front stay where they are.
    """
    if normal_name(layer) != "matmul" or set(users) != {"reshape"} or len(layer.calls) != 1:
        return False
    c = OperationCall(layer, layer.calls[0])
    plain = not (c.flag("transpose_a") or c.flag("transpose_b"))
    return plain and np.ndim(c.get(1, ("b", "x2"))) == 2 and len(layer.calls[0].refs()) == 1


def without_rows(call: CallConfig, rows: Mapping[TensorRef, TensorRef]) -> CallConfig:
    """The call with the tensors themselves in place of their rows."""
    if not rows:
        return call
    return replace(call, args=_filled(call.args, rows), kwargs=_filled(dict(call.kwargs), rows))
