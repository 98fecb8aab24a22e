"""What a sheet shows, collected before it is streamed out: cells, grids, colours, links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from netsheet.write.excel.grid import Grid
from netsheet.write.excel.place import Area, cell_name
from netsheet.write.excel.sheetname import quoted

Content = str | float | int


@dataclass(frozen=True)
class Look:
    """How a cell looks; ``digits`` is a number format."""

    size: float = 10
    bold: bool = False
    colour: str = "000000"
    fill: str | None = None
    digits: str | None = None
    align: str | None = None
    mono: bool = False
    underline: bool = False
    wrap: bool = False
    shrink: bool = False
    border: str | None = None


INK, GREY, BLUE = "1F2937", "8A94A6", "1D4ED8"
TITLE = Look(18, bold=True, colour=INK)
PLAIN = Look(colour=INK)
NOTE = Look(9, colour=GREY)
HEADING = Look(11, bold=True, colour=INK)
FORMULA = Look(10, colour=INK, mono=True)
INDEX = Look(8, colour=GREY, align="center")
NAME = Look(8, colour=GREY)
LINK = Look(10, colour=BLUE, underline=True)
HEAD = Look(10, bold=True, colour="FFFFFF", fill="334155")
CHOICE = Look(12, bold=True, colour=INK, fill="FEF3C7", border="B45309")
FIGURE = Look(10, colour=INK, digits="0.000000")
WHOLE = Look(10, colour=INK, digits="#,##0")
SMALL = Look(10, colour=INK, digits="0.0E+00")
RESULT = Look(14, bold=True, colour=INK)
VERDICT = Look(10, bold=True, colour=INK, align="center")
SQUARE = Look(8, colour=INK, digits="0.00", align="center", shrink=True)
PIXEL = Look(8, colour="808080", digits="0", align="center", shrink=True)
VALUE = Look(10, colour=INK, digits="0.0000", align="center", shrink=True)


@dataclass(frozen=True)
class Cell:
    """One cell; ``content`` is its value, also where a formula computes it."""

    row: int
    col: int
    content: Content
    look: Look = PLAIN
    formula: str | None = None


@dataclass(frozen=True)
class Scale:
    """Colours from the lowest value through 0 (``middle``, if given) to the highest one.

    ``ends`` fixes both; ``from_zero`` and ``to_zero`` fix one of them.
    """

    area: Area
    low: str
    high: str
    middle: str | None = None
    ends: tuple[float, float] | None = None
    from_zero: bool = False
    to_zero: bool = False


VALUE_COLOURS = ("3B82F6", "F97316")
WEIGHT_COLOURS = ("A78BFA", "34D399")


@dataclass(frozen=True)
class Link:
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
class Bars:
    """A bar chart: names and values, placed over an area of cells."""

    area: Area
    title: str
    names: Area
    values: Area
    cached_names: Sequence[str]
    cached_values: Sequence[float]


@dataclass(eq=False)
class Canvas:
    """One sheet."""

    name: str
    cells: list[Cell] = field(default_factory=list)
    grids: list[tuple[Grid, Look]] = field(default_factory=list)
    scales: list[Scale] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    verdicts: list[tuple[Area, str, str]] = field(default_factory=list)  # area, good, bad text
    data_bars: list[tuple[Area, str]] = field(default_factory=list)  # area, colour
    choices: list[tuple[Area, str]] = field(default_factory=list)  # area, source range
    bars: list[Bars] = field(default_factory=list)
    widths: dict[int, float] = field(default_factory=dict)
    heights: dict[int, float] = field(default_factory=dict)
    column_width: float = 9.5
    row_height: float | None = None
    frozen: tuple[int, int] = (0, 0)
    zoom: int = 100
    tab: str | None = None

    def put(
        self,
        row: int,
        col: int,
        content: Content,
        look: Look = PLAIN,
        formula: str | None = None,
    ) -> None:
        """Add one cell."""
        self.cells.append(Cell(row, col, content, look, formula))

    def link(self, row: int, col: int, text: str, sheet: str, cell: str = "A1") -> None:
        """Add a cell that leads elsewhere."""
        self.put(row, col, text, LINK)
        self.links.append(Link(row, col, sheet, cell))

    def reference(self, row: int, col: int) -> str:
        """A cell of this sheet as other sheets' formulas name it."""
        return f"{quoted(self.name)}!{cell_name(row, col, True)}"

    @property
    def formulas(self) -> int:
        """How many cells hold formulas."""
        single = sum(cell.formula is not None for cell in self.cells)
        return single + sum(grid.formulas for grid, _ in self.grids)
