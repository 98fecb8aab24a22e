"""Layers with sizes that may contradict: refused, or what Keras computes; never beside an array.

A file of one layer becomes another: a number of its configuration, the shape of its input or the
shape of a weight is changed, a weight is taken away or added. Keras is the judge: what it does
not load has to be refused; what it computes has to be refused or the same.

python tests/corpus/changed_sizes.py SECONDS [SEED]
"""

from __future__ import annotations

import copy
import io
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "node")]

from c_batch import through_c  # noqa: E402
from cases import PASSED, WRONG, Prepared  # noqa: E402

import netsheet  # noqa: E402
from corpus.keras_judge import Judge, RefusedError  # noqa: E402
from corpus.one_layer import Document, Found, layers  # noqa: E402
from netsheet.data.probe import probe  # noqa: E402
from netsheet.equations.evaluation import evaluate  # noqa: E402
from netsheet.errors import NetsheetError  # noqa: E402
from netsheet.fidelity import judge  # noqa: E402
from netsheet.read.keras.table import NO_OPS  # noqa: E402

Array = np.ndarray[Any, Any]
OPEN = 5  # stands for a size that the file leaves open
MOST = 20_000  # values of a layer that is computed one by one
WORDS = (
    "same", "valid", "causal", "channels_first", "channels_last", "nearest", "bilinear", "relu",
    "softmax", "concat", "sum", "mul", "ave", "dot", "int", "one_hot", "multi_hot", "nonsense",
)  # fmt: skip
# What says nothing of sizes, or of what is computed.
ASIDE = (
    "name", "dtype", "trainable", "seed", "module", "class_name", "registered_name", "dropout",
    "recurrent_dropout", "rate", "build_config", "synchronized", "momentum", "autocast",
    "stddev", "query_shape", "key_shape", "value_shape", "power_iterations", "sparse",
    "stateful", "unroll", "implementation", "zero_output_for_mask", "batch_input_shape",
)  # fmt: skip
# What TensorFlow on this computer does not do, though Keras describes it.
LACKING = (
    "only supports NHWC", "NHWC", "No OpKernel", "UNIMPLEMENTED", "not yet implemented",
    "not supported on", "currently not supported", "Unimplemented", "only supports",
    "does not support", "data_format", "Could not find device", "out of range for an int32",
    "int too big", "out of bounds for int32", "Value out of range",
    "out-of-range integer", "should be fully-defined", "OOM", "out of memory", "ended by signal",
)  # fmt: skip


@dataclass(frozen=True)
class Changed:
    """A file with one change; ``what`` says which."""

    major: int
    suffix: str
    what: str
    data: bytes


# --------------------------------------------------------------------------- changes


def changed(found: Found, data: bytes, rng: random.Random) -> Changed | None:
    """The file with one thing changed; None where the layer has none of that kind."""
    document = Document.of(data)
    document.config = copy.deepcopy(document.config)
    ways = [_input] if found.kind in NO_OPS else [_number] * 3 + [_input] + [_weight] * 2 + [_word]
    way = rng.choice(ways)
    what = way(document, rng)
    if what is None:
        return None
    suffix = "keras" if document.rest else "h5"
    return Changed(found.major, suffix, f"{found.kind} {found.major}: {what}", document.bytes())


Place = tuple[Any, Any, str]  # what holds it, its key, what it is called


def _leaves(value: Any, name: str = "") -> Iterator[Place]:
    """Every entry of a configuration that may be a size."""
    entries: Iterator[tuple[Any, Any]] | enumerate[Any]
    if isinstance(value, dict):
        entries = iter(list(value.items()))
    elif isinstance(value, list):
        entries = enumerate(list(value))
    else:
        return
    for key, inner in entries:
        if key in ASIDE or (isinstance(key, str) and key.endswith(("_initializer", "_constraint"))):
            continue
        label = f"{name}.{key}" if name else str(key)
        yield value, key, label
        yield from _leaves(inner, label)


def _layer(document: Document) -> dict[str, Any]:
    (layer,) = [p for p in document.config["config"]["layers"] if p["class_name"] != "InputLayer"]
    return dict(layer)


def _number(document: Document, rng: random.Random) -> str | None:
    """A number of the layer's configuration, or the length of a list of them."""
    places = [
        place
        for place in _leaves(_layer(document)["config"])
        if isinstance(place[0][place[1]], (int, list)) and not isinstance(place[0][place[1]], bool)
    ]
    if not places:
        return None
    holder, key, label = rng.choice(places)
    old = holder[key]
    holder[key] = _other(old, rng)
    return f"{label} {old} becomes {holder[key]}"


def _other(old: Any, rng: random.Random) -> Any:
    if isinstance(old, list):
        ways: list[Callable[[], Any]] = [lambda: [*old, 1], lambda: old[:-1], lambda: old[::-1]]
        return rng.choice(ways)()
    near = [old + 1, old - 1, old * 2, old + 2, -old]
    return rng.choice([*near, *near, 0, -1, 1, 10**5, 2**31, 2**63, 1.5, [old, old], "3"])


def _word(document: Document, rng: random.Random) -> str | None:
    """A word or a truth value of the layer's configuration."""
    places = [
        place
        for place in _leaves(_layer(document)["config"])
        if isinstance(place[0][place[1]], (str, bool))
    ]
    if not places:
        return None
    holder, key, label = rng.choice(places)
    old = holder[key]
    holder[key] = not old if isinstance(old, bool) else rng.choice(WORDS)
    return f"{label} {old} becomes {holder[key]}"


def _input(document: Document, rng: random.Random) -> str | None:
    """A size of an input."""
    inputs = [p for p in document.config["config"]["layers"] if p["class_name"] == "InputLayer"]
    config = rng.choice(inputs)["config"]
    key = "batch_shape" if "batch_shape" in config else "batch_input_shape"
    old = list(config[key])
    sizes = old[1:]
    ways = ["more axes"] + (["size", "size", "size", "size", "fewer", "swap", "open"] * bool(sizes))
    way = rng.choice(ways)
    axis = rng.randrange(len(sizes)) if sizes else 0
    if way == "more axes":
        sizes.insert(axis, rng.choice([1, 2]))
    elif way == "fewer":
        del sizes[axis]
    elif way == "swap":
        other = rng.randrange(len(sizes))
        sizes[axis], sizes[other] = sizes[other], sizes[axis]
    elif way == "open":
        sizes[axis] = None
    else:
        size = sizes[axis] or OPEN
        sizes[axis] = rng.choice([size + 1, size - 1, 2 * size, 1, 0, size + 2])
    if [old[0], *sizes] == old:
        return None
    config[key] = [old[0], *sizes]
    _tell(document.config, old, config[key])
    return f"input {old} becomes {config[key]}"


def _tell(config: Any, old: list[Any], new: list[Any]) -> None:
    """The same shape wherever a .keras file repeats it beside a tensor, as Keras would."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key in ("shape", "input_shape", "shapes_dict") and value == old:
                config[key] = new
            _tell(value, old, new)
    elif isinstance(config, list):
        for value in config:
            _tell(value, old, new)


def _weight(document: Document, rng: random.Random) -> str | None:
    """The shape of a stored weight, or whether there is one."""
    stored = io.BytesIO(document.hdf5)
    with h5py.File(stored, "r+") as file:
        names: list[str] = []
        file.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        names = [name for name in names if "optimizer" not in name and "top_level" not in name]
        if not names:
            return None
        name = rng.choice(names)
        old = file[name][()]
        if rng.random() < 0.15:
            what = _taken_away(file, name) if rng.random() < 0.5 else _added(file, name)
        else:
            new, way = _reshaped(np.asarray(old), rng)
            del file[name]
            file[name] = new
            what = f"weight {name} {old.shape} {way} {new.shape}"
    document.hdf5 = stored.getvalue()
    return what


def _listed(file: Any, name: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """The list of weights that an .h5 file of Keras 1 and 2 keeps beside a layer."""
    group = file[name].parent if name in file else file
    while group.name != "/":
        if "weight_names" in group.attrs:
            inner = [n if isinstance(n, bytes) else n.encode() for n in group.attrs["weight_names"]]
            del group.attrs["weight_names"]
            group.attrs["weight_names"] = change(inner)
            return
        group = group.parent


def _taken_away(file: Any, name: str) -> str:
    _listed(file, name, lambda names: [n for n in names if not name.endswith(n.decode())] or [b""])
    del file[name]
    return f"weight {name} taken away"


def _added(file: Any, name: str) -> str:
    parent = file[name].parent
    label = str(len(parent)) if name.rsplit("/", 1)[-1].isdigit() else "more:0"
    parent[label] = file[name][()]

    def longer(names: list[bytes]) -> list[bytes]:
        (same,) = [n for n in names if name.endswith(n.decode())][:1]
        return [*names, same.rsplit(b"/", 1)[0] + b"/" + label.encode()]

    _listed(file, name, longer)
    return f"a weight beside {name} added"


def _reshaped(array: Array, rng: random.Random) -> tuple[Array, str]:
    """The array in another shape, its values mostly kept."""
    axes = list(range(array.ndim))
    ways = ["more axes"] + (["less", "more", "less", "more", "fewer axes", "flat"] if axes else [])
    ways += ["exchanged"] if len(axes) > 1 else []
    way = rng.choice(ways)
    axis = rng.choice(axes) if axes else 0
    if way == "more axes":
        return array[np.newaxis], way
    if way == "flat":
        return array.reshape(-1), way
    if way == "fewer axes":
        return np.take(array, 0, axis), way
    if way == "exchanged":
        return np.swapaxes(array, axis, rng.choice([a for a in axes if a != axis])), way
    size = array.shape[axis]
    if way == "less":
        return np.take(array, range(size - 1), axis), way
    return np.take(array, [*range(size), *[size - 1] * rng.choice([1, size])], axis), way


# --------------------------------------------------------------------------- judging


@dataclass(frozen=True, eq=False)
class Judged:
    """What came of a file; ``prepared`` where C may still be tried."""

    refused: bool = False
    amiss: str = ""
    unknown: bool = False  # Keras cannot say
    prepared: Prepared | None = None


def judged(one: Changed, folder: Path, keras: Judge) -> Judged:
    """What netsheet makes of it, and whether Keras makes the same."""
    path = folder / f"changed.{one.suffix}"
    path.write_bytes(one.data)
    try:
        model = netsheet.load(path)
        if model.outputs and not model.bound:
            model = model.bind(
                {t.name: [OPEN if n is None else n for n in t.shape] for t in model.inputs}
            )
    except NetsheetError as error:
        return Judged(refused=True, amiss=_sentence(str(error)))
    except Exception as error:
        return Judged(amiss=f"reading: {type(error).__name__}: {error}")
    refusals = [node.refusal for node in model.nodes if node.refusal]
    if refusals or not model.nodes or not model.outputs:
        return Judged(refused=True, amiss=_sentence(refusals[0]) if refusals else "")
    return _compared(one, model, path, keras)


def _sentence(said: str) -> str:
    """A refusal that names a Python exception explains nothing."""
    return f"refused without a reason: {said}" if "Error:" in said else ""


def _compared(one: Changed, model: Any, path: Path, keras: Judge) -> Judged:
    large = sum(equation.target.size for equation in model.equations()) > MOST
    sample = {name: given.values for name, given in probe(model).inputs.items()}
    given = [sample[tensor.name][np.newaxis] for tensor in model.inputs]
    try:
        expected = keras.compute(one.major, path, given, not large)
    except RefusedError as error:
        if any(word in str(error) for word in LACKING):
            return Judged(unknown=True)
        return Judged(amiss=f"computed, where Keras says: {str(error)[:250]}")
    if large:
        return Judged()
    for way, got in (("run", _by_runtime), ("equations", _by_equations)):
        try:
            results = got(model, sample)
        except Exception as error:
            return Judged(amiss=f"{way}: {type(error).__name__}: {str(error)[:250]}")
        for result, wanted in zip(results, expected, strict=False):
            if amiss := _differs(result, wanted):
                return Judged(amiss=f"{way}: {amiss}")
    case = SimpleNamespace(
        name=one.what, rtol=1e-3, atol=1e-5, model=SimpleNamespace(graph=SimpleNamespace(node=()))
    )
    return Judged(prepared=Prepared(case, model, (), [sample], [[e[0] for e in expected]]))


def _by_runtime(model: Any, sample: Mapping[str, Array]) -> list[Array]:
    values = model.activations({name: array[np.newaxis] for name, array in sample.items()})
    return [np.asarray(values[tensor.name], float) for tensor in model.outputs]


def _by_equations(model: Any, sample: Mapping[str, Array]) -> list[Array]:
    given = {tensor: sample[tensor.name].astype(float) for tensor in model.inputs}
    values = evaluate(model.equations(), given) | given
    return [np.asarray(values[tensor], float)[np.newaxis] for tensor in model.outputs]


def _differs(got: Array, wanted: Array) -> str:
    if got.shape != wanted.shape:
        return f"shape {got.shape}, Keras {wanted.shape}"
    if not np.isfinite(wanted).all() or np.abs(wanted).max(initial=0) > 1e30:
        return ""
    verdict = judge("layer", got, wanted)
    return "" if verdict.ok or verdict.max_rel < 1e-4 else f"off by {verdict.max_rel:.3g}"


# --------------------------------------------------------------------------- the run


def stream(seed: int, folder: Path) -> Iterator[Changed]:
    """Changed files without end: every class of layer comes once before any comes again."""
    rng = random.Random(seed)
    weights = np.random.default_rng(seed)
    by_kind: dict[tuple[int, str], list[Found]] = {}
    for found in layers(folder):
        by_kind.setdefault((found.major, found.kind), []).append(found)
    kinds = sorted(by_kind)
    while True:
        rng.shuffle(kinds)
        for kind in kinds:
            found = rng.choice(by_kind[kind])
            try:
                data = found.file(weights)
            except Exception:  # Keras does not take the layer alone
                continue
            for _ in range(3):
                one = changed(found, data, rng)
                if one is not None:
                    yield one


def fuzz(seconds: float, seed: int, most: int = sys.maxsize) -> tuple[Counter[str], list[str]]:
    """How many were refused, computed and compiled, and every finding."""
    counts, findings = Counter[str](), list[str]()
    waiting: list[tuple[Changed, Prepared]] = []
    keras = Judge()
    with tempfile.TemporaryDirectory(prefix="netsheet-layers-") as name:
        layers(Path(name))  # read once, before time counts
        end = time.monotonic() + seconds
        for one in stream(seed, Path(name)):
            if time.monotonic() > end or counts["cases"] >= most:
                break
            result = judged(one, Path(name), keras)
            counts["cases"] += 1
            counts["refused"] += result.refused
            counts["unknown to Keras"] += result.unknown
            findings += [f"{one.what}: {result.amiss}"] if result.amiss else []
            if result.prepared is not None:
                waiting.append((one, result.prepared))
            if len(waiting) >= 64:
                findings += _compiled(waiting, counts)
                waiting = []
        findings += _compiled(waiting, counts)
    keras.close()
    return counts, findings


def _compiled(waiting: Sequence[tuple[Changed, Prepared]], counts: Counter[str]) -> list[str]:
    """What generated C makes of them under the sanitizers."""
    outcomes = through_c([found for _, found in waiting], sanitize=True)
    counts["compiled"] += sum(outcome.state == PASSED for outcome in outcomes)
    return [
        f"{one.what}: C: {outcome.reason}"
        for (one, _), outcome in zip(waiting, outcomes, strict=True)
        if outcome.state == WRONG
    ]


if __name__ == "__main__":
    totals, seen = fuzz(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(dict(totals))
    print("\n".join(sorted(set(seen))))
    sys.exit(bool(seen))
