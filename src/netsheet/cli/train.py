"""The command that trains: from nothing, or on from a network's file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import netsheet
from netsheet.cli import options, show
from netsheet.cli.declarations import Option
from netsheet.cli.options import Json, Output
from netsheet.errors import NetsheetError, UsageError

if TYPE_CHECKING:
    from netsheet.data.datasets import Dataset
    from netsheet.engine.architectures import Described
    from netsheet.engine.fitting import Fit
    from netsheet.engine.rounds import Epoch
    from netsheet.equations import FloatArray
    from netsheet.network import Network


def train(
    output: Output,
    data: Annotated[
        str, Option("--data", help="Samples with labels: a folder, .npz, CSV, or a name.")
    ],
    arch: Annotated[
        str, Option("--arch", help="article, lenet, mlp, or a network's file to continue.")
    ] = "article",
    size: Annotated[
        str, Option("--size", help="Of the input of a new network: HEIGHTxWIDTHxCHANNELS.")
    ] = "28x28x1",
    epochs: Annotated[int, Option("--epochs", help="Rounds over the samples.")] = 10,
    batch: Annotated[int, Option("--batch", help="Samples of one step.")] = 32,
    rate: Annotated[float, Option("--rate", help="Learning rate.")] = 1e-3,
    optimizer: Annotated[
        str, Option("--optimizer", help="adam, sgd, momentum or rmsprop.")
    ] = "adam",
    loss: Annotated[
        str | None, Option("--loss", help="As Keras names it; that of the file if left out.")
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
    no_penalties: Annotated[
        bool, Option("--no-penalties", help="Without what regularizers add to the loss.")
    ] = False,
    seed: Annotated[int, Option("--seed", help="The same seed, the same network.")] = 0,
    curves: Annotated[
        Path | None, Option("--curves", help="Loss and accuracy by epoch, as CSV.")
    ] = None,
    resume: Annotated[
        bool, Option("--resume", help="Go on with the training of this output.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a network on labelled samples: its backward equations, run by ONNX Runtime."""
    from netsheet.engine.fitting import Plan, fit
    from netsheet.engine.training import Trainer, prepared

    plan = Plan(epochs, batch, rate, optimizer, validation, patience, seed, balanced)
    if output.suffix.lower() not in (".h5", ".keras", ".hdf5"):
        raise UsageError(f"{output}: a network is written as .h5 or .keras; name it so.")
    start = _begun(arch, size, data, seed, output, loss)
    samples, y = start.samples, start.targets
    network = prepared(start.network, _names(freeze), _names(still))
    _say_layers(network)
    trainer = Trainer(network, start.loss, batch, not no_penalties)
    for name in trainer.untouched:
        show.note(f"{name} stays as it is: the loss does not depend on it.")
    state = output.with_name(f"{output.name}.training.npz")
    with show.progress("training") as bar:

        def seen(epoch: Epoch) -> None:
            if not as_json:
                show.say(_line(epoch, epochs))
            if bar is not None:
                bar(epoch.number, epochs)

        found = fit(trainer, samples.x, y, plan, seen=seen, state=state, resume=resume)
    start.write(output, found)
    state.unlink(missing_ok=True) if len(found.history) >= epochs else None
    if curves is not None:
        _write_curves(curves, found)
    _report(output, found, plan, as_json)


# --------------------------------------------------------------------------- what it begins with


@dataclass
class _Start:
    """A network, samples that fit it, and how its file is written."""

    network: Network
    loss: str
    samples: Dataset
    targets: FloatArray
    described: Described | None = None
    source: Path | None = None

    def write(self, output: Path, found: Fit) -> None:
        """The file with the best weights."""
        if self.described is not None:
            from netsheet.write.keras import write_h5

            weights = {
                layer: {label: found.best.get(f"{layer}/{label}", values)
                        for label, values in own.items()}
                for layer, own in self.described.weights.items()
            }  # fmt: skip
            write_h5(
                output, self.described.model_config, weights,
                training_config=self.described.training_config,
                keras_version=self.described.keras_version,
            )  # fmt: skip
            return
        from netsheet.write.csv.copy_model import by_dataset, write_copy

        assert self.source is not None
        write_copy(self.source, by_dataset(self.network, found.best), output)


def _begun(arch: str, size: str, data: str, seed: int, output: Path, loss: str | None) -> _Start:
    import tempfile

    from netsheet.data.datasets import read_dataset
    from netsheet.engine.architectures import architecture, architecture_names
    from netsheet.engine.gradients import stored_loss
    from netsheet.equations import Tensor
    from netsheet.layer import default_axes
    from netsheet.write.keras import write_h5

    path = Path(arch)
    if arch not in architecture_names() and path.exists():
        options.spare(output, path, data)
        network = netsheet.load(path)
        samples = read_dataset(data, network)
        y = _targets(samples, network.outputs[0].shape)
        _say_data(samples, y)
        return _Start(network, loss or stored_loss(network), samples, y, source=path)
    if output.suffix.lower() == ".keras":
        raise UsageError(f"{output}: a new network is written as .h5; name it so.")
    shape = _size(size)
    samples = read_dataset(data, [Tensor("input_1", default_axes(3), shape)])
    y = _targets(samples, None)
    _say_data(samples, y)
    described = architecture(arch, shape, y.shape[-1], seed)
    with tempfile.TemporaryDirectory() as folder:
        begun = Path(folder) / "begun.h5"
        write_h5(begun, described.model_config, described.weights,
                 training_config=described.training_config,
                 keras_version=described.keras_version)  # fmt: skip
        network = netsheet.load(begun)
    return _Start(network, loss or "categorical_crossentropy", samples, y, described)


def _names(listed: str | None) -> list[str]:
    return [name for name in (listed or "").split(",") if name]


def _say_layers(network: Network) -> None:
    """Which layers' weights stay, since the file or an option says so."""
    frozen = [layer.name for layer in network.layers.values() if layer.weights
              and not layer.trainable]  # fmt: skip
    if frozen:
        show.note(f"frozen, their weights stay: {', '.join(frozen)}.")


def _size(text: str) -> tuple[int, int, int]:
    try:
        height, width, channels = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise UsageError(f"--size {text}: say it as 28x28x1, height, width, channels.") from None
    if min(height, width, channels) < 1:
        raise UsageError(f"--size {text}: sizes are at least 1.")
    return height, width, channels


def _targets(samples: Dataset, shape: tuple[int, ...] | None) -> FloatArray:
    """One-hot rows where labels are classes; ``shape`` is the network's output, if it is known."""
    import numpy as np

    if samples.y is None:
        raise NetsheetError(f"{samples.name}: has no labels to train with.")
    y = np.asarray(samples.y)
    if shape is not None and y.shape[1:] == shape and y.shape[1:] != (1,):
        return y.astype(np.float32)
    flat = y.reshape(len(y), -1)
    if flat.shape[1] > 1:
        return flat.astype(np.float32)
    if shape == (1,):
        return flat.astype(np.float32)
    classes = flat[:, 0]
    if not np.equal(np.mod(classes, 1), 0).all() or classes.min() < 0:
        raise NetsheetError(f"{samples.name}: the labels are no classes (0, 1, 2, ...).")
    count = len(samples.class_names or ()) or int(classes.max()) + 1
    if shape is not None:
        count = shape[-1]
    if count < 2:
        raise NetsheetError(f"{samples.name}: all samples are of one class: nothing to learn.")
    if classes.max() >= count:
        raise NetsheetError(
            f"{samples.name}: labels go up to {int(classes.max())}, the network has {count} "
            "outputs; train a new one (--arch article) or correct the labels."
        )
    rows: FloatArray = np.eye(count, dtype=np.float32)[classes.astype(int)]
    return rows


def _say_data(samples: Dataset, y: FloatArray) -> None:
    show.note(f"{samples.name}: {len(samples):,} samples; {samples.note}")
    counts = y.sum(axis=0)
    if y.shape[-1] > 1 and counts.min() * 10 < counts.max():
        show.note(
            f"classes are uneven: {int(counts.min())} samples of the rarest, "
            f"{int(counts.max())} of the commonest; --balanced lets every class count alike."
        )


# --------------------------------------------------------------------------- what came of it


def _line(epoch: Epoch, epochs: int) -> str:
    parts = [f"epoch {epoch.number:>3}/{epochs}  loss {epoch.trained.loss:.4f}"]
    if epoch.trained.accuracy is not None:
        parts.append(f"accuracy {epoch.trained.accuracy:.2%}")
    if epoch.held_out is not None:
        parts.append(f"| held out: loss {epoch.held_out.loss:.4f}")
        if epoch.held_out.accuracy is not None:
            parts.append(f"accuracy {epoch.held_out.accuracy:.2%}")
    return "  ".join(parts)


def _write_curves(path: Path, found: Fit) -> None:
    from netsheet.engine.fitting import curves
    from netsheet.files import atomic

    rows = [",".join("" if value is None else f"{value:.6g}" for value in row)
            for row in curves(found.history)]  # fmt: skip
    head = "epoch,loss,accuracy,held_out_loss,held_out_accuracy"
    with atomic(path) as temporary:
        temporary.write_text("\n".join([head, *rows]) + "\n", "utf-8")


def _report(output: Path, found: Fit, plan: object, as_json: bool) -> None:
    from dataclasses import asdict

    from netsheet.engine.fitting import Plan

    assert isinstance(plan, Plan)
    best = found.history[found.best_epoch - 1]
    if as_json:
        show.as_json({
            "output": str(output), "plan": asdict(plan), "best_epoch": found.best_epoch,
            "epochs": [asdict(epoch) for epoch in found.history],
        })  # fmt: skip
        return
    if len(found.history) < plan.epochs:
        show.note("ended early; --resume goes on from here.")
    judged = best.held_out or best.trained
    right = "" if judged.accuracy is None else f", accuracy {judged.accuracy:.2%}"
    where = "held-out samples" if best.held_out else "the samples"
    show.say(f"best: epoch {found.best_epoch}, on {where} loss {judged.loss:.4f}{right}")
    show.note(f"wrote {output}")
