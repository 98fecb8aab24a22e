"""Help in the language of this run: of commands, their arguments and options.

typer folds lines at spaces, which Japanese does not have: the help of another language is laid out
here, from the same commands.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from netsheet.cli.language import translated, word
from netsheet.tables import folded

WIDEST = 100  # columns of a terminal that help fills


def translate_help(command: Any) -> None:
    """Has a command, and the commands in it, print its help in the language."""
    command.format_help = lambda context, formatter: formatter.write(_help_of(command, context))
    for inner in getattr(command, "commands", {}).values():
        translate_help(inner)


def _help_of(command: Any, context: Any) -> str:
    width = min(WIDEST, shutil.get_terminal_size().columns)
    pieces = " ".join(command.collect_usage_pieces(context))
    lines = ["", f" {word('Usage')}: {context.command_path} {pieces}", ""]
    for paragraph in translated(command.help or "").split("\n\n"):
        lines += [f" {line}" for line in folded(paragraph.replace("\n", " "), width - 1)]
        lines.append("")
    parameters = command.get_params(context)
    kinds = {True: "Arguments", False: "Options"}
    for kind, heading in kinds.items():
        rows = [_row(one, context) for one in parameters
                if (one.param_type_name == "argument") == kind]  # fmt: skip
        lines += _section(word(heading), rows, width)
    inner = getattr(command, "commands", {})
    rows = [(name, translated(one.help or "").split("\n\n")[0]) for name, one in inner.items()]
    lines += _section(word("Commands"), rows, width)
    return "\n".join(lines)


def _row(parameter: Any, context: Any) -> tuple[str, str]:
    """``--top <int>`` and what it does, with what typer adds: a default, a range, that it must."""
    name, text = parameter.get_help_record(context)
    said = parameter.help or ""
    added = text.removeprefix(said).strip()
    added = re.sub(r"\bdefault: ", f"{word('default')}: ", added)
    added = re.sub(r"\brequired\b", word("required"), added)
    return name, f"{translated(said)} {added}".strip()


def _section(heading: str, rows: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    if not rows:
        return
    left = max(len(name) for name, _ in rows)
    yield f" {heading}"
    for name, text in rows:
        for number, line in enumerate(folded(text, width - left - 5)):
            yield f"   {name if number == 0 else '':<{left}}  {line}"
    yield ""
