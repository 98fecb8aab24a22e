"""The report as one page: what it needs is in it."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import TYPE_CHECKING

from netsheet.engine.class_report import ClassReport
from netsheet.language import translated, word

if TYPE_CHECKING:
    from PIL.Image import Image

MISTAKES = 200  # rows of the table of mistakes
CLASS_HEADS = (
    ("class", "left"), ("samples", "right"), ("precision", "right"), ("recall", "right"),
    ("F1", "right"),
)  # fmt: skip
MISTAKE_HEADS = (("sample", "left"), ("true", "left"), ("found", "left"), ("score", "right"))


def page_html(
    report: ClassReport, title: str, note: str, names: Sequence[str],
    drawings: Mapping[str, Image], lang: str = "en",
) -> str:  # fmt: skip
    """A whole HTML document in a language; ``drawings`` by what they show."""
    wrong = len(report.mistakes)
    summary = translated(f"{len(report.true):,} samples, {wrong:,} taken for another class", lang)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p><span class="large">{report.accuracy:.2%}</span> {word("accuracy", lang)}<br>'
        f'{escape(summary)}<br><span class="note">{escape(translated(note, lang))}</span></p>',
        f"<h2>{word('Classes', lang)}</h2>", _classes(report, lang),
        f"<h2>{word('Confusion', lang)}</h2>",
        f"<p>{word('Rows are what samples are, columns what they were taken for.', lang)}</p>",
        _drawn(drawings["confusion"], word("Confusion", lang)),
    ]  # fmt: skip
    if "calibration" in drawings:
        parts += [
            f"<h2>{word('Calibration', lang)}</h2>", f"<p>{word(CALIBRATION, lang)}</p>",
            _drawn(drawings["calibration"], word("Calibration", lang)),
        ]  # fmt: skip
    if wrong:
        parts.append(f"<h2>{word('Mistakes', lang)}</h2>")
        if "mistakes" in drawings:
            parts.append(_drawn(drawings["mistakes"], word("Mistakes", lang)))
        parts.append(_mistakes(report, names, lang))
    body = "\n".join(parts)
    style = (resources.files("netsheet.write.evaluation") / "report.css").read_text("utf-8")
    return (
        f'<!doctype html>\n<html lang="{lang}">\n<head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style></head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


CALIBRATION = (
    "Points on the line: of samples that the network is 80 % certain of, 80 % are right. Below the "
    "line it is surer than it should be."
)


def _drawn(image: Image, text: str) -> str:
    content = io.BytesIO()
    image.save(content, format="PNG")
    data = base64.b64encode(content.getvalue()).decode("ascii")
    return f'<p><img alt="{escape(text)}" src="data:image/png;base64,{data}"></p>'


def _classes(report: ClassReport, lang: str) -> str:
    heads = [word(text, lang) for text, _ in CLASS_HEADS]
    rows = [f"<tr>{''.join(f'<th>{escape(one)}</th>' for one in heads)}<th></th></tr>"]
    for n, name in enumerate(report.names):
        recall = float(report.recall[n])
        width = 0 if math.isnan(recall) else 100 * recall
        shares = (report.precision, report.recall, report.f1)
        cells = [f"{report.support[n]:,}", *(_share(float(one[n])) for one in shares)]
        rows.append(
            f"<tr><td>{escape(name)}</td>{''.join(f'<td>{one}</td>' for one in cells)}"
            f'<td><div class="track"><div class="bar" style="width:{width:.1f}%"></div></div></td>'
            "</tr>"
        )
    return f"<table>\n{chr(10).join(rows)}\n</table>"


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _mistakes(report: ClassReport, names: Sequence[str], lang: str) -> str:
    heads = [word(text, lang) for text, _ in MISTAKE_HEADS]
    rows = [f"<tr>{''.join(f'<th>{escape(one)}</th>' for one in heads)}</tr>"]
    for n in report.mistakes[:MISTAKES]:
        texts = (names[n], report.names[report.true[n]], report.names[report.found[n]])
        cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
        rows.append(f"<tr>{cells}<td>{float(report.certainty[n]):.4f}</td></tr>")
    shown = translated(f"the first {len(rows) - 1} of {len(report.mistakes)}", lang)
    return (
        f"<details><summary>{escape(shown)}</summary>\n<table>\n{chr(10).join(rows)}\n</table>"
        "</details>"
    )
