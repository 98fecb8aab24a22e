"""What equations of layers are made with: activations, broadcasting, axes to work along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from netsheet.equations import (
    Equation,
    Expr,
    FloatArray,
    Position,
    Read,
    Tensor,
    Weight,
    affine,
    equation,
    indices_of,
)
from netsheet.layer import Graph, Layer, Signature, default_axes


class Elementwise(Layer):
    """A layer that computes each output element from the same element of its input."""

    op: ClassVar[str | None] = None  # the ONNX operator that is this very function

    def formula(self, x: Expr) -> Expr:
        """The function, applied to one value."""
        raise NotImplementedError

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        return [Signature(inputs[0].axes, inputs[0].shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        at = indices_of(outputs[0])
        return [equation(outputs[0][at], self.formula(inputs[0][at]))]

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        if self.op is not None:
            return [graph.node(self.op, names)]
        return super().onnx(graph, names, inputs, outputs)


def named(tensor: Tensor, axes: Sequence[str]) -> Callable[[Mapping[str, Position]], Read]:
    """A function that reads ``tensor`` at positions given by axis name."""

    def read(at: Mapping[str, Position]) -> Read:
        return Read(tensor, tuple(affine(at[axis]) for axis in axes))

    return read


def activated(
    activation: Layer | None, output: Tensor, before: Callable[[Tensor], list[Equation]]
) -> list[Equation]:
    """``before(output)``, or through the visible step ``<output>/pre`` and the activation."""
    if activation is None:
        return before(output)
    pre = output.like("pre")
    return [*before(pre), *activation.equations([pre], [output])]


def activated_onnx(graph: Graph, activation: Layer | None, name: str, output: Tensor) -> str:
    """The activation's nodes behind ``name``; ``name`` itself without an activation."""
    if activation is None:
        return name
    return activation.onnx(graph, [name], [output.like("pre")], [output])[0]


def broadcast(tensor: Tensor, at: Sequence[Position]) -> Read:
    """The element of ``tensor`` that NumPy's broadcasting puts at the last positions of ``at``."""
    rank = len(tensor.shape)
    last = at[len(at) - rank :]
    places = (0 if size == 1 else i for size, i in zip(tensor.shape, last, strict=True))
    return tensor[tuple(places)]


def constant(name: str, values: FloatArray) -> Weight:
    """Fixed numbers that are no weight of the layer, as a tensor to read."""
    return Weight(name, default_axes(values.ndim), values.shape, label=name, values=values)


class Along:
    """The indices of a tensor, split into those of some axes (``over``) and the ``rest``."""

    def __init__(self, tensor: Tensor, axes: int | Sequence[int], layer: str) -> None:
        rank = len(tensor.shape)
        wanted = (axes,) if isinstance(axes, int) else axes
        for axis in wanted:
            if not -rank <= axis < rank:
                raise ValueError(f"layer {layer!r} works along axis {axis} of {rank} axes")
        self.axes = sorted({axis % rank for axis in wanted})
        if len(self.axes) < len(wanted):
            raise ValueError(
                f"layer {layer!r} works along the axes {tuple(wanted)}: one is named twice"
            )
        self.at = indices_of(tensor)
        self.over = tuple(self.at[axis] for axis in self.axes)
        self.kept = [axis for axis in range(rank) if axis not in self.axes]
        self.rest = tuple(self.at[axis] for axis in self.kept)

    def step(self, output: Tensor, name: str) -> Tensor:
        """An intermediate of ``output`` without the axes worked along."""
        axes = tuple(output.axes[axis] for axis in self.kept)
        return output.step(name, axes, tuple(output.shape[axis] for axis in self.kept))
