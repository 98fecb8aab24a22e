"""A bar chart and the drawing that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.write.xlsx.cells import escaped

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_C = "http://schemas.openxmlformats.org/drawingml/2006/chart"
_A = "http://schemas.openxmlformats.org/drawingml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_XDR = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"


@dataclass(frozen=True)
class BarChart:
    """Bars for one row or column of numbers, drawn from cell ``start`` to ``end`` (row, column).

    ``line``: points with a line through them instead.

    ``values`` and ``categories`` are references (``Overview!$C$5:$C$14``), with their present
    contents for programs that do not calculate.
    """

    title: str
    values: str
    categories: str
    start: tuple[int, int]
    end: tuple[int, int]
    cached_values: Sequence[float] = ()
    cached_categories: Sequence[str] = ()
    colour: str = "4472C4"
    limits: tuple[float, float] | None = None  # of the axis; None: as the values are
    line: bool = False

    def xml(self) -> str:
        """The chart part."""
        numbers = "".join(
            f'<c:pt idx="{i}"><c:v>{value!r}</c:v></c:pt>'
            for i, value in enumerate(self.cached_values)
        )
        names = "".join(
            f'<c:pt idx="{i}"><c:v>{escaped(name)}</c:v></c:pt>'
            for i, name in enumerate(self.cached_categories)
        )
        return (
            f'{_HEAD}<c:chartSpace xmlns:c="{_C}" xmlns:a="{_A}" xmlns:r="{_R}">'
            '<c:roundedCorners val="0"/><c:chart><c:title><c:tx><c:rich><a:bodyPr/><a:p><a:pPr>'
            '<a:defRPr sz="1200" b="1"/></a:pPr><a:r><a:rPr lang="en-US" sz="1200" b="1"/>'
            f"<a:t>{escaped(self.title)}</a:t></a:r></a:p></c:rich></c:tx>"
            '<c:overlay val="0"/></c:title><c:autoTitleDeleted val="0"/><c:plotArea><c:layout/>'
            f"{self._head()}"
            f"<c:cat><c:strRef><c:f>{escaped(self.categories)}</c:f><c:strCache>"
            f'<c:ptCount val="{len(self.cached_categories)}"/>{names}</c:strCache></c:strRef>'
            f"</c:cat><c:val><c:numRef><c:f>{escaped(self.values)}</c:f><c:numCache>"
            f'<c:formatCode>General</c:formatCode><c:ptCount val="{len(self.cached_values)}"/>'
            f"{numbers}</c:numCache></c:numRef></c:val>"
            f"{self._foot()}"
            '<c:catAx><c:axId val="1"/><c:scaling><c:orientation val="minMax"/></c:scaling>'
            '<c:delete val="0"/><c:axPos val="b"/><c:numFmt formatCode="General" '
            'sourceLinked="0"/><c:majorTickMark val="none"/><c:minorTickMark val="none"/>'
            '<c:tickLblPos val="low"/><c:crossAx val="2"/><c:crosses val="autoZero"/>'
            '<c:auto val="1"/><c:lblAlgn val="ctr"/><c:lblOffset val="100"/>'
            '<c:noMultiLvlLbl val="0"/></c:catAx>'
            f'<c:valAx><c:axId val="2"/><c:scaling>{self._scaling()}</c:scaling>'
            '<c:delete val="0"/><c:axPos val="l"/><c:majorGridlines><c:spPr><a:ln><a:solidFill>'
            '<a:srgbClr val="D9D9D9"/></a:solidFill></a:ln></c:spPr></c:majorGridlines>'
            '<c:numFmt formatCode="General" sourceLinked="0"/><c:majorTickMark val="none"/>'
            '<c:minorTickMark val="none"/><c:tickLblPos val="nextTo"/><c:crossAx val="1"/>'
            '<c:crosses val="autoZero"/><c:crossBetween val="between"/></c:valAx></c:plotArea>'
            '<c:plotVisOnly val="1"/><c:dispBlanksAs val="gap"/></c:chart></c:chartSpace>'
        )

    def _head(self) -> str:
        """What stands in front of the chart's names and values."""
        fill = f'<a:solidFill><a:srgbClr val="{self.colour}"/></a:solidFill>'
        series = '<c:varyColors val="0"/><c:ser><c:idx val="0"/><c:order val="0"/>'
        if self.line:
            return (
                f'<c:lineChart><c:grouping val="standard"/>{series}'
                f'<c:spPr><a:ln w="28575">{fill}</a:ln></c:spPr>'
                f'<c:marker><c:symbol val="circle"/><c:size val="6"/><c:spPr>{fill}</c:spPr>'
                "</c:marker>"
            )
        return (
            f'<c:barChart><c:barDir val="col"/><c:grouping val="clustered"/>{series}'
            f'<c:spPr>{fill}</c:spPr><c:invertIfNegative val="0"/>'
        )

    def _foot(self) -> str:
        axes = '<c:axId val="1"/><c:axId val="2"/>'
        if self.line:
            return f'<c:smooth val="0"/></c:ser><c:marker val="1"/>{axes}</c:lineChart>'
        return f'</c:ser><c:gapWidth val="60"/>{axes}</c:barChart>'

    def _scaling(self) -> str:
        orientation = '<c:orientation val="minMax"/>'
        if self.limits is None:
            return orientation
        low, high = self.limits
        return f'{orientation}<c:max val="{high:g}"/><c:min val="{low:g}"/>'


def drawing_xml(charts: Sequence[BarChart]) -> str:
    """The drawing part of a sheet: each chart between its two cells."""
    anchors = "".join(_anchor(number, chart) for number, chart in enumerate(charts, 1))
    return f'{_HEAD}<xdr:wsDr xmlns:xdr="{_XDR}" xmlns:a="{_A}">{anchors}</xdr:wsDr>'


def _anchor(number: int, chart: BarChart) -> str:
    def corner(tag: str, place: tuple[int, int]) -> str:
        row, column = place
        return (
            f"<xdr:{tag}><xdr:col>{column}</xdr:col><xdr:colOff>0</xdr:colOff>"
            f"<xdr:row>{row}</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:{tag}>"
        )

    return (
        f"<xdr:twoCellAnchor>{corner('from', chart.start)}{corner('to', chart.end)}"
        f'<xdr:graphicFrame macro=""><xdr:nvGraphicFramePr><xdr:cNvPr id="{number + 1}" '
        f'name="Chart {number}"/><xdr:cNvGraphicFramePr/></xdr:nvGraphicFramePr><xdr:xfrm>'
        '<a:off x="0" y="0"/><a:ext cx="0" cy="0"/></xdr:xfrm><a:graphic>'
        f'<a:graphicData uri="{_C}"><c:chart xmlns:c="{_C}" xmlns:r="{_R}" r:id="rId{number}"/>'
        "</a:graphicData></a:graphic></xdr:graphicFrame><xdr:clientData/></xdr:twoCellAnchor>"
    )
