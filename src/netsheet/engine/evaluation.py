"""Accuracy and loss of a model on labelled data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.engine.losses import accuracy, loss_named, one_hot
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsheet.network import Network


@dataclass(frozen=True)
class Evaluation:
    """What came out; ``accuracy`` is None where the targets are no classes.

    ``loss_name`` says which loss, ``note`` why it is this one where the file names none.
    """

    samples: int
    accuracy: float | None
    loss: float | None
    loss_name: str | None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The values by name."""
        return asdict(self)


def evaluate(
    model: Network,
    x: object,
    y: FloatArray,
    *,
    loss: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Runs the model on ``x`` and compares with ``y`` (classes, one-hot rows or values).

    The loss is ``loss``, or that of the file's training configuration, or, where there is none,
    the usual one for the kind of output and target.
    """
    from netsheet.engine.run import Engine

    predicted = Engine(model).predict(x, progress)
    if isinstance(predicted, list):
        raise UnsupportedError(
            f"{model.name} has {len(predicted)} outputs: evaluation takes models with one"
        )
    predicted = predicted.astype(float)
    target = np.asarray(y, float)
    if len(target) != len(predicted):
        raise NetsheetError(f"there are {len(predicted)} samples, but {len(target)} labels")
    right = accuracy(target, predicted)
    stored = loss or _stored_loss(model.training_config)
    note = ""
    if stored is None:
        stored = _usual_loss(target, predicted)
        note = f"the file names no loss; {stored} is the usual one for such an output"
    try:
        name, function = loss_named(stored)
    except UnsupportedError as error:
        return Evaluation(len(predicted), right, None, None, str(error))
    return Evaluation(
        len(predicted), right, float(function(_shaped(name, target, predicted), predicted).mean()),
        name, note,
    )  # fmt: skip


def _stored_loss(training: Mapping[str, Any] | None) -> Any:
    if not isinstance(training, Mapping):
        return None
    stored = training.get("loss")
    if isinstance(stored, Mapping) and "class_name" not in stored:
        stored = list(stored.values())
    if isinstance(stored, Sequence) and not isinstance(stored, str):
        stored = stored[0] if len(stored) == 1 else None
    return stored


def _usual_loss(y: FloatArray, p: FloatArray) -> str:
    if accuracy(y, p) is None:
        return "mean_squared_error"
    return "binary_crossentropy" if p.shape[-1] == 1 else "categorical_crossentropy"


def _shaped(name: str, y: FloatArray, p: FloatArray) -> FloatArray:
    """The target in the form that the loss takes: integers become one-hot rows and back."""
    if name == "sparse_categorical_crossentropy":
        return y.argmax(-1) if y.shape == p.shape and p.shape[-1] > 1 else y
    if y.shape == p.shape:
        return y
    if y.size == p.size:
        return y.reshape(p.shape)
    if y.size == p.size // p.shape[-1]:
        if y.min() < 0 or y.max() >= p.shape[-1]:
            raise NetsheetError(
                f"labels run from {y.min():.0f} to {y.max():.0f}, "
                f"but the model has {p.shape[-1]} classes"
            )
        return one_hot(y, p.shape[-1]).reshape(p.shape)
    raise NetsheetError(f"labels of the shape {y.shape} do not fit outputs of {p.shape}")
