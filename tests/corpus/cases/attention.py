"""Attention layers and EinsumDense."""

from __future__ import annotations

from typing import Any

from kit import ALL, BOTH, KERAS3, Kit, case


@case(BOTH)
def attentions(k: Kit) -> Any:
    """Attention and AdditiveAttention with their flags."""
    layers = k.layers
    q, v, key = k.input(3, 4, name="q"), k.input(5, 4, name="v"), k.input(5, 4, name="k")
    outputs = [
        layers.Attention(name="plain")([q, v]),
        layers.Attention(name="three")([q, v, key]),
        layers.Attention(use_scale=True, name="scaled")([q, v]),
        layers.Attention(score_mode="concat", name="concat")([q, v]),
        layers.Attention(score_mode="concat", use_scale=True, name="concat_scaled")([q, v]),
        layers.Attention(name="causal")([q, v], use_causal_mask=True),
        layers.AdditiveAttention(name="additive")([q, v]),
        layers.AdditiveAttention(name="additive_three")([q, v, key]),
        layers.AdditiveAttention(use_scale=False, name="additive_plain")([q, v]),
        *layers.Attention(name="scores")([q, v], return_attention_scores=True),
    ]
    return k.model([q, v, key], outputs)


@case(ALL)
def heads(k: Kit) -> Any:
    """MultiHeadAttention: self, cross, sizes, biases, scores, causal."""
    layers = k.layers
    kind = layers.MultiHeadAttention
    x, y = k.input(4, 6, name="x"), k.input(5, 3, name="y")
    outputs = [
        kind(2, 3, name="self")(x, x),
        kind(2, 3, name="cross")(x, y),
        kind(2, 3, value_dim=4, name="values")(x, y),
        kind(2, 3, use_bias=False, name="no_bias")(x, x),
        kind(2, 3, output_shape=5, name="sized")(x, x),
        kind(2, 3, name="causal")(x, x, use_causal_mask=True),
        kind(3, 2, name="three")(x, value=y, key=y),
        *kind(2, 3, name="scores")(x, y, return_attention_scores=True),
    ]
    return k.model([x, y], outputs)


@case(BOTH)
def heads_axes(k: Kit) -> Any:
    """MultiHeadAttention along chosen axes of a feature map."""
    kind = k.layers.MultiHeadAttention
    x = k.input(3, 4, 5, name="x")
    outputs = [
        kind(2, 3, attention_axes=(2,), name="second")(x, x),
        kind(2, 3, attention_axes=(1, 2), name="both")(x, x),
        kind(2, 3, name="usual")(x, x),
    ]
    return k.model(x, outputs)


@case(KERAS3)
def grouped_heads(k: Kit) -> Any:
    """GroupQueryAttention."""
    kind = k.layers.GroupQueryAttention
    x, y = k.input(4, 6, name="x"), k.input(5, 6, name="y")
    outputs = [
        kind(3, 4, 2, name="self")(x, x),
        kind(3, 4, 1, name="one")(x, y),
        kind(3, 2, 2, use_bias=False, name="no_bias")(x, y),
        kind(3, 4, 2, name="causal")(x, x, use_causal_mask=True),
    ]
    return k.model([x, y], outputs)


@case(KERAS3)
def new_heads(k: Kit) -> Any:
    """The newest flags of the attention layers, where this Keras has them."""
    layers = k.layers
    x = k.input(5, 6, name="x")
    outputs = []
    tried: dict[str, Any] = {
        "gated": lambda: layers.MultiHeadAttention(2, 3, use_gate=True, name="gated"),
        "window": lambda: layers.MultiHeadAttention(2, 3, sliding_window=2, name="window"),
        "group_gated": lambda: layers.GroupQueryAttention(3, 4, 2, use_gate=True, name="gg"),
        "group_window": lambda: layers.GroupQueryAttention(3, 4, 2, sliding_window=2, name="gw"),
    }
    for make in tried.values():
        try:
            layer = make()
        except (TypeError, ValueError):
            continue
        outputs.append(layer(x, x))
    return k.model(x, [*outputs, layers.MultiHeadAttention(1, 2, name="usual")(x, x)])


@case(BOTH)
def einsums(k: Kit) -> Any:
    """EinsumDense."""
    kind = k.layers.EinsumDense
    return k.fan(
        (3, 4),
        {
            "last": kind("abc,cd->abd", output_shape=(None, 5), bias_axes="d"),
            "dots": kind("...x,xy->...y", output_shape=5, bias_axes="y"),
            "heads": kind("abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de"),
            "no_bias": kind("abc,cd->abd", output_shape=(None, 2)),
            "turned": kind("abc,bd->adc", output_shape=(5, 4), activation="relu"),
            "step_bias": kind("abc,cd->abd", output_shape=(3, 2), bias_axes="bd"),
        },
    )
