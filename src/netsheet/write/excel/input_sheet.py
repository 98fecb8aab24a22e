"""What flows in: raw values, their scaling as formulas, and the sample that is selected."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netsheet.data.inputs import InputValue, Sample
from netsheet.data.scaling import Scaling
from netsheet.data.succession import Succession
from netsheet.equations import (
    Expr,
    FloatArray,
    Gather,
    Index,
    Tensor,
    Weight,
    affine,
    equation,
    indices_of,
)
from netsheet.equations.evaluation import evaluate
from netsheet.errors import UsageError
from netsheet.write.excel.arrangements import WIDEST
from netsheet.write.excel.book_layout import (
    INPUT,
    RAW,
    REAL,
    TOKENS,
    WEIGHT,
    BookLayout,
    LayerSheet,
    TensorBlock,
    layer_head,
    weights_of,
)
from netsheet.write.excel.placement import AxisOffsets, Placement, along
from netsheet.write.excel.real_values import whole
from netsheet.write.excel.sheet_names import distinct
from netsheet.write.excel.stored_numbers import as_stored

SAMPLE_ROW, SAMPLE_COL = 4, 4  # the first stored value on the Samples sheet
MOST_IN_ROW = 32  # values of a tensor that the row of a step shows


@dataclass(eq=False)
class WorkbookInputs:
    """The Input sheet, the table of samples if there are several, and the numbers given."""

    sheet: LayerSheet
    samples: str
    names: list[str]
    labels: list[int | None]
    choice: Tensor | None = None
    tables: list[TensorBlock] = field(default_factory=list)
    given: dict[Tensor, FloatArray] = field(default_factory=dict)
    shown: dict[Tensor, Tensor] = field(default_factory=dict)  # input -> raw values, or itself
    real: dict[Tensor, Tensor] = field(
        default_factory=dict
    )  # of a quantised input, its real values
    tokens: set[Tensor] = field(default_factory=set)  # inputs of whole numbers that name something
    # Where samples are computed one after another: the number of the one that is shown, the sheet
    # with a row for each, its first free column, the columns that only tell where the values of an
    # input stand, and of which table and row each raw value is.
    step: Tensor | None = None
    steps: str = ""
    free: int = SAMPLE_COL
    told: dict[Tensor, int] = field(default_factory=dict)
    rows: dict[Tensor, tuple[Tensor, int]] = field(default_factory=dict)


def checked(samples: Sequence[Sample], inputs: Sequence[Tensor]) -> None:
    """UsageError unless every sample has a value of the right shape for every input."""
    if not samples:
        raise UsageError("a workbook needs at least one sample: name an input")
    for sample in samples:
        for tensor in inputs:
            value = sample.inputs.get(tensor.name)
            if value is None:
                raise UsageError(f"sample {sample.name!r} has no value for input {tensor.name!r}")
            if value.values.shape != tensor.shape:
                raise UsageError(
                    f"sample {sample.name!r}: input {tensor.name!r} takes the shape "
                    f"{tensor.shape}, not {value.values.shape}"
                )


def laid_out(
    plan: BookLayout,
    tensors: Sequence[Tensor],
    samples: Sequence[Sample],
    names: tuple[str, str, str],
    chosen: Placement,
    tokens: Collection[str] = (),
    succession: Succession | None = None,
) -> WorkbookInputs:
    """Put the inputs on their sheet.

    ``names`` are those of the sheets of inputs, of samples and of steps, ``chosen`` is the cell
    with the number of the selected sample, ``tokens`` has the names of inputs of token numbers.
    With a ``succession`` every sample has inputs of its own among the ``tensors``.
    """
    sheet = LayerSheet(names[0], None)
    labels = [sample.label for sample in samples]
    result = WorkbookInputs(sheet, names[1], distinct(sample.name for sample in samples), labels)
    if len(samples) > 1:
        number = Tensor("sample" if succession is None else "step", (), ())
        plan.places[number] = chosen
        result.given[number] = np.array(1.0)
        if succession is None:
            result.choice = number
        else:
            result.step, result.steps = number, names[2]
    if succession is None:
        for tensor in tensors:
            _feed(plan, [tensor], [sample.inputs[tensor.name] for sample in samples], result)
    else:
        _feed_all(plan, tensors, samples, result, succession)
    constants = [w for w in weights_of(sheet.stated) if w not in plan.places]
    for weight in constants:
        plan.places[weight] = _row(weight)
        result.given[weight] = np.asarray(weight.values, float)
    parts: list[tuple[Tensor, str]] = [(weight, WEIGHT) for weight in constants]
    for tensor in tensors:
        shown = result.shown[tensor]
        if shown is not tensor:
            plan.places[shown] = plan.places[tensor]
            parts.append((shown, RAW))
        if tensor in result.real:
            plan.places[result.real[tensor]] = plan.places[tensor]
            parts.append((result.real[tensor], REAL))
        if tensor.name in tokens:
            result.tokens.add(tensor)
        parts.append((tensor, TOKENS if tensor in result.tokens else INPUT))
    row = layer_head(sheet.stated)
    for part, role in parts:
        row = plan.put(sheet, part, role, row)
    sheet.equations = sheet.stated
    plan.sheets.append(sheet)
    plan.computed.append(sheet)
    return result


def _feed_all(
    plan: BookLayout,
    tensors: Sequence[Tensor],
    samples: Sequence[Sample],
    result: WorkbookInputs,
    succession: Succession,
) -> None:
    """Each sample's inputs; the first states too, of a few numbers in a row of their own."""
    states = {state.before.name for state in succession.of.states}
    for tensor in succession.of.explicit.inputs:
        count = succession.count
        if tensor.name in states:
            count = min(count, succession.batch)
            values = [InputValue(np.zeros(tensor.shape, np.float32))] * count
        else:
            values = [sample.inputs[tensor.name] for sample in samples]
        fed = [succession.tensor(tensor.name, number) for number in range(count)]
        if fed[0] not in tensors:
            continue
        if tensor.size <= MOST_IN_ROW:
            _feed(plan, fed, values, result, result.steps)
            continue
        result.told[fed[0]] = result.free
        result.free += 2
        if tensor.name not in states:
            _feed(plan, fed, values, result, result.samples)
            continue
        for one, value in zip(fed, values, strict=True):
            _feed(plan, [one], [value], result)


def _feed(
    plan: BookLayout,
    fed: Sequence[Tensor],
    values: Sequence[InputValue],
    result: WorkbookInputs,
    sheet: str = "",
) -> None:
    """The equations from stored samples through raw values to the input.

    One input is fed from the chosen sample, several on a ``sheet`` from a row each.
    """
    tensor, at = fed[0], indices_of(fed[0])
    scaling = values[0].scaling
    raw = all(v.raw is not None and v.scaling is not None and v.scaling == scaling for v in values)
    raw = raw and (tensor.quantisation is None or _reached(tensor, values))
    arrays: list[Any] = [v.raw if raw else v.values for v in values]
    stored = np.stack([as_stored(np.asarray(array)).reshape(tensor.shape) for array in arrays])
    table = None
    if sheet or result.choice is not None:
        axes = ("sample", *tensor.axes)
        name = f"{tensor.name}/samples"
        table = Weight(name, axes, stored.shape, label="samples", values=stored)
        _tabled(plan, table, result, sheet or result.samples)
    constants: dict[str, Weight] = {}
    for row, tensor in enumerate(fed):
        source = Tensor(f"{tensor.name}/raw", tensor.axes, tensor.shape) if raw else tensor
        result.shown[tensor] = source
        if table is None:
            result.given[source] = stored[0]
        else:
            number = affine(row)
            if result.choice is not None:
                number = affine(Gather(result.choice[()], len(values))) - 1
            else:
                result.rows[source] = table, row
            result.sheet.stated.append(equation(source[at], table[(number, *at)]))
        if not raw or scaling is None:
            continue
        value = scaled(tensor, at, source[at], scaling, constants)
        if tensor.quantisation is None:
            result.sheet.stated.append(equation(tensor[at], value))
        else:
            real = Tensor(f"{tensor.name}/real", tensor.axes, tensor.shape)
            result.real[tensor] = real
            result.sheet.stated.append(equation(real[at], value))
            result.sheet.stated.append(equation(tensor[at], whole(tensor, real[at])))


def _reached(tensor: Tensor, values: Sequence[InputValue]) -> bool:
    """True if cells find from the raw values the same whole numbers that the samples have.

    Where a real number lies within the rounding of float32 of the middle between two whole ones,
    cells, which compute in doubles, may find the other one: the whole numbers are stored then.
    """
    at = indices_of(tensor)
    raw = Tensor("raw", tensor.axes, tensor.shape)
    scaling = values[0].scaling
    assert scaling is not None
    eq = equation(tensor[at], whole(tensor, scaled(tensor, at, raw[at], scaling)))
    return all(
        bool((evaluate([eq], {raw: np.asarray(v.raw, float).reshape(tensor.shape)})[tensor]
              == v.values.reshape(tensor.shape)).all())
        for v in values
    )  # fmt: skip


def scaled(
    tensor: Tensor,
    at: Sequence[Index],
    value: Expr,
    scaling: Scaling,
    constants: dict[str, Weight] | None = None,
) -> Expr:
    """``((255 - raw) * scale - mean) / std`` with those parts that change something.

    The numbers in it are noted in ``constants``, or taken from there.
    """
    known = {} if constants is None else constants
    channel = tensor.axes.index("channel") if "channel" in tensor.axes else len(tensor.axes) - 1
    size = tensor.shape[channel] if tensor.shape else 1

    def constant(label: str, numbers: Sequence[float]) -> Expr:
        values = np.asarray(numbers, float)
        if len(values) == size and size > 1 and len(set(numbers)) > 1:
            weight = Weight(f"{tensor.name}/{label}", ("channel",), (size,), None, label, values)
            return known.setdefault(label, weight)[at[channel]]
        weight = Weight(f"{tensor.name}/{label}", (), (), None, label, values.reshape(-1)[0])
        return known.setdefault(label, weight)[()]

    if scaling.invert:
        value = 255 - value
    divisor = 1 / scaling.scale if scaling.scale else 1.0
    if abs(divisor - round(divisor)) < 1e-9 * abs(divisor) and round(divisor) != 1:
        value = value / constant("divisor", [float(round(divisor))])
    elif scaling.scale != 1:
        value = value * constant("scale", [scaling.scale])
    if any(scaling.mean):
        value = value - constant("mean", scaling.mean)
    if any(number != 1 for number in scaling.std):
        value = value / constant("std", scaling.std)
    return value


def _row(weight: Weight) -> Placement:
    axes = (along(weight.shape[0], 0, 1),) if weight.shape else ()
    return Placement(axes, "row" if axes else "cell")


def _tabled(plan: BookLayout, table: Weight, result: WorkbookInputs, name: str) -> None:
    """One row for each sample; one column, on a sheet of its own, where a row would be too long."""
    count, *shape = table.shape
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    after = sum(b.place.width for b in result.tables if b.place.sheet == name)
    if name == result.steps:
        after = result.free - SAMPLE_COL
        result.free += math.prod(shape) + 1
    tall = math.prod(shape) + after + SAMPLE_COL > WIDEST
    axes: list[AxisOffsets] = [along(count, 0, 1) if tall else along(count, 1, 0)]
    for size, step in zip(shape, strides, strict=True):
        axes.append(along(size, step, 0) if tall else along(size, 0, step))
    sheet = f"{result.samples} {len(result.tables) + 2}" if tall else name
    column = 1 if tall else SAMPLE_COL + after
    place = Placement(tuple(axes), "samples").moved(sheet, SAMPLE_ROW, column)
    plan.places[table] = place
    result.tables.append(TensorBlock(table, place, RAW, SAMPLE_ROW - 2))
    result.given[table] = np.asarray(table.values, float)
