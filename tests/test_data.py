"""Inputs and data sets: against PIL, NumPy, gzip, a real MNIST and a server of our own."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import io
import re
import struct
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import netsheet
from netsheet.data import arrays, download
from netsheet.data.arrays import read_idx
from netsheet.data.datasets import read_dataset
from netsheet.data.download import KNOWN, cache_folder
from netsheet.data.inputs import read_input
from netsheet.data.scaling import Scaling
from netsheet.data.tables import numbers_at_once
from netsheet.equations import Tensor
from netsheet.errors import FormatError, NetsheetError, UnsupportedError, UsageError
from netsheet.layers.shape import Identity
from netsheet.network import LayerCall, Network, Source, ValueRef

BY_255 = "scaled by 1/255 (pixels; --scale 1 if the network takes 0 .. 255)"
LAST = Tensor("image", ("height", "width", "channel"), (28, 28, 1))
FIRST = Tensor("image", ("channel", "height", "width"), (1, 28, 28))
COLOUR = Tensor("image", ("height", "width", "channel"), (4, 6, 3))
COLOUR_FIRST = Tensor("image", ("channel", "height", "width"), (3, 4, 6))
FLAT = Tensor("pixels", ("channel",), (784,))
GRID = Tensor("rows", ("time", "channel"), (28, 28))


def write_idx(path: Path, array: np.ndarray) -> None:
    codes = {"uint8": 8, "int32": 12, "float32": 13}
    head = struct.pack(
        f">BBBB{array.ndim}I", 0, 0, codes[array.dtype.name], array.ndim, *array.shape
    )
    data = head + array.astype(array.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, np.uint8)


# ------------------------------------------------------------------ pictures


@pytest.mark.parametrize("tensor", [LAST, FIRST, FLAT, GRID])
def test_the_published_digit(seed: Path, tensor: Tensor) -> None:
    digit = np.load(seed / "digit5.npy")
    for name in ("digit5.png", "digit5.npy"):
        sample = read_input(seed / name, [tensor])
        value = sample.inputs[tensor.name]
        assert value.values.dtype == np.float32
        assert value.values.shape == tensor.shape
        assert np.array_equal(value.values.reshape(28, 28), digit.astype(np.float32) / 255)
        assert np.array_equal(value.raw.reshape(28, 28), digit)
        assert "scaled by 1/255" in sample.note
        assert sample.arrays[0] is value.values


def test_channels_and_size_of_the_network(tmp_path: Path) -> None:
    picture = Image.fromarray(pixels(4, 6, 3))
    picture.save(tmp_path / "p.png")
    raw = np.asarray(picture)
    last = read_input(tmp_path / "p.png", [COLOUR]).inputs["image"].raw
    first = read_input(tmp_path / "p.png", [COLOUR_FIRST]).inputs["image"].raw
    assert np.array_equal(last, raw)
    assert np.array_equal(first, raw.transpose(2, 0, 1))
    sample = read_input(tmp_path / "p.png", [LAST])
    grey = picture.convert("L").resize((28, 28), Image.Resampling.BILINEAR)
    assert np.array_equal(sample.inputs["image"].raw[..., 0], np.asarray(grey))
    wanted = "p.png: 6x4 RGB, made grey, resized to 28x28 "
    assert sample.note == f"{wanted}(bilinear; nearest is Keras's default), {BY_255}"
    any_size = Tensor("image", ("height", "width", "channel"), (None, None, 3))
    assert np.array_equal(read_input(tmp_path / "p.png", [any_size]).inputs["image"].raw, raw)


@pytest.mark.parametrize("suffix", ["jpg", "bmp", "gif", "png", "webp", "tiff"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    grey = np.full((4, 6, 3), 100, np.uint8)
    Image.fromarray(grey).save(tmp_path / f"p.{suffix}")
    raw = read_input(tmp_path / f"p.{suffix}", [COLOUR]).inputs["image"].raw
    assert np.abs(raw.astype(int) - 100).max() <= 1


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    wide = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2849
    Image.fromarray(wide).save(tmp_path / "p.png")
    one = Tensor("image", ("height", "width", "channel"), (4, 6, 1))
    sample = read_input(tmp_path / "p.png", [one])
    raw = sample.inputs["image"].raw
    assert np.array_equal(raw[..., 0], np.round(wide / 65535 * 255))
    assert "16 bits (0 .. 65527) made 8" in sample.note


def test_bytes_in_32_bits_stay_what_they_are(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.int32).reshape(4, 6) * 11
    Image.fromarray(values).save(tmp_path / "p.tif")
    one = Tensor("image", ("height", "width", "channel"), (4, 6, 1))
    sample = read_input(tmp_path / "p.tif", [one])
    assert np.array_equal(sample.inputs["image"].raw[..., 0], values)
    assert "32 bits (0 .. 253) taken as they are" in sample.note


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    rgba = pixels(4, 6, 4)
    Image.fromarray(rgba).save(tmp_path / "p.png")
    sample = read_input(tmp_path / "p.png", [COLOUR])
    alpha = rgba[..., 3:] / 255
    wanted = rgba[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(sample.inputs["image"].raw - wanted).max() <= 1
    assert "transparency laid on white" in sample.note
    four = Tensor("image", ("height", "width", "channel"), (4, 6, 4))
    assert np.array_equal(read_input(tmp_path / "p.png", [four]).inputs["image"].raw, rgba)


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    picture = Image.new("P", (6, 4), 1)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((0, 0), 0)
    picture.save(tmp_path / "p.png", transparency=0)
    raw = read_input(tmp_path / "p.png", [COLOUR]).inputs["image"].raw
    assert raw[0, 0].tolist() == [255, 255, 255]
    assert raw[1, 1].tolist() == [0, 0, 255]


def test_a_photograph_stands_upright(tmp_path: Path) -> None:
    lying = Image.fromarray(np.repeat(pixels(1, 4, 1), 3, 2).repeat(6, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn it clockwise
    lying.save(tmp_path / "p.png", exif=exif)
    sample = read_input(tmp_path / "p.png", [COLOUR])
    raw = sample.inputs["image"].raw
    assert "turned upright (EXIF orientation 6; Keras does not turn)" in sample.note
    upright = np.rot90(np.asarray(lying), -1)
    assert np.array_equal(raw, upright)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_no_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.png").write_bytes(content)
    with pytest.raises(FormatError, match=r"p\.png: not a picture that can be read"):
        read_input(tmp_path / "p.png", [LAST])


def test_a_picture_of_a_telephone(tmp_path: Path) -> None:
    path = tmp_path / "p.heic"
    try:
        import pillow_heif
    except ImportError:
        path.write_bytes(b"\0\0\0\x18ftypheic")
        with pytest.raises(UnsupportedError, match="pip install pillow-heif"):
            read_input(path, [COLOUR])
        return
    pillow_heif.register_heif_opener()
    Image.fromarray(np.full((4, 6, 3), 90, np.uint8)).save(path)
    found = read_input(path, [COLOUR], Scaling())
    np.testing.assert_allclose(found.arrays[0], 90, atol=4)


def test_a_decompression_bomb(tmp_path: Path) -> None:
    Image.new("1", (30_000, 30_000)).save(tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size < 200_000
    with pytest.raises(FormatError, match="so many pixels"):
        read_input(tmp_path / "p.png", [LAST])


def test_inputs_that_no_picture_has(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "p.png")
    with pytest.raises(NetsheetError, match=r"shape \(100, 7, 3, 3\), which no picture has"):
        read_input(tmp_path / "p.png", [Tensor("x", tuple("abcd"), (100, 7, 3, 3))])
    two = Tensor("x", ("height", "width", "channel"), (4, 4, 2))
    with pytest.raises(UnsupportedError, match="takes 2 channels"):
        read_input(tmp_path / "p.png", [two])


# ------------------------------------------------------------------ scaling


def test_scaling_per_channel(tmp_path: Path) -> None:
    raw = pixels(4, 6, 3)
    np.save(tmp_path / "p.npy", raw)
    scaling = Scaling(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), invert=True)
    wanted = ((255.0 - raw) / 255 - np.array(scaling.mean)) / np.array(scaling.std)
    for tensor in (COLOUR, COLOUR_FIRST):
        sample = read_input(tmp_path / "p.npy", [tensor], scaling)
        got = sample.arrays[0] if tensor is COLOUR else sample.arrays[0].transpose(1, 2, 0)
        assert np.allclose(got, wanted, rtol=1e-6, atol=1e-6)
        assert "inverted, scaled by 1/255, minus 0.485/0.456/0.406" in sample.note
    with pytest.raises(UsageError, match="mean has 2 numbers; input 'image' has 3 channels"):
        read_input(tmp_path / "p.npy", [COLOUR], Scaling(mean=(0.0, 1.0)))
    with pytest.raises(UsageError, match="std is 0"):
        read_input(tmp_path / "p.npy", [COLOUR], Scaling(std=(0.0,)))


def test_what_is_not_scaled(tmp_path: Path) -> None:
    values = np.random.default_rng(4).normal(size=(28, 28)).astype(np.float32)
    np.save(tmp_path / "f.npy", values)
    sample = read_input(tmp_path / "f.npy", [LAST])
    assert np.array_equal(sample.arrays[0][..., 0], values)
    assert sample.inputs["image"].raw is None
    assert "not scaled (values from" in sample.note
    np.save(tmp_path / "i.npy", np.arange(784).reshape(28, 28))
    assert read_input(tmp_path / "i.npy", [LAST]).arrays[0].max() == 783


# ------------------------------------------------------------------ arrays


def test_a_batch_axis_and_an_index(tmp_path: Path) -> None:
    many = pixels(5, 28, 28)
    np.save(tmp_path / "many.npy", many)
    np.save(tmp_path / "one.npy", many[:1])
    write_idx(tmp_path / "x.gz", many)
    write_idx(tmp_path / "x.idx", many)
    for spec, index in (("many.npy#3", 3), ("one.npy", 0), ("x.gz#4", 4), ("x.idx", 0)):
        raw = read_input(tmp_path / spec, [FIRST]).inputs["image"].raw
        assert np.array_equal(raw[0], many[index]), spec
    with pytest.raises(UsageError, match=r"has the samples 0 \.\. 4"):
        read_input(tmp_path / "x.gz#5", [FIRST])
    with pytest.raises(NetsheetError, match=r"\(5, 28, 28\); input 'image' takes \(1, 28, 28\)"):
        read_input(tmp_path / "many.npy", [FIRST])


def test_an_mnist_image_knows_its_class(shared: Path) -> None:
    file = shared / "data" / "mnist" / "t10k-images-idx3-ubyte.gz"
    with gzip.open(file) as stream:
        data = stream.read()
    image = np.frombuffer(data[16 + 15 * 784 : 16 + 16 * 784], np.uint8)
    sample = read_input(f"{file}#15", [FLAT])
    assert np.array_equal(sample.inputs["pixels"].raw, image)
    assert sample.label == 5


def test_several_inputs(tmp_path: Path) -> None:
    a, b = Tensor("left", ("channel",), (3,)), Tensor("right", ("time", "channel"), (2, 2))
    left, right = np.arange(3.0), np.ones((1, 2, 2), np.float32)
    np.savez(tmp_path / "named.npz", right=right, left=left, other=left)
    np.savez_compressed(tmp_path / "order.npz", left, right)
    for name in ("named.npz", "order.npz"):
        sample = read_input(tmp_path / name, [a, b])
        assert list(sample.inputs) == ["left", "right"]
        assert np.array_equal(sample.arrays[0], left.astype(np.float32))
        assert np.array_equal(sample.arrays[1], right[0])
    np.savez(tmp_path / "three.npz", a=left, b=left, c=left)
    with pytest.raises(
        NetsheetError, match="has the arrays a, b, c; the network takes left, right"
    ):
        read_input(tmp_path / "three.npz", [a, b])
    np.save(tmp_path / "one.npy", left)
    with pytest.raises(UsageError, match=r"has 2 inputs \(left, right\); give an \.npz"):
        read_input(tmp_path / "one.npy", [a, b])


def test_csv_input(tmp_path: Path) -> None:
    table = np.random.default_rng(5).normal(size=(2, 3))
    np.savetxt(tmp_path / "x.csv", table, delimiter=",", fmt="%.17g")
    tensor = Tensor("x", ("time", "channel"), (2, 3))
    assert np.array_equal(read_input(tmp_path / "x.csv", [tensor]).arrays[0], table.astype("f4"))
    (tmp_path / "h.csv").write_text("a,b,c\n1.5,2,3\n4,5,6\n")
    assert read_input(tmp_path / "h.csv", [tensor]).arrays[0].tolist() == [[1.5, 2, 3], [4, 5, 6]]
    (tmp_path / "bad.csv").write_text("a,b,c\n1,2,3\n4,x,6\n")
    with pytest.raises(FormatError, match="row 3: 'x' is not a number"):
        read_input(tmp_path / "bad.csv", [tensor])
    (tmp_path / "short.csv").write_text("1,2,3\n4,5\n")
    with pytest.raises(FormatError, match="row 2 has 2 cells, the first has 3"):
        read_input(tmp_path / "short.csv", [tensor])


def test_hostile_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "o.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(FormatError, match="Python objects, which are never loaded"):
        read_input(tmp_path / "o.npy", [LAST])
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        huge, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)}
    )
    (tmp_path / "huge.npy").write_bytes(huge.getvalue())
    with pytest.raises(FormatError, match="more than 4 GB is not read"):
        read_input(tmp_path / "huge.npy", [LAST])
    cut = io.BytesIO()
    np.save(cut, np.zeros((28, 28), np.float32))
    (tmp_path / "cut.npy").write_bytes(cut.getvalue()[:-1])
    with pytest.raises(FormatError, match="damaged"):
        read_input(tmp_path / "cut.npy", [LAST])
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", cut.getvalue()[:128] + bytes(10_000_000))
    monkeypatch.setattr(arrays, "LARGEST", 1000)
    with pytest.raises(FormatError, match="is not read"):
        read_input(tmp_path / "bomb.npz", [LAST])


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("change", [-1, 1])
def test_an_idx_file_of_another_length(tmp_path: Path, suffix: str, change: int) -> None:
    data = struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 28, 28) + bytes(2 * 784 + change)
    (tmp_path / f"x{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    with pytest.raises(FormatError, match=r"header says \(2, 28, 28\), which takes 1,568 bytes"):
        read_idx(tmp_path / f"x{suffix}")
    lie = struct.pack(">BBBB3I", 0, 0, 14, 3, 2**31, 2**31, 2**31)
    (tmp_path / "lie").write_bytes(lie)
    with pytest.raises(FormatError, match="more than 4 GB is not read"):
        read_idx(tmp_path / "lie")


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_idx_types(tmp_path: Path, dtype: str) -> None:
    array = (np.arange(6).reshape(2, 3) * 100.5).astype(dtype)
    write_idx(tmp_path / "x", array)
    got = read_idx(tmp_path / "x")
    assert np.array_equal(got, array)
    assert got.dtype == array.dtype


def test_inputs_that_are_not_there(tmp_path: Path) -> None:
    for name in ("a.png", "a.npy", "a.npz", "a.csv", "a"):
        with pytest.raises(NetsheetError, match="no such file"):
            read_input(tmp_path / name, [LAST])
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(UsageError, match="give a png, jpg, bmp or gif"):
        read_input(tmp_path / "a.doc", [LAST])


# ------------------------------------------------------------------ data sets


def test_mnist_folder(shared: Path) -> None:
    folder = shared / "data" / "mnist"
    data = read_dataset(folder, [FIRST])
    raw = np.frombuffer(gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes()), "u1")
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    assert data.x.shape == (10_000, 1, 28, 28)
    assert np.array_equal(data.x.ravel(), raw[16:].astype(np.float32) / 255)
    assert bytes(data.y.astype("u1")) == labels
    assert data.note == f"mnist, the test set: 10,000 samples (1, 28, 28), {BY_255}"
    sample = data.sample(15, [FIRST])
    one = read_input(f"{folder / 't10k-images-idx3-ubyte.gz'}#15", [FIRST])
    assert sample.label == one.label == 5
    assert np.array_equal(sample.arrays[0], one.arrays[0])
    assert np.array_equal(sample.inputs["image"].raw, one.inputs["image"].raw)
    assert len(read_dataset(folder, [LAST], limit=7)) == 7
    with pytest.raises(UsageError, match=r"samples 0 \.\. 9999, not 10000"):
        data.sample(10_000, [FIRST])


def test_npz_prefers_the_test_set(tmp_path: Path) -> None:
    train, test = pixels(6, 4, 6, 3), pixels(5, 4, 6, 3)
    hot = np.eye(3)[[0, 2, 1, 1, 0]]
    np.savez(tmp_path / "d.npz", x_train=train, y_train=np.zeros(6), x_test=test, y_test=hot)
    data = read_dataset(tmp_path / "d.npz", [COLOUR_FIRST])
    assert np.array_equal(data.raw, test.transpose(0, 3, 1, 2))
    assert data.y.shape == (5, 3)
    assert [data.label(i) for i in range(5)] == [0, 2, 1, 1, 0]
    np.savez(tmp_path / "r.npz", x=np.ones((4, 784)), y=np.array([[0.5], [1.5], [2], [3]]))
    data = read_dataset(tmp_path / "r.npz", [FLAT])
    assert data.y.tolist() == [0.5, 1.5, 2, 3]
    assert data.label(0) is None
    assert data.raw is None
    np.savez(tmp_path / "n.npz", a=train)
    with pytest.raises(NetsheetError, match="has the arrays a; samples are expected as x and y"):
        read_dataset(tmp_path / "n.npz", [COLOUR])
    np.savez(tmp_path / "w.npz", x=train, y=np.zeros(5))
    with pytest.raises(FormatError, match="has 6 samples, but 5 labels"):
        read_dataset(tmp_path / "w.npz", [COLOUR])
    with pytest.raises(NetsheetError, match=r"\(4, 6, 3\); input 'image' takes \(28, 28, 1\)"):
        read_dataset(tmp_path / "d.npz", [LAST])


def test_folders_of_classes(tmp_path: Path) -> None:
    images = pixels(5, 4, 6, 3)
    for i, image in enumerate(images):
        folder = tmp_path / ("dog" if i % 2 else "cat")
        folder.mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / f"{i}.png")
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    data = read_dataset(tmp_path, [COLOUR])
    assert data.class_names == ["cat", "dog"]
    assert data.y.tolist() == [0, 0, 0, 1, 1]
    assert np.array_equal(data.raw, images[[0, 2, 4, 1, 3]])
    assert data.sample(3, [COLOUR]).name == str(Path("dog") / "1.png")
    assert read_dataset(tmp_path, [COLOUR], limit=2).y.tolist() == [0, 1]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NetsheetError, match="neither IDX files nor folders of pictures"):
        read_dataset(empty, [COLOUR])


def save_pictures(folder: Path, count: int, seed: int = 0) -> None:
    folder.mkdir(parents=True)
    images = np.random.default_rng(seed).integers(0, 256, (count, 4, 6, 3), np.uint8)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.png")


def test_the_training_set_of_what_is_split(tmp_path: Path) -> None:
    train, test = pixels(6, 4, 6, 3), pixels(5, 4, 6, 3)
    one, named = tmp_path / "d.npz", np.array(["cat", "dog"])
    np.savez(one, x_train=train, y_train=[0, 1, 0, 1, 0, 1], x_test=test, y_test=np.zeros(5),
             class_names=named)  # fmt: skip
    data = read_dataset(f"{one}#train", [COLOUR])
    assert (np.array_equal(data.raw, train), data.class_names) == (True, ["cat", "dog"])
    assert len(read_dataset(one, [COLOUR])) == 5  # without a word the test set
    assert len(read_dataset(one, [COLOUR], part="train")) == 6
    for limit in (None, 1):  # how many are read does not say which one is meant
        (single,) = read_dataset(f"{one}#train:3", [COLOUR], limit=limit).raw
        assert np.array_equal(single, train[3])
    assert np.array_equal(read_dataset(f"{one}#4", [COLOUR], limit=1).raw, test[4:])
    with pytest.raises(UsageError, match=r"samples 0 \.\. 5, not 6"):
        read_dataset(f"{one}#train:6", [COLOUR])
    np.savez(tmp_path / "x.npz", x=test, y=np.zeros(5))
    with pytest.raises(NetsheetError, match="arrays x, y; samples are expected as x_train and y_"):
        read_dataset(f"{tmp_path / 'x.npz'}#train", [COLOUR])
    np.save(tmp_path / "x.npy", test)
    with pytest.raises(NetsheetError, match="is one set, which has no train set"):
        read_dataset(f"{tmp_path / 'x.npy'}#train", [COLOUR])
    np.save(one.with_name("odd#1.npy"), test)  # a file that is called so is that file
    assert len(read_dataset(tmp_path / "odd#1.npy", [COLOUR])) == 5
    np.savez(tmp_path / "bad.npz", x=test, y=np.zeros(5), class_names=np.array([1, 2]))
    with pytest.raises(FormatError, match="holds int64, not texts"):
        read_dataset(tmp_path / "bad.npz", [COLOUR])


def test_idx_files_to_train_with(tmp_path: Path) -> None:
    for name, count in (("train", 3), ("t10k", 2)):
        write_idx(tmp_path / f"{name}-images-idx3-ubyte.gz", pixels(count, 28, 28))
    assert [len(read_dataset(f"{tmp_path}#{part}", [FLAT])) for part in ("train", "test")] == [3, 2]
    with pytest.raises(NetsheetError, match="has no validation set; it has t10k-images"):
        read_dataset(f"{tmp_path}#validation", [FLAT])


def test_folders_that_are_split(tmp_path: Path) -> None:
    for part, count in (("Train", 3), ("test", 2), ("val", 1)):
        for name in ("cat", "dog"):
            save_pictures(tmp_path / "d" / part / name, count)
    sizes = {part: len(read_dataset(tmp_path / "d", [COLOUR], part=part))
             for part in (None, "train", "test", "validation")}  # fmt: skip
    assert sizes == {None: 4, "train": 6, "test": 4, "validation": 2}
    note = read_dataset(f"{tmp_path / 'd'}#train", [COLOUR]).note
    assert note.startswith("Train, the training set, 2 classes")
    with pytest.raises(NetsheetError, match="is not split: there is no folder 'test'"):
        read_dataset(tmp_path / "d" / "Train", [COLOUR], part="test")


def test_folders_in_folders(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "archive" / "animals" / name, 1)
    inner = tmp_path / "archive" / "animals"
    with pytest.raises(NetsheetError, match=re.escape(f"(cat, dog, ...): give {inner}.")):
        read_dataset(tmp_path / "archive", [COLOUR])
    assert len(read_dataset(inner, [COLOUR])) == 2
    with pytest.raises(NetsheetError, match=r"has 1 pictures, but no labels: put those of each"):
        read_dataset(inner / "cat", [COLOUR])


def test_csv_data(tmp_path: Path) -> None:
    tensor = Tensor("x", ("channel",), (3,))
    (tmp_path / "first.csv").write_text("7,0,128,255\n2,1,2,3\n")
    data = read_dataset(tmp_path / "first.csv", [tensor], label="first")
    assert data.y.tolist() == [7, 2]
    assert data.x.tolist() == [[0, 128, 255], [1, 2, 3]]  # three numbers are no picture
    (tmp_path / "named.csv").write_text("a,b,Label,c\n1,2,cat,3.5\n4,5,ant,6\n1,1,cat,1\n")
    data = read_dataset(tmp_path / "named.csv", [tensor])
    assert data.class_names == ["ant", "cat"]
    assert data.y.tolist() == [1, 0, 1]
    assert data.x[0].tolist() == [1, 2, 3.5]
    (tmp_path / "none.csv").write_text("1.5,2,3\n4,5,6\n")
    assert read_dataset(tmp_path / "none.csv", [tensor]).y is None


@pytest.mark.parametrize(
    ("text", "labels", "why"),
    [
        ("0.5;1,5;2\n1,5;2;0\n0;1;1\n", [2, 0, 1], "the last column"),
        ("2\t0.5\t1.5\n0\t1.5\t2\n1\t0\t1.5\n", [2, 0, 1], "the first column"),
        ("a,b,Species\n1,2,cat\n4,5,ant\n6,7,bee\n", [2, 0, 1], "'Species', the only one of words"),
        (",a,b,target\n0,1.5,2,1\n1,4,5.5,0\n2,1,1,1\n", [1, 0, 1], "'target'"),
        ("0,1,2\n0.5,1.5,1\n2,2.5,0\n", [1, 0], "the last column"),
        ("1.5,2,0,1,0\n2.5,1,1,0,0\n", [[0, 1, 0], [1, 0, 0]], "one-hot"),
    ],
)
def test_columns_of_labels(tmp_path: Path, text: str, labels: list[object], why: str) -> None:
    network = Network(
        name="n", calls=[LayerCall("d", Identity(name="d"), (ValueRef("x"),))],
        sources=[Source("x", (2,))], results=[ValueRef("d")],
    )  # fmt: skip
    network.outputs = [Tensor("y", ("channel",), (3,))]
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "t.csv").write_text(text, encoding)
        data = read_dataset(tmp_path / "t.csv", network)
        assert data.y.tolist() == labels
        assert data.x.shape == (len(labels), 2)
        assert why in data.note


def test_a_column_of_labels_that_is_named_or_asked_for(tmp_path: Path) -> None:
    two = Tensor("x", ("channel",), (2,))
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,3\n0,1,1\n")
    assert read_dataset(tmp_path / "t.csv", [two], label="b").y.tolist() == [2, 1]
    assert read_dataset(tmp_path / "t.csv", [two], label="last").y.tolist() == [3, 1]
    with pytest.raises(NetsheetError, match="which column is the label"):
        read_dataset(tmp_path / "t.csv", [two])
    with pytest.raises(UsageError, match="has no column 'd'; it has a, b, c"):
        read_dataset(tmp_path / "t.csv", [two], label="d")
    (tmp_path / "j.csv").write_bytes("猫,値\n1.5,2\n".encode("cp932"))
    one = read_input(tmp_path / "j.csv", [two]).arrays[0]
    assert one.tolist() == [1.5, 2]


@pytest.mark.parametrize(
    "names", [("X_test", "y_test"), ("images", "labels"), ("test_images", "test_labels"),
              ("data", "target"), ("X", "y"), ("features", "labels")],
)  # fmt: skip
def test_usual_names_in_an_npz(tmp_path: Path, names: tuple[str, str]) -> None:
    np.savez(tmp_path / "d.npz", **dict(zip(names, (np.ones((3, 2)), np.arange(3)), strict=True)))
    data = read_dataset(tmp_path / "d.npz", [Tensor("x", ("channel",), (2,))])
    assert data.y.tolist() == [0, 1, 2]


def test_pixels_in_one_column(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("emotion,pixels,Usage\n3,0 1 2 255,Test\n1,9 8 7 6,Test\n")
    data = read_dataset(
        tmp_path / "f.csv", [Tensor("x", ("height", "width", "channel"), (2, 2, 1))]
    )
    assert data.y.tolist() == [3, 1]
    assert data.raw.reshape(2, 4).tolist() == [[0, 1, 2, 255], [9, 8, 7, 6]]


def test_numbers_of_a_table_are_parsed_at_once(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    for table in (random.normal(size=(50, 7)), random.integers(-9, 300, (4, 3))):
        np.savetxt(tmp_path / "t.csv", table, delimiter=",", fmt="%s")
        found = numbers_at_once(tmp_path / "t.csv")
        assert np.array_equal(found, table)
        assert found.dtype == table.dtype
    for text in ("a,b\n1,2\n", "1,,2\n", "1,2\n3\n", "1 2,3\n", "1,nan\n", ""):
        (tmp_path / "t.csv").write_text(text)
        assert numbers_at_once(tmp_path / "t.csv") is None, text


def test_folders_that_are_no_classes(tmp_path: Path) -> None:
    network = Network("n", [], [Source("image", (4, 6, 3))], [])
    network.outputs = [Tensor("y", ("channel",), (2,))]
    for name in ("cat/deep/1.png", "dog/2.png", ".ipynb_checkpoints/3.png", "__MACOSX/cat/4.png",
                 "cat/.ipynb_checkpoints/5.png"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(4, 6, 3)).save(tmp_path / name)
    data = read_dataset(tmp_path, network)
    assert (data.class_names, data.y.tolist()) == (["cat", "dog"], [0, 1])
    network.outputs = [Tensor("y", ("channel",), (5,))]
    with pytest.raises(NetsheetError, match=r"has 2 classes \(cat, dog\), but the network"):
        read_dataset(tmp_path, network)
    (tmp_path / "labels.txt").write_text("0 ant\n1 dog\n2 cat\n3 cow\n4 elk\n")
    assert sorted(read_dataset(tmp_path, network).y.tolist()) == [1, 2]
    (tmp_path / "labels.txt").unlink()
    (tmp_path / "cat").rename(tmp_path / "4")
    (tmp_path / "dog").rename(tmp_path / "1")
    assert sorted(read_dataset(tmp_path, network).y.tolist()) == [1, 4]


def test_which_idx_file(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", pixels(3, 28, 28))
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(3, dtype=np.uint8))
    data = read_dataset(tmp_path, [FLAT])
    assert data.y.tolist() == [0, 1, 2]
    assert "the training set" in data.note
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", pixels(2, 28, 28))
    assert read_dataset(tmp_path, [FLAT]).y is None
    assert len(read_dataset(tmp_path / "train-images-idx3-ubyte", [FLAT])) == 3


def test_sources_that_are_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(NetsheetError, match="not one of the data sets mnist, fashion_mnist, cifar"):
        read_dataset(tmp_path / "nothing", [LAST])
    with pytest.raises(UnsupportedError, match="has 2 inputs"):
        read_dataset("mnist", [LAST, FLAT])
    with pytest.raises(UsageError, match="at least 1, not 0"):
        read_dataset("mnist", [LAST], limit=0)


# ------------------------------------------------------------------ downloads


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that the known data sets are downloaded from, and an empty cache."""
    folder = tmp_path / "server"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{running.server_address[1]}/"
        for name, known in KNOWN.items():
            monkeypatch.setitem(KNOWN, name, replace(known, url=url))
        monkeypatch.setenv("NETSHEET_CACHE", str(tmp_path / "cache"))
        yield folder
        running.shutdown()


def publish(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the folder holds becomes the published files of the data set."""
    files, train = (
        tuple(
            replace(
                file,
                size=len(content := (folder / file.name).read_bytes()),
                sha256=hashlib.sha256(content).hexdigest(),
            )
            for file in some
            if (folder / file.name).exists()
        )
        for some in (KNOWN[name].files, KNOWN[name].train)
    )
    monkeypatch.setitem(KNOWN, name, replace(KNOWN[name], files=files, train=train))


def test_download_once(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(server / "t10k-images-idx3-ubyte.gz", pixels(4, 28, 28))
    write_idx(server / "t10k-labels-idx1-ubyte.gz", np.arange(4, dtype=np.uint8))
    publish(server, "fashion_mnist", monkeypatch)
    seen: list[tuple[int, int]] = []
    data = read_dataset(
        "fashion-mnist", [LAST], progress=lambda done, total: seen.append((done, total))
    )
    assert data.y.tolist() == [0, 1, 2, 3]
    assert data.class_names[1] == "Trouser"
    total = sum(file.size for file in KNOWN["fashion_mnist"].files)
    assert seen[-1] == (total, total)
    for file in server.iterdir():
        file.unlink()
    assert np.array_equal(read_dataset("fashion_mnist", [LAST]).x, data.x)


def test_the_training_set_is_downloaded_when_it_is_asked_for(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, count in (("train", 3), ("t10k", 2)):
        write_idx(server / f"{name}-images-idx3-ubyte.gz", pixels(count, 28, 28))
        write_idx(server / f"{name}-labels-idx1-ubyte.gz", np.arange(count, dtype=np.uint8))
    publish(server, "mnist", monkeypatch)
    assert len(read_dataset("mnist", [LAST])) == 2
    assert not (cache_folder() / "mnist" / "train-images-idx3-ubyte.gz").exists()
    assert read_dataset("mnist#train", [LAST]).y.tolist() == [0, 1, 2]
    assert read_dataset("mnist#train:1", [LAST]).label(0) == 1


def test_cifar10(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pixels(3, 3, 32, 32)
    labels = np.array([9, 0, 5], np.uint8)
    records = np.concatenate([labels[:, None], images.reshape(3, -1)], 1).tobytes()
    with tarfile.open(server / "cifar-10-binary.tar.gz", "w:gz") as tar:
        batches = [
            (f"data_batch_{n}.bin", records[: 3073 * (n > 3)] or records) for n in range(1, 6)
        ]
        for name, content in (*batches, ("test_batch.bin", records)):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    publish(server, "cifar10", monkeypatch)
    tensor = Tensor("image", ("height", "width", "channel"), (32, 32, 3))
    data = read_dataset("cifar10", [tensor])
    assert np.array_equal(data.raw, images.transpose(0, 2, 3, 1))
    assert data.y.tolist() == [9, 0, 5]
    train = read_dataset("cifar10#train", [tensor])
    assert train.y.tolist() == [9, 0, 5] * 3 + [9, 9]
    assert "the training set" in train.note


def test_downloads_that_fail(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = cache_folder() / "mnist" / "t10k-images-idx3-ubyte.gz"
    with pytest.raises(NetsheetError, match=r"downloaded \(File not found\)") as caught:
        read_dataset("mnist", [LAST])
    assert f"put it at {target}" in str(caught.value)
    write_idx(server / target.name, pixels(4, 28, 28))  # not the published one
    with pytest.raises(NetsheetError, match="its sha256 differs"):
        read_dataset("mnist", [LAST])
    monkeypatch.setitem(KNOWN, "mnist", replace(KNOWN["mnist"], url="http://127.0.0.1:9/"))
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 2)
    with pytest.raises(NetsheetError, match=r"cannot be downloaded \(.*put it at"):
        read_dataset("mnist", [LAST])
    assert list(target.parent.iterdir()) == []


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETSHEET_CACHE", raising=False)
    monkeypatch.setattr(download.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/netsheet")


# ------------------------------------------------------------------ the sample of the package


def test_the_sample_network_is_what_its_readme_says() -> None:
    folder = Path(netsheet.__file__).parent / "data" / "sample"
    model = netsheet.load(folder / "digits.h5")
    data = read_dataset(folder / "digits", model.inputs)
    rows = [line.split("|") for line in (folder / "README.md").read_text().splitlines()]
    loss, accuracy = next(row[2:4] for row in rows if len(row) > 3 and "200" in row[1])
    result = model.evaluate(data.x, data.y)
    assert result.accuracy == pytest.approx(float(accuracy), abs=5e-5)
    assert result.accuracy > 0.95
    assert result.loss == pytest.approx(float(loss), rel=1e-4)
    pictures = sorted(folder.glob("*.png"))
    assert pictures
    for path in pictures:
        sample = read_input(path, model.inputs)
        assert np.argmax(model.predict(sample.arrays[0][None])) == int(path.stem[-1])
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < 100_000


def test_the_documented_decisions_are_those_taken() -> None:
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, root / "bench" / "data_forms.py"], capture_output=True, check=True
    )
    assert done.stdout.decode("utf-8") == (root / "docs" / "data.md").read_text("utf-8")


def test_pictures_are_resized_as_keras_loads_them_bilinear(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    Image.fromarray(pixels(20, 30, 3)).save(tmp_path / "p.png")
    load = keras.utils.load_img
    wanted = load(tmp_path / "p.png", target_size=(4, 6), interpolation="bilinear")
    found = read_input(tmp_path / "p.png", [COLOUR], Scaling())
    np.testing.assert_array_equal(found.arrays[0], np.asarray(wanted))
    usual = np.asarray(load(tmp_path / "p.png", target_size=(4, 6)))
    assert not np.array_equal(found.arrays[0], usual)


def test_rows_longer_than_their_heading_are_refused(tmp_path: Path) -> None:
    """As R writes tables with row names: which column lacks its name is not known."""
    (tmp_path / "rows.csv").write_text("a,b,label\n1,0.5,0.25,0\n2,0.125,1.5,1\n3,1.5,2.5,0\n")
    from netsheet.data.tables import columns_of, read_table

    with pytest.raises(NetsheetError, match="names 3 columns, the rows have 4"):
        columns_of(read_table(tmp_path / "rows.csv"), 2, 2, None)


def test_several_samples_given_as_one_are_told_how_to_be_named(tmp_path: Path) -> None:
    tensor = Tensor("x", ("time", "channel"), (2, 3))
    np.save(tmp_path / "x.npy", np.zeros((5, 2, 3), np.float32))
    with pytest.raises(NetsheetError, match=r"5 samples .*x.npy#0.* --data x.npy"):
        read_input(tmp_path / "x.npy", [tensor])
    assert read_input(f"{tmp_path / 'x.npy'}#4", [tensor]).arrays[0].shape == (2, 3)
    np.save(tmp_path / "y.npy", np.zeros((5, 4), np.float32))
    with pytest.raises(NetsheetError, match="has the shape"):
        read_input(tmp_path / "y.npy", [tensor])


@pytest.mark.parametrize("single", ["x", "y", "sample_weight"])
def test_a_single_number_is_no_array_of_samples(single: str, tmp_path: Path) -> None:
    arrays = {"x": np.zeros((3, 2)), "y": np.zeros(3), "sample_weight": np.ones(3)}
    np.savez(tmp_path / "d.npz", **{**arrays, single: np.float32(1)})
    with pytest.raises(FormatError, match=f"{single} is a single number, not one for each"):
        read_dataset(tmp_path / "d.npz", [Tensor("x", ("channel",), (2,))])
