"""Operators that move blocks of pixels into channels, and channels into pixels."""

from __future__ import annotations

from typing import Any

from netsheet.equations import Expr, Index
from netsheet.operators.base import Formula, OnnxNode, pointwise


def depth_to_space(node: OnnxNode) -> Formula:
    """Blocks of channels become blocks of pixels."""
    x, block = node.input(0), int(node.attr("blocksize"))
    count, channels, height, width = x.shape
    kept = channels // block**2

    def element(at: tuple[Index, ...]) -> Expr:
        n, c, y, z = at
        inside = y % block * block + z % block
        by_depth = node.attr("mode", "DCR") == "DCR"
        source = inside * kept + c if by_depth else c * block**2 + inside
        return x[n, source, y // block, z // block]

    return pointwise((count, kept, height * block, width * block), node.dtype(), element)


def space_to_depth(node: OnnxNode) -> Formula:
    """Blocks of pixels become blocks of channels."""
    x, block = node.input(0), int(node.attr("blocksize"))
    count, channels, height, width = x.shape

    def element(at: tuple[Index, ...]) -> Expr:
        n, c, y, z = at
        by_depth = node.attr("mode", "DCR") == "DCR"
        inside = c // channels if by_depth else c % block**2
        channel = c % channels if by_depth else c // block**2
        return x[n, channel, y * block + inside // block, z * block + inside % block]

    shape = (count, channels * block**2, height // block, width // block)
    return pointwise(shape, node.dtype(), element)


ROWS: dict[str, Any] = {
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
}
