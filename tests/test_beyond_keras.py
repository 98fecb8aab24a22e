"""The table of docs/files.md: what a current Keras cannot load, and netsheet computes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet

# file of the corpus of dialects: what Keras 3 says of it
FAIL_IN_KERAS_3 = {
    "k2_sep.h5": "groups|SeparableConv2D",
    "k2_rnn.h5": "time_major",
    "k2_td.h5": "time_major",
    "k2_shared.h5": "TFOpLambda",
    "k2_slice.h5": "SlicingOpLambda",
    "k2_mha.h5": "MultiHeadAttention",
    "k2_slash.h5": "d/x",
    "k2_frozen.h5": "BatchNormalization",
    "k2_rnn.keras": "keras.src.engine.functional",
    "k2_shared.keras": "keras.src.engine.functional",
    "k2_lam.h5": "Lambda",
    "k2_lam.keras": "keras.src.engine.functional",
    "k3_mha.h5": "too many positional arguments",
    "k3_shared.h5": "Unknown layer: 'Relu'",
}
# What half-precision references are worth.
BOUNDS = {"f2": 1e-3, "V2": 1e-2}
STRAYS = "models/str_ww_ref_model.h5"


def references(folder: Path) -> dict[str, Any]:
    files: dict[str, Any] = json.loads((folder / "manifest.json").read_text())["files"]
    return files


@pytest.fixture(scope="module")
def dialects(shared: Path) -> Path:
    folder = shared / "corpus" / "dialects"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return folder


@pytest.mark.parametrize("name", [n for n in FAIL_IN_KERAS_3 if "lam" not in n])
def test_netsheet_computes_what_the_writer_computed(name: str, dialects: Path) -> None:
    compare(dialects, name)


def test_netsheet_computes_the_files_of_keras_3(dialects: Path) -> None:
    names = [
        name for name, entry in references(dialects).items()
        if name.startswith("k3") and entry["status"] == "computes"
    ]  # fmt: skip
    assert len(names) >= 16
    for name in names:
        compare(dialects, name)


def compare(dialects: Path, name: str) -> None:
    reference = np.load(dialects / references(dialects)[name]["reference"])
    inputs = [reference[key] for key in reference if key.startswith("input:")]
    found = netsheet.load(dialects / name).predict(inputs if len(inputs) > 1 else inputs[0])
    outputs = [reference[key] for key in reference if key.startswith("final:")]
    for ours, theirs in zip(found if isinstance(found, list) else [found], outputs, strict=True):
        kept = values(theirs)
        bound = BOUNDS.get(theirs.dtype.kind + str(theirs.itemsize), 1e-5)
        np.testing.assert_allclose(ours, kept, atol=bound * max(1, np.abs(kept).max()), rtol=0)


def values(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """bfloat16 is stored as 2 bytes of anything."""
    if array.dtype.kind != "V":
        return array
    return (array.view("u2").astype("u4") << 16).view("f4")


@pytest.mark.parametrize("name", ["k2_lam.h5", "k2_lam.keras"])
def test_a_lambda_is_named_and_stays_closed(name: str, dialects: Path) -> None:
    refused = [row.refusal for row in netsheet.load(dialects / name).summary() if row.refusal]
    assert any("Lambda layer: its code is not run" in text for text in refused)


def test_hard_sigmoid_is_that_of_the_file(dialects: Path) -> None:
    compare(dialects, "k2_hs.h5")


# ------------------------------------------------------------------------------------ Keras itself


@pytest.mark.slow
@pytest.mark.parametrize("name", FAIL_IN_KERAS_3)
def test_keras_3_does_not_load_it(name: str, dialects: Path) -> None:
    keras = pytest.importorskip("keras", minversion="3.15")
    with pytest.raises(Exception, match=FAIL_IN_KERAS_3[name]):
        keras.models.load_model(dialects / name, compile=False)


@pytest.mark.slow
def test_keras_2_loads_no_file_of_keras_3(dialects: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    for path in sorted(dialects.glob("k3_*")):
        if path.suffix in (".h5", ".keras") and "weights" not in path.name:
            with pytest.raises(Exception, match=r"batch_shape|functional|InputLayer|Dense"):
                tf_keras.models.load_model(path, compile=False)


@pytest.mark.slow
def test_keras_3_computes_something_else_with_hard_sigmoid(dialects: Path) -> None:
    keras = pytest.importorskip("keras", minversion="3.15")
    reference = np.load(dialects / references(dialects)["k2_hs.h5"]["reference"])
    (x,) = (reference[key] for key in reference if key.startswith("input:"))
    (y,) = (reference[key] for key in reference if key.startswith("final:"))
    model = keras.models.load_model(dialects / "k2_hs.h5", compile=False)
    assert np.abs(np.asarray(model(x)) - y).max() > 1e-3


@pytest.mark.slow
def test_a_published_network_that_keras_3_does_not_load(shared: Path) -> None:
    keras = pytest.importorskip("keras", minversion="3.15")
    tf_keras = pytest.importorskip("tf_keras")
    with pytest.raises(TypeError, match="groups"):
        keras.models.load_model(shared / STRAYS, compile=False)
    model = tf_keras.models.load_model(shared / STRAYS, compile=False)
    x = np.random.default_rng(2).standard_normal((2, *model.input_shape[1:])).astype("f4")
    expected = np.asarray(model(x))
    np.testing.assert_allclose(netsheet.load(shared / STRAYS).predict(x), expected, atol=1e-5)


@pytest.mark.slow
def test_the_counts_of_the_documentation(shared: Path) -> None:
    """Files of one corpus that Keras 3 and tf_keras load."""
    keras = pytest.importorskip("keras", minversion="3.15")
    tf_keras = pytest.importorskip("tf_keras")
    loaded = {}
    for library, version in ((keras, "k2"), (tf_keras, "k3")):
        files = [
            path for path in sorted((shared / "corpus" / "open").glob(f"{version}_*"))
            if path.suffix in (".h5", ".keras") and "weights" not in path.name
        ]  # fmt: skip
        loaded[version] = (len(files), sum(_loads(library, path) for path in files))
    text = (Path(__file__).parent.parent / "docs" / "files.md").read_text()
    match = re.search(
        r"Of (\d+) files.*?loads (\d+);\ntf_keras 2.21 loads none of the (\d+)", text, re.S
    )
    assert match
    assert loaded == {
        "k2": (int(match[1]), int(match[2])), "k3": (int(match[3]), 0)
    }  # fmt: skip


def _loads(library: Any, path: Path) -> bool:
    try:
        library.models.load_model(path, compile=False)
    except Exception:
        return False
    return True
