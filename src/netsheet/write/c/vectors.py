"""The same row functions with vectors of 4 channels: several blocks at once."""

from __future__ import annotations

from dataclasses import replace

from netsheet.loops.products.row_function import WIDTH, RowFunction
from netsheet.write.c.tiles import arguments, head, parameters, taps_text, walk

POINTER = "*(const @lib_vector *)"


def wide_row(function: RowFunction, macro: str) -> str:
    """The same with vectors of 4 channels, several blocks at once, any number of pixels."""
    inner = function.channels // WIDTH
    wide = [count for count in (4, 2, 1) if count % inner == 0] or [inner]
    always = replace(function, edges=True)
    text, lines = [], [*head(function, macro), "    int block = 0;"]
    single_taps = not function.edges
    whole = "g->taps" if function.spaced else "g->run"
    for vectors in wide:
        pixels = {4: 3, 2: 4, 1: 6}.get(vectors, 2)
        blocks = vectors // inner
        for count in (pixels, 1):
            text.append(_wide(function, count, vectors, macro))
        name = f"@lib_{function.name}_wide"
        added = "added ? added + p * g->y_step : 0"
        tile = arguments(function, "w", "bias", "y + p * g->y_step", added)
        size = function.channels
        shift = f"low * {size}" if function.deep else f"low * g->unit * {size}"
        single = arguments(function, f"w + {shift}", "bias", "y + p * g->y_step", added)
        lines.append(f"    for (; block + {blocks} <= g->blocks; block += {blocks}) {{")
        if single_taps:
            lines += _rows_whole(function, name, pixels, vectors, whole)
        else:
            place = "x + (p * g->step - g->back"
            run = "high - low" if function.deep or function.spaced else "(high - low) * g->unit"
            lines += walk(
                pixels, always,
                f"{name}{pixels}x{vectors}(g, {place}), rows, {whole},\n                {tile})",
                f"{name}1x{vectors}(g, {place} + low * g->tap_step), rows,\n"
                f"                {run}, {single})",
            )  # fmt: skip
        lines.append(f"        w += {blocks} * g->w_block;")
        for moved in ["bias", "y", *(["x"] if function.deep else [])]:
            lines.append(f"        {moved} += {blocks * size};")
        if function.added:
            lines += ["        if (added)", f"            added += {blocks * size};"]
        lines.append("    }")
    return "\n".join([*text, *lines, "}\n"])


def _rows_whole(
    function: RowFunction, name: str, pixels: int, vectors: int, taps: str
) -> list[str]:
    """A row of which every pixel has all its taps: tiles of pixels, then single ones."""
    plus = "plus" if function.added else None
    lines = ["        const float *from = x;", "        float *to = y;"]
    if function.added:
        lines.append("        const float *plus = added;")
    lines.append("        int left = g->pixels;")
    for count, loop in ((pixels, f"for (; left >= {pixels}; left -= {pixels})"),
                        (1, "for (; left > 0; left--)")):  # fmt: skip
        times = "" if count == 1 else f"{count} * "
        lines += [
            f"        {loop} {{",
            f"            {name}{count}x{vectors}(g, from, rows, {taps},",
            f"                {arguments(function, 'w', 'bias', 'to', plus)});",
            f"            from += {times}g->step;",
            f"            to += {times}g->y_step;",
        ]
        if function.added:
            lines += ["            if (plus)", f"                plus += {times}g->y_step;"]
        lines.append("        }")
    return lines


def _wide(function: RowFunction, pixels: int, vectors: int, macro: str) -> str:
    """``pixels`` x ``vectors`` vectors of sums, over ``run`` inputs of each row of taps."""
    inner = function.channels // WIDTH
    p_range, v_range = range(pixels), range(vectors)
    pointer = POINTER
    name = f"@lib_{function.name}_wide{pixels}x{vectors}"
    lines = [
        f"static @LIB_CODE void {name}(\n    const @LIB_FLASH struct @lib_row *g, const float *x,",
        f"    int rows, int run, {parameters(function)})",
        "{",
    ]
    if pixels > 1:
        lines.append("    const int step = g->step;")
    lines += _started(function, pixels, vectors)
    blocks = range(vectors // inner)
    inputs = (
        [] if function.deep else [f"const float {', '.join(f'v{p} = *x{p}++' for p in p_range)};"]
    )
    for v in v_range:
        block, part = divmod(v, inner)
        inputs.append(f"const @lib_vector c{v} = {pointer}(q{block} + {part * WIDTH});")
        values = [f"{pointer}(x{p} + {v * WIDTH})" if function.deep else f"v{p}" for p in p_range]
        inputs.append(" ".join(f"s{p}_{v} += c{v} * {value};" for p, value in enumerate(values)))
    if function.deep:
        inputs.append(" ".join(f"x{p} += g->tap_step;" for p in p_range))
    inputs.append(" ".join(f"q{b} += {function.channels};" for b in blocks))
    starts = ["*q0 = w", *(f"*q{b} = q{b - 1} + g->w_block" for b in blocks[1:])]
    weights = [f"const float {', '.join(starts)};"]
    run = "g->taps * g->unit" if function.spaced else "g->run"
    after = [f"w += {'g->w_row' if function.edges else f'{run} * {function.channels}'};"]
    lines += taps_text(function, pixels, "run", inputs, weights, after)
    lines += _finished(function, pixels, vectors, macro)
    return "\n".join([*lines, "}\n"])


def _started(function: RowFunction, pixels: int, vectors: int) -> list[str]:
    """The sums as variables that begin with the bias, and what is added."""
    p_range, v_range, pointer = range(pixels), range(vectors), POINTER
    lines: list[str] = []
    for p in p_range:
        first = [
            f"s{p}_{v} = " + (f"{pointer}(bias + {v * WIDTH})" if p == 0 else f"s0_{v}")
            for v in v_range
        ]
        lines.append(f"    @lib_vector {', '.join(first)};")
    if function.added:
        lines.append("    if (added) {")
        for p in p_range:
            for v in v_range:
                lines.append(f"        s{p}_{v} += {pointer}(added + {v * WIDTH});")
            if p + 1 < pixels:
                lines.append("        added += g->y_step;")
        lines.append("    }")
    return lines


def _finished(function: RowFunction, pixels: int, vectors: int, macro: str) -> list[str]:
    """The sums within their limits, stored."""
    p_range, v_range = range(pixels), range(vectors)
    lines: list[str] = []
    for limit, sign in (("floor", "<"), ("ceiling", ">"))[: function.clamps]:
        value = f"g->{limit}"
        lines.append(f"    const @lib_vector {limit} = {{{', '.join([value] * WIDTH)}}};")
        for p in p_range:
            for v in v_range:
                s = f"s{p}_{v}"
                lines.append(f"    {s} = {macro}_CHOOSE({s} {sign} {limit}, {limit}, {s});")
    for p in p_range:
        for v in v_range:
            lines.append(f"    *(@lib_vector *)(y + {v * WIDTH}) = s{p}_{v};")
        if p + 1 < pixels:
            lines.append("    y += g->y_step;")
    return lines
