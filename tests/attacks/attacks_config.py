"""Configurations that name code, contradict themselves or the weights, or are merely strange."""

from __future__ import annotations

import base64
import json
import marshal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from attack import MARK, OUTSIDE, attack
from seeds import (
    BIAS,
    KERNEL,
    after,
    dense,
    functional,
    h5,
    layer,
    no_arrays,
    sequential,
    v3_weights,
    whole_h5,
    zipped,
)

# ------------------------------------------------------------------------ code in the configuration


def _code() -> str:
    """A lambda, marshalled as Keras does it, that would write the mark."""
    code = compile(f"open({MARK!r}, 'w')", "<lambda>", "eval")
    return base64.b64encode(marshal.dumps(code)).decode()


def _lambda_2() -> dict[str, Any]:
    return layer(
        "Lambda", "code", function=[_code(), None, None], function_type="lambda", module="trap",
        output_shape=None, output_shape_type="raw", output_shape_module=None, arguments={},
    )  # fmt: skip


def _lambda_3() -> dict[str, Any]:
    function = {
        "class_name": "__lambda__",
        "config": {"code": _code(), "defaults": None, "closure": None},
    }
    return layer("Lambda", "code", function=function, arguments={})


@attack("lambda.h5", "its code is not run", opens=True)
def lambda_h5(path: Path) -> None:
    whole_h5(path, sequential(dense(), _lambda_2()))


@attack("lambda.keras", "its code is not run", opens=True)
def lambda_zip(path: Path) -> None:
    zipped(path, sequential(dense(), _lambda_3()))


@attack("lambda_module.h5", "its code is not run", opens=True)
def lambda_module(path: Path) -> None:
    """A Lambda that names a function of a module instead of holding code."""
    code = layer("Lambda", "code", function="run", function_type="function", module="trap")
    whole_h5(path, sequential(dense(), code))


def _named(class_name: str, module: str, **more: Any) -> dict[str, Any]:
    return {**layer(class_name, "named", **more), "module": module, "registered_name": None}


@attack("module.keras", "'system' is not known", opens=True)
def module(path: Path) -> None:
    zipped(path, sequential(dense(), _named("system", "os", command=f"touch {MARK}")))


@attack("module_import.keras", "'run' is not known", opens=True)
def module_import(path: Path) -> None:
    """A module that runs when it is imported."""
    zipped(path, sequential(dense(), _named("run", "trap")))


@attack("keras_function.keras", "'get_file' is not known", opens=True)
def keras_function(path: Path) -> None:
    """A function of Keras itself that fetches and unpacks (CVE-2025-8747)."""
    named = _named("get_file", "keras.utils", fname="x", origin="http://127.0.0.1:9/x")
    zipped(path, sequential(dense(), named))


@attack("activation_function.keras", "the activation .* is not known", opens=True)
def activation_function(path: Path) -> None:
    """A module's function where an activation should be."""
    function = {"module": "os", "class_name": "function", "config": "system"}
    named = layer("Dense", "d", units=2, activation=function, use_bias=True)
    zipped(path, sequential(named))


@attack("initializer_function.keras", "", opens=True)
def initializer_function(path: Path) -> None:
    """A module's function where nothing is of use: the layer computes."""
    function = {"module": "trap", "class_name": "run", "config": {}, "registered_name": "x>run"}
    named = layer("Dense", "d", units=2, activation="linear", kernel_initializer=function)
    zipped(path, sequential(named))


@attack("root_module.keras", "no readable architecture", opens=True)
def root_module(path: Path) -> None:
    zipped(path, {"module": "trap", "class_name": "run", "config": {}})


@attack("unsafe_deserialization.keras", "is not known", opens=True)
def unsafe_deserialization(path: Path) -> None:
    """Turns safe mode off first, then brings its Lambda (CVE-2025-9906)."""
    turn_off = _named("enable_unsafe_deserialization", "keras.config")
    zipped(path, sequential(dense(), turn_off, _lambda_3()))


@attack("vocabulary_path.keras", "it works on strings", opens=True)
def vocabulary_path(path: Path) -> None:
    zipped(path, sequential(layer("StringLookup", "words", vocabulary=OUTSIDE)), no_arrays())


@attack("vocabulary_url.keras", "it works on strings", opens=True)
def vocabulary_url(path: Path) -> None:
    words = layer("StringLookup", "words", vocabulary="http://127.0.0.1:9/words.txt")
    zipped(path, sequential(words), no_arrays())


# ------------------------------------------------------------------------ graphs that make no sense


@attack("cycle.h5", "cyclic or broken")
def cycle(path: Path) -> None:
    ring = after(layer("Add", "ring"), "in", "d"), after(dense(), "ring")
    whole_h5(path, functional(*ring, output="d"))


@attack("own_input.h5", "cyclic or broken")
def own_input(path: Path) -> None:
    whole_h5(path, functional(after(dense(), "d"), output="d"))


@attack("unknown_input.h5", "'ghost'")
def unknown_input(path: Path) -> None:
    whole_h5(path, functional(after(dense(), "ghost"), output="d"))


@attack("unknown_output.h5", "'ghost'")
def unknown_output(path: Path) -> None:
    whole_h5(path, functional(after(dense(), "in"), output="ghost"))


@attack("same_names.h5", "'d'")
def same_names(path: Path) -> None:
    whole_h5(path, sequential(dense(), dense()))


@attack("same_names_functional.h5", "'d'")
def same_names_functional(path: Path) -> None:
    whole_h5(path, functional(after(dense(), "in"), after(dense(), "d"), output="d"))


@attack("backwards.keras", "", opens=True)
def backwards(path: Path) -> None:
    """A sound chain of 1,500 layers, last one first."""
    chain = [after(layer("ReLU", f"r{i}"), f"r{i - 1}" if i else "in") for i in range(1500)]
    zipped(path, functional(*reversed(chain), output="r1499"), no_arrays())


def _nested(times: int, inner: dict[str, Any], number: int) -> dict[str, Any]:
    """A model that calls a model several times in a row."""
    name = f"n{number}"
    calls = [[["in" if i == 0 else name, max(i - 1, 0), 0, {}]] for i in range(times)]
    nested = {**inner, "config": {**inner["config"], "name": name}, "name": name}
    made = functional({**nested, "inbound_nodes": calls}, output=name)
    made["config"]["output_layers"] = [[name, times - 1, 0]]
    return made


@attack("nested_calls.keras", "calls its layers more than")
def nested_calls(path: Path) -> None:
    """30 models, each calling the next one twice: a thousand million calls."""
    model = functional(after(layer("ReLU", "r"), "in"), output="r")
    for number in range(30):
        model = _nested(2, model, number)
    zipped(path, model, no_arrays())


@attack("nested_nothing.keras", "calls its layers more than")
def nested_nothing(path: Path) -> None:
    """The same where the innermost model has no layer."""
    model = functional(output="in")
    for number in range(30):
        model = _nested(2, model, number)
    zipped(path, model, no_arrays())


@attack("many_nodes.h5", "calls its layers more than 10,000 times")
def many_nodes(path: Path) -> None:
    """One layer called on nothing, as often as a configuration has room for."""
    relu = {**layer("ReLU", "r"), "name": "r", "inbound_nodes": ["@"]}
    text = json.dumps(functional(relu, output="r")).replace('"@"', ",".join(["[]"] * 2_700_000))
    with h5(path, text) as group:
        group.attrs["weight_names"] = np.zeros(0)


@attack("many_ends.h5", "more than 10,000 inputs or outputs")
def many_ends(path: Path) -> None:
    model = functional(after(layer("ReLU", "r"), "in"), output="r")
    model["config"]["input_layers"] *= 500_000
    with h5(path, json.dumps(model)) as group:
        group.attrs["weight_names"] = np.zeros(0)


@attack("long_name.keras", "longer than 4,096 letters")
def long_name(path: Path) -> None:
    zipped(path, sequential(layer("Ab" * 2_000_000, "x")), no_arrays())


@attack("many_layers.keras", "more than 10,000 layers")
def many_layers(path: Path) -> None:
    chain = [layer("ReLU", f"r{i}") for i in range(40_000)]
    zipped(path, sequential(*chain), no_arrays())


@attack("many_calls.h5", "have more than 20,000 inputs")
def many_calls(path: Path) -> None:
    """One layer called a thousand times on what the calls before it gave: 500,000 references."""
    calls = [[["in", 0, 0], *(["a", i, 0] for i in range(number))] for number in range(1000)]
    add = {**layer("Add", "a"), "name": "a", "inbound_nodes": calls}
    text = json.dumps(functional(add, output="a"), separators=(",", ":"))
    with h5(path, text) as group:
        group.attrs["weight_names"] = np.zeros(0)


def _wrapped(kind: str, depth: int, inner: dict[str, Any]) -> dict[str, Any]:
    for number in range(depth):
        inner = layer(kind, f"w{number}", layer=inner)
    return inner


def _rows(path: Path, made: dict[str, Any], shape: tuple[int | None, ...] = (4, 3)) -> None:
    """A model of one layer on an input of that shape, without arrays."""
    config = sequential(made)
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, *shape]
    zipped(path, config, no_arrays())


@attack("bidirectional.keras", "its layer 'Bidirectional' is not computed", opens=True)
def bidirectional(path: Path) -> None:
    """25 in each other, each doubling what it holds."""
    _rows(path, _wrapped("Bidirectional", 25, layer("LSTM", "l", units=2)))


@attack("time_distributed.keras", "needs an input with a time axis", opens=True)
def time_distributed(path: Path) -> None:
    _rows(path, _wrapped("TimeDistributed", 60, layer("ReLU", "r")))


@attack("twice_in_time.keras", "calls layers more than", opens=True)
def twice_in_time(path: Path) -> None:
    """Models called twice inside TimeDistributed, 25 times in each other."""
    inner = layer("ReLU", "r")
    for number in range(25):
        call = {**inner, "name": inner["config"]["name"]}
        call["inbound_nodes"] = [[["in", 0, 0, {}]], [[call["name"], 0, 0, {}]]]
        model = functional(call, output=call["name"])
        model["config"]["output_layers"] = [[call["name"], 1, 0]]
        model["config"]["layers"][0]["config"]["batch_input_shape"] = [None, *([2] * (25 - number))]
        inner = layer("TimeDistributed", f"t{number}", layer=model)
    _rows(path, inner, (2,) * 26)


_HUGE = 10**12
_LARGE: dict[str, tuple[dict[str, Any], tuple[int | None, ...], str]] = {
    "repeat": (layer("RepeatVector", "x", n=_HUGE), (3,), "would have 3,000,000,000,000 values"),
    "upsampling": (
        layer("UpSampling2D", "x", size=[10**6, 10**6]),
        (2, 2, 1),
        "4,000,000,000,000 values",
    ),
    "bilinear": (
        layer("UpSampling2D", "x", size=[10**6, 10**6], interpolation="bilinear"),
        (2, 2, 1),
        "4,000,000,000,000 values",
    ),
    "resizing": (
        layer("Resizing", "x", height=10**7, width=10**7),
        (2, 2, 1),
        "100,000,000,000,000 values",
    ),
    "padding": (
        layer("ZeroPadding2D", "x", padding=[_HUGE, _HUGE]),
        (2, 2, 1),
        "4,000,000,000,008",
    ),
    "cropping": (layer("Cropping1D", "x", cropping=[_HUGE, 0]), (2, 2), "leaves nothing"),
    "pooling": (layer("MaxPooling2D", "x", pool_size=10**9, padding="same"), (2, 2, 1), ""),
    "steps": (layer("MaxPooling1D", "x", pool_size=1, strides=10**30), (2, 2), ""),
    "reshape": (layer("Reshape", "x", target_shape=[-1, 10**30]), (6,), "cannot reshape"),
    "reshape_zero": (layer("Reshape", "x", target_shape=[0, -1]), (6,), "would have the shape"),
    "permute": (layer("Permute", "x", dims=[10**9, 1]), (2, 3), "cannot permute"),
    "input": (
        layer("ReLU", "x"),
        (10**9, 10**9, 10**9),
        "000,000 values",
    ),
    "axes": (layer("ReLU", "x"), (2,) * 5000, "values"),
    "softmax_axis": (layer("Softmax", "x", axis=10**9), (2, 3), "works along axis 999999999"),
    "flatten": (layer("Flatten", "x"), (10**6, 10**6), "would have 1,000,000,000,000 values"),
    "infinite": (layer("LeakyReLU", "x", alpha=float("inf")), (3,), ""),
    "digits": (
        layer("RepeatVector", "x", n=10**4000),
        (3,),
        "values",
    ),
    "pool3": (
        layer("AveragePooling3D", "x", pool_size=[10**6] * 3, padding="same"),
        (2, 2, 2, 1),
        "",
    ),
    "dilated": (
        layer("UpSampling3D", "x", size=[10**4] * 3),
        (2, 2, 2, 1),
        "8,000,000,000,000 values",
    ),
    "center": (layer("CenterCrop", "x", height=10**9, width=10**9), (2, 2, 1), "000,000 values"),
}  # fmt: skip

for _name, (_layer, _shape, _expected) in _LARGE.items():
    attack(f"large_{_name}.keras", _expected, opens=True)(
        lambda path, made=_layer, shape=_shape: _rows(path, made, shape)
    )


@attack("many_tables.keras", "tables of more than 1,048,576 positions")
def many_tables(path: Path) -> None:
    """Resizing from layer to layer, each with a position for every pixel."""
    sizes = [100_000 - number % 2 for number in range(200)]
    layers = [layer("Resizing", f"x{n}", height=h, width=1) for n, h in enumerate(sizes)]
    config = sequential(*layers)
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 2, 1, 1]
    zipped(path, config, no_arrays())


@attack("many_cells.keras", "it holds more than 2,000 layers", opens=True)
def many_cells(path: Path) -> None:
    cells = [layer("LSTMCell", f"c{i}", units=1) for i in range(20_000)]
    _rows(path, layer("RNN", "x", cell=layer("StackedRNNCells", "s", cells=cells)))


@attack("many_inputs.keras", "have more than 20,000 inputs")
def many_inputs(path: Path) -> None:
    """The same tensor 100,000 times in one concatenation."""
    made = functional(after(layer("Concatenate", "c"), *["in"] * 50_000), output="c")
    zipped(path, made, no_arrays())


@attack("long_numbers.keras", "no valid JSON .*4300 digits")
def long_numbers(path: Path) -> None:
    """An integer of a million digits, which is slow to read."""
    text = json.dumps(sequential(dense())).replace('"units": 2', '"units": ' + "9" * 1_000_000)
    zipped(path, text)


@attack("einsum.keras", "the file stores no weights for it", opens=True)
def einsum(path: Path) -> None:
    equation = "a" + "".join(chr(98 + i % 24) for i in range(3000)) + ",z->z"
    _rows(path, layer("EinsumDense", "x", equation=equation, output_shape=[4]))


@attack("wrong_shape.h5", "(?i)shape|units|kernel", opens=True)
def wrong_shape(path: Path) -> None:
    whole_h5(path, sequential(dense(units=7)))


@attack("wrong_input.h5", "(?i)shape|kernel|in", opens=True)
def wrong_input(path: Path) -> None:
    config = sequential(dense())
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 5]
    whole_h5(path, config)


@attack("no_such_units.h5", "units", opens=True)
def no_such_units(path: Path) -> None:
    whole_h5(path, sequential(dense(units=-2)))


@attack("large_units.h5", "(?i)shape|units|kernel", opens=True)
def large_units(path: Path) -> None:
    whole_h5(path, sequential(dense(units=10**15)))


@attack("wrong_types.h5", "there is no 'layers' in it")
def wrong_types(path: Path) -> None:
    config = sequential(dense())
    config["config"]["layers"] = {"a": 1}
    whole_h5(path, config)


@attack("layer_is_text.h5", "a layer is str, not a dictionary")
def layer_is_text(path: Path) -> None:
    config = sequential(dense())
    config["config"]["layers"][1] = "Dense"
    whole_h5(path, config)


# ------------------------------------------------------------------------------- strange, and sound


@attack("surrogate.h5", "no valid JSON")
def surrogate(path: Path) -> None:
    """Half of a UTF-16 pair as a name: no text file or terminal takes it."""
    whole_h5(path, sequential(dense(), layer("ReLU", "half\ud800pair")))


@attack("surrogate.keras", "no valid JSON")
def surrogate_zip(path: Path) -> None:
    config = sequential(dense(), layer("No\udfffsuch", "x\ud800"))
    config["config"]["name"] = "m\ud83d"
    zipped(path, config)


@attack("bytes_names.weights.h5", "no names in UTF-8")
def bytes_names(path: Path) -> None:
    """Names that are no UTF-8."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"d\xff\xfe"])
        group = file.create_group(b"d\xff\xfe")
        group.attrs["weight_names"] = np.array([b"k\xc3"])
        group[b"k\xc3"] = KERNEL


@attack("nan.h5", "", opens=True)
def nan(path: Path) -> None:
    with h5(path) as group:
        group["kernel"] = np.array([[np.nan, np.inf], [-np.inf, 0], [1, 2]], "f4")
        group["bias"] = BIAS


@attack("nan.keras", "", opens=True)
def nan_zip(path: Path) -> None:
    def change(file: Any) -> None:
        file["layers/dense/vars/0"][...] = np.nan

    zipped(path, weights=v3_weights(change))


@attack("control_names.h5", r"\\x1b\]0;owned", opens=True)
def control_names(path: Path) -> None:
    """Escape sequences for whoever prints names to a terminal."""
    whole_h5(path, sequential(dense(), layer("ReLU", "\x1b]0;owned\x07\x1b[2Jr")))


@attack("formula_name.h5", "=HYPERLINK", opens=True)
def formula_name(path: Path) -> None:
    """A name that a spreadsheet would take for a formula."""
    whole_h5(path, sequential(dense(), layer("ReLU", '=HYPERLINK("http://127.0.0.1:9","r")')))
