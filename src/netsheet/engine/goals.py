"""What each output of a network is to learn: a loss that is known as equations, and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsheet.engine.compiled import compiled, stored_name
from netsheet.engine.losses import CLASSES, loss_key
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UsageError
from netsheet.gradient import LOSSES
from netsheet.network import Network

FROM_LOGITS = "_from_logits"


@dataclass(frozen=True)
class Goal:
    """What one output is to learn.

    ``loss`` is one of :data:`netsheet.gradient.LOSSES`, ``weight`` its share in the whole one.
    ``smoothing``: the targets of a crossentropy give so much of their certainty away.
    """

    loss: str
    weight: float = 1.0
    smoothing: float = 0.0

    @property
    def of_classes(self) -> bool:
        """True if the target is one class of several."""
        return self.loss.removesuffix(FROM_LOGITS) in CLASSES or self.loss == "categorical_hinge"

    @property
    def of_probabilities(self) -> bool:
        """True if targets are shares, 0 to 1."""
        return "crossentropy" in self.loss

    def prepared(self, y: FloatArray) -> FloatArray:
        """Targets as the equations take them (keras/src/losses/losses.py)."""
        if not self.smoothing:
            return y
        ways = 2 if self.loss.startswith("binary") else y.shape[-1]
        return np.asarray(y * (1 - self.smoothing) + self.smoothing / ways, np.float32)


def goal_named(name: str, weight: float = 1.0) -> Goal:
    """The goal of a loss by its name, as Keras or people write it.

    Raises:
        UsageError: there is no such loss among those that are known as equations.
    """
    bare = name.strip()
    behind = FROM_LOGITS * bare.endswith(FROM_LOGITS)
    key = loss_key(bare.removesuffix(FROM_LOGITS)) or bare
    known = key.removeprefix("sparse_") + behind
    if known not in LOSSES:
        raise UsageError(f"there is no loss {name!r}; losses are {', '.join(LOSSES)}.")
    return Goal(known, weight)


def goals_named(network: Network, asked: str) -> list[Goal]:
    """One loss for all outputs, or one for each: ``mse,binary_crossentropy``, with a weight
    ``mse*0.5`` where it has one.

    Raises:
        UsageError: there is no such loss, or not one for each output.
    """
    parts = [part.partition("*") for part in asked.split(",")]
    if len(parts) == 1:
        parts *= len(network.outputs)
    if len(parts) != len(network.outputs):
        outputs = ", ".join(tensor.name for tensor in network.outputs)
        raise UsageError(f"--loss names {len(parts)} losses for the outputs {outputs}.")
    return [goal_named(name, _weight(text)) for name, _, text in parts]


def _weight(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        raise UsageError(f"--loss: the weight {text!r} is no number.") from None


def stored_goals(network: Network) -> list[Goal]:
    """What the file was compiled with, for each output.

    Raises:
        UsageError: the file names none, or one that is not known; a guess would train wrongly.
    """
    names = [tensor.name for tensor in network.outputs]
    return [_stored(found.loss, found.weight)
            for found in compiled(network.training_config, names)]  # fmt: skip


def _stored(stored: Any, weight: float) -> Goal:
    if stored is None:
        raise UsageError(f"the file names no loss; say --loss, one of {', '.join(LOSSES)}.")
    name, options = stored_name(stored)
    key = loss_key(name)
    known = "" if key is None else key.removeprefix("sparse_")
    known += FROM_LOGITS * bool(options.get("from_logits"))
    if known not in LOSSES or not _usual(options):
        said = name if isinstance(stored, str) else stored
        raise UsageError(
            f"the file was trained with {said!r}, which is not one of them as it stands; say "
            f"--loss, one of {', '.join(LOSSES)}."
        )
    return Goal(known, weight, float(options.get("label_smoothing") or 0))


# Arguments of losses that change nothing here: names, and what is Keras's default.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "delta": (1,), "axis": (-1, [-1]), "ignore_class": (), "alpha": (0.25,), "gamma": (2,),
    "apply_class_balancing": (False,),
    "reduction": ("sum_over_batch_size", "auto", "SUM_OVER_BATCH_SIZE", "AUTO",
                  "mean_with_sample_weight"),
}  # fmt: skip


def _usual(options: Mapping[str, Any]) -> bool:
    return all(
        value is None or name not in _DEFAULTS or value in _DEFAULTS[name]
        for name, value in options.items()
    )


# --------------------------------------------------------------------------- targets


def targets(y: FloatArray, shape: Sequence[int], name: str) -> FloatArray:
    """Labels as targets of an output: whole numbers become rows with a one where it has classes.

    Args:
        shape: of the output, without the axis of the samples.
        name: of the data, for what is said.

    Raises:
        NetsheetError: they do not fit.
    """
    y = np.asarray(y)
    size, classes = int(np.prod(shape)), shape[-1] if shape else 1
    each = y.size // max(len(y), 1)
    if y.shape[1:] == tuple(shape) or (each == size and (classes == 1 or y.ndim > 2)):
        return np.asarray(y.reshape(len(y), *shape), np.float32)
    if each != size // classes:
        raise NetsheetError(
            f"{name}: labels of the shape {y.shape} do not fit outputs of {(len(y), *shape)}: a "
            "class for each, a row with a one, or as many values are needed."
        )
    numbers = y.reshape(len(y), *shape[:-1])
    if not np.equal(np.mod(numbers, 1), 0).all() or numbers.min() < 0:
        raise NetsheetError(f"{name}: the labels are no classes (0, 1, 2, ...).")
    if numbers.max() >= classes:
        raise NetsheetError(
            f"{name}: labels go up to {int(numbers.max())}, the network has {classes} "
            "outputs; train a new one (--arch article) or correct the labels."
        )
    return np.asarray(np.eye(classes, dtype=np.float32)[numbers.astype(int)])
