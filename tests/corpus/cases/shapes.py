"""Layers that move, repeat, cut, pad, enlarge or scale values."""

from __future__ import annotations

from typing import Any

import numpy as np
from kit import BOTH, KERAS2, KERAS3, Kit, case, numbers


@case(BOTH)
def moves(k: Kit) -> Any:
    """Flatten, Reshape, Permute, Cropping, ZeroPadding."""
    layers = k.layers
    return k.fan(
        (4, 5, 3),
        {
            "flatten": layers.Flatten(),
            "reshape": layers.Reshape((5, 12)),
            "reshape_open": layers.Reshape((-1, 6)),
            "reshape_flat": layers.Reshape((-1,)),
            "permute": layers.Permute((3, 1, 2)),
            "permute_2": layers.Permute((2, 1, 3)),
            "pad": layers.ZeroPadding2D(),
            "pad_2": layers.ZeroPadding2D((1, 2)),
            "pad_4": layers.ZeroPadding2D(((0, 1), (2, 0))),
            "crop": layers.Cropping2D(1),
            "crop_4": layers.Cropping2D(((0, 1), (2, 0))),
        },
    )


@case(BOTH)
def moves1d(k: Kit) -> Any:
    """The same over one axis, and RepeatVector."""
    layers = k.layers
    x, y = k.input(6, 2, name="x"), k.input(4, name="y")
    return k.model(
        [x, y],
        [
            layers.ZeroPadding1D(2, name="pad")(x),
            layers.ZeroPadding1D((1, 0), name="pad_2")(x),
            layers.Cropping1D((1, 2), name="crop")(x),
            layers.Cropping1D(name="crop_1")(x),
            layers.UpSampling1D(3, name="up")(x),
            layers.RepeatVector(3, name="repeat")(y),
            layers.Permute((2, 1), name="permute")(x),
            layers.Flatten(name="flatten")(x),
            layers.Reshape((2, 2), name="reshape")(y),
        ],
    )


@case(BOTH)
def moves3d(k: Kit) -> Any:
    """The same over three axes."""
    layers = k.layers
    return k.fan(
        (3, 2, 3, 2),
        {
            "pad": layers.ZeroPadding3D(1),
            "pad_6": layers.ZeroPadding3D(((1, 0), (0, 1), (1, 1))),
            "crop": layers.Cropping3D(((1, 0), (0, 1), (1, 1))),
            "up": layers.UpSampling3D((2, 1, 2)),
            "flatten": layers.Flatten(),
        },
    )


@case(BOTH)
def first_moves(k: Kit) -> Any:
    """Channels first: Flatten, Cropping, ZeroPadding, UpSampling."""
    layers, first = k.layers, {"data_format": "channels_first"}
    x, y = k.input(2, 4, 3, name="x"), k.input(2, 2, 3, 2, name="y")
    return k.model(
        [x, y],
        [
            layers.Flatten(name="flatten", **first)(x),
            layers.ZeroPadding2D(((0, 1), (2, 0)), name="pad", **first)(x),
            layers.Cropping2D(((0, 1), (1, 0)), name="crop", **first)(x),
            layers.UpSampling2D((2, 3), name="up", **first)(x),
            layers.UpSampling2D(2, interpolation="bilinear", name="smooth", **first)(x),
            layers.ZeroPadding3D(1, name="pad_3", **first)(y),
            layers.Cropping3D(((1, 0), (1, 0), (0, 1)), name="crop_3", **first)(y),
            layers.UpSampling3D(2, name="up_3", **first)(y),
            layers.Flatten(name="flatten_3", **first)(y),
        ],
    )


@case(BOTH)
def upsampling(k: Kit) -> Any:
    """UpSampling2D, nearest and bilinear."""
    up = k.layers.UpSampling2D
    return k.fan(
        (3, 4, 2),
        {
            "nearest": up(),
            "nearest_23": up((2, 3)),
            "bilinear": up(interpolation="bilinear"),
            "bilinear_31": up((3, 1), interpolation="bilinear"),
        },
    )


@case(BOTH)
def upsampling_smooth(k: Kit) -> Any:
    """UpSampling2D with the smoother interpolations."""
    up = k.layers.UpSampling2D
    kinds = ["bicubic", "lanczos3", "lanczos5"]
    kinds += ["area", "gaussian", "mitchellcubic"] if k.major == 2 else []
    return k.fan((4, 5, 2), {kind: up((2, 3), interpolation=kind) for kind in kinds})


@case(BOTH)
def resizing(k: Kit) -> Any:
    """Resizing up and down."""
    layers = k.layers
    return k.fan(
        (5, 6, 2),
        {
            "up": layers.Resizing(7, 9),
            "down": layers.Resizing(3, 4),
            "mixed": layers.Resizing(8, 3),
            "nearest_up": layers.Resizing(7, 9, interpolation="nearest"),
            "nearest_down": layers.Resizing(3, 4, interpolation="nearest"),
            "cubic": layers.Resizing(7, 4, interpolation="bicubic"),
            "lanczos3": layers.Resizing(7, 4, interpolation="lanczos3"),
            "lanczos5": layers.Resizing(7, 4, interpolation="lanczos5"),
        },
    )


@case(BOTH)
def resizing_cropped(k: Kit) -> Any:
    """Resizing that keeps the proportions by cutting the picture first."""
    layers = k.layers
    return k.fan(
        (5, 8, 2),
        {
            "square": layers.Resizing(4, 4, crop_to_aspect_ratio=True),
            "tall": layers.Resizing(8, 4, crop_to_aspect_ratio=True),
        },
    )


@case(BOTH)
def center_crop(k: Kit) -> Any:
    """CenterCrop with even and odd rests."""
    layers = k.layers
    return k.fan(
        (7, 6, 2),
        {
            "odd": layers.CenterCrop(3, 4),
            "even": layers.CenterCrop(4, 3),
            "whole": layers.CenterCrop(7, 6),
        },
    )


@case(BOTH)
def rescaling(k: Kit) -> Any:
    """Rescaling by a number, and by one for each channel."""
    layers = k.layers
    return k.fan(
        (3, 2, 3),
        {
            "by_255": layers.Rescaling(1 / 255),
            "around_0": layers.Rescaling(1 / 127.5, offset=-1),
            "each": layers.Rescaling([0.5, 1.5, 2.0], offset=[-1.0, 0.25, 3.0]),
        },
    )


@case(BOTH)
def normalization(k: Kit) -> Any:
    """Normalization: given and adapted moments, other axes, inverted."""
    kind = k.layers.Normalization
    data = numbers(20, 3, 2, 4, seed=3) * np.array([1, 2, 3, 4], np.float32) + 1
    branches = {
        "adapted": kind(),
        "two_axes": kind(axis=(1, 3)),
        "first_axis": kind(axis=1),
        "all": kind(axis=None),
        "backwards": kind(invert=True),
        "given": kind(mean=[0.5, 1, 2, 3], variance=[1, 2, 3, 4]),
        "given_number": kind(axis=None, mean=0.5, variance=4.0),
        "given_backwards": kind(mean=[0.5, 1, 2, 3], variance=[1, 2, 3, 4], invert=True),
    }
    for name, layer in branches.items():
        if not name.startswith("given"):
            layer.adapt(data)
    return k.fan((3, 2, 4), branches)


@case(BOTH)
def no_ops(k: Kit) -> Any:
    """Layers that do nothing but in training."""
    layers = k.layers
    rest = {
        "dropout": layers.Dropout(0.5),
        "spatial": layers.SpatialDropout2D(0.3),
        "noise": layers.GaussianNoise(0.2),
        "gaussian": layers.GaussianDropout(0.2),
        "alpha": layers.AlphaDropout(0.2),
        "activity": layers.ActivityRegularization(0.1),
        "flip": layers.RandomFlip(),
        "rotation": layers.RandomRotation(0.1),
        "zoom": layers.RandomZoom(0.1),
        "contrast": layers.RandomContrast(0.1),
        "translation": layers.RandomTranslation(0.1, 0.1),
        "brightness": layers.RandomBrightness(0.1),
        "identity": layers.Identity(),
        "linear": layers.Activation("linear"),
    }
    return k.fan((4, 4, 3), rest)


@case(KERAS3)
def new_no_ops(k: Kit) -> Any:
    """Layers of Keras 3 that do nothing but in training."""
    layers = k.layers
    names = ("RandomInvert", "RandomSharpness", "RandomShear", "RandomHue", "RandomSaturation",
             "RandomGrayscale", "RandomPosterization", "Solarization", "RandomErasing",
             "RandomPerspective", "RandomGaussianBlur", "RandomColorJitter")  # fmt: skip
    extra: dict[str, dict[str, Any]] = {
        "RandomHue": {"factor": 0.2}, "RandomSaturation": {"factor": 0.5},
        "RandomSharpness": {"factor": 0.2}, "RandomPosterization": {"factor": 4},
    }  # fmt: skip
    return k.fan((4, 4, 3), {n.lower(): getattr(layers, n)(**extra.get(n, {})) for n in names})


@case(KERAS2)
def old_no_ops(k: Kit) -> Any:
    """Layers of Keras 2 that do nothing but in training."""
    layers = k.layers
    x, y = k.input(5, 3, name="x"), k.input(2, 3, 2, 2, name="y")
    z = layers.SpatialDropout1D(0.2, name="one")(x)
    w = k.input(4, 4, 3, name="w")
    return k.model(
        [x, y, w],
        [
            z,
            layers.SpatialDropout3D(0.2, name="three")(y),
            layers.RandomHeight(0.2, name="height")(w),
            layers.RandomWidth(0.2, name="width")(w),
        ],
    )


@case(BOTH)
def mixed_formats(k: Kit) -> Any:
    """Channels first and last in one model."""
    layers, first = k.layers, {"data_format": "channels_first"}
    x, y = k.input(4, 5, 2, name="x"), k.input(2, 4, 5, name="y")
    return k.model(
        [x, y],
        [
            layers.UpSampling2D(2, interpolation="bilinear", name="smooth")(x),
            layers.UpSampling2D((2, 3), interpolation="bicubic", name="cubic")(x),
            layers.Resizing(4, 3, crop_to_aspect_ratio=True, name="cropped")(x),
            layers.Conv2D(3, 2, name="conv")(x),
            layers.CenterCrop(2, 3, name="middle")(x),
            layers.GlobalAveragePooling2D(name="mean")(x),
            layers.MaxPooling2D(2, name="most_first", **first)(y),
            layers.ZeroPadding2D(1, name="pad_first", **first)(y),
            layers.GlobalMaxPooling2D(name="max_first", **first)(y),
            layers.Flatten(name="flat_first", **first)(y),
        ],
    )


@case(KERAS3)
def auto_contrast(k: Kit) -> Any:
    """AutoContrast, which also works outside training."""
    kind = k.layers.AutoContrast
    return k.fan((4, 3, 2), {"bytes": kind(), "shares": kind(value_range=(0.0, 1.0))})
