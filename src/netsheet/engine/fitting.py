"""A whole training: rounds over the samples, the best weights kept, to be gone on with later."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from netsheet.engine.checkpoint import NETWORK, SAMPLES, Checkpoint, fingerprint
from netsheet.engine.goals import FROM_LOGITS
from netsheet.engine.optimizers import OPTIMIZERS, Optimizer, Weights
from netsheet.engine.rounds import Epoch, Stepped, epochs
from netsheet.engine.table_rows import check_table_rows
from netsheet.engine.training import Arrays, Measured, Trainer, by_name, rows_of
from netsheet.equations import FloatArray
from netsheet.errors import InputWarning, NetsheetError, UsageError
from netsheet.gradient import LOSSES

# How far, as a share, a loss may lie above that of the start before it counts as a rise: held-out
# samples are the same ones but may be few, the first step's are one batch alone.
ROOM_HELD_OUT, ROOM_BATCH = 0.1, 0.5
ROOM_SHARES = 1e-3  # how far a probability may lie outside 0 .. 1, by rounding


@dataclass(frozen=True)
class Plan:
    """How to train.

    ``validation`` is the share of the samples that is held out; ``patience`` ends the training
    after so many epochs without a better loss (0: never).
    """

    epochs: int = 10
    batch: int = 32
    rate: float = 1e-3
    optimizer: str = "adam"
    validation: float = 0.1
    patience: int = 0
    seed: int = 0
    balanced: bool = False  # every class counts alike, however many samples it has

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch", 1), ("patience", 0)):
            if getattr(self, name) < low:
                raise UsageError(f"--{name} must be at least {low}, not {getattr(self, name)}.")
        if not 0 < self.rate < math.inf:
            raise UsageError(f"--rate must be a number more than 0, not {self.rate}.")
        if self.seed < 0:
            raise UsageError(f"--seed must be 0 or more, not {self.seed}.")
        if not 0 <= self.validation < 1:
            raise UsageError(f"--validation is a share from 0 to below 1, not {self.validation}.")
        if self.optimizer not in OPTIMIZERS:
            raise UsageError(
                f"there is no optimizer {self.optimizer!r}; optimizers are {', '.join(OPTIMIZERS)}."
            )


@dataclass
class Fit:
    """Where a training stands: every epoch so far, and the best weights."""

    plan: Plan
    history: list[Epoch] = field(default_factory=list)
    best: Weights = field(default_factory=dict)
    best_epoch: int = 0
    start: float = math.nan  # the loss before anything was learnt; nan where it is not known
    resumed_at: int = 0  # so many epochs are of runs before this one

    @property
    def best_loss(self) -> float:
        """The smallest held-out loss (without held-out samples: of the training)."""
        return min((_judged(epoch).loss for epoch in self.history), default=float("inf"))

    def take(self, epoch: Epoch, weights: Mapping[str, FloatArray]) -> None:
        """One epoch more, and what the weights are after it, kept if they are the best so far."""
        if _judged(epoch).loss < self.best_loss or not self.history:
            self.best = {name: array.copy() for name, array in weights.items()}
            self.best_epoch = epoch.number
        self.history.append(epoch)

    @property
    def patience_ended(self) -> bool:
        """Whether no better loss came for as many epochs as the plan waits."""
        waited = len(self.history) - self.best_epoch
        return 0 < self.plan.patience <= waited

    def warn_if_worse(self) -> None:
        """Warns where the loss of every epoch is above that of the start: too great a rate."""
        if not self.history:
            return
        held = self.history[0].held_out is not None
        room = ROOM_HELD_OUT if held else ROOM_BATCH
        if not self.best_loss > self.start + room * abs(self.start):
            return
        where = "on held-out samples" if held else "in its first step"
        warnings.warn(
            InputWarning(
                f"no epoch made the network better: the loss {where} was {self.start:.4g} before, "
                f"and is {self.best_loss:.4g} at best. Try a smaller rate (--rate "
                f"{self.plan.rate / 10:g}), and look whether the inputs are scaled and the labels "
                "are right."
            ),
            stacklevel=3,
        )


def fit(
    trainer: Trainer,
    x: Arrays,
    y: Arrays,
    plan: Plan,
    *,
    sample_weights: FloatArray | None = None,
    seen: Callable[[Epoch], None] = lambda epoch: None,
    stepped: Callable[[Stepped], None] | None = None,
    state: Path | None = None,
    resume: bool = False,
    options: Mapping[str, str] | None = None,
) -> Fit:
    """Train as planned; an interruption ends it with what there is.

    Args:
        x, y: all samples and their targets; which are held out depends on the plan's seed.
        sample_weights: how much each sample counts in the loss.
        seen: is told of each epoch, stepped of each step in it.
        state: after each epoch everything that is needed to go on is kept there.
        resume: go on from there. The result is that of a run without interruption.
        options: what else the result hangs on, by the name of its option; a training that began
            with others is not gone on with.

    Raises:
        NetsheetError: the loss is no number any more, or there are too few samples.
        UsageError: ``resume``, but that training was another one.
    """
    given, targets = by_name(x, trainer.network.inputs), by_name(y, trainer.network.outputs)
    count = len(next(iter(given.values())))
    order = np.random.default_rng(plan.seed).permutation(count)
    held = round(count * plan.validation)
    if count - held < 1:
        raise NetsheetError(f"there are {count} samples: too few to train with.")
    own, apart = order[held:], order[:held]
    optimizer = OPTIMIZERS[plan.optimizer](plan.rate)
    found = Fit(plan)
    counts = np.ones(count, np.float32) if sample_weights is None else sample_weights
    _check(trainer, given, targets, counts)
    conditions = _conditions(trainer, plan, {**given, **targets, "": counts}) if state else {}
    conditions |= options or {}
    if resume and state is not None:
        _go_on(Checkpoint.read(state), conditions, trainer, optimizer, found)
    counts = np.asarray(counts[own], np.float32)
    if plan.balanced:
        counts = counts * class_weights(trainer, rows_of(targets, own))
    held_out = (rows_of(given, apart), rows_of(targets, apart)) if held else None
    _warn_of_logits(trainer, given, targets)
    if held_out is not None and not found.history:
        found.start = trainer.measure(*held_out).loss

    def step_seen(now: Stepped) -> None:
        if now.epoch == now.number == 1 and held_out is None:
            found.start = now.so_far.loss
        if stepped is not None:
            stepped(now)

    last = found.resumed_at if found.patience_ended else plan.epochs
    rounds = epochs(
        trainer, optimizer, rows_of(given, own), rows_of(targets, own),
        held_out=held_out, rounds=last, seed=plan.seed, sample_weights=counts,
        begin=found.resumed_at, stepped=step_seen,
    )  # fmt: skip
    try:
        for epoch in rounds:
            found.take(epoch, trainer.weights)
            if state is not None:
                _standing(found, conditions, trainer, optimizer).write(state)
            seen(epoch)
            if found.patience_ended:
                break
    except KeyboardInterrupt:
        if not found.history:
            raise
    found.warn_if_worse()
    return found


def _judged(epoch: Epoch) -> Measured:
    return epoch.held_out or epoch.trained


def _check(
    trainer: Trainer,
    given: Mapping[str, FloatArray],
    targets: Mapping[str, FloatArray],
    counts: FloatArray,
) -> None:
    """NetsheetError where samples, targets or weights of samples are none to learn from."""
    _check_numbers({**given, **targets})
    check_table_rows(trainer.network, given)
    _check_probabilities(trainer, targets)
    _check_counts(np.asarray(counts))


def _check_numbers(samples: Mapping[str, FloatArray]) -> None:
    for name, array in samples.items():
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            value = array[tuple(bad[0])]
            raise NetsheetError(
                f"sample {bad[0][0]} has {value} for {name!r}, as have {len(np.unique(bad[:, 0]))} "
                f"of {len(array)} samples: nothing can be learnt from what is no number. Leave "
                "them out, or put a number in its place."
            )


def _check_counts(counts: FloatArray) -> None:
    bad = np.flatnonzero(~((counts >= 0) & (counts < math.inf)))
    if len(bad):
        raise NetsheetError(
            f"the weight of sample {bad[0]} is {counts[bad[0]]:g}: give 0 or more to each."
        )
    if not counts.any():
        raise NetsheetError("the weights of all samples are 0: nothing can be learnt from them.")


def _warn_of_logits(
    trainer: Trainer, given: Mapping[str, FloatArray], targets: Mapping[str, FloatArray]
) -> None:
    """Warns where a crossentropy of probabilities is given what are none."""
    few = slice(0, trainer.batch)
    outputs = trainer.predicted(rows_of(given, few), rows_of(targets, few))
    for goal, (name, output) in zip(trainer.goals, outputs.items(), strict=True):
        low, high = float(output.min()), float(output.max())
        behind = f"{goal.loss}{FROM_LOGITS}"
        if behind in LOSSES and not (low >= -ROOM_SHARES and high <= 1 + ROOM_SHARES):
            warnings.warn(
                InputWarning(
                    f"{name} runs from {low:.4g} to {high:.4g}, but {goal.loss} takes "
                    "probabilities, 0 to 1, and cuts off the rest: the network ends without a "
                    f"softmax or sigmoid. --loss {behind} is made for that."
                ),
                stacklevel=3,
            )


def _check_probabilities(trainer: Trainer, targets: Mapping[str, FloatArray]) -> None:
    for goal, y in zip(trainer.goals, targets.values(), strict=True):
        if goal.of_probabilities and not (y.min() >= 0 and y.max() <= 1):
            raise NetsheetError(
                f"targets run from {y.min():g} to {y.max():g}, but {goal.loss} compares with "
                "probabilities, 0 to 1; correct the labels, or say another --loss."
            )


def class_weights(trainer: Trainer, targets: Mapping[str, FloatArray]) -> FloatArray:
    """For each sample the reciprocal of its class's share; over the samples the mean is 1.

    Raises:
        UsageError: there are several outputs, or one whose targets are no classes.
    """
    y = next(iter(targets.values()))
    if len(targets) > 1 or y.ndim != 2 or not np.isin(y, (0, 1)).all():
        raise UsageError("--balanced needs one output whose targets are classes.")
    classes = y.argmax(-1) if y.shape[-1] > 1 else y[:, 0].astype(int)
    counts = np.bincount(classes, minlength=2)
    weights = len(classes) / ((counts > 0).sum() * np.maximum(counts, 1))
    return np.asarray(weights[classes], np.float32)


def _conditions(
    trainer: Trainer, plan: Plan, samples: Mapping[str, FloatArray]
) -> dict[str, object]:
    """What the result of a training hangs on, beside how long it lasts."""
    own = asdict(plan)
    layers = trainer.network.layers.items()
    weights = {
        f"{key}/{label}": weight.values
        for key, layer in layers for label, weight in layer.weights.items()
    }  # fmt: skip
    return {
        **{name: value for name, value in own.items() if name not in ("epochs", "patience")},
        "loss": ", ".join(
            goal.loss
            + f"*{goal.weight:g}" * (goal.weight != 1)
            + f"(label_smoothing={goal.smoothing:g})" * (goal.smoothing != 0)
            for goal in trainer.goals
        ),
        "penalties": trainer.penalised,
        NETWORK: fingerprint(weights),
        SAMPLES: fingerprint(samples),
    }


def _standing(
    found: Fit, conditions: Mapping[str, object], trainer: Trainer, optimizer: Optimizer
) -> Checkpoint:
    return Checkpoint(
        conditions, found.history, trainer.weights, optimizer.slots, optimizer.steps,
        found.best, found.best_epoch, found.start,
    )  # fmt: skip


def _go_on(
    begun: Checkpoint,
    conditions: Mapping[str, object],
    trainer: Trainer,
    optimizer: Optimizer,
    found: Fit,
) -> None:
    """Everything as it stood.

    Raises:
        UsageError: it was another training, or lasted longer already.
    """
    begun.check(conditions, trainer.weights)
    if len(begun.history) > found.plan.epochs:
        raise UsageError(
            f"--resume: this training has {len(begun.history)} epochs behind it, more than "
            f"{found.plan.epochs}; say more --epochs to go on."
        )
    trainer.weights.update(begun.weights)
    optimizer.slots.update(begun.slots)
    optimizer.steps = begun.steps
    found.best, found.best_epoch, found.start = begun.best, begun.best_epoch, begun.start
    found.history += begun.history
    found.resumed_at = len(found.history)


def curves(history: Sequence[Epoch]) -> list[tuple[float | None, ...]]:
    """Rows of epoch, loss, accuracy, held-out loss, held-out accuracy."""
    return [
        (
            epoch.number, epoch.trained.loss, epoch.trained.accuracy,
            epoch.held_out.loss if epoch.held_out else None,
            epoch.held_out.accuracy if epoch.held_out else None,
        )
        for epoch in history
    ]  # fmt: skip
