"""A Keras file as a Network: layers made, weights put in, calls connected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from netsheet.errors import FormatError, NetsheetError, UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.composite import Composite, InnerCall
from netsheet.layers.opaque import Opaque
from netsheet.network import Entry, LayerCall, Network, Source, ValueRef
from netsheet.read.keras.arguments import Arguments
from netsheet.read.keras.context import Context, Row
from netsheet.read.keras.graph import (
    FUNCTIONAL,
    SEQUENTIAL,
    CallConfig,
    GraphConfig,
    LayerConfig,
    TensorRef,
    class_of,
    parse_graph,
)
from netsheet.read.keras.inputs import (
    PRECISIONS,
    batch_size,
    other_precision,
    shape_read_by,
    sources,
)
from netsheet.read.keras.masks import LostMasks, carries_masks
from netsheet.read.keras.old_configs import modern
from netsheet.read.keras.order import ends, ordered_calls
from netsheet.read.keras.regularizers import constraints, regularizers
from netsheet.read.keras.seen_through import unwrapped
from netsheet.read.keras.stored import KerasFile
from netsheet.read.keras.table import ALWAYS, RENAMED, TABLE
from netsheet.read.keras.training import at_random, refusal, stands_still, trains
from netsheet.read.keras.wiring import mask_operations, wired
from netsheet.read.limits import MAX_CALLS, MAX_INPUTS, MAX_NESTING, MAX_STEPS
from netsheet.regularizers import ACTIVITY, Regularizer

if TYPE_CHECKING:
    from netsheet.read.keras.operations import Operations

REGISTERED: dict[str, Row] = {}

_ROUNDS = (
    "it rounds as 8-bit integers would, for quantisation-aware training; save the model as it was "
    "before quantize_apply, and let netsheet quantise"
)
_OPAQUE = {
    "ClusterWeights": "it clusters its weights in training; save the model after strip_clustering",
    "Lambda": "it is a Lambda layer: its code is not run",
    "QuantizeLayer": _ROUNDS,
    "QuantizeWrapper": _ROUNDS,
    "QuantizeWrapperV2": _ROUNDS,
    "StringLookup": "it works on strings",
    "TextVectorization": "it works on strings",
}


def format_of(file: KerasFile) -> str:
    """The kind of file, with the version of Keras: ``Keras 2.15.0 HDF5``."""
    kind = {"h5": "HDF5", "keras": ".keras", "weights": "HDF5 weights"}[file.kind]
    return f"Keras {file.keras_version} {kind}"


@dataclass
class Assembly:
    """A model in the making."""

    major: int
    layers: dict[str, Layer] = field(default_factory=dict)
    calls: list[LayerCall] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    aliases: dict[str, ValueRef] = field(default_factory=dict)
    first_calls: dict[str, str] = field(default_factory=dict)  # scoped name -> key
    unclaimed: list[Layer] = field(default_factory=list)  # what is stored and no layer has
    training: bool = False  # the calls being made stand in a model that is set to training
    still: bool = False  # or to training=False
    called: int = 0
    given: int = 0
    masks: LostMasks = field(default_factory=LostMasks)

    # ------------------------------------------------------------------ layers

    def make_layers(self, graph: GraphConfig, scope: str, depth: int = 0) -> None:
        """Every layer of the graph and of the graphs in it, by scoped name."""
        if depth > MAX_NESTING:
            raise FormatError(f"more than {MAX_NESTING} models lie in each other")
        for config in graph.layers:
            name = scope + config.name
            if config.graph is not None:
                self.make_layers(config.graph, name + "/", depth + 1)
            elif config.class_name != "InputLayer" and not config.is_operation:
                self.layers[name] = make_layer(name, config.class_name, config.config, self.major)

    def refuse_unbuilt(self) -> None:
        """Layers whose weights the file does not have are shown only."""
        for layer in self.layers.values():
            if layer.weight_axes() and not layer.weights and not layer.reason:
                layer.reason = "the file stores no weights for it: it was never built"

    # ------------------------------------------------------------------ calls

    def inline(
        self, graph: GraphConfig, scope: str, keys: str, arguments: Sequence[ValueRef]
    ) -> list[ValueRef]:
        """The calls of a graph whose inputs are ``arguments``; returns its outputs."""
        if graph.sequential:
            return self._chain(graph, scope, keys, arguments)
        values: dict[TensorRef, ValueRef] = {}
        operations = _operations(graph)
        for ref, value in zip(graph.inputs, arguments, strict=False):
            values[TensorRef(ref.layer, 0, 0)] = value
        for made in ordered_calls(graph, self.major):
            layer = made.layer
            key = keys + layer.name + (f"#{made.number}" if len(layer.calls) > 1 else "")
            for ref in made.call.refs():
                if ref not in values:
                    raise FormatError(
                        f"layer {layer.name!r} needs the output number {ref.tensor} of "
                        f"{ref.layer!r}, which does not exist"
                    )
            outputs = self._call(layer, scope, key, made.call, values, operations, made.number)
            for i, output in enumerate(outputs):
                values[TensorRef(layer.name, made.number, i)] = output
        results = []
        for ref in ends(graph, self.major):
            if ref not in values:
                raise FormatError(f"the output {ref.layer!r} (call {ref.node}) is not computed")
            results.append(values[ref])
        return results

    def _chain(
        self, graph: GraphConfig, scope: str, keys: str, arguments: Sequence[ValueRef]
    ) -> list[ValueRef]:
        values = list(arguments)
        operations = _operations(graph)
        for layer in graph.layers:
            if layer.class_name == "InputLayer":
                continue
            given = {TensorRef("", 0, i): ref for i, ref in enumerate(values)}
            call = CallConfig(tuple(given))
            values = self._call(layer, scope, keys + layer.name, call, given, operations)[:1]
        return values

    def _call(
        self,
        layer: LayerConfig,
        scope: str,
        key: str,
        call: CallConfig,
        values: Mapping[TensorRef, ValueRef],
        operations: Operations | None = None,
        number: int = 0,
    ) -> list[ValueRef]:
        """One call of a layer or nested model; returns references to all its outputs."""
        self.called += 1
        self.given += len(call.refs())
        if self.called > MAX_CALLS:
            raise FormatError(f"the model calls its layers more than {MAX_CALLS:,} times")
        if self.given > MAX_INPUTS:
            raise FormatError(f"the calls of its layers have more than {MAX_INPUTS:,} inputs")
        if layer.graph is not None:
            given = [values[ref] for ref in call.refs()]
            above = self.training, self.still
            self.training = trains(call, self.training, self.major)
            self.still = stands_still(call, self.still, self.major)
            outputs = self.inline(layer.graph, f"{scope}{layer.name}/", key + "/", given)
            self.training, self.still = above
            for i, output in enumerate(outputs):
                alias = key if len(outputs) == 1 else f"{key}[{i}]"
                self.aliases[alias] = output
                self.first_calls.setdefault(scope + layer.name, alias)
            return outputs
        name = scope + layer.name
        outputs = [ValueRef(key, i) for i in range(MAX_OUTPUTS)]
        if layer.is_operation and operations is not None:
            found = operations.made(name, layer, number, call)
            if found is None:
                return outputs  # sizes, which are no tensors of the network
            made, refs = found
            self.layers.setdefault(name, made)
        else:
            try:
                if operations is not None:
                    operations.refuse_sizes(call)
                made, refs = wired(self.layers[name], call)
            except UnsupportedError as error:
                taken = call.refs() if operations is None else operations.tensors(call)
                made, refs = Opaque(reason=str(error)), taken
                made.weights = self.layers[name].weights
            if trains(call, self.training, self.major):
                made = replace(made, reason=made.reason or refusal(layer.class_name, layer.config))
            if stands_still(call, self.still, self.major) and not made.still:
                made = replace(made, still=True)
            made.name, made.type_name = name, layer.class_name
        inputs = tuple(values[ref] for ref in refs)
        made = self.masks.seen(made, inputs, outputs, call.masked)
        carried = carries_masks(layer.class_name, layer.is_operation, self.major)
        self.calls.append(LayerCall(key, made, inputs, carried))
        self.first_calls.setdefault(name, key)
        return outputs

    # ------------------------------------------------------------------ result

    def model(self, graph: GraphConfig, file: KerasFile, paths: dict[str, str]) -> Network:
        """The finished model."""
        notes = list(file.notes)
        inputs = sources(graph)
        if inputs is None:
            inputs = self._inferred(graph, notes)
        if inputs is None:
            notes.append("The model was never built: it has no input shape and no weights.")
            results: list[ValueRef] = []
        else:
            self.sources = inputs
            results = self.inline(graph, "", "", [ValueRef(source.name) for source in inputs])
        if precision := other_precision(graph):
            notes.append(
                f"The file asks for {precision}; netsheet computes in float32, so that Keras's own "
                f"outputs differ by about {PRECISIONS[precision]}."
            )
        called = {call.layer.name for call in self.calls}
        return Network(
            name=graph.name,
            calls=self.calls,
            sources=self.sources,
            results=results,
            entries=[
                *self._entries(graph, "", self.sources),
                *(Entry(layer.name, layer.type, None, layer) for layer in self.unclaimed),
            ],
            aliases=self.aliases,
            path=file.path,
            format=format_of(file),
            sha256=file.sha256,
            framework_version=file.keras_version,
            notes=notes,
            training_config=file.training_config,
            class_names=file.taught.class_names,
            preparation=file.taught.preparation,
            batch_size=batch_size(graph),
            stored=paths,
            extra_layers=[
                *(layer for name, layer in self.layers.items() if name not in called),
                *self.unclaimed,
            ],
        )

    def _inferred(self, graph: GraphConfig, notes: list[str]) -> list[Source] | None:
        """The input that the first layer's weights tell: Keras 2.2.0 left out the input layer."""
        first = self.layers.get(graph.layers[0].name) if graph.layers else None
        shape = None if first is None else shape_read_by(first)
        if first is None or shape is None:
            return None
        sizes = ", ".join("?" if size is None else str(size) for size in shape)
        notes.append(
            f"The file does not say the input's shape; ({sizes}) follows from the weights of "
            f"{first.name!r}."
        )
        return [Source(f"{first.name}_input", shape)]

    def _entries(
        self, graph: GraphConfig, scope: str, sources: Sequence[Source]
    ) -> tuple[Entry, ...]:
        by_name = {source.name: source for source in sources}
        masks = mask_operations(graph)
        entries = []
        for layer in graph.layers:
            name = scope + layer.name
            if layer.class_name == "InputLayer":
                # Keras's summary shows the inputs of a Functional model only.
                if not graph.sequential and name in by_name:
                    source = by_name[name]
                    entries.append(Entry(name, "InputLayer", None, source=source))
                continue
            if layer.name in masks:
                continue
            if layer.graph is not None:
                inside = self._entries(layer.graph, name + "/", ())
                entries.append(
                    Entry(name, layer.class_name, self.first_calls.get(name), None, inside)
                )
            else:
                made = self.layers.get(name)
                entries.append(Entry(name, layer.class_name, self.first_calls.get(name), made))
        return tuple(entries)


def _operations(graph: GraphConfig) -> Operations | None:
    """Its plain operations, where it has any: most networks have none."""
    if not any(layer.is_operation for layer in graph.layers):
        return None
    from netsheet.read.keras.operations import Operations

    return Operations.of(graph)


# A configuration may hold anything anywhere: what no check foresaw is the layer's own fault.
_UNFORESEEN = (
    ValueError, LookupError, ArithmeticError, TypeError, AttributeError, AssertionError,
)  # fmt: skip
MAX_OUTPUTS = 8  # more than any layer has; references to what does not exist are never followed


def make_layer(name: str, class_name: str, config: Mapping[str, Any], major: int) -> Layer:
    """The layer that a class name and its arguments describe; opaque if unknown."""
    stored_class = class_name
    if major < 2:
        class_name, config = modern(class_name, config)
    short = class_name.rsplit(">", 1)[-1]
    row = REGISTERED.get(class_name) or REGISTERED.get(short)
    if row is None and (class_name == short or class_name in RENAMED):
        row = TABLE.get(RENAMED.get(class_name, short))
    reason = _OPAQUE.get(short) or (
        f"the class {class_name!r} is not known; netsheet.register() can add it"
    )
    layer: Layer | None = None
    lacking = [key for key in ALWAYS.get(short, ()) if key not in config]
    if lacking and row is not None and not {class_name, short} & set(REGISTERED):
        row = None
        reason = (
            f"it has no {lacking[0]!r}, which Keras's own {short} always has: it is another class "
            "of the same name; netsheet.register() can add it"
        )
    if row is not None:
        made = 0

        def inner(entry: Mapping[str, Any], label: str) -> Layer:
            nonlocal made
            made += 1
            if made > MAX_STEPS:
                raise UnsupportedError(f"it holds more than {MAX_STEPS:,} layers")
            entry, _ = unwrapped(entry)
            kind, own = class_of(entry), entry.get("config")
            own = own if isinstance(own, Mapping) else {}
            if kind in SEQUENTIAL or (kind in FUNCTIONAL and "layers" in own):
                return _composite(parse_graph(own, kind, major), major)
            return make_layer(f"{name}/{label}", kind, own, major)

        try:
            layer = row(Arguments(name, config), Context(name, major, inner))
        except NetsheetError as error:
            reason = str(error).removeprefix(f"layer {name!r}: ")
        except _UNFORESEEN as error:
            reason = f"its arguments are not understood ({type(error).__name__}: {error})"[:200]
    if layer is None:
        layer = Opaque(reason=reason)
    layer.name, layer.type_name = name, stored_class
    layer.regularizers, layer.constraints = regularizers(config), constraints(config)
    if layer.activity_inside and major >= 3 and ACTIVITY in layer.regularizers:
        layer.regularizers[ACTIVITY] = Regularizer(unknown="of the layers inside as well")
    layer.trainable = config.get("trainable") is not False
    layer.random = layer.random or at_random(class_name, config)
    return layer


def _composite(graph: GraphConfig, major: int) -> Composite:
    """A model inside a wrapper, as one layer."""
    inside = Assembly(major)
    inside.make_layers(graph, "")
    given = [ValueRef("", number) for number in range(max(len(graph.inputs), 1))]
    results = inside.inline(graph, "", "", given)
    number = {call.key: i for i, call in enumerate(inside.calls)} | {"": -1}

    def place(ref: ValueRef) -> tuple[int, int]:
        return number[ref.key], ref.output

    made = Composite(
        parts=tuple(
            InnerCall(call.key, call.layer, tuple(place(ref) for ref in call.inputs))
            for call in inside.calls
        ),
        results=tuple(place(ref) for ref in results),
    )
    if _steps(made, {}) > MAX_STEPS:
        raise FormatError(f"a wrapped model calls layers more than {MAX_STEPS:,} times")
    return made


def _steps(layer: Layer, known: dict[Layer, int]) -> int:
    """How many layers run when this one does: those in it, as often as they are called."""
    if layer not in known:
        parts = [part.layer for part in layer.parts] if isinstance(layer, Composite) else []
        parts += [value for value in vars(layer).values() if isinstance(value, Layer)]
        known[layer] = 1 + sum(_steps(part, known) for part in parts)
    return known[layer]
