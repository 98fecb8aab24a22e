"""Options of a workbook that learns, and what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from netsheet.cli.declarations import Option
from netsheet.errors import UsageError

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.equations import FloatArray
    from netsheet.write.excel import Learning

Learn = Annotated[
    bool,
    Option("--learn", help="Backward sheets too: gradients, new weights, the loss after."),
]
Steps = Annotated[
    int | None, Option("--steps", help="Of --learn: steps of gradient descent (default 1).")
]
Rate = Annotated[
    float | None, Option("--rate", help="Of --learn: the learning rate (default 0.1).")
]
Loss = Annotated[
    str | None,
    Option("--loss", help="Of --learn: as Keras names it; that of the file if left out."),
]
TrueClass = Annotated[
    int | None, Option("--true-class", help="Of --learn: what the --input shows.")
]
Target = Annotated[
    Path | None,
    Option("--target", help="Of --learn: what the network should give, a .npy file."),
]
OwnInput = Annotated[
    bool, Option("--own-input", help="Of --learn: it should give its input (autoencoder).")
]


def learning(
    learn: bool,
    loss: str | None,
    rate: float | None,
    steps: int | None,
    target: Path | None,
    own_input: bool,
) -> Learning | None:
    """How the workbook learns; None where it does not.

    Raises:
        UsageError: options of --learn without it, or two that say what the network should give.
    """
    if not learn:
        asked = {"loss": loss, "rate": rate, "steps": steps, "target": target}
        asked["own-input"] = own_input or None
        for name, value in asked.items():
            if value is not None:
                raise UsageError(f"--{name} belongs to --learn.")
        return None
    from netsheet.write.excel import Learning

    if target is not None and own_input:
        raise UsageError("--target and --own-input both say what the network should give.")
    values: FloatArray | None = None
    if target is not None:
        from netsheet.data.arrays import read_npy, readable

        values = read_npy(readable(target))
    return Learning(
        loss, 0.1 if rate is None else rate, 1 if steps is None else steps, own_input, values
    )


def labelled(samples: Sequence[Sample], true_class: int | None, learn: bool) -> list[Sample]:
    """The samples, those without a label with the one that is said."""
    if true_class is None:
        return list(samples)
    if not learn:
        raise UsageError("--true-class belongs to --learn.")
    if len(samples) > 1:
        raise UsageError("--true-class belongs to one --input; several have labels from --data.")
    return [replace(sample, label=true_class) for sample in samples]
