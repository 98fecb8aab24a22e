"""netsheet: opens a trained neural network and makes everything in it visible."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netsheet.errors import NetsheetError
from netsheet.version import __version__

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.model import Model
    from netsheet.read.keras.context import Row

__all__ = ["NetsheetError", "__version__", "load", "read_input", "register"]


def load(
    path: str | Path,
    batch_axis: str | int | None = "auto",
    architecture: str | Path | None = None,
) -> Model:
    """The model in a Keras (.h5, .keras), ONNX, TensorFlow Lite or .nnp file.

    ``batch_axis`` says which axis of an ONNX file's inputs counts the samples: ``auto`` decides
    from the graph, None (or ``none``) keeps every axis, 0, 1 or a name chooses one.

    ``architecture`` is the file that says what network the weights in ``path`` (save_weights())
    belong to: the JSON text of model.to_json(), or a .keras or .h5 file of the same network.

    Nothing in the file is executed. Raises :class:`NetsheetError` with a sentence
    that says what is wrong with the file.
    """
    from netsheet.model import Model
    from netsheet.read import load as read

    return Model.over(read(path, batch_axis, architecture))


def read_input(spec: str | Path, model: Model) -> Sample:
    """One sample for a model from a picture or file, scaled as the command line does.

    ``spec`` is what ``--input`` takes; the sample's ``note`` says what was done to it.
    """
    from netsheet.data.inputs import read_input as read

    return read(spec, model)


def register(class_name: str, row: Row) -> None:
    """Teaches the Keras reader a class: ``row(arguments, context)`` returns its Layer.

    ``class_name`` is the name in the file, with its package where it has one, or the bare name:
    ``register("my_package>Scale", lambda a, c: Scale(factor=a.number("factor", 1)))``.
    """
    from netsheet.read.keras.assembly import REGISTERED

    REGISTERED[class_name] = row
