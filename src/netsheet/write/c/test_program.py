"""``net_test.c``: the network on a stored input, compared with the stored reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import FLOAT, FloatArray
from netsheet.fidelity import BOUND
from netsheet.write.c.arrays import numbers
from netsheet.write.c.learning_code import further_source
from netsheet.write.c.learning_test import learning_parts
from netsheet.write.c.library import Library, c_type, size_macro
from netsheet.write.c.names import base, comment, number, string
from netsheet.write.c.template import fill, template

# All layers' reference values together; of larger ones every n-th value is stored.
MAX_STORED = 1_000_000


@dataclass(frozen=True)
class Stored:
    """One layer's reference: every ``step``-th value in C order."""

    layer: str
    shape: tuple[int, ...]
    size: int
    step: int
    values: FloatArray


def stored(
    lib: Library, reference: Mapping[str, FloatArray], limit: int = MAX_STORED
) -> list[Stored]:
    """The reference of every layer, thinned out so that not much more than ``limit`` remains."""
    tensors = lib.model.tensors()
    total = sum(tensor.size for tensor in tensors.values())
    share = limit if total <= limit else max(limit // max(len(tensors), 1), 1)
    result = []
    for name, tensor in tensors.items():
        flat = np.asarray(reference[name], np.float32).reshape(-1)
        step = -(-flat.size // share) or 1
        result.append(Stored(name, tuple(tensor.shape), flat.size, step, flat[::step]))
    return result


def program_text(lib: Library, sample: Sample, reference: Mapping[str, FloatArray]) -> str:
    """The text of ``net_test.c``; ``reference`` has every layer by name, without batch axis."""
    model = lib.model
    layers = stored(lib, reference)
    outputs = [np.asarray(reference[t.name], np.float32).reshape(-1) for t in model.outputs]
    head = {
        "model": comment(model.name),
        "sample": comment(base(sample.name)),
        "more": further_source(lib),
    }
    parts = [fill(template("test_head.c"), lib.name, head)]
    for name, array, tensor in zip(lib.inputs, sample.arrays, model.inputs, strict=True):
        parts.append(_array(f"given_{name}", size_macro(lib, name), array, c_type(tensor)))
    for name, values, tensor in zip(lib.outputs, outputs, model.outputs, strict=True):
        parts.append(_floats(f"expected_{name}", size_macro(lib, name), values, lib))
        parts.append(f"static {c_type(tensor)} {name}[{size_macro(lib, name)}];\n")
        if tensor.dtype != FLOAT:
            parts.append(f"static float shown_{name}[{size_macro(lib, name)}];\n")
    parts += [f"#ifdef {lib.upper}_TRACE"]
    for count, layer in enumerate(layers):
        kept = f", every {_ordinal(layer.step)} value" if layer.step > 1 else ""
        parts.append(f"/* {comment(layer.layer)}{kept} */")
        parts.append(_floats(f"reference{count}", str(layer.values.size), layer.values, lib))
    rows = [
        f"    {{{string(layer.layer)}, {layer.size}, {layer.step}, reference{count}, 0}}"
        for count, layer in enumerate(layers)
    ]
    parts += [fill(template("test_layers.c"), lib.name, {"rows": ",\n".join(rows)})]
    parts += [f"#endif /* {lib.upper}_TRACE */", ""]
    tools = fill(template("test_tools.c"), lib.name, {"bound": number(BOUND)})
    learns = learning_parts(lib, sample)
    parts += [tools, fill(template("test_trace.c"), lib.name), learns.arrays]
    parts.append(_main(lib, learns.checks))
    return "\n".join(parts)


def _ordinal(step: int) -> str:
    return {2: "second", 3: "third"}.get(step, f"{step}th")


def _floats(name: str, size: str, values: FloatArray, flash: Library) -> str:
    """An array that the network itself does not read: it may lie in program memory."""
    return _array(name, size, values, f"{flash.upper}_FLASH float")


def _array(name: str, size: str, values: FloatArray, kind: str) -> str:
    return f"static const {kind} {name}[{size}] = {{\n{numbers(values)}\n}};\n"


def _main(lib: Library, learning: str) -> str:
    arguments = ", ".join([*(f"given_{name}" for name in lib.inputs), *lib.outputs])
    checks = []
    for name, tensor in zip(lib.outputs, lib.model.outputs, strict=True):
        size, floats = size_macro(lib, name), name
        if tensor.dtype != FLOAT:  # whole numbers are compared as such, one off is wrong
            floats = f"shown_{name}"
            checks.append(f"    for (int i = 0; i < {size}; i++)")
            checks.append(f"        {floats}[i] = (float){name}[i];")
        checks.append(f"    wrong += !compared({string(tensor.name)}, {floats}, {size}, 1,")
        checks.append(f"        expected_{name});")
    if lib.model.classes:
        checks.append(fill(template("test_class.c"), lib.name, {"out": lib.outputs[0]}).rstrip())
    checks += [learning] if learning else []
    reset = f"    {lib.name}_reset();\n" if lib.model.states else ""
    marks = {"arguments": arguments, "checks": "\n".join(checks), "reset": reset}
    begun = template(f"test_main_{'file' if lib.weights == 'binary' else 'text'}.c")
    return fill(f"{template('test_main.c')}\n{begun}", lib.name, marks)
