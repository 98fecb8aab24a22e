"""A whole training: rounds over the samples, the best weights kept, to be gone on with later."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from netsheet.engine.optimizers import OPTIMIZERS, Optimizer, Weights
from netsheet.engine.rounds import Epoch, Stepped, epochs
from netsheet.engine.training import Arrays, Measured, Trainer, by_name, rows_of
from netsheet.equations import FloatArray
from netsheet.errors import FormatError, InputWarning, NetsheetError, UsageError
from netsheet.files import atomic

# How far, as a share, a loss may lie above that of the start before it counts as a rise: held-out
# samples are the same ones but may be few, the first step's are one batch alone.
ROOM_HELD_OUT, ROOM_BATCH = 0.1, 0.5


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
        if not self.rate > 0:
            raise UsageError(f"--rate must be more than 0, not {self.rate}.")
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

    @property
    def best_loss(self) -> float:
        """The smallest held-out loss (without held-out samples: of the training)."""
        return min((_judged(epoch).loss for epoch in self.history), default=float("inf"))

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
) -> Fit:
    """Train as planned; an interruption ends it with what there is.

    Args:
        x, y: all samples and their targets; which are held out depends on the plan's seed.
        sample_weights: how much each sample counts in the loss.
        seen: is told of each epoch, stepped of each step in it.
        state: after each epoch everything that is needed to go on is kept there.
        resume: go on from there. The result is that of a run without interruption.

    Raises:
        NetsheetError: the loss is no number any more, or there are too few samples.
    """
    given, targets = by_name(x, trainer.network.inputs), by_name(y, trainer.network.outputs)
    count = len(next(iter(given.values())))
    order = np.random.default_rng(plan.seed).permutation(count)
    held = round(count * plan.validation)
    _check_probabilities(trainer, targets)
    if count - held < 1:
        raise NetsheetError(f"there are {count} samples: too few to train with.")
    own, apart = order[held:], order[:held]
    optimizer = OPTIMIZERS[plan.optimizer](plan.rate)
    found = Fit(plan)
    if resume and state is not None:
        _restore(state, trainer, optimizer, found)
    counts = np.ones(count, np.float32) if sample_weights is None else sample_weights
    counts = np.asarray(counts[own], np.float32)
    if plan.balanced:
        counts = counts * class_weights(trainer, rows_of(targets, own))
    held_out = (rows_of(given, apart), rows_of(targets, apart)) if held else None
    if held_out is not None and not found.history:
        found.start = trainer.measure(*held_out).loss

    def step_seen(now: Stepped) -> None:
        if now.epoch == now.number == 1 and held_out is None:
            found.start = now.so_far.loss
        if stepped is not None:
            stepped(now)

    rounds = epochs(
        trainer, optimizer, rows_of(given, own), rows_of(targets, own),
        held_out=held_out, rounds=plan.epochs, seed=plan.seed, sample_weights=counts,
        begin=len(found.history), stepped=step_seen,
    )  # fmt: skip
    try:
        for epoch in rounds:
            if _judged(epoch).loss < found.best_loss or not found.history:
                found.best = {name: array.copy() for name, array in trainer.weights.items()}
                found.best_epoch = epoch.number
            found.history.append(epoch)
            if state is not None:
                _keep(state, trainer, optimizer, found)
            seen(epoch)
            if plan.patience and epoch.number - found.best_epoch >= plan.patience:
                break
    except KeyboardInterrupt:
        if not found.history:
            raise
    found.warn_if_worse()
    return found


def _judged(epoch: Epoch) -> Measured:
    return epoch.held_out or epoch.trained


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


# --------------------------------------------------------------------------- kept between runs


def _keep(state: Path, trainer: Trainer, optimizer: Optimizer, found: Fit) -> None:
    arrays = {f"weight/{name}": array for name, array in trainer.weights.items()}
    arrays |= {f"slot/{name}": array for name, array in optimizer.slots.items()}
    arrays |= {f"best/{name}": array for name, array in found.best.items()}
    about = {
        "plan": asdict(found.plan), "steps": optimizer.steps, "best_epoch": found.best_epoch,
        "start": found.start, "history": [asdict(epoch) for epoch in found.history],
    }  # fmt: skip
    with atomic(state) as path, path.open("wb") as file:
        np.savez(file, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]


def _restore(state: Path, trainer: Trainer, optimizer: Optimizer, found: Fit) -> None:
    try:
        with np.load(state, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            arrays = {name: stored[name] for name in stored.files if name != "about"}
    except FileNotFoundError:
        raise NetsheetError(f"{state}: is not there; there is no training to go on with.") from None
    except (OSError, ValueError, KeyError) as error:
        raise FormatError(f"{state}: is no state of a training: {error}.") from error
    own, given = asdict(found.plan), about.get("plan", {})
    for name in ("batch", "rate", "optimizer", "validation", "seed", "balanced"):
        if own[name] != given.get(name):
            raise UsageError(
                f"--resume: this training began with {name} {given.get(name)}, not {own[name]}."
            )
    weights = _parts(arrays, "weight/")
    if {n: a.shape for n, a in weights.items()} != {n: a.shape for n, a in trainer.weights.items()}:
        raise UsageError(f"--resume: {state} is of another network.")
    trainer.weights.update(weights)
    optimizer.slots.update(_parts(arrays, "slot/"))
    optimizer.steps = int(about["steps"])
    found.best, found.best_epoch = _parts(arrays, "best/"), int(about["best_epoch"])
    found.start = float(about.get("start", math.nan))
    found.history += [_epoch(entry) for entry in about["history"]]


def _parts(arrays: Mapping[str, FloatArray], prefix: str) -> Weights:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def _epoch(entry: Mapping[str, Any]) -> Epoch:
    held = entry["held_out"]
    return Epoch(entry["number"], Measured(**entry["trained"]), Measured(**held) if held else None)


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
