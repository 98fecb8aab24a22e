"""What lets the same C compile for machines of 8 and 16 bits, and stops it where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from netsheet.write.c.template import fill, template

LARGEST_ARRAY = 32767  # bytes that avr-gcc takes
NEAR_FLASH = 60_000  # of the 64 KB that __flash reaches: tables and strings lie there too

# Functions of C99 that the C library of AVR lacks; each is a file in files/avr.
LACKING = ("rintf", "asinhf", "acoshf", "atanhf", "erff")


def size_checks(library: str, constants: Sequence[int], most: int) -> list[str]:
    """What stops a compiler whose integers or addresses are too short.

    Args:
        constants: the bytes of each array of constants.
        most: the largest integer that the network counts to.
    """
    checks = [(f"INT_MAX < {most}", f"this network counts up to {most}, further than int does")]
    largest, total = max(constants, default=0), sum(constants)
    if largest > LARGEST_ARRAY:
        said = f"an array of weights has {largest} bytes; avr-gcc takes {LARGEST_ARRAY}"
        checks.append(("defined __AVR__", said))
    elif total > NEAR_FLASH:
        far = f"{library.upper()}_FAR"
        said = f"weights have {total} bytes, __flash reaches 64 KB: define {far}"
        checks.append((f"defined __AVR__ && !defined {far}", said))
    lines = []
    for test, said in checks:
        lines += [f"#if {test}", f'#error "{said}"', "#endif"]
    return [*lines, ""]


def lacking(words: AbstractSet[str], library: str) -> str:
    """The functions among ``words`` that some C library lacks, for where that is so."""
    texts = [template(f"avr/{name}.c") for name in LACKING if name in words]
    return fill("\n".join(texts), library)
