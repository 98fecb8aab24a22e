"""Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from netsheet.errors import NetsheetError


@contextlib.contextmanager
def atomic(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; rename it onto ``target`` when the block succeeds.

    An exception, or an interruption, leaves the old file (or none) and removes the temporary one.
    A link stays: what it points to is written. So do a pipe and a device (``/dev/stdout``): they
    get the finished file's bytes.

    Raises:
        NetsheetError: the folder is missing or not writable, the disk is full, or another
            program holds ``target`` open.
    """
    target = Path(target)
    if target.exists() and not target.is_file() and not target.is_dir():
        with _streamed(target) as temporary:
            yield temporary
        return
    if target.is_symlink():
        target = Path(os.path.realpath(target))
    if target.is_dir():
        raise NetsheetError(f"{target}: is a folder; name a file inside it.")
    if not target.parent.is_dir():
        raise NetsheetError(f"{target}: there is no folder {target.parent}; make it first.")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise _explained(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; give it the mode a plain open() would have.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        raise _explained(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _streamed(target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="netsheet-") as folder:
        temporary = Path(folder) / "output"
        yield temporary
        try:
            with temporary.open("rb") as source, target.open("wb") as stream:
                shutil.copyfileobj(source, stream)
        except OSError as error:
            raise _explained(target, error) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _explained(target: Path, error: OSError) -> NetsheetError:
    import errno

    if isinstance(error, PermissionError):
        advice = "close it in other programs (Excel keeps files open) or choose another place"
        return NetsheetError(f"{target}: cannot be written: {error.strerror}; {advice}.")
    if error.errno == errno.ENOSPC:
        return NetsheetError(f"{target}: the disk is full; nothing was changed.")
    return NetsheetError(f"{target}: {error.strerror or error}; nothing was changed.")
