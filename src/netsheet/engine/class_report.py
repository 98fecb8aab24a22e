"""What a network makes of labelled samples, class by class.

Precision, recall and F1 as scikit-learn defines them; the expected calibration error as Naeini,
Cooper and Hauskrecht (2015): the mean distance of certainty from accuracy over bins of equal width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.engine.run import engine
from netsheet.equations import FloatArray
from netsheet.equations.entry import meaning
from netsheet.errors import NetsheetError, UsageError
from netsheet.network import Network

Array = npt.NDArray[Any]

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Samples that the network is about equally certain of."""

    low: float
    high: float
    samples: int
    certainty: float  # the mean share of the class that was found; NaN without samples
    accuracy: float


@dataclass(frozen=True, eq=False)
class ClassReport:
    """True and found classes of samples; ``scores`` has a row for each sample.

    ``probabilities`` says that scores are shares of 1; otherwise there is no calibration.
    """

    names: list[str]
    true: Array
    found: Array
    scores: FloatArray
    probabilities: bool

    @cached_property
    def counts(self) -> Array:
        """How often a class (row) was taken for another (column)."""
        size = len(self.names)
        flat = np.bincount(self.true * size + self.found, minlength=size * size)
        return flat.reshape(size, size)

    @property
    def accuracy(self) -> float:
        """The share of samples that were found right."""
        return float((self.true == self.found).mean())

    @property
    def precision(self) -> FloatArray:
        """Of the samples taken for a class, the share that is right; NaN where there are none."""
        return _share(np.diag(self.counts), self.counts.sum(0))

    @property
    def recall(self) -> FloatArray:
        """Of the samples of a class, the share that was found."""
        return _share(np.diag(self.counts), self.counts.sum(1))

    @property
    def f1(self) -> FloatArray:
        """The harmonic mean of precision and recall."""
        both = self.counts.sum(0) + self.counts.sum(1)
        return _share(2 * np.diag(self.counts), both)

    @property
    def support(self) -> Array:
        """The samples of each class."""
        return np.asarray(self.counts.sum(1))

    @cached_property
    def certainty(self) -> FloatArray:
        """The score of the class that was found, of each sample."""
        return np.take_along_axis(self.scores, self.found[:, None], 1)[:, 0]

    @cached_property
    def calibration(self) -> list[Bin]:
        """How certain the network is, and how often it is right then; empty without shares of 1."""
        if not self.probabilities:
            return []
        sure = np.clip(self.certainty.astype(np.float64), 0, 1)
        place = np.minimum((sure * BINS).astype(int), BINS - 1)
        right = self.true == self.found
        return [
            Bin(n / BINS, (n + 1) / BINS, int((place == n).sum()),
                _mean(sure[place == n]), _mean(right[place == n]))
            for n in range(BINS)
        ]  # fmt: skip

    @property
    def calibration_error(self) -> float | None:
        """The mean distance of certainty from accuracy; None without shares of 1."""
        if not self.calibration:
            return None
        used = [one for one in self.calibration if one.samples]
        total = sum(one.samples for one in used)
        return sum(one.samples * abs(one.certainty - one.accuracy) for one in used) / total

    def _repr_html_(self) -> str:
        from netsheet.tables import html_table

        heads = [("class", "left"), *((text, "right") for text in ("samples", "precision",
                                                                   "recall", "F1"))]  # fmt: skip
        columns = (self.precision, self.recall, self.f1)
        rows = [(name, f"{self.support[n]:,}", *(f"{one[n]:.4f}" for one in columns))
                for n, name in enumerate(self.names)]  # fmt: skip
        return html_table(heads, rows, foot=f"accuracy {self.accuracy:.4f}")

    @property
    def mistakes(self) -> Array:
        """The numbers of samples that were taken for another class, the most certain ones first."""
        wrong = np.nonzero(self.true != self.found)[0]
        return wrong[np.argsort(-self.certainty[wrong], kind="stable")]


def _share(part: Array, whole: Array) -> FloatArray:
    nothing = np.full(len(part), np.nan)
    return np.asarray(np.divide(part, whole, out=nothing, where=whole > 0))


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")


def class_report(
    network: Network,
    x: object,
    y: object,
    class_names: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ClassReport:
    """The report of a network with one output on labelled samples.

    Args:
        x: as for :func:`netsheet.engine.evaluation.evaluate`.
        y: classes by number, or rows of zeros and a one.

    Raises:
        UsageError: the network does not tell classes apart.
        NetsheetError: labels are no classes of the network.
    """
    arrays = engine(network).inputs(x)
    if not network.bound:
        network = network.bind({name: array.shape[1:] for name, array in arrays.items()})
    single = len(network.outputs) == 1 and network.outputs[0].shape == (1,)
    if len(network.outputs) != 1 or not (network.classes or single):
        raise UsageError("a report is about classes: this network has no output that tells some.")
    result = np.asarray(engine(network).predict(arrays, progress))
    scores = np.asarray(meaning(network.outputs[0], result), np.float64)
    probabilities = network.gives_probabilities
    if single:
        low, high = float(scores.min()), float(scores.max())
        if not 0 <= low <= high <= 1:
            raise UsageError(
                "a report is about classes: this network's single value is no share of 1."
            )
        scores, probabilities = np.hstack([1 - scores, scores]), True
    count = scores.shape[1]
    true = _numbers(y, count)
    names = list(class_names or network.class_names)
    names = names if len(names) == count else [str(n) for n in range(count)]
    return ClassReport(names, true, scores.argmax(1), scores, probabilities)


def _numbers(y: object, count: int) -> Array:
    """Labels as numbers of classes."""
    labels = np.asarray(y)
    flat = labels.reshape(len(labels), -1)
    if flat.shape[1] == count and count > 1:
        return np.asarray(flat.argmax(1))
    if flat.shape[1] != 1 or not np.equal(np.mod(flat, 1), 0).all():
        raise NetsheetError("a report is about classes: these labels are none.")
    numbers = flat[:, 0].astype(np.int64)
    if numbers.min() < 0 or numbers.max() >= count:
        raise NetsheetError(
            f"labels run from {numbers.min()} to {numbers.max()}, but the network has the classes "
            f"0 .. {count - 1}."
        )
    return numbers
