"""Register tiles of whole numbers: a few pixels by a few channels, whose sums stay in registers.

A tile computes ``sums[p, c] = start[c] + sum(t, k) x[p, t, k] * w[c, t, k]`` in 32 bits. Weights
are int8 and lie in the order in which tiles read them, so that one load of four bytes holds what
two multiplications of pairs need (SMLAD and its like, where a processor has them):

- ``pairs``: ``x`` is int16, ``k`` runs through adjacent inputs; four weights are two channels of
  two inputs: c0 k0, c1 k0, c0 k1, c1 k1.
- ``deep``: ``x`` is int16, channels of input and output are the same; four weights are two
  channels at two taps: c0 t0, c0 t1, c1 t0, c1 t1.
- ``quads``: ``x`` is int8 as it lies in memory, one pixel; four weights are four inputs of one
  channel, and then those of the next; what is left of the inputs follows, channel by channel.

Odd numbers of channels, inputs or taps have zeros behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.int8]
CHANNELS = {"pairs": 2, "deep": 2, "quads": 4}


@dataclass(frozen=True, order=True)
class TileShape:
    """A tile of ``pixels``: ``taps`` times ``run`` products for each of its sums.

    ``step`` is from one pixel's inputs to the next pixel's, ``tap_step`` from one tap's to the
    next one's, in elements.
    """

    kind: str
    pixels: int
    run: int
    step: int = 0
    taps: int = 1
    tap_step: int = 0

    @property
    def channels(self) -> int:
        """Channels of a tile."""
        return CHANNELS[self.kind]

    @property
    def block(self) -> int:
        """Weights of a tile."""
        run = self.run if self.kind == "quads" else even(self.run)
        taps = even(self.taps) if self.kind == "deep" else self.taps
        return self.channels * (taps if self.kind == "deep" else taps * run)

    @property
    def reach(self) -> int:
        """Inputs that a tile reads, from the first to the last, the unused one of a pair too."""
        run = self.channels if self.kind == "deep" else even(self.run)
        run = self.run if self.kind == "quads" else run
        return (self.pixels - 1) * self.step + (self.taps - 1) * self.tap_step + run

    def packed(self, values: npt.NDArray[np.int64]) -> Bytes:
        """Weights (groups, channels, taps, run) in the order of the tiles."""
        w = _filled(values, 1, self.channels)
        groups, channels, taps, run = w.shape
        blocks = channels // self.channels
        if self.kind == "deep":
            w = _filled(w, 2, 2).reshape(groups, blocks, 2, -1, 2).transpose(0, 1, 3, 2, 4)
        elif self.kind == "pairs":
            w = _filled(w, 3, 2).reshape(groups, blocks, 2, taps, -1, 2).transpose(0, 1, 3, 4, 5, 2)
        else:
            whole = run // 4 * 4
            w = w.reshape(groups, blocks, 4, run)
            fours = w[..., :whole].reshape(groups, blocks, 4, -1, 4).transpose(0, 1, 3, 2, 4)
            rest = w[..., whole:].transpose(0, 1, 3, 2)
            w = np.concatenate(
                [fours.reshape(groups, blocks, -1), rest.reshape(groups, blocks, -1)], axis=2
            )
        return np.ascontiguousarray(w, np.int8).reshape(groups, -1)

    def starts(self, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """What the sums (groups, channels) begin with, for the channels of all tiles."""
        return _filled(values, 1, self.channels).astype(np.int32)


def even(number: int) -> int:
    """The number, or the next one if it is odd."""
    return number + number % 2


def _filled(values: npt.NDArray[np.int64], axis: int, size: int) -> npt.NDArray[np.int64]:
    """The values with zeros behind them, so that an axis is a multiple of ``size``."""
    rest = -values.shape[axis] % size
    return np.pad(values, [(0, rest if n == axis else 0) for n in range(values.ndim)])
