"""One graph in many words: configurations rewritten so that they mean the same.

The files are those of the corpus; what Keras computed for them has to come out of every form.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest

from corpus.reading import Entry, own
from corpus.targets import Opened, judged, opened, run

Config = dict[str, Any]

FILES = {
    entry.file: entry
    for entry in own()
    if entry.file
    in (
        "k2_nested.h5", "k2_shared.h5", "k2_nested_ends.h5", "k2_siamese.h5", "k2_states.h5",
        "k2_transformer.h5", "k2_several_ends.h5", "k2_lambdas_arithmetic.h5", "k2_unet.h5",
        "k2_named_inputs.h5", "k3_shared.h5", "k3_nested_ends.h5", "k3_heads.h5",
        "k3_tensors_in_layers.h5", "k3_siamese.h5", "k3_states.h5", "k3_several_ends.h5",
    )
}  # fmt: skip


def graphs(entry: Config) -> Iterator[Config]:
    """The model and every model in it, as serialized objects."""
    config = entry.get("config")
    if isinstance(config, dict) and "layers" in config:
        yield entry
        for layer in config["layers"]:
            yield from graphs(layer)


def old_class_names(model: Config) -> None:
    """Model, as up to Keras 2.3, for Functional."""
    for graph in graphs(model):
        if graph["class_name"] == "Functional":
            graph["class_name"] = "Model"


def without_arguments(model: Config) -> None:
    """References of three elements where there are no arguments."""
    for graph in graphs(model):
        for layer in graph["config"]["layers"]:
            for node in layer.get("inbound_nodes", ()):
                entries = node if isinstance(node, list) else ()
                for entry in entries:
                    if isinstance(entry, list) and len(entry) == 4 and entry[3] == {}:
                        del entry[3]


def backwards(model: Config) -> None:
    """Layers in another order than that of their making."""
    for graph in graphs(model):
        if graph["class_name"] != "Sequential":
            graph["config"]["layers"].reverse()


def bare_ends(model: Config) -> None:
    """A single input or output without a list around it."""
    for graph in graphs(model):
        for key in ("input_layers", "output_layers"):
            ends = graph["config"].get(key)
            if isinstance(ends, list) and len(ends) == 1 and isinstance(ends[0], list):
                graph["config"][key] = ends[0]


def listed_ends(model: Config) -> None:
    """Inputs and outputs always in a list."""
    for graph in graphs(model):
        for key in ("input_layers", "output_layers"):
            ends = graph["config"].get(key)
            if isinstance(ends, list) and ends and isinstance(ends[0], str):
                graph["config"][key] = [ends]


def named_ends(model: Config) -> None:
    """Outputs in a dictionary whose keys sort as they are."""
    ends = model["config"].get("output_layers")
    if isinstance(ends, list) and ends and isinstance(ends[0], list):
        named = {f"output{number:02}": end for number, end in enumerate(ends)}
        model["config"]["output_layers"] = dict(reversed(named.items()))


def without_outer_names(model: Config) -> None:
    """A layer's name only among its arguments."""
    for graph in graphs(model):
        for layer in graph["config"]["layers"]:
            if layer["config"].get("name") == layer.get("name"):
                layer.pop("name", None)


def with_unknown_keys(model: Config) -> None:
    """Keys of later versions beside those that are known."""
    for graph in graphs(model):
        graph["compile_config"] = {"optimizer": "adam"}
        for layer in graph["config"]["layers"]:
            layer |= {"registered_name": None, "shared_object_id": 7, "build_config": {}}


def old_shapes(model: Config) -> None:
    """Shapes of inputs by the other of their two names."""
    for graph in graphs(model):
        for layer in graph["config"]["layers"]:
            config = layer["config"]
            for name, other in (("batch_shape", "batch_input_shape"),):
                if name in config or other in config:
                    first = name if name in config else other
                    second = other if first == name else name
                    config[second] = config.pop(first)


FORMS: list[Callable[[Config], None]] = [
    old_class_names, without_arguments, backwards, bare_ends, listed_ends, named_ends,
    without_outer_names, with_unknown_keys, old_shapes,
]  # fmt: skip


def rewritten(entry: Entry, change: Callable[[Config], None], folder: Path) -> Opened:
    """The file with a changed configuration, opened."""
    path = entry.path(folder)
    with h5py.File(path, "r+") as file:
        stored = file.attrs["model_config"]
        model = json.loads(stored if isinstance(stored, str) else stored.decode())
        change(model)
        file.attrs["model_config"] = json.dumps(model)
    with zipfile.ZipFile(entry.archive) as archive:
        archive.extract(entry.reference, folder)
    return opened(replace(entry, folder=folder), folder)


@pytest.mark.parametrize("change", FORMS, ids=lambda change: change.__name__)
@pytest.mark.parametrize("file", FILES)
def test_forms_of_a_graph(file: str, change: Callable[[Config], None], tmp_path: Path) -> None:
    case = rewritten(FILES[file], change, tmp_path)
    assert not [node.refusal for node in case.model.nodes if node.refusal]
    assert not [result for result in judged(case, run(case)) if not result.ok]
