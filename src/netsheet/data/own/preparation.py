"""What is done to each picture of a data set, said once and kept with the set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.data.images import MODES, image_array
from netsheet.data.own.strokes import strokes_in
from netsheet.errors import FormatError, UnsupportedError, UsageError, choices

if TYPE_CHECKING:
    from PIL.Image import Image

    from netsheet.network import Network

Bytes = npt.NDArray[np.uint8]

FITS = ("auto", "strokes", "stretch", "pad", "crop")
INVERTS = ("auto", "yes", "no")
GROUND = 127.5  # a brighter ground is taken for paper


@dataclass(frozen=True)
class Preparation:
    """How a picture gets the size, the channels and the polarity of its data set.

    ``fit`` is ``strokes`` (cut out of its ground and centred as MNIST), ``stretch``, ``pad`` (with
    the colour of its edge) or ``crop`` (its middle). ``invert`` is ``yes``, ``no`` or ``auto``:
    pictures of something on a bright ground are inverted. A picture that has the size is not
    fitted; it is inverted like others.
    """

    height: int
    width: int
    channels: int
    fit: str = "stretch"
    invert: str = "no"

    def __post_init__(self) -> None:
        if self.fit not in FITS[1:]:
            raise UsageError(f"there is no way to fit {self.fit!r}{choices(self.fit, FITS)}")
        if self.invert not in INVERTS:
            raise UsageError(f"--invert is auto, yes or no, not {self.invert!r}.")
        if self.fit == "strokes" and self.channels != 1:
            raise UsageError("strokes are cut out of grey pictures: give --grey.")

    @property
    def size(self) -> str:
        """Width by height, as pictures are measured."""
        return f"{self.width}x{self.height}"

    def prepared(self, path: Path) -> tuple[Bytes, str]:
        """The picture in a file as (height, width, channels), and what was done to it.

        Raises:
            FormatError: it is no picture that can be read.
            UnsupportedError: no strokes are in it, or a package is missing.
        """
        pixels, done = image_array(path, None, None, self.channels)
        made, more = self.of(pixels, str(path))
        return made, ", ".join([done, *more])

    def of(self, pixels: Bytes, where: str) -> tuple[Bytes, list[str]]:
        """The same for the pixels of a picture, (rows, columns, channels)."""
        done: list[str] = []
        if pixels.shape[:2] != (self.height, self.width):
            if self.fit == "strokes":
                return self._centred(pixels, where)
            pixels = _fitted(pixels, self)
            done.append(self._fitted)
        if self.invert == "yes" or (self.invert == "auto" and bright_ground(pixels)):
            pixels = 255 - pixels
            done.append("inverted")
        return pixels, done

    @property
    def _fitted(self) -> str:
        if self.fit == "pad":
            return f"padded to {self.size}"
        return f"its middle, in {self.size}" if self.fit == "crop" else f"stretched to {self.size}"

    def _centred(self, pixels: Bytes, where: str) -> tuple[Bytes, list[str]]:
        found = strokes_in(pixels[..., 0])
        if found is None:
            raise UnsupportedError(
                f"{where}: no strokes are seen in it; write larger and darker, or take it as it is "
                "with --fit stretch."
            )
        field = found.centred(self.height, self.width)[..., None]
        done = [f"cut to its strokes, centred in {self.size}"]
        if self.invert == "auto" or found.dark == (self.invert == "yes"):
            return field, [*done, "white on black"]
        return 255 - field, [*done, "black on white"]

    def to_json(self) -> str:
        """The text that a data set or a network keeps."""
        return json.dumps(asdict(self))


def kept_preparation(kept: object, where: str) -> Preparation:
    """What a text, or the values of one, says (:meth:`Preparation.to_json`).

    Raises:
        FormatError: it is none.
    """
    try:
        values: Any = json.loads(kept) if isinstance(kept, str) else kept
        if not isinstance(values, Mapping) or {*values} != {*Preparation.__annotations__}:
            raise ValueError("other names are expected")
        sizes = {name: values[name] for name in ("height", "width", "channels")}
        if not all(isinstance(n, int) and 0 < n <= 4096 for n in sizes.values()):
            raise ValueError(f"sizes {list(sizes.values())}")
        return Preparation(**sizes, fit=str(values["fit"]), invert=str(values["invert"]))
    except (ValueError, UsageError) as error:
        raise FormatError(
            f"{where}: what it says of the preparation of its pictures is damaged: {error}."
        ) from error


def trained_form(network: Network | None) -> Preparation | None:
    """How pictures were prepared that a network was trained with, where its file says.

    None where its only input has not that size.

    Raises:
        FormatError: what it says is damaged.
    """
    if network is None or network.preparation is None or len(network.inputs) != 1:
        return None
    form = kept_preparation(network.preparation, str(network.path))
    tensor = network.inputs[0]
    size = {"height": form.height, "width": form.width, "channel": form.channels}
    if {"height", "width"} <= set(tensor.axes):
        fits = all(size.get(axis) == n for axis, n in zip(tensor.axes, tensor.shape, strict=True))
    else:
        fits = tuple(tensor.shape) == (form.height * form.width * form.channels,)
    return form if fits else None


def resolved(wanted: Preparation, fit: str, invert: str) -> Preparation:
    """With what was found to be best in the place of ``auto``."""
    return replace(wanted, fit=fit, invert=invert)


def bright_ground(pixels: Bytes) -> bool:
    """True where a grey picture's edge is bright: something on paper."""
    if pixels.shape[-1] != 1:
        return False
    plane = pixels[..., 0]
    border = np.concatenate([plane[0], plane[-1], plane[1:-1, 0], plane[1:-1, -1]])
    return float(np.median(border)) > GROUND


def _fitted(pixels: Bytes, to: Preparation) -> Bytes:
    from PIL import Image as Pillow
    from PIL import ImageOps

    image = Pillow.fromarray(pixels[..., 0] if to.channels == 1 else pixels, MODES[to.channels])
    size, how = (to.width, to.height), Pillow.Resampling.BILINEAR
    made: Image
    if to.fit == "pad":
        edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        colour = tuple(int(part) for part in np.median(edge, axis=0))
        made = ImageOps.pad(image, size, how, color=colour if len(colour) > 1 else colour[0])
    elif to.fit == "crop":
        made = ImageOps.fit(image, size, how)
    else:
        made = image.resize(size, how)
    return np.asarray(made, np.uint8).reshape(to.height, to.width, to.channels)
