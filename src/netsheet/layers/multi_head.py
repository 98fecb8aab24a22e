"""Attention with several heads: each projects query, key and value, and attends by itself.

Source: keras/src/layers/attention/{multi_head,grouped_query}_attention.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netsheet.equations import (
    Equation,
    Index,
    Tensor,
    call,
    equation,
    indices_of,
    reduce,
)
from netsheet.layer import Signature
from netsheet.layers.attention import Attending
from netsheet.layers.recurrent import base_tensor


@dataclass(frozen=True)
class _Axes:
    """Indices of a multi-head attention over any axes: of queries, of keys, and shared ones."""

    lead: tuple[Index, ...]  # axes that are not attended over
    q: tuple[Index, ...]
    k: tuple[Index, ...]
    attended: tuple[int, ...]

    def place(self, at: Sequence[Index]) -> tuple[Index, ...]:
        """Positions in a tensor, ``at`` standing on the attended axes."""
        attended, lead = iter(at), iter(self.lead)
        rank = len(self.lead) + len(self.attended)
        return tuple(next(attended if axis in self.attended else lead) for axis in range(rank))


@dataclass(eq=False, kw_only=True)
class _MultiHead(Attending):
    """Projects query, key and value for every head, attends, and projects back.

    A weight's heads and columns stay two axes: a query kernel is (in, head, channel).
    """

    use_bias: bool = True
    use_gate: bool = False
    sliding_window: int | None = None

    masked_arguments: ClassVar[tuple[str, ...]] = ("query", "value", "key")
    projections: ClassVar[tuple[str, ...]] = ("query", "key", "gate", "value")
    activity_inside: ClassVar[bool] = True

    @property
    def widths(self) -> dict[str, tuple[int, int]]:
        """Heads and columns of each projection."""
        raise NotImplementedError

    def result_shape(self, query: Tensor) -> tuple[int, ...]:
        """The axes that replace the last one of the query."""
        return (query.shape[-1],)

    def attended(self, rank: int) -> tuple[int, ...]:
        """The axes attended over, of ``rank`` ones without batch and channels."""
        return tuple(range(rank))

    def result_axes(self) -> tuple[str, ...]:
        """The names of those axes in the weights."""
        return ("out",)

    def weight_axes(self) -> dict[str, tuple[str, ...]]:
        axes: dict[str, tuple[str, ...]] = {}
        for name in self.projections:
            if name != "gate" or self.use_gate:
                axes[f"{name}/kernel"] = ("in", "head", "channel")
                if self.use_bias:
                    axes[f"{name}/bias"] = ("head", "channel")
        axes["attention_output/kernel"] = ("head", "channel", *self.result_axes())
        if self.use_bias:
            axes["attention_output/bias"] = self.result_axes()
        return axes

    def infer(self, inputs: Sequence[Tensor]) -> list[Signature]:
        given = self._given(inputs)
        query, source = given["query"], given["value"]
        if len(query.shape) < 2 or len(query.shape) != len(source.shape):
            raise ValueError(
                f"layer {self.name!r} attends from {query.shape} to {source.shape}: "
                f"both need the same axes, at least one and channels"
            )
        heads, shared = self.widths["query"][0], self.widths["key"][0]
        if heads % shared:
            raise ValueError(f"{heads} heads of queries cannot share {shared} of keys")
        rank = len(query.shape) - 1
        attended = self.attended(rank)
        if len(set(attended)) < max(len(attended), 1) or any(not 0 <= n < rank for n in attended):
            raise ValueError(f"layer {self.name!r} cannot attend over the axes {attended}")
        result = self.result_shape(query)
        axes = query.axes if len(result) == 1 else (*query.axes[:-1], *_numbered(len(result)))
        signatures = [Signature(axes, (*query.shape[:-1], *result))]
        if self.return_attention_scores:
            signatures.append(self._scores_signature(query, source))
        return signatures

    def _scores_signature(self, query: Tensor, source: Tensor) -> Signature:
        attended = self.attended(len(query.shape) - 1)
        lead = [axis for axis in range(len(query.shape) - 1) if axis not in attended]
        many = len(attended) > 1
        axes = [
            *(query.axes[axis] for axis in lead),
            "head",
            *(f"query_{query.axes[axis]}" if many else "query" for axis in attended),
            *(f"key_{source.axes[axis]}" if many else "key" for axis in attended),
        ]
        shape = [query.shape[axis] for axis in lead] + [self.widths["query"][0]]
        shape += [tensor.shape[axis] for tensor in (query, source) for axis in attended]
        return Signature(tuple(axes), tuple(shape))

    def equations(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Equation]:
        given = self._given(inputs)
        sources = {"query": given["query"], "gate": given["query"], "value": given["value"]}
        sources["key"] = given.get("key", given["value"])
        result: list[Equation] = []
        projected: dict[str, Tensor] = {}
        for name in self.projections:
            if name != "gate" or self.use_gate:
                eq = self._projection(name, sources[name], base_tensor(outputs))
                projected[name] = eq.target
                result.append(eq)
        axes, shape = self._scores_signature(given["query"], given["value"])
        scores = base_tensor(outputs).step("scores", axes, tuple(n or 0 for n in shape))
        weights = self._weights_tensor(scores, outputs)
        attended = self.attended(len(given["query"].shape) - 1)
        at = indices_of(scores)
        n, lead = len(attended), len(at) - 2 * len(attended) - 1
        h, places = at[lead], _Axes(at[:lead], at[lead + 1 : lead + 1 + n], at[-n:], attended)
        heads, width = self.widths["query"]
        shared = h // (heads // self.widths["key"][0])  # the head of key and value
        d = Index("d", width)
        query = projected["query"][(*places.place(places.q), h, d)]
        key = projected["key"][(*places.place(places.k), shared, d)]
        score = reduce("sum", (d,), query * key) * (1 / math.sqrt(width))
        masked = self._excluded(
            given, scores, (*places.lead, h), places.q, places.k, self.sliding_window
        )
        result += [equation(scores[at], score), *self._softmax(scores, masked, weights, n)]
        context = base_tensor(outputs).step(
            "context",
            projected["query"].axes,
            (*projected["query"].shape[:-1], self.widths["value"][1]),
        )
        c = Index("c", self.widths["value"][1])
        row = (*places.place(places.q), h, c)
        total = reduce(
            "sum",
            places.k,
            weights[at] * projected["value"][(*places.place(places.k), shared, c)],
        )
        if self.use_gate:
            total = total * projected["gate"][row]
        return [*result, equation(context[row], total), self._output(context, outputs[0])]

    def _projection(self, name: str, x: Tensor, base: Tensor) -> Equation:
        """``<key>/query`` and so on: positions, head, channel."""
        heads, width = self.widths["query" if name == "gate" else name]
        target = base.step(name, (*x.axes[:-1], "head", "channel"), (*x.shape[:-1], heads, width))
        *at, h, d = indices_of(target)
        i = Index("i", x.shape[-1])
        total = reduce("sum", (i,), x[(*at, i)] * self.weights[f"{name}/kernel"][i, h, d])
        if self.use_bias:
            total = total + self.weights[f"{name}/bias"][h, d]
        return equation(target[(*at, h, d)], call("sigmoid", total) if name == "gate" else total)

    def _output(self, context: Tensor, y: Tensor) -> Equation:
        at = indices_of(y)
        rank = len(context.shape) - 2
        h, d = Index("h", context.shape[-2]), Index("d", context.shape[-1])
        kernel = self.weights["attention_output/kernel"][(h, d, *at[rank:])]
        total = reduce("sum", (h, d), context[(*at[:rank], h, d)] * kernel)
        if self.use_bias:
            total = total + self.weights["attention_output/bias"][at[rank:]]
        return equation(y[at], total)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"out{n}" for n in range(count))


@dataclass(eq=False, kw_only=True)
class MultiHeadAttention(_MultiHead):
    """``weights = softmax(query . key / sqrt(key_dim))`` for every head, over any axes.

    ``attention_axes`` counts the batch axis as 0, as Keras does. ``output_shape``: the axes that
    replace the channels of the query.
    """

    num_heads: int
    key_dim: int
    value_dim: int | None = None
    output_shape: tuple[int, ...] | None = None
    attention_axes: tuple[int, ...] | None = None

    def strips_masks(self) -> list[int]:
        return [n for n, name in enumerate(self.arguments) if name in ("query", "value", "key")]

    @property
    def widths(self) -> dict[str, tuple[int, int]]:
        own = (self.num_heads, self.key_dim)
        return {"query": own, "key": own, "value": (self.num_heads, self.value_dim or self.key_dim)}

    def result_shape(self, query: Tensor) -> tuple[int, ...]:
        return self.output_shape or (query.shape[-1],)

    def result_axes(self) -> tuple[str, ...]:
        count = len(self.output_shape or (0,))
        return ("out",) if count == 1 else _numbered(count)

    def attended(self, rank: int) -> tuple[int, ...]:
        if self.attention_axes is None:
            return tuple(range(rank))
        return tuple(axis - 1 if axis > 0 else axis + rank + 1 for axis in self.attention_axes)


@dataclass(eq=False, kw_only=True)
class GroupQueryAttention(_MultiHead):
    """Multi-head attention in which ``num_query_heads / num_key_value_heads`` heads share keys."""

    head_dim: int
    num_query_heads: int
    num_key_value_heads: int

    @property
    def widths(self) -> dict[str, tuple[int, int]]:
        shared = (self.num_key_value_heads, self.head_dim)
        return {"query": (self.num_query_heads, self.head_dim), "key": shared, "value": shared}
