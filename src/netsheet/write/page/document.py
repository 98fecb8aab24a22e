"""One HTML file from the page's parts, with a policy that lets nothing else run or load."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib import resources
from typing import Any

ENGINE = ("functions.js", "engine.js")
INTERFACE = ("words.js", "colours.js", "explain.js", "maps.js", "inputs.js", "panel.js",
             "layers.js")  # fmt: skip


def asset(name: str) -> str:
    """The text of one of the page's files."""
    return (resources.files("netsheet.write.page") / "assets" / name).read_text("utf-8")


def as_json(value: Any) -> str:
    """JSON that can stand inside a script element: no ``<`` ends it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def document(data: dict[str, Any], program: str, language: str = "") -> str:
    """The page: ``program`` is the network's JavaScript."""
    engine = "\n".join([*(asset(name) for name in ENGINE), program])
    names = [*INTERFACE, *(["learning.js"] if data["learn"] else []), "main.js"]
    interface = "\n".join(['"use strict";', *(asset(name) for name in names)])
    stored = as_json(data)
    policy = (
        f"default-src 'none'; script-src {_hash(engine)} {_hash(interface)}; "
        "style-src 'unsafe-inline'; img-src data: blob:; worker-src blob:"
    )
    filled = {
        "language": html.escape(language or "en"),
        "policy": html.escape(policy),
        "title": html.escape(str(data["name"])),
        "style": asset("page.css"),
        "data": stored,
        "engine": engine,
        "interface": interface,
    }
    text = asset("page.html")
    parts = text.split("{{")
    result = [parts[0]]
    for part in parts[1:]:
        name, rest = part.split("}}", 1)
        result += [filled[name.strip()], rest]
    return "".join(result)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
