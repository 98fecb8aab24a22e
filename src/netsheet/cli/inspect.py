"""Commands that look into a model: summary, evaluate, weights, activations, equations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from netsheet.cli import language, options, show
from netsheet.cli.class_names import Classes, class_names
from netsheet.cli.declarations import Argument, Option
from netsheet.cli.opening import Label, opened
from netsheet.cli.options import BatchAxis, Data, Inputs, Json, ModelFile
from netsheet.cli.scaling import Scaled
from netsheet.equations.entry import with_scales
from netsheet.errors import NetsheetError, UsageError
from netsheet.selection import refused, require_layers, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netsheet.data.inputs import Sample
    from netsheet.equations import Equation, Tensor, Weight
    from netsheet.layer import Layer
    from netsheet.model import Model


def summary(
    model_file: ModelFile,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Print the table of layers: type, output shape, parameters, multiply-accumulates."""
    from netsheet.cli.summary import show_summary

    show_summary(opened(model_file, batch_axis), as_json)


def evaluate(
    model_file: ModelFile,
    data: Annotated[str, Option("--data", help="Labelled data; see 'netsheet excel -h'.")],
    loss: Annotated[
        str | None, Option("--loss", help="A loss instead of the file's own: mse, ...")
    ] = None,
    limit: Annotated[
        int | None, Option("--limit", min=1, help="Take only the first N samples.")
    ] = None,
    report: Annotated[
        Path | None,
        Option("--report", help="A folder: confusion, precision, calibration, mistakes, a page."),
    ] = None,
    classes: Classes = None,
    label: Label = None,
    wanted: Scaled = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Print accuracy and loss on a labelled data set."""
    from netsheet.data.named_sets import labelled_set
    from netsheet.engine.evaluation import evaluate as run

    model = opened(model_file, batch_axis)
    require_layers(model)
    with show.progress("reading") as bar:
        dataset = labelled_set(data, model, wanted, limit, bar, label)
    show.note(dataset.note)
    if dataset.y is None:
        raise NetsheetError(f"{data} has no labels to compare with.")
    with show.progress("evaluating") as bar:
        weights = dataset.sample_weight
        result = run(
            model, dataset.x, dataset.y, loss=loss, sample_weight=weights, progress=bar
        )  # fmt: skip
    show.note(result.note)
    if report is not None:
        from netsheet.cli.report import written_report

        names = class_names(classes, model)
        written_report(report, model, dataset, names)
    if as_json:
        show.as_json(result.to_json())
        return
    show.say(f"samples   {result.samples:,}")
    if result.accuracy is not None:
        show.say(f"accuracy  {result.accuracy:.4f}")
    if result.loss is not None:
        show.say(f"loss      {result.loss:.9g}  ({result.loss_name})")
    for name, value in result.metrics.items():
        if name not in ("accuracy", "acc"):
            form = ".4f" if name.endswith("accuracy") else ".9g"
            shown = value if isinstance(value, list) else [value]
            show.say(f"{name:<8}  {' '.join(format(one, form) for one in shown)}")


def weights(
    model_file: ModelFile,
    layer: Annotated[str | None, Argument(help="A layer's name; all if left out.")] = None,
    axes: Annotated[
        str, Option("--axes", help="original, channels-first, or names: out,in,height,width.")
    ] = "original",
    plot: Annotated[
        Path | None, Option("--plot", help="Draw the weights as heat maps into a .png.")
    ] = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Print weights and biases, with named axes, in any order of axes."""
    if plot is not None:
        options.spare(plot, model_file)
    from netsheet.cli.weight_tables import seen_axes, weight_lines

    model = opened(model_file, batch_axis)
    layers = [_layer(model, layer)] if layer else [x for x in model.layers.values() if x.weights]
    if plot is not None:
        from netsheet.write.pictures.draw import write_weight

        chosen = [weight for one in layers for weight in one.weights.values()]
        if not chosen:
            raise NetsheetError(f"layer {layer!r} has no weights to draw.")
        write_weight(plot, chosen, language.chosen)
        show.note(f"wrote {plot}")
    if as_json:
        show.as_json({one.name: _weights_json(one, axes) for one in layers})
        return
    for one in layers:
        if not one.weights:
            show.say(f"{one.name} ({one.type}) has no weights.")
        for _, weight in with_scales(one.weights):
            order = _order(weight, axes)
            values = weight.to(order)
            show.say(f"{weight.name}  {values.shape}  ({', '.join(order)})  {values.dtype}")
            if layer:
                seen = seen_axes(weight) if axes == "original" else order
                for line in weight_lines(
                    weight, seen, one.gates_of(weight.label), show.console_width()
                ):
                    show.say(line)
                show.say()


def _layer(model: Model, name: str) -> Layer:
    if name not in model.layers:
        raise UsageError(f"there is no layer {name!r}; layers are: {', '.join(model.layers)}")
    return model.layers[name]


def _order(weight: Weight, axes: str) -> tuple[str, ...]:
    if axes == "original":
        return weight.axes
    if axes in ("channels-first", "channels_first"):
        if any(re.fullmatch("axis[0-9]+", axis) for axis in weight.axes):
            raise UsageError(
                f"--axes {axes}: what the axes of {weight.name} are is not known, since the file "
                "has no architecture: give it too (--architecture model.json), or take --axes "
                "original."
            )
        return weight.channels_first_axes
    order = tuple(part.strip() for part in axes.split(","))
    if len(set(order)) < len(order) or not set(weight.axes) <= set(order):
        raise UsageError(
            f"--axes {axes}: {weight.name} has the axes {', '.join(weight.axes)}; "
            "original and channels-first fit every weight."
        )
    return tuple(axis for axis in order if axis in weight.axes)  # a bias has fewer than its kernel


def _weights_json(layer: Layer, axes: str) -> dict[str, Any]:
    return {
        label: {
            "axes": _order(weight, axes),
            "shape": weight.to(_order(weight, axes)).shape,
            "values": weight.to(_order(weight, axes)),
        }
        for label, weight in with_scales(layer.weights)
    }


def _computed(
    model: Model, given: Mapping[str, Any], label: int | None, layers: Sequence[str]
) -> tuple[Mapping[str, Any], dict[str, Tensor]]:
    """What every layer gives, or what a class depends on; and the tensors that describe it."""
    if label is None:
        tensors = model.tensors() | model.alias_tensors() | {t.name: t for t in model.inputs}
        return model.activations(given, list(layers) or None), tensors
    from netsheet.engine.saliency import saliency

    if len(layers) > 1:
        raise UsageError("--saliency takes one --layer: the one whose feature maps are weighed.")
    values, tensors = saliency(model, given, label, layers[0] if layers else None)
    return values, tensors | {t.name: t for t in model.inputs}


def activations(
    model_file: ModelFile,
    inputs: Inputs = None,
    data: Data = None,
    count: Annotated[int, Option("--samples", min=1, help="Of --data, the first N.")] = 1,
    layer: Annotated[
        list[str] | None, Option("--layer", help="Only this layer; may be repeated.")
    ] = None,
    saliency: Annotated[
        int | None,
        Option("--saliency", min=0, help="Of this class: gradient for the input, and Grad-CAM."),
    ] = None,
    output: Annotated[
        Path | None,
        Option("--output", "-o", help="Write .npz, .csv, .json or .png; - for CSV on stdout."),
    ] = None,
    layout: Annotated[
        str,
        Option("--layout", help="Of .csv: tidy, planes, or files (planes, a file a layer)."),
    ] = "tidy",
    wanted: Scaled = None,
    classes: Classes = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Compute every layer's output for an input: as arrays, CSV, JSON or pictures.

    Where a layer that the network's outputs need is not computed, the layers that are computed are
    shown (written) all the same, the reason follows on standard error, and the exit code is 1.
    """
    from netsheet.engine.prediction import batch_of
    from netsheet.write.onnx import check_outputs

    if output is not None:
        options.spare(output, model_file, data, *(inputs or ()))
    model = opened(model_file, batch_axis)
    require_layers(model)
    for text in model.notes:
        show.note(f"Note: {text}")
    if not inputs and data is None:
        raise UsageError("give an input with --input FILE (or --data).")
    samples, names = options.samples_of(model, inputs, data, count, wanted)
    for text in dict.fromkeys(sample.note for sample in samples):
        show.note(text)
    options.say_states(model, len(samples))
    given = batch_of(samples)
    if not model.bound:
        model = model.bind({name: array.shape[1:] for name, array in given.items()})
    values, tensors = _computed(model, given, saliency, layer or [])
    if output is not None:
        from netsheet.write.pictures.activations import write_activations

        labels = class_names(classes, model) or names or list(model.class_names)
        with show.written_to(output, ".csv", as_json) as place:
            paths = write_activations(
                place, values, tensors,
                inputs=given, samples=[sample.name for sample in samples],
                labels=labels, layout=layout, lang=language.chosen, over=saliency is not None,
            )  # fmt: skip
        many = f"{len(values)} layer{'s' if len(values) != 1 else ''}"
        last = f" ... {paths[-1]}" if paths[1:] else ""
        show.wrote(output, f"{paths[0]}{last}: {many}")
    if as_json:
        show.as_json(dict(values))
    elif output is None:
        _say_arrays(model, values)
    if not layer and saliency is None:
        called = class_names(classes, model) or names
        _say_predictions(
            model, samples, values, called,
            show.note if as_json or output is not None else show.say,
        )  # fmt: skip
        check_outputs(model)
        for text in told(refused(model)):  # beside the way to the outputs
            show.note(f"Not computed: {text}")


def _say_arrays(model: Model, values: Mapping[str, Any]) -> None:
    """Every layer's array, of whole numbers with what they mean."""
    import numpy as np

    from netsheet.equations.entry import scale_text

    known = model.tensors() | model.alias_tensors()
    for key, array in values.items():
        tensor = known.get(key)
        scale = "" if tensor is None else scale_text(tensor.dtype, tensor.quantisation)
        show.say(f"{key}  {array.shape}{f'  {scale}' if scale else ''}")
        show.say(np.array2string(array, threshold=200, edgeitems=3, max_line_width=80))


def _say_predictions(
    model: Model,
    samples: Sequence[Sample],
    values: Mapping[str, Any],
    names: Sequence[str] | None,
    say: Callable[[str], None],
) -> None:
    """What the network makes of each sample, where all of its outputs are computed."""
    from netsheet.cli.predict import verdict_line
    from netsheet.engine.prediction import predictions_from

    results = [values[tensor.name] for tensor in model.outputs if tensor.name in values]
    if not results or len(results) < len(model.outputs):
        return
    for found in predictions_from(model, samples, results, names):
        text = verdict_line(found)
        say(f"{found.sample}: {text}" if text and len(samples) > 1 else text)


def equations(
    model_file: ModelFile,
    layer: Annotated[str | None, Argument(help="A layer's name; all if left out.")] = None,
    latex: Annotated[bool, Option("--latex", help="As LaTeX.")] = False,
    loops: Annotated[
        bool,
        Option("--loops", help="As the loops that C is printed from, layers joined."),
    ] = False,
    inputs: Inputs = None,
    gradients: Annotated[
        bool, Option("--gradients", help="Those of the adjoints, from the loss backwards.")
    ] = False,
    loss: Annotated[
        str | None,
        Option("--loss", help="For --gradients: the loss, as Keras names it; the file's own."),
    ] = None,
    as_json: Json = False,
    batch_axis: BatchAxis = "auto",
) -> None:
    """Print each layer's equations as mathematics with its real sizes; an input fixes open ones."""
    from netsheet.write import mathematics as printer

    model = opened(model_file, batch_axis)
    require_layers(model)
    model = options.bound(model, inputs)
    if gradients:
        _show_gradients(model, layer, loss, latex, as_json)
        return
    if loops:
        from netsheet.loops.show import loops_text

        if latex or as_json:
            raise UsageError("--loops is text: leave out --latex and --json.")
        show.say(loops_text(model, layer))
        return
    nodes = [model.node(layer)] if layer else model.computed()
    if not layer:
        for node in model.nodes:
            if node.refusal:
                show.note(f"no equations for {node.key} ({node.layer.type}): {node.refusal}")
    found = {node.key: model.node_equations(node) for node in nodes}
    if as_json:
        show.as_json({key: [_equation_json(eq) for eq in found[key]] for key in found})
        return
    for node in nodes:
        show.say(f"{node.key} ({node.layer.type})")
        for eq in found[node.key]:
            show.say(f"  {printer.latex(eq) if latex else printer.text(eq)}")
            show.say(f"      {printer.ranges(eq)}" if not latex else "")


def _equation_json(eq: Equation) -> dict[str, str]:
    from netsheet.write import mathematics as printer

    return {"text": printer.text(eq), "latex": printer.latex(eq), "where": printer.ranges(eq)}


def _losses(model: Model, asked: str | None) -> list[str]:
    """The loss of each output: asked for, or the file's own; what is guessed is said."""
    from netsheet.engine.goals import goals_named, stored_goals

    if asked is not None:
        return [goal.loss for goal in goals_named(model, asked)]
    try:
        goals = stored_goals(model)
    except UsageError:
        usual = "categorical_crossentropy"
        show.note(
            f"the file names no loss that is known here: {usual} is taken; --loss says another."
        )
        return [usual] * len(model.outputs)
    if any(goal.smoothing or goal.weight != 1 for goal in goals):
        show.note("weights of losses and smoothing of labels are left out.")
    return [goal.loss for goal in goals]


def _show_gradients(
    model: Model, layer: str | None, loss: str | None, latex: bool, as_json: bool
) -> None:
    """The equations of adjoints; of one layer those of its output, its steps and its weights."""
    from netsheet.engine.gradients import backward
    from netsheet.write import mathematics as printer

    own = None if layer is None else model.node(layer)
    weights = [] if own is None else [weight.name for weight in own.layer.weights.values()]
    found: dict[str, list[Equation]] = {}
    for eq in backward(model, _losses(model, loss)).backward:
        name = eq.target.name.removesuffix("/grad")
        if own is None or name in (own.key, *weights) or name.startswith(f"{own.key}/"):
            found.setdefault(eq.target.name, []).append(eq)
    if as_json:
        show.as_json({name: [_equation_json(eq) for eq in found[name]] for name in found})
        return
    for eq in (eq for equations in found.values() for eq in equations):
        show.say(f"  {printer.latex(eq) if latex else printer.text(eq)}")
        show.say(f"      {printer.ranges(eq)}" if not latex else "")
