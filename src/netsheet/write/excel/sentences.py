"""What an equation does, in one sentence, for people who do not read mathematics."""

from __future__ import annotations

from netsheet.equations import Call, Equation, Expr, Read, Reduce, Select, Weight, reads, walk

_ENGLISH = {
    "product": "Each value is the sum of {a} times {b}{over}{more}.",
    "sum": "Each value is the sum of {a}{over}.",
    "mean": "Each value is the average of {a}{over}.",
    "max": "Each value is the largest of {a}{over}.",
    "min": "Each value is the smallest of {a}{over}.",
    "prod": "Each value is the product of {a}{over}.",
    "copy": "Each value is taken over from {a}.",
    "gather": "Each value is looked up in {a}.",
    "function": "Each value is computed from the same place of {a}.",
    "constant": "Each value is a constant.",
    "window": " over a window of {n} cells",
    "bias": ", plus {c}",
    "and": " and ",
}
_JAPANESE = {
    "product": "各値は、{over}{a} と {b} の積の総和{more}です。",
    "sum": "各値は、{over}{a} の総和です。",
    "mean": "各値は、{over}{a} の平均です。",
    "max": "各値は、{over}{a} の最大値です。",
    "min": "各値は、{over}{a} の最小値です。",
    "prod": "各値は、{over}{a} の積です。",
    "copy": "各値は {a} から写した値です。",
    "gather": "各値は、表 {a} から引き当てた値です。",
    "function": "各値は {a} の同じ位置の値から計算します。",
    "constant": "各値は定数です。",
    "window": "{n} セルの窓にわたる ",
    "bias": "に {c} を加えた値",
    "and": " と ",
}


def sentence(eq: Equation, language: str) -> str:
    """``Each value is the sum of input times kernel over a window of 16 cells, plus bias.``"""
    words = _JAPANESE if language == "ja" else _ENGLISH
    value = _chosen(eq.value)
    reduced = next((node for node in walk(value) if isinstance(node, Reduce)), None)
    if reduced is not None:
        return _reduction(value, reduced, words)
    names = _names(value)
    if not names:
        return words["constant"]
    shown = words["and"].join(_names(value, places=True)[:4] or names[:4])
    if isinstance(value, Read):
        computed = any(True for node in walk(value) if node is not value)
        return words["gather" if computed else "copy"].format(a=value.tensor.name)
    return words["function"].format(a=shown)


def _reduction(value: Expr, reduced: Reduce, words: dict[str, str]) -> str:
    inside = _names(reduced.body)
    points = 1
    for index in reduced.over:
        points *= index.size
    over = words["window"].format(n=points) if points > 1 else ""
    outside = [name for name in _names(value) if name not in inside]
    more = words["bias"].format(c=words["and"].join(outside)) if outside else ""
    if reduced.op == "sum" and len(inside) > 1:
        rest = words["and"].join(inside[1:])
        return words["product"].format(a=inside[0], b=rest, over=over, more=more)
    shown = words["and"].join(inside)
    return words[reduced.op].format(a=shown, over=over)


def _chosen(expr: Expr) -> Expr:
    """The main branch of a condition, which says what happens in the inside."""
    while isinstance(expr, Select) or (isinstance(expr, Call) and expr.function == "if"):
        expr = expr.then if isinstance(expr, Select) else expr.args[1]
    return expr


def _names(expr: Expr, places: bool = False) -> list[str]:
    """What the expression reads; with ``places`` only tensors that have many."""
    found: dict[str, None] = {}
    for read in reads(expr):
        tensor = read.tensor
        if places and (isinstance(tensor, Weight) or not tensor.shape):
            continue
        found[tensor.label or tensor.name if isinstance(tensor, Weight) else tensor.name] = None
    return list(found)
