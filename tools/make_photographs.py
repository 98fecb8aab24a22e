"""Photographs of handwritten digits, as a telephone takes them, made of digits in IDX files.

    python tools/make_photographs.py digits photos --each 10

``digits`` is a folder of images and labels as MNIST has them (that of ``netsheet demo``). Each
digit is drawn with a pen on tinted paper, somewhere and turned a little; light falls from one side,
the shadow of a hand lies over part of it, the sensor adds grain, the lens blurs, and it is saved as
JPEG. A few are boards: bright on dark. Folders are named by class.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from netsheet.data.arrays import read_idx

Array = npt.NDArray[Any]

SIZE = 480, 360  # width and height; a telephone's has more pixels and no more to see
BOARDS = 0.1  # the share of boards
ENLARGED = 10  # pixels of the drawing for one of the digit


def drawn(digit: Array) -> Image.Image:
    """A digit of 28 x 28 (white on black) as a drawing with sharp edges, white on black."""
    side = len(digit) * ENLARGED
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    soft = np.asarray(large.filter(ImageFilter.GaussianBlur(3)), np.float64) / 255
    return Image.fromarray((np.clip((soft - 0.35) / 0.3, 0, 1) * 255).astype(np.uint8))


def ink(digit: Array, random: np.random.Generator) -> Array:
    """How much ink is where on the paper, 0 .. 1."""
    width, height = SIZE
    side = int(random.uniform(0.45, 0.75) * height)
    turned = drawn(digit).rotate(random.uniform(-10, 10), Image.Resampling.BICUBIC)
    turned = turned.resize((side, side), Image.Resampling.BICUBIC)
    paper = np.zeros((height, width))
    left = int(random.uniform(0.02, 0.98) * (width - side))
    top = int(random.uniform(0.02, 0.98) * (height - side))
    paper[top : top + side, left : left + side] = np.asarray(turned, np.float64) / 255
    return paper


def light(random: np.random.Generator) -> Array:
    """How bright the paper is: a lamp at one side, and the shadow of a hand."""
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width]
    to, edge = random.uniform(0, 2 * np.pi, 2)
    slope = np.cos(to) * (x / width - 0.5) + np.sin(to) * (y / height - 0.5)
    lamp = random.uniform(0.6, 0.9) * (1 + random.uniform(0.2, 0.5) * slope)
    beyond = np.cos(edge) * (x - width / 2) + np.sin(edge) * (y - height / 2)
    beyond = beyond + random.uniform(-0.3, 0.3) * height
    shadow = 1 / (1 + np.exp(-beyond / random.uniform(8, 60)))
    return np.asarray(lamp * (1 - random.uniform(0.1, 0.45) * shadow))


def photograph(digit: Array, random: np.random.Generator) -> tuple[Image.Image, int]:
    """A picture in colours, and the quality that it is saved with."""
    board = random.random() < BOARDS
    ground, pen = (1.0, 0.98, 0.93), (0.18, 0.2, 0.35)
    if board:
        ground, pen = (0.22, 0.3, 0.26), (0.9, 0.9, 0.85)
    covered = ink(digit, random)[..., None]
    colours = np.array(ground) * (1 - covered) + np.array(pen) * covered
    seen = 255 * light(random)[..., None] * colours
    seen = seen + random.normal(0, random.uniform(2, 7), seen.shape)
    image = Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8))
    blurred = image.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 1.5)))
    return blurred, int(random.integers(60, 90))


def write_photographs(x: Array, y: Array, folder: Path, each: int, seed: int) -> None:
    """``each`` photographs of every class, in a folder for each."""
    random = np.random.default_rng(seed)
    for number in np.unique(y):
        own = folder / str(number)
        own.mkdir(parents=True, exist_ok=True)
        for count, place in enumerate(np.nonzero(y == number)[0][:each]):
            image, quality = photograph(x[place], random)
            image.save(own / f"IMG_{count:04}.jpg", quality=quality)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("digits", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    images = next(iter(sorted(given.digits.glob("*images-idx3-ubyte*"))))
    labels = images.with_name(images.name.replace("images-idx3", "labels-idx1"))
    write_photographs(read_idx(images), read_idx(labels), given.photographs, given.each, given.seed)


if __name__ == "__main__":
    main()
