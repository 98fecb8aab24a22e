"""Quantised networks as HDF5: the integers by name, and the same network again."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import netsheet
from netsheet.errors import FormatError, UnsupportedError
from netsheet.write.tflite.numbers_file import to_numbers_file
from test_cli import output as json_of
from test_cli import run

SAMPLE = Path(netsheet.__file__).parent / "data" / "sample"


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("int8") / "digits.nsq.h5"
    run("quantise", SAMPLE / "digits.h5", "--calibrate", SAMPLE / "digits", "-o", path)
    return path


def test_it_computes_as_the_tflite_file_that_it_was_made_as(
    quantised: Path, tmp_path: Path
) -> None:
    run("tflite", quantised, "-o", tmp_path / "net.tflite")
    runner = pytest.importorskip("tflite_micro").runtime
    interpreter = runner.Interpreter.from_bytes((tmp_path / "net.tflite").read_bytes())
    net = netsheet.load(quantised)
    assert net.name == "digits"
    pixels = np.random.default_rng(0).integers(-128, 128, (1, 28, 28, 1)).astype(np.int8)
    interpreter.set_input(pixels, 0)
    interpreter.invoke()
    integers = interpreter.get_output(0).astype(float)  # of a softmax: (q + 128) / 256
    assert net.predict(pixels).tolist() == ((integers + 128) / 256).tolist()
    verdict = json_of("verify", quantised, "--target", "c", "-i", SAMPLE / "digit5.png")
    assert verdict["ok"]
    assert json_of("evaluate", quantised, "--data", SAMPLE / "digits")["accuracy"] > 0.95


def test_its_integers_have_names_and_scales(quantised: Path) -> None:
    net = netsheet.load(quantised)
    with h5py.File(quantised) as file:
        weights = {name: np.asarray(data) for name, data in file["weights"].items()}
        kernels = [name for name, data in weights.items() if data.ndim == 4]
        scales = file["weights"][kernels[0]].attrs["scale"]
        assert all("scale" in one.attrs for one in file["activations"].values())
    (kernel,) = (weights[name] for name in kernels)
    stored = net.layers["conv"].weights["kernel"]
    assert kernel.dtype == np.int8 and len(scales) == kernel.shape[0]
    assert sorted(kernel.reshape(-1)) == sorted(stored.values.astype(np.int8).reshape(-1))


def test_what_is_not_quantised_or_damaged_is_refused(quantised: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="is not quantised"):
        to_numbers_file(netsheet.load(SAMPLE / "digits.h5"), tmp_path / "n.nsq.h5")
    content = quantised.read_bytes()
    broken = tmp_path / "broken.nsq.h5"
    for wrong in (content[:900], content[:600] + bytes(400) + content[1000:]):
        broken.write_bytes(wrong)
        with pytest.raises(FormatError):
            netsheet.load(broken)
    broken.write_bytes(content.replace(b"version 1", b"version 9", 1))
    with pytest.raises(FormatError, match="a later netsheet"):
        netsheet.load(broken)
    (tmp_path / "other.h5").write_bytes(content)
    for change in ("link", "floats", "nothing"):
        broken.write_bytes(content)
        with h5py.File(broken, "r+") as file:
            data = np.asarray(file["tflite"])
            del file["tflite"]
            if change == "link":
                file["tflite"] = h5py.ExternalLink("other.h5", "/tflite")
            elif change == "floats":
                file["tflite"] = data.astype(np.float32)
        with pytest.raises(FormatError):
            netsheet.load(broken)
