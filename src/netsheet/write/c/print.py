"""The loop IR as C: expressions, statements and functions. C text is born here.

Row functions, which a :class:`Kernel` calls, have their text in row_functions.py.
"""

from __future__ import annotations

from netsheet.loops import ir
from netsheet.loops.products.row_function import RowFunction, RowGeometry
from netsheet.write.c.lines import Lines
from netsheet.write.c.names import TYPES, number, whole_number
from netsheet.write.c.spelling import HELPERS, SPELLED
from netsheet.write.c.tiles import arguments
from netsheet.write.c.whole_tiles import tile_arguments, tile_name
from netsheet.write.c.widening import widening

# How strongly an operator binds, as far as parentheses need to know.
LEVELS = {"add": 1, "sub": 1, "neg": 1, "mul": 2, "div": 2}
ATOM = 3
OPERATORS = {"sum": "+", "prod": "*", "div": "/"}


class CPrinter:
    """Prints the functions of one program, and remembers what they need of the file around."""

    def __init__(self, library: str) -> None:
        self.library = library
        self.helpers: set[str] = set()
        self.row_functions: set[RowFunction] = set()
        self.geometries: dict[str, RowGeometry] = {}
        self.calls_of_tiles = 0
        self.tiles: set[tuple[str, int]] = set()  # kinds and pixels of whole numbers' tiles

    def function(self, function: ir.Function) -> str:
        """The definition of a function."""
        parameters = ", ".join(
            f"{'' if b in function.written else 'const '}{TYPES[b.dtype]} *{b.name}"
            for b in function.buffers
        )
        lines, tiles = Lines(1), self.calls_of_tiles
        for statement in function.body:
            self._statement(lines, statement)
        # registers are for a tile's sums, not for what other layers around it hold in them
        apart = f"{self.library.upper()}_APART " if self.calls_of_tiles > tiles else ""
        head = f"static {apart}{self.library.upper()}_CODE void {self.library}_{function.name}"
        return f"{head}({parameters})\n{{\n{lines}\n}}\n"

    def helper(self, name: str) -> str:
        """The C name of a helper, which is then needed."""
        self.helpers.add(name)
        return f"{self.library}_{name}"

    # ------------------------------------------------------------------ statements

    def _statement(self, lines: Lines, node: ir.Statement) -> None:
        if isinstance(node, ir.Let):
            lines.add(self._let(node))
        elif isinstance(node, ir.Pointer):
            where = self._address(node.buffer, node.offset)
            lines.add(f"{self._kind(node.buffer)} *const {node.name} = {where};")
        elif isinstance(node, ir.Assign):
            lines.add(f"{node.name} = {_bare(self.value(node.value))};")
        elif isinstance(node, ir.Accumulate):
            lines.add(self._accumulate(node))
        elif isinstance(node, ir.Store):
            lines.add(self._store(node))
        elif isinstance(node, ir.For) and (wide := widening(node)) is not None:
            places = [self._address(*wide.target), self._address(*wide.source)]
            given = ", ".join([*places, str(wide.zero), str(wide.count)])
            lines.add(f"{self.helper('widen')}({given});")
        elif isinstance(node, ir.For):
            name, ends = node.index, [node.high]
            if isinstance(node.high, ir.Least):  # a test each, which is what compilers like best
                ends = [node.high.left, node.high.right]
            until = " && ".join(f"{name} < {self.position(end)}" for end in ends)
            low = self.position(node.low)
            self._block(lines, f"for (int {name} = {low}; {until}; {name}++)", node.body)
        elif isinstance(node, ir.If):
            self._block(lines, f"if ({self.test(node.test)})", node.then)
            if node.otherwise:
                self._block(lines, "else", node.otherwise)
        elif isinstance(node, ir.Tile):
            self._tile(lines, node)
        else:
            assert isinstance(node, ir.Kernel)
            self._kernel(lines, node)

    def _tile(self, lines: Lines, node: ir.Tile) -> None:
        self.calls_of_tiles += 1
        self.tiles.add((node.shape.kind, node.shape.pixels))
        lines.add(f"{TYPES[node.sums.dtype]} {node.sums.name}[{node.sums.size}];")
        places = [self._name(place) for place in (node.start, node.x, node.weights)]
        given = ", ".join([node.sums.name, *places, *tile_arguments(node.shape)])
        lines.add(f"{self.library}_{tile_name(node.shape.kind, node.shape.pixels)}({given});")

    def _block(self, lines: Lines, head: str, body: tuple[ir.Statement, ...]) -> None:
        with lines.block(head):
            for statement in body:
                self._statement(lines, statement)

    def _store(self, node: ir.Store) -> str:
        dtype, value = _buffer(node.target).dtype, self.value(node.value)
        if dtype in ir.NARROW:
            value = f"({TYPES[dtype]}){value if _is_bracketed(value) else f'({value})'}"
        return f"{self._element(node.target, node.offset)} = {value};"

    def _let(self, node: ir.Let) -> str:
        kind = TYPES[node.dtype]
        if node.value is None:
            return f"{kind} {node.name};"
        return f"{'' if node.mutable else 'const '}{kind} {node.name} = {self._any(node.value)};"

    def _accumulate(self, node: ir.Accumulate) -> str:
        name, value = node.name, self._any(node.value)
        if node.op in ("max", "min"):
            sign = ">" if node.op == "max" else "<"
            return f"{name} = {value} {sign} {name} ? {value} : {name};"
        if node.op == "sum" and node.value == 1:
            return f"{name}++;"
        return f"{name} {OPERATORS[node.op]}= {value};"

    def _kernel(self, lines: Lines, node: ir.Kernel) -> None:
        self.row_functions.add(node.function)
        self.geometries[node.name] = node.geometry
        low, high = node.rows
        x = node.x.offset
        count: ir.Integer = ir.plus(high, ir.times(low, -1))
        if node.when is not None:
            count, x = ir.Conditional(node.when, count, 0), ir.Conditional(node.when, x, 0)
        place = self._address(node.x.buffer, ir.plus(x, ir.times(low, node.geometry.pitch)))
        added = None if node.added is None else self._pointer(node.added)
        name = f"{self.library}_{node.function.name}"
        lines.add(f"{name}(&{self.library}_{node.name}, {place}, {self.position(count)},")
        weights = ir.plus(node.weights.offset, ir.times(low, node.geometry.w_row))
        texts = arguments(
            node.function, self._address(node.weights.buffer, weights),
            self._pointer(node.bias), self._pointer(node.y), added,
        )  # fmt: skip
        lines.add(f"    {texts});")

    # ------------------------------------------------------------------ memory

    def _kind(self, source: ir.Buffer | ir.Pointer) -> str:
        """The type of the elements that a pointer to read them has."""
        buffer = _buffer(source)
        flash = f"{self.library.upper()}_FLASH " if buffer.place == "constant" else ""
        return f"const {flash}{TYPES[buffer.dtype]}"

    def _name(self, source: ir.Buffer | ir.Pointer) -> str:
        """The C expression of a place's first element."""
        if isinstance(source, ir.Pointer):
            return source.name or self._address(source.buffer, source.offset)
        return f"{self.library}_{source.name}" if source.place == "constant" else source.name

    def _address(self, source: ir.Buffer | ir.Pointer, offset: ir.Integer) -> str:
        """``source + (offset)``: never a pointer before the buffer."""
        name, text = self._name(source), self.position(offset)
        if text == "0":
            return name
        return f"{name} + ({text})" if " " in text else f"{name} + {text}"

    def _pointer(self, place: ir.Buffer | ir.Pointer | ir.EitherPointer | None) -> str:
        if isinstance(place, ir.EitherPointer):
            sides = self._pointer(place.then), self._pointer(place.otherwise)
            return f"{self.test(place.test)} ? {sides[0]} : {sides[1]}"
        return "0" if place is None else self._name(place)

    def _element(self, source: ir.Buffer | ir.Pointer, offset: ir.Integer) -> str:
        name = self._name(source)
        return f"{f'({name})' if ' ' in name else name}[{self.position(offset)}]"

    # ------------------------------------------------------------------ positions

    def position(self, node: ir.Integer) -> str:
        """An integer expression."""
        if isinstance(node, ir.Combination):
            return _sum_text([(f, self._atom(term)) for f, term in node.terms], node.const)
        return self._atom(node)

    def _atom(self, node: ir.Integer) -> str:
        """An integer expression that needs no parentheses."""
        if isinstance(node, int):
            return str(node)
        if isinstance(node, ir.Variable):
            return node.name
        if isinstance(node, ir.Combination):
            return f"({self.position(node)})"
        if isinstance(node, (ir.FloorDivide, ir.Modulo)):
            return self._divided(node)
        if isinstance(node, (ir.Least, ir.Greatest)):
            return self._limited(node)
        if isinstance(node, ir.Times):
            return " * ".join(self._atom(part) for part in node.parts)
        if isinstance(node, ir.TableEntry):
            return f"{self.library}_{node.table.name}[{self.position(node.position)}]"
        if isinstance(node, ir.PositionOf):
            helper = self.helper("index" if node.dtype == ir.FLOAT else "place")
            return f"{helper}({self.value(node.value)}, {node.size})"
        then, otherwise = self._any(node.then), self._any(node.otherwise)
        return f"({self.test(node.test)} ? {then} : {otherwise})"

    def _divided(self, node: ir.FloorDivide | ir.Modulo) -> str:
        quotient = isinstance(node, ir.FloorDivide)
        if node.positive:
            return f"({self._atom(node.value)} {'/' if quotient else '%'} {node.divisor})"
        helper = self.helper("quotient" if quotient else "remainder")
        return f"{helper}({self.position(node.value)}, {node.divisor})"

    def _limited(self, node: ir.Least | ir.Greatest) -> str:
        left, right = self.position(node.left), self.position(node.right)
        if (
            isinstance(node, ir.Greatest)
            and right == "0"
            and left[:1] == "-"
            and left[1:].isidentifier()
        ):
            return f"({left[1:]} < 0 ? {left} : 0)"
        sign = "<" if isinstance(node, ir.Least) else ">"
        return f"({left} {sign} {right} ? {left} : {right})"

    # ------------------------------------------------------------------ values

    def value(self, node: ir.Scalar) -> str:
        """A value of its own dtype."""
        return self._value(node)[0]

    def _any(self, node: ir.Integer | ir.Scalar | ir.Test) -> str:
        if isinstance(node, (ir.Literal, ir.Convert, ir.Load, ir.Apply)):
            return self.value(node)
        if isinstance(node, (ir.Comparison, ir.Classified, ir.AllOf)):
            return self.test(node)
        return self.position(node)

    def _value(self, node: ir.Scalar) -> tuple[str, int]:
        """The text, and how strongly it binds."""
        if isinstance(node, ir.Literal):
            text = number(node.value) if node.dtype == ir.FLOAT else whole_number(node.value)
            return text, 1 if text.startswith("-") else ATOM
        if isinstance(node, ir.Convert):
            text = self.position(node.value)
            return f"({TYPES[node.dtype]})({text})", ATOM
        if isinstance(node, ir.Load):
            return self._element(node.source, node.offset), ATOM
        if isinstance(node, ir.Apply):
            return self._apply(node)
        return self._atom(node), ATOM

    def _apply(self, node: ir.Apply) -> tuple[str, int]:
        function = node.function
        if function in HELPERS:
            self.helpers.add(function)
        level = LEVELS.get(function)
        texts = []
        for n, argument in enumerate(node.arguments):
            text, own = self._value(argument)
            # a call or a comparison needs no parentheses around sums and products
            tight = level is not None and own < level + (n > 0 or function == "neg")
            texts.append(f"({text})" if tight else text)
        spelled = SPELLED[function].replace("@", self.library).format(*texts)
        return spelled, ATOM if level is None else level

    def test(self, node: ir.Test) -> str:
        """A condition."""
        if isinstance(node, ir.Variable):
            return node.name
        if isinstance(node, ir.AllOf):
            return " && ".join(self.test(test) for test in node.tests) or "1"
        if isinstance(node, ir.Classified):
            return f"{node.function}({self._compared(node.value)})"
        return f"{self._compared(node.left)} {node.sign} {self._compared(node.right)}"

    def _compared(self, node: ir.Integer | ir.Scalar) -> str:
        if isinstance(node, (ir.Literal, ir.Convert, ir.Load, ir.Apply)):
            text, level = self._value(node)
            return text if level == ATOM or isinstance(node, ir.Literal) else f"({text})"
        return self.position(node)


def _buffer(source: ir.Buffer | ir.Pointer) -> ir.Buffer:
    """What a place lies in."""
    while isinstance(source, ir.Pointer):
        source = source.buffer
    return source


def _is_bracketed(text: str) -> bool:
    """True for a text in parentheses that open and close around it all, or a mere name."""
    return text.isidentifier() or text.isdigit() or _bare(text) != text


def _bare(text: str) -> str:
    """Without parentheses around it all."""
    inner = text[1:-1]
    whole = text.startswith("(") and text.endswith(")") and "(" not in inner and ")" not in inner
    return inner if whole else text


def _sum_text(parts: list[tuple[int, str]], const: int) -> str:
    """``2 * y + u - 1`` from factors and terms."""
    positive = any(factor > 0 for factor, _ in parts)
    text = "" if positive or const <= 0 else str(const)
    const = const if positive or const <= 0 else 0
    for factor, term in sorted(parts, key=lambda part: part[0] < 0):
        product = term if abs(factor) == 1 else f"{abs(factor)} * {term}"
        if text:
            text += f" - {product}" if factor < 0 else f" + {product}"
        else:
            text = f"-{product}" if factor < 0 else product
    if const or not text:
        text += (f" + {const}" if const > 0 else f" - {-const}") if text else str(const)
    return text
