"""Losses as equations, each as Keras defines it (keras/src/losses/losses.py), for one sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from netsheet.classes import is_softmax
from netsheet.equations import (
    Call,
    Equation,
    Expr,
    Read,
    Tensor,
    call,
    equation,
    indices_of,
    reads,
    reduce,
)

EPSILON = 1e-7  # keras.config.epsilon()

Rows = Callable[[Tensor, Tensor, Tensor], list[Equation]]


def from_logits(name: str, output: Tensor, equations: Sequence[Equation]) -> tuple[str, Tensor]:
    """The loss and what it takes: the logits where Keras's TensorFlow takes those.

    A crossentropy behind a softmax along the last axis, or behind a sigmoid, is computed from what
    that got: nothing is clipped then, and a wrong answer of probability 0 still has a slope.
    Source: keras/src/backend/tensorflow/nn.py, ``_get_logits``.
    """
    made = {eq.target: eq for eq in equations}
    if output not in made or f"{name}_from_logits" not in LOSSES:
        return name, output
    eq = made[output]
    if name == "categorical_crossentropy" and is_softmax(output, equations):
        assert isinstance(eq.value, Call)
        top, below = (arg.tensor for arg in eq.value.args if isinstance(arg, Read))
        power = made[top]
        before = [read.tensor for read in reads(power.value) if read.at == power.at]
        if below.axes == output.axes[:-1] and len(before) == 1 and before[0].axes == output.axes:
            return f"{name}_from_logits", before[0]
    if name == "binary_crossentropy" and isinstance(eq.value, Call):
        (arg, *_) = eq.value.args
        if eq.value.function == "sigmoid" and isinstance(arg, Read) and arg.at == eq.at:
            return f"{name}_from_logits", arg.tensor
    return name, output


def shifts(equations: Sequence[Equation]) -> list[Tensor]:
    """What a loss from logits takes off them and adds again, so that no exponential overflows.

    The loss does not depend on it: its adjoint is 0, and need not be computed.
    """
    return [eq.target for eq in equations if eq.target.name == "loss/most"]


def loss_equations(
    name: str, output: Tensor, target: Tensor, share: Tensor | None = None
) -> tuple[list[Equation], Tensor]:
    """The equations of a loss, and the tensor without axes that they fill.

    Args:
        name: one of :data:`LOSSES`. Those that end in ``_from_logits`` take what stands before a
            final softmax or sigmoid, as Keras computes them where it can.
        output: what the network gives.
        target: what it should give, of the same shape (classes as one-hot rows).
        share: of each position along the first axes in the loss (they add up to 1), where the
            first one counts samples; None for one sample.
    """
    if output.shape != target.shape:
        raise ValueError(f"a target of the shape {target.shape} does not fit {output.shape}")
    loss = Tensor("loss", (), ())
    rows = Tensor("loss/rows", output.axes[:-1], output.shape[:-1])
    at = indices_of(rows)
    whole: Expr = rows[at]
    if share is not None:
        inner = rows.size // share.size
        total = reduce("sum", at, whole * share[at[: len(share.shape)]])
        whole = total / inner if inner > 1 else total
    elif at:
        whole = reduce("mean", at, whole)
    return [*LOSSES[name](output, target, rows), equation(loss[()], whole)], loss


def _categorical(p: Tensor, y: Tensor, rows: Tensor) -> list[Equation]:
    total = Tensor("loss/total", rows.axes, rows.shape)
    *at, c = indices_of(p)
    clipped = call("min", call("max", p[(*at, c)] / total[tuple(at)], EPSILON), 1 - EPSILON)
    likelihood = reduce("sum", [c], y[(*at, c)] * call("log", clipped))
    return [
        equation(total[tuple(at)], reduce("sum", [c], p[(*at, c)])),
        equation(rows[tuple(at)], -likelihood),
    ]


def _categorical_from_logits(z: Tensor, y: Tensor, rows: Tensor) -> list[Equation]:
    """log(sum exp z) - sum y z, for targets that add up to 1; with the maximum taken out."""
    most, total = (Tensor(f"loss/{part}", rows.axes, rows.shape) for part in ("most", "total"))
    *at, c = indices_of(z)
    row = tuple(at)
    distance = most[row] + call("log", total[row]) - z[(*row, c)]
    return [
        equation(most[row], reduce("max", [c], z[(*row, c)])),
        equation(total[row], reduce("sum", [c], call("exp", z[(*row, c)] - most[row]))),
        equation(rows[row], reduce("sum", [c], y[(*row, c)] * distance)),
    ]


def _by_element(formula: Callable[[Expr, Expr], Expr]) -> Rows:
    """The mean along the last axis of a formula of output and target."""

    def equations(p: Tensor, y: Tensor, rows: Tensor) -> list[Equation]:
        *at, c = indices_of(p)
        mean = reduce("mean", [c], formula(p[(*at, c)], y[(*at, c)]))
        return [equation(rows[tuple(at)], mean)]

    return equations


def _binary(p: Expr, y: Expr) -> Expr:
    clipped = call("min", call("max", p, EPSILON), 1 - EPSILON)
    return -(y * call("log", clipped) + (1 - y) * call("log", 1 - clipped))


def _binary_from_logits(z: Tensor, y: Tensor, rows: Tensor) -> list[Equation]:
    """log(exp z + 1) - z y, with the larger of z and 0 taken out, so that nothing overflows."""
    most = Tensor("loss/most", z.axes, z.shape)
    *at, c = indices_of(z)
    here = (*at, c)
    total = call("exp", z[here] - most[here]) + call("exp", -most[here])
    softplus = most[here] + call("log", total)
    return [
        equation(most[here], call("max", z[here], 0)),
        equation(rows[tuple(at)], reduce("mean", [c], softplus - z[here] * y[here])),
    ]


def _huber(p: Expr, y: Expr) -> Expr:
    error = call("abs", y - p)
    return call("if", call("less_equal", error, 1), 0.5 * error * error, error - 0.5)


def _percentage(p: Expr, y: Expr) -> Expr:
    return 100 * call("abs", (y - p) / call("max", call("abs", y), EPSILON))


def _logarithmic(p: Expr, y: Expr) -> Expr:
    error = _log_of(y) - _log_of(p)
    return error * error


def _log_of(x: Expr) -> Expr:
    return call("log", call("max", x, EPSILON) + 1)


def _log_cosh(p: Expr, y: Expr) -> Expr:
    """log cosh of the error, with its larger exponential taken out."""
    error = call("abs", p - y)
    return error + call("log", 1 + call("exp", -2 * error)) - math.log(2)


def _poisson(p: Expr, y: Expr) -> Expr:
    return p - y * call("log", p + EPSILON)


def _hinge(p: Expr, y: Expr) -> Expr:
    """For targets of -1 and 1, or of 0 and 1."""
    sign = call("if", call("equal", y, 0), -1, y)
    return call("max", 1 - sign * p, 0)


def _squared_hinge(p: Expr, y: Expr) -> Expr:
    error = _hinge(p, y)
    return error * error


def _binary_focal(p: Expr, y: Expr) -> Expr:
    """Binary crossentropy, weighed by ``(1 - p of the true class)^2`` (Lin et al. 2017)."""
    clipped = call("min", call("max", p, EPSILON), 1 - EPSILON)
    wrong = 1 - (y * clipped + (1 - y) * (1 - clipped))
    return wrong * wrong * _binary(p, y)


def _divergence(p: Tensor, y: Tensor, rows: Tensor) -> list[Equation]:
    """Kullback and Leibler's: sum y log(y / p)."""
    *at, c = indices_of(p)
    here = (*at, c)
    given, found = (call("min", call("max", t[here], EPSILON), 1) for t in (y, p))
    return [equation(rows[tuple(at)], reduce("sum", [c], given * call("log", given / found)))]


def _cosine(p: Tensor, y: Tensor, rows: Tensor) -> list[Equation]:
    """Minus the cosine of the angle between both rows."""
    lengths = [Tensor(f"loss/{part}", rows.axes, rows.shape) for part in ("length", "aim")]
    made = []
    for tensor, length in zip((p, y), lengths, strict=True):
        *at, c = indices_of(tensor)
        square = reduce("sum", [c], tensor[(*at, c)] * tensor[(*at, c)])
        made.append(equation(length[tuple(at)], call("sqrt", call("max", square, 1e-12))))
    *at, c = indices_of(p)
    row = tuple(at)
    product = reduce("sum", [c], p[(*row, c)] * y[(*row, c)])
    return [*made, equation(rows[row], -(product / (lengths[0][row] * lengths[1][row])))]


def _categorical_hinge(p: Tensor, y: Tensor, rows: Tensor) -> list[Equation]:
    """How far the largest wrong answer comes near to the right one."""
    right, wrong = (Tensor(f"loss/{part}", rows.axes, rows.shape) for part in ("right", "wrong"))
    *at, c = indices_of(p)
    row, here = tuple(at), (*at, c)
    return [
        equation(right[row], reduce("sum", [c], y[here] * p[here])),
        equation(wrong[row], reduce("max", [c], (1 - y[here]) * p[here])),
        equation(rows[row], call("max", wrong[row] - right[row] + 1, 0)),
    ]


def _categorical_focal(p: Tensor, y: Tensor, rows: Tensor) -> list[Equation]:
    """``-0.25 (1 - p)^2 y log p`` (Lin et al. 2017)."""
    total = Tensor("loss/total", rows.axes, rows.shape)
    *at, c = indices_of(p)
    share = call("min", call("max", p[(*at, c)] / total[tuple(at)], EPSILON), 1 - EPSILON)
    wrong = 1 - share
    likelihood = reduce("sum", [c], wrong * wrong * y[(*at, c)] * call("log", share))
    return [
        equation(total[tuple(at)], reduce("sum", [c], p[(*at, c)])),
        equation(rows[tuple(at)], -0.25 * likelihood),
    ]


LOSSES: dict[str, Rows] = {
    "categorical_crossentropy": _categorical,
    "categorical_crossentropy_from_logits": _categorical_from_logits,
    "binary_crossentropy": _by_element(_binary),
    "binary_crossentropy_from_logits": _binary_from_logits,
    "mean_squared_error": _by_element(lambda p, y: (p - y) * (p - y)),
    "mean_absolute_error": _by_element(lambda p, y: call("abs", p - y)),
    "huber": _by_element(_huber),
    "mean_absolute_percentage_error": _by_element(_percentage),
    "mean_squared_logarithmic_error": _by_element(_logarithmic),
    "log_cosh": _by_element(_log_cosh),
    "poisson": _by_element(_poisson),
    "hinge": _by_element(_hinge),
    "squared_hinge": _by_element(_squared_hinge),
    "categorical_hinge": _categorical_hinge,
    "kl_divergence": _divergence,
    "cosine_similarity": _cosine,
    "categorical_focal_crossentropy": _categorical_focal,
    "binary_focal_crossentropy": _by_element(_binary_focal),
}
