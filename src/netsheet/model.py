"""The face: a network with everything that users do with one. Each method only delegates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsheet.equations import Equation
from netsheet.errors import NetsheetError
from netsheet.network import Network
from netsheet.summary import Summary

if TYPE_CHECKING:
    from typing_extensions import Self

    from netsheet.data.inputs import Sample
    from netsheet.engine.class_report import ClassReport
    from netsheet.engine.evaluation import Evaluation
    from netsheet.equations import FloatArray
    from netsheet.explanation import Explanation
    from netsheet.write.tflite import Quantised


class Model(Network):
    """A network read from a file, ready to be computed, written and verified.

    Arrays that go in or come out have the batch axis in front. In place of an array, the name of a
    picture or file may be given (or a list of them): it is read and scaled as the command line
    does. Arrays of uint8 are scaled by the same rule (:mod:`netsheet.data.scaling`), all other
    arrays are taken as they are.
    """

    @classmethod
    def over(cls, network: Network) -> Self:
        """The same network, its tensors included, with this face."""
        model = cls.__new__(cls)
        model.__dict__.update(network.__dict__, memo={})
        return model

    def bind(self, shapes: Mapping[str, Sequence[int]] | Sequence[Sequence[int]]) -> Model:
        """The same model for inputs of these shapes (without batch)."""
        return Model.over(super().bind(shapes))

    def summary(self) -> Summary:
        """The table of layers: a list of rows that shows itself as a table."""
        return Summary(self)

    def equations(self, until: str | None = None) -> ShownEquations:
        """The equations of all calls in order (of those that ``until`` needs)."""
        return ShownEquations(super().equations(until))

    def activations(self, x: object, keys: Sequence[str] | None = None) -> dict[str, FloatArray]:
        """Every layer's output (batch axis in front) for inputs with a batch axis, by key."""
        from netsheet.data.given import given_arrays
        from netsheet.engine.run import engine

        return engine(self).activations(given_arrays(self, x), keys)

    def predict(self, x: object) -> FloatArray | list[FloatArray]:
        """The model's output, or a list of them."""
        from netsheet.data.given import given_arrays
        from netsheet.engine.run import engine

        return engine(self).predict(given_arrays(self, x))

    def evaluate(self, x: object, y: object = None, **options: Any) -> Evaluation:
        """Loss and metrics on labelled data, those that the model was compiled with.

        ``x`` without ``y`` is the name of a data set, as ``--data`` takes it. Options as for
        :func:`netsheet.engine.evaluation.evaluate`.

        Raises:
            NetsheetError: there are no labels, or they do not fit.
        """
        from netsheet.data.given import given_arrays, is_named
        from netsheet.engine.evaluation import evaluate

        if y is None and is_named(x):
            from netsheet.data.datasets import read_dataset

            dataset = read_dataset(str(x), self)
            x, y = dataset.x, dataset.y
            options = {"sample_weight": dataset.sample_weight, **options}
        if y is None:
            raise NetsheetError("there are no labels to compare with.")
        return evaluate(self, given_arrays(self, x), y, **options)

    def report(
        self, data: str | Path, folder: str | Path | None = None, lang: str = "en"
    ) -> ClassReport:
        """What it finds in a labelled data set, class by class; written into a folder if named.

        Raises:
            NetsheetError: there are no labels, or no classes.
        """
        from netsheet.data.datasets import read_dataset
        from netsheet.engine.class_report import class_report
        from netsheet.write.evaluation import write_report
        from netsheet.write.evaluation.folder import shown_of

        dataset = read_dataset(data, self)
        if dataset.y is None:
            raise NetsheetError(f"{data} has no labels to compare with.")
        found = class_report(self, dataset.x, dataset.y, dataset.class_names)
        if folder is not None:
            write_report(folder, found, shown_of(dataset, self.name), lang)
        return found

    def gradients(self, x: object, y: object, loss: str | Sequence[str]) -> dict[str, FloatArray]:
        """Gradients of a loss: of the mean for weights, of each sample for inputs; by name."""
        from netsheet.engine.gradients import loss_gradients

        return loss_gradients(self, x, y, loss)

    def saliency(self, x: object, label: int, layer: str | None = None) -> dict[str, FloatArray]:
        """Gradient of a class's score for the input, and Grad-CAM of ``layer``; by name.

        As for :func:`netsheet.engine.saliency.saliency`; ``x`` as for :meth:`activations`.
        """
        from netsheet.data.given import given_arrays
        from netsheet.engine.saliency import saliency

        return saliency(self, given_arrays(self, x), label, layer)[0]

    def explain(self, layer: str, at: Sequence[int], sample: Sample) -> Explanation:
        """What one value of a layer is made of: its terms, their sum, what is done with it.

        ``at`` is the position without batch axis, ``sample`` an input as ``ns.read_input`` gives.
        """
        from netsheet.explanation import explain_value

        inputs = {name: value.values for name, value in sample.inputs.items()}
        given = {source.name for source in self.sources}
        shapes = {name: array.shape for name, array in inputs.items() if name in given}
        model = self if self.bound else self.bind(shapes)
        return explain_value(model, layer, at, inputs)

    def to_csv(self, target: str | Path, **options: Any) -> Any:
        """Write the weights as CSV; options as for :func:`netsheet.write.csv.writer.write_csv`."""
        from netsheet.write.csv.writer import write_csv

        return write_csv(self, target, **options)

    def to_excel(self, target: str | Path, samples: Any, **options: Any) -> Any:
        """Write the live workbook; options as for :func:`netsheet.write.excel.to_excel`."""
        from netsheet.data.given import given_samples
        from netsheet.write.excel import to_excel

        return to_excel(self, target, given_samples(self, samples), **options)

    def to_c(self, folder: str | Path, *, sample: Any = None, **options: Any) -> Any:
        """Write C sources; options as for :func:`netsheet.write.c.to_c`."""
        from netsheet.data.given import given_samples
        from netsheet.write.c import to_c

        one = None if sample is None else given_samples(self, sample)[0]
        return to_c(self, folder, sample=one, **options)

    def to_page(self, target: str | Path, **options: Any) -> Any:
        """Write the interactive page; options as for :func:`netsheet.write.page.to_page`."""
        from netsheet.write.page import to_page

        return to_page(self, target, **options)

    def show(self, x: object = None, **options: Any) -> Any:
        """The interactive page, for a notebook's cell; ``x`` as for :meth:`activations`.

        Options as for :func:`netsheet.write.page.notebook_page`.
        """
        from netsheet.write.page import notebook_page

        return notebook_page(self, x, **options)

    def to_onnx(self, target: str | Path, form: str = "exact") -> None:
        """Write an ONNX file; ``form`` as for :func:`netsheet.write.onnx.build`."""
        from netsheet.write.onnx import to_onnx

        to_onnx(self, target, form=form)

    def to_tflite(self, target: str | Path) -> None:
        """Write a TensorFlow Lite file; one that was read, or quantised, as it is."""
        from netsheet.write.tflite import to_tflite

        to_tflite(self, target)

    def quantise(self, x: object, **options: Any) -> QuantisedModel:
        """The network in int8, its ranges from the calibration samples ``x``.

        ``x`` as for :meth:`activations`; options as for :func:`netsheet.write.tflite.quantise`.
        """
        from netsheet.data.given import given_arrays
        from netsheet.engine.run import engine
        from netsheet.write.tflite import quantise

        samples = engine(self).inputs(given_arrays(self, x))
        found = quantise(self, samples, **options)
        result = QuantisedModel.over(found.network)
        result.quantised = found
        return result

    def verify(self, target: str, samples: Any, **options: Any) -> Any:
        """Prove a target (excel, c, page, onnx, keras) layer by layer; returns a Verdict."""
        from netsheet.data.given import given_samples
        from netsheet.verify import verify

        return verify(self, target, given_samples(self, samples), **options)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


class QuantisedModel(Model):
    """A model in int8 that was made of one in real numbers; ``quantised`` has its file."""

    quantised: Quantised


@dataclass(frozen=True, eq=False, repr=False)
class ShownEquation(Equation):
    """One equation, as mathematics in a notebook and as text in a terminal."""

    def __repr__(self) -> str:
        return repr(ShownEquations([self]))

    def _repr_latex_(self) -> str:
        return ShownEquations([self])._repr_latex_()


class ShownEquations(list["Equation"]):
    """Equations that a notebook sets as mathematics and a terminal as text."""

    def __repr__(self) -> str:
        from netsheet.write.mathematics import ranges, text

        return "\n".join(f"{text(eq)}\n    {ranges(eq)}" for eq in self)

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        if isinstance(at, slice):
            return ShownEquations(found)
        return ShownEquation(found.target, found.at, found.indices, found.value, found.time)

    def _repr_latex_(self) -> str:
        from netsheet.write.mathematics import latex

        lines = " \\\\\n".join(latex(eq) for eq in self)
        return f"$$\\begin{{gathered}}\n{lines}\n\\end{{gathered}}$$"
