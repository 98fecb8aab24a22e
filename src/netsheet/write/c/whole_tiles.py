"""Register tiles of whole numbers as C functions, which compilers put where they are called.

Each has two bodies: one of instructions for pairs of 16 bits (the DSP extension of Cortex-M4, M7,
M33 and others), one of plain C. How weights lie is said in
:mod:`netsheet.loops.products.tile_shape`.
"""

from __future__ import annotations

from collections.abc import Iterable

from netsheet.loops.products.tile_shape import CHANNELS, TileShape, even
from netsheet.write.c.template import fill, template

PARAMETERS = {
    "pairs": ("pairs", "taps", "tap_step", "step"),
    "deep": ("pairs", "rest", "tap_step", "step"),
    "quads": ("quads", "rest"),
}
ABOUT = {
    "pairs": "{n} by two channels: for each tap, pairs of adjacent inputs of every pixel",
    "deep": "{n} by two channels of their own inputs: pairs of taps, and the rest",
    "quads": "{n} by four channels: inputs by fours, then the rest",
}


_FOUR_AT_A_TIME = [
    "#elif defined @LIB_FEW_REGISTERS",
    "    struct @lib_four_sums four = {x, x + step, w, x, {s00, s01, s10, s11}};",
    "    for (int tap = 0; tap < taps; tap++) {",
    "        four.x = x + tap * tap_step;",
    "        four.y = four.x + step;",
    "        four.w = w + tap * pairs * 4;",
    "        four.end = four.x + 2 * pairs;",
    "        @lib_mac_pairs(&four);",
    "    }",
    "    s00 = four.sums[0]; s01 = four.sums[1]; s10 = four.sums[2]; s11 = four.sums[3];",
]


def tile_name(kind: str, pixels: int) -> str:
    """The function of a tile, without the library's name."""
    return f"{kind}_{pixels}x{CHANNELS[kind]}"


def tile_arguments(shape: TileShape) -> list[str]:
    """What the function is told behind its places."""
    deep = shape.kind == "deep"
    numbers = {
        "pairs": shape.taps // 2 if deep else even(shape.run) // 2,
        "quads": shape.run // 4,
        "rest": shape.taps % 2 if deep else shape.run % 4,
        "step": shape.step,
        "taps": shape.taps,
        "tap_step": shape.tap_step,
    }
    return [str(numbers[name]) for name in _parameters(shape.kind, shape.pixels)]


def _parameters(kind: str, pixels: int) -> list[str]:
    """What a function is told behind its places, in order."""
    return [name for name in PARAMETERS[kind] if name != "step" or pixels > 1]


def tile_text(tiles: Iterable[tuple[str, int]], library: str) -> str:
    """The functions of some tiles, and what they need."""
    wanted = sorted(set(tiles))
    if not wanted:
        return ""
    halves = {(kind, n) for kind, pixels in wanted if pixels > 2 for n in (2, pixels - 2)}
    texts = [_function(*tile) for tile in sorted(halves | set(wanted))]
    four = [template("four_sums.h")] if ("pairs", 2) in halves | set(wanted) else []
    return fill("\n".join([template("pairs.h"), *four, *texts]), library)


def _function(kind: str, pixels: int) -> str:
    channels = CHANNELS[kind]
    sums = [[f"s{p}{c}" for c in range(channels)] for p in range(pixels)]
    begin = [
        f"int32_t {', '.join(f'{s} = ' + (f'start[{c}]' if p == 0 else sums[0][c]) for c, s in enumerate(row))};"  # noqa: E501
        for p, row in enumerate(sums)
    ]
    plain, fast = {"pairs": _pairs, "deep": _deep, "quads": _quads}[kind](sums)
    ends = [
        " ".join(f"sums[{p * channels + c}] = {s};" for c, s in enumerate(row))
        for p, row in enumerate(sums)
    ]
    about = ABOUT[kind].format(n="One pixel" if pixels == 1 else f"{pixels} pixels")
    numbers = ", ".join(f"int {name}" for name in _parameters(kind, pixels))
    lines = [
        f"/* {about}. */",
        f"@LIB_INLINE void @lib_{tile_name(kind, pixels)}(int32_t *sums, "
        "const @LIB_FLASH int32_t *start,",
        f"    const {'int8_t' if kind == 'quads' else 'int16_t'} *x, "
        f"const @LIB_FLASH int8_t *w, {numbers})",
        "{",
        *(_halves(kind, pixels) if pixels > 2 else []),
        *_indented(begin),
        "#ifdef @LIB_PAIRS",
        *_indented(fast),
        *(_FOUR_AT_A_TIME if (kind, pixels) == ("pairs", 2) else []),
        "#else",
        *_indented(plain),
        "#endif",
        *_indented(ends),
        *(["#endif"] if pixels > 2 else []),
        "}",
        "",
    ]
    return "\n".join(lines)


def _halves(kind: str, pixels: int) -> list[str]:
    """Two pixels, and then the others, where registers are too few for the sums of all."""
    numbers = _parameters(kind, pixels)
    rest = [name for name in numbers if name != "step" or pixels > 3]
    return [
        "#ifdef @LIB_FEW_REGISTERS",
        f"    @lib_{tile_name(kind, 2)}(sums, start, x, w, {', '.join(numbers)});",
        f"    @lib_{tile_name(kind, pixels - 2)}(sums + 4, start, x + 2 * step, w, "
        f"{', '.join(rest)});",
        "#else",
    ]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _at(name: str, pixel: int, more: str = "") -> str:
    """A place in the inputs of a pixel."""
    step = "" if pixel == 0 else " + step" if pixel == 1 else f" + {pixel} * step"
    return f"{name}{step}{f' + {more}' if more else ''}"


def _pairs(sums: list[list[str]]) -> tuple[list[str], list[str]]:
    """Plain C, and with instructions for pairs."""
    head = [
        "for (int tap = 0; tap < taps; tap++, x += tap_step) {",
        "    const int16_t *at = x, *const end = x + 2 * pairs;",
    ]
    plain = [
        *head,
        "    for (; at != end; at += 2, w += 4) {",
        "        const int32_t w00 = w[0], w10 = w[1], w01 = w[2], w11 = w[3];",
    ]
    fast = [
        *head,
        "    while (at != end) {",
        "        uint32_t w0, w1;",
        "        @LIB_NEXT_WORD(w1, w);",
        "        @LIB_EVEN_BYTES(w0, w1);",
        "        @LIB_ODD_BYTES(w1, w1);",
    ]
    for p, (first, second) in enumerate(sums):
        a, b = f"x{p}0", f"x{p}1"
        place = _at("", p).removeprefix(" + ")
        later = f"at[{place} + 1]" if place else "at[1]"
        plain += [
            f"        const int32_t {a} = at[{place or 0}], {b} = {later};",
            f"        {first} += {a} * w00 + {b} * w01;",
            f"        {second} += {a} * w10 + {b} * w11;",
        ]
    fast.append("        uint32_t x;")
    for p, (first, second) in reversed(list(enumerate(sums))):
        load = f"x = @lib_load({_at('at', p)});" if p else "@LIB_NEXT_WORD(x, at);"
        fast += [
            f"        {load}",
            f"        @LIB_MAC_BOTH({first}, x, w0);",
            f"        @LIB_MAC_BOTH({second}, x, w1);",
        ]
    end = ["    }", "}"]
    return [*plain, *end], [*fast, *end]


def _deep(sums: list[list[str]]) -> tuple[list[str], list[str]]:
    ends = "const int16_t *const end = x + 2 * pairs * tap_step;"
    plain = [
        ends,
        "for (; x != end; x += 2 * tap_step, w += 4) {",
        "    const int32_t w00 = w[0], w01 = w[1], w10 = w[2], w11 = w[3];",
    ]
    fast = [
        ends,
        "for (; x != end; x += 2 * tap_step) {",
        "    uint32_t w0, w1, at, then;",
        "    @LIB_NEXT_WORD(w1, w);",
        "    @LIB_EVEN_BYTES(w0, w1);",
        "    @LIB_ODD_BYTES(w1, w1);",
    ]
    for p, (first, second) in enumerate(sums):
        place = _at("", p).removeprefix(" + ")
        here, there = place or "0", f"{place} + tap_step" if place else "tap_step"
        plain += [
            f"    {first} += x[{here}] * w00 + x[{there}] * w01;",
            f"    {second} += x[{here} + 1] * w10 + x[{there} + 1] * w11;",
        ]
        fast += [
            f"    at = @lib_load({_at('x', p)});",
            f"    @LIB_MAC_LOW({first}, at, w0);",
            f"    @LIB_MAC_HIGH({second}, at, w0);",
            f"    then = @lib_load({_at('x', p, 'tap_step')});",
            f"    @LIB_MAC_LOW({first}, then, w1);",
            f"    @LIB_MAC_HIGH({second}, then, w1);",
        ]
    plain += ["}", "if (rest) {", "    const int32_t w00 = w[0], w10 = w[2];"]
    fast += [
        "}",
        "if (rest) {",
        "    uint32_t w0, at;",
        "    @LIB_NEXT_WORD(w0, w);",
        "    @LIB_EVEN_BYTES(w0, w0);",
    ]
    for p, (first, second) in enumerate(sums):
        here = _at("", p).removeprefix(" + ")
        plain.append(f"    {first} += x[{here or 0}] * w00;")
        plain.append(f"    {second} += x[{f'{here} + 1' if here else 1}] * w10;")
        fast += [
            f"    at = @lib_load({_at('x', p)});",
            f"    @LIB_MAC_LOW({first}, at, w0);",
            f"    @LIB_MAC_HIGH({second}, at, w0);",
        ]
    return [*plain, "}"], [*fast, "}"]


def _quads(sums: list[list[str]]) -> tuple[list[str], list[str]]:
    end = "const int8_t *const end = x + 4 * quads;"
    plain = [
        end,
        "for (; x != end; x += 4, w += 16) {",
        "    const int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];",
    ]
    fast = [
        end,
        "while (x != end) {",
        "    uint32_t x0, x1, w0, w1;",
        "    @LIB_NEXT_WORD(x1, x);",
        "    @LIB_EVEN_BYTES(x0, x1);",
        "    @LIB_ODD_BYTES(x1, x1);",
    ]
    for c, total in enumerate(sums[0]):
        terms = " + ".join(f"x{k} * w[{4 * c + k}]" for k in range(4))
        plain.append(f"    {total} += {terms};")
        fast += [
            "    @LIB_NEXT_WORD(w1, w);",
            "    @LIB_EVEN_BYTES(w0, w1);",
            f"    @LIB_MAC_BOTH({total}, x0, w0);",
            "    @LIB_ODD_BYTES(w1, w1);",
            f"    @LIB_MAC_BOTH({total}, x1, w1);",
        ]
    rest = [
        "for (int n = 0; n < rest; n++, x++, w += 4) {",
        *(f"    {total} += *x * w[{c}];" for c, total in enumerate(sums[0])),
        "}",
    ]
    return [*plain, "}", *rest], [*fast, "}", *rest]
