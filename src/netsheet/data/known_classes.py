"""Which number a class has: by what the network calls its classes, or by the order of names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.data.raw_set import RawSet
from netsheet.errors import NetsheetError

Array = npt.NDArray[Any]
SHOWN = 8  # names in a sentence


@dataclass(frozen=True)
class KnownClasses:
    """What is known of the classes that a network tells apart, before its data are read.

    ``count`` is None where that is unknown. ``names`` are what the network's file calls them, by
    number. ``renamed``: other names may take their place, since the network is to learn them.
    """

    count: int | None = None
    names: Sequence[str] = ()
    renamed: bool = False

    def order(self, found: Sequence[str], where: str, advice: str) -> list[str]:
        """The names of all classes by number, where data name some of them.

        Args:
            found: the names in the data, in their order.
            where: where the data lie, to begin a sentence with.
            advice: what to do, to end it with.

        Raises:
            NetsheetError: it cannot be known which class of the network each of them is.
        """
        others = [name for name in found if name not in self.names]
        if self.names and found and not others:
            return list(self.names)
        if self.names and others and not self.renamed:
            raise NetsheetError(
                f"{where}: has the class {others[0]!r}, but the network calls its classes "
                f"{_listed(self.names)}: which one is it? {advice}"
            )
        if self.count is None or len(found) in (self.count, 0):
            return list(found)
        if all(name.isdecimal() and int(name) < self.count for name in found):
            by_number = {int(name): name for name in found}
            return [by_number.get(number, str(number)) for number in range(self.count)]
        raise NetsheetError(
            f"{where}: has {len(found)} classes ({_listed(found)}), but the network tells "
            f"{self.count} apart: which are they? {advice}"
        )

    def numbered(self, made: RawSet, where: str) -> RawSet:
        """A set whose labels are texts, or whose numbers belong to names of its own, as numbers.

        Raises:
            NetsheetError: as for :meth:`order`.
        """
        y, own = made.y, made.class_names
        if y is None or (y.dtype.kind in "biuf" and not (own and self.names)):
            return made
        advice = "Give numbers (0, 1, 2, ...) in the place of names."
        if y.dtype.kind not in "biuf":
            labels = y.reshape(-1).astype(str)
            found, places = np.unique(labels, return_inverse=True)
            names = self.order([str(name) for name in found], where, advice)
            numbers = np.array([names.index(str(name)) for name in found])
            note = f"{made.note}: {', '.join(names[:10])}"
            return replace(made, y=numbers[places].reshape(y.shape), class_names=names, note=note)
        assert own is not None
        return self._renumbered(made, own, where, advice)

    def _renumbered(self, made: RawSet, own: Sequence[str], where: str, advice: str) -> RawSet:
        """Whole numbers, or rows with a one, by the network's names in place of the set's own."""
        y = np.asarray(made.y)
        rows = y.ndim == 2 and y.shape[1] == len(own) > 1
        present = np.flatnonzero(y.any(axis=0)) if rows else np.unique(y)
        if not rows and (present != np.round(present)).any():
            return made
        if len(present) and not 0 <= present.min() <= present.max() < len(own):
            return made  # the labels do not fit the names: said where targets are made
        used = [own[int(number)] for number in present]
        if self.renamed and not set(used) <= set(self.names):
            return made
        names = self.order(used, where, advice)
        if not rows:
            table = np.array([names.index(n) if n in names else -1 for n in own])
            return replace(made, y=table[y.astype(int)], class_names=names)
        moved = np.zeros((len(y), len(names)), y.dtype)
        for number in present:
            moved[:, names.index(own[int(number)])] = y[:, number]
        return replace(made, y=moved, class_names=names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + ("..." if len(names) > SHOWN else "")
