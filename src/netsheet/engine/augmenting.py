"""How pictures are to be changed while a network trains, as people say it."""

from __future__ import annotations

from netsheet.equations import Tensor
from netsheet.errors import UsageError, choices
from netsheet.layers.augmentation import (
    Augmentation,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
)

KNOWN = ("shift", "turn", "mirror", "flip")


def augmentations(asked: str, picture: Tensor) -> list[Augmentation]:
    """``shift=2,turn=10,mirror,flip``: by at most so many pixels and degrees; left to right, upside
    down.

    What comes in from outside a picture is what lies at its border.

    Raises:
        UsageError: it is spelled otherwise.
    """
    made: list[Augmentation] = []
    size = dict(zip(picture.axes, picture.shape, strict=True))
    for part in filter(None, asked.split(",")):
        name, _, text = part.partition("=")
        name = name.strip()
        if name not in KNOWN:
            raise UsageError(f"--augment: there is no {name!r}{choices(name, KNOWN)}")
        if name in ("mirror", "flip"):
            across = name == "mirror"
            made.append(
                RandomFlip(name=name, fill_mode="nearest", horizontal=across, vertical=not across)
            )
            continue
        most = _number(name, text)
        if name == "turn":
            share = most / 360
            made.append(RandomRotation(name=name, fill_mode="nearest", factor=(-share, share)))
            continue
        shares = [most / max(size.get(axis, 1), 1) for axis in ("height", "width")]
        factors = [(-share, share) for share in shares]
        made.append(
            RandomTranslation(
                name=name, fill_mode="nearest", height_factor=factors[0], width_factor=factors[1]
            )
        )
    return made


def _number(name: str, text: str) -> float:
    try:
        most = float(text)
    except ValueError:
        most = -1.0
    if not 0 < most < 1e4:
        raise UsageError(f"--augment {name}={text}: say how much at most: {name}=2.")
    return most
