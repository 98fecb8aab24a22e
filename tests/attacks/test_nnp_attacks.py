"""Hostile .nnp files: each is refused with a sentence, or opens; nothing else happens."""

from __future__ import annotations

import contextlib
import random
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest

import netsheet
from netsheet.errors import NetsheetError

sys.path.insert(0, str(Path(__file__).parent.parent))
from nnp_files import NnpFile, wire
from test_nnp import chain


def zipped(path: Path, **members: bytes | str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return path


def refused(path: Path) -> str:
    with pytest.raises(NetsheetError) as caught:
        netsheet.load(path)
    return str(caught.value)


def test_a_zip_bomb(tmp_path: Path) -> None:
    text = chain().text()
    path = zipped(tmp_path / "bomb.nnp", network__nntxt=text, parameter__protobuf=bytes(400 << 20))
    tracemalloc.start()
    said = refused(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "exhaust the memory" in said
    assert peak < 64 << 20


def test_two_networks_or_none(tmp_path: Path) -> None:
    text = chain().text()
    assert "2 networks" in refused(zipped(tmp_path / "two.nnp", a__nntxt=text, b__nntxt=text))


def test_a_path_that_leads_out(tmp_path: Path) -> None:
    path = tmp_path / "out.nnp"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../network.nntxt", chain().text())
    assert "leads out of the file" in refused(path)


@pytest.mark.parametrize(
    "sizes", [(1 << 40,), (-1, -24), (2**62, 4), (0,), (6, 4, 1 << 33)], ids=str
)
def test_sizes_that_no_values_have(sizes: tuple[int, ...], tmp_path: Path) -> None:
    def number(value: int) -> bytes:
        value &= (1 << 64) - 1
        found = b""
        while value > 127:
            found += struct.pack("B", value & 127 | 128)
            value >>= 7
        return found + struct.pack("B", value)

    def block(tag: int, content: bytes) -> bytes:
        return number(tag << 3 | 2) + number(len(content)) + content

    shape = block(20, block(1, b"".join(map(number, sizes))))
    data = block(200, block(1, b"a/affine/W") + shape + block(100, bytes(96)))
    path = zipped(tmp_path / "sizes.nnp", network__nntxt=chain().text(), parameter__protobuf=data)
    assert "its shape" in refused(path)


def test_a_variable_of_very_many_values(tmp_path: Path) -> None:
    file = NnpFile({"x": (1 << 20, 1 << 11, 1 << 11)})
    file.function("ReLU", ["x"], [(1 << 20, 1 << 11, 1 << 11)])
    path = file.save(tmp_path / "large.nnp")
    with contextlib.suppress(NetsheetError):
        netsheet.load(path).summary()


@pytest.mark.parametrize("form", ["zip", "text", "wire"])
def test_changed_bytes(form: str, tmp_path: Path) -> None:
    """Whatever is changed or cut: a sentence, or a network that opens."""
    chance = random.Random(5)
    file = chain()
    whole = {"zip": file.save(tmp_path / "net.nnp").read_bytes(), "text": file.text().encode(),
             "wire": wire(file.arrays)}[form]  # fmt: skip
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            if chance.random() < 0.2:
                del data[at : at + chance.randint(1, 40)]
            else:
                data[at] = chance.randrange(256)
        if form == "wire":
            zipped(tmp_path / "f.nnp", network__nntxt=file.text(), parameter__protobuf=bytes(data))
            path = tmp_path / "f.nnp"
        else:
            path = tmp_path / ("f.nnp" if form == "zip" else "f.nntxt")
            path.write_bytes(bytes(data))
        try:
            netsheet.load(path).summary()
        except NetsheetError as error:
            assert "description is broken" not in str(error), error
