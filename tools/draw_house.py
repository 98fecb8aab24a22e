"""Draws the house from the code: floors as the layering contract names them, rooms, imports.

    python tools/draw_house.py [docs/images/house.svg]

The floors are the ``layers`` of the import contract in pyproject.toml, so that the picture cannot
say anything else than what ``make lint`` checks.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
WIDTH, ROOM, GAP, FLOOR, MARGIN = 980, 52, 14, 84, 90

# What a room is for, in a few words; a room without a line here shows its name alone.
PURPOSE = {
    "cli": "parse, call the face, show",
    "model": "the face: Model",
    "verify": "outside engines recompute, one comparison",
    "write.excel": "live workbook",
    "write.c": "C99, printed from loops",
    "write.csv": "weights out and back",
    "write.pictures": "heat maps",
    "write.mathematics": "equations as text, LaTeX",
    "write.xlsx": "cells as a file",
    "write.float_text": "shortest numbers",
    "write.onnx": "graph, printed from equations",
    "engine": "runs, evaluation, losses",
    "data": "inputs, data sets, scaling",
    "loops": "loop IR: lower, passes, storage, check",
    "read": "files become networks",
    "operators": "ONNX operators, keras.ops",
    "layers": "Keras layers, one class = its equations",
    "gradient": "reverse mode: equations of adjoints",
    "explanation": "what one value is made of",
    "layer": "what every layer is",
    "network": "Network: the ground",
    "nodes": "calls with their tensors",
    "equations": "positions, values, one transform, evaluator",
    "fidelity": "bound and verdict",
    "files": "atomic files",
    "errors": "one sentence each",
}


@dataclass(frozen=True)
class Room:
    """A module or a package of the contract, with what lies in it."""

    name: str
    modules: int
    lines: int


def floors() -> list[list[str]]:
    """Names of rooms without the package's own, from the roof down."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = [c for c in config["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    return [
        [name for name in map(_room, layer.split("|")) if files_of(name)]
        for layer in contract["layers"]
    ]


def _room(entry: str) -> str:
    """``write.c`` of an entry of the contract; one in brackets may not exist."""
    return entry.strip(" ()").removeprefix("netsheet.")


def files_of(room: str) -> list[Path]:
    """The modules of a room."""
    place = ROOT / "src/netsheet" / room.replace(".", "/")
    module = place.with_suffix(".py")
    return sorted(place.rglob("*.py")) or ([module] if module.exists() else [])


def imports(rooms: list[str]) -> Counter[tuple[str, str]]:
    """How many modules of one room import from another; function-level imports counted."""
    found: Counter[tuple[str, str]] = Counter()
    for room in rooms:
        for file in files_of(room):
            named = {room_of(name, rooms) for name in _imported(ast.parse(file.read_text("utf-8")))}
            found.update((room, other) for other in named if other and other != room)
    return found


def _imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.removeprefix("netsheet.") for name in names if name.startswith("netsheet.")}


def room_of(module: str, rooms: list[str]) -> str | None:
    """The room that a module belongs to."""
    inside = [room for room in rooms if module == room or module.startswith(f"{room}.")]
    return max(inside, key=len, default=None)


def picture(rows: list[list[Room]], arrows: Counter[tuple[str, str]]) -> str:
    """The house as SVG."""
    height = len(rows) * FLOOR + 40
    boxes: dict[str, tuple[float, float, float]] = {}
    shapes, texts = [], []
    for number, rooms in enumerate(rows):
        y = 20.0 + number * FLOOR
        wide = (WIDTH - MARGIN - GAP * len(rooms)) / len(rooms)
        wide = min(wide, 420)
        left = MARGIN + (WIDTH - MARGIN - (wide + GAP) * len(rooms)) / 2
        for place, room in enumerate(rooms):
            x = left + place * (wide + GAP)
            boxes[room.name] = (x, y, wide)
            shapes.append(f'<rect x="{x:.0f}" y="{y:.0f}" width="{wide:.0f}" height="{ROOM}"/>')
            texts.append(_label(room, x + wide / 2, y, wide))
        texts.append(f'<text class="floor" x="16" y="{y + 31:.0f}">{len(rows) - 1 - number}</text>')
    lines = []
    for (source, target), count in sorted(arrows.items()):
        (x1, y1, w1), (x2, y2, w2) = boxes[source], boxes[target]
        strength = min(0.75, 0.08 + count / 60)
        lines.append(
            f'<path d="M{x1 + w1 / 2:.0f} {y1 + ROOM:.0f} C{x1 + w1 / 2:.0f} {y1 + FLOOR:.0f} '
            f'{x2 + w2 / 2:.0f} {y2 - (FLOOR - ROOM):.0f} {x2 + w2 / 2:.0f} {y2:.0f}" '
            f'stroke-opacity="{strength:.2f}"/>'
        )
    style = (
        "rect{fill:#eef4fb;stroke:#2b5c8a;rx:6px}"
        "text{font-family:sans-serif;text-anchor:middle;fill:#12283d}"
        ".name{font-size:13px;font-weight:bold}.what{font-size:10px}"
        ".floor{font-size:15px;fill:#789}path{fill:none;stroke:#c2571a;stroke-width:1.4}"
    )
    body = "\n".join([*lines, *shapes, *texts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">\n'
        f'<style>{style}</style>\n<rect width="{WIDTH}" height="{height}" '
        f'style="fill:#fff;stroke:none"/>\n{body}\n</svg>\n'
    )


def _label(room: Room, x: float, y: float, wide: float) -> str:
    what = PURPOSE.get(room.name, "")
    letters = int(wide / 5.2)
    what = what if len(what) <= letters else what[: letters - 1] + "…"
    size = f"{room.modules} modules, " if room.modules > 1 else ""
    return (
        f'<text class="name" x="{x:.0f}" y="{y + 17:.0f}">{escape(room.name)}</text>'
        f'<text class="what" x="{x:.0f}" y="{y + 31:.0f}">{escape(what)}</text>'
        f'<text class="what" x="{x:.0f}" y="{y + 45:.0f}">{size}{room.lines:,} lines</text>'
    )


def main() -> None:
    """Write the picture."""
    rows = []
    for names in floors():
        rooms = []
        for name in names:
            files = files_of(name)
            lines = sum(len(file.read_text("utf-8").splitlines()) for file in files)
            rooms.append(Room(name, len(files), lines))
        rows.append(rooms)
    names = [room.name for row in rows for room in row]
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/images/house.svg"
    target.write_text(picture(rows, imports(names)), "utf-8")


if __name__ == "__main__":
    main()
