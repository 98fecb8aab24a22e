"""Stored arrays put into a layer: which is which, and in today's layout."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from netsheet.equations import Weight
from netsheet.errors import FormatError
from netsheet.layer import Layer, default_axes
from netsheet.read.keras.old_weights import Era, modern_weights, stored_labels
from netsheet.read.keras.stored import StoredWeight

NOT_TRAINED = frozenset(
    {
        "moving_mean", "moving_variance", "mean", "variance", "count", "running_mean",
        "running_std", "moving_stddev", "renorm_mean", "renorm_stddev",
    }
)  # fmt: skip


@dataclass
class Placing:
    """Puts arrays into layers, and keeps where in the file each of them lies.

    ``paths`` maps a weight's name to its dataset; an array that had to be converted has none.
    ``trained_first``: the file lists what is trained before what is not, as HDF5 of Keras 1 and 2.
    """

    era: Era = field(default_factory=Era)
    trained_first: bool = False
    paths: dict[str, str] = field(default_factory=dict)

    def give(self, layer: Layer, stored: Sequence[StoredWeight]) -> None:
        """Puts stored arrays into ``layer.weights``: by name where names say it, else in order.

        A layer that they do not fit is refused, and shows them under their own names. One that
        was never built has none; the caller sees that.
        """
        if not stored:
            return
        if not layer.reason:
            layer.settle([(short(weight.path), weight.values.shape) for weight in stored])
            try:
                self._give_by_label(layer, stored)
            except FormatError as error:
                layer.reason = str(error)
        if layer.reason:
            layer.weights.clear()
            labels = _unique(short(weight.path) for weight in stored)
            for label, weight in zip(labels, stored, strict=True):
                self._put(layer, label, default_axes(weight.values.ndim), weight)

    def _give_by_label(self, layer: Layer, stored: Sequence[StoredWeight]) -> None:
        axes = layer.weight_axes()
        labels = self.labels(layer, len(stored))
        if labels is None:
            lost = [label for label in axes if label.startswith("activation/")]
            why = "an own class may have the same name"
            if lost and len(stored) == len(axes) - len(lost):
                why = "Keras 3 does not save the weights of an activation that is a layer"
            raise FormatError(
                f"it has {len(axes)} weights ({', '.join(axes) or 'none'}), "
                f"but the file stores {len(stored)} for it; {why}"
            )
        found = modern_weights(layer, self._paired(labels, stored), self.era)
        for label, names in axes.items():
            values = found[label].values
            names = names or default_axes(values.ndim)
            if len(names) != values.ndim:
                raise FormatError(
                    f"{label} is stored with the shape {values.shape}, but has the axes {names}"
                )
            self._put(layer, label, names, found[label])

    def form(self, layer: Layer, number: int) -> list[str]:
        """The labels of a layer in one of the forms that the file's era has, as the file orders."""
        forms = list(stored_labels(layer, self.era))
        return self.ordered(forms[min(number, len(forms) - 1)])

    def labels(self, layer: Layer, count: int) -> list[str] | None:
        """What the ``count`` arrays that a file stores for a layer are, in that order."""
        for labels in stored_labels(layer, self.era):
            if len(labels) == count:
                return labels
        return None

    def _paired(
        self, labels: Sequence[str], stored: Sequence[StoredWeight]
    ) -> dict[str, StoredWeight]:
        by_name = {short(weight.path): weight for weight in stored if weight.path}
        if len(by_name) == len(stored) and set(by_name) == set(labels):
            return {label: by_name[label] for label in labels}
        by_path = {label: [w for w in stored if _ends_in(w, label)] for label in labels}
        if len(by_path) == len(stored) and all(len(found) == 1 for found in by_path.values()):
            return {label: by_path[label][0] for label in labels}
        return dict(zip(self.ordered(labels), stored, strict=True))

    def ordered(self, labels: Iterable[str]) -> list[str]:
        """Labels in the order in which the file lists them."""
        if not self.trained_first:
            return list(labels)
        return sorted(labels, key=lambda label: label.rsplit("/", 1)[-1] in NOT_TRAINED)

    def _put(self, layer: Layer, label: str, axes: tuple[str, ...], stored: StoredWeight) -> None:
        name = f"{layer.name}/{label}"
        values = stored.values
        layer.weights[label] = Weight(name, axes, values.shape, label=label, values=values)
        if stored.path:
            self.paths[name] = stored.path


def _ends_in(weight: StoredWeight, label: str) -> bool:
    """True for ``dense/kernel`` and a path that ends in it."""
    return "/" in label and f"/{re.sub(r':[0-9]+$', '', weight.path)}".endswith(f"/{label}")


def short(path: str) -> str:
    """The last part of a stored path: ``kernel`` of ``conv1/kernel:0``."""
    return re.sub(r":\d+$", "", path).rsplit("/", 1)[-1]


def _unique(labels: Iterable[str]) -> list[str]:
    counts: Counter[str] = Counter()
    result = []
    for label in labels:
        counts[label] += 1
        result.append(label if counts[label] == 1 else f"{label}_{counts[label]}")
    return result
