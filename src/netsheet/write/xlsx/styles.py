"""Cell styles and the part styles.xml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.errors import NetsheetError
from netsheet.write.xlsx.cells import escaped

MAX_STYLES = 65_490

_BUILT_IN = {
    "General": 0, "0": 1, "0.00": 2, "#,##0": 3, "#,##0.00": 4, "0%": 9, "0.00%": 10,
    "0.00E+00": 11, "@": 49,
}  # fmt: skip


@dataclass(frozen=True)
class Style:
    """How a cell looks. Colours are ``RRGGBB``; ``border`` is a line of that colour all around."""

    bold: bool = False
    italic: bool = False
    underline: bool = False
    size: float = 11
    font: str = "Calibri"
    colour: str | None = None
    fill: str | None = None
    border: str | None = None
    number_format: str = "General"
    align: str | None = None
    vertical: str | None = None
    wrap: bool = False
    indent: int = 0
    upright: bool = False  # text that runs upwards
    shrink: bool = False  # a smaller size rather than ### where a number does not fit


class _Numbered:
    """Distinct texts with their numbers, in the order of first use."""

    def __init__(self, *first: str) -> None:
        self.numbers = {text: number for number, text in enumerate(first)}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))

    def xml(self, tag: str) -> str:
        return f'<{tag} count="{len(self.numbers)}">{"".join(self.numbers)}</{tag}>'


class Styles:
    """The styles of a book; each distinct one is stored once."""

    def __init__(self) -> None:
        self._fonts = _Numbered(_font(Style()))
        self._fills = _Numbered(
            '<fill><patternFill patternType="none"/></fill>',
            '<fill><patternFill patternType="gray125"/></fill>',
        )
        self._borders = _Numbered(_border(None))
        self._formats: dict[str, int] = {}
        self._cells = _Numbered()
        self._different = _Numbered()
        self._known: dict[Style, int] = {}
        self.number(Style())

    def number(self, style: Style) -> int:
        """The number by which cells refer to a style."""
        if style not in self._known:
            self._known[style] = self._cells.number(self._cell(style))
            if len(self._cells.numbers) > MAX_STYLES:
                raise NetsheetError(f"the workbook needs more than {MAX_STYLES} cell styles")
        return self._known[style]

    def differential(self, style: Style) -> int:
        """The number of a style that a conditional format lays over a cell's own."""
        parts = ""
        if style.bold or style.colour:
            bold = "<b/>" if style.bold else ""
            colour = f'<color rgb="FF{style.colour}"/>' if style.colour else ""
            parts += f"<font>{bold}{colour}</font>"
        if style.number_format != "General":
            code = escaped(style.number_format)
            number = 1_000 + len(self._different.numbers)  # a number of its own: cells use others
            parts += f'<numFmt numFmtId="{number}" formatCode="{code}"/>'
        if style.fill:
            parts += f'<fill><patternFill><bgColor rgb="FF{style.fill}"/></patternFill></fill>'
        return self._different.number(f"<dxf>{parts}</dxf>")

    def _format(self, code: str) -> int:
        if code in _BUILT_IN:
            return _BUILT_IN[code]
        return self._formats.setdefault(code, 164 + len(self._formats))

    def _cell(self, style: Style) -> str:
        font, fill = self._fonts.number(_font(style)), self._fill(style.fill)
        border, number = (
            self._borders.number(_border(style.border)),
            self._format(style.number_format),
        )
        applied = "".join(
            f' {name}="1"'
            for name, used in (
                ("applyNumberFormat", number),
                ("applyFont", font),
                ("applyFill", fill),
                ("applyBorder", border),
                ("applyAlignment", bool(_alignment(style))),
            )
            if used
        )
        head = (
            f'<xf numFmtId="{number}" fontId="{font}" fillId="{fill}" borderId="{border}" '
            f'xfId="0"{applied}'
        )
        alignment = _alignment(style)
        return f"{head}>{alignment}</xf>" if alignment else f"{head}/>"

    def _fill(self, colour: str | None) -> int:
        if colour is None:
            return 0
        return self._fills.number(
            f'<fill><patternFill patternType="solid"><fgColor rgb="FF{colour}"/>'
            '<bgColor indexed="64"/></patternFill></fill>'
        )

    def xml(self) -> str:
        """The part styles.xml; elements in the order of CT_Stylesheet."""
        formats = "".join(
            f'<numFmt numFmtId="{number}" formatCode="{escaped(code)}"/>'
            for code, number in self._formats.items()
        )
        head = f'<numFmts count="{len(self._formats)}">{formats}</numFmts>' if formats else ""
        return (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            f"{head}{self._fonts.xml('fonts')}{self._fills.xml('fills')}"
            f"{self._borders.xml('borders')}"
            '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>'
            f"</cellStyleXfs>{self._cells.xml('cellXfs')}"
            # IronCalc needs cellStyles
            '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
            f"{self._different.xml('dxfs')}"
            '<tableStyles count="0" defaultTableStyle="TableStyleMedium9" '
            'defaultPivotStyle="PivotStyleLight16"/></styleSheet>'
        )


def _font(style: Style) -> str:
    marks: Sequence[str] = (
        "<b/>" if style.bold else "",
        "<i/>" if style.italic else "",
        "<u/>" if style.underline else "",
    )
    colour = f'<color rgb="FF{style.colour}"/>' if style.colour else '<color theme="1"/>'
    return (
        f'<font>{"".join(marks)}<sz val="{style.size:g}"/>{colour}'
        f'<name val="{escaped(style.font)}"/><family val="2"/></font>'
    )


def _border(colour: str | None) -> str:
    if colour is None:
        return "<border><left/><right/><top/><bottom/><diagonal/></border>"
    line = f' style="thin"><color rgb="FF{colour}"/></'
    sides = "".join(f"<{side}{line}{side}>" for side in ("left", "right", "top", "bottom"))
    return f"<border>{sides}<diagonal/></border>"


def _alignment(style: Style) -> str:
    parts = ""
    if style.align:
        parts += f' horizontal="{style.align}"'
    if style.vertical:
        parts += f' vertical="{style.vertical}"'
    if style.upright:
        parts += ' textRotation="90"'
    if style.wrap:
        parts += ' wrapText="1"'
    if style.indent:
        parts += f' indent="{style.indent}"'
    if style.shrink:
        parts += ' shrinkToFit="1"'
    return f"<alignment{parts}/>" if parts else ""
