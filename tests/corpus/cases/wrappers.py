"""TimeDistributed, and what the wrappers hold."""

from __future__ import annotations

from typing import Any

from kit import ALL, BOTH, KERAS2, Kit, case


@case(ALL)
def time_distributed(k: Kit) -> Any:
    """TimeDistributed around layers of a picture."""
    layers, each = k.layers, k.layers.TimeDistributed
    return k.fan(
        (3, 4, 5, 2),
        {
            "dense": each(layers.Dense(3, activation="relu")),
            "conv": each(layers.Conv2D(3, 2, padding="same", strides=2, activation="tanh")),
            "depthwise": each(layers.DepthwiseConv2D(2)),
            "pool": each(layers.MaxPooling2D()),
            "mean": each(layers.GlobalAveragePooling2D()),
            "flat": each(layers.Flatten()),
            "norm": each(layers.BatchNormalization()),
            "layer_norm": each(layers.LayerNormalization()),
            "up": each(layers.UpSampling2D()),
            "pad": each(layers.ZeroPadding2D(1)),
            "act": each(layers.Activation("sigmoid")),
            "drop": each(layers.Dropout(0.2)),
            "reshape": each(layers.Reshape((10, 4))),
            "transposed": each(layers.Conv2DTranspose(2, 2, strides=2)),
            "lstm": each(layers.TimeDistributed(layers.LSTM(3))),
            "twice": each(each(layers.Dense(2))),
        },
    )


@case(BOTH)
def time_distributed_steps(k: Kit) -> Any:
    """TimeDistributed around layers of a sequence, and around models."""
    layers, each = k.layers, k.layers.TimeDistributed
    x = k.input(3, 5, 2)
    a = k.input(5, 2, name="a")
    inner = k.model(
        a, layers.Dense(3, name="d")(layers.Conv1D(4, 2, name="c")(a)), name="functional"
    )
    chain = k.chain(k.input(5, 2, name="b"), layers.Flatten(), layers.Dense(3), name="chain")
    outputs = [
        each(layers.LSTM(3), name="lstm")(x),
        each(layers.GRU(3, return_sequences=True), name="gru")(x),
        each(layers.Bidirectional(layers.LSTM(2)), name="both")(x),
        each(layers.Conv1D(3, 2), name="conv")(x),
        each(layers.GlobalMaxPooling1D(), name="most")(x),
        each(inner, name="model")(x),
        each(chain, name="sequential")(x),
        layers.LSTM(2, name="over")(each(layers.Flatten(), name="flat")(x)),
    ]
    return k.model(x, outputs)


@case(KERAS2)
def wrapped_chain(k: Kit) -> Any:
    """A video classifier as people write it."""
    layers, each = k.layers, k.layers.TimeDistributed
    return k.chain(
        k.input(3, 6, 6, 1),
        each(layers.Conv2D(3, 3, activation="relu")),
        each(layers.MaxPooling2D()),
        each(layers.BatchNormalization()),
        each(layers.Flatten()),
        layers.Bidirectional(layers.LSTM(4)),
        layers.Dense(3, activation="softmax"),
    )
