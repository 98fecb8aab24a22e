"""Pictures of every kind as Keras reads them; where they differ, the note says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from netsheet.data.inputs import read_input
from netsheet.data.scaling import Scaling
from netsheet.equations import Tensor

keras = pytest.importorskip("keras")
HEIGHT, WIDTH = 6, 8
COLOURS = {1: "grayscale", 3: "rgb", 4: "rgba"}
RANDOM = np.random.default_rng(0)


def pixels(channels: int, kind: str = "uint8", high: int = 256) -> Any:
    return RANDOM.integers(0, high, (HEIGHT, WIDTH, channels)).astype(kind).squeeze()


def plain(channels: int, mode: str | None = None) -> Callable[[], Image.Image]:
    return lambda: Image.fromarray(pixels(channels), mode)


def palette(channels: int = 3) -> Image.Image:
    return Image.fromarray(pixels(channels)).quantize(16)


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


# name of the file: the picture, how it is saved, what the note says where Keras does otherwise
PICTURES: dict[str, tuple[Callable[[], Image.Image], dict[str, Any], str]] = {
    "grey.png": (plain(1), {}, ""),
    "colours.png": (plain(3), {}, ""),
    "interlaced.png": (plain(3), {"interlace": 1}, ""),
    "transparent.png": (plain(4), {}, "Keras leaves it out"),
    "transparent-grey.png": (plain(2, "LA"), {}, "Keras leaves it out"),
    "a-grey-is-transparent.png": (
        lambda: Image.fromarray(pixels(1) // 64), {"transparency": 1}, "Keras leaves it out",
    ),
    "a-colour-is-transparent.png": (palette, {"transparency": 3}, "Keras leaves it out"),
    "palette.png": (palette, {}, ""),
    "palette-of-greys.png": (lambda: palette(1), {}, ""),
    "bits.png": (lambda: Image.fromarray(pixels(1)).convert("1"), {}, ""),
    "bits.tif": (lambda: Image.fromarray(pixels(1)).convert("1"), {}, ""),
    "palette.gif": (palette, {}, ""),
    "several.gif": (palette, {"save_all": True, "append_images": [palette()]}, ""),
    "palette.bmp": (palette, {}, ""),
    "grey.jpg": (plain(1), {}, ""),
    "colours.jpg": (plain(3), {}, ""),
    "print.jpg": (plain(4, "CMYK"), {}, ""),
    "print.tif": (plain(4, "CMYK"), {}, ""),
    "colours.webp": (plain(3), {"lossless": True}, ""),
    "transparent.webp": (plain(4), {"lossless": True}, "Keras leaves it out"),
    "colours.tiff": (plain(3), {"compression": "tiff_lzw"}, ""),
    "turned.jpg": (plain(3), {"exif": exif(3)}, "Keras does not turn"),
    "turned.png": (plain(3), {"exif": exif(6)}, "Keras does not turn"),
    "mirrored.webp": (plain(3), {"lossless": True, "exif": exif(2)}, "Keras does not turn"),
    "wide.png": (lambda: Image.fromarray(pixels(1, "uint16", 65536)), {}, "Keras keeps them"),
    "wide.tif": (lambda: Image.fromarray(pixels(1, "uint16", 65536)), {}, "Keras keeps them"),
    "wider.tif": (
        lambda: Image.fromarray(pixels(1, "int32", 2**20)), {}, "what is above as well",
    ),
    "real.tif": (lambda: Image.fromarray(RANDOM.random((HEIGHT, WIDTH)).astype("f4")), {}, ""),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("channels", COLOURS)
@pytest.mark.parametrize("name", PICTURES)
def test_as_keras_reads_them_or_said(name: str, channels: int, tmp_path: Path) -> None:
    make, options, said = PICTURES[name]
    make().save(tmp_path / name, **options)
    loaded = keras.utils.load_img(tmp_path / name, color_mode=COLOURS[channels])
    wanted = np.asarray(loaded).reshape(HEIGHT, WIDTH, -1)
    tensor = Tensor("image", ("height", "width", "channel"), (None, None, channels))
    sample = read_input(tmp_path / name, [tensor], Scaling())
    found = sample.arrays[0]
    alike = found.shape == wanted.shape and np.array_equal(found, wanted)
    if not said:
        assert alike, sample.note
    elif not alike:
        assert said in sample.note
    if name == "real.tif":
        assert "cut to whole ones" in sample.note


@pytest.mark.parametrize("size", [(3, 5), (12, 16), (6, 20)])
@pytest.mark.parametrize("name", ["grey.png", "colours.png"])
def test_resized_as_load_img_bilinear_and_said(
    name: str, size: tuple[int, int], tmp_path: Path
) -> None:
    make, options, _ = PICTURES[name]
    make().save(tmp_path / name, **options)
    channels = 1 if name == "grey.png" else 3
    loaded = keras.utils.load_img(
        tmp_path / name, color_mode=COLOURS[channels], target_size=size, interpolation="bilinear"
    )
    tensor = Tensor("image", ("height", "width", "channel"), (*size, channels))
    sample = read_input(tmp_path / name, [tensor], Scaling())
    np.testing.assert_array_equal(sample.arrays[0], np.asarray(loaded).reshape(*size, channels))
    assert "nearest is Keras's default" in sample.note


def test_a_folder_of_classes_as_keras_reads_it(tmp_path: Path) -> None:
    """Same pixels, labels and names as image_dataset_from_directory, where nothing is resized."""
    from netsheet.data.datasets import read_dataset

    for number in range(6):
        folder = tmp_path / "set" / ["b", "a", "c"][number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(3)).save(folder / f"{number}.png")
    keras_set = keras.utils.image_dataset_from_directory(
        tmp_path / "set", image_size=(HEIGHT, WIDTH), shuffle=False, verbose=False
    )
    (x, y), *_ = list(keras_set.as_numpy_iterator())
    tensor = Tensor("image", ("height", "width", "channel"), (HEIGHT, WIDTH, 3))
    found = read_dataset(tmp_path / "set", [tensor], Scaling())
    np.testing.assert_array_equal(found.x, x)
    assert found.y is not None and found.y.tolist() == y.tolist()
    assert found.class_names == ["a", "b", "c"]
