"""A trained network: layers with their weights, and the calls that connect them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsheet.errors import FormatError, NetsheetError, UnsupportedError, UsageError
from netsheet.expr import Affine, Equation, Lookup, Tensor, Weight, multiply_accumulates, reads
from netsheet.layers.base import Layer, Shape, Signature, default_axes
from netsheet.layers.opaque import Opaque

if TYPE_CHECKING:
    from netsheet.evaluation import Evaluation
    from netsheet.expr import FloatArray
    from netsheet.run import Engine


@dataclass(frozen=True)
class Ref:
    """An output of a call, or (``output`` 0) an input of the model."""

    key: str
    output: int = 0


@dataclass(frozen=True, eq=False)
class Call:
    """A layer applied to values; ``key`` is its name, with ``#i`` if it is called several times.

    ``masks`` False: its output carries no mask, whatever the layer says.
    """

    key: str
    layer: Layer
    inputs: tuple[Ref, ...]
    masks: bool = True


@dataclass(frozen=True)
class Source:
    """An input of the model; ``shape`` is without batch, ``axes`` empty for the usual names."""

    name: str
    shape: Shape
    axes: tuple[str, ...] = ()
    dtype: str = "float32"


@dataclass(frozen=True, eq=False)
class Node:
    """A call with its tensors; ``refusal`` says why it is not computed."""

    key: str
    layer: Layer
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    refusal: str | None = None
    tables: int = 0  # positions that its equations write out one by one


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
class Row:
    """What the summary says of a layer; shapes have the batch axis in front, as None."""

    name: str
    type: str
    output_shape: tuple[int | None, ...] | None
    params: int
    macs: int | None
    depth: int = 0
    refusal: str | None = None


@dataclass(eq=False)
class Model:
    """A network read from a file.

    ``layers`` has every layer once, by name (``encoder/conv1`` inside a nested model); ``nodes``
    every call in the order of computation. Tensors have no batch axis; arrays that go in or come
    out of methods do.
    """

    name: str
    calls: Sequence[Call]
    sources: Sequence[Source]
    results: Sequence[Ref]
    entries: Sequence[Entry] = ()
    aliases: Mapping[str, Ref] = field(default_factory=dict)  # a nested model's own outputs
    path: Path = Path()
    format: str = ""
    sha256: str = ""
    framework_version: str = ""
    notes: list[str] = field(default_factory=list)
    training_config: Mapping[str, Any] | None = None
    # where each weight lies in the file: weight name -> dataset path
    stored: Mapping[str, str] = field(default_factory=dict)
    extra_layers: Sequence[Layer] = ()  # with weights, but called by nothing

    inputs: list[Tensor] = field(init=False)
    outputs: list[Tensor] = field(init=False)
    nodes: list[Node] = field(init=False)

    def __post_init__(self) -> None:
        values: dict[Ref, Tensor] = {}
        self.inputs, self.nodes = [], []
        channels_first = any(
            getattr(call.layer, "data_format", None) == "channels_first" for call in self.calls
        )
        for source in self.sources:
            axes = source.axes or default_axes(len(source.shape))
            if channels_first and not source.axes and len(axes) > 2:
                axes = ("channel", *(axis for axis in axes if axis != "channel"))
            tensor = Tensor(source.name, axes, source.shape)  # type: ignore[arg-type]
            values[Ref(source.name)] = tensor
            self.inputs.append(tensor)
        refused: dict[str, str] = {}
        tables = 0
        for call in self.calls:
            node = _node(call, values, refused)
            self.nodes.append(node)
            if node.refusal:
                refused[node.key] = node.refusal
            values.update({Ref(call.key, i): t for i, t in enumerate(node.outputs)})
            tables += node.tables
            if tables > MAX_TABLES:
                raise FormatError(f"its layers hold tables of more than {MAX_TABLES:,} positions")
        self.outputs = [values[ref] for ref in self.results if ref in values]
        self._values = values

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

    def bind(self, shapes: Mapping[str, Sequence[int]] | Sequence[Sequence[int]]) -> Model:
        """The same model for inputs of these shapes (without batch)."""
        if not isinstance(shapes, Mapping):
            names = [source.name for source in self.sources]
            shapes = dict(zip(names, shapes, strict=True))
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
            sources.append(Source(source.name, shape, source.axes, source.dtype))
        return Model(
            name=self.name,
            calls=self.calls,
            sources=sources,
            results=self.results,
            entries=self.entries,
            aliases=self.aliases,
            path=self.path,
            format=self.format,
            sha256=self.sha256,
            framework_version=self.framework_version,
            notes=self.notes,
            training_config=self.training_config,
            stored=self.stored,
            extra_layers=self.extra_layers,
        )

    def node(self, key: str) -> Node:
        """The call of that key, or the only call of the layer of that name."""
        found = [node for node in self.nodes if node.key == key]
        found = found or [node for node in self.nodes if node.layer.name == key]
        if not found and key in self.aliases:
            return self.node(self.aliases[key].key)
        if not found:
            raise UsageError(
                f"there is no layer {key!r}; layers are: {', '.join(n.key for n in self.nodes)}"
            )
        return found[0]

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
                result.insert(0, node)
        return result

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

    def summary(self) -> list[Row]:
        """The table of layers, those of nested models one level deeper."""
        called: dict[str, list[Node]] = {}
        for node in self.nodes:
            called.setdefault(node.layer.name, []).append(node)
        return list(self._rows(self.entries, called, 0))

    def _rows(
        self, entries: Sequence[Entry], called: Mapping[str, Sequence[Node]], depth: int
    ) -> Iterator[Row]:
        for entry in entries:
            if entry.source is not None:
                shape: tuple[int | None, ...] | None = (None, *entry.source.shape)
                yield Row(entry.name, entry.type, shape, 0, 0, depth)
                continue
            inside = list(self._rows(entry.inside, called, depth + 1))
            layers = list(_layers(entry))
            names = dict.fromkeys(layer.name for layer in layers)
            nodes = [node for name in names for node in called.get(name, ())]
            yield Row(
                entry.name,
                entry.type,
                self._output_shape(entry),
                sum(layer.params for layer in layers),
                self._macs(nodes),
                depth,
                next((node.refusal for node in nodes if node.refusal), None),
            )
            yield from inside

    def _output_shape(self, entry: Entry) -> tuple[int | None, ...] | None:
        tensor = self._values.get(self.aliases.get(entry.key or "", Ref(entry.key or "")))
        return None if tensor is None else (None, *tensor.shape)

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

    # ------------------------------------------------------------------ computing

    @cached_property
    def _engine(self) -> Engine:
        from netsheet.run import Engine

        return Engine(self)

    def activations(self, x: object, keys: Sequence[str] | None = None) -> dict[str, FloatArray]:
        """Every layer's output (batch axis in front) for inputs with a batch axis, by key."""
        return self._engine.activations(x, keys)

    def predict(self, x: object) -> FloatArray | list[FloatArray]:
        """The model's output, or a list of them."""
        return self._engine.predict(x)

    def evaluate(self, x: object, y: FloatArray) -> Evaluation:
        """Accuracy and loss on labelled data, with the loss that the model was trained with."""
        from netsheet.evaluation import evaluate

        return evaluate(self, x, y)

    # ------------------------------------------------------------------ artefacts

    def to_csv(self, target: str | Path, **options: Any) -> Any:
        """Write the weights as CSV; options as for :func:`netsheet.write.csv.write_csv`."""
        from netsheet.write.csv import write_csv

        return write_csv(self, target, **options)

    def to_excel(self, target: str | Path, samples: Sequence[Any], **options: Any) -> Any:
        """Write the live workbook; options as for :func:`netsheet.write.excel.to_excel`."""
        from netsheet.write.excel import to_excel

        return to_excel(self, target, samples, **options)

    def to_c(self, folder: str | Path, **options: Any) -> Any:
        """Write C sources; options as for :func:`netsheet.write.c.to_c`."""
        from netsheet.write.c import to_c

        return to_c(self, folder, **options)

    def to_onnx(self, target: str | Path) -> None:
        """Write an ONNX file."""
        from netsheet.write.onnx import to_onnx

        to_onnx(self, target)

    def verify(self, target: str, samples: Sequence[Any], **options: Any) -> Any:
        """Prove a target (excel, c, onnx, keras) layer by layer; returns a Verdict."""
        from netsheet.verify import verify

        return verify(self, target, samples, **options)

    def __repr__(self) -> str:
        return f"<Model {self.name!r}: {len(self.layers)} layers, {self.params:,} parameters>"

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{'&nbsp;' * 4 * row.depth}{escape(row.name)}</td><td>{escape(row.type)}</td>"
            f"<td>{shown(row.output_shape) if row.output_shape else '?'}</td>"
            f"<td style='text-align:right'>{row.params:,}</td></tr>"
            for row in self.summary()
        )
        head = f"<b>{escape(self.name)}</b>, {self.params:,} parameters, {escape(self.format)}"
        titles = "<tr><th>layer</th><th>type</th><th>output shape</th><th>parameters</th></tr>"
        return f"{head}<table>{titles}{rows}</table>"


def shown(shape: Sequence[int | None]) -> str:
    """A shape as Keras prints it: ``(None, 28, 28, 1)``."""
    inner = ", ".join(str(size) for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


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


def _node(call: Call, values: Mapping[Ref, Tensor], refused: Mapping[str, str]) -> Node:
    """The call with its tensors; refused where the layer or one before it is not computed."""
    layer = call.layer
    inputs = tuple(values[ref] for ref in call.inputs if ref in values)
    upstream = next((ref.key for ref in call.inputs if ref.key in refused), None)
    refusal = layer.reason if isinstance(layer, Opaque) else None
    if refusal is None and upstream is not None:
        refusal = f"it needs {upstream!r}, which is not computed"
    if len(inputs) < len(call.inputs):
        return Node(call.key, layer, inputs, (), refusal or "an input has no known shape")
    tables = 0
    try:
        signatures = layer.infer(inputs)
        outputs = _outputs(call, inputs, signatures)
        _check_sizes(layer, outputs)
        if refusal is None and all(None not in t.shape for t in (*inputs, *outputs)):
            tables = _check_weights(layer, layer.equations(inputs, outputs))
    except UnsupportedError as error:
        return Node(call.key, layer, inputs, (), refusal or str(error))
    except (ValueError, IndexError, KeyError, ZeroDivisionError) as error:
        if refusal:
            return Node(call.key, layer, inputs, (), refusal)
        raise FormatError(
            f"layer {call.key!r} ({layer.type}) contradicts its input or weights: {error}"
        ) from error
    except TypeError as error:
        if any(None in tensor.shape for tensor in inputs):
            return Node(call.key, layer, inputs, (), "its sizes depend on the input's open sizes")
        raise FormatError(f"layer {call.key!r} ({layer.type}) is malformed: {error}") from error
    return Node(call.key, layer, inputs, outputs, refusal, tables)


MAX_TABLES = 1 << 20  # positions written out one by one, of all layers
MAX_ELEMENTS = 1 << 31


def _outputs(
    call: Call, inputs: Sequence[Tensor], signatures: Sequence[Signature]
) -> tuple[Tensor, ...]:
    result = []
    for i, (axes, shape) in enumerate(signatures):
        name = call.key if len(signatures) == 1 else f"{call.key}[{i}]"
        masked = call.masks and i < call.layer.masked_outputs()
        mask = call.layer.output_mask(inputs, name) if masked else None
        result.append(Tensor(name, tuple(axes), shape, mask))  # type: ignore[arg-type]
    return tuple(result)


def _check_sizes(layer: Layer, outputs: Sequence[Tensor]) -> None:
    for tensor in outputs:
        known = [size for size in tensor.shape if size is not None]
        if any(size <= 0 for size in known):
            raise ValueError(f"its output would have the shape {tensor.shape}")
        if math.prod(known) > MAX_ELEMENTS:
            raise ValueError(f"its output of {tensor.shape} would have {math.prod(known):,} values")


def _check_weights(layer: Layer, equations: Sequence[Equation]) -> int:
    """Every weight has to be read from its first to its last element, and not beyond.

    Returns how many positions stand in tables.
    """
    tables = 0
    for eq in equations:
        for read in reads(eq.value):
            atoms = (atom for at in read.at if isinstance(at, Affine) for _, atom in at.terms)
            tables += sum(len(atom.table) for atom in atoms if isinstance(atom, Lookup))
            if not isinstance(read.tensor, Weight):
                continue
            for at, size in zip(read.at, read.tensor.shape, strict=True):
                if at.bounds()[1] >= size:
                    raise ValueError(
                        f"{read.tensor.label} has the stored shape {shown(read.tensor.shape)}, "
                        "which is not what the configuration says"
                    )
    return tables
