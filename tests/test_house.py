"""The house as its rules say: names, sizes, and the picture of it."""

from __future__ import annotations

import ast
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src/netsheet").rglob("*.py"))
LINES, FUNCTION = 400, 50
# Tables: what they hold is data, one row a class.
TABLES = {"read/keras/table.py"}


def test_one_word_is_one_thing() -> None:
    """No two public classes share a name."""
    found = defaultdict(list)
    for file in SOURCES:
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT / "src")))
def test_modules_and_functions_stay_small(file: Path) -> None:
    text = file.read_text("utf-8")
    if str(file.relative_to(ROOT / "src/netsheet")) not in TABLES:
        assert len(text.splitlines()) <= LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            # arguments and what they mean do not count, only what is done
            start = node.body[ast.get_docstring(node) is not None :][0].lineno if len(
                node.body) > 1 else node.lineno  # fmt: skip
            assert (node.end_lineno or 0) - start < FUNCTION, node.name


def test_public_things_say_what_they_are() -> None:
    """Every module, public class and public function has a docstring."""
    missing = []
    for file in SOURCES:
        tree = ast.parse(file.read_text("utf-8"))
        if tree.body and ast.get_docstring(tree) is None:
            missing.append(str(file))
        for node in tree.body:
            public = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_"
            if public and ast.get_docstring(node) is None:  # type: ignore[arg-type]
                missing.append(f"{file.name}: {node.name}")  # type: ignore[union-attr]
    assert missing == []


def test_no_imports_run_in_a_circle() -> None:
    """Inside a room as well, and inside functions; what only type checkers read does not count."""
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph("netsheet", exclude_type_checking_imports=True, cache_dir=None)
    needs = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(needs).prepare()  # CycleError names the circle
