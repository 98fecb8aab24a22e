"""The C text of row functions, with vectors where the compiler has them."""

from __future__ import annotations

from collections.abc import Iterable

from netsheet.write.c.kernels import COMMENTS, Kernel, row_fields
from netsheet.write.c.tiles import MULTIPLY, row, tiles
from netsheet.write.c.vectors import VECTORS, wide_row


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
        text = "\n".join([*tiles(kernel, library.upper()), row(kernel, library.upper())])
        if kernel.vectors:
            own = wide_row(kernel, library.upper())
            text = f"#ifdef {library.upper()}_VECTORS\n{own}\n#else\n{text}\n#endif\n"
        parts.append(text)
    return "\n".join(parts).replace("@", library)
