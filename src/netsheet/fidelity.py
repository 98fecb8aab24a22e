"""What a verification found: one row per layer, and whether all of it is within the bound.

The bound is the same for every target: ``max|y' - y| <= 1e-5 * max(1, max|y|)``.
A verdict has one of four outcomes, each with an exit code of its own:

- ``ok`` (0): every layer is within the bound.
- ``wrong`` (1): a layer is not, or is missing.
- ``rounding`` (3): a layer is not, but no further off than float32 itself is from doubles there.
- ``part`` (4): every layer that was compared is, but there are layers that nothing computes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BOUND = 1e-5
# How many times as far off as float32 itself a target may be: another order of summation, and
# functions that are right to two or three units in the last place (C's tanh), where a recurrence
# makes each unit grow. A fault is off by orders of magnitude more.
ROUNDING = 8.0

EXIT_CODES = {"ok": 0, "wrong": 1, "rounding": 3, "part": 4}


@dataclass(frozen=True)
class LayerVerdict:
    """One layer: how many values were compared and how far off the worst one is.

    ``max_abs`` is the largest deviation, ``max_rel`` the same divided by the layer's largest
    reference value; both are infinite where nothing could be compared. ``rounding``: it is not
    within the bound, but float32 itself is about as far off.
    """

    layer: str
    cells: int
    max_abs: float
    max_rel: float
    ok: bool
    note: str = ""
    rounding: bool = False

    @property
    def outcome(self) -> str:
        """``ok``, ``wrong`` or ``rounding``."""
        if self.ok:
            return "ok"
        return "rounding" if self.rounding else "wrong"

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and strings; an infinite deviation becomes None."""
        return {
            "layer": self.layer,
            "cells": self.cells,
            "max_abs": _finite(self.max_abs),
            "max_rel": _finite(self.max_rel),
            "ok": self.ok,
            "outcome": self.outcome,
            "note": self.note,
        }


@dataclass(frozen=True)
class Verdict:
    """The outcome of comparing an artefact, recomputed by ``engine``, with ``reference``.

    ``unverified`` says of layers that nothing computes why, one sentence for each reason.
    """

    target: str
    engine: str
    reference: str
    layers: list[LayerVerdict]
    notes: tuple[str, ...] = ()  # what else was measured on the way
    unverified: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True if there are layers and every one is within the bound."""
        return bool(self.layers) and all(layer.ok for layer in self.layers)

    @property
    def outcome(self) -> str:
        """``ok``, ``wrong``, ``rounding`` or ``part``."""
        outcomes = {layer.outcome for layer in self.layers}
        if not outcomes or "wrong" in outcomes:
            return "wrong"
        if "rounding" in outcomes:
            return "rounding"
        return "part" if self.unverified else "ok"

    @property
    def exit_code(self) -> int:
        """The exit code of the command line for this outcome."""
        return EXIT_CODES[self.outcome]

    @property
    def first_failure(self) -> LayerVerdict | None:
        """The first layer, in order of execution, that is missing or out of bounds."""
        return next((layer for layer in self.layers if not layer.ok), None)

    def _repr_html_(self) -> str:
        from netsheet.tables import html_table

        rows = [
            (one.layer, f"{one.cells:,}", f"{one.max_abs:.2e}", f"{one.max_rel:.2e}",
             f"{one.outcome} {one.note}".strip())
            for one in self.layers
        ]  # fmt: skip
        columns = [("layer", "left"), ("values", "right"), ("max deviation", "right"),
                   ("relative", "right"), ("verdict", "left")]  # fmt: skip
        good = sum(one.ok for one in self.layers)
        foot = [f"{good} of {len(self.layers)} layers agree.", *self.unverified, *self.notes]
        head = f"{self.target} by {self.engine}, against {self.reference}"
        return html_table(columns, rows, head, " ".join(foot))

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain dictionaries and lists."""
        return {
            "target": self.target,
            "engine": self.engine,
            "reference": self.reference,
            "layers": [layer.to_json() for layer in self.layers],
            "notes": list(self.notes),
            "unverified": list(self.unverified),
            "ok": self.ok,
            "outcome": self.outcome,
        }


def judge(
    layer: str, got: npt.ArrayLike | None, reference: npt.ArrayLike, note: str = ""
) -> LayerVerdict:
    """Compare a layer's recomputed values with the reference of the same shape.

    ``got`` is None where the artefact has no such layer. A NaN or an infinity counts as equal only
    to the same value in the same place.
    """
    expected = np.asarray(reference, float)
    if got is None:
        return LayerVerdict(layer, 0, math.inf, math.inf, False, note or "missing")
    actual = np.asarray(got, float)
    if actual.shape != expected.shape:
        note = f"has the shape {actual.shape}, not {expected.shape}"
        return LayerVerdict(layer, actual.size, math.inf, math.inf, False, note)
    if expected.size == 0:
        return LayerVerdict(layer, 0, 0.0, 0.0, True, note)
    finite = np.isfinite(expected)
    same = np.array_equal(actual[~finite], expected[~finite], equal_nan=True)
    if not same or not np.isfinite(actual[finite]).all():
        note = note or "values that are no numbers"
        return LayerVerdict(layer, actual.size, math.inf, math.inf, False, note)
    worst = float(np.abs(actual[finite] - expected[finite]).max(initial=0.0))
    largest = float(np.abs(expected[finite]).max(initial=0.0))
    relative = worst / largest if largest else worst
    return LayerVerdict(
        layer, actual.size, worst, relative, worst <= BOUND * max(1.0, largest), note
    )


def worst(layer: str, verdicts: list[LayerVerdict]) -> LayerVerdict:
    """One row for a layer that was judged several times (once per sample)."""
    cells = sum(verdict.cells for verdict in verdicts)
    note = next((verdict.note for verdict in verdicts if verdict.note), "")
    return LayerVerdict(
        layer,
        cells,
        max(verdict.max_abs for verdict in verdicts),
        max(verdict.max_rel for verdict in verdicts),
        all(verdict.ok for verdict in verdicts),
        note,
        all(verdict.ok or verdict.rounding for verdict in verdicts),
    )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
