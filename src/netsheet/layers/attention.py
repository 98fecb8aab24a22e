"""Attention: dot-product, additive, multi-head and grouped-query.

Every layer shows its scores, their softmax (``weights``) and what it brings together from them.
A pair of positions that a mask excludes has the score -1e9, so that a query without any allowed
key weighs all of them alike, as in Keras with float32.
Source: keras/src/layers/attention/*.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from netsheet.equations import (
    Equation,
    Expr,
    Guard,
    Index,
    Noise,
    Read,
    Tensor,
    Transform,
    Value,
    call,
    equation,
    indices_of,
    on_reads,
    reduce,
    select,
)
from netsheet.layer import Layer, Signature
from netsheet.layers.activation import Softmax
from netsheet.layers.noise import kept
from netsheet.layers.recurrent import base_tensor

EXCLUDED = -1e9


@dataclass(eq=False, kw_only=True)
class Attending(Layer):
    """What all share: inputs by the name of their argument, masks, softmax.

    ``arguments`` names the inputs: query, value, key (by default the value), attention_mask
    (of the scores' shape without heads), query_mask, value_mask, key_mask. A mask that is not
    given is the one that its tensor carries, unless ``ignored_masks`` has the argument. With
    ``output`` among these, the output carries none either.
    """

    arguments: tuple[str, ...] = ("query", "value", "key", "attention_mask")
    use_causal_mask: bool = False
    return_attention_scores: bool = False
    ignored_masks: tuple[str, ...] = ()
    dropout: float = 0.0  # of the weights, in training

    attends: ClassVar[bool] = True
    masked_arguments: ClassVar[tuple[str, ...]] = ("value",)

    def __post_init__(self) -> None:
        self.random = self.dropout > 0

    def equations_in_training(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], noise: Noise
    ) -> list[Equation]:
        """With weights that are dropped behind the softmax, before the values are added up."""
        equations = self.equations(inputs, outputs)
        if not self.otherwise_in_training:
            return equations
        named = _sibling(base_tensor(outputs).step("weights", (), ()), "weights")
        weights = next(eq.target for eq in equations if eq.target.name == named)
        mask = noise.draw(weights.like("kept"), kept(self.dropout))

        def dropped(read: Read) -> Expr:
            return read * mask[read.at] if read.tensor is weights else read

        return list(map(Transform(on_reads(dropped)).equation, equations))

    def _given(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        given = dict(zip(self.arguments, inputs, strict=False))
        if len(inputs) > len(self.arguments) or not {"query", "value"} <= given.keys():
            raise ValueError(f"layer {self.name!r} takes a query and a value, not {[*given]}")
        return given

    def blind_to(self, gone: Sequence[bool], output: bool = False) -> Layer:
        names = [name for name, lost in zip(self.arguments, gone, strict=False) if lost]
        return replace(self, ignored_masks=(*names, *(["output"] if output else [])))

    def loses_mask(self, gone: Sequence[bool]) -> bool:
        return gone[self.arguments.index("query")]

    def output_mask(self, inputs: Sequence[Tensor], name: str) -> Tensor | None:
        if "output" in self.ignored_masks:
            return None
        given = self._given(inputs)
        return given.get("query_mask", given["query"].mask)

    def _mask(self, given: dict[str, Tensor], argument: str) -> Tensor | None:
        explicit = given.get(f"{argument}_mask")
        if explicit is not None:
            return explicit
        if argument in self.ignored_masks:
            return None
        return given[argument].mask if argument in given else None

    def _excluded(
        self,
        given: dict[str, Tensor],
        scores: Tensor,
        lead: Sequence[Index],
        q: Sequence[Index],
        k: Sequence[Index],
        window: int | None = None,
    ) -> list[Equation]:
        """``<key>/masked`` from the scores at ``lead, q, k``; nothing if there is no mask."""
        allowed: list[Expr] = []
        for argument in self.masked_arguments:
            mask = self._mask(given, argument)
            if mask is not None:
                allowed.append(mask[q[0] if argument == "query" else k[0]])
        if "attention_mask" in given:
            # its axes are those of the scores; those missing are just before the queries
            mask = given["attention_mask"]
            more = len(mask.shape) - len(q) - len(k)
            if not 0 <= more <= len(lead):
                raise ValueError(f"layer {self.name!r}: its mask has the shape {mask.shape}")
            kept = (*lead[:more], *q, *k)
            places = [i if n > 1 else 0 for i, n in zip(kept, mask.shape, strict=True)]
            allowed.append(mask[tuple(places)])
        guards = []
        if self.use_causal_mask:
            guards.append(Guard(q[0] - k[0], 0, q[0].size))
        if window is not None:
            guards.append(Guard(q[0] - k[0], 1 - window, window))
        if not allowed and not guards:
            return []
        at = (*lead, *q, *k)
        score: Value = scores[at]
        if allowed:
            test = allowed[0]
            for other in allowed[1:]:
                test = call("and", test, other)
            score = call("if", test, score, EXCLUDED)
        masked = replace(scores, name=_sibling(scores, "masked"))
        return [equation(masked[at], select(guards, score, EXCLUDED))]

    def _weights_tensor(self, scores: Tensor, outputs: Sequence[Tensor]) -> Tensor:
        if self.return_attention_scores:
            return outputs[1]
        return replace(scores, name=_sibling(scores, "weights"))

    def _softmax(
        self, scores: Tensor, masked: list[Equation], weights: Tensor, axes: int
    ) -> list[Equation]:
        """The masked scores and their softmax over the last ``axes`` axes."""
        source = masked[0].target if masked else scores
        softmax = Softmax(name=self.name, axis=tuple(range(-axes, 0)))
        return [*masked, *softmax.equations([source], [weights])]


def _sibling(tensor: Tensor, name: str) -> str:
    return f"{tensor.name.rpartition('/')[0]}/{name}"


@dataclass(eq=False, kw_only=True)
class Attention(Attending):
    """``y = softmax(scores) value`` with ``scores[q, k] = scale * query[q] . key[k]``.

    With ``score_mode`` "concat": ``concat_score_weight * sum(tanh(scale * (query + key)))``.
    """

    use_scale: bool = False
    score_mode: str = "dot"

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        axes: dict[str, tuple[str, ...]] = {"scale": ()} if self.use_scale else {}
        return axes | ({"concat_score_weight": ()} if self.score_mode == "concat" else {})

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        given = self._given(inputs)
        query, values = given["query"], given["value"]
        if len(query.shape) != 2 or len(values.shape) != 2:
            raise ValueError(f"layer {self.name!r} takes sequences of vectors")
        keys = given.get("key", values)
        if len(keys.shape) != 2 or keys.shape[0] != values.shape[0]:
            raise ValueError(f"its keys {keys.shape} and values {values.shape} differ in number")
        if query.shape[1] != keys.shape[1]:
            raise ValueError(f"its queries {query.shape} and keys {keys.shape} differ in length")
        signatures = [Signature(query.axes, (query.shape[0], values.shape[1]))]
        if self.return_attention_scores:
            signatures.append(Signature(("query", "key"), (query.shape[0], values.shape[0])))
        return signatures

    def _score(self, query: Expr, key: Expr, d: Index) -> Expr:
        scale = self.weights["scale"][()] if self.use_scale else None
        if self.score_mode == "dot":
            total = reduce("sum", (d,), query * key)
            return total if scale is None else total * scale
        both = query + key
        total = reduce("sum", (d,), call("tanh", both if scale is None else scale * both))
        return self.weights["concat_score_weight"][()] * total

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        given, y = self._given(inputs), outputs[0]
        query, values = given["query"], given["value"]
        keys = given.get("key", values)
        shape = (query.shape[0], keys.shape[0])
        scores = base_tensor(outputs).step("scores", ("query", "key"), shape)
        weights = self._weights_tensor(scores, outputs)
        (q, k), d = indices_of(scores), Index("d", query.shape[1])
        masked = self._excluded(given, scores, (), (q,), (k,))
        row, c = indices_of(y)
        total: Value = reduce("sum", (k,), weights[row, k] * values[k, c])
        mask = self._mask(given, "query")
        if mask is not None:
            total = call("if", mask[row], total, 0)
        return [
            equation(scores[q, k], self._score(query[q, d], keys[k, d], d)),
            *self._softmax(scores, masked, weights, 1),
            equation(y[row, c], total),
        ]


@dataclass(eq=False, kw_only=True)
class AdditiveAttention(Attention):
    """``scores[q, k] = sum(d) scale[d] * tanh(query[q, d] + key[k, d])``."""

    use_scale: bool = True

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        return {"scale": ("in",)} if self.use_scale else {}

    def _score(self, query: Expr, key: Expr, d: Index) -> Expr:
        both = call("tanh", query + key)
        return reduce("sum", (d,), self.weights["scale"][d] * both if self.use_scale else both)
