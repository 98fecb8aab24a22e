"""Layers whose sizes contradict are refused with the sizes, or computed as Keras computes them."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import netsheet
from corpus import changed_sizes
from corpus.one_layer import Document

BRIEF = 100  # cases in the suite, always the same; NETSHEET_FUZZ_SECONDS takes new ones

keras = pytest.importorskip("keras")


def test_sizes_that_contradict_are_refused_or_right() -> None:
    """Keras is the judge; what is computed is also compiled under the sanitizers."""
    pytest.importorskip("tf_keras")
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        pytest.skip("no C compiler")
    seconds = float(os.environ.get("NETSHEET_FUZZ_SECONDS", 0))
    if seconds:
        counts, findings = changed_sizes.fuzz(seconds, int(time.time()))
    else:
        counts, findings = changed_sizes.fuzz(600, 0, BRIEF)
        assert counts["cases"] == BRIEF
    assert counts["refused"] > counts["cases"] / 5
    assert counts["compiled"] > counts["cases"] / 5
    assert not findings, "\n".join(findings)


def _said(shape: tuple[int, ...], layer: Any, change: dict[str, Any], folder: Path) -> str:
    """Why netsheet refuses the layer when arguments become others than it was stored with."""
    inputs = keras.Input(shape)
    path = folder / "one.keras"
    keras.Model(inputs, layer(inputs)).save(path)
    document = Document.of(path.read_bytes())
    document.config["config"]["layers"][1]["config"].update(change)
    path.write_bytes(document.bytes())
    with pytest.raises(Exception):  # noqa: B017 - Keras has no error of its own for it
        keras.models.load_model(path)(keras.ops.ones((1, *shape)))
    (node,) = netsheet.load(path).nodes
    assert node.refusal is not None
    return node.refusal


L = keras.layers
CONTRADICTIONS: dict[str, tuple[tuple[int, ...], Callable[[], Any], dict[str, Any], str]] = {
    "layer norm": (
        (3, 4), lambda: L.LayerNormalization(axis=2), {"axis": [1, 2]}, "gamma.*2 axes"
    ),
    "rms norm": (
        (3, 4), lambda: L.RMSNormalization(axis=2), {"axis": [1, 2]}, "scale.*2 axes"
    ),
    "prelu": ((3, 4), lambda: L.PReLU(shared_axes=[1]), {"shared_axes": [2]}, "alpha has the"),
    "einsum": (
        (3, 4), lambda: L.EinsumDense("abc,cd->abd", (3, 5)), {"output_shape": [3, 6]}, r"\(3, 5\)"
    ),
    "gru": ((3, 4), lambda: L.GRU(2), {"reset_after": False}, "bias"),
    "padding": ((9, 2), lambda: L.MaxPooling1D(2), {"padding": "causal"}, "valid or same"),
    "vector": ((4,), lambda: L.RepeatVector(2), {"n": 0}, "a positive number"),
    "rescaling": ((4,), lambda: L.Rescaling([1.0, 2, 3, 4]), {"scale": [1.0, 2.0]}, "2 values"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_named(name: str, tmp_path: Path) -> None:
    shape, make, change, said = CONTRADICTIONS[name]
    pytest.importorskip("tensorflow")
    refusal = _said(shape, make(), change, tmp_path)
    assert re.search(said, refusal), refusal
