"""Runs ONNX's own backend node tests through the equations and through generated C.

    python tests/node/run_node_tests.py [--engine equations|c|both] [--only PART] [--list]
                                        [--sanitize] [--seed N] [--workers N]

Prints how many pass, are refused by name, are wrong. Inputs that decide a shape (the shape of a
Reshape, the axes of a reduction) and kernels are fixed to the case's values while reading, and
counted. Integers are carried as real numbers: cases with values beyond 2^24 are refused.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from c_batch import through_c
from cases import PASSED, REFUSED, WRONG, Outcome, node_cases, prepare, through_equations

ENGINES = {"equations": ("equations",), "c": ("C",), "both": ("equations", "C")}
TOGETHER = 24  # cases in one C program

Results = dict[str, list[Outcome]]


def run(cases: Sequence[Any], engines: Sequence[str], sanitize: bool = False) -> Results:
    """The outcomes of some cases, in order, by engine."""
    prepared = [prepare(case) for case in cases]
    results: Results = {}
    for engine in engines:
        outcomes = [found for found in prepared if isinstance(found, Outcome)]
        todo = [found for found in prepared if not isinstance(found, Outcome)]
        if engine == "C":
            outcomes += through_c(todo, sanitize)
        else:
            outcomes += [through_equations(found) for found in todo]
        by_name = {found.case: found for found in outcomes}
        results[engine] = [by_name[case.name] for case in cases]
    return results


def parallel(
    cases: Sequence[Any], engines: Sequence[str], workers: int, sanitize: bool = False
) -> Results:
    """As :func:`run`, in several processes."""
    portions = [cases[n : n + TOGETHER] for n in range(0, len(cases), TOGETHER)]
    jobs = [(portion, engines, sanitize) for portion in portions]
    results: Results = {engine: [] for engine in engines}
    for part in _mapped(jobs, workers):
        for engine, outcomes in part.items():
            results[engine] += outcomes
    return results


def _mapped(jobs: Sequence[Any], workers: int) -> Iterator[Results]:
    if workers < 2:
        yield from (run(*job) for job in jobs)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_job, jobs)


def _job(job: Any) -> Results:
    return run(*job)


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--engine", choices=list(ENGINES), default="both")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--list", action="store_true", help="name every case that does not pass")
    parser.add_argument("--sanitize", action="store_true", help="C under gcc's sanitizers")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers in the cases")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    cases = [case for case in node_cases(options.seed) if options.only in case.name]
    engines = ENGINES[options.engine]
    results = parallel(cases, engines, options.workers, options.sanitize)
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
