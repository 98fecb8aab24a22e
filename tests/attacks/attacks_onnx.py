"""Hostile and broken ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from attack import OUTSIDE, attack
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
WEIGHT = numpy_helper.from_array(np.ones((3, 2), "f4"), "w")


def info(name: str, shape: list[Any] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOAT, [1, 3] if shape is None else shape)


def graph(
    *nodes: onnx.NodeProto,
    initializers: tuple[onnx.TensorProto, ...] = (),
    shape: list[Any] | None = None,
    functions: tuple[onnx.FunctionProto, ...] = (),
) -> onnx.ModelProto:
    """A graph from x to y, checked by nobody."""
    made = helper.make_graph(list(nodes), "g", [info("x", shape)], [info("y")], list(initializers))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8, functions=list(functions))


def written(path: Path, model: onnx.ModelProto) -> None:
    path.write_bytes(model.SerializeToString())


def node(kind: str, *inputs: str, output: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), [output], **attributes)


def external(location: str, **entries: str) -> onnx.TensorProto:
    """A weight whose values lie elsewhere."""
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[3, 2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=text)
    return tensor


for _number, _place in enumerate(
    ("../x", "/etc/passwd", "a/../../x", "", ".", OUTSIDE, "no_such", "a\0b", "http://127.0.0.1:9")
):
    attack(f"external_{_number}.onnx", "only a file in the folder")(
        lambda path, place=_place: written(
            path, graph(node("MatMul", "x", "w"), initializers=(external(place),))
        )
    )


@attack("external_link.onnx", "only a file in the folder")
def external_link(path: Path) -> None:
    """A symbolic link beside the model."""
    (path.parent / "link.bin").symlink_to("/etc/passwd")
    written(path, graph(node("MatMul", "x", "w"), initializers=(external("link.bin"),)))


@attack("external_sizes.onnx", "do not lie within")
def external_sizes(path: Path) -> None:
    (path.parent / "values.bin").write_bytes(bytes(24))
    tensor = external("values.bin", offset="-8", length=str(10**30))
    written(path, graph(node("MatMul", "x", "w"), initializers=(tensor,)))


@attack("external_constant.onnx", "only a file in the folder", opens=False)
def external_constant(path: Path) -> None:
    """In an attribute of a node."""
    constant = node("Constant", output="w", value=external("../x"))
    written(path, graph(constant, node("MatMul", "x", "w")))


@attack("cycle.onnx", "waits for its own output")
def cycle(path: Path) -> None:
    written(path, graph(node("Add", "x", "b", output="a"), node("Relu", "a", output="b"),
                        node("Relu", "b")))  # fmt: skip


@attack("own_output.onnx", "waits for its own output")
def own_output(path: Path) -> None:
    written(path, graph(node("Add", "x", "y")))


@attack("same_output.onnx", "", opens=True)
def same_output(path: Path) -> None:
    written(path, graph(node("Relu", "x"), node("Tanh", "x")))


@attack("no_output.onnx", "", opens=True)
def no_output(path: Path) -> None:
    written(path, graph(node("Relu", "x", output="z")))


@attack("half.onnx", "damaged or cut short")
def half(path: Path) -> None:
    whole = graph(node("MatMul", "x", "w"), initializers=(WEIGHT,)).SerializeToString()
    path.write_bytes(whole[: len(whole) // 2])


@attack("few_bytes.onnx", "is damaged")
def few_bytes(path: Path) -> None:
    """A tensor of 10 values that says it has 100 GB."""
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[25_000, 1_000_000], raw_data=bytes(40))
    written(path, graph(node("MatMul", "x", "w"), initializers=(tensor,), shape=[1, 25_000]))


@attack("negative.onnx", "is damaged")
def negative(path: Path) -> None:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[-3, -2], raw_data=bytes(24))
    written(path, graph(node("MatMul", "x", "w"), initializers=(tensor,)))


@attack("overflow.onnx", "is damaged")
def overflow(path: Path) -> None:
    """A product of sizes that is 0 in 64 bits."""
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2**32, 2**32], raw_data=b"")
    written(path, graph(node("MatMul", "x", "w"), initializers=(tensor,)))


@attack("no_type.onnx", "is damaged")
def no_type(path: Path) -> None:
    tensor = TensorProto(name="w", data_type=99, dims=[3, 2], raw_data=bytes(24))
    written(path, graph(node("MatMul", "x", "w"), initializers=(tensor,)))


@attack("texts.onnx", "Add of object values is not computed", opens=True)
def texts(path: Path) -> None:
    tensor = helper.make_tensor("w", TensorProto.STRING, [2], [b"a", b"b"])
    written(path, graph(node("Add", "x", "w"), initializers=(tensor,)))


@attack("huge_input.onnx", "is not computed", opens=True)
def huge_input(path: Path) -> None:
    written(path, graph(node("Relu", "x"), shape=[1, 2**62, 2**62]))


@attack("many_axes.onnx", "is not computed", opens=True)
def many_axes(path: Path) -> None:
    written(path, graph(node("Relu", "x"), shape=[1] + [2] * 5000))


def _ints(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, "i8"), name)


@attack("huge_constant.onnx", "too large")
def huge_constant(path: Path) -> None:
    """ConstantOfShape: 8 bytes that become 8 TB while the file is read."""
    nodes = node("ConstantOfShape", "s", output="c"), node("Add", "x", "c")
    written(path, graph(*nodes, initializers=(_ints("s", 10**6, 10**6),)))


@attack("huge_range.onnx", "too large")
def huge_range(path: Path) -> None:
    scalars = [numpy_helper.from_array(np.array(v, "i8"), n)
               for n, v in (("a", 0), ("b", 10**12), ("c", 1))]  # fmt: skip
    nodes = node("Range", "a", "b", "c", output="r"), node("Add", "x", "r")
    written(path, graph(*nodes, initializers=tuple(scalars)))


@attack("huge_expand.onnx", "too large")
def huge_expand(path: Path) -> None:
    nodes = node("Expand", "w", "s", output="e"), node("Add", "x", "e")
    written(path, graph(*nodes, initializers=(WEIGHT, _ints("s", 10**9, 3, 2))))


@attack("huge_tile.onnx", "too large")
def huge_tile(path: Path) -> None:
    nodes = node("Tile", "w", "s", output="e"), node("Add", "x", "e")
    written(path, graph(*nodes, initializers=(WEIGHT, _ints("s", 10**6, 10**6))))


@attack("doubling_constants.onnx", "too large")
def doubling_constants(path: Path) -> None:
    """Each node joins the one before to itself: 3 values become 3 times 2 to the 45."""
    nodes = [node("Concat", f"c{i}", f"c{i}", output=f"c{i + 1}", axis=0) for i in range(45)]
    start = numpy_helper.from_array(np.ones((1, 3), "f4"), "c0")
    written(path, graph(*nodes, node("Add", "x", "c45"), initializers=(start,)))


@attack("huge_pad.onnx", "values", opens=True)
def huge_pad(path: Path) -> None:
    nodes = node("Pad", "x", "p")
    written(path, graph(nodes, initializers=(_ints("p", 0, 10**12, 0, 10**12),)))


@attack("huge_one_hot.onnx", "too large")
def huge_one_hot(path: Path) -> None:
    values = numpy_helper.from_array(np.array([0, 1], "f4"), "v")
    nodes = (
        node("ConstantOfShape", "s", output="c"), node("Cast", "c", output="i", to=7),
        node("OneHot", "i", "d", "v", output="o"), node("Add", "x", "o"),
    )  # fmt: skip
    written(path, graph(*nodes, initializers=(_ints("s", 1000), _ints("d", 10**9), values)))


def _branch(depth: int) -> onnx.GraphProto:
    inner = [node("Relu", "x")] if depth == 0 else [
        helper.make_node("If", ["c"], ["y"], then_branch=_branch(depth - 1),
                         else_branch=_small())
    ]  # fmt: skip
    return helper.make_graph(inner, "b", [], [info("y")])


def _small() -> onnx.GraphProto:
    return helper.make_graph([node("Relu", "x")], "b", [], [info("y")])


@attack("deep_graphs.onnx", "damaged or cut short", opens=False)
def deep_graphs(path: Path) -> None:
    """Branches in branches, written from the inside."""
    inner = _small().SerializeToString()
    for _ in range(2000):
        inner = _field(5, _field(6, inner) + _field(1, b"then_branch") + b"\xa0\x01\x05")
        inner = _field(1, _field(1, b"c") + _field(2, b"y") + _field(4, b"If") + inner)
        inner += _field(2, b"b") + _field(12, info("y").SerializeToString())
    opset = _field(8, helper.make_opsetid("", 17).SerializeToString())
    path.write_bytes(b"\x08\x08" + opset + _field(7, inner))


def _field(number: int, data: bytes) -> bytes:
    """A field of bytes as protobuf writes it."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


@attack("known_branches.onnx", "", opens=True)
def known_branches(path: Path) -> None:
    """80 branches in each other, all known."""
    condition = numpy_helper.from_array(np.array(True), "c")
    made = helper.make_node("If", ["c"], ["y"], then_branch=_branch(15), else_branch=_small())
    written(path, graph(made, initializers=(condition,)))


@attack("doubling_functions.onnx", "10,000 are the limit")
def doubling_functions(path: Path) -> None:
    """40 functions, each calling the next one twice."""
    functions = []
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    for i in range(40):
        below = f"f{i + 1}"
        body = [helper.make_node(below, ["a"], ["b"], domain="own"),
                helper.make_node(below, ["b"], ["c"], domain="own")]  # fmt: skip
        if i == 39:
            body = [helper.make_node("Relu", ["a"], ["c"])]
        functions.append(helper.make_function("own", f"f{i}", ["a"], ["c"], body, opset))
    first = helper.make_node("f0", ["x"], ["y"], domain="own")
    written(path, graph(first, functions=tuple(functions)))


@attack("function_in_itself.onnx", "its functions are broken")
def function_in_itself(path: Path) -> None:
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    body = [helper.make_node("f", ["a"], ["c"], domain="own")]
    function = helper.make_function("own", "f", ["a"], ["c"], body, opset)
    first = helper.make_node("f", ["x"], ["y"], domain="own")
    written(path, graph(first, functions=(function,)))


@attack("endless_loop.onnx", "", opens=True)
def endless_loop(path: Path) -> None:
    body = helper.make_graph(
        [node("Identity", "k", output="l"), node("Relu", "a", output="b")], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("k", TensorProto.BOOL, []), info("a")],
        [helper.make_tensor_value_info("l", TensorProto.BOOL, []), info("b")],
    )  # fmt: skip
    count = numpy_helper.from_array(np.array(2**62, "i8"), "n")
    condition = numpy_helper.from_array(np.array(True), "t")
    loop = helper.make_node("Loop", ["n", "t", "x"], ["y"], body=body)
    written(path, graph(loop, initializers=(count, condition)))


@attack("unknown_operator.onnx", "operator system of 'own' is not computed", opens=True)
def unknown_operator(path: Path) -> None:
    written(path, graph(helper.make_node("system", ["x"], ["y"], domain="own", command="touch X")))


@attack("long_chain.onnx", "10,000 are the limit", opens=False)
def long_chain(path: Path) -> None:
    chain = [node("Relu", f"r{i}" if i else "x", output=f"r{i + 1}") for i in range(60_000)]
    written(path, graph(*chain, node("Relu", "r60000")))


@attack("wrong_attributes.onnx", "does not fit", opens=True)
def wrong_attributes(path: Path) -> None:
    weight = numpy_helper.from_array(np.ones((1, 1, 3, 3), "f4"), "w")
    conv = node("Conv", "x", "w", kernel_shape=[10**9, -4], strides=[0, 0], dilations=[-1, 2**62],
                group=0)  # fmt: skip
    written(path, graph(conv, initializers=(weight,), shape=[1, 1, 5, 5]))


@attack("nan.onnx", "", opens=True)
def nan(path: Path) -> None:
    weight = numpy_helper.from_array(np.array([[np.nan, np.inf]] * 3, "f4"), "w")
    written(path, graph(node("MatMul", "x", "w"), initializers=(weight,)))


@attack("names.onnx", "", opens=True)
def names(path: Path) -> None:
    """Escape sequences, a formula and a path as names."""
    chain = [
        helper.make_node("Relu", ["x"], ["../../a"], name="\x1b]0;owned\x07"),
        helper.make_node("Relu", ["../../a"], ["y"], name="=1+1"),
    ]
    written(path, graph(*chain))


def _sizes(name: str, *values: int) -> tuple[onnx.NodeProto, onnx.NodeProto]:
    """Zeros of that shape, made while the file is read."""
    stored = numpy_helper.from_array(np.array(values, "i8"), "shape")
    shape = helper.make_node("Constant", [], [f"{name}/shape"], value=stored)
    return node("ConstantOfShape", f"{name}/shape", output=name), shape


def _summed(path: Path, *nodes: onnx.NodeProto) -> None:
    """A value ``c`` that the nodes make of nothing, added to the input."""
    total = node("ReduceSum", "c", output="sum", keepdims=0)
    written(path, graph(*nodes, total, node("Add", "x", "sum")))


@attack("long_convolution.onnx", "", opens=True)
def long_convolution(path: Path) -> None:
    """A convolution of two constants: 44 thousand million products, if worked out."""
    image, size = _sizes("i", 1, 1, 1000, 1000)
    kernel, kernel_size = _sizes("k", 1, 1, 300, 300)
    _summed(path, size, image, kernel_size, kernel, node("Conv", "i", "k", output="c"))


@attack("long_recurrence.onnx", "", opens=True)
def long_recurrence(path: Path) -> None:
    made = [_sizes("i", 100_000, 1, 3), _sizes("w", 1, 16, 3), _sizes("r", 1, 16, 4)]
    lstm = helper.make_node("LSTM", ["i", "w", "r"], ["c"], hidden_size=4)
    _summed(path, *(part for pair in made for part in reversed(pair)), lstm)


@attack("many_resizes.onnx", "tables of more than 1,048,576 positions")
def many_resizes(path: Path) -> None:
    sizes = [_ints("s0", 1, 1, 100_000, 1), _ints("s1", 1, 1, 99_999, 1)]
    chain = [
        node(
            "Resize", f"r{i}" if i else "x", "", "", f"s{i % 2}", output=f"r{i + 1}", mode="linear"
        )
        for i in range(300)
    ]
    made = graph(*chain, node("Relu", "r300"), initializers=tuple(sizes), shape=[1, 1, 2, 1])
    written(path, made)
