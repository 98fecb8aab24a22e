"""What a file is, by its content."""

from __future__ import annotations

import zipfile
from pathlib import Path

import h5py

from netsheet.read.sniff import sniff


def test_hdf5_inside_a_zip_at_a_power_of_two(tmp_path: Path) -> None:
    """HDF5 files may start behind a user block of 512, 1024, ... bytes; a .keras file is none."""
    inner = tmp_path / "model.weights.h5"
    with h5py.File(inner, "w") as file:
        file["x"] = [1.0]
    path = tmp_path / "model.keras"
    header = 30  # bytes in front of a member, and its name
    filling = 2048 - header - len("model.weights.h5") - header - len("config.json")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}" + " " * (filling - 2))
        archive.write(inner, "model.weights.h5")
    assert h5py.is_hdf5(path)
    assert sniff(path) == "keras"


def test_hdf5_behind_a_user_block(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["x"] = [1.0]
    assert sniff(path) == "hdf5"
