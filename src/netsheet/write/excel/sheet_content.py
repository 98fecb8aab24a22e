"""What a sheet shows, collected before it is streamed out: cells, grids, colours, links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from netsheet.equations import FloatArray
from netsheet.write.excel.cell_block import CellBlock
from netsheet.write.excel.looks import LINK, PLAIN, VALUE_COLOURS, CellLook
from netsheet.write.excel.placement import CellArea, cell_name
from netsheet.write.excel.sheet_names import quoted

Content = str | float | int


@dataclass(frozen=True)
class CellContent:
    """One cell; ``content`` is its value, also where a formula computes it."""

    row: int
    col: int
    content: Content
    look: CellLook = PLAIN
    formula: str | None = None


@dataclass(frozen=True)
class ColourScale:
    """Colours from the lowest value through 0 (``middle``, if given) to the highest one.

    ``ends`` fixes both; ``from_zero`` and ``to_zero`` fix one of them. ``live``: the ends follow
    values that change, and 0 stays white even where it is the lowest or the highest one.
    """

    area: CellArea
    low: str
    high: str
    middle: str | None = None
    ends: tuple[float, float] | None = None
    from_zero: bool = False
    to_zero: bool = False
    live: bool = False
    zero: float = 0  # what stands for 0: the zero point of whole numbers


def value_scale(
    area: CellArea,
    values: FloatArray,
    colours: tuple[str, str] = VALUE_COLOURS,
    raw: bool = False,
    zero: float = 0,
) -> ColourScale:
    """Two colours around white at ``zero``; grey levels for ``raw`` values from 0 to 255."""
    if raw:
        return ColourScale(area, "000000", "FFFFFF", ends=(0, 255))
    low, high = colours
    if not values.size or values.min() >= zero:
        return ColourScale(area, "FFFFFF", high, from_zero=True, zero=zero)
    if values.max() <= zero:
        return ColourScale(area, low, "FFFFFF", to_zero=True, zero=zero)
    return ColourScale(area, low, high, "FFFFFF", zero=zero)


@dataclass(frozen=True)
class SheetLink:
    """A cell that leads to another one in this workbook."""

    row: int
    col: int
    sheet: str
    cell: str

    @property
    def location(self) -> str:
        """``'conv 1'!A1``."""
        return f"{quoted(self.sheet)}!{self.cell}"


@dataclass(frozen=True)
class BarsOver:
    """A bar chart (or a ``line``): names and values, placed over an area of cells."""

    area: CellArea
    title: str
    names: CellArea
    values: CellArea
    cached_names: Sequence[str]
    cached_values: Sequence[float]
    limits: tuple[float, float] | None = None
    line: bool = False


@dataclass(eq=False)
class SheetContent:
    """One sheet."""

    name: str
    cells: list[CellContent] = field(default_factory=list)
    grids: list[tuple[CellBlock, CellLook]] = field(default_factory=list)
    scales: list[ColourScale] = field(default_factory=list)
    links: list[SheetLink] = field(default_factory=list)
    verdicts: list[tuple[CellArea, str, str]] = field(default_factory=list)  # area, good, bad text
    data_bars: list[tuple[CellArea, str]] = field(default_factory=list)  # area, colour
    choices: list[tuple[CellArea, str]] = field(default_factory=list)  # area, source range
    blank_if: list[tuple[CellArea, str]] = field(default_factory=list)  # area, formula
    precise: list[tuple[CellArea, str]] = field(default_factory=list)  # area, format of all digits
    names: list[tuple[str, CellArea]] = field(default_factory=list)  # of places, for the whole book
    merged: list[CellArea] = field(default_factory=list)
    bars: list[BarsOver] = field(default_factory=list)
    widths: dict[int, float] = field(default_factory=dict)
    heights: dict[int, float] = field(default_factory=dict)
    column_width: float = 9.5
    row_height: float | None = None
    frozen: tuple[int, int] = (0, 0)
    zoom: int = 100
    tab: str | None = None
    tab_number: int | None = None  # from 1, where it is not the tab after the last one so far

    def put(
        self,
        row: int,
        col: int,
        content: Content,
        look: CellLook = PLAIN,
        formula: str | None = None,
    ) -> None:
        """Add one cell."""
        self.cells.append(CellContent(row, col, content, look, formula))

    def link(
        self, row: int, col: int, text: str, sheet: str, cell: str = "A1", look: CellLook = LINK
    ) -> None:
        """Add a cell that leads elsewhere."""
        self.put(row, col, text, look)
        self.links.append(SheetLink(row, col, sheet, cell))

    def reference(self, row: int, col: int) -> str:
        """A cell of this sheet as other sheets' formulas name it."""
        return f"{quoted(self.name)}!{cell_name(row, col, True)}"

    @property
    def formulas(self) -> int:
        """How many cells hold formulas."""
        single = sum(cell.formula is not None for cell in self.cells)
        return single + sum(grid.formulas for grid, _ in self.grids)
