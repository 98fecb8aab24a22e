"""The operations of one graph: their layers, and what of them is no layer but a size."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers.opaque import Opaque
from netsheet.read.keras.graph import CallConfig, GraphConfig, LayerConfig, TensorRef
from netsheet.read.keras.ops import normal_name, operation
from netsheet.read.keras.ops_sizes import (
    Size,
    makes_sizes,
    rows_of,
    sizes_of,
    takes_rows,
    with_sizes,
    without_rows,
)

Made = tuple[Layer, list[TensorRef]]


@dataclass
class Operations:
    """What is known of a graph's operations, as far as its calls are made."""

    in_rows: Set[str] = field(default_factory=set)  # put all samples in rows, for a product only
    sizes: dict[TensorRef, Size] = field(default_factory=dict)
    rows: dict[TensorRef, TensorRef] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: GraphConfig) -> Operations:
        """Of a graph none of whose calls is made."""
        users: dict[str, list[LayerConfig | None]] = {}
        for layer in graph.layers:
            for call in layer.calls:
                for ref in call.refs():
                    users.setdefault(ref.layer, []).append(layer)
        for ref in graph.outputs:
            users.setdefault(ref.layer, []).append(None)

        def kind(one: LayerConfig | None) -> str | None:
            return normal_name(one) if one is not None and one.is_operation else None

        def multiplied(one: LayerConfig | None) -> bool:
            if one is None or not one.is_operation:
                return False
            return takes_rows(one, [kind(user) for user in users.get(one.name, ())])

        return cls({
            layer.name
            for layer in graph.layers
            if layer.is_operation
            and len(layer.calls) == 1
            and rows_of(layer, layer.calls[0]) is not None
            and all(map(multiplied, users.get(layer.name, [None])))
        })  # fmt: skip

    def tensors(self, call: CallConfig) -> list[TensorRef]:
        """Those that a call takes, without sizes."""
        return [ref for ref in call.refs() if ref not in self.sizes]

    def refuse_sizes(self, call: CallConfig) -> None:
        """UnsupportedError for a layer that is called with a size."""
        if len(self.tensors(call)) < len(call.refs()):
            raise UnsupportedError("it is called with the size of a tensor")

    def made(self, name: str, layer: LayerConfig, number: int, call: CallConfig) -> Made | None:
        """The layer of a call and the tensors that it takes; None where there is none.

        Results that are sizes are worked out later; rows are multiplied where they lie.
        """
        known = {ref: self.sizes[ref] for ref in call.refs() if ref in self.sizes}
        try:
            if makes_sizes(layer, call, known):
                for place, size in enumerate(sizes_of(layer, call, known)):
                    self.sizes[TensorRef(layer.name, number, place)] = size
                return None
            if known:
                made, refs = with_sizes(name, layer, call, known)
                made.name, made.type_name = name, layer.class_name
                return made, refs
        except UnsupportedError as error:
            opaque = Opaque(name=name, type_name=layer.class_name, reason=str(error))
            return opaque, self.tensors(call)
        rows = rows_of(layer, call) if layer.name in self.in_rows else None
        if rows is not None:
            self.rows[TensorRef(layer.name, number, 0)] = self.rows.get(rows, rows)
            return None
        return operation(name, layer, without_rows(call, self.rows))
