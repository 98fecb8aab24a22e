"""The options --scale, --mean, --std and --invert, which a command takes as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from netsheet.cli.declarations import Option
from netsheet.errors import UsageError

if TYPE_CHECKING:
    from netsheet.data.scaling import Scaling

    Scaled = Scaling | None  # a command's parameter of this kind is all four options
else:
    Scaled = object

Scale = Annotated[
    str | None,
    Option("--scale", help="Factor for the input's values: 1, 0.5, 1/127.5 (default 1/255)."),
]
Mean = Annotated[
    str | None,
    Option("--mean", help="Subtracted after scaling; one, or one per channel: a,b,c."),
]
Std = Annotated[
    str | None, Option("--std", help="Divided by after that; one, or a,b,c per channel.")
]
Invert = Annotated[bool, Option("--invert", help="255 - value first: black on white.")]
# What a command takes in place of one ``wanted``: each option with its default.
SCALING = {
    "scale": (Scale, None), "mean": (Mean, None), "std": (Std, None), "invert": (Invert, False),
}  # fmt: skip


def scaling(scale: str | None, mean: str | None, std: str | None, invert: bool) -> Scaling | None:
    """The scaling that the options ask for; None if they ask for nothing."""
    if scale is None and mean is None and std is None and not invert:
        return None
    from netsheet.data.scaling import Scaling

    factor = 1 / 255 if scale is None else _number("--scale", scale)
    return Scaling(
        scale=factor,
        mean=_numbers("--mean", mean, 0.0),
        std=_numbers("--std", std, 1.0),
        invert=invert,
    )


def _number(option: str, text: str) -> float:
    top, _, bottom = text.partition("/")
    try:
        return float(top) / (float(bottom) if bottom else 1.0)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{option} takes a number (0.5, 1/255), not {text!r}.") from None


def _numbers(option: str, text: str | None, default: float) -> tuple[float, ...]:
    if text is None:
        return (default,)
    numbers = tuple(_number(option, part) for part in text.split(","))
    if option == "--std" and 0 in numbers:
        raise UsageError("--std must not be 0.")
    return numbers
