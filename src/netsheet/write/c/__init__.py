"""C99 for microcontrollers and hosts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from netsheet.errors import UsageError
from netsheet.language import LANGUAGES
from netsheet.write.c.report import CReport

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.network import Network
    from netsheet.write.c.learning import CLearning

__all__ = ["TARGETS", "CReport", "to_c"]

WEIGHTS = ("text", "binary")
TARGETS = ("plain", "arduino", "esp-idf", "platformio")


def to_c(
    model: Network,
    folder: str | Path,
    *,
    name: str = "net",
    target: str = "plain",
    sample: Sample | None = None,
    until: str | None = None,
    class_names: Sequence[str] | None = None,
    weights: str = "text",
    licence: str = "",
    lang: str = "en",
    learn: CLearning | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CReport:
    """Write the network as C99 with a test program and a README.

    Args:
        folder: made if missing; other files in it stay.
        name: prefix of all files, functions and macros.
        target: ``plain``, or packed as an ``arduino`` library, an ``esp-idf`` component or a
            ``platformio`` library.
        sample: the input that the test program and the examples carry, with the reference of
            every layer; None for random numbers, the same every time.
        until: the last layer to write; layers that it does not need are left out.
        class_names: what the classes are called; None: as the file says, if it does.
        weights: ``text``, constants in the code, or ``binary``, a file beside it that the program
            gets from a flash partition or a card.
        licence: the licence of what is written, such as ``MIT``, named in every file.
        lang: of the README, ``en`` or ``ja``.
        learn: layers that learn on the device, a step of gradient descent at a time.
        progress: is given steps done and their number.

    Raises:
        UsageError: an unknown target, form of weights or language, a licence of several lines, a
            name that C cannot use, or names for another number of classes.
        UnsupportedError: a needed layer has no C; nothing is written.
        NetsheetError: the folder cannot be written; nothing is changed.
    """
    import numpy as np

    from netsheet.data.probe import probe
    from netsheet.engine.run import engine
    from netsheet.write.c.folder import write_folder
    from netsheet.write.c.library import library
    from netsheet.write.c.licence import licence_line, licensed
    from netsheet.write.c.names import library_name
    from netsheet.write.c.packaging import package
    from netsheet.write.c.report import report
    from netsheet.write.c.writable import writable

    if target not in TARGETS:
        raise UsageError(f"there is no target {target!r}; targets are {', '.join(TARGETS)}.")
    if lang not in LANGUAGES:
        raise UsageError(f"there is no language {lang!r}; languages are en and ja.")
    if weights not in WEIGHTS or (weights == "binary" and target != "plain"):
        raise UsageError(
            f"there is no form of weights {weights!r}; weights are {' or '.join(WEIGHTS)}."
            if weights not in WEIGHTS
            else f"weights in a file go with the target plain, not with {target}."
        )
    if weights == "binary" and learn is not None:
        raise UsageError("weights that learn are in the code: leave out --weights binary.")
    library_name(name)
    licence_line(licence)
    show = progress or (lambda done, total: None)
    shapes = None if sample is None else [array.shape for array in sample.arrays]
    model = writable(model, until, shapes)
    sample = sample or probe(model)
    show(0, 4)
    lib = library(model, name, learn=learn)
    if class_names is not None and len(class_names) != (model.classes or 0):
        raise UsageError(f"{len(class_names)} names for {model.classes or 'no'} classes.")
    names = tuple(class_names or model.class_names)
    lib = replace(lib, class_names=names, weights=weights)
    show(1, 4)
    batch = {t.name: a[np.newaxis] for t, a in zip(model.inputs, sample.arrays, strict=True)}
    reference = {key: v[0] for key, v in {**engine(model).activations(batch), **batch}.items()}
    show(2, 4)
    made = report(lib, target, sample.note or sample.name, [])
    texts = licensed(package(lib, target, sample, reference, made, lang), licence)
    show(3, 4)
    made.files.extend(write_folder(folder, texts))
    show(4, 4)
    return made
