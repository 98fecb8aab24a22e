"""One row for each function of NNabla: the layer that computes it.

What a function means: nnabla.readthedocs.io, *Functions*; where the file leaves a number out it
is 0, as protobuf has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netsheet.equations import call
from netsheet.errors import UnsupportedError
from netsheet.layer import Layer
from netsheet.layers import activation, merge, norm, shape
from netsheet.operators import array_ops, elementwise, lookup, movement
from netsheet.operators.base import Rule
from netsheet.read.nnp import windows
from netsheet.read.nnp.function import NnpFunction, Row


def _require(f: NnpFunction, name: str, value: float) -> None:
    """UnsupportedError where a number is another one than a layer has it."""
    if abs(f.given.number(name) - value) > 1e-6 * abs(value):
        raise UnsupportedError(f"{f.kind} with {name} {f.given.number(name):g} is not computed")


def _batch_normalization(f: NnpFunction) -> Layer:
    """Inputs: x, beta, gamma, mean, variance; beta and gamma may be left out by a flag."""
    axes = f.given.integers("axes")
    if f.given.flag("batch_stat"):
        raise UnsupportedError(
            f"{f.kind} with the statistics of the batch (batch_stat) is not computed for one "
            "sample; save the network for inference"
        )
    if len(axes) != 1:
        raise UnsupportedError(f"{f.kind} along the axes {axes} is not computed")
    labels = ["beta"] * (not f.given.flag("no_bias")) + ["gamma"] * (not f.given.flag("no_scale"))
    labels += ["moving_mean", "moving_variance"]
    weights = {
        label: f.weight(n, label, ("out",), (f.array(n).size,))
        for n, label in enumerate(labels, start=1)
    }
    return norm.BatchNormalization(
        axis=f.checked(axes[0]) - 1, epsilon=f.given.number("eps"), center="beta" in labels,
        scale="gamma" in labels, weights=weights,
    )  # fmt: skip


def _prelu(f: NnpFunction) -> Layer:
    """One slope, or one for each position of an axis."""
    slope, rank = f.array(1), len(f.input(0).shape)
    axis = f.axis("base_axis") if slope.size > 1 else 1
    sizes = [slope.size if n == axis else 1 for n in range(1, rank)]
    axes = [f"axis{n}" for n in range(1, rank)]
    shared = tuple(n for n, size in enumerate(sizes) if size == 1)
    alpha = f.weight(1, "alpha", axes, sizes)
    return activation.PReLU(shared_axes=shared, weights={"alpha": alpha})


def _selu(f: NnpFunction) -> Layer:
    _require(f, "scale", 1.0507009873554805)
    _require(f, "alpha", 1.6732632423543772)
    return activation.SELU()


def _softplus(f: NnpFunction) -> Layer:
    _require(f, "beta", 1.0)
    return activation.Softplus()


def _reshape(f: NnpFunction) -> Layer:
    """To the shape that the file says of the output, without the batch."""
    wanted = f.given.shape("shape")
    sizes = f.outputs[0].inner
    if wanted and len(wanted) != len(sizes) + 1:
        raise UnsupportedError(f"{f.kind} to {wanted} moves the batch axis; that is not computed")
    return shape.Reshape(target_shape=sizes)


def _transpose(f: NnpFunction) -> Layer:
    axes = f.given.integers("axes")
    if sorted(axes) != list(range(len(f.input(0).shape))):
        raise UnsupportedError(f"{f.kind} to the axes {axes} is not computed")
    return f.operator(array_ops.permuted(lambda rank: axes))


def _concatenate(f: NnpFunction) -> Layer:
    return f.operator(movement.concat, "Concat", axis=f.axis("axis"))


def _stack(f: NnpFunction) -> Layer:
    axis = f.axis("axis", len(f.input(0).shape) + 1)
    return f.operator(array_ops.stacked(axis))


def _split(f: NnpFunction) -> Layer:
    """One output for each position of an axis, which is gone then."""
    axis = f.axis("axis")
    if len(f.outputs) != f.input(0).shape[axis]:
        raise UnsupportedError(
            f"{f.kind} of {f.input(0).shape[axis]} into {len(f.outputs)} is not computed"
        )
    return f.operator(array_ops.unstacked(axis, -1), count=len(f.outputs))


def _slice(f: NnpFunction) -> Layer:
    """From ``start`` to ``stop`` in steps, for the last axes that there are numbers for."""
    start, stop, step = (f.given.integers(name) for name in ("start", "stop", "step"))
    rank = len(f.input(0).shape)
    missing = rank - len(start)
    if not len(start) == len(stop) == len(step) or missing < 0 or not all(step):
        raise UnsupportedError(
            f"{f.kind} from {start} to {stop} in steps of {step} is not computed"
        )
    if not missing and (start[0], step[0]) != (0, 1):
        raise UnsupportedError(f"{f.kind} cuts the batch axis; that is not computed")
    kept = list(range(max(missing, 1), rank))
    cut = [list(numbers)[1 - missing if missing < 1 else 0 :] for numbers in (start, stop, step)]
    return f.operator(
        movement.slices, "Slice",
        settings={"starts": cut[0], "ends": cut[1], "axes": kept, "steps": cut[2]},
    )  # fmt: skip


def _pad(f: NnpFunction) -> Layer:
    """Pairs of numbers for the last axes; ``repeat`` is the nearest value."""
    widths, rank = f.given.integers("pad_width"), len(f.input(0).shape)
    mode = {"constant": "constant", "reflect": "reflect", "repeat": "edge"}.get(
        f.given.text("mode")
    )
    if len(widths) % 2 or len(widths) > 2 * rank or mode is None or min(widths, default=0) < 0:
        raise UnsupportedError(
            f"{f.kind} by {widths} in the mode {f.given.text('mode')!r} is not computed"
        )
    pairs = [(widths[n], widths[n + 1]) for n in range(0, len(widths), 2)]
    pairs = [(0, 0)] * (rank - len(pairs)) + pairs
    sizes = f.input(0).shape[1:]
    if mode == "reflect" and any(
        max(pair) >= n for pair, n in zip(pairs[1:], sizes, strict=True) if any(pair)
    ):
        raise UnsupportedError(f"{f.kind} that reflects more than once is not computed")
    return f.operator(array_ops.padded(pairs, mode, f.given.number("constant_value")))


def _broadcast(f: NnpFunction) -> Layer:
    return f.operator(array_ops.expanded([None, *f.given.shape("shape")[1:]]))


def _flip(f: NnpFunction) -> Layer:
    (axis,) = f.given.integers("axes") or [-1]
    axis = f.checked(axis)
    return f.operator(array_ops.selected(axis, None, lambda size: list(range(size))[::-1]))


def _reduced(op: str) -> Row:
    def row(f: NnpFunction) -> Layer:
        axes = [f.checked(axis) for axis in f.given.integers("axes")]
        if not axes:
            raise UnsupportedError(f"{f.kind} over the batch is not computed")
        if f.given.flag("with_index") or f.given.flag("only_index"):
            raise UnsupportedError(f"{f.kind} with positions is not computed")
        return f.operator(array_ops.reduced(op, axes, f.given.flag("keep_dims")))

    return row


def _two(kind: type[Layer], rule: Rule) -> Row:
    """A layer of two computed inputs of one shape; else its rule, which broadcasts."""

    def row(f: NnpFunction) -> Layer:
        computed = [v for v in f.inputs if v.values is None]
        if len(computed) == len(f.inputs) and len({v.inner for v in computed}) == 1:
            return kind()
        return f.operator(rule)

    return row


def _scalar(rule: Rule, backwards: bool = False) -> Row:
    """A function of the input and a number, or of the number and the input."""

    def row(f: NnpFunction) -> Layer:
        number = f.given.number("val")
        return f.operator(rule, inputs=[number, 0] if backwards else [0, number])

    return row


def _plain(made: Callable[[], Layer]) -> Row:
    return lambda f: made()


def _function(name: str) -> Row:
    return lambda f: f.operator(elementwise.named(name))


_FUNCTIONS = (
    "abs", "exp", "log", "floor", "ceil", "sin", "cos", "tan", "sinh", "cosh", "asin",
    "acos", "atan", "asinh", "acosh", "atanh",
)  # fmt: skip
_CALLED = {"asin": "ASin", "acos": "ACos", "atan": "ATan", "asinh": "ASinh", "acosh": "ACosh",
           "atanh": "ATanh"}  # fmt: skip


def _named(names: Sequence[str]) -> dict[str, Row]:
    return {_CALLED.get(name, name.capitalize()): _function(name) for name in names}


def _many(name: str) -> Row:
    return lambda f: f.operator(elementwise.many(name))


_ADD, _SUB, _MUL = (elementwise.arithmetic(name) for name in ("add", "sub", "mul"))
_POW = elementwise.same(lambda a, b: call("pow", a, b))
_MAX, _MIN = elementwise.many("max"), elementwise.many("min")

TABLE: dict[str, Row] = {
    "Convolution": windows.convolution,
    "DepthwiseConvolution": windows.depthwise,
    "Deconvolution": windows.deconvolution,
    "Affine": windows.affine,
    "MaxPooling": windows.max_pooling,
    "AveragePooling": windows.average_pooling,
    "SumPooling": windows.sum_pooling,
    "GlobalAveragePooling": windows.global_average,
    "Unpooling": windows.unpooling,
    "BatchNormalization": _batch_normalization,
    "ReLU": _plain(activation.ReLU),
    "ReLU6": _plain(activation.ReLU6),
    "LeakyReLU": lambda f: activation.LeakyReLU(negative_slope=f.given.number("alpha")),
    "PReLU": _prelu,
    "ELU": lambda f: activation.ELU(alpha=f.given.number("alpha")),
    "SELU": _selu,
    "CReLU": lambda f: f.operator(array_ops.both_signs(f.axis("axis"))),
    "GELU": lambda f: activation.GELU(approximate=True),
    "Swish": _plain(activation.SiLU),
    "Mish": _plain(activation.Mish),
    "Tanh": _plain(activation.Tanh),
    "Sigmoid": _plain(activation.Sigmoid),
    "HardSigmoid": lambda f: activation.HardSigmoid(slope=0.2),
    "HardTanh": _plain(activation.HardTanh),
    "LogSigmoid": _plain(activation.LogSigmoid),
    "SoftPlus": _softplus,
    "SoftSign": _plain(activation.Softsign),
    "TanhShrink": _plain(activation.TanhShrink),
    "Softmax": lambda f: activation.Softmax(axis=f.axis("axis") - 1),
    "LogSoftmax": lambda f: activation.LogSoftmax(axis=f.axis("axis") - 1),
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Concatenate": _concatenate,
    "Stack": _stack,
    "Split": _split,
    "Slice": _slice,
    "Pad": _pad,
    "Flip": _flip,
    "Broadcast": _broadcast,
    "Dropout": _plain(shape.Identity),
    "Identity": _plain(shape.Identity),
    "Add2": _two(merge.Add, _ADD),
    "Sub2": _two(merge.Subtract, _SUB),
    "Mul2": _two(merge.Multiply, _MUL),
    "Div2": lambda f: f.operator(elementwise.divide),
    "Pow2": lambda f: f.operator(_POW),
    "Maximum2": _two(merge.Maximum, _MAX),
    "Minimum2": _two(merge.Minimum, _MIN),
    "AddN": _many("add"),
    "MulN": _many("mul"),
    "AddScalar": _scalar(_ADD),
    "MulScalar": _scalar(_MUL),
    "PowScalar": _scalar(_POW),
    "RSubScalar": _scalar(_SUB, backwards=True),
    "RDivScalar": _scalar(elementwise.divide, backwards=True),
    "RPowScalar": _scalar(_POW, backwards=True),
    "MaximumScalar": _scalar(_MAX),
    "MinimumScalar": _scalar(_MIN),
    "Sum": _reduced("sum"),
    "Mean": _reduced("mean"),
    "Max": _reduced("max"),
    "Min": _reduced("min"),
    "Prod": _reduced("prod"),
    "Embed": lambda f: f.operator(lookup.gather, "Gather", inputs=[1, 0], axis=0),
    **_named(_FUNCTIONS),
}
