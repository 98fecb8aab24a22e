"""The regularizers and constraints of a layer's configuration, by what they act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from netsheet.regularizers import ACTIVITY, Regularizer

# The argument without "_regularizer" -> the weight's label, where they differ.
_WEIGHTS = {
    "recurrent": "recurrent_kernel", "depthwise": "depthwise_kernel",
    "pointwise": "pointwise_kernel", "W": "kernel", "b": "bias", "U": "recurrent_kernel",
}  # fmt: skip
_INNER = ("layer", "cell", "forward_layer")  # arguments that hold a layer
_SEVERAL = ("cells", "layers")  # those that hold several
_END = "_regularizer"


def regularizers(config: Mapping[str, Any]) -> dict[str, Regularizer]:
    """What the arguments ``<name>_regularizer`` say, by the label of the weight.

    Those of a layer inside a wrapper act on the wrapper's weights, with the layer's prefix where
    it holds several; an inner layer's activity is not the wrapper's output: its penalty is
    unknown.
    """
    found: dict[str, Regularizer] = {}
    for prefix, inner in _inner(config):
        for label, regularizer in regularizers(inner).items():
            activity = label.rsplit("/", 1)[-1] == ACTIVITY
            if activity:
                found[ACTIVITY] = Regularizer(unknown="inside a wrapper")
            else:
                found[prefix + label] = regularizer
    for argument, value in config.items():
        if argument.endswith(_END) and value is not None:
            name = argument.removesuffix(_END)
            given = _regularizer(value)
            if given is not None:
                found[_WEIGHTS.get(name, name)] = given
    if "class_name" not in config and ("l1" in config or "l2" in config) and not found:
        # ActivityRegularization has its two numbers as arguments of its own
        numbers = _numbers(config)
        if numbers is not None and (numbers.l1 or numbers.l2):
            found[ACTIVITY] = numbers
    return found


def constraints(config: Mapping[str, Any]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """What the arguments ``<name>_constraint`` say, by the label of the weight."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for prefix, inner in _inner(config):
        found |= {prefix + label: constraint for label, constraint in constraints(inner).items()}
    for argument, value in config.items():
        if not argument.endswith("_constraint") or value is None:
            continue
        name = argument.removesuffix("_constraint")
        if isinstance(value, Mapping):
            kind = str(value.get("class_name", value.get("name"))).rsplit(">", 1)[-1]
            options = value.get("config", value)
            stored = kind, options if isinstance(options, Mapping) else {}
        else:
            stored = str(value), {}
        found[_WEIGHTS.get(name, name)] = stored
    return found


def _inner(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The configurations of the layers in a wrapper, with the prefixes of their weights' labels."""
    both = isinstance(config.get("backward_layer"), Mapping)
    for argument in _INNER:
        yield from _configured("forward/" if both else "", config.get(argument))
    yield from _configured("backward/", config.get("backward_layer"))
    for argument in _SEVERAL:
        entries = config.get(argument)
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            named = entry.get("config") if isinstance(entry, Mapping) else None
            name = named.get("name") if isinstance(named, Mapping) else None
            yield from _configured(f"{number if argument == 'cells' else name}/", entry)


def _configured(prefix: str, entry: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    own = entry.get("config") if isinstance(entry, Mapping) else None
    if isinstance(own, Mapping):
        yield prefix, own


def _regularizer(value: Any) -> Regularizer | None:
    """A name (``l2``), a class with its arguments, or the numbers alone as Keras 1 wrote them."""
    if isinstance(value, str):
        named = {"l1": Regularizer(l1=0.01), "l2": Regularizer(l2=0.01),
                 "l1_l2": Regularizer(l1=0.01, l2=0.01), "l1l2": Regularizer(l1=0.01, l2=0.01),
                 "L1": Regularizer(l1=0.01), "L2": Regularizer(l2=0.01),
                 "L1L2": Regularizer(l1=0.01, l2=0.01)}  # fmt: skip
        return named.get(value, Regularizer(unknown=value[:60]))
    if not isinstance(value, Mapping):
        return Regularizer(unknown=str(value)[:60])
    kind = str(value.get("class_name", value.get("name", "L1L2"))).rsplit(">", 1)[-1]
    config = value.get("config", value)
    config = config if isinstance(config, Mapping) else {}
    if kind == "OrthogonalRegularizer":
        rows = config.get("mode", "rows") == "rows"
        factor = config.get("factor", 0.01)
        if isinstance(factor, (int, float)):
            return Regularizer(orthogonal=float(factor), rows=rows)
    elif kind in ("L1", "L2", "L1L2", "WeightRegularizer", "ActivityRegularizer"):
        numbers = _numbers(config)
        if numbers is not None:
            return numbers if numbers.l1 or numbers.l2 else None
    return Regularizer(unknown=kind[:60])


def _numbers(config: Mapping[str, Any]) -> Regularizer | None:
    pair = [config.get("l1", 0.0) or 0.0, config.get("l2", 0.0) or 0.0]
    pair = [one.get("config", one).get("value") if isinstance(one, Mapping) else one
            for one in pair]  # fmt: skip
    if not all(isinstance(one, (int, float)) for one in pair):
        return None
    return Regularizer(l1=float(pair[0]), l2=float(pair[1]))
