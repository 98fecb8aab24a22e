"""What the test program does with a network that learns: one step, compared with ONNX Runtime's.

The step has the rate 1, so that the new weights show the gradient itself; then the weights are as
they were at first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.engine.lesson import CLASS, VALUES
from netsheet.equations import FloatArray
from netsheet.write.c.arrays import numbers
from netsheet.write.c.learning import DeviceLearning
from netsheet.write.c.learning_code import ASKED
from netsheet.write.c.library import Library, size_macro
from netsheet.write.c.names import number, string


@dataclass(frozen=True)
class LearningParts:
    """Arrays of references, and statements that count in ``wrong`` what departs from them."""

    arrays: str = ""
    checks: str = ""


def learning_parts(lib: Library, sample: Sample) -> LearningParts:
    """Both; empty where nothing learns."""
    learning = lib.learning
    if learning is None:
        return LearningParts()
    answer = _answer(learning, sample)
    loss, news = _references(lib, learning, sample, answer)
    flash = f"static const {lib.upper}_FLASH float"
    arrays: list[str] = [f"{flash} expected_loss[1] = {{{number(loss)}}};"]
    given = [f"given_{name}" for name in lib.inputs]
    if learning.asked == VALUES:
        values_of = size_macro(lib, lib.outputs[0])
        arrays.append(f"static const float wanted[{values_of}] = {{\n{numbers(answer)}\n}};")
        given.append("wanted")
    elif learning.asked == CLASS:
        given.append(str(int(answer[0])))
    elif learning.asked in ASKED:
        given.append(number(float(answer[0])))
    lines = [
        "    {",
        "        float loss;",
        '        add_text("a step of learning:", 0);',
        "        end_line();",
        f"        wrong += {lib.name}_learn({', '.join([*given, '1.0f', '&loss'])}) != 0;",
        '        wrong += !compared("loss", &loss, 1, 1, expected_loss);',
    ]
    for count, (array, new) in enumerate(zip(learning.arrays, news, strict=True)):
        size = max(array.weight.size, 1)
        for name, values in (("at_first", array.weight.values), ("after_step", new)):
            arrays.append(f"{flash} {name}{count}[{size}] = {{\n{numbers(values)}\n}};")
        lines += [
            f"        wrong += !compared({string(array.weight.name)}, {array.name}, {size}, 1,",
            f"            after_step{count});",
            f"        for (int i = 0; i < {size}; i++)",
            f"            {array.name}[i] = at_first{count}[i];",
        ]
    return LearningParts("\n".join([*arrays, ""]), "\n".join([*lines, "    }"]))


def _answer(learning: DeviceLearning, sample: Sample) -> FloatArray:
    """What the sample shows, if that is known, else class 0, or zeros."""
    if learning.asked == VALUES:
        return np.zeros(learning.lesson.target.shape, np.float32)
    return np.array([sample.label or 0], np.float32)


def _references(
    lib: Library, learning: DeviceLearning, sample: Sample, answer: FloatArray
) -> tuple[float, list[FloatArray]]:
    """The loss and the weights behind a step of rate 1, by ONNX Runtime."""
    found = learning.lesson
    arrays = {
        tensor.name: np.asarray(array, np.float32)[np.newaxis]
        for tensor, array in zip(lib.model.inputs, sample.arrays, strict=True)
    }
    arrays[found.descent.rate.name] = np.ones(1, np.float32)
    for tensor in learning.given[:-1]:
        arrays[tensor.name] = answer.reshape(1, *tensor.shape)
    wanted = [found.loss, *(found.descent.new[array.weight] for array in learning.arrays)]
    values = found.computed(wanted, arrays)
    first, *news = (np.asarray(values[tensor.name], np.float32)[0] for tensor in wanted)
    return float(first), news
