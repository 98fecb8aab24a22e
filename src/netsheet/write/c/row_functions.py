"""The C text of row functions, with vectors where the compiler has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netsheet.loops.products.row_function import (
    COMMENTS,
    RowFunction,
    RowGeometry,
    geometry_fields,
)
from netsheet.write.c.names import number
from netsheet.write.c.template import fill, template
from netsheet.write.c.tiles import row, tiles
from netsheet.write.c.vectors import has_vectors, wide_rows


def row_function_text(functions: Iterable[RowFunction], library: str, spare: bool) -> str:
    """Everything that the row functions need, and themselves.

    ``spare``: constants have something behind them that may be read.
    """
    wanted = sorted(set(functions))
    if not wanted:
        return ""
    struct = [
        "/* One row of pixels of a sum of products. Counts are floats. */",
        "struct @lib_row {",
    ]
    for name in geometry_fields(wanted):
        kind = "float" if name in ("floor", "ceiling") else "int"
        text = f"    {kind} {name};"
        struct.append(f"{text:20s}/* {COMMENTS[name]} */" if COMMENTS[name] else text)
    parts = ["\n".join([*struct, "};\n"])]
    parts.append(template("multiply.h"))
    if any(has_vectors(one, spare) for one in wanted):
        parts.append(template("vectors.h"))
    for one in wanted:
        text = "\n".join([*tiles(one, library.upper()), row(one, library.upper())])
        if has_vectors(one, spare):
            wide = "".join(
                f"#{'el' * (n > 0)}if defined @LIB_LANES && @LIB_LANES == {lanes}\n{own}\n"
                for n, (lanes, own) in enumerate(wide_rows(one, library.upper()))
            )
            text = f"{wide}#else\n{text}\n#endif\n"
        parts.append(text)
    return fill("\n".join(parts), library)


def geometry_text(
    geometries: Mapping[str, RowGeometry], functions: Iterable[RowFunction], library: str
) -> str:
    """The constants that describe each layer's rows."""
    names = geometry_fields(functions)
    lines = []
    for name, geometry in geometries.items():
        values = []
        for field in names:
            value = getattr(geometry, field)
            text = number(value) if isinstance(value, float) else str(value)
            values.append(f".{field} = {text}")
        inner = "".join(f"    {', '.join(values[n : n + 6])},\n" for n in range(0, len(values), 6))
        kind = f"static const {library.upper()}_FLASH struct {library}_row"
        lines.append(f"{kind} {library}_{name} = {{\n{inner}}};\n")
    return "\n".join(lines)
