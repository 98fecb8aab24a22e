"""What every outside engine is: it gets an artefact and inputs, and says what each layer gives."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from netsheet.equations import FloatArray

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.data.succession import Succession
    from netsheet.engine.lesson import Lesson
    from netsheet.equations import Tensor
    from netsheet.network import Network

Values = Mapping[str, FloatArray]  # by key of the layer's output, without batch axis


@dataclass(frozen=True, eq=False)
class Artefact:
    """What was written of a network, to be computed by somebody else.

    ``network`` is bound and ends where the artefact ends; ``keys`` are the values that have to be
    found in it; ``content`` is what the target's engines take (a workbook's path, C sources, an
    ONNX message).
    """

    network: Network
    keys: Sequence[str]
    content: Any
    folder: Path
    lesson: Lesson | None = None  # of a workbook that learns
    taught: Sequence[Tensor] = ()  # what of the lesson is proved
    back: int = 0  # sample n goes on from the states of sample n - back; 0: each begins from zeros
    succession: Succession | None = None  # of a workbook that computes all samples at once


@dataclass(frozen=True, eq=False)
class Recomputed:
    """What an engine found: the values of each sample by key, its name and version.

    ``programs`` are further ways to the outputs alone, by name: for each sample the outputs in
    order. ``notes`` says by key why values are missing; ``remarks`` is what else was measured.
    """

    engine: str
    samples: Sequence[Values]
    programs: Mapping[str, Sequence[Sequence[FloatArray]]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


class OutsideEngine(Protocol):
    """Computes an artefact without anything that netsheet computed before."""

    def absent(self) -> str | None:
        """Why it cannot run here and what to install; None where it can."""

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """The values of every layer for every sample.

        Raises:
            NetsheetError: it is absent, or refuses the artefact.
        """


def importable(package: str) -> bool:
    """True if a Python package is installed; nothing of it is run."""
    return importlib.util.find_spec(package) is not None
