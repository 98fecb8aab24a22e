"""A worksheet: rows streamed as text, then what Excel wants behind them, in its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from netsheet.errors import NetsheetError
from netsheet.write.xlsx.cells import MAX_COLUMNS, MAX_ROWS, cell_name, escaped
from netsheet.write.xlsx.chart import BarChart

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
)
_FLUSH = 1 << 18  # characters that wait before they are compressed


@dataclass(frozen=True)
class View:
    """How a sheet is first seen. ``columns``: (first, last, width in characters)."""

    columns: Sequence[tuple[int, int, float]] = ()
    freeze: tuple[int, int] | None = None  # the first row and column that scroll
    zoom: int = 100
    tab: str | None = None  # RRGGBB
    grid_lines: bool = True
    hidden: bool = False
    row_height: float | None = None  # points, of rows without a height of their own
    landscape: bool = True
    selected: bool = False


@dataclass
class SheetWriter:
    """A sheet being written; rows come in order, the rest in any."""

    name: str
    view: View
    write: Callable[[bytes], object]
    charts: list[BarChart] = field(default_factory=list)

    _merged: list[str] = field(default_factory=list)
    _formats: list[str] = field(default_factory=list)
    _validations: list[str] = field(default_factory=list)
    _links: list[str] = field(default_factory=list)
    _waiting: list[str] = field(default_factory=list)
    _length: int = 0
    _last: int = -1

    def __post_init__(self) -> None:
        self._put(_HEAD + self._head() + "<sheetData>")

    # ------------------------------------------------------------------ rows

    def row(self, number: int, cells: str, height: float | None = None) -> None:
        """A row (counted from 0): its cells as text, from left to right."""
        if not self._last < number < MAX_ROWS:
            raise NetsheetError(
                f"sheet {self.name!r}: row {number + 1} comes after row {self._last + 1}, or "
                f"there are more than {MAX_ROWS:,}"
            )
        self._last = number
        tall = f' ht="{height:g}" customHeight="1"' if height is not None else ""
        self._put(f'<row r="{number + 1}"{tall}>{cells}</row>')

    def _put(self, text: str) -> None:
        self._waiting.append(text)
        self._length += len(text)
        if self._length > _FLUSH:
            self._flush()

    def _flush(self) -> None:
        self.write("".join(self._waiting).encode())
        self._waiting.clear()
        self._length = 0

    # ------------------------------------------------------------------ what follows the rows

    def merge(self, area: str) -> None:
        """One cell over an area (``B2:F2``)."""
        self._merged.append(f'<mergeCell ref="{area}"/>')

    def colour_scale(self, area: str, points: Sequence[tuple[str, str | None, str]]) -> None:
        """Two or three colours over the values: (kind, number or formula, RRGGBB).

        Kinds are ``min``, ``max``, ``num`` and ``formula``.
        """
        kinds = "".join(
            f'<cfvo type="{kind}"{_attribute("val", number)}/>' for kind, number, _ in points
        )
        colours = "".join(f'<color rgb="FF{colour}"/>' for _, _, colour in points)
        self._format(area, "colorScale", f"<colorScale>{kinds}{colours}</colorScale>")

    def data_bar(self, area: str, colour: str) -> None:
        """A bar in each cell, as long as its value among the area's."""
        ends = f'<cfvo type="min"/><cfvo type="max"/><color rgb="FF{colour}"/>'
        self._format(area, "dataBar", f'<dataBar minLength="0" maxLength="100">{ends}</dataBar>')

    def rule(self, area: str, formula: str, differential: int) -> None:
        """A style for the cells where the formula (for the first of them) is true."""
        inner = f"<formula>{escaped(formula)}</formula>"
        self._format(area, f'expression" dxfId="{differential}', inner)

    def _format(self, area: str, kind: str, inner: str) -> None:
        priority = len(self._formats) + 1
        self._formats.append(
            f'<conditionalFormatting sqref="{area}"><cfRule type="{kind}" '
            f'priority="{priority}">{inner}</cfRule></conditionalFormatting>'
        )

    def choose(self, area: str, formula: str) -> None:
        """A drop-down list: a reference, or ``"a,b,c"`` in quotes."""
        self._validations.append(
            '<dataValidation type="list" allowBlank="1" showInputMessage="1" '
            f'showErrorMessage="1" sqref="{area}"><formula1>{escaped(formula)}</formula1>'
            "</dataValidation>"
        )

    def link(self, cell: str, location: str, tip: str = "") -> None:
        """A link from a cell to a place in the book (``'conv1'!A1``)."""
        hint = f' tooltip="{escaped(tip)}"' if tip else ""
        self._links.append(
            f'<hyperlink ref="{cell}" location="{escaped(location)}"{hint} '
            f'display="{escaped(location)}"/>'
        )

    # ------------------------------------------------------------------ parts

    def _head(self) -> str:
        view = self.view
        tab = f'<tabColor rgb="FF{view.tab}"/>' if view.tab else ""
        pane = ""
        if view.freeze is not None and view.freeze != (0, 0):
            pane = _pane(*view.freeze)
        tall = f' defaultRowHeight="{view.row_height or 15:g}"'
        tall += ' customHeight="1"' if view.row_height else ""
        return (
            f'<sheetPr>{tab}<pageSetUpPr fitToPage="1"/></sheetPr>'
            f"<sheetViews><sheetView{'' if view.grid_lines else _NO_GRID}"
            f"{_SELECTED if view.selected else ''}"
            f' zoomScale="{view.zoom}" zoomScaleNormal="{view.zoom}" workbookViewId="0">{pane}'
            f"</sheetView></sheetViews><sheetFormatPr{tall}/>{self._columns()}"
        )

    def _columns(self) -> str:
        if not self.view.columns:
            return ""
        parts = []
        for first, last, width in self.view.columns:
            if not 0 <= first <= last < MAX_COLUMNS:
                raise NetsheetError(
                    f"sheet {self.name!r}: column {last + 1} of {MAX_COLUMNS:,} at most"
                )
            parts.append(
                f'<col min="{first + 1}" max="{last + 1}" width="{width:g}" customWidth="1"/>'
            )
        return f"<cols>{''.join(parts)}</cols>"

    def close(self) -> None:
        """Everything behind the rows, in the order of CT_Worksheet."""
        counted = (("mergeCells", self._merged), ("dataValidations", self._validations))
        merged, validations = (
            f'<{tag} count="{len(parts)}">{"".join(parts)}</{tag}>' if parts else ""
            for tag, parts in counted
        )
        links = f"<hyperlinks>{''.join(self._links)}</hyperlinks>" if self._links else ""
        orientation = "landscape" if self.view.landscape else "portrait"
        self._put(
            f"</sheetData>{merged}{''.join(self._formats)}{validations}{links}"
            '<pageMargins left="0.5" right="0.5" top="0.8" bottom="0.5" header="0.3" footer="0.3"/>'
            f'<pageSetup paperSize="9" orientation="{orientation}" fitToHeight="0"/>{_PRINTED}'
            f"{_DRAWING if self.charts else ''}</worksheet>"
        )
        self._flush()


_NO_GRID = ' showGridLines="0"'
_SELECTED = ' tabSelected="1"'
# On top of every page: the book, the sheet, which page. Rows repeated in print would do so as well,
# but LibreOffice then draws page breaks across every sheet on the screen.
_PRINTED = (
    "<headerFooter><oddHeader>&amp;L&amp;F&amp;C&amp;A&amp;R&amp;P / &amp;N</oddHeader>"
    "</headerFooter>"
)
_DRAWING = '<drawing r:id="rId1"/>'


def _attribute(name: str, value: str | None) -> str:
    return "" if value is None else f' {name}="{escaped(value)}"'


def _pane(row: int, column: int) -> str:
    across = f' xSplit="{column}"' if column else ""
    down = f' ySplit="{row}"' if row else ""
    pane = "bottomRight" if row and column else "bottomLeft" if row else "topRight"
    return (
        f'<pane{across}{down} topLeftCell="{cell_name(row, column)}" activePane="{pane}" '
        f'state="frozen"/><selection pane="{pane}"/>'
    )
