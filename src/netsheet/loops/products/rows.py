"""Which sums of products the row functions can do, and how their loops lie."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

import numpy as np

from netsheet.equations import Affine, Call, Const, Expr, Guard, Index, Read
from netsheet.loops.products.recognise import ProductPattern
from netsheet.loops.products.sums import SumOfProducts, without


def by_rows(
    products: ProductPattern, fixed: Sequence[Index], whole: bool = True
) -> SumOfProducts | None:
    """The sum row by row of pixels, or None where the row functions cannot do it.

    ``whole``: rows that lie behind each other may become one.
    """
    p = products
    rows = _joined(p.rows, [p.x_at], p.guards)
    pixels = p.pixels
    if whole:
        held = {i for g in (*p.guards.values(), *p.when) for i in g.value.indices()}
        pixels = _joined(p.pixels, [p.x_at, p.y_at], held)
    p = replace(p, rows=rows, pixels=pixels)
    p.x_at, p.y_at = _addresses(products, pixels, rows)
    along = pixels[-1] if pixels else None
    outer = sorted([*p.groups, *pixels[:-1]], key=lambda index: -p.y_at.coefficient(index))
    row = rows[-1] if rows else None
    floor, ceiling, epilogue = clamps(p.epilogue)
    if len(rows) > 1:  # a value is not whole before the last call
        floor, ceiling, epilogue = -np.inf, np.inf, p.epilogue
    total = SumOfProducts(p, along, outer, row, rows[:-1], floor, ceiling, epilogue, fixed=fixed)
    if total.guard is not None and not _tested_by_rows(total, total.guard):
        return None
    around = {*outer, *fixed}
    for tap in rows:
        guard = p.guards.get(tap)
        if guard is None:
            continue
        if any(i is not tap and i not in around for i in guard.value.indices()):
            return None
        if not _never_empty(guard, tap):
            return None
    if any(i not in around for guard in p.when for i in guard.value.indices()):
        return None
    known = {*around, *p.unit, *rows, *(i for i in (along, p.tap, p.channel) if i)}
    if any(a not in known for _, a in (*p.x_at.terms, *p.y_at.terms)):
        return None
    return total


def _tested_by_rows(total: SumOfProducts, guard: Guard) -> bool:
    """True if the guard is what a row function tests, and no pixel is without taps."""
    along, tap = total.along, total.products.tap
    if along is None or tap is None or set(guard.value.indices()) != {along, tap}:
        return False
    stride, apart = guard.value.coefficient(along), guard.value.coefficient(tap)
    if stride <= 0 or total.tap_step % apart:
        return False
    if total.products.x_at.coefficient(along) != stride * (total.tap_step // apart):
        return False
    first = guard.value.const + np.arange(along.size)[:, None] * stride
    places = first + np.arange(tap.size) * apart
    return bool(((places >= guard.low) & (places < guard.high)).any(axis=1).all())


def _never_empty(guard: Guard, tap: Index) -> bool:
    """True if some tap is inside, wherever the rest of the position is."""
    apart = guard.value.coefficient(tap)
    low, high = (guard.value - tap * apart).bounds()
    if high - low > 1 << 16:
        return False
    places = np.arange(low, high + 1)[:, None] + np.arange(tap.size) * apart
    return bool(((places >= guard.low) & (places < guard.high)).any(axis=1).all())


def _joined(
    indices: Sequence[Index], places: Sequence[Affine], guards: Container[Index]
) -> list[Index]:
    """Indices, outermost first, of which the last that walk evenly through memory are one."""
    result = list(indices)
    while len(result) > 1:
        outer, inner = result[-2], result[-1]
        if (
            outer in guards
            or inner in guards
            or any(at.coefficient(outer) != at.coefficient(inner) * inner.size for at in places)
        ):
            break
        joined = Index(inner.name, outer.size * inner.size)
        places = [without(at, [outer, inner]) + joined * at.coefficient(inner) for at in places]
        result[-2:] = [joined]
    return result


def _addresses(
    p: ProductPattern, pixels: Sequence[Index], rows: Sequence[Index]
) -> tuple[Affine, Affine]:
    """The addresses in terms of the joined indices."""
    x_at, y_at = p.x_at, p.y_at
    for old, new in ((p.pixels, pixels), (p.rows, rows)):
        if len(old) == len(new):
            continue
        inner, joined = old[-1], new[-1]
        gone = list(old[len(new) - 1 :])
        x_at = without(x_at, gone) + joined * x_at.coefficient(inner)
        y_at = without(y_at, gone) + joined * y_at.coefficient(inner)
    return x_at, y_at


def clamps(epilogue: Expr | None) -> tuple[float, float, Expr | None]:
    """Limits of the values, and what is left of the epilogue."""
    limits = {"max": -np.inf, "min": np.inf}
    node, found = epilogue, []
    while isinstance(node, Call) and node.function in limits and isinstance(node.args[1], Const):
        found.append((node.function, node.args[1].value))
        node = node.args[0]
    if not found or not isinstance(node, Read) or len({name for name, _ in found}) < len(found):
        return -np.inf, np.inf, epilogue
    limits.update(found)
    if limits["max"] > limits["min"]:
        return -np.inf, np.inf, epilogue
    return float(limits["max"]), float(limits["min"]), None
