"""A page has no runs before: a network that keeps states is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

import netsheet
from netsheet.errors import UnsupportedError


def test_a_network_with_states_makes_no_page(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    layers = [keras.Input((3, 2), batch_size=1), keras.layers.LSTM(3, stateful=True)]
    keras.Sequential(layers).save(tmp_path / "m.keras")
    with pytest.raises(UnsupportedError, match="keeps states from run to run"):
        netsheet.load(tmp_path / "m.keras").to_page(tmp_path / "m.html")
    assert not (tmp_path / "m.html").exists()
