"""Workbooks: recalculation against the hand-made one, writing ResNet-8, size of wide layers."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

import netsheet
from netsheet.data.inputs import InputValue, Sample, Scaling
from netsheet.equations import Weight
from netsheet.layers.conv import Conv2D
from netsheet.model import Model
from netsheet.network import LayerCall, Source, ValueRef
from netsheet.verify.engines.libreoffice import time_libreoffice
from netsheet.write.excel import to_excel
from netsheet.write.excel.placement import cell_name
from netsheet.write.xlsx import Book, formula_cells, number_cells

SHARED = Path(os.environ.get("NETSHEET_SHARED", Path(__file__).parents[2] / "shared"))
ROUNDS = 5


def pictures(model: Model) -> Sample:
    """A random picture of the size that the model takes."""
    rng = np.random.default_rng(0)
    inputs = {}
    for tensor in model.inputs:
        raw = rng.integers(0, 256, tensor.shape)
        inputs[tensor.name] = InputValue((raw / 255).astype(np.float32), raw, Scaling(1 / 255))
    return Sample("random", inputs)


def published(folder: Path) -> None:
    """LibreOffice: start, open, recalculate and save the published network's workbooks."""
    model = netsheet.load(SHARED / "seed" / "my_model.h5")
    raw = np.load(SHARED / "seed" / "digit5.npy").reshape(1, 28, 28).astype(int)
    value = InputValue((raw / 255).astype(np.float32), raw, Scaling(1 / 255))
    ours, other = folder / "ours.xlsx", SHARED / "seed" / "keras_cnn_published.xlsx"
    to_excel(model, ours, [Sample("digit5", {"input_1": value}, 5)])
    time_libreoffice(ours)  # the first start reads the program from disk
    times: dict[Path, list[tuple[float, float]]] = {ours: [], other: []}
    for _ in range(ROUNDS):
        for book, measured in times.items():
            before = processor()
            clock = time_libreoffice(book)
            measured.append((clock, processor() - before))
    mine, hand = ([min(part) for part in zip(*found, strict=True)] for found in times.values())
    print(f"published network, LibreOffice start to saved, best of {ROUNDS}:")
    for name, number in (("clock", 0), ("processor", 1)):
        ratio = mine[number] / hand[number]
        print(
            f"  {name}: netsheet {mine[number]:.2f} s, hand-made {hand[number]:.2f} s, "
            f"ratio {ratio:.2f}"
        )


def processor() -> float:
    """Processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resnet(folder: Path) -> None:
    """Time and memory of writing ResNet-8, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "resnet", str(folder / "resnet.xlsx")],
        capture_output=True,
        text=True,
        check=True,
    )
    print(done.stdout, end="")


def write_resnet(target: Path) -> None:
    """Write it and print what that took."""
    start = time.perf_counter()
    model = netsheet.load(SHARED / "models" / "pretrainedResnet.h5")
    report = to_excel(model, target, [pictures(model)])
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"ResNet-8: {report.formulas:,} formulas, {report.numbers:,} numbers, "
        f"{report.size / 1e6:.1f} MB in {seconds:.1f} s, peak {peak:.0f} MB"
    )


def wide(folder: Path) -> None:
    """A 32x32x16 -> 32x32x16 convolution against one SUMPRODUCT for each channel."""
    rng = np.random.default_rng(0)
    layer = Conv2D(
        name="conv", kernel_size=(3, 3), strides=(1, 1), dilation_rate=(1, 1), padding="same",
        filters=16, use_bias=True,
    )  # fmt: skip
    for label, shape in (("kernel", (3, 3, 16, 16)), ("bias", (16,))):
        values = rng.normal(size=shape).astype(np.float32)
        axes = layer.weight_axes()[label]
        layer.weights[label] = Weight(f"conv/{label}", axes, shape, label=label, values=values)
    call = LayerCall("conv", layer, (ValueRef("input"),))
    model = Model("wide", [call], [Source("input", (32, 32, 16))], [ValueRef("conv")])
    value = InputValue(rng.normal(size=(32, 32, 16)).astype(np.float32))
    sample = Sample("random", {"input": value})
    to_excel(model, folder / "wide.xlsx", [sample])
    _plain(model, sample, folder / "plain.xlsx")
    ours = _sizes(folder / "wide.xlsx", ("xl/worksheets/sheet2.xml", "xl/worksheets/sheet3.xml"))
    plain = _sizes(folder / "plain.xlsx", ("xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"))
    print("32x32x16 -> 32x32x16, against one SUMPRODUCT for each channel, zipped:")
    for name, number in (("input and layer", 0), ("whole file with check and map", 1)):
        mine, other = ours[number], plain[number]
        print(f"  {name}: {mine / 1e6:.2f} MB, {other / 1e6:.2f} MB, ratio {mine / other:.2f}")


def _sizes(book: Path, sheets: tuple[str, str]) -> tuple[int, int]:
    """Bytes of the two sheets, and of the whole file."""
    with zipfile.ZipFile(book) as archive:
        parts = sum(archive.getinfo(sheet).compress_size for sheet in sheets)
    return parts, book.stat().st_size


def _plain(model: Model, sample: Sample, target: Path) -> None:
    """The same layer as planes, every formula with one SUMPRODUCT for each input channel.

    Explicit zeros surround the planes; nothing but input, weights and formulas with their values.
    """
    x = np.pad(sample.inputs["input"].values, ((1, 1), (1, 1), (0, 0)))
    y = model.activations(sample.inputs["input"].values[None])["conv"][0].astype(float)
    kernel = model.layers["conv"].weights["kernel"].values
    book = Book(target)
    with book.sheet("Input") as sheet:
        for row in range(34):
            sheet.row(row, "".join(
                number_cells(row, c * 35, [str(v) for v in x[row, :, c]], 0) for c in range(16)
            ))  # fmt: skip
    with book.sheet("conv") as sheet:
        for row in range(48):
            texts = [[str(v) for v in kernel[row % 3, :, i, row // 3]] for i in range(16)]
            cells = "".join(number_cells(row, 4 * i, t, 0) for i, t in enumerate(texts))
            sheet.row(row, cells + number_cells(row, 64, ["0.5"], 0))
        for row in range(32):
            cells = ""
            for c in range(16):
                formulas = [_formula(row, column, c) for column in range(32)]
                cached = [f"{v:.15g}" for v in y[row, :, c]]
                cells += formula_cells(50 + row, c * 33, formulas, cached, 0)
            sheet.row(50 + row, cells)
    book.close()


def _formula(row: int, column: int, out: int) -> str:
    terms = []
    for i in range(16):
        window = f"{cell_name(row, i * 35 + column)}:{cell_name(row + 2, i * 35 + column + 2)}"
        first, last = cell_name(3 * out, 4 * i, True), cell_name(3 * out + 2, 4 * i + 2, True)
        terms.append(f"SUMPRODUCT(Input!{window},{first}:{last})")
    return "+".join([*terms, cell_name(3 * out, 64, True)])


def main() -> None:
    """Everything, in one run."""
    if sys.argv[1:2] == ["resnet"]:
        write_resnet(Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        wide(Path(folder))
        resnet(Path(folder))
        published(Path(folder))


if __name__ == "__main__":
    main()
