"""The same row functions with vectors: of 4, 8 or 16 channels, as the compiler's target has them.

A vector is a part of a block of channels, or several blocks: those are loaded one by one and
joined, since weights lie block by block for machines without vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsheet.loops.products.row_function import RowFunction
from netsheet.write.c.tiles import arguments, head, parameters, taps_text, walk_wide

LANES = (16, 8, 4)
# By lanes: the vectors of a tile with the pixels of its tiles, the widest first. There are 32
# registers of 16 lanes, 16 of 8 or 4; 8 sums at least hide that each takes 4 cycles.
TILES: dict[int, dict[int, tuple[int, ...]]] = {
    16: {2: (8, 4, 1), 1: (8, 4, 1)},
    8: {4: (3, 1), 2: (4, 1), 1: (8, 1)},
    4: {4: (3, 1), 2: (4, 1), 1: (6, 1)},
}
LONG_ROWS = 2  # vectors where rows have one pixel (Dense)
PADDED_PIXELS = (6, 1)
SUMS = 8  # that a tile of one pixel keeps, if need be of every second or fourth input apart
NEAR = 8192  # weights that a fast memory keeps from one pixel to the next, beside the inputs


@dataclass(frozen=True)
class _Tile:
    """``pixels`` by ``vectors`` of so many lanes; each sum in ``parts``, which are added up."""

    function: RowFunction
    lanes: int
    vectors: int
    pixels: int

    @property
    def name(self) -> str:
        """Of its C function."""
        size = f"{self.pixels}x{self.vectors}x{self.lanes}"
        return f"@lib_{self.function.name}_wide{size}"

    @property
    def padded(self) -> bool:
        """True if its last lanes are of no channel: one block, its end read over."""
        return self.lanes * self.vectors % self.function.channels != 0

    @property
    def channels(self) -> int:
        """How many channels it makes at once."""
        return self.function.channels if self.padded else self.lanes * self.vectors

    @property
    def blocks(self) -> int:
        """How many blocks of channels."""
        return self.channels // self.function.channels

    @property
    def parts(self) -> int:
        """Into how many each sum is split, so that enough of them are under way."""
        sums = self.pixels * self.vectors
        return 1 if self.function.deep else max(1, min(4, SUMS // sums))

    def kind(self, lanes: int | None = None) -> str:
        """The type of a vector."""
        return f"@lib_vector{lanes or self.lanes}"

    def load(self, place: str, lanes: int | None = None) -> str:
        """A vector from memory."""
        return f"*(const {self.kind(lanes)} *)({place})"

    def weights(self, vector: int) -> str:
        """The weights of a vector: a part of a block, or several blocks joined."""
        size = self.function.channels
        if self.padded:
            return self.load(f"q0 + {vector * self.lanes}" if vector else "q0")
        first, inside = divmod(vector * self.lanes, size)
        if size >= self.lanes:
            return self.load(f"q{first} + {inside}" if inside else f"q{first}")
        loads = [self.load(f"q{block}", size) for block in range(first, first + self.lanes // size)]
        while len(loads) > 1:
            joined = 2 * self.lanes // len(loads)
            loads = [
                f"@LIB_JOIN{joined}({a}, {b})" for a, b in zip(loads[::2], loads[1::2], strict=True)
            ]
        return loads[0]


def _tiles(function: RowFunction, lanes: int) -> list[list[_Tile]]:
    """Tiles by the blocks that they take, the most first; of each several numbers of pixels."""
    size = function.channels
    if size % LANES[-1]:
        own = next((n for n in reversed(LANES) if size <= n <= lanes), lanes)
        return [[_Tile(function, own, -(-size // own), n) for n in PADDED_PIXELS]]
    shapes = [(lanes, vectors, pixels) for vectors, pixels in TILES[lanes].items()]
    if function.pixels == 1:
        shapes = [(lanes, LONG_ROWS, (1,)), *((n, v, (1,)) for n, v, _ in shapes)]
    shapes += [(n, 1, TILES[n][1][-2:]) for n in LANES if size <= n < lanes]  # what is left over
    found = {
        (n, vectors): [_Tile(function, n, vectors, count) for count in pixels]
        for n, vectors, pixels in shapes
        if n * vectors % size == 0
    }
    return list(found.values()) or [[_Tile(function, lanes, size // lanes, n) for n in (2, 1)]]


def has_vectors(function: RowFunction, spare: bool) -> bool:
    """True if there is a form with vectors; ``spare``: weights may be read over their end.

    A block whose channels fill no vector has lanes of what lies behind it, which count for nothing.
    """
    if function.vectors:
        return True
    narrow = 2 < function.channels < LANES[0]
    return spare and narrow and not function.deep and not function.added


def wide_rows(function: RowFunction, macro: str) -> list[tuple[int, str]]:
    """The row function for each number of lanes, the largest first."""
    return [(lanes, _wide_row(function, macro, lanes)) for lanes in LANES]


def _wide_row(function: RowFunction, macro: str, lanes: int) -> str:
    """Walks a row: tiles of several blocks at once while there are so many, then of fewer."""
    text, lines = [], head(function, macro)
    lines += ["    int block = 0;"] if function.blocks else []
    tiers = _tiles(function, lanes)
    for tier in tiers:
        tile = tier[0]
        text += [_tile_text(one) for one in tier]
        last = f"block + {tile.blocks} <= g->blocks"
        if tile.pixels > 1 and len(tiers) > 1 and tier is tiers[0] and lanes > LANES[-1]:
            last += f" && g->w_block <= {NEAR // tile.blocks}"
        several = f"for (; {last}; block += {tile.blocks}) {{"
        lines.append(f"    {several if function.blocks else '{'}")
        lines += _with_edges(tier) if function.edges else _without_edges(tier)
        if function.blocks:
            lines.append(f"        w += {tile.blocks} * g->w_block;")
        for moved in ["bias", "y", *(["x"] if function.deep else [])] * function.blocks:
            lines.append(f"        {moved} += {tile.channels};")
        if function.added and function.blocks:
            lines += ["        if (added)", f"            added += {tile.channels};"]
        lines.append("    }")
    return "\n".join([*text, *lines, "}\n"])


def _with_edges(tier: Sequence[_Tile]) -> list[str]:
    """A row whose first and last pixels lack some taps: those are done one by one."""
    function, size = tier[0].function, tier[0].function.channels
    added = "added ? added + p * g->y_step : 0"
    given = arguments(function, "w", "bias", "y + p * g->y_step", added)
    shift = f"low * {size}" if function.deep else f"low * g->unit * {size}"
    one = arguments(function, f"w + {shift}", "bias", "y + p * g->y_step", added)
    place = "x + (p * g->step - g->back"
    run = "high - low" if function.deep or function.spaced else "(high - low) * g->unit"
    whole = "g->taps" if function.spaced else "g->run"
    return walk_wide(
        function,
        [
            (tile.pixels, f"{tile.name}(g, {place}), rows, {whole},\n                {given})")
            for tile in tier[:-1]
        ],
        f"{tier[-1].name}(g, {place} + low * g->tap_step), rows,\n"
        f"                {run}, {one})",
    )  # fmt: skip


def _without_edges(tier: Sequence[_Tile]) -> list[str]:
    """A row of which every pixel has all its taps."""
    function = tier[0].function
    plus = "plus" if function.added else None
    lines = ["        const float *from = x;", "        float *to = y;"]
    if function.added:
        lines.append("        const float *plus = added;")
    lines.append("        int left = g->pixels;")
    for tile in tier:
        count = tile.pixels
        times = "" if count == 1 else f"{count} * "
        lines += [
            f"        for (; left >= {count}; left -= {count}) {{",
            f"            {tile.name}(g, from, rows, {'g->taps' if function.spaced else 'g->run'},",
            f"                {arguments(function, 'w', 'bias', 'to', plus)});",
            f"            from += {times}g->step;",
            f"            to += {times}g->y_step;",
        ]
        if function.added:
            lines += ["            if (plus)", f"                plus += {times}g->y_step;"]
        lines.append("        }")
        if tile is tier[0] and count > 2 and not function.added:
            lines += [
                f"        if (left > {count // 2} && g->pixels >= {count}) {{"
                " /* one that overlaps the one before */",
                f"            {tile.name}(g, from - ({count} - left) * g->step, rows,",
                f"                {'g->taps' if function.spaced else 'g->run'},",
                "                "
                + arguments(function, "w", "bias", f"to - ({count} - left) * g->y_step", None)
                + ");",
                "            left = 0;",
                "        }",
            ]
    return lines


def _tile_text(tile: _Tile) -> str:
    """The sums of a tile, over ``run`` inputs of each row of taps."""
    function = tile.function
    lines = [
        f"static @LIB_CODE void {tile.name}(",
        "    const @LIB_FLASH struct @lib_row *g, const float *x,",
        f"    int rows, int run, {parameters(function)})",
        "{",
    ]
    if tile.pixels > 1:
        lines.append("    const int step = g->step;")
    lines += _started(tile)
    blocks = range(tile.blocks)
    starts = ["*q0 = w", *(f"*q{b} = q{b - 1} + g->w_block" for b in blocks[1:])]
    weights = [f"const float {', '.join(starts)};"]
    run = "g->taps * g->unit" if function.spaced else "g->run"
    after = [f"w += {'g->w_row' if function.edges else f'{run} * {function.channels}'};"]
    lines += taps_text(
        function, tile.pixels, "run", _step(tile, 0), weights, after,
        [line for part in range(tile.parts) for line in _step(tile, part)], tile.parts,
    )  # fmt: skip
    lines += _finished(tile)
    return "\n".join([*lines, "}\n"])


def _step(tile: _Tile, part: int) -> list[str]:
    """One input of each pixel times its weights, into one part of the sums."""
    function, p_range, v_range = tile.function, range(tile.pixels), range(tile.vectors)
    names = [f"c{part}_{v}" for v in v_range] if part else [f"c{v}" for v in v_range]
    lines = []
    values = [f"v{part}_{p}" if part else f"v{p}" for p in p_range]
    if not function.deep:
        given = ", ".join(f"{value} = *x{p}++" for p, value in enumerate(values))
        lines.append(f"const float {given};")
    for v, name in enumerate(names):
        lines.append(f"const {tile.kind()} {name} = {tile.weights(v)};")
        read = [
            tile.load(f"x{p} + {v * tile.lanes}") if function.deep else values[p] for p in p_range
        ]
        sums = [_sum(p, v, part) for p in p_range]
        lines.append(
            " ".join(f"{s} += {name} * {value};" for s, value in zip(sums, read, strict=True))
        )
    if function.deep:
        lines.append(" ".join(f"x{p} += g->tap_step;" for p in p_range))
    lines.append(" ".join(f"q{b} += {function.channels};" for b in range(tile.blocks)))
    return lines


def _sum(pixel: int, vector: int, part: int = 0) -> str:
    return f"s{pixel}_{vector}" + (f"_{part}" if part else "")


def _started(tile: _Tile) -> list[str]:
    """The sums as variables that begin with the bias, and what is added."""
    p_range, v_range = range(tile.pixels), range(tile.vectors)
    lines: list[str] = []
    for p in p_range:
        first = [
            f"{_sum(p, v)} = " + (tile.load(f"bias + {v * tile.lanes}") if p == 0 else _sum(0, v))
            for v in v_range
        ]
        lines.append(f"    {tile.kind()} {', '.join(first)};")
    for part in range(1, tile.parts):
        rest = [f"{_sum(p, v, part)} = {{0}}" for p in p_range for v in v_range]
        lines.append(f"    {tile.kind()} {', '.join(rest)};")
    if tile.function.added:
        lines.append("    if (added) {")
        for p in p_range:
            for v in v_range:
                lines.append(f"        {_sum(p, v)} += {tile.load(f'added + {v * tile.lanes}')};")
            if p + 1 < tile.pixels:
                lines.append("        added += g->y_step;")
        lines.append("    }")
    return lines


def _finished(tile: _Tile) -> list[str]:
    """The parts added up, within their limits, stored."""
    p_range, v_range = range(tile.pixels), range(tile.vectors)
    lines: list[str] = []
    for p in p_range:
        for v in v_range:
            rest = " + ".join(_sum(p, v, part) for part in range(1, tile.parts))
            lines += [f"    {_sum(p, v)} += {rest};"] if rest else []
    for limit, sign in (("floor", "<"), ("ceiling", ">"))[: tile.function.clamps]:
        value = f"g->{limit}"
        lines.append(f"    const {tile.kind()} {limit} = {{{_repeated(value, tile.lanes)}}};")
        for p in p_range:
            for v in v_range:
                s = _sum(p, v)
                chosen = f"@LIB_CHOOSE({tile.lanes}, {s} {sign} {limit}, {limit}, {s})"
                lines.append(f"    {s} = {chosen};")
    for p in p_range:
        for v in v_range:
            lines += _stored(tile, v, _sum(p, v))
        if p + 1 < tile.pixels:
            lines.append("    y += g->y_step;")
    return lines


def _stored(tile: _Tile, vector: int, value: str) -> list[str]:
    """A vector into memory; of a padded one those lanes that are channels."""
    first = vector * tile.lanes
    left = tile.channels - first
    if left >= tile.lanes:
        return [f"    *({tile.kind()} *)(y + {first}) = {value};"]
    return ["    " + " ".join(f"y[{first + n}] = {value}[{n}];" for n in range(left))]


def _repeated(value: str, lanes: int) -> str:
    """The elements of a vector, on lines that are not too long."""
    parts: Sequence[str] = [value] * lanes
    groups = [", ".join(parts[n : n + 8]) for n in range(0, lanes, 8)]
    return ",\n        ".join(groups)
