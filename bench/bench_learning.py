"""Workbooks that learn: cells, size, and the time to write and to recalculate them."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import netsheet
from netsheet.data.probe import probe
from netsheet.verify.engines.libreoffice import time_libreoffice
from netsheet.write.excel import Learning, to_excel

SHARED = Path(os.environ.get("NETSHEET_SHARED", Path(__file__).parents[2] / "shared"))
CLASSES = Learning("categorical_crossentropy")
NETWORKS: dict[str, tuple[str, Learning]] = {
    "published network (650 parameters)": ("seed/my_model.h5", CLASSES),
    "the same, 5 steps": ("seed/my_model.h5", replace(CLASSES, steps=5)),
    "wake word (str_ww)": ("models/str_ww_ref_model.h5", CLASSES),
    "anomaly detection (ad01)": ("models/ad01.h5", Learning("mean_squared_error", own_input=True)),
    "ResNet-8": ("models/pretrainedResnet.h5", CLASSES),
}


def main(wanted: list[str]) -> None:
    """A row for each network, or for those whose file is named."""
    import ironcalc

    print("| network | formulas | size | written in | IronCalc | LibreOffice |")
    print("|---|---|---|---|---|---|")
    for title, (file, learning) in NETWORKS.items():
        if wanted and not any(name in file for name in wanted):
            continue
        model = netsheet.load(SHARED / file)
        sample = replace(probe(model), label=0)
        with tempfile.TemporaryDirectory() as folder:
            book = Path(folder) / "learn.xlsx"
            begin = time.perf_counter()
            report = to_excel(model, book, [sample], learn=learning)
            written = time.perf_counter() - begin
            opened = ironcalc.load_from_xlsx(str(book), "en", "UTC", "en")
            begin = time.perf_counter()
            opened.evaluate()
            calculated = time.perf_counter() - begin
            office = f"{time_libreoffice(book):.1f} s"
        print(
            f"| {title} | {report.formulas:,} | {report.size / 1e6:.1f} MB | {written:.1f} s "
            f"| {calculated:.2f} s | {office} |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
