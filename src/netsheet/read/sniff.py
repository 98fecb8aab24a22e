"""What kind of file this really is, by its content."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NoReturn

from netsheet.errors import FormatError, NetsheetError, UsageError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_WANTED = "netsheet reads Keras .h5 and .keras files and ONNX files."


def sniff(path: Path) -> str:
    """``hdf5``, ``keras`` (a zip with a config.json) or ``onnx``; an error that names any other."""
    head = _head(path)
    if not head:
        raise FormatError(f"{path} is empty. Copy or download it again.")
    if _is_hdf5(path, head):
        return "hdf5"
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _zip_kind(path)
    _refuse_known(path, head)
    if _looks_like_onnx(head):
        return "onnx"
    raise FormatError(f"{path} is no HDF5, .keras or ONNX file, or its start is lost. {_WANTED}")


def _head(path: Path) -> bytes:
    if path.is_dir():
        if (path / "saved_model.pb").exists():
            raise FormatError(
                f"{path} is a SavedModel folder, which holds a program. Load it where TensorFlow "
                "is installed and save the model as .h5 or .keras."
            )
        raise UsageError(f"{path} is a folder, not a file. {_WANTED}")
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise NetsheetError(f"{path} cannot be read: {error.strerror}.") from error


def _is_hdf5(path: Path, head: bytes) -> bool:
    """The signature lies at 0, 512, 1024, 2048, ..."""
    if head.startswith(_HDF5):
        return True
    return any(head[offset : offset + 8] == _HDF5 for offset in (512, 1024, 2048))


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise FormatError(
            f"{path} is a damaged zip file ({error}). Copy or download it again."
        ) from None
    if "config.json" in names:
        return "keras"
    if any(name.endswith("data.pkl") for name in names):
        raise FormatError(
            f"{path} is a PyTorch file, which holds a program. Export the model as ONNX "
            "(torch.onnx.export) and open that."
        )
    if any(name.endswith(".npy") for name in names):
        raise FormatError(f"{path} is a NumPy .npz file: data, not a model. {_WANTED}")
    if any(name.endswith("saved_model.pb") for name in names):
        raise FormatError(f"{path} is a zipped SavedModel. Save the model as .h5 or .keras.")
    raise FormatError(f"{path} is a zip file without config.json, so no .keras file. {_WANTED}")


def _refuse_known(path: Path, head: bytes) -> None:
    def refuse(what: str) -> NoReturn:
        raise FormatError(f"{path} is {what}")

    start = head.lstrip()[:200].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        refuse("a web page: the download went wrong. Fetch the file itself (the 'raw' link).")
    if head.startswith(b"version https://git-lfs"):
        refuse("a git-LFS pointer, not the file itself. Run 'git lfs pull' and try again.")
    if head[4:8] == b"TFL3":
        refuse("a TensorFlow Lite file. Open the Keras file that it was made from.")
    if head.startswith(b"\x80") and head[1:2] in b"\x02\x03\x04\x05":
        refuse("a Python pickle, which is a program and never opened. Save the model as .h5.")
    if head.startswith(b"\x93NUMPY"):
        refuse(f"a NumPy array: data, not a model. {_WANTED}")
    if start.startswith((b"{", b"[")):
        refuse("a JSON text without weights (model.to_json()?). Save the whole model as .h5.")
    if head.startswith(b"\x1f\x8b"):
        refuse("compressed with gzip. Unpack it first.")


def _looks_like_onnx(head: bytes) -> bool:
    """A protobuf whose first field is ir_version (field 1, varint)."""
    return head[:1] == b"\x08" and 0 < head[1] < 64
