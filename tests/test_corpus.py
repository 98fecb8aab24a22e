"""Every file of every corpus, through every target, against the values that Keras computed.

The quick part runs all files through ONNX Runtime and the equations, and some through C and a
workbook; the slow part runs all of them through everything.
"""

from __future__ import annotations

import functools
import importlib.util
import shutil
from pathlib import Path

import pytest

from conftest import SHARED
from corpus.coverage import DOCUMENT, outdated
from corpus.reading import Entry, own, shared
from corpus.targets import EXCEL_CELLS, TARGETS, Opened, cells, judged, opened

EVERY = [*own(), *shared(SHARED)]
OPEN = {str(entry): entry for entry in EVERY}

# One file for each family of layers, for the targets that take a compiler or a workbook.
SOME = (
    "own/k2_conv2d.h5", "own/k3_depthwise.keras", "own/k2_transposed2d.h5", "own/k3_pool2d.keras",
    "own/k3_first_chain.keras", "own/k2_gru.h5", "own/k3_bidirectional.keras", "own/k2_masking.h5",
    "own/k3_heads.keras", "own/k2_broadcasts.h5", "own/k3_group_norms.keras",
    "own/k2_time_distributed.h5", "own/k3_japanese.keras", "own/k3_words.keras",
    "own/k2_siamese.h5", "own/k3_transformer.keras", "own/k3_resizing.keras",
    "own/k3_ops_reductions.keras", "own/k2_lambdas_shapes.h5", "own/k3_activation_layers.keras",
)  # fmt: skip


@functools.cache
def case(name: str, folder: Path) -> Opened:
    """A file, opened once."""
    return opened(OPEN[name], folder)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where files of the archives are unpacked."""
    return tmp_path_factory.mktemp("corpus")


def check(entry: Entry, target: str, folder: Path) -> None:
    """Every layer computes, and within the bound."""
    if target == "c" and not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        pytest.skip("there is no C compiler")
    if target == "page" and not shutil.which("node"):
        pytest.skip("there is no node to run a page's engine")
    if target == "excel" and importlib.util.find_spec("ironcalc") is None:
        pytest.skip("there is no engine for workbooks: pip install ironcalc")
    found = case(str(entry), folder)
    refused = [f"{node.key}: {node.refusal}" for node in found.model.nodes if node.refusal]
    assert not refused
    if target == "excel" and cells(found.model) > EXCEL_CELLS:
        pytest.skip(f"more than {EXCEL_CELLS:,} cells")
    results = judged(found, TARGETS[target](found))
    assert results
    assert not [result for result in results if not result.ok]


@pytest.mark.parametrize("target", ["run", "equations"])
@pytest.mark.parametrize("entry", EVERY, ids=str)
def test_computes(entry: Entry, target: str, folder: Path) -> None:
    check(entry, target, folder)


@pytest.mark.parametrize("target", ["c", "excel", "onnx", "page"])
@pytest.mark.parametrize("name", SOME)
def test_some_through_artefacts(name: str, target: str, folder: Path) -> None:
    check(OPEN[name], target, folder)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["c", "excel", "onnx", "page"])
@pytest.mark.parametrize("entry", EVERY, ids=str)
def test_all_through_artefacts(entry: Entry, target: str, folder: Path) -> None:
    check(entry, target, folder)


def test_the_coverage_table_lists_every_class() -> None:
    assert not outdated(DOCUMENT.read_text("utf-8")), "python tests/corpus/coverage.py writes it"
