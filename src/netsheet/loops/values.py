"""Expressions over memory as values of the loop IR, with the statements that they need before."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from netsheet.equations import (
    LIMITS,
    Affine,
    Call,
    Const,
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
    dtype_of,
    gathers,
    substitute,
    walk,
)
from netsheet.loops.builder import FunctionBuilder
from netsheet.loops.ir import (
    FLOAT,
    INT,
    WHOLE,
    AllOf,
    Apply,
    Assign,
    Buffer,
    Classified,
    Comparison,
    Conditional,
    Convert,
    FloorDivide,
    Greatest,
    If,
    Integer,
    Least,
    Let,
    Literal,
    Load,
    Modulo,
    PositionOf,
    Scalar,
    TableEntry,
    Test,
    Times,
    Variable,
    combination,
    plus,
    times,
)
from netsheet.loops.storage.addresses import Memory

UNROLLED = 4  # a reduction over so few points is written out
START = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}
WHOLE_START = {"sum": 0.0, "prod": 1.0, "max": LIMITS[WHOLE][0], "min": LIMITS[WHOLE][1]}
TOTALS = {"max": "most", "min": "least"}
SIGNS = {"less": "<", "less_equal": "<=", "equal": "=="}


class Values:
    """Lowers expressions over memory at one point of the loops around it.

    ``root`` is the whole expression: a part that it uses several times gets a name.
    """

    def __init__(self, builder: FunctionBuilder, root: Expr | None = None) -> None:
        self.builder = builder
        nodes = walk(root) if root is not None else ()
        self._uses = Counter(id(child) for node in nodes for child in children(node))
        self._known: dict[int, Scalar] = {}

    def know(self, expr: Expr, value: Scalar) -> None:
        """Take ``value`` for an expression from now on."""
        self._known[id(expr)] = value

    def buffer(self, node: Read) -> Buffer:
        """Where the tensor of a read over memory lies."""
        assert isinstance(node.tensor, Memory) and node.tensor.source is not None
        return self.builder.buffers[node.tensor.source]

    # ------------------------------------------------------------------ positions

    def position(self, at: Affine) -> Integer:
        """A position; statements that it needs are added before."""
        return combination([(factor, self._atom(atom)) for factor, atom in at.terms], at.const)

    def _atom(self, atom: object) -> Integer:
        if isinstance(atom, Index):
            return self.builder.index(atom)
        if isinstance(atom, Gather):
            kind = dtype_of(atom.value) or FLOAT
            return PositionOf(self.value(atom.value), atom.size, kind)
        assert isinstance(atom, (Quotient, Remainder, Lookup))
        inside = self.position(atom.value)
        if isinstance(atom, Lookup):
            return TableEntry(self.builder.program.table(atom.table), inside)
        divided = FloorDivide if isinstance(atom, Quotient) else Modulo
        positive = atom.value.bounds()[0] >= 0 and not any(gathers(atom.value))
        return divided(inside, atom.divisor, positive)

    def condition(self, where: Sequence[Guard]) -> Test:
        """True where all guards hold."""
        tests: list[Test] = []
        for guard in where:
            low, high = guard.value.bounds()
            value = self.position(guard.value)
            if low < guard.low:
                tests.append(Comparison(value, ">=", guard.low))
            if high >= guard.high:
                tests.append(Comparison(value, "<", guard.high))
        return AllOf(tuple(tests))

    # ------------------------------------------------------------------ values

    def value(self, expr: Expr, dtype: str = FLOAT) -> Scalar:
        """A value; statements that it needs are added before. A mere number is of ``dtype``."""
        if id(expr) in self._known:
            return self._known[id(expr)]
        dtype = dtype_of(expr) or dtype
        made = self._fresh(expr, dtype)
        if self._uses[id(expr)] > 1 and isinstance(expr, (Call, Select)):
            made = self.builder.let("v", made, dtype)
        if isinstance(expr, (Call, Select, Reduce)):
            self._known[id(expr)] = made
        return made

    def _fresh(self, expr: Expr, dtype: str) -> Scalar:
        if isinstance(expr, Const):
            return Literal(expr.value, dtype)
        if isinstance(expr, Number):
            return Convert(self.position(expr.value), dtype)
        if isinstance(expr, Read):
            return Load(self.buffer(expr), self.position(expr.at[0]))
        if isinstance(expr, Call):
            return self._call(expr, dtype)
        if isinstance(expr, Select):
            return self._select(expr, dtype)
        assert isinstance(expr, Reduce)
        return self._reduce(expr, dtype)

    def _call(self, expr: Call, dtype: str) -> Scalar:
        function, args = expr.function, expr.args
        if function == "if":
            then, otherwise = self.value(args[1], dtype), self.value(args[2], dtype)
            return Conditional(self._test(args[0]), then, otherwise)
        if function in ("max", "min") and isinstance(args[1], Const):
            return self._clamp(args[0], args[1], "<" if function == "max" else ">", dtype)
        if function in ("max", "min") and dtype == WHOLE:
            left, right = (self._named(self.value(arg, dtype), dtype) for arg in args)
            sign = ">" if function == "max" else "<"
            return Conditional(Comparison(left, sign, right), left, right)
        wanted = {"real": WHOLE, "whole": FLOAT}.get(function, dtype)
        return Apply(function, tuple(self.value(arg, wanted) for arg in args), dtype)

    def _test(self, expr: Expr) -> Test:
        """A truth value as a test."""
        if isinstance(expr, Call) and expr.function in SIGNS:
            kinds = {dtype_of(arg) for arg in expr.args} - {None}
            dtype = WHOLE if kinds == {WHOLE} else FLOAT
            left, right = (self.value(arg, dtype) for arg in expr.args)
            return Comparison(left, SIGNS[expr.function], right)
        if isinstance(expr, Call) and expr.function in ("isnan", "isinf"):
            return Classified(expr.function, self.value(expr.args[0]))
        return Comparison(self.value(expr), "!=", Literal(0.0))

    def _clamp(self, expr: Expr, limit: Const, sign: str, dtype: str) -> Scalar:
        """The value, or the limit beyond it; a NaN stays."""
        value = self._named(self.value(expr, dtype), dtype)
        bound = Literal(limit.value, dtype)
        return Conditional(Comparison(value, sign, bound), bound, value)

    def _named(self, value: Scalar, dtype: str = FLOAT) -> Variable:
        return value if isinstance(value, Variable) else self.builder.let("v", value, dtype)

    def _select(self, expr: Select, dtype: str) -> Scalar:
        test = self.condition(expr.where)
        if all(plain(branch) for branch in (expr.then, expr.otherwise)):
            then, otherwise = self.value(expr.then, dtype), self.value(expr.otherwise, dtype)
            return Conditional(test, then, otherwise)
        chosen = self.builder.let("v", None, dtype, mutable=True)
        bodies = []
        for branch in (expr.then, expr.otherwise):
            known = dict(self._known)
            with self.builder.block() as body:
                self.builder.add(Assign(chosen.name, self.value(branch, dtype)))
            self._known = known
            bodies.append(tuple(body))
        self.builder.add(If(test, *bodies))
        return chosen

    # ------------------------------------------------------------------ reductions

    def _reduce(self, expr: Reduce, dtype: str) -> Scalar:
        over = [index for index in expr.over if index.size > 1]
        points = math.prod(index.size for index in over)
        if points <= UNROLLED and not expr.where and plain(expr.body):
            return self._written_out(expr, over, points, dtype)
        builder = self.builder
        first = Literal((START if dtype == FLOAT else WHOLE_START)[expr.op], dtype)
        total = builder.let(TOTALS.get(expr.op, "sum"), first, dtype, mutable=True)
        over = sorted(over, key=lambda index: -_stride(expr.body, index))
        ranges, guards = self._ranges(expr.where, over)
        count: Variable | None = None
        if expr.op == "mean" and guards:
            count = builder.let("count", 0, INT, mutable=True)
        known = dict(self._known)
        self._accumulating(expr, over, ranges, guards, total, count)
        self._known = known
        if expr.op == "mean":
            size = count if count is not None else _count(ranges, over, expr.over)
            builder.accumulate("div", total, Convert(size))
        return total

    def _accumulating(
        self,
        expr: Reduce,
        over: Sequence[Index],
        ranges: dict[Index, tuple[Integer, Integer]],
        guards: Sequence[Guard],
        total: Variable,
        count: Variable | None,
    ) -> None:
        """The loops of a reduction."""
        builder = self.builder
        if over:
            index = over[0]
            with builder.loop(index, *ranges.get(index, (0, None))):
                self._accumulating(expr, over[1:], ranges, guards, total, count)
            return
        if guards:
            with builder.where(self.condition(guards)):
                self._accumulating(expr, (), ranges, (), total, count)
            return
        self._accumulate(expr.op, total, self.value(expr.body, total.dtype))
        if count is not None:
            builder.accumulate("sum", count, 1)

    def _accumulate(self, op: str, total: Variable, value: Scalar) -> None:
        if op in ("max", "min"):
            value = self._named(value, total.dtype)
        self.builder.accumulate("sum" if op == "mean" else op, total, value)

    def _written_out(self, expr: Reduce, over: Sequence[Index], points: int, dtype: str) -> Scalar:
        name = self.builder.fresh(TOTALS.get(expr.op, "sum"))
        total = Variable(name, dtype)
        for point in range(points):
            rest, at = point, {}
            for index in reversed(over):
                at[index], rest = rest % index.size, rest // index.size
            value = Values(self.builder, expr.body).value(substitute(expr.body, at), dtype)
            if point == 0:
                self.builder.add(Let(name, dtype, value, mutable=True))
            else:
                self._accumulate(expr.op, total, value)
        if expr.op == "mean":
            self.builder.accumulate("div", total, Literal(float(points)))
        return total

    def _ranges(
        self, where: Sequence[Guard], over: Sequence[Index]
    ) -> tuple[dict[Index, tuple[Integer, Integer]], list[Guard]]:
        """Guards as bounds of the loops where that can be; the others."""
        ranges: dict[Index, tuple[Integer, Integer]] = {}
        tests: list[Guard] = []
        for guard in where:
            taps = [index for index in over if index in guard.value.indices()]
            tap = taps[0] if len(taps) == 1 else None
            step = guard.value.coefficient(tap) if tap else 0
            if tap is None or tap in ranges or step <= 0 or _nested_in(guard.value, tap):
                tests.append(guard)
                continue
            low, high = tap_range(self, guard, tap)
            name = self.builder.index(tap).name
            ends = [self.builder.fresh(f"{name}_{end}") for end in ("low", "high")]
            for end, value in zip(ends, (low, high), strict=True):
                self.builder.add(Let(end, INT, value))
            ranges[tap] = Variable(ends[0]), Variable(ends[1])
        return ranges, tests


def tap_range(
    values: Values, guard: Guard, tap: Index, only_low: bool = False
) -> tuple[Integer, Integer]:
    """The first tap, and the one behind the last, for which the guard holds.

    ``only_low``: the caller uses the first one only.
    """
    step = guard.value.coefficient(tap)
    start = guard.value - tap * step - guard.low
    size = guard.high - guard.low
    if not start.terms:
        low = -(start.const // step) if start.const < 0 else 0
        high = min((size - 1 - start.const) // step + 1, tap.size)
        return low, max(high, 0)
    rest = values.position(start)
    first, last = start.bounds()
    if step == 1:
        below, above = first < 0, last + tap.size > size and not only_low
        if (below or above) and not isinstance(rest, Variable):
            rest = values.builder.let("first", rest, INT)
        left = plus(size, times(rest, -1))
        return (
            Greatest(times(rest, -1), 0) if below else 0,
            Least(left, tap.size) if above else tap.size,
        )
    # ceil(-rest / step) and floor((size - 1 - rest) / step) + 1
    before = plus(step - 1, times(rest, -1))
    behind = plus(size - 1, times(rest, -1))
    return (
        Greatest(FloorDivide(before, step, step - 1 - last >= 0), 0),
        Least(plus(FloorDivide(behind, step, size - 1 - last >= 0), 1), tap.size),
    )


def plain(expr: Expr) -> bool:
    """True if the value needs no statement of its own before it."""
    return all(
        isinstance(node, (Const, Number, Read))
        or (isinstance(node, Call) and node.function in ("add", "sub", "mul"))
        for node in walk(expr)
    )


def _nested_in(at: Affine, index: Index) -> bool:
    """True if the index also stands inside a quotient, a table or the like."""
    atoms = [atom for _, atom in at.terms if not isinstance(atom, Index)]
    return any(index in affine(atom).indices() for atom in atoms)


def _stride(body: Expr, index: Index) -> int:
    """The largest step through memory that the index makes."""
    steps = [abs(n.at[0].coefficient(index)) for n in walk(body) if isinstance(n, Read)]
    return max(steps, default=0)


def _count(
    ranges: dict[Index, tuple[Integer, Integer]], over: Sequence[Index], every: Sequence[Index]
) -> Integer:
    """How many points a mean is over."""
    fixed = math.prod(index.size for index in every if index not in ranges)
    spans = [plus(ranges[i][1], times(ranges[i][0], -1)) for i in over if i in ranges]
    if not spans:
        return fixed
    return Times((*spans, fixed)) if fixed != 1 or len(spans) > 1 else spans[0]
