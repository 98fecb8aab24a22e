"""Keras in a process of its own: TensorFlow ends the process on some sizes that contradict.

python tests/corpus/keras_judge.py: reads requests on standard input until it ends.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from corpus.one_layer import library  # noqa: E402

Array = np.ndarray[Any, Any]


class RefusedError(Exception):
    """What Keras says of a file that it does not load or compute."""


class Judge:
    """Asks the process, and starts another one where it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def compute(
        self, major: int, path: Path, given: Sequence[Array], compute: bool = True
    ) -> list[Array]:
        """The outputs for these inputs, none if it is only to load the file.

        Raises:
            RefusedError: with what Keras says, or how TensorFlow ended.
        """
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
        assert self._process.stdin and self._process.stdout
        try:
            pickle.dump((major, str(path), list(given), compute), self._process.stdin)
            self._process.stdin.flush()
            results, said = pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            code = self._process.wait()
            raise RefusedError(f"TensorFlow ended by signal {-code}") from None
        if said is not None:
            raise RefusedError(said)
        return list(results)

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(30)


def _answer(request: tuple[int, str, list[Array], bool]) -> tuple[list[Array], str | None]:
    major, path, given, compute = request
    try:
        model = library(major).models.load_model(path, compile=False)
        if not compute:
            return [], None
        results = model(given if len(given) > 1 else given[0], training=False)
        several = isinstance(results, (list, tuple))
        return [np.asarray(one, float) for one in (results if several else [results])], None
    except Exception as error:
        return [], " ".join(str(error).split()) or type(error).__name__


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(_answer(request), answers)
        answers.flush()


if __name__ == "__main__":
    # what libraries print must not stand among the answers
    kept = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _serve(sys.stdin.buffer, kept)
