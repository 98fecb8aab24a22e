"""A data set of one's own: against MNIST itself, Keras, scikit-learn, Pillow and the kernel."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

import netsheet
from netsheet.cli.app import run
from netsheet.data import __file__ as data_room
from netsheet.data.arrays import read_idx
from netsheet.data.datasets import read_dataset
from netsheet.data.inputs import read_input
from netsheet.data.own.division import divided
from netsheet.data.own.preparation import Preparation
from netsheet.data.own.strokes import strokes_in
from netsheet.data.own.twins import groups, near_twins, same_pictures
from netsheet.equations import Tensor
from netsheet.errors import FormatError, NetsheetError, UsageError

ROOT = Path(__file__).parents[1]
SAMPLE = Path(data_room).parent / "sample"
FORM = ["--size", "28x28", "--grey"]


def maker() -> Any:
    """The script that makes photographs."""
    spec = importlib.util.spec_from_file_location("photographs", ROOT / "tools/make_photographs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Real digits of MNIST, 28 x 28."""
    return tuple(
        read_idx(SAMPLE / "digits" / f"test-{name}-ubyte.gz")
        for name in ("images-idx3", "labels-idx1")
    )


@pytest.fixture(scope="module")
def photographs(
    tmp_path_factory: pytest.TempPathFactory, digits: tuple[np.ndarray, np.ndarray]
) -> Path:
    """Folders of photographs of three classes, each five times."""
    folder = tmp_path_factory.mktemp("photographs") / "photos"
    x, y = digits
    some = y < 3
    maker().write_photographs(x[some], y[some], folder, 5, seed=1)
    return folder


@pytest.fixture
def photos(tmp_path: Path, photographs: Path) -> Path:
    """A copy of one's own, to be spoiled."""
    return Path(shutil.copytree(photographs, tmp_path / "photos"))


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as stored:
        return dict(stored)


def squares(folder: Path, name: str, values: Sequence[int], size: tuple[int, int] = (9, 8)) -> None:
    """Plain pictures with a dot each, so that all differ."""
    (folder / name).mkdir(parents=True)
    for number, value in enumerate(values):
        plane = np.full(size, value, np.uint8)
        plane[number % size[0], number // size[0] % size[1]] = 255 - value
        Image.fromarray(plane).save(folder / name / f"{number}.png")


# ------------------------------------------------------------------ handwriting


def test_photographed_digits_are_mnists_again(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    random, make = np.random.default_rng(3), maker()
    chosen = np.concatenate([np.nonzero(y == n)[0][:4] for n in range(10)])
    found = []
    for place in chosen:
        image, _ = make.photograph(x[place], random)
        strokes = strokes_in(np.asarray(image.convert("L")))
        assert strokes is not None
        found.append(strokes.centred(28, 28))
    before, after = x[chosen].astype(float), np.array(found, float)
    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(before, after, strict=True)]
    assert np.median(alike) > 0.7  # the photographs are turned by up to ten degrees
    for picture in found:  # MNIST's rule: the centre of mass is in the middle, the box 20 x 20
        rows, columns = np.nonzero(picture.any(1))[0], np.nonzero(picture.any(0))[0]
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        mass = picture.sum()
        centre = [(picture.sum(1 - a) * np.arange(28)).sum() / mass for a in (0, 1)]
        assert np.abs(np.array(centre) - 13.5).max() <= 0.51 or rows[0] == 0 or columns[0] == 0
    model = netsheet.load(SAMPLE / "digits.h5")
    answers = model.predict((np.array(found) / 255.0).reshape(-1, 28, 28, 1)).argmax(1)
    assert (answers == y[chosen]).mean() >= 0.9


def test_a_network_of_others_reads_them(shared: Path) -> None:
    """The published network, which never saw a photograph, on digits of MNIST's test set."""
    folder = shared / "data" / "mnist"
    x = read_idx(folder / "t10k-images-idx3-ubyte.gz")[500:560]
    y = read_idx(folder / "t10k-labels-idx1-ubyte.gz")[500:560]
    random, make = np.random.default_rng(4), maker()
    taken = [make.photograph(one, random)[0].convert("L") for one in x]
    found = [strokes_in(np.asarray(one)).centred(28, 28) for one in taken]  # type: ignore[union-attr]
    model = netsheet.load(shared / "seed" / "my_model_channels_last.h5")
    prepared = model.predict((np.array(found) / 255.0)[..., None]).argmax(1)
    stretched = np.array([np.asarray(one.resize((28, 28))) for one in taken])
    as_they_are = model.predict((255 - stretched)[..., None] / 255.0).argmax(1)
    assert (prepared == y).mean() >= 0.9
    assert (as_they_are == y).mean() < 0.6  # so it is the preparation that does it


def test_light_and_paper_do_not_matter(digits: tuple[np.ndarray, np.ndarray]) -> None:
    make, random = maker(), np.random.default_rng(0)
    covered = make.ink(digits[0][7], random)
    height, width = covered.shape
    fall = np.linspace(1.0, 0.35, width) * np.where(np.arange(height) > 200, 1.0, 0.6)[:, None]
    papers = {
        "even": 230 * (1 - 0.8 * covered), "shadow": 230 * fall * (1 - 0.8 * covered),
        "grey pencil": 200 * (1 - 0.4 * covered), "board": 60 + 150 * covered,
    }  # fmt: skip
    found = {name: strokes_in(picture) for name, picture in papers.items()}
    assert [one.dark for one in found.values() if one] == [True, True, True, False]
    first = found["even"].centred(28, 28).astype(float).ravel()  # type: ignore[union-attr]
    for one in found.values():
        assert one is not None
        assert np.corrcoef(first, one.centred(28, 28).astype(float).ravel())[0, 1] > 0.94


@pytest.mark.parametrize("strength", [0.15, 0.35])
def test_lines_of_the_paper_are_no_writing(
    digits: tuple[np.ndarray, np.ndarray], strength: float
) -> None:
    make = maker()
    for digit in digits[0][:6]:
        covered = make.ink(digit, np.random.default_rng(2))
        plain = 230 * (1 - 0.8 * covered)
        squared = plain.copy()
        squared[10::28] *= 1 - strength
        squared[:, 12::28] *= 1 - strength
        expected, found = strokes_in(plain), strokes_in(squared)
        assert expected is not None and found is not None
        pair = [one.centred(28, 28).astype(float).ravel() for one in (expected, found)]
        assert np.corrcoef(*pair)[0, 1] > 0.9


def test_no_writing_is_seen_where_there_is_none() -> None:
    random = np.random.default_rng(0)
    empty = np.full((300, 400), 200.0) * np.linspace(1, 0.4, 400)
    assert strokes_in(np.full((300, 400), 255.0)) is None
    assert strokes_in(empty) is None
    assert strokes_in(empty + random.normal(0, 5, empty.shape)) is None
    assert strokes_in(random.uniform(0, 255, (300, 400))) is None


def test_a_thin_pen_does_not_vanish() -> None:
    picture = np.full((300, 300), 240.0)
    picture[60:240, 149:151] = 30.0
    strokes = strokes_in(picture)
    assert strokes is not None
    field = strokes.centred(28, 28)
    assert field.max() == 255
    assert (field[14] > 128).sum() in (1, 2, 3)


# ------------------------------------------------------------------ folders


def test_a_folder_becomes_a_set(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    shutil.copy(photos / "0" / "IMG_0001.jpg", photos / "0" / "twice.jpg")
    shutil.copy(photos / "1" / "IMG_0001.jpg", photos / "2" / "wrong.jpg")
    (photos / "1" / "broken.png").write_bytes(b"no picture")
    (photos / "1" / "a.heic").write_bytes(b"of a telephone")
    (photos / "1" / "notes.txt").write_text("no picture")
    out = tmp_path / "set.npz"
    assert run(["data", str(photos), "-o", str(out), *FORM, "--split", "0.8"]) == 0
    said = capsys.readouterr().out
    assert "photos: 14 samples of 3 classes" in said
    assert "17: made grey, cut to its strokes, centred in 28x28, white on black" in said
    for text in ("twice.jpg: the same picture as 0/IMG_0001.jpg", "notes.txt: is no picture by",
                 "wrong.jpg: the same picture as 1/IMG_0001.jpg, which is in another class",
                 "1/IMG_0001.jpg: the same picture as 2/wrong.jpg", "broken.png: not a picture",
                 "a.heic: a HEIC picture is read by an optional package"):  # fmt: skip
        assert text in said, text
    found = arrays(out)
    assert found["class_names"].tolist() == ["0", "1", "2"]
    assert (found["x_train"].shape, found["x_train"].dtype) == ((11, 28, 28, 1), np.uint8)
    counts = [
        [int((found[f"y_{part}"] == n).sum()) for n in range(3)] for part in ("train", "test")
    ]
    assert counts == [[4, 3, 4], [1, 1, 1]]
    assert not any("IMG_0001" in name and name.startswith("1") for name in found["names_train"])
    one = Image.open(photos / found["names_test"][0]).convert("L")
    again = strokes_in(np.asarray(one))
    assert again is not None
    assert np.array_equal(found["x_test"][0, ..., 0], again.centred(28, 28))
    with Image.open(out.with_suffix(".png")) as sheet:
        assert sheet.width > 300 and sheet.height > 3 * 64
    data = read_dataset(out, [Tensor("x", ("height", "width", "channel"), (28, 28, 1))])
    assert data.names == found["names_test"].tolist()


def test_the_seed_decides_the_split(photos: Path, tmp_path: Path) -> None:
    made = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        out = tmp_path / f"{name}.npz"
        run(["data", str(photos), "-o", str(out), *FORM, "--split", "0.6", "--seed", str(seed)])
        made.append(arrays(out)["names_test"].tolist())
    assert made[0] == made[1] != made[2]
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_was_decided_is_overridden(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set.npz"
    run(["data", str(photos), "-o", str(out), *FORM, "--fit", "stretch", "--invert", "no"])
    found = arrays(out)
    with Image.open(photos / found["names"][0]) as image:
        expected = image.convert("L").resize((28, 28), Image.Resampling.BILINEAR)
    assert np.array_equal(found["x"][0, ..., 0], np.asarray(expected))
    run(["data", str(photos), "-o", str(out), *FORM, "--fit", "strokes", "--invert", "no"])
    boards = arrays(out)["x"].reshape(15, -1).mean(1) < 128
    assert boards.sum() <= 5  # dark on bright stays so; on a board it is bright on dark
    run(["data", str(photos), "-o", str(out), "--size", "20x10", "--fit", "crop"])
    assert arrays(out)["x"].shape == (15, 10, 20, 3)
    capsys.readouterr()
    run(["data", str(photos), "-o", str(out), *FORM])
    said = capsys.readouterr().out
    assert "--fit stretch leaves the pictures whole" in said
    assert "--invert no leaves dark on bright" in said


def test_a_set_that_is_split_stays_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("train", "test"):
        for name, value in (("dark", 20), ("grey", 120)):
            squares(tmp_path / "d" / part, name, [value + (part == "test")] * 3)
    out = tmp_path / "set.npz"
    run(["data", str(tmp_path / "d"), "-o", str(out)])
    found = arrays(out)
    assert (len(found["x_train"]), len(found["x_test"])) == (6, 6)
    assert "nearly alike" in capsys.readouterr().err  # each has its like in the other part
    with pytest.raises(UsageError, match=r"is split already \(train, test\): leave out --split"):
        run(["data", str(tmp_path / "d"), "-o", str(out), "--split", "0.5"])
    run(["data", f"{tmp_path / 'd'}#train", "-o", str(out), "--split", "0.5"])
    assert len(arrays(out)["x_train"]) + len(arrays(out)["x_test"]) == 6
    shutil.rmtree(tmp_path / "d" / "test" / "grey")
    squares(tmp_path / "d" / "test", "bright", [240])
    with pytest.raises(NetsheetError, match="the parts have different classes: dark, grey, and "):
        run(["data", str(tmp_path / "d"), "-o", str(out)])


# ------------------------------------------------------------------ other sources


def test_pictures_in_a_table(tmp_path: Path, digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits[0][:40], digits[1][:40]
    head = ",".join(["label", *(f"p{n}" for n in range(784))])
    rows = np.column_stack([y, x.reshape(40, -1)])
    np.savetxt(tmp_path / "d.csv", rows, "%d", ",", header=head, comments="")
    out = tmp_path / "set.npz"
    run(["data", str(tmp_path / "d.csv"), "-o", str(out), *FORM])
    assert np.array_equal(arrays(out)["x"][..., 0], x)
    assert arrays(out)["y"].tolist() == y.tolist()
    run(["data", str(tmp_path / "d.csv"), "-o", str(out), "--split", "0.5"])  # a table stays one
    assert arrays(out)["x_train"].shape[1:] == (784,)
    with pytest.raises(UsageError, match="has 784 values in a sample, which are no pictures"):
        run(["data", str(tmp_path / "d.csv"), "-o", str(out), "--size", "9x9"])


def test_a_look_at_a_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keras = pytest.importorskip("keras")
    monkeypatch.chdir(tmp_path)
    assert run(["data", str(SAMPLE / "digits"), "--preview"]) == 0
    said = capsys.readouterr().out
    assert "x        (200, 28, 28) uint8  ->  (200, 28, 28, 1) float32, 0 .. 1" in said
    assert "y        (200,) int64  ->  (200, 10) one-hot" in said
    y = read_idx(SAMPLE / "digits" / "test-labels-idx1-ubyte.gz")
    rows = keras.utils.to_categorical(y[:10], 10).astype(int)
    for row in rows:
        assert f"[{' '.join(map(str, row))}]" in said
    assert (tmp_path / "digits-preview.png").is_file()
    assert not list(tmp_path.glob("*.npz"))
    run(["data", str(SAMPLE / "digits"), "--preview", "--json", "--sheet", "s.png"])
    assert json.loads(capsys.readouterr().out)["samples"] == 200


def test_one_picture_as_those_of_a_set(photos: Path, tmp_path: Path) -> None:
    out, one = tmp_path / "set.npz", tmp_path / "one.png"
    run(["data", str(photos), "-o", str(out), *FORM])
    run(["data", str(photos / "1" / "IMG_0002.jpg"), "-o", str(one), "--like", str(out)])
    found = arrays(out)
    place = found["names"].tolist().index(str(Path("1") / "IMG_0002.jpg"))
    assert np.array_equal(np.asarray(Image.open(one)), found["x"][place, ..., 0])
    with pytest.raises(UsageError, match=r"one picture is written as a picture"):
        run(["data", str(photos / "1" / "IMG_0002.jpg"), "-o", str(out)])
    with pytest.raises(UsageError, match="does not say how its pictures were prepared"):
        run(["data", str(photos), "-o", str(out), "--like", str(SAMPLE / "digits.h5")])


# ------------------------------------------------------------------ twins and the split


def test_pictures_that_are_there_twice() -> None:
    x = np.random.default_rng(0).integers(0, 256, (6, 20, 20, 1), np.uint8)
    x[4] = x[1]
    x[5] = np.clip(x[2].astype(int) + 3, 0, 255)
    y = np.zeros(6, int)
    assert [(one.first, one.second) for one in same_pictures(x)] == [(1, 4)]
    near = near_twins(x, y)
    assert [(one.first, one.second) for one in near] == [(1, 4), (2, 5)]
    assert groups(6, near).tolist() == [0, 1, 2, 3, 1, 2]
    assert near_twins(x, np.arange(6)) == []  # other classes are not compared


def test_few_digits_of_mnist_are_taken_for_twins(shared: Path) -> None:
    folder = shared / "data" / "mnist"
    x = read_idx(folder / "t10k-images-idx3-ubyte.gz")
    y = read_idx(folder / "t10k-labels-idx1-ubyte.gz")
    assert len(near_twins(x, y)) <= 10  # of 10,000 that ten times as many people wrote
    assert not same_pictures(x)


def test_classes_are_split_alike() -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    y = np.repeat([0, 1, 2], [100, 37, 10])
    train = divided(y, np.arange(len(y)), 0.8, seed=0)
    expected, _ = selection.train_test_split(y, train_size=0.8, stratify=y, random_state=0)
    assert np.abs(np.bincount(y[train]) - np.bincount(expected)).max() <= 1
    group = np.arange(len(y)) // 5  # five of each kind stay together
    train = divided(y, group, 0.5, seed=0)
    for number in np.unique(y):
        own = y == number
        assert 0 < train[own].sum() < own.sum()
        for name in np.unique(group[own]):
            assert len(np.unique(train[own & (group == name)])) == 1
    assert divided(np.array([0, 1, 1]), np.arange(3), 0.9, seed=0).tolist()[0] is True


# ------------------------------------------------------------------ beginners' mistakes


def test_mistakes_are_answered_by_a_sentence(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    out = ["-o", str(tmp_path / "set.npz")]
    squares(tmp_path / "nested" / "animals", "cat", [1])
    squares(tmp_path / "nested" / "animals", "dog", [2])
    squares(tmp_path / "deep" / "a", "cat", [1])
    squares(tmp_path / "deep" / "a", "cow", [1])
    squares(tmp_path / "deep", "b", [2])
    squares(tmp_path / "single", "cat", [1, 2])
    squares(tmp_path, "loose", [1, 2])
    for name, pictures in (("cat", [1]), ("dog", [1])):
        squares(tmp_path / "same", name, pictures)
    squares(tmp_path / "sizes", "cat", [1])
    squares(tmp_path / "sizes", "dog", [2], (5, 5))
    for name in ("cat", "dog"):
        (tmp_path / "heic" / name).mkdir(parents=True)
        (tmp_path / "heic" / name / "1.heic").write_bytes(b"?")
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "x.npz", x=np.zeros((3, 8, 8), np.uint8))
    for name, text in {
        "nested": r"has one folder, animals, and the classes lie in that .* give .*animals\.",
        "deep": r"a holds folders \(cat, cow\), not pictures: which folders are the classes",
        "same": r"of 2 pictures only 0 are left, .*: .*, which is in another class",
        "single": r"all samples are of one class \(cat\): a network learns to tell classes apart",
        "loose": "has 2 pictures, but no labels: put those of each class into a folder",
        "sizes": r"several sizes \(5x5, 8x9\): say the one that all get, as --size 28x28",
        "heic": r"a HEIC picture is read by an optional package: pip install pillow-heif",
        "empty": "neither IDX files nor folders of pictures",
        "x.npz": "has no labels; put them beside the samples",
        "nothing": "no such file or folder",
    }.items():
        with pytest.raises(NetsheetError, match=text):
            run(["data", str(tmp_path / name), *out])
    for words, text in {
        ("--size", "28"): "say it as 28x28", ("--split", "80"): "is a share between 0 and 1",
        ("--split", "most"): "give the share to train with", ("--fit", "strech"): "did you mean",
        ("--invert", "maybe"): "is auto, yes or no", ("--size", "0x9"): "from 1 to 4096",
    }.items():  # fmt: skip
        with pytest.raises(UsageError, match=text):
            run(["data", str(tmp_path / "sizes"), *out, *words])
    assert not (tmp_path / "set.npz").exists()


def test_no_space_is_left(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no device that is full here")
    for name, value in (("cat", 1), ("dog", 200)):
        squares(tmp_path / "d", name, [value] * 2)
    (tmp_path / "set.npz").symlink_to("/dev/full")
    with pytest.raises(NetsheetError, match="the disk is full; nothing was changed"):
        run(["data", str(tmp_path / "d"), "-o", str(tmp_path / "set.npz")])


def test_uneven_classes_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    squares(tmp_path / "d", "rare", [200], (20, 20))
    squares(tmp_path / "d", "common", range(1, 101), (20, 20))
    out = tmp_path / "set.npz"
    run(["data", str(tmp_path / "d"), "-o", str(out), "--split", "0.8", "--keep-duplicates"])
    said = capsys.readouterr().err
    assert "classes are uneven: 1 samples of rare, 100 of common; train with --balanced" in said
    assert "nothing to test with of rare" in said
    run(["train", "--data", str(out), "-o", str(tmp_path / "m.h5"), "--arch", "mlp",
         "--epochs", "1", "--balanced"])  # fmt: skip
    assert "classes are uneven: 1 samples" in capsys.readouterr().err


def test_mistakes_in_training(tmp_path: Path) -> None:
    out = ["-o", str(tmp_path / "m.h5"), "--arch", "mlp", "--epochs", "1"]
    x = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "none.npz", x=x)
    np.savez(tmp_path / "one.npz", x=x, y=np.full(40, 3))
    for name, text in (("none", "has no labels to train with; give y beside x"),
                       ("one", "all samples are of one class: nothing to learn")):  # fmt: skip
        with pytest.raises(NetsheetError, match=text):
            run(["train", "--data", str(tmp_path / f"{name}.npz"), *out])
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(40) % 4)
    with pytest.raises(NetsheetError, match=r"has the shape \(8, 8, 1\); input 'input_1' takes"):
        run(["train", "--data", str(tmp_path / "d.npz"), *out, "--size", "28x28x1"])
    assert run(["train", "--data", str(tmp_path / "d.npz"), *out]) == 0  # fits itself to them


# ------------------------------------------------------------------ what a network keeps of it


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_network_knows_its_classes_and_prepares_alike(
    photos: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keras = pytest.importorskip("keras")
    for number, name in enumerate(("zero", "one", "two")):
        (photos / str(number)).rename(photos / name)
    out, file = tmp_path / "set.npz", tmp_path / f"m{suffix}"
    run(["data", str(photos), "-o", str(out), *FORM, "--split", "0.8"])
    run(["train", "--data", str(out), "-o", str(file), "--arch", "mlp", "--epochs", "1"])
    model = netsheet.load(file)
    assert list(model.class_names) == ["one", "two", "zero"]
    assert model.preparation == json.loads(str(arrays(out)["preparation"]))
    assert len(read_dataset(out, model)) == 3  # to test with; trained with the other twelve
    found = arrays(out)
    theirs = keras.models.load_model(file).predict(found["x_test"] / 255.0, verbose=0)
    np.testing.assert_allclose(model.predict(found["x_test"] / np.float32(255)), theirs, atol=1e-5)
    photo = photos / found["names_test"][0]
    sample = read_input(photo, model)
    np.testing.assert_array_equal(sample.arrays[0], found["x_test"][0] / np.float32(255))
    assert "as the pictures that it was trained with" in sample.note
    assert np.array_equal(read_dataset(photos, model).raw.reshape(15, -1)[:5],
                          _of_class(found, 0))  # fmt: skip
    capsys.readouterr()
    run(["predict", str(file), "-i", str(photo)])
    assert capsys.readouterr().out.split()[0] in ("zero", "one", "two")
    other = tmp_path / f"other{suffix}"  # a network that was not told: the set says it
    shutil.copy(SAMPLE / "digits.h5", other)
    with pytest.raises(UsageError, match="3 names for 10 outputs"):
        run(["predict", str(other), "-i", str(SAMPLE / "digit5.png"), "--classes", str(out)])
    again = tmp_path / f"again{suffix}"  # continued: it keeps what it knew
    run(["train", "--data", str(out), "-o", str(again), "--arch", str(file), "--epochs", "1"])
    assert netsheet.load(again).preparation == model.preparation
    keras.models.load_model(again)


def test_an_onnx_file_keeps_what_its_network_was_taught(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Written from a Keras file, and trained on; runtimes and ONNX's checker pass it by."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    for number, name in enumerate(("zero", "one", "ニ")):
        (photos / str(number)).rename(photos / name)
    out, file = tmp_path / "set.npz", tmp_path / "m.h5"
    run(["data", str(photos), "-o", str(out), *FORM, "--split", "0.8"])
    run(["train", "--data", str(out), "-o", str(file), "--arch", "mlp", "--epochs", "1"])
    run(["onnx", str(file), "-o", str(tmp_path / "m.onnx")])
    # the folder itself has no preparation to tell: what the file knew of it stays
    for data, name in ((out, "again.onnx"), (photos, "more.onnx")):
        run(["train", "--data", str(data), "--arch", str(tmp_path / "m.onnx"), "--loss",
             "categorical_crossentropy", "--epochs", "1", "-o", str(tmp_path / name)])  # fmt: skip
    first, photo = netsheet.load(file), photos / arrays(out)["names_test"][0]
    for name in ("m.onnx", "again.onnx", "more.onnx"):
        model = netsheet.load(tmp_path / name)
        assert list(model.class_names) == ["one", "zero", "ニ"]
        assert model.preparation == first.preparation is not None
        np.testing.assert_array_equal(
            read_input(photo, model).arrays[0], read_input(photo, first).arrays[0]
        )
        onnx.checker.check_model(str(tmp_path / name), full_check=True)
        runtime.InferenceSession(tmp_path / name, providers=["CPUExecutionProvider"])
    capsys.readouterr()
    run(["predict", str(tmp_path / "m.onnx"), "-i", str(photo)])
    assert capsys.readouterr().out.split()[0] in ("zero", "one", "ニ")
    proto = onnx.load(tmp_path / "m.onnx")
    (entry,) = proto.metadata_props
    entry.value = "{"
    onnx.save(proto, tmp_path / "damaged.onnx")
    model = netsheet.load(tmp_path / "damaged.onnx")
    assert (list(model.class_names), model.preparation) == ([], None)
    assert any("training's data is left out" in note for note in model.notes)


def test_photographs_of_another_size_are_not_stretched_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained on straight from folders: how many, and what prepares them; none, nothing."""
    squares(tmp_path / "some photos", "a", range(8), (40, 30))
    squares(tmp_path / "some photos", "b", range(100, 108), (28, 28))
    squares(tmp_path / "small", "a", range(8), (28, 28))
    squares(tmp_path / "small", "b", range(100, 108), (28, 28))
    usual = ["-o", str(tmp_path / "m.h5"), "--arch", "mlp", "--epochs", "1"]
    assert run(["train", "--data", str(tmp_path / "some photos"), *usual]) == 0
    said = capsys.readouterr().err
    assert "8 of 16 pictures stretched to 28x28" in said
    assert f"netsheet data '{tmp_path / 'some photos'}' -o set.npz" in said
    assert run(["train", "--data", str(tmp_path / "small"), *usual]) == 0
    assert "stretched" not in capsys.readouterr().err


def _of_class(found: dict[str, np.ndarray], number: int) -> np.ndarray:
    names = np.concatenate([found["names_train"], found["names_test"]])
    x = np.concatenate([found["x_train"], found["x_test"]])
    y = np.concatenate([found["y_train"], found["y_test"]])
    own = np.nonzero(y == number)[0]
    return x[own[np.argsort(names[own])]].reshape(len(own), -1)


@pytest.mark.parametrize(
    "kept", ["{", '{"class_names": 3, "preparation": 4}', '{"class_names": [1]}', "[]"]
)
def test_what_a_file_says_of_its_data_is_not_trusted(tmp_path: Path, kept: str) -> None:
    shutil.copy(SAMPLE / "digits.h5", file := tmp_path / "m.h5")
    with h5py.File(file, "r+") as stored:
        stored.attrs["netsheet"] = kept
    model = netsheet.load(file)
    assert (list(model.class_names), model.preparation) == ([], None)
    assert read_input(SAMPLE / "digit5.png", model).arrays[0].shape == (28, 28, 1)


@pytest.mark.parametrize(
    "form",
    [{"height": 28}, {"height": "28", "width": 28, "channels": 1, "fit": "crop", "invert": "no"},
     {"height": 28, "width": 28, "channels": 1, "fit": "exec", "invert": "no"},
     {"height": 10**9, "width": 28, "channels": 1, "fit": "crop", "invert": "no"}],
)  # fmt: skip
def test_a_damaged_preparation_is_refused(tmp_path: Path, form: dict[str, object]) -> None:
    shutil.copy(SAMPLE / "digits.h5", file := tmp_path / "m.h5")
    with h5py.File(file, "r+") as stored:
        stored.attrs["netsheet"] = json.dumps({"preparation": form})
    with pytest.raises(FormatError, match="preparation of its pictures is damaged"):
        read_input(SAMPLE / "digit5.png", netsheet.load(file))


def test_a_preparation_of_another_size_is_not_used(tmp_path: Path) -> None:
    shutil.copy(SAMPLE / "digits.h5", file := tmp_path / "m.h5")
    form = Preparation(32, 32, 1, "strokes", "auto")
    with h5py.File(file, "r+") as stored:
        stored.attrs["netsheet"] = json.dumps({"preparation": json.loads(form.to_json())})
    assert "trained with" not in read_input(SAMPLE / "digit5.png", netsheet.load(file)).note


def test_a_class_of_which_nothing_is_left_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    squares(tmp_path / "set", "cat", [1, 2])
    squares(tmp_path / "set", "dog", [3, 4])
    squares(tmp_path / "set", "eel", [5])
    (tmp_path / "set" / "eel" / "0.png").write_bytes(b"broken")
    run(["data", str(tmp_path / "set"), "-o", str(tmp_path / "set.npz")])
    assert "no samples of eel are left" in capsys.readouterr().err
