"""Recurrent, attention and embedding layers against Keras 2 (tf_keras) and Keras 3.

Each case builds the layer in Keras, gives it random weights, takes them over by order and
compares every output, without batch axis, with the plain evaluation of the equations.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from netsheet.equations import Equation, FloatArray, Select, Tensor, Weight, walk
from netsheet.equations.evaluation import evaluate
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer, default_axes
from netsheet.layers import activation as act
from netsheet.layers.attention import AdditiveAttention, Attention
from netsheet.layers.cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from netsheet.layers.conv import Conv2D
from netsheet.layers.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from netsheet.layers.dense import Dense
from netsheet.layers.embedding import Embedding, Masking
from netsheet.layers.multi_head import GroupQueryAttention, MultiHeadAttention
from netsheet.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from netsheet.layers.wrappers import Bidirectional, TimeDistributed
from netsheet.write.onnx.builder import Builder

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

BOUND = 1e-5
RNG = np.random.default_rng(5)
MASK = np.array([0, 1, 1, 0, 1, 0], bool)
SEQUENCE = RNG.normal(size=(6, 3)).astype("float32")


@pytest.fixture(scope="session", params=["tf_keras", "keras"])
def keras(request: pytest.FixtureRequest) -> Any:
    """Keras 2 and Keras 3."""
    return pytest.importorskip(request.param)


@pytest.fixture(scope="session")
def keras3() -> Any:
    return pytest.importorskip("keras")


def activation(name: str | None, keras: Any) -> Layer | None:
    """Our activation for a name in a Keras config."""
    slope = 1 / 6 if keras.__name__ == "keras" else 0.2
    return {
        None: None,
        "tanh": act.Tanh(),
        "sigmoid": act.Sigmoid(),
        "relu": act.ReLU(),
        "swish": act.SiLU(),
        "softmax": act.Softmax(),
        "hard_sigmoid": act.HardSigmoid(slope=slope),
    }[name]


def fill(theirs: Any, ours: Layer) -> None:
    """Random weights for the Keras layer, the same for ours."""
    values = [RNG.normal(size=w.shape, scale=0.6).astype("float32") for w in theirs.weights]
    theirs.set_weights(values)
    axes = ours.weight_axes()
    assert len(axes) == len(values)
    for (label, names), array in zip(axes.items(), theirs.get_weights(), strict=True):
        assert len(names) == array.ndim, label
        ours.weights[label] = Weight(f"layer/{label}", names, array.shape, None, label, array)


def batched(arrays: Any) -> Any:
    if isinstance(arrays, (list, tuple)):
        return [batched(array) for array in arrays]
    return arrays[None]


def flat(outputs: Any) -> list[FloatArray]:
    """All outputs of a Keras layer without batch axis."""
    if isinstance(outputs, (list, tuple)):
        return [array for output in outputs for array in flat(output)]
    return [np.asarray(outputs)[0]]


def tensors(
    arrays: Sequence[FloatArray], masks: Sequence[FloatArray | None] = ()
) -> tuple[list[Tensor], dict[Tensor, FloatArray]]:
    """Input tensors, and what they and their masks hold."""
    inputs, given = [], {}
    for number, array in enumerate(arrays):
        mask = masks[number] if number < len(masks) else None
        carried = None
        if mask is not None:
            carried = Tensor(f"mask{number}", ("time",), mask.shape)
            given[carried] = mask
        tensor = Tensor(f"x{number}", default_axes(array.ndim), array.shape, carried)
        inputs.append(tensor)
        given[tensor] = array
    return inputs, given


def output_tensors(ours: Layer, inputs: Sequence[Tensor]) -> list[Tensor]:
    signatures = ours.infer(inputs)
    names = ["y"] if len(signatures) == 1 else [f"y[{i}]" for i in range(len(signatures))]
    return [
        Tensor(name, s.axes, tuple(n or 0 for n in s.shape), ours.output_mask(inputs, name))
        for name, s in zip(names, signatures, strict=True)
    ]


def compare(
    ours: Layer,
    arrays: Sequence[FloatArray],
    expected: Sequence[FloatArray],
    masks: Sequence[FloatArray | None] = (),
) -> list[Equation]:
    """Evaluates our equations for one sample; every output has to be what Keras computed."""
    inputs, given = tensors(arrays, masks)
    outputs = output_tensors(ours, inputs)
    equations = ours.equations(inputs, outputs)
    values = evaluate(equations, given)
    assert len(outputs) == len(expected)
    for output, array in zip(outputs, expected, strict=True):
        assert values[output].shape == array.shape
        np.testing.assert_allclose(values[output], array, atol=BOUND, rtol=BOUND)
    samples = {tensor: array[None] for tensor, array in given.items()}
    computed = run_onnx(ours, inputs, outputs, samples)
    for output, array, result in zip(outputs, expected, computed, strict=True):
        assert result.shape == (1, *output.shape)
        np.testing.assert_allclose(result[0], array, atol=BOUND, rtol=BOUND)
    return equations


def run_onnx(
    ours: Layer,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    given: dict[Tensor, FloatArray],
) -> list[FloatArray]:
    """The layer's ONNX nodes, computed by ONNX Runtime; arrays have a batch axis."""
    import onnxruntime

    known = list(dict.fromkeys(given))
    graph = Builder(known, [output.name for output in outputs])
    names = ours.onnx(graph, [tensor.name for tensor in inputs], inputs, outputs)
    for tensor, name in zip(outputs, names, strict=True):
        graph.define(tensor, name, 0)
    session = onnxruntime.InferenceSession(graph.finish("layer", outputs).SerializeToString())
    feeds = {tensor.name: given[tensor].astype("float32") for tensor in known}
    return list(session.run([output.name for output in outputs], feeds))


LOOPS = [
    ("LSTM", LSTM, {}),
    ("LSTM", LSTM, {"use_bias": False, "recurrent_activation": "hard_sigmoid"}),
    ("LSTM", LSTM, {"activation": "softmax", "recurrent_activation": "softmax"}),
    ("LSTM", LSTM, {"activation": "swish", "recurrent_activation": "hard_sigmoid"}),
    ("GRU", GRU, {}),
    ("GRU", GRU, {"reset_after": False, "recurrent_activation": "hard_sigmoid"}),
    ("GRU", GRU, {"reset_after": True, "use_bias": False, "activation": None}),
    ("GRU", GRU, {"reset_after": False, "use_bias": False, "activation": "softmax"}),
    ("SimpleRNN", SimpleRNN, {}),
    ("SimpleRNN", SimpleRNN, {"activation": "swish", "use_bias": False}),
    ("SimpleRNN", SimpleRNN, {"activation": "softmax"}),
]
FORMS = [
    {},
    {"return_sequences": True},
    {"return_state": True, "go_backwards": True},
    {"return_sequences": True, "return_state": True, "go_backwards": True},
]


def recurrent(
    keras: Any, name: str, kind: type[Layer], options: dict[str, Any], units: int = 4
) -> tuple[Any, Any]:
    """A recurrent layer in Keras, and ours."""
    names = {"activation": "tanh"}
    if name[:4] != "Simp":
        names["recurrent_activation"] = "sigmoid"
    theirs = getattr(keras.layers, name)(units, **options)
    ours = {k: activation(options.get(k, v), keras) for k, v in names.items()}
    return theirs, kind(name="layer", units=units, **(options | ours))


CASES = [(*loop, form) for loop in LOOPS for form in (FORMS if not loop[2] else FORMS[2:])]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("name", "kind", "options", "form"), CASES)
def test_loops(
    keras: Any,
    name: str,
    kind: type[Layer],
    options: dict[str, Any],
    form: dict[str, Any],
    masked: bool,
) -> None:
    theirs, ours = recurrent(keras, name, kind, options | form)
    theirs.build((None, *SEQUENCE.shape))
    fill(theirs, ours)
    mask = {"mask": MASK[None]} if masked else {}
    expected = flat(theirs(SEQUENCE[None], **mask))
    compare(ours, [SEQUENCE], expected, [MASK if masked else None])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_initial_states(keras: Any, name: str, sequences: bool, masked: bool) -> None:
    options = {"return_sequences": sequences, "return_state": True}
    tensorflow = pytest.importorskip("tensorflow")
    kind: type[Layer] = {"LSTM": LSTM, "GRU": GRU, "SimpleRNN": SimpleRNN}[name]
    theirs, ours = recurrent(keras, name, kind, options)
    theirs.build((None, *SEQUENCE.shape))
    fill(theirs, ours)
    states = [RNG.normal(size=4).astype("float32") for _ in range(2 if name == "LSTM" else 1)]
    mask = {"mask": MASK[None]} if masked else {}
    given = [tensorflow.constant(state[None]) for state in states]
    expected = flat(theirs(SEQUENCE[None], initial_state=given, **mask))
    compare(ours, [SEQUENCE, *states], expected, [MASK if masked else None])


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("zero", [False, True])
def test_zero_output_for_mask(keras: Any, zero: bool, sequences: bool) -> None:
    options = {"return_sequences": sequences, "zero_output_for_mask": zero}
    theirs, ours = recurrent(keras, "LSTM", LSTM, options)
    theirs.build((None, *SEQUENCE.shape))
    fill(theirs, ours)
    compare(ours, [SEQUENCE], flat(theirs(SEQUENCE[None], mask=MASK[None])), [MASK])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stacked", [False, True])
def test_cells(keras: Any, stacked: bool, form: dict[str, Any]) -> None:
    layers = keras.layers
    theirs = [layers.LSTMCell(3), layers.GRUCell(2), layers.SimpleRNNCell(4)]
    tanh, sigmoid = act.Tanh(), act.Sigmoid()
    ours = (
        LSTMCell(units=3, activation=tanh, recurrent_activation=sigmoid),
        GRUCell(units=2, activation=tanh, recurrent_activation=sigmoid),
        SimpleRNNCell(units=4, activation=tanh),
    )
    if stacked:
        pairs = [(layers.StackedRNNCells(theirs), StackedRNNCells(cells=ours))]
    else:
        pairs = list(zip(theirs, ours, strict=True))
    for cell, own in pairs:
        loop, layer = layers.RNN(cell, **form), RNN(name="layer", cell=own, **form)
        expected = flat(loop(SEQUENCE[None]))
        fill(loop, layer)
        expected = flat(loop(SEQUENCE[None], mask=MASK[None]))
        compare(layer, [SEQUENCE], expected, [MASK])


@pytest.mark.parametrize(("name", "kind"), [("LSTM", LSTM), ("GRU", GRU)])
def test_one_step(keras3: Any, name: str, kind: type[Layer]) -> None:
    theirs, ours = recurrent(keras3, name, kind, {"return_sequences": True})
    x = SEQUENCE[:1]
    theirs.build((None, *x.shape))
    fill(theirs, ours)
    equations = compare(ours, [x], flat(theirs(x[None])))
    assert not any(isinstance(node, Select) for eq in equations for node in walk(eq.value))


def test_steps_are_visible(keras3: Any) -> None:
    theirs, ours = recurrent(keras3, "LSTM", LSTM, {"return_state": True})
    theirs.build((None, *SEQUENCE.shape))
    fill(theirs, ours)
    equations = compare(ours, [SEQUENCE], flat(theirs(SEQUENCE[None])))
    steps = {eq.target.name: eq.target.shape for eq in equations if eq.time is not None}
    gates = {f"y/{name}": (6, 4) for name in ("i", "f", "c~", "o", "state", "cell")}
    assert steps == {"y/pre": (6, 16)} | gates


@pytest.mark.parametrize(
    ("name", "kind", "gate"),
    [
        ("LSTM", LSTM, {"recurrent_activation": "hard_sigmoid"}),
        ("GRU", GRU, {"recurrent_activation": "hard_sigmoid"}),
        ("SimpleRNN", SimpleRNN, {}),
    ],
)
@pytest.mark.parametrize("function", ["tanh", "relu", None])
def test_loops_are_onnx_operators(
    keras: Any, name: str, kind: type[Layer], gate: dict[str, Any], function: str | None
) -> None:
    """One node instead of one per step; with other activations too."""
    theirs, ours = recurrent(keras, name, kind, {"activation": function, **gate})
    theirs.build((None, *SEQUENCE.shape))
    fill(theirs, ours)
    expected = flat(theirs(SEQUENCE[None]))
    compare(ours, [SEQUENCE], expected)
    inputs, _ = tensors([SEQUENCE])
    outputs = output_tensors(ours, inputs)
    graph = Builder(inputs)
    ours.onnx(graph, ["x0"], inputs, outputs)
    operators = {node.op_type for node in graph.finish("layer", []).graph.node}
    assert operators == {"Transpose", name.removeprefix("Simple"), "Squeeze"}


def test_wrong_number_of_initial_states() -> None:
    inputs, _ = tensors([SEQUENCE, SEQUENCE[0]])
    with pytest.raises(ValueError, match="2 states, but 1"):
        LSTM(name="layer", units=4).infer(inputs)


def test_a_loop_over_images_is_refused() -> None:
    inputs, _ = tensors([np.zeros((6, 3, 3))])
    with pytest.raises(ValueError, match="sequence of vectors"):
        GRU(name="layer", units=4).infer(inputs)


MERGES = ["concat", "sum", "mul", "ave", None]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("merge", MERGES)
def test_bidirectional(keras: Any, merge: str | None, sequences: bool, masked: bool) -> None:
    options = {"return_sequences": sequences, "return_state": merge in ("sum", None)}
    name, kind = ("LSTM", LSTM) if merge != "mul" else ("GRU", GRU)
    inner, own = recurrent(keras, name, kind, options)
    theirs = keras.layers.Bidirectional(inner, merge_mode=merge)
    ours = Bidirectional(name="layer", forward_layer=own, merge_mode=merge)
    theirs(SEQUENCE[None])
    fill(theirs, ours)
    mask = {"mask": MASK[None]} if masked else {}
    expected = flat(theirs(SEQUENCE[None], **mask))
    compare(ours, [SEQUENCE], expected, [MASK if masked else None])


def test_bidirectional_of_different_layers(keras: Any) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    forward, ahead = recurrent(keras, "LSTM", LSTM, {"return_sequences": True}, 3)
    options = {"return_sequences": True, "go_backwards": True}
    backward, behind = recurrent(keras, "LSTM", LSTM, options | {"use_bias": False}, 5)
    theirs = keras.layers.Bidirectional(forward, backward_layer=backward)
    ours = Bidirectional(name="layer", forward_layer=ahead, backward_layer=behind)
    states = [RNG.normal(size=n).astype("float32") for n in (3, 3, 5, 5)]
    theirs(SEQUENCE[None])
    fill(theirs, ours)
    given = [tensorflow.constant(state[None]) for state in states]
    compare(ours, [SEQUENCE, *states], flat(theirs(SEQUENCE[None], initial_state=given)))


def inner_layers(keras: Any) -> list[tuple[Any, Layer, tuple[int, ...]]]:
    pair = {"strides": (1, 1), "dilation_rate": (1, 1)}
    conv = Conv2D(filters=2, kernel_size=(3, 3), activation=act.ReLU(), **pair)
    dense = Dense(units=4, activation=act.Softmax())
    lstm = recurrent(keras, "LSTM", LSTM, {"return_sequences": True})
    both = recurrent(keras, "GRU", GRU, {})
    return [
        (
            keras.layers.Dense(4, activation="softmax"),
            dense,
            (3,),
        ),
        (keras.layers.Conv2D(2, 3, activation="relu"), conv, (5, 4, 3)),
        (*lstm, (4, 3)),
        (keras.layers.Bidirectional(both[0]), Bidirectional(forward_layer=both[1]), (4, 3)),
    ]


@pytest.mark.parametrize("number", range(4))
def test_time_distributed(keras: Any, number: int) -> None:
    inner, own, shape = inner_layers(keras)[number]
    theirs = keras.layers.TimeDistributed(inner)
    x = RNG.normal(size=(3, *shape)).astype("float32")
    theirs(x[None])
    ours = TimeDistributed(name="layer", layer=own)
    fill(theirs, ours)
    compare(ours, [x], flat(theirs(x[None])))


def test_time_distributed_hands_masks_down(keras3: Any) -> None:
    """Keras 3: a mask of two axes is a mask of every step for the inner layer."""
    inner, own = recurrent(keras3, "LSTM", LSTM, {})
    theirs, ours = keras3.layers.TimeDistributed(inner), TimeDistributed(name="layer", layer=own)
    x = RNG.normal(size=(2, 6, 3)).astype("float32")
    mask = np.array([MASK, ~MASK])
    theirs(x[None])
    fill(theirs, ours)
    compare(ours, [x], flat(theirs(x[None], mask=mask[None])), [mask])


def test_time_distributed_refuses_the_masks_of_keras_2() -> None:
    inner = Embedding(input_dim=3, output_dim=2, mask_zero=True)
    inputs, _ = tensors([np.zeros((4, 5))])
    with pytest.raises(UnsupportedError, match="mask"):
        TimeDistributed(name="layer", layer=inner, inner_masks=True).infer(inputs)


@pytest.mark.parametrize("shape", [(5,), (2, 3)])
@pytest.mark.parametrize("mask_zero", [False, True])
def test_embedding(keras: Any, mask_zero: bool, shape: tuple[int, ...]) -> None:
    theirs = keras.layers.Embedding(7, 4, mask_zero=mask_zero)
    ours = Embedding(name="layer", input_dim=7, output_dim=4, mask_zero=mask_zero)
    tokens = RNG.integers(0, 3, size=shape)
    theirs.build((None, *shape))
    fill(theirs, ours)
    compare(ours, [tokens], flat(theirs(tokens[None])))
    made = theirs.compute_mask(tokens[None])
    check_mask(ours, tokens, None if made is None else np.asarray(made)[0])


def check_mask(ours: Layer, x: FloatArray, expected: FloatArray | None) -> None:
    """The mask that our layer makes is the one that Keras's makes."""
    inputs, given = tensors([x])
    (output,) = output_tensors(ours, inputs)
    if expected is None:
        assert output.mask is None
        return
    assert output.mask is not None
    values = evaluate(ours.equations(inputs, [output]), given)
    np.testing.assert_array_equal(values[output.mask], expected)


def test_embedding_reads_inside_the_table(keras: Any) -> None:
    ours = Embedding(name="layer", input_dim=3, output_dim=2)
    table = np.arange(6.0).reshape(3, 2)
    ours.weights["embeddings"] = Weight("e", ("token", "channel"), (3, 2), values=table)
    inputs, given = tensors([np.array([-4, 1, 9])])
    (output,) = output_tensors(ours, inputs)
    values = evaluate(ours.equations(inputs, [output]), given)
    np.testing.assert_array_equal(values[output], table)


@pytest.mark.parametrize("value", [0.0, -1.3])
def test_masking(keras: Any, value: float) -> None:
    x = SEQUENCE.copy()
    x[1] = x[4] = x[2, 1] = value
    theirs, ours = keras.layers.Masking(value), Masking(name="layer", mask_value=value)
    compare(ours, [x], flat(theirs(x[None])))
    check_mask(ours, x, np.asarray(theirs.compute_mask(x[None]))[0])


QUERY = RNG.normal(size=(4, 3)).astype("float32")
VALUE = RNG.normal(size=(5, 3)).astype("float32")
KEY = RNG.normal(size=(5, 3)).astype("float32")
QUERY_MASK = np.array([0, 1, 1, 0], bool)
VALUE_MASK = np.array([0, 1, 0, 1, 1], bool)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("Attention", Attention, {}),
        ("Attention", Attention, {"use_scale": True}),
        ("Attention", Attention, {"score_mode": "concat"}),
        ("Attention", Attention, {"score_mode": "concat", "use_scale": True}),
        ("AdditiveAttention", AdditiveAttention, {}),
        ("AdditiveAttention", AdditiveAttention, {"use_scale": False}),
    ],
)
def test_attention(
    keras: Any, name: str, kind: type[Layer], options: dict[str, Any], causal: bool, masked: bool
) -> None:
    theirs = getattr(keras.layers, name)(**options)
    arrays = [QUERY, VALUE, KEY][: 2 if causal else 3]
    theirs.build([(None, *array.shape) for array in arrays])
    scores = {"return_attention_scores": masked}
    ours = kind(name="layer", use_causal_mask=causal, **scores, **options)
    fill(theirs, ours)
    mask = [QUERY_MASK[None], VALUE_MASK[None]] if masked else None
    expected = flat(theirs(batched(arrays), mask=mask, use_causal_mask=causal, **scores))
    compare(ours, arrays, expected, [QUERY_MASK, VALUE_MASK] if masked else [])


HEADS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"value_dim": 4, "output_shape": 5}, {"return_attention_scores": True}),
    ({"use_bias": False, "output_shape": (2, 3)}, {"use_causal_mask": True}),
]


def heads(keras: Any, options: dict[str, Any], call: dict[str, Any]) -> tuple[Any, Any]:
    shape = options.get("output_shape")
    own = {"output_shape": (shape,)} if isinstance(shape, int) else {}
    theirs = keras.layers.MultiHeadAttention(num_heads=2, key_dim=3, **options)
    return theirs, MultiHeadAttention(
        name="layer", num_heads=2, key_dim=3, **(options | own), **call
    )


@pytest.mark.parametrize(("options", "call"), HEADS)
def test_multi_head_attention(keras: Any, options: dict[str, Any], call: dict[str, Any]) -> None:
    theirs, ours = heads(keras, options, call)
    arrays = [QUERY, VALUE, KEY]
    theirs(*batched(arrays))
    fill(theirs, ours)
    compare(ours, arrays, flat(theirs(*batched(arrays), **call)))


@pytest.mark.parametrize("causal", [False, True])
def test_masks_of_multi_head_attention(keras: Any, causal: bool) -> None:
    """Masks that the inputs carry, and one that is given, in a functional model."""
    call = {"use_causal_mask": causal}
    theirs, ours = heads(keras, {}, call)
    layers = keras.layers
    query, value = QUERY.copy(), VALUE.copy()
    query[~QUERY_MASK] = value[~VALUE_MASK] = 0
    pairs = RNG.integers(0, 2, size=(4, 5)).astype("float32")
    inputs = [layers.Input(array.shape) for array in (query, value, pairs)]
    hidden = [layers.Masking()(tensor) for tensor in inputs[:2]]
    y = theirs(*hidden, attention_mask=inputs[2], **call)
    fill(theirs, ours)
    ours.arguments = ("query", "value", "attention_mask")
    model = keras.Model(inputs, y)
    expected = flat(model(batched([query, value, pairs])))
    compare(ours, [query, value, pairs], expected, [QUERY_MASK, VALUE_MASK])


@pytest.mark.parametrize("axes", [None, (2,), (1,), (1, 2)])
def test_attention_axes(keras: Any, axes: tuple[int, ...] | None) -> None:
    options = {"attention_axes": axes}
    theirs, ours = heads(keras, options, {"return_attention_scores": True})
    query = RNG.normal(size=(3, 4, 2)).astype("float32")
    value = RNG.normal(size=(3, 4, 2)).astype("float32")
    theirs(query[None], value[None])
    fill(theirs, ours)
    expected = flat(theirs(query[None], value[None], return_attention_scores=True))
    compare(ours, [query, value], expected)


def test_gate_and_window(keras3: Any) -> None:
    options = {"use_gate": True, "sliding_window": 2}
    theirs, ours = heads(keras3, options, {})
    theirs(QUERY[None], VALUE[None])
    fill(theirs, ours)
    compare(ours, [QUERY, VALUE], flat(theirs(QUERY[None], VALUE[None])))


@pytest.mark.parametrize("options", [{}, {"use_gate": True, "use_bias": False}])
def test_grouped_query_attention(keras3: Any, options: dict[str, Any]) -> None:
    sizes = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    theirs = keras3.layers.GroupQueryAttention(**sizes, **options)
    ours = GroupQueryAttention(name="layer", use_causal_mask=True, **sizes, **options)
    theirs(QUERY[None], VALUE[None])
    fill(theirs, ours)
    expected = flat(theirs(QUERY[None], VALUE[None], use_causal_mask=True))
    compare(ours, [QUERY, VALUE], expected)


CONV_LSTM: list[tuple[type[ConvLSTM2D], dict[str, Any]]] = [
    (ConvLSTM2D, {}),
    (ConvLSTM2D, {"padding": "same", "strides": (2, 1), "recurrent_activation": "sigmoid"}),
    (ConvLSTM2D, {"dilation_rate": (1, 2), "use_bias": False, "activation": "relu"}),
    (ConvLSTM2D, {"data_format": "channels_first"}),
    (ConvLSTM1D, {"padding": "same", "strides": (2,)}),
    (ConvLSTM3D, {}),
]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("kind", "options"), CONV_LSTM)
def test_conv_lstm(
    keras: Any, kind: type[ConvLSTM2D], options: dict[str, Any], masked: bool
) -> None:
    rank = kind.rank
    form = FORMS[3] if masked else FORMS[0]
    size = (3, 2, 2)[:rank]
    theirs = getattr(keras.layers, kind.__name__)(2, size, **options, **form)
    names = {"activation": "tanh", "recurrent_activation": "hard_sigmoid"}
    if keras.__name__ == "keras":
        names["recurrent_activation"] = "sigmoid"
    own = {key: activation(options.get(key, name), keras) for key, name in names.items()}
    defaults = {"strides": (1,) * rank, "dilation_rate": (1,) * rank}
    ours = kind(name="layer", filters=2, kernel_size=size, **(defaults | options | own | form))
    x = RNG.normal(size=(6, *(5, 4, 3)[:rank], 2)).astype("float32")
    if options.get("data_format") == "channels_first":
        if keras.__name__ != "keras":
            pytest.skip("Keras 2 on a CPU does not convolve channels_first")
        x = np.moveaxis(x, -1, 1)
    theirs.build((None, *x.shape))
    fill(theirs, ours)
    mask = {"mask": MASK[None]} if masked else {}
    compare(ours, [x], flat(theirs(x[None], **mask)), [MASK if masked else None])


def test_time_distributed_loops_with_several_samples(keras3: Any) -> None:
    """Values that no input reaches have the batch size of the graph, within a step too."""
    inner, own = recurrent(keras3, "GRU", GRU, {"activation": "swish"})
    theirs, ours = keras3.layers.TimeDistributed(inner), TimeDistributed(name="layer", layer=own)
    x = RNG.normal(size=(2, 3, 4, 3)).astype("float32")
    theirs(x)
    fill(theirs, ours)
    inputs, _ = tensors([x[0]])
    result = run_onnx(ours, inputs, output_tensors(ours, inputs), {inputs[0]: x})
    np.testing.assert_allclose(result[0], np.asarray(theirs(x)), atol=BOUND, rtol=BOUND)
