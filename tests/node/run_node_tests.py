"""Runs ONNX's own backend node tests through the equations and through generated C.

    python tests/node/run_node_tests.py [--engine equations|c|both] [--only PREFIX] [--list]

Prints how many pass, are refused by name, are wrong. Inputs that decide a shape (the shape of a
Reshape, the axes of a reduction) and kernels are fixed to the case's values while reading, and
counted. Integers are carried as real numbers: cases with values beyond 2^24 are refused.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from cases import PASSED, REFUSED, WRONG, Outcome, Run, by_c, by_equations, node_cases, outcome

ENGINES: dict[str, list[tuple[str, Run]]] = {
    "equations": [("equations", by_equations)],
    "c": [("C", by_c)],
    "both": [("equations", by_equations), ("C", by_c)],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=list(ENGINES), default="both")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--list", action="store_true", help="name every case that does not pass")
    options = parser.parse_args()
    engines = ENGINES[options.engine]
    cases = [case for case in node_cases() if options.only in case.name]
    results: dict[str, list[Outcome]] = {name: [] for name, _ in engines}
    for case in cases:
        for (name, _), found in zip(engines, outcome(case, [r for _, r in engines]), strict=True):
            results[name].append(found)
    for name, outcomes in results.items():
        report(name, outcomes, options.list)
    return int(any(found.state == WRONG for group in results.values() for found in group))


def report(engine: str, outcomes: Sequence[Outcome], everything: bool) -> None:
    """The table for one engine."""
    states = Counter(found.state for found in outcomes)
    passed = [found for found in outcomes if found.state == PASSED]
    fixed = sum(bool(found.fixed) for found in passed)
    print(
        f"{engine}: {len(outcomes)} cases: {states[PASSED]} passed ({fixed} of them with an input "
        f"fixed while reading), {states[REFUSED]} refused, {states[WRONG]} wrong"
    )
    reasons: dict[str, list[Outcome]] = {}
    for found in outcomes:
        if found.state == REFUSED:
            reasons.setdefault(found.reason.splitlines()[0][:100], []).append(found)
    for reason, group in sorted(reasons.items(), key=lambda item: -len(item[1])):
        print(f"  {len(group):5}  {reason}")
        if everything:
            print("         " + " ".join(found.case for found in group))
    for found in outcomes:
        if found.state == WRONG:
            print(f"  WRONG  {found.case} ({', '.join(found.operators)}): {found.reason}")


if __name__ == "__main__":
    sys.exit(main())
