"""Row functions: which there are, and what they are told of a layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from netsheet.write.c.names import number

WIDTH = 4  # floats of a vector
# So many pixels are dearer one by one than in a tile that repeats others.
WORTH = {1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 6: 4, 7: 4, 8: 5}


@dataclass(frozen=True, order=True)
class Kernel:
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

    @property
    def parameters(self) -> str:
        """Of the row function and of its tiles, behind the input."""
        added = ", const float *added" if self.added else ""
        return f"const float *w, const float *bias, float *y{added}"

    def arguments(self, w: str, bias: str, y: str, added: str | None) -> str:
        """For :attr:`parameters`."""
        return f"{w}, {bias}, {y}" + (f", {added or '0'}" if self.added else "")


@dataclass(frozen=True)
class Row:
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


def row_fields(kernels: Iterable[Kernel]) -> list[str]:
    """The fields of :class:`Row` that these row functions look at, in order."""
    kernels = list(kernels)
    edges, spaced = (any(getattr(k, name) for k in kernels) for name in ("edges", "spaced"))
    left_out: set[str] = set()
    if not edges:
        left_out |= _EDGES
        if not spaced:
            left_out |= {"taps", "unit"}
            if not any(kernel.deep for kernel in kernels):
                left_out |= {"tap_step"}
    if not any(kernel.dilated and kernel.edges for kernel in kernels):
        left_out |= {"dilation"}
    if all(kernel.spaced for kernel in kernels):
        left_out |= {"run"}
    if not any(kernel.blocks for kernel in kernels):
        left_out |= {"blocks", "w_block"}
    clamps = max((kernel.clamps for kernel in kernels), default=0)
    left_out |= {"floor", "ceiling"} if clamps == 0 else {"ceiling"} if clamps == 1 else set()
    return [field.name for field in fields(Row) if field.name not in left_out]


def rows_text(rows: Mapping[Row, str], kernels: Iterable[Kernel], library: str) -> str:
    """The constants that describe each layer's rows."""
    names = row_fields(kernels)
    lines = []
    for row, name in rows.items():
        values = []
        for field in names:
            value = getattr(row, field)
            text = number(value) if isinstance(value, float) else str(value)
            values.append(f".{field} = {text}")
        inner = "".join(f"    {', '.join(values[n : n + 6])},\n" for n in range(0, len(values), 6))
        lines.append(f"static const struct {library}_row {name} = {{\n{inner}}};\n")
    return "\n".join(lines)
