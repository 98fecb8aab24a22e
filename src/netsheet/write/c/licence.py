"""The licence that somebody gives to what is written for them, named in every file."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping

from netsheet.errors import UsageError
from netsheet.write.c.folder import Content, Pieces
from netsheet.write.c.names import comment

SPDX = re.compile(r"(LicenseRef-)?[A-Za-z0-9][A-Za-z0-9.+-]*( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")


def licence_line(licence: str) -> str:
    """A line for a comment: ``SPDX-License-Identifier: MIT``; other texts as they are.

    Raises:
        UsageError: it has several lines.
    """
    if comment(licence, len(licence) + 1) != licence or len(licence) > 200:
        raise UsageError("a licence is one line of up to 200 letters, such as MIT.")
    kind = "SPDX-License-Identifier" if SPDX.fullmatch(licence) else "Licence"
    return f"{kind}: {licence}"


def licensed(files: Mapping[str, Content], licence: str) -> dict[str, Content]:
    """The files by their paths, each with the licence in the form that it has a place for."""
    if not licence:
        return dict(files)
    return {name: _licensed(name, content, licence) for name, content in files.items()}


def _licensed(name: str, content: Content, licence: str) -> Content:
    line = licence_line(licence)
    if name.endswith((".c", ".h", ".ino", ".cpp")):
        head = f"/* {line} */\n"
        if isinstance(content, str):
            return head + content
        return Pieces(lambda: itertools.chain([head.encode()], content.made()))
    if not isinstance(content, str):
        return content
    if name.endswith("library.properties"):
        return content + f"license={licence}\n"
    if name.endswith("library.json"):
        return json.dumps(
            {**json.loads(content), "license": licence}, ensure_ascii=False, indent=2
        ) + "\n"  # fmt: skip
    if name == "idf_component.yml":
        return content + f"license: {json.dumps(licence, ensure_ascii=False)}\n"
    if name == "README.md":
        return content.rstrip() + f"\n\n{line}\n"
    return content
