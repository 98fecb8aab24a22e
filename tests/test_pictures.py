"""Pictures and CSV of activations, looked at: colours, sizes, every sample, every plane."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import netsheet
from netsheet.cli.inspect import activations
from netsheet.data import __file__ as data_room
from netsheet.equations import Tensor
from netsheet.errors import InputWarning, UsageError
from netsheet.write.pictures import fonts
from netsheet.write.pictures.activations import write_activations
from netsheet.write.pictures.draw import VALUES, input_block, value_block, write_blocks

Image = pytest.importorskip("PIL.Image")
SAMPLE = Path(data_room).parent / "sample"


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(-1).sum())


def test_colours_diverge_around_a_white_zero(tmp_path: Path) -> None:
    values = np.array([[-4.0, -2.0, 0.0], [2.0, np.nan, 1.0]])
    tensor = Tensor("x", ("height", "width"), (2, 3))
    write_blocks(tmp_path / "x.png", {"": [value_block("x", tensor, values)]})
    seen = pixels(tmp_path / "x.png")
    blue, orange = (np.array(colour) for colour in VALUES)
    cell = 24 * 24  # the zoom's limit
    assert has(seen, tuple(blue)) >= cell  # -4, and the scale's end
    half = (255 + (blue - 255) * 0.5).round().astype(int)
    assert has(seen, tuple(half)) >= cell  # -2
    assert has(seen, tuple((255 + (orange - 255) * 0.5).round().astype(int))) >= cell  # 2
    assert has(seen, tuple((255 + (orange - 255) * 0.25).round().astype(int))) >= cell  # 1
    assert has(seen, (128, 128, 128)) >= cell
    assert not has(seen, tuple(orange))  # 2 is only half of what -4 is


def test_a_colour_picture_goes_in_with_its_colours(tmp_path: Path) -> None:
    values = np.zeros((4, 4, 3))
    values[:2, :, 0], values[2:, :, 1] = 1.0, 1.0
    tensor = Tensor("image", ("height", "width", "channel"), (4, 4, 3))
    write_blocks(tmp_path / "x.png", {"": [input_block("image", tensor, values)]})
    seen = pixels(tmp_path / "x.png")
    assert has(seen, (255, 0, 0)) == has(seen, (0, 255, 0)) > 1000


def test_every_sample_is_drawn_and_the_page_fits_a_screen(tmp_path: Path) -> None:
    heights = []
    for count in (1, 3):
        target = tmp_path / f"{count}.png"
        activations(SAMPLE / "digits.h5", data=str(SAMPLE / "digits"), count=count, output=target)
        picture = pixels(target)
        assert picture.shape[1] <= 1366
        heights.append(picture.shape[0])
        # The darkest and the brightest pixel of every input: the pictures stand on black.
        assert has(picture, (0, 0, 0)) > count * 5_000
    assert heights[0] <= 768 and heights[1] > 2.5 * heights[0]


def test_a_wide_network_fits_a_screen_too(shared: Path, tmp_path: Path) -> None:
    model = netsheet.load(shared / "models" / "pretrainedResnet.h5")
    x = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    tensors = model.tensors() | {tensor.name: tensor for tensor in model.inputs}
    given = {model.inputs[0].name: x}
    write_activations(tmp_path / "r.png", model.activations(x), tensors, inputs=given)
    assert pixels(tmp_path / "r.png").shape[1] <= 1366


@pytest.mark.parametrize("layout", ["planes", "files"])
def test_csv_as_planes(tmp_path: Path, layout: str) -> None:
    model = netsheet.load(SAMPLE / "digits.h5")
    x = np.random.default_rng(1).random((2, 28, 28, 1), np.float32)
    values = model.activations(x)
    target = tmp_path / "a.csv"
    paths = write_activations(target, values, model.tensors(), layout=layout)
    assert len(paths) == (1 if layout == "planes" else len(values))
    planes: dict[tuple[str, ...], list[list[str]]] = {}
    for path in paths:
        head: tuple[str, ...] = ()
        with path.open(newline="") as file:
            for row in csv.reader(file):
                if row and row[0] in values:
                    head = tuple(row)
                    planes[head] = []
                elif row:
                    planes[head].append(row)
    assert len(planes) == 2 * (4 + 4 + 1 + 1)
    for channel in range(4):
        found = np.array(planes["conv", "sample 1", f"channel {channel}"], np.float32)
        np.testing.assert_array_equal(found, values["conv"][1, :, :, channel])
    found = np.array(planes["digit", "sample 0"], np.float32)
    np.testing.assert_array_equal(found[0], values["digit"][0])


def test_layouts_are_for_csv(tmp_path: Path) -> None:
    for name, layout in (("a.npz", "planes"), ("a.csv", "plans")):
        with pytest.raises(UsageError, match="planes"):
            write_activations(tmp_path / name, {}, {}, layout=layout)


def labelled(tmp_path: Path, names: list[str]) -> np.ndarray:
    tensor = Tensor("x", ("unit",), (2,))
    write_activations(
        tmp_path / "l.png", {"x": np.array([[0.25, 0.75]], np.float32)}, {"x": tensor}, labels=names
    )
    return pixels(tmp_path / "l.png")


def test_labels_are_drawn_in_letters_beyond_latin(tmp_path: Path) -> None:
    if not fonts.drawable("ねこ犬"):
        pytest.skip("no font with Japanese letters is installed")
    numbers, japanese = labelled(tmp_path, ["0", "1"]), labelled(tmp_path, ["ねこ", "犬"])
    assert numbers.shape == japanese.shape and not np.array_equal(numbers, japanese)
    # the same letters as Pillow draws with that font, in the ink of labels
    font = fonts.font_for("犬", 11)
    ink = np.asarray(Image.frombytes("L", font.getmask("犬").size, bytes(font.getmask("犬"))))
    dark = (japanese.astype(int).sum(-1) < 3 * 120).sum() - (
        numbers.astype(int).sum(-1) < 3 * 120
    ).sum()
    assert dark > (ink > 200).sum() / 2


def test_labels_without_a_font_are_numbers_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = labelled(tmp_path, ["0", "1"])
    fonts._fonts.cache_clear()
    monkeypatch.setattr(fonts, "KNOWN", ())
    with pytest.warns(InputWarning, match="no font here has the letters of 'ねこ'"):
        assert np.array_equal(labelled(tmp_path, ["ねこ", "犬"]), numbers)
    fonts._fonts.cache_clear()
    monkeypatch.setenv("NETSHEET_FONT", str(tmp_path / "l.png"))
    with pytest.raises(UsageError, match=r"NETSHEET_FONT: .* is no font"):
        labelled(tmp_path, ["ねこ", "犬"])
    fonts._fonts.cache_clear()
