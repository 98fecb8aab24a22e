"""The dialects of Keras configurations, brought to one form: layers and their calls.

Sequential lists (Keras 1), Sequential and Functional dictionaries (2), nodes with ``args`` and
``kwargs`` (3). Nothing of a layer's own arguments is interpreted here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from netsheet.errors import FormatError
from netsheet.read.keras.seen_through import unwrapped
from netsheet.read.limits import MAX_CALLS, MAX_INPUTS, MAX_NAME

SEQUENTIAL = frozenset({"Sequential"})
OPERATIONS = "keras.src.ops"
FUNCTIONAL = frozenset({"Functional", "Model"})
_KERAS = frozenset({"keras", "keras_core", "tf_keras", "tensorflow"})  # packages of its modules


# Operations of Keras 3 that have a type among their arguments, as layers do.
_TYPED = frozenset(
    {"Cast", "Cumprod", "Cumsum", "FullLike", "MultiHot", "OneHot", "OnesLike", "Prod", "ZerosLike"}
)


@dataclass(frozen=True)
class TensorRef:
    """Output ``tensor`` of call ``node`` of ``layer``, as counted in the configuration.

    ``shape``, with batch, is what Keras 3 says of it beside.
    """

    layer: str
    node: int
    tensor: int
    shape: tuple[int | None, ...] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class CallConfig:
    """What a layer is called with: trees of lists, dicts, numbers and :class:`TensorRef`."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    masked: bool = False  # masks that tensors carry were among the arguments

    def refs(self) -> list[TensorRef]:
        """Every tensor in the arguments, in order."""
        return list(refs_in([*self.args, *self.kwargs.values()]))


@dataclass(frozen=True)
class LayerConfig:
    """A layer as the file describes it; ``graph`` is set for a nested model.

    ``class_name`` has its package in front where the class is not Keras's own: ``mine>Gate``.
    """

    name: str
    class_name: str
    module: str
    config: Mapping[str, Any]
    calls: tuple[CallConfig, ...] = ()
    graph: GraphConfig | None = None
    wrapper: str = ""  # the class around it that is seen through

    @property
    def is_op(self) -> bool:
        """True for a plain operation of Keras 3 (no layer, no weights) in a Functional graph."""
        return self.module.startswith((OPERATIONS, "keras.ops"))

    @property
    def is_operation(self) -> bool:
        """True for any plain operation, also one that Keras 2 wraps in a layer of its own."""
        return self.is_op or self.class_name in ("TFOpLambda", "SlicingOpLambda")


@dataclass(frozen=True)
class GraphConfig:
    """A model as the file describes it; a Sequential model is a chain without calls."""

    name: str
    sequential: bool
    layers: tuple[LayerConfig, ...]
    inputs: tuple[TensorRef, ...] = ()
    outputs: tuple[TensorRef, ...] = ()
    input_shape: tuple[int | None, ...] | None = None  # with batch; of a Sequential model

    def wrapped(self) -> list[LayerConfig]:
        """The layers, those of nested models included, whose wrapper is seen through."""
        inside = [found for layer in self.layers if layer.graph for found in layer.graph.wrapped()]
        return [layer for layer in self.layers if layer.wrapper] + inside


def refs_in(tree: Any) -> Iterator[TensorRef]:
    """Every tensor reference in a tree of lists and dicts, in order."""
    if isinstance(tree, TensorRef):
        yield tree
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            yield from refs_in(item)
    elif isinstance(tree, Mapping):
        for item in tree.values():
            yield from refs_in(item)


def class_of(entry: Mapping[str, Any]) -> str:
    """A serialized object's class, with its package where it is not Keras's own.

    A custom class without a registered package is written with a module of its own, or with the
    module null; it may bear the name of a class of Keras and still be something else.
    """
    name, registered = str(entry.get("class_name", "")), entry.get("registered_name")
    module = entry.get("module", "keras")
    if isinstance(registered, str) and ">" in registered:
        return registered
    if registered == name and (module is None or str(module).split(".")[0] not in _KERAS):
        return f"{module or 'Custom'}>{name}"
    return name


def parse_graph(
    config: Mapping[str, Any], class_name: str, major: int, build_config: Any = None
) -> GraphConfig:
    """The graph of a model's ``config``; FormatError if it is not one."""
    return _Parser(major).graph(config, class_name, build_config)


def _broken(what: str) -> NoReturn:
    raise FormatError(f"the model configuration is broken: {what}")


class _Parser:
    def __init__(self, major: int) -> None:
        self.major = major
        self.layers = self.calls = 0
        self.inputs = 0  # of all calls

    def graph(self, config: Any, class_name: str, build_config: Any = None) -> GraphConfig:
        if class_name in SEQUENTIAL:
            layers = config if isinstance(config, list) else _entry(config, "layers", list)
            own = {} if isinstance(config, list) else config
            name = str(own.get("name", "sequential"))
            parsed = tuple(self.layer(entry) for entry in layers)
            self._distinct(parsed)
            build = own.get("build_input_shape"), build_config, *layers[:1]
            shape = next(filter(None, map(_built, build)), None)
            return GraphConfig(name, True, parsed, input_shape=shape)
        layers = tuple(self.layer(entry) for entry in _entry(config, "layers", list))
        self._distinct(layers)
        names = {layer.name for layer in layers}
        return GraphConfig(
            str(config.get("name", "model")),
            False,
            layers,
            tuple(self._ends(config.get("input_layers"), names)),
            tuple(self._ends(config.get("output_layers"), names)),
        )

    def _distinct(self, layers: Sequence[LayerConfig]) -> None:
        seen: set[str] = set()
        for layer in layers:
            if layer.name in seen:
                _broken(f"two layers are named {layer.name!r}")
            seen.add(layer.name)

    def layer(self, entry: Any) -> LayerConfig:
        if not isinstance(entry, Mapping):
            _broken(f"a layer is {type(entry).__name__}, not a dictionary")
        entry, wrapper = unwrapped(entry)
        class_name = class_of(entry)
        config = entry.get("config")
        if isinstance(config, list) and class_name in SEQUENTIAL:
            config = {"layers": config}
        if not isinstance(config, Mapping):
            _broken(f"a layer of class {class_name!r} has no config")
        name = str(entry.get("name") or config.get("name") or class_name.lower())
        if max(len(name), len(class_name)) > MAX_NAME:
            _broken(f"the name {name[:20]!r}... or its class is longer than {MAX_NAME:,} letters")
        self.layers += 1
        if self.layers > MAX_CALLS:
            _broken(f"it has more than {MAX_CALLS:,} layers")
        graph = None
        if class_name in SEQUENTIAL or (class_name in FUNCTIONAL and "layers" in config):
            graph = self.graph(config, class_name, entry.get("build_config"))
        nodes = entry.get("inbound_nodes") or []
        if not isinstance(nodes, list):
            _broken(f"the inbound nodes of {name!r} are {nodes!r}")
        calls = tuple(self._counted(node) for node in nodes)
        module = str(entry.get("module") or "")
        bare = not {"trainable", "dtype", "layers"} & set(config) or class_name in _TYPED
        if not module and self.major >= 3 and bare:
            module = OPERATIONS  # Keras 3 leaves the module out in HDF5
        return LayerConfig(name, class_name, module, config, calls, graph, wrapper)

    def _counted(self, node: Any) -> CallConfig:
        call = self._call(node)
        self.calls += 1
        self.inputs += len(call.refs())
        if self.calls > MAX_CALLS:
            _broken(f"it calls its layers more than {MAX_CALLS:,} times")
        if self.inputs > MAX_INPUTS:
            _broken(f"the calls of its layers have more than {MAX_INPUTS:,} inputs")
        return call

    def _call(self, node: Any) -> CallConfig:
        if isinstance(node, Mapping) and "args" in node:
            named = _entry(node, "kwargs", Mapping) if "kwargs" in node else {}
            args = tuple(_keras3(arg) for arg in _entry(node, "args", list))
            return CallConfig(args, {str(key): _keras3(arg) for key, arg in named.items()})
        if isinstance(node, Mapping):
            node = list(node.values())
        if not isinstance(node, list):
            _broken(f"an inbound node is {node!r}")
        entries = [node] if node and isinstance(node[0], str) else node
        inputs: list[Any] = []
        kwargs: dict[str, Any] = {}
        for entry in entries:
            if entry == []:
                continue  # an empty list among the arguments of an operation
            inputs.append(self._input(entry, kwargs))
        return CallConfig(tuple(inputs), kwargs)

    def _input(self, entry: Any, kwargs: dict[str, Any]) -> Any:
        """A tensor or constant among the inputs of a call of Keras 2, or a list of them."""
        if isinstance(entry, list) and entry and all(isinstance(part, list) for part in entry):
            return [self._input(part, kwargs) for part in entry]
        if not (isinstance(entry, list) and len(entry) in (3, 4)):
            _broken(f"an inbound node holds {entry!r}")
        if len(entry) == 4 and isinstance(entry[3], Mapping):
            kwargs.update({str(key): _keras2(arg) for key, arg in entry[3].items()})
        name, index, tensor = entry[:3]
        return tensor if name == "_CONSTANT_VALUE" else _ref(name, index, tensor)

    def _ends(self, ends: Any, names: set[str]) -> Iterator[TensorRef]:
        if ends is None:
            _broken("a Functional model has no input_layers or output_layers")
        if isinstance(ends, Mapping):
            ends = [ends[name] for name in sorted(ends)]  # the order in which Keras flattens them
        if isinstance(ends, list) and len(ends) == 3 and isinstance(ends[0], str):
            ends = [ends]
        if not isinstance(ends, list):
            _broken(f"the ends {ends!r}")
        if len(ends) > MAX_CALLS:
            _broken(f"it has more than {MAX_CALLS:,} inputs or outputs")
        for end in ends:
            if isinstance(end, list) and end and isinstance(end[0], list):
                yield from self._ends(end, names)
                continue
            if not (isinstance(end, list) and len(end) >= 3):
                _broken(f"an input or output layer is {end!r}")
            if not isinstance(end[0], str) or end[0] not in names:
                _broken(f"the input or output layer {end[0]!r} does not exist")
            yield _ref(*end[:3])


def _entry(config: Any, key: str, kind: type) -> Any:
    value = config.get(key) if isinstance(config, Mapping) else None
    if not isinstance(value, kind):
        _broken(f"there is no {key!r} in it, or it is of another kind")
    return value


def _ref(name: Any, node: Any, tensor: Any) -> TensorRef:
    if not (isinstance(name, str) and isinstance(node, int) and isinstance(tensor, int)):
        _broken(f"{[name, node, tensor]!r} is no reference to a tensor")
    return TensorRef(name, node, tensor)


def _keras2(arg: Any) -> Any:
    """A keyword argument of Keras 2, where ``["name", 0, 0]`` is a tensor."""
    if isinstance(arg, list):
        head = [type(item) for item in arg[:3]]
        if head == [str, int, int] and len(arg) in (3, 4):
            return arg[2] if arg[0] == "_CONSTANT_VALUE" else TensorRef(*arg[:3])
        return [_keras2(item) for item in arg]
    if isinstance(arg, Mapping):
        if arg.get("class_name") == "__ellipsis__":
            return Ellipsis
        if set(arg) == {"start", "stop", "step"}:
            return slice(*(_keras2(arg[key]) for key in ("start", "stop", "step")))
        return {key: _keras2(item) for key, item in arg.items()}
    return arg


def _keras3(arg: Any) -> Any:
    """An argument of Keras 3 without its wrappers."""
    if isinstance(arg, list):
        return [_keras3(item) for item in arg]
    if not isinstance(arg, Mapping):
        return arg
    kind, config = arg.get("class_name"), arg.get("config")
    if kind == "__keras_tensor__":
        history = config.get("keras_history") if isinstance(config, Mapping) else None
        if not (isinstance(history, list) and len(history) == 3):
            _broken("a tensor without keras_history")
        shape = config.get("shape") if isinstance(config, Mapping) else None
        return replace(_ref(*history), shape=tuple(shape) if isinstance(shape, list) else None)
    if kind in ("__numpy__", "__tensor__"):
        return _entry(config, "value", object)
    if kind == "__slice__":
        return slice(*(_entry(arg, "config", Mapping).get(k) for k in ("start", "stop", "step")))
    if kind == "__ellipsis__":
        return Ellipsis
    return {key: _keras3(item) for key, item in arg.items()}


def _built(place: Any) -> tuple[int | None, ...] | None:
    """A shape that a model or layer was built with: itself, or in a ``build_config``."""
    while isinstance(place, Mapping):
        place = place.get("build_config", place.get("input_shape"))
    return tuple(place) if isinstance(place, list) and len(place) > 1 else None
