"""The constants of a library as C: ``net_weights.c``, and how ``net.c`` declares them."""

from __future__ import annotations

from collections.abc import Iterator, Set

from netsheet.loops.ir import FLOAT, Buffer
from netsheet.loops.storage.constants import Constants
from netsheet.write.c.arrays import number_pieces
from netsheet.write.c.names import TYPES, comment


def declarations(library: str, constants: Constants, words: Set[str]) -> list[str]:
    """The constants among these words."""
    const = f"extern const {library.upper()}_FLASH"
    found = [
        f"{const} {TYPES[buffer.dtype]} {library}_{name}[{_size(library, buffer)}];"
        for name, buffer in constants.buffers.items()
        if f"{library}_{name}" in words
    ]
    return [*found, ""] if found else []


def _size(library: str, buffer: Buffer) -> str:
    """The elements of an array, and some behind them for vectors that are read over its end."""
    return f"{buffer.size}{f' {library.upper()}_SPARE' * (buffer.dtype == FLOAT)}"


def weights(library: str, model: str, constants: Constants) -> Iterator[bytes]:
    """``net_weights.c``: constant data, which a linker leaves in flash."""
    about = f"{comment(model)}: weights, in the order in which {library}.c reads them."
    yield f'/* {about} */\n#include "{library}.h"\n#include <math.h>\n\n'.encode()
    traced = constants.traced
    for name, buffer in constants.buffers.items():
        if name not in traced:
            yield from _array(library, buffer)
    if traced:
        yield f"#ifdef {library.upper()}_TRACE\n".encode()
        for name in constants.buffers:
            if name in traced:
                yield from _array(library, constants.buffers[name])
        yield f"#endif /* {library.upper()}_TRACE */\n".encode()


def _array(library: str, buffer: Buffer) -> Iterator[bytes]:
    """One array's declaration and definition."""
    name = f"{library}_{buffer.name}[{_size(library, buffer)}]"
    assert buffer.values is not None
    kind = f"const {library.upper()}_FLASH {TYPES[buffer.dtype]} {name}"
    words = buffer.bytes == 4 * buffer.size
    place = f"{library.upper()}_{'WEIGHTS' if words else 'SMALL_WEIGHTS'}"
    about = f"/* {comment(buffer.note)} */\nextern {kind};\n{kind} {place} = {{"
    yield about.encode()
    yield from number_pieces(buffer.values)
    yield b"\n};\n\n"
