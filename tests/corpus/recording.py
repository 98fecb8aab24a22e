"""Random weights, every layer's output, the files and their manifest."""

from __future__ import annotations

import gc
import json
import tempfile
import traceback
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from kit import CASES, Array, Case, Kit, Made

FOLDER = Path(__file__).parent
BATCH = 2
MANIFEST = "manifest.json"
ABOUT = (
    "Models with random weights and the outputs of their layers; keys of a reference are "
    "input:<name>, output:<layer>[#call][[output]] and final:<number>"
)


def write_corpus(kit: Kit, only: Sequence[str]) -> None:
    """Write the files of every case (or replace those of the named ones) into the archive."""
    archive = FOLDER / f"keras{kit.major}.zip"
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        entries = _unpacked(archive, folder) if only else {}
        for case in CASES:
            formats = case.formats.get(kit.major, ())
            if not formats or (only and case.name not in only):
                continue
            kit.keras.backend.clear_session()
            gc.collect()
            try:
                entries.update(
                    {entry["file"]: entry for entry in _write(case, kit, formats, folder)}
                )
                print(f"{case.name}: {', '.join(formats)}", flush=True)
            except Exception:
                failed.append(case.name)
                traceback.print_exc()
        _pack(archive, folder, [entries[file] for file in sorted(entries)])
    if failed:
        raise SystemExit(f"not written: {', '.join(failed)}")


def _unpacked(archive: Path, folder: Path) -> dict[str, dict[str, Any]]:
    if not archive.exists():
        return {}
    with zipfile.ZipFile(archive) as stored:
        stored.extractall(folder)
    entries = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    return {entry["file"]: entry for entry in entries}


def _pack(archive: Path, folder: Path, entries: Sequence[dict[str, Any]]) -> None:
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    manifest = f'{{"about": {json.dumps(ABOUT)},\n"files": [\n{lines}\n]}}\n'
    files = {entry[key] for entry in entries for key in ("file", "reference")}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as stored:
        stored.writestr(zipfile.ZipInfo(MANIFEST), manifest.encode(), zipfile.ZIP_DEFLATED)
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)
            stored.writestr(entry, (folder / name).read_bytes(), zipfile.ZIP_DEFLATED)


def _write(case: Case, kit: Kit, formats: Sequence[str], folder: Path) -> Iterator[dict[str, Any]]:
    np.random.seed(7)
    kit.keras.utils.set_random_seed(7)
    built = case.build(kit)
    made = built if isinstance(built, Made) else Made(built, {})
    seed = zlib.crc32(f"{case.name}{kit.major}".encode())
    rng = np.random.default_rng(seed)
    fill(made.model, rng, kit)
    inputs = _inputs(made, rng)
    options = dict(case.options)
    values = references(made.model, inputs, kit, options.pop("skip", ()))
    stem = f"k{kit.major}_{case.name}"
    np.savez(folder / f"{stem}.npz", **values)
    for suffix in formats:
        made.model.save(folder / f"{stem}.{suffix}")
        yield {
            "file": f"{stem}.{suffix}",
            "reference": f"{stem}.npz",
            "keras": kit.keras.__version__,
            "about": case.about,
            **options,
        }


# --------------------------------------------------------------------------- weights, inputs


def fill(model: Any, rng: np.random.Generator, kit: Kit) -> None:
    """Random numbers into every weight: kernels that keep the scale, positive variances."""
    layers = model._flatten_layers(include_self=False, recursive=True)
    kept = [id(w) for part in layers if isinstance(part, kit.layers.Normalization)
            for w in part.weights]  # fmt: skip
    for weight in model.weights:
        if id(weight) in kept:
            continue  # adapted or given
        path = str(getattr(weight, "path", weight.name)).removesuffix(":0")
        label = path.rsplit("/", 1)[-1]
        dtype = str(getattr(weight.dtype, "name", weight.dtype))
        if ("float" not in dtype) or "seed_generator" in path or label == "count":
            continue
        weight.assign(_drawn(label, tuple(weight.shape), rng).astype(np.float32))


def _drawn(label: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if "variance" in label:
        return rng.uniform(0.5, 1.5, shape)
    if label in ("gamma", "scale", "attention_score_scale", "concat_score_weight"):
        return rng.uniform(0.5, 1.5, shape)
    if label == "alpha":
        return rng.uniform(0.05, 0.5, shape)
    if len(shape) < 2 or "bias" in label or "mean" in label or label == "beta":
        return rng.normal(size=shape, scale=0.3)
    if "embedding" in label:
        return rng.normal(size=shape)
    fan = int(np.prod(shape[:-1]))
    if "recurrent" in label:
        fan = shape[-2]
    return rng.normal(size=shape, scale=max(fan, 1) ** -0.5)


def _inputs(made: Made, rng: np.random.Generator) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for tensor in made.model.inputs:
        name = tensor.name.split(":")[0]
        shape = [BATCH, *(size or 5 for size in tensor.shape[1:])]
        given = made.inputs.get(name)
        drawn = rng.normal(size=shape).astype(np.float32)
        found[name] = drawn if given is None else np.asarray(given, np.float32)
    return found


# --------------------------------------------------------------------------- references


def references(
    model: Any, inputs: dict[str, Array], kit: Kit, skip: Sequence[str]
) -> dict[str, Array]:
    """Inputs, the output of every call of every layer, and the model's outputs.

    ``skip`` names operations that only masks need.
    """
    names = [tensor.name.split(":")[0] for tensor in model.inputs]
    given = [kit.tf.cast(inputs[n], t.dtype) for n, t in zip(names, model.inputs, strict=True)]
    values: dict[str, Array] = {f"input:{name}": array for name, array in inputs.items()}
    outputs: dict[str, Any] = {}
    finals = _calls(model, given, "", outputs, kit, skip)
    values |= {f"output:{key}": _array(value) for key, value in outputs.items()}
    values |= {f"final:{i}": _array(value) for i, value in enumerate(finals)}
    return values


def _array(value: Any) -> Array:
    array = np.asarray(value)
    return array.astype(np.float32)


def _flat(tree: Any, kit: Kit) -> list[Any]:
    return list(kit.tf.nest.flatten(tree))


def _calls(
    model: Any, given: list[Any], scope: str, found: dict[str, Any], kit: Kit, skip: Sequence[str]
) -> list[Any]:
    """Run a graph node by node, nested graphs included; returns the model's outputs."""
    graph = getattr(model, "_functional", None) or model
    values: dict[int, Any] = {}
    for symbol, value in zip(_flat(graph.inputs, kit), given, strict=True):
        values[id(symbol)] = value
    depths = sorted(graph._nodes_by_depth, reverse=True)
    nodes = [node for depth in depths for node in graph._nodes_by_depth[depth]]
    counted: dict[int, list[Any]] = {}
    inside = {id(node) for node in nodes}
    for node in nodes:
        layer = node.operation if kit.major == 3 else node.layer
        own = [other for other in layer._inbound_nodes if id(other) in inside]
        counted[id(layer)] = own
    for node in nodes:
        if node.is_input:
            continue
        layer = node.operation if kit.major == 3 else node.layer
        args, kwargs = _arguments(node, values, kit)
        own = counted[id(layer)]
        key = scope + layer.name + (f"#{own.index(node)}" if len(own) > 1 else "")
        nested = isinstance(layer, kit.keras.Model)
        if nested:
            tensors = [item for item in _flat((args, kwargs), kit) if kit.tf.is_tensor(item)]
            results = _calls(layer, tensors, f"{key}/", found, kit, skip)
        else:
            results = _flat(_called(layer, args, kwargs, kit), kit)
        symbols = node.output_tensors if kit.major == 3 else _flat(node.outputs, kit)
        for number, (symbol, result) in enumerate(zip(symbols, results, strict=True)):
            values[id(symbol)] = result
            if layer.name.rsplit("_", 1)[0] not in skip and layer.name not in skip:
                found[key if len(results) == 1 else f"{key}[{number}]"] = result
    return [values[id(symbol)] for symbol in _flat(graph.outputs, kit)]


def _arguments(node: Any, values: dict[int, Any], kit: Kit) -> tuple[Any, Any]:
    if kit.major == 3:
        return node.arguments.fill_in(values)  # type: ignore[no-any-return]
    several = {str(number): [value] * 9 for number, value in values.items()}
    return node.map_arguments(several)  # type: ignore[no-any-return]


def _called(layer: Any, args: Any, kwargs: Any, kit: Kit) -> Any:
    """The layer's outputs; compiled by XLA where TensorFlow's own kernels refuse, or are wrong."""
    spec = getattr(layer, "_call_spec", None)
    if getattr(spec, "expects_training_arg", getattr(layer, "_call_has_training_arg", False)):
        kwargs = {**kwargs, "training": False}
    compiled = kit.tf.function(lambda: layer(*args, **kwargs), jit_compile=True)
    if getattr(layer, "data_format", None) == "channels_first":
        return compiled()
    try:
        return layer(*args, **kwargs)
    except (kit.tf.errors.OpError, NotImplementedError):
        return compiled()
