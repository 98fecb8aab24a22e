"""Files that are no models, damaged, lead out of themselves, or ask for more than there is."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from attack import MARK, OUTSIDE, attack
from seeds import (
    BIAS,
    KERNEL,
    dense,
    h5,
    sequential,
    v3_weights,
    whole_h5,
    zipped,
)

# ------------------------------------------------------------------------------- not a model at all


@attack("empty.h5", "is empty")
def empty(path: Path) -> None:
    path.touch()


@attack("page.h5", "web page")
def page(path: Path) -> None:
    path.write_text("\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n")


@attack("pointer.h5", "git-LFS pointer.*git lfs pull")
def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n")


@attack("not_found.keras", "text that starts with '404")
def not_found(path: Path) -> None:
    path.write_text("404: Not Found")


@attack("saved_model", "SavedModel.*save the model as .h5 or .keras")
def saved_model(path: Path) -> None:
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")


@attack("folder.h5", "is a folder")
def folder(path: Path) -> None:
    path.mkdir()


@attack("architecture.json", "JSON text without weights")
def architecture(path: Path) -> None:
    path.write_text(json.dumps(sequential(dense())))


@attack("model.weights.json", "weights in several files")
def shard_index(path: Path) -> None:
    path.write_text(json.dumps({"metadata": {}, "weight_map": {"/vars": "/etc/passwd"}}))


@attack("gzipped.h5", "compressed with gzip")
def gzipped(path: Path) -> None:
    path.write_bytes(gzip.compress(b"\x89HDF\r\n\x1a\n"))


@attack("noise.h5", "no HDF5, .keras, ONNX, TensorFlow Lite or .nnp file")
def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(1).bytes(3000))


@attack("lite.h5", "TensorFlow Lite")
def lite(path: Path) -> None:
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))


@attack("data.h5", "no Keras model")
def data(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = KERNEL


class Runs:
    """Unpickled, it writes the mark."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (MARK, "w")


@attack("pickled.h5", "Python pickle.*never opened")
def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(Runs()))


def _npz() -> bytes:
    held = io.BytesIO()
    np.savez(held, x=np.array([Runs()], dtype=object))
    return held.getvalue()


@attack("pickled.npz", "NumPy .npz file")
def pickled_npz(path: Path) -> None:
    path.write_bytes(_npz())


@attack("pickled_weights.keras", "pickled objects and is never opened")
def pickled_weights(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(sequential(dense())))
        archive.writestr("model.weights.npz", _npz())


@attack("torch.pt", "PyTorch file.*ONNX")
def torch(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Runs()))


# ------------------------------------------------------------------------------------------ damaged


@attack("half.h5", "damaged or cut off")
def half(path: Path) -> None:
    whole_h5(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@attack("half.keras", "cut off")
def half_zip(path: Path) -> None:
    zipped(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@attack("flipped.keras", "Bad CRC-32")
def flipped(path: Path) -> None:
    """One bit of a weight: only the zip's checksum can tell."""
    zipped(path)
    whole = bytearray(path.read_bytes())
    whole[whole.index(KERNEL.tobytes()) + 5] ^= 1
    path.write_bytes(whole)


@attack("half_member.keras", "damaged or cut off")
def half_member(path: Path) -> None:
    zipped(path, weights=v3_weights()[:3000])


@attack("no_weights.keras", "weights are missing")
def no_weights(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(sequential(dense())))


@attack("no_config.keras", "without config.json")
def no_config(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", v3_weights())


@attack("broken_json.h5", "model_config is no valid JSON")
def broken_json(path: Path) -> None:
    whole_h5(path, json.dumps(sequential(dense()))[:-3])


@attack("broken_json.keras", "config.json is no valid JSON")
def broken_json_zip(path: Path) -> None:
    zipped(path, '{"class_name": "Sequential",, }')


@attack("list_json.keras", "config.json is no JSON object")
def list_json(path: Path) -> None:
    zipped(path, "[1, 2, 3]")


@attack("deep_json.h5", "nested too deeply")
def deep_json(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = '{"config":' * 10_000 + "1" + "}" * 10_000


@attack("deep_json.keras", "nested too deeply")
def deep_json_zip(path: Path) -> None:
    zipped(path, "[" * 10_000 + "]" * 10_000)


@attack("deep_layers.keras", "more than 32 models lie in each other")
def deep_layers(path: Path) -> None:
    """Models in models: shallow enough for the JSON parser, not for whoever follows them."""
    inner: dict[str, Any] = dense()
    for _ in range(300):
        inner = sequential(inner)
    zipped(path, inner)


@attack("config_number.h5", "model_config is no text")
def config_number(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = 42


@attack("missing_weight.h5", "weight 'bias' of layer 'd' is missing")
def missing_weight(path: Path) -> None:
    with h5(path) as group:
        group["kernel"] = KERNEL


@attack("missing_group.h5", "layer 'd' is listed, but its group is missing")
def missing_group(path: Path) -> None:
    with h5(path) as group:
        del group.parent["d"]


@attack("twice.h5", "names 'kernel' twice")
def twice(path: Path) -> None:
    with h5(path, weights=("kernel", "kernel")) as group:
        group["kernel"] = KERNEL


@attack("parent.h5", "a step that is no name")
def parent(path: Path) -> None:
    with h5(path, weights=("../d/kernel", "bias")) as group:
        group["kernel"], group["bias"] = KERNEL, BIAS


@attack("group_as_weight.h5", "no dataset where values should be")
def group_as_weight(path: Path) -> None:
    with h5(path) as group:
        group.create_group("kernel")


@attack("texts.h5", "not numbers")
def texts(path: Path) -> None:
    with h5(path) as group:
        group["kernel"] = [b"one", b"two"]


@attack("long_texts.h5", "not numbers")
def long_texts(path: Path) -> None:
    with h5(path) as group:
        group.create_dataset("kernel", data=["one", "two"], dtype=h5py.string_dtype())


@attack("references.h5", "not numbers")
def references(path: Path) -> None:
    with h5(path) as group:
        group.create_dataset("kernel", data=[group.ref], dtype=h5py.ref_dtype)


@attack("nothing.h5", "is empty where values should be")
def nothing(path: Path) -> None:
    with h5(path) as group:
        group["kernel"] = h5py.Empty("f4")


# -------------------------------------------------------------------------- leading out of the file


@attack("external_root.h5", "external link")
def external_root(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(sequential(dense()))
        file["model_weights"] = h5py.ExternalLink(OUTSIDE, "/")


@attack("external_layer.h5", "external link")
def external_layer(path: Path) -> None:
    with h5(path) as group:
        above = group.parent
        del above["d"]
        above["d"] = h5py.ExternalLink(OUTSIDE, "/")


@attack("external_middle.h5", "external link")
def external_middle(path: Path) -> None:
    """A component in the middle of a weight's path."""
    with h5(path, weights=("d/kernel", "d/bias")) as group:
        group["d"] = h5py.ExternalLink(OUTSIDE, "/")


@attack("external_weight.h5", "external link")
def external_weight(path: Path) -> None:
    with h5(path) as group:
        group["kernel"] = h5py.ExternalLink(OUTSIDE, "/x")


@attack("external_optimizer.h5", "", opens=True)
def external_optimizer(path: Path) -> None:
    whole_h5(path)
    with h5py.File(path, "a") as file:
        file["optimizer_weights"] = h5py.ExternalLink(OUTSIDE, "/")


@attack("external_v3.weights.h5", "external link")
def external_v3(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["layers"] = h5py.ExternalLink(OUTSIDE, "/")


@attack("external_link.keras", "external link")
def external_zip(path: Path) -> None:
    def change(file: Any) -> None:
        file["layers/dense_1"] = h5py.ExternalLink(OUTSIDE, "/")

    zipped(path, weights=v3_weights(change))


@attack("soft_layer.h5", "soft link")
def soft_layer(path: Path) -> None:
    with h5(path) as group:
        above = group.parent
        above.move("d", "elsewhere")
        above["d"] = h5py.SoftLink("/model_weights/elsewhere")


@attack("soft_weight.h5", "soft link")
def soft_weight(path: Path) -> None:
    with h5(path) as group:
        group["bias"] = BIAS
        group["kernel"] = h5py.SoftLink("/model_weights/d/bias")


@attack("soft_link.keras", "soft link")
def soft_zip(path: Path) -> None:
    def change(file: Any) -> None:
        file["layers/dense_1"] = h5py.SoftLink("/layers")

    zipped(path, weights=v3_weights(change))


@attack("external_values.h5", "values in another file")
def external_values(path: Path) -> None:
    with h5(path) as group:
        group.create_dataset("kernel", (3, 2), "f4", external=[(OUTSIDE, 0, 24)])


@attack("external_values.keras", "values in another file")
def external_values_zip(path: Path) -> None:
    def change(file: Any) -> None:
        group = file.create_group("layers/dense_1/vars")
        group.create_dataset("0", (3, 2), "f4", external=[(OUTSIDE, 0, 24)])

    zipped(path, weights=v3_weights(change))


@attack("virtual.h5", "values in another file")
def virtual(path: Path) -> None:
    layout = h5py.VirtualLayout(shape=(3, 2), dtype="f4")
    layout[...] = h5py.VirtualSource(OUTSIDE, "x", shape=(3, 2))
    with h5(path) as group:
        group.create_virtual_dataset("kernel", layout)


@attack("virtual_endless.h5", "values in another file")
def virtual_endless(path: Path) -> None:
    """Asking for its shape alone opens the source."""
    layout = h5py.VirtualLayout(shape=(3, 2), dtype="f4", maxshape=(None, 2))
    source = h5py.VirtualSource(OUTSIDE, "x", shape=(3, 2), maxshape=(None, 2))
    layout[: h5py.h5s.UNLIMITED, :] = source[: h5py.h5s.UNLIMITED, :]
    with h5(path) as group:
        group.create_virtual_dataset("kernel", layout)


for _number, _name in enumerate(
    ("../escape", "/etc/escape", "..\\escape", "C:/escape", "assets/../../escape", "a\\b")
):
    attack(f"member_path_{_number}.keras", "path that leads out of the file")(
        lambda path, name=_name: zipped(path, members=((name, b"x"),))
    )


@attack("member_twice.keras", "'config.json' occurs twice")
def member_twice(path: Path) -> None:
    """Readers differ in which of the two they take."""
    zipped(path, members=(("config.json", json.dumps(sequential(dense(units=3))).encode()),))


@attack("shards_outside.keras", "no member '../outside'")
def shards_outside(path: Path) -> None:
    index = {"weight_map": {"/layers/dense/vars": f"../{OUTSIDE}"}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(sequential(dense())))
        archive.writestr("model.weights.json", json.dumps(index))


# ------------------------------------------------------------------------------- more than there is


@attack("declared.h5", "declares 100,000,000,000 bytes, but the file holds 0")
def declared(path: Path) -> None:
    with h5(path) as group:
        group.create_dataset("kernel", (25_000_000_000,), "f4")


@attack("declared_chunks.h5", "asks for 100,000,000,000 bytes of memory")
def declared_chunks(path: Path) -> None:
    with h5(path) as group:
        group.create_dataset("kernel", (25_000_000_000,), "f4", chunks=(1 << 20,))


@attack("declared.keras", "declares 100,000,000,000 bytes")
def declared_zip(path: Path) -> None:
    def change(file: Any) -> None:
        file["layers/dense_1/vars/0"] = h5py.Empty("f4")
        del file["layers/dense_1/vars/0"]
        file["layers/dense_1/vars"].create_dataset("0", (25_000_000_000,), "f4")

    zipped(path, weights=v3_weights(change))


def _zeros(size: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


@attack("chunk_bomb.h5", "inflates to more than its 4,096 bytes")
def chunk_bomb(path: Path) -> None:
    """A chunk of 4 KB whose stored bytes inflate to 256 MB."""
    with h5(path) as group:
        made = group.create_dataset("kernel", (1024,), "f4", chunks=(1024,), compression="gzip")
        made.id.write_direct_chunk((0,), _zeros(1 << 28))


@attack("large_chunk.h5", "asks for 2,147,483,648 bytes of memory")
def large_chunk(path: Path) -> None:
    """A dataset of 8 numbers, in a chunk of 2 GB."""
    with h5(path) as group:
        group.create_dataset("kernel", (8,), "f4", maxshape=(None,), chunks=(1 << 29,))
        group["kernel"].id.write_direct_chunk((0,), b"x", filter_mask=0)


@attack("many_chunks.h5", "more than 20,000 groups, datasets and chunks")
def many_chunks(path: Path) -> None:
    with h5(path) as group:
        group.create_dataset("kernel", (10_000_000,), "f4", chunks=(1,), compression="gzip")


@attack("same_again.h5", "asks for 8,000,000 bytes of memory")
def same_again(path: Path) -> None:
    """One dataset of zeros under 1,000 names."""
    names = tuple(f"w{i}" for i in range(1000))
    with h5(path, weights=names) as group:
        group.create_dataset("w0", data=np.zeros(2_000_000, "f4"), compression="gzip")
        for name in names[1:]:
            group[name] = group["w0"]


@attack("rare_filter.h5", "compressed in a way that is not read")
def rare_filter(path: Path) -> None:
    """A filter that HDF5 would look for among its plug-ins and load."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((3, 2))
    properties.set_filter(305, h5py.h5z.FLAG_OPTIONAL)
    with h5(path) as group:
        space = h5py.h5s.create_simple((3, 2))
        h5py.h5d.create(group.id, b"kernel", h5py.h5t.IEEE_F32LE, space, properties)


@attack("lzf.h5", "h5repack -f NONE")
def lzf(path: Path) -> None:
    with h5(path) as group:
        group.create_dataset("kernel", data=KERNEL, compression="lzf")


@attack("group_in_itself.weights.h5", "group in itself")
def group_in_itself(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/a")
        group["x"] = group["y"] = group


@attack("doubling.weights.h5", "more than 20,000 groups")
def doubling(path: Path) -> None:
    """25 groups, each holding the next one twice: 33 million paths."""
    with h5py.File(path, "w") as file:
        below = file.create_group("layers")
        for number in range(25):
            below["b"] = below.create_group("a")
            below = below["a"]
            below.attrs["number"] = number


@attack("deep_groups.weights.h5", "too many groups in each other")
def deep_groups(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("layers")
        for _ in range(3000):
            group = group.create_group("a")


@attack("bomb.keras", "asks for 402,653,184 bytes of memory")
def bomb(path: Path) -> None:
    """0.4 MB that inflate to 384 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(sequential(dense())))
        with archive.open("model.weights.h5", "w") as member:
            for _ in range(384):
                member.write(bytes(1 << 20))


@attack("config_bomb.keras", "config.json is 67,108,864 bytes long")
def config_bomb(path: Path) -> None:
    zipped(path, " " * (64 << 20), method=zipfile.ZIP_DEFLATED)


@attack("list_bomb.keras", "config")
def list_bomb(path: Path) -> None:
    """As many lists as a configuration of the allowed length can hold."""
    lists = "[]," * 5_000_000
    zipped(path, f'{{"class_name":"Sequential","config":[{lists}[]]}}', method=zipfile.ZIP_DEFLATED)


@attack("lying_size.keras", "damaged")
def lying_size(path: Path) -> None:
    """The directory says 100 bytes for a member that inflates to 64 MB."""
    zipped(path, weights=bytes(64 << 20), method=zipfile.ZIP_DEFLATED)
    size = (64 << 20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (100).to_bytes(4, "little")))


@attack("many_members.keras", "so it is no .keras file")
def many_members(path: Path) -> None:
    """300,000 entries that name the same bytes; written by hand because zipfile is slow at it."""
    zipped(path)
    whole = path.read_bytes()
    end = whole.rindex(b"PK\x05\x06")
    first = whole.index(b"PK\x01\x02")
    entry = whole[first : first + 46 + len("metadata.json")]
    directory = entry * 300_000
    tail = whole[end : end + 8] + b"\xff" * 4 + len(directory).to_bytes(4, "little")
    path.write_bytes(whole[:first] + directory + tail + whole[end + 16 :])


@attack("rare_method.keras", "packed by a rare method")
def rare_method(path: Path) -> None:
    zipped(path, method=zipfile.ZIP_LZMA)


@attack("encrypted.keras", "encrypted")
def encrypted(path: Path) -> None:
    zipped(path)
    whole = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = whole.find(mark)
        while at >= 0:
            whole[at + offset] |= 1
            at = whole.find(mark, at + 1)
    path.write_bytes(whole)


@attack("long_text.h5", "longer than 8,388,608 bytes")
def long_text(path: Path) -> None:
    """A text that says it has 2 GB: HDF5 allocates them before it looks for the text."""
    whole_h5(path)
    whole = bytearray(path.read_bytes())
    heap = whole.index(b"GCOL").to_bytes(8, "little")
    at = whole.index(heap, whole.index(b"model_config\0"))
    whole[at - 4 : at] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(whole)


@attack("endless_heap.h5", "damaged or cut off")
def endless_heap(path: Path) -> None:
    """A heap whose free space has no size: HDF5 goes round in it for ever."""
    whole_h5(path)
    whole = bytearray(path.read_bytes())
    at = whole.index(b"GCOL") + 16
    while whole[at : at + 2] != b"\0\0":
        at += 16 + (int.from_bytes(whole[at + 8 : at + 16], "little") + 7) // 8 * 8
    whole[at + 8 : at + 16] = bytes(8)
    path.write_bytes(whole)


@attack("dense_attributes.h5", "stored in a way that is not read.*h5repack")
def dense_attributes(path: Path) -> None:
    """Attributes in a heap of their own, where nobody sees how long their texts are."""
    with h5py.File(path, "w", libver="latest") as file:
        for number in range(20):
            file.attrs[f"a{number}"] = "x"
        file.attrs["model_config"] = json.dumps(sequential(dense()))
