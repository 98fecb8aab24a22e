"""Example programs for boards: classify, test, and a screen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import FLOAT, Tensor
from netsheet.write.c.arrays import numbers
from netsheet.write.c.library import Library, c_type, size_macro
from netsheet.write.c.names import base, comment, number, string
from netsheet.write.c.template import fill, template

PICTURE_CHANNELS = (1, 3)
# Fonts of M5GFX for the name of the class: of Latin letters, and of Japanese ones as well.
PLAIN, JAPANESE = "FreeSansBold18pt7b", "efontJA_24_b"


def sample_header(lib: Library, sample: Sample) -> str:
    """``net_sample.h``: the stored input, and where its pixels lie if it is a picture."""
    guard = f"{lib.upper}_SAMPLE_H"
    parts = [
        f"/* The stored input: {comment(sample.note or base(sample.name))} */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        f'#include "{lib.name}.h"',
        "#include <math.h>",
        "",
        f"#define {lib.upper}_SAMPLE_NAME {string(base(sample.name))}",
        "",
    ]
    picture = _picture(lib.model.inputs) if lib.model.inputs else None
    if picture is not None:
        values = sample.arrays[0][np.isfinite(sample.arrays[0])].astype(float)
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        parts.append("/* A picture: sizes, distances between pixels, darkest, lightest. */")
        parts += [f"#define {lib.upper}_SAMPLE_{name} {size}" for name, size in picture.items()]
        parts.append(f"#define {lib.upper}_SAMPLE_LOW {number(low)}")
        parts.append(f"#define {lib.upper}_SAMPLE_HIGH {number(max(high, low + 1e-6))}")
        parts.append("")
    for name, array, tensor in zip(lib.inputs, sample.arrays, lib.model.inputs, strict=True):
        size = size_macro(lib, name)
        parts.append(
            f"static const {c_type(tensor)} {lib.name}_sample_{name}[{size}] = "
            f"{{\n{numbers(array)}\n}};\n"
        )
    parts += [f"#endif /* {guard} */", ""]
    return "\n".join(parts)


def real_name(name: str, tensor: Tensor) -> str:
    """The array of floats with an output's values."""
    return name if tensor.dtype == FLOAT else f"{name}_real"


def output_arrays(lib: Library, name: str, tensor: Tensor) -> list[str]:
    """Declarations of an output, and of what its whole numbers stand for."""
    size = size_macro(lib, name)
    own = [f"static {c_type(tensor)} {name}[{size}];"]
    return own if tensor.dtype == FLOAT else [*own, f"static float {name}_real[{size}];"]


def meant(lib: Library, name: str, tensor: Tensor) -> list[str]:
    """Statements that fill those floats."""
    if tensor.dtype == FLOAT:
        return []
    prefix = f"{lib.upper}_{name.upper()}"
    known = tensor.quantisation is not None
    real = f"(float)({name}[i] - {prefix}_ZERO_POINT) * {prefix}_SCALE" if known else f"{name}[i]"
    return [
        f"for (int i = 0; i < {size_macro(lib, name)}; i++)",
        f"  {name}_real[i] = {real};",
    ]


def _picture(inputs: list[Tensor]) -> Mapping[str, int] | None:
    """Sizes and strides of an only input that can be looked at."""
    if len(inputs) != 1:
        return None
    axes, shape = inputs[0].axes, inputs[0].shape
    if len(shape) == 2:
        axes = ("height", "width")
    at = {axis: number for number, axis in enumerate(axes)}
    if not {"height", "width"} <= set(axes) or len(axes) > 3:
        return None
    if len(axes) == 3 and "channel" not in at:
        return None
    strides = [int(np.prod(shape[n + 1 :])) for n in range(len(shape))]
    channels = shape[at["channel"]] if "channel" in at else 1
    if channels not in PICTURE_CHANNELS:
        return None
    return {
        "HEIGHT": shape[at["height"]],
        "WIDTH": shape[at["width"]],
        "CHANNELS": channels,
        "DOWN": strides[at["height"]],
        "RIGHT": strides[at["width"]],
        "DEEP": strides[at["channel"]] if "channel" in at else 0,
    }


def sketch(file: str, lib: Library, sample: Sample) -> str:
    """A template with the library's names in it, and its inputs and outputs."""
    arguments = [f"{lib.name}_sample_{name}" for name in lib.inputs] + lib.outputs
    pairs = list(zip(lib.outputs, lib.model.outputs, strict=True))
    outputs = [line for name, tensor in pairs for line in output_arrays(lib, name, tensor)]
    shows = [
        f"  show({string(tensor.name)}, {real_name(name, tensor)}, {size_macro(lib, name)});"
        for name, tensor in pairs
    ]
    marks = {
        "arguments": ", ".join(arguments),
        "results": ", ".join(lib.outputs),
        "input_size": size_macro(lib, lib.inputs[0]) if lib.inputs else "1",
        "font": PLAIN if all(map(str.isascii, lib.class_names)) else JAPANESE,
        "outputs": "\n".join(outputs),
        "shows": "\n".join(shows),
        "real": "".join(f"  {line}\n" for pair in pairs for line in meant(lib, *pair)),
        "first": real_name(*pairs[0]),
        "size": size_macro(lib, lib.outputs[0]),
        "model": comment(lib.model.name),
        "sample": comment(base(sample.name)),
        "learn": f' "{lib.name}_learn.c"' if lib.learning is not None else "",
    }
    return fill(template(file), lib.name, marks)
