"""Who writes and who reads a tensor, kept up to date while equations are rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from weakref import WeakKeyDictionary

from netsheet.equations import Equation, Tensor, gathers, reads

_READ: WeakKeyDictionary[Equation, frozenset[Tensor]] = WeakKeyDictionary()


def read_by(eq: Equation) -> AbstractSet[Tensor]:
    """The tensors that an equation reads, for its value and for where it writes."""
    if eq not in _READ:
        inside = (gather.value for at in eq.at for gather in gathers(at))
        _READ[eq] = frozenset(read.tensor for expr in (eq.value, *inside) for read in reads(expr))
    return _READ[eq]


class EquationList:
    """Equations in order, each at a number that stays its own when others are removed."""

    def __init__(self, equations: Sequence[Equation]) -> None:
        self._at: dict[int, Equation] = {}
        self._writers: dict[Tensor, set[int]] = {}
        self._readers: dict[Tensor, set[int]] = {}
        for number, eq in enumerate(equations):
            self[number] = eq

    def __len__(self) -> int:
        return len(self._at)

    def __getitem__(self, number: int) -> Equation:
        return self._at[number]

    def __setitem__(self, number: int, eq: Equation) -> None:
        if number in self._at:
            self.remove(number)
        self._at[number] = eq
        self._writers.setdefault(eq.target, set()).add(number)
        for tensor in read_by(eq):
            self._readers.setdefault(tensor, set()).add(number)

    def remove(self, number: int) -> None:
        """Leave an equation out."""
        eq = self._at.pop(number)
        self._writers[eq.target].discard(number)
        for tensor in read_by(eq):
            self._readers[tensor].discard(number)

    def numbers(self) -> list[int]:
        """The numbers of all equations, in order."""
        return sorted(self._at)

    def equations(self) -> list[Equation]:
        """All equations, in order."""
        return [self._at[number] for number in self.numbers()]

    def writers(self, tensor: Tensor) -> AbstractSet[int]:
        """The equations that fill (part of) a tensor."""
        return self._writers.get(tensor, set())

    def readers(self, tensor: Tensor) -> list[int]:
        """The equations that read a tensor, in order."""
        return sorted(self._readers.get(tensor, ()))

    def unchanged(self, number: int, user: int) -> bool:
        """True if nothing that an equation reads changes between it and its user."""
        return not any(
            number <= writer < user
            for tensor in read_by(self._at[number])
            for writer in self.writers(tensor)
        )
