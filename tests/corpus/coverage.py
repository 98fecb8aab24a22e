"""Write docs/coverage.md: what holds for every class of layer, from computing all corpora.

python tests/corpus/coverage.py             computes everything; takes minutes
python tests/corpus/coverage.py --check     only says whether the document lists every class
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from multiprocessing import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conftest import ROOT, SHARED
from corpus.reading import Entry, own, shared
from corpus.targets import EXCEL_CELLS, TARGETS, Opened, cells, judged, opened
from netsheet.fidelity import BOUND
from netsheet.layer import Layer
from netsheet.layers.composite import InnerCall
from netsheet.read.keras.table import TABLE as CLASSES
from netsheet.verify import TARGETS as TABLE

DOCUMENT = ROOT / "docs" / "coverage.md"
HEADS = {name: TABLE[name].title if name in TABLE else name for name in TARGETS}
OPERATIONS = {"TFOpLambda", "SlicingOpLambda"}


@dataclass(frozen=True)
class Found:
    """One output of a layer in a file, or the file's failure as a whole (``kind`` empty)."""

    entry: Entry
    target: str
    kind: str
    key: str
    ok: bool
    note: str = ""


def compute(entry: Entry) -> list[Found]:
    """Every output of a file through every target."""
    result: list[Found] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            case = opened(entry, Path(folder))
        except Exception as error:
            return [Found(entry, target, "", "", False, str(error)) for target in TARGETS]
        for target, computed in TARGETS.items():
            if target == "excel" and cells(case.model) > EXCEL_CELLS:
                continue
            try:
                outputs = judged(case, computed(case))
            except Exception as error:
                note = f"{type(error).__name__}: {error}"
                result += _whole(case, target, note)
                continue
            inside = {node.key: node.layer for node in case.model.nodes}
            for o in outputs:
                kinds = {_kind(o.kind, o.key)}
                layer = inside.get(re.sub(r"\[\d+\]$", "", o.key))
                kinds |= set(wrapped(layer)) if layer is not None else set()
                result += [Found(entry, target, kind, o.key, o.ok, o.note) for kind in kinds]
    return result


def wrapped(layer: Layer) -> Iterator[str]:
    """The classes of the layers and cells inside a wrapper."""
    for one in fields(layer):
        held = getattr(layer, one.name)
        for part in held if isinstance(held, tuple) else (held,):
            inner = part.layer if isinstance(part, InnerCall) else part
            if isinstance(inner, Layer) and "activation" not in one.name:
                yield inner.type
                yield from wrapped(inner)


def _whole(case: Opened, target: str, note: str) -> Iterator[Found]:
    """A file that fails as a whole fails for each of its layers."""
    for node in case.model.nodes:
        kind = _kind(node.layer.type, node.key)
        yield Found(case.entry, target, kind, node.key, False, node.refusal or note)


def _kind(kind: str, key: str) -> str:
    """The class of a layer; the function's own name for TensorFlow's functions."""
    if kind in OPERATIONS:
        return re.sub(r"_\d+$", "", key.split("/")[-1].split("#")[0].split("[")[0])
    return kind


# --------------------------------------------------------------------------- document


def _written() -> str:
    """What the columns of the table of targets are."""
    rows = [TABLE[name] for name in TARGETS if name in TABLE]
    return ", ".join(f"{row.title} {row.what} ({next(iter(row.engines))})" for row in rows)


def document(found: Iterable[Found], entries: Iterable[Entry]) -> str:
    """The document's text."""
    rows: dict[str, dict[str, list[Found]]] = defaultdict(lambda: defaultdict(list))
    for one in found:
        rows[one.kind][one.target].append(one)
    layers = sorted(kind for kind in rows if kind in CLASSES)
    nested = [kind for kind in rows if kind.startswith("(nested")]
    others = sorted(k for k in rows if k and not k.startswith("(") and k not in CLASSES)
    parts = [
        "# What holds",
        "",
        "Written by `python tests/corpus/coverage.py`, which opens every file of the corpora, "
        "computes it through every target and compares each layer's output with the value that "
        f"Keras computed. An output holds if it is within {BOUND:g} of it, relative to the "
        "layer's largest value (at least 1); files that compute in half precision are compared at "
        "theirs. A cell says how many of the outputs hold; a tick stands for all. An output of a "
        "wrapper counts for the layers in it as well.",
        "",
        "`run` is ONNX Runtime on netsheet's own graph, `equations` their evaluation in doubles, "
        f"{_written()} (workbooks of fewer than {EXCEL_CELLS:,} cells).",
        "",
        "## Layers",
        "",
        *_table("layer", [*layers, *nested], rows),
        "",
        "## Operations in Functional models",
        "",
        "Operations of `keras.ops` (Keras 3) and functions of TensorFlow (Keras 2, `tf.…`).",
        "",
        *_table("operation", others, rows),
        "",
        "## Files",
        "",
        *_dialects(entries, rows),
        "",
        "## Without a case",
        "",
        *without_case(set(layers)),
        "",
    ]
    return "\n".join(parts)


def _table(head: str, kinds: Iterable[str], rows: dict[str, dict[str, list[Found]]]) -> list[str]:
    lines = [
        f"| {head} | outputs | {' | '.join(HEADS.values())} |",
        f"|---|--:|{'---|' * len(HEADS)}",
    ]
    for kind in kinds:
        outputs = len(rows[kind]["run"])
        shown = [_cell(rows[kind][target]) for target in HEADS]
        lines.append(f"| {kind.strip('()')} | {outputs} | {' | '.join(shown)} |")
    return lines


def _cell(found: list[Found]) -> str:
    held = sum(one.ok for one in found)
    return "✓" if found and held == len(found) else f"{held} of {len(found)}"


def _dialects(entries: Iterable[Entry], rows: dict[str, dict[str, list[Found]]]) -> list[str]:
    """Files by Keras version and format, and how many hold as a whole."""
    failed: dict[str, set[str]] = defaultdict(set)
    done: dict[str, set[str]] = defaultdict(set)
    for targets in rows.values():
        for target, found in targets.items():
            for one in found:
                done[target].add(str(one.entry))
                if not one.ok:
                    failed[target].add(str(one.entry))
    groups: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        groups[group(entry)].append(str(entry))
    lines = [
        f"| written by | files | {' | '.join(HEADS.values())} |",
        f"|---|--:|{'---|' * len(HEADS)}",
    ]
    for name, files in sorted(groups.items()):
        shown = []
        for target in HEADS:
            tried = [file for file in files if file in done[target]]
            held = [file for file in tried if file not in failed[target]]
            all_hold = len(held) == len(tried) == len(files)
            shown.append("✓" if all_hold else f"{len(held)} of {len(tried)}")
        lines.append(f"| {name} | {len(files)} | {' | '.join(shown)} |")
    return lines


def group(entry: Entry) -> str:
    """A Keras version and a format."""
    suffix = "HDF5" if entry.file.endswith(".h5") else ".keras"
    return f"Keras {entry.keras}, {suffix}"


def without_case(covered: set[str]) -> list[str]:
    """The classes that are read, but that no file of the corpora has."""
    missing = sorted(set(CLASSES) - covered)
    if not missing:
        return ["Every class that is read has a case."]
    text = ", ".join(f"`{name}`" for name in missing)
    return [f"Read and computed, but in no file of the corpora: {text}."]


# --------------------------------------------------------------------------- commands


def outdated(text: str) -> list[str]:
    """Classes and operations that the document does not name."""
    words = set(re.findall(r"[\w.]+", text))
    return sorted(name for name in CLASSES if name not in words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only look whether all is listed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    if options.check:
        missing = outdated(DOCUMENT.read_text("utf-8"))
        if missing:
            raise SystemExit(f"docs/coverage.md does not name {', '.join(missing)}: write it anew")
        return
    entries = [*own(), *shared(SHARED)]
    with Pool(options.jobs) as pool:
        found: list[Found] = []
        for number, results in enumerate(pool.imap(compute, entries), 1):
            found += results
            print(f"\r{number} of {len(entries)} files", end="", file=sys.stderr)
    print(file=sys.stderr)
    for one in found:
        if not one.ok:
            print(f"{one.entry} {one.target} {one.key}: {one.note}")
    DOCUMENT.write_text(document(found, entries), encoding="utf-8")
    counts = Counter(one.target for one in found)
    held = Counter(one.target for one in found if one.ok)
    print("; ".join(f"{HEADS[t]} {held[t]} of {counts[t]}" for t in HEADS))


if __name__ == "__main__":
    main()
