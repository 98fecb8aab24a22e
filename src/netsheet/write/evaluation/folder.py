"""The files of a report."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netsheet.engine.class_report import ClassReport
from netsheet.errors import NetsheetError
from netsheet.files import atomic
from netsheet.language import word
from netsheet.write.evaluation.book import write_book
from netsheet.write.evaluation.drawings import calibration_picture, confusion_picture
from netsheet.write.evaluation.page import page_html
from netsheet.write.pictures.contact import Contact, contact_sheet

if TYPE_CHECKING:
    from PIL.Image import Image

    from netsheet.data.datasets import Dataset

Array = npt.NDArray[Any]

MOST = 54  # mistakes on the contact sheet


@dataclass(frozen=True, eq=False)
class Shown:
    """What a report shows beside its numbers.

    ``names`` say where samples came from; ``pictures`` are them as (samples, rows, columns,
    channels) in bytes, None where they are no pictures.
    """

    title: str
    names: Sequence[str]
    pictures: Array | None = None
    note: str = ""


def write_report(
    folder: str | Path, report: ClassReport, shown: Shown, lang: str = "en"
) -> list[Path]:
    """Writes the report into a folder, which is made; the files, the page first.

    Raises:
        NetsheetError: the folder cannot be made, or a file not be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NetsheetError(
            f"{folder}: cannot be made: {error.strerror}; name another folder."
        ) from error
    drawings: dict[str, Image] = {"confusion": confusion_picture(report, lang)}
    if report.calibration:
        drawings["calibration"] = calibration_picture(report, lang)
    if shown.pictures is not None and len(report.mistakes):
        drawings["mistakes"] = _mistakes(report, shown.pictures, lang)
    written = [folder / "index.html"]
    for name, drawing in drawings.items():
        written.append(folder / f"{name}.png")
        with atomic(written[-1]) as place:
            drawing.save(place, format="PNG")
    _write_tables(folder, report, shown, lang)
    written += [folder / f"{name}.csv" for name in ("confusion", "classes", "mistakes")]
    written.append(folder / "report.xlsx")
    with atomic(written[-1]) as place:
        write_book(place, report, shown.title, shown.names, lang)
    with atomic(written[0]) as place:
        place.write_text(page_html(report, shown.title, shown.note, shown.names, drawings, lang),
                         "utf-8")  # fmt: skip
    return written


def _mistakes(report: ClassReport, pictures: Array, lang: str) -> Image:
    """The most certain mistakes: below each what it is, and what it was taken for."""
    chosen = report.mistakes[:MOST]
    contacts = [
        Contact(pictures[n], f"{report.names[report.true[n]]} → {report.names[report.found[n]]}")
        for n in chosen
    ]
    title = f"worst mistakes: {len(chosen)} of {len(report.mistakes)}, the most certain first"
    return contact_sheet([(title, contacts)], lang)


def _write_tables(folder: Path, report: ClassReport, shown: Shown, lang: str) -> None:
    head = [word("true \\ found", lang), *report.names]
    counts = [[name, *map(int, row)] for name, row in zip(report.names, report.counts, strict=True)]
    _write_csv(folder / "confusion.csv", head, counts)
    columns = [report.precision, report.recall, report.f1]
    rows = [
        [name, int(report.support[n]), *(_text(column[n]) for column in columns)]
        for n, name in enumerate(report.names)
    ]
    _write_csv(folder / "classes.csv", ["class", "samples", "precision", "recall", "f1"], rows)
    wrong = [
        [shown.names[n], report.names[report.true[n]], report.names[report.found[n]],
         _text(report.certainty[n])]
        for n in report.mistakes
    ]  # fmt: skip
    _write_csv(folder / "mistakes.csv", ["sample", "true", "found", "score"], wrong)


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.9g}"


def _write_csv(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with atomic(path) as place, place.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)


def pictures_of(raw: Array | None) -> Array | None:
    """Samples before they were scaled as pictures in bytes; None where they are none."""
    if raw is None:
        return None
    if raw.ndim == 2:
        side = math.isqrt(raw.shape[1])
        if side < 8 or side * side != raw.shape[1]:
            return None
        raw = raw.reshape(len(raw), side, side)
    if raw.ndim == 3:
        raw = raw[..., None]
    if raw.ndim == 4 and raw.shape[-1] not in (1, 3, 4) and raw.shape[1] in (1, 3, 4):
        raw = np.moveaxis(raw, 1, -1)
    if raw.ndim != 4 or raw.shape[-1] not in (1, 3, 4):
        return None
    low, high = float(raw.min()), float(raw.max())
    if raw.dtype == np.uint8 or (low >= 0 and 1 < high <= 255):
        return raw.astype(np.uint8)
    return np.asarray((raw - low) * (255 / ((high - low) or 1.0))).round().astype(np.uint8)


def shown_of(dataset: Dataset, model_name: str) -> Shown:
    """What a report shows of a data set."""
    names = list(dataset.names) or [f"{dataset.name}#{n}" for n in range(len(dataset))]
    pictures = pictures_of(dataset.x if dataset.raw is None else dataset.raw)
    return Shown(f"{model_name}: {dataset.name}", names, pictures, dataset.note)
