"""Which of several arrays are samples, which labels and which weights: by the usual names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# As numpy.savez names arrays that are given without names: samples, then their labels.
FIRST, SECOND = "arr_0", "arr_1"
# The names under which people keep samples, those of a test set first, and their labels.
SAMPLES = ("x_test", "X_test", "test_images", "test_x", "x", "X", "images", "data", "features",
           "inputs", "image", "input", "x_val", "X_val", "x_valid", "X_valid", "val_images",
           "val_x", "x_train", "X_train", "train_images", "train_x", FIRST)  # fmt: skip
TARGETS = {
    "x": "y", "X": "y", "images": "labels", "data": "labels", "features": "labels",
    "inputs": "targets", "test_images": "test_labels", "train_images": "train_labels",
    "val_images": "val_labels", "image": "label", "input": "output", FIRST: SECOND,
}  # fmt: skip
WEIGHTS = ("sample_weight", "sample_weights")


@dataclass(frozen=True)
class NamedArrays:
    """The names of samples, and of their labels and weights where there are any."""

    x: str
    y: str | None = None
    weights: str | None = None

    @property
    def all(self) -> list[str]:
        """Those that there are."""
        return [name for name in (self.x, self.y, self.weights) if name is not None]

    def __str__(self) -> str:
        sets = {"train": "the training set", "test": "the test set", "val": "the validation set"}
        text = self.x.replace("valid", "val")
        inside = {"train": text, "test": text, "val": text.split("_")}
        said = next((sets[one] for one in sets if one in inside[one]), ", ".join(self.all[:2]))
        return f"{said}, weighted by {self.weights}" if self.weights else said


def named_arrays(
    names: Sequence[str], x: str | None = None, part: str | None = None, usual: str = "test"
) -> NamedArrays | None:
    """The samples among arrays of these names (or ``x``), with what belongs to them.

    ``part`` is ``train`` or ``test`` where only samples named so are meant, ``usual`` where they
    come first. None where no name is
    one of the usual ones.
    """
    known = [name for name in SAMPLES if part is None or part in name]
    known.sort(key=lambda name: usual not in name)
    for one in known if x is None else (x,):
        if one not in names or (one == FIRST and x is None and set(names) - {FIRST, SECOND}):
            continue
        target = TARGETS.get(one, one.replace("x", "y").replace("X", "y"))
        also = (target, target.replace("y", "Y"), "y", "Y", "labels", "label", "target", "targets",
                "outputs")  # fmt: skip
        y = next((name for name in also if name in names and name != one), None)
        own = next((part for part in ("test", "train", "valid", "val") if part in one), "")
        weights = [f"{name}_{own}" for name in WEIGHTS] if own else []
        weight = next((name for name in (*weights, *WEIGHTS) if name in names), None)
        return NamedArrays(one, y, weight)
    return None


def beside(path: Path) -> NamedArrays:
    """A .npy file of samples with those of labels and weights in its folder."""
    stems = [item.stem for item in sorted(path.parent.glob("*.npy"))]
    return named_arrays(stems, path.stem) or NamedArrays(path.stem)
