"""What models, weights, samples, verdicts and equations show of themselves in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import netsheet
from netsheet.data import __file__ as data_room
from netsheet.equations import Weight
from netsheet.tables import html_heat, html_table

SAMPLE = Path(data_room).parent / "sample"


@pytest.fixture(scope="module")
def model() -> netsheet.model.Model:
    return netsheet.load(SAMPLE / "digits.h5")


class Parsed(HTMLParser):
    """The cells of every row, and that every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.colours: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            style = dict(attrs).get("style") or ""
            if "background:" in style:
                self.colours.append(style.partition("background:")[2])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_the_summary_is_a_table_in_both(model: netsheet.model.Model) -> None:
    summary = model.summary()
    rows = Parsed(summary._repr_html_()).rows
    assert [row[0] for row in rows] == ["layer", "conv", "pool", "flatten", "digit"]
    assert rows[1][1:5] == ["Conv2D", "(None, 12, 12, 4)", "104", "14,400"]
    assert "relu" in rows[1][5] and rows == Parsed(model._repr_html_()).rows
    assert "Conv2D" in repr(summary) and repr(summary).endswith("15,840")
    assert [row.name for row in summary] == [row[0] for row in rows[1:]]


def test_a_weight_is_a_heat_map_of_each_kernel(model: netsheet.model.Model) -> None:
    kernel = model.layers["conv"].weights["kernel"]
    parsed = Parsed(kernel._repr_html_())
    values = kernel.channels_first.reshape(-1)
    assert len(parsed.colours) == values.size
    strongest = parsed.colours[int(np.abs(values).argmax())]
    assert strongest in ("rgb(167,139,250)", "rgb(52,211,153)")
    for colour, value in zip(parsed.colours, values, strict=True):
        red = int(colour.removeprefix("rgb(").partition(",")[0])
        green = int(colour.split(",")[1])
        assert (green >= red) if value > 0 else (red >= green)
    scalar = Weight("s", (), (), label="s", values=np.float32(2))
    assert len(Parsed(scalar._repr_html_()).colours) == 1


def test_what_comes_out_shows_itself(model: netsheet.model.Model) -> None:
    sample = netsheet.read_input(SAMPLE / "digit5.png", model)
    assert len(Parsed(sample._repr_html_()).colours) == 28 * 28
    verdict = model.verify("onnx", SAMPLE / "digit5.png")
    rows = Parsed(verdict._repr_html_()).rows
    assert [row[0] for row in rows[1:]] == [layer.layer for layer in verdict.layers]
    assert {row[4] for row in rows[1:]} == {"ok"}
    result = model.evaluate(SAMPLE / "digits")
    assert ["accuracy", "0.9750"] in Parsed(result._repr_html_()).rows


def test_equations_are_mathematics(model: netsheet.model.Model) -> None:
    equations = model.equations("conv")
    latex = equations._repr_latex_()
    assert latex.startswith("$$") and latex.endswith("$$")
    assert latex.count("\\begin{gathered}") == latex.count("\\end{gathered}") == 1
    assert latex.count("\\\\\n") == len(equations) - 1
    assert "conv/pre[y, x, c] = sum(u, v, i)" in repr(equations)


def test_names_from_a_file_stay_text() -> None:
    table = html_table([("<b>", "left")], [["<script>"]], "<i>", "&")
    assert "<script>" not in table and "<i>" not in table and "&lt;script&gt;" in table
    evil = Weight("<img>", ("<a>",), (1,), label="x", values=np.zeros(1))
    assert "<img>" not in evil._repr_html_() and "<a>" not in evil._repr_html_()


def test_a_heat_map_is_white_at_zero_and_grey_without_a_number() -> None:
    heat = html_heat([[0.0, np.nan, -2.0, 1.0]], (0, 0, 255), (255, 0, 0))
    assert Parsed(heat).colours == [
        "rgb(255,255,255)", "rgb(128,128,128)", "rgb(0,0,255)", "rgb(255,128,128)",
    ]  # fmt: skip


def test_reports_show_themselves(model: netsheet.model.Model, tmp_path: Path) -> None:
    picture = str(SAMPLE / "digit5.png")
    report = model.to_c(tmp_path / "c", sample=picture)
    rows = Parsed(report._repr_html_()).rows
    assert [row[0] for row in rows] == ["layer", *(layer.layer for layer in report.layers)]
    assert f"{report.flash:,}" in report._repr_html_()
    book = model.to_excel(tmp_path / "<b>.xlsx", picture)
    page = model.to_page(tmp_path / "<b>.html")
    for one in (book, page):
        text = one._repr_html_()
        assert "&lt;b&gt;." in text and str(one) in text and not Parsed(text).open


def test_one_equation_is_shown_as_all_are(model: netsheet.model.Model) -> None:
    equations = model.equations()
    one = equations[0]
    assert one._repr_latex_().startswith("$$") and "conv/pre" in repr(one)
    assert repr(equations[:1]) == repr(one) and len(equations[1:]) == len(equations) - 1
    assert one.target is next(iter(equations)).target
