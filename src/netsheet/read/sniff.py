"""What kind of file this really is, by its content."""

from __future__ import annotations

import re
from pathlib import Path

from netsheet.errors import FormatError, NetsheetError, UsageError
from netsheet.read.hdf5.raw import signature_at
from netsheet.read.keras import zip_archive as keras_zip

_WANTED = "netsheet reads Keras .h5 and .keras, ONNX, TensorFlow Lite and NNabla .nnp files."
_PROGRAM = "which is a program and never opened"
_SAVED_MODEL = (
    f"a SavedModel, {_PROGRAM}. Load it where TensorFlow is installed and save the model as .h5 "
    "or .keras."
)

_CHECKPOINT = (
    "a part of a TensorFlow checkpoint, which holds weights under names of the program that wrote "
    "it. Load it there (model.load_weights) and save the model as .h5 or .keras."
)

_NNABLA = b"\xc2\x0c"  # field 200 of a protobuf message: a parameter of NNabla
# How a network of NNabla starts as text; comments and other messages may stand before it.
_NETWORK_TEXT = re.compile(
    rb"(\xef\xbb\xbf)?(\s|#[^\n]*\n)*"
    rb"(network|global_config|training_config|executor|parameter|dataset|optimizer|monitor|version)"
    rb"\s*(\{|:)"
)

# How a file starts, and what it then is.
_STARTS = (
    (b"version https://git-lfs", "a git-LFS pointer, not the file itself. Run 'git lfs pull'."),
    (b"\x93NUMPY", f"a NumPy array: data, not a model. {_WANTED}"),
    (b"\x1f\x8b", "compressed with gzip. Unpack it first."),
    (b"7z\xbc\xaf\x27\x1c", "compressed with 7-Zip. Unpack it first."),
    (b"Rar!", "compressed with RAR. Unpack it first."),
    (b"BZh", "compressed with bzip2. Unpack it first."),
    (b"\xfd7zXZ", "compressed with xz. Unpack it first."),
    *(
        (b"\x80" + bytes([protocol]), f"a Python pickle, {_PROGRAM}. Save the model as .h5.")
        for protocol in range(2, 6)
    ),
)


_NUMBERS_FILE = b"netsheet quantised network"  # the start of a .nsq.h5


def sniff(path: Path) -> str:
    """``hdf5``, ``keras`` (a zip with a config.json), ``zipped`` (with a .h5), ``folder`` (an
    unpacked .keras), ``numbers_file`` (.nsq.h5), ``onnx``, ``tflite``, ``nnp`` (a zip with a
    .nntxt, or that text) or ``nnabla`` (parameters alone).

    Raises:
        FormatError: it is anything else: the text says what, and what to do.
        UsageError: there is no such file, or it is a folder.
    """
    if path.is_dir() and (path / "config.json").is_file():
        return "folder"
    head = _head(path)
    if not head:
        raise FormatError(f"{path} is empty. Copy or download it again.")
    # First: the HDF5 file in a .keras file may lie where HDF5 looks behind a user's own block.
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(path)
    if head.startswith(_NUMBERS_FILE):
        return "numbers_file"
    if _is_hdf5(path):
        return "hdf5"
    if head[4:8] == b"TFL3":
        return "tflite"
    if head.startswith(_NNABLA):
        return "nnabla"
    if _NETWORK_TEXT.match(head):
        return "nnp"
    if other := _other_kind(path, head):
        raise FormatError(f"{path} is {other}")
    if (
        head[:1] == b"\x08" and b"\0" < head[1:2] < b"\x40"
    ):  # a protobuf message whose field 1, ir_version, is small
        return "onnx"
    raise FormatError(
        f"{path} is no HDF5, .keras, ONNX, TensorFlow Lite or .nnp file, or its start is lost. "
        f"{_WANTED}"
    )


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            if (path / "saved_model.pb").exists():
                raise FormatError(f"{path} is {_SAVED_MODEL}")
            raise UsageError(f"{path} is a folder, not a file. {_WANTED}")
        if path.exists() and not path.is_file():  # a pipe would wait for its writer
            raise UsageError(f"{path} is no plain file. Copy its content into one.")
        with path.open("rb") as file:
            return file.read(4096)
    except FileNotFoundError:
        if Path(f"{path}.index").exists():
            raise FormatError(f"{path} is {_CHECKPOINT}") from None
        raise UsageError(f"{path}: there is no such file.") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        raise NetsheetError(f"{path} cannot be read: {error}.") from None


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        return signature_at(file) is not None


def _zip_kind(path: Path) -> str:
    try:
        with keras_zip.opened(path) as archive:
            names = set(archive)
    except NetsheetError as error:
        raise type(error)(f"{path}: {error}") from None
    if "config.json" in names:
        return "keras"
    if any(name.endswith(".nntxt") for name in names):
        return "nnp"
    if any(name.endswith((".h5", ".hdf5")) and name != "model.weights.h5" for name in names):
        return "zipped"
    if any(name.endswith("data.pkl") for name in names):
        what = f"a PyTorch file, {_PROGRAM}. Export the model as ONNX (torch.onnx.export)."
    elif any(name.endswith(".npy") for name in names):
        what = f"a NumPy .npz file: data, not a model. {_WANTED}"
    elif any(name.endswith("saved_model.pb") for name in names):
        what = f"a zip of {_SAVED_MODEL}"
    else:
        what = f"a zip file without config.json, so no .keras file. {_WANTED}"
    raise FormatError(f"{path} is {what}")


def _other_kind(path: Path, head: bytes) -> str | None:
    """What it is where that is something known; None otherwise."""
    for start, what in _STARTS:
        if head.startswith(start):
            return what
    if path.suffix == ".index" or ".data-0000" in path.name or b"model_checkpoint_path" in head:
        return _CHECKPOINT
    if path.name in ("saved_model.pb", "keras_metadata.pb"):
        return f"a part of {_SAVED_MODEL}"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return "a web page: the download went wrong. Fetch the file itself (the 'raw' link)."
    if text.startswith((b"{", b"[")):
        if b'"weight_map"' in text:
            return "the index of weights in several files. Open one of those .weights.h5 files."
        return (
            "a JSON text without weights (model.to_json()?). Give the file of the weights, and "
            "this one with --architecture."
        )
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return f"a text that starts with {head[:40].decode('ascii')!r}. {_WANTED}"
    return None
