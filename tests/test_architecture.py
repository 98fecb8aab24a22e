"""Weights joined with an architecture, odd containers, and what commands say without a network."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import netsheet
from netsheet.cli.app import run
from netsheet.data.given import given_samples
from netsheet.errors import FormatError, NetsheetError, UnsupportedError, UsageError
from netsheet.verify import verify

RANDOM = np.random.default_rng(8)
X = RANDOM.standard_normal((2, 6, 5, 2)).astype("f4")


def network(keras: Any, names: bool = True) -> Any:
    layers = keras.layers
    inputs = keras.Input((6, 5, 2), name="x")
    x = layers.Conv2D(3, (2, 3), name="conv" if names else None)(inputs)
    x = layers.BatchNormalization(name="bn" if names else None)(x)
    x = layers.Flatten()(layers.Activation("tanh")(x))
    model = keras.Model(inputs, layers.Dense(4, name="last" if names else None)(x))
    for weight in model.weights:
        weight.assign(np.abs(RANDOM.standard_normal(weight.shape)) + 0.1)
    return model


@pytest.fixture(params=["keras", "tf_keras"])
def keras(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


def expected(model: Any) -> Any:
    return np.asarray(model.predict(X, verbose=0))


@pytest.mark.parametrize("kind", ["json", "h5", "keras"])
def test_an_architecture_and_weights(keras: Any, kind: str, tmp_path: Path) -> None:
    model = network(keras)
    model.save_weights(weights := tmp_path / "w.weights.h5")
    other = network(keras)  # of the same architecture, with other weights
    architecture = tmp_path / f"a.{kind}"
    if kind == "json":
        architecture.write_text(model.to_json())
    else:
        other.save(architecture)
    loaded = netsheet.load(weights, architecture=architecture)
    np.testing.assert_allclose(loaded.predict(X), expected(model), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("names", [True, False])
def test_weights_of_keras_2_in_order_where_names_differ(names: bool, tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")
    network(keras, names=False)  # so that later names are others
    model = network(keras, names)
    model.save_weights(weights := tmp_path / "w.h5")
    (tmp_path / "a.json").write_text(network(keras, names=False).to_json())
    loaded = netsheet.load(weights, architecture=tmp_path / "a.json")
    np.testing.assert_allclose(loaded.predict(X), expected(model), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", ["w.h5", "w.weights.h5", "renamed.h5"])
def test_keras_itself_joins_them_too(kind: str, name: str, tmp_path: Path) -> None:
    keras = pytest.importorskip(kind)
    model = network(keras)
    written = name.replace("renamed.h5", "v3.weights.h5")
    if kind == "keras" and not written.endswith(".weights.h5"):
        pytest.skip("Keras 3 writes weights under this name only")
    model.save_weights(tmp_path / written)
    (tmp_path / written).rename(tmp_path / name)
    (tmp_path / "a.json").write_text(model.to_json())
    loaded = netsheet.load(tmp_path / name, architecture=tmp_path / "a.json")
    verdict = verify(loaded, "keras", given_samples(loaded, X[:1]))
    assert verdict.ok, verdict.first_failure
    assert verdict.reference.startswith(kind)


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")
    model = network(keras)
    model.save(whole := tmp_path / "whole.h5")
    model.save_weights(weights := tmp_path / "w.h5")
    (tmp_path / "a.json").write_text(model.to_json())
    (tmp_path / "b.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(UsageError, match="architecture of its own"):
        netsheet.load(whole, architecture=tmp_path / "a.json")
    with pytest.raises(FormatError, match="no architecture"):
        netsheet.load(weights, architecture=tmp_path / "b.json")
    with pytest.raises(FormatError, match="weights only"):
        netsheet.load(weights, architecture=weights)
    with pytest.raises(FormatError, match="--architecture"):
        netsheet.load(tmp_path / "a.json")
    small = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="last")])
    (tmp_path / "small.json").write_text(small.to_json())
    with pytest.raises(UnsupportedError, match="kernel"):
        netsheet.load(weights, architecture=tmp_path / "small.json").predict(np.ones((1, 3)))


def test_commands_take_an_architecture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras = pytest.importorskip("tf_keras")
    model = network(keras)
    model.save_weights(weights := tmp_path / "w.h5")
    (tmp_path / "a.json").write_text(model.to_json())
    np.save(tmp_path / "x.npy", X[0])
    more = ["--architecture", str(tmp_path / "a.json")]
    run(["activations", str(weights), "-i", str(tmp_path / "x.npy"), "-o",
         str(tmp_path / "y.npz"), *more])  # fmt: skip
    found = np.load(tmp_path / "y.npz")["last"]
    np.testing.assert_allclose(found, expected(model)[:1], rtol=1e-4, atol=1e-4)
    run(["onnx", str(weights), "-o", str(tmp_path / "m.onnx"), *more])
    assert netsheet.load(tmp_path / "m.onnx").predict(X[:1]).shape == (1, 4)
    capsys.readouterr()


@pytest.mark.parametrize("command", [
    ["activations", "-i", "x.npy"], ["equations"], ["onnx", "-o", "out.onnx"],
    ["evaluate", "--data", "xy.npz"], ["c", "-o", "out"], ["verify", "--target", "c"],
])  # fmt: skip
def test_commands_that_need_a_network_say_so(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras = pytest.importorskip("tf_keras")
    monkeypatch.chdir(tmp_path)
    network(keras).save_weights("w.h5")
    np.save("x.npy", X[0])
    np.savez("xy.npz", x=X, y=np.zeros(2, int))
    with pytest.raises(NetsheetError, match=r"only weights.*--architecture") as caught:
        run([command[0], "w.h5", *command[1:]])
    assert caught.value.exit_code == 1 and not Path("out.onnx").exists()


def test_axes_follow_from_names_and_neighbours(tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")
    layers = keras.layers
    inputs = keras.Input((6, 4))
    x = layers.Conv1D(3, 2, name="conv")(inputs)
    x = layers.GRU(2, name="gru", return_sequences=True)(x)
    x = layers.Conv1DTranspose(5, 2, name="up")(x)
    x = layers.Dense(7, use_bias=False, name="plain")(layers.BatchNormalization(name="bn")(x))
    model = keras.Model(inputs, x)
    model.save_weights(tmp_path / "w.h5")
    model.save(tmp_path / "whole.h5")
    loose, whole = (netsheet.load(tmp_path / name).layers for name in ("w.h5", "whole.h5"))
    for name in ("conv", "gru", "up", "bn"):
        for label, weight in whole[name].weights.items():
            assert loose[name].weights[label].axes == weight.axes, (name, label)
    assert loose["plain"].weights["kernel"].axes == ("axis0", "axis1")
    with pytest.raises(UsageError, match=r"plain/kernel .* not known"):
        run(["weights", str(tmp_path / "w.h5"), "--axes", "channels-first"])


def test_numbered_weights_by_the_folder_of_their_class(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = network(keras)
    model.save_weights(tmp_path / "w.weights.h5")
    shapes = {
        weight.shape: weight.axes
        for layer in netsheet.load(tmp_path / "w.weights.h5").layers.values()
        for weight in layer.weights.values()
    }
    assert shapes[(2, 3, 2, 3)] == ("height", "width", "in", "out")
    assert shapes[(45, 4)] == ("in", "out")


def test_an_input_that_the_weights_tell(tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(path := tmp_path / "m.h5")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        first = config["config"]["layers"]
        config["config"]["layers"] = first[1:]
        config["config"].pop("build_input_shape", None)
        first[1].pop("build_config", None)
        first[1]["config"].pop("batch_input_shape", None)
        file.attrs["model_config"] = json.dumps(config)
    loaded = netsheet.load(path)
    x = RANDOM.standard_normal((2, 3)).astype("f4")
    np.testing.assert_allclose(loaded.predict(x), model.predict(x, verbose=0), atol=1e-5)
    assert any("follows from the weights" in note for note in loaded.notes)


def test_unpacked_and_packed_again(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = network(keras)
    model.save(path := tmp_path / "m.keras")
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    made = shutil.make_archive(str(tmp_path / "again"), "zip", tmp_path, "unpacked")
    for source in (folder, Path(made)):
        np.testing.assert_allclose(
            netsheet.load(source).predict(X), expected(model), rtol=1e-4, atol=1e-4
        )
    (folder / "model.weights.h5").unlink()
    with pytest.raises(FormatError, match="weights are missing"):
        netsheet.load(folder)


def test_converted_keras_zip(tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")
    model = network(keras)
    model.save(tmp_path / "keras_model.h5")
    with zipfile.ZipFile(tmp_path / "converted_keras.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "keras_model.h5", "keras_model.h5")
        archive.writestr("labels.txt", "0 cat\n1 dog\n")
    loaded = netsheet.load(tmp_path / "converted_keras.zip")
    np.testing.assert_allclose(loaded.predict(X), expected(model), rtol=1e-4, atol=1e-4)
    assert any("0 cat; 1 dog" in note for note in loaded.notes)


@pytest.mark.parametrize("name", ["m.ckpt", "m.ckpt.index", "m.ckpt.data-00000-of-00001",
                                  "checkpoint"])  # fmt: skip
def test_a_tensorflow_checkpoint_is_told(name: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")
    network(keras).save_weights(tmp_path / "m.ckpt")
    with pytest.raises(FormatError, match="TensorFlow checkpoint"):
        netsheet.load(tmp_path / name)


def test_layers_of_the_users_own_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keras = pytest.importorskip("keras")
    from netsheet.read.keras import assembly

    monkeypatch.setattr(assembly, "REGISTERED", dict(assembly.REGISTERED))

    @keras.saving.register_keras_serializable(package="mine")
    class Twice(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return 2 * x

    keras.Sequential([keras.Input((3,)), Twice(name="twice")]).save(path := tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", np.array([1.0, 2.0, 3.0]))
    own = tmp_path / "my_layers.py"
    own.write_text(
        "import netsheet\nfrom netsheet.layers.norm import Rescaling\n"
        "netsheet.register('mine>Twice', lambda a, c: Rescaling(scale=2.0))\n"
    )
    command = ["activations", str(path), "-i", str(tmp_path / "x.npy"), "--layers", str(own)]
    run(command)
    assert "[[2. 4. 6.]]" in capsys.readouterr().out
    own.write_text("1 / 0\n")
    with pytest.raises(NetsheetError, match=r"my_layers.py, line 1: ZeroDivisionError"):
        run(command)


@pytest.mark.parametrize(
    "dtype", ["float16", "mixed_float16", "mixed_bfloat16", "bfloat16", "float64"]
)
def test_other_precision_is_said(dtype: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Dense(2, dtype=dtype)(inputs)).save(tmp_path / "m.keras")
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "whole.keras")
    network = netsheet.load(tmp_path / "m.keras")
    size = {"bfloat16": "1e-2", "float64": "1e-7"}.get(dtype.removeprefix("mixed_"), "1e-3")
    (note,) = network.notes
    assert f"asks for {dtype};" in note and f"about {size}." in note
    assert not netsheet.load(tmp_path / "whole.keras").notes


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_an_architecture_of_another_network_is_told(
    suffix: str, keras: Any, tmp_path: Path
) -> None:
    """Keras 3, too, joins fewer layers than the file has, and says nothing of it."""
    if suffix == ".h5" and keras.__name__ == "keras":
        pytest.skip("Keras 3 writes weights in one way")
    layers = keras.layers

    def saved(name: str, *made: Any) -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(keras.Sequential([keras.Input((6,)), *made]).to_json())
        return path

    whole = keras.Sequential(
        [keras.Input((6,)), layers.Dense(5, name="one"), layers.Dense(5, name="two")]
    )
    whole.save_weights(weights := tmp_path / f"w{suffix}")
    x = RANDOM.standard_normal((2, 6)).astype("f4")
    first = netsheet.load(weights, architecture=saved("fewer", layers.Dense(5, name="one")))
    kernel, bias = whole.layers[0].get_weights()
    np.testing.assert_allclose(first.predict(x), x @ kernel + bias, rtol=1e-5, atol=1e-6)
    assert any("also has" in note and "may be that of another" in note for note in first.notes)

    other = netsheet.load(weights, architecture=saved("other", layers.Reshape((2, 3)),
                                                      layers.GRU(4, name="gru")))  # fmt: skip
    assert any("none for gru: it is that of another" in note for note in other.notes)
    with pytest.raises(UnsupportedError, match="stores no weights for it"):
        other.predict(x)
    same = netsheet.load(weights, architecture=saved("same", layers.Dense(5, name="one"),
                                                     layers.Dense(5, name="two")))  # fmt: skip
    assert not any("another network" in note for note in same.notes)
