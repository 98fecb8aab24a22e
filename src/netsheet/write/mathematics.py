"""Equations as readable mathematics: plain text and LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from netsheet.equations import (
    Affine,
    Call,
    Const,
    Equation,
    Expr,
    Gather,
    Guard,
    Index,
    Lookup,
    Number,
    Quotient,
    Read,
    Reduce,
    Remainder,
    Select,
    Tensor,
    Weight,
    on_reads,
    substitute,
    transform,
    walk,
)

_INFIX = {"add": ("+", 1), "sub": ("-", 1), "mul": ("*", 2), "div": ("/", 2)}
_COMPARE = {"less": "<", "less_equal": "<=", "equal": "="}
_SUM, _PRODUCT = 1, 2


def text(equation: Equation) -> str:
    """``conv1[y, x, c] = sum(u, v, i) input[y + u, x + v, i] * kernel[u, v, i, c] + bias[c]``."""
    return _Plain().equation(equation)


def latex(equation: Equation) -> str:
    r"""The same as LaTeX mathematics: ``\sum_{u,v,i} ...``."""
    return _Latex().equation(equation)


def stage_text(
    expr: Expr, earlier: Mapping[Tensor, str] = {}, numbers: Mapping[Index, int] = {}
) -> str:
    """An expression on its own: ``sum + bias[c]``, ``tanh(…)``.

    ``earlier`` names results that it reads; indices in ``numbers`` are shown as these.
    """
    shown = {tensor: Tensor(name, (), ())[()] for tensor, name in earlier.items()}
    renamed = transform(expr, on_reads(lambda read: shown.get(read.tensor, read)))
    printer = _Plain()
    inner = [index for node in walk(expr) if isinstance(node, Reduce) for index in node.over]
    printer.names = {index: index.name for index in inner}
    return printer.value(substitute(renamed, dict(numbers)))


def ranges(equation: Equation) -> str:
    """Over which values every index runs: ``y = 0..24, x = 0..24; u = 0..3``."""
    names = _names(equation)
    own = _runs(equation.indices, names)
    summed: dict[Index, None] = {}
    for node in walk(equation.value):
        if isinstance(node, Reduce):
            summed.update(dict.fromkeys(node.over))
    inner = _runs(summed, names)
    return "; ".join(part for part in (own, inner) if part)


def _runs(indices: Iterable[Index], names: Mapping[Index, str]) -> str:
    return ", ".join(
        f"{names[i]} = 0..{i.size - 1}" if i.size > 1 else f"{names[i]} = 0" for i in indices
    )


def _names(equation: Equation) -> dict[Index, str]:
    """A name for each index; one that another index of the equation has gets a prime."""
    names: dict[Index, str] = {}
    summed = [i for node in walk(equation.value) if isinstance(node, Reduce) for i in node.over]
    for index in (*equation.indices, *summed):
        if index not in names:
            name = index.name
            while name in names.values():
                name += "'"
            names[index] = name
    return names


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


class _Plain:
    """Plain text; the LaTeX printer changes the words, not the structure."""

    names: Mapping[Index, str]

    def equation(self, eq: Equation) -> str:
        self.names = _names(eq)
        return f"{self.read(Read(eq.target, eq.at))} = {self.value(eq.value)}"

    def value(self, expr: Expr, outer: int = 0) -> str:
        if isinstance(expr, Const):
            shown = self.constant(expr.value)
            return f"({shown})" if expr.value < 0 and outer else shown
        if isinstance(expr, Number):
            return self.position(expr.value)
        if isinstance(expr, Read):
            return self.read(expr)
        if isinstance(expr, Reduce):
            shown = self.reduce(expr)
            return self.bracket(shown) if outer > _SUM else shown
        if isinstance(expr, Select):
            return self.select(expr)
        assert isinstance(expr, Call)
        return self.call(expr, outer)

    def call(self, expr: Call, outer: int) -> str:
        name, args = expr.function, expr.args
        if name in _INFIX:
            return self.infix(name, args[0], args[1], outer)
        if name == "neg":
            shown = "-" + self.value(args[0], _PRODUCT)
            return self.bracket(shown) if outer else shown
        if name in _COMPARE:
            return f"{self.value(args[0], 1)} {_COMPARE[name]} {self.value(args[1], 1)}"
        if name == "if":
            test, then, otherwise = (self.value(arg) for arg in args)
            return self.cases(then, test, otherwise)
        return self.function(name, [self.value(arg) for arg in args])

    def infix(self, name: str, left: Expr, right: Expr, outer: int) -> str:
        sign, level = _INFIX[name]
        # a - (b + c) and a / (b * c) need their brackets
        right_level = level + 1 if name in ("sub", "div") else level
        parts = [right]
        while isinstance(left, Call) and left.function == name:  # of a sum of very many terms
            left, last = left.args
            parts.append(last)
        shown = self.value(left, level)
        for part in reversed(parts):
            shown += f" {self.sign(sign)} {self.value(part, right_level)}"
        return self.bracket(shown) if outer > level else shown

    def position(self, at: Affine) -> str:
        parts: list[str] = []
        for factor, atom in at.terms:
            shown = self.atom(atom)
            size = abs(factor)
            term = shown if size == 1 else f"{size}{self.sign('*')}{shown}"
            parts.append(("- " if factor < 0 else "+ " if parts else "") + term)
        if at.const or not parts:
            sign = "- " if at.const < 0 else "+ " if parts else ""
            parts.append(f"{sign}{abs(at.const)}")
        shown = " ".join(parts)
        return "-" + shown[2:] if shown.startswith("- ") else shown

    def guards(self, where: Sequence[Guard]) -> str:
        return ", ".join(self.guard(guard) for guard in where)

    # -------------------------------------------------------------- words

    def constant(self, value: float) -> str:
        return _number(value)

    def sign(self, sign: str) -> str:
        return sign

    def bracket(self, shown: str) -> str:
        return f"({shown})"

    def name(self, tensor: Tensor) -> str:
        return tensor.label if isinstance(tensor, Weight) and tensor.label else tensor.name

    def read(self, expr: Read) -> str:
        places = ", ".join(self.position(at) for at in expr.at)
        return f"{self.name(expr.tensor)}[{places}]" if expr.at else self.name(expr.tensor)

    def reduce(self, expr: Reduce) -> str:
        over = ", ".join(self.names[index] for index in expr.over)
        where = f" where {self.guards(expr.where)}" if expr.where else ""
        return f"{expr.op}({over}{where}) {self.value(expr.body, _PRODUCT)}"

    def select(self, expr: Select) -> str:
        return self.cases(
            self.value(expr.then), self.guards(expr.where), self.value(expr.otherwise)
        )

    def cases(self, then: str, test: str, otherwise: str) -> str:
        return f"({then} if {test} else {otherwise})"

    def guard(self, guard: Guard) -> str:
        return f"{guard.low} <= {self.position(guard.value)} < {guard.high}"

    def function(self, name: str, args: Sequence[str]) -> str:
        return f"{name}({', '.join(args)})"

    def atom(self, atom: object) -> str:
        if isinstance(atom, Index):
            return self.names.get(atom, atom.name)
        if isinstance(atom, Quotient):
            return f"floor(({self.position(atom.value)}) / {atom.divisor})"
        if isinstance(atom, Remainder):
            return f"(({self.position(atom.value)}) mod {atom.divisor})"
        if isinstance(atom, Lookup):
            return f"table({self.position(atom.value)})"
        assert isinstance(atom, Gather)
        return self.value(atom.value)


_GREEK = {"sum": r"\sum", "prod": r"\prod", "max": r"\max", "min": r"\min"}
_SPELLED = {
    "exp": r"\exp", "log": r"\ln", "tanh": r"\tanh", "sin": r"\sin", "cos": r"\cos",
    "tan": r"\tan", "max": r"\max", "min": r"\min", "sinh": r"\sinh", "cosh": r"\cosh",
    "sigmoid": r"\sigma", "asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan",
}  # fmt: skip


class _Latex(_Plain):
    def constant(self, value: float) -> str:
        shown = _number(value)
        if "e" in shown:
            mantissa, exponent = shown.split("e")
            return rf"{mantissa}\cdot 10^{{{int(exponent)}}}"
        return shown

    def sign(self, sign: str) -> str:
        return {"*": r"\,"}.get(sign, sign)

    def bracket(self, shown: str) -> str:
        return rf"\left({shown}\right)"

    def name(self, tensor: Tensor) -> str:
        escaped = super().name(tensor).replace("\\", r"\backslash ")
        for char in "_#%&${}":
            escaped = escaped.replace(char, "\\" + char)
        return rf"\mathrm{{{escaped}}}"

    def read(self, expr: Read) -> str:
        places = ",".join(self.position(at) for at in expr.at)
        return f"{self.name(expr.tensor)}_{{{places}}}" if expr.at else self.name(expr.tensor)

    def infix(self, name: str, left: Expr, right: Expr, outer: int) -> str:
        if name == "div":
            return rf"\frac{{{self.value(left)}}}{{{self.value(right)}}}"
        return super().infix(name, left, right, outer)

    def reduce(self, expr: Reduce) -> str:
        below = ",".join(self.names[index] for index in expr.over)
        if expr.where:
            below = rf"\substack{{{below} \\ {self.guards(expr.where)}}}"
        symbol = _GREEK.get(expr.op, r"\operatorname{mean}")
        return rf"{symbol}_{{{below}}} {self.value(expr.body, _PRODUCT)}"

    def cases(self, then: str, test: str, otherwise: str) -> str:
        return rf"\begin{{cases}} {then} & {test} \\ {otherwise} & \text{{otherwise}} \end{{cases}}"

    def guard(self, guard: Guard) -> str:
        return rf"{guard.low} \le {self.position(guard.value)} < {guard.high}"

    def function(self, name: str, args: Sequence[str]) -> str:
        if name == "sqrt":
            return rf"\sqrt{{{args[0]}}}"
        if name == "abs":
            return rf"\left|{args[0]}\right|"
        if name == "pow":
            return rf"\left({args[0]}\right)^{{{args[1]}}}"
        spelled = _SPELLED.get(name, rf"\operatorname{{{name.replace('_', '-')}}}")
        return rf"{spelled}\left({', '.join(args)}\right)"

    def atom(self, atom: object) -> str:
        if isinstance(atom, Quotient):
            return rf"\lfloor ({self.position(atom.value)}) / {atom.divisor} \rfloor"
        if isinstance(atom, Remainder):
            return rf"(({self.position(atom.value)}) \bmod {atom.divisor})"
        if isinstance(atom, Lookup):
            return rf"\mathrm{{table}}({self.position(atom.value)})"
        return super().atom(atom)
