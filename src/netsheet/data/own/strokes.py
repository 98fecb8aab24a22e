"""Handwriting in photographs: what is stroke and what is paper, cut out and centred as MNIST is.

MNIST's own preparation (LeCun, Cortes, Burges): the digit's size is normalised to fit a box of
20 x 20 pixels, its shape kept, with the grey levels that the smoothing of the resizing gives; the
box stands in a field of 28 x 28 so that the centre of mass of the pixels is in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]

WORK = 320  # pixels of the longer side that is looked at
GROUND = 40  # the same of the ground, which is smooth
AROUND = 17  # of the ground's pixels: a stroke is narrower than half of it
LEAST = 0.12  # a stroke is so much darker (or brighter) than its ground, as a share of it
CLEAR = 6.0  # and so many times the ground's own grain
MOST = 0.35  # a larger share of ink is a picture, not writing
SPECK = 0.04  # a part of less than this share of the largest one is dirt
BOX = 20 / 28  # MNIST's box in its field
PEN = 0.085  # of the box: as wide as MNIST's strokes are at least; thinner ones vanish when shrunk
LINES = 0.6  # printed lines are at most so strong as writing
FULL = 0.75  # of the stroke's own strength: what counts as all ink


@dataclass(frozen=True, eq=False)
class Strokes:
    """Writing on a ground: how much ink is where (0 .. 1), cut to the writing itself."""

    ink: Array
    dark: bool  # darker than its ground

    def centred(self, height: int, width: int) -> Bytes:
        """The writing, white on black, in a field of this size, as MNIST's digits stand."""
        from PIL import Image as Pillow

        box = (max(1, round(BOX * height)), max(1, round(BOX * width)))
        factor = min(box[0] / self.ink.shape[0], box[1] / self.ink.shape[1])
        size = tuple(max(1, round(side * factor)) for side in self.ink.shape)
        ink = _thickened(self.ink, PEN * min(box) / factor)
        image = Pillow.fromarray((ink * 255).round().astype(np.uint8))
        small = np.asarray(image.resize((size[1], size[0]), Pillow.Resampling.BOX), np.float64)
        small *= 255 / max(1.0, float(small.max()))
        field = np.zeros((height, width), np.uint8)
        mass = small.sum() or 1.0
        centre = [float((small.sum(1 - axis) * np.arange(size[axis])).sum() / mass)
                  for axis in (0, 1)]  # fmt: skip
        top, left = (
            min(max(round((whole - 1) / 2 - middle), 0), whole - own)
            for whole, middle, own in zip((height, width), centre, size, strict=True)
        )
        field[top : top + size[0], left : left + size[1]] = small.round().astype(np.uint8)
        return field


def strokes_in(picture: Array) -> Strokes | None:
    """The writing in a grey picture (rows and columns, 0 .. 255); None where there is none.

    The ground is evened first: a shadow darkens paper and ink by the same factor. What touches the
    picture's edge (a table's edge, a finger) and specks are left out.
    """
    level = _against_ground(picture)
    dark = float((level**3).sum()) < 0  # writing lies far from the ground, and is the smaller part
    strength = np.clip(-level if dark else level, 0, None)
    if strength.max() < LEAST:
        return None
    grain = 1.4826 * float(np.median(np.abs(level - np.median(level))))
    cut = max(_otsu(strength), LEAST / 2, CLEAR / 2 * grain)
    found = strength > cut
    if not 0 < found.mean() <= MOST:
        return None
    cut = _above_lines(strength[found], cut)
    found = strength > cut
    full = float(np.quantile(strength[found], 0.7))
    if full < max(LEAST, CLEAR * grain):
        return None
    kept = _writing(found)
    if kept is None:
        return None
    low = cut / 2
    ink = np.clip((strength - low) / max(FULL * full - low, 1e-6), 0, 1) * _grown(kept)
    rows, columns = np.nonzero(kept.any(1))[0], np.nonzero(kept.any(0))[0]
    return Strokes(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], dark)


def _above_lines(ink: Array, cut: float) -> float:
    """A higher cut where what is ink falls into two kinds: printed lines are paler than a pen."""
    if np.ptp(ink) < LEAST:
        return cut
    between = _otsu(ink)
    pale, strong = ink[ink <= between], ink[ink > between]
    if len(pale) and len(strong) and pale.mean() < LINES * strong.mean():
        return max(cut, between)
    return cut


def _against_ground(picture: Array) -> Array:
    """How far each pixel lies above (or below) the ground around it, as a share of the ground."""
    from PIL import Image as Pillow
    from PIL import ImageFilter

    image = _fitted(Pillow.fromarray(np.asarray(picture, np.uint8)), WORK)
    small = _fitted(image, GROUND)
    around = AROUND if min(small.size) > AROUND else max(3, min(small.size) // 2 * 2 - 1)
    ground = _mirrored(small, around // 2).filter(ImageFilter.MedianFilter(around))
    ground = ground.filter(ImageFilter.GaussianBlur(2)).crop(
        (around // 2, around // 2, around // 2 + small.width, around // 2 + small.height)
    )
    even = np.asarray(ground.resize(image.size, Pillow.Resampling.BICUBIC), np.float64)
    grey = np.asarray(image, np.float64)
    return np.asarray(grey / np.maximum(even, 8.0) - 1)


def _fitted(image: Image, side: int) -> Image:
    """Made smaller until no side is longer than this."""
    from PIL import Image as Pillow

    factor = side / max(image.size)
    if factor >= 1:
        return image
    size = tuple(max(1, round(one * factor)) for one in image.size)
    return image.resize((size[0], size[1]), Pillow.Resampling.BOX)


def _mirrored(image: Image, margin: int) -> Image:
    """With a mirrored margin, so that the ground at the edge is seen from both sides."""
    from PIL import Image as Pillow

    margins = [min(margin, side - 1) for side in (image.height, image.width)]
    array = np.pad(np.asarray(image), [(one, one) for one in margins], mode="reflect")
    more = [(margin - one, margin - one) for one in margins]
    return Pillow.fromarray(np.pad(array, more, mode="edge"))


def _otsu(values: Array) -> float:
    """The threshold that parts values best into two groups (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=128)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][int(np.nanargmax(between[:-1]))])


def _writing(found: Array) -> Array | None:
    """Of what is darker, the parts that are writing: none at the edge, no specks."""
    labels, areas, at_edge = _parts(found)
    inner = [n for n in range(1, len(areas)) if not at_edge[n]]
    largest = max((areas[n] for n in inner), default=0)
    touching = max((areas[n] for n in range(1, len(areas)) if at_edge[n]), default=0)
    if largest < 12 or (touching and largest < 0.02 * touching):
        # a digit that fills its picture touches the edge itself
        inner = list(range(1, len(areas))) if touching < found.size * MOST / 2 else []
        largest = max((areas[n] for n in inner), default=0)
    if largest < 12:
        return None
    chosen = [n for n in inner if areas[n] >= SPECK * largest]
    return np.isin(labels, chosen)


def _parts(mask: Array) -> tuple[Array, list[int], list[bool]]:
    """Connected parts (by sides and corners): a number for each pixel, areas, who is at the edge.

    Runs of each row are joined with those of the row above that they touch.
    """
    parent: list[int] = [0]

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    labels = np.zeros(mask.shape, np.int64)
    padded = np.pad(mask.astype(np.int8), ((0, 0), (1, 1)))
    turns = np.diff(padded, axis=1)
    for row in range(len(mask)):
        begins, ends = np.nonzero(turns[row] == 1)[0], np.nonzero(turns[row] == -1)[0]
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            above = labels[row - 1, max(0, begin - 1) : end + 1] if row else labels[0, :0]
            roots = sorted({root(int(n)) for n in above[above > 0]})
            if not roots:
                parent.append(len(parent))
                roots = [len(parent) - 1]
            for other in roots[1:]:
                parent[other] = roots[0]
            labels[row, begin:end] = roots[0]
    roots_of = np.array([root(n) for n in range(len(parent))])
    _, numbers = np.unique(roots_of, return_inverse=True)
    labels = numbers[labels]
    areas = np.bincount(labels.reshape(-1), minlength=int(numbers.max()) + 1).tolist()
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    touching = set(edge.tolist())
    return labels, areas, [n in touching for n in range(len(areas))]


def _grown(mask: Array) -> Array:
    """A mask with one pixel more on every side: the soft rim of a stroke belongs to it."""
    padded = np.pad(mask, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return np.asarray(rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:])


def _thickened(ink: Array, least: float) -> Array:
    """Strokes at least so many pixels wide: a thin pen's line would be grey dust when shrunk.

    A stroke's width is twice its area over its outline's length.
    """
    from PIL import Image as Pillow
    from PIL import ImageFilter

    mask = ink > 0.5
    inner = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    outline = int(mask.sum() - inner.sum())
    width = 2 * float(mask.sum()) / max(1, outline)
    more = int((least - width) / 2 + 0.5)
    if more < 1 or not mask.any():
        return ink
    image = Pillow.fromarray((np.pad(ink, more) * 255).round().astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.MaxFilter(2 * more + 1)), np.float64) / 255
