"""Commands that write something, or prove it: csv, excel, c, onnx, verify, demo."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from netsheet.cli import language, options, show
from netsheet.cli.class_names import Classes, class_names
from netsheet.cli.declarations import Argument, Option
from netsheet.cli.learning import (
    Learn,
    Loss,
    OwnInput,
    Rate,
    Steps,
    Target,
    TrueClass,
    labelled,
    learning,
)
from netsheet.cli.opening import opened
from netsheet.cli.options import (
    BatchAxis,
    Data,
    Inputs,
    Json,
    ModelFile,
    OutputOrStream,
)
from netsheet.cli.scaling import Scaled
from netsheet.errors import UsageError
from netsheet.selection import require_layers
from netsheet.verify.targets import TARGETS, target_of

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.fidelity import Verdict


def _engines_help() -> str:
    rows = [row for row in TARGETS.values() if row.chooses == "engine"]
    return "; ".join(f"{row.name}: {', '.join(row.engines)}" for row in rows)


def _boards_help() -> str:
    boards = [name for name in TARGETS["c"].engines if name != "host"]
    return f"{', '.join(boards[:-1])} or {boards[-1]} instead of this machine"


Samples = Annotated[int, Option("--samples", min=1, help="Of --data, the first N.")]
Until = Annotated[
    str | None, Option("--until", help="Stop behind this layer (excel, c, page, onnx).")
]
Arrangement = Annotated[
    str, Option("--arrangement", help="For excel: planes, interleaved or auto.")
]


def csv(
    model_file: ModelFile,
    output: OutputOrStream,
    layout: Annotated[
        str,
        Option("--layout", help="blocks, article, tidy, matrix, or a TOML file of your own."),
    ] = "blocks",
    newline: Annotated[str, Option("--newline", help="crlf or lf.")] = "crlf",
    bom: Annotated[
        bool, Option("--bom", help="Mark it as UTF-8, for names beyond ASCII in Excel.")
    ] = False,
    decimal: Annotated[
        str, Option("--decimal", help="point, or comma (cells are then parted by ;).")
    ] = "point",
    edited: Annotated[
        Path | None,
        Option("--import", help="Read this edited CSV back into a copy of the model."),
    ] = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Write all weights as CSV in a layout of your choice, or read an edited CSV back."""
    options.spare(output, model_file, edited)
    model = opened(model_file, batch_axis)
    if edited is not None:
        from netsheet.write.csv.copy_model import by_dataset, write_copy
        from netsheet.write.csv.read_back import import_csv

        changed = by_dataset(model, import_csv(model, edited, layout=layout, decimal=decimal))
        with show.written_to(output, model_file.suffix, as_json) as place:
            write_copy(model_file, changed, place)
        show.wrote(output, f"{output}: {len(changed)} weights differ from {model_file}")
        if as_json:
            show.as_json({"files": [str(output)], "changed": list(changed)})
        return
    from netsheet.write.csv.writer import MOST_ROWS, too_long, write_csv

    with show.written_to(output, ".csv", as_json) as place, show.progress("writing") as bar:
        written = write_csv(
            model, place, layout=layout, newline=newline, bom=bom, decimal=decimal, progress=bar
        )
    for rows in too_long(model, layout):
        show.note(
            f"warning: {rows:,} rows of numbers; Excel and LibreOffice show the first "
            f"{MOST_ROWS:,} and drop the rest when they save: take the layout blocks or matrix, "
            'or one of your own with files = "layer".'
        )
    show.wrote(output, ", ".join(map(str, written)))
    if as_json:
        show.as_json({"files": [str(path) for path in written]})


def excel(
    model_file: ModelFile,
    output: OutputOrStream,
    inputs: Inputs = None,
    data: Data = None,
    samples: Samples = 10,
    until: Until = None,
    arrangement: Arrangement = "auto",
    classes: Classes = None,
    wanted: Scaled = None,
    force: Annotated[
        bool, Option("--force", help="Overwrite a workbook that was edited since.")
    ] = False,
    learn: Learn = False,
    steps: Steps = None,
    rate: Rate = None,
    loss: Loss = None,
    true_class: TrueClass = None,
    target: Target = None,
    own_input: OwnInput = False,
    vocabulary: Annotated[
        Path | None,
        Option("--vocabulary", help="Words of token numbers: one a line, or .json."),
    ] = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Write the workbook that is the network: live formulas from the input to the output.

    Of a network that keeps states, several inputs are computed one after another, a row for each.
    """
    from netsheet.write.excel import to_excel

    if output.suffix.lower() != ".xlsx" and str(output) != "-":
        raise UsageError(f"{output}: Excel opens workbooks named .xlsx; name it so.")
    how = learning(learn, loss, rate, steps, target, own_input)
    if not force:
        _spare_edited(output)
    model = opened(model_file, batch_axis)
    chosen, names = options.samples_of(model, inputs, data, samples, wanted)
    chosen = labelled(chosen, true_class, learn)
    listed: list[str] = []
    if vocabulary is not None:
        from netsheet.data.vocabulary import read_vocabulary

        listed = read_vocabulary(vocabulary)
    for text in dict.fromkeys(sample.note for sample in chosen):
        show.note(text)
    if model.states:
        show.note(_steps_told(len(chosen)))
    with show.written_to(output, ".xlsx", as_json) as place, show.progress("writing cells") as bar:
        report = to_excel(
            model, place, chosen, lang=language.chosen, until=until, arrangement=arrangement,
            class_names=class_names(classes, model) or names or list(model.class_names) or None,
            learn=how, vocabulary=listed, progress=bar,
        )  # fmt: skip
    show.wrote(output, f"{output}: {report}")
    if as_json:
        show.as_json(asdict(report) | {"path": str(output)})


def _steps_told(count: int) -> str:
    """What the workbook has of a network that keeps states."""
    if count == 1:
        return (
            "The network keeps states: with several inputs (--input repeated, or --data) the "
            "workbook computes one after another, a row for each on the sheet Steps."
        )
    return (
        f"The network keeps states: the {count} inputs are computed one after another, a row for "
        "each on the sheet Steps; with one alone (--samples 1) the states before it are zeros."
    )


def _spare_edited(output: Path) -> None:
    """Asks before a workbook is overwritten that somebody saved, or that is not netsheet's."""
    from netsheet.write.xlsx import unchanged

    if not output.is_file() or unchanged(output):
        return
    said = f"{output}: was edited since netsheet wrote it, or is somebody else's workbook"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{said}; name another file, or overwrite it with --force.")
    import typer

    try:
        agreed = typer.confirm(language.translated(f"{said}. Overwrite it?"), err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None
    if not agreed:
        sys.exit(1)


def c(
    model_file: ModelFile,
    output: Annotated[Path, Option("--output", "-o", help="The folder to write.")],
    name: Annotated[str, Option("--name", help="Prefix of files and functions.")] = "net",
    target: Annotated[
        str, Option("--target", help="plain, arduino, esp-idf or platformio.")
    ] = "plain",
    inputs: Inputs = None,
    until: Until = None,
    classes: Classes = None,
    weights: Annotated[
        str, Option("--weights", help="text: in the code; binary: a file beside it.")
    ] = "text",
    learn: Annotated[
        list[str] | None,
        Option("--learn", help="A layer that learns on the device; may be repeated."),
    ] = None,
    loss: Loss = None,
    true_class: TrueClass = None,
    licence: Annotated[str, Option("--licence", help="Named in every file, such as MIT.")] = "",
    wanted: Scaled = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Write plain C99 for a microcontroller, with a test program and the figures."""
    from netsheet.write.c import to_c
    from netsheet.write.c.learning import CLearning

    if not learn and (loss is not None or true_class is not None):
        raise UsageError(f"{'--loss' if loss is not None else '--true-class'} belongs to --learn.")
    model = opened(model_file, batch_axis)
    if inputs and len(inputs) > 1:
        raise UsageError("c stores one --input; give one.")
    # Without an input the sizes of the model itself decide, and random numbers stand in.
    sample = options.samples_of(model, inputs, None, 1, wanted)[0][0] if inputs else None
    if sample is not None and true_class is not None:
        sample = replace(sample, label=true_class)
    with show.progress("writing C") as bar:
        report = to_c(
            model, output, name=name, target=target, sample=sample, until=until,
            class_names=class_names(classes, model), weights=weights, licence=licence,
            lang=language.chosen, progress=bar,
            learn=CLearning(tuple(learn), loss) if learn else None,
        )  # fmt: skip
    show.note(report.sample)
    if as_json:
        show.as_json(report.to_json())
    else:
        show.say(str(report))
    show.note(f"wrote {len(report.files)} files in {output}")


def onnx(
    model_file: ModelFile,
    output: OutputOrStream,
    inputs: Inputs = None,
    form: Annotated[
        str,
        Option(
            "--form",
            help="Of a quantised network: exact whole numbers; qdq or qlinear, as runtimes like.",
        ),
    ] = "exact",
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Write an ONNX file with the layers' names kept; an input fixes sizes that are open."""
    from netsheet.write.onnx import to_onnx

    options.spare(output, model_file, *(inputs or ()))
    model = opened(model_file, batch_axis)
    require_layers(model)
    with show.written_to(output, ".onnx", as_json) as place:
        to_onnx(options.bound(model, inputs), place, form=form)
        size = place.stat().st_size
    if form != "exact":
        show.note("This form rounds as ONNX does: values may be a step beside the exact ones.")
    show.wrote(output, str(output))
    if as_json:
        show.as_json({"path": str(output), "size": size})


def verify(
    model_file: ModelFile,
    target: Annotated[
        str, Option("--target", help=f"{', '.join(TARGETS)}; what is proved.")
    ] = "excel",
    inputs: Inputs = None,
    data: Data = None,
    samples: Samples = 1,
    engine: Annotated[
        str | None,
        Option("--engine", help=f"What recomputes; for {_engines_help()}."),
    ] = None,
    xlsx: Annotated[
        Path | None, Option("--xlsx", help="Verify this workbook instead of a new one.")
    ] = None,
    until: Until = None,
    arrangement: Annotated[
        str | None, Option("--arrangement", help="For excel: planes, interleaved or auto.")
    ] = None,
    board: Annotated[str | None, Option("--board", help=f"For c: {_boards_help()}.")] = None,
    sanitize: Annotated[
        bool, Option("--sanitize", help="For c: under address and undefined sanitizers.")
    ] = False,
    wanted: Scaled = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> int:
    """Prove a target layer by layer: an outside engine recomputes it, every layer is compared.

    Exit codes: 0 all layers agree; 1 one is wrong, or nothing could be compared; 3 one is out of
    the bound, but float32 itself is about as far off there; 4 some layers are not computed at all.
    """
    from netsheet.verify import verify as run

    given = {
        "engine": engine, "xlsx": xlsx, "until": until, "arrangement": arrangement,
        "board": board, "sanitize": sanitize or None,
    }  # fmt: skip
    wished = {name: value for name, value in given.items() if value is not None}
    for name in wished:
        if name not in target_of(target).options:
            owners = " or ".join(row.name for row in TARGETS.values() if name in row.options)
            raise UsageError(f"--{name} belongs to --target {owners}, not to {target}.")
    model = opened(model_file, batch_axis)
    chosen: list[Sample] = []
    if xlsx is None or inputs or data:  # a workbook has an input of its own
        chosen, _ = options.samples_of(model, inputs, data, samples, wanted)
    for text in dict.fromkeys(sample.note for sample in chosen):
        show.note(text)
    options.say_states(model, len(chosen))
    with show.progress("verifying") as bar:
        verdict = run(model, target, chosen, progress=bar, **wished)
    if as_json:
        show.as_json(verdict.to_json())
    else:
        _print(verdict)
    return int(verdict.exit_code)


def _print(verdict: Verdict) -> None:
    """The table of a verdict, and in sentences what it does not say."""
    rows = [
        (
            layer.layer,
            f"{layer.cells:,}",
            f"{layer.max_abs:.2e}",
            f"{layer.max_rel:.2e}",
            {"ok": "ok", "rounding": layer.note}.get(layer.outcome, f"WRONG {layer.note}".rstrip()),
        )
        for layer in verdict.layers
    ]
    columns = [("layer", "left"), ("values", "right"), ("max deviation", "right"),
               ("relative", "right"), ("verdict", "left")]  # fmt: skip
    title = f"{verdict.target} by {verdict.engine}, against {verdict.reference}"
    good = sum(layer.ok for layer in verdict.layers)
    show.table(title, columns, rows, f"{good} of {len(verdict.layers)} layers agree.")
    if verdict.outcome == "rounding":
        show.say("The others are out of the bound, but no further than float32 itself is there.")
    for text in verdict.unverified:
        show.say(f"Not computed, hence not verified: {text}.")
    for text in verdict.notes:
        show.say(text)


def demo(
    folder: Annotated[Path, Argument(help="Where to write; made if missing.")] = Path(
        "netsheet-demo"
    ),
    learn: Annotated[
        bool,
        Option("--learn", help="Learning: XOR, twenty steps in the cells of a workbook."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Do all of it once, on a small network and picture that the package carries."""
    if learn:
        from netsheet.cli.demo_learn import run
    else:
        from netsheet.cli.demo import run
    run(folder, as_json)
