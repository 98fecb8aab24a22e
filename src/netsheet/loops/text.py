"""The loop IR as text, to read what a printer gets."""

from __future__ import annotations

from dataclasses import fields

from netsheet.loops import ir

INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


def function_text(function: ir.Function) -> str:
    """A function: its buffers, then its statements, two blanks for each block."""
    lines = [f"function {function.name}"]
    for buffer in function.buffers:
        way = "writes" if buffer in function.written else "reads"
        where = f" at {buffer.start}" if buffer.place == "arena" else ""
        lines.append(
            f"  {way} {buffer.name}: {buffer.size} {buffer.dtype}, {buffer.place}{where}"
            f" ({buffer.note})"
        )
    lines += _block(function.body, 1)
    return "\n".join(lines)


def _block(body: tuple[ir.Statement, ...], depth: int) -> list[str]:
    return [line for node in body for line in _statement(node, depth)]


def _statement(node: ir.Statement, depth: int) -> list[str]:
    indent = "  " * depth
    if isinstance(node, ir.For):
        head = f"{indent}for {node.index} from {_text(node.low)} to {_text(node.high)} - 1"
        return [head, *_block(node.body, depth + 1)]
    if isinstance(node, ir.If):
        lines = [f"{indent}if {_text(node.test)}", *_block(node.then, depth + 1)]
        if node.otherwise:
            lines += [f"{indent}else", *_block(node.otherwise, depth + 1)]
        return lines
    if isinstance(node, ir.Kernel):
        return [f"{indent}{line}" for line in _kernel(node)]
    if isinstance(node, ir.Tile):
        return [f"{indent}{line}" for line in _tile(node)]
    return [indent + _simple(node)]


def _simple(node: ir.Let | ir.Pointer | ir.Assign | ir.Accumulate | ir.Store) -> str:
    if isinstance(node, ir.Let):
        value = "" if node.value is None else f" = {_text(node.value)}"
        return f"{'var' if node.mutable else 'let'} {node.name}: {node.dtype}{value}"
    if isinstance(node, ir.Pointer):
        return f"let {node.name} = {_place(node.buffer)} from {_text(node.offset)}"
    if isinstance(node, ir.Assign):
        return f"{node.name} = {_text(node.value)}"
    if isinstance(node, ir.Accumulate):
        return f"{node.name} {node.op}= {_text(node.value)}"
    return f"{_element(node.target, node.offset)} = {_text(node.value)}"


def _kernel(node: ir.Kernel) -> list[str]:
    rows = f"rows {_text(node.rows[0])} to {_text(node.rows[1])} - 1"
    when = "" if node.when is None else f", where {_text(node.when)}"
    lines = [f"kernel {node.function.name}, {rows}{when}"]
    for name in ("x", "weights", "bias", "added", "y"):
        place = getattr(node, name)
        if place is not None:
            lines.append(f"  {name} = {_place(place)}")
    geometry = ", ".join(
        f"{field.name} {getattr(node.geometry, field.name)}" for field in fields(node.geometry)
    )
    return [*lines, f"  {geometry}"]


def _tile(node: ir.Tile) -> list[str]:
    lines = [f"tile {node.shape.kind}, {node.shape.pixels} x {node.shape.channels} sums"]
    lines += [f"  {name} = {_place(getattr(node, name))}" for name in ("x", "weights", "start")]
    numbers = ", ".join(
        f"{name} {getattr(node.shape, name)}" for name in ("run", "step", "taps", "tap_step")
    )
    return [*lines, f"  {numbers}"]


def _place(source: ir.Buffer | ir.Pointer | ir.EitherPointer | None) -> str:
    if source is None:
        return "nothing"
    if isinstance(source, ir.EitherPointer):
        sides = _place(source.then), _place(source.otherwise)
        return f"({sides[0]} if {_text(source.test)} else {sides[1]})"
    if isinstance(source, ir.Pointer) and not source.name:
        offset = source.offset
        while isinstance(source.buffer, ir.Pointer) and not source.buffer.name:
            source = source.buffer
            offset = ir.plus(source.offset, offset)
        return f"{_place(source.buffer)} from {_text(offset)}"
    return source.name


def _element(source: ir.Buffer | ir.Pointer, offset: object) -> str:
    name = _place(source)
    return f"{f'({name})' if ' ' in name else name}[{_text(offset)}]"


def _atom(node: object) -> str:
    text = _text(node)
    return f"({text})" if " " in text and not text.endswith((")", "]")) else text


def _text(node: object) -> str:
    """A position, a value or a test."""
    if isinstance(node, ir.Combination):
        parts = [_product(factor, _atom(term)) for factor, term in node.terms]
        parts += [str(node.const)] if node.const else []
        return " + ".join(parts).replace("+ -", "- ")
    if isinstance(node, (ir.FloorDivide, ir.Modulo)):
        sign = "//" if isinstance(node, ir.FloorDivide) else "mod"
        return f"({_atom(node.value)} {sign} {node.divisor})"
    if isinstance(node, (ir.Least, ir.Greatest)):
        name = "min" if isinstance(node, ir.Least) else "max"
        return f"{name}({_text(node.left)}, {_text(node.right)})"
    if isinstance(node, ir.Times):
        return " * ".join(_atom(part) for part in node.parts)
    if isinstance(node, ir.TableEntry):
        return f"{node.table.name}[{_text(node.position)}]"
    if isinstance(node, ir.PositionOf):
        return f"position({_text(node.value)}, {node.size})"
    if isinstance(node, ir.Literal):
        return f"{node.value:.9g}"
    if isinstance(node, ir.Convert):
        return f"{node.dtype}({_text(node.value)})"
    if isinstance(node, ir.Load):
        return _element(node.source, node.offset)
    if isinstance(node, ir.Apply):
        return _applied(node)
    if isinstance(node, ir.Conditional):
        return f"({_text(node.then)} if {_text(node.test)} else {_text(node.otherwise)})"
    return _test(node)


def _product(factor: int, text: str) -> str:
    return text if factor == 1 else f"-{text}" if factor == -1 else f"{factor} * {text}"


def _applied(node: ir.Apply) -> str:
    if node.function in INFIX:
        left, right = (_atom(argument) for argument in node.arguments)
        return f"{left} {INFIX[node.function]} {right}"
    return f"{node.function}({', '.join(_text(argument) for argument in node.arguments)})"


def _test(node: object) -> str:
    if isinstance(node, ir.Comparison):
        return f"{_text(node.left)} {node.sign} {_text(node.right)}"
    if isinstance(node, ir.Classified):
        return f"{node.function}({_text(node.value)})"
    if isinstance(node, ir.AllOf):
        return " and ".join(_text(test) for test in node.tests) or "true"
    return node.name if isinstance(node, ir.Variable) else str(node)
