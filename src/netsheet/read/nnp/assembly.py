"""Functions and variables of a network of NNabla, connected as a network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from netsheet.equations import FloatArray
from netsheet.errors import FormatError, NetsheetError, UnsupportedError
from netsheet.layer import Layer, default_axes
from netsheet.layers.opaque import Opaque
from netsheet.network import Entry, LayerCall, Network, Source, ValueRef
from netsheet.operators.base import axes_of
from netsheet.read.limits import MAX_CALLS, MAX_NAME
from netsheet.read.nnp.container import read
from netsheet.read.nnp.function import NnpFunction, NnpVariable
from netsheet.read.nnp.table import TABLE
from netsheet.read.nnp.text import Message

# What a row raises where the file contradicts itself.
_CONTRADICTIONS = (ValueError, LookupError, ArithmeticError, TypeError, AssertionError)
MAX_AXES = 8
MAX_SIZE = 1 << 31


def load_nnp(path: str | Path, parameters: str | Path | None = None) -> Network:
    """The network in a .nnp or .nntxt file.

    Args:
        parameters: their file (.h5 or .protobuf), where the network is a .nntxt without them.

    Raises:
        FormatError: the file is damaged or contradicts itself.
        UnsupportedError: it has no network that is understood.
    """
    path = Path(path)
    stored = read(path, None if parameters is None else Path(parameters))
    chosen = _chosen(stored.description)
    assembly = _Assembly(chosen, stored.arrays)
    assembly.add_all(stored.description)
    network = Network(
        name=path.stem,
        calls=assembly.calls,
        sources=assembly.sources,
        results=assembly.results(stored.description),
        entries=assembly.entries(),
        path=path,
        format=f"Neural Network Console {stored.version}".strip(),
        sha256=stored.sha256,
        framework_version=stored.version,
        stored=assembly.stored,
    )
    network.notes += [*stored.notes, *assembly.notes]
    _check_shapes(network, assembly)
    return network


def _executor(description: Message) -> Message:
    return (description.messages("executor") or [Message()])[0]


def _chosen(description: Message) -> Message:
    """The network that the first executor runs; without one the only network.

    Raises:
        FormatError: there is none, or the one that is named is missing.
        UnsupportedError: there are several, and none is named.
    """
    networks = description.messages("network")
    if not networks:
        raise FormatError("it describes no network")
    wanted = _executor(description).text("network_name")
    if wanted:
        found = [one for one in networks if one.text("name") == wanted]
        if not found:
            raise FormatError(f"its executor runs the network {wanted!r}, which is missing")
        return found[0]
    if len(networks) > 1:
        names = ", ".join(repr(one.text("name")) for one in networks[:5])
        raise UnsupportedError(
            f"it has {len(networks)} networks ({names}) and no executor that names one; save the "
            "one for inference alone"
        )
    return networks[0]


class _Assembly:
    """Layers and calls, made function by function."""

    def __init__(self, network: Message, arrays: Mapping[str, FloatArray]) -> None:
        self.network = network
        self.calls: list[LayerCall] = []
        self.sources: list[Source] = []
        self.refs: dict[str, ValueRef] = {}  # of variables that are computed
        self.tensors: dict[str, str] = {}  # variables by the names of the network's tensors
        self.variables = _variables(network, arrays)
        self.stored: dict[str, str] = {}
        self.notes: list[str] = []
        self._names: set[str] = set()

    def add_all(self, description: Message) -> None:
        """Inputs and functions, in the file's order."""
        functions = self.network.messages("function")
        if len(functions) > MAX_CALLS:
            raise FormatError(f"it has {len(functions):,} functions; {MAX_CALLS:,} are the limit")
        made = {name for function in functions for name in function.texts("output")}
        given = _executor(description).messages("data_variable")
        names = [one.text("variable_name") for one in given]
        if not names:
            read_ = [name for function in functions for name in function.texts("input")]
            free = dict.fromkeys(name for name in read_ if name not in made)
            names = [n for n in free if n in self.variables and self.variables[n].values is None]
        for name in dict.fromkeys(names):
            if name not in made:
                self._add_source(name)
        for function in functions:
            self._add(function)

    def results(self, description: Message) -> list[ValueRef]:
        """The outputs that the executor names; without any, what no function reads."""
        given = _executor(description).messages("output_variable")
        names = [one.text("variable_name") for one in given]
        if not names:
            functions = self.network.messages("function")
            taken = {name for function in functions for name in function.texts("input")}
            names = [n for f in functions for n in f.texts("output") if n not in taken]
        missing = [name for name in names if name not in self.refs]
        if missing or not names:
            raise FormatError(f"nothing computes its output {(missing or ['?'])[0]!r}")
        return [self.refs[name] for name in dict.fromkeys(names)]

    def entries(self) -> list[Entry]:
        """The lines of the summary."""
        inputs = [Entry(source.name, "Input", None, None, source=source) for source in self.sources]
        return [*inputs, *(Entry(c.key, c.layer.type, c.key, c.layer) for c in self.calls)]

    def _add_source(self, name: str) -> None:
        variable = self._variable(name)
        if not variable.shape:
            raise UnsupportedError(f"input {name!r} has no axis for the batch")
        sizes = tuple(None if size < 1 else size for size in variable.inner)
        label = self._unique(_plain(name))
        axes = axes_of(sizes) if len(sizes) > 1 else default_axes(len(sizes))  # type: ignore[arg-type]
        self.sources.append(Source(label, sizes, axes))
        self.refs[name] = ValueRef(label)
        self.tensors[label] = name

    def _variable(self, name: str) -> NnpVariable:
        if name not in self.variables:
            raise FormatError(f"it has no variable {name!r}")
        return self.variables[name]

    def _add(self, message: Message) -> None:
        kind = message.text("type") or "?"
        inputs = [self._variable(name) for name in message.texts("input")]
        outputs = [self._variable(name) for name in message.texts("output")]
        if not outputs:
            raise FormatError(f"function {message.text('name')!r} has no output")
        for variable in outputs:
            if variable.name in self.refs or variable.values is not None:
                raise FormatError(f"variable {variable.name!r} is filled twice")
        computed = [variable for variable in inputs if variable.values is None]
        unknown = [v.name for v in computed if v.name not in self.refs]
        network = self.network.text("name")
        name = self._unique(_plain(message.text("name").removeprefix(f"@{network}/")) or kind)
        function = NnpFunction(name, kind, _parameters(message), inputs, outputs)
        layer = self._layer(function, message, unknown)
        layer.name = name
        self.stored |= function.stored
        refs = tuple(self.refs[v.name] for v in computed if v.name in self.refs)
        self.calls.append(LayerCall(name, layer, refs))
        for n, variable in enumerate(outputs):
            self.refs[variable.name] = ValueRef(name, n)
            self.tensors[layer.output_name(name, n, len(outputs))] = variable.name

    def _layer(self, function: NnpFunction, message: Message, unknown: Sequence[str]) -> Layer:
        if unknown:
            missing = unknown[0]
            what = "has no stored values" if self.variables[missing].shape else "is nowhere filled"
            return _refused(function, f"its input {missing!r} {what}")
        if message.messages("repeat_param") or message.texts("repeat_id"):
            return _refused(function, "it stands in a loop (repeat), which is not computed")
        if function.kind not in TABLE:
            return _refused(function, f"the function {function.kind} is not computed")
        try:
            return TABLE[function.kind](function)
        except NetsheetError as error:
            return _refused(function, str(error))
        except _CONTRADICTIONS as error:
            return _refused(function, f"its operands contradict each other: {error}")

    def _unique(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name


def _refused(function: NnpFunction, reason: str) -> Layer:
    function.stored.clear()
    sizes = tuple(None if size < 1 else size for size in function.outputs[0].inner)
    weights = {}
    for n, variable in enumerate(function.inputs):
        if variable.values is not None:
            label = f"operand{n}"
            weights[label] = function.weight(n, label, axes_of(variable.values.shape))
    return Opaque(type_name=function.kind, reason=reason, output_shape=sizes, weights=weights)


def _variables(network: Message, arrays: Mapping[str, FloatArray]) -> dict[str, NnpVariable]:
    """All variables by their names; the stored ones with their values.

    Raises:
        FormatError: one occurs twice, or a shape is no shape or not that of the values.
    """
    found: dict[str, NnpVariable] = {}
    for message in network.messages("variable"):
        name, shape = message.text("name"), message.shape("shape")
        if name in found:
            raise FormatError(f"variable {name!r} occurs twice")
        if len(name) > MAX_NAME or len(shape) > MAX_AXES or any(n > MAX_SIZE for n in shape):
            raise FormatError(f"variable {name[:40]!r} has the shape {shape[:9]}")
        values = arrays.get(name)
        if values is not None and message.text("type") == "Buffer":
            values = None
        if values is not None and tuple(values.shape) != shape:
            raise FormatError(
                f"variable {name!r} has the shape {shape}, its stored values {values.shape}"
            )
        found[name] = NnpVariable(name, shape, values)
    return found


def _parameters(message: Message) -> Message:
    """The parameters of a function: its only field that ends so."""
    names = [name for name in message.fields if name.endswith("_param") and name != "repeat_param"]
    return message.message(names[0]) if names else Message()


def _plain(name: str) -> str:
    """A name without what protobuf's text may have made of it."""
    return re.sub(r"[^\w./@ -]", "_", name).strip()


def _check_shapes(network: Network, assembly: _Assembly) -> None:
    """What the layers make of the sizes is what the file says of them.

    Raises:
        FormatError: it is not; names the variable.
    """
    if not network.bound:
        return
    for tensor in network.tensors().values():
        name = assembly.tensors.get(tensor.name)
        declared = assembly.variables[name].inner if name is not None else ()
        if declared and min(declared) > 0 and tuple(tensor.shape) != declared:
            raise FormatError(
                f"{tensor.name} gives {tuple(tensor.shape)}, but the file says {declared} of "
                f"{name!r}: its numbers contradict each other"
            )
