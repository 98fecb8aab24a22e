"""Calls of layers with the tensors that go in and come out; checked as they are made.

A layer whose arguments, inputs and weights do not go together is refused by itself: what comes
before it and beside it is computed all the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from netsheet.equations import Affine, Equation, Lookup, Tensor, Weight, reads
from netsheet.errors import NetsheetError
from netsheet.layer import Layer, Signature


@dataclass(frozen=True)
class ValueRef:
    """An output of a call, or (``output`` 0) an input of the model."""

    key: str
    output: int = 0


@dataclass(frozen=True, eq=False)
class LayerCall:
    """A layer applied to values; ``key`` is its name, with ``#i`` if it is called several times.

    ``masks`` False: its output carries no mask, whatever the layer says.
    """

    key: str
    layer: Layer
    inputs: tuple[ValueRef, ...]
    masks: bool = True


@dataclass(frozen=True, eq=False)
class Node:
    """A call with its tensors; ``refusal`` says why it is not computed.

    ``follows``: only because a call before it is not computed.
    """

    key: str
    layer: Layer
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    refusal: str | None = None
    tables: int = 0  # positions that its equations write out one by one
    follows: bool = False


def with_states(
    call: LayerCall, values: dict[ValueRef, Tensor], calls: Sequence[LayerCall]
) -> tuple[LayerCall, list[Tensor]]:
    """The call with the states that its layer keeps as inputs, which are added to the values."""
    layer = call.layer
    if not layer.keeps_state or layer.reason or len(call.inputs) != 1:
        return call, []  # states that a call itself gives stand for those that were kept
    if call.inputs[0] not in values:
        return call, []
    if sum(other.layer.name == layer.name for other in calls) > 1:
        reason = "it keeps a state, but is called several times: that is not computed"
        return replace(call, layer=replace(layer, reason=reason)), []
    try:
        states = layer.kept_states(values[call.inputs[0]])
    except (NetsheetError, *_CONTRADICTIONS) as error:
        return replace(call, layer=replace(layer, reason=str(error))), []
    refs, before = [], []
    for name, (axes, shape) in states:
        tensor = Tensor(f"{call.key}/{name}_in", tuple(axes), shape)  # type: ignore[arg-type]
        refs.append(ValueRef(tensor.name))
        values[refs[-1]] = tensor
        before.append(tensor)
    own = layer.with_state_outputs()
    return replace(call, layer=own, inputs=(*call.inputs, *refs)), before


def made_node(
    call: LayerCall, values: Mapping[ValueRef, Tensor], refused: Mapping[str, str]
) -> Node:
    """The call with its tensors; refused where the layer or one before it is not computed."""
    layer = call.layer
    inputs = tuple(values[ref] for ref in call.inputs if ref in values)
    upstream = next((ref.key for ref in call.inputs if ref.key in refused), None)
    refusal = layer.reason or None
    follows = refusal is None and upstream is not None
    if follows:
        refusal = f"it needs {upstream!r}, which is not computed"
    if len(inputs) < len(call.inputs):
        refusal = refusal or "an input has no known shape"
        return Node(call.key, layer, inputs, (), refusal, follows=follows)
    outputs: tuple[Tensor, ...] = ()
    tables = 0
    try:
        found = _outputs(call, inputs, layer.infer(inputs))
        _check_sizes(found)
        outputs = found
        if refusal is None and all(None not in t.shape for t in (*inputs, *outputs)):
            tables = _check_weights(layer, layer.equations(inputs, outputs))
    except NetsheetError as error:
        refusal = refusal or str(error)
    except _CONTRADICTIONS as error:
        refusal = refusal or _contradiction(inputs, error)
    return Node(call.key, layer, inputs, outputs, refusal, tables, follows)


# What a layer's own code raises where its arguments, inputs and weights do not go together.
_CONTRADICTIONS = (
    ValueError, LookupError, ArithmeticError, TypeError, AttributeError, AssertionError,
)  # fmt: skip


def _contradiction(inputs: Sequence[Tensor], error: Exception) -> str:
    if isinstance(error, TypeError) and any(None in tensor.shape for tensor in inputs):
        return "its sizes depend on the input's open sizes"
    text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    text = re.sub(r"^layer '[^']*' ", "it ", text)
    return f"it contradicts its input or weights: {text}"


MAX_TABLES = 1 << 20  # positions written out one by one, of all layers
MAX_ELEMENTS = 1 << 31


def _outputs(
    call: LayerCall, inputs: Sequence[Tensor], signatures: Sequence[Signature]
) -> tuple[Tensor, ...]:
    result = []
    for i, (axes, shape) in enumerate(signatures):
        name = call.layer.output_name(call.key, i, len(signatures))
        masked = call.masks and i < call.layer.masked_outputs()
        mask = call.layer.output_mask(inputs, name) if masked else None
        dtype, quantisation = call.layer.output_kind(i)
        sizes: Any = shape
        result.append(
            Tensor(name, tuple(axes), sizes, mask, dtype=dtype, quantisation=quantisation)
        )
    return tuple(result)


def _check_sizes(outputs: Sequence[Tensor]) -> None:
    for tensor in outputs:
        known = [size for size in tensor.shape if size is not None]
        if any(size <= 0 for size in known):
            raise ValueError(f"its output would have the shape {tensor.shape}")
        if math.prod(known) > MAX_ELEMENTS:
            raise ValueError(f"its output of {tensor.shape} would have {math.prod(known):,} values")


def _check_weights(layer: Layer, equations: Sequence[Equation]) -> int:
    """Every weight has to be read from its first to its last element, and not beyond.

    A weight that no equation reads (what training iterates on) is left alone. Returns how many
    positions stand in tables.
    """
    tables = 0
    reached: dict[Weight, list[int]] = {}
    for eq in equations:
        for read in reads(eq.value):
            atoms = (atom for at in read.at if isinstance(at, Affine) for _, atom in at.terms)
            tables += sum(len(atom.table) for atom in atoms if isinstance(atom, Lookup))
            if not isinstance(read.tensor, Weight):
                continue
            last = reached.setdefault(read.tensor, [-1] * len(read.at))
            last[:] = [max(old, at.bounds()[1]) for old, at in zip(last, read.at, strict=True)]
    own = set(layer.weights.values())
    for weight, last in reached.items():
        whole = weight in own
        for end, size in zip(last, weight.shape, strict=True):
            if end >= size or (whole and end < size - 1):
                used = tuple(position + 1 for position in last)
                raise ValueError(
                    f"{weight.label} has the stored shape {shown(weight.shape)}, "
                    f"but the configuration and the input say {shown(used)}"
                )
    return tables


def shown(shape: Sequence[int | None]) -> str:
    """A shape as Keras prints it: ``(None, 28, 28, 1)``."""
    inner = ", ".join(str(size) for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
