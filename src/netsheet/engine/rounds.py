"""Rounds over the samples: their order, their weights, and what each round gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from netsheet.engine.optimizers import Optimizer
from netsheet.engine.training import Arrays, Measured, Trainer, by_name, rows_of
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError

NOISE = 1  # tells the source of what layers draw from that of the order


@dataclass(frozen=True)
class Epoch:
    """What came of one round over the samples; ``held_out`` None without any held out."""

    number: int
    trained: Measured
    held_out: Measured | None


@dataclass(frozen=True)
class Stepped:
    """Where a round stands: step ``number`` of ``steps``, and the means of the round so far."""

    epoch: int
    number: int
    steps: int
    so_far: Measured


def epochs(
    trainer: Trainer,
    optimizer: Optimizer,
    x: Arrays,
    y: Arrays,
    *,
    held_out: tuple[Arrays, Arrays] | None = None,
    rounds: int,
    seed: int,
    sample_weights: FloatArray | None = None,
    begin: int = 0,
    stepped: Callable[[Stepped], None] | None = None,
) -> Iterator[Epoch]:
    """Train round by round; what each gave is seen before the next begins.

    The order of the samples in a round depends on the seed and the round's number alone, and what
    layers draw on the step's as well, so that a run that is resumed at round ``begin`` goes the
    same way.

    Raises:
        NetsheetError: the loss is no number any more; the step is named.
    """
    given, targets = by_name(x, trainer.network.inputs), by_name(y, trainer.network.outputs)
    count = len(next(iter(given.values())))
    counts = np.ones(count, np.float32) if sample_weights is None else sample_weights
    steps = -(-count // trainer.batch)
    for number in range(begin, rounds):
        order = np.random.default_rng((seed, number)).permutation(count)
        so_far, done = Measured(0.0, None), 0
        for step, start in enumerate(range(0, count, trainer.batch)):
            own = order[start : start + trainer.batch]
            noise = trainer.drawn(np.random.default_rng((seed, number, step, NOISE)))
            with np.errstate(over="ignore", invalid="ignore"):  # the loss says so, below
                found = trainer.step(
                    rows_of(given, own), rows_of(targets, own), counts[own], optimizer, noise
                )
            if not np.isfinite(found.loss):
                raise _diverged(found.loss, step, number, optimizer.rate)
            so_far = Measured.mean([(so_far, done), (found, len(own))]) if done else found
            done += len(own)
            if stepped is not None:
                stepped(Stepped(number + 1, step + 1, steps, so_far))
        held = trainer.measure(*held_out) if held_out else None
        # the last step has been taken, and no later one says what came of it
        sound = all(np.isfinite(weight).all() for weight in trainer.weights.values())
        if not sound or (held is not None and not np.isfinite(held.loss)):
            raise _diverged(held.loss if held else float("nan"), steps - 1, number, optimizer.rate)
        yield Epoch(number + 1, so_far, held)


def _diverged(loss: float, step: int, number: int, rate: float) -> NetsheetError:
    return NetsheetError(
        f"the loss is {loss} at step {step + 1} of epoch {number + 1}: the training diverges. "
        f"Try a smaller rate (--rate {rate / 10:g}), and look whether the inputs are scaled."
    )
