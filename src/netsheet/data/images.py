"""Pictures as arrays of the size and channels that a network takes."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.errors import FormatError, UnsupportedError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
HEIC = (".heic", ".heif")  # what telephones write; read by an optional package
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", *HEIC)
LYING = 5  # from this EXIF orientation on, rows are seen as columns
UPRIGHT = 1  # the EXIF orientation of a picture that lies in its file as it is seen
MOST_16 = 65535
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
COLOURS = {1: "grey", 3: "RGB", 4: "RGBA"}


def open_image(path: Path) -> Image:
    """The first picture in a file, upright, as grey (L), RGB or RGBA with 8 bits.

    Raises:
        FormatError: not a picture, or one whose size could exhaust the memory.
        UnsupportedError: a HEIC picture without the package that reads it.
    """
    from PIL import Image, ImageOps

    formats = (*FORMATS, *_heic(path))
    try:
        with warnings.catch_warnings():
            # Pillow warns of a decompression bomb before it refuses one: both are refusals here.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats) as image:
                image.load()
                turned = int(image.getexif().get(0x0112, UPRIGHT))
                upright = ImageOps.exif_transpose(image)
                upright.format = image.format
                made = _eight_bits(upright)
                made.info["changes"] = _changes(upright, turned)
                return made
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FormatError(f"{path}: so many pixels that it is refused: {error}.") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise FormatError(
            f"{path}: not a picture that can be read (png, jpg, bmp, gif, webp, tiff): {error}."
        ) from error


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width of the picture in a file that can be read, upright."""
    from PIL import Image

    with Image.open(path, formats=(*FORMATS, *_heic(path))) as image:
        lying = int(image.getexif().get(0x0112, UPRIGHT)) >= LYING
        return (image.width, image.height) if lying else (image.height, image.width)


def _heic(path: Path) -> tuple[str, ...]:
    """The format of such a file, once the package that reads it has been called."""
    if path.suffix.lower() not in HEIC:
        return ()
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError as error:
        raise UnsupportedError(
            f"{path}: a HEIC picture is read by an optional package: pip install pillow-heif, or "
            "save it as .png or .jpg."
        ) from error
    return ("HEIF",)


def _changes(image: Image, orientation: int) -> list[str]:
    """What was changed that Keras's ``load_img`` leaves, for a user to know."""
    changes = []
    if orientation != UPRIGHT:
        changes.append(f"turned upright (EXIF orientation {orientation}; Keras does not turn)")
    if image.mode.startswith("I"):
        low, high = int(np.asarray(image).min()), int(np.asarray(image).max())
        if _is_byte_wide(image):
            return [*changes, f"32 bits ({low} .. {high}) taken as they are"]
        cut = ", what is above as well" if high > MOST_16 else ""
        changes.append(f"16 bits ({low} .. {high}) made 8, 65535 as 255{cut} (Keras keeps them)")
    if image.mode == "F":
        values = np.asarray(image)
        span = f"{values.min():.6g} .. {values.max():.6g}"
        changes.append(f"real numbers ({span}) cut to whole ones of 0 .. 255, as Keras does")
    return changes


def _is_byte_wide(image: Image) -> bool:
    """True for integers of 32 bits that all lie in 0 .. 255: no grey of 16 bits is meant."""
    wide = np.asarray(image)
    whole = image.mode == "I" and image.format == "TIFF"  # an old Pillow opens 16 bits so, too
    return whole and bool(0 <= wide.min() <= wide.max() <= 255)


def _eight_bits(image: Image) -> Image:
    from PIL import Image as Pillow

    if _is_byte_wide(image):
        return Pillow.fromarray(np.asarray(image).astype(np.uint8))

    if image.mode.startswith("I"):  # 16 bits of grey: 65535 becomes 255
        wide = np.asarray(image).astype(np.int64)
        return Pillow.fromarray(np.clip((wide + 128) // 257, 0, 255).astype(np.uint8))
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "LA" or "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    if image.mode == "P":
        plain = image.convert("RGB")
        colours = np.asarray(plain)
        grey = (colours[..., :1] == colours).all()
        return plain.convert("L") if grey else plain
    return image.convert("RGB")


def image_array(
    path: Path, height: int | None, width: int | None, channels: int | None
) -> tuple[npt.NDArray[np.uint8], str]:
    """A picture as (height, width, channels), and what was done to it.

    None keeps the picture's own. Another size is reached by stretching (bilinear, averaging where
    it shrinks). Transparency is laid on white unless there are 4 channels.

    Raises:
        FormatError: see :func:`open_image`.
        UnsupportedError: no colours are known for that number of channels.
    """
    from PIL import Image

    image = open_image(path)
    channels = channels or len(image.getbands())
    if channels not in MODES:
        raise UnsupportedError(
            f"{path}: the network takes {channels} channels; a picture has 1 (grey), 3 (RGB) or "
            "4 (RGBA). Give the values as .npy or .npz."
        )
    done = [f"{image.width}x{image.height} {COLOURS[len(image.getbands())]}"]
    done += image.info.get("changes", [])
    if image.mode == "RGBA" and channels != 4:
        if np.asarray(image.getchannel("A")).min() < 255:
            done.append("transparency laid on white (Keras leaves it out)")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image).convert("RGB")
    if image.mode != MODES[channels]:
        image = image.convert(MODES[channels])
        done.append(f"made {COLOURS[channels]}")
    size = (width or image.width, height or image.height)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BILINEAR)
        done.append(f"resized to {size[0]}x{size[1]} (bilinear; nearest is Keras's default)")
    array: npt.NDArray[Any] = np.array(image, np.uint8)
    return array.reshape(*array.shape[:2], channels), ", ".join(done)
