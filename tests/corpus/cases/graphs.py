"""Nested and shared models, several inputs and outputs, dialects of the configuration."""

from __future__ import annotations

from typing import Any

from kit import ALL, BOTH, KERAS3, Kit, case


@case(ALL)
def nested(k: Kit) -> Any:
    """Functional in Functional in Sequential, activations between."""
    layers = k.layers
    a = k.input(4, name="a")
    inner = k.model(a, layers.Dense(3, activation="relu", name="d")(a), name="inner")
    b = k.input(4, name="b")
    middle = k.model(b, layers.BatchNormalization(name="n")(inner(b)), name="middle")
    chain = k.chain(k.input(3, name="c"), layers.Dense(5), layers.ReLU(), name="chain")
    return k.chain(k.input(6, name="x"), layers.Dense(4), middle, chain, layers.Dense(2))


@case(ALL)
def shared(k: Kit) -> Any:
    """Layers and models that are called several times."""
    layers = k.layers
    x, y = k.input(4, name="x"), k.input(4, name="y")
    dense = layers.Dense(4, activation="tanh", name="dense")
    tower = k.chain(k.input(4, name="t"), layers.Dense(3, name="one"),
                    layers.BatchNormalization(name="two"), name="tower")  # fmt: skip
    a = k.input(4, name="a")
    joint = k.model(a, layers.Add(name="skip")([a, layers.Dense(4, name="mix")(a)]), name="joint")
    u, v, w = dense(x), dense(y), dense(dense(x))
    return k.model(
        [x, y], [layers.Subtract(name="gap")([tower(u), tower(v)]), joint(w), joint(joint(u))]
    )


@case(ALL)
def nested_ends(k: Kit) -> Any:
    """A nested model with several inputs and outputs."""
    layers = k.layers
    a, b = k.input(3, name="a"), k.input(4, name="b")
    both = layers.Concatenate(name="both")([layers.Dense(2, name="da")(a), b])
    inner = k.model([a, b], [layers.Dense(3, name="left")(both), both], name="inner")
    x, y = k.input(3, name="x"), k.input(4, name="y")
    left, right = inner([x, y])
    again, _ = inner([layers.Dense(3, name="dx")(x), layers.Dense(4, name="dy")(y)])
    return k.model([x, y], [layers.Add(name="sum")([left, again]), right])


@case(BOTH)
def shared_inside(k: Kit) -> Any:
    """A layer that a nested model calls twice, in a model that is called twice."""
    layers = k.layers
    a = k.input(3, name="a")
    dense = layers.Dense(3, activation="relu", name="dense")
    inner = k.model(a, layers.Add(name="add")([dense(a), dense(dense(a))]), name="inner")
    x = k.input(3, name="x")
    return k.model(x, inner(inner(x)))


@case(ALL)
def frozen(k: Kit) -> Any:
    """Frozen layers inside a nested model, which change the order of the weights."""
    layers = k.layers
    inner = k.chain(
        k.input(4, name="a"),
        layers.Dense(3, name="first"),
        layers.BatchNormalization(name="norm"),
        layers.Dense(3, name="second"),
        name="inner",
    )
    inner.layers[0].trainable = False
    x = k.input(4, name="x")
    model = k.model(x, layers.Dense(2, name="head")(inner(x)))
    model.layers[-1].trainable = True
    return model


@case(ALL)
def several_ends(k: Kit) -> Any:
    """Inputs that are outputs, an output given twice, a layer in the middle as output."""
    layers = k.layers
    x, y = k.input(3, name="x"), k.input(2, 2, name="y")
    a = layers.Dense(4, name="a")(x)
    b = layers.Dense(2, name="b")(a)
    return k.model([x, y], [b, a, layers.Flatten(name="f")(y), b])


@case(BOTH)
def named_inputs(k: Kit) -> Any:
    """Inputs and outputs in a dictionary."""
    layers = k.layers
    x = {"left": k.input(3, name="left"), "right": k.input(3, name="right")}
    joined = layers.Concatenate(name="joined")([x["left"], x["right"]])
    return k.model(x, {"out": layers.Dense(2, name="out")(joined), "all": joined})


@case({2: ("h5", "keras"), 3: ("h5", "keras")})
def sequential_plain(k: Kit) -> Any:
    """A Sequential model without an Input, built by its first layer's or by a call."""
    layers = k.layers
    if k.major == 2:
        return k.chain(layers.Dense(4, input_shape=(3,), activation="relu"), layers.Dense(2))
    model = k.chain(layers.Dense(4, activation="relu"), layers.Dense(2))
    model.build((None, 3))
    return model


@case(BOTH)
def sequential_forms(k: Kit) -> Any:
    """Sequential models as layers of a Sequential model, first and last."""
    layers = k.layers
    first = k.chain(k.input(5, 5, 1, name="i"), layers.Conv2D(2, 3), layers.ReLU(), name="first")
    last = k.chain(k.input(18, name="j"), layers.Dense(4), layers.Softmax(), name="last")
    front = [k.input(5, 5, 1)] if k.major == 2 else []
    return k.chain(*front, first, layers.Flatten(), last)


@case(KERAS3, precision="float16")
def half(k: Kit) -> Any:
    """float16 throughout."""
    layers = k.layers
    return k.chain(
        k.input(4, dtype="float16"),
        layers.Dense(5, activation="relu", dtype="float16"),
        layers.LayerNormalization(dtype="float16"),
        layers.Dense(3, dtype="float16"),
    )


@case(BOTH, precision="float16")
def mixed(k: Kit) -> Any:
    """mixed_float16: weights in float32, computed in float16."""
    layers, policy = k.layers, "mixed_float16"
    return k.chain(
        k.input(4),
        layers.Dense(5, activation="relu", dtype=policy),
        layers.BatchNormalization(dtype=policy),
        layers.Dense(3, dtype=policy),
        layers.Activation("softmax", dtype="float32"),
    )


@case(KERAS3, precision="bfloat16")
def brain(k: Kit) -> Any:
    """bfloat16 throughout."""
    layers = k.layers
    return k.chain(
        k.input(4, dtype="bfloat16"),
        layers.Dense(5, activation="relu", dtype="bfloat16"),
        layers.Dense(3, dtype="bfloat16"),
    )


@case(BOTH)
def double(k: Kit) -> Any:
    """float64 throughout."""
    layers = k.layers
    return k.chain(
        k.input(4, dtype="float64"),
        layers.Dense(5, activation="tanh", dtype="float64"),
        layers.Dense(3, dtype="float64"),
    )


@case({3: ("keras", "h5")})
def quantized(k: Kit) -> Any:
    """int8 weights."""
    layers = k.layers
    model = k.chain(k.input(6), layers.Dense(5, activation="relu"), layers.Dense(3))
    for layer in model.layers:
        layer.set_weights([0.5 * w for w in layer.get_weights()])
    model.quantize("int8")
    return model


@case(BOTH)
def wrapped_models(k: Kit) -> Any:
    """A nested model that ends in a layer with several outputs, called inside another one."""
    layers = k.layers
    a = k.input(4, 3, name="a")
    sequence, h, c = layers.LSTM(3, return_sequences=True, return_state=True, name="lstm")(a)
    encoder = k.model(a, [sequence, h, c], name="encoder")
    x = k.input(4, 3, name="x")
    s, h, c = encoder(x)
    y = layers.LSTM(3, name="decoder")(s, initial_state=[h, c])
    return k.model(x, [y, encoder(s)[1]])


@case(ALL)
def shared_embedding(k: Kit) -> Any:
    """One Embedding and one Bidirectional for two sentences of different lengths."""
    from kit import Made, tokens

    layers = k.layers
    x, y = k.input(4, name="x"), k.input(6, name="y")
    words = layers.Embedding(8, 3, name="words")
    both = layers.Bidirectional(layers.GRU(3), name="both")
    joined = layers.Concatenate(name="joined")([both(words(x)), both(words(y))])
    model = k.model([x, y], layers.Dense(2, activation="softmax", name="out")(joined))
    return Made(model, {"x": tokens(2, 4, below=8), "y": tokens(2, 6, below=8)})


@case(ALL)
def deep(k: Kit) -> Any:
    """Models four levels deep, each with weights of its own before and behind."""
    layers = k.layers

    def level(n: int) -> Any:
        t = k.input(3, name=f"t{n}")
        y = layers.Dense(3, activation="tanh", name=f"before{n}")(t)
        y = level(n - 1)(y) if n else y
        return k.model(t, layers.Dense(3, name=f"behind{n}")(y), name=f"level{n}")

    x = k.input(3, name="x")
    return k.model(x, layers.Dense(2, name="end")(level(3)(x)))
