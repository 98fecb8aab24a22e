"""Names that are hard for files, sheets and programs."""

from __future__ import annotations

from typing import Any

from kit import ALL, KERAS2, Kit, case


@case({3: ("h5", "keras")})
def japanese(k: Kit) -> Any:
    """Names in Japanese."""
    layers = k.layers
    x = k.input(6, 6, 1, name="入力")
    y = layers.Conv2D(2, 3, activation="relu", name="畳み込み層1")(x)
    y = layers.MaxPooling2D(name="最大プーリング")(y)
    a = k.input(2, 2, 2, name="内部入力")
    inner = k.model(a, layers.Flatten(name="平坦化")(a), name="内部モデル")
    y = layers.Dense(3, activation="softmax", name="出力・全結合")(inner(y))
    return k.model(x, y, name="日本語モデル")


@case({2: ("h5",), 3: ("keras", "h5")})
def words(k: Kit) -> Any:
    """Names that are keywords of C, cells of a sheet, or hold spaces and signs."""
    layers = k.layers
    names = [
        "int",
        "while",
        "A1",
        "R1C1",
        "TRUE",
        "SUM",
        "Map",
        "Check",
        "a.b",
        "a-b",
        "n" * 70,
        "net_run",
        "main",
        "x_1",
        "1st",
    ]
    if k.major == 3:
        names += ["_private", "two words", "Ünïcödé", "a:b*c", "it's", "e=mc^2", "<b>", "@", "'"]
    x = k.input(3, name="double")
    y = x
    for name in names:
        y = layers.Dense(3, activation="tanh", name=name)(y)
    return k.model(x, y)


@case(KERAS2)
def slashes(k: Kit) -> Any:
    """Names with slashes, as TensorFlow's scopes made them."""
    layers = k.layers
    return k.chain(
        k.input(3),
        layers.Dense(4, name="block/dense"),
        layers.BatchNormalization(name="block/dense/norm"),
        layers.Dense(2, name="out/logits"),
    )


@case(ALL)
def many(k: Kit) -> Any:
    """More than ten layers of a class, whose stored names sort differently."""
    layers = k.layers
    return k.chain(k.input(3), *(layers.Dense(3, activation="tanh") for _ in range(13)))


@case(ALL)
def twins(k: Kit) -> Any:
    """A layer whose name looks like another layer's step or call."""
    layers = k.layers
    x = k.input(4, name="x")
    y = layers.Dense(4, activation="relu", name="dense")(x)
    y = layers.ReLU(name="dense_relu")(y)
    y = layers.Dense(4, name="dense_kernel")(y)
    shared = layers.Dense(4, name="dense_1")
    y = layers.Dense(3, activation="softmax", name="softmax")(shared(shared(y)))
    return k.model(x, y)
