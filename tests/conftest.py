"""Where the real models and published numbers lie, for every test."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import hypothesis
import pytest

# Made-up cases are the same at every run, so that a run says something about a change and nothing
# else; `make fuzz` makes up others.
hypothesis.settings.register_profile("suite", derandomize=True, database=None)
hypothesis.settings.register_profile("fuzz", max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("NETSHEET_HYPOTHESIS", "suite"))

# Many tests start the program: with its modules compiled once, each start is a third shorter.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_finish() -> None:
    """Leaves what the modules have made out of every search for garbage, and searches less."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)


def pytest_runtest_setup() -> None:
    """Lets Keras compute without compiling: each network is asked once, and compiling takes longer.

    As soon as TensorFlow is there: most tests have no need of it.
    """
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and hasattr(tensorflow, "config"):
        tensorflow.config.run_functions_eagerly(True)


ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("NETSHEET_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real models and published numbers; the test is skipped where it is absent."""
    if not (SHARED / "seed" / "my_model.h5").is_file():
        pytest.skip(f"no {SHARED}: set NETSHEET_SHARED to the folder of real models")
    return SHARED


@pytest.fixture(scope="session")
def seed(shared: Path) -> Path:
    """The published network's folder."""
    return shared / "seed"
