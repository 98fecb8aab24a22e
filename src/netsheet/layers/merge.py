"""Layers that take several inputs: arithmetic, Concatenate, Dot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce as fold
from typing import ClassVar

from netsheet.equations import (
    Equation,
    Expr,
    Index,
    Position,
    Tensor,
    call,
    equation,
    indices_of,
    reduce,
)
from netsheet.errors import UnsupportedError
from netsheet.layer import Graph, Layer, Shape, Signature, default_axes
from netsheet.layers.base import Along, broadcast


def broadcast_shape(shapes: Sequence[Shape], layer: str) -> Shape:
    """The shape to which all shapes broadcast as NumPy does; ValueError if there is none."""
    rank = max(map(len, shapes))
    result: list[int | None] = []
    for axis in range(-rank, 0):
        present = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        if len(present - {None}) > 1:
            raise ValueError(f"layer {layer!r} cannot combine the shapes {list(shapes)}")
        known = present - {None}
        result.append(known.pop() if known else (None if present else 1))
    return tuple(result)


# So many inputs are combined in one formula. Of more, groups are combined first, each in a tensor
# of its own: no formula is longer than a spreadsheet takes.
SIDE_BY_SIDE = 32


@dataclass(eq=False, kw_only=True)
class _Merge(Layer):
    """``function`` between the inputs, element by element, with broadcasting.

    Masks of several inputs join: a step counts if all masks keep it, or (``any_mask``, Keras 3)
    if every input has a mask and one of them keeps it.
    """

    any_mask: bool = False

    function: ClassVar[str] = "add"

    def output_mask(self, inputs: Sequence[Tensor], name: str) -> Tensor | None:
        if self.any_mask and any(x.mask is None for x in inputs):
            return None
        return _joined_mask(inputs, name)

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        shape = broadcast_shape([x.shape for x in inputs], self.name)
        axes = next((x.axes for x in inputs if len(x.shape) == len(shape)), inputs[0].axes)
        return [Signature(axes, shape)]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        at = indices_of(outputs[0])
        terms: list[Expr] = [broadcast(x, at) for x in inputs]
        result: list[Equation] = []
        while len(terms) > SIDE_BY_SIDE:
            groups = [terms[n : n + SIDE_BY_SIDE] for n in range(0, len(terms), SIDE_BY_SIDE)]
            parts = [outputs[0].like(f"part{len(result) + n}") for n in range(len(groups))]
            result += [equation(part[at], self._combine(group))
                       for part, group in zip(parts, groups, strict=True)]  # fmt: skip
            terms = [part[at] for part in parts]
        whole = self._finished(self._combine(terms), len(inputs))
        result.append(equation(outputs[0][at], whole))
        return [*result, *_mask_equations(inputs, outputs[0], self.any_mask)]

    def _combine(self, terms: Sequence[Expr]) -> Expr:
        return fold(lambda left, right: call(self.function, left, right), terms)

    def _finished(self, combined: Expr, count: int) -> Expr:
        """What the layer makes of its ``count`` inputs combined."""
        return combined

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        op = {"add": "Add", "sub": "Sub", "mul": "Mul", "max": "Max", "min": "Min"}[self.function]
        if len({len(x.shape) for x in inputs}) > 1 or len(inputs) < 2:
            return super().onnx(graph, names, inputs, outputs)
        return [fold(lambda left, right: graph.node(op, [left, right]), names)]


def _joined_mask(inputs: Sequence[Tensor], name: str) -> Tensor | None:
    """The inputs' only mask, or a new one in which several join."""
    masks = list(dict.fromkeys(x.mask for x in inputs if x.mask is not None))
    if len(masks) < 2:
        return masks[0] if masks else None
    return Tensor(f"{name}/mask", masks[0].axes, masks[0].shape)


def _mask_equations(inputs: Sequence[Tensor], output: Tensor, either: bool) -> list[Equation]:
    masks = list(dict.fromkeys(x.mask for x in inputs if x.mask is not None))
    if output.mask is None or output.mask in masks:
        return []
    at = indices_of(output.mask)
    kept = [mask[at] for mask in masks]
    joined: Expr = kept[0]
    for other in kept[1:]:
        joined = call("or" if either else "and", joined, other)
    return [equation(output.mask[at], joined)]


class Add(_Merge):
    """The sum of the inputs."""


class Subtract(_Merge):
    """The first input less the second."""

    function = "sub"


@dataclass(eq=False, kw_only=True)
class _Masked(_Merge):
    """A merge that in Keras 3 leaves out steps that an input's mask does not keep.

    ``ignored_masks`` counts the inputs whose masks are not seen.
    """

    ignored_masks: tuple[int, ...] = ()

    def blind_to(self, gone: Sequence[bool], output: bool = False) -> Layer:
        return replace(self, ignored_masks=tuple(n for n, lost in enumerate(gone) if lost))

    def _kept(self, inputs: Sequence[Tensor], at: Sequence[Index]) -> list[Expr | None]:
        """Each input's mask at this element, None without one."""
        kept: list[Expr | None] = []
        for number, x in enumerate(inputs):
            mask = x.mask if self.any_mask and number not in self.ignored_masks else None
            if mask is not None and len(x.shape) != len(mask.shape) + 1:
                raise UnsupportedError(
                    f"layer {self.name!r} has an input {x.shape} with a mask over {mask.shape}"
                )
            kept.append(None if mask is None else broadcast(mask, at[:-1]))
        return kept

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        at = indices_of(outputs[0])
        kept = self._kept(inputs, at)
        if not any(kept):
            return super().equations(inputs, outputs)
        value = self._merged([broadcast(x, at) for x in inputs], kept)
        result = equation(outputs[0][at], value)
        return [result, *_mask_equations(inputs, outputs[0], self.any_mask)]

    def _merged(self, terms: Sequence[Expr], kept: Sequence[Expr | None]) -> Expr:
        """The first two inputs, then that and the third; what is masked takes the other's value."""
        result, held = terms[0], kept[0]
        for term, mask in zip(terms[1:], kept[1:], strict=True):
            right = term if mask is None else call("if", mask, term, result)
            left = result if held is None else call("if", held, result, right)
            held = None if held is None or mask is None else call("or", held, mask)
            result = call(self.function, left, right)
        return result

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        if any(x.mask is not None for x in inputs) and self.any_mask:
            return Layer.onnx(self, graph, names, inputs, outputs)
        return super().onnx(graph, names, inputs, outputs)


class Multiply(_Masked):
    """The product of the inputs, element by element; masked factors are 1 in Keras 3."""

    function = "mul"

    def _merged(self, terms: Sequence[Expr], kept: Sequence[Expr | None]) -> Expr:
        pairs = zip(terms, kept, strict=True)
        product = self._combine([t if m is None else call("if", m, t, 1) for t, m in pairs])
        masks = [mask for mask in kept if mask is not None]
        if len(masks) < len(kept):
            return product
        return call("if", fold(lambda left, right: call("or", left, right), masks), product, 0)


class Maximum(_Masked):
    """The largest of the inputs, element by element."""

    function = "max"


class Minimum(_Masked):
    """The smallest of the inputs, element by element."""

    function = "min"


class Average(_Merge):
    """The mean of the inputs, element by element."""

    def _finished(self, combined: Expr, count: int) -> Expr:
        return combined / count

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        return Layer.onnx(self, graph, names, inputs, outputs)


@dataclass(eq=False, kw_only=True)
class Concatenate(Layer):
    """The inputs one behind the other along ``axis`` (counted without the batch).

    Masks join as those of other merges; an input without one counts as kept. Along time they
    are joined end to end.
    """

    axis: int = -1
    any_mask: bool = False

    def _along_time(self, inputs: Sequence[Tensor]) -> bool:
        return self.axis % len(inputs[0].shape) == 0 and len(inputs[0].shape) > 1

    def output_mask(self, inputs: Sequence[Tensor], name: str) -> Tensor | None:
        if all(x.mask is None for x in inputs):
            return None
        if self._along_time(inputs):
            steps = sum(x.shape[0] for x in inputs)
            return Tensor(f"{name}/mask", ("time",), (steps,))
        if self.any_mask and any(x.mask is None for x in inputs):
            return None  # a step that is kept everywhere
        return _joined_mask(inputs, name)

    def loses_mask(self, gone: Sequence[bool]) -> bool:
        return all(gone)

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        first = inputs[0]
        axis = Along(first, self.axis, self.name).axes[0]
        lengths: list[int | None] = [x.shape[axis] for x in inputs if len(x.shape) > axis]
        rests = {x.shape[:axis] + x.shape[axis + 1 :] for x in inputs}
        if len(lengths) < len(inputs) or (len(rests) > 1 and not any(None in r for r in rests)):
            raise ValueError(
                f"layer {self.name!r} cannot join the shapes {[x.shape for x in inputs]} "
                f"along axis {axis + 1}"
            )
        total = None if None in lengths else sum(n or 0 for n in lengths)
        return [Signature(first.axes, (*first.shape[:axis], total, *first.shape[axis + 1 :]))]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        axis = Along(outputs[0], self.axis, self.name).axes[0]
        result, offset = [], 0
        for x in inputs:
            at = indices_of(x)
            target: list[Position] = [*at]
            target[axis] = at[axis] + offset
            result.append(equation(outputs[0][tuple(target)], x[at]))
            offset += x.shape[axis]
        if outputs[0].mask is None or not self._along_time(inputs):
            return [*result, *_mask_equations(inputs, outputs[0], self.any_mask)]
        return [*result, *self._mask_along_time(inputs, outputs[0].mask)]

    @staticmethod
    def _mask_along_time(inputs: Sequence[Tensor], mask: Tensor) -> list[Equation]:
        result, offset = [], 0
        for x in inputs:
            t = Index("t", x.shape[0])
            result.append(equation(mask[t + offset], 1 if x.mask is None else x.mask[t]))
            offset += t.size
        return result

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        axis = Along(outputs[0], self.axis, self.name).axes[0]
        return [graph.node("Concat", names, axis=axis + 1)]


@dataclass(eq=False, kw_only=True)
class Dot(Layer):
    """The sum of products along one axis of each of two inputs (counted without the batch).

    ``normalize`` first divides each by its length along that axis (cosine proximity).
    """

    axes: tuple[int, int]
    normalize: bool = False

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        a, b = inputs
        left, right = self._along(a, b)
        if left.over[0].size != right.over[0].size:
            raise ValueError(f"layer {self.name!r} cannot multiply {a.shape} by {b.shape}")
        shape = [a.shape[axis] for axis in left.kept] + [b.shape[axis] for axis in right.kept]
        shape = shape or [1]
        return [Signature(default_axes(len(shape)), tuple(shape))]

    def _along(self, a: Tensor, b: Tensor) -> tuple[Along, Along]:
        return Along(a, self.axes[0], self.name), Along(b, self.axes[1], self.name)

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        before: list[Equation] = []
        a, b = inputs
        if self.normalize:
            a, b = (self._unit(x, n, outputs[0], before) for n, x in enumerate(inputs))
        left, right = self._along(a, b)
        shared = left.over[0]
        place: list[Position] = [*right.at]
        place[right.axes[0]] = shared
        total = reduce("sum", (shared,), a[left.at] * b[tuple(place)])
        target: tuple[Position, ...] = (*left.rest, *right.rest) or (0,)
        return [*before, equation(outputs[0][target], total)]

    def _unit(self, x: Tensor, n: int, y: Tensor, before: list[Equation]) -> Tensor:
        """``x`` divided by its length, as a visible step."""
        along = Along(x, self.axes[n], self.name)
        unit = y.step(f"unit{n}", x.axes, x.shape)
        length = along.step(unit, "length")
        square = reduce("sum", along.over, x[along.at] * x[along.at])
        root = call("sqrt", call("max", length[along.rest], 1e-12))
        before.append(equation(length[along.rest], square))
        before.append(equation(unit[along.at], x[along.at] / root))
        return unit
