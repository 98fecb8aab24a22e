"""A tensor that several equations fill: which piece holds which element."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netsheet.equations import Tensor
from netsheet.equations.grids import counts_up
from netsheet.layer import Graph

IntArray = npt.NDArray[np.int64]
NOWHERE = -1


class Piece(NamedTuple):
    """A value of shape (N, length), the elements of part of a tensor."""

    name: str
    length: int


class Filling:
    """The pieces of one tensor so far; elements that no equation fills are 0."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self._pieces: list[Piece] = []
        self._owner = np.full(tensor.size, NOWHERE, np.int32)
        self._offset = np.zeros(tensor.size, np.int64)

    def add(self, name: str, elements: IntArray) -> None:
        """``name``, of shape (N, length), holds these elements (row-major numbers)."""
        self._owner[elements] = len(self._pieces)
        self._offset[elements] = np.arange(elements.size)
        self._pieces.append(Piece(name, elements.size))

    def gather(self, graph: Graph, elements: IntArray) -> str:
        """A value of shape (N, length) with the elements asked for."""
        owners, offsets = self._owner[elements], self._offset[elements]
        used = sorted(set(owners.tolist()), key=lambda owner: int(np.argmax(owners == owner)))
        start = 0
        names = []
        places = np.zeros(elements.size, np.int64)
        for owner in used:
            piece = self._zero(graph) if owner == NOWHERE else self._pieces[owner]
            names.append(piece.name)
            chosen = owners == owner
            places[chosen] = start + (0 if owner == NOWHERE else offsets[chosen])
            start += piece.length
        joined = names[0] if len(names) == 1 else str(graph.node("Concat", names, axis=1))
        if counts_up(places, start):
            return joined
        return str(graph.node("Gather", [joined, graph.constant(places)], axis=1))

    def _zero(self, graph: Graph) -> Piece:
        """One column of zeros for elements that nothing fills."""
        first = self._pieces[0]
        column = graph.node("Slice", [first.name, *_columns(graph, 1)])
        nothing = graph.node("Sub", [column, column])
        return Piece(str(nothing), 1)


def _columns(graph: Graph, count: int) -> list[str]:
    """Inputs of Slice that keep the first columns."""
    return [graph.constant(np.array([n], np.int64)) for n in (0, count, 1)]
