"""The fast engine: a model computed by ONNX Runtime, in float32 and in batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.engine.table_rows import check_table_rows
from netsheet.equations import FLOAT, FloatArray, Tensor
from netsheet.equations.entry import entered, meaning
from netsheet.errors import NetsheetError, UsageError
from netsheet.selection import require_computed
from netsheet.write.onnx import check_outputs, encoded

if TYPE_CHECKING:
    from netsheet.network import Network

# A batch holds about as many values of all tensors together as a processor keeps near it (4 MB of
# float32), but some samples, so that weights are not read for each one, if 256 MB hold them.
NEAR_VALUES, MOST_VALUES = 1 << 20, 1 << 26
MIN_BATCH, MAX_BATCH = 32, 1024

Progress = Callable[[int, int], None]


class Engine:
    """Computes a model's layers for inputs with a batch axis.

    Inputs are one array, a list in the order of the model's inputs, or a dict by input name. Open
    dimensions take the sizes of the data.
    """

    def __init__(self, model: Network, threads: int | None = None) -> None:
        self.model = model
        self.threads = threads or _cores()
        self._sessions: dict[tuple[str, ...], Any] = {}
        self._bound: dict[tuple[tuple[int, ...], ...], Engine] = {}

    def __call__(self, x: object, keys: Sequence[str] | None = None) -> dict[str, FloatArray]:
        """As :meth:`activations`."""
        return self.activations(x, keys)

    def activations(
        self, x: object, keys: Sequence[str] | None = None, progress: Progress | None = None
    ) -> dict[str, FloatArray]:
        """Outputs, batch axis in front, of the layers named by ``keys`` (None: all), by key.

        Raises:
            UsageError: a key that no computed layer has.
            UnsupportedError: no layer at all is computed.
            NetsheetError: inputs whose number, names or shapes do not fit.
        """
        arrays = self.inputs(x)
        engine = self._for(arrays)
        aliases = engine.model.alias_tensors()
        if not keys:
            require_computed(engine.model)
        names = list(dict.fromkeys(keys or [*engine.model.tensors(), *aliases]))
        tensors = {name: aliases[name].name if name in aliases else name for name in names}
        values = engine._run(arrays, tuple(dict.fromkeys(tensors.values())), progress)
        return {name: values[tensor] for name, tensor in tensors.items()}

    def predict(self, x: object, progress: Progress | None = None) -> FloatArray | list[FloatArray]:
        """The model's output, or the list of its outputs where it has several.

        Whole numbers are given as the real ones that they stand for; :meth:`activations` gives
        them as they are.
        """
        arrays = self.inputs(x)
        engine = self._for(arrays)
        check_outputs(engine.model)
        names = [tensor.name for tensor in engine.model.outputs]
        values = engine._run(arrays, tuple(dict.fromkeys(names)), progress)
        results = [meaning(tensor, values[tensor.name]) for tensor in engine.model.outputs]
        return results[0] if len(results) == 1 else results

    def named(
        self, x: object, names: Sequence[str], progress: Progress | None = None
    ) -> dict[str, FloatArray]:
        """The tensors of these names: inputs, layers' outputs, and the masks that they carry."""
        arrays = self.inputs(x)
        return self._for(arrays)._run(arrays, tuple(dict.fromkeys(names)), progress)

    def states_before(self, x: object) -> dict[str, FloatArray]:
        """The states that each sample begins with, by name: zeros, or what a run before has left.

        Nothing for a network that keeps none.
        """
        arrays = self.inputs(x)
        engine = self._for(arrays)
        states, count = engine.model.states, _count(arrays)
        if not states:
            return {}
        after = engine._run(arrays, tuple(state.after.name for state in states), None)
        back = min(engine.model.batch_size or 1, count)
        return {
            state.before.name: np.concatenate([
                np.zeros((back, *state.before.shape), np.float32),
                after[state.after.name][: count - back],
            ])
            for state in states
        }  # fmt: skip

    def batches(self, arrays: Mapping[str, FloatArray]) -> Iterator[dict[str, FloatArray]]:
        """The inputs in portions that fit into memory together with all layers' outputs.

        A network that keeps states takes as many as its file says, since each sample of a portion
        goes on from the states of the same one of the portion before.
        """
        tensors = [*self.model.inputs, *self.model.tensors().values()]
        values = max(1, sum(tensor.size for tensor in tensors))
        size = min(MAX_BATCH, max(MIN_BATCH, NEAR_VALUES // values))
        size = max(1, min(size, MOST_VALUES // values))
        if self.model.states:
            size = self.model.batch_size or 1
        for start in range(0, _count(arrays), size):
            yield {name: array[start : start + size] for name, array in arrays.items()}

    def _run(
        self, arrays: Mapping[str, FloatArray], names: tuple[str, ...], progress: Progress | None
    ) -> dict[str, FloatArray]:
        given = {tensor.name for tensor in self.model.inputs}
        wanted = tuple(name for name in names if name not in given)
        parts: dict[str, list[FloatArray]] = {name: [] for name in names}
        total, done = _count(arrays), 0
        kept = {state.before.name: state.after.name for state in self.model.states}
        states = {
            state.before.name: np.zeros((1, *state.before.shape), np.float32)
            for state in self.model.states
        }
        asked = tuple(dict.fromkeys([*wanted, *kept.values()]))
        for batch in self.batches(arrays):
            rows = _count(batch)
            batch |= {
                name: np.broadcast_to(old[:rows] if len(old) > 1 else old, (rows, *old.shape[1:]))
                for name, old in states.items()
            }
            results = self._results(asked, batch) if asked else []
            found = {**batch, **dict(zip(asked, results, strict=True))}
            states = {before: found[after] for before, after in kept.items()}
            for name in names:
                parts[name].append(found[name])
            done += _count(batch)
            if progress is not None:
                progress(done, total)
        return {name: np.concatenate(part) for name, part in parts.items()}

    def _results(
        self, asked: tuple[str, ...], batch: Mapping[str, FloatArray]
    ) -> Sequence[FloatArray]:
        session = self._session(asked)
        try:
            found: Sequence[FloatArray] = session.run(list(asked), batch)
        except Exception as error:
            if not type(error).__module__.startswith("onnxruntime"):
                raise
            reason = str(error).rsplit("Status Message: ", 1)[-1].strip().rstrip(".")
            raise NetsheetError(
                f"{self.model.name} cannot be computed for these values: ONNX Runtime says: "
                f"{reason}."
            ) from error
        return found

    def _session(self, names: tuple[str, ...]) -> Any:
        """One session for each set of outputs: what is asked for is not fused away."""
        if names not in self._sessions:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self.threads
            options.log_severity_level = 3
            # Threads that wait in a loop for work take the processor from others, and from us.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            proto = encoded(self.model, names)
            self._sessions[names] = onnxruntime.InferenceSession(
                proto, options, providers=["CPUExecutionProvider"]
            )
        return self._sessions[names]

    # ------------------------------------------------------------------ inputs

    def inputs(self, x: object) -> dict[str, FloatArray]:
        """The inputs by name, as arrays of their dtypes with a batch axis."""
        inputs = self.model.inputs
        names = [tensor.name for tensor in inputs]
        if isinstance(x, Mapping):
            missing = [name for name in names if name not in x]
            unknown = [str(name) for name in x if name not in names]
            if missing or unknown:
                what = f"without {_listed(missing)}" if missing else f"with {_listed(unknown)}"
                raise UsageError(f"inputs are {_listed(names)}; values were given {what}.")
            values = [x[name] for name in names]
        elif isinstance(x, (list, tuple)) and (len(names) > 1 or len(x) == 1):
            values = list(x)
        else:
            values = [x]
        if len(values) != len(names):
            raise UsageError(
                f"{self.model.name} takes {len(names)} inputs ({_listed(names)}), "
                f"not {len(values)}; give a list in this order or a dict by name."
            )
        arrays = {t.name: _array(t, v) for t, v in zip(inputs, values, strict=True)}
        counts = {name: len(array) for name, array in arrays.items()}
        if len(set(counts.values())) > 1:
            raise UsageError(f"inputs have different numbers of samples: {counts}.")
        if not min(counts.values(), default=1):
            raise UsageError("there is no sample in the input.")
        check_table_rows(self.model, arrays)
        return arrays

    def _for(self, arrays: Mapping[str, FloatArray]) -> Engine:
        """This engine, or the one of the model bound to the sizes of the data."""
        if self.model.bound:
            return self
        shapes = tuple(array.shape[1:] for array in arrays.values())
        if shapes not in self._bound:
            bound = self.model.bind(dict(zip(arrays, shapes, strict=True)))
            self._bound[shapes] = Engine(bound, self.threads)
        return self._bound[shapes]


def engine(network: Network) -> Engine:
    """The network's own engine, made once and kept with it."""
    if "engine" not in network.memo:
        network.memo["engine"] = Engine(network)
    found: Engine = network.memo["engine"]
    return found


def _array(tensor: Tensor, values: object) -> FloatArray:
    try:
        array = np.asarray(values, np.float32 if tensor.dtype == FLOAT else None)
    except (TypeError, ValueError) as error:
        raise UsageError(f"input {tensor.name!r}: these are no numbers: {error}.") from error
    shape: tuple[int | None, ...] = tensor.shape
    fits = array.ndim == len(shape) + 1 and all(
        size is None or size == got for size, got in zip(shape, array.shape[1:], strict=True)
    )
    if not fits:
        wanted = ", ".join("?" if size is None else str(size) for size in (None, *shape))
        hint = " (the first axis counts the samples)" if array.ndim == len(shape) else ""
        raise NetsheetError(
            f"input {tensor.name!r} takes the shape ({wanted}), not {array.shape}{hint}."
        )
    return entered(tensor, array)


def _count(arrays: Mapping[str, FloatArray]) -> int:
    return len(next(iter(arrays.values())))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
