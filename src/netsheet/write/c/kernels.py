"""The inner loops that sums of products run through: several pixels by several channels.

A tile keeps its sums in registers: ``pixels`` x ``channels`` of them, one load of an input for
``channels`` multiplications and one load of a weight for ``pixels``. A row function walks one row
of pixels, tile by tile, and its edges, where some taps lie outside, pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WIDTH = 4  # floats of a vector

ROW = """/* One row of pixels of a sum of products. Counts are floats. */
struct @_row {
    int pixels;       /* in the row */
    int left, right;  /* pixels left .. right - 1 have all their taps inside */
    int stride, before, size; /* tap t of pixel p lies at p * stride + t - before, of size */
    int step;         /* input: from one pixel to the next */
    int pitch;        /* input: from one row of taps to the next */
    int taps, unit;   /* taps in a row, and the input of each */
    int blocks;       /* of output channels */
    int y_step;       /* output: from one pixel to the next */
    int w_row, w_block; /* weights: of a row of taps, of a block */
};
"""

VECTORS = """#if defined(__GNUC__) && !defined(%(macro)s_PORTABLE) \\
    && (defined(__SSE__) || defined(__ARM_NEON) || defined(__ALTIVEC__) || defined(__wasm_simd128__))
#define %(macro)s_VECTORS
typedef float @_vector __attribute__((vector_size(16), aligned(4), may_alias));
#endif
"""


@dataclass(frozen=True, order=True)
class Kernel:
    """A row function: blocks of ``channels``, tiles of ``pixels``.

    ``edges``: single pixels occur as well. ``deep``: channels of input and output are the same.
    """

    channels: int
    pixels: int
    edges: bool
    deep: bool = False

    @property
    def name(self) -> str:
        """The row function, without the library's name."""
        kind = "deep" if self.deep else "row"
        return f"{kind}_{self.pixels}x{self.channels}{'e' if self.edges else ''}"


def kernel_text(kernels: Iterable[Kernel], library: str) -> str:
    """Everything that the row functions need, and themselves."""
    wanted = sorted(set(kernels))
    if not wanted:
        return ""
    parts = [ROW]
    vectors = [k for k in wanted if k.channels % WIDTH == 0 and not k.deep]
    if vectors:
        parts.append(VECTORS % {"macro": library.upper()})
    tiles: dict[str, str] = {}
    for kernel in wanted:
        portable = {}
        for pixels in _tile_pixels(kernel):
            name = _tile_name(pixels, kernel.channels, kernel.deep)
            if name not in tiles:
                tiles[name] = portable[name] = _tile(pixels, kernel.channels, kernel.deep)
        text = "\n".join([*portable.values(), _row(kernel)])
        if kernel in vectors:
            own = _vector_row(kernel, tiles)
            text = f"#ifdef {library.upper()}_VECTORS\n{own}\n#else\n{text}#endif\n"
        parts.append(text)
    return "\n".join(parts).replace("@", library)


def _tile_pixels(kernel: Kernel) -> list[int]:
    return sorted({kernel.pixels, *([1] if kernel.edges else [])})


def _tile_name(pixels: int, channels: int, deep: bool) -> str:
    return f"{'deep' if deep else 'tile'}_{pixels}x{channels}"


PARAMETERS = (
    "const struct @_row *g, const float *x, int rows, int taps,\n"
    "    const float *w, const float *bias, float *y, int add"
)


def _tile(pixels: int, channels: int, deep: bool) -> str:
    """``pixels`` x ``channels`` sums in scalar variables."""
    p_range, b_range = range(pixels), range(channels)
    sums = [[f"s{p}_{b}" for b in b_range] for p in p_range]
    lines = [f"static void @_{_tile_name(pixels, channels, deep)}({PARAMETERS})", "{"]
    if pixels > 1:
        lines.append("    const int step = g->step;")
    for p in p_range:
        first = [f"{s} = bias[{b}]" if p == 0 else f"{s} = s0_{b}" for b, s in enumerate(sums[p])]
        lines.append(f"    float {', '.join(first)};")
    lines.append("    if (add) {")
    for p in p_range:
        row = f"y[{p} * g->y_step + %d]" if p else "y[%d]"
        lines.append("        " + " ".join(f"{s} += {row % b};" for b, s in enumerate(sums[p])))
    lines.append("    }")
    lines += ["    for (; rows > 0; rows--) {", "        const float *x0 = x, *q = w;"]
    if pixels > 1:
        others = ", ".join(f"*x{p} = x{p - 1} + step" for p in p_range[1:])
        lines.append(f"        const float {others};")
    count = "taps" if deep else "taps * g->unit"
    lines.append(f"        for (int n = {count}; n > 0; n--) {{")
    if deep:
        for b in b_range:
            products = " ".join(f"s{p}_{b} += x{p}[{b}] * c{b};" for p in p_range)
            lines.append(f"            const float c{b} = q[{b}]; {products}")
        lines.append("            " + " ".join(f"x{p} += g->unit;" for p in p_range))
        lines.append("            q += g->unit;")
    else:
        values = ", ".join(f"v{p} = *x{p}++" for p in p_range)
        lines.append(f"            const float {values};")
        for b in b_range:
            products = " ".join(f"{sums[p][b]} += v{p} * c{b};" for p in p_range)
            lines.append(f"            const float c{b} = q[{b}]; {products}")
        lines.append(f"            q += {channels};")
    lines += ["        }", "        x += g->pitch;", "        w += g->w_row;", "    }"]
    for p in p_range:
        stores = " ".join(f"y[{b}] = {s};" for b, s in enumerate(sums[p]))
        lines.append(f"    {stores}" + (" y += g->y_step;" if p + 1 < pixels else ""))
    return "\n".join([*lines, "}\n"])


def _row(kernel: Kernel) -> str:
    """Walks a row: tiles where all taps are inside, single pixels elsewhere."""
    name = _tile_name(kernel.pixels, kernel.channels, kernel.deep)
    arguments = "w, bias, y + p * g->y_step, add"
    step = f"x + at + p * g->step, rows, g->taps, {arguments}"
    lines = [
        f"static void @_{kernel.name}(const struct @_row *g, const float *x, int at, int rows,",
        "    const float *w, const float *bias, float *y, int add)",
        "{",
        "    for (int block = 0; block < g->blocks; block++) {",
    ]
    lines += _walk(kernel.pixels, kernel.edges, f"@_{name}(g, {step})", _single(kernel, arguments))
    lines.append("        w += g->w_block;")
    lines.append(f"        bias += {kernel.channels};")
    lines.append(f"        y += {kernel.channels};")
    if kernel.deep:
        lines.append(f"        at += {kernel.channels};")
    return "\n".join([*lines, "    }", "}\n"])


def _single(kernel: Kernel, arguments: str) -> str:
    one = _tile_name(1, kernel.channels, kernel.deep)
    per_tap = "g->unit" if kernel.deep else f"g->unit * {kernel.channels}"
    shifted = arguments.replace("w,", f"w + low * {per_tap},", 1)
    return f"@_{one}(g, x + at + p * g->step + low * g->unit, rows, high - low, {shifted})"


def _walk(pixels: int, edges: bool, tile: str, single: str, indent: str = " " * 8) -> list[str]:
    """The loop over the pixels of a row for one block of channels."""
    if not edges:
        lines = [
            "for (int p = 0; p < g->pixels; ) {",
            f"    {tile};",
            f"    p += {pixels};",
            *([f"    if (p < g->pixels && p > g->pixels - {pixels})",
               f"        p = g->pixels - {pixels}; /* the last tile overlaps the one before */"]
              if pixels > 1 else []),
            "}",
        ]  # fmt: skip
        return [indent + line for line in lines]
    lines = ["for (int p = 0; p < g->pixels; ) {"]
    if pixels > 1:
        lines += [
            f"    if (p + {pixels} > g->right && p + {_WORTH[pixels]} <= g->right",
            f"        && g->right - {pixels} >= g->left && !add)",
            f"        p = g->right - {pixels}; /* the last tile overlaps the one before */",
            f"    if (p >= g->left && p + {pixels} <= g->right) {{",
            f"        {tile};",
            f"        p += {pixels};",
            "        continue;",
            "    }",
        ]
    lines += [
        "    const int first = p * g->stride - g->before;",
        "    const int low = first < 0 ? -first : 0;",
        "    const int high = g->size - first < g->taps ? g->size - first : g->taps;",
        f"    {single};",
        "    p++;",
        "}",
    ]
    return [indent + line for line in lines]


# So many pixels are dearer one by one than in a tile that repeats others.
_WORTH = {2: 2, 3: 2, 4: 3, 5: 3, 6: 4, 7: 4, 8: 5}


# --------------------------------------------------------------------------- vectors


def _vector_row(kernel: Kernel, tiles: dict[str, str]) -> str:
    """The same with vectors of 4 channels, several blocks at once."""
    inner = kernel.channels // WIDTH
    wide = [count for count in (4, 2, 1) if count % inner == 0] or [inner]
    text = []
    for vectors in wide:
        for pixels in {4: (3, 1), 2: (6, 1), 1: (6, 1)}.get(vectors, (2, 1)):
            name = f"wide_{pixels}x{vectors}b{kernel.channels}"
            if name not in tiles and (pixels > 1 or vectors):
                tiles[name] = _wide(name, pixels, vectors, kernel.channels)
                text.append(tiles[name])
    lines = [
        f"static void @_{kernel.name}(const struct @_row *g, const float *x, int at, int rows,",
        "    const float *w, const float *bias, float *y, int add)",
        "{",
        "    int block = 0;",
    ]
    for vectors in wide:
        pixels = {4: 3, 2: 6, 1: 6}.get(vectors, 2)
        blocks = vectors // inner
        arguments = "w, bias, y + p * g->y_step, add"
        tile = f"@_wide_{pixels}x{vectors}b{kernel.channels}"
        one = f"@_wide_1x{vectors}b{kernel.channels}"
        shifted = arguments.replace("w,", f"w + low * g->unit * {kernel.channels},", 1)
        lines.append(f"    for (; block + {blocks} <= g->blocks; block += {blocks}) {{")
        lines += _walk(
            pixels, True,
            f"{tile}(g, x + at + p * g->step, rows, g->taps, {arguments})",
            f"{one}(g, x + at + p * g->step + low * g->unit, rows, high - low, {shifted})",
        )  # fmt: skip
        lines.append(f"        w += {blocks} * g->w_block;")
        lines.append(f"        bias += {blocks * kernel.channels};")
        lines.append(f"        y += {blocks * kernel.channels};")
        lines.append("    }")
    text.append("\n".join([*lines, "}\n"]))
    return "\n".join(text)


def _wide(name: str, pixels: int, vectors: int, channels: int) -> str:
    """``pixels`` x ``vectors`` vectors of sums."""
    inner = channels // WIDTH
    p_range, v_range = range(pixels), range(vectors)
    pointer = "*(const @_vector *)"

    def weight(v: int) -> str:
        block, part = divmod(v, inner)
        return f"{pointer}(q{block} + {part * WIDTH})"

    lines = [f"static void @_{name}({PARAMETERS})", "{"]
    if pixels > 1:
        lines.append("    const int step = g->step;")
    for p in p_range:
        first = [
            f"s{p}_{v} = " + (f"{pointer}(bias + {v * WIDTH})" if p == 0 else f"s0_{v}")
            for v in v_range
        ]
        lines.append(f"    @_vector {', '.join(first)};")
    lines.append("    if (add) {")
    for p in p_range:
        for v in v_range:
            lines.append(f"        s{p}_{v} += {pointer}(y + {p} * g->y_step + {v * WIDTH});")
    lines.append("    }")
    lines += ["    for (; rows > 0; rows--) {", "        const float *x0 = x, *q0 = w;"]
    others = [f"*x{p} = x{p - 1} + step" for p in p_range[1:]]
    others += [f"*q{b} = q{b - 1} + g->w_block" for b in range(1, vectors // inner)]
    if others:
        lines.append(f"        const float {', '.join(others)};")
    lines.append("        for (int n = taps * g->unit; n > 0; n--) {")
    lines.append(f"            const float {', '.join(f'v{p} = *x{p}++' for p in p_range)};")
    for v in v_range:
        products = " ".join(f"s{p}_{v} += c{v} * v{p};" for p in p_range)
        lines.append(f"            const @_vector c{v} = {weight(v)}; {products}")
    for b in range(vectors // inner):
        lines.append(f"            q{b} += {channels};")
    lines += ["        }", "        x += g->pitch;", "        w += g->w_row;", "    }"]
    for p in p_range:
        for v in v_range:
            lines.append(f"    *(@_vector *)(y + {v * WIDTH}) = s{p}_{v};")
        if p + 1 < pixels:
            lines.append("    y += g->y_step;")
    return "\n".join([*lines, "}\n"])
