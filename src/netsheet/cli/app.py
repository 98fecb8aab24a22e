"""Where the program begins, and what happens when a command fails."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from pathlib import Path

from netsheet.cli import language
from netsheet.errors import NetsheetError, one_line


def main() -> None:
    """Runs the command line; a failure is one sentence on standard error and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names are any UTF-8; a pipe or an old terminal may not have all their letters.
            stream.reconfigure(errors="backslashreplace")
    _end_cleanly()
    # NumPy multiplies no large matrices here; its threads alone take as long as its import.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        try:
            _run(sys.argv[1:])
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough: head, or a pager that was left
        _hear_no_more()
        sys.exit(1)
    except OSError as error:
        _complain(_of_the_system(error))
        sys.exit(1)
    except NetsheetError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _complain("interrupted")
        sys.exit(130)
    except MemoryError:
        _complain("there is not enough memory for this")
        sys.exit(1)


def _hear_no_more() -> None:
    """What is still to be printed goes nowhere: the end of the program tries once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _of_the_system(error: OSError) -> str:
    """What a system refuses that no command has put into words; without a file it is the output."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"{error.filename}: {reason}."
    _hear_no_more()
    return f"standard output cannot be written: {reason}."


def _complain(text: str) -> None:
    print(f"netsheet: {one_line(language.word(language.translated(text)))}", file=sys.stderr)


def _end_cleanly() -> None:
    """Signals that end a process end it as an exception does: temporary files are removed."""
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one
            signal.signal(number, _ended)


def _ended(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough
    sys.exit(128 + number)


def _run(arguments: list[str]) -> None:
    arguments = language.choose(arguments, os.environ)
    if "--quiet" in arguments:  # wherever it stands: it is no command's own
        from netsheet.cli import show

        show.quiet = True
        arguments = [word for word in arguments if word != "--quiet"]
    if len(arguments) == 1 and _names_a_file(arguments[0]):
        arguments = ["summary", *arguments]  # what is it? is what a file alone asks
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Run a command; the exit code.

    Raises:
        UsageError: an unknown command or option, or one that lacks something: one line for each.
    """
    from netsheet.cli import show
    from netsheet.cli.commands import COMMANDS, command_named
    from netsheet.cli.plain import parsed

    with show.warnings_as_notes():
        if arguments and arguments[0] in COMMANDS:
            command = command_named(arguments[0])
            values = parsed(command, arguments[1:])
            if values is not None:
                code = command(**values)
                return code if isinstance(code, int) else 0
        from netsheet.cli.program import explained

        return explained(arguments)


def _names_a_file(word: str) -> bool:
    return not word.startswith("-") and ("." in word or os.sep in word) and Path(word).exists()
