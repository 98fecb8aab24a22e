"""A training as it stands, in a file: everything that is needed to go on as if it had not ended."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netsheet.engine.optimizers import Weights
from netsheet.engine.rounds import Epoch
from netsheet.engine.training import Measured
from netsheet.equations import FloatArray
from netsheet.errors import FormatError, NetsheetError, UsageError
from netsheet.files import atomic

_DAMAGED = (
    OSError, ValueError, LookupError, TypeError, EOFError, AttributeError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip
SAMPLES, NETWORK = "samples", "network"  # conditions that are fingerprints, not options


@dataclass(frozen=True)
class Checkpoint:
    """What a training has reached after some epochs.

    ``conditions`` are what its result hangs on beside the number of epochs: options by name, and
    fingerprints of the samples and of the network that it began with.
    """

    conditions: Mapping[str, Any]
    history: Sequence[Epoch]
    weights: Weights
    slots: Weights
    steps: int
    best: Weights
    best_epoch: int
    start: float

    def write(self, path: Path) -> None:
        """The whole file or none."""
        arrays = {f"weight/{name}": array for name, array in self.weights.items()}
        arrays |= {f"slot/{name}": array for name, array in self.slots.items()}
        arrays |= {f"best/{name}": array for name, array in self.best.items()}
        about = {
            "conditions": dict(self.conditions), "steps": self.steps, "start": self.start,
            "best_epoch": self.best_epoch, "history": [asdict(epoch) for epoch in self.history],
        }  # fmt: skip
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Of a file.

        Raises:
            NetsheetError: it is not there.
            FormatError: it is no state of a training.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                arrays = {name: stored[name] for name in stored.files if name != "about"}
            return cls(
                about["conditions"], [_epoch(entry) for entry in about["history"]],
                _parts(arrays, "weight/"), _parts(arrays, "slot/"), int(about["steps"]),
                _parts(arrays, "best/"), int(about["best_epoch"]),
                float(about.get("start", math.nan)),
            )  # fmt: skip
        except FileNotFoundError:
            raise NetsheetError(
                f"{path}: is not there; there is no training to go on with."
            ) from None
        except _DAMAGED as error:
            raise FormatError(
                f"{path}: is no state of a training, or damaged. Train without --resume."
            ) from error

    def check(self, conditions: Mapping[str, Any], weights: Mapping[str, FloatArray]) -> None:
        """UsageError where a training under these conditions would be another one."""
        for name, now in conditions.items():
            begun = self.conditions.get(name)
            if begun == now:
                continue
            if name == SAMPLES:
                raise UsageError(
                    "--resume: this training began with other samples. Give it those again, or "
                    "train its network on with these: --arch, and another name to write."
                )
            if name == NETWORK:
                raise UsageError("--resume: this training began with another network (--arch).")
            if begun == "":
                raise UsageError(f"--resume: this training began without --{name} {now}.")
            if now == "":
                raise UsageError(f"--resume: this training began with --{name} {begun}; say so.")
            raise UsageError(f"--resume: this training began with {name} {begun}, not {now}.")
        if {n: a.shape for n, a in self.weights.items()} != {
            n: a.shape for n, a in weights.items()
        }:
            raise UsageError("--resume: this training began with another network (--arch).")


def fingerprint(arrays: Mapping[str, FloatArray]) -> str:
    """A short text that any change of a name, a shape or a value changes."""
    found = hashlib.sha256()
    for name, array in arrays.items():
        found.update(f"{name} {array.dtype} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def _parts(arrays: Mapping[str, FloatArray], prefix: str) -> Weights:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def _epoch(entry: Mapping[str, Any]) -> Epoch:
    held = entry["held_out"]
    return Epoch(entry["number"], Measured(**entry["trained"]), Measured(**held) if held else None)
