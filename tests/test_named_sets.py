"""evaluate --data of networks with several inputs or outputs, against Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netsheet.cli import main


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Two inputs, one of them a picture, and two outputs."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(3)
    layers = keras.layers
    pixels, table = keras.Input((4, 5, 3), name="photo"), keras.Input((6,), name="table")
    x = layers.Concatenate()([layers.Flatten()(pixels), table])
    outputs = [layers.Dense(3, "softmax", name="kind")(x), layers.Dense(1, name="price")(x)]
    model = keras.Model([pixels, table], outputs)
    model.compile(
        loss={"kind": "sparse_categorical_crossentropy", "price": "mse"},
        loss_weights={"kind": 1.0, "price": 0.25},
        metrics={"kind": ["accuracy"], "price": ["mae"]},
    )
    path = tmp_path_factory.mktemp("named") / "m.keras"
    model.save(path)
    return path, model


def arrays() -> dict[str, Any]:
    random = np.random.default_rng(1)
    return {
        "photo": random.integers(0, 256, (40, 4, 5, 3)).astype(np.uint8),
        "table": random.normal(size=(40, 6)).astype(np.float32),
        "kind": random.integers(0, 3, 40), "y_price": random.normal(size=40),
    }  # fmt: skip


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["netsheet", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("as_folder", [False, True])
@pytest.mark.parametrize("options", [[], ["--scale", "1/127.5"], ["--limit", "9"]])
def test_an_array_for_each(
    trained: tuple[Path, Any], tmp_path: Path, as_folder: bool, options: list[str],
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path, model = trained
    data = arrays()
    place = tmp_path / "set"
    if as_folder:
        place.mkdir()
        for name, array in data.items():
            np.save(place / f"{name}.npy", array)
    else:
        place = tmp_path / "set.npz"
        np.savez(place, **data)
    assert run(monkeypatch, "evaluate", path, "--data", place, "--json", *options) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    count = 9 if "--limit" in options else 40
    scale = 1 / 127.5 if "--scale" in options else 1 / 255
    # without compiling, Keras counts what it is first called with in the outputs' losses, too
    pytest.importorskip("tensorflow").config.run_functions_eagerly(False)
    wanted = model.evaluate(
        {
            "photo": (data["photo"][:count] * scale).astype(np.float32),
            "table": data["table"][:count],
        },
        {"kind": data["kind"][:count], "price": data["y_price"][:count]},
        verbose=0, return_dict=True,
    )  # fmt: skip
    assert found["loss"] == pytest.approx(wanted.pop("loss"), rel=1e-5)
    assert found["metrics"] == pytest.approx(wanted, rel=1e-5)
    assert "photo (4, 5, 3) scaled by" in said.err and "compared with kind, y_price" in said.err


@pytest.mark.parametrize(("change", "said"), [
    ({"table": None}, "gives kind, price: give an .npz with an array of each name"),
    ({"kind": np.zeros(7, int)}, "different numbers of samples"),
    ({"photo": np.zeros((40, 9), np.uint8)}, "has the shape"),
    ({"kind": None, "y_price": None}, "no labels"),
])  # fmt: skip
def test_sets_that_do_not_fit(
    trained: tuple[Path, Any], tmp_path: Path, change: dict[str, Any], said: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    data = {name: array for name, array in (arrays() | change).items() if array is not None}
    np.savez(tmp_path / "set.npz", **data)
    assert run(monkeypatch, "evaluate", trained[0], "--data", tmp_path / "set.npz") in (1, 2)
    lines = capsys.readouterr().err.splitlines()
    assert said in lines[-1] and "Traceback" not in "".join(lines)


def test_one_of_two_outputs_has_targets(
    trained: tuple[Path, Any], tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    data = arrays()
    del data["y_price"]
    np.savez(tmp_path / "set.npz", **data)
    assert run(monkeypatch, "evaluate", trained[0], "--data", tmp_path / "set.npz") == 0
    assert "no targets for the output 'price'" in capsys.readouterr().err
