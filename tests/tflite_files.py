"""Small Keras networks, quantised by TensorFlow's own converter: what users' files are made of."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@functools.lru_cache(maxsize=1)
def _tools() -> tuple[Any, Any]:
    import keras
    import tensorflow

    return keras, tensorflow


def networks() -> dict[str, Callable[[], Any]]:
    """One network for each operator and option, by name; all weights are random."""
    keras, _ = _tools()
    L, ops = keras.layers, keras.ops

    def row(*layers: Any, shape: tuple[int, ...] = (9, 11, 3)) -> Any:
        return keras.Sequential([keras.Input(shape), *layers])

    def net(build: Callable[..., Any], inputs: int = 1) -> Any:
        given = [keras.Input((8, 8, 4)) for _ in range(inputs)]
        return keras.Model(given if inputs > 1 else given[0], build(*given))

    def squeeze(x: Any) -> Any:
        small = L.Dense(4, activation="relu")(L.GlobalAveragePooling2D()(x))
        gate = L.Reshape((1, 1, 4))(L.Dense(4, activation="hard_sigmoid")(small))
        return L.Multiply()([x, gate])

    def swapped(x: Any) -> Any:
        parts = ops.split(L.Conv2D(4, 1)(x), 2, axis=-1)
        return L.Concatenate()([parts[1], parts[0]])

    def block(filters: int, stride: int) -> list[Any]:
        return [
            L.DepthwiseConv2D(3, stride, "same", use_bias=False), L.BatchNormalization(),
            L.ReLU(6.0), L.Conv2D(filters, 1, use_bias=False), L.BatchNormalization(), L.ReLU(6.0),
        ]  # fmt: skip

    def ends(x: Any) -> Any:
        return keras.Model(x, [L.Conv2D(2, 1)(x), L.GlobalAveragePooling2D()(x)])

    return {
        "same strides": lambda: row(L.Conv2D(5, 3, 2, "same", activation="relu"),
                                    L.Conv2D(4, (5, 2), (1, 3), "same")),
        "valid strides": lambda: row(L.Conv2D(5, (3, 2), (2, 1), activation="relu6"),
                                     L.Conv2D(4, 2, (3, 2))),
        "dilated": lambda: row(L.Conv2D(5, 3, padding="same", dilation_rate=2),
                               L.Conv2D(4, 3, dilation_rate=(2, 1), activation="relu")),
        "depthwise": lambda: row(L.DepthwiseConv2D(3, 2, "same", depth_multiplier=3),
                                 L.DepthwiseConv2D((2, 3), activation="relu")),
        "depthwise dilated": lambda: row(L.DepthwiseConv2D(3, 1, "same", dilation_rate=2)),
        "MobileNet": lambda: row(L.Conv2D(8, 3, 2, "same"), *block(12, 1), *block(10, 2),
                                 L.GlobalAveragePooling2D(), L.Dense(5, activation="softmax"),
                                 shape=(16, 16, 3)),
        "grouped": lambda: row(L.Conv2D(6, 3, groups=3)),
        "transposed": lambda: row(L.Conv2DTranspose(4, 3, 2, "same", activation="relu"),
                                  L.Conv2DTranspose(2, (2, 5), (3, 1), use_bias=False)),
        "along time": lambda: row(L.Conv1D(4, 3, 2, "same"), L.MaxPooling1D(2),
                                  L.Conv1D(3, 3, padding="causal", dilation_rate=2),
                                  L.GlobalAveragePooling1D(), shape=(20, 5)),
        "dense rows": lambda: row(L.Dense(4, activation="relu"), L.Dense(3)),
        "dense": lambda: row(L.Dense(4, use_bias=False), L.Dense(3, activation="tanh"),
                             shape=(10,)),
        "add": lambda: net(lambda x, y: L.ReLU()(L.Add()([x, y])), 2),
        "subtract": lambda: net(lambda x, y: L.Subtract()([x, y]), 2),
        "multiply": lambda: net(lambda x, y: L.Multiply()([x, y]), 2),
        "stored operand": lambda: net(lambda x: (x - 0.3) / 1.7 + np.arange(4, dtype="f4")),
        "larger, smaller": lambda: net(lambda x, y: L.Minimum()([L.Maximum()([x, y]), x]), 2),
        "squeeze": lambda: net(squeeze),
        "joined": lambda: net(lambda x: L.Concatenate()([x, L.ReLU()(x) * 3.0,
                                                         L.Conv2D(2, 1)(x)])),
        "split": lambda: net(swapped),
        "sliced": lambda: net(lambda x: x[:, 1:-1:2, 2:, :]),
        "one row": lambda: net(lambda x: x[:, 1, 2:, :]),
        "stacked": lambda: net(lambda x, y: ops.stack([x, y], axis=1), 2),
        "flipped": lambda: net(lambda x: ops.flip(x, axis=2)),
        "gathered": lambda: net(lambda x: ops.take(x, [2, 0, 1], axis=1)),
        "padded": lambda: row(L.ZeroPadding2D(((1, 2), (0, 3))), L.Conv2D(3, 3)),
        "permuted": lambda: row(L.Permute((2, 1, 3)), L.Conv2D(3, 2)),
        "pools": lambda: row(L.MaxPooling2D(3, 2, "same"),
                             L.AveragePooling2D((2, 3), (1, 2), "same"), L.ReLU()),
        "pools that limit": lambda: row(L.MaxPooling2D(2), L.ReLU(), L.AveragePooling2D(2),
                                        L.ReLU(6.0)),
        "largest": lambda: row(L.Conv2D(4, 3), L.GlobalMaxPooling2D(), L.Dense(3)),
        "mean kept": lambda: row(L.GlobalAveragePooling2D(keepdims=True), L.Conv2D(3, 1)),
        "mean of an axis": lambda: net(lambda x: ops.mean(ops.mean(x, axis=2), axis=-1)),
        "sum": lambda: net(lambda x: ops.sum(x, axis=(1, 2))),
        "nearest": lambda: net(lambda x: ops.image.resize(x, (5, 13), interpolation="nearest")),
        "bilinear": lambda: row(L.Conv2D(4, 3), L.UpSampling2D(3, interpolation="bilinear")),
        "bilinear odd": lambda: net(lambda x: ops.image.resize(x, (5, 13))),
        "leaky": lambda: row(L.Conv2D(4, 3), L.LeakyReLU(0.1)),
        "prelu": lambda: row(L.Conv2D(4, 3), L.PReLU(shared_axes=[1, 2])),
        "prelu everywhere": lambda: row(L.Conv2D(4, 3), L.PReLU()),
        "hard swish": lambda: net(lambda x: ops.hard_swish(L.Conv2D(4, 3)(x))),
        "swish": lambda: row(L.Conv2D(4, 3), L.Activation("swish")),
        "sigmoid": lambda: row(L.Conv2D(4, 3), L.Activation("sigmoid")),
        "softmax of maps": lambda: row(L.Conv2D(4, 3), L.Softmax()),
        "elu": lambda: row(L.Conv2D(4, 3), L.Activation("elu")),
        "two outputs": lambda: ends(keras.Input((8, 8, 4))),
    }  # fmt: skip


def converted(name: str, kind: str = "int8", per_channel: bool = True) -> bytes:
    """The network as a .tflite file: ``float``, ``int8``, ``uint8 ends`` or ``float ends``."""
    _, tf = _tools()
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2 as frozen,
    )

    random = np.random.default_rng(len(name))
    model = networks()[name]()
    for weight in model.weights:
        if "variance" in weight.path:
            weight.assign(random.uniform(0.5, 2, weight.shape))
        elif weight.shape:
            weight.assign(random.normal(0, 0.4, weight.shape))
    shapes = [(1, *entry.shape[1:]) for entry in model.inputs]
    function = tf.function(lambda *x: model(list(x) if len(x) > 1 else x[0]))
    traced = function.get_concrete_function(*(tf.TensorSpec(s, tf.float32) for s in shapes))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen(traced)])
    if kind == "float":
        return converter.convert()

    def samples() -> Any:
        for _ in range(10):
            yield [random.normal(0, 1, shape).astype(np.float32) for shape in shapes]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    ends = {"int8": tf.int8, "uint8 ends": tf.uint8, "float ends": tf.float32}[kind]
    converter.inference_input_type = converter.inference_output_type = ends
    converter._experimental_disable_per_channel = not per_channel
    return converter.convert()


def as_uint8(content: bytes) -> bytes:
    """A file with one scale for each kernel, in the unsigned numbers of the oldest converters.

    Every number and every zero point is 128 more, which changes nothing of what is meant.
    """
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    for tensor in model.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.INT8:
            assert len(tensor.quantization.scale) == 1
            tensor.type = schema.TensorType.UINT8
            tensor.quantization.zeroPoint = np.array(tensor.quantization.zeroPoint) + 128
            buffer = model.buffers[tensor.buffer]
            if buffer.data is not None and len(buffer.data):
                buffer.data = np.array(buffer.data, np.uint8) ^ 0x80
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def without_reshape(content: bytes) -> bytes:
    """A file whose dense layer reads a map as it is, as older files have it (micro speech)."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    graph = model.subgraphs[0]
    first, second, *rest = graph.operators
    second.inputs = [first.inputs[0], *second.inputs[1:]]
    graph.operators = [second, *rest]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def in_reference_kernels(content: bytes, inputs: list[Any], numbers: list[int]) -> dict[int, Any]:
    """Tensors as TensorFlow Lite's own reference kernels find them, for one sample."""
    _, tf = _tools()
    machine = tf.lite.Interpreter(
        model_content=content, experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
    )  # fmt: skip
    machine.allocate_tensors()
    for entry, values in zip(machine.get_input_details(), inputs, strict=True):
        machine.set_tensor(entry["index"], values[None])
    machine.invoke()
    return {number: machine.get_tensor(number) for number in numbers}
