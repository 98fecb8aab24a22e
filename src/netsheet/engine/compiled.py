"""What a file says that its network was compiled with: a loss, a weight and metrics per output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Compiled:
    """Of one output: the stored loss (None: it has none), its weight, and the stored metrics.

    ``weighted_metrics`` heed the samples' weights.
    """

    name: str
    loss: Any = None
    weight: float = 1.0
    metrics: Sequence[Any] = ()
    weighted_metrics: Sequence[Any] = ()

    @property
    def stored(self) -> bool:
        """True if the file says anything of this output."""
        return self.loss is not None or bool(self.metrics or self.weighted_metrics)


def compiled(training: Mapping[str, Any] | None, names: Sequence[str]) -> list[Compiled]:
    """For each output, by name, what ``training`` (a training or compile configuration) says."""
    training = training if isinstance(training, Mapping) else {}
    losses = _for_each(training.get("loss"), names)
    weights = _for_each(training.get("loss_weights"), names)
    metrics = _metrics(training.get("metrics"), names)
    weighted = _metrics(training.get("weighted_metrics"), names)
    return [
        Compiled(
            name, losses[n], float(weights[n]) if isinstance(weights[n], (int, float)) else 1.0,
            metrics[n], weighted[n],
        )
        for n, name in enumerate(names)
    ]  # fmt: skip


def _for_each(stored: Any, names: Sequence[str]) -> list[Any]:
    """One value for all outputs, or one for each: a list in their order or a dict by name."""
    if isinstance(stored, Mapping) and "class_name" not in stored:
        return [stored.get(name) for name in names]
    if isinstance(stored, Sequence) and not isinstance(stored, str):
        return [*stored, *[None] * len(names)][: len(names)]
    return [stored] * len(names)


def _metrics(stored: Any, names: Sequence[str]) -> list[list[Any]]:
    """For each output a list; a plain list goes to every output, unless it has one for each."""
    if isinstance(stored, Mapping) and "class_name" not in stored:
        return [_listed(stored.get(name)) for name in names]
    entries = _listed(stored)
    nested = any(_is_list(entry) for entry in entries)
    if len(names) == 1:
        return [[one for entry in entries for one in _listed(entry)]]
    if nested or len(entries) == len(names):
        return [_listed(entry) for entry in [*entries, *[None] * len(names)][: len(names)]]
    return [entries for _ in names]


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _listed(value: Any) -> list[Any]:
    values = list(value) if _is_list(value) else [value]
    return [one for one in values if one is not None]


def stored_name(stored: Any) -> tuple[str, Mapping[str, Any]]:
    """The function's or class's name of a stored loss or metric, and its arguments.

    A wrapper of a function (``MeanMetricWrapper``) is named by the function in it.
    """
    if not isinstance(stored, Mapping):
        return str(stored), {}
    config, name = stored.get("config"), stored.get("class_name")
    if isinstance(config, str):  # a function by its name
        return config, {}
    options = config if isinstance(config, Mapping) else {}
    inside = options.get("fn")
    if isinstance(inside, Mapping):
        inside = inside.get("config", inside.get("class_name"))
    return str(inside if isinstance(inside, str) else name), options
