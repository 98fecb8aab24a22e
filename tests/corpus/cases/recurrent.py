"""Recurrent layers with every flag."""

from __future__ import annotations

from typing import Any

from kit import ALL, BOTH, KERAS2, KERAS3, Kit, case

FLAGS: dict[str, dict[str, Any]] = {
    "last": {},
    "sequence": {"return_sequences": True},
    "backwards": {"go_backwards": True},
    "backwards_sequence": {"go_backwards": True, "return_sequences": True},
    "no_bias": {"use_bias": False},
    "relu": {"activation": "relu", "return_sequences": True},
    "unrolled": {"unroll": True},
    "dropout": {"dropout": 0.2, "recurrent_dropout": 0.3},
}
GATES: dict[str, dict[str, Any]] = {
    "hard": {"recurrent_activation": "hard_sigmoid"},
    "tanh_gates": {"recurrent_activation": "tanh", "activation": "sigmoid"},
    "softsign": {"activation": "softsign"},
}
BEFORE: dict[str, dict[str, Any]] = {
    "before": {"reset_after": False},
    "before_sequence": {"reset_after": False, "return_sequences": True},
    "before_no_bias": {"reset_after": False, "use_bias": False},
    "before_hard": {"reset_after": False, "recurrent_activation": "hard_sigmoid"},
}


def loops(k: Kit, kind: str, *options: dict[str, dict[str, Any]]) -> Any:
    layer = getattr(k.layers, kind)
    made = {name: layer(3, **flags) for table in options for name, flags in table.items()}
    return k.fan((5, 4), made)


@case(ALL)
def lstm(k: Kit) -> Any:
    """LSTM with every flag."""
    return loops(k, "LSTM", FLAGS, GATES)


@case(ALL)
def gru(k: Kit) -> Any:
    """GRU with every flag, resetting before and after."""
    return loops(k, "GRU", FLAGS, GATES, BEFORE)


@case(BOTH)
def simple_rnn(k: Kit) -> Any:
    """SimpleRNN with every flag."""
    return loops(k, "SimpleRNN", FLAGS)


@case(KERAS2)
def old_gates(k: Kit) -> Any:
    """The first LSTM and GRU of Keras 2, whose gates are hard sigmoids."""
    old = k.tf.compat.v1.keras.layers
    return k.fan(
        (5, 4),
        {
            "lstm": old.LSTM(3),
            "gru": old.GRU(3),
            "gru_after": old.GRU(3, reset_after=True, return_sequences=True),
        },
    )


@case(ALL)
def states(k: Kit) -> Any:
    """Encoder and decoder: states that one layer returns and another one takes."""
    layers = k.layers
    x, y = k.input(4, 3, name="x"), k.input(5, 2, name="y")
    _, h, c = layers.LSTM(3, return_state=True, name="encoder")(x)
    sequence, last, _ = layers.LSTM(3, return_sequences=True, return_state=True, name="decoder")(
        y, initial_state=[h, c]
    )
    steps, state = layers.GRU(3, return_sequences=True, return_state=True, name="gru")(
        x, initial_state=h
    )
    plain, simple = layers.SimpleRNN(3, return_state=True, name="simple")(y, initial_state=state)
    return k.model([x, y], [sequence, last, steps, plain, simple])


@case(ALL)
def bidirectional(k: Kit) -> Any:
    """Bidirectional with every merge mode."""
    layers = k.layers
    two = layers.Bidirectional
    sequence = {"return_sequences": True}
    branches: dict[str, Any] = {
        "concat": two(layers.LSTM(3)),
        "sum": two(layers.GRU(3), merge_mode="sum"),
        "mul": two(layers.LSTM(3), merge_mode="mul"),
        "ave": two(layers.SimpleRNN(3), merge_mode="ave"),
        "concat_sequence": two(layers.LSTM(3, **sequence)),
        "sum_sequence": two(layers.GRU(3, **sequence), merge_mode="sum"),
        "mul_sequence": two(layers.GRU(3, reset_after=False, **sequence), merge_mode="mul"),
        "ave_sequence": two(layers.LSTM(3, **sequence), merge_mode="ave"),
        "other": two(
            layers.LSTM(3, **sequence),
            backward_layer=layers.GRU(2, go_backwards=True, **sequence),
        ),
    }
    return k.fan((5, 4), branches)


@case(BOTH)
def bidirectional_outputs(k: Kit) -> Any:
    """Bidirectional with separate outputs, and with states."""
    layers = k.layers
    x = k.input(5, 4)
    forward, backward = layers.Bidirectional(
        layers.LSTM(3, return_sequences=True), merge_mode=None, name="apart"
    )(x)
    whole, *states = layers.Bidirectional(layers.LSTM(3, return_state=True), name="states")(x)
    steps, *more = layers.Bidirectional(
        layers.GRU(3, return_state=True, return_sequences=True), name="steps"
    )(x)
    again = layers.Bidirectional(layers.LSTM(3), name="given")(x, initial_state=states)
    return k.model(x, [forward, backward, whole, *states, steps, *more, again])


@case(BOTH)
def cells(k: Kit) -> Any:
    """RNN around cells, alone and on top of each other."""
    layers = k.layers
    return k.fan(
        (5, 4),
        {
            "lstm": layers.RNN(layers.LSTMCell(3)),
            "gru": layers.RNN(layers.GRUCell(3), return_sequences=True),
            "gru_before": layers.RNN(layers.GRUCell(3, reset_after=False)),
            "simple": layers.RNN(layers.SimpleRNNCell(3), go_backwards=True),
            "stacked": layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)]),
            "stacked_sequence": layers.RNN(
                [layers.LSTMCell(3), layers.LSTMCell(2), layers.SimpleRNNCell(4)],
                return_sequences=True,
            ),
        },
    )


@case(BOTH)
def cell_states(k: Kit) -> Any:
    """The states of stacked cells, and Bidirectional around them."""
    layers = k.layers
    x = k.input(4, 3)
    outputs = layers.RNN([layers.GRUCell(3), layers.GRUCell(2)], return_state=True, name="s")(x)
    both = layers.Bidirectional(layers.RNN(layers.LSTMCell(2), return_sequences=True), name="b")
    return k.model(x, [*outputs, both(x)])


@case(BOTH)
def conv_lstm2d(k: Kit) -> Any:
    """ConvLSTM2D with its options."""
    loop = k.layers.ConvLSTM2D
    return k.fan(
        (3, 4, 5, 2),
        {
            "valid": loop(2, 3),
            "same": loop(2, 3, padding="same", return_sequences=True),
            "strides": loop(2, 2, strides=2, padding="same"),
            "dilated": loop(2, 2, dilation_rate=2),
            "hard": loop(2, (2, 3), recurrent_activation="hard_sigmoid"),
            "backwards": loop(2, 2, go_backwards=True, use_bias=False),
        },
    )


@case(BOTH)
def conv_lstm_ranks(k: Kit) -> Any:
    """ConvLSTM1D and 3D, with states."""
    layers = k.layers
    x, y = k.input(3, 5, 2, name="x"), k.input(2, 2, 3, 2, 2, name="y")
    one, h, c = layers.ConvLSTM1D(2, 3, return_state=True, padding="same", name="one")(x)
    three = layers.ConvLSTM3D(1, 2, return_sequences=True, name="three")(y)
    return k.model([x, y], [one, h, c, three])


@case(KERAS3)
def conv_lstm_first(k: Kit) -> Any:
    """ConvLSTM2D with channels first."""
    loop = k.layers.ConvLSTM2D
    first = {"data_format": "channels_first"}
    return k.fan(
        (3, 2, 4, 5),
        {"valid": loop(2, 3, **first), "same": loop(2, 2, padding="same", **first)},
    )


@case(BOTH)
def embedded(k: Kit) -> Any:
    """Embedding of sequences and tables."""
    from kit import Made, tokens

    layers = k.layers
    x, y = k.input(5, name="x"), k.input(2, 3, name="y")
    return Made(
        k.model(
            [x, y],
            [
                layers.Embedding(9, 4, name="sequence")(x),
                layers.Embedding(7, 3, name="table")(y),
                layers.Flatten(name="flat")(layers.Embedding(9, 2, name="second")(x)),
            ],
        ),
        {"x": tokens(2, 5, below=9), "y": tokens(2, 2, 3, below=7)},
    )


@case(BOTH)
def open_length(k: Kit) -> Any:
    """A sequence of any length."""
    layers = k.layers
    return k.chain(
        k.input(None, 3),
        layers.Conv1D(4, 3, padding="causal", activation="relu"),
        layers.LSTM(3, return_sequences=True),
        layers.GRU(4),
        layers.Dense(2, activation="softmax"),
    )
