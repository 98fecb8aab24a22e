"""Rows of the class table for layers over time: recurrent, wrappers, embedding, attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers import (
    attention,
    cells,
    conv_lstm,
    embedding,
    multi_head,
    recurrent,
    spectral,
    wrappers,
)
from netsheet.read.keras.arguments import Arguments
from netsheet.read.keras.context import Context, Row
from netsheet.read.keras.noise import rate


def _cell(a: Arguments, c: Context) -> dict[str, Any]:
    return {
        "units": a.positive("units"),
        "activation": c.activation(a, default="tanh"),
        "use_bias": a.flag("use_bias", True),
        "dropout": rate(a, "dropout"),
        "recurrent_dropout": rate(a, "recurrent_dropout"),
    }


def _gated(a: Arguments, c: Context) -> dict[str, Any]:
    # Keras 1 and the first GRU and LSTM of Keras 2 gate by hard_sigmoid; files always say so.
    return {
        **_cell(a, c),
        "recurrent_activation": c.activation(a, "recurrent_activation", "sigmoid"),
        # states cannot be dropped where all gates are computed at once
        "drops_by_gate": bool(a.get("implementation") == 1 or a.get("recurrent_dropout")),
    }


def _gru(a: Arguments, c: Context) -> dict[str, Any]:
    # Absent in files of Keras before 2.2 (False); the bias' shape then agrees.
    said = a.get("reset_after") is not None
    return {
        **_gated(a, c),
        "reset_after": a.flag("reset_after", c.major >= 3),
        "reset_after_said": said,
    }


def _cudnn(a: Arguments, c: Context) -> dict[str, Any]:
    fixed = {"units": a.positive("units"), "activation": c.named("tanh")}
    return {**fixed, "use_bias": True, "recurrent_activation": c.named("sigmoid")}


def _loop(a: Arguments) -> dict[str, Any]:
    if a.flag("time_major", False):
        raise UnsupportedError("time_major input is not supported")
    return {
        "return_sequences": a.flag("return_sequences", False),
        "return_state": a.flag("return_state", False),
        "go_backwards": a.flag("go_backwards", False),
        "zero_output_for_mask": a.flag("zero_output_for_mask", False),
        "stateful": a.flag("stateful", False),
    }


def _fast(a: Arguments, c: Context, made: Mapping[str, Any]) -> dict[str, Any]:
    """Whether Keras 2 would compute it in kernels of its own: then inputs are dropped step by step.

    Source: tf_keras/src/layers/rnn/{lstm,gru}.py, _could_use_gpu_kernel.
    """
    usual = a.get("activation") == "tanh" and a.get("recurrent_activation") == "sigmoid"
    slow = a.get("unroll") or a.get("recurrent_dropout") or not made.get("reset_after", True)
    fast = bool(c.major < 3 and usual and made["use_bias"] and not slow)
    return {"drops_each_step": fast, "drops_by_gate": made["drops_by_gate"] and not fast}


def _gru_loop(a: Arguments, c: Context) -> Layer:
    made = _gru(a, c)
    return recurrent.GRU(**{**made, **_fast(a, c, made)}, **_loop(a))


def _lstm_loop(a: Arguments, c: Context) -> Layer:
    made = _gated(a, c)
    return recurrent.LSTM(**{**made, **_fast(a, c, made)}, **_loop(a))


def _conv_lstm(kind: type[conv_lstm.ConvLSTM2D], rank: int) -> Row:
    gate = {1: "hard_sigmoid", 2: "hard_sigmoid", 3: "sigmoid"}
    return lambda a, c: kind(
        filters=a.positive("filters"),
        kernel_size=a.ints("kernel_size", rank),
        strides=a.ints("strides", rank),
        dilation_rate=a.ints("dilation_rate", rank),
        padding=a.choice("padding", "valid", "same"),
        data_format=a.choice("data_format", "channels_last", "channels_first"),
        activation=c.activation(a, default="tanh"),
        recurrent_activation=c.activation(a, "recurrent_activation", gate.get(c.major, "sigmoid")),
        use_bias=a.flag("use_bias", True),
        **_loop(a),
    )


def _rnn(a: Arguments, c: Context) -> Layer:
    cell = _inner(a, c, "cell", cells.Cell, cells.StackedRNNCells)
    return recurrent.RNN(cell=cell, **_loop(a))


def _stacked(a: Arguments, c: Context) -> Layer:
    entries = a.get("cells")
    if not (isinstance(entries, list) and all(isinstance(each, Mapping) for each in entries)):
        a.refuse("cells", "a list of layers")
    inner = [c.make(entry, f"cell{n}") for n, entry in enumerate(entries)]
    if not inner or not all(isinstance(cell, cells.Cell) for cell in inner):
        raise UnsupportedError("it stacks cells that are not known")
    return cells.StackedRNNCells(cells=tuple(c for c in inner if isinstance(c, cells.Cell)))


def _inner(a: Arguments, c: Context, key: str, *kinds: type[Layer]) -> Any:
    entry = a.get(key)
    if not isinstance(entry, Mapping):
        a.refuse(key, "a layer")
    layer = c.make(entry, key)
    if layer.reason or not isinstance(layer, kinds):
        reason = layer.reason or "it is of another kind"
        raise UnsupportedError(f"its {key} {layer.type!r} is not computed: {reason}")
    return layer


def _bidirectional(a: Arguments, c: Context) -> Layer:
    forward = _inner(a, c, "layer", recurrent.Loop)
    backward = None
    if a.get("backward_layer") is not None:
        backward = _inner(a, c, "backward_layer", recurrent.Loop)
    mode = a.config.get("merge_mode", "concat")
    if mode is not None and not (isinstance(mode, str) and mode in wrappers.MERGES):
        a.refuse("merge_mode", ", ".join(wrappers.MERGES) + " or null")
    return wrappers.Bidirectional(forward_layer=forward, backward_layer=backward, merge_mode=mode)


def _time_distributed(a: Arguments, c: Context) -> Layer:
    return wrappers.TimeDistributed(layer=_inner(a, c, "layer", Layer), inner_masks=c.major < 3)


def _spectral(a: Arguments, c: Context) -> Layer:
    return spectral.SpectralNormalization(
        layer=_inner(a, c, "layer", Layer), vector="vector_u" if c.major >= 3 else "sn_u"
    )


def _embedding(a: Arguments, c: Context) -> Layer:
    return embedding.Embedding(
        input_dim=a.positive("input_dim"),
        output_dim=a.positive("output_dim"),
        mask_zero=a.flag("mask_zero", False),
    )


def _attention(a: Arguments, c: Context) -> Layer:
    return attention.Attention(
        use_scale=a.flag("use_scale", False),
        score_mode=a.choice("score_mode", "dot", "concat"),
        use_causal_mask=a.flag("causal", False),
        dropout=rate(a, "dropout"),
    )


def _additive(a: Arguments, c: Context) -> Layer:
    return attention.AdditiveAttention(
        use_scale=a.flag("use_scale", True),
        use_causal_mask=a.flag("causal", False),
        dropout=rate(a, "dropout"),
    )


def _whole_numbers(a: Arguments, key: str) -> tuple[int, ...] | None:
    value = a.get(key)
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    return tuple(values) if all(isinstance(n, int) for n in values) else a.refuse(key, "numbers")


def _multi_head(a: Arguments, c: Context) -> Layer:
    width = a.get("value_dim")
    return multi_head.MultiHeadAttention(
        num_heads=a.positive("num_heads"),
        key_dim=a.positive("key_dim"),
        value_dim=None if width is None else a.positive("value_dim"),
        use_bias=a.flag("use_bias", True),
        output_shape=_whole_numbers(a, "output_shape"),
        attention_axes=_whole_numbers(a, "attention_axes"),
        use_gate=a.flag("use_gate", False),
        sliding_window=a.get("sliding_window") and a.positive("sliding_window"),
        dropout=rate(a, "dropout"),
    )


def _grouped_query(a: Arguments, c: Context) -> Layer:
    return multi_head.GroupQueryAttention(
        head_dim=a.positive("head_dim"),
        num_query_heads=a.positive("num_query_heads"),
        num_key_value_heads=a.positive("num_key_value_heads"),
        use_bias=a.flag("use_bias", True),
        use_gate=a.flag("use_gate", False),
        sliding_window=a.get("sliding_window") and a.positive("sliding_window"),
        dropout=rate(a, "dropout"),
    )


SEQUENCE: dict[str, Row] = {
    "AdditiveAttention": _additive,
    "Attention": _attention,
    "Bidirectional": _bidirectional,
    "ConvLSTM1D": _conv_lstm(conv_lstm.ConvLSTM1D, 1),
    "ConvLSTM2D": _conv_lstm(conv_lstm.ConvLSTM2D, 2),
    "ConvLSTM3D": _conv_lstm(conv_lstm.ConvLSTM3D, 3),
    "CuDNNGRU": lambda a, c: recurrent.GRU(**_cudnn(a, c), **_loop(a), reset_after=True),
    "CuDNNLSTM": lambda a, c: recurrent.LSTM(**_cudnn(a, c), **_loop(a)),
    "Embedding": _embedding,
    "GRU": _gru_loop,
    "GRUCell": lambda a, c: cells.GRUCell(**_gru(a, c)),
    "GroupQueryAttention": _grouped_query,
    "LSTM": _lstm_loop,
    "LSTMCell": lambda a, c: cells.LSTMCell(**_gated(a, c)),
    "Masking": lambda a, c: embedding.Masking(mask_value=a.number("mask_value", 0)),
    "MultiHeadAttention": _multi_head,
    "RNN": _rnn,
    "SimpleRNN": lambda a, c: recurrent.SimpleRNN(**_cell(a, c), **_loop(a)),
    "SimpleRNNCell": lambda a, c: cells.SimpleRNNCell(**_cell(a, c)),
    "SpectralNormalization": _spectral,
    "StackedRNNCells": _stacked,
    "TimeDistributed": _time_distributed,
}
