"""A library that learns on the device: weights in RAM, and a step of gradient descent as C."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.engine.lesson import (
    CLASS,
    NUMBER,
    VALUES,
    Lesson,
    asked_for,
    by_what,
    learns,
    lesson,
)
from netsheet.equations import Equation, Tensor, Weight, reading
from netsheet.errors import UnsupportedError, UsageError, choices
from netsheet.loops.names import Identifiers
from netsheet.loops.pipeline import LoopedNetwork, looped
from netsheet.loops.storage.constants import Constants
from netsheet.network import Network
from netsheet.write.c.names import comment


@dataclass(frozen=True)
class CLearning:
    """What is to learn on the device.

    Args:
        layers: their names; the weights of these lie in RAM.
        loss: one of :data:`netsheet.gradient.LOSSES`; None: that of the network's file.
    """

    layers: tuple[str, ...]
    loss: str | None = None


@dataclass(frozen=True)
class RamArray:
    """A weight in RAM: ``name`` is its array in C, ``tensor`` what the loops read.

    ``inside`` says that the step can write the new weights over the old ones as it goes.
    """

    name: str
    weight: Weight
    tensor: Tensor
    inside: bool = True


@dataclass(frozen=True, eq=False)
class DeviceLearning:
    """The step of a library that learns.

    ``asked`` says what the caller gives beside the input: a class, a number, values, or nothing.
    """

    lesson: Lesson
    asked: str
    arrays: list[RamArray]
    step: LoopedNetwork

    @property
    def given(self) -> list[Tensor]:
        """What a step reads beside the network's inputs, in the order of its parameters."""
        return _given(self.lesson, self.asked)

    @property
    def ram(self) -> int:
        """Floats of RAM for the weights that learn, with those of a step that is not in place."""
        return sum(a.weight.size * (1 if a.inside else 2) for a in self.arrays)


def _given(found: Lesson, asked: str) -> list[Tensor]:
    answer = {CLASS: found.label, NUMBER: found.label, VALUES: found.target}.get(asked)
    return [*([] if answer is None else [answer]), found.descent.rate]


def ram_arrays(network: Network, learning: CLearning, prefix: str) -> list[RamArray]:
    """The weights that learn, each with an array of its own.

    Raises:
        UsageError: there is no such layer, or one has no weights that could learn.
        UnsupportedError: the network keeps states, has several outputs, or computes in whole
            numbers.
    """
    if network.states:
        raise UnsupportedError(
            f"{network.name} keeps states from run to run: what learns on the device has none."
        )
    asked_for(network, network.equations())
    names = Identifiers()
    found = []
    for wanted in learning.layers:
        if wanted not in network.layers:
            raise UsageError(
                f"there is no layer {wanted!r} that could learn{choices(wanted, network.layers)}"
            )
        layer = network.layers[wanted]
        own = [w for w in layer.weights.values() if learns(network, w, learning.layers)]
        if not own:
            frozen = "" if layer.trainable else " (it is frozen in the file)"
            raise UsageError(f"{wanted} has no weights that could learn{frozen}.")
        for weight in own:
            tensor = Tensor(weight.name, weight.axes, weight.shape)
            found.append(RamArray(names.of(tensor, weight.name, f"{prefix}_ram_"), weight, tensor))
    return list({array.weight: array for array in found}.values())


def in_memory(equations: Sequence[Equation], arrays: Sequence[RamArray]) -> list[Equation]:
    """The same equations, which read the weights that learn from RAM."""
    return reading(equations, {array.weight: array.tensor for array in arrays})


def device_learning(
    network: Network,
    equations: Sequence[Equation],
    learning: CLearning,
    arrays: Sequence[RamArray],
    constants: Constants,
) -> DeviceLearning:
    """The step over the network's ``equations``, which still read weights as constants.

    Raises:
        UsageError: there is no such loss, or the file names none.
        UnsupportedError: the loss does not depend on a layer.
    """
    asked = asked_for(network, equations)
    found = lesson(network, equations, learning.loss, 1, by_what(asked), learning.layers)
    for array in arrays:
        if array.weight not in found.descent.new:
            raise UnsupportedError(f"the loss does not depend on {array.weight.name}.")
    every = in_memory(found.descent.steps[0].equations, arrays)
    step = looped(
        [*network.inputs, *_given(found, asked)],
        [found.loss, *(found.descent.new[array.weight] for array in arrays)],
        every, constants=constants, memory=[array.tensor for array in arrays],
    )  # fmt: skip
    placed = [_placed(array, number, step) for number, array in enumerate(arrays, 1)]
    return DeviceLearning(found, asked, placed, step)


def _placed(array: RamArray, output: int, step: LoopedNetwork) -> RamArray:
    """Whether nothing reads the old weights once the new ones are being written."""
    result = step.program.outputs[output]
    writers = [n for n, one in enumerate(step.computations)
               if any(step.buffers[t] is result for t in one.writes)]  # fmt: skip
    inside = bool(writers)
    for number, one in enumerate(step.computations):
        if array.tensor not in one.reads or number < min(writers, default=0):
            continue
        inside &= number == writers[0] and array.tensor in one.reused(step.layout)
    return RamArray(array.name, array.weight, array.tensor, inside)


def described(array: RamArray) -> str:
    """``dense1/kernel: 27 in x 10 out``, as a comment says it."""
    sizes = zip(array.weight.shape, array.weight.axes, strict=True)
    axes = " x ".join(f"{n} {axis}" for n, axis in sizes)
    return comment(f"{array.weight.name}: {axes or 'one number'}")
