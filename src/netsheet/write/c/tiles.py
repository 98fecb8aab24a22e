"""The inner loops that sums of products run through: several pixels by several channels.

A tile keeps its sums in registers: ``pixels`` x ``channels`` of them, one load of an input for
``channels`` multiplications and one load of a weight for ``pixels``. A row function walks one row
of pixels, tile by tile, and its edges, where some taps lie outside, pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netsheet.loops.products.row_function import WORTH, RowFunction


def parameters(function: RowFunction) -> str:
    """Of a row function and of its tiles, behind the input."""
    added = ", const float *added" if function.added else ""
    return f"const @LIB_FLASH float *w, const @LIB_FLASH float *bias, float *y{added}"


def arguments(function: RowFunction, w: str, bias: str, y: str, added: str | None) -> str:
    """For :func:`parameters`."""
    return f"{w}, {bias}, {y}" + (f", {added or '0'}" if function.added else "")


def row(function: RowFunction, macro: str) -> str:
    """Walks a row: tiles where all taps are inside, single pixels elsewhere."""
    size = function.channels
    lines = head(function, macro)
    if function.blocks:
        lines.append("    for (int block = 0; block < g->blocks; block++) {")
    added = "added ? added + p * g->y_step : 0"
    tile = arguments(function, "w", "bias", "y + p * g->y_step", added)
    shift = f"low * {size}" if function.deep else f"low * g->unit * {size}"
    single = arguments(function, f"w + {shift}", "bias", "y + p * g->y_step", added)
    back = " - g->back" if function.edges else ""
    lines += walk(
        function.pixels, function,
        f"@lib_{function.name}_tile(g, x + (p * g->step{back}), rows,\n                {tile})",
        f"@lib_{function.name}_single(g, x + (p * g->step{back} + low * g->tap_step), rows,\n"
        f"                high - low, {single})",
    )  # fmt: skip
    if not function.blocks:
        return "\n".join([*(line.removeprefix("    ") for line in lines), "}\n"])
    lines += ["        w += g->w_block;", f"        bias += {size};", f"        y += {size};"]
    if function.deep:
        lines.append(f"        x += {size};")
    if function.added:
        lines += ["        if (added)", f"            added += {size};"]
    return "\n".join([*lines, "    }", "}\n"])


def tiles(function: RowFunction, macro: str) -> list[str]:
    """The functions of a tile of pixels and, where rows have edges, of a single one."""
    whole = [] if function.edges and function.pixels == 1 else [_tile(function, False, macro)]
    return whole + ([_tile(function, True, macro)] if function.edges else [])


def _tile(function: RowFunction, single: bool, macro: str) -> str:
    """``pixels`` x ``channels`` sums in scalar variables; or one pixel with some of its taps."""
    pixels = 1 if single else function.pixels
    p_range, b_range = range(pixels), range(function.channels)
    sums = [[f"s{p}_{b}" for b in b_range] for p in p_range]
    name = "single" if single else "tile"
    lines = [
        f"static @LIB_CODE void @lib_{function.name}_{name}(",
        "    const @LIB_FLASH struct @lib_row *g, const float *x,",
        f"    int rows, {'int taps, ' if single else ''}{parameters(function)})",
        "{",
    ]
    if pixels > 1:
        lines.append("    const int step = g->step;")
    for p in p_range:
        first = [f"{s} = bias[{b}]" if p == 0 else f"{s} = s0_{b}" for b, s in enumerate(sums[p])]
        lines.append(f"    float {', '.join(first)};")
    if function.added:
        lines.append("    if (added) {")
        for p in p_range:
            lines.append(
                "        " + " ".join(f"{s} += added[{b}];" for b, s in enumerate(sums[p]))
            )
            if p + 1 < pixels:
                lines.append("        added += g->y_step;")
        lines.append("    }")
    w = "q" if single else "w"
    inner = (
        [] if function.deep else [f"const float {', '.join(f'v{p} = *x{p}++' for p in p_range)};"]
    )
    for b in b_range:
        inner.append(f"const float c{b} = {w}[{b}];")
        factor = "x{p}[{b}]" if function.deep else "v{p}"
        macs = [f"{macro}_MAC({sums[p][b]}, {factor.format(p=p, b=b)}, c{b});" for p in p_range]
        inner += [" ".join(macs[n : n + 3]) for n in range(0, len(macs), 3)]
    if function.deep:
        inner.append(" ".join(f"x{p} += g->tap_step;" for p in p_range))
    inner.append(f"{w} += {function.channels};")
    count = ("taps" if function.deep or function.spaced else "taps * g->unit") if single else (
        "g->taps" if function.spaced else "g->run")  # fmt: skip
    weights = ["const @LIB_FLASH float *q = w;"] if single else []
    after = ["w += g->w_row;"] if single else []
    lines += taps_text(function, pixels, count, inner, weights, after)
    lines += _clamped([s for row in sums for s in row], function)
    for p in p_range:
        stores = " ".join(f"y[{b}] = {s};" for b, s in enumerate(sums[p]))
        lines.append(f"    {stores}")
        if p + 1 < pixels:
            lines.append("    y += g->y_step;")
    return "\n".join([*lines, "}\n"])


def taps_text(
    function: RowFunction,
    pixels: int,
    count: str,
    inner: Sequence[str],
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    several: Sequence[str] = (),
    number: int = 1,
) -> list[str]:
    """The loops over rows of taps, taps and inputs; ``before`` and ``after`` a row of taps.

    ``several`` does ``number`` inputs at once; ``inner`` the rest of them.
    """
    start = ", ".join(["*x0 = {0}", *(f"*x{p} = x{p - 1} + step" for p in range(1, pixels))])
    pointers = f"const float {start};"
    lines = ["    for (; rows > 0; rows--) {", *(f"        {line}" for line in before)]
    indent = " " * 8
    if function.spaced:
        lines.append("        const float *from = x;")
        lines.append(f"        for (int tap = {count}; tap > 0; tap--) {{")
        indent, count = " " * 12, "g->unit"
    lines.append(indent + pointers.format("from" if function.spaced else "x"))
    if number > 1:
        lines.append(f"{indent}int n = {count};")
        lines.append(f"{indent}for (; n >= {number}; n -= {number}) {{")
        lines += [f"{indent}    {line}" for line in several]
        lines.append(f"{indent}}}")
        lines.append(f"{indent}for (; n > 0; n--) {{")
    else:
        lines.append(f"{indent}for (int n = {count}; n > 0; n--) {{")
    lines += [f"{indent}    {line}" for line in inner]
    lines.append(f"{indent}}}")
    if function.spaced:
        lines += ["            from += g->tap_step;", "        }"]
    return [*lines, "        x += g->pitch;", *(f"        {line}" for line in after), "    }"]


def _clamped(sums: Iterable[str], function: RowFunction) -> list[str]:
    lines = []
    for limit, sign in (("floor", "<"), ("ceiling", ">"))[: function.clamps]:
        lines.append(f"    const float {limit} = g->{limit};")
        texts = [f"{s} = {s} {sign} {limit} ? {limit} : {s};" for s in sums]
        lines += [f"    {' '.join(texts[n : n + 2])}" for n in range(0, len(texts), 2)]
    return lines


def head(function: RowFunction, macro: str) -> list[str]:
    """The first lines of a row function."""
    return [
        f"static @LIB_CODE {macro}_ONCE void @lib_{function.name}(",
        "    const @LIB_FLASH struct @lib_row *g, const float *x,",
        f"    int rows, {parameters(function)})",
        "{",
    ]


def walk(pixels: int, function: RowFunction, tile: str, single: str) -> list[str]:
    """The loop over the pixels of a row for one block of channels."""
    indent = " " * 8
    if not function.edges:
        lines = [
            "for (int p = 0; p < g->pixels;) {",
            f"    {tile};",
            f"    p += {pixels};",
            *([f"    if (p < g->pixels && p > g->pixels - {pixels})",
               f"        p = g->pixels - {pixels}; /* the last tile overlaps the one before */"]
              if pixels > 1 else []),
            "}",
        ]  # fmt: skip
        return [indent + line for line in lines]
    lines = ["for (int p = 0; p < g->pixels;) {"]
    if pixels > 1:
        once = " && !added" if function.added else ""
        lines += [
            f"    if (p + {pixels} > g->right && p + {WORTH[pixels]} <= g->right",
            f"        && g->right - {pixels} >= g->left{once})",
            f"        p = g->right - {pixels}; /* the last tile overlaps the one before */",
            f"    if (p >= g->left && p + {pixels} <= g->right) {{",
            f"        {tile};",
            f"        p += {pixels};",
            "        continue;",
            "    }",
        ]
    return [indent + line for line in [*lines, *_single(function, single)]]


def walk_wide(function: RowFunction, tiles: Sequence[tuple[int, str]], single: str) -> list[str]:
    """The same with tiles of several sizes, where all taps are inside."""
    lines = ["for (int p = 0; p < g->pixels;) {"]
    for pixels, tile in tiles:
        lines += [
            f"    if (p >= g->left && p + {pixels} <= g->right) {{",
            f"        {tile};",
            f"        p += {pixels};",
            "        continue;",
            "    }",
        ]
    return [" " * 8 + line for line in [*lines, *_single(function, single)]]


def _single(function: RowFunction, single: str) -> list[str]:
    """One pixel with those of its taps that are inside, and the end of the loop."""
    lines = ["    const int first = p * g->stride - g->before;"]
    if function.dilated:
        lines += [
            "    const int fit = (g->size - first + g->dilation - 1) / g->dilation;",
            "    const int low = first < 0 ? (g->dilation - 1 - first) / g->dilation : 0;",
        ]
    else:
        lines += [
            "    const int fit = g->size - first;",
            "    const int low = first < 0 ? -first : 0;",
        ]
    lines += [
        "    const int high = fit < g->taps ? fit : g->taps;",
        f"    {single};",
        "    p++;",
        "}",
    ]
    return lines
