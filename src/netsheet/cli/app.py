"""The commands, and what happens when one fails."""

from __future__ import annotations

import sys

import netsheet
from netsheet.cli import artefacts, inspect
from netsheet.cli.command import Program
from netsheet.errors import NetsheetError, one_line

PROGRAM = Program(
    "netsheet",
    "Open a trained neural network and see, check and carry everything in it.",
    netsheet.__version__,
    (
        inspect.summary, inspect.evaluate, inspect.weights, inspect.activations,
        inspect.equations, artefacts.csv, artefacts.excel, artefacts.c, artefacts.onnx,
        artefacts.verify, artefacts.demo,
    ),
)  # fmt: skip


def main() -> None:
    """Runs the command line; a failure is one sentence on standard error and an exit code."""
    try:
        code = PROGRAM.run(sys.argv[1:])
    except NetsheetError as error:
        print(f"netsheet: {one_line(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("netsheet: interrupted", file=sys.stderr)
        sys.exit(130)
    except MemoryError:
        print("netsheet: there is not enough memory for this", file=sys.stderr)
        sys.exit(1)
    if code:
        sys.exit(code)
