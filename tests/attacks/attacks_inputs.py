"""Hostile pictures, arrays, CSV files and layouts, fed to a sound network of three inputs."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from attack import MODEL, attack
from attacks_containers import Runs

INPUT = ("activations", MODEL, "--input", "{}", "-o", "out.npz")
DATA = ("evaluate", MODEL, "--data", "{}")
IMPORT = ("csv", MODEL, "--import", "{}", "-o", "new.h5")
LAYOUT = ("csv", MODEL, "--layout", "{}", "-o", "out.csv")


def png(width: int, height: int, data: bytes) -> bytes:
    """A picture of 8-bit grey with any claim about its size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@attack("large.png", "so many pixels", command=INPUT)
def large_png(path: Path) -> None:
    path.write_bytes(png(30_000, 30_000, zlib.compress(bytes(1000))))


@attack("text_bomb.png", "not a picture|pixels|text", command=INPUT)
def text_bomb(path: Path) -> None:
    """A compressed text of 512 MB inside a picture."""
    packer = zlib.compressobj(9)
    body = b"c\0\0" + b"".join(packer.compress(bytes(1 << 20)) for _ in range(512))
    body += packer.flush()
    text = struct.pack(">I", len(body)) + b"zTXt" + body
    text += struct.pack(">I", zlib.crc32(b"zTXt" + body))
    sound = png(2, 2, zlib.compress(bytes(6)))
    path.write_bytes(sound[:33] + text + sound[33:])


@attack("half.png", "not a picture", command=INPUT)
def half_png(path: Path) -> None:
    path.write_bytes(png(3, 1, zlib.compress(bytes(4)))[:45])


@attack("postscript.png", "not a picture", command=INPUT)
def postscript(path: Path) -> None:
    """Pillow would hand this to Ghostscript."""
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch X) (w) file\n")


@attack("large.gif", "so many pixels|not a picture", command=INPUT)
def large_gif(path: Path) -> None:
    path.write_bytes(b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0"
                     b"\x08\x01\0\0;")  # fmt: skip


@attack("objects.npy", "never loaded", command=INPUT)
def objects(path: Path) -> None:
    np.save(path, np.array([Runs()], dtype=object), allow_pickle=True)


@attack("pickle.npy", "not a .npy file", command=INPUT)
def pickle_npy(path: Path) -> None:
    path.write_bytes(pickle.dumps(Runs()))


@attack("objects_input.npz", "never loaded", command=INPUT)
def objects_npz(path: Path) -> None:
    np.savez(path, x=np.array([Runs()], dtype=object))


def _npy_head(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@attack("declared.npy", "more than 4 GB", command=INPUT)
def declared_npy(path: Path) -> None:
    path.write_bytes(_npy_head("(25000000000,)") + bytes(100))


@attack("declared_2.npy", "damaged", command=INPUT)
def declared_npy_2(path: Path) -> None:
    path.write_bytes(_npy_head("(500000000,)") + bytes(100))


@attack("negative.npy", "not a .npy file, or damaged", command=INPUT)
def negative_npy(path: Path) -> None:
    path.write_bytes(_npy_head("(-1, 3)") + bytes(100))


@attack("code.npy", "malformed", command=INPUT)
def code_npy(path: Path) -> None:
    path.write_bytes(_npy_head("(3,)", "__import__('os').system('touch X')") + bytes(12))


@attack("deep.npy", "not a .npy file, or damaged", command=INPUT)
def deep_npy(path: Path) -> None:
    """A header of many brackets for the parser."""
    path.write_bytes(_npy_head("(" * 9000 + ")" * 9000) + bytes(12))


def _zeros(megabytes: int) -> bytes:
    """Zeros as a raw stream of zlib, made by repetition."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * megabytes + packer.flush()


def _zeros_npz(path: Path) -> None:
    """2 GB of zeros in 2 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(_npy_head(f"({2**29},)")) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = head + _zeros(2**11)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", packed)
    whole = bytearray(path.read_bytes())
    for mark, method, size in ((b"PK\x03\x04", 8, 22), (b"PK\x01\x02", 10, 24)):
        at = whole.index(mark)
        whole[at + method] = zipfile.ZIP_DEFLATED
        whole[at + size : at + size + 4] = struct.pack("<L", 2**31 + 128)
    path.write_bytes(whole)


attack("zeros.npz", "made to exhaust", command=INPUT)(_zeros_npz)
attack("zeros_data.npz", "made to exhaust", command=DATA)(_zeros_npz)


@attack("zeros-idx1-ubyte.gz", "made to exhaust", command=INPUT)
def zeros_idx(path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(b"\0\0\x08\x01" + struct.pack(">I", 2**31 - 1))
    head += packer.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(b"\x1f\x8b\x08" + bytes(7) + head + _zeros(2**11) + bytes(8))


@attack("declared-idx3-ubyte", "more than 4 GB", command=INPUT)
def declared_idx(path: Path) -> None:
    path.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + bytes(100))


@attack("many-idx255-ubyte", "255 axes", command=INPUT)
def many_axes_idx(path: Path) -> None:
    path.write_bytes(b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + bytes(1))


@attack("half-idx3-ubyte", "damaged", command=DATA)
def half_idx(path: Path) -> None:
    path.write_bytes(b"\0\0\x08\x03" + b"\0\0\0\x05" * 3 + bytes(100))


@attack("one_line.csv", "has the shape", command=INPUT)
def one_line(path: Path) -> None:
    path.write_text("1," * 5_000_000 + "1\n")


@attack("quote.csv", "cannot be read as CSV", command=INPUT)
def quote(path: Path) -> None:
    """A quotation that never ends."""
    path.write_text('"' + "1,2,3\n" * 500_000)


@attack("noise.csv", "cannot be read as CSV", command=INPUT)
def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(1).bytes(3000))


@attack("nul.csv", "is not a number", command=INPUT)
def nul(path: Path) -> None:
    path.write_bytes(b"1,2,\0\n")


@attack("numbers.csv", "wrote out.npz", command=INPUT, opens=True)
def numbers(path: Path) -> None:
    path.write_text(f"1,2,{'9' * 100_000}\n")


@attack("formula.csv", "where the layout has", command=IMPORT)
def formula(path: Path) -> None:
    path.write_text("=cmd|'/C calc'!A0,1\n")


@attack("long_field.csv", "field larger", command=IMPORT)
def long_field(path: Path) -> None:
    path.write_text('"' + "x" * 10_000_000)


@attack("noise_import.csv", "cannot be read as CSV", command=IMPORT)
def noise_import(path: Path) -> None:
    noise(path)


@attack("deep.toml", "nested too deeply", command=LAYOUT)
def deep_toml(path: Path) -> None:
    path.write_text("head = " + "[" * 5_000 + "]" * 5_000)


@attack("dotted.toml", "16,000 are the limit", command=LAYOUT)
def dotted_toml(path: Path) -> None:
    path.write_text(".".join("a" for _ in range(20_000)) + " = 1\n")


@attack("template.toml", "unknown field", command=LAYOUT)
def template_toml(path: Path) -> None:
    """A template that reaches for what belongs to the program."""
    path.write_text('[[table]]\nbefore = "{layer.__class__.__init__.__globals__}"\n')


@attack("wide_template.toml", "unknown field", command=LAYOUT)
def wide_template(path: Path) -> None:
    path.write_text('[[table]]\nbefore = "{layer:>9999999999}"\n')


@attack("large_every.toml", "at least 1", command=LAYOUT)
def large_every(path: Path) -> None:
    path.write_text(f"[[table]]\nsplit = {{axis = 'in', every = -{10**30}}}\n")


@attack("pattern.toml", "", command=LAYOUT, opens=True)
def pattern(path: Path) -> None:
    """Patterns are names with stars: many stars are slow for some."""
    path.write_text(f"[[table]]\nweights = ['{'*a' * 40}b', '*']\ndown = ['*']\n")


@attack("noise.toml", "cannot be read as text", command=LAYOUT)
def noise_toml(path: Path) -> None:
    noise(path)
