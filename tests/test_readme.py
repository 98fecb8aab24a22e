"""Every command and every line of Python of both READMEs, typed as it stands after the demo.

The commands of the Japanese pages, too, and every link between pages.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import warm_start
from netsheet.data import __file__ as data_room

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = Path(data_room).parent / "sample"
READMES = {"en": ROOT / "README.md", "ja": ROOT / "README.ja.md"}
OWN_DATA = ROOT / "docs" / "own-data.md"
PAGES = sorted((ROOT / "docs" / "ja").glob("*.md"))
# What a command needs beside the package, by a word of it: a program on the path.
PROGRAMS = {"qemu-cortex-m4": "qemu-system-arm", "verify digits.h5 --target c": "cc",
            "verify mine.h5 --target c": "cc"}  # fmt: skip


def commands(readme: Path) -> list[tuple[str, list[str]]]:
    """Each command without its comment, and the lines of output that are shown below it."""
    found: list[tuple[str, list[str]]] = []
    for line in readme.read_text("utf-8").splitlines():
        if line.startswith("    $ netsheet "):
            found.append((re.sub(r"\s+#.*", "", line[len("    $ netsheet ") :]), []))
        elif found and line.startswith("    ") and line.strip() not in ("", "..."):
            found[-1][1].append(line.strip())
        elif line.startswith(("#", "```")):
            found.append(("", []))
    return [(command, shown) for command, shown in found if command]


def python_of(readme: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", readme.read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What netsheet demo leaves that the READMEs begin with (test_demo.py runs it)."""
    folder = tmp_path_factory.mktemp("demo")
    for name in ("digits.h5", "digit5.png"):
        shutil.copy(SAMPLE / name, folder)
    shutil.copytree(SAMPLE / "digits", folder / "digits")
    return folder


def numbers(lines: list[str]) -> list[str]:
    return re.findall(r"\d[\d.,]*", " ".join(lines))


def test_both_readmes_have_the_same_commands() -> None:
    english, japanese = (commands(readme) for readme in READMES.values())
    assert len(english) > 15
    assert [c for c, _ in english] == [c for c, _ in japanese]
    assert [numbers(shown) for _, shown in english] == [numbers(shown) for _, shown in japanese]


def typed(folder: Path, page: Path, language: str) -> None:
    for command, shown in commands(page):
        absent = any(w in command and not shutil.which(p) for w, p in PROGRAMS.items())
        if absent or ("--target excel" in command and not find_spec("ironcalc")):
            continue
        spoken = {**os.environ, "PYTHONIOENCODING": "utf-8", "NETSHEET_LANG": language}
        if page == READMES["en"]:
            done = subprocess.run(
                [sys.executable, "-m", "netsheet", *command.split()],
                cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False,
                env=spoken,
            )  # fmt: skip
        else:
            done = warm_start.netsheet(*command.split(), cwd=folder, env=spoken)
        assert done.returncode == 0, (command, done.stderr)
        printed = [line.strip() for line in done.stdout.splitlines()]
        for line in shown:
            assert line in printed, (command, line)


@pytest.mark.parametrize("language", READMES)
def test_every_command_can_be_typed_and_prints_what_is_shown(demo: Path, language: str) -> None:
    typed(demo, READMES[language], language)


# The page on int8 follows a published network, and has tests of its own (test_int8_docs.py).
TYPED = [page for page in PAGES if page.stem != "int8"]


# The page on one's own data has the commands of the English one, which is typed below.
AGAIN = [pytest.param(p, marks=pytest.mark.slow) if p.stem == "own-data" else p for p in TYPED]


@pytest.mark.parametrize("page", AGAIN, ids=lambda page: page.stem)
def test_the_commands_of_the_japanese_pages_can_be_typed(
    demo: Path, page: Path, request: pytest.FixtureRequest
) -> None:
    if page.stem == "own-data":
        request.getfixturevalue("photographed")
    typed(demo, page, "ja")


@pytest.fixture(scope="module")
def photographed(demo: Path) -> None:
    """The photographs that the page of one's own data begins with, as it says."""
    script = ROOT / "tools" / "make_photographs.py"
    words = [sys.executable, script, "digits", "photos"]
    assert "python tools/make_photographs.py digits photos" in OWN_DATA.read_text("utf-8")
    subprocess.run(words, cwd=demo, check=True)


@pytest.mark.usefixtures("photographed")
def test_a_sitting_with_photographs(demo: Path) -> None:
    """From a folder of photographs to network, report, workbook, C and their proofs."""
    japanese = ROOT / "docs" / "ja" / "own-data.md"
    assert [c for c, _ in commands(OWN_DATA)] == [c for c, _ in commands(japanese)]
    typed(demo, OWN_DATA, "en")
    assert (demo / "report" / "index.html").is_file()
    assert 'NET_CLASS_NAMES {"0", "1",' in (demo / "mine-c" / "net.h").read_text("utf-8")


def test_links_between_pages_lead_somewhere() -> None:
    linked = set()
    for page in (*READMES.values(), *(ROOT / "docs").rglob("*.md")):
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if "://" not in target:
                place = (page.parent / target).resolve()
                assert place.is_file(), (page.name, target)
                linked.add((page, place))
    japanese = {place for page, place in linked if page == READMES["ja"] and place.suffix == ".md"}
    # what a Japanese reader is led to is Japanese, and links back to the English original
    assert {place.parent.name for place in japanese - {READMES["en"]}} == {"ja"}
    assert set(PAGES) <= {place for page, place in linked if page.parent.name != "docs"}
    for page in PAGES:
        assert re.search("[\u3040-\u30ff]", page.read_text("utf-8"))
        assert (page, ROOT / "docs" / page.name) in linked


COLAB = """
import json, sys, types
colab = types.ModuleType("google.colab")
colab.drive = types.SimpleNamespace(mount=lambda at: None)
colab.files = types.SimpleNamespace(download=lambda name: open("downloaded", "w").write(name))
sys.modules["google.colab"] = colab
"""


@pytest.mark.parametrize("language", READMES)
def test_the_python_of_the_readmes_runs(demo: Path, language: str) -> None:
    colab, plain = python_of(READMES[language])
    assert "!pip install -q /content/drive/MyDrive/netsheet\n" in colab
    colab = re.sub("^!.*$", "", colab, flags=re.MULTILINE)
    colab = colab.replace("/content/drive/MyDrive/", f"{demo.as_posix()}/")
    script = f"{COLAB}\n{colab}\n{plain}\nprint(json.dumps(len(m._repr_html_())))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=demo, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) > 100
    assert (demo / (demo / "downloaded").read_text()).stat().st_size > 10_000
