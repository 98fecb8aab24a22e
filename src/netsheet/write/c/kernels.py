"""The inner loops that sums of products run through: several pixels by several channels.

A tile keeps its sums in registers: ``pixels`` x ``channels`` of them, one load of an input for
``channels`` multiplications and one load of a weight for ``pixels``. A row function walks one row
of pixels, tile by tile, and its edges, where some taps lie outside, pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from netsheet.write.c.names import number

WIDTH = 4  # floats of a vector


@dataclass(frozen=True, order=True)
class Kernel:
    """A row function: blocks of ``channels``, tiles of ``pixels``.

    ``deep``: channels of input and output are the same. ``spaced``: there is something between the
    inputs of two taps. The rest is what some row needs of it: ``dilated``, edges where taps are
    more than one position apart; ``edges``, single pixels as well; ``added``, a tensor to add;
    ``clamps``, 1 for a lower limit of the values, 2 for an upper one too; ``blocks``, more than
    one of them.
    """

    channels: int
    pixels: int
    deep: bool = False
    spaced: bool = False
    dilated: bool = False
    edges: bool = False
    added: bool = False
    clamps: int = 0
    blocks: bool = True

    @property
    def name(self) -> str:
        """The row function, without the library's name."""
        kind = "deep" if self.deep else "spaced" if self.spaced else "row"
        return f"{kind}_{self.pixels}x{self.channels}"

    @property
    def vectors(self) -> bool:
        """True if there is a form with vectors of channels."""
        return self.channels % WIDTH == 0

    @property
    def parameters(self) -> str:
        """Of the row function and of its tiles, behind the input."""
        added = ", const float *added" if self.added else ""
        return f"const float *w,\n    const float *bias, float *y{added}"

    def arguments(self, w: str, bias: str, y: str, added: str | None) -> str:
        """For :attr:`parameters`."""
        return f"{w}, {bias}, {y}" + (f", {added or '0'}" if self.added else "")


@dataclass(frozen=True)
class Row:
    """One row of pixels: what a row function is told of a layer. All counts are floats."""

    pixels: int
    step: int
    y_step: int
    run: int
    pitch: int
    blocks: int
    w_block: int
    taps: int
    unit: int
    tap_step: int
    left: int
    right: int
    stride: int
    before: int
    back: int
    size: int
    dilation: int
    w_row: int
    floor: float
    ceiling: float


COMMENTS = {
    "pixels": "in the row",
    "step": "input: from one pixel to the next",
    "y_step": "output: from one pixel to the next",
    "run": "inputs of one row of taps",
    "pitch": "input: from one row of taps to the next",
    "blocks": "of output channels",
    "w_block": "weights of a block",
    "taps": "in a row",
    "unit": "adjacent inputs of a tap",
    "tap_step": "input: from one tap to the next",
    "left": "pixels left .. right - 1 have all their taps inside",
    "right": "",
    "stride": "tap t of pixel p lies at p * stride + t * dilation - before, of size",
    "before": "",
    "back": "input: from the first tap of the first pixel to the row",
    "size": "",
    "dilation": "",
    "w_row": "weights of a row of taps",
    "floor": "no value is below",
    "ceiling": "no value is above",
}
_EDGES = {"left", "right", "stride", "before", "back", "size", "w_row"}

VECTORS = """#if defined(__GNUC__) && !defined(%(macro)s_PORTABLE) \\
    && (defined(__SSE__) || defined(__ARM_NEON) || defined(__ALTIVEC__) \\
        || defined(__wasm_simd128__))
#define %(macro)s_VECTORS
typedef float @_vector __attribute__((vector_size(16), aligned(4), may_alias));
typedef int @_mask __attribute__((vector_size(16)));
/* a where the test holds, else b */
#define %(macro)s_CHOOSE(test, a, b) \\
    (@_vector)(((@_mask)(test) & (@_mask)(a)) | (~(@_mask)(test) & (@_mask)(b)))
#endif
"""

MULTIPLY = """/* One copy of each row function, not one for every layer. */
#if defined(__GNUC__) && !defined(__clang__)
#define %(macro)s_ONCE __attribute__((noinline, noclone))
#else
#define %(macro)s_ONCE
#endif

#if defined(FP_FAST_FMAF) || defined(__FP_FAST_FMAF)
#define %(macro)s_MAC(sum, a, b) sum = fmaf(a, b, sum)
#else
#define %(macro)s_MAC(sum, a, b) sum += (a) * (b)
#endif
"""


def row_fields(kernels: Iterable[Kernel]) -> list[str]:
    """The fields of :class:`Row` that these row functions look at, in order."""
    kernels = list(kernels)
    edges, spaced = (any(getattr(k, name) for k in kernels) for name in ("edges", "spaced"))
    left_out: set[str] = set()
    if not edges:
        left_out |= _EDGES
        if not spaced:
            left_out |= {"taps", "unit"}
            if not any(kernel.deep for kernel in kernels):
                left_out |= {"tap_step"}
    if not any(kernel.dilated and kernel.edges for kernel in kernels):
        left_out |= {"dilation"}
    if all(kernel.spaced for kernel in kernels):
        left_out |= {"run"}
    if not any(kernel.blocks for kernel in kernels):
        left_out |= {"blocks", "w_block"}
    clamps = max((kernel.clamps for kernel in kernels), default=0)
    left_out |= {"floor", "ceiling"} if clamps == 0 else {"ceiling"} if clamps == 1 else set()
    return [field.name for field in fields(Row) if field.name not in left_out]


def rows_text(rows: Mapping[Row, str], kernels: Iterable[Kernel], library: str) -> str:
    """The constants that describe each layer's rows."""
    names = row_fields(kernels)
    lines = []
    for row, name in rows.items():
        values = []
        for field in names:
            value = getattr(row, field)
            text = number(value) if isinstance(value, float) else str(value)
            values.append(f".{field} = {text}")
        inner = "".join(f"    {', '.join(values[n : n + 6])},\n" for n in range(0, len(values), 6))
        lines.append(f"static const struct {library}_row {name} = {{\n{inner}}};\n")
    return "\n".join(lines)


def kernel_text(kernels: Iterable[Kernel], library: str) -> str:
    """Everything that the row functions need, and themselves."""
    wanted = sorted(set(kernels))
    if not wanted:
        return ""
    struct = ["/* One row of pixels of a sum of products. Counts are floats. */", "struct @_row {"]
    for name in row_fields(wanted):
        kind = "float" if name in ("floor", "ceiling") else "int"
        text = f"    {kind} {name};"
        struct.append(f"{text:20s}/* {COMMENTS[name]} */" if COMMENTS[name] else text)
    parts = ["\n".join([*struct, "};\n"])]
    macro = {"macro": library.upper()}
    parts.append(MULTIPLY % macro)
    if any(kernel.vectors for kernel in wanted):
        parts.append(VECTORS % macro)
    for kernel in wanted:
        text = "\n".join([*_tiles(kernel, library.upper()), _row(kernel, library.upper())])
        if kernel.vectors:
            own = _wide_row(kernel, library.upper())
            text = f"#ifdef {library.upper()}_VECTORS\n{own}\n#else\n{text}\n#endif\n"
        parts.append(text)
    return "\n".join(parts).replace("@", library)


def _tiles(kernel: Kernel, macro: str) -> list[str]:
    whole = [] if kernel.edges and kernel.pixels == 1 else [_tile(kernel, False, macro)]
    return whole + ([_tile(kernel, True, macro)] if kernel.edges else [])


def _tile(kernel: Kernel, single: bool, macro: str) -> str:
    """``pixels`` x ``channels`` sums in scalar variables; or one pixel with some of its taps."""
    pixels = 1 if single else kernel.pixels
    p_range, b_range = range(pixels), range(kernel.channels)
    sums = [[f"s{p}_{b}" for b in b_range] for p in p_range]
    name = "single" if single else "tile"
    lines = [
        f"static void @_{kernel.name}_{name}(const struct @_row *g, const float *x, int rows,",
        f"    {'int taps, ' if single else ''}{kernel.parameters})",
        "{",
    ]
    if pixels > 1:
        lines.append("    const int step = g->step;")
    for p in p_range:
        first = [f"{s} = bias[{b}]" if p == 0 else f"{s} = s0_{b}" for b, s in enumerate(sums[p])]
        lines.append(f"    float {', '.join(first)};")
    if kernel.added:
        lines.append("    if (added) {")
        for p in p_range:
            lines.append(
                "        " + " ".join(f"{s} += added[{b}];" for b, s in enumerate(sums[p]))
            )
            if p + 1 < pixels:
                lines.append("        added += g->y_step;")
        lines.append("    }")
    w = "q" if single else "w"
    inner = [] if kernel.deep else [f"const float {', '.join(f'v{p} = *x{p}++' for p in p_range)};"]
    for b in b_range:
        inner.append(f"const float c{b} = {w}[{b}];")
        factor = "x{p}[{b}]" if kernel.deep else "v{p}"
        macs = [f"{macro}_MAC({sums[p][b]}, {factor.format(p=p, b=b)}, c{b});" for p in p_range]
        inner += [" ".join(macs[n : n + 3]) for n in range(0, len(macs), 3)]
    if kernel.deep:
        inner.append(" ".join(f"x{p} += g->tap_step;" for p in p_range))
    inner.append(f"{w} += {kernel.channels};")
    count = ("taps" if kernel.deep or kernel.spaced else "taps * g->unit") if single else (
        "g->taps" if kernel.spaced else "g->run")  # fmt: skip
    weights = ["const float *q = w;"] if single else []
    after = ["w += g->w_row;"] if single else []
    lines += taps_text(kernel, pixels, count, inner, weights, after)
    lines += _clamped([s for row in sums for s in row], kernel)
    for p in p_range:
        stores = " ".join(f"y[{b}] = {s};" for b, s in enumerate(sums[p]))
        lines.append(f"    {stores}")
        if p + 1 < pixels:
            lines.append("    y += g->y_step;")
    return "\n".join([*lines, "}\n"])


def taps_text(
    kernel: Kernel,
    pixels: int,
    count: str,
    inner: Sequence[str],
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> list[str]:
    """The loops over rows of taps, taps and inputs; ``before`` and ``after`` a row of taps."""
    start = ", ".join(["*x0 = {0}", *(f"*x{p} = x{p - 1} + step" for p in range(1, pixels))])
    pointers = f"const float {start};"
    lines = ["    for (; rows > 0; rows--) {", *(f"        {line}" for line in before)]
    indent = " " * 8
    if kernel.spaced:
        lines.append("        const float *from = x;")
        lines.append(f"        for (int tap = {count}; tap > 0; tap--) {{")
        indent, count = " " * 12, "g->unit"
    lines.append(indent + pointers.format("from" if kernel.spaced else "x"))
    lines.append(f"{indent}for (int n = {count}; n > 0; n--) {{")
    lines += [f"{indent}    {line}" for line in inner]
    lines.append(f"{indent}}}")
    if kernel.spaced:
        lines += ["            from += g->tap_step;", "        }"]
    return [*lines, "        x += g->pitch;", *(f"        {line}" for line in after), "    }"]


def _clamped(sums: Iterable[str], kernel: Kernel) -> list[str]:
    lines = []
    for limit, sign in (("floor", "<"), ("ceiling", ">"))[: kernel.clamps]:
        lines.append(f"    const float {limit} = g->{limit};")
        texts = [f"{s} = {s} {sign} {limit} ? {limit} : {s};" for s in sums]
        lines += [f"    {' '.join(texts[n : n + 2])}" for n in range(0, len(texts), 2)]
    return lines


def _head(kernel: Kernel, macro: str) -> list[str]:
    return [
        f"static {macro}_ONCE void",
        f"@_{kernel.name}(const struct @_row *g, const float *x, int rows,",
        f"    {kernel.parameters})",
        "{",
    ]


def _row(kernel: Kernel, macro: str) -> str:
    """Walks a row: tiles where all taps are inside, single pixels elsewhere."""
    size = kernel.channels
    lines = _head(kernel, macro)
    if kernel.blocks:
        lines.append("    for (int block = 0; block < g->blocks; block++) {")
    added = "added ? added + p * g->y_step : 0"
    tile = kernel.arguments("w", "bias", "y + p * g->y_step", added)
    shift = f"low * {size}" if kernel.deep else f"low * g->unit * {size}"
    single = kernel.arguments(f"w + {shift}", "bias", "y + p * g->y_step", added)
    back = " - g->back" if kernel.edges else ""
    lines += _walk(
        kernel.pixels, kernel,
        f"@_{kernel.name}_tile(g, x + (p * g->step{back}), rows,\n                {tile})",
        f"@_{kernel.name}_single(g, x + (p * g->step{back} + low * g->tap_step), rows,\n"
        f"                high - low, {single})",
    )  # fmt: skip
    if not kernel.blocks:
        return "\n".join([*(line.removeprefix("    ") for line in lines), "}\n"])
    lines += ["        w += g->w_block;", f"        bias += {size};", f"        y += {size};"]
    if kernel.deep:
        lines.append(f"        x += {size};")
    if kernel.added:
        lines += ["        if (added)", f"            added += {size};"]
    return "\n".join([*lines, "    }", "}\n"])


def _walk(pixels: int, kernel: Kernel, tile: str, single: str) -> list[str]:
    """The loop over the pixels of a row for one block of channels."""
    indent = " " * 8
    if not kernel.edges:
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
        once = " && !added" if kernel.added else ""
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
    lines += ["    const int first = p * g->stride - g->before;"]
    if kernel.dilated:
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
    return [indent + line for line in lines]


# So many pixels are dearer one by one than in a tile that repeats others.
WORTH = {1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 6: 4, 7: 4, 8: 5}


# --------------------------------------------------------------------------- vectors


def _wide_row(kernel: Kernel, macro: str) -> str:
    """The same with vectors of 4 channels, several blocks at once, any number of pixels."""
    inner = kernel.channels // WIDTH
    wide = [count for count in (4, 2, 1) if count % inner == 0] or [inner]
    always = replace(kernel, edges=True)
    text, lines = [], [*_head(kernel, macro), "    int block = 0;"]
    single_taps = not kernel.edges
    whole = "g->taps" if kernel.spaced else "g->run"
    for vectors in wide:
        pixels = {4: 3, 2: 4, 1: 6}.get(vectors, 2)
        blocks = vectors // inner
        for count in (pixels, 1):
            text.append(_wide(kernel, count, vectors, macro))
        name = f"@_{kernel.name}_wide"
        added = "added ? added + p * g->y_step : 0"
        tile = kernel.arguments("w", "bias", "y + p * g->y_step", added)
        size = kernel.channels
        shift = f"low * {size}" if kernel.deep else f"low * g->unit * {size}"
        single = kernel.arguments(f"w + {shift}", "bias", "y + p * g->y_step", added)
        lines.append(f"    for (; block + {blocks} <= g->blocks; block += {blocks}) {{")
        if single_taps:
            plus = "plus" if kernel.added else None
            lines += ["        const float *from = x;", "        float *to = y;"]
            if kernel.added:
                lines.append("        const float *plus = added;")
            lines.append("        int left = g->pixels;")
            for count, head in ((pixels, f"for (; left >= {pixels}; left -= {pixels})"),
                                (1, "for (; left > 0; left--)")):  # fmt: skip
                times = "" if count == 1 else f"{count} * "
                lines += [
                    f"        {head} {{",
                    f"            {name}{count}x{vectors}(g, from, rows, {whole},",
                    f"                {kernel.arguments('w', 'bias', 'to', plus)});",
                    f"            from += {times}g->step;",
                    f"            to += {times}g->y_step;",
                ]
                if kernel.added:
                    lines += ["            if (plus)", f"                plus += {times}g->y_step;"]
                lines.append("        }")
        else:
            place = "x + (p * g->step - g->back"
            run = "high - low" if kernel.deep or kernel.spaced else "(high - low) * g->unit"
            lines += _walk(
                pixels, always,
                f"{name}{pixels}x{vectors}(g, {place}), rows, {whole},\n                {tile})",
                f"{name}1x{vectors}(g, {place} + low * g->tap_step), rows,\n"
                f"                {run}, {single})",
            )  # fmt: skip
        lines.append(f"        w += {blocks} * g->w_block;")
        for moved in ["bias", "y", *(["x"] if kernel.deep else [])]:
            lines.append(f"        {moved} += {blocks * size};")
        if kernel.added:
            lines += ["        if (added)", f"            added += {blocks * size};"]
        lines.append("    }")
    return "\n".join([*text, *lines, "}\n"])


def _wide(kernel: Kernel, pixels: int, vectors: int, macro: str) -> str:
    """``pixels`` x ``vectors`` vectors of sums, over ``run`` inputs of each row of taps."""
    inner = kernel.channels // WIDTH
    p_range, v_range = range(pixels), range(vectors)
    pointer = "*(const @_vector *)"
    name = f"@_{kernel.name}_wide{pixels}x{vectors}"
    parameters = kernel.parameters
    lines = [
        f"static void {name}(const struct @_row *g, const float *x, int rows, int run,",
        f"    {parameters})",
        "{",
    ]
    if pixels > 1:
        lines.append("    const int step = g->step;")
    for p in p_range:
        first = [
            f"s{p}_{v} = " + (f"{pointer}(bias + {v * WIDTH})" if p == 0 else f"s0_{v}")
            for v in v_range
        ]
        lines.append(f"    @_vector {', '.join(first)};")
    if kernel.added:
        lines.append("    if (added) {")
        for p in p_range:
            for v in v_range:
                lines.append(f"        s{p}_{v} += {pointer}(added + {v * WIDTH});")
            if p + 1 < pixels:
                lines.append("        added += g->y_step;")
        lines.append("    }")
    blocks = range(vectors // inner)
    inputs = (
        [] if kernel.deep else [f"const float {', '.join(f'v{p} = *x{p}++' for p in p_range)};"]
    )
    for v in v_range:
        block, part = divmod(v, inner)
        inputs.append(f"const @_vector c{v} = {pointer}(q{block} + {part * WIDTH});")
        values = [f"{pointer}(x{p} + {v * WIDTH})" if kernel.deep else f"v{p}" for p in p_range]
        inputs.append(" ".join(f"s{p}_{v} += c{v} * {value};" for p, value in enumerate(values)))
    if kernel.deep:
        inputs.append(" ".join(f"x{p} += g->tap_step;" for p in p_range))
    inputs.append(" ".join(f"q{b} += {kernel.channels};" for b in blocks))
    starts = ["*q0 = w", *(f"*q{b} = q{b - 1} + g->w_block" for b in blocks[1:])]
    weights = [f"const float {', '.join(starts)};"]
    run = "g->taps * g->unit" if kernel.spaced else "g->run"
    after = [f"w += {'g->w_row' if kernel.edges else f'{run} * {kernel.channels}'};"]
    lines += taps_text(kernel, pixels, "run", inputs, weights, after)
    for limit, sign in (("floor", "<"), ("ceiling", ">"))[: kernel.clamps]:
        value = f"g->{limit}"
        lines.append(f"    const @_vector {limit} = {{{', '.join([value] * WIDTH)}}};")
        for p in p_range:
            for v in v_range:
                s = f"s{p}_{v}"
                lines.append(f"    {s} = {macro}_CHOOSE({s} {sign} {limit}, {limit}, {s});")
    for p in p_range:
        for v in v_range:
            lines.append(f"    *(@_vector *)(y + {v * WIDTH}) = s{p}_{v};")
        if p + 1 < pixels:
            lines.append("    y += g->y_step;")
    return "\n".join([*lines, "}\n"])
