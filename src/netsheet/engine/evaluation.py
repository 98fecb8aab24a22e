"""Loss and metrics of a network on labelled data, as Keras's ``model.evaluate`` gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.engine.compiled import Compiled, compiled, stored_name
from netsheet.engine.losses import CLASSES, NamedLoss, Predicted, aligned, loss_named
from netsheet.engine.metrics import Metric, Value, metric_named, plain_accuracy
from netsheet.engine.outputs import Output, about_states, keras_major, outputs, penalties
from netsheet.engine.reduction import batch_loss, beside, weighed
from netsheet.engine.run import engine
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsheet.network import Network

BATCH = 32  # Keras's: where a mask or a sum over the batch decides, the loss depends on it


@dataclass(frozen=True)
class Evaluation:
    """What came out; ``metrics`` are named as Keras names them, ``loss`` is the whole loss.

    ``accuracy`` is the stored metric of that name, else the share of right answers, None where the
    targets are no classes. ``loss_name`` says which loss, ``note`` what else there is to know.
    """

    samples: int
    accuracy: float | None
    loss: float | None
    loss_name: str | None
    note: str = ""
    metrics: Mapping[str, Value] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        from netsheet.tables import html_table

        rows = [("samples", f"{self.samples:,}")]
        if self.accuracy is not None:
            rows.append(("accuracy", f"{self.accuracy:.4f}"))
        if self.loss is not None:
            rows.append((f"loss ({self.loss_name})", f"{self.loss:.9g}"))
        rows += [
            (name, " ".join(f"{one:.9g}" for one in (v if isinstance(v, list) else [v])))
            for name, v in self.metrics.items()
            if name not in ("accuracy", "acc")
        ]
        return html_table([("", "left"), ("", "right")], rows, foot=self.note)

    def to_json(self) -> dict[str, Any]:
        """The values by name."""
        return asdict(self)


def evaluate(
    model: Network,
    x: object,
    y: object,
    *,
    loss: str | None = None,
    sample_weight: object = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Runs the network on ``x`` and compares with ``y``.

    The loss is ``loss``, or that of the file's training configuration with the penalties of its
    regularizers, or, where there is none, the usual one for the kind of output and target. Metrics
    are those of the file.

    Args:
        x: an array, a list in the order of the inputs, or a dict by input name.
        y: classes, one-hot rows or values; with several outputs a list or a dict by output name.
        sample_weight: a weight for each sample (or step); with several outputs one for all, or as
            ``y``.

    Raises:
        NetsheetError: the targets do not fit the outputs; the message has the row.
    """
    arrays = engine(model).inputs(x)
    if not model.bound:
        model = model.bind({name: array.shape[1:] for name, array in arrays.items()})
    found = outputs(model, arrays, progress)
    names = [output.name for output in found]
    targets = _for_outputs(y, names, "targets")
    weights = _for_outputs(sample_weight, names, "sample weights")
    size = model.batch_size or 1
    notes = [about_states(size, len(next(iter(arrays.values()))))] if model.states else []
    parts = []
    for output, stored, target, weight in zip(
        found, compiled(model.training_config, _keras_names(model)), targets, weights, strict=True
    ):
        true = None if target is None else _target(output, target, arrays, stored, loss, notes)
        parts.append(
            _Part(
                output, stored, true, _weights(output, weight), keras_major(model),
                size if model.states else BATCH,
            )
        )  # fmt: skip
    return _evaluation(model, arrays, parts, loss, notes)


def _evaluation(
    model: Network,
    arrays: Mapping[str, FloatArray],
    parts: Sequence[_Part],
    given: str | None,
    notes: list[str],
) -> Evaluation:
    """The sum of the outputs' losses and the penalties, and all metrics by Keras's names."""
    total: float | None = 0.0
    loss_names: list[str] = []
    values: dict[str, Value] = {}
    for part in parts:
        if part.target is None:
            notes.append(f"there are no targets for the output {part.stored.name!r}")
            continue
        named = part.loss(given, len(parts) == 1, notes)
        if named is None:
            total = total if part.stored.loss is None and total is not None else None
            continue
        if part.are_classes and named.name not in CLASSES:
            notes.append(f"the labels are classes: for {named.name} each is a row with a one")
        batches = part.batch_losses(named)
        sizes = part.batch_sizes
        loss_names.append(named.name)
        if total is not None:
            total += part.stored.weight * float(np.average(batches, weights=sizes))
        if len(parts) > 1:  # Keras 3 takes a smaller last batch for a whole one here
            share = sizes if part.major < 3 else None
            values[f"{part.stored.name}_loss"] = float(np.average(batches, weights=share))
    for part in parts:
        if part.target is not None:
            _add_metrics(values, part, len(parts) > 1, notes)
    if given is None and model.training_config is not None and total is not None:
        penalty = penalties(model, arrays)
        total += penalty.total
        if penalty.unknown:
            notes.append(
                "the loss lacks the penalties of regularizers that are not known: "
                + ", ".join(penalty.unknown)
            )
    total = total if loss_names else None
    right = next((values[n] for n in ("accuracy", "acc") if n in values), None)
    if right is None and len(parts) == 1 and parts[0].target is not None:
        right = _fallback(parts[0])
    return Evaluation(
        len(next(iter(arrays.values()))), right if isinstance(right, float) else None, total,
        " + ".join(loss_names) or None, "; ".join(dict.fromkeys(notes)), values,
    )  # fmt: skip


def _fallback(part: _Part) -> float | None:
    """The share of right answers, where the file names no metric."""
    if part.stored.metrics or part.stored.weighted_metrics or part.target is None:
        return None
    if part.mask is not None or part.ignores:
        return None
    return plain_accuracy(part.target, part.prediction)


def _add_metrics(values: dict[str, Value], part: _Part, several: bool, notes: list[str]) -> None:
    for stored, weighted in (
        *((one, False) for one in part.stored.metrics),
        *((one, True) for one in part.stored.weighted_metrics),
    ):
        assert part.target is not None
        try:
            metric = metric_named(stored, part.target, part.prediction, weighted, part.major)
            value = part.measured(metric)
        except (NetsheetError, IndexError, TypeError, ValueError, KeyError) as error:
            reason = str(error) if isinstance(error, NetsheetError) else "its arguments do not fit"
            notes.append(f"a metric is left out: {reason} ({_label(stored)})")
            continue
        name = metric.name
        prefix = f"{part.stored.name}_"
        if several and not name.startswith(prefix):
            name = prefix + name
        unique, number = name, 0
        if unique in values and weighted:
            name = unique = f"{prefix if several else ''}weighted_{metric.name}"
        while unique in values:
            number += 1
            unique = f"{name}_{number}"
        values[unique] = value


def _label(stored: Any) -> str:
    name = stored.get("class_name", "?") if isinstance(stored, Mapping) else stored
    return str(name)[:60]


@dataclass(frozen=True, eq=False)
class _Part:
    """One output with its targets, its mask and its samples' weights."""

    output: Output
    stored: Compiled
    target: FloatArray | None
    weights: FloatArray | None
    major: int
    batch: int = BATCH

    @property
    def prediction(self) -> Predicted:
        return self.output.prediction

    @property
    def mask(self) -> FloatArray | None:
        return self.output.mask

    @property
    def are_classes(self) -> bool:
        """True if the targets name classes of an output that has a value for each."""
        return self.target is not None and self.target.size < self.prediction.values.size

    @property
    def ignores(self) -> bool:
        """True if its loss leaves a class out."""
        return stored_name(self.stored.loss)[1].get("ignore_class") is not None

    def loss(self, given: str | None, single: bool, notes: list[str]) -> NamedLoss | None:
        """The loss that was asked for, the file's own, or the usual one."""
        assert self.target is not None
        stored = given if given is not None else self.stored.loss
        if stored is None:
            if self.stored.stored or not single:
                return None
            stored = _usual(self.target, self.prediction)
            notes.append(f"the file names no loss; {stored} is the usual one for such an output")
        try:
            return loss_named(stored, self.major, self.prediction.values.ndim)
        except UnsupportedError as error:
            if given is not None:  # asked for by name: nothing else stands in for it
                raise UsageError(str(error)) from error
            notes.append(str(error))
            return None

    @property
    def batch_sizes(self) -> list[int]:
        """How many samples each of Keras's batches has."""
        count = len(self.prediction)
        return [min(self.batch, count - start) for start in range(0, count, self.batch)]

    def batch_losses(self, named: NamedLoss) -> list[float]:
        """The loss of each batch: where a mask or a sum decides, it is not the samples' mean."""
        assert self.target is not None
        if named.whole:
            return self._whole_losses(named)
        values = np.asarray(named(self.target, self.prediction), float)
        mask = None if self.mask is None else beside(self.mask.astype(float), values)
        if named.ignored is not None:
            y = aligned(self.target, self.prediction)[0].reshape(values.shape)
            valid = (y != named.ignored).astype(float)
            mask = valid if mask is None else mask * valid
        weights = None if self.weights is None else beside(self.weights, values)
        return [
            batch_loss(
                values[part],
                None if mask is None else mask[part],
                None if weights is None else weights[part],
                named.reduction,
            )
            for part in self._batches
        ]

    @property
    def _batches(self) -> list[slice]:
        starts = range(0, len(self.prediction), self.batch)
        return [slice(start, start + self.batch) for start in starts]

    def _whole_losses(self, named: NamedLoss) -> list[float]:
        """Of losses that a batch has and its samples have not."""
        if self.mask is not None or self.weights is not None:
            raise NetsheetError(
                f"the loss {named.name} is one of all samples together: none of them can weigh "
                "more or be masked."
            )
        assert self.target is not None
        losses = (
            named(self.target[part], Predicted(self.prediction.values[part]))
            for part in self._batches
        )
        return [float(one.sum() if named.reduction == "sum" else one.mean()) for one in losses]

    def measured(self, metric: Metric) -> Value:
        """The metric, with mask and weights where this version of Keras applies them to it."""
        assert self.target is not None
        weights = self.weights if metric.weighted else None
        mask = self.mask if metric.mean or self.major < 3 else None
        if mask is not None:
            mask = mask.astype(float)
            weights = mask if weights is None else weighed(mask, weights)
        return metric.function(self.target, self.prediction, weights)


def _usual(y: FloatArray, p: Predicted) -> str:
    if plain_accuracy(y, p) is None:
        return "mean_squared_error"
    return "binary_crossentropy" if p.classes == 1 else "categorical_crossentropy"


# ------------------------------------------------------------------ targets


def _keras_names(model: Network) -> list[str]:
    """The outputs' names as Keras has them: those of their layers, numbered where they repeat."""
    names: list[str] = []
    for ref in model.results:
        layer = next((call.layer.name for call in model.calls if call.key == ref.key), ref.key)
        name = _outermost(model, ref.key, layer)
        number = sum(1 for other in names if other.rpartition("#")[0] == name or other == name)
        names.append(name if not number else f"{name}#{number}")
    return [name.replace("#", "_") for name in names]


def _outermost(model: Network, key: str, layer: str) -> str:
    """Of a layer in a nested model, the nested model's name."""
    return key.split("/")[0] if key in {r.key for r in model.aliases.values()} else layer


def _for_outputs(given: object, names: Sequence[str], what: str) -> list[Any]:
    """One array for each output: a list in their order, a dict by name, one for a single output."""
    if isinstance(given, Mapping):
        unknown = [str(name) for name in given if name not in names]
        if unknown:
            raise UsageError(f"outputs are {', '.join(names)}; {what} were given for {unknown}.")
        return [given.get(name) for name in names]
    if given is None or len(names) == 1:
        single = isinstance(given, (list, tuple)) and len(given) == 1 and np.ndim(given[0]) > 0
        return [given[0] if single else given] * len(names)  # type: ignore[index]
    if isinstance(given, (list, tuple)) and len(given) == len(names):
        return list(given)
    if what == "sample weights":
        return [given] * len(names)
    raise UsageError(
        f"the network has {len(names)} outputs ({', '.join(names)}): give a list of {what} in this "
        "order, or a dict by name."
    )


def _target(
    output: Output,
    target: object,
    arrays: Mapping[str, FloatArray],
    stored: Compiled,
    loss: str | None,
    notes: list[str],
) -> FloatArray:
    """The targets as numbers; the input itself where labels are given to an autoencoder."""
    try:
        y = np.asarray(target, float)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the targets are no numbers: {error}.") from error
    values = output.prediction.values
    if not y.ndim or len(y) != len(values):
        count = len(y) if y.ndim else 0
        raise NetsheetError(f"there are {len(values)} samples, but {count} labels")
    x = next(iter(arrays.values()))
    labels = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
    if len(arrays) == 1 and x.shape == values.shape and labels and values[0].size > 1:
        name = loss or stored.loss
        try:
            known = None if name is None else loss_named(name).name
        except UnsupportedError:
            known = ""
        if known is not None and known not in CLASSES:
            notes.append(
                "the output has the shape of the input and the loss is none of classes: compared "
                "with the input itself (an autoencoder), not with the labels"
            )
            return np.asarray(x, float)
    return y


def _weights(output: Output, given: object) -> FloatArray | None:
    if given is None:
        return None
    weights = np.asarray(given, float)
    if not weights.ndim or len(weights) != len(output.prediction):
        raise NetsheetError(
            f"there are {len(output.prediction)} samples, but weights of the shape {weights.shape}"
        )
    return weights
