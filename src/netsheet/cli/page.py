"""The command page: the network as an interactive page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from netsheet.cli import language, options, show
from netsheet.cli.artefacts import Samples, Until
from netsheet.cli.class_names import Classes, class_names
from netsheet.cli.declarations import Option
from netsheet.cli.learning import Loss
from netsheet.cli.opening import opened
from netsheet.cli.options import BatchAxis, Data, Inputs, Json, ModelFile
from netsheet.cli.scaling import Scaled
from netsheet.errors import UsageError
from netsheet.selection import refused, told


def page(
    model_file: ModelFile,
    output: Annotated[
        Path, Option("--output", "-o", help="The .html file to write; - for standard output.")
    ],
    inputs: Inputs = None,
    data: Data = None,
    samples: Samples = 10,
    until: Until = None,
    classes: Classes = None,
    wanted: Scaled = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
    open_it: Annotated[bool, Option("--open", help="Show it in the browser.")] = False,
    learn: Annotated[
        bool, Option("--learn", help="It learns from what is drawn, by steps of gradient descent.")
    ] = False,
    loss: Loss = None,
    rate: Annotated[
        float | None, Option("--rate", help="With --learn: the learning rate to begin with [0.01].")
    ] = None,
) -> None:
    """Write one HTML file in which the network computes, shows and explains itself, offline."""
    from netsheet.write.page import to_page
    from netsheet.write.page.learning import PageLearning

    if not learn and (loss is not None or rate is not None):
        raise UsageError(f"{'--loss' if loss is not None else '--rate'} belongs to --learn.")
    lessons = PageLearning(loss, 0.01 if rate is None else rate) if learn else None
    if output.suffix.lower() not in (".html", ".htm") and str(output) != "-":
        raise UsageError(f"{output}: browsers open pages named .html; name it so.")
    options.spare(output, model_file, data, *(inputs or ()))
    model = opened(model_file, batch_axis)
    chosen, names = options.samples_of(model, inputs, data, samples, wanted)
    for text in dict.fromkeys(sample.note for sample in chosen):
        show.note(text)
    if open_it and str(output) == "-":
        raise UsageError("--open shows a file: name one with -o.")
    with show.written_to(output, ".html", as_json) as place:
        report = to_page(
            model, place, samples=chosen, lang=language.chosen if language.asked else "",
            until=until, learn=lessons,
            class_names=class_names(classes, model) or names or list(model.class_names) or None,
        )  # fmt: skip
    show.wrote(output, f"{output}: {report}")
    for text in told(refused(model)) if until is None else ():
        show.note(f"Not computed: {text}")
    if as_json:
        show.as_json(asdict(report) | {"path": str(output)})
    if open_it:
        import webbrowser

        webbrowser.open(output.resolve().as_uri())
