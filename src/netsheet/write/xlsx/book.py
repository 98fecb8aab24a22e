"""The package: sheets streamed into a zip, then everything that refers to them."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from netsheet.errors import NetsheetError
from netsheet.write.xlsx.cells import escaped
from netsheet.write.xlsx.chart import BarChart, drawing_xml
from netsheet.write.xlsx.sheet import SheetWriter, View
from netsheet.write.xlsx.styles import Style, Styles

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument"
_SHEET_TYPE = f"{_TYPE}.spreadsheetml.worksheet+xml"
_HIDDEN = ' state="hidden"'
_CORE = "docProps/core.xml"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member, so that equal books are equal files


def fingerprint(package: zipfile.ZipFile) -> str:
    """A digest of all parts but the one that it stands in: another one after any change."""
    digest = hashlib.sha256()
    for info in sorted(package.infolist(), key=lambda info: info.filename):
        if info.filename != _CORE:
            digest.update(f"{info.filename} {info.CRC:08x} {info.file_size}\n".encode())
    return f"netsheet {digest.hexdigest()}"


def unchanged(workbook: Path) -> bool:
    """True if a file is a workbook that :class:`Book` wrote and that nobody has saved since."""
    try:
        with zipfile.ZipFile(workbook) as package:
            core = package.read(_CORE) if _CORE in package.namelist() else b""
            return fingerprint(package).encode() in core
    except (OSError, zipfile.BadZipFile):
        return False


class Book:
    """A workbook being written to ``target``; :meth:`close` completes it.

    ``level`` is zlib's, 0 to 9. Write to a temporary name and rename afterwards
    (:func:`netsheet.files.atomic`).
    """

    def __init__(
        self,
        target: Path,
        *,
        title: str = "",
        creator: str = "netsheet",
        level: int = 6,
        font: str = "Calibri",
    ) -> None:
        self._zip = zipfile.ZipFile(
            target, "w", zipfile.ZIP_DEFLATED, allowZip64=False, compresslevel=level
        )
        self.title, self.creator, self.font = title, creator, font
        self.styles = Styles()
        self.sheets: list[SheetWriter] = []
        self._numbered: dict[int, SheetWriter] = {}  # by the number of the part, which is the tab's
        self._names: list[str] = []
        self._charts = 0
        self._drawings: list[int] = []  # sheets that have one

    def style(self, style: Style) -> int:
        """The number of a cell style."""
        return self.styles.number(style)

    @contextmanager
    def sheet(
        self, name: str, view: View | None = None, tab: int | None = None
    ) -> Iterator[SheetWriter]:
        """The next sheet, complete when the block ends.

        ``tab`` is its place from 1 among the tabs where it is not the next one: leave a place free
        by numbering a later one, and fill it before the end.
        """
        if any(sheet.name.casefold() == name.casefold() for sheet in self.sheets):
            raise NetsheetError(f"two sheets are named {name!r}")
        if not 0 < len(name) <= 31 or set(name) & set("[]:*?/\\") or name[0] == "'" == name[-1]:
            raise NetsheetError(f"{name!r} is no name for a sheet")
        number = tab or max(self._numbered, default=0) + 1
        with self._zip.open(self._info(f"xl/worksheets/sheet{number}.xml"), "w") as member:
            sheet = SheetWriter(name, view or View(), member.write)
            self.sheets.append(sheet)
            self._numbered[number] = sheet
            yield sheet
            sheet.close()
        if sheet.charts:
            self._draw(number, sheet.charts)

    def define(self, name: str, reference: str) -> None:
        """A name for a place: ``define("probabilities", "Overview!$C$5:$C$14")``."""
        place = escaped(reference)
        self._names.append(f'<definedName name="{escaped(name)}">{place}</definedName>')

    def close(self) -> None:
        """Writes what refers to the sheets, and ends the file."""
        self._part("xl/styles.xml", self.styles.xml())
        self._part("xl/workbook.xml", self._workbook())
        self._part("xl/_rels/workbook.xml.rels", self._workbook_relations())
        self._part("xl/theme/theme1.xml", _theme(self.font))
        self._part("docProps/app.xml", self._app())
        self._part("_rels/.rels", _root_relations())
        self._part("[Content_Types].xml", self._types())
        self._part(_CORE, self._core(fingerprint(self._zip)))
        self._zip.close()

    def abandon(self) -> None:
        """Ends the file after a failure; what was written is not a workbook."""
        self._zip.close()

    # ------------------------------------------------------------------ parts

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        return info

    def _part(self, name: str, text: str) -> None:
        self._zip.writestr(self._info(name), text)

    def _draw(self, number: int, charts: list[BarChart]) -> None:
        self._drawings.append(number)
        drawing = len(self._drawings)
        self._part(
            f"xl/worksheets/_rels/sheet{number}.xml.rels",
            _relations({1: ("drawing", f"../drawings/drawing{drawing}.xml")}),
        )
        self._part(f"xl/drawings/drawing{drawing}.xml", drawing_xml(charts))
        targets = []
        for chart in charts:
            self._charts += 1
            self._part(f"xl/charts/chart{self._charts}.xml", chart.xml())
            targets.append(("chart", f"../charts/chart{self._charts}.xml"))
        self._part(
            f"xl/drawings/_rels/drawing{drawing}.xml.rels", _relations(dict(enumerate(targets, 1)))
        )

    def _workbook(self) -> str:
        sheets = "".join(
            f'<sheet name="{escaped(sheet.name)}" sheetId="{n}"'
            f"{_HIDDEN if sheet.view.hidden else ''}"
            f' r:id="rId{n}"/>'
            for n, sheet in sorted(self._numbered.items())
        )
        names = f"<definedNames>{''.join(self._names)}</definedNames>" if self._names else ""
        return (
            f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><workbookPr/>'
            f'<bookViews><workbookView xWindow="0" yWindow="0" windowWidth="28800" '
            f'windowHeight="15600" tabRatio="850"/></bookViews><sheets>{sheets}</sheets>{names}'
            '<calcPr calcId="191029" fullCalcOnLoad="1"/></workbook>'
        )

    def _workbook_relations(self) -> str:
        targets = {n: ("worksheet", f"worksheets/sheet{n}.xml") for n in self._numbered}
        last = max(targets, default=0)
        others = {last + 1: ("styles", "styles.xml"), last + 2: ("theme", "theme/theme1.xml")}
        return _relations(targets | others)

    def _types(self) -> str:
        parts = [("xl/workbook.xml", f"{_TYPE}.spreadsheetml.sheet.main+xml")]
        parts += [(f"xl/worksheets/sheet{n}.xml", _SHEET_TYPE) for n in sorted(self._numbered)]
        parts += [
            (f"xl/drawings/drawing{n}.xml", f"{_TYPE}.drawing+xml")
            for n in range(1, len(self._drawings) + 1)
        ]
        parts += [
            (f"xl/charts/chart{n}.xml", f"{_TYPE}.drawingml.chart+xml")
            for n in range(1, self._charts + 1)
        ]
        parts += [
            ("xl/styles.xml", f"{_TYPE}.spreadsheetml.styles+xml"),
            ("xl/theme/theme1.xml", f"{_TYPE}.theme+xml"),
            ("docProps/core.xml", "application/vnd.openxmlformats-package.core-properties+xml"),
            ("docProps/app.xml", f"{_TYPE}.extended-properties+xml"),
        ]
        overrides = "".join(
            f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in parts
        )
        return (
            f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
        )

    def _core(self, identifier: str) -> str:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return (
            f'{_HEAD}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            f"<dc:title>{escaped(self.title)}</dc:title>"
            f"<dc:creator>{escaped(self.creator)}</dc:creator>"
            f"<dc:identifier>{identifier}</dc:identifier>"
            f'<dcterms:created xsi:type="dcterms:W3CDTF">{now}</dcterms:created>'
            "</cp:coreProperties>"
        )

    def _app(self) -> str:
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"
        return f'{_HEAD}<Properties xmlns="{kind}"><Application>netsheet</Application></Properties>'


def _relations(targets: dict[int, tuple[str, str]]) -> str:
    parts = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in sorted(targets.items())
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{parts}</Relationships>'


def _root_relations() -> str:
    core = f"{_PACKAGE}/relationships/metadata/core-properties"
    return (
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        f'<Relationship Id="rId2" Type="{core}" Target="docProps/core.xml"/>'
        f'<Relationship Id="rId3" Type="{_OFFICE}/extended-properties" '
        'Target="docProps/app.xml"/></Relationships>'
    )


_COLOURS = {
    "dk1": "000000", "lt1": "FFFFFF", "dk2": "44546A", "lt2": "E7E6E6", "accent1": "4472C4",
    "accent2": "ED7D31", "accent3": "A5A5A5", "accent4": "FFC000", "accent5": "5B9BD5",
    "accent6": "70AD47", "hlink": "0563C1", "folHlink": "954F72",
}  # fmt: skip


def _theme(font_name: str) -> str:
    """The smallest theme that Excel accepts."""
    colours = "".join(
        f'<a:{name}><a:srgbClr val="{colour}"/></a:{name}>' for name, colour in _COLOURS.items()
    )
    font = (
        f'<a:latin typeface="{font_name}"/><a:ea typeface=""/><a:cs typeface=""/>'
        '<a:font script="Jpan" typeface="Yu Gothic"/>'
    )
    fill = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
    line = f'<a:ln w="6350">{fill}<a:prstDash val="solid"/></a:ln>'
    effect = "<a:effectStyle><a:effectLst/></a:effectStyle>"
    return (
        f'{_HEAD}<a:theme xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
        f'name="Office"><a:themeElements><a:clrScheme name="Office">{colours}</a:clrScheme>'
        f'<a:fontScheme name="Office"><a:majorFont>{font}</a:majorFont>'
        f"<a:minorFont>{font}</a:minorFont></a:fontScheme>"
        f'<a:fmtScheme name="Office"><a:fillStyleLst>{fill * 3}</a:fillStyleLst>'
        f"<a:lnStyleLst>{line * 3}</a:lnStyleLst><a:effectStyleLst>{effect * 3}"
        f"</a:effectStyleLst><a:bgFillStyleLst>{fill * 3}</a:bgFillStyleLst></a:fmtScheme>"
        "</a:themeElements></a:theme>"
    )
