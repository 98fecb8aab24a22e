"""Any equation as a loop nest: right for every layer, fast for none in particular."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

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
    affine,
    children,
    walk,
)
from netsheet.equations.positions import substituted
from netsheet.equations.transform import substitute
from netsheet.write.c.functions import CONDITIONS, HELPERS, SPELLED
from netsheet.write.c.names import number
from netsheet.write.c.places import Layout, lowered
from netsheet.write.c.text import Scope, sum_text

UNROLLED = 4  # a reduction over so few points is written out
START = {"sum": "0.0f", "mean": "0.0f", "prod": "1.0f", "max": "-INFINITY", "min": "INFINITY"}
# How strongly an operator binds, as far as parentheses need to know.
_LEVEL = {"add": 1, "sub": 1, "neg": 1, "mul": 2, "div": 2}
_ATOM = 3


def print_equation(scope: Scope, eq: Equation, layout: Layout, fixed: Sequence[Index] = ()) -> None:
    """The loops that fill the equation's target; ``fixed`` indices are variables outside."""
    eq = collapsed(lowered(eq, layout), fixed)
    target, place = eq.target, eq.at[0]
    inner = [index for index in eq.indices if index not in fixed]
    inner.sort(key=lambda index: -abs(place.coefficient(index)))
    body = Body(scope, eq.value)
    with nested(scope, inner):
        text = body.value(eq.value)
        assert target.source is not None  # type: ignore[attr-defined]
        pointer = scope.pointers[target.source]  # type: ignore[attr-defined]
        scope.lines.add(f"{pointer}[{body.position(place)}] = {text};")


class nested:  # noqa: N801
    """Loops over several indices, the first one outermost."""

    def __init__(self, scope: Scope, indices: Sequence[Index]) -> None:
        self._loops = [scope.loop(index) for index in indices]

    def __enter__(self) -> None:
        for loop in self._loops:
            loop.__enter__()

    def __exit__(self, *error: object) -> None:
        for loop in reversed(self._loops):
            loop.__exit__(*error)  # type: ignore[arg-type]


class Body:
    """Prints expressions over memory at one point of the loops around it."""

    def __init__(self, scope: Scope, root: Expr) -> None:
        self.scope = scope
        self._uses = Counter(id(child) for node in _distinct(root) for child in children(node))
        self._known: dict[int, str] = {}

    def know(self, expr: Expr, name: str) -> None:
        """Print ``name`` for an expression from now on."""
        self._known[id(expr)] = name

    # ------------------------------------------------------------------ positions

    def position(self, at: Affine) -> str:
        """An integer expression."""
        parts = [(factor, self._atom(atom)) for factor, atom in at.terms]
        return sum_text(parts, at.const)

    def _atom(self, atom: object) -> str:
        unit = self.scope.unit
        if isinstance(atom, Index):
            return self.scope.index(atom)
        if isinstance(atom, Gather):
            return f"{unit.helper('index')}({self.value(atom.value)}, {atom.size})"
        assert isinstance(atom, (Quotient, Remainder, Lookup))
        inside = self.position(atom.value)
        if isinstance(atom, Lookup):
            return f"{unit.table(atom.table)}[{inside}]"
        quotient = isinstance(atom, Quotient)
        if atom.value.bounds()[0] >= 0 and not _gathers(atom.value):
            inside = f"({inside})" if " " in inside else inside
            return f"({inside} {'/' if quotient else '%'} {atom.divisor})"
        helper = unit.helper("quotient" if quotient else "remainder")
        return f"{helper}({inside}, {atom.divisor})"

    def condition(self, where: Sequence[Guard]) -> str:
        """True where all guards hold."""
        tests = []
        for guard in where:
            low, high = guard.value.bounds()
            text = self.position(guard.value)
            if low < guard.low:
                tests.append(f"{text} >= {guard.low}")
            if high >= guard.high:
                tests.append(f"{text} < {guard.high}")
        return " && ".join(tests) or "1"

    # ------------------------------------------------------------------ values

    def value(self, expr: Expr) -> str:
        """A C expression; statements that it needs are written before."""
        return self._value(expr)[0]

    def _value(self, expr: Expr) -> tuple[str, int]:
        if id(expr) in self._known:
            return self._known[id(expr)], _ATOM
        text, level = self._fresh(expr)
        if self._uses[id(expr)] > 1 and isinstance(expr, (Call, Select)):
            name = self.scope.fresh("v")
            self.scope.lines.add(f"const float {name} = {text};")
            text, level = name, _ATOM
        if isinstance(expr, (Call, Select, Reduce)) and level == _ATOM:
            self._known[id(expr)] = text
        return text, level

    def _fresh(self, expr: Expr) -> tuple[str, int]:
        if isinstance(expr, Const):
            text = number(expr.value)
            return text, 1 if text.startswith("-") else _ATOM
        if isinstance(expr, Number):
            return f"(float)({self.position(expr.value)})", _ATOM
        if isinstance(expr, Read):
            source = expr.tensor.source  # type: ignore[attr-defined]
            return f"{self.scope.pointers[source]}[{self.position(expr.at[0])}]", _ATOM
        if isinstance(expr, Call):
            return self._call(expr)
        if isinstance(expr, Select):
            return self._select(expr), _ATOM
        assert isinstance(expr, Reduce)
        return self._reduce(expr), _ATOM

    def _call(self, expr: Call) -> tuple[str, int]:
        function, args = expr.function, expr.args
        if function == "if":
            return f"({self._test(args[0])} ? {self.value(args[1])} : {self.value(args[2])})", _ATOM
        if function == "max" and isinstance(args[1], Const):
            return self._clamp(args[0], args[1], "<"), _ATOM
        if function == "min" and isinstance(args[1], Const):
            return self._clamp(args[0], args[1], ">"), _ATOM
        if function in HELPERS:
            self.scope.unit.helper(function)
        level = _LEVEL.get(function)
        texts = []
        for n, arg in enumerate(args):
            text, own = self._value(arg)
            # a call or a comparison needs no parentheses around sums and products
            tight = level is not None and own < level + (n > 0 or function == "neg")
            texts.append(f"({text})" if tight else text)
        spelled = SPELLED[function].replace("@", self.scope.unit.library).format(*texts)
        return spelled, _ATOM if level is None else level

    def _test(self, expr: Expr) -> str:
        """A truth value as a C condition."""
        if isinstance(expr, Call) and expr.function in CONDITIONS:
            texts = [self._wrapped(arg) for arg in expr.args]
            return CONDITIONS[expr.function].format(*texts)
        return f"{self._wrapped(expr)} != 0.0f"

    def _wrapped(self, expr: Expr) -> str:
        text, level = self._value(expr)
        return text if level == _ATOM else f"({text})"

    def _clamp(self, expr: Expr, limit: Const, sign: str) -> str:
        """The value, or the limit beyond it; a NaN stays."""
        text, _ = self._value(expr)
        if not text.isidentifier():
            name = self.scope.fresh("v")
            self.scope.lines.add(f"const float {name} = {text};")
            text = name
        bound = number(limit.value)
        return f"({text} {sign} {bound} ? {bound} : {text})"

    def _select(self, expr: Select) -> str:
        test = self.condition(expr.where)
        if all(_plain(branch) for branch in (expr.then, expr.otherwise)):
            return f"({test} ? {self.value(expr.then)} : {self.value(expr.otherwise)})"
        lines, name = self.scope.lines, self.scope.fresh("v")
        lines.add(f"float {name};")
        for head, branch in ((f"if ({test})", expr.then), ("else", expr.otherwise)):
            known = dict(self._known)
            with lines.block(head):
                lines.add(f"{name} = {self.value(branch)};")
            self._known = known
        return name

    # ------------------------------------------------------------------ reductions

    def _reduce(self, expr: Reduce) -> str:
        over = [index for index in expr.over if index.size > 1]
        points = math.prod(index.size for index in over)
        if points <= UNROLLED and not expr.where and _plain(expr.body):
            return self._written_out(expr, over, points)
        total = self.scope.fresh({"max": "most", "min": "least"}.get(expr.op, "sum"))
        self.scope.lines.add(f"float {total} = {START[expr.op]};")
        over = sorted(over, key=lambda index: -_stride(expr.body, index))
        ranges, tests = self._ranges(expr.where, over)
        counted = expr.op == "mean" and bool(tests)
        if counted:
            count = self.scope.fresh("count")
            self.scope.lines.add(f"int {count} = 0;")
        known = dict(self._known)
        loops = [self.scope.loop(index, *ranges.get(index, ("0", None))) for index in over]
        if tests:
            loops.append(self.scope.lines.block(f"if ({self.condition(tests)})"))
        for loop in loops:
            loop.__enter__()
        self._accumulate(expr.op, total, self.value(expr.body))
        if counted:
            self.scope.lines.add(f"{count}++;")
        for loop in reversed(loops):
            loop.__exit__(None, None, None)
        self._known = known
        if expr.op == "mean":
            size = count if counted else _count(ranges, over, expr.over)
            self.scope.lines.add(f"{total} /= (float)({size});")
        return total

    def _accumulate(self, op: str, total: str, body: str) -> None:
        if op in ("max", "min"):
            if not body.isidentifier():
                name = self.scope.fresh("v")
                self.scope.lines.add(f"const float {name} = {body};")
                body = name
            sign = ">" if op == "max" else "<"
            self.scope.lines.add(f"{total} = {body} {sign} {total} ? {body} : {total};")
        else:
            self.scope.lines.add(f"{total} {'*' if op == 'prod' else '+'}= {body};")

    def _written_out(self, expr: Reduce, over: Sequence[Index], points: int) -> str:
        total = self.scope.fresh({"max": "most", "min": "least"}.get(expr.op, "sum"))
        for point in range(points):
            rest, values = point, {}
            for index in reversed(over):
                values[index], rest = rest % index.size, rest // index.size
            body = Body(self.scope, expr.body).value(substitute(expr.body, values))
            if point == 0:
                self.scope.lines.add(f"float {total} = {body};")
            else:
                self._accumulate(expr.op, total, body)
        if expr.op == "mean":
            self.scope.lines.add(f"{total} /= {points}.0f;")
        return total

    def _ranges(
        self, where: Sequence[Guard], over: Sequence[Index]
    ) -> tuple[dict[Index, tuple[str, str]], list[Guard]]:
        """Guards as bounds of the loops where that can be; the others."""
        ranges: dict[Index, tuple[str, str]] = {}
        tests: list[Guard] = []
        lines = self.scope.lines
        for guard in where:
            taps = [index for index in over if index in guard.value.indices()]
            tap = taps[0] if len(taps) == 1 else None
            step = guard.value.coefficient(tap) if tap else 0
            if tap is None or tap in ranges or step <= 0 or _nested_in(guard.value, tap):
                tests.append(guard)
                continue
            low, high = tap_range(self, guard, tap)
            names = [self.scope.fresh(f"{self.scope.index(tap)}_{end}") for end in ("low", "high")]
            lines.add(f"const int {names[0]} = {low}, {names[1]} = {high};")
            ranges[tap] = names[0], names[1]
        return ranges, tests


def tap_range(body: Body, guard: Guard, tap: Index, only_low: bool = False) -> tuple[str, str]:
    """The first tap, and the one behind the last, for which the guard holds, as C.

    ``only_low``: the caller reads the first one only.
    """
    step = guard.value.coefficient(tap)
    start = guard.value - tap * step - guard.low
    rest = body.position(start)
    unit = body.scope.unit
    size = guard.high - guard.low
    if not start.terms:
        first = -(start.const // step) if start.const < 0 else 0
        last = min((size - 1 - start.const) // step + 1, tap.size)
        return str(first), str(max(last, 0))
    if step == 1:
        first, last = start.bounds()
        read = first < 0 or (last + tap.size > size and not only_low)
        if read and not rest.isidentifier():
            name = body.scope.fresh("first")
            body.scope.lines.add(f"const int {name} = {rest};")
            rest = name
        low = f"{rest} < 0 ? -{rest} : 0" if first < 0 else "0"
        high = str(tap.size)
        if last + tap.size > size:
            left = f"{size} - {rest}"
            high = f"({left} < {tap.size} ? {left} : {tap.size})"
        return low, high
    return (
        f"{unit.helper('low')}({rest}, {step})",
        f"{unit.helper('high')}({rest}, {step}, {size}, {tap.size})",
    )


def collapsed(eq: Equation, fixed: Sequence[Index] = ()) -> Equation:
    """Adjacent loops that walk through memory as one become one."""
    addresses = [eq.at[0], *(node.at[0] for node in walk(eq.value) if isinstance(node, Read))]
    elsewhere = {
        index
        for node in walk(eq.value)
        for place in _other_positions(node)
        for index in place.indices()
    }
    elsewhere |= {i for at in addresses for _, a in at.terms if not isinstance(a, Index)
                  for i in affine(a).indices()}  # fmt: skip
    free = [i for i in eq.indices if i not in elsewhere and i not in fixed and i is not eq.time]
    for outer in free:
        for inner in free:
            if outer is not inner and all(
                at.coefficient(outer) == at.coefficient(inner) * inner.size for at in addresses
            ):
                merged = Index(inner.name, outer.size * inner.size)
                mapping = {outer: affine(0), inner: affine(merged)}
                rest = tuple(i for i in eq.indices if i not in (outer, inner))
                place = substituted(eq.at[0], mapping)
                value = substitute(eq.value, mapping)
                joined = Equation(eq.target, (place,), (*rest, merged), value, eq.time)
                return collapsed(joined, fixed)
    return eq


def _other_positions(node: Expr) -> Sequence[Affine]:
    if isinstance(node, Number):
        return (node.value,)
    if isinstance(node, (Reduce, Select)):
        return [guard.value for guard in node.where]
    return ()


def _distinct(root: Expr) -> list[Expr]:
    """Every node once, however often it occurs."""
    found: dict[int, Expr] = {}

    def visit(node: Expr) -> None:
        if id(node) not in found:
            found[id(node)] = node
            for child in children(node):
                visit(child)

    visit(root)
    return list(found.values())


def _plain(expr: Expr) -> bool:
    """True if the value needs no statement of its own before it."""
    if isinstance(expr, (Const, Number, Read)):
        return all(_plain(child) for child in children(expr))
    return (
        isinstance(expr, Call)
        and expr.function in ("add", "sub", "mul")
        and all(_plain(arg) for arg in expr.args)
    )


def _gathers(at: Affine) -> bool:
    return any(isinstance(atom, Gather) for _, atom in at.terms)


def _nested_in(at: Affine, index: Index) -> bool:
    """True if the index also stands inside a quotient, a table or the like."""
    atoms = [atom for _, atom in at.terms if not isinstance(atom, Index)]
    return any(index in affine(atom).indices() for atom in atoms)


def _stride(body: Expr, index: Index) -> int:
    """The largest step through memory that the index makes."""
    steps = [abs(n.at[0].coefficient(index)) for n in walk(body) if isinstance(n, Read)]
    return max(steps, default=0)


def _count(
    ranges: dict[Index, tuple[str, str]], over: Sequence[Index], every: Sequence[Index]
) -> str:
    """How many points a mean is over."""
    fixed = math.prod(index.size for index in every if index not in ranges)
    parts = [f"({ranges[index][1]} - {ranges[index][0]})" for index in over if index in ranges]
    return " * ".join([*parts, *([str(fixed)] if fixed != 1 or not parts else [])])
