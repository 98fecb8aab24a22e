"""Readers: a file of any supported format as a Model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netsheet.errors import FormatError, NetsheetError, UsageError

if TYPE_CHECKING:
    from netsheet.network import Network


def load(
    path: str | Path,
    batch_axis: str | int | None = "auto",
    architecture: str | Path | None = None,
) -> Network:
    """The model in a file, by what the file holds and not by its name.

    ``architecture``: the file with the architecture of the Keras weights in ``path``.

    ``batch_axis`` of an ONNX file: ``auto``, None, the number or the name of an axis.
    """
    path = Path(path)
    try:
        network = _read(path, batch_axis, architecture)
        _check_results(network)
        return network
    except NetsheetError as error:
        raise type(error)(_placed(path, str(error))) from error
    except RecursionError:
        raise FormatError(f"{path}: the model is nested too deeply") from None
    except _UNFORESEEN as error:
        # A configuration may hold anything anywhere; what no check foresaw is still its fault.
        what = f"{type(error).__name__}: {error}"
        raise FormatError(f"{path}: the model's description is broken ({what[:200]})") from error


def _read(path: Path, batch_axis: str | int | None, architecture: str | Path | None) -> Network:
    """By the reader of the kind that the file is."""
    from netsheet.read.sniff import sniff

    kind = sniff(path)
    if kind == "onnx":
        if architecture is not None:
            raise UsageError("an ONNX file has its own architecture.")
        from netsheet.read.onnx import load_onnx

        return load_onnx(path, batch_axis)
    if kind == "tflite":
        if architecture is not None:
            raise UsageError("a TensorFlow Lite file has its own architecture.")
        from netsheet.read.tflite import load_tflite

        return load_tflite(path)
    if kind == "numbers_file":
        if architecture is not None:
            raise UsageError("a quantised network has its own architecture.")
        from netsheet.read.tflite.numbers_file import load_numbers_file

        return load_numbers_file(path)
    if kind in ("nnp", "nnabla") or _is_network_of_nnabla(architecture):
        from netsheet.read.nnp import load_nnp

        if kind == "nnp":
            return load_nnp(path, architecture)
        if architecture is None:
            raise UsageError(
                "these are parameters of NNabla without a network; give the network's .nntxt "
                "with --architecture."
            )
        return load_nnp(architecture, path)
    if batch_axis != "auto":
        raise UsageError("a batch axis is chosen for ONNX files only: Keras says its own.")
    from netsheet.read.keras.load import load_keras

    return load_keras(path, architecture)


def _check_results(network: Network) -> None:
    """An output that the file names has to be made by a layer, computed or not."""
    made = {source.name: 1 for source in network.sources}
    made |= {node.key: len(node.outputs) for node in network.nodes}
    refused = {node.key for node in network.nodes if node.refusal}
    for ref in network.results:
        count = made.get(ref.key)
        if count is None:
            raise FormatError(f"the file names the output {ref.key!r}, which no layer makes")
        if ref.output >= count and ref.key not in refused:
            raise FormatError(
                f"the file names output {ref.output} of {ref.key!r}, but that layer has {count}"
            )


def _is_network_of_nnabla(architecture: str | Path | None) -> bool:
    """True for the .nntxt of a network whose parameters lie in another file."""
    return architecture is not None and Path(architecture).suffix == ".nntxt"


_UNFORESEEN = (
    TypeError, ValueError, LookupError, AttributeError, ArithmeticError, AssertionError,
    RuntimeError,
)  # fmt: skip


def _placed(path: Path, message: str) -> str:
    return message if str(path) in message else f"{path}: {message}"
