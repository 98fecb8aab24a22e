"""Pooling over one, two and three axes."""

from __future__ import annotations

from typing import Any

from kit import BOTH, KERAS3, Kit, case


def branches(k: Kit, rank: int, **options: Any) -> dict[str, Any]:
    layers = k.layers
    most, mean = (getattr(layers, f"{kind}Pooling{rank}D") for kind in ("Max", "Average"))
    most_all, mean_all = (
        getattr(layers, f"Global{kind}Pooling{rank}D") for kind in ("Max", "Average")
    )
    return {
        "max": most(2, **options),
        "max_same": most(2, padding="same", **options),
        "max_3": most(pool_size=3, strides=2, padding="same", **options),
        "max_overlap": most(pool_size=2, strides=1, **options),
        "max_far": most(pool_size=2, strides=3, padding="same", **options),
        "mean": mean(2, **options),
        "mean_same": mean(2, padding="same", **options),
        "mean_3": mean(pool_size=3, strides=2, padding="same", **options),
        "mean_overlap": mean(pool_size=2, strides=1, padding="same", **options),
        "all_max": most_all(**options),
        "all_mean": mean_all(**options),
        "all_max_kept": most_all(keepdims=True, **options),
        "all_mean_kept": mean_all(keepdims=True, **options),
    }


@case(BOTH)
def pool1d(k: Kit) -> Any:
    """Pooling over one axis."""
    return k.fan((7, 3), branches(k, 1))


@case(BOTH)
def pool2d(k: Kit) -> Any:
    """Pooling over two axes, also with uneven windows."""
    layers = k.layers
    return k.fan(
        (5, 7, 2),
        {
            **branches(k, 2),
            "uneven": layers.MaxPooling2D((2, 3), strides=(1, 2), padding="same"),
            "uneven_mean": layers.AveragePooling2D((3, 2), strides=(2, 1), padding="same"),
        },
    )


@case(BOTH)
def pool3d(k: Kit) -> Any:
    """Pooling over three axes."""
    return k.fan((3, 5, 4, 2), branches(k, 3))


@case(BOTH)
def first_pool1d(k: Kit) -> Any:
    """Pooling over one axis, channels first."""
    return k.fan((3, 7), branches(k, 1, data_format="channels_first"))


@case(BOTH)
def first_pool2d(k: Kit) -> Any:
    """Pooling over two axes, channels first."""
    return k.fan((2, 5, 7), branches(k, 2, data_format="channels_first"))


@case(BOTH)
def first_pool3d(k: Kit) -> Any:
    """Pooling over three axes, channels first."""
    return k.fan((2, 3, 5, 4), branches(k, 3, data_format="channels_first"))


@case(KERAS3)
def adaptive_pools(k: Kit) -> Any:
    """Pools that adapt their windows to the size asked for."""
    layers = k.layers
    x, y, z = k.input(7, 2, name="x"), k.input(5, 7, 2, name="y"), k.input(3, 4, 5, 2, name="z")
    outputs = []
    for kind in ("Average", "Max"):
        for t, rank, size in ((x, 1, 3), (y, 2, 2), (z, 3, 2)):
            layer = getattr(layers, f"Adaptive{kind}Pooling{rank}D")
            outputs.append(layer(size, name=f"{kind.lower()}{rank}")(t))
    outputs.append(layers.AdaptiveMaxPooling2D((2, 3), name="uneven")(y))
    return k.model([x, y, z], outputs)
