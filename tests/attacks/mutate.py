"""Mutated model files: case N is always the same file for the same seed files."""

from __future__ import annotations

import copy
import gzip
import io
import json
import random
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from conftest import SHARED  # noqa: E402
from onnx_models import NETWORKS  # noqa: E402

MODELS = (".h5", ".keras", ".onnx", ".tflite", ".nnp", ".nntxt")
LARGEST = 40_000  # bytes of a file that is mutated

NUMBERS: list[Any] = [
    0, 1, -1, 2, 3, 7, 64, -2, 10**6, 10**12, -(10**12), 2**31, 2**63, 2**64, 0.5, -1.5, 1e-30,
    1e300, float("nan"), float("inf"), float("-inf"),
]  # fmt: skip
VALUES: list[Any] = [
    *NUMBERS, None, True, False, "", "x", "same", "valid", "causal", "channels_first", "relu",
    "softmax", "sum", "mul", "float16", "a/b", "..", "\u30c7", "\U0001f600", [], {}, [None], [0],
    [[]], [1, 1], [3, 3, 3], [[1, 2], [3, 4]], ["in", 0, 0], [["in", 0, 0]],
    {"class_name": "Dense"},
    {"class_name": "__tuple__", "items": [1, 2]}, {"class_name": "__keras_tensor__", "config": {}},
]  # fmt: skip


class Seeds:
    """Sound files by name: made here, carried by the package, and the shared ones where present."""

    def __init__(self) -> None:
        self.files = dict(sorted(_seeds()))
        models = [n for n in self.files if n.endswith(MODELS)]
        inputs = [n for n in self.files if n not in models]
        self.names = models + inputs * (len(models) // (4 * len(inputs)) + 1)
        self._classes = sorted(set(_class_names(self.files)))

    def case(self, number: int) -> tuple[str, bytes]:
        """The name of the file (of the seed, with the number in front) and its bytes."""
        rng = random.Random(number)
        name = rng.choice(self.names)
        data = self.files[name]
        kind = name.rsplit(".", 1)[-1]
        ways: dict[str, list[Callable[[random.Random, bytes, list[str]], bytes]]] = {
            "h5": [_h5_config, _h5_config, _h5_objects, _bytes],
            "keras": [_zip_config, _zip_config, _zip_weights, _zip_weights, _bytes],
            "onnx": [_onnx_fields, _onnx_fields, _bytes],
            "npz": [_bytes, _zip_bytes],
            "tflite": [_words, _bytes],
            "nnp": [_zip_bytes, _bytes],
            "nntxt": [_text, _text, _bytes],
        }
        change = rng.choice(ways.get(kind, [_bytes]))
        return f"{number}-{name}", change(rng, data, self._classes)


def _seeds() -> Iterator[tuple[str, bytes]]:
    import seeds

    held = HERE / "held"
    for name, network in NETWORKS.items():
        model = network() if callable(network) else network
        yield f"{name}.onnx", model.SerializeToString()
    from attacks_tflite import network

    yield "dense.tflite", network()
    from nnp_files import small_network, with_parameters

    yield "small.nntxt", with_parameters(small_network()).encode()
    path = held.with_name(".small.nnp")
    try:
        yield "small.nnp", small_network().save(path, "protobuf").read_bytes()
    finally:
        path.unlink(missing_ok=True)
    for name, config in _configs(seeds).items():
        for suffix, make in (("h5", seeds.whole_h5), ("keras", seeds.zipped)):
            path = held.with_name(f".{name}.{suffix}")
            try:
                make(path, config)
                yield f"{name}.{suffix}", path.read_bytes()
            finally:
                path.unlink(missing_ok=True)
    yield from _inputs()
    folders = [HERE.parent / "corpus", SHARED / "corpus", SHARED / "models"]
    for folder in folders:
        for path in sorted(folder.rglob("*.*")):
            if (
                path.suffix in (".h5", ".keras", ".onnx", ".tflite")
                and path.stat().st_size <= LARGEST
            ):
                yield path.name, path.read_bytes()


def _text(rng: random.Random, data: bytes, classes: list[str]) -> bytes:
    """A text with some of its words exchanged, doubled, left out or made numbers."""
    words = re.split(rb"(\s+)", data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(words))
        way = rng.randrange(4)
        if way == 0:
            words[at] = words[rng.randrange(len(words))]
        elif way == 1:
            words[at] = str(rng.choice(NUMBERS)).encode()
        elif way == 2:
            del words[at : at + rng.randint(1, 12)]
        else:
            words[at:at] = words[at : at + rng.randint(1, 60)]
    return b"".join(words)


def _inputs() -> Iterator[tuple[str, bytes]]:
    """What is fed to networks: pictures, arrays, tables, layouts."""
    from PIL import Image

    pixels = np.random.default_rng(1).integers(0, 255, (8, 8, 3), dtype="u1")
    for mode in ("L", "RGB", "P", "1"):
        for suffix in ("png", "bmp", "gif") + (("jpg",) if mode in ("L", "RGB") else ()):
            held = io.BytesIO()
            Image.fromarray(pixels).convert(mode).save(held, {"jpg": "jpeg"}.get(suffix, suffix))
            yield f"{mode}.{suffix}", held.getvalue()
    array = pixels[..., :1]
    for dtype in ("u1", ">f4", "f8", "?"):
        held = io.BytesIO()
        np.save(held, array.astype(dtype))
        yield f"{dtype.strip('>?')}.npy", held.getvalue()
    held = io.BytesIO()
    np.savez(held, x=array, y=array)
    yield "plain.npz", held.getvalue()
    held = io.BytesIO()
    np.savez_compressed(held, x=array)
    yield "packed.npz", held.getvalue()
    idx = b"\0\0\x08\x03" + b"\0\0\0\x02" + b"\0\0\0\x08" * 2 + bytes(range(128))
    yield "plain-idx3-ubyte", idx
    yield "packed-idx3-ubyte.gz", gzip.compress(idx)
    yield "numbers.csv", b"label,a,b\r\n" + b"\r\n".join(b"1,0.5,-3e-5" for _ in range(9))
    for path in sorted((HERE.parent.parent / "src/netsheet/write/csv/layouts").glob("*.toml")):
        yield path.name, path.read_bytes()


def _configs(seeds: Any) -> dict[str, Any]:
    chain = seeds.sequential(seeds.dense(), seeds.layer("ReLU", "r"))
    graph = seeds.functional(
        seeds.after(seeds.dense(), "in"), seeds.after(seeds.layer("Add", "a"), "d", "d"), output="a"
    )
    return {"chain": chain, "graph": graph}


def _class_names(files: dict[str, bytes]) -> Iterator[str]:
    from netsheet.read.keras.table import TABLE

    yield from TABLE
    yield from ("Lambda", "InputLayer", "Functional", "Sequential", "TFOpLambda", "GetItem")


# ------------------------------------------------------------------------------------ any bytes


def _bytes(rng: random.Random, data: bytes, classes: list[str]) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not made:
            break
        at = rng.randrange(len(made))
        way = rng.randrange(7)
        if way == 0:
            made[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            made[at] = rng.randrange(256)
        elif way == 2:
            length = rng.choice((1, 2, 4, 8))
            made[at : at + length] = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * length
        elif way == 3:
            del made[at : at + rng.choice((1, 4, 64, 512))]
        elif way == 4:
            start = rng.randrange(len(made))
            piece = made[start : start + rng.choice((1, 8, 64, 512))]
            made[at : at + (len(piece) if rng.random() < 0.7 else 0)] = piece
        elif way == 5:
            del made[at:]
        else:
            number = rng.choice((len(made), at, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1))
            made[at : at + 8] = number.to_bytes(8, "little")
    return bytes(made)


# ------------------------------------------------------------------------------------ JSON


def _json(rng: random.Random, config: Any, classes: list[str]) -> Any:
    """The configuration with some of its values replaced, moved, doubled or left out."""
    config = copy.deepcopy(config)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        places = list(_places(config))
        if not places:
            break
        holder, key = rng.choice(places)
        way = rng.random()
        if key == "class_name" and way < 0.8:
            holder[key] = rng.choice(classes)
        elif isinstance(holder[key], (int, float)) and way < 0.6:
            holder[key] = rng.choice(NUMBERS)
        elif way < 0.3:
            holder[key] = rng.choice(VALUES)
        elif way < 0.5:
            other, name = rng.choice(places)
            holder[key] = copy.deepcopy(other[name])
        elif way < 0.65:
            del holder[key]
        elif way < 0.8 and isinstance(holder, list):
            holder.insert(rng.randrange(len(holder) + 1), copy.deepcopy(holder[key]))
        elif way < 0.85 and isinstance(holder, list):
            rng.shuffle(holder)
        elif isinstance(holder[key], str):
            other, name = rng.choice([p for p in places if isinstance(p[0][p[1]], str)])
            holder[key] = other[name]
        elif isinstance(holder, dict):
            other, name = rng.choice(places)
            holder[str(name)] = copy.deepcopy(other[name])
    return config


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


# ------------------------------------------------------------------------------------ Keras


def _h5_config(rng: random.Random, data: bytes, classes: list[str]) -> bytes:
    held = io.BytesIO(data)
    with h5py.File(held, "r+") as file:
        for name in ("model_config", "training_config"):
            if name in file.attrs and (name == "model_config" or rng.random() < 0.1):
                text = json.dumps(_json(rng, json.loads(file.attrs[name]), classes))
                file.attrs[name] = text
    return held.getvalue()


def _h5_objects(rng: random.Random, data: bytes, classes: list[str]) -> bytes:
    """Attributes and datasets of other shapes, types and places."""
    held = io.BytesIO(data)
    with h5py.File(held, "r+") as file:
        for _ in range(rng.choice((1, 1, 2, 4))):
            _change_object(rng, file)
    return held.getvalue()


def _change_object(rng: random.Random, file: Any) -> None:
    found: list[str] = []
    file.visit(found.append)
    if not found:
        return
    path = rng.choice(found)
    here = file[path]
    above, _, name = path.rpartition("/")
    parent = file[above] if above else file
    way = rng.randrange(7)
    attributes = list(here.attrs) or list(file.attrs)
    owner = here if list(here.attrs) else file
    if way == 0:
        del parent[name]
    elif way == 1:
        other = rng.choice(found)
        del parent[name]
        parent[name] = rng.choice((h5py.SoftLink(f"/{other}"), h5py.ExternalLink("x", other)))
    elif way == 2 and isinstance(here, h5py.Dataset):
        values = here[()]
        del parent[name]
        shape = rng.choice(((), (0,), (1,), (2, 2), (3, 1, 4), np.shape(values)[::-1], (7,) * 5))
        parent[name] = np.zeros(shape, rng.choice(("f4", "f2", "f8", "i4", "u1", "S3", "?", "c8")))
    elif way == 3:
        parent[f"{name}x"] = parent[name]
        del parent[name]
    elif way == 4:
        parent.require_group(rng.choice(("vars", "layers", "x", "model_weights")))
    elif attributes:
        key = rng.choice(attributes)
        values = rng.choice((0, "x", b"\xff\xfe", np.zeros(3), np.array([b"a", b"a"]), [], "3.0.0",
                             np.array([b"dense"]), h5py.Empty("f4")))  # fmt: skip
        if rng.random() < 0.3:
            del owner.attrs[key]
        else:
            owner.attrs[key] = values


def _zip_config(rng: random.Random, data: bytes, classes: list[str]) -> bytes:
    def change(name: str, member: bytes) -> bytes:
        if name == "config.json" or (name == "metadata.json" and rng.random() < 0.1):
            return json.dumps(_json(rng, json.loads(member), classes)).encode()
        return member

    return _rezipped(data, change)


def _zip_weights(rng: random.Random, data: bytes, classes: list[str]) -> bytes:
    change_weights = rng.choice((_h5_objects, _bytes))

    def change(name: str, member: bytes) -> bytes:
        return change_weights(rng, member, classes) if name.endswith(".h5") else member

    return _rezipped(data, change)


def _zip_bytes(rng: random.Random, data: bytes, classes: list[str]) -> bytes:
    return _rezipped(data, lambda name, member: _bytes(rng, member, classes))


def _rezipped(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(held, "w") as new:
        for item in old.infolist():
            new.writestr(item.filename, change(item.filename, old.read(item)))
    return held.getvalue()


# ------------------------------------------------------------------------------------ ONNX


def _words(rng: random.Random, data: bytes, classes: list[str]) -> bytes:
    """Some words of four bytes, which are offsets and lengths, replaced by others."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        at = 4 * rng.randrange(2, len(changed) // 4)
        other = 4 * rng.randrange(2, len(changed) // 4)
        words = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, len(changed), rng.randrange(64)]
        word = rng.choice([*words, int.from_bytes(changed[other : other + 4], "little")])
        changed[at : at + 4] = word.to_bytes(4, "little")
    return bytes(changed)


def _onnx_fields(rng: random.Random, data: bytes, classes: list[str]) -> bytes:
    """Other values in fields of the message, nodes moved, doubled or left out."""
    model = onnx.load_from_string(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        messages = list(_messages(model))
        message = rng.choice(messages)
        fields = [f for f in message.DESCRIPTOR.fields if f.name != "name" or rng.random() < 0.3]
        field = rng.choice(fields)
        try:
            _change_field(rng, message, field, messages)
        except (TypeError, ValueError, IndexError, AttributeError):
            continue
    return model.SerializeToString()


def _messages(message: Any) -> Iterator[Any]:
    yield message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for inner in value if field.is_repeated else [value]:
            yield from _messages(inner)


def _change_field(rng: random.Random, message: Any, field: Any, messages: list[Any]) -> None:
    numbers = [n for n in NUMBERS if isinstance(n, int) and abs(n) < 2**63]
    texts = ["", "x", "y", "Relu", "Conv", "If", "Loop", "MatMul", "Reshape", "Shape", "Gather",
             "\u30c7", "Expand", "Range", "LSTM", "axis", "perm"]  # fmt: skip
    for other in messages:
        if other.DESCRIPTOR.name == "NodeProto":
            texts += [*other.output, *other.input, other.op_type]
    name = field.name
    if field.message_type is not None:
        same = [m for m in messages if m.DESCRIPTOR is field.message_type]
        if field.is_repeated:
            values = getattr(message, name)
            way = rng.randrange(3)
            if way == 0 and len(values):
                del values[rng.randrange(len(values))]
            elif way == 1 and same:
                values.add().CopyFrom(copy.deepcopy(rng.choice(same)))
            elif len(values) > 1:
                first, second = rng.sample(range(len(values)), 2)
                kept = copy.deepcopy(values[first])
                values[first].CopyFrom(copy.deepcopy(values[second]))
                values[second].CopyFrom(kept)
        elif rng.random() < 0.5:
            message.ClearField(name)
        elif same:
            getattr(message, name).CopyFrom(copy.deepcopy(rng.choice(same)))
        return
    value: Any = {
        field.CPPTYPE_STRING: lambda: rng.choice(texts),
        field.CPPTYPE_FLOAT: lambda: float(rng.choice(NUMBERS)),
        field.CPPTYPE_DOUBLE: lambda: float(rng.choice(NUMBERS)),
    }.get(field.cpp_type, lambda: rng.choice(numbers))()
    if field.type == field.TYPE_BYTES:
        value = rng.choice((b"", b"\xff" * 8, b"same", bytes(40)))
    if not field.is_repeated:
        setattr(message, name, value)
        return
    values = getattr(message, name)
    if len(values) and rng.random() < 0.7:
        values[rng.randrange(len(values))] = value
    elif len(values) and rng.random() < 0.5:
        del values[rng.randrange(len(values))]
    else:
        values.append(value)


if __name__ == "__main__":
    name, data = Seeds().case(int(sys.argv[1]))
    target = Path(sys.argv[2] if len(sys.argv) > 2 else name)
    target.write_bytes(data)
    print(f"wrote {target}")
