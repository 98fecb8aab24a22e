"""Element types: which real numbers they hold, and how values become theirs.

All values are computed as real numbers. 8-bit and 16-bit integers wrap around as in ONNX; wider
ones are exact up to 2^24 in single precision and 2^53 in double precision. Types narrower than
float32 are read, but nothing is rounded to them.
"""

from __future__ import annotations

from netsheet.equations import Expr, call
from netsheet.errors import UnsupportedError

UNSIGNED = {"uint2": 2, "uint4": 4, "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}
SIGNED = {"int2": 2, "int4": 4, "int8": 8, "int16": 16, "int32": 32, "int64": 64}
FLOATS = ("float32", "float64")
NARROW = ("float16", "bfloat16")
WRAPPING = 16  # integers of up to so many bits wrap around exactly


def is_float(dtype: str) -> bool:
    """True for real numbers, False for integers and truth values."""
    return dtype in FLOATS or dtype in NARROW


def is_integer(dtype: str) -> bool:
    """True for whole numbers."""
    return dtype in UNSIGNED or dtype in SIGNED


def limits(dtype: str) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    if dtype in UNSIGNED:
        return 0, 2 ** UNSIGNED[dtype] - 1
    half = 2 ** (SIGNED[dtype] - 1)
    return -half, half - 1


def bits(dtype: str) -> int:
    """Width of an integer type."""
    return UNSIGNED[dtype] if dtype in UNSIGNED else SIGNED[dtype]


def check(dtype: str, op: str) -> str:
    """``dtype``, if its values are real numbers that netsheet computes."""
    if is_float(dtype) or is_integer(dtype) or dtype == "bool":
        return dtype
    raise UnsupportedError(f"{op} of {dtype} values is not computed")


def wrapped(x: Expr, dtype: str) -> Expr:
    """An integer result brought back into a narrow type."""
    if not is_integer(dtype) or bits(dtype) > WRAPPING:
        return x
    low, _ = limits(dtype)
    size = 2 ** bits(dtype)
    return call("mod", x, size) if low == 0 else call("mod", x - low, size) + low


def truncated(x: Expr) -> Expr:
    """Towards zero."""
    return call("sign", x) * call("floor", call("abs", x))


def converted(x: Expr, source: str, target: str, op: str = "Cast") -> Expr:
    """A value of one type as another: the rule of ONNX's Cast.

    Raises:
        UnsupportedError: the target rounds values to fewer digits than float32 has, or is text.
    """
    check(source, op)
    check(target, op)
    if source == target:
        return x
    if target == "bool":
        return call("if", x, 1, 0)
    if target in NARROW:
        if source == "bool" or source in ("int2", "uint2", "int4", "uint4", "int8", "uint8"):
            return x
        raise UnsupportedError(f"{op} to {target} rounds to fewer digits than float32 has")
    if is_float(target):
        return x
    if is_float(source):
        if bits(target) < 8:
            raise UnsupportedError(f"{op} from {source} to {target} is not computed")
        return truncated(x)
    if source == "bool":
        return x
    low, high = limits(target)
    source_low, source_high = limits(source)
    if low <= source_low and source_high <= high:
        return x
    if bits(target) > WRAPPING:
        if low < 0:
            return x  # what would wrap around is beyond the integers that are exact here
        raise UnsupportedError(f"{op} from {source} to {target} may not fit")
    return wrapped(x, target)
