"""The README beside generated C."""

from __future__ import annotations

from netsheet.data.inputs import Sample
from netsheet.write.c.emit import Library
from netsheet.write.c.report import CReport


def readme(lib: Library, target: str, sample: Sample, report: CReport) -> str:
    """Markdown: figures, how to call it, how to test it."""
    return f"# {lib.name}\n\n```\n{report}\n```\n"
