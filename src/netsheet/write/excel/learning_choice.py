"""How a workbook is to learn, and what has to be known for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import Equation, FloatArray
from netsheet.errors import NetsheetError, UnsupportedError, UsageError
from netsheet.network import Network

if TYPE_CHECKING:
    from netsheet.engine.lesson import Lesson

MOST_CELLS = 8_000_000


@dataclass(frozen=True)
class Learning:
    """How a workbook learns.

    Args:
        loss: one of :data:`netsheet.gradient.LOSSES`; None: that of the network's file.
        rate: to begin with; it stands in a cell.
        steps: of gradient descent, one after the other.
        own_input: the network should give its own input (an autoencoder).
        target: what it should give, of the output's shape; without it, and without ``own_input``,
            the class (or, of a single output, the number) that each sample is labelled with.
    """

    loss: str | None = None
    rate: float = 0.1
    steps: int = 1
    own_input: bool = False
    target: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"--steps must be at least 1, not {self.steps}.")
        if not 0 < self.rate < math.inf:
            raise UsageError(f"--rate must be a number more than 0, not {self.rate}.")

    def check(self, network: Network, samples: Sequence[Sample]) -> None:
        """Refuses what cannot be learnt from, with what to say instead.

        Raises:
            UsageError: a sample has no label, or one that does not fit the output.
            UnsupportedError: the network keeps states, or has several outputs.
        """
        if network.state_names:
            raise UnsupportedError(
                f"{network.name} keeps states from run to run: a workbook that learns takes "
                "networks without them."
            )
        if len(network.outputs) != 1:
            raise UnsupportedError(
                f"{network.name} has {len(network.outputs)} outputs: a workbook that learns takes "
                "networks with one (--until names the layer to end with)."
            )
        (output,) = network.outputs
        if self.own_input:
            if len(network.inputs) != 1 or network.inputs[0].shape != output.shape:
                raise UsageError(
                    f"--own-input: the output has the shape {output.shape}, which is not that of "
                    "the one input."
                )
            return
        if self.target is not None:
            self._check_target(output.shape, samples)
            self._check_range(
                network, "--target", float(self.target.min()), float(self.target.max())
            )
            return
        if len(output.shape) != 1:
            raise UsageError(
                f"the output has the shape {output.shape}: name a file with what it should be, "
                "--target y.npy, or give --own-input for an autoencoder."
            )
        for sample in samples:
            _check_label(sample, output.shape[0])
            if output.shape == (1,):
                label = float(sample.label or 0)
                self._check_range(network, sample.name, label, label)

    def _check_range(self, network: Network, name: str, low: float, high: float) -> None:
        from netsheet.engine.goals import goal_named
        from netsheet.engine.gradients import stored_loss

        goal = goal_named(stored_loss(network) if self.loss is None else self.loss)
        if goal.of_probabilities and not 0 <= low <= high <= 1:
            raise UsageError(
                f"{name}: {goal.loss} compares with probabilities, 0 to 1, not with "
                f"{low if low < 0 else high:g}; correct it, or say another --loss."
            )

    def _check_target(self, shape: tuple[int, ...], samples: Sequence[Sample]) -> None:
        assert self.target is not None
        if self.target.shape != shape:
            raise UsageError(f"--target has the shape {self.target.shape}, but the output {shape}.")
        if not np.isfinite(self.target).all():
            raise UsageError("--target has values that are no numbers (nan or inf).")
        if len(samples) > 1:
            raise UsageError("--target belongs to one input; give one.")

    def lesson(self, network: Network, forward: Sequence[Equation]) -> Lesson:
        """The equations of the network's loss and of all steps.

        Raises:
            NetsheetError: so many steps would not fit into a workbook.
        """
        from netsheet.engine.lesson import GIVEN, LABEL, OWN_INPUT, lesson

        by = OWN_INPUT if self.own_input else LABEL if self.target is None else GIVEN
        first = lesson(network, forward, self.loss, 1, by)
        size = sum(eq.target.size for eq in first.descent.steps[0].equations)
        whole = size * self.steps + sum(eq.target.size for eq in first.equations) - size
        if whole > MOST_CELLS:
            fitting = int((MOST_CELLS - (whole - size * self.steps)) // size)
            advice = f"at most --steps {fitting} fit." if fitting > 0 else "take a smaller network."
            raise NetsheetError(
                f"{self.steps} steps of {size:,} cells each would be {whole:,} cells with what "
                f"belongs to them; {MOST_CELLS:,} open in practice: {advice}"
            )
        return first if self.steps == 1 else lesson(network, forward, self.loss, self.steps, by)


def _check_label(sample: Sample, size: int) -> None:
    if sample.label is None:
        raise UsageError(
            f"{sample.name}: it is not known what the network should give for it; say --true-class "
            "5, or --target y.npy with its values, or take samples with labels (--data)."
        )
    if size > 1 and not 0 <= sample.label < size:
        raise UsageError(
            f"{sample.name}: the class {sample.label} is none of the {size} classes, 0 to "
            f"{size - 1}."
        )
