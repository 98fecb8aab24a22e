"""The command predict: what the network says of a picture."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from netsheet.cli import options, show
from netsheet.cli.class_names import Classes, class_names
from netsheet.cli.declarations import Option
from netsheet.cli.opening import opened
from netsheet.cli.options import BatchAxis, Data, Inputs, Json, ModelFile
from netsheet.cli.scaling import Scaled
from netsheet.errors import UsageError
from netsheet.selection import require_layers

if TYPE_CHECKING:
    from netsheet.engine.prediction import ClassScore, Prediction

BAR = 36  # letters of a full bar
VALUES = 20  # values of an output that are printed


def predict(
    model_file: ModelFile,
    inputs: Inputs = None,
    data: Data = None,
    samples: Annotated[int, Option("--samples", min=1, help="Of --data, the first N.")] = 10,
    classes: Classes = None,
    top: Annotated[int, Option("--top", min=1, help="So many classes as bars.")] = 5,
    wanted: Scaled = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Print what the network says of a picture: the class and its share, or the values."""
    from netsheet.engine.prediction import predictions

    model = opened(model_file, batch_axis)
    require_layers(model)
    if not inputs and data is None:
        raise UsageError("give an input with --input FILE (or --data).")
    chosen, names = options.samples_of(model, inputs, data, samples, wanted)
    for text in dict.fromkeys(sample.note for sample in chosen):
        show.note(text)
    options.say_states(model, len(chosen))
    with show.progress("predicting") as bar:
        found = predictions(model, chosen, class_names(classes, model) or names, bar)
    if as_json:
        show.as_json([prediction_json(one) for one in found])
    elif len(found) == 1:
        for line in lines(found[0], top):
            show.say(line)
    else:
        _table(found)


def share(prediction: Prediction, score: ClassScore) -> str:
    """``98.7 %``, or the plain number where scores are no shares of 1."""
    return f"{score.score:.1%}".replace("%", " %") if prediction.probabilities else _short(score)


def _short(score: ClassScore) -> str:
    return f"{score.score:.6g}"


def verdict_line(prediction: Prediction) -> str:
    """The likeliest class in a line: ``5  98.7 %``; empty where there are no classes."""
    best = prediction.best
    if best is None:
        return ""
    known = "" if prediction.label is None else f"  (label: {prediction.label})"
    return f"{best.name}  {share(prediction, best)}{known}"


def lines(prediction: Prediction, top: int) -> Iterator[str]:
    """One prediction in full: the class and bars, or the values of each output."""
    if prediction.best is not None:
        yield verdict_line(prediction)
        yield ""
        yield from _bars(prediction, prediction.scores[:top])
        return
    for name, values in prediction.outputs.items():
        yield from _values(name, values)


def _bars(prediction: Prediction, scores: Sequence[ClassScore]) -> Iterator[str]:
    """The classes under each other; bars from 0 to 1, or to the largest score."""
    from rich.cells import cell_len

    texts = [share(prediction, score) for score in scores]
    full = 1.0 if prediction.probabilities else max(abs(score.score) for score in scores)
    wide = max(cell_len(score.name) for score in scores)
    for score, text in zip(scores, texts, strict=True):
        name = score.name + " " * (wide - cell_len(score.name))
        yield f"{name}  {text:>{max(map(len, texts))}}  {_bar(score.score, full)}".rstrip()


def _bar(value: float, full: float) -> str:
    if not full or value != value or value <= 0:
        return ""
    letter = "█"
    try:
        letter.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        letter = "#"
    return letter * round(min(value / full, 1.0) * BAR)


def _values(name: str, values: Any) -> Iterator[str]:
    import numpy as np

    if values.size == 1:
        yield f"{name}  {np.float32(values.reshape(-1)[0])}"
        return
    yield f"{name}  {values.shape}"
    if values.ndim == 1:
        for number, value in enumerate(values[:VALUES]):
            yield f"  {number:>3}  {value}"
        if len(values) > VALUES:
            yield f"  ... and {len(values) - VALUES} more (--json has all)"
        return
    yield np.array2string(values, threshold=200, edgeitems=3, max_line_width=80)


def _table(found: Sequence[Prediction]) -> None:
    """A line for each sample."""
    labelled = any(one.label is not None for one in found)
    columns = [("input", "left")]
    if found[0].best is not None:
        columns += [("class", "left")] + [("label", "left")] * labelled
        columns.append(("probability" if found[0].probabilities else "score", "right"))
    else:
        columns += [(name, "right") for name in found[0].outputs]
    rows = []
    for one in found:
        best = one.best
        if best is None:
            rows.append([one.sample, *(_few(values) for values in one.outputs.values())])
        else:
            label = [one.label or ""] * labelled
            rows.append([one.sample, best.name, *label, share(one, best)])
    known = [one for one in found if one.label is not None and one.best is not None]
    right = sum(one.best.name == one.label for one in known if one.best)
    foot = f"{right} of {len(known)} as labelled." if known else ""
    show.table(f"{len(found)} inputs", columns, rows, foot)


def _few(values: Any, most: int = 4) -> str:
    flat = values.reshape(-1)
    text = " ".join(f"{value:.6g}" for value in flat[:most])
    return text if flat.size <= most else f"{text} ... ({flat.size})"


def prediction_json(prediction: Prediction) -> dict[str, Any]:
    """A prediction as plain data; all classes, the likeliest first."""
    import numpy as np

    key = "probability" if prediction.probabilities else "score"
    scores = [
        {"class": one.name, "index": one.index, key: np.float32(one.score)}
        for one in prediction.scores
    ]
    best = {} if not scores else {**scores[0], "classes": scores}
    label = {} if prediction.label is None else {"label": prediction.label}
    return {"input": prediction.sample, **best, **label, "outputs": dict(prediction.outputs)}
