"""The page's own engine, run from the page's file: by Node, or in a headless Chromium."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError
from netsheet.verify.engines.base import Artefact, Recomputed, Values
from netsheet.write.page.data import encoded

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 300


@dataclass(frozen=True)
class PageContent:
    """A page, and the names and shapes of what its engine shows, in its order."""

    path: Path
    text: str
    shown: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class NodeJs:
    """Node runs the engine as it stands in the page; nothing is drawn."""

    def absent(self) -> str | None:
        """As :class:`~netsheet.verify.engines.base.OutsideEngine` says."""
        if shutil.which("node"):
            return None
        return "there is no node: install Node.js (Debian and Ubuntu: apt install nodejs)."

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """Every layer of every sample."""
        content: PageContent = artefact.content
        given = artefact.folder / "inputs.json"
        given.write_text(json.dumps(_encoded(samples)), "utf-8")
        with resources.as_file(resources.files(__package__) / "page_node.js") as script:
            printed = _run(["node", str(script), str(content.path), str(given)])
        name = f"node {_run(['node', '--version']).strip()}"
        return Recomputed(name, _values(content, json.loads(printed)))


@dataclass(frozen=True)
class Chromium:
    """A browser without a window opens the page itself, with its policy and all of its scripts."""

    def absent(self) -> str | None:
        """As :class:`~netsheet.verify.engines.base.OutsideEngine` says."""
        if browser() is not None:
            return None
        return (
            "there is no Chromium: install it (Debian and Ubuntu: apt install chromium), or let "
            "node run the page's engine (--engine node)."
        )

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """Every layer of the page's samples, which are the ones given."""
        content: PageContent = artefact.content
        command = browser()
        assert command is not None
        with tempfile.TemporaryDirectory(prefix="netsheet-browser-") as profile:
            dumped = _run([
                command, "--headless", "--disable-gpu", "--no-sandbox", "--no-first-run",
                f"--user-data-dir={profile}", "--virtual-time-budget=60000",
                "--dump-dom", f"{content.path.resolve().as_uri()}#verify",
            ], profile)  # fmt: skip
        found = re.search(r'<pre id="recomputed">([^<]*)</pre>', dumped)
        if found is None:
            raise NetsheetError("the page did not compute in Chromium")
        name = _run([command, "--version"]).strip()
        return Recomputed(name, _values(content, json.loads(found[1])))


def browser() -> str | None:
    """The command of a Chromium, or None."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def _encoded(samples: Sequence[Sample]) -> list[list[str]]:
    return [[encoded(array) for array in sample.arrays] for sample in samples]


def _run(command: Sequence[str], folder: str | None = None) -> str:
    """What a program prints; its own temporary files go with the folder, however it ends."""
    env = dict(os.environ) if folder is None else {**os.environ, "TMPDIR": folder}
    try:
        done = subprocess.run(
            list(command), env=env, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NetsheetError(f"{Path(command[0]).name} took more than {SECONDS} s") from None
    if done.returncode:
        said = done.stderr.strip()[-2000:]
        raise NetsheetError(f"{Path(command[0]).name} failed ({done.returncode}): {said}")
    return done.stdout


def _values(content: PageContent, found: list[list[str]]) -> list[Values]:
    result: list[Values] = []
    for texts in found:
        row: dict[str, FloatArray] = {}
        for (name, shape), text in zip(content.shown, texts, strict=True):
            array: Any = np.frombuffer(base64.b64decode(text), "<f4")
            size = int(np.prod(shape, dtype=np.int64))
            row[name] = array.reshape(shape) if array.size == size else array
        result.append(row)
    return result
