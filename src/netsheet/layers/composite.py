"""A whole model as one layer: what TimeDistributed repeats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from netsheet.equations import Equation, Noise, Tensor, equation, indices_of
from netsheet.layer import Graph, Layer, Signature


@dataclass(frozen=True, eq=False)
class InnerCall:
    """A layer in a composite: its name there, and its inputs as (maker, output).

    The maker is a part's number, or -1 for the composite's own inputs.
    """

    name: str
    layer: Layer
    inputs: tuple[tuple[int, int], ...]


@dataclass(eq=False, kw_only=True)
class Composite(Layer):
    """Layers in order; weights and steps are named after them: ``conv1/kernel``."""

    parts: tuple[InnerCall, ...]
    results: tuple[tuple[int, int], ...]

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        return {
            f"{name}/{label}": axes
            for name, layer in self._distinct()
            for label, axes in layer.weight_axes().items()
        }

    def inner_layers(self) -> list[tuple[str, Layer]]:
        return [(f"{name}/", layer) for name, layer in self._distinct()]

    def _distinct(self) -> list[tuple[str, Layer]]:
        found: dict[Layer, str] = {}
        for part in self.parts:
            found.setdefault(part.layer, part.name)
        return [(name, layer) for layer, name in found.items()]

    def _weighted(self) -> list[Layer]:
        """The layer of each part, with its share of the weights."""
        names = {layer: name for name, layer in self._distinct()}
        return [
            replace(
                part.layer,
                name=f"{self.name}/{part.name}",
                weights={
                    label: self.weights[f"{names[part.layer]}/{label}"]
                    for label in part.layer.weight_axes()
                },
            )
            for part in self.parts
        ]

    def _run(
        self, inputs: Sequence[Tensor], key: str
    ) -> Iterator[tuple[Layer, list[Tensor], list[Tensor]]]:
        """Each layer with its inputs and outputs."""
        made: dict[int, list[Tensor]] = {-1: list(inputs)}
        for number, (part, layer) in enumerate(zip(self.parts, self._weighted(), strict=True)):
            given = [made[maker][output] for maker, output in part.inputs]
            name = f"{key}/{part.name}"
            outputs = [
                Tensor(name, axes, tuple(n or 0 for n in shape), layer.output_mask(given, name))
                for axes, shape in layer.infer(given)
            ]
            made[number] = outputs
            yield layer, given, outputs

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        made: dict[int, list[Tensor]] = {-1: list(inputs)}
        for number, (_, _, outputs) in enumerate(self._run(inputs, self.name)):
            made[number] = outputs
        ends = [made[maker][output] for maker, output in self.results]
        return [Signature(end.axes, end.shape) for end in ends]

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        return self._in_order(inputs, outputs, None)

    def equations_in_training(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], noise: Noise
    ) -> list[Equation]:
        return self._in_order(inputs, outputs, None if self.still else noise)

    def _in_order(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], noise: Noise | None
    ) -> list[Equation]:
        made: dict[int, list[Tensor]] = {-1: list(inputs)}
        equations: list[Equation] = []
        for number, (layer, given, results) in enumerate(self._run(inputs, outputs[0].name)):
            made[number] = results
            equations += (
                layer.equations(given, results)
                if noise is None
                else layer.equations_in_training(given, results, noise)
            )
        for (maker, output), y in zip(self.results, outputs, strict=True):
            at = indices_of(y)
            equations.append(equation(y[at], made[maker][output][at]))
        return equations

    def onnx(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[str]:
        made: dict[int, list[str]] = {-1: list(names)}
        for number, (layer, given, results) in enumerate(self._run(inputs, outputs[0].name)):
            sources = [made[maker][output] for maker, output in self.parts[number].inputs]
            made[number] = layer.onnx(graph, sources, given, results)
        return [made[maker][output] for maker, output in self.results]
