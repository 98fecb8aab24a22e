"""Files of data that other programs write and netsheet does not open: what to make of each."""

from __future__ import annotations

from pathlib import Path

from netsheet.errors import UsageError

_SAVED = "numpy.savez('set.npz', x=..., y=...)"


def refuse_known(path: Path) -> None:
    """UsageError with what to do, for a file whose ending says which program wrote it."""
    match path.suffix.lower():
        case ".pkl" | ".pickle" | ".joblib" | ".pt" | ".pth":
            raise UsageError(
                f"{path}: such a file may hold code that runs when it is opened, so it is not. If "
                f"you trust it, open it in Python and save its arrays with {_SAVED}."
            )
        case ".mat":
            raise UsageError(
                f"{path}: a MATLAB file is not read; scipy.io.loadmat does, and {_SAVED} saves its "
                "arrays for netsheet."
            )
        case ".h5" | ".hdf5":
            raise UsageError(
                f"{path}: data in HDF5 are not read; h5py does, and {_SAVED} saves its arrays for "
                "netsheet."
            )
        case ".tfrecord":
            raise UsageError(
                f"{path}: TensorFlow's records are not read; tf.data does, and {_SAVED} saves its "
                "arrays for netsheet."
            )
        case ".parquet" | ".feather" | ".arff" | ".xlsx" | ".xls" | ".ods" | ".numbers":
            raise UsageError(
                f"{path}: a table is read as CSV, a sample a row; save it so where it was made."
            )
        case ".zip" | ".tar" | ".tgz" | ".rar" | ".7z":
            raise UsageError(f"{path}: an archive is not opened; unpack it and give its folder.")
