"""Layers that take several inputs."""

from __future__ import annotations

from typing import Any

from kit import ALL, BOTH, Kit, case

KINDS = ("Add", "Multiply", "Average", "Maximum", "Minimum")


@case(ALL)
def merges(k: Kit) -> Any:
    """Element by element, two and three inputs, and joined along each axis."""
    layers = k.layers
    x, y, z = (k.input(3, 2, 4, name=name) for name in "xyz")
    outputs = [getattr(layers, kind)(name=kind.lower())([x, y]) for kind in KINDS]
    outputs += [getattr(layers, kind)(name=f"{kind.lower()}_3")([x, y, z]) for kind in KINDS]
    outputs += [
        layers.Subtract(name="subtract")([x, y]),
        layers.Concatenate(name="join")([x, y, z]),
        layers.Concatenate(axis=1, name="join_1")([x, y]),
        layers.Concatenate(axis=-2, name="join_2")([x, y]),
        layers.Add(name="twice")([x, x]),
    ]
    return k.model([x, y, z], outputs)


@case(BOTH)
def broadcasts(k: Kit) -> Any:
    """Inputs of different sizes and ranks."""
    layers = k.layers
    a, b = k.input(3, 2, 4, name="a"), k.input(1, 1, 4, name="b")
    c, d = k.input(3, 2, 1, name="c"), k.input(4, name="d")
    e = k.input(2, 4, name="e")
    outputs = [getattr(layers, kind)(name=f"{kind.lower()}_ab")([a, b]) for kind in KINDS]
    outputs += [getattr(layers, kind)(name=f"{kind.lower()}_cb")([c, b]) for kind in KINDS]
    outputs += [
        layers.Subtract(name="subtract_ba")([b, a]),
        layers.Multiply(name="multiply_da")([d, a]),
        layers.Add(name="add_ad")([a, d]),
        layers.Add(name="add_ae")([a, e]),
        layers.Multiply(name="multiply_ed")([e, d]),
        layers.Maximum(name="max_all")([a, b, c]),
    ]
    return k.model([a, b, c, d, e], outputs)


@case(BOTH)
def dots(k: Kit) -> Any:
    """Dot along equal and different axes, normalized too."""
    layers = k.layers
    x, y = k.input(3, 4, name="x"), k.input(5, 4, name="y")
    u, v = k.input(4, name="u"), k.input(4, name="v")
    w = k.input(4, 3, name="w")
    outputs = [
        layers.Dot(axes=2, name="rows")([x, y]),
        layers.Dot(axes=-1, normalize=True, name="cosines")([x, y]),
        layers.Dot(axes=1, name="vectors")([u, v]),
        layers.Dot(axes=-1, normalize=True, name="cosine")([u, v]),
        layers.Dot(axes=(2, 1), name="product")([x, w]),
        layers.Dot(axes=(1, 2), name="product_t")([x, w]),
        layers.Dot(axes=(2, 1), name="vector")([x, u]),
    ]
    return k.model([x, y, u, v, w], outputs)
