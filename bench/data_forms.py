"""Data as people have it, tried with a network: what is scaled by what, and where labels are from.

python bench/data_forms.py > docs/data.md
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from netsheet.data.datasets import read_dataset
from netsheet.equations import Tensor
from netsheet.errors import NetsheetError

TABLE = Tensor("table", ("channel",), (2,))
PICTURE = Tensor("picture", ("height", "width", "channel"), (2, 2, 1))
FLAT = Tensor("pixels", ("channel",), (64,))
HEAD = """# Data: what is read, scaled and taken for labels

Made by `python bench/data_forms.py`. The networks here do not scale anything themselves; one that
does, wherever in its first layers, gets every kind of pixels as they are. `--scale`, `--mean`,
`--std`, `--invert` and `--label` override what is decided.

A picture of something dark on a bright, plain ground (a digit on paper) is compared with itself
inverted: where the network's answer for the inverted one differs more from its answer for the empty
ground, and is another class, one line says so and names `--invert`; Python gives an `InputWarning`.
Nothing is inverted by itself, and about one picture in twenty is told wrongly.

Pictures are resized by stretching (bilinear, averaged where they shrink), as Keras's `load_img`
does with `interpolation="bilinear"`; its default there is `nearest`, and
`image_dataset_from_directory` does not average. Unlike Keras, pictures are turned upright by their
EXIF orientation, transparency is laid on white, and 16 bits become 8; each is said
where it happens.

Of a set that is split the test set is taken; `mnist#train`, `d.npz#train`, or a folder of the
folders `train` and `test` with `#train` behind it, is the training set, `mnist#train:0` its first
sample.
An array `class_names` in an `.npz` says what the classes are called; labels may be the names
themselves, as in a CSV. A name means what the network calls so, also where the data lack some of
its classes; one that it does not know is refused (to learn new ones is another matter).

| data | input | decided |
|---|---|---|"""


def _text(text: str, encoding: str = "utf-8") -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / "d.csv").write_bytes(text.encode(encoding))
        return "d.csv"

    return write


def _arrays(name: str, **arrays: object) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        np.savez(folder / name, **arrays)  # type: ignore[arg-type]
        return name

    return write


def _folders(*names: str) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        for number, name in enumerate(names):
            (folder / "d" / name).mkdir(parents=True)
            image = Image.fromarray(np.full((2, 2), 9 * number, np.uint8))
            image.save(folder / "d" / name / f"{number}.png")
        return "d"

    return write


def forms() -> list[tuple[str, Tensor, Callable[[Path], str]]]:
    """What is tried: a few words, the input, and what writes it."""
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 2, 2) * 20
    numbers, labels = np.array([[6, 148], [1, 85], [8, 183]]), np.array([1, 0, 1])
    rows = "\n".join(",".join(map(str, [n, *range(n, 256, 4)][:65])) for n in (3, 1, 2))
    return [
        ("CSV, label last, named", TABLE, _text("a,b,species\n1,2,cat\n3.5,1,dog\n")),
        ("CSV, label first, no heading", TABLE, _text("2,0.5,1.5\n0,1.5,2.5\n")),
        ("CSV, both ends look like classes", TABLE, _text("2,0.5,1\n0,1.5,2\n")),
        ("CSV, `;` and decimal comma", TABLE, _text("a;b;class\n1,5;2;0\n0,5;1;1\n")),
        ("CSV, an index in front", TABLE, _text(",a,b,y\n0,1.5,2,1\n1,4,5,0\n2,1,1,1\n")),
        ("CSV of Japanese Windows (cp932)", TABLE, _text("幅,高さ,ラベル\n1,2,猫\n", "cp932")),
        ("CSV in UTF-16, without its mark", TABLE, _text("a,b,y\n1,2,0\n3.5,1,1\n", "utf-16-le")),
        ("CSV, thousands as in Germany", TABLE, _text("a;b;y\n1.234,5;2;0\n98,5;1;1\n")),
        ("CSV, thousands or decimals", TABLE, _text('a,b,y\n"1,234",2,0\n"9,876",1,1\n')),
        ("CSV, a label that is missing", TABLE, _text("a,b,y\n1,2,0\n3.5,1,\n")),
        (".npz, arrays without names", TABLE, _arrays("d.npz", arr_0=numbers, arr_1=labels)),
        ("CSV, pixels in one column", PICTURE, _text("emotion,pixels\n3,0 1 2 255\n1,9 8 7 6\n")),
        ("CSV of 8x8 pictures, label first", FLAT, _text(rows + "\n")),
        (".npz, whole numbers of a table", TABLE, _arrays("d.npz", x=numbers, y=labels)),
        (".npz, pictures of uint8", PICTURE, _arrays("d.npz", images=pixels, labels=labels)),
        (".npz, pictures as floats 0 .. 255", PICTURE,
         _arrays("d.npz", x=pixels.astype(float), y=labels)),
        (".npz, pictures scaled before", PICTURE, _arrays("d.npz", x=pixels / 255, y=labels)),
        ("folders of classes", PICTURE, _folders("cat", "dog", ".ipynb_checkpoints")),
    ]  # fmt: skip


def main() -> None:
    """Prints the table."""
    print(HEAD)
    for what, tensor, write in forms():
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            try:
                decided = read_dataset(write(Path(folder)), [tensor]).note
            except NetsheetError as error:
                decided = f"refused: {str(error).replace(folder, '.')}"
        print(f"| {what} | {tensor.name} | {decided} |")


if __name__ == "__main__":
    main()
