"""A model as ONNX: for other programs, and for the engine that computes activations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netsheet.equations import Tensor
from netsheet.errors import UnsupportedError, UsageError
from netsheet.files import atomic
from netsheet.read.onnx.message import keep_taught
from netsheet.read.taught import known_of_data
from netsheet.selection import refused, require_layers
from netsheet.write.onnx import edges
from netsheet.write.onnx.builder import Builder
from netsheet.write.onnx.qdq import QdqBuilder

if TYPE_CHECKING:
    from onnx import ModelProto

    from netsheet.network import Network, Node

# A protobuf message ends at 2 GiB; some room is left for the graph itself.
MAX_BYTES = 2**31 - 2**24


FORMS = ("exact", "qdq", "qlinear")


def build(
    model: Network, outputs: str | Iterable[str] = "outputs", form: str = "exact"
) -> ModelProto:
    """The ONNX model; values have a batch axis N in front.

    ``outputs`` is "outputs" (those of the model), "all" (every computed layer's too) or the keys
    of some layers. Only what they depend on is printed. ``form`` is that of a quantised network:
    ``exact`` computes in whole numbers, to the last bit; ``qdq`` in real ones between
    QuantizeLinear and DequantizeLinear, as runtimes make it fast; ``qlinear`` with ONNX's operators
    of whole numbers where it has some.

    Raises:
        UsageError: a key that no layer has; no such form, or one for quantised networks.
        UnsupportedError: a layer that is needed is not computed, a dimension is not known yet, or
            the weights are more than one ONNX file holds.
    """
    model = model.explicit  # states are inputs and outputs: who runs it hands them on
    graph, wanted, shown = _filled(model, outputs, form)
    proto = graph.finish(model.name, wanted)
    if shown:
        whole = {source.name for source in model.sources if source.whole}
        edges.rename(proto, shown, whole, set(model.whole))
    if form == "qlinear":
        from netsheet.write.onnx.qlinear import with_whole_operators

        with_whole_operators(proto)
    return proto


def encoded(model: Network, keys: Iterable[str]) -> bytes:
    """The bytes of :func:`build` for some layers, made without the onnx package.

    What they give is read as numbers: sigmoids among them are spelled out.
    """
    model = model.explicit
    graph, wanted, _ = _filled(model, keys, "exact")
    graph.spell_out_sigmoids({tensor.name for tensor in wanted})
    return graph.encoded(model.name, wanted)


def _filled(
    model: Network, outputs: str | Iterable[str], form: str
) -> tuple[Builder, list[Tensor], list[tuple[str, Tensor]]]:
    """The graph with all of its nodes, its outputs, and the names that they are to have."""
    require_layers(model)
    wanted = _wanted(model, outputs)
    _check_bound([*model.inputs, *wanted])
    needed = _needed(model, wanted)
    names = [tensor.name for node in needed for tensor in node.outputs]
    shown = model.named_outputs() if outputs == "outputs" else []
    graph = _graph(model, form, [*names, *(name for name, _ in shown)])
    for node in needed:
        _write(graph, model, node)
    if graph.nbytes > MAX_BYTES:
        raise UnsupportedError(
            f"{model.name}: {graph.nbytes:,} bytes of weights do not fit into one ONNX file "
            f"(2 GiB); external data is not written. Export a part of the model instead."
        )
    return graph, wanted, shown


def _graph(model: Network, form: str, names: Sequence[str]) -> Builder:
    """The graph to be filled, in a form."""
    if form not in FORMS:
        raise UsageError(f"there is no form {form!r}; forms are {', '.join(FORMS)}.")
    if form == "exact":
        return Builder(model.inputs, names)
    if all(tensor.quantisation is None for tensor in model.tensors().values()):
        raise UsageError(
            f"{model.name} is not quantised: the form {form} is for networks that are."
        )
    return QdqBuilder(model.inputs, names)


def to_onnx(
    model: Network,
    target: str | Path,
    outputs: str | Iterable[str] = "outputs",
    form: str = "exact",
) -> Path:
    """Write the ONNX file, after the ONNX checker has found nothing wrong with it.

    An entry of its metadata keeps what the network knows of the data that it was trained with.
    """
    import onnx

    proto = build(model, outputs, form)
    keep_taught(proto, known_of_data(model) if outputs == "outputs" else None)
    onnx.checker.check_model(proto, full_check=True)
    with atomic(target) as path:
        path.write_bytes(proto.SerializeToString())
    return Path(target)


def onnx_bytes(model: Network, outputs: str | Iterable[str] = "outputs") -> bytes:
    """The ONNX model, serialised."""
    return bytes(build(model, outputs).SerializeToString())


def _wanted(model: Network, outputs: str | Iterable[str]) -> list[Tensor]:
    known = model.tensors()
    known |= {mask.name: mask for t in known.values() if (mask := t.mask) is not None}
    if outputs == "outputs":
        check_outputs(model)
        return list(dict.fromkeys(model.outputs))
    if outputs == "all":
        return list(dict.fromkeys([*model.tensors().values(), *model.outputs]))
    keys = [outputs] if isinstance(outputs, str) else list(outputs)
    for key in keys:
        if key in (left := {node.key: node for node in refused(model)}):
            raise UnsupportedError(
                f"layer {key!r} ({left[key].layer.type}) is not computed: {left[key].refusal}."
            )
        if key not in known:
            raise UsageError(f"{model.name} computes no layer {key!r}; it has {_some(known)}.")
    return [known[key] for key in dict.fromkeys(keys)]


def check_outputs(model: Network) -> None:
    """UnsupportedError, with the reason, where an output of the model is not computed."""
    left = refused(model)
    keys = {node.key for node in left}
    if any(ref.key in keys for ref in model.results):
        first = left[0]
        raise UnsupportedError(
            f"{model.name} is not computed to its end: layer {first.key!r}: {first.refusal}. "
            f"Layers before it are."
        )


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:20]) + (f" and {len(listed) - 20} more" if len(listed) > 20 else "")


def _check_bound(tensors: Sequence[Tensor]) -> None:
    for tensor in tensors:
        if any(size is None for size in tensor.shape):
            raise UnsupportedError(
                f"{tensor.name} has the shape {tensor.shape}, with open sizes: give an input of "
                f"the size that is meant (--input FILE, or Model.bind in Python)."
            )


def _needed(model: Network, wanted: Iterable[Tensor]) -> list[Node]:
    """The nodes that the tensors depend on, in order of execution."""
    wanting = set(wanted)
    needed: list[Node] = []
    for node in reversed(model.nodes):
        masks = {tensor.mask for tensor in node.outputs}
        if not wanting.intersection(node.outputs) and not wanting & masks:
            continue
        if node.refusal is not None:
            raise UnsupportedError(f"layer {node.key!r} is not computed: {node.refusal}")
        needed.append(node)
        wanting.update(node.inputs)
        wanting.update(tensor.mask for tensor in node.inputs if tensor.mask is not None)
    return needed[::-1]


def _write(graph: Builder, model: Network, node: Node) -> None:
    """One layer's nodes; its outputs get their own names."""
    graph.scope = node.key
    if all(tensor in graph.values for tensor in node.outputs):
        return  # an input layer: its output is the graph's input
    since = graph.position
    given = [graph.values[tensor] for tensor in node.inputs]
    if isinstance(graph, QdqBuilder):
        names = graph.layer(node, given)
    else:
        names = node.layer.onnx(graph, given, node.inputs, node.outputs)
    for tensor, name in zip(node.outputs, names, strict=True):
        graph.define(tensor, name, since)
    _write_masks(graph, model, node)


def _write_masks(graph: Builder, model: Network, node: Node) -> None:
    """The masks over time that this layer makes, which are equations besides its outputs."""
    for tensor in node.outputs:
        mask = tensor.mask
        if mask is None or mask in graph.values:
            continue
        equations = [eq for eq in model.node_equations(node) if eq.target is mask]
        if equations:
            given = dict(zip(node.inputs, (graph.values[t] for t in node.inputs), strict=True))
            since = graph.position
            graph.define(mask, graph.print(equations, given, [mask])[0], since)
