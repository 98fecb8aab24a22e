"""The packages that netsheet writes keep the rules of ECMA-376, and outside readers agree."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import netsheet
from excel_models import corpus, picture, random_samples, with_reference_input
from netsheet.errors import NetsheetError
from netsheet.write.excel import to_excel
from netsheet.write.xlsx import (
    BarChart,
    Book,
    Style,
    View,
    formula_cells,
    number_cells,
    shared_cells,
    text_cell,
)
from netsheet.write.xlsx.cells import shared_first_cell
from ooxml import problems

openpyxl = pytest.importorskip("openpyxl")


def everything(target: Path) -> Path:
    """A book with all that the writer can do, used to its limits."""
    book = Book(target, title="A & B <C>", creator='"netsheet"')
    bold = book.style(Style(bold=True, fill="DDEEFF", border="808080", number_format="0.000"))
    text = book.style(Style(italic=True, colour="FF0000", wrap=True, align="center", indent=1))
    good = book.styles.differential(Style(bold=True, colour="00AA00", fill="EEFFEE"))
    view = View(columns=[(0, 0, 30), (1, 3, 8.5), (4, 16_383, 4)], freeze=(2, 1), zoom=70,
                tab="1D4ED8", grid_lines=False, row_height=18, selected=True)  # fmt: skip
    with book.sheet("Überblick 'A' & <B>", view) as sheet:
        sheet.row(0, text_cell(0, 0, 'a <b> & "c" \x07 \ud83d ' + "x" * 30_000, text), 30)
        sheet.row(1, number_cells(1, 0, ["1", "-2.5", "1e-30", "1E+300"], bold))
        sheet.row(2, formula_cells(2, 0, ["A2+B2", "SUM(A2:D2)"], ["-1.5", "1E+300"], bold))
        first = shared_first_cell(4, 1, 0, "B5:D6", "B2*2", "2", bold)
        sheet.row(4, first + shared_cells(4, 2, 0, ["4", "6"], bold))
        sheet.row(5, shared_cells(5, 1, 0, ["1", "2", "3"], bold))
        sheet.row(1_048_575, number_cells(1_048_575, 16_383, ["7"], 0))
        sheet.merge("A8:D8")
        sheet.merge("A9:D9")
        sheet.colour_scale("A2:D2", [("min", None, "FFFFFF"), ("max", None, "000000")])
        sheet.colour_scale("A3:D3", [("num", "-1", "FF0000"), ("num", "0", "FFFFFF"),
                                     ("num", "1", "0000FF")])  # fmt: skip
        sheet.data_bar("B5:D6", "4472C4")
        sheet.rule("B5:D6", 'AND(B5>1,"<"<>"&")', good)
        sheet.choose("A10", "$A$2:$D$2")
        sheet.choose("A11", '"one,two"')
        sheet.link("A1", "'second sheet'!B2", "go <there>")
        values = "'Überblick ''A'' & <B>'!$A$2:$C$2"
        sheet.charts.append(BarChart("Bars & <more>", values, values, (12, 1), (25, 6),
                                     [1, -2.5, 1e-30], ["a", "b<", "c"]))  # fmt: skip
    with book.sheet("second sheet") as sheet:
        sheet.row(1, formula_cells(1, 1, ["'Überblick ''A'' &amp; &lt;B&gt;'!A2"], ["1"], 0))
    with book.sheet("hidden", View(hidden=True)):
        pass
    book.define("probabilities", "'second sheet'!$B$2:$B$3")
    book.close()
    return target


def seed_book(seed: Path, target: Path, lang: str = "en") -> Path:
    digit = np.load(seed / "digit5.npy")
    samples = [picture(digit), picture(digit.T, "turned & <back>", 2)]
    to_excel(netsheet.load(seed / "my_model.h5"), target, samples, lang=lang)
    return target


def test_a_book_with_everything_keeps_the_rules(tmp_path: Path) -> None:
    book = everything(tmp_path / "all.xlsx")
    assert problems(book) == []
    found = openpyxl.load_workbook(book)
    assert found.sheetnames == ["Überblick 'A' & <B>", "second sheet", "hidden"]
    sheet = found.worksheets[0]
    assert sheet["A1"].value.startswith('a <b> & "c" \ufffd \ufffd x')
    assert [cell.value for cell in sheet[2][:4]] == [1, -2.5, 1e-30, 1e300]
    assert sheet["A3"].value == "=A2+B2"
    assert sheet["D6"].value == "=D3*2"  # the shared formula, moved to its place
    assert sheet["A2"].number_format == "0.000" and sheet["A2"].font.bold
    assert sheet["XFD1048576"].value == 7
    assert sheet.freeze_panes == "B3"
    assert {str(area) for area in sheet.merged_cells.ranges} == {"A8:D8", "A9:D9"}
    assert sheet["A1"].hyperlink.location == "'second sheet'!B2"
    assert len(sheet._charts) == 1
    assert found.defined_names["probabilities"].attr_text == "'second sheet'!$B$2:$B$3"
    assert found["second sheet"]["B2"].value == "='Überblick ''A'' & <B>'!A2"
    assert found["hidden"].sheet_state == "hidden"


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_published_network_keeps_the_rules(seed: Path, tmp_path: Path, lang: str) -> None:
    book = seed_book(seed, tmp_path / "net.xlsx", lang)
    assert problems(book) == []
    found = openpyxl.load_workbook(book)
    cached = openpyxl.load_workbook(book, data_only=True)
    formulas = 0
    for sheet in found:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str) and cell.value.startswith("="):
                    formulas += 1
                    shown = cached[sheet.title][cell.coordinate].value
                    assert shown is not None or '""' in cell.value or "INDEX(" in cell.value
    assert formulas > 6000


@pytest.mark.parametrize(
    "name", ["k3_attention_block.keras", "k2_lstm_stack.h5", "k2_conv_transpose.h5", "k3_bf.keras"]
)
def test_workbooks_of_other_networks_keep_the_rules(
    name: str, shared: Path, tmp_path: Path
) -> None:
    (pair,) = [pair for pair in corpus(shared) if pair[0].name == name]
    model, sample = with_reference_input(*pair)
    to_excel(model, tmp_path / "net.xlsx", [sample])
    assert problems(tmp_path / "net.xlsx") == []
    openpyxl.load_workbook(tmp_path / "net.xlsx")


@pytest.mark.slow
def test_every_workbook_keeps_the_rules(shared: Path, tmp_path: Path) -> None:
    for path, reference in corpus(shared):
        model, sample = with_reference_input(path, reference)
        to_excel(model, tmp_path / "net.xlsx", [sample])
        assert problems(tmp_path / "net.xlsx") == [], path.name
    for path in sorted((shared / "models").glob("*.h5")):
        model = netsheet.load(path)
        to_excel(model, tmp_path / "net.xlsx", random_samples(model))
        assert problems(tmp_path / "net.xlsx") == [], path.name


def test_equal_books_are_equal_files(seed: Path, tmp_path: Path) -> None:
    """But for the time in the properties."""
    first, second = (seed_book(seed, tmp_path / f"{n}.xlsx") for n in "ab")
    with zipfile.ZipFile(first) as a, zipfile.ZipFile(second) as b:
        assert a.namelist() == b.namelist()
        for name in a.namelist():
            assert name == "docProps/core.xml" or a.read(name) == b.read(name)


# ---------------------------------------------------------------------- the rules themselves


def test_the_rules_accept_what_another_writer_writes(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook(tmp_path / "other.xlsx")
    sheet = book.add_worksheet("one sheet")
    style = book.add_format({"bold": True, "num_format": "0.000", "bg_color": "#DDEEFF"})
    sheet.write_row(0, 0, [1, 2.5, "text"], style)
    sheet.write_formula(1, 0, "=SUM(A1:B1)", style, 3.5)
    sheet.conditional_format("A1:B1", {"type": "3_color_scale"})
    sheet.merge_range("A5:C5", "joined")
    sheet.data_validation("A7", {"validate": "list", "source": ["a", "b"]})
    sheet.write_url("A9", "internal:'one sheet'!B1")
    sheet.freeze_panes(1, 1)
    chart = book.add_chart({"type": "column"})
    chart.add_series({"values": "='one sheet'!$A$1:$B$1"})
    sheet.insert_chart("E5", chart)
    book.close()
    known = "<c:chartSpace"  # its charts have parts that this table of rules need not know
    assert [text for text in problems(tmp_path / "other.xlsx") if known not in text] == []


SPOILED: dict[str, tuple[str, Callable[[str], str]]] = {
    "comes too late in <worksheet>": (
        "sheet1",
        lambda t: re.sub(r"(<mergeCells.*</mergeCells>)(.*)(<pageMargins)", r"\2\1\3", t),
    ),
    "has the style 99": ("sheet1", lambda t: t.replace(' s="1"', ' s="99"', 1)),
    "after row": ("sheet1", lambda t: t.replace('<row r="3"', '<row r="2"')),
    "after column": ("sheet1", lambda t: t.replace('<c r="B2"', '<c r="A2"')),
    "lies outside of the shared formula": ("sheet1", lambda t: t.replace("B5:D6", "B5:C6", 1)),
    "comes later, or never": ("sheet1", lambda t: t.replace('si="0"/>', 'si="5"/>', 1)),
    "which is no number": ("sheet1", lambda t: t.replace("<v>-2.5</v>", "<v>nan</v>", 1)),
    "more than a cell can": ("sheet1", lambda t: t.replace("<v>1E+300</v>", "<v>1e308</v>", 1)),
    "is no sheet": ("sheet2", lambda t: t.replace("!A2", "x'!A2").replace("''A''", "A")),
    "brackets that do not match": ("sheet1", lambda t: t.replace("SUM(A2:D2)", "SUM(A2:D2")),
    "lies beyond the sheet": ("sheet1", lambda t: t.replace("A2+B2", "A2+XFE2")),
    "is merged twice": ("sheet1", lambda t: t.replace('ref="A9:D9"', 'ref="B8:B9"')),
    "<mergeCells> counts": ("sheet1", lambda t: t.replace('<mergeCells count="2"', "<mergeCells "
                                                         'count="3"')),
    "wants the style": ("sheet1", lambda t: t.replace('dxfId="0"', 'dxfId="4"')),
    "a link to": ("sheet1", lambda t: t.replace("location=\"'second", "location=\"'third")),
    "conditional formats of one": ("sheet1", lambda t: t.replace('priority="2"', 'priority="1"')),
    "<cellXfs> counts": ("styles", lambda t: re.sub(r'<cellXfs count="\d+"', '<cellXfs count="9"',
                                                  t)),
    "gray125": ("styles", lambda t: t.replace("gray125", "gray0625")),
    "two sheets of one name": ("workbook.xml", lambda t: t.replace('"hidden" s', '"Second Sheet" s'
                                                                   )),
    "is not there": ("workbook.xml.rels", lambda t: t.replace("sheet2.xml", "sheet7.xml")),
}  # fmt: skip


@pytest.mark.parametrize("problem", SPOILED)
def test_each_rule_notices_its_breach(problem: str, tmp_path: Path) -> None:
    book, wrong = everything(tmp_path / "all.xlsx"), tmp_path / "wrong.xlsx"
    part, change = SPOILED[problem]
    changed = 0
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(wrong, "w") as target:
        for name in source.namelist():
            text = source.read(name).decode()
            if name.endswith((f"{part}.xml", part)):
                spoiled = change(text)
                changed += spoiled != text
                text = spoiled
            target.writestr(name, text)
    assert changed == 1
    try:
        found = problems(wrong)
    except KeyError as error:  # the part of a sheet
        found = [f"{error} is not there"]
    assert any(problem in text for text in found), found


def test_a_sheet_that_excel_refuses_is_refused(tmp_path: Path) -> None:
    book = Book(tmp_path / "x.xlsx")
    with book.sheet("one"):
        pass
    for name in ("ONE", "", "a" * 32, "a/b", "[a]", "'a'"):
        with pytest.raises(NetsheetError), book.sheet(name):
            pass
    with pytest.raises(NetsheetError, match="row 1 comes after row 5"), book.sheet("two") as sheet:
        sheet.row(4, "")
        sheet.row(0, "")
    book.abandon()
