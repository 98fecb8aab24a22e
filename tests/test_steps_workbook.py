"""The workbook of a network that keeps states: a row for each call, as Keras gives it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsheet
from excel_models import recalculated, workbook_engine
from netsheet.data.given import given_samples
from netsheet.data.inputs import InputValue, Sample
from netsheet.errors import NetsheetError, UsageError
from netsheet.verify.engines.workbook import CellRange, read_map
from netsheet.verify.xlsx import XlsxFile, edit
from netsheet.write.excel.cell_map import MapRow
from netsheet.write.xlsx.cells import cell_name
from ooxml import problems
from test_cli import run
from test_stateful import KINDS, by_keras, made

Array = np.ndarray[Any, Any]
KERAS = ["keras", pytest.param("tf_keras", marks=pytest.mark.slow)]


def cell(row: MapRow, at: Sequence[int]) -> tuple[str, str]:
    """The sheet and name of an element's cell."""
    rows, cols = row.place.grid()
    return row.sheet, cell_name(int(rows[tuple(at)]), int(cols[tuple(at)]))


def steps_of(values: Mapping[str, Array], name: str, count: int, batch: int = 1) -> Array:
    """An output of every step."""
    marks = [""]
    for number in range(1, count):
        step, row = divmod(number, batch)
        marks.append(f" (step {step + 1}{f', row {row + 1}' if batch > 1 else ''})")
    return np.stack([values[name + mark] for mark in marks])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kind", KERAS)
def test_every_step_is_that_of_keras(kind: str, name: str, tmp_path: Path) -> None:
    """And behind a changed input too: its own step and those after it."""
    keras = pytest.importorskip(kind)
    pytest.importorskip("ironcalc")
    path = tmp_path / ("m.keras" if kind == "keras" else "m.h5")
    model, x = made(keras, name, 1, path)
    loaded = netsheet.load(path)
    book = tmp_path / "m.xlsx"
    loaded.to_excel(book, x)
    located = read_map(book)
    output = loaded.outputs[0].name
    values, notes = recalculated(book, located, "ironcalc")
    assert not notes
    expected = by_keras(model, x, 1)
    before = steps_of(values, output, 3)
    np.testing.assert_allclose(before, expected, atol=1e-5)
    if expected[0].size <= 32:
        np.testing.assert_allclose(values[f"steps/{output}"], expected, atol=1e-5)

    changed = x.copy()
    changed[1].flat[0] = 2.5
    at = (1, *(0,) * (x.ndim - 1))
    table = located[f"{loaded.inputs[0].name}/samples"]
    edit(book, tmp_path / "changed.xlsx", {cell(table, at): 2.5})
    values, _ = recalculated(tmp_path / "changed.xlsx", located, "ironcalc")
    expected = by_keras(keras.models.load_model(path, compile=False), changed, 1)
    after = steps_of(values, output, 3)
    np.testing.assert_allclose(after, expected, atol=1e-5)
    np.testing.assert_array_equal(after[0], before[0])
    assert all(abs(after[n] - before[n]).max() > 1e-4 for n in (1, 2))


def with_a_start(keras: Any, folder: Path) -> tuple[Path, Array, Array]:
    """A workbook whose first state is changed, what flows in, and what Keras makes of both."""
    model, x = made(keras, "LSTM", 1, folder / "m.keras")
    loaded = netsheet.load(folder / "m.keras")
    loaded.to_excel(folder / "zeros.xlsx", x)
    start = read_map(folder / "zeros.xlsx")[f"{loaded.states[0].before.name}/samples"]
    edit(folder / "zeros.xlsx", folder / "m.xlsx", {cell(start, (0, 2)): 0.75})
    layer = next(layer for layer in model.layers if getattr(layer, "stateful", False))
    layer.states[0].assign(np.array([[0, 0, 0.75, 0]], "f4"))
    return folder / "m.xlsx", x, by_keras(model, x, 1)


@pytest.mark.parametrize("engine", ["ironcalc", "libreoffice"])
def test_another_start_is_that_of_keras(engine: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    if engine == "libreoffice" and not shutil.which("soffice"):
        pytest.skip("LibreOffice is not installed")
    if engine == "ironcalc":
        pytest.importorskip("ironcalc")
    book, _, expected = with_a_start(keras, tmp_path)
    values, notes = recalculated(book, read_map(book), engine)
    assert not notes
    output = netsheet.load(tmp_path / "m.keras").outputs[0].name
    np.testing.assert_allclose(steps_of(values, output, 3), expected, atol=1e-5)


def test_verify_proves_every_step(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    pytest.importorskip("ironcalc")
    book, x, _ = with_a_start(keras, tmp_path)
    loaded = netsheet.load(tmp_path / "m.keras")
    samples = given_samples(loaded, x)
    verdict = loaded.verify("excel", samples)
    assert verdict.ok, verdict.first_failure
    assert {row.layer: row.cells for row in verdict.layers}[loaded.nodes[0].key] == 3 * 4
    assert not loaded.verify("excel", samples, xlsx=book).ok  # from zeros: another sequence
    verdict = loaded.verify("excel", [], xlsx=book)  # from what stands in it
    assert verdict.ok, verdict.first_failure


@pytest.mark.parametrize("kind", KERAS)
def test_layers_on_top_of_each_other_in_calls_of_two(kind: str, tmp_path: Path) -> None:
    """Each row of a call goes on from the same row of the call before."""
    keras = pytest.importorskip(kind)
    pytest.importorskip("ironcalc")
    layers = keras.layers
    model = keras.Sequential([
        keras.Input(batch_shape=(2, 3, 2)),
        layers.LSTM(3, stateful=True, return_sequences=True),
        layers.GRU(2, stateful=True),
        layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    path = tmp_path / ("m.keras" if kind == "keras" else "m.h5")
    model.save(path)
    x = np.random.default_rng(3).standard_normal((6, 3, 2)).astype("f4")
    loaded = netsheet.load(path)
    loaded.to_excel(tmp_path / "m.xlsx", x)
    values, _ = recalculated(tmp_path / "m.xlsx", read_map(tmp_path / "m.xlsx"), "ironcalc")
    found = steps_of(values, loaded.outputs[0].name, 6, batch=2)
    np.testing.assert_allclose(found, by_keras(model, x, 2), atol=1e-5)
    verdict = loaded.verify("excel", given_samples(loaded, x))
    assert verdict.ok, verdict.first_failure


def test_large_states_are_named_by_their_places(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    pytest.importorskip("ironcalc")
    model = keras.Sequential([
        keras.Input(batch_shape=(1, 1, 9, 9, 1)),
        keras.layers.ConvLSTM2D(2, 3, stateful=True),
        keras.layers.GlobalAveragePooling2D(),
    ])  # fmt: skip
    model.save(tmp_path / "m.keras")
    x = np.random.default_rng(3).standard_normal((3, 1, 9, 9, 1)).astype("f4")
    loaded = netsheet.load(tmp_path / "m.keras")
    book = tmp_path / "m.xlsx"
    loaded.to_excel(book, x, lang="ja")
    located = read_map(book)
    values, _ = recalculated(book, located, "ironcalc")
    found = steps_of(values, loaded.outputs[0].name, 3)
    np.testing.assert_allclose(found, by_keras(model, x, 1), atol=1e-5)
    after = located[loaded.states[0].after.name]
    told = XlsxFile(book).cells("ステップ").values()
    assert f"{after.sheet}!{after.place.area}" in told
    assert located[loaded.states[0].before.name].kind == "input"  # zeros to be changed


def test_what_is_too_large_or_does_not_fit_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras = pytest.importorskip("keras")
    _, x = made(keras, "LSTM", 1, tmp_path / "m.keras")
    loaded = netsheet.load(tmp_path / "m.keras")
    with monkeypatch.context() as patched:
        patched.setattr("netsheet.write.excel.workbook.MAX_CELLS", 200)
        with pytest.raises(NetsheetError, match=r"288 formulas; .* give 2 inputs .*--samples"):
            loaded.to_excel(tmp_path / "m.xlsx", x)
    assert not (tmp_path / "m.xlsx").exists()
    loaded.to_excel(tmp_path / "m.xlsx", x)
    with pytest.raises(UsageError, match="rows for 3 inputs"):
        loaded.verify("excel", given_samples(loaded, x[:2]), xlsx=tmp_path / "m.xlsx")


def test_the_step_that_the_overview_shows_is_chosen_by_its_number(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    pytest.importorskip("ironcalc")
    x = np.random.default_rng(3).standard_normal((3, 2, 3)).astype("f4")
    short = keras.Sequential([
        keras.Input(batch_shape=(1, 2, 3)),
        keras.layers.GRU(3, stateful=True),
    ])  # fmt: skip
    short.save(tmp_path / "short.keras")
    loaded = netsheet.load(tmp_path / "short.keras")
    loaded.to_excel(tmp_path / "m.xlsx", x)
    edit(tmp_path / "m.xlsx", tmp_path / "two.xlsx", {("Overview", "B9"): 3})
    (found,) = workbook_engine("ironcalc").ranges(
        tmp_path / "two.xlsx", [CellRange("Overview", 4, 23, 3, 1)]
    )
    np.testing.assert_allclose(found.ravel(), by_keras(short, x, 1)[2], atol=1e-5)


def nested(k: Any) -> Any:
    given = k.Input(batch_shape=(1, 2, 3))
    inner = k.Model(given, k.layers.GRU(3, stateful=True)(given), name="inner")
    outer = k.Input(batch_shape=(1, 2, 3))
    return k.Model(outer, k.layers.Dense(2)(inner(k.layers.Dense(3)(outer))))


def two_of_both(k: Any) -> Any:
    first, second = k.Input(batch_shape=(1, 2, 3)), k.Input(batch_shape=(1, 4))
    hidden = k.layers.LSTM(4, stateful=True, return_sequences=True)(first)
    last = k.layers.GRU(3, stateful=True)(hidden)
    joined = k.layers.Concatenate()([last, second])
    return k.Model([first, second], [hidden, k.layers.Dense(2, activation="softmax")(joined)])


def its_own_states(k: Any) -> Any:
    given = k.Input(batch_shape=(1, 2, 3))
    return k.Model(given, k.layers.LSTM(4, stateful=True, return_state=True)(given))


def masked(k: Any) -> Any:
    given = k.Input(batch_shape=(1, None, 3))
    hidden = k.layers.GRU(4, stateful=True)(k.layers.Masking()(given))
    return k.Model(given, k.layers.Dense(150)(hidden))


@pytest.mark.parametrize("form", [nested, two_of_both, its_own_states, masked])
@pytest.mark.parametrize("kind", KERAS)
def test_networks_of_every_form(kind: str, form: Callable[[Any], Any], tmp_path: Path) -> None:
    keras = pytest.importorskip(kind)
    pytest.importorskip("ironcalc")
    model = form(keras)
    path = tmp_path / ("m.keras" if kind == "keras" else "m.h5")
    model.save(path)
    loaded = netsheet.load(path)
    random = np.random.default_rng(6)
    shapes = [tuple(size or 2 for size in tensor.shape) for tensor in loaded.inputs]
    arrays = [random.standard_normal((4, *shape)).astype("f4") for shape in shapes]
    if form is masked:
        arrays[0][1:3, 1] = 0
    samples = [
        Sample(f"s{n}", {t.name: InputValue(a[n]) for t, a in zip(loaded.inputs, arrays,
                                                                  strict=True)})
        for n in range(4)
    ]  # fmt: skip
    loaded.to_excel(tmp_path / "m.xlsx", samples)
    located = read_map(tmp_path / "m.xlsx")
    values, notes = recalculated(tmp_path / "m.xlsx", located, "ironcalc")
    assert not notes
    parts = []
    for n in range(4):
        one = [array[n : n + 1] for array in arrays]
        found = model.predict_on_batch(one if len(one) > 1 else one[0])
        parts.append(found if isinstance(found, (list, tuple)) else [found])
    for number, tensor in enumerate(loaded.outputs):
        expected = np.concatenate([np.asarray(part[number]) for part in parts])
        shown = values[f"steps/{tensor.name}"]
        np.testing.assert_allclose(shown, expected[:, :100], atol=1e-5)
    verdict = loaded.verify("excel", samples, xlsx=tmp_path / "m.xlsx")
    assert verdict.ok, verdict.first_failure


@pytest.mark.parametrize("batch", [1, 2])
def test_pictures_are_scaled_in_every_step(batch: int, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    pytest.importorskip("ironcalc")
    model = keras.Sequential([
        keras.Input(batch_shape=(batch, 6, 6, 1)),
        keras.layers.Conv2D(2, 3, activation="relu"),
        keras.layers.Reshape((4, 8)),
        keras.layers.LSTM(3, stateful=True),
        keras.layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    model.save(tmp_path / "m.keras")
    pixels = np.random.default_rng(7).integers(0, 256, (4, 6, 6, 1)).astype(np.uint8)
    np.savez(tmp_path / "set.npz", x=pixels, y=[2, 0, 1, 1])
    book = tmp_path / "m.xlsx"
    done = run("excel", tmp_path / "m.keras", "--data", tmp_path / "set.npz", "-o", book)
    assert "keeps states" in done.stderr
    assert problems(book) == []
    located = read_map(book)
    values, _ = recalculated(book, located, "ironcalc")
    output = netsheet.load(tmp_path / "m.keras").outputs[0].name
    expected = by_keras(model, pixels.astype("f4") / 255, batch)
    np.testing.assert_allclose(steps_of(values, output, 4, batch), expected, atol=1e-5)
    edit(book, tmp_path / "third.xlsx", {("Overview", "B9"): 3})
    areas = [CellRange("Overview", 9, 1, 1, 1), CellRange("Overview", 4, 23, 3, 1)]
    label, shown = workbook_engine("ironcalc").ranges(tmp_path / "third.xlsx", areas)
    assert label.item() == 1
    np.testing.assert_allclose(shown.ravel(), expected[2], atol=1e-5)
