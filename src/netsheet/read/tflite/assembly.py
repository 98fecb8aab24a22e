"""Operators and tensors of a .tflite file, connected as a network."""

from __future__ import annotations

import hashlib
import math
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from netsheet.equations import FLOAT, Tensor
from netsheet.errors import FormatError, NetsheetError, UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.opaque import Opaque
from netsheet.network import Entry, LayerCall, Network, Source, ValueRef
from netsheet.quantise.layer import QuantisedLayer
from netsheet.read.tflite.axes import input_axes
from netsheet.read.tflite.dilations import with_dilations
from netsheet.read.tflite.file import StoredModel, StoredOperator, StoredTensor, read_content
from netsheet.read.tflite.operands import ACTIVATIONS, TfliteNode, kind_of, real_values
from netsheet.read.tflite.original import TfliteOriginal
from netsheet.read.tflite.sizes import Array, WorkedOutSizes
from netsheet.read.tflite.table import TABLE

# What works along the last axis, or on every value alone, whatever axes stand before.
FOLDED = (
    "FULLY_CONNECTED", "QUANTIZE", "DEQUANTIZE", "RELU", "RELU6", "TANH", "LOGISTIC", "ELU", "GELU",
    "LEAKY_RELU", "HARD_SWISH", "SOFTMAX",
)  # fmt: skip
OPEN = "the file leaves sizes open that are worked out as it runs"

# Operands that only say the shape of the output, which the file says as well.
SHAPES = {"RESHAPE": (1,), "TRANSPOSE_CONV": (0,), "EXPAND_DIMS": (1,)}

# What a row raises where the file contradicts itself.
_CONTRADICTIONS = (
    struct.error, ValueError, LookupError, ArithmeticError, TypeError, AttributeError,
    AssertionError,
)  # fmt: skip


def load_tflite(path: str | Path) -> Network:
    """The network in a TensorFlow Lite file.

    Raises:
        FormatError: the file is damaged.
        UnsupportedError: several subgraphs, or an input that is not understood.
    """
    path = Path(path)
    return replace(network_of(path.read_bytes(), path.stem), path=path)


def network_of(content: bytes, name: str) -> Network:
    """The network in the bytes of a TensorFlow Lite file; errors as :func:`load_tflite`."""
    model = with_dilations(read_content(content))
    assembly = _Assembly(model)
    assembly.add_all()
    whole = any(tensor.quantised for tensor in model.tensors if tensor.values is None)
    network = Network(
        name=name,
        calls=assembly.calls,
        sources=assembly.sources,
        results=[assembly.refs[n] for n in model.outputs if n in assembly.refs],
        entries=assembly.entries(),
        format=f"TensorFlow Lite schema {model.version}, {'quantised' if whole else 'float'}",
        sha256=hashlib.sha256(content).hexdigest(),
        framework_version=str(model.version),
        stored=assembly.stored,
        original=TfliteOriginal(
            content, assembly.known_numbers(), model.doubt or (OPEN if assembly.corrected else "")
        ),
    )
    lost = [model.tensors[n].name for n in model.outputs if n not in assembly.refs]
    if lost:
        network.notes.append(f"Its output {lost[0]!r} depends on no input, and is left out.")
    stored = any(tensor.quantised for tensor in model.tensors if tensor.values is not None)
    if stored and not whole:
        network.notes.append(
            "Its weights are whole numbers, its activations are not: it is computed in real "
            "numbers, with what the weights stand for. TensorFlow Lite rounds the activations of "
            "such files to whole numbers on the way, and differs by that."
        )
    return network


class _Assembly:
    """Layers and calls, made operator by operator."""

    def __init__(self, model: StoredModel) -> None:
        self.model = model
        self.calls: list[LayerCall] = []
        self.sources: list[Source] = []
        self.refs: dict[int, ValueRef] = {}  # of tensors that are computed
        self.numbers: dict[str, int] = {}  # of tensors, by their names in the network
        self.stored: dict[str, str] = {}
        self.known: dict[int, StoredTensor] = {}  # computed from stored ones alone
        self.tensors = list(model.tensors)  # with the shapes that they turn out to have
        self.measured: dict[int, Tensor] = {}
        self.folded: set[int] = set()  # tensors whose first axis is the batch times another one
        self.corrected = False  # some shapes are not those that the file says
        self.sizes = WorkedOutSizes(model.operators, self._shape, self._values)
        self._names: set[str] = set()

    def add_all(self) -> None:
        """Inputs and operators, in the file's order."""
        for number in self.model.inputs:
            self._add_source(self.model.tensors[number])
        needed = _needed(self.model)
        for operator in self.model.operators:
            if operator in needed:
                self._add(operator)

    def entries(self) -> list[Entry]:
        """The lines of the summary."""
        inputs = [Entry(source.name, "Input", None, None, source=source) for source in self.sources]
        return [*inputs, *(Entry(c.key, c.layer.type, c.key, c.layer) for c in self.calls)]

    def known_numbers(self) -> dict[str, int]:
        """The numbers in the file of the network's tensors, of those that are the file's own."""
        return {name: n for name, n in self.numbers.items() if n not in self.model.moved}

    # ------------------------------------------------------------------ inputs

    def _add_source(self, tensor: StoredTensor) -> None:
        if tensor.number in self.refs:
            raise FormatError(f"tensor {tensor.name!r} is an input twice")
        shape = tensor.signature if len(tensor.signature) == len(tensor.shape) else tensor.shape
        if not shape or tensor.shape[0] not in (1, -1):
            raise UnsupportedError(
                f"input {tensor.name!r} has the shape {tensor.shape}: one sample at a time is read"
            )
        sizes = tuple(None if size < 1 else size for size in shape[1:])
        wide = tensor.quantised and tensor.dtype not in ACTIVATIONS  # what reads it is refused
        dtype, quantisation = (FLOAT, None) if wide else kind_of(tensor)
        name = self._unique(_plain(tensor.name) or "input")
        kind = tensor.dtype if dtype == FLOAT else dtype
        axes = input_axes(self.model, tensor.number, len(sizes))
        self.sources.append(Source(name, sizes, axes, kind, quantisation=quantisation))
        self.refs[tensor.number] = ValueRef(name)
        self.numbers[name] = tensor.number
        self.measured[tensor.number] = Tensor(name, axes, sizes)  # type: ignore[arg-type]

    # ------------------------------------------------------------------ operators

    def _add(self, operator: StoredOperator) -> None:
        inputs = [None if n < 0 else self._tensor(n) for n in operator.inputs]
        outputs = [self._sized(operator, self.tensors[n]) for n in operator.outputs]
        if unread := SHAPES.get(operator.name):  # the file says the shape of the output itself
            inputs = [
                None if n in unread and t is not None and t.values is None else t
                for n, t in enumerate(inputs)
            ]
        if operator.name == "DEQUANTIZE" and inputs[0] is not None and inputs[0].values is not None:
            known = real_values(inputs[0]).astype(np.float32)
            self.known[operator.outputs[0]] = replace(outputs[0], values=known)
            return
        for tensor in outputs:
            if tensor.number in self.refs or tensor.values is not None:
                raise FormatError(f"tensor {tensor.name!r} is filled twice")
        computed = [t for t in inputs if t is not None and t.values is None]
        missing = [tensor.name for tensor in computed if tensor.number not in self.refs]
        if missing:
            raise FormatError(f"{operator.name} reads {missing[0]!r}, which nothing has filled")
        name = self._unique(_layer_name(operator, inputs, outputs))
        node = TfliteNode(name, operator, inputs, outputs)
        layer = self._layer(node)
        layer.name = name
        for label, weight in layer.weights.items():
            if label in node.sources:
                self.stored[weight.name] = str(node.sources[label])
        refs = tuple(self.refs[tensor.number] for tensor in computed)
        self.calls.append(LayerCall(name, layer, refs))
        self._measure(layer, computed, outputs)
        for n, tensor in enumerate(outputs):
            self.refs[tensor.number] = ValueRef(name, n)
            self.numbers[layer.output_name(name, n, len(outputs))] = tensor.number

    def _tensor(self, number: int) -> StoredTensor:
        return self.known.get(number) or self.tensors[number]

    # ------------------------------------------------------------------ shapes

    def _shape(self, number: int) -> tuple[int, ...] | None:
        """The shape of a computed tensor, the batch of one sample included."""
        found = self.measured.get(number)
        if found is None or None in found.shape:
            return None
        return found.shape if number in self.folded else (1, *found.shape)

    def _values(self, number: int) -> Array | None:
        return self._tensor(number).values

    def _sized(self, operator: StoredOperator, output: StoredTensor) -> StoredTensor:
        """The output of a reshape in the shape that is worked out for it, if it is."""
        given = operator.inputs[0] if operator.inputs else -1
        shape = self._shape(given) if given >= 0 else None
        if shape is None or operator.name not in ("RESHAPE", "EXPAND_DIMS"):
            return output
        if output.shape[:1] == (1,) and math.prod(output.shape) == math.prod(shape):
            return output  # the file's own sizes fit, also where samples were spread for dilation
        try:
            wanted = self.sizes.of(operator.inputs[1]) if len(operator.inputs) > 1 else None
        except _CONTRADICTIONS:
            return output
        if wanted is None or not wanted.size:
            return output
        sizes = [int(size) for size in wanted.reshape(-1)]
        if operator.name == "EXPAND_DIMS":
            at = sizes[0] % (len(shape) + 1)
            sizes = [*shape[:at], 1, *shape[at:]]
        rest = math.prod(size for size in sizes if size != -1)
        if sizes.count(-1) == 1 and rest > 0 and math.prod(shape) % rest == 0:
            sizes = [math.prod(shape) // rest if size == -1 else size for size in sizes]
        if sizes[:1] != [1] and math.prod(sizes) == math.prod(shape):
            self.folded.add(output.number)  # of one sample: an axis of the batch stands before it
            sizes = [1, *sizes]
        return output if tuple(sizes) == output.shape else self._corrected(output, tuple(sizes))

    def _corrected(self, tensor: StoredTensor, shape: tuple[int, ...]) -> StoredTensor:
        self.corrected = True
        made = replace(tensor, shape=shape, signature=shape)
        self.tensors[tensor.number] = made
        return made

    def _measure(
        self, layer: Layer, inputs: list[StoredTensor], outputs: list[StoredTensor]
    ) -> None:
        """The shapes that a layer gives, which later operators read."""
        if any(tensor.number not in self.measured for tensor in inputs):
            return
        try:
            found = layer.infer([self.measured[tensor.number] for tensor in inputs])
        except (NetsheetError, *_CONTRADICTIONS):
            return  # it is refused where the network is put together
        for tensor, signature in zip(outputs, found, strict=False):
            sizes = tuple(size for size in signature.shape if size is not None)
            if len(sizes) < len(signature.shape):
                continue  # open
            self.measured[tensor.number] = Tensor(tensor.name, signature.axes, sizes)
            if (1, *sizes) != tensor.shape:
                self._corrected(tensor, (1, *sizes))

    def _layer(self, node: TfliteNode) -> Layer:
        try:
            self._check_folded(node)
            if node.op not in TABLE:
                called = node.operator.custom or node.op
                raise UnsupportedError(f"the operator {called} is not computed")
            inner = TABLE[node.op](node)
            if not node.whole:
                return inner
            kinds = [kind_of(tensor) for tensor in node.outputs]
        except NetsheetError as error:
            return self._refused(node, str(error))
        except _CONTRADICTIONS as error:
            return self._refused(node, f"its operands contradict each other: {error}")
        inner.name = node.name
        weights = inner.weights
        return QuantisedLayer(inner=inner, kinds=kinds, weights=dict(weights))

    def _check_folded(self, node: TfliteNode) -> None:
        """What counts axes from the batch on is not computed where that is folded into another."""
        given = [t.number for t in node.inputs if t is not None and t.number in self.folded]
        if not given or node.op == "RESHAPE":
            return
        if node.op not in FOLDED:
            raise UnsupportedError(f"{node.op} along the batch is not computed")
        self.folded |= {tensor.number for tensor in node.outputs}

    def _refused(self, node: TfliteNode, reason: str) -> Layer:
        shape = node.outputs[0].shape[1:] if node.outputs else ()
        sizes = tuple(None if size < 1 else size for size in shape)
        return Opaque(type_name=node.op, reason=reason, output_shape=sizes)

    def _unique(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name


def _needed(model: StoredModel) -> set[StoredOperator]:
    """The operators that the outputs depend on, those that only make shapes left out.

    Where no output depends on any, all of them.
    """
    makers: dict[int, StoredOperator] = {}
    for operator in model.operators:
        for number in operator.outputs:
            if number in makers:
                raise FormatError(f"tensor {model.tensors[number].name!r} is filled twice")
            makers[number] = operator
    pending = [number for number in model.outputs if number in makers]
    found: set[StoredOperator] = set()
    while pending:
        operator = makers[pending.pop()]
        if operator in found:
            continue
        found.add(operator)
        unread = SHAPES.get(operator.name, ())
        pending += [
            number
            for place, number in enumerate(operator.inputs)
            if number in makers and place not in unread
        ]
    return found or set(model.operators)


# The last part of a tensor's name where that is an operation of TensorFlow and no layer.
_OPERATIONS = re.compile(
    r"(BiasAdd|Conv2D|MatMul|depthwise|Relu6?|Tanh|Sigmoid|Softmax|MaxPool|AvgPool|Reshape|Pad|add"
    r"|concat|ReadVariableOp|Mean|LeakyRelu|Elu|FusedBatchNormV3|mul|sub|Add)\d*"
)


def _layer_name(
    operator: StoredOperator, inputs: list[StoredTensor | None], outputs: list[StoredTensor]
) -> str:
    """What Keras called the layer, where the file's names say so; else the operator."""
    kernel = inputs[1] if len(inputs) > 1 else None
    stored = [kernel.name] if kernel is not None and kernel.values is not None else []
    for text in (*stored, *(tensor.name for tensor in outputs)):
        parts = text.split(";")[0].split("/")
        while len(parts) > 1 and _OPERATIONS.fullmatch(parts[-1]):
            parts.pop()
            if len(parts) > 1 and not _OPERATIONS.fullmatch(parts[-1]):
                return _plain(parts[-1])
    return operator.name.lower()


def _plain(name: str) -> str:
    """An input's name without what a saved model adds to it."""
    return re.sub(r":\d+$", "", name.removeprefix("serving_default_")).strip() or "tensor"
