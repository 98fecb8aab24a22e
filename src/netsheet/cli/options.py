"""Options that several commands share, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from netsheet.cli import show
from netsheet.cli.declarations import Argument, Option
from netsheet.cli.opening import label_column
from netsheet.errors import UsageError

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.data.scaling import Scaling
    from netsheet.model import Model

ModelFile = Annotated[
    Path, Argument(help="A model: .h5, .keras, .onnx, .tflite or .nnp.", metavar="MODEL")
]
BatchAxis = Annotated[
    str,
    Option(
        "--batch-axis",
        help="Of an ONNX file, the axis that counts samples: auto, none, its number or its name.",
    ),
]
Json = Annotated[bool, Option("--json", help="Print JSON instead of a table.")]
Inputs = Annotated[
    list[str] | None,
    Option(
        "--input", "-i",
        help="A picture, .npy, .npz, .csv or IDX file (with #index); may be repeated.",
    ),
]  # fmt: skip
Data = Annotated[
    str | None,
    Option(
        "--data",
        help="A folder of IDX files or of one folder per class, an .npz, .npy pair or CSV with "
        "labels, or mnist, fashion_mnist, cifar10.",
    ),
]
Output = Annotated[Path, Option("--output", "-o", help="The file to write.")]
OutputOrStream = Annotated[
    Path, Option("--output", "-o", help="The file to write; - for standard output.")
]


def spare(output: Path, *read: Path | str | None) -> None:
    """Refuses an output that is one of the files that the command reads (``name#7`` is name)."""
    for source in read:
        for name in (str(source or ""), str(source or "").rpartition("#")[0]):
            with suppress(OSError):  # one of them is not there
                if Path(name).is_file() and output.samefile(name):
                    raise UsageError(
                        f"{output}: is read here and would be overwritten; name another file."
                    )


def samples_of(
    model: Model,
    inputs: Sequence[str] | None,
    data: str | None,
    count: int,
    wanted: Scaling | None,
) -> tuple[list[Sample], list[str] | None]:
    """The samples that ``--input`` and ``--data`` name, and the classes' names if known.

    Without either: one random input. ``wanted`` None: as the network's inputs are by nature.
    """
    from netsheet.data.datasets import read_dataset
    from netsheet.data.inputs import read_input
    from netsheet.data.probe import probe

    samples = [read_input(spec, model, wanted) for spec in inputs or ()]
    names: list[str] | None = None
    if data is not None:
        dataset = read_dataset(data, model, wanted, count, label=label_column())
        samples += [dataset.sample(n, model.inputs) for n in range(min(count, len(dataset)))]
        names = list(dataset.class_names) if dataset.class_names else None
    _check_sizes(samples)
    return samples or [probe(model)], names


def say_states(model: Model, count: int) -> None:
    """That several samples of a network that keeps states are computed one after another."""
    if model.states and count > 1:
        from netsheet.engine.outputs import about_states

        show.note(about_states(model.batch_size or 1, count))


def _check_sizes(samples: Sequence[Sample]) -> None:
    """Where the model leaves sizes open, all samples have to have those of the first."""
    for sample in samples[1:]:
        for name, value in sample.inputs.items():
            size, first = value.values.shape, samples[0].inputs[name].values.shape
            if size != first:
                raise UsageError(
                    f"{sample.name}: has the shape {size}, but {samples[0].name} {first}; "
                    "give inputs of one size."
                )


def bound(model: Model, inputs: Sequence[str] | None) -> Model:
    """The model; where it leaves sizes open, with those of the first input."""
    if model.bound or not inputs:
        return model
    (sample, *_), _ = samples_of(model, inputs, None, 1, None)
    return model.bind({name: value.values.shape for name, value in sample.inputs.items()})
