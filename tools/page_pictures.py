"""Writes the documentation's living example, docs/example.html, and the pictures of the page.

    python tools/page_pictures.py

The example is the package's sample network; the pictures are taken in Chromium.
"""

from __future__ import annotations

import shutil
import sys
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import netsheet
from netsheet.data.datasets import read_dataset
from netsheet.data.inputs import read_input
from netsheet.write.page import to_page
from netsheet.write.page.learning import PageLearning

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
EXAMPLE = DOCS / "example.html"


def write_example(target: Path = EXAMPLE) -> None:
    """The sample network with ten of its digits."""
    with resources.as_file(resources.files("netsheet.data") / "sample") as sample:
        model = netsheet.load(sample / "digits.h5")
        digits = [read_input(sample / f"digit{n}.png", model) for n in (5, 0, 3, 7)]
        data = read_dataset(str(sample / "digits"), model.inputs)
        digits += [data.sample(n, model.inputs) for n in range(6)]
        to_page(model, target, samples=digits)


def take_picture_of_learning(browser: Any, folder: Path) -> None:
    """Twenty steps towards another class than the digit's own."""
    page = folder / "learn.html"
    with resources.as_file(resources.files("netsheet.data") / "sample") as sample:
        model = netsheet.load(sample / "digits.h5")
        to_page(model, page, samples=[read_input(sample / "digit5.png", model)], lang="en",
                learn=PageLearning())  # fmt: skip
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as context:
        tab = context.new_page()
        tab.goto(page.as_uri())
        tab.wait_for_selector("#badge[data-worst]")
        tab.select_option("#trueClass", "3")
        tab.click("#stepTen")
        tab.wait_for_timeout(500)
        tab.click("#stepTen")
        tab.wait_for_timeout(500)
        tab.screenshot(path=DOCS / "images" / "page-learn.png")


def take_pictures(folder: Path) -> None:
    """A value of a convolution, in the dark, on a phone in Japanese, and inside an attention."""
    from playwright.sync_api import sync_playwright

    attention = folder / "attention.html"
    with zipfile.ZipFile(ROOT / "tests/corpus/keras3.zip") as archive:
        to_page(netsheet.load(Path(archive.extract("k3_transformer.keras", folder))), attention)
    wide = {"viewport": {"width": 1280, "height": 820}}
    with sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--disable-gpu", "--no-sandbox"]
        )
        take_picture_of_learning(browser, folder)
        phone = running.devices["Pixel 5"]
        for name, page, layer, where, steps, context in (
            (
                "page-conv",
                EXAMPLE,
                1,
                (0.62, 0.13),
                False,
                {"viewport": {"width": 1280, "height": 1000}},
            ),
            ("page-dark", EXAMPLE, -1, (0.5, 0.55), True, {**wide, "color_scheme": "dark"}),
            ("page-attention", attention, 5, (0.5, 0.5), True, wide),
            ("page-phone", EXAMPLE, 1, (0.62, 0.13), False, {**phone, "locale": "ja-JP"}),
        ):
            tab = browser.new_context(**context).new_page()
            tab.goto(page.as_uri())
            tab.wait_for_selector("#badge[data-worst]")
            _pick(tab, layer, where, steps)
            tab.screenshot(path=DOCS / "images" / f"{name}.png", full_page="phone" in name)
        browser.close()


def _pick(tab: Any, layer: int, where: tuple[float, float], steps: bool) -> None:
    card = tab.locator("article.card").nth(layer)
    if steps:
        card.locator("summary").click()
    canvas = card.locator("canvas.map").nth(0)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    tab.mouse.click(box["x"] + box["width"] * where[0], box["y"] + box["height"] * where[1])
    tab.wait_for_timeout(300)


if __name__ == "__main__":
    import tempfile

    write_example()
    if "--example" not in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as name:
            take_pictures(Path(name))
