"""The command that trains: from nothing, or on from a network's file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from netsheet.cli import show
from netsheet.cli.declarations import Option
from netsheet.cli.opening import Label
from netsheet.cli.options import BatchAxis, Json, Output
from netsheet.errors import UsageError


def train(
    output: Output,
    data: Annotated[
        str, Option("--data", help="Samples with labels: a folder, .npz, CSV, or a name.")
    ],
    arch: Annotated[
        str, Option("--arch", help="article, lenet, mlp, or a network's file to continue.")
    ] = "article",
    size: Annotated[
        str | None,
        Option("--size", help="Of a new network's input, HEIGHTxWIDTHxCHANNELS; that of the data."),
    ] = None,
    epochs: Annotated[int, Option("--epochs", help="Rounds over the samples.")] = 10,
    batch: Annotated[int, Option("--batch", help="Samples of one step.")] = 32,
    rate: Annotated[float, Option("--rate", help="Learning rate.")] = 1e-3,
    optimizer: Annotated[
        str, Option("--optimizer", help="adam, sgd, momentum or rmsprop.")
    ] = "adam",
    loss: Annotated[
        str | None,
        Option(
            "--loss",
            help="As Keras names it; that of the file if left out. Of several outputs one for "
            "each, with a weight: mse,binary_crossentropy*0.5.",
        ),
    ] = None,
    validation: Annotated[
        float, Option("--validation", help="Share of the samples that is held out.")
    ] = 0.1,
    patience: Annotated[
        int, Option("--patience", help="End after so many epochs without a better loss.")
    ] = 0,
    balanced: Annotated[
        bool, Option("--balanced", help="Every class counts alike, rare ones too.")
    ] = False,
    freeze: Annotated[
        str | None, Option("--freeze", help="Layers whose weights stay: conv1,conv2.")
    ] = None,
    still: Annotated[
        str | None,
        Option("--still", help="Layers that act as in prediction, as dropout then does not."),
    ] = None,
    augment: Annotated[
        str,
        Option(
            "--augment",
            help="Pictures changed at random: shift=2,turn=10,mirror,flip (pixels, degrees).",
        ),
    ] = "",
    no_penalties: Annotated[
        bool, Option("--no-penalties", help="Without what regularizers add to the loss.")
    ] = False,
    seed: Annotated[int, Option("--seed", help="The same seed, the same network.")] = 0,
    curves: Annotated[
        Path | None,
        Option("--curves", help="Loss and accuracy by epoch, as CSV or as a picture (.png)."),
    ] = None,
    resume: Annotated[
        bool,
        Option("--resume", help="Go on with the training of this output, also with more --epochs."),
    ] = False,
    label: Label = None,
    batch_axis: BatchAxis = "auto",
    wanted: Any = None,
    as_json: Json = False,
) -> None:
    """Train a network on labelled samples: its backward equations, run by ONNX Runtime."""
    from netsheet.cli.training import (
        begun,
        check_places,
        ended_by_signals,
        names,
        report,
        say_layers,
        shown_steps,
        write_curves,
    )
    from netsheet.engine.augmenting import augmentations
    from netsheet.engine.fitting import Plan, fit
    from netsheet.engine.prepared import augmented, prepared
    from netsheet.engine.training import Trainer

    plan = Plan(epochs, batch, rate, optimizer, validation, patience, seed, balanced)
    if output.suffix.lower() not in (".h5", ".keras", ".hdf5", ".onnx"):
        raise UsageError(f"{output}: a network is written as .h5 or .keras; name it so.")
    check_places(output, curves)
    start = begun(arch, size, data, seed, output, loss, wanted, label, batch_axis)
    network = prepared(start.network, names(freeze), names(still))
    say_layers(network)
    network = augmented(network, augmentations(augment, network.inputs[0]))
    trainer = Trainer(network, start.goals, batch, not no_penalties)
    start.check_written(trainer.learnt)
    for name in trainer.untouched:
        show.note(f"{name} stays as it is: the loss has no slope along it.")
    state = output.with_name(f"{output.name}.training.npz")
    with ended_by_signals(), shown_steps(plan, as_json) as (seen, stepped):
        found = fit(
            trainer, start.samples.x, start.samples.y, plan, stepped=stepped,
            sample_weights=start.samples.sample_weight, seen=seen, state=state, resume=resume,
            options={"freeze": ",".join(sorted(names(freeze))), "augment": augment,
                     "still": ",".join(sorted(names(still)))},
        )  # fmt: skip
    start.write(output, found)
    if curves is not None:
        write_curves(curves, found)
    report(output, found, plan, state, as_json)
