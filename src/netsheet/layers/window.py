"""Windows that slide over spatial axes: the arithmetic shared by convolution and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.equations import Affine, Guard, Index, Position, Tensor
from netsheet.errors import UnsupportedError
from netsheet.layer import Graph, Shape

Padding = str | tuple[tuple[int, int], ...]

SPATIAL = {1: ("time",), 2: ("height", "width"), 3: ("depth", "height", "width")}
KERNEL = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}


LONGEST_TABLE = 1 << 17
LARGEST_MATRIX = 1 << 22


def check_table(length: int, limit: int = LONGEST_TABLE) -> None:
    """Refuses what would be written out number by number, where there are very many."""
    if length > limit:
        raise UnsupportedError(f"a table of {length:,} numbers is not written out")


def tensor_axes(rank: int, data_format: str) -> tuple[str, ...]:
    """Axis names of a feature map with ``rank`` spatial axes."""
    spatial = SPATIAL[rank]
    return ("channel", *spatial) if data_format == "channels_first" else (*spatial, "channel")


def arranged(spatial: Sequence[int | None], channels: int | None, data_format: str) -> Shape:
    """A shape from spatial sizes and channels, in the order of ``data_format``."""
    if data_format == "channels_first":
        return (channels, *spatial)
    return (*spatial, channels)


def sizes(tensor: Tensor, rank: int, data_format: str, layer: str) -> tuple[Shape, int]:
    """Spatial sizes and number of channels of an input; ValueError if its rank is another."""
    if len(tensor.shape) != rank + 1:
        raise ValueError(
            f"layer {layer!r} takes {rank} spatial axes and channels, "
            f"but its input has the shape {tensor.shape}"
        )
    if data_format == "channels_first":
        return tuple(tensor.shape[1:]), tensor.shape[0]
    return tuple(tensor.shape[:-1]), tensor.shape[-1]


@dataclass(frozen=True)
class Window:
    """A window along one axis: taps at ``o * stride + u * dilation - before``."""

    size: int
    stride: int
    dilation: int
    before: int
    after: int
    length: int | None  # of the input
    out: int | None

    def at(self, o: Index, u: Index) -> Affine:
        """Where output ``o`` and tap ``u`` read the input."""
        return o * self.stride + u * self.dilation - self.before

    def guard(self, o: Index, u: Index) -> Guard:
        """True where that lies inside the input, and not in the padding."""
        assert self.length is not None
        return Guard(self.at(o, u), 0, self.length)


def window(
    length: int | None,
    size: int,
    stride: int,
    dilation: int,
    padding: str | tuple[int, int],
    ceil: bool = False,
) -> Window:
    """The window of one axis for Keras's or explicit padding.

    SAME: out = ceil(n / s), total padding max((out - 1) s + (k - 1) d + 1 - n, 0), the smaller
    half first (TensorFlow's rule). ``causal`` pads (k - 1) d in front.
    """
    extent = (size - 1) * dilation + 1
    if padding == "same":
        if length is None:
            return Window(size, stride, dilation, 0, 0, None, None)
        out = -(-length // stride)
        total = max((out - 1) * stride + extent - length, 0)
        return Window(size, stride, dilation, total // 2, total - total // 2, length, out)
    if padding == "valid":
        before, after = 0, 0
    elif padding == "causal":
        before, after = extent - 1, 0
    elif isinstance(padding, tuple):
        before, after = padding
    else:
        raise ValueError(f"unknown padding {padding!r}")
    if length is None:
        return Window(size, stride, dilation, before, after, None, None)
    room = length + before + after - extent
    if room < 0:
        raise ValueError(f"a window of {extent} does not fit into {length + before + after}")
    out = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (out - 1) * stride >= length + before:
        out -= 1  # the last window has to start inside the input or the padding before it
    return Window(size, stride, dilation, before, after, length, out)


def windows(
    lengths: Shape,
    size: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: Padding,
    ceil: bool = False,
) -> list[Window]:
    """One window per spatial axis."""
    paddings: list[str | tuple[int, int]] = (
        [padding] * len(size) if isinstance(padding, str) else list(padding)
    )
    return [
        window(n, k, s, d, p, ceil)
        for n, k, s, d, p in zip(lengths, size, strides, dilation, paddings, strict=True)
    ]


def onnx_pads(spans: Sequence[Window]) -> list[int]:
    """The ``pads`` attribute: all begins, then all ends."""
    return [span.before for span in spans] + [span.after for span in spans]


def as_channels_first(graph: Graph, name: str, rank: int, data_format: str) -> str:
    """``name`` (with batch axis) transposed to N, C, spatial if it is channels_last."""
    if data_format == "channels_first":
        return name
    order = [0, rank + 1, *range(1, rank + 1)]
    return str(graph.node("Transpose", [name], perm=order))


def as_stored(graph: Graph, name: str, rank: int, data_format: str) -> str:
    """The way back from N, C, spatial to the order of ``data_format``."""
    if data_format == "channels_first":
        return name
    return str(graph.node("Transpose", [name], perm=[0, *range(2, rank + 2), 1]))


def placed(rank: int, spatial: Sequence[Position], channel: Position) -> dict[str, Position]:
    """Positions by axis name for a feature map."""
    return dict(zip((*SPATIAL[rank], "channel"), (*spatial, channel), strict=True))
