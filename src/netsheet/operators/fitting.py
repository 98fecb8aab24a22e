"""Whether the shapes of an operator's inputs go together, said before anything is computed.

Formulas read their inputs at positions that follow from the first one's shape; an input of another
size would be cut off, or read behind its end. Each operator says here what ONNX asks of its inputs:

- a pattern for each input: letters are sizes that have to be the same wherever they stand, ``4H``
  is four times H, ``...`` any further axes (the same ones everywhere), ``?`` any size, ``*`` any
  shape, and ``|`` stands between alternatives;
- a condition: a function that raises :class:`UnsupportedError` with the sizes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np

from netsheet.equations import Weight
from netsheet.errors import UnsupportedError
from netsheet.operators.base import Formula, OnnxNode, Rule, Shape

Condition = Callable[[OnnxNode], None]
Sizes = dict[str, int | Shape]


def refused(node: OnnxNode, why: str) -> UnsupportedError:
    """What is said of shapes that do not go together."""
    shapes = ", ".join(str(t.shape) for t in node.inputs if t is not None)
    return UnsupportedError(f"{node.op} of the shapes {shapes} does not fit: {why}")


def checked(rule: Rule, patterns: Sequence[str] | None, conditions: Sequence[Condition]) -> Rule:
    """The rule, after what the operator asks of its inputs has been checked."""

    def fitting(node: OnnxNode) -> Formula:
        if patterns is not None:
            fit(node, patterns)
        for condition in conditions:
            condition(node)
        try:
            return rule(node)
        except (ValueError, IndexError, KeyError, ZeroDivisionError, AssertionError) as error:
            text = f"{type(error).__name__}: {error}" if not str(error) else str(error)
            raise refused(node, text[:200]) from error

    return fitting


def fit(node: OnnxNode, patterns: Sequence[str]) -> None:
    """UnsupportedError where the inputs' shapes match no combination of the alternatives."""
    choices = [
        pattern.split("|")
        for n, pattern in enumerate(patterns)
        if node.has(n) and pattern.strip() != "*"
    ]
    numbers = [n for n, p in enumerate(patterns) if node.has(n) and p.strip() != "*"]
    failed = 0, ""
    for chosen in product(*choices):
        sizes = _given(node)
        for place, (n, pattern) in enumerate(zip(numbers, chosen, strict=True)):
            if not _matches(node.input(n).shape, pattern.split(), sizes):
                said = f"input {n}, {node.input(n).shape}, should be {_told(pattern, sizes)}"
                failed = max(failed, (place, said))
                break
        else:
            return
    raise refused(node, failed[1])


def _given(node: OnnxNode) -> Sizes:
    """Sizes that attributes say: D directions, G groups."""
    both = node.attr("direction", "forward") == "bidirectional"
    return {"D": 2 if both else 1, "G": int(node.attr("num_groups", 1))}


def _matches(shape: Shape, tokens: Sequence[str], sizes: Sizes) -> bool:
    """True if the shape is what the tokens say; takes down the sizes that it settles."""
    if "..." in tokens:
        at = tokens.index("...")
        tail = len(tokens) - at - 1
        if len(shape) < at + tail:
            return False
        middle = tuple(shape[at : len(shape) - tail])
        if sizes.setdefault("...", middle) != middle:
            return False
        shape = (*shape[:at], *shape[len(shape) - tail :])
        tokens = [*tokens[:at], *tokens[at + 1 :]]
    if len(shape) != len(tokens):
        return False
    return all(_settled(size, token, sizes) for size, token in zip(shape, tokens, strict=True))


def _settled(size: int, token: str, sizes: Sizes) -> bool:
    if token == "?":
        return True
    number, letter = _token(token)
    if not letter:
        return size == number
    if letter in sizes:
        return size == number * int(sizes[letter])  # type: ignore[arg-type]
    if size % number:
        return False
    sizes[letter] = size // number
    return True


def _token(token: str) -> tuple[int, str]:
    found = re.fullmatch(r"(\d*)([A-Z]?)", token)
    assert found is not None, token
    return int(found[1] or 1), found[2]


def _told(pattern: str, sizes: Mapping[str, int | Shape]) -> str:
    """A pattern with the sizes that are known: ``(4, C)``."""
    words = []
    for token in pattern.split():
        if token == "...":
            found = sizes.get("...")
            words += [str(size) for size in found] if isinstance(found, tuple) else ["..."]
            continue
        number, letter = ("", "?") if token == "?" else _token(token)
        known = sizes.get(letter)
        words.append(str(number * known) if letter and isinstance(known, int) and number != ""
                     else token)  # fmt: skip
    return f"({', '.join(words)}{',' if len(words) == 1 else ''})"


def stretched(node: OnnxNode, index: int, to: Shape) -> None:
    """Refuses an input that does not broadcast to the shape ``to``."""
    shape = node.input(index).shape
    try:
        fits = np.broadcast_shapes(shape, to) == tuple(to)
    except ValueError:
        fits = False
    if not fits:
        raise refused(node, f"input {index}, {shape}, does not broadcast to {tuple(to)}")


def stretches_to(index: int, start: Callable[[OnnxNode], int] = lambda node: 0) -> Condition:
    """An input broadcasts to the first one's axes from ``start`` on, without stretching those."""

    def condition(node: OnnxNode) -> None:
        if node.has(index):
            stretched(node, index, node.input(0).shape[start(node) :])

    return condition


def scalars(*indices: int) -> Condition:
    """Inputs that are one number."""

    def condition(node: OnnxNode) -> None:
        for index in indices:
            if node.has(index) and node.input(index).size != 1:
                raise refused(node, f"input {index}, {node.input(index).shape}, is one number")

    return condition


def without_axes(*indices: int) -> Condition:
    """Inputs that are one number and have no axes, not even one of size 1."""

    def condition(node: OnnxNode) -> None:
        for index in indices:
            if node.has(index) and node.input(index).shape:
                said = f"input {index}, {node.input(index).shape}, is one number, without axes"
                raise refused(node, said)

    return condition


def within(node: OnnxNode, index: int, size: int) -> None:
    """Stored indices lie within an axis; computed ones are looked at when they are there."""
    tensor = node.input(index)
    if isinstance(tensor, Weight) and tensor.size:
        low, high = int(tensor.values.min()), int(tensor.values.max())
        if low < -size or high >= size:
            worst = high if high >= size else low
            raise refused(node, f"index {worst} of an axis of {size}")


def ranks(least: int) -> Condition:
    """The condition that the first input has at least so many axes."""

    def condition(node: OnnxNode) -> None:
        if len(node.input(0).shape) < least:
            raise refused(node, f"the input has at least {least} axes")

    return condition
