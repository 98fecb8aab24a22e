"""What a network says of samples: classes with their shares, or plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netsheet.engine.run import engine
from netsheet.equations import FloatArray
from netsheet.equations.entry import meaning

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.network import Network

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ClassScore:
    """One class: its place in the output, its name, and what the network gives it."""

    index: int
    name: str
    score: float  # a float32


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network says of one sample.

    ``outputs`` are the outputs' values by name, without batch axis. ``scores`` are the classes,
    the likeliest first; empty where the values are no classes. ``probabilities`` says that the
    scores are made by a softmax or a sigmoid, so that they are shares of 1.
    """

    sample: str
    outputs: Mapping[str, FloatArray]
    scores: Sequence[ClassScore] = ()
    probabilities: bool = False
    label: str | None = None

    @property
    def best(self) -> ClassScore | None:
        """The likeliest class; None where there are none."""
        return self.scores[0] if self.scores else None


def batch_of(samples: Sequence[Sample]) -> dict[str, FloatArray]:
    """The samples' inputs by name, with a batch axis in front."""
    return {
        name: np.stack([sample.inputs[name].values for sample in samples])
        for name in samples[0].inputs
    }


def predictions(
    network: Network,
    samples: Sequence[Sample],
    class_names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> list[Prediction]:
    """What the network says of each sample; classes are named, else numbered from 0.

    Raises:
        UnsupportedError: an output is not computed.
        NetsheetError: samples that do not fit the network's inputs.
    """
    batch = batch_of(samples)
    if not network.bound:
        network = network.bind({name: array.shape[1:] for name, array in batch.items()})
    results = engine(network).predict(batch, progress)
    listed = results if isinstance(results, list) else [results]
    return predictions_from(network, samples, listed, class_names)


def predictions_from(
    network: Network,
    samples: Sequence[Sample],
    listed: Sequence[FloatArray],
    class_names: Sequence[str] | None = None,
) -> list[Prediction]:
    """The same from the outputs' values, in the order of the network's outputs, batch in front."""
    names = [name for name, _ in network.named_outputs()]
    listed = [meaning(t, values) for t, values in zip(network.outputs, listed, strict=True)]
    classes = network.classes
    called = _called(classes or 0, class_names or network.class_names)
    made = []
    for number, sample in enumerate(samples):
        values = {name: array[number] for name, array in zip(names, listed, strict=True)}
        scores = _ranked(listed[0][number], called) if classes else []
        label = None
        if sample.label is not None:
            known = 0 <= sample.label < len(called)
            label = called[sample.label] if known else str(sample.label)
        made.append(Prediction(sample.name, values, scores, network.gives_probabilities, label))
    return made


def _called(count: int, names: Sequence[str] | None) -> list[str]:
    return list(names) if names and len(names) == count else [str(n) for n in range(count)]


def _ranked(values: FloatArray, names: Sequence[str]) -> list[ClassScore]:
    """Falling scores; of equal ones the first, as argmax has it; what is no number comes last."""
    order = np.argsort(-values, kind="stable")
    return [ClassScore(int(n), names[n], float(values[n])) for n in order]
