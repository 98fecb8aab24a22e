"""The command explain: what one value of a layer is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from netsheet.cli import options, show
from netsheet.cli.declarations import Argument, Option
from netsheet.cli.language import word
from netsheet.cli.opening import opened
from netsheet.cli.options import BatchAxis, Inputs, Json, ModelFile
from netsheet.cli.scaling import Scaled
from netsheet.equations import FLOAT
from netsheet.errors import NetsheetError, UsageError
from netsheet.selection import require_layers

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.equations import Index, Tensor
    from netsheet.explanation import Explanation, Term
    from netsheet.model import Model
    from netsheet.write.excel import CellFormula
    from netsheet.write.excel.term_pages import TermPage

MAX_PAGES = 6  # windows that are printed unless all are asked for
WIDTH = 9  # characters of a number in a window
SCREEN = 78  # columns that three blocks side by side may fill


def explain(
    model_file: ModelFile,
    layer: Annotated[str, Argument(help="A layer, or a step on the way to it: lstm/pre.")],
    at: Annotated[
        str, Argument(help="The position of the value: 0,3,4 (one number for each axis).")
    ],
    inputs: Inputs = None,
    every: Annotated[bool, Option("--all", help="All windows of a long sum.")] = False,
    wanted: Scaled = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Take one value apart: what it reads, each product, the sum, and the cell in the workbook."""
    from netsheet.write.excel import cell_formula

    model = opened(model_file, batch_axis)
    require_layers(model)
    if inputs and len(inputs) > 1 and not model.states:
        raise UsageError("explain takes a value of one --input apart; give one.")
    samples, _ = options.samples_of(model, inputs, None, 1, wanted)
    sample = samples[0]
    if not model.bound:
        model = model.bind({name: value.values.shape for name, value in sample.inputs.items()})
    if model.states:
        sample = _last(model, samples)
    show.note(sample.note)
    found = model.explain(layer, _position(at), sample)
    cell = None
    if not model.states or len(samples) == 1:  # several steps make a workbook of other cells
        with suppress(NetsheetError):  # a layer elsewhere that has no formulas
            cell = cell_formula(model, [sample], found.tensor.name, found.at)
    if as_json:
        show.as_json(_json(found, cell))
        return
    for line in _lines(found, cell, every):
        show.say(line)


def _last(model: Model, samples: Sequence[Sample]) -> Sample:
    """The last one, with the states that those before it have left."""
    from netsheet.data.inputs import InputValue
    from netsheet.engine.prediction import batch_of
    from netsheet.engine.run import engine

    options.say_states(model, len(samples))
    before = engine(model).states_before(batch_of(samples))
    states = {name: InputValue(array[-1]) for name, array in before.items()}
    return replace(samples[-1], inputs={**samples[-1].inputs, **states})


def _position(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise UsageError(f"a position is whole numbers, as 0,3,4; not {text!r}.") from None


def _element(tensor: Tensor, at: Sequence[int]) -> str:
    from netsheet.equations import Weight

    name = tensor.label if isinstance(tensor, Weight) and tensor.label else tensor.name
    return f"{name}[{', '.join(map(str, at))}]" if at else name


def _lines(found: Explanation, cell: CellFormula | None, every: bool) -> Iterator[str]:
    yield f"{_element(found.tensor, found.at)} = {_shortest(found.value)}"
    yield ""
    yield f"  {_filled_in(found)}"
    if cell is not None:
        yield f"  {cell.address}   {cell.formula}"
    for number in range(len(found.terms)):
        yield from _reduction(found, number, every)
    yield ""
    results = list(_results(found))
    wide = max(44, *(len(text) for text, _, _ in results))
    for text, value, exact in results:
        yield f"  {text:<{wide}} {_shortest(value):<11} {exact}".rstrip()
    seen: set[object] = set()
    for tensor, at, value in found.elements:
        if (tensor, at) not in seen:
            yield f"      {_element(tensor, at):<{wide - 4}} {_shortest(value)}"
        seen.add((tensor, at))
    known = found.tensor.quantisation
    if known is not None and not known.axes:
        sign = "-" if known.zero_point > 0 else "+"
        made = f"({_shortest(found.value)} {sign} {abs(known.zero_point)}) × {known.step:.9g}"
        real = float(known.real(np.asarray(found.value)))
        yield ""
        yield f"  {word('as a real number'):<{wide}} {real:<11.9g} {made}"


def _shortest(value: float) -> str:
    """Nine digits, as a float32 needs; a whole number with all of its own."""
    whole = float(value).is_integer() and abs(value) < 2**53
    return str(int(value)) if whole else f"{value:.9g}"


def _filled_in(found: Explanation) -> str:
    """The equation with the numbers of this element in place of its indices."""
    from netsheet.equations import affine, substitute, substituted
    from netsheet.write.mathematics import text

    eq, numbers = found.composition.equation, dict(found.indices)
    at = tuple(affine(substituted(place, numbers)) for place in eq.at)
    return text(replace(eq, at=at, indices=(), value=substitute(eq.value, numbers)))


def _results(found: Explanation) -> Iterator[tuple[str, float, str]]:
    """Each total and each stage in words, with its value, and what was rounded to it."""
    from netsheet.equations import Call
    from netsheet.explanation import before_rounding
    from netsheet.write.mathematics import stage_text

    earlier = {}
    picked: Mapping[Index, int] = found.picked
    for reduction, total in zip(found.composition.reductions, found.totals, strict=True):
        earlier[reduction.result] = reduction.result.name
        yield f"{reduction.result.name} of {reduction.size} terms", total, ""
    for stage, value, operands in zip(
        found.composition.stages, found.results, found.operands, strict=True
    ):
        function = stage.value.function if isinstance(stage.value, Call) else ""
        exact = before_rounding(function, operands)
        yield stage_text(stage.value, earlier, picked), value, exact
        earlier[stage.result] = "…"


def _reduction(found: Explanation, number: int, every: bool) -> Iterator[str]:
    """The windows of one sum: what is read, times what, makes which products."""
    from netsheet.write.excel.term_pages import pages, side_for
    from netsheet.write.mathematics import stage_text

    reduction = found.composition.reductions[number]
    terms = {term.point: term for term in found.terms[number]}
    heads = [stage_text(factor, {}, found.picked) for factor in reduction.factors]
    laid_out = pages(reduction, side_for([reduction]))
    shown = laid_out if every else laid_out[:MAX_PAGES]
    for page in shown:
        yield ""
        label = f"   ({page.label})" if page.label else ""
        yield "  " + " × ".join(heads) + label
        whole = found.composition.equation.target.dtype != FLOAT
        yield from _window(page, terms, len(heads), _whole if whole else _number)
    if len(shown) < len(laid_out):
        yield ""
        yield f"  ... and {len(laid_out) - len(shown)} windows more (--all)"


def _window(
    page: TermPage,
    terms: Mapping[tuple[int, ...], Term],
    factors: int,
    number: Callable[[float], str],
) -> Iterator[str]:
    rows: dict[int, list[Term]] = {}
    for row, _, point in page.cells:
        rows.setdefault(row, []).append(terms[point])
    blocks = [
        [
            "".join(
                number(term.operands[factor].value) if term.inside else "-".rjust(WIDTH)
                for term in line
            )
            for line in rows.values()
        ]
        for factor in range(factors)
    ]
    products = ["".join(number(term.value) for term in line) for line in rows.values()]
    if factors > 1 and (factors + 1) * (len(products[0]) + 3) <= SCREEN:
        yield from _side_by_side([*blocks, products], ["×"] * (factors - 1) + ["="])
        return
    yield from _side_by_side(blocks, ["×"] * (factors - 1))
    if factors > 1:
        yield "  ="
        yield from _side_by_side([products], [])


def _number(value: float) -> str:
    return f"{value + 0.0:{WIDTH}.4f}".replace(f"{-0.0:{WIDTH}.4f}", f"{0.0:{WIDTH}.4f}")


def _whole(value: float) -> str:
    return f"{value:{WIDTH}.0f}"


def _side_by_side(blocks: Sequence[Sequence[str]], signs: Sequence[str]) -> Iterator[str]:
    """Blocks of lines beside each other, a sign between them in the middle line."""
    middle = len(blocks[0]) // 2
    for number, lines in enumerate(zip(*blocks, strict=True)):
        joined = lines[0]
        for sign, line in zip(signs, lines[1:], strict=True):
            joined += f" {sign if number == middle else ' '} {line}"
        yield "  " + joined


def _json(found: Explanation, cell: CellFormula | None) -> dict[str, Any]:
    known = found.tensor.quantisation
    return {
        "tensor": found.tensor.name,
        "at": list(found.at),
        "value": found.value,
        "real": None if known is None or known.axes else float(known.real(np.asarray(found.value))),
        "equation": _filled_in(found),
        "cell": None if cell is None else cell.address,
        "formula": None if cell is None else cell.formula,
        "sums": [
            {
                "operation": reduction.op,
                "value": total,
                "terms": [
                    {
                        "reads": [
                            _element(*element)
                            for operand in term.operands
                            for element in operand.elements
                        ],
                        "factors": [operand.value for operand in term.operands],
                        "value": term.value,
                        "inside": term.inside,
                    }
                    for term in terms
                ],
            }
            for reduction, terms, total in zip(
                found.composition.reductions, found.terms, found.totals, strict=True
            )
        ],
        "results": [{"text": text, "value": value} for text, value, _ in _results(found)],
        "reads": [
            {"element": _element(tensor, at), "value": value}
            for tensor, at, value in found.elements
        ],
    }
