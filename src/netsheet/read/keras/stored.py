"""What a Keras file holds, before anything in it is interpreted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from netsheet.equations import FloatArray
from netsheet.read.taught import Taught

METADATA = "metadata.json"  # of a .keras file


@dataclass(frozen=True, eq=False)
class StoredWeight:
    """An array and its path in the file (the last part is the weight's name or number)."""

    path: str
    values: FloatArray


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """A group of arrays; ``keras_name`` is the layer's own name where the file also says it."""

    name: str
    weights: list[StoredWeight]
    keras_name: str | None = None


@dataclass(frozen=True, eq=False)
class KerasFile:
    """A Keras file: configurations as parsed JSON, arrays by layer.

    ``layout`` is "legacy" (groups named after layers, in the order of ``layer_names``) or "v3"
    (``layers/<class>_<n>/vars/<i>``). ``assets``: texts beside the arrays, by the path that a v3
    layer's arrays have too: ``layers/<class>_<n>/vocabulary.txt``.
    """

    path: Path
    kind: Literal["h5", "keras", "weights"]
    keras_version: str
    backend: str | None
    config: Mapping[str, Any] | None
    training_config: Mapping[str, Any] | None
    layers: list[StoredLayer]
    layout: Literal["legacy", "v3"]
    sha256: str
    assets: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    taught: Taught = field(default_factory=Taught)
