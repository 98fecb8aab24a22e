"""The loop IR as JavaScript. JavaScript of a network is born here.

Numbers of JavaScript are doubles: sums and functions run in doubles, and a store into a
Float32Array rounds. Positions stay below 2^31, so ``| 0`` cuts them.
"""

from __future__ import annotations

import math

from netsheet.loops.ir import (
    Accumulate,
    AllOf,
    Apply,
    Assign,
    Buffer,
    Classified,
    Combination,
    Comparison,
    Convert,
    FloorDivide,
    For,
    Function,
    Greatest,
    If,
    Integer,
    Kernel,
    Least,
    Let,
    Literal,
    Load,
    Modulo,
    Pointer,
    PositionOf,
    Scalar,
    Statement,
    Store,
    TableEntry,
    Test,
    Tile,
    Times,
    Variable,
)
from netsheet.loops.products.plain import plain, plain_tile
from netsheet.write.page.spelling import SPELLED

# Words of JavaScript that an index or a value may have as its name.
WORDS = frozenset(
    "arguments await debugger eval export extends finally function implements import in "  # noqa: SIM905
    "instanceof interface let m null of package static super typeof undefined var with yield "
    "Math NaN Infinity Number".split()
)
OPERATORS = {"sum": "+", "prod": "*", "div": "/"}


def function_text(function: Function) -> str:
    """A function declaration; its parameters are :func:`parameters` in order."""
    lines: list[str] = []
    _body(lines, function.body, 1)
    names = ", ".join(buffer.name for buffer in parameters(function))
    return "\n".join([f"function {function.name}({names}) {{", *lines, "}"])


def parameters(function: Function) -> list[Buffer]:
    """The buffers that the function takes: those of the program, then its constants."""
    found = dict.fromkeys(function.buffers)
    _collect(function.body, found)
    return list(found)


def _collect(node: object, found: dict[Buffer, None]) -> None:
    """Every buffer of a statement or value, in order of appearance."""
    if isinstance(node, Buffer):
        if node.place != "local":
            found.setdefault(node)
    elif isinstance(node, Kernel):
        _collect(plain(node), found)
    elif isinstance(node, Tile):
        _collect(plain_tile(node), found)
    elif isinstance(node, tuple):
        for part in node:
            _collect(part, found)
    elif hasattr(node, "__dataclass_fields__"):
        for name in node.__dataclass_fields__:
            _collect(getattr(node, name), found)


# --------------------------------------------------------------------------- statements


def _body(lines: list[str], body: tuple[Statement, ...], depth: int) -> None:
    for node in body:
        _statement(lines, node, depth)


def _statement(lines: list[str], node: Statement, depth: int) -> None:
    pad = " " * depth
    if isinstance(node, For):
        name, end = _name(node.index), position(node.high)
        limit = end
        head = f"let {name} = {position(node.low)}"
        if not isinstance(node.high, (int, Variable)):  # worked out once
            limit = f"{name}$"
            head += f", {limit} = {end}"
        lines.append(f"{pad}for ({head}; {name} < {limit}; {name}++) {{")
        _body(lines, node.body, depth + 1)
        lines.append(pad + "}")
    elif isinstance(node, If):
        lines.append(f"{pad}if ({test(node.test)}) {{")
        _body(lines, node.then, depth + 1)
        if node.otherwise:
            lines.append(pad + "} else {")
            _body(lines, node.otherwise, depth + 1)
        lines.append(pad + "}")
    elif isinstance(node, Kernel):
        lines.append(pad + "{")
        _body(lines, plain(node), depth + 1)
        lines.append(pad + "}")
    elif isinstance(node, Tile):
        lines.append(f"{pad}const {_name(node.sums.name)} = new Int32Array({node.sums.size});")
        _body(lines, plain_tile(node), depth)
    else:
        lines.append(pad + _simple(node))


def _simple(node: Let | Assign | Accumulate | Store | Pointer) -> str:
    if isinstance(node, Let):
        value = "0" if node.value is None else any_text(node.value)
        return f"{'let' if node.mutable else 'const'} {_name(node.name)} = {value};"
    if isinstance(node, Assign):
        return f"{_name(node.name)} = {any_text(node.value)};"
    if isinstance(node, Store):
        return f"{_element(node.target, node.offset)} = {any_text(node.value)};"
    if isinstance(node, Pointer):
        return f"const {_name(node.name)} = {position(node.offset)};"
    name, value = _name(node.name), any_text(node.value)
    if node.op in ("max", "min"):
        return f"if ({value} {'>' if node.op == 'max' else '<'} {name}) {name} = {value};"
    return f"{name} {OPERATORS[node.op]}= {value};"


def _name(name: str) -> str:
    return f"{name}$" if name in WORDS else name


def _element(source: Buffer | Pointer, offset: Integer) -> str:
    """An element; pointers are offsets into the buffer that they point into."""
    parts = [position(offset)]
    while isinstance(source, Pointer):
        parts.append(_name(source.name) if source.name else f"({position(source.offset)})")
        source = source.buffer
    return f"{source.name}[{' + '.join(part for part in parts if part != '0') or '0'}]"


# --------------------------------------------------------------------------- values


def position(node: Integer) -> str:
    """An integer expression."""
    if isinstance(node, int):
        return str(node)
    if isinstance(node, Variable):
        return _name(node.name)
    if isinstance(node, Combination):
        return _combination(node)
    if isinstance(node, FloorDivide):
        inside = position(node.value)
        return f"(({inside}) / {node.divisor} | 0)" if node.positive else (
            f"Math.floor(({inside}) / {node.divisor})"
        )  # fmt: skip
    if isinstance(node, Modulo):
        rest = f"({position(node.value)}) % {node.divisor}"
        return f"({rest})" if node.positive else f"(({rest} + {node.divisor}) % {node.divisor})"
    if isinstance(node, (Least, Greatest)):
        word = "min" if isinstance(node, Least) else "max"
        return f"Math.{word}({position(node.left)}, {position(node.right)})"
    if isinstance(node, Times):
        return " * ".join(f"({position(part)})" for part in node.parts)
    if isinstance(node, TableEntry):
        return f"{node.table.name}[{position(node.position)}]"
    if isinstance(node, PositionOf):
        return f"m.index({any_text(node.value)}, {node.size})"
    return f"({test(node.test)} ? {any_text(node.then)} : {any_text(node.otherwise)})"


def _combination(node: Combination) -> str:
    text = ""
    for factor, term in node.terms:
        inside = position(term)
        inside = f"({inside})" if isinstance(term, (Combination, Times)) else inside
        product = inside if abs(factor) == 1 else f"{abs(factor)} * {inside}"
        sign = "-" if factor < 0 else "+" if text else ""
        text += f" {sign} {product}" if text else sign + product
    return text + (f" {'-' if node.const < 0 else '+'} {abs(node.const)}" if node.const else "")


def any_text(node: Integer | Scalar | Test) -> str:
    """A value, a position or a test; needs no parentheses around it in a product."""
    if isinstance(node, Literal):
        return number(node.value)
    if isinstance(node, Convert):
        return f"({position(node.value)})"
    if isinstance(node, Load):
        return _element(node.source, node.offset)
    if isinstance(node, Apply):
        return SPELLED[node.function].format(*map(any_text, node.arguments))
    if isinstance(node, (Comparison, Classified, AllOf)):
        return f"({test(node)})"
    return position(node)


def number(value: float) -> str:
    """A double that reads back exactly."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "(-Infinity)"
    text = repr(float(value)).removesuffix(".0")
    return f"({text})" if text.startswith("-") else text


def test(node: Test) -> str:
    """A condition."""
    if isinstance(node, Variable):
        return _name(node.name)
    if isinstance(node, AllOf):
        return " && ".join(test(part) for part in node.tests) or "true"
    if isinstance(node, Classified):
        return f"{SPELLED[node.function].format(any_text(node.value))} === 1"
    sign = {"==": "===", "!=": "!=="}.get(node.sign, node.sign)
    return f"{any_text(node.left)} {sign} {any_text(node.right)}"
