"""Runs the command line on one request after another and tells what each did.

Requests are lines of JSON on standard input (a list of arguments), answers lines on standard
output. A process of its own: what hangs or dies takes no test with it. The system ends it where
one request takes more seconds of the processor than its argument says.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from netsheet.cli import main

# Whatever a model file could want of Python; HDF5 opens files by itself, where the pipe waits.
WATCHED = (
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen",
    "socket.connect", "socket.getaddrinfo", "socket.bind", "pickle.find_class", "shutil.rmtree",
    "os.mkdir", "os.symlink", "webbrowser.open", "urllib.Request",
)  # fmt: skip


class Watch:
    """What happens in the interpreter while a request runs."""

    def __init__(self) -> None:
        self.on = False
        self.events: list[str] = []
        self.opened: set[str] = set()
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in WATCHED:
            self.events.append(f"{event} {arguments!r}"[:200])
        elif event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
            self.opened.add(os.fsdecode(arguments[0]))


def run(arguments: list[str], watch: Watch) -> dict[str, Any]:
    """One run of the command line."""
    sys.argv = ["netsheet", *arguments]
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    code: Any = 0
    watch.events, watch.opened = [], set()
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        watch.on = True
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
            code = -1
        watch.on = False
    out, err = (stream.buffer.getvalue().decode("utf-8") for stream in streams)
    return {
        "code": code, "out": out, "err": err,
        "events": watch.events, "opened": sorted(watch.opened), "peak": peak(),
        "modules": [name for name in ("trap", "tensorflow", "keras") if name in sys.modules],
    }  # fmt: skip


def allow(seconds: int) -> None:
    """From here on, this process is ended after so many seconds of the processor."""
    used = time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds, hard))


def peak() -> int:
    """The largest memory of this process so far, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    sys.path.insert(0, "")  # a module beside the files could be imported
    seconds = int(sys.argv[1])
    watch = Watch()
    print(json.dumps({"peak": peak()}), flush=True)
    for request in sys.stdin:
        allow(seconds)
        print(json.dumps(run(json.loads(request), watch)), flush=True)
