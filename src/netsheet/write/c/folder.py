"""Several files appear in a folder together, or none of them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from netsheet.errors import NetsheetError

# One of these stands in the README.md of every folder that netsheet made.
WRITTEN, WRITTEN_IN_JAPANESE = "written by netsheet", "から書き出した C99"


@dataclass(frozen=True)
class Pieces:
    """A long text, made piece by piece whenever it is written."""

    made: Callable[[], Iterable[bytes]]


Content: TypeAlias = "str | Pieces"


def put(path: Path, content: Content) -> None:
    """Write one text as UTF-8."""
    if isinstance(content, str):
        path.write_bytes(content.encode())
        return
    with path.open("wb") as file:
        file.writelines(content.made())


def write_folder(folder: str | Path, files: Mapping[str, Content]) -> list[Path]:
    """Write texts by their paths inside ``folder``; it is made if missing, with those above it.

    Everything is written to a temporary folder beside first and then moved; where a move fails,
    those before it are undone. Other files in the folder stay.

    Raises:
        NetsheetError: the folder cannot be made or written, or has such files that somebody else
            wrote; nothing has changed then.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NetsheetError(f"{folder}: is a file; name a folder for the C files.")
    there = next((file for file in files if (folder / file).is_file()), None)
    if there is not None and not _written_before(folder):
        raise NetsheetError(
            f"{folder}: has a {there} that was not {WRITTEN}; name a folder of its own."
        )
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        beside = folder if folder.is_dir() else folder.absolute().parent
        with tempfile.TemporaryDirectory(prefix=".netsheet-", dir=beside) as name:
            new, old = Path(name) / "new", Path(name) / "old"
            for file, text in files.items():
                (new / file).parent.mkdir(parents=True, exist_ok=True)
                put(new / file, text)
            if folder.is_dir():
                _move_in(list(files), new, folder, old)
            else:
                new.rename(folder)
    except OSError as error:
        named = [Path(name) for name in (error.filename, error.filename2) if name]
        inside = [path.name for path in named if folder.name in path.parts and path != folder]
        where = f"{inside[-1]}: " if inside and not inside[-1].startswith(".netsheet-") else ""
        raise NetsheetError(
            f"{folder}: cannot be written: {where}{error.strerror or error}; nothing was changed."
        ) from error
    return [folder / file for file in files]


def _written_before(folder: Path) -> bool:
    try:
        text = (folder / "README.md").read_text("utf-8", errors="replace")
        return WRITTEN in text or WRITTEN_IN_JAPANESE in text
    except OSError:
        return False


def _move_in(names: list[str], new: Path, folder: Path, old: Path) -> None:
    """Move files into a folder; all of them, or none."""
    with contextlib.ExitStack() as undo:
        for name in names:
            target, kept = folder / name, old / name
            for parent in reversed(target.relative_to(folder).parents):
                if not (folder / parent).is_dir():
                    (folder / parent).mkdir()
                    undo.callback(_remove, folder / parent)
            if target.is_dir():
                raise IsADirectoryError(21, "is a folder", str(target))
            if target.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                target.replace(kept)
                undo.callback(kept.replace, target)
            (new / name).replace(target)
            if not kept.exists():
                undo.callback(target.unlink)
        undo.pop_all()


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
