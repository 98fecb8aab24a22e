"""Rows of the classes that drop or change values in training; the rates only count there."""

from __future__ import annotations

import math
from typing import Any

from netsheet.errors import FormatError
from netsheet.layer import Layer
from netsheet.layers import augmentation, noise, shape
from netsheet.read.keras.arguments import Arguments
from netsheet.read.keras.context import Context, Row


def _rate(a: Arguments, *names: str) -> float:
    """The first of these arguments; not a number where none is one."""
    try:
        return next((a.number(name, 0) for name in names if a.get(name) is not None), math.nan)
    except FormatError:
        return math.nan


def rate(a: Arguments, name: str) -> float:
    """A share that is dropped; 0 where it is none: the layer then counts as not known."""
    found = _rate(a, name)
    return found if 0 < found < 1 else 0.0


def _noisy(kind: type[noise.Dropout], rank: int | None = None, **more: Any) -> Row:
    """A row; a rate that cannot be is refused in training only, since prediction needs none."""

    def row(a: Arguments, c: Context) -> Layer:
        # Keras 1 called the rate p, and the deviation sigma
        share = _rate(a, "rate", "stddev", "p", "sigma")
        if math.isnan(share) or share < 0 or (share >= 1 and kind is not noise.GaussianNoise):
            return shape.Identity(rank=rank, random=True)
        options = {key: make(a) for key, make in more.items()}
        return kind(rate=share, rank=rank, **options)

    return row


def _noise_shape(a: Arguments) -> tuple[int | None, ...] | None:
    given = a.get("noise_shape")
    if not isinstance(given, (list, tuple)):
        return None
    if any(size is not None and (not isinstance(size, int) or size < 1) for size in given):
        a.refuse("noise_shape", "sizes")
    return tuple(given)


def _channels_last(a: Arguments) -> bool:
    return a.choice("data_format", "channels_last", "channels_first") == "channels_last"


def _factor(a: Arguments, name: str) -> tuple[float, float]:
    """The lowest and the highest share; one number stands for both ways."""
    given = a.get(name)
    if isinstance(given, (list, tuple)) and len(given) == 2:
        low, high = given
    else:
        low, high = -abs(a.number(name, math.nan)), abs(a.number(name, math.nan))
    if not all(isinstance(n, (int, float)) and math.isfinite(n) for n in (low, high)):
        a.refuse(name, "one number or two")
    return float(low), float(high)


def _picture(kind: type[augmentation.Augmentation], *factors: str) -> Row:
    """A row of what moves pictures; arguments that cannot be are refused in training only."""

    def row(a: Arguments, c: Context) -> Layer:
        try:
            made: dict[str, Any] = {name: _factor(a, name) for name in factors}
            if kind is augmentation.RandomFlip:
                mode = a.choice("mode", "horizontal_and_vertical", "horizontal", "vertical")
                made = {"horizontal": "horizontal" in mode, "vertical": "vertical" in mode,
                        "independent": c.major < 3}  # fmt: skip
            made |= {
                "fill_mode": a.choice("fill_mode", "reflect", "constant", "wrap", "nearest"),
                "fill_value": a.number("fill_value", 0),
                "interpolation": a.choice("interpolation", "bilinear", "nearest"),
                "channels_last": _channels_last(a),
            }
            return kind(rank=3, **made)
        except FormatError:
            return shape.Identity(rank=3, random=True)

    return row


NOISE: dict[str, Row] = {
    "AlphaDropout": _noisy(noise.AlphaDropout, noise_shape=_noise_shape),
    "Dropout": _noisy(noise.Dropout, noise_shape=_noise_shape),
    "GaussianDropout": _noisy(noise.GaussianDropout),
    "GaussianNoise": _noisy(noise.GaussianNoise),
    "RandomFlip": _picture(augmentation.RandomFlip),
    "RandomRotation": _picture(augmentation.RandomRotation, "factor"),
    "RandomTranslation": _picture(augmentation.RandomTranslation, "height_factor", "width_factor"),
    "SpatialDropout1D": _noisy(noise.SpatialDropout, 2),
    "SpatialDropout2D": _noisy(noise.SpatialDropout, 3, channels_last=_channels_last),
    "SpatialDropout3D": _noisy(noise.SpatialDropout, 4, channels_last=_channels_last),
}
