"""ONNX's own backend node tests through the equations and through generated C."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "node"))

from c_batch import through_c
from cases import PASSED, REFUSED, WRONG, Prepared, node_cases, operators, prepare
from run_node_tests import ENGINES, parallel, run

from netsheet.operators import elementwise
from netsheet.read.onnx import table

# What another generator of C passes; and what passed here when this was written.
ONNX2C = 624
PASSING = 1400


@pytest.fixture(scope="module")
def cases() -> list[Any]:
    return node_cases()


@pytest.fixture(scope="module", autouse=True)
def compiler() -> None:
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        pytest.skip("no C compiler")


def test_a_case_of_every_operator(cases: list[Any]) -> None:
    """The first case in which an operator is alone."""
    chosen: dict[tuple[str, ...], Any] = {}
    for case in cases:
        chosen.setdefault(operators(case), case)
    sample = [case for names, case in chosen.items() if len(names) == 1]
    results = run(sample, ENGINES["both"])
    for engine, outcomes in results.items():
        wrong = [(found.case, found.reason) for found in outcomes if found.state == WRONG]
        assert not wrong, engine
        states = Counter(found.state for found in outcomes)
        assert states[PASSED] >= 130, engine
        assert all(found.reason for found in outcomes if found.state == REFUSED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_every_case(seed: int) -> None:
    results = parallel(node_cases(seed), ENGINES["both"], workers=2)
    for engine, outcomes in results.items():
        assert len(outcomes) >= 1765
        wrong = [(found.case, found.reason) for found in outcomes if found.state == WRONG]
        assert not wrong, engine
        passed = sum(found.state == PASSED for found in outcomes)
        assert passed >= PASSING > ONNX2C, engine


def test_a_wrong_formula_is_noticed(cases: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table.RULES, "Softsign", elementwise.ROWS["Tanh"])
    chosen = [case for case in cases if case.name in ("test_softsign", "test_tanh")]
    for outcomes in run(chosen, ENGINES["both"]).values():
        found = {outcome.case: outcome.state for outcome in outcomes}
        assert found == {"test_softsign": WRONG, "test_tanh": PASSED}


def test_a_case_that_breaks_the_program_hides_no_other(cases: list[Any]) -> None:
    names = ["test_relu", "test_tanh", "test_sigmoid"]
    prepared = [found for case in cases if case.name in names
                if isinstance(found := prepare(case), Prepared)]  # fmt: skip
    broken = prepared[1]
    short = {name: array.reshape(-1)[:1] for name, array in broken.inputs[0].items()}
    outcomes = through_c([prepared[0], replace(broken, inputs=[short]), prepared[2]])
    assert [found.state for found in outcomes] == [PASSED, WRONG, PASSED]
