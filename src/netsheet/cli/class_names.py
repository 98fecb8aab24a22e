"""The option --classes: what the classes are called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from netsheet.cli.declarations import Option
from netsheet.errors import UsageError

if TYPE_CHECKING:
    from netsheet.model import Model

Classes = Annotated[
    str | None,
    Option("--classes", help="The classes' names: cat,dog,... or a text file, one a line."),
]


def class_names(text: str | None, model: Model) -> list[str] | None:
    """The names of the classes, as many as the network has outputs."""
    if text is None:
        return None
    path = Path(text)
    parts = text.split(",")
    if "," not in text and (path.is_file() or path.suffix):
        try:
            parts = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--classes {text}: cannot be read as UTF-8 text: {error}.") from None
    count = model.outputs[0].shape[-1] if model.outputs and model.outputs[0].shape else None
    if count is not None and len(parts) != count:
        raise UsageError(f"--classes {text}: {len(parts)} names for {count} outputs.")
    return [part.strip() for part in parts]
