"""Convolutions in every shape, padding, stride, dilation, grouping and data format."""

from __future__ import annotations

from typing import Any

from kit import ALL, BOTH, KERAS2, KERAS3, Kit, case


@case(ALL)
def conv2d(k: Kit) -> Any:
    """Conv2D: even and odd kernels, both paddings, strides, dilation, bias, activations."""
    conv = k.layers.Conv2D
    return k.fan(
        (7, 8, 3),
        {
            "valid": conv(2, 3),
            "same": conv(2, 3, padding="same"),
            "point": conv(4, 1, activation="relu"),
            "strides": conv(2, 3, strides=2, padding="same", activation="tanh"),
            "strides_valid": conv(2, 3, strides=2),
            "uneven": conv(2, (2, 3), strides=(1, 2), padding="same"),
            "even": conv(2, 4, padding="same"),
            "even_strides": conv(2, 4, strides=(3, 2), padding="same"),
            "dilated": conv(2, 3, dilation_rate=2, padding="same"),
            "dilated_valid": conv(2, (2, 3), dilation_rate=(2, 1)),
            "no_bias": conv(3, 2, use_bias=False),
            "whole": conv(2, (7, 8)),
            "point_strides": conv(2, 1, strides=2),
        },
    )


@case(BOTH)
def conv2d_groups(k: Kit) -> Any:
    """Grouped Conv2D."""
    conv = k.layers.Conv2D
    return k.fan(
        (5, 6, 6),
        {
            "two": conv(4, 3, groups=2),
            "three": conv(3, 2, groups=3, padding="same", strides=2),
            "each": conv(6, 3, groups=6, padding="same", activation="relu"),
            "dilated": conv(4, 2, groups=2, dilation_rate=2),
        },
    )


@case(BOTH)
def conv1d(k: Kit) -> Any:
    """Conv1D, causal too."""
    conv = k.layers.Conv1D
    return k.fan(
        (9, 4),
        {
            "valid": conv(3, 3),
            "same": conv(3, 4, padding="same"),
            "strides": conv(3, 3, strides=2, padding="same"),
            "causal": conv(3, 3, padding="causal", activation="relu"),
            "causal_dilated": conv(3, 2, padding="causal", dilation_rate=4),
            "causal_strides": conv(2, 3, padding="causal", strides=2),
            "dilated": conv(3, 3, dilation_rate=2),
            "groups": conv(4, 3, groups=2),
            "point": conv(5, 1, use_bias=False),
        },
    )


@case(BOTH)
def conv3d(k: Kit) -> Any:
    """Conv3D."""
    conv = k.layers.Conv3D
    return k.fan(
        (3, 4, 5, 2),
        {
            "valid": conv(2, 2),
            "same": conv(2, 3, padding="same", activation="relu"),
            "strides": conv(2, (2, 3, 2), strides=(1, 2, 2), padding="same"),
            "dilated": conv(2, 2, dilation_rate=2),
            "groups": conv(2, 2, groups=2),
            "flat_strides": conv(2, (2, 3, 1), strides=(1, 2, 2), padding="same"),
        },
    )


@case(BOTH)
def depthwise(k: Kit) -> Any:
    """DepthwiseConv2D."""
    conv = k.layers.DepthwiseConv2D
    return k.fan(
        (7, 6, 3),
        {
            "valid": conv(3),
            "same": conv(3, padding="same", activation="relu"),
            "strides": conv(3, strides=2, padding="same"),
            "double": conv(3, depth_multiplier=2, padding="same"),
            "uneven": conv((2, 3), use_bias=False),
            "dilated": conv(2, dilation_rate=2),
            "even_strides": conv(4, strides=2, padding="same", depth_multiplier=2),
        },
    )


@case(BOTH)
def depthwise1d(k: Kit) -> Any:
    """DepthwiseConv1D."""
    conv = k.layers.DepthwiseConv1D
    return k.fan(
        (8, 3),
        {
            "valid": conv(3),
            "same": conv(3, padding="same", strides=2),
            "double": conv(2, depth_multiplier=2, activation="relu"),
            "dilated": conv(3, dilation_rate=2, use_bias=False),
        },
    )


@case(BOTH)
def separable(k: Kit) -> Any:
    """SeparableConv2D."""
    conv = k.layers.SeparableConv2D
    return k.fan(
        (6, 7, 3),
        {
            "valid": conv(4, 3),
            "same": conv(4, 3, padding="same", activation="relu"),
            "strides": conv(4, 3, padding="same", strides=2),
            "double": conv(5, 2, depth_multiplier=2, use_bias=False),
            "dilated": conv(4, 3, dilation_rate=2, padding="same"),
        },
    )


@case(BOTH)
def separable1d(k: Kit) -> Any:
    """SeparableConv1D, causal too in Keras 2."""
    conv = k.layers.SeparableConv1D
    branches = {
        "valid": conv(4, 3),
        "same": conv(4, 3, padding="same", activation="relu"),
        "strides": conv(4, 2, strides=2, depth_multiplier=2),
        "dilated": conv(4, 3, dilation_rate=2, padding="same"),
    }
    if k.major == 2:
        branches["causal"] = conv(4, 3, padding="causal")
    return k.fan((9, 3), branches)


@case(BOTH)
def transposed2d(k: Kit) -> Any:
    """Conv2DTranspose."""
    conv = k.layers.Conv2DTranspose
    return k.fan(
        (3, 4, 2),
        {
            "valid": conv(3, 3),
            "same": conv(3, 3, padding="same"),
            "strides": conv(3, 3, strides=2, padding="same", activation="relu"),
            "strides_valid": conv(2, 3, strides=2),
            "wide": conv(2, 2, strides=3),
            "wide_same": conv(2, 2, strides=3, padding="same"),
            "even": conv(2, 4, strides=2, padding="same"),
            "uneven": conv(2, (2, 3), strides=(1, 2), padding="same"),
            "output_padding": conv(2, 3, strides=2, padding="same", output_padding=1),
            "output_padding_0": conv(2, 3, strides=2, padding="same", output_padding=0),
            "output_padding_valid": conv(2, 3, strides=(2, 3), output_padding=(1, 2)),
            "dilated": conv(2, 3, dilation_rate=2),
            "dilated_same": conv(2, 3, dilation_rate=2, padding="same"),
            "no_bias": conv(2, 2, use_bias=False),
        },
    )


@case(BOTH)
def transposed1d(k: Kit) -> Any:
    """Conv1DTranspose."""
    conv = k.layers.Conv1DTranspose
    return k.fan(
        (5, 3),
        {
            "valid": conv(2, 3),
            "same": conv(2, 4, strides=2, padding="same"),
            "wide": conv(2, 2, strides=3),
            "output_padding": conv(2, 3, strides=2, padding="same", output_padding=1),
            "dilated": conv(2, 3, dilation_rate=2),
        },
    )


@case(BOTH)
def transposed3d(k: Kit) -> Any:
    """Conv3DTranspose."""
    conv = k.layers.Conv3DTranspose
    return k.fan(
        (2, 3, 2, 2),
        {
            "valid": conv(2, 2),
            "strides": conv(2, 3, strides=2, padding="same"),
            "output_padding": conv(1, 2, strides=(2, 1, 2), output_padding=(1, 0, 1)),
        },
    )


@case(BOTH)
def first_convolutions(k: Kit) -> Any:
    """Convolutions with channels first."""
    layers, first = k.layers, {"data_format": "channels_first"}
    return k.fan(
        (3, 6, 7),
        {
            "valid": layers.Conv2D(2, 3, **first),
            "same": layers.Conv2D(2, 3, padding="same", strides=2, activation="relu", **first),
            "dilated": layers.Conv2D(2, (2, 3), dilation_rate=2, padding="same", **first),
            "depthwise": layers.DepthwiseConv2D(3, depth_multiplier=2, **first),
            "depthwise_same": layers.DepthwiseConv2D(3, padding="same", strides=2, **first),
            "separable": layers.SeparableConv2D(4, 3, padding="same", **first),
            "transposed": layers.Conv2DTranspose(2, 3, strides=2, padding="same", **first),
            "groups": layers.Conv2D(3, 2, groups=3, **first),
        },
    )


@case(BOTH)
def first_convolutions_1d(k: Kit) -> Any:
    """Convolutions over one and three axes with channels first."""
    layers, first = k.layers, {"data_format": "channels_first"}
    x, y = k.input(3, 8, name="x"), k.input(2, 3, 4, 3, name="y")
    branches = [
        layers.Conv1D(2, 3, strides=2, padding="same", name="same", **first)(x),
        layers.Conv1DTranspose(2, 3, strides=2, name="transposed", **first)(x),
        layers.DepthwiseConv1D(3, name="depthwise", **first)(x),
        layers.SeparableConv1D(4, 3, name="separable", **first)(x),
        # without bias, which Keras 3.15 adds along another axis with TensorFlow on a CPU
        layers.Conv3D(2, 2, use_bias=False, name="three", **first)(y),
        layers.Conv3DTranspose(2, 2, strides=2, use_bias=False, name="turned", **first)(y),
    ]
    return k.model([x, y], branches)


@case(KERAS3)
def first_causal(k: Kit) -> Any:
    """Causal Conv1D with channels first."""
    layers, first = k.layers, {"data_format": "channels_first"}
    return k.fan((3, 8), {"causal": layers.Conv1D(2, 3, padding="causal", **first)})


@case(BOTH)
def conv_chain(k: Kit) -> Any:
    """Convolutions behind each other, flattened into a Dense."""
    layers = k.layers
    return k.chain(
        k.input(8, 8, 1),
        layers.Conv2D(3, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(4, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(5, activation="softmax"),
    )


@case(ALL)
def first_chain(k: Kit) -> Any:
    """The same with channels first: Flatten keeps Keras's order."""
    layers, first = k.layers, {"data_format": "channels_first"}
    return k.chain(
        k.input(1, 8, 8),
        layers.Conv2D(3, 3, padding="same", activation="tanh", **first),
        layers.MaxPooling2D(**first),
        layers.BatchNormalization(axis=1),
        layers.Conv2D(4, 3, **first),
        layers.Flatten(**first),
        layers.Dense(5, activation="softmax"),
    )


@case(KERAS2)
def local(k: Kit) -> Any:
    """Locally connected layers, which Keras 3 dropped."""
    layers = k.layers
    x, y = k.input(8, 3, name="x"), k.input(5, 6, 2, name="y")
    return k.model(
        [x, y],
        [
            layers.LocallyConnected1D(4, 3, name="one")(x),
            layers.LocallyConnected1D(4, 3, strides=2, activation="relu", name="strides")(x),
            layers.LocallyConnected2D(3, 2, name="two")(y),
            layers.LocallyConnected2D(3, (2, 3), strides=(1, 2), use_bias=False, name="uneven")(y),
        ],
    )
