"""Writes the descriptions of networks that ``netsheet train --arch NAME`` begins with.

    KERAS_BACKEND=tensorflow python bench/make_architectures.py

Keras itself describes the networks. The size of the input and the number of classes are those of
the data when a training begins, the weights are chosen by its seed.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import h5py
import keras

FOLDER = Path(__file__).resolve().parent.parent / "src/netsheet/data/architectures"
layers = keras.layers
# Arguments that Keras 2 does not know, at their defaults.
NEW = ("input_axes", "output_axes", "optional", "quantization_config", "build_config")


def article() -> list[object]:
    """The published network of 650 parameters, its channels last."""
    return [
        keras.Input((28, 28, 1), name="input_1"),
        layers.Conv2D(5, 4, name="conv1"),
        layers.MaxPooling2D(2, padding="same", name="maxpool1"),
        layers.Activation("tanh", name="activation_1"),
        layers.Conv2D(3, 3, name="conv2"),
        layers.MaxPooling2D(2, padding="same", name="maxpool2"),
        layers.Activation("tanh", name="activation_2"),
        layers.Conv2D(3, 4, name="conv3"),
        layers.Activation("tanh", name="activation_3"),
        layers.Flatten(name="flat1"),
        layers.Dense(10, name="dense1"),
        layers.Activation("softmax", name="activation_4"),
    ]


def lenet() -> list[object]:
    """LeCun's LeNet-5 with ReLU and maxima."""
    return [
        keras.Input((28, 28, 1), name="input_1"),
        layers.Conv2D(6, 5, padding="same", activation="relu", name="conv1"),
        layers.MaxPooling2D(2, name="maxpool1"),
        layers.Conv2D(16, 5, activation="relu", name="conv2"),
        layers.MaxPooling2D(2, name="maxpool2"),
        layers.Flatten(name="flat1"),
        layers.Dense(120, activation="relu", name="dense1"),
        layers.Dense(84, activation="relu", name="dense2"),
        layers.Dense(10, activation="softmax", name="dense3"),
    ]


def mlp() -> list[object]:
    """One hidden layer."""
    return [
        keras.Input((28, 28, 1), name="input_1"),
        layers.Flatten(name="flat1"),
        layers.Dense(32, activation="tanh", name="dense1"),
        layers.Dense(10, activation="softmax", name="dense2"),
    ]


def known_to_both(config: object) -> object:
    """A configuration with what Keras 2 and Keras 3 both understand."""
    if isinstance(config, list):
        return [known_to_both(entry) for entry in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        return config["config"]["name"]
    named = {key: known_to_both(value) for key, value in config.items() if key not in NEW}
    if "batch_shape" in named:
        named["batch_input_shape"] = named.pop("batch_shape")
    return named


def write(name: str, parts: list[object]) -> None:
    """Configuration and training configuration, as Keras writes both into a file."""
    model = keras.Sequential(parts, name=name)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/net.h5")
        with h5py.File(f"{folder}/net.h5", "r") as file:
            stored = {key: file.attrs[key] for key in ("model_config", "training_config")}
    described = {key: json.loads(text) for key, text in stored.items()}
    described["model_config"] = known_to_both(described["model_config"])
    described["training_config"] = {
        key: described["training_config"][key]
        for key in ("loss", "loss_weights", "metrics", "weighted_metrics")
    }
    described["keras_version"] = keras.__version__
    (FOLDER / f"{name}.json").write_text(json.dumps(described, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for make in (article, lenet, mlp):
        write(make.__name__, make())
