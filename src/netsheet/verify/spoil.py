"""A copy of a workbook in which every cached formula result is wrong."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from netsheet.errors import FormatError

WRONG = -7.2507e11
_CACHED = re.compile(rb"(</f>|<f(?: [^>]*)?/>)<v>[^<]*</v>")
_TEXT = re.compile(rb'(<c [^>]*?) t="(?:str|b|e)"([^>]*>)(?=<f)')


def spoil(source: Path, target: Path) -> int:
    """Copies a workbook, replacing what its formulas had come to; returns how many there were.

    What an engine then reports it must have calculated itself.
    """
    replaced = 0
    wrong = b"\\1<v>%r</v>" % WRONG
    try:
        with (
            zipfile.ZipFile(source) as original,
            zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy,
        ):
            for info in original.infolist():
                data = original.read(info)
                if info.filename.startswith("xl/worksheets/sheet"):
                    data, count = _CACHED.subn(wrong, data)
                    data = _TEXT.sub(rb"\1\2", data)
                    replaced += count
                copy.writestr(info.filename, data)
    except (zipfile.BadZipFile, OSError) as error:
        raise FormatError(f"{source} is no workbook that can be read: {error}") from error
    return replaced
