"""Proofs: what was written is computed by somebody else and compared, layer by layer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsheet.verify.targets import TARGETS, Target, target_of

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.fidelity import Verdict
    from netsheet.network import Network
    from netsheet.verify.engines.base import Artefact, OutsideEngine, Recomputed, Values

__all__ = ["TARGETS", "recompute", "verify"]

Progress = Callable[[int, int], None]


def verify(
    model: Network,
    target: str,
    samples: Sequence[Sample],
    *,
    progress: Progress | None = None,
    **options: Any,
) -> Verdict:
    """The verdict on a target: it is written, recomputed by an engine and held against a reference.

    Args:
        target: a name of :data:`TARGETS`; ``options`` are those of its row. ``until`` is the last
            layer; ``xlsx`` verifies that workbook, without samples for the input that stands in it.
        progress: is given the steps done and their number.

    Raises:
        UsageError: an unknown target, option, engine or layer; no sample.
        UnsupportedError: nothing is computed, or the target cannot be written.
        NetsheetError: the engine is not installed, or refuses.
    """
    from netsheet.data.succession import going_on
    from netsheet.selection import part, require_computed
    from netsheet.verify.lesson import with_lesson
    from netsheet.verify.prove import prove
    from netsheet.verify.targets import reference_of

    show = progress or (lambda done, total: None)
    chosen = _chosen(target, samples, options)
    network = _part(model, options.get("until"), samples)
    show(0, 4)
    with tempfile.TemporaryDirectory(prefix="netsheet-") as folder:
        artefact = chosen.write(network, samples, Path(folder), options)
        show(1, 4)
        found = _recomputed(chosen.engine(options), artefact, samples)
        show(2, 4)
        if not samples:
            samples = [_own_sample(artefact, values) for values in found.samples]
            given = samples[0].inputs
            network = part(network, None, [given[t.name].values.shape for t in network.inputs])
            require_computed(network)
            artefact = chosen.write(network, samples, Path(folder), options)
        held = chosen.reference() if chosen.reference is not None else reference_of(network)
        reference = _recomputed(held, artefact, samples)
        samples = [
            going_on(artefact.network, sample, reference.samples[:number], artefact.back)
            for number, sample in enumerate(samples)
        ]
        if artefact.lesson is not None:
            reference = with_lesson(artefact.lesson, artefact.taught, samples, found, reference)
    show(3, 4)
    verdict = prove(target, artefact, samples, found, reference)
    show(4, 4)
    return verdict


def recompute(model: Network, target: str, samples: Sequence[Sample], **options: Any) -> Recomputed:
    """What an engine finds in a target, without a judgement; arguments as for :func:`verify`."""
    chosen = _chosen(target, samples, options)
    network = _part(model, options.get("until"), samples)
    with tempfile.TemporaryDirectory(prefix="netsheet-") as folder:
        artefact = chosen.write(network, samples, Path(folder), options)
        return _recomputed(chosen.engine(options), artefact, samples)


def _chosen(target: str, samples: Sequence[Sample], options: Mapping[str, Any]) -> Target:
    """The target's row, after the options have been checked against it."""
    from netsheet.errors import UsageError

    chosen = target_of(target)
    for name in options:
        if name not in chosen.options:
            raise UsageError(f"{name} does not belong to the target {target}.")
    if not samples and options.get("xlsx") is None:
        raise UsageError("a verification needs at least one input.")
    chosen.engine(options)
    return chosen


def _part(model: Network, until: str | None, samples: Sequence[Sample]) -> Network:
    """The part of the network that is proved, for the sizes of the samples."""
    from netsheet.selection import part, require_computed

    if not samples:
        return part(model, until)
    network = part(model, until, [array.shape for array in samples[0].arrays])
    require_computed(network)
    return network


def _recomputed(engine: OutsideEngine, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
    """What an engine finds; one that is not here is named, with how it is installed."""
    from netsheet.errors import NetsheetError

    said = engine.absent()
    if said is not None:
        raise NetsheetError(said)
    return engine.recompute(artefact, samples)


def _own_sample(artefact: Artefact, values: Values) -> Sample:
    """The input, and the states before it, that stand in an artefact (a workbook) at present."""
    import numpy as np

    from netsheet.data.inputs import InputValue, Sample
    from netsheet.errors import FormatError

    inputs = artefact.network.explicit.inputs
    missing = [tensor.name for tensor in inputs if tensor.name not in values]
    if missing:
        raise FormatError(
            f"{artefact.content}: there is no input {missing[0]!r}; is it this model's workbook?"
        )
    arrays = {t.name: InputValue(values[t.name].astype(np.float32)) for t in inputs}
    return Sample(Path(artefact.content).name, arrays)
