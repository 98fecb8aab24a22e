"""Reading a feature map at computed, fractional positions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from netsheet.equations import (
    Equation,
    Expr,
    Gather,
    Index,
    Number,
    Position,
    Tensor,
    Value,
    affine,
    call,
    equation,
)
from netsheet.errors import UnsupportedError
from netsheet.operators.base import Formula, OnnxNode, indices, pointwise

CUBIC = -0.75


def _reflected(x: Expr, low: float, high: float) -> Expr:
    """``x`` turned back at both borders as often as it takes."""
    room = high - low
    if room == 0:
        return x * 0 + low
    turned = call("mod", x - low, 2 * room)
    return call("if", call("less", turned, room), turned, 2 * room - turned) + low


def _held(x: Expr, low: float, high: float) -> Expr:
    return call("max", low, call("min", x, high))


def _cubic_weights(r: Expr) -> list[Expr]:
    """Weights of the four neighbours at distance r + 1, r, 1 - r, 2 - r (Keys' kernel)."""

    def far(x: Expr) -> Expr:
        return ((x - 5) * x + 8) * x * CUBIC - 4 * CUBIC

    def near(x: Expr) -> Expr:
        return ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1

    return [far(r + 1), near(r), near(1 - r), far(2 - r)]


def grid_sample(node: OnnxNode) -> Formula:
    """The input at the positions that a grid of (-1 .. 1) coordinates says."""
    x, grid = node.input(0), node.input(1)
    sizes, rank = x.shape[2:], len(x.shape) - 2
    corners = bool(node.attr("align_corners", 0))
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(
        node.attr("mode", "linear"), node.attr("mode", "linear")
    )
    if mode not in ("nearest", "linear", "cubic"):
        raise UnsupportedError(f"GridSample with the mode {mode!r} is not computed")
    padding = node.attr("padding_mode", "zeros")
    shape = (*x.shape[:2], *grid.shape[1:-1])

    def write(outputs: Sequence[Tensor]) -> list[Equation]:
        y = outputs[0]
        place = y.step("place", grid.axes, grid.shape)
        at = indices(grid.shape)
        result = []
        for axis, size in enumerate(sizes):
            # the grid counts the axes from the last one
            source = grid[(*at[:-1], rank - 1 - axis)]
            target = place[(*at[:-1], axis)]
            result.append(equation(target, _place(source, size, corners, mode, padding)))
        to = indices(shape)

        def coordinate(axis: int) -> Expr:
            return place[(to[0], *to[2:], axis)]

        total: Value = 0
        for corner in itertools.product(*[_neighbours(mode, coordinate(n)) for n in range(rank)]):
            total = _read(x, (to[0], to[1]), corner, corners, padding) + total
        result.append(equation(y[to], total))
        return result

    return Formula([shape], [node.dtype()], write)


def _place(x: Expr, size: int, corners: bool, mode: str, padding: str) -> Expr:
    """The coordinate in elements; beyond the border as the padding says."""
    place = (x + 1) / 2 * (size - 1) if corners else ((x + 1) * size - 1) / 2
    place = call("round", place) if mode == "nearest" else place
    if padding == "border":
        return _held(place, 0, size - 1)
    if padding == "reflection":
        low, high = (0.0, size - 1.0) if corners else (-0.5, size - 0.5)
        return _reflected(place, low, high)
    return place


def _neighbours(mode: str, place: Expr) -> list[tuple[Expr, Expr | None]]:
    """The elements around a place along one axis, each with its weight."""
    if mode == "nearest":
        return [(place, None)]
    floor = call("floor", place)
    rest = place - floor
    if mode == "linear":
        return [(floor, 1 - rest), (floor + 1, rest)]
    return [(floor + (n - 1), weight) for n, weight in enumerate(_cubic_weights(rest))]


def _read(
    x: Tensor,
    lead: Sequence[Position],
    corner: Sequence[tuple[Expr, Expr | None]],
    corners: bool,
    padding: str,
) -> Expr:
    """One neighbour, weighted."""
    places: list[Position] = list(lead)
    inside: Expr | None = None
    weight: Expr | None = None
    for (place, factor), size in zip(corner, x.shape[2:], strict=True):
        if padding == "reflection":
            low, high = (0.0, size - 1.0) if corners else (-0.5, size - 0.5)
            place = _reflected(place, low, high)
        held = _held(place, 0, size - 1)
        if padding == "zeros":
            here = call("equal", held, place)
            inside = here if inside is None else call("and", inside, here)
        places.append(affine(Gather(held, size)))
        if factor is not None:
            weight = factor if weight is None else weight * factor
    value: Expr = x[tuple(places)]
    value = value if weight is None else value * weight
    return value if inside is None else call("if", inside, value, 0)


def affine_grid(node: OnnxNode) -> Formula:
    """The grid that an affine map of the output's positions makes."""
    theta, size = node.input(0), node.integers(1)
    spatial = size[2:]
    rank = len(spatial)
    corners = bool(node.attr("align_corners", 0))

    def coordinate(index: Index) -> Expr:
        if corners:
            return Number(affine(index)) * (2 / max(index.size - 1, 1)) - 1
        return Number(affine(index)) * (2 / index.size) + (1 / index.size - 1)

    def element(at: tuple[Index, ...]) -> Expr:
        n, row = at[0], at[-1]
        total: Expr = theta[n, row, rank]
        for column in range(rank):
            # the first coordinate runs along the last axis
            total = total + theta[n, row, column] * coordinate(at[rank - column])
        return total

    return pointwise((size[0], *spatial, rank), node.dtype(), element)


ROWS: dict[str, Any] = {"GridSample": grid_sample, "AffineGrid": affine_grid}
