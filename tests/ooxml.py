"""Rules of ECMA-376 that Excel enforces: a package that breaks one opens with a repair message.

Written from the schemas of ECMA-376 part 1 (sml.xsd, dml-*.xsd, opc-*.xsd) and from Excel's
documented limits; knows nothing of how netsheet writes. :func:`problems` lists what is wrong.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"

ROWS, COLUMNS = 1_048_576, 16_384

# Children in the order of xsd:sequence; only what may occur at all.
ORDER: dict[str, Sequence[str]] = {
    "worksheet": (
        "sheetPr", "dimension", "sheetViews", "sheetFormatPr", "cols", "sheetData", "sheetCalcPr",
        "sheetProtection", "protectedRanges", "scenarios", "autoFilter", "sortState",
        "dataConsolidate", "customSheetViews", "mergeCells", "phoneticPr", "conditionalFormatting",
        "dataValidations", "hyperlinks", "printOptions", "pageMargins", "pageSetup",
        "headerFooter", "rowBreaks", "colBreaks", "customProperties", "cellWatches",
        "ignoredErrors", "smartTags", "drawing", "legacyDrawing", "legacyDrawingHF", "picture",
        "oleObjects", "controls", "webPublishItems", "tableParts", "extLst",
    ),
    "sheetPr": ("tabColor", "outlinePr", "pageSetUpPr"),
    "sheetView": ("pane", "selection", "pivotSelection", "extLst"),
    "c": ("f", "v", "is", "extLst"),
    "conditionalFormatting": ("cfRule", "extLst"),
    "cfRule": ("formula", "colorScale", "dataBar", "iconSet", "extLst"),
    "colorScale": ("cfvo", "color"),
    "dataBar": ("cfvo", "color"),
    "dataValidation": ("formula1", "formula2"),
    "styleSheet": (
        "numFmts", "fonts", "fills", "borders", "cellStyleXfs", "cellXfs", "cellStyles", "dxfs",
        "tableStyles", "colors", "extLst",
    ),
    "font": (
        "b", "i", "strike", "condense", "extend", "outline", "shadow", "u", "vertAlign", "sz",
        "color", "name", "family", "charset", "scheme",
    ),
    "patternFill": ("fgColor", "bgColor"),
    "border": ("start", "end", "left", "right", "top", "bottom", "diagonal", "vertical",
               "horizontal"),
    "xf": ("alignment", "protection", "extLst"),
    "dxf": ("font", "numFmt", "fill", "alignment", "border", "protection", "extLst"),
    "workbook": (
        "fileVersion", "fileSharing", "workbookPr", "workbookProtection", "bookViews", "sheets",
        "functionGroups", "externalReferences", "definedNames", "calcPr", "oleSize",
        "customWorkbookViews", "pivotCaches", "extLst",
    ),
    "chartSpace": (
        "date1904", "lang", "roundedCorners", "AlternateContent", "style", "clrMapOvr",
        "pivotSource", "protection", "chart", "spPr", "txPr", "externalData", "printSettings",
        "userShapes", "extLst",
    ),
    "chart": (
        "title", "autoTitleDeleted", "pivotFmts", "view3D", "floor", "sideWall", "backWall",
        "plotArea", "legend", "plotVisOnly", "dispBlanksAs", "extLst",
    ),
    "barChart": ("barDir", "grouping", "varyColors", "ser", "dLbls", "gapWidth", "overlap",
                 "serLines", "axId", "extLst"),
    "ser": ("idx", "order", "tx", "spPr", "invertIfNegative", "pictureOptions", "dPt", "dLbls",
            "trendline", "errBars", "cat", "val", "shape", "extLst"),
    "catAx": (
        "axId", "scaling", "delete", "axPos", "majorGridlines", "minorGridlines", "title",
        "numFmt", "majorTickMark", "minorTickMark", "tickLblPos", "spPr", "txPr", "crossAx",
        "crosses", "crossesAt", "auto", "lblAlgn", "lblOffset", "noMultiLvlLbl", "extLst",
    ),
    "valAx": (
        "axId", "scaling", "delete", "axPos", "majorGridlines", "minorGridlines", "title",
        "numFmt", "majorTickMark", "minorTickMark", "tickLblPos", "spPr", "txPr", "crossAx",
        "crosses", "crossesAt", "crossBetween", "majorUnit", "minorUnit", "dispUnits", "extLst",
    ),
    "twoCellAnchor": ("from", "to", "sp", "grpSp", "graphicFrame", "cxnSp", "pic", "contentPart",
                      "clientData"),
}  # fmt: skip

COUNTED = ("mergeCells", "dataValidations", "numFmts", "fonts", "fills", "borders", "cellStyleXfs",
           "cellXfs", "cellStyles", "dxfs")  # fmt: skip

_CELL = re.compile(r"([A-Z]{1,3})([1-9]\d*)")
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FUNCTION = re.compile(r"([A-Z][A-Z0-9.]*)\(")


def problems(path: Path) -> list[str]:
    """Every broken rule, in words; an empty list for a package that Excel opens."""
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            return ["the zip is damaged"]
        names = archive.namelist()
        parts = {name: archive.read(name) for name in names}
    found = [f"the part {name} twice" for name in set(names) if names.count(name) > 1]
    trees: dict[str, Element] = {}
    for name, data in parts.items():
        try:
            trees[name] = ElementTree.fromstring(data)
        except ElementTree.ParseError as error:
            return [*found, f"{name} is no XML: {error}"]
    found += _package(trees)
    for name, tree in trees.items():
        found += [f"{name}: {text}" for text in _ordered(tree)]
    found += _styles(trees["xl/styles.xml"])
    found += _workbook(trees)
    formats = _count(trees["xl/styles.xml"], "cellXfs")
    differential = _count(trees["xl/styles.xml"], "dxfs")
    for sheet, part in sheets(trees).items():
        checker = _Sheet(trees[part], formats, differential, set(sheets(trees)))
        found += [f"{sheet}: {text}" for text in checker.problems()]
    return found


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _q(name: str) -> str:
    return f"{{{MAIN}}}{name}"


# --------------------------------------------------------------------------- the package


def _package(trees: dict[str, Element]) -> Iterator[str]:
    types = trees.get("[Content_Types].xml")
    if types is None:
        yield "no [Content_Types].xml"
        return
    defaults = {e.get("Extension") for e in types if _local(e.tag) == "Default"}
    overrides = [str(e.get("PartName")) for e in types if _local(e.tag) == "Override"]
    for name in overrides:
        if name.removeprefix("/") not in trees:
            yield f"a content type for {name}, which is not there"
    if len(overrides) != len(set(overrides)):
        yield "two content types for one part"
    for name in trees:
        if name == "[Content_Types].xml":
            continue
        if f"/{name}" not in overrides and name.rpartition(".")[2] not in defaults:
            yield f"no content type for {name}"
        if name.startswith(("xl/worksheets/sheet", "xl/charts", "xl/drawings/drawing")) and (
            f"/{name}" not in overrides
        ):
            yield f"{name} has no content type of its own"
    reached = {"[Content_Types].xml"}
    for name, tree in trees.items():
        if not name.endswith(".rels"):
            continue
        reached.add(name)
        folder = posixpath.dirname(posixpath.dirname(name))
        ids = [e.get("Id") for e in tree]
        if len(ids) != len(set(ids)):
            yield f"{name}: two relations of one Id"
        for relation in tree:
            target = str(relation.get("Target"))
            place = target[1:] if target.startswith("/") else posixpath.join(folder, target)
            place = posixpath.normpath(place)
            if relation.get("TargetMode") == "External":
                yield f"{name}: leads out of the package to {target}"
            elif place not in trees:
                yield f"{name}: {target} is not there"
            reached.add(place)
    for name in set(trees) - reached:
        yield f"{name} is reached by no relation"


def _ordered(tree: Element) -> Iterator[str]:
    for element in tree.iter():
        count = element.get("count")
        if _local(element.tag) in COUNTED and count is not None and int(count) != len(element):
            yield f"<{_local(element.tag)}> counts {count}, not {len(element)}"
        order = ORDER.get(_local(element.tag))
        if order is None or (_local(element.tag) == "border" and not len(element)):
            continue
        last = 0
        for child in element:
            name = _local(child.tag)
            if name not in order:
                yield f"<{_local(element.tag)}> holds <{name}>"
                continue
            place = order.index(name)
            if place < last:
                yield f"<{name}> comes too late in <{_local(element.tag)}>"
            last = max(place, last)


# --------------------------------------------------------------------------- styles


def _count(styles: Element, name: str) -> int:
    found = styles.find(_q(name))
    return 0 if found is None else len(found)


def _styles(styles: Element) -> Iterator[str]:
    fills = styles.find(_q("fills"))
    patterns = [str(fill[0].get("patternType")) for fill in fills or []][:2]
    if patterns != ["none", "gray125"]:
        yield f"styles: the first fills are {patterns}; Excel keeps none and gray125 there"
    codes = [int(str(e.get("numFmtId"))) for e in styles.iter(_q("numFmt"))]
    if len(codes) != len(set(codes)) or any(code < 164 for code in codes):
        yield f"styles: number formats {codes}"
    limits = {name: _count(styles, f"{name}s") for name in ("font", "fill", "border")}
    for kind in ("cellStyleXfs", "cellXfs"):
        for number, xf in enumerate(styles.find(_q(kind)) or []):
            for name, count in limits.items():
                if not 0 <= int(str(xf.get(f"{name}Id"))) < count:
                    yield f"styles: {kind} {number} wants {name} {xf.get(f'{name}Id')} of {count}"
            code = int(str(xf.get("numFmtId")))
            if code >= 164 and code not in codes:
                yield f"styles: {kind} {number} wants the number format {code}"
            if kind == "cellXfs" and int(xf.get("xfId", "0")) >= _count(styles, "cellStyleXfs"):
                yield f"styles: cellXfs {number} wants the style {xf.get('xfId')}"
    for colour in styles.iter(_q("color")):
        rgb = colour.get("rgb")
        if rgb is not None and not re.fullmatch("[0-9A-F]{8}", rgb):
            yield f"styles: the colour {rgb}"
    if _count(styles, "cellXfs") > 65_490:
        yield "styles: more than 65,490 cell formats"


# --------------------------------------------------------------------------- the book


def sheets(trees: dict[str, Element]) -> dict[str, str]:
    """The part of each sheet by the sheet's name."""
    targets = {
        e.get("Id"): posixpath.normpath(posixpath.join("xl", str(e.get("Target")).lstrip("/")))
        for e in trees["xl/_rels/workbook.xml.rels"]
    }
    return {
        str(e.get("name")): targets[e.get(f"{{{OFFICE}}}id")].replace("xl/xl/", "xl/")
        for e in trees["xl/workbook.xml"].iter(_q("sheet"))
    }


def _workbook(trees: dict[str, Element]) -> Iterator[str]:
    book = trees["xl/workbook.xml"]
    listed = [str(e.get("name")) for e in book.iter(_q("sheet"))]
    if not listed:
        yield "no sheet"
    if len({name.casefold() for name in listed}) != len(listed):
        yield "two sheets of one name"
    for name in listed:
        if not 0 < len(name) <= 31 or set(name) & set(":\\/?*[]") or name[0] == "'" or (
            name[-1] == "'" or name.casefold() == "history"
        ):  # fmt: skip
            yield f"{name!r} is no name of a sheet"
    numbers = [e.get("sheetId") for e in book.iter(_q("sheet"))]
    if len(set(numbers)) != len(numbers) or not all(0 < int(n or 0) < 65_535 for n in numbers):
        yield f"sheet numbers {numbers}"
    if all(e.get("state") == "hidden" for e in book.iter(_q("sheet"))):
        yield "every sheet is hidden"
    seen = set()
    for defined in book.iter(_q("definedName")):
        name = str(defined.get("name"))
        key = name.casefold(), defined.get("localSheetId")
        if key in seen:
            yield f"the name {name} twice"
        seen.add(key)
        plain = name.removeprefix("_xlnm.")
        if not re.fullmatch(r"[^\W\d]\w*[\w.]*", plain) or _CELL.fullmatch(plain.upper()):
            yield f"{name!r} is no name for a place"
        for sheet in _sheets_in(defined.text or ""):
            if sheet not in listed:
                yield f"the name {name} lies in {sheet!r}, which is not there"
    if len([part for part in sheets(trees).values() if part not in trees]):
        yield "a sheet has no part"


def _sheets_in(formula: str) -> Iterator[str]:
    """Names of sheets before an exclamation mark; texts in quotes are passed over."""
    formula = re.sub(r'"[^"]*"', '""', formula)
    for quoted, plain in re.findall(r"'((?:[^']|'')+)'!|([^\s'!,;:(){}+\-*/^&=<>]+)!", formula):
        yield quoted.replace("''", "'") if quoted else plain


# --------------------------------------------------------------------------- a sheet


def place(name: str) -> tuple[int, int] | None:
    """Row and column, counted from 1, of a cell's name; None if it is none."""
    match = _CELL.fullmatch(name.replace("$", ""))
    if match is None:
        return None
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    row = int(match[2])
    return (row, column) if row <= ROWS and column <= COLUMNS else None


def area(text: str) -> tuple[int, int, int, int] | None:
    """Top, left, bottom, right of ``B2:F9`` or of one cell; None if it is none."""
    first, _, second = text.partition(":")
    start, end = place(first), place(second or first)
    if start is None or end is None or start[0] > end[0] or start[1] > end[1]:
        return None
    return (*start, *end)


class _Sheet:
    """The rules of one worksheet part."""

    def __init__(self, tree: Element, formats: int, differential: int, names: set[str]) -> None:
        self.tree, self.formats, self.differential, self.names = tree, formats, differential, names
        self.cells: set[tuple[int, int]] = set()
        self.shared: dict[int, tuple[int, int, int, int]] = {}

    def problems(self) -> Iterator[str]:
        yield from self._columns()
        yield from self._rows()
        yield from self._dimension()
        yield from self._merged()
        yield from self._conditional()
        yield from self._validations()
        yield from self._links()
        yield from self._view()

    def _columns(self) -> Iterator[str]:
        last = 0
        for column in self.tree.iter(_q("col")):
            low, high = int(str(column.get("min"))), int(str(column.get("max")))
            if not last < low <= high <= COLUMNS:
                yield f"the columns {low} to {high} come after {last}"
            if not 0 <= float(column.get("width", "1")) <= 255:
                yield f"a column of the width {column.get('width')}"
            last = high

    def _rows(self) -> Iterator[str]:
        last_row = 0
        for row in self.tree.iter(_q("row")):
            number = int(str(row.get("r")))
            if not last_row < number <= ROWS:
                yield f"row {number} comes after row {last_row}"
            if not 0 <= float(row.get("ht", "15")) <= 409.5:
                yield f"row {number} of the height {row.get('ht')}"
            last_row, last_column = number, 0
            for cell in row:
                at = place(str(cell.get("r")))
                if at is None or at[0] != number or at[1] <= last_column:
                    yield f"the cell {cell.get('r')} in row {number}, after column {last_column}"
                    continue
                last_column = at[1]
                self.cells.add(at)
                yield from self._cell(cell, at)

    def _cell(self, cell: Element, at: tuple[int, int]) -> Iterator[str]:
        name, kind = cell.get("r"), cell.get("t", "n")
        if not 0 <= int(cell.get("s", "0")) < self.formats:
            yield f"{name} has the style {cell.get('s')} of {self.formats}"
        value, text = cell.find(_q("v")), cell.find(_q("is"))
        if kind not in ("n", "str", "inlineStr", "b", "e", "s"):
            yield f"{name} is of the type {kind}"
        if (kind == "inlineStr") != (text is not None):
            yield f"{name} is of the type {kind} {'with' if text is not None else 'without'} a text"
        if kind == "n" and value is not None and not _NUMBER.fullmatch(value.text or ""):
            yield f"{name} holds {value.text!r}, which is no number"
        if kind == "n" and value is not None and abs(float(value.text or 0)) > 9.99999999999999e307:
            yield f"{name} holds {value.text}, more than a cell can"
        if kind == "b" and (value is None or value.text not in ("0", "1")):
            yield f"{name} is no truth value"
        words = "".join(t.text or "" for t in text.iter(_q("t"))) if text is not None else ""
        if len(words) > 32_767:
            yield f"{name} holds {len(words)} characters"
        formula = cell.find(_q("f"))
        if formula is not None:
            yield from self._formula(str(name), formula, at)

    def _formula(self, name: str, formula: Element, at: tuple[int, int]) -> Iterator[str]:
        text = formula.text or ""
        if formula.get("t") == "shared":
            group = int(str(formula.get("si")))
            if text:
                limits = area(str(formula.get("ref")))
                if limits is None or limits[:2] != at:
                    yield f"{name}: the shared formula {group} is for {formula.get('ref')}"
                    return
                if group in self.shared:
                    yield f"{name}: the shared formula {group} twice"
                self.shared[group] = limits
            elif group not in self.shared:
                yield f"{name}: the shared formula {group} comes later, or never"
                return
            top, left, bottom, right = self.shared[group]
            if not (top <= at[0] <= bottom and left <= at[1] <= right):
                yield f"{name} lies outside of the shared formula {group}"
            if not text:
                return
        yield from self._text(name, text)

    def _text(self, name: str, text: str) -> Iterator[str]:
        if not text or text.startswith("=") or len(text) > 8_192:
            yield f"{name}: a formula of {len(text)} characters: {text[:20]!r}"
        for sheet in _sheets_in(text):
            if sheet not in self.names:
                yield f"{name}: {sheet!r} is no sheet"
        depth = deepest = 0
        counts = [0]
        plain = re.sub(r"'(?:[^']|'')*'", "S", re.sub(r'"[^"]*"', "T", text))
        for letter in plain:
            if letter == "(":
                depth += 1
                counts.append(1)
                deepest = max(deepest, depth)
            elif letter == ")":
                depth -= 1
                if not counts or counts.pop() > 255:
                    yield f"{name}: more than 255 arguments"
            elif letter == ",":
                counts[-1] += 1
            if depth < 0:
                break
        if depth != 0:
            yield f"{name}: brackets that do not match in {text[:60]!r}"
        if deepest > 64:
            yield f"{name}: {deepest} levels of brackets"
        for reference in re.findall(r"\$?[A-Z]{1,3}\$?[1-9]\d*", plain):
            if place(reference) is None and f"{reference}(" not in plain:
                yield f"{name}: {reference} lies beyond the sheet"

    def _dimension(self) -> Iterator[str]:
        found = self.tree.find(_q("dimension"))
        limits = None if found is None else area(str(found.get("ref")))
        if found is None or not self.cells:
            return
        rows, columns = zip(*self.cells, strict=True)
        if limits is None or limits[0] > min(rows) or limits[2] < max(rows) or (
            limits[1] > min(columns) or limits[3] < max(columns)
        ):  # fmt: skip
            yield f"the dimension {found.get('ref')} leaves cells out"

    def _merged(self) -> Iterator[str]:
        seen: list[tuple[int, int, int, int]] = []
        for merged in self.tree.iter(_q("mergeCell")):
            limits = area(str(merged.get("ref")))
            if limits is None or limits[:2] == limits[2:]:
                yield f"{merged.get('ref')} cannot be merged"
                continue
            for other in seen:
                if (limits[0] <= other[2] and other[0] <= limits[2]
                        and limits[1] <= other[3] and other[1] <= limits[3]):  # fmt: skip
                    yield f"{merged.get('ref')} is merged twice"
            seen.append(limits)

    def _conditional(self) -> Iterator[str]:
        priorities = []
        for block in self.tree.iter(_q("conditionalFormatting")):
            if any(area(part) is None for part in str(block.get("sqref")).split()):
                yield f"a conditional format for {block.get('sqref')}"
            for rule in block.iter(_q("cfRule")):
                priorities.append(int(str(rule.get("priority"))))
                number = rule.get("dxfId")
                if number is not None and int(number) >= self.differential:
                    yield f"a conditional format wants the style {number} of {self.differential}"
                for scale in (rule.find(_q("colorScale")), rule.find(_q("dataBar"))):
                    if scale is not None:
                        yield from _scale(scale)
                for formula in rule.iter(_q("formula")):
                    yield from self._text(f"the rule for {block.get('sqref')}", formula.text or "")
        if len(priorities) != len(set(priorities)) or any(number < 1 for number in priorities):
            yield "conditional formats of one priority"

    def _validations(self) -> Iterator[str]:
        for validation in self.tree.iter(_q("dataValidation")):
            if any(area(part) is None for part in str(validation.get("sqref")).split()):
                yield f"a choice for {validation.get('sqref')}"
            for formula in validation:
                text = formula.text or ""
                if text.startswith('"') and len(text) > 257:
                    yield f"a list of {len(text) - 2} characters to choose from"
                for sheet in _sheets_in(text):
                    if sheet not in self.names:
                        yield f"a choice from {sheet!r}, which is no sheet"

    def _links(self) -> Iterator[str]:
        links = list(self.tree.iter(_q("hyperlink")))
        if len(links) > 66_530:
            yield f"{len(links)} links"
        for link in links:
            if area(str(link.get("ref"))) is None:
                yield f"a link in {link.get('ref')}"
            location = link.get("location")
            if location is None and link.get(f"{{{OFFICE}}}id") is None:
                yield f"the link in {link.get('ref')} leads nowhere"
            if location is not None:
                sheet, mark, cell = location.rpartition("!")
                named = sheet[1:-1].replace("''", "'") if sheet.startswith("'") else sheet
                if mark and (named not in self.names or area(cell) is None):
                    yield f"a link to {location}"
            if len(link.get("tooltip", "")) > 255:
                yield "a link with a tip of more than 255 characters"

    def _view(self) -> Iterator[str]:
        for view in self.tree.iter(_q("sheetView")):
            if not 10 <= int(view.get("zoomScale", "100")) <= 400:
                yield f"the zoom {view.get('zoomScale')}"
            for pane in view.iter(_q("pane")):
                if place(str(pane.get("topLeftCell"))) is None:
                    yield f"a pane that begins at {pane.get('topLeftCell')}"


def _scale(scale: Element) -> Iterator[str]:
    kinds = [_local(part.tag) for part in scale]
    ends, colours = kinds.count("cfvo"), kinds.count("color")
    if _local(scale.tag) == "colorScale" and not 2 <= ends == colours <= 3:
        yield f"a colour scale of {ends} values and {colours} colours"
    if _local(scale.tag) == "dataBar" and (ends, colours) != (2, 1):
        yield f"a bar of {ends} values and {colours} colours"
    for value in scale.iter(_q("cfvo")):
        if value.get("type") in ("num", "percent", "percentile") and value.get("val") is None:
            yield f"a {value.get('type')} without a number"
