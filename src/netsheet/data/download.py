"""Data sets known by name: where their files lie, and how they get there the first time."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from netsheet.errors import NetsheetError
from netsheet.files import atomic

Progress = Callable[[int, int], None]

TIMEOUT_SECONDS = 30
CHUNK = 1 << 18


@dataclass(frozen=True)
class Remote:
    """A file of a data set: its name, its size in bytes and its sha256 as published."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Known:
    """A data set known by name."""

    url: str
    files: tuple[Remote, ...]  # of the test set
    classes: tuple[str, ...]
    train: tuple[Remote, ...] = ()  # of the training set, where that lies in other files


KNOWN = {
    "mnist": Known(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        (
            Remote(
                "t10k-images-idx3-ubyte.gz",
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            Remote(
                "t10k-labels-idx1-ubyte.gz",
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
        tuple("0123456789"),
        (
            Remote(
                "train-images-idx3-ubyte.gz",
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            Remote(
                "train-labels-idx1-ubyte.gz",
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
        ),
    ),
    "fashion_mnist": Known(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        (
            Remote(
                "t10k-images-idx3-ubyte.gz",
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            Remote(
                "t10k-labels-idx1-ubyte.gz",
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        (
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
            "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        (
            Remote(
                "train-images-idx3-ubyte.gz",
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            Remote(
                "train-labels-idx1-ubyte.gz",
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
        ),
    ),
    "cifar10": Known(
        "https://www.cs.toronto.edu/~kriz/",
        (
            Remote(
                "cifar-10-binary.tar.gz",
                170052171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        (
            "airplane", "automobile", "bird", "cat", "deer",
            "dog", "frog", "horse", "ship", "truck",
        ),
    ),
}  # fmt: skip


def cache_folder() -> Path:
    """Where data sets are kept: ``NETSHEET_CACHE``, else the platform's folder for caches."""
    if os.environ.get("NETSHEET_CACHE"):
        return Path(os.environ["NETSHEET_CACHE"])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "netsheet"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/netsheet"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netsheet"


def fetch(name: str, progress: Progress | None = None, part: str = "test") -> Path:
    """The folder of a known data set, the files of a part downloaded there if they are missing.

    ``progress`` counts bytes. A downloaded file is kept only if its sha256 is the published one;
    files that were already there are used as they are.

    Raises:
        NetsheetError: no network, or not the published file; says which file to put where.
    """
    known = KNOWN[name]
    folder = cache_folder() / name
    files = known.train or known.files if part == "train" else known.files
    missing = [file for file in files if not (folder / file.name).is_file()]
    total = sum(file.size for file in missing)
    done = 0
    for file in missing:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NetsheetError(
                f"{folder}: cannot be made: {error.strerror}; set NETSHEET_CACHE to a folder "
                "that can be written."
            ) from error
        done = _download(known.url + file.name, file, folder / file.name, progress, done, total)
    return folder


def _download(
    url: str, file: Remote, target: Path, progress: Progress | None, done: int, total: int
) -> int:
    digest = hashlib.sha256()
    received = 0
    with atomic(target) as temporary, temporary.open("wb") as out:
        for chunk in _chunks(url, target):
            received += len(chunk)
            digest.update(chunk)
            out.write(chunk)
            if progress is not None:
                progress(done + received, total)
            if received > file.size:
                break
        if digest.hexdigest() != file.sha256:
            raise NetsheetError(
                f"{url}: what came is not the published file (its sha256 differs); "
                f"download it elsewhere and put it at {target}."
            )
    return done + file.size


def _chunks(url: str, target: Path) -> Iterator[bytes]:
    import urllib.request
    from http.client import HTTPException

    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            while chunk := answer.read(CHUNK):
                yield chunk
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise NetsheetError(
            f"{url}: cannot be downloaded ({reason}); download it elsewhere and put it at {target}."
        ) from error
