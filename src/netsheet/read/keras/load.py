"""A Keras file as a Network: what the file is, and which way leads from it to the layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from netsheet.layers.opaque import Opaque
from netsheet.network import Entry, Network
from netsheet.read.keras.architecture import KerasOriginal, in_order, joined, read_architecture
from netsheet.read.keras.assembly import Assembly, format_of
from netsheet.read.keras.container import read_keras
from netsheet.read.keras.graph import (
    LayerConfig,
    parse_graph,
)
from netsheet.read.keras.legacy_layout import assign_legacy
from netsheet.read.keras.masks import lost_masks
from netsheet.read.keras.old_weights import Era
from netsheet.read.keras.seen_through import without_masks
from netsheet.read.keras.stored import KerasFile
from netsheet.read.keras.unnamed import axes_of_weights
from netsheet.read.keras.v3_layout import assign_v3
from netsheet.read.keras.weights import Placing

SHOWN = 5  # names in a sentence


def load_keras(path: str | Path, architecture: str | Path | None = None) -> Network:
    """The model in a Keras file; FormatError or UnsupportedError say what is wrong with it.

    ``architecture``: the file whose architecture the weights of ``path`` belong to.
    """
    file = read_keras(path)
    stored_by = version = file.keras_version
    if architecture is not None:
        given = read_architecture(architecture)
        file, version = joined(file, given), given.version
    if file.config is None:
        return _weights_only(
            file, "the file holds weights only, no architecture",
            "The file holds weights only: the architecture is missing. Weights can be listed and "
            "written; to compute, give it too: --architecture model.json (or a .keras, .h5).",
        )  # fmt: skip
    class_name = str(file.config.get("class_name", "Functional"))
    config = file.config.get("config", file.config)
    if class_name not in ("Sequential", "Functional", "Model"):
        return _weights_only(
            file, "the architecture is in the program that made the file",
            f"A model of the class {class_name!r} has no readable architecture, only Sequential "
            "and Functional models do: weights can be listed and written; nothing can be computed.",
        )  # fmt: skip
    major = _major(version)
    graph = parse_graph(config, class_name, major, file.config.get("build_config"))
    if wrapped := graph.wrapped():
        file = _seen_through(file, wrapped)
    if architecture is not None:
        file = in_order(file, graph)
    assembly = Assembly(major, masks=lost_masks(version))
    assembly.make_layers(graph, "")
    legacy = file.layout == "legacy"
    placing = Placing(Era(_major(stored_by), file.backend), trained_first=legacy)
    assign = assign_legacy if legacy else assign_v3
    for layer in assign(graph, assembly.layers, file, placing):
        assembly.unclaimed.append(layer)
    if architecture is not None and (misfit := _misfit(assembly)):
        file = replace(file, notes=[*file.notes, misfit])
    assembly.refuse_unbuilt()
    network = assembly.model(graph, file, placing.paths)
    if architecture is not None:
        network.original = KerasOriginal(given, file.path, file.layout)
    return network


def _misfit(assembly: Assembly) -> str:
    """What of the weights and of the architecture has nothing in the other one; "" if nothing."""
    lacking = [layer.name for layer in assembly.layers.values()
               if layer.weight_axes() and not layer.weights and not layer.reason]  # fmt: skip
    left = [layer.name for layer in assembly.unclaimed]
    if not left:
        return ""
    said = ", ".join(left[:SHOWN]) + ("..." if len(left) > SHOWN else "")
    if not lacking:
        return (
            f"The file of the weights also has {said}, which no layer of this architecture takes: "
            "it may be that of another network."
        )
    return (
        f"The file of the weights has {said}, which no layer of this architecture takes, and none "
        f"for {', '.join(lacking[:SHOWN])}: it is that of another network."
    )


def _seen_through(file: KerasFile, wrapped: Sequence[LayerConfig]) -> KerasFile:
    names = ", ".join(sorted({layer.wrapper for layer in wrapped}))
    count = f"{len(wrapped)} layer{'s' if len(wrapped) > 1 else ''}"
    note = (
        f"{names} around {count} only wraps: what is inside is shown and computed, with its masks "
        "applied; masks, thresholds and the training step are not shown."
    )
    layers = file.layers if file.layout == "v3" else [without_masks(one) for one in file.layers]
    return replace(file, layers=layers, notes=[*file.notes, note])


def _major(version: str) -> int:
    digits = version.split(".", 1)[0]
    return int(digits) if digits.isdigit() else 2


def _weights_only(file: KerasFile, reason: str, note: str) -> Network:
    layers = []
    placing = Placing()
    for stored in file.layers:
        layer = Opaque(
            name=stored.keras_name or stored.name,
            type_name="?",
            reason=reason,
        )
        placing.give(layer, stored.weights)
        shapes = {label: weight.shape for label, weight in layer.weights.items()}
        axes = axes_of_weights(stored.name, shapes)
        layer.weights = {
            label: replace(weight, axes=axes[label]) for label, weight in layer.weights.items()
        }
        layers.append(layer)
    return Network(
        name=file.path.stem,
        calls=[],
        sources=[],
        results=[],
        entries=[Entry(layer.name, "?", None, layer) for layer in layers],
        path=file.path,
        format=format_of(file),
        sha256=file.sha256,
        framework_version=file.keras_version,
        notes=[*file.notes, note],
        stored=placing.paths,
        extra_layers=layers,
    )
