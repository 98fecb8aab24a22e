"""Row functions: register tiles that fill a row of pixels, and what they are told of a layer.

A row function walks one row of pixels of a sum of products with a tile of several pixels by several
channels, whose sums stay in registers. Targets that have such functions print them by these
descriptions; others print :func:`netsheet.loops.products.plain.plain`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

WIDTH = 4  # floats of a vector
# By the pixels of a tile: a row's last pixels, if they are at least so many, cost less as one more
# tile, which computes some of its pixels for a second time, than one by one.
WORTH = {1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 6: 4, 7: 4, 8: 5}


@dataclass(frozen=True, order=True)
class RowFunction:
    """A row function: blocks of ``channels``, tiles of ``pixels``.

    ``deep``: channels of input and output are the same. ``spaced``: there is something between the
    inputs of two taps. The rest is what some row needs of it: ``dilated``, edges where taps are
    more than one position apart; ``edges``, single pixels as well; ``added``, a tensor to add;
    ``clamps``, 1 for a lower limit of the values, 2 for an upper one too; ``blocks``, more than
    one of them.
    """

    channels: int
    pixels: int
    deep: bool = False
    spaced: bool = False
    dilated: bool = False
    edges: bool = False
    added: bool = False
    clamps: int = 0
    blocks: bool = True

    @property
    def name(self) -> str:
        """The row function, without the library's name."""
        kind = "deep" if self.deep else "spaced" if self.spaced else "row"
        return f"{kind}_{self.pixels}x{self.channels}"

    @property
    def vectors(self) -> bool:
        """True if there is a form with vectors of channels."""
        return self.channels % WIDTH == 0


@dataclass(frozen=True)
class RowGeometry:
    """One row of pixels: what a row function is told of a layer. All counts are floats."""

    pixels: int
    step: int
    y_step: int
    run: int
    pitch: int
    blocks: int
    w_block: int
    taps: int
    unit: int
    tap_step: int
    left: int
    right: int
    stride: int
    before: int
    back: int
    size: int
    dilation: int
    w_row: int
    floor: float
    ceiling: float


COMMENTS = {
    "pixels": "in the row",
    "step": "input: from one pixel to the next",
    "y_step": "output: from one pixel to the next",
    "run": "inputs of one row of taps",
    "pitch": "input: from one row of taps to the next",
    "blocks": "of output channels",
    "w_block": "weights of a block",
    "taps": "in a row",
    "unit": "adjacent inputs of a tap",
    "tap_step": "input: from one tap to the next",
    "left": "pixels left .. right - 1 have all their taps inside",
    "right": "",
    "stride": "tap t of pixel p lies at p * stride + t * dilation - before, of size",
    "before": "",
    "back": "input: from the first tap of the first pixel to the row",
    "size": "",
    "dilation": "",
    "w_row": "weights of a row of taps",
    "floor": "no value is below",
    "ceiling": "no value is above",
}
_EDGES = {"left", "right", "stride", "before", "back", "size", "w_row"}


def geometry_fields(functions: Iterable[RowFunction]) -> list[str]:
    """The fields of a geometry that these row functions look at, in order."""
    functions = list(functions)
    edges, spaced = (any(getattr(f, name) for f in functions) for name in ("edges", "spaced"))
    left_out: set[str] = set()
    if not edges:
        left_out |= _EDGES
        if not spaced:
            left_out |= {"taps", "unit"}
            if not any(function.deep for function in functions):
                left_out |= {"tap_step"}
    if not any(function.dilated and function.edges for function in functions):
        left_out |= {"dilation"}
    if all(function.spaced for function in functions):
        left_out |= {"run"}
    if not any(function.blocks for function in functions):
        left_out |= {"blocks", "w_block"}
    clamps = max((function.clamps for function in functions), default=0)
    left_out |= {"floor", "ceiling"} if clamps == 0 else {"ceiling"} if clamps == 1 else set()
    return [field.name for field in fields(RowGeometry) if field.name not in left_out]
