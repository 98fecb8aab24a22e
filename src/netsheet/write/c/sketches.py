"""Example programs for boards: classify, test, and a screen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import Tensor
from netsheet.write.c.arrays import numbers
from netsheet.write.c.library import Library, size_macro
from netsheet.write.c.names import base, comment, number, string
from netsheet.write.c.template import fill, template

PICTURE_CHANNELS = (1, 3)


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
        values = sample.arrays[0][np.isfinite(sample.arrays[0])]
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        parts.append("/* A picture: sizes, distances between pixels, darkest, lightest. */")
        parts += [f"#define {lib.upper}_SAMPLE_{name} {size}" for name, size in picture.items()]
        parts.append(f"#define {lib.upper}_SAMPLE_LOW {number(low)}")
        parts.append(f"#define {lib.upper}_SAMPLE_HIGH {number(max(high, low + 1e-6))}")
        parts.append("")
    for name, array in zip(lib.inputs, sample.arrays, strict=True):
        size = size_macro(lib, name)
        parts.append(
            f"static const float {lib.name}_sample_{name}[{size}] = {{\n{numbers(array)}\n}};\n"
        )
    parts += [f"#endif /* {guard} */", ""]
    return "\n".join(parts)


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
    outputs = [f"static float {name}[{size_macro(lib, name)}];" for name in lib.outputs]
    shows = [
        f"  show({string(tensor.name)}, {name}, {size_macro(lib, name)});"
        for name, tensor in zip(lib.outputs, lib.model.outputs, strict=True)
    ]
    marks = {
        "arguments": ", ".join(arguments),
        "outputs": "\n".join(outputs),
        "shows": "\n".join(shows),
        "first": lib.outputs[0],
        "size": size_macro(lib, lib.outputs[0]),
        "model": comment(lib.model.name),
        "sample": comment(base(sample.name)),
    }
    return fill(template(file), lib.name, marks)
