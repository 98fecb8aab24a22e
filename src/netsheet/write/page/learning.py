"""A page that learns: what a drawing should give, and a step of gradient descent as functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netsheet.engine.lesson import Lesson, asked_for, by_what, lesson
from netsheet.equations import Equation, Tensor
from netsheet.errors import UsageError
from netsheet.network import Network


@dataclass(frozen=True)
class PageLearning:
    """How a page learns: plain gradient descent, a sample at a time.

    Args:
        loss: one of :data:`netsheet.gradient.LOSSES`; None: that of the network's file.
        rate: to begin with; it stands in a field of the page.
    """

    loss: str | None = None
    rate: float = 0.01

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise UsageError(f"--rate must be more than 0, not {self.rate}.")


def page_lesson(
    network: Network, forward: Sequence[Equation], learning: PageLearning
) -> tuple[Lesson, str]:
    """One step of gradient descent on a network's equations, and what is asked for.

    Raises:
        UsageError: there is no such loss, or the file names none.
        UnsupportedError: the network has several outputs, computes in whole numbers, or nothing in
            it can learn.
    """
    asked = asked_for(network, forward)
    return lesson(network, forward, learning.loss, 1, by_what(asked)), asked


def learning_equations(found: Lesson, forward: Sequence[Equation]) -> list[Equation]:
    """Those of a step that the network does not compute anyway: loss, adjoints, new weights."""
    own = {eq.target for eq in forward}
    return [eq for eq in found.descent.steps[0].equations if eq.target not in own]


def learning_data(
    found: Lesson, asked: str, rate: float, numbers: Mapping[Tensor, int]
) -> dict[str, Any]:
    """What the page's code needs to know: where the given numbers and the new weights lie."""
    return {
        "asked": asked,
        "lossName": found.loss_name,
        "initial": rate,
        "rate": numbers[found.descent.rate],
        "label": None if found.label is None else numbers[found.label],
        "target": numbers[found.target],
        "loss": numbers[found.loss],
        "made": [[-1 - numbers[w], numbers[new]] for w, new in found.descent.new.items()],
        "leftOut": found.left_out,
    }
