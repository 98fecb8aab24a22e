"""Real Keras, where it is installed."""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UsageError
from netsheet.layers.opaque import Opaque
from netsheet.read.keras.architecture import KerasOriginal
from netsheet.verify.engines.base import Artefact, Recomputed, importable

if TYPE_CHECKING:
    from netsheet.network import Network

LONGEST = 300  # characters of what Keras says
HALF = ("float16", "bfloat16")
INSTALL = "pip install keras tensorflow-cpu (or tf_keras for files of Keras 1 and 2)"


class Keras:
    """Every layer call as Keras computes it from the same file and inputs.

    Files of Keras 1 and 2 are loaded by ``tf_keras`` where it is installed, others by ``keras``.
    What would compute in half precision is made to compute in float32, as netsheet does.
    """

    def absent(self) -> str | None:
        """As :class:`~netsheet.verify.engines.base.OutsideEngine` says."""
        if importable("keras") or importable("tf_keras"):
            return None
        return f"Keras is not installed here: {INSTALL}."

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """What the layers of the artefact's network return.

        Raises:
            UsageError: no Keras file, or a layer (Lambda) for which code might be run.
            NetsheetError: Keras is not installed, or cannot load or compute the file.
        """
        model = artefact.network
        if not model.format.startswith("Keras"):
            raise UsageError(f"{model.path}: is no Keras file ({model.format}).")
        for layer in model.layers.values():
            if isinstance(layer, Opaque):
                what = f"layer {layer.name!r} ({layer.type}) is not known"
                raise UsageError(f"{what}: Keras might run code from the file for it.")
        columns = zip(*(sample.arrays for sample in samples), strict=True)
        inputs = [np.stack(column) for column in columns]
        with silence():
            keras = _keras(model)
            recorded = _recorded(keras, model, inputs)
        rows = [{key: a[n] for key, a in recorded.items()} for n in range(len(samples))]
        return Recomputed(f"{keras.__name__} {keras.__version__}", rows)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """What libraries write to standard error on their own, from C++ too, goes nowhere."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _keras(model: Network) -> Any:
    """The Keras that reads this file."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    version = model.framework_version
    if isinstance(model.original, KerasOriginal):
        version = model.original.architecture.version
    older = version.split(".", 1)[0] in ("", "1", "2")
    for name in ("tf_keras", "keras") if older else ("keras",):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise NetsheetError(f"Keras is not installed here: {INSTALL}.")


def _recorded(keras: Any, model: Network, inputs: Sequence[FloatArray]) -> dict[str, FloatArray]:
    """Outputs of every layer call by netsheet's keys, from one pass of the loaded model."""
    recorder = _Recorder()
    try:
        loaded = _in_float32(keras, _loaded(keras, model))
        recorder.watch(loaded)
        # a network that keeps states takes as many samples at a time as its file says
        size = (model.batch_size or 1) if model.states else len(inputs[0])
        parts = []
        for start in range(0, len(inputs[0]), size):
            some = [array[start : start + size] for array in inputs]
            loaded(some if len(some) > 1 else some[0], training=False)
            parts.append(_by_key(recorder.results))
    except Exception as error:  # whatever Keras says of the file
        raise NetsheetError(
            f"{model.path}: {keras.__name__} {keras.__version__} cannot load or compute it: "
            f"{_sentence(error)}"
        ) from error
    if len(parts) == 1:
        return parts[0]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _by_key(results: Mapping[str, Any]) -> dict[str, FloatArray]:
    """What layers have returned, an array for each output."""
    values: dict[str, FloatArray] = {}
    for key, result in results.items():
        several = isinstance(result, (list, tuple))
        for place, part in enumerate(result if several else [result]):
            values[f"{key}[{place}]" if several else key] = np.asarray(part)
    return values


def _loaded(keras: Any, model: Network) -> Any:
    """The model in the file, or that of its architecture with the weights of another file."""
    original = model.original
    if not isinstance(original, KerasOriginal):
        return keras.models.load_model(str(model.path), compile=False)
    loaded = keras.models.model_from_json(json.dumps(original.architecture.config))
    # Keras tells how weights are stored by the file's name
    suffix = ".h5" if original.layout == "legacy" else ".weights.h5"
    with tempfile.TemporaryDirectory(prefix="netsheet-") as folder:
        named = Path(folder) / f"w{suffix}"
        shutil.copyfile(original.weights, named)
        loaded.load_weights(str(named))
    return loaded


def _sentence(error: Exception) -> str:
    """What Keras says, in one line; in front of TensorFlow's reason it says where it was."""
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = said or [type(error).__name__]
    if said[0].startswith("Exception encountered when calling"):
        said = said[1:] or said
    text = re.sub(r"\{\{.*?\}\}|\x1b\[[0-9;]*m", "", said[0]).strip()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _in_float32(keras: Any, loaded: Any) -> Any:
    """The model, computing in float32 whatever its weights and policies are.

    Weights in half precision stay so for their layers, which are therefore built anew.
    """
    if any(_half(weight.dtype) for weight in loaded.weights):
        values = [np.asarray(weight).astype(np.float32) for weight in loaded.get_weights()]
        again = type(loaded).from_config(_float32_config(loaded.get_config()))
        again.set_weights(values)
        return again
    for layer in loaded._flatten_layers():
        if not _half(getattr(layer, "compute_dtype", "float32")):
            continue
        if hasattr(layer, "_set_dtype_policy"):
            layer._set_dtype_policy("float32")
        else:
            layer.dtype_policy = keras.DTypePolicy("float32")
    return loaded


def _half(dtype: Any) -> bool:
    return str(getattr(dtype, "name", dtype)) in HALF


def _float32_config(config: Any) -> Any:
    """A configuration with float32 in place of every half-precision type and policy."""
    if isinstance(config, dict):
        return {name: _float32_config(value) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_float32_config(value) for value in config)
    if isinstance(config, str) and config.removeprefix("mixed_") in HALF:
        return "float32"
    return config


class _Recorder:
    """Remembers what each layer returns, under netsheet's key for the call.

    A layer called several times has the key ``name#i``, i counting the calls in the order in which
    they were made; inside a nested model the key begins with that model's own key.
    """

    def __init__(self) -> None:
        self.results: dict[str, Any] = {}
        self._inside: list[str] = []
        self._done: Counter[str] = Counter()

    def watch(self, model: Any) -> None:
        """Put a recorder around the computation of every layer of the model."""
        order = _call_order(model)
        # in Keras 3, functions of keras.ops are operations beside the layers
        for layer in getattr(model, "operations", model.layers):
            numbers = order.get(layer.name, [0])
            # a quantised layer is called by another name
            name = "quantized_call" if getattr(layer, "quantization_mode", None) else "call"
            setattr(layer, name, self._recording(layer, getattr(layer, name), numbers))
            if hasattr(layer, "layers") and hasattr(layer, "get_layer"):
                self.watch(layer)

    def _recording(
        self, layer: Any, call: Callable[..., Any], numbers: Sequence[int]
    ) -> Callable[..., Any]:
        @functools.wraps(call)
        def recording(*args: Any, **kwargs: Any) -> Any:
            key = "/".join([*self._inside, layer.name])
            time = self._done[key]
            self._done[key] += 1
            if len(numbers) > 1:
                key = f"{key}#{numbers[time % len(numbers)]}"
            self._inside.append(key.removeprefix("/".join([*self._inside, ""])))
            try:
                self.results[key] = call(*args, **kwargs)
            finally:
                self._inside.pop()
            return self.results[key]

        return recording


def _call_order(model: Any) -> dict[str, list[int]]:
    """For each layer the numbers of its calls in the order in which Keras executes them: by depth.

    Calls are numbered in the order in which they were made.
    """
    depths = getattr(model, "_nodes_by_depth", {})
    executed: dict[Any, list[Any]] = {}
    for depth in sorted(depths, reverse=True):
        for node in depths[depth]:
            executed.setdefault(getattr(node, "operation", None) or node.layer, []).append(node)
    order = {}
    for layer, nodes in executed.items():
        made = [node for node in layer._inbound_nodes if node in nodes]
        order[layer.name] = [made.index(node) for node in nodes]
    return order
