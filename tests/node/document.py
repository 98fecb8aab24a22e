"""Writes docs/onnx.md: what becomes of ONNX's own node tests, operator by operator.

    python tests/node/document.py

A case counts for the operator that it is named after: cases of a single node, and the expanded
forms of functions under "expanded".
"""

from __future__ import annotations

import sys
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from cases import PASSED, REFUSED, WRONG, Outcome, node_cases
from run_node_tests import ENGINES, parallel

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "onnx.md"
PYTORCH = ROOT / "tests" / "onnx_files" / "pytorch.zip"
MANY = "graphs of several operators (functions written out)"

HEAD = """# ONNX

Written by `python tests/node/document.py`; not edited by hand.

`netsheet summary|evaluate|weights|activations|equations|csv|excel|c|onnx|verify model.onnx` reads
operator sets from 7 on, with the batch axis taken away so that every target sees one sample. Shapes
that the graph works out itself (Shape, Gather, Concat, Reshape, ...) and constants are known while
reading; sequences (SplitToSequence, SequenceAt, ConcatFromSequence, ...) are taken apart. Nodes
that are not computed are shown with the reason, and everything before them is computed.

Every operator asks first whether its inputs' shapes go together; a contradiction is refused by
name, with the sizes, and never cut off or filled in. `com.microsoft` operators of ONNX Runtime's
optimiser and quantiser (QGemm, QLinearAdd, FusedConv, DynamicQuantizeMatMul, ...) and `ai.onnx.ml`
scalers, normalisers and linear models are computed; for classes that are texts their numbers stand.

## The batch axis

The first axis of the inputs counts samples if it is symbolic or 1, the outputs keep it, and nothing
adds up or steps along it; so PyTorch's (time, batch, unit) and clouds of points are no batches, and
`netsheet summary` says so. `--batch-axis none`, an axis's number or its name overrides it
(`netsheet.load(path, batch_axis=...)`).

## Writing

`netsheet onnx` writes operator set 17, checked by ONNX's own checker. Layers' names are kept; of an
ONNX file the names and the rank of inputs and outputs, too. `netsheet csv --import` puts edited
weights into a copy of the file.

## Open sizes

Sizes that are open in the file but decided by stored weights (the channels of a kernel, the rows of
a matrix, the features of an LSTM) are read from these, and `netsheet summary` says so; the others
take the sizes of an input (`--input`).

## Verifying

For every target the reference is the original file in ONNX Runtime, its intermediate values marked
as outputs; where ONNX Runtime does not take the file, or computes in half precision, it is the
equations in doubles, and the verdict says so.

## Tried

- ONNX's own backend node tests, below.
- {files} files that PyTorch's two exporters wrote of {networks} networks (convolutional,
  MobileNetV2, U-Net, LSTM, GRU, transformer, ...), against what PyTorch computed:
  `tests/test_onnx_pytorch.py`.
- Every way in which an operator was written from version 7 to 23, against ONNX Runtime:
  `tests/test_onnx_opsets.py`.
- Sizes that contradict, in every operator, against ONNX Runtime and under the sanitizers:
  `tests/test_shapes.py`; an hour of it by `make fuzz`.

## Node tests of onnx {version}

Each case through the equations (in doubles) and through generated C (float32; compiled with all
warnings as errors). Refused means: said by name, nothing computed. Inputs that decide a shape and
kernels of convolutions are given while reading.

| | cases | passed | refused | wrong |
|---|---:|---:|---:|---:|
"""


def table(results: dict[str, list[Outcome]]) -> str:
    """The sums, and a line for each operator."""
    lines = []
    for engine, outcomes in results.items():
        states = Counter(found.state for found in outcomes)
        lines.append(
            f"| {engine} | {len(outcomes):,} | {states[PASSED]:,} | {states[REFUSED]:,} | "
            f"{states[WRONG]:,} |"
        )
    lines += ["", "| operator | cases | passed, equations | passed, C | refused because |",
              "|---|---:|---:|---:|---|"]  # fmt: skip
    groups: dict[str, dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    for engine, outcomes in results.items():
        for found in outcomes:
            name = found.operators[0] if len(found.operators) == 1 else MANY
            groups[name][engine].append(found)
    for name in sorted(groups, key=lambda name: (name == MANY, name)):
        lines.append(_line(name, groups[name]))
    return "\n".join(lines) + "\n"


def _line(name: str, by_engine: dict[str, list[Outcome]]) -> str:
    counts = [sum(f.state == PASSED for f in outcomes) for outcomes in by_engine.values()]
    outcomes = next(iter(by_engine.values()))
    reasons = Counter(_short(found.reason) for found in outcomes if found.state == REFUSED)
    said = "; ".join(reason for reason, _ in reasons.most_common(2 if name != MANY else 0))
    numbers = " | ".join(map(str, counts))
    return f"| {name} | {len(outcomes)} | {numbers} | {said.replace('|', '/')} |"


def _short(reason: str) -> str:
    text = reason.splitlines()[0]
    return text if len(text) <= 90 else f"{text[:87]}..."


def head() -> str:
    """The text before the table."""
    import onnx

    with zipfile.ZipFile(PYTORCH) as archive:
        names = [name for name in archive.namelist() if name.endswith(".onnx")]
    networks = len({name.split(".")[0] for name in names})
    return HEAD.format(files=len(names), networks=networks, version=onnx.__version__)


def main() -> int:
    """Runs everything and writes the document; fails where a result is wrong."""
    cases = node_cases()
    results = parallel(cases, ENGINES["both"], workers=2)
    DOCUMENT.write_text(head() + table(results), encoding="utf-8")
    return int(any(found.state == WRONG for group in results.values() for found in group))


if __name__ == "__main__":
    sys.exit(main())
