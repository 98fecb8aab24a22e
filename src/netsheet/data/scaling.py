"""What scales the input: decided once, from the network and from all of the data.

The command line, Python, C and the workbook share it. A network that scales pixels itself, wherever
in its first layers, gets them as they are; tokens and tables are never scaled; pixels that no layer
scales are divided by 255, as most networks were trained, and the note says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from netsheet.equations import LIMITS, FloatArray, Tensor
from netsheet.equations.evaluation import evaluate
from netsheet.errors import NetsheetError, UsageError
from netsheet.network import Network, Node

Array = npt.NDArray[Any]

WHITE = 255.0
OPEN_SIZE = 32  # stands for a size that the network leaves open
SMALL = 12.0  # what 0 .. 255 becomes, at most, where a network scales pixels itself
CENTRED = -20.0  # what black becomes, at most, where it takes a mean of pixel size away
ONE = 0.8, 1.1  # what counts as an input's end at 1, or at -1
SIDE, BRIGHT = 8, 128  # of flat values that are a picture: its least side, its greatest value


@dataclass(frozen=True)
class Scaling:
    """``value = ((255 - raw if invert else raw) * scale - mean) / std``, per channel.

    ``mean`` and ``std`` hold one number, or one for each channel. ``why`` is the reason of a
    scaling that was decided, not asked for.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    invert: bool = False
    why: str = ""

    def __str__(self) -> str:
        """What it does, in a few words: ``inverted, scaled by 1/255, minus 0.5``."""
        parts = ["inverted"] if self.invert else []
        if self.scale != 1:
            by = "1/255" if self.scale == 1 / WHITE else f"{self.scale:g}"
            parts.append(f"scaled by {by}")
        parts += [f"minus {_listed(self.mean)}"] if any(self.mean) else []
        parts += [f"divided by {_listed(self.std)}"] if set(self.std) != {1.0} else []
        done = ", ".join(parts) or "not scaled"
        return f"{done} ({self.why})" if self.why else done

    @property
    def changes(self) -> bool:
        """False if values stay what they are."""
        return replace(self, why="") != Scaling()


BYTE = Scaling(scale=1 / WHITE, why="pixels; --scale 1 if the network takes 0 .. 255")


def _listed(numbers: Sequence[float]) -> str:
    return "/".join(f"{number:g}" for number in numbers)


def decided(
    network: Network | None, tensor: Tensor, array: Array, picture: bool = False
) -> Scaling:
    """How the values of one input are scaled where nobody says.

    Args:
        network: whose input it is; None where only the tensor is known.
        array: all samples, with their axis in front, before anything was done to them.
        picture: they come from pictures, so that they are pixels whatever their shape.
    """
    if network is not None:
        if picture:
            _check_signed(network, tensor)
        expected = expectations(network).get(tensor.name, "")
        if expected:
            return Scaling(why=expected)
    reason = _no_pixels(tensor, array, picture)
    if network is not None and not reason:
        _check_signed(network, tensor)
    return Scaling(why=reason) if reason else of_pixels(tensor)


def _check_signed(network: Network, tensor: Tensor) -> None:
    """Pixels for an input of signed whole numbers whose scale nothing says are not guessed at."""
    types = {source.name: source.dtype for source in network.sources}
    if types.get(tensor.name) == "int8" and tensor.quantisation is None:
        raise UsageError(
            f"input {tensor.name!r} takes int8, from -128 to 127, but pixels are 0 to 255: say how "
            "one becomes the other, as --scale 1 --mean 128, or give the whole numbers as .npy."
        )


def of_pixels(tensor: Tensor) -> Scaling:
    """How pixels are scaled: to 0 .. 1, unless a quantised input holds another range."""
    known = tensor.quantisation
    if known is None:
        return BYTE
    low, high = (float(known.real(np.array(end))) for end in LIMITS[tensor.dtype])
    span = f"the input holds {low:.4g} .. {high:.4g}"
    if high > WHITE / 2 and low > -WHITE / 10:
        return Scaling(why=span)
    if all(ONE[0] <= end <= ONE[1] for end in (-low, high)):
        return Scaling(scale=2 / WHITE, mean=(1.0,), why=span)
    return BYTE


def pixels(tensor: Tensor, array: Array, picture: bool = False) -> bool:
    """True for values that are taken for pixels of 0 .. 255; as :func:`decided` sees them."""
    return not _no_pixels(tensor, array, picture)


def _no_pixels(tensor: Tensor, array: Array, picture: bool) -> str:
    """Why values are no pixels of 0 .. 255; empty if they are."""
    if picture:
        return ""
    if not array.size or array.dtype.kind == "b":
        return "no pixels"
    low, high = float(array.min()), float(array.max())
    whole = array.dtype.kind in "iu" or bool((array == np.round(array)).all())
    if not (low >= 0 and high <= WHITE):
        return f"values from {low:g} to {high:g}"
    if not whole and high <= 2:
        return f"values from {low:g} to {high:g}"
    if high <= 1:
        return "only 0 and 1"
    if {"height", "width"} <= set(tensor.axes):
        return ""
    if array.dtype == np.uint8 and sum(size > 1 for size in array.shape[1:]) >= 2:
        return ""
    if not whole:
        return "numbers of a table"
    size = 0 if None in tensor.shape else math.prod(tensor.shape)
    square = any(
        side >= SIDE and side * side * channels == size
        for channels in (1, 3)
        for side in [math.isqrt(size // channels)]
    )
    if square and high >= BRIGHT:
        return ""
    return "whole numbers, but no picture" if square else "numbers of a table, no pixels"


# ------------------------------------------------------------------ what the network expects


def token_inputs(network: Network) -> dict[str, int]:
    """The inputs that a layer reads as tokens, and how many of them it knows."""
    return {
        source: node.layer.tokens
        for source, node in _first_readers(network)
        if node.layer.tokens is not None
    }


def whole_inputs(network: Network) -> set[str]:
    """The inputs of an integer type: Keras cuts fractions off."""
    return {
        source.name
        for source in network.sources
        if "int" in source.dtype and source.quantisation is None
    }


def expectations(network: Network) -> dict[str, str]:
    """Of the inputs that must not be scaled, the reason, by name."""
    if "expectations" not in network.memo:
        network.memo["expectations"] = _expectations(network)
    found: dict[str, str] = network.memo["expectations"]
    return found


def _expectations(network: Network) -> dict[str, str]:
    found = dict.fromkeys(token_inputs(network), "tokens")
    if network.bound:
        sized = network
    else:
        shapes = [[OPEN_SIZE if n is None else n for n in t.shape] for t in network.inputs]
        try:
            sized = network.bind(shapes)
        except (NetsheetError, ValueError):
            return found
    for tensor in sized.inputs:
        # of a quantised input the scale says it, whatever its whole numbers become behind it
        if tensor.name not in found and tensor.quantisation is None:
            key = _scaled_in(sized, tensor)
            if key:
                found[tensor.name] = f"the network scales pixels itself, in {key}"
    return found


def _first_readers(network: Network) -> Iterator[tuple[str, Node]]:
    """Each input with the layers that read it, or what only moved it about."""
    origin = {tensor: tensor.name for tensor in network.inputs}
    for node in network.nodes:
        names = {origin[tensor] for tensor in node.inputs if tensor in origin}
        for name in names:
            yield name, node
        if len(names) == 1 and all(t in origin for t in node.inputs) and not _mixes(node):
            origin.update(dict.fromkeys(node.outputs, names.pop()))


def _mixes(node: Node) -> bool:
    """True for a layer that weighs and adds values: its weights have two axes or more."""
    if node.refusal is not None or node.layer.tokens is not None:
        return True
    return any(weight.values.ndim > 1 and min(weight.shape) > 0 and max(weight.shape) > 1
               for weight in node.layer.weights.values())  # fmt: skip


def _scaled_in(network: Network, tensor: Tensor) -> str:
    """The layer in front of all that weighs, behind which 0 .. 255 has become a small range.

    It is found by computing: black, grey and white through the layers that have no kernel.
    """
    values: dict[Tensor, list[FloatArray]] = {
        tensor: [np.full(tensor.shape, level) for level in (0.0, WHITE / 2, WHITE)]
    }
    for node in network.nodes:
        if not node.inputs or not all(t in values for t in node.inputs) or _mixes(node):
            continue
        if node.inputs[0].mask is not None:
            continue
        try:
            equations = network.node_equations(node)
            levels = [evaluate(equations, {t: values[t][n] for t in node.inputs}) for n in range(3)]
        except (NetsheetError, ValueError, IndexError, KeyError):
            continue
        for output in node.outputs:
            values[output] = [level[output] for level in levels]
            if _is_scaled(*values[output]):
                return node.key
    return ""


def _is_scaled(black: FloatArray, grey: FloatArray, white: FloatArray) -> bool:
    """True if a straight line takes 0 .. 255 to a small range, or to one about zero."""
    if not black.size or not all(np.isfinite(level).all() for level in (black, grey, white)):
        return False
    span = np.abs(white - black)
    straight = np.abs((white + black) / 2 - grey) <= 0.01 * span + 1e-6
    moved = span > 1e-3
    if not moved.any() or not straight[moved].all():
        return False
    return bool(span[moved].max() <= SMALL) or bool(black[moved].max() <= CENTRED)
