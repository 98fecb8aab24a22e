"""Classes as exporters of classical learning write them: looked up as texts, wrapped in maps.

Neither text nor map is computed: the class's number stands for a text, the row of probabilities for
a map. The names are kept with the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netsheet.read.onnx.values import Computed, KnownValue, Value

if TYPE_CHECKING:
    from onnx import NodeProto

    from netsheet.read.onnx.assembly import GraphAssembly
    from netsheet.read.onnx.sequences import Rule

TEXT = 8  # onnx.TensorProto.STRING


def zip_map(
    assembly: GraphAssembly, node: NodeProto, attributes: Mapping[str, Any], given: Sequence[Any]
) -> Value | None:
    """ZipMap: the probabilities themselves."""
    labels = attributes.get("classlabels_strings") or attributes.get("classlabels_int64s") or ()
    if isinstance(given[0], Computed):
        assembly.class_names = [str(label) for label in labels]
        return given[0]
    return None


def looked_up(
    assembly: GraphAssembly, node: NodeProto, attributes: Mapping[str, Any], given: Sequence[Any]
) -> Value | None:
    """ArrayFeatureExtractor in stored texts: the place where it looks."""
    table, place = given[0], given[1]
    if (
        isinstance(table, KnownValue)
        and table.array.dtype.kind in "OSU"
        and isinstance(place, Computed)
    ):
        assembly.class_names = [_text(entry) for entry in table.array.reshape(-1)]
        return place
    return None


def as_text(
    assembly: GraphAssembly, node: NodeProto, attributes: Mapping[str, Any], given: Sequence[Any]
) -> Value | None:
    """Cast to text: the number itself."""
    return given[0] if attributes.get("to") == TEXT and isinstance(given[0], Computed) else None


def _text(entry: Any) -> str:
    return entry.decode("utf-8", "replace") if isinstance(entry, bytes) else str(entry)


CLASS_NAMES: dict[str, Rule] = {
    "ZipMap": zip_map,
    "ArrayFeatureExtractor": looked_up,
    "Cast": as_text,
}
