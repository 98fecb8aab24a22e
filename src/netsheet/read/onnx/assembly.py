"""From ONNX nodes to calls of layers; what is known beforehand is worked out at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.equations import FloatArray, Tensor
from netsheet.equations.evaluation import evaluate
from netsheet.errors import FormatError, NetsheetError, UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.opaque import Opaque
from netsheet.network import LayerCall, ValueRef
from netsheet.nodes import MAX_TABLES
from netsheet.operators.base import NeedsConstantError, OnnxNode, Operator, axes_of, pointwise
from netsheet.operators.batched import Batched
from netsheet.operators.numbers import check
from netsheet.read.onnx.class_names import CLASS_NAMES
from netsheet.read.onnx.file import array_of
from netsheet.read.onnx.folding import (
    as_dtype,
    constant_value,
    filled,
    is_tabled,
    moved,
    work_of,
)
from netsheet.read.onnx.layers import LAYERS, is_layer
from netsheet.read.onnx.message import attribute_value, input_names, names_read
from netsheet.read.onnx.operands import operands_of, weight_of
from netsheet.read.onnx.sequences import SEQUENCES
from netsheet.read.onnx.table import REASONS, RULES
from netsheet.read.onnx.values import Computed, KnownValue, Several, Uncomputed, Value

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

# What an operator says of attributes and inputs that no check foresaw.
_MALFORMED = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
# Nodes of which nothing is left to compute, whatever else their operators do.
TAKEN_APART = {**SEQUENCES, **CLASS_NAMES}
MAX_WORK = 1 << 25  # elements that are evaluated to work them out
FREE_KNOWN = 1 << 24  # elements of the values worked out while reading, in any file
KNOWN_PER_BYTE = 8  # and for each byte of the file


@dataclass(eq=False)
class GraphAssembly:
    """Calls in the order of the graph's nodes; ``values`` by ONNX's names.

    With ``batch``, values without an axis of size 1 in front that ONNX counts as the batch.
    """

    opsets: Mapping[str, int]
    batch: bool
    values: dict[str, Value] = field(default_factory=dict)
    calls: list[LayerCall] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)
    deciding: list[str] = field(default_factory=list)  # computed values that decide a shape
    tensors: dict[str, str] = field(default_factory=dict)  # tensor -> the value that it is
    class_names: list[str] = field(default_factory=list)
    known_left: int = FREE_KNOWN
    work_left: int = MAX_WORK
    tables: int = 0
    _keys: set[str] = field(default_factory=set)
    _used: set[str] = field(default_factory=set)

    def add_graph(self, graph: GraphProto) -> None:
        """All nodes of a graph whose inputs are in ``values``."""
        for tensor in graph.initializer:
            self.values.setdefault(tensor.name, KnownValue(array_of(tensor), tensor.name))
        self._used |= names_read(graph)
        if not self.calls:
            computed = (value for value in self.values.values() if isinstance(value, Computed))
            self._keys.update(value.ref.key for value in computed)
        for node in graph.node:
            try:
                self._add(node)
            except _MALFORMED as error:
                raise FormatError(
                    f"node {node.name or node.op_type!r} ({node.op_type}) is malformed: "
                    f"{type(error).__name__}: {str(error)[:200]}"
                ) from error

    def result(self, name: str) -> ValueRef | None:
        """Where an output of the graph comes from; a stored one gets a layer that says it."""
        value = self.values.get(name)
        if isinstance(value, KnownValue):
            self._constant(name, value)
            value = self.values[name]
        if isinstance(value, Several):
            key = f"{name}/sequence"
            reason = "a sequence is no output that netsheet computes"
            self.calls.append(
                LayerCall(key, Opaque(name=key, type_name="Sequence", reason=reason), ())
            )
            return ValueRef(key)
        return None if value is None or isinstance(value, KnownValue) else value.ref

    # ------------------------------------------------------------------ nodes

    def add_node(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> list[Value]:
        """A node that the graph does not have itself; its outputs' values."""
        from onnx import helper

        self._used.update(outputs)
        self._add(helper.make_node(op, inputs, outputs, name=outputs[0], **attributes))
        return [self.values[name] for name in outputs]

    def with_axes(
        self,
        op: str,
        source: str,
        outputs: Sequence[str],
        name: str,
        numbers: Sequence[int],
        **attributes: Any,
    ) -> list[Value]:
        """A node with integers that are an attribute before version 13, an input since."""
        if self.opsets.get("", 1) < 13:
            return self.add_node(op, [source], outputs, **{name: list(numbers)}, **attributes)
        place = f"{outputs[0]}/{name}"
        self.values[place] = KnownValue(np.array(numbers, np.int64), place)
        return self.add_node(op, [source, place], outputs, **attributes)

    def _add(self, proto: NodeProto) -> None:
        inputs = [self._value(name, proto) if name else None for name in proto.input]
        attributes = {entry.name: attribute_value(entry) for entry in proto.attribute}
        if proto.op_type in TAKEN_APART:
            found = TAKEN_APART[proto.op_type](self, proto, attributes, inputs)
            if found is not None:
                self.values[proto.output[0]] = found
                return
        if proto.op_type == "If" and isinstance(inputs[0], KnownValue):
            chosen = "then_branch" if inputs[0].array.any() else "else_branch"
            self._inline(proto, attributes[chosen])
            return
        known = self._known(proto, attributes, inputs)
        if known is not None:
            for name, array in zip(proto.output, known, strict=False):
                self.values[name] = KnownValue(array, name)
            return
        key = self._key(proto)
        try:
            self._call(proto, key, attributes, inputs)
        except UnsupportedError as error:
            if isinstance(error, NeedsConstantError):
                self.deciding.append(proto.input[error.index])
            self._refuse(proto, key, inputs, error)

    def _value(self, name: str, proto: NodeProto) -> Value:
        if name not in self.values:
            raise FormatError(f"node {proto.name or proto.op_type!r} reads {name!r}, which no "
                              "node before it makes")  # fmt: skip
        return self.values[name]

    def _inline(self, proto: NodeProto, branch: GraphProto) -> None:
        """The branch of an If whose condition is known."""
        self.add_graph(branch)
        for name, entry in zip(proto.output, branch.output, strict=True):
            self.values[name] = self._value(entry.name, proto)

    def _key(self, proto: NodeProto) -> str:
        wanted = proto.name or next(iter(proto.output), proto.op_type) or proto.op_type
        key, number = wanted, 1
        while key in self._keys:
            number += 1
            key = f"{wanted}_{number}"
        self._keys.add(key)
        return key

    def _count(self, proto: NodeProto) -> int:
        """The number of outputs, without those at the end that nothing reads."""
        read = [n for n, name in enumerate(proto.output) if name in self._used]
        return max(read, default=0) + 1

    def version(self, proto: NodeProto) -> int:
        """The version of the operator set that a node is of."""
        # com.microsoft has but one version, and means the same by the names that both have
        domain = "" if proto.domain in ("ai.onnx", "com.microsoft") else proto.domain
        return self.opsets.get(domain, 1)

    # ------------------------------------------------------------------ values known beforehand

    def _known(
        self, proto: NodeProto, attributes: Mapping[str, Any], inputs: Sequence[Value | None]
    ) -> list[FloatArray] | None:
        """The outputs, if they follow from stored values and shapes."""
        if proto.op_type in ("Shape", "Size") and isinstance(inputs[0], (KnownValue, Computed)):
            first = inputs[0]
            shape = first.array.shape if isinstance(first, KnownValue) else first.shape
            if proto.op_type == "Size":
                return [np.array(math.prod(shape), np.int64)]
            start, end = attributes.get("start", 0), attributes.get("end")
            return [np.array(shape[start:end], np.int64)]
        if proto.op_type == "CastLike" and isinstance(inputs[1], Computed):
            # of the second input only the type matters
            inputs = [inputs[0], KnownValue(np.zeros((), inputs[1].dtype), proto.input[1])]
        given = [value for value in inputs if value is not None]
        if not all(isinstance(value, KnownValue) for value in given):
            return None
        if proto.op_type == "Constant":
            return [constant_value(attributes)]
        arrays = [value.array if isinstance(value, KnownValue) else None for value in inputs]
        if proto.op_type == "ConstantOfShape" and arrays[0] is not None:
            self._take(proto, tuple(int(size) for size in arrays[0]))
            return [filled(attributes, arrays[0])]
        if proto.op_type == "NonZero" and arrays[0] is not None:
            return [np.array(np.nonzero(arrays[0]), np.int64)]
        if proto.op_type not in RULES:
            return None
        try:
            return self._fold(proto, attributes, arrays)
        except UnsupportedError:
            return None  # the layer made of it says why

    def _fold(
        self,
        proto: NodeProto,
        attributes: Mapping[str, Any],
        arrays: Sequence[FloatArray | None],
    ) -> list[FloatArray]:
        weights = [
            None if array is None else weight_of(f"{n}", str(n), array)
            for n, array in enumerate(arrays)
        ]
        dtypes = [None if array is None else str(array.dtype.name) for array in arrays]
        for dtype in dtypes:
            check(dtype or "bool", proto.op_type)
        node = OnnxNode(
            proto.op_type, self.version(proto), attributes, weights, dtypes, self._count(proto)
        )
        formula = RULES[proto.op_type](node)
        for shape in formula.shapes:
            self._take(proto, shape)
        same = moved(proto.op_type, attributes, arrays[0], formula.shapes[0])
        if same is not None:
            return [same]
        tensors = [Tensor(str(n), axes_of(shape), shape) for n, shape in enumerate(formula.shapes)]
        empty = {tensor: np.zeros(tensor.shape) for tensor in tensors if not tensor.size}
        # what has no elements has nothing to evaluate
        equations = formula.write(tensors) if len(empty) < len(tensors) else []
        self.work_left -= work_of(equations)
        if self.work_left < 0:
            raise UnsupportedError("working it out beforehand takes too long")
        values = evaluate([eq for eq in equations if eq.target not in empty], empty) | empty
        return [
            as_dtype(values[tensor], dtype)
            for tensor, dtype in zip(tensors, formula.dtypes, strict=True)
        ]

    def _take(self, proto: NodeProto, shape: Sequence[int]) -> None:
        """Counts the elements of a value that is worked out."""
        self.known_left -= math.prod(shape)
        if self.known_left < 0:
            raise FormatError(
                f"node {proto.name or proto.op_type!r} makes a constant of the shape "
                f"{tuple(shape)}, which is too large for this file"
            )

    # ------------------------------------------------------------------ layers

    def _call(
        self,
        proto: NodeProto,
        key: str,
        attributes: Mapping[str, Any],
        inputs: Sequence[Value | None],
    ) -> None:
        self._check(proto, inputs)
        computed = [value for value in inputs if isinstance(value, Computed)]
        layer, dtypes = self._layer(proto, key, attributes, inputs)
        layer.name, layer.type_name = key, proto.op_type
        tensors = [value.tensor for value in computed]
        try:
            signatures = layer.infer(tensors)
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise FormatError(f"node {key!r} ({proto.op_type}) is malformed: {error}") from error
        if is_tabled(proto.op_type, attributes):
            self.tables += max((size or 0 for _, shape in signatures for size in shape), default=0)
            if self.tables > MAX_TABLES:
                raise FormatError(f"its nodes need tables of more than {MAX_TABLES:,} positions")
        self.calls.append(LayerCall(key, layer, tuple(value.ref for value in computed)))
        cuts = [all(value.stripped for value in computed)] * len(signatures)
        if isinstance(layer, Operator):
            cuts = layer.cuts(layer.formula(tensors).shapes)
        for n, (name, (axes, shape)) in enumerate(zip(proto.output, signatures, strict=False)):
            if not name:
                continue  # made all the same, but nothing reads it
            label = key if len(signatures) == 1 else f"{key}[{n}]"
            sizes = tuple(size or 0 for size in shape)
            tensor = Tensor(label, axes, sizes)
            self.values[name] = Computed(ValueRef(key, n), tensor, dtypes[n], cuts[n])
            self.tensors[label] = name

    def _check(self, proto: NodeProto, inputs: Sequence[Value | None]) -> None:
        """Refuses what is not computed, before anything is made of it."""
        for value in inputs:
            if isinstance(value, Several):
                raise UnsupportedError(f"{proto.op_type} of a sequence is not computed")
            if isinstance(value, Uncomputed):
                raise UnsupportedError("")  # the network says what it needs
            if value is not None:
                check(value.dtype, proto.op_type)
        if proto.op_type in REASONS:
            raise UnsupportedError(REASONS[proto.op_type])
        if proto.op_type not in RULES:
            where = f" of {proto.domain!r}" if proto.domain not in ("", "ai.onnx") else ""
            raise UnsupportedError(f"the ONNX operator {proto.op_type}{where} is not computed")

    def _layer(
        self,
        proto: NodeProto,
        key: str,
        attributes: Mapping[str, Any],
        inputs: Sequence[Value | None],
    ) -> tuple[Layer, list[str]]:
        """The layer, and the element types of its outputs."""
        version = self.version(proto)
        given = operands_of(proto, key, version, inputs)
        self.stored |= given.stored
        dtypes = tuple(given.dtypes)
        count = self._count(proto)
        node = OnnxNode(proto.op_type, version, attributes, given.tensors, dtypes, count)
        if is_layer(node) and len(given.stripped) == 1 and isinstance(inputs[0], Computed):
            RULES[proto.op_type](node)  # says what does not fit
            layer = LAYERS[proto.op_type](node, key)
            layer.name, layer.type_name = key, proto.op_type
            for label, n in (("kernel", 1), ("bias", 2)):
                if label in layer.weights and isinstance(known := inputs[n], KnownValue):
                    self.stored[f"{key}/{label}"] = known.name
            whole = not inputs[0].stripped
            chosen = Batched(inner=layer, weights=layer.weights) if whole else layer
            return chosen, [inputs[0].dtype]
        operator = Operator(
            name=key,
            rule=RULES[proto.op_type],
            op=proto.op_type,
            opset=version,
            attributes=attributes,
            operands=tuple(given.sources),
            dtypes=dtypes,
            stripped=tuple(given.stripped),
            batch=self.batch,
            count=node.outputs,
            weights=given.weights,
        )
        formula = operator.rule(node)
        if any(0 in shape for shape in formula.shapes):
            raise UnsupportedError(f"{proto.op_type} gives no elements here")
        if attributes.get("classlabels_strings"):
            self.class_names = list(attributes["classlabels_strings"])
        operator.keep_weights(formula)
        return operator, list(formula.dtypes)

    def _constant(self, name: str, value: KnownValue) -> None:
        """A layer without inputs for an output that is stored."""
        weight = weight_of(f"{name}/value", "value", value.array)
        operator = Operator(
            name=name,
            type_name="Constant",
            rule=lambda node: pointwise(
                node.input(0).shape, check(node.dtype(), "Constant"), lambda at: node.input(0)[at]
            ),
            op="Constant",
            opset=self.opsets.get("", 1),
            operands=("value",),
            dtypes=(value.dtype,),
            weights={"value": weight},
        )
        self.calls.append(LayerCall(name, operator, ()))
        (signature,) = operator.infer([])
        tensor = Tensor(name, signature.axes, weight.shape)
        self.tensors[name] = name
        self.values[name] = Computed(ValueRef(name), tensor, check(value.dtype, "Constant"), False)

    def _refuse(
        self,
        proto: NodeProto,
        key: str,
        inputs: Sequence[Value | None],
        error: NetsheetError,
    ) -> None:
        names = input_names(proto, self.version(proto))
        layer = Opaque(name=key, type_name=proto.op_type, reason=str(error))
        for n, value in enumerate(inputs):
            if isinstance(value, KnownValue) and value.array.dtype.kind not in "OSU":
                layer.weights[names[n]] = weight_of(f"{key}/{names[n]}", names[n], value.array)
        refs = tuple(value.ref for value in inputs if isinstance(value, (Computed, Uncomputed)))
        self.calls.append(LayerCall(key, layer, refs))
        for n, name in enumerate(proto.output):
            self.values[name] = Uncomputed(ValueRef(key, n))
