"""Writes the documentation's pictures of workbooks, as LibreOffice prints them.

    NETSHEET_SHARED=../shared python tools/workbook_pictures.py

The network is the article's. Overview, Explain, Flow and the learning sheets are pictures of a
window, taken by hand; Steps is printed from a small network of its own, a stateful LSTM.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

import netsheet

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SEED = Path(os.environ.get("NETSHEET_SHARED", ROOT.parent / "shared")) / "seed"
DOTS = 110  # per inch
HEADER = 0.06  # of a page's height, which the printed header takes
MARGIN = 12  # pixels of paper around what is printed
SHEETS = {"Input": "input", "conv2": "conv", "dense1": "dense", "activation_7": "softmax",
          "Check": "check", "Map": "map"}  # fmt: skip


def pages(book: Path, folder: Path) -> dict[str, list[Path]]:
    """The printed pages of each sheet, by the sheet's name in their header."""
    subprocess.run(
        ["soffice", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless",
         "--convert-to", "pdf", "--outdir", str(folder), str(book)],
        check=True, capture_output=True,
    )  # fmt: skip
    printed = folder / f"{book.stem}.pdf"
    subprocess.run(["pdftoppm", "-r", str(DOTS), "-png", str(printed), str(folder / book.stem)],
                   check=True)  # fmt: skip
    found: dict[str, list[Path]] = {}
    for number, picture in enumerate(sorted(folder.glob(f"{book.stem}-*.png")), 1):
        text = subprocess.run(
            ["pdftotext", "-f", str(number), "-l", str(number), "-layout", str(printed), "-"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        _, name, *_ = text.strip().splitlines()[0].split()
        found.setdefault(name, []).append(picture)
    return found


def cropped(picture: Path) -> Image.Image:
    """What is printed below the header, with a little paper above and below it."""
    page = Image.open(picture).convert("RGB")
    page = page.crop((0, int(page.height * HEADER), page.width, page.height))
    box = ImageChops.difference(page, Image.new("RGB", page.size, "white")).getbbox()
    if box is None:
        return page
    edges = max(box[1] - MARGIN, 0), min(box[3] + MARGIN, page.height)
    return page.crop((box[0] // 2, edges[0], min(box[2] + MARGIN, page.width), edges[1]))


def joined(parts: list[Image.Image], target: Path) -> None:
    """One below the other, as the sheet has them."""
    size = max(part.width for part in parts), sum(part.height for part in parts)
    whole = Image.new("RGB", size, "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    whole.quantize(256, Image.Quantize.FASTOCTREE).save(target, optimize=True)


def main() -> None:
    if not shutil.which("soffice") or not shutil.which("pdftoppm"):
        raise SystemExit("LibreOffice (soffice) and poppler-utils (pdftoppm) are needed.")
    model = netsheet.load(SEED / "my_model.h5")
    with tempfile.TemporaryDirectory(prefix="netsheet-") as name:
        book = Path(name) / "net.xlsx"
        model.to_excel(book, str(SEED / "digit5.png"))
        found = pages(book, Path(name))
        for sheet, picture in SHEETS.items():
            joined([cropped(page) for page in found[sheet]], IMAGES / f"workbook-{picture}.png")


if __name__ == "__main__":
    main()
