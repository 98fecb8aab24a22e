"""Which files a library has: plain, or as Arduino, ESP-IDF and PlatformIO expect them."""

from __future__ import annotations

from collections.abc import Mapping

from netsheet.data.inputs import Sample
from netsheet.expr import FloatArray
from netsheet.write.c.emit import Library, files
from netsheet.write.c.readme import readme
from netsheet.write.c.report import CReport
from netsheet.write.c.test_program import test_program


def package(
    lib: Library,
    target: str,
    sample: Sample,
    reference: Mapping[str, FloatArray],
    report: CReport,
) -> dict[str, str]:
    """The texts of all files by their paths."""
    code = files(lib)
    test = test_program(lib, sample, reference)
    made = {"README.md": readme(lib, target, sample, report)}
    return {**code, f"{lib.name}_test.c": test, **made}
