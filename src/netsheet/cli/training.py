"""What a training begins with, how it is seen, and what comes of it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netsheet
from netsheet.cli import options, show
from netsheet.errors import NetsheetError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from netsheet.data.scaling import Scaling
    from netsheet.data.training_set import TrainingSet
    from netsheet.engine.architectures import Described
    from netsheet.engine.fitting import Fit, Plan
    from netsheet.engine.goals import Goal
    from netsheet.engine.rounds import Epoch, Stepped
    from netsheet.network import Network

MNIST = 28, 28, 1  # height, width and channels, where nothing says others
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
UNEVEN = 10  # times as many samples of the commonest class as of the rarest


@dataclass
class Start:
    """A network, what it is to learn, samples that fit it, and how its file is written."""

    network: Network
    goals: Sequence[Goal]
    samples: TrainingSet
    described: Described | None = None
    source: Path | None = None

    def check_written(self, learnt: Sequence[str]) -> None:
        """UnsupportedError, before anything is learnt, where the file cannot hold it."""
        lacking = [name for name in learnt if name not in self.network.stored]
        if self.source is not None and lacking:
            raise UnsupportedError(
                f"{self.source}: {lacking[0]} is not stored by itself, so that a copy cannot hold "
                "what is learnt; --freeze leaves such layers as they are."
            )

    def write(self, output: Path, found: Fit) -> None:
        """The file with the best weights, and what is known of the data: new or from before."""
        from netsheet.read.taught import known_of_data

        taught = {**known_of_data(self.network), **self.samples.taught}
        if self.described is not None:
            from netsheet.engine.optimizers import OPTIMIZERS
            from netsheet.write.keras import write_keras_file

            weights = {
                layer: {label: found.best.get(f"{layer}/{label}", values)
                        for label, values in own.items()}
                for layer, own in self.described.weights.items()
            }  # fmt: skip
            optimizer = OPTIMIZERS[found.plan.optimizer](found.plan.rate).config
            training = {**self.described.training_config, "loss": self.goals[0].loss,
                        "optimizer_config": optimizer}  # fmt: skip
            learnt = replace(self.described, weights=weights, training_config=training)
            write_keras_file(output, learnt, taught)
            return
        from netsheet.write.csv.copy_model import by_dataset, write_copy

        assert self.source is not None
        changed = by_dataset(self.network, found.best)
        write_copy(self.source, changed, output, taught)


def begun(
    arch: str,
    size: str | None,
    data: str,
    seed: int,
    output: Path,
    loss: str | None,
    wanted: Scaling | None,
    label: str | None,
    batch_axis: str,
) -> Start:
    """What the options of ``train`` name."""
    from netsheet.data.training_set import shape_of_pictures
    from netsheet.engine.architectures import architecture_names

    path = Path(arch)
    if arch not in architecture_names() and path.exists():
        options.spare(output, path, data)
        return _continued(path, output, data, loss, wanted, label, batch_axis)
    if arch not in architecture_names() and path.suffix:
        raise NetsheetError(f"{arch}: no such file.")
    if output.suffix.lower() == ".onnx":
        raise UsageError(f"{output}: a network is written as .h5 or .keras; name it so.")
    shape = _size(size) if size else shape_of_pictures(data) or MNIST
    return _new(arch, shape, data, seed, loss, wanted, label)


def _continued(
    path: Path,
    output: Path,
    data: str,
    loss: str | None,
    wanted: Scaling | None,
    label: str | None,
    batch_axis: str,
) -> Start:
    from netsheet.data.training_set import read_training_set
    from netsheet.engine.goals import goals_named, stored_goals

    network = netsheet.load(path, batch_axis)
    own, named = (".keras" if one.suffix.lower() in (".keras", ".zip") else one.suffix.lower()
                  for one in (path, output))  # fmt: skip
    if own != named and ({own, named} & {".keras", ".onnx"}):
        raise UsageError(
            f"{output}: a network that is continued stays in its format; name it as {path.suffix}."
        )
    goals = goals_named(network, loss) if loss else stored_goals(network)
    samples = read_training_set(data, network, wanted, label)
    if not network.bound:
        network = network.bind({name: array.shape[1:] for name, array in samples.x.items()})
    _say_data(samples)
    return Start(network, goals, samples, source=path)


def _new(
    arch: str,
    shape: tuple[int, int, int],
    data: str,
    seed: int,
    loss: str | None,
    wanted: Scaling | None,
    label: str | None,
) -> Start:
    import tempfile

    from netsheet.data.training_set import new_training_set
    from netsheet.engine.architectures import architecture
    from netsheet.engine.goals import goals_named
    from netsheet.equations import Tensor
    from netsheet.layer import default_axes
    from netsheet.write.keras import write_h5

    tensor = Tensor("input_1", default_axes(3), shape)
    samples, classes = new_training_set(data, tensor, wanted, label)
    described = architecture(arch, shape, classes, seed)
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "begun.h5"
        write_h5(first, replace(described, training_config={}))
        network = netsheet.load(first)
    goals = goals_named(network, loss or "categorical_crossentropy")
    (output,) = network.outputs
    samples.y[output.name] = samples.y.pop("")
    _say_data(samples)
    return Start(network, goals, samples, described)


def _size(text: str) -> tuple[int, int, int]:
    try:
        height, width, channels = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise UsageError(f"--size {text}: say it as 28x28x1, height, width, channels.") from None
    if min(height, width, channels) < 1:
        raise UsageError(f"--size {text}: sizes are at least 1.")
    return height, width, channels


def names(listed: str | None) -> list[str]:
    """Names that stand with commas between them."""
    return [name for name in (listed or "").split(",") if name]


def say_layers(network: Network) -> None:
    """Which layers' weights stay, since the file or an option says so."""
    frozen = [layer.name for layer in network.layers.values() if layer.weights
              and not layer.trainable]  # fmt: skip
    if frozen:
        show.note(f"frozen, their weights stay: {', '.join(frozen)}.")


def _say_data(samples: TrainingSet) -> None:
    show.note(samples.note)
    y = next(iter(samples.y.values()))
    if len(samples.y) > 1 or y.ndim != 2 or y.shape[1] < 2 or not (y.sum(axis=1) == 1).all():
        return
    counts = y.sum(axis=0)
    if counts.min() * UNEVEN < counts.max():
        show.note(
            f"classes are uneven: {int(counts.min())} samples of the rarest, "
            f"{int(counts.max())} of the commonest; --balanced lets every class count alike."
        )


# --------------------------------------------------------------------------- while it runs


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """A request to end (SIGTERM) ends a training as Ctrl-C does: the best weights are kept."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


Seen = Callable[["Epoch"], None]
Shown = Callable[["Stepped"], None]


@contextmanager
def shown_steps(plan: Plan, as_json: bool) -> Iterator[tuple[Seen, Shown | None]]:
    """Who is told of each epoch, and on a terminal of each step: a bar with what is reached."""
    begun_at, first = time.monotonic(), list[int]()

    def seen(epoch: Epoch) -> None:
        if not as_json:
            show.say(_line(epoch, plan.epochs))

    with show.progress_with_text("training") as bar:
        if bar is None:
            yield seen, None
            return

        def stepped(now: Stepped) -> None:
            done, total = (now.epoch - 1) * now.steps + now.number, plan.epochs * now.steps
            first.append(done - 1) if not first else None
            spent = time.monotonic() - begun_at
            per_step = spent / max(done - first[0], 1)
            parts = [f"{now.epoch}/{plan.epochs}", f"loss {now.so_far.loss:.4f}"]
            if now.so_far.accuracy is not None:
                parts.append(f"accuracy {now.so_far.accuracy:.1%}")
            parts += [f"rate {plan.rate:g}", f"{plan.batch / per_step:,.0f}/s"]
            bar(done, total, "  ".join(parts))

        yield seen, stepped


def _line(epoch: Epoch, epochs: int) -> str:
    parts = [f"epoch {epoch.number:>3}/{epochs}  loss {epoch.trained.loss:.4f}"]
    if epoch.trained.accuracy is not None:
        parts.append(f"accuracy {epoch.trained.accuracy:.2%}")
    parts += [f"{name} {loss:.4f}" for name, loss in epoch.trained.losses.items()]
    if epoch.held_out is not None:
        parts.append(f"| held out: loss {epoch.held_out.loss:.4f}")
        if epoch.held_out.accuracy is not None:
            parts.append(f"accuracy {epoch.held_out.accuracy:.2%}")
        parts += [f"{name} {loss:.4f}" for name, loss in epoch.held_out.losses.items()]
    return "  ".join(parts)


# --------------------------------------------------------------------------- what came of it


def check_places(output: Path, curves: Path | None) -> None:
    """Refuses, before anything is learnt, places where nothing can be written.

    Raises:
        NetsheetError: there is no such folder, or it does not take files.
        UsageError: curves are asked for in a form that they are not drawn in.
    """
    from netsheet.files import check_writable

    check_writable(output)
    if curves is None:
        return
    if curves.suffix.lower() not in (*PICTURES, ".csv"):
        raise UsageError(f"--curves {curves}: curves are written as .csv or .png; name them so.")
    check_writable(curves)


def write_curves(path: Path, found: Fit) -> None:
    """Loss and accuracy by epoch: as CSV, or a picture by the ending of its name."""
    from netsheet.engine.fitting import curves
    from netsheet.files import atomic

    table = curves(found.history)
    if path.suffix.lower() in PICTURES:
        from netsheet.cli.language import word
        from netsheet.write.pictures.curves import Curve, draw_curves

        columns: list[list[Any]] = [list(column) for column in zip(*table, strict=True)]
        lines = [
            (word(title), [Curve(word("training"), columns[place]),
                           Curve(word("held out"), columns[place + 2])])
            for title, place in (("loss by epoch", 1), ("accuracy by epoch", 2))
        ]  # fmt: skip
        draw_curves(path, lines)
        show.note(f"wrote {path}")
        return
    rows = [",".join("" if value is None else f"{value:.6g}" for value in row) for row in table]
    head = "epoch,loss,accuracy,held_out_loss,held_out_accuracy"
    with atomic(path) as temporary:
        temporary.write_text("\n".join([head, *rows]) + "\n", "utf-8")


def _say_end(found: Fit, plan: Plan) -> None:
    """Why it ended where it did not come to its last epoch, and what goes on from there."""
    count = len(found.history)
    if found.patience_ended:
        show.note(
            f"ended: no better loss for {plan.patience} epochs; --resume with a larger --patience "
            "goes on from here."
        )
    elif count < plan.epochs:
        show.note("ended early; --resume goes on from here.")
    elif found.resumed_at == count:
        show.note(
            f"all {count} epochs were behind it already; --resume --epochs {2 * count} goes on."
        )


def report(output: Path, found: Fit, plan: Plan, state: Path, as_json: bool) -> None:
    """The best epoch, or everything as JSON."""
    best = found.history[found.best_epoch - 1]
    _say_end(found, plan)
    if as_json:
        show.as_json({
            "output": str(output), "plan": asdict(plan), "best_epoch": found.best_epoch,
            "epochs": [asdict(epoch) for epoch in found.history],
        })  # fmt: skip
        return
    judged = best.held_out or best.trained
    right = "" if judged.accuracy is None else f", accuracy {judged.accuracy:.2%}"
    where = "held-out samples" if best.held_out else "the samples"
    show.say(f"best: epoch {found.best_epoch}, on {where} loss {judged.loss:.4f}{right}")
    show.note(f"wrote {output}; from {state.name} beside it --resume goes on")
