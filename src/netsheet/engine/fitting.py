"""A whole training: rounds over the samples, the best weights kept, to be gone on with later."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from netsheet.engine.optimizers import OPTIMIZERS, Optimizer, Weights
from netsheet.engine.training import Epoch, Measured, Trainer, epochs
from netsheet.equations import FloatArray
from netsheet.errors import FormatError, NetsheetError, UsageError
from netsheet.files import atomic


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

    @property
    def best_loss(self) -> float:
        """The smallest held-out loss (without held-out samples: of the training)."""
        return min((_judged(epoch).loss for epoch in self.history), default=float("inf"))


def fit(
    trainer: Trainer,
    x: FloatArray,
    y: FloatArray,
    plan: Plan,
    *,
    seen: Callable[[Epoch], None] = lambda epoch: None,
    state: Path | None = None,
    resume: bool = False,
) -> Fit:
    """Train as planned; an interruption ends it with what there is.

    Args:
        x, y: all samples and their targets; which are held out depends on the plan's seed.
        seen: is told of each epoch.
        state: after each epoch everything that is needed to go on is kept there.
        resume: go on from there. The result is that of a run without interruption.

    Raises:
        NetsheetError: the loss is no number any more, or there are too few samples.
    """
    order = np.random.default_rng(plan.seed).permutation(len(x))
    held = round(len(x) * plan.validation)
    if "crossentropy" in trainer.loss and not (y.min() >= 0 and y.max() <= 1):
        raise NetsheetError(
            f"targets run from {y.min():g} to {y.max():g}, but {trainer.loss} compares with "
            "probabilities, 0 to 1; correct the labels, or say another --loss."
        )
    if len(x) - held < 1:
        raise NetsheetError(f"there are {len(x)} samples: too few to train with.")
    own, apart = order[held:], order[:held]
    optimizer = OPTIMIZERS[plan.optimizer](plan.rate)
    found = Fit(plan)
    if resume and state is not None:
        _restore(state, trainer, optimizer, found)
    weights = _class_weights(y[own]) if plan.balanced else None
    rounds = epochs(
        trainer, optimizer, x[own], y[own],
        held_out=(x[apart], y[apart]) if held else None, rounds=plan.epochs, seed=plan.seed,
        class_weights=weights, begin=len(found.history),
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
    return found


def _judged(epoch: Epoch) -> Measured:
    return epoch.held_out or epoch.trained


def _class_weights(y: FloatArray) -> FloatArray:
    """The reciprocal of each class's share; over the samples the mean is 1."""
    counts = y.reshape(-1, y.shape[-1]).sum(axis=0)
    present = max(int((counts > 0).sum()), 1)
    return np.where(counts > 0, counts.sum() / (present * np.maximum(counts, 1)), 0.0)


# --------------------------------------------------------------------------- kept between runs


def _keep(state: Path, trainer: Trainer, optimizer: Optimizer, found: Fit) -> None:
    arrays = {f"weight/{name}": array for name, array in trainer.weights.items()}
    arrays |= {f"slot/{name}": array for name, array in optimizer.slots.items()}
    arrays |= {f"best/{name}": array for name, array in found.best.items()}
    about = {
        "plan": asdict(found.plan), "steps": optimizer.steps, "best_epoch": found.best_epoch,
        "history": [asdict(epoch) for epoch in found.history],
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
