"""Losses as equations, each as Keras defines it (keras/src/losses/losses.py), for one sample."""

from __future__ import annotations

from collections.abc import Callable

from netsheet.equations import Equation, Expr, Tensor, call, equation, indices_of, reduce

EPSILON = 1e-7  # keras.config.epsilon()

Loss = Callable[[Tensor, Tensor, Tensor], list[Equation]]


def loss_equations(name: str, output: Tensor, target: Tensor) -> tuple[list[Equation], Tensor]:
    """The equations of a loss, and the tensor without axes that they fill.

    Args:
        name: one of :data:`LOSSES`. Those that end in ``_from_logits`` take what stands before a
            final softmax or sigmoid, as Keras computes them where it can.
        output: what the network gives.
        target: what it should give, of the same shape (classes as one-hot rows).
    """
    if output.shape != target.shape:
        raise ValueError(f"a target of the shape {target.shape} does not fit {output.shape}")
    loss = Tensor("loss", (), ())
    return LOSSES[name](output, target, loss), loss


def _rows(output: Tensor, loss: Tensor) -> tuple[Tensor, list[Equation]]:
    """A loss for each row of the output, and the mean over the rows."""
    rows = Tensor("loss/rows", output.axes[:-1], output.shape[:-1])
    at = indices_of(rows)
    mean = reduce("mean", at, rows[at]) if at else rows[()]
    return rows, [equation(loss[()], mean)]


def _categorical(p: Tensor, y: Tensor, loss: Tensor) -> list[Equation]:
    rows, mean = _rows(p, loss)
    total = Tensor("loss/total", rows.axes, rows.shape)
    *at, c = indices_of(p)
    clipped = call("min", call("max", p[(*at, c)] / total[tuple(at)], EPSILON), 1 - EPSILON)
    likelihood = reduce("sum", [c], y[(*at, c)] * call("log", clipped))
    return [
        equation(total[tuple(at)], reduce("sum", [c], p[(*at, c)])),
        equation(rows[tuple(at)], -likelihood),
        *mean,
    ]


def _categorical_from_logits(z: Tensor, y: Tensor, loss: Tensor) -> list[Equation]:
    """log(sum exp z) - sum y z, for targets that add up to 1; with the maximum taken out."""
    rows, mean = _rows(z, loss)
    most, total = (Tensor(f"loss/{part}", rows.axes, rows.shape) for part in ("most", "total"))
    *at, c = indices_of(z)
    row = tuple(at)
    distance = most[row] + call("log", total[row]) - z[(*row, c)]
    return [
        equation(most[row], reduce("max", [c], z[(*row, c)])),
        equation(total[row], reduce("sum", [c], call("exp", z[(*row, c)] - most[row]))),
        equation(rows[row], reduce("sum", [c], y[(*row, c)] * distance)),
        *mean,
    ]


def _by_element(formula: Callable[[Expr, Expr], Expr]) -> Loss:
    """The mean over all elements of a formula of output and target."""

    def equations(p: Tensor, y: Tensor, loss: Tensor) -> list[Equation]:
        each = Tensor("loss/each", p.axes, p.shape)
        at = indices_of(p)
        over = indices_of(p)
        return [
            equation(each[at], formula(p[at], y[at])),
            equation(loss[()], reduce("mean", over, each[over])),
        ]

    return equations


def _binary(p: Expr, y: Expr) -> Expr:
    clipped = call("min", call("max", p, EPSILON), 1 - EPSILON)
    return -(y * call("log", clipped) + (1 - y) * call("log", 1 - clipped))


def _binary_from_logits(z: Expr, y: Expr) -> Expr:
    """max(z, 0) - z y + log(1 + exp(-|z|)), which overflows nowhere."""
    return call("max", z, 0) - z * y + call("log", call("exp", -call("abs", z)) + 1)


def _huber(p: Expr, y: Expr) -> Expr:
    error = call("abs", y - p)
    return call("if", call("less_equal", error, 1), 0.5 * error * error, error - 0.5)


LOSSES: dict[str, Loss] = {
    "categorical_crossentropy": _categorical,
    "categorical_crossentropy_from_logits": _categorical_from_logits,
    "binary_crossentropy": _by_element(_binary),
    "binary_crossentropy_from_logits": _by_element(_binary_from_logits),
    "mean_squared_error": _by_element(lambda p, y: (p - y) * (p - y)),
    "mean_absolute_error": _by_element(lambda p, y: call("abs", p - y)),
    "huber": _by_element(_huber),
}
