"""One small network in every kind of container that a Keras version has written.

The expected values are computed here with NumPy; at the end are files that Keras writes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import netsheet
from netsheet.errors import NetsheetError

RANDOM = np.random.default_rng(7)
KERNEL = RANDOM.standard_normal((3, 2)).astype("f4")
BIAS = RANDOM.standard_normal(2).astype("f4")
X = RANDOM.standard_normal((4, 3)).astype("f4")
EXPECTED = np.maximum(X @ KERNEL + BIAS, 0)

Config = dict[str, Any]


def dense(name: str = "d", **more: Any) -> Config:
    config = {"name": name, "units": 2, "activation": "relu", "use_bias": True, "dtype": "float32"}
    return {"class_name": "Dense", "config": {**config, "trainable": True, **more}}


def source(name: str = "in", **more: Any) -> Config:
    shape = more or {"batch_input_shape": [None, 3]}
    return {"class_name": "InputLayer", "config": {"name": name, "dtype": "float32", **shape}}


def sequential(*layers: Config, **more: Any) -> Config:
    return {"class_name": "Sequential", "config": {"name": "m", "layers": list(layers), **more}}


def functional(
    name: str = "d", inputs: Any = None, outputs: Any = None, inbound: Any = None, **more: Any
) -> Config:
    node = [[["in", 0, 0, {}]]] if inbound is None else inbound
    layers = [
        {**source(), "name": "in", "inbound_nodes": []},
        {**dense(name), "name": name, "inbound_nodes": node},
    ]
    config = {
        "name": "m", "layers": layers, "input_layers": inputs or [["in", 0, 0]],
        "output_layers": outputs or [[name, 0, 0]],
    }  # fmt: skip
    return {"class_name": "Functional", "config": config, **more}


WRAPPED = {"class_name": "__tuple__", "items": [None, 3]}
SEQUENTIAL = sequential(source(), dense())


def check(path: Path, name: str = "d") -> netsheet.Model:
    """The file opens, names its layer, shows itself, and computes."""
    model = netsheet.load(path)
    assert name in model.layers
    assert [row.params for row in model.summary()][-1] == 8
    np.testing.assert_allclose(model.predict(X), EXPECTED, atol=1e-5)
    assert model._repr_html_()
    return model


def write_h5(
    path: Path,
    config: Any = SEQUENTIAL,
    name: str = "d",
    weights: Sequence[str] = ("d/kernel:0", "d/bias:0"),
    arrays: Sequence[Any] = (KERNEL, BIAS),
    version: str | bytes | None = "2.15.0",
    text: Callable[[str], Any] = str,
    names: Callable[[list[str]], Any] = lambda found: np.array([n.encode() for n in found]),
    options: dict[str, Any] | None = None,
    all_names: Sequence[str] | None = None,
    **file_options: Any,
) -> None:
    """A whole model as Keras 2 writes it, with anything written otherwise."""
    with h5py.File(path, "w", **file_options) as file:
        group = file.create_group("model_weights")
        if config is not None:
            file.attrs["model_config"] = text(json.dumps(config))
        for holder in (file, group):
            if version is not None:
                holder.attrs["keras_version"] = version
            holder.attrs["backend"] = text("tensorflow")
        group.attrs["layer_names"] = names(list(all_names or ["in", name]))
        for each in all_names or ["in", name]:
            group.require_group(each).attrs["weight_names"] = np.zeros(0)
        own = group[name]
        own.attrs["weight_names"] = names(list(weights))
        for weight, values in zip(weights, arrays, strict=True):
            own.create_dataset(weight, data=values, **(options or {}))


def bytes_list(found: list[str]) -> Any:
    return np.array([n.encode() for n in found])


def object_list(found: list[str]) -> Any:
    return np.array(found, dtype=h5py.string_dtype())


def object_bytes(found: list[str]) -> Any:
    return np.array([n.encode() for n in found], dtype=h5py.string_dtype("ascii"))


# ------------------------------------------------------------------------------------ HDF5 itself


@pytest.mark.parametrize("text", [str, str.encode, np.bytes_, lambda t: np.array([t.encode()])])
@pytest.mark.parametrize("names", [bytes_list, object_list, object_bytes])
def test_texts_of_all_kinds(tmp_path: Path, text: Any, names: Any) -> None:
    write_h5(tmp_path / "m.h5", text=text, names=names)
    check(tmp_path / "m.h5")


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": True},
        {"compression": "gzip"},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (2, 1), "compression": "gzip", "compression_opts": 9},
        {"maxshape": (None, None)},
    ],
    ids=str,
)
def test_chunks_and_compression(tmp_path: Path, options: dict[str, Any]) -> None:
    arrays = KERNEL, BIAS[None].repeat(1, 0)
    write_h5(tmp_path / "m.h5", weights=["d/kernel:0"], arrays=arrays[:1], options=options,
             config=sequential(source(), dense(use_bias=False)))  # fmt: skip
    model = netsheet.load(tmp_path / "m.h5")
    np.testing.assert_allclose(model.predict(X), np.maximum(X @ KERNEL, 0), atol=1e-5)


@pytest.mark.parametrize("dtype", ["f2", "f8", ">f4", ">f8", "i1", "i4", "u2"])
def test_types_of_numbers(tmp_path: Path, dtype: str) -> None:
    kernel, bias = (np.round(array * 8).astype(dtype) for array in (abs(KERNEL), abs(BIAS)))
    write_h5(tmp_path / "m.h5", arrays=(kernel, bias))
    expected = np.maximum(X @ kernel.astype("f4") + bias.astype("f4"), 0)
    np.testing.assert_allclose(
        netsheet.load(tmp_path / "m.h5").predict(X), expected, rtol=1e-5, atol=1e-5
    )


def test_bfloat16(tmp_path: Path) -> None:
    """HDF5 has no such type: Keras stores 2 bytes of anything and says so in an attribute."""
    path = tmp_path / "m.weights.h5"
    upper = (KERNEL.view("u4") >> 16).astype("u2")
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", data=upper.view("V2")).attrs["dtype"] = "bfloat16"
    (layer,) = netsheet.load(path).layers.values()
    expected = (upper.astype("u4") << 16).view("f4")
    np.testing.assert_array_equal(next(iter(layer.weights.values())).values, expected)


@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
@pytest.mark.parametrize("block", [0, 512, 4096])
def test_versions_of_hdf5_and_user_blocks(tmp_path: Path, libver: str, block: int) -> None:
    write_h5(tmp_path / "m.h5", libver=libver, userblock_size=block)
    check(tmp_path / "m.h5")


def test_order_of_creation_is_kept_in_the_file(tmp_path: Path) -> None:
    write_h5(tmp_path / "m.h5", track_order=True)
    check(tmp_path / "m.h5")


def test_values_in_the_header(tmp_path: Path) -> None:
    """Compact datasets lie in the header of the dataset itself."""
    write_h5(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        own = file["model_weights/d/d"]
        del own["kernel:0"]
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple(KERNEL.shape)
        made = h5py.h5d.create(own.id, b"kernel:0", h5py.h5t.IEEE_F32LE, space, properties)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, KERNEL)
    check(tmp_path / "m.h5")


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    for name in ("model.hdf5", "model.keras", "model", "weights-07-0.12.onnx", "モデル 1.h5"):
        write_h5(tmp_path / name)
        check(tmp_path / name)


# ------------------------------------------------------------------------------------ names


NAMES = [
    "dense_1", "a b", "d/x", "a/b/c", "層", "デンス1", "😀", "ünï", "model_weights", "layers",
    "vars", "optimizer_weights", "input", "top_level_model_weights", "0", "d:0", "kernel", "a.b",
    "x" * 200, "d#1", "=1+1", "None", "-", "[d]", "%s", "{name}", "a'b\"c", "<b>",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_of_layers(tmp_path: Path, name: str) -> None:
    weights = [f"{name}/kernel:0", f"{name}/bias:0"]
    write_h5(tmp_path / "s.h5", sequential(source(), dense(name)), name, weights, names=object_list)
    assert name in netsheet.load(tmp_path / "s.h5").layers
    write_h5(tmp_path / "f.h5", functional(name), name, weights)
    model = check(tmp_path / "f.h5", name)
    for equation in model.equations():
        assert str(equation)


@pytest.mark.parametrize(
    "weights",
    [
        ["kernel", "bias"],
        ["kernel:0", "bias:0"],
        ["d/kernel:0", "d/bias:0"],
        ["d_1/kernel:0", "d_1/bias:0"],
        ["m/d/kernel", "m/d/bias"],
        ["d_W", "d_b"],
        ["param_0", "param_1"],
        ["strided/deep/down/Variable:0", "strided/deep/down/Variable_1:0"],
        ["カーネル", "バイアス"],
    ],
    ids=lambda weights: weights[0],
)
def test_names_of_weights(tmp_path: Path, weights: list[str]) -> None:
    write_h5(tmp_path / "m.h5", weights=weights)
    check(tmp_path / "m.h5")


def test_lists_of_names_in_parts(tmp_path: Path) -> None:
    write_h5(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        group = file["model_weights"]
        for holder, key in ((group, "layer_names"), (group["d"], "weight_names")):
            for number, name in enumerate(holder.attrs[key]):
                holder.attrs[f"{key}{number}"] = np.array([name])
            del holder.attrs[key]
    check(tmp_path / "m.h5")


def test_what_is_not_listed_is_not_read(tmp_path: Path) -> None:
    write_h5(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file["model_weights/d/d/kernel:1"] = np.zeros((9, 9))
        file["model_weights/other/kernel:0"] = np.zeros((9, 9))
        file["notes"] = ["anything"]
        file["optimizer_weights/Adam/iterations:0"] = 12
        file["optimizer_weights/Adam/m:0"] = np.zeros(8)
    check(tmp_path / "m.h5")


# ------------------------------------------------------------------------------------ dialects


@pytest.mark.parametrize(
    "config",
    [
        sequential(source(batch_shape=[None, 3]), dense()),
        sequential(source(batch_shape=[1, 3]), dense()),
        sequential(source(input_shape=[3]), dense()),
        sequential(dense(batch_input_shape=[None, 3])),
        sequential(dense(batch_input_shape=[32, 3])),
        sequential(dense(batch_shape=[None, 3])),
        sequential(dense(input_dim=3)),
        sequential(dense(), build_input_shape=[None, 3]),
        {**sequential(dense()), "build_config": {"input_shape": [None, 3]}},
        sequential({**dense(), "build_config": {"input_shape": [None, 3]}}),
        sequential(source(batch_input_shape=WRAPPED), dense()),
        {"class_name": "Sequential", "config": [dense(batch_input_shape=[None, 3])]},
        {"class_name": "Sequential", "config": [source(), dense()]},
        functional(),
        functional(inputs=["in", 0, 0], outputs=["d", 0, 0]),
        functional(inputs={"x": ["in", 0, 0]}, outputs={"y": ["d", 0, 0]}),
        functional(inputs=[[["in", 0, 0]]], outputs=[[["d", 0, 0]]]),
        functional(inbound=[[["in", 0, 0]]]),
        functional(inbound=[["in", 0, 0, {}]]),
        functional(inbound=[{"inputs": ["in", 0, 0]}]),
        {**functional(), "class_name": "Model"},
        {**functional(), "keras_version": "2.2.4-tf", "backend": "tensorflow"},
        {**functional(), "registered_name": "Functional", "module": "keras.src.engine.functional"},
        functional()["config"],
    ],
    ids=lambda config: json.dumps(config)[:60],
)  # fmt: skip
def test_dialects_of_the_configuration(tmp_path: Path, config: Config) -> None:
    write_h5(tmp_path / "m.h5", config)
    check(tmp_path / "m.h5")


@pytest.mark.parametrize(
    "more",
    [
        {"activation": {"class_name": "function", "config": "relu", "registered_name": "relu"}},
        {"activation": {"class_name": "ReLU", "config": {"name": "r", "dtype": "float32"}}},
        {"activation": {"module": "keras.layers", "class_name": "ReLU", "config": {"name": "r"}}},
        {"dtype": {"class_name": "Policy", "config": {"name": "float32"}}},
        {"dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"},
                   "registered_name": None, "shared_object_id": 3}},
        {"dtype": {"class_name": "Policy", "config": {"name": "mixed_float16"}}},
        {"kernel_initializer": {"class_name": "VarianceScaling", "config": {"seed": None}}},
        {"kernel_constraint": {"class_name": "MaxNorm", "config": {"max_value": 2, "axis": 0}}},
        {"kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}}},
        {"quantization_config": None, "lora_rank": None},
        {"units": 2.0},
        {"unknown_argument": [1, {"a": None}]},
        {"trainable": False},
    ],
    ids=str,
)  # fmt: skip
def test_arguments_in_other_words(tmp_path: Path, more: Config) -> None:
    write_h5(tmp_path / "m.h5", sequential(source(), dense(**more)))
    check(tmp_path / "m.h5")


@pytest.mark.parametrize(
    "version", [None, "1.2.2", "2.0.8", "2.2.4-tf", "2.15.0", "3.0.0", "3.15.1", b"2.4.0", ""]
)
def test_versions(tmp_path: Path, version: Any) -> None:
    write_h5(tmp_path / "m.h5", version=version)
    check(tmp_path / "m.h5")


def test_keras_1(tmp_path: Path) -> None:
    """Arguments by their old names, a list as configuration, no InputLayer, no version."""
    old = {
        "class_name": "Dense",
        "config": {
            "W_constraint": None, "W_regularizer": None, "activation": "relu", "bias": True,
            "activity_regularizer": None, "b_constraint": None, "b_regularizer": None,
            "batch_input_shape": [None, 3], "init": "glorot_uniform", "input_dim": 3,
            "input_dtype": "float32", "name": "dense_1", "output_dim": 2, "trainable": True,
        },
    }  # fmt: skip
    drop = {"class_name": "Dropout", "config": {"name": "dropout_1", "p": 0.5, "trainable": True}}
    config = {"class_name": "Sequential", "config": [old, drop]}
    path = tmp_path / "m.h5"
    write_h5(path, config, "dense_1", ["dense_1_W", "dense_1_b"], version=None,
             all_names=["dense_1", "dropout_1"])  # fmt: skip
    model = netsheet.load(path)
    np.testing.assert_allclose(model.predict(X), EXPECTED, atol=1e-5)


@pytest.mark.parametrize(
    ("training", "note"),
    [
        (None, False), ("", False), ("null", True), ("{", True), ("[]", True), ("{}", False),
        (json.dumps({"loss": "mse", "optimizer_config": {"class_name": "Custom>Adam"}}), False),
        (json.dumps({"loss": {"class_name": "mine", "config": None}, "metrics": [[None]]}), False),
        (7, True),
    ],
)  # fmt: skip
def test_training_configurations(tmp_path: Path, training: Any, note: bool) -> None:
    write_h5(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        if training is not None:
            file.attrs["training_config"] = training
    model = check(tmp_path / "m.h5")
    assert any("training configuration" in text for text in model.notes) == note


# ------------------------------------------------------------------------------------ few layers


def test_no_layers_at_all(tmp_path: Path) -> None:
    for number, config in enumerate((sequential(), {"class_name": "Sequential", "config": []},
                                     sequential(source()))):  # fmt: skip
        path = tmp_path / f"{number}.h5"
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(config)
            file.attrs["keras_version"] = "2.15.0"
            file.create_group("model_weights").attrs["layer_names"] = np.zeros(0)
        model = netsheet.load(path)
        assert (model.layers, model.params) == ({}, 0)
        assert model.summary() == []


def test_an_input_alone(tmp_path: Path) -> None:
    config = functional()
    config["config"]["layers"] = config["config"]["layers"][:1]
    config["config"]["output_layers"] = [["in", 0, 0]]
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.create_group("model_weights").attrs["layer_names"] = np.array([b"in"])
        file["model_weights"].create_group("in").attrs["weight_names"] = np.zeros(0)
    model = netsheet.load(path)
    assert [row.name for row in model.summary()] == ["in"]


def test_without_an_input_shape(tmp_path: Path) -> None:
    """Weights are there, but no shape: it was saved without one (Keras 1, or by hand)."""
    write_h5(tmp_path / "m.h5", sequential(dense()))
    model = netsheet.load(tmp_path / "m.h5")
    assert model.params == 8 and [tensor.shape for tensor in model.inputs] == [(3,)]
    assert any("input's shape; (3) follows from the weights" in note for note in model.notes)


# ------------------------------------------------------------------------------------ weights only


def test_weights_only_of_keras_2(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"in", b"d"])
        file.attrs["keras_version"] = b"2.1.6"
        file.create_group("in").attrs["weight_names"] = np.zeros(0)
        own = file.create_group("d")
        own.attrs["weight_names"] = np.array([b"d/kernel:0", b"d/bias:0"])
        own["d/kernel:0"], own["d/bias:0"] = KERNEL, BIAS
    model = netsheet.load(path)
    np.testing.assert_array_equal(model.layers["d"].weights["kernel"].values, KERNEL)
    assert any("architecture is missing" in note for note in model.notes)
    with pytest.raises(NetsheetError):
        model.predict(X)


def v3(change: Callable[[Any], None] | None = None, place: str = "layers/dense") -> bytes:
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        group = file.create_group(f"{place}/vars")
        group["0"], group["1"] = KERNEL, BIAS
        if change:
            change(file)
    return held.getvalue()


def test_weights_only_of_keras_3(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    path.write_bytes(v3())
    model = netsheet.load(path)
    (layer,) = model.layers.values()
    assert [weight.shape for weight in layer.weights.values()] == [(3, 2), (2,)]
    assert any("architecture is missing" in note for note in model.notes)


# ------------------------------------------------------------------------------------ .keras


def write_keras(
    path: Path,
    weights: bytes | None = None,
    config: Config = SEQUENTIAL,
    method: int = zipfile.ZIP_STORED,
    metadata: bool = True,
    more: Sequence[tuple[str, bytes]] = (),
) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        if metadata:
            archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        archive.writestr("config.json", json.dumps(config))
        if weights != b"":
            archive.writestr("model.weights.h5", v3() if weights is None else weights)
        for name, data in more:
            archive.writestr(name, data)


def in_shards(path: Path) -> None:
    parts = {"0": v3(lambda file: file["layers/dense/vars"].pop("1")),
             "1": v3(lambda file: file["layers/dense/vars"].pop("0"))}  # fmt: skip
    index = {"metadata": {}, "weight_map": {
        "/layers/dense/vars": [f"model_0000{n}.weights.h5" for n in parts]}}  # fmt: skip
    write_keras(path, b"", more=[
        ("model.weights.json", json.dumps(index).encode()),
        *((f"model_0000{number}.weights.h5", part) for number, part in parts.items()),
    ])  # fmt: skip


def with_comment(path: Path) -> None:
    write_keras(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"a comment"


def changed(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """An archive whose weights file was changed."""
    return lambda path: write_keras(path, v3(change))


KERAS: dict[str, Callable[[Path], None]] = {
    "plain": write_keras,
    "packed": lambda path: write_keras(path, method=zipfile.ZIP_DEFLATED),
    "without metadata": lambda path: write_keras(path, metadata=False),
    "of Keras 2.12": lambda path: write_keras(
        path, v3(place="_layer_checkpoint_dependencies/dense")
    ),
    "with assets": lambda path: write_keras(
        path, more=[("assets/", b""), ("assets/a/b.txt", b"x")]
    ),
    "with optimizer": changed(lambda file: file.create_dataset("optimizer/vars/0", data=1)),
    "with seeds": changed(
        lambda file: file.create_dataset("layers/dropout/seed_generator/vars/0", data=[1, 2])
    ),
    "with metrics": changed(lambda file: file.create_dataset("metrics/mean/vars/0", data=1.0)),
    "empty groups": changed(lambda file: file.create_group("layers/input_layer/vars")),
    "in shards": in_shards,
    "with a comment": with_comment,
    "byte order mark": lambda path: _with_mark(path),
    "compressed weights": changed(lambda file: _compress(file)),
}


def _with_mark(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", b"\xef\xbb\xbf" + json.dumps(SEQUENTIAL).encode())
        archive.writestr("model.weights.h5", v3())


def _compress(file: Any) -> None:
    group = file["layers/dense/vars"]
    values = group["0"][()]
    del group["0"]
    group.create_dataset("0", data=values, compression="gzip", shuffle=True)


@pytest.mark.parametrize("kind", KERAS)
def test_archives(tmp_path: Path, kind: str) -> None:
    KERAS[kind](tmp_path / "m.keras")
    check(tmp_path / "m.keras")


@pytest.mark.parametrize("name", NAMES)
def test_names_in_archives(tmp_path: Path, name: str) -> None:
    write_keras(tmp_path / "m.keras", config=functional(name))
    check(tmp_path / "m.keras", name)


def test_a_layer_more_than_the_configuration_has(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file["layers/dense_1/vars/0"] = KERNEL

    write_keras(tmp_path / "m.keras", v3(change))
    model = netsheet.load(tmp_path / "m.keras")
    left = model.layers["layers/dense_1"]
    assert "no layer of the model" in left.reason and left.weights["0"].shape == KERNEL.shape


def test_keras_2_13_counts_layers_with_weights_twice(tmp_path: Path) -> None:
    """Dropout has none, so its next one is dropout_1; after dense comes dense_2."""
    held = io.BytesIO()
    second = RANDOM.standard_normal((2, 2)).astype("f4")
    with h5py.File(held, "w") as file:
        for name, kernel in (("dense", KERNEL), ("dense_2", second)):
            group = file.create_group(f"_layer_checkpoint_dependencies/{name}/vars")
            group["0"], group["1"] = kernel, BIAS
        file.create_group("_layer_checkpoint_dependencies/dropout/_random_generator/vars")
    drop = {"class_name": "Dropout", "config": {"name": "drop", "rate": 0.5, "dtype": "float32"}}
    config = sequential(source(), dense("a"), drop, dense("b"))
    write_keras(tmp_path / "m.keras", held.getvalue(), config)
    model = netsheet.load(tmp_path / "m.keras")
    np.testing.assert_array_equal(model.layers["b"].weights["kernel"].values, second)
    expected = np.maximum(EXPECTED @ second + BIAS, 0)
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-5)


def test_a_layer_that_was_never_built_does_not_keep_the_others_away(tmp_path: Path) -> None:
    write_keras(tmp_path / "m.keras", config=sequential(source(), dense("a"), dense("b")))
    model = netsheet.load(tmp_path / "m.keras")
    np.testing.assert_allclose(model.activations(X)["a"], EXPECTED, atol=1e-5)
    (refused,) = (row for row in model.summary() if row.refusal)
    assert refused.name == "b"
    assert "stores no weights" in str(refused.refusal)
