"""Masks: made by Embedding and Masking, carried on, read."""

from __future__ import annotations

from typing import Any

import numpy as np
from kit import ALL, BOTH, Array, Kit, Made, case, numbers, tokens

# Operations that Keras 3 writes out for the masks that tensors carry.
CARRIED = ("not_equal", "any", "logical_or", "logical_and", "expand_dims", "zeros_like",
           "ones_like", "concatenate")  # fmt: skip


def gaps(batch: int, time: int, size: int) -> Array:
    """Numbers with whole steps of zeros, inside and at both ends."""
    data = numbers(batch, time, size, seed=4)
    for number in range(batch):
        data[number, [number % time, (number + 3) % time, time - 1]] = 0
    return data


@case(ALL, skip=CARRIED)
def embedding_masks(k: Kit) -> Any:
    """Padded words into every recurrent layer."""
    layers = k.layers
    x = k.input(6)
    e = layers.Embedding(9, 4, mask_zero=True, name="words")(x)
    outputs = [
        layers.LSTM(3, name="lstm")(e),
        layers.GRU(3, return_sequences=True, name="gru")(e),
        layers.GRU(3, reset_after=False, name="gru_before")(e),
        layers.SimpleRNN(3, name="simple")(e),
        layers.LSTM(3, go_backwards=True, name="backwards")(e),
        layers.Bidirectional(layers.LSTM(3), name="both")(e),
        layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both_steps")(e),
        layers.GlobalAveragePooling1D(name="mean")(e),
        layers.GlobalMaxPooling1D(name="most")(e),
    ]
    return Made(k.model(x, outputs), {"x": tokens(2, 6, below=9, padding=True)})


@case(BOTH, skip=CARRIED)
def masking(k: Kit) -> Any:
    """Masking with gaps, carried through layers into loops."""
    layers = k.layers
    x = k.input(6, 3)
    m = layers.Masking(name="masking")(x)
    through = layers.Dropout(0.1)(layers.LayerNormalization(name="norm")(m))
    through = layers.TimeDistributed(layers.Dense(4, activation="tanh"), name="each")(through)
    first = layers.LSTM(3, return_sequences=True, name="first")(through)
    second = layers.GRU(3, return_sequences=True, name="second")(first)
    joined = layers.Concatenate(name="joined")([first, second])
    summed = layers.Add(name="summed")([first, second])
    outputs = [
        layers.LSTM(2, name="last")(joined),
        layers.SimpleRNN(2, name="simple")(summed),
        layers.Dense(3, name="dense")(first),
        layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)], name="stacked")(m),
        layers.LSTM(3, return_state=True, name="states")(m)[1],
    ]
    return Made(k.model(x, outputs), {"x": gaps(2, 6, 3)})


@case(BOTH, skip=CARRIED)
def masking_value(k: Kit) -> Any:
    """Masking of another value."""
    layers = k.layers
    data = gaps(2, 5, 3)
    data[data == 0] = -1
    model = k.chain(k.input(5, 3, name="x"), layers.Masking(-1.0), layers.LSTM(3))
    return Made(model, {model.inputs[0].name: data})


@case(BOTH, skip=CARRIED)
def zero_output(k: Kit) -> Any:
    """RNN that answers a masked step with zeros."""
    layers = k.layers
    x = k.input(6, 3)
    m = layers.Masking(name="masking")(x)
    make = layers.LSTM
    flags = {"return_sequences": True, "zero_output_for_mask": True}
    outputs = [
        layers.RNN(layers.GRUCell(3), name="cell", **flags)(m),
        layers.Bidirectional(make(3, return_sequences=True), name="both")(m),
    ]
    return Made(k.model(x, outputs), {"x": gaps(2, 6, 3)})


@case(BOTH, skip=CARRIED)
def masked_attention(k: Kit) -> Any:
    """Attention layers that read the masks of their inputs."""
    layers = k.layers
    x, y = k.input(5, name="x"), k.input(4, name="y")

    # Each has words of its own: Keras 3's MultiHeadAttention takes the masks off its inputs.
    def words(name: str) -> Any:
        return layers.Embedding(9, 4, mask_zero=True, name=f"words_{name}")(x)

    def others(name: str) -> Any:
        return layers.Embedding(7, 4, mask_zero=True, name=f"others_{name}")(y)

    one, two = words("self"), words("causal")
    outputs = [
        layers.Attention(name="dot")([words("dot"), others("dot")]),
        layers.AdditiveAttention(name="additive")([words("additive"), others("additive")]),
        layers.MultiHeadAttention(2, 3, name="heads")(words("heads"), others("heads")),
        layers.MultiHeadAttention(2, 3, name="self")(one, one),
        layers.MultiHeadAttention(2, 3, name="causal")(two, two, use_causal_mask=True),
    ]
    given = {"x": tokens(2, 5, below=9, padding=True), "y": tokens(2, 4, below=7, padding=True)}
    return Made(k.model([x, y], outputs), given)


@case(BOTH, skip=CARRIED)
def given_mask(k: Kit) -> Any:
    """A mask that is an input of its own."""
    layers = k.layers
    x, m = k.input(4, 6, name="x"), k.input(4, 4, name="m")
    y = layers.MultiHeadAttention(2, 3, name="heads")(x, x, attention_mask=m)
    mask = np.float32([[[1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 1, 1], [1, 1, 1, 1]]] * 2)
    mask[1, 2] = [1, 0, 1, 0]
    return Made(k.model([x, m], y), {"m": mask})


@case(BOTH, skip=CARRIED)
def masked_encoder(k: Kit) -> Any:
    """Words through a small encoder that carries its mask."""
    layers = k.layers
    x = k.input(5)
    e = layers.Embedding(9, 4, mask_zero=True, name="words")(x)
    n = e
    for i in range(3):
        heads = layers.MultiHeadAttention(2, 2, name=f"heads{i}")(n, n)
        n = layers.LayerNormalization(name=f"norm{i}")(layers.Add(name=f"skip{i}")([n, heads]))
    return Made(
        k.model(x, layers.GlobalAveragePooling1D(name="mean")(n)),
        {"x": tokens(2, 5, below=9, padding=True)},
    )


@case(BOTH, skip=CARRIED)
def masked_merges(k: Kit) -> Any:
    """Merges of masked steps, which Keras 3 multiplies and compares where they are kept only."""
    layers = k.layers
    x, y, z = k.input(6, 3, name="x"), k.input(6, 3, name="y"), k.input(6, 3, name="z")
    a, b = layers.Masking(name="a")(x), layers.Masking(name="b")(y)
    outputs = []
    for kind in ("Multiply", "Maximum", "Minimum", "Add", "Average"):
        layer = getattr(layers, kind)
        both = layer(name=f"{kind.lower()}_ab")([a, b])
        outputs.append(layers.SimpleRNN(2, name=f"rnn_{kind.lower()}")(both))
        outputs.append(layer(name=f"{kind.lower()}_az")([a, z]))
        outputs.append(layer(name=f"{kind.lower()}_zab")([z, a, b]))
    outputs.append(layers.Subtract(name="subtract")([a, b]))
    other = gaps(2, 6, 3)[:, ::-1].copy()
    return Made(k.model([x, y, z], outputs), {"x": gaps(2, 6, 3), "y": other})


@case(BOTH, skip=CARRIED)
def masked_decoder(k: Kit) -> Any:
    """Two sentences with masks: self attention, cross attention, residuals, a recurrent end."""
    layers = k.layers
    x, y = k.input(5, name="x"), k.input(4, name="y")
    a = layers.Embedding(9, 4, mask_zero=True, name="source")(x)
    b = layers.Embedding(7, 4, mask_zero=True, name="target")(y)
    b = layers.Add(name="s")(
        [b, layers.MultiHeadAttention(2, 2, name="self")(b, b, use_causal_mask=True)]
    )
    b = layers.LayerNormalization(name="n1")(b)
    b = layers.Add(name="c")([b, layers.MultiHeadAttention(2, 2, name="cross")(b, a)])
    b = layers.LayerNormalization(name="n2")(b)
    again = layers.MultiHeadAttention(2, 2, name="again")(b, a)
    outputs = [layers.GRU(3, name="end")(b), layers.LSTM(3, name="other")(again)]
    given = {"x": tokens(2, 5, below=9, padding=True), "y": tokens(2, 4, below=7, padding=True)}
    return Made(k.model([x, y], outputs), given)


@case(BOTH, skip=CARRIED)
def mask_carriers(k: Kit) -> Any:
    """Which layers carry a mask on: a mean over time behind each of them says so."""
    layers = k.layers
    x = k.input(6)
    made: dict[str, Any] = {
        "dense": layers.Dense(4),
        "activation": layers.Activation("relu"),
        "batch_norm": layers.BatchNormalization(),
        "layer_norm": layers.LayerNormalization(),
        "dropout": layers.Dropout(0.1),
        "spatial": layers.SpatialDropout1D(0.1),
        "noise": layers.GaussianNoise(0.1),
        "leaky": layers.LeakyReLU(),
        "elu": layers.ELU(),
        "prelu": layers.PReLU(),
        "relu": layers.ReLU(),
        "each": layers.TimeDistributed(layers.Dense(3)),
        "lstm": layers.LSTM(3, return_sequences=True),
        "both": layers.Bidirectional(layers.GRU(3, return_sequences=True)),
        "alpha": layers.AlphaDropout(0.1),
        "conv": layers.Conv1D(3, 1),
        "reshape": layers.Reshape((6, 4)),
        "unit_norm": layers.UnitNormalization(),
        "einsum": layers.EinsumDense("abc,cd->abd", output_shape=(None, 3)),
        "identity": layers.Identity(),
        "rescaling": layers.Rescaling(0.5),
        "normalization": layers.Normalization(mean=0.5, variance=2.0, axis=None),
    }
    if k.major == 3:
        made |= {
            "depthwise": layers.DepthwiseConv1D(1),
            "separable": layers.SeparableConv1D(3, 1),
            "pool": layers.MaxPooling1D(1),
            "mean": layers.AveragePooling1D(1),
            "permute": layers.Permute((1, 2)),
            "pad": layers.ZeroPadding1D(0),
            "crop": layers.Cropping1D(0),
            "up": layers.UpSampling1D(1),
            "group_norm": layers.GroupNormalization(2),
            "rms_norm": layers.RMSNormalization(),
            "spectral": layers.SpectralNormalization(layers.Dense(3)),
        }
    outputs = []
    for name, layer in made.items():
        layer._name = name
        words = layers.Embedding(9, 4, mask_zero=True, name=f"words_{name}")(x)
        outputs.append(layers.GlobalAveragePooling1D(name=f"mean_{name}")(layer(words)))
    return Made(k.model(x, outputs), {"x": tokens(2, 6, below=9, padding=True)})


@case(BOTH, skip=CARRIED)
def masked_operations(k: Kit) -> Any:
    """Arithmetic on masked steps, which takes the mask off."""
    layers = k.layers
    relu = k.ops.relu if k.major == 3 else k.tf.nn.relu
    x = k.input(6)
    outputs = []
    for n, function in enumerate([lambda t: t * 2.0, lambda t: t + t, relu, lambda t: t[:, 1:]]):
        e = layers.Embedding(9, 4, mask_zero=True, name=f"words{n}")(x)
        outputs.append(layers.GlobalAveragePooling1D(name=f"m{n}")(function(e)))
        outputs.append(layers.LSTM(3, name=f"l{n}")(function(e)))
    return Made(k.model(x, outputs), {"x": tokens(2, 6, below=9, padding=True)})
