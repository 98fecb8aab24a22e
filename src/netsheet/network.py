"""A trained network: layers with their weights, and the calls that connect them.

The ground of the house: readers make it, every other room takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from netsheet.equations import FLOAT, Equation, Quantisation, Tensor, multiply_accumulates
from netsheet.errors import FormatError, NetsheetError, UnsupportedError, UsageError, choices
from netsheet.layer import Layer, Shape, default_axes
from netsheet.nodes import MAX_TABLES, LayerCall, Node, ValueRef, made_node, shown, with_states

__all__ = [
    "Entry", "KeptState", "LayerCall", "Network", "Node", "Source", "SummaryRow", "ValueRef",
    "shown",
]  # fmt: skip


@dataclass(frozen=True)
class Source:
    """An input of the model; ``shape`` is without batch, ``axes`` empty for the usual names.

    ``whole``: in the file it has no batch axis either. ``quantisation``: what its whole numbers
    stand for; without one, whole numbers are computed with as real ones.
    """

    name: str
    shape: Shape
    axes: tuple[str, ...] = ()
    dtype: str = "float32"
    whole: bool = False
    quantisation: Quantisation | None = None


@dataclass(frozen=True, eq=False)
class KeptState:
    """A value that lives from run to run: zeros at first, then what the run before has left.

    ``before`` is read as an input is; ``after`` is the output that the next run reads as it.
    """

    before: Tensor
    after: Tensor
    result: ValueRef


@dataclass(frozen=True, eq=False)
class Entry:
    """A line of the summary: a layer, or a nested model with the lines in it."""

    name: str
    type: str
    key: str | None  # of the call whose output is shown; None where nothing calls the layer
    layer: Layer | None = None  # None for a nested model
    inside: tuple[Entry, ...] = ()
    source: Source | None = None  # for an InputLayer


@dataclass(frozen=True)
class SummaryRow:
    """What the summary says of a layer; shapes have the batch axis in front, as None."""

    name: str
    type: str
    output_shape: tuple[int | None, ...] | None
    params: int
    macs: int | None
    depth: int = 0
    refusal: str | None = None
    trainable: int = 0  # of the parameters, those that a training changes
    details: Mapping[str, Any] = field(default_factory=dict)  # kernel size, activation ...
    inputs: tuple[str, ...] = ()  # what it is called with, by key; of several calls all


@dataclass(eq=False)
class Network:
    """A network read from a file.

    ``layers`` has every layer once, by name (``encoder/conv1`` inside a nested model); ``nodes``
    every call in the order of computation. Tensors have no batch axis; arrays that go in or come
    out of methods do.
    """

    name: str
    calls: Sequence[LayerCall]
    sources: Sequence[Source]
    results: Sequence[ValueRef]
    entries: Sequence[Entry] = ()
    aliases: Mapping[str, ValueRef] = field(default_factory=dict)  # a nested model's own outputs
    path: Path = Path()
    format: str = ""
    sha256: str = ""
    framework_version: str = ""
    notes: list[str] = field(default_factory=list)
    training_config: Mapping[str, Any] | None = None
    # where each weight lies in the file: weight name -> dataset path
    stored: Mapping[str, str] = field(default_factory=dict)
    extra_layers: Sequence[Layer] = ()  # with weights, but called by nothing
    # reads the file again with these sizes of its inputs, where they decide what is computed
    reread: Callable[[Mapping[str, Sequence[int]]], Network] | None = None
    deciding: Sequence[str] = ()  # values that decide a shape, but are computed
    # what each result is called outside; empty where that is its tensor's name
    result_names: Sequence[str] = ()
    class_names: Sequence[str] = ()  # what the file calls its classes
    # how the pictures that it was trained with were prepared, where the file says
    preparation: Mapping[str, Any] | None = None
    whole: Sequence[str] = ()  # names of results that have no batch axis in the file
    # of an explicit network: which inputs are states, by name, and the output that follows each
    state_names: Mapping[str, str] = field(default_factory=dict)
    batch_size: int | None = None  # of samples that are computed at a time, where that is fixed
    original: Any = None  # what the file's own runtime needs to compute it, where there is one

    inputs: list[Tensor] = field(init=False)
    outputs: list[Tensor] = field(init=False)
    nodes: list[Node] = field(init=False)
    states: list[KeptState] = field(init=False)  # of stateful layers, in order
    # What rooms above keep with the network and lose with it, as its inference sessions.
    memo: dict[str, Any] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        values: dict[ValueRef, Tensor] = {}
        self.inputs, self.nodes = [], []
        channels_first = any(call.layer.channels_first for call in self.calls)
        for source in self.sources:
            axes = source.axes or default_axes(len(source.shape))
            if channels_first and not source.axes and len(axes) > 2:
                axes = ("channel", *(axis for axis in axes if axis != "channel"))
            kind = FLOAT if source.quantisation is None else source.dtype
            sizes: Any = source.shape
            tensor = Tensor(source.name, axes, sizes, dtype=kind, quantisation=source.quantisation)
            values[ValueRef(source.name)] = tensor
            self.inputs.append(tensor)
        refused: dict[str, str] = {}
        tables = 0
        self.states, self._explicit_calls = [], list(self.calls)
        for number, given in enumerate(self.calls):
            call, before = with_states(given, values, self.calls)
            node = made_node(call, values, refused)
            self._keep_states(node, before)
            self._explicit_calls[number] = call
            self.nodes.append(node)
            if node.refusal:
                refused[node.key] = node.refusal
            values.update({ValueRef(call.key, i): t for i, t in enumerate(node.outputs)})
            tables += node.tables
            if tables > MAX_TABLES:
                raise FormatError(f"its layers hold tables of more than {MAX_TABLES:,} positions")
        self.outputs = [values[ref] for ref in self.results if ref in values]
        self._values = values

    def _keep_states(self, node: Node, before: Sequence[Tensor]) -> None:
        if node.outputs:
            after = node.outputs[len(node.outputs) - len(before) :]
            first = len(node.outputs) - len(before)
            self.states += [
                KeptState(old, new, ValueRef(node.key, first + n))
                for n, (old, new) in enumerate(zip(before, after, strict=True))
            ]

    @property
    def explicit(self) -> Network:
        """The same network with its states as further inputs and outputs, in this order.

        What runs it hands each run's states to the next; itself where it keeps none.
        """
        if not self.states:
            return self
        sources = [
            Source(state.before.name, state.before.shape, state.before.axes)
            for state in self.states
        ]
        names = [*self.result_names, *(s.after.name for s in self.states)]
        return replace(
            self,
            calls=self._explicit_calls,
            sources=[*self.sources, *sources],
            results=[*self.results, *(state.result for state in self.states)],
            result_names=names if self.result_names else (),
            state_names={state.before.name: state.after.name for state in self.states},
        )

    # ------------------------------------------------------------------ structure

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """Every layer by its name."""
        found = {call.layer.name: call.layer for call in self.calls}
        return found | {layer.name: layer for layer in self.extra_layers}

    @property
    def bound(self) -> bool:
        """True if no size is open, so that equations can be written."""
        return all(None not in tensor.shape for tensor in self.inputs)

    def bind(self, shapes: Mapping[str, Sequence[int]] | Sequence[Sequence[int]]) -> Network:
        """The same model for inputs of these shapes (without batch)."""
        if not isinstance(shapes, Mapping):
            names = [source.name for source in self.sources]
            shapes = dict(zip(names, shapes, strict=True))
        if self.reread is not None and not self.bound:
            return self.reread(shapes)
        sources = []
        for source in self.sources:
            shape = tuple(shapes.get(source.name, source.shape))
            if len(shape) != len(source.shape) or any(
                old is not None and old != new for old, new in zip(source.shape, shape, strict=True)
            ):
                raise NetsheetError(
                    f"input {source.name!r} takes the shape {shown(source.shape)}, "
                    f"not {shown(shape)}"
                )
            sources.append(replace(source, shape=shape))
        return replace(self, sources=sources)

    def named_outputs(self) -> list[tuple[str, Tensor]]:
        """The outputs, each with its name outside: in an ONNX file that of the graph's output."""
        names = list(self.result_names)
        if len(names) != len(self.outputs):
            names = [tensor.name for tensor in self.outputs]
        return list(zip(names, self.outputs, strict=True))

    def node(self, key: str) -> Node:
        """The call of that key, or the only call of the layer of that name."""
        found = self._by_key.get(key)
        if found is None and key in self.aliases:
            return self.node(self.aliases[key].key)
        if found is None:
            raise UsageError(
                f"there is no layer {key!r}{choices(key, (n.key for n in self.nodes))}"
            )
        return found

    @cached_property
    def _by_key(self) -> dict[str, Node]:
        """Calls by key, and by the name of a layer its first one."""
        first: dict[str, Node] = {}
        for node in self.nodes:
            first.setdefault(node.layer.name, node)
        return first | {node.key: node for node in self.nodes}

    def node_equations(self, node: Node) -> list[Equation]:
        """The equations of one call."""
        if node.refusal:
            raise UnsupportedError(f"layer {node.key!r} is not computed: {node.refusal}")
        if not self.bound:
            open_ = ", ".join(f"{t.name} {shown(t.shape)}" for t in self.inputs)
            raise UnsupportedError(
                f"the input has open sizes ({open_}): give an input or bind() the model to sizes"
            )
        return node.layer.equations(node.inputs, node.outputs)

    def equations(self, until: str | None = None) -> list[Equation]:
        """The equations of all calls in order (of those that ``until`` needs)."""
        return [eq for node in self.computed(until) for eq in self.node_equations(node)]

    def computed(self, until: str | None = None) -> list[Node]:
        """The calls that are computed; with ``until`` those that its outputs need."""
        if until is None:
            return [node for node in self.nodes if node.refusal is None]
        last = self.node(until)
        needed, result = set(last.inputs), [last]
        for node in reversed(self.nodes[: self.nodes.index(last)]):
            if needed & set(node.outputs):
                needed |= set(node.inputs)
                needed |= {t.mask for t in node.inputs if t.mask is not None}
                result.append(node)
        return result[::-1]

    def tensors(self) -> dict[str, Tensor]:
        """The output tensors of all computed calls by key, in order."""
        return {
            tensor.name: tensor
            for node in self.nodes
            if node.refusal is None
            for tensor in node.outputs
        }

    def alias_tensors(self) -> dict[str, Tensor]:
        """What a nested model returns, by the nested model's key."""
        return {key: self._values[ref] for key, ref in self.aliases.items() if ref in self._values}

    # ------------------------------------------------------------------ summary

    def summary(self) -> list[SummaryRow]:
        """The table of layers, those of nested models one level deeper."""
        called: dict[str, list[Node]] = {}
        for node in self.nodes:
            called.setdefault(node.layer.name, []).append(node)
        return list(self._rows(self.entries, called, 0))

    def _rows(
        self, entries: Sequence[Entry], called: Mapping[str, Sequence[Node]], depth: int
    ) -> Iterator[SummaryRow]:
        for entry in entries:
            if entry.source is not None:
                shape: tuple[int | None, ...] | None = (None, *entry.source.shape)
                yield SummaryRow(entry.name, entry.type, shape, 0, 0, depth)
                continue
            inside = list(self._rows(entry.inside, called, depth + 1))
            layers = list(_layers(entry))
            names = dict.fromkeys(layer.name for layer in layers)
            nodes = [node for name in names for node in called.get(name, ())]
            yield SummaryRow(
                entry.name,
                entry.type,
                self._output_shape(entry),
                sum(layer.params for layer in layers),
                self._macs(nodes),
                depth,
                next((node.refusal for node in nodes if node.refusal), None),
                sum(layer.trainable_params for layer in layers),
                entry.layer.details if entry.layer is not None else {},
                self._read_by(entry, called),
            )
            yield from inside

    def _output_shape(self, entry: Entry) -> tuple[int | None, ...] | None:
        tensor = self._values.get(self.aliases.get(entry.key or "", ValueRef(entry.key or "")))
        return None if tensor is None else (None, *tensor.shape)

    def _read_by(self, entry: Entry, called: Mapping[str, Sequence[Node]]) -> tuple[str, ...]:
        """The keys of what a layer's calls read, in order; states that it keeps are its own."""
        if entry.layer is None:
            return ()
        nodes = called.get(entry.layer.name, ())
        own = {state.before.name for state in self.states}
        names = (tensor.name for node in nodes for tensor in node.inputs)
        return tuple(dict.fromkeys(name for name in names if name not in own))

    def _macs(self, nodes: Sequence[Node]) -> int | None:
        if not self.bound:
            return None
        return sum(
            multiply_accumulates(self.node_equations(node)) for node in nodes if not node.refusal
        )

    @property
    def params(self) -> int:
        """Number of stored values of all layers, each layer once."""
        return sum(layer.params for layer in set(self.layers.values()))

    @property
    def trainable_params(self) -> int | None:
        """Those of them that a training changes; None where the file's format does not say."""
        if self.original is not None:
            return None
        return sum(layer.trainable_params for layer in set(self.layers.values()))

    @cached_property
    def classes(self) -> int | None:
        """How many classes the only output tells apart; None where its values are no classes."""
        from netsheet.classes import class_count

        if len(self.outputs) != 1 or not self.bound:
            return None
        return class_count(
            self.inputs, self.outputs[0], self._last_equations(), self.training_config
        )

    @cached_property
    def gives_probabilities(self) -> bool:
        """True if a softmax or a sigmoid makes the values of the only output."""
        from netsheet.classes import probabilities

        if len(self.outputs) != 1 or not self.bound:
            return False
        return probabilities(self.outputs[0], self._last_equations())

    def _last_equations(self) -> list[Equation]:
        equations: list[Equation] = []
        for node in reversed(self.nodes):  # only the last layers can say: usually the last one
            if node.refusal is None and len(equations) < 64:
                equations += node.layer.meaning(node.inputs, node.outputs)
        return equations

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<{kind} {self.name!r}: {len(self.layers)} layers, {self.params:,} parameters>"


def _layers(entry: Entry) -> Iterator[Layer]:
    """The layers of an entry, those of nested models included, each once."""
    seen: dict[Layer, None] = {}

    def visit(part: Entry) -> None:
        if part.layer is not None:
            seen[part.layer] = None
        for child in part.inside:
            visit(child)

    visit(entry)
    yield from seen
