"""Normalizing layers."""

from __future__ import annotations

from typing import Any

from kit import ALL, BOTH, KERAS3, Kit, case


@case(ALL)
def batch_norms(k: Kit) -> Any:
    """BatchNormalization on a feature map."""
    norm = k.layers.BatchNormalization
    return k.fan(
        (3, 2, 4),
        {
            "plain": norm(),
            "first": norm(axis=1),
            "middle": norm(axis=2),
            "no_center": norm(center=False),
            "no_scale": norm(scale=False),
            "bare": norm(center=False, scale=False, epsilon=0.1),
        },
    )


@case(BOTH)
def batch_norm_ranks(k: Kit) -> Any:
    """BatchNormalization on other ranks, behind a Dense, fused and not."""
    layers = k.layers
    a, b, c = k.input(5, name="a"), k.input(4, 3, name="b"), k.input(2, 2, 2, 3, name="c")
    norm = layers.BatchNormalization
    dense = layers.Dense(4, name="dense")(a)
    return k.model(
        [a, b, c],
        [
            norm(name="flat")(a),
            layers.Activation("relu", name="relu")(norm(name="behind")(dense)),
            norm(name="sequence")(b),
            norm(axis=1, name="sequence_first")(b),
            norm(name="volume")(c),
            norm(axis=1, name="volume_first")(c),
        ],
    )


@case(BOTH)
def layer_norms(k: Kit) -> Any:
    """LayerNormalization over one and several axes."""
    norm = k.layers.LayerNormalization
    branches = {
        "plain": norm(),
        "axis_1": norm(axis=1),
        "two": norm(axis=[2, 3]),
        "all": norm(axis=[1, 2, 3]),
        "negative": norm(axis=[-2, -1]),
        "no_center": norm(center=False, epsilon=1e-5),
        "no_scale": norm(scale=False),
        "bare": norm(center=False, scale=False),
    }
    if k.major == 3:
        branches["outer"] = norm(axis=[1, 3])
        try:
            branches["rms"] = norm(rms_scaling=True)
        except (TypeError, ValueError):
            branches.pop("rms", None)
    return k.fan((3, 2, 4), branches)


@case(BOTH)
def layer_norm_ranks(k: Kit) -> Any:
    """LayerNormalization on flat features and sequences."""
    layers = k.layers
    a, b = k.input(5, name="a"), k.input(4, 3, name="b")
    norm = layers.LayerNormalization
    return k.model([a, b], [norm(name="flat")(a), norm(name="steps")(b), norm(1, name="time")(b)])


@case(BOTH)
def group_norms(k: Kit) -> Any:
    """GroupNormalization: two groups, one, one for each channel, other axes."""
    norm = k.layers.GroupNormalization
    return k.fan(
        (4, 2, 6),
        {
            "two": norm(groups=2),
            "three": norm(groups=3, epsilon=0.01),
            "one": norm(groups=1),
            "each": norm(groups=-1),
            "first": norm(groups=2, axis=1),
            "no_center": norm(groups=2, center=False),
            "no_scale": norm(groups=2, scale=False),
        },
    )


@case(BOTH)
def unit_norms(k: Kit) -> Any:
    """UnitNormalization."""
    norm = k.layers.UnitNormalization
    return k.fan((3, 2, 4), {"plain": norm(), "first": norm(axis=1), "two": norm(axis=[1, 2])})


@case(KERAS3)
def rms_norms(k: Kit) -> Any:
    """RMSNormalization."""
    norm = k.layers.RMSNormalization
    return k.fan(
        (3, 2, 4),
        {
            "plain": norm(),
            "epsilon": norm(epsilon=0.1),
        },
    )


@case(BOTH)
def spectral_norm(k: Kit) -> Any:
    """SpectralNormalization around a Dense and a convolution."""
    layers = k.layers
    if not hasattr(layers, "SpectralNormalization"):
        return k.fan((4,), {"nothing": layers.Activation("linear")})
    return k.chain(
        k.input(5, 5, 2),
        layers.SpectralNormalization(layers.Conv2D(3, 2)),
        layers.Flatten(),
        layers.SpectralNormalization(layers.Dense(4)),
    )


@case(KERAS3)
def discretized(k: Kit) -> Any:
    """Discretization, CategoryEncoding and IntegerLookup."""
    layers = k.layers
    x = k.input(4, name="x")
    bins = layers.Discretization(bin_boundaries=[-1.0, 0.0, 0.5], name="bins")(x)
    hot = layers.CategoryEncoding(num_tokens=4, output_mode="multi_hot", name="hot")(bins)
    place = layers.IntegerLookup(vocabulary=[3, 0], mask_token=1, name="place")(bins)
    return k.model(x, [hot, place])
