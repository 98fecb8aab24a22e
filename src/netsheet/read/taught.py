"""What a file keeps, besides its network, of the data that this was trained with.

Keras passes it by (an attribute of an HDF5 file, an entry of a .keras file's metadata), and so do
ONNX's runtimes (an entry of the model's metadata).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netsheet.errors import FormatError
from netsheet.read.limits import parse_json

if TYPE_CHECKING:
    from netsheet.network import Network

TAUGHT = "netsheet"  # what the attribute or the entry is called


@dataclass(frozen=True)
class Taught:
    """What a file says of the data that its network was trained with; nothing in others' own."""

    class_names: Sequence[str] = ()
    preparation: Mapping[str, Any] | None = None


def read_taught(stored: Any, notes: list[str]) -> Taught:
    """What was kept of the training's data; broken, it does not keep the model from opening.

    Args:
        stored: its JSON text, or its values; None where the file has none.
        notes: of the network, where it is said that something was left out.
    """
    if stored is None:
        return Taught()
    try:
        if not isinstance(stored, str | bytes | Mapping):
            raise FormatError(f"{TAUGHT} is no text")
        kept = stored if isinstance(stored, Mapping) else parse_json(stored, TAUGHT)
    except FormatError as error:
        notes.append(f"What the file says of its training's data is left out: {error}.")
        return Taught()
    names, form = kept.get("class_names"), kept.get("preparation")
    sound = isinstance(names, list) and all(isinstance(one, str) for one in names)
    return Taught(tuple(names or ()) if sound else (), form if isinstance(form, dict) else None)


def known_of_data(network: Network) -> dict[str, Any]:
    """What a network knows of it, to be kept in a file: names as many as it has classes."""
    known: dict[str, Any] = {}
    shape = network.outputs[0].shape if len(network.outputs) == 1 else ()
    if network.class_names and shape and shape[-1] == len(network.class_names):
        known["class_names"] = list(network.class_names)
    if network.preparation is not None:
        known["preparation"] = dict(network.preparation)
    return known
