"""Labels that are names: they mean what the network calls so, whatever else is in the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import netsheet
from netsheet.data.datasets import read_dataset
from netsheet.data.training_set import read_training_set
from netsheet.errors import NetsheetError
from netsheet.network import Network

NAMES = ("dog", "bird", "cat")  # not in the order of the alphabet
Written = Callable[[Path, Any, list[str]], Path]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """Keras's network of three classes on pictures of one row: the brightest pixel's number."""
    keras = pytest.importorskip("keras")
    path = tmp_path_factory.mktemp("net") / "brightest.keras"
    keras.Sequential([
        keras.Input((1, 3, 1)), keras.layers.Flatten(), keras.layers.Softmax()
    ]).save(path)  # fmt: skip
    return replace(netsheet.load(path), class_names=NAMES)


def _csv(folder: Path, x: Any, labels: list[str]) -> Path:
    values = [",".join(map(str, row.reshape(-1))) for row in x]
    rows = [f"{row},{name}" for row, name in zip(values, labels, strict=True)]
    path = folder / "set.csv"
    path.write_text("\n".join(["a,b,c,kind", *rows]), "utf-8")
    return path


def _folders(folder: Path, x: Any, labels: list[str]) -> Path:
    for number, (picture, name) in enumerate(zip(x, labels, strict=True)):
        (folder / "set" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[..., 0]).save(folder / "set" / name / f"{number:03}.png")
    return folder / "set"


def _texts(folder: Path, x: Any, labels: list[str]) -> Path:
    np.savez(folder / "set.npz", x=x, y=np.array(labels))
    return folder / "set.npz"


def _text_files(folder: Path, x: Any, labels: list[str]) -> Path:
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", np.array(labels).astype("S"))
    return folder / "x.npy"


def _numbers(folder: Path, x: Any, labels: list[str]) -> Path:
    """With names of its own, as ``netsheet data`` writes them."""
    own = sorted(set(labels))
    np.savez(folder / "set.npz", x=x, y=[own.index(name) for name in labels], class_names=own)
    return folder / "set.npz"


def _rows(folder: Path, x: Any, labels: list[str]) -> Path:
    own = sorted(set(labels))
    y = np.eye(len(own))[[own.index(name) for name in labels]]
    np.savez(folder / "set.npz", x=x, y=y, class_names=own)
    return folder / "set.npz"


FORMS = [_csv, _folders, _texts, _text_files, _numbers, _rows]


def _set(numbers: list[int]) -> Any:
    x = np.zeros((len(numbers), 1, 3, 1), np.uint8)
    x[np.arange(len(numbers)), 0, numbers] = 200
    return x


@pytest.mark.parametrize("written", FORMS)
@pytest.mark.parametrize("numbers", [[0, 1, 2, 0, 1, 2], [0, 2, 2, 0], [1, 1, 1]])
def test_names_are_the_networks(
    written: Written, numbers: list[int], network: Network, tmp_path: Path
) -> None:
    """Also where the data lack some classes: all are right, since all pictures are."""
    if written is _rows and len(set(numbers)) < 2:
        numbers = [0, *numbers]  # a single column is no row with a one
    path = written(tmp_path, _set(numbers), [NAMES[n] for n in numbers])
    found = read_dataset(path, network)
    y = np.asarray(found.y)
    y = y.argmax(-1) if y.ndim > 1 else y
    brightest = found.x.reshape(len(numbers), 3).argmax(-1)
    assert (y == brightest).all()
    assert found.class_names == list(NAMES)
    if written is not _rows:
        assert [found.label(n) for n in range(len(numbers))] == list(brightest)
    taught = read_training_set(str(path), network)
    assert (next(iter(taught.y.values())).argmax(-1) == brightest).all()
    assert list(taught.class_names) == list(NAMES)


@pytest.mark.parametrize("written", FORMS)
@pytest.mark.parametrize("labels", [["dog", "bird", "horse"], ["ant", "bee", "fly"]])
def test_a_class_that_the_network_does_not_know_is_named(
    written: Written, labels: list[str], network: Network, tmp_path: Path
) -> None:
    """Their number may fit by chance; to learn from them is another matter."""
    path = written(tmp_path, _set([0, 1, 2]), labels)
    other = next(name for name in sorted(labels) if name not in NAMES)
    with pytest.raises(NetsheetError, match=f"has the class '{other}', .* dog, bird, cat: which"):
        read_dataset(path, network)
    assert list(read_training_set(str(path), network).class_names) == sorted(labels)


@pytest.mark.parametrize("written", [_csv, _folders, _texts, _text_files])
def test_without_names_of_its_own_all_classes_are_needed(
    written: Written, network: Network, tmp_path: Path
) -> None:
    nameless = replace(network, class_names=())
    path = written(tmp_path, _set([0, 2, 2]), ["dog", "cat", "cat"])
    with pytest.raises(NetsheetError, match=r"has 2 classes \(cat, dog\), but the network tells 3"):
        read_dataset(path, nameless)


def test_folders_of_some_numbers(network: Network, tmp_path: Path) -> None:
    """They are classes; every class is called by its number."""
    path = _folders(tmp_path, _set([0, 2]), ["0", "2"])
    found = read_dataset(path, replace(network, class_names=()))
    assert (np.asarray(found.y).tolist(), found.class_names) == ([0, 2], ["0", "1", "2"])
