"""How long the page takes: generation, a pass and its drawing in Chromium, the first view.

    python bench/bench_page.py [--check]

Medians over passes, of compute and of drawing apart. ``--check`` fails beyond the limits below,
which are for a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import netsheet
from netsheet.data.probe import probe
from netsheet.write.page import to_page

SHARED = Path(os.environ.get("NETSHEET_SHARED", Path(__file__).parent.parent.parent / "shared"))
PASSES = 40
# model: file, then the most: ms a pass, ms of drawing, ms to the first view, bytes
MODELS = {
    "seed": ("seed/my_model.h5", 2.0, 2.0, 250, 200_000),
    "ResNet-8": ("models/pretrainedResnet.h5", 12.0, 3.0, 250, 600_000),
    "wake word": ("models/str_ww_ref_model.h5", 4.0, 3.0, 250, 600_000),
}
NAMES = ("pass ms", "draw ms", "first view ms", "bytes")


def measured(browser: Any, page: Path) -> tuple[float, float, float]:
    """Medians of a pass and of its drawing, and when the first view stood."""
    tab = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
    tab.goto(page.as_uri())
    tab.wait_for_selector("#badge[data-worst]")
    seen = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    passes, draws = [], []
    for _ in range(PASSES):
        before = tab.evaluate("document.documentElement.dataset.passes")
        tab.locator("button.sample").first.click()
        while tab.evaluate("document.documentElement.dataset.passes") == before:
            tab.wait_for_timeout(5)
        passes.append(float(tab.evaluate("document.documentElement.dataset.took")))
        draws.append(float(tab.evaluate("document.documentElement.dataset.drew")))
    tab.context.close()
    return statistics.median(passes), statistics.median(draws), float(seen)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    if shutil.which("chromium") is None or not (SHARED / "seed").is_dir():
        print(f"left out: it takes chromium and the models in {SHARED} (NETSHEET_SHARED)")
        return 0
    from playwright.sync_api import sync_playwright

    failed = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--disable-gpu", "--no-sandbox"]
        )
        print(f"{'':12}{'written s':>12}" + "".join(f"{name:>16}" for name in NAMES))
        for name, (file, *limits) in MODELS.items():
            model, page = netsheet.load(SHARED / file), Path(folder) / f"{len(name)}.html"
            sample = probe(model)
            start = time.perf_counter()
            report = to_page(model, page, samples=[sample])
            took = time.perf_counter() - start
            found = (*measured(browser, page), report.size)
            print(f"{name:12}{took:12.2f}" + "".join(f"{value:16,.1f}" for value in found))
            pairs = zip(NAMES, found, limits, strict=True)
            failed += [f"{name}: {what} {v:,.1f} > {most}" for what, v, most in pairs if v > most]
            if took > 2:
                failed.append(f"{name}: written in {took:.1f} s > 2")
        browser.close()
    print("\n".join(failed))
    return int(check and bool(failed))


if __name__ == "__main__":
    sys.exit(main())
