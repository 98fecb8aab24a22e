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
    Option(
        "--classes",
        help="The classes' names: cat,dog,... or a text file, one a line, or a set (.npz).",
    ),
]


def class_names(text: str | None, model: Model) -> list[str] | None:
    """The names of the classes, as many as the network has outputs."""
    if text is None:
        return None
    path = Path(text)
    parts = text.split(",")
    if path.suffix.lower() == ".npz" and path.is_file():
        parts = _of_set(path)
    elif "," not in text and (path.is_file() or path.suffix):
        try:
            parts = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--classes {text}: cannot be read as UTF-8 text: {error}.") from None
    count = model.outputs[0].shape[-1] if model.outputs and model.outputs[0].shape else None
    if count is not None and len(parts) != count:
        raise UsageError(f"--classes {text}: {len(parts)} names for {count} outputs.")
    return [part.strip() for part in parts]


def _of_set(path: Path) -> list[str]:
    """What a data set calls its classes."""
    from netsheet.data.arrays import npz_names, npz_texts
    from netsheet.data.sources import CLASS_NAMES

    if CLASS_NAMES not in npz_names(path):
        raise UsageError(f"--classes {path}: this set does not say what its classes are called.")
    return npz_texts(path, CLASS_NAMES)
