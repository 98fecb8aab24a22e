"""The page in a real browser: drawing, touch, keys, links, languages, what it must not do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import netsheet
from netsheet.data.inputs import read_input
from netsheet.verify import verify
from netsheet.write.page import notebook_page, to_page
from netsheet.write.page.learning import PageLearning

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(
            executable_path=CHROMIUM, args=["--disable-gpu", "--no-sandbox"]
        )
        launched.devices = running.devices
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def digit(seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seed's page, with the published digit and a second sample."""
    model = netsheet.load(seed / "my_model.h5")
    five = read_input(seed / "digit5.png", model.inputs)
    array = np.load(seed / "digit5.npy")
    other = tmp_path_factory.mktemp("samples") / "turned.npy"
    np.save(other, array.reshape(28, 28).T.copy())
    page = tmp_path_factory.mktemp("page") / "digit.html"
    to_page(model, page, samples=[five, read_input(other, model.inputs)])
    return page


@contextmanager
def opened(browser: Any, page: Path, moment: str = "", **context: Any) -> Iterator[Any]:
    """The page, computed once; it must ask for nothing and complain of nothing."""
    asked: list[str] = []
    said: list[str] = []
    with browser.new_context(offline=True, **context) as made:
        tab = made.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(page.as_uri() + moment)
        tab.wait_for_selector("#badge[data-worst]")
        tab.wait_for_timeout(60)
        yield tab
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []
    assert said == []


def passes(tab: Any) -> int:
    return int(tab.evaluate("document.documentElement.dataset.passes"))


def prediction(tab: Any) -> list[str]:
    texts: list[str] = tab.locator(".barRow .number").all_inner_texts()
    return texts


def after(tab: Any, action: Any) -> None:
    """Does something, and waits until it has been computed."""
    before = passes(tab)
    action()
    for _ in range(400):  # its policy forbids the evaluation that waiting for a condition takes
        if passes(tab) > before:
            break
        tab.wait_for_timeout(25)
    else:
        pytest.fail("nothing was computed")
    tab.wait_for_timeout(50)  # frames that the same action asked for


def stroke(tab: Any) -> None:
    box = tab.locator("canvas.pad").bounding_box()
    x, y, wide = box["x"], box["y"], box["width"]
    tab.mouse.move(x + wide * 0.5, y + wide * 0.2)
    tab.mouse.down()
    tab.mouse.move(x + wide * 0.5, y + wide * 0.8, steps=12)
    tab.mouse.up()


def layer(tab: Any, name: str) -> Any:
    return tab.locator(f'article:has(h3[title="{name}"]) canvas.map').first


def test_it_checks_itself_and_predicts(browser: Any, digit: Path) -> None:
    with opened(browser, digit) as tab:
        assert float(tab.get_attribute("#badge", "data-worst")) <= 1e-5
        assert tab.locator(".barRow.best .barName").inner_text() == "5"
        tab.click("#badge")
        rows = tab.locator("dialog tbody tr").all_inner_texts()
        assert len(rows) == 11 and all("✓" in row for row in rows)


def test_a_stroke_changes_the_prediction(browser: Any, digit: Path) -> None:
    with opened(browser, digit) as tab:
        before = prediction(tab)
        after(tab, lambda: tab.get_by_role("button", name="Clear").click())
        after(tab, lambda: stroke(tab))
        assert prediction(tab) != before
        assert tab.locator(".barRow.best .barName").inner_text() == "1"
        after(tab, lambda: tab.locator("button.sample").nth(0).click())
        assert prediction(tab) == before


def test_a_finger_draws(browser: Any, digit: Path) -> None:
    with opened(browser, digit, **browser.devices["Pixel 5"]) as tab:
        after(tab, lambda: tab.get_by_role("button", name="Clear").click())
        blank = prediction(tab)
        box = tab.locator("canvas.pad").bounding_box()
        wire = tab.context.new_cdp_session(tab)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            there = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
                     for x, y in points]  # fmt: skip
            wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": there})

        def drawn() -> None:
            touch("touchStart", (0.5, 0.2))
            for n in range(10):
                touch("touchMove", (0.5, 0.2 + 0.06 * n))
            touch("touchEnd")

        after(tab, drawn)
        assert prediction(tab) != blank
        assert tab.evaluate("scrollX") == 0
        wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, "a phone must not scroll sideways"


def test_keys_alone_reach_a_kept_explanation(browser: Any, digit: Path) -> None:
    with opened(browser, digit) as tab:
        for _ in range(60):
            tab.keyboard.press("Tab")
            label = tab.evaluate("document.activeElement.getAttribute('aria-label') || ''")
            if label.startswith("conv2 "):
                break
        else:
            pytest.fail("conv2 is not reached by Tab")
        for key in ("ArrowRight", "ArrowDown", "ArrowDown", "PageDown", "Enter"):
            tab.keyboard.press(key)
        title = tab.locator(".panel h2").inner_text()
        assert title.startswith("conv2[1, 2, 1] = ")
        assert "conv2 の" not in tab.locator("[role=status]").last.inner_text()
        assert "1, 2, 1" in tab.locator("p.hidden[role=status]").inner_text()
        assert tab.locator(".panel .grid").count() > 3
        tab.keyboard.press("Escape")
        assert "What a value is made of" in tab.locator(".panel h2").inner_text()


def test_what_the_panel_shows_adds_up(browser: Any, digit: Path) -> None:
    with opened(browser, digit) as tab:
        layer(tab, "conv1").click(position={"x": 24, "y": 30})
        answer = float(tab.locator(".answer").inner_text())
        grids = [
            [float(cell) for cell in grid.locator(".cell").evaluate_all("a => a.map(e => e.title)")]
            for grid in tab.locator(".panel .grid").all()
        ]
        x, kernel, products = (np.array(grid) for grid in grids)
        assert len(x) == 16 and np.abs(x).max() > 0
        np.testing.assert_allclose(x * kernel, products, rtol=1e-5, atol=1e-7)
        total = float(tab.locator("[data-total]").get_attribute("data-total"))
        assert products.sum() == pytest.approx(total, rel=1e-5)
        assert float(tab.locator("[data-stage]").get_attribute("data-stage")) == pytest.approx(
            answer, rel=1e-5
        )
        formula = tab.locator('code[data-line="excel"]').inner_text()
        assert formula.startswith("=SUMPRODUCT(Input!")
        assert tab.locator(".edges.front path").count() == 1


def test_breaking_and_restoring(browser: Any, digit: Path) -> None:
    with opened(browser, digit) as tab:
        before = prediction(tab)
        layer(tab, "conv2").click(position={"x": 30, "y": 30})
        after(tab, lambda: tab.click("#mute"))
        muted = prediction(tab)
        assert muted != before
        assert "conv2" in tab.locator(".broken").inner_text()
        link = tab.evaluate("location.hash")
        after(tab, lambda: tab.click("#noise"))
        assert prediction(tab) != muted
        after(tab, lambda: tab.click("#restore"))
        assert prediction(tab) == before
    with opened(browser, digit, link) as tab:
        assert prediction(tab) == muted, "the link shows the same moment"
        assert tab.locator(".panel h2").inner_text().startswith("conv2[")


def test_one_weight_is_changed(browser: Any, digit: Path) -> None:
    with opened(browser, digit) as tab:
        layer(tab, "dense1").click(position={"x": 7, "y": 75})
        before = float(tab.locator(".answer").inner_text())
        cell = tab.locator(".cell.weight").first
        old = float(cell.get_attribute("title"))
        x = float(tab.locator(".panel .cell").first.get_attribute("title"))
        cell.click()
        tab.locator(".editing input").fill(str(old + 2))
        after(tab, lambda: tab.locator(".editing button").click())
        now = float(tab.locator(".answer").inner_text())
        assert now - before == pytest.approx(2 * x, rel=1e-3)


@pytest.mark.parametrize(
    "moment",
    ["#%7B%22s%22%3A99%7D", "#nonsense", "#null", "#%7B%22at%22%3A%5B%22conv1%22%2C%5B9%5D%5D%7D",
     "#" + '{"c":{"mute":[[99,1]],"zero":["a"],"weight":[[0,-1,2]]},"x":[[1]]}'],
)  # fmt: skip
def test_a_link_that_does_not_fit_changes_nothing(browser: Any, digit: Path, moment: str) -> None:
    with opened(browser, digit, moment) as tab:
        assert tab.locator(".barRow.best .barName").inner_text() == "5"
        assert tab.locator(".broken").is_hidden()


def test_both_languages(browser: Any, digit: Path) -> None:
    with opened(browser, digit, locale="ja-JP") as tab:
        assert tab.evaluate("document.documentElement.lang") == "ja"
        assert tab.get_by_role("heading", name="予測").count() == 1
        best = tab.locator(".barRow.best").inner_text()
        tab.click("#language")
        tab.wait_for_selector("text=Prediction")
        assert tab.locator(".barRow.best").inner_text() == best
    words = _words()
    assert set(words["en"]) == set(words["ja"])
    for key, text in words["en"].items():
        assert re.findall(r"\{\w\}", text) == [] or sorted(re.findall(r"\{\w\}", text)) == sorted(
            re.findall(r"\{\w\}", words["ja"][key])
        ), key


def _words() -> dict[str, dict[str, str]]:
    """The sentences of both languages, read from the page's own file."""
    from netsheet.write.page.document import asset

    text = asset("words.js")
    result = {}
    for name in ("en", "ja"):
        start = text.index(f"  {name}: {{") + 5
        block = text[start : text.index("\n  },", start)]
        result[name] = {
            key: json.loads(f'"{value}"')
            for key, value in re.findall(r'(\w+):\s+"((?:[^"\\]|\\.)*)"', block)
        }
    return result


def test_a_softmax_shows_its_steps(browser: Any, digit: Path) -> None:
    with opened(browser, digit) as tab:
        layer(tab, "activation_7").click(position={"x": 7, "y": 75})
        heads = tab.locator(".inside h3").all_inner_texts()
        assert [head.split(" = ")[0] for head in heads] == [
            "activation_7/exp[5]", "activation_7/sum", "activation_7/max",
        ]  # fmt: skip
        power, total = (float(head.split(" = ")[1]) for head in heads[:2])
        answer = float(tab.locator(".answer").inner_text())
        assert answer == pytest.approx(power / total, rel=1e-4)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_for_those_who_cannot_see(browser: Any, digit: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with opened(browser, digit, color_scheme=scheme) as tab:
        assert tab.evaluate("document.documentElement.dataset.theme") == scheme
        layer(tab, "conv1").click(position={"x": 24, "y": 30})
        found = axe.run(tab).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in serious] == []


def test_hostile_names_are_text(browser: Any, seed: Path, tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>\"'`${1}"
    copy = tmp_path / "evil.h5"
    shutil.copy(seed / "my_model.h5", copy)
    with h5py.File(copy, "r+") as file:
        config = file.attrs["model_config"]
        config = config.decode() if isinstance(config, bytes) else config
        described = json.loads(config)
        described["config"]["name"] = evil
        file.attrs["model_config"] = json.dumps(described)
    model = netsheet.load(copy)
    assert model.name == evil
    page = tmp_path / "evil.html"
    sample = read_input(seed / "digit5.png", model.inputs)
    to_page(model, page, samples=[sample], class_names=[evil] * 10)
    with opened(browser, page) as tab:
        assert tab.locator("h1").inner_text() == evil
        assert tab.locator("img").count() == 0


def test_in_a_notebooks_frame(browser: Any, seed: Path, tmp_path: Path) -> None:
    model = netsheet.load(seed / "my_model.h5")
    sample = read_input(seed / "digit5.png", model.inputs)
    notebook = tmp_path / "notebook.html"
    frame = notebook_page(model, sample, layer="conv2")._repr_html_()
    notebook.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{frame}</body>", "utf-8")
    with browser.new_context(offline=True) as made:
        tab = made.new_page()
        tab.goto(notebook.as_uri())
        inside = tab.frame_locator("iframe")
        inside.locator(".barRow.best").wait_for()
        assert inside.locator(".barRow.best .barName").inner_text() == "5"
        assert inside.locator(".panel h2").inner_text().startswith("conv2[")


def test_verified_in_chromium(seed: Path) -> None:
    model = netsheet.load(seed / "my_model.h5")
    sample = read_input(seed / "digit5.png", model.inputs)
    verdict = verify(model, "page", [sample], engine="chromium")
    assert verdict.ok and "hrom" in verdict.engine


def test_a_worker_computes_a_large_network(browser: Any, shared: Path, tmp_path: Path) -> None:
    """The limit is lowered in a copy of the page: its policy has to know the new script."""
    import base64
    import hashlib
    from html import escape

    model = netsheet.load(shared / "models/pretrainedResnet.h5")
    page = tmp_path / "large.html"
    to_page(model, page)
    text = page.read_text("utf-8")
    start = text.rindex("<script>") + len("<script>")
    script = text[start : text.index("</script>", start)]
    changed = script.replace("const BACKGROUND = 3e7;", "const BACKGROUND = 1e6;")
    assert changed != script

    def digest(code: str) -> str:
        return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()

    text = text.replace(script, changed).replace(escape(digest(script)), escape(digest(changed)))
    page.write_text(text, "utf-8")
    with opened(browser, page) as tab:
        assert "in the background" in tab.locator("#timing").inner_text()
        sampled = prediction(tab)
        clear, sample = (
            "[...document.querySelectorAll('button')].find(b => b.textContent == 'Clear')",
            ("document.querySelector('button.sample')"),
        )
        # the second change comes while the worker still computes the first one
        tab.evaluate(
            f"new Promise(done => {{ {clear}.click(); requestAnimationFrame(() => setTimeout(() => "
            f"{{ {sample}.click(); done(); }}, 1)); }})"
        )
        tab.wait_for_timeout(1500)
        assert prediction(tab) == sampled
        after(tab, lambda: tab.get_by_role("button", name="Clear").click())
        assert prediction(tab) != sampled
        assert float(tab.get_attribute("#badge", "data-worst")) <= 1e-5


def test_a_layer_that_is_not_computed_is_told(browser: Any, seed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "odd.h5"
    shutil.copy(seed / "my_model.h5", copy)
    with h5py.File(copy, "r+") as file:
        config = file.attrs["model_config"]
        described = json.loads(config.decode() if isinstance(config, bytes) else config)
        for one in described["config"]["layers"]:
            if one["config"].get("name") == "activation_6":
                one["class_name"] = "Mystery"
        file.attrs["model_config"] = json.dumps(described)
    page = tmp_path / "odd.html"
    model = netsheet.load(copy)
    to_page(model, page, samples=[read_input(seed / "digit5.png", model)])
    with opened(browser, page) as tab:
        refused = tab.locator("article.refused").all_inner_texts()
        assert refused[0].startswith("activation_6") and "Mystery" in refused[0]
        assert tab.locator("article.card:not(.refused)").count() == 8  # the input and seven layers
        assert tab.locator(".barRow").count() == 0
        assert float(tab.get_attribute("#badge", "data-worst")) <= 1e-5


def test_weights_tables_and_csv(browser: Any, digit: Path, seed: Path) -> None:
    model = netsheet.load(seed / "my_model.h5")
    values = model.activations(read_input(seed / "digit5.png", model).arrays[0][None])["conv3"][0]
    with opened(browser, digit) as tab:
        card = tab.locator('article:has(h3[title="conv3"])')
        card.get_by_role("button", name="Weights").click()
        titles = tab.locator("dialog h3").all_inner_texts()
        assert [title.split(" (")[0] for title in titles] == ["kernel", "bias"]
        assert tab.locator("dialog canvas").count() == 2
        assert tab.locator("dialog rect").count() == 48
        tab.get_by_role("button", name="Close").click()
        card.get_by_role("button", name="table").click()
        tab.locator("dialog select").select_option("1")
        cells = [float(text) for text in tab.locator("dialog td").all_inner_texts()]
        np.testing.assert_allclose(cells, values[1].reshape(-1), rtol=1e-4)
        tab.get_by_role("button", name="Close").click()
        with tab.expect_download() as download:
            card.get_by_role("button", name="CSV").click()
        lines = Path(download.value.path()).read_text("utf-8").splitlines()
        assert lines[0] == "channel,height,width,value" and len(lines) == values.size + 1
        read = [float(line.split(",")[-1]) for line in lines[1:]]
        np.testing.assert_allclose(read, values.reshape(-1), rtol=1e-5, atol=1e-6)
        layer(tab, "dense1").click(position={"x": 7, "y": 75})
        tab.locator(".panel summary").click()
        rows = tab.locator(".contributors tr")
        assert rows.count() == 8
        parts = rows.first.locator(".number").all_inner_texts()
        assert float(parts[0]) * float(parts[1]) == pytest.approx(float(parts[2]), rel=2e-3)
        assert "[object" not in tab.locator("body").inner_text()


def test_it_learns_what_is_drawn_and_forgets_it(browser: Any, seed: Path, tmp_path: Path) -> None:
    model = netsheet.load(seed / "my_model.h5")
    page = tmp_path / "learn.html"
    sample = read_input(seed / "digit5.png", model.inputs)
    to_page(model, page, samples=[sample], lang="en", learn=PageLearning())
    with opened(browser, page, viewport={"width": 1366, "height": 768}) as tab:
        at_first = prediction(tab)
        tab.select_option("#trueClass", "3")
        for _ in range(2):
            after(tab, lambda: tab.click("#stepTen"))
        assert tab.locator(".barRow.best .barName").inner_text() == "3"
        assert tab.locator("#loss").inner_text().endswith("after 20 steps")
        assert tab.locator(".kernels figure").count() == 4
        assert float(tab.get_attribute("#loss", "data-loss")) < 0.1
        after(tab, lambda: tab.click("#language"))  # what was learnt stays
        assert tab.locator(".learning h2").inner_text() == "学習"
        assert tab.locator("#loss").inner_text().startswith("20 ステップ")
        after(tab, lambda: tab.click("#forget"))
        assert prediction(tab) == at_first
        after(tab, lambda: tab.click("#addExample") or stroke(tab))
        tab.select_option("#trueClass", "1")
        tab.click("#addExample")
        after(tab, lambda: tab.click("#stepTen"))
        assert "2 個" in tab.locator(".learning").inner_text()
        tab.click("#keepOn")
        tab.wait_for_timeout(300)
        tab.click("#keepOn")
        assert int(re.sub(r"\D", "", tab.locator("#loss").inner_text().split("ス")[0])) > 10


def test_the_learning_page_can_be_used_by_everybody(
    browser: Any, seed: Path, tmp_path: Path
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    model = netsheet.load(seed / "my_model.h5")
    to_page(model, tmp_path / "learn.html", learn=PageLearning())
    with opened(browser, tmp_path / "learn.html", bypass_csp=True) as tab:
        after(tab, lambda: tab.click("#stepOnce"))
        assert [one["id"] for one in axe.run(tab).response["violations"]] == []
