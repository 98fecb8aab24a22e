"""The page: its engine by Node, its text, its sizes and what a file may not make it do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from netsheet.data.inputs import Sample, read_input
from netsheet.equations import FUNCTIONS, WHOLE_FUNCTIONS
from netsheet.errors import NetsheetError, UsageError
from netsheet.model import Model
from netsheet.verify import verify
from netsheet.write.page import page_html, to_page
from netsheet.write.page.document import as_json
from netsheet.write.page.notebook import samples_from
from netsheet.write.page.spelling import SPELLED

node = pytest.mark.skipif(not shutil.which("node"), reason="there is no node")


@pytest.fixture(scope="module")
def network(seed: Path) -> Model:
    return netsheet.load(seed / "my_model.h5")


@pytest.fixture(scope="module")
def digit(seed: Path, network: Model) -> Sample:
    return read_input(seed / "digit5.png", network.inputs)


@pytest.fixture(scope="module")
def text(network: Model, digit: Sample) -> str:
    return page_html(network, samples=[digit])


def data_of(text: str) -> dict[str, Any]:
    """What the page holds."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_every_function_is_spelled() -> None:
    assert set(SPELLED) == {*FUNCTIONS, *WHOLE_FUNCTIONS}


@node
@pytest.mark.parametrize(
    "file", ["models/pretrainedResnet.h5", "models/str_ww_ref_model.h5", "models/ad01.h5"]
)
def test_the_engine_computes_real_networks(shared: Path, file: str) -> None:
    model = netsheet.load(shared / file)
    from netsheet.data.probe import probe

    verdict = verify(model, "page", [probe(model)], engine="node")
    assert verdict.ok, verdict.first_failure


@node
@pytest.mark.parametrize("file", ["my_model.h5", "my_model_channels_last.h5"])
def test_the_engine_computes_the_seed(seed: Path, file: str) -> None:
    model = netsheet.load(seed / file)
    sample = read_input(seed / "digit5.png", model.inputs)
    assert verify(model, "page", [sample], engine="node").ok


def test_only_its_own_scripts_run(text: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    allowed = policy[1].replace("&#x27;", "'")
    assert "default-src 'none'" in allowed and "unsafe-eval" not in allowed
    scripts = re.findall(r"<script(?: id=\"engine\")?>(.*?)</script>", text, re.S)
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in allowed


def test_nothing_is_loaded_and_nothing_is_read_as_html(text: str) -> None:
    code = re.sub(r"http://www\.w3\.org/2000/svg", "", text)
    assert not re.search(r"https?://|<link|<img|<iframe| src=", code)
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in code


def test_names_cannot_end_the_script() -> None:
    hostile = {"name": "</script><script>alert(1)</script><!--", "line": "\u2028"}
    stored = as_json(hostile)
    assert "<" not in stored and "\u2028" not in stored
    assert json.loads(stored) == hostile


def test_sizes(text: str, shared: Path) -> None:
    weights = len(data_of(text)["values"]["plain"])
    assert len(text.encode()) <= 200_000
    resnet = netsheet.load(shared / "models/pretrainedResnet.h5")
    assert len(page_html(resnet).encode()) <= 600_000
    stored = len(json.dumps(data_of(text)))
    assert len(text.encode()) - stored <= 150_000, "engine and interface"
    assert weights < 4 * 650 * 1.4


def test_an_unknown_language_and_layer_are_refused(network: Model, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="languages are en and ja"):
        to_page(network, tmp_path / "a.html", lang="xx")
    with pytest.raises(UsageError, match="there is no layer 'nothing'"):
        to_page(network, tmp_path / "a.html", until="nothing")
    assert not list(tmp_path.iterdir())


def test_a_page_ends_at_the_layer_asked_for(network: Model, digit: Sample) -> None:
    keys = [n["key"] for n in data_of(page_html(network, samples=[digit], until="conv2"))["nodes"]]
    assert keys == ["conv1", "maxpool1", "activation_4", "conv2"]


def test_a_notebook_shows_it_in_a_frame_without_rights(network: Model, digit: Sample) -> None:
    x = digit.arrays[0][None]
    shown = network.show(x)._repr_html_()
    assert 'sandbox="allow-scripts allow-downloads"' in shown
    assert shown.startswith("<iframe srcdoc=") and "<script" not in shown
    assert data_of(network.show(x, layer="conv2").html)["first"] == "conv2"
    with pytest.raises(UsageError, match="there is no layer"):
        network.show(x, layer="none")


def test_inputs_of_a_notebook(network: Model) -> None:
    x = np.zeros((20, 1, 28, 28))
    assert len(samples_from(network, x)) == 16
    assert samples_from(network, {network.inputs[0].name: x})[1].arrays[0].shape == (1, 28, 28)
    with pytest.raises(UsageError, match="takes a batch of"):
        samples_from(network, np.zeros((28, 28)))


def test_a_network_without_a_computed_layer_is_refused(shared: Path) -> None:
    folder = shared / "corpus/dialects"
    weights = next(folder.glob("*weights*only*"), None) or next(folder.glob("*weights*"), None)
    if weights is None:
        pytest.skip("no file of weights alone")
    with pytest.raises(NetsheetError):
        page_html(netsheet.load(weights))


def test_the_example_of_the_documentation_is_of_today(tmp_path: Path) -> None:
    """python tools/page_pictures.py writes it anew."""
    import runpy

    root = Path(__file__).resolve().parent.parent
    tool = runpy.run_path(str(root / "tools/page_pictures.py"))
    tool["write_example"](tmp_path / "example.html")
    made, kept = (
        (folder / "example.html").read_text("utf-8") for folder in (tmp_path, root / "docs")
    )
    without = [re.sub(r'id="data">.*?</script>', "", text, flags=re.S) for text in (made, kept)]
    assert without[0] == without[1]
    new, old = data_of(made), data_of(kept)
    assert [node["key"] for node in new["nodes"]] == [node["key"] for node in old["nodes"]]
    assert new["values"] == old["values"]


def test_a_page_too_large_for_a_browser_is_refused(
    network: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsheet.write.page.MAX_BYTES", 20_000)
    with pytest.raises(NetsheetError, match=r"650 weights and .* values .* --until LAYER"):
        to_page(network, tmp_path / "a.html")
    assert not list(tmp_path.iterdir())
    to_page(network, tmp_path / "a.html", until="maxpool1")
