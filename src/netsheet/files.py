"""Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from netsheet.errors import NetsheetError


@contextlib.contextmanager
def atomic(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; rename it onto ``target`` when the block succeeds.

    An exception, or an interruption, leaves the old file (or none) and removes the temporary one.
    What a process that was ended by force had left is removed by the next one. A link stays: what
    it points to is written. So do a pipe and a device (``/dev/stdout``): they get the finished
    file's bytes.

    Raises:
        NetsheetError: the folder is missing or not writable, the disk is full, or another
            program holds ``target`` open.
    """
    target = Path(target)
    if _is_stream(target):
        with _streamed(target) as temporary:
            yield temporary
        return
    if target.is_symlink():
        target = Path(os.path.realpath(target))
    temporary = _made_beside(target)
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


def check_writable(target: str | Path) -> None:
    """What :func:`atomic` raises at once, before the work whose result is to be written there."""
    target = Path(target)
    if not _is_stream(target):
        _made_beside(Path(os.path.realpath(target)) if target.is_symlink() else target).unlink()


def _is_stream(target: Path) -> bool:
    """True for a pipe or a device."""
    return target.exists() and not target.is_file() and not target.is_dir()


def _made_beside(target: Path) -> Path:
    """An empty temporary file in the target's folder."""
    if target.is_dir():
        raise NetsheetError(f"{target}: is a folder; name a file inside it.")
    if not target.parent.is_dir():
        raise NetsheetError(f"{target}: there is no folder {target.parent}; make it first.")
    _remove_leftovers(target)
    try:
        handle, name = tempfile.mkstemp(prefix=_prefix(target), suffix=".tmp", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise _explained(target, error) from error
    return Path(name)


def _prefix(target: Path, process: int | None = None) -> str:
    """How the temporary file of a process of this computer begins, its number at the end."""
    host = zlib.crc32(platform.node().encode("utf-8", "replace"))
    return f".{target.name}.{host:08x}-{os.getpid() if process is None else process}-"


def _remove_leftovers(target: Path) -> None:
    """Removes what processes of this computer that run no more have left beside ``target``.

    Nobody can clean up behind a process that was ended by force.
    """
    if os.name != "posix":  # asking whether a process runs is another matter elsewhere
        return
    begin = _prefix(target).rsplit("-", 2)[0] + "-"
    with contextlib.suppress(OSError):
        for name in [item.name for item in target.parent.iterdir()]:
            process, mark, _ = name.removeprefix(begin).partition("-")
            if not (name.startswith(begin) and name.endswith(".tmp") and mark):
                continue
            if process.isdecimal() and not _runs(int(process)):
                with contextlib.suppress(OSError):
                    (target.parent / name).unlink()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it runs, and belongs to somebody else
        return True
    return True


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
