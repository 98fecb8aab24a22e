"""The README beside generated C."""

from __future__ import annotations

from netsheet.data.inputs import Sample
from netsheet.data.scaling import Scaling
from netsheet.equations import Tensor, gathers, positions, reads, walk
from netsheet.language import translated, word
from netsheet.network import Network
from netsheet.write.c.learning_code import further_source, learning_marks
from netsheet.write.c.library import Library, c_type, signature, size_macro
from netsheet.write.c.report import CReport
from netsheet.write.c.template import fill, template


def readme(lib: Library, target: str, sample: Sample, report: CReport, lang: str = "en") -> str:
    """Markdown: figures, how to call it, how to test it, in a language."""
    file = lib.weights == "binary"
    ending = "md" if lang == "en" else f"{lang}.md"
    marks = {
        "title": _inline(lib.model.name),
        "file": _inline(lib.model.path.name or "a model"),
        "table": "\n".join(_table(report, lang)),
        "totals": "\n".join(translated(line, lang) for line in report.totals()),
        "run": signature(lib, "run"),
        "arguments": ", ".join([*lib.inputs, *lib.outputs]),
        "buffers": "\n".join(
            f"static {c_type(tensor)} {name}[{size_macro(lib, name)}];"
            for name, tensor in zip(
                (*lib.inputs, *lib.outputs), (*lib.model.inputs, *lib.model.outputs), strict=True
            )
        ),
        "tensors": "\n".join(_tensors(lib, sample, lang)),
        "sources": fill(SOURCES[target], lib.name, {"more": further_source(lib)}),
        "use": fill(template(f"use_{target.replace('-', '_')}.{ending}"), lib.name).strip(),
        "sample": _inline(translated(sample.note or sample.name, lang)),
        "classes": f"\n{translated(_classes(lib), lang)}\n" if lib.model.classes else "",
        "weights": fill(template(f"weights_file.{ending}"), lib.name) if file else "",
        "states": fill(template(f"states.{ending}"), lib.name) if lib.model.states else "",
        "learns": "" if lib.learning is None else fill(
            template(f"learns.{ending}"), lib.name, learning_marks(lib, lib.learning, lang)),
    }  # fmt: skip
    return fill(template(f"readme.{ending}"), lib.name, marks)


def _table(report: CReport, lang: str) -> list[str]:
    heads = ("layer", "type", "output", "weights, bytes", "RAM, bytes", "MACs")
    rows = [f"| {' | '.join(word(head, lang) for head in heads)} |", "|---|---|---|---:|---:|---:|"]
    rows += [
        f"| {_inline(layer.layer)} | {_inline(layer.type)} | {' x '.join(map(str, layer.shape))} "
        f"| {layer.weights:,} | {'' if layer.ram is None else f'{layer.ram:,}'} "
        f"| {layer.macs:,} |"
        for layer in report.layers
    ]
    return rows


def _tensors(lib: Library, sample: Sample, lang: str) -> list[str]:
    """What to give and what comes, one line each."""
    tokens = _positions(lib.model)
    lines = []
    for name, tensor in zip(lib.inputs, lib.model.inputs, strict=True):
        lines.append(_tensor(lib, name, tensor, lang))
        if tensor in tokens:
            lines.append(f"  {translated('Whole numbers (tokens), given as floats.', lang)}")
        scaling = sample.inputs[tensor.name].scaling
        if scaling is not None:
            lines.append(f"  {translated(_scaled(scaling), lang)}")
    return lines + [
        _tensor(lib, name, tensor, lang)
        for name, tensor in zip(lib.outputs, lib.model.outputs, strict=True)
    ]


def _positions(model: Network) -> set[Tensor]:
    """The tensors whose values are positions: those that a computed position reads."""
    gathered = (
        gather.value
        for eq in model.equations()
        for node in walk(eq.value)
        for at in positions(node)
        for gather in gathers(at)
    )
    return {read.tensor for value in gathered for read in reads(value)}


def _scaled(scaling: Scaling) -> str:
    return (
        f"Numbers as in training: the stored input's pixels were {scaling}; do the same with what "
        "a sensor gives."
    )


def _tensor(lib: Library, name: str, tensor: Tensor, lang: str) -> str:
    named = [(n, word(axis, lang)) for n, axis in zip(tensor.shape, tensor.axes, strict=True)]
    sizes = " x ".join(f"{n} {axis}" if lang == "en" else f"{axis} {n}" for n, axis in named)
    order = ", last axis fastest" if len(tensor.shape) > 1 else ""
    text = f"`{name}` is the tensor {_inline(tensor.name)}: {sizes or 'a number'}{order}."
    return f"- {translated(text, lang)}"


def _classes(lib: Library) -> str:
    count = lib.model.classes
    if count and len(lib.class_names) == count:
        named = f"names[{lib.upper}_CLASSES] = {lib.upper}_CLASS_NAMES"
        return f"`{lib.upper}_CLASSES` is {count}; `static const char *const {named};` names them."
    return f"`{lib.upper}_CLASSES` is {count}." if count else ""


def _inline(text: str) -> str:
    """``text`` on one line, without what Markdown reads."""
    plain = "".join(ch if ch.isprintable() else " " for ch in text)
    return "".join(f"\\{ch}" if ch in "\\`*[]<>|" else ch for ch in plain)


SOURCES = {
    "plain": "@lib_test.c @lib.c@more @lib_weights.c",
    "arduino": "-Isrc examples/Test/@lib_test.c src/*.c",
    "esp-idf": "-Iinclude examples/classify/main/@lib_test.c *.c",
    "platformio": "-Isrc examples/Test/src/@lib_test.c src/*.c",
}
