"""The messages that netsheet can show, found in its source, and their translations.

    python tools/messages.py            # what the catalogue lacks, and what it has too much
    python tools/messages.py --update   # writes it anew: new messages with an empty translation

A message is a text of several words that the source writes down: an f-string's expressions become
``{0}``, ``{1}``, ... ; ``{0!r}`` where they are quoted. Modules that print another language (C,
XML, JavaScript) write down much that is no message: there, only what is raised counts.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "netsheet"
CATALOGUE = SOURCE / "language" / "ja.po"

sys.path.insert(0, str(SOURCE.parent))
from netsheet.cli.commands import COMMANDS  # noqa: E402
from netsheet.language.catalogue import PARTS, parsed  # noqa: E402

# Only what they raise is a message: the rest is C, XML, JavaScript, formulas or a notebook's HTML.
PRINTERS = (
    "write/c/", "write/xlsx/", "write/page/print", "write/page/program", "write/page/document",
    "write/mathematics", "write/excel/words", "write/excel/sentences",
    "write/excel/whole_sentences", "loops/",
    "verify/engines/c_harness", "tables.py",
)  # fmt: skip
SAID_ALL_THE_SAME = (
    "write/c/report.py", "write/c/writable.py", "write/c/readme.py",
)  # fmt: skip

# Here single words are messages too.
SPEAKING = ("cli/", "summary", "write/evaluation/")

# Texts of several words that no one is shown, or that are names in every language.
NO_MESSAGES = frozenset({
    "Ankle boot", "Yu Gothic", "keras 2", "ヒラギノ角ゴシック W3.ttc", "Hiragino Sans GB.ttc",
    "Arial Unicode.ttf", "Keras {0} {1}", "ONNX Runtime", "onnxruntime {0}", "node {0}",
    "xlsx:Calc MS Excel 2007 XML", "Exception encountered when calling", "Status Message: ",
    "fetch({0}, sizeof {1})", "runs == 0", "{0}Pooling{1}D", "netsheet {0}", "version ",
    "gcc-arm-none-eabi libnewlib-arm-none-eabi", "it needs", "^layer '[^']*' ", "$ netsheet {0}",
    "ONNX opset {0}, {1} {2}", "{0}{1}D", "written by netsheet", "one number",
    "AdaptiveAveragePooling{0}D", "AdaptiveMaxPooling{0}D", "{0},{1}->{2}ik", "str | Pieces",
    "chromium or node", "pip install formualizer.", "pip install 'netsheet[verify]'.",
    "netsheet (ONNX Runtime)", "pip install 'netsheet[verify]'", "layer_{0}_row",
    "netsheet.cli.{0}", "msgid ", "msgstr ", "output{0}", "{0}-preview.png", "{0}.training.npz",
    " --engine {0}", '#include "board.h"\n', "map {0}", "axis {0}", "weight {0}", "{0}/from {1}",
    "short deviation", "short parameters", "short formulas", "CODE (rx)", "SRAM (rwx)", "FAR (rwx)", "qemu ",
    "qemu {0}",
    "simavr libsimavr-dev libelf-dev", "-Isrc examples/Test/@lib_test.c src/*.c",
    "@lib_test.c @lib.c@more @lib_weights.c",
    "-Iinclude examples/classify/main/@lib_test.c *.c",
    "-Isrc examples/Test/src/@lib_test.c src/*.c",
    "(step {0})", "(step {0}, row {1})", "loss (step ", "loss before", "loss after", "loss change",
    "largest slope", "chosen weight", "its sheet",
})  # fmt: skip

# What others raise or show through netsheet: the command line's parser and the system.
FOREIGN = (
    "missing argument '{0}'",
    "missing option '{0}'",
    "missing parameter: {0}",
    "no such option: {0}",
    "got unexpected extra argument(s) ({0})",
    "option '{0}' requires an argument",
    "option '{0}' does not take a value",
    "invalid value for '{0}': {1}",
    "{0!r} is not a valid integer range",
    "{0!r} is not a valid float range",
    "{0!r} is not a valid integer",
    "{0!r} is not a valid float",
    "{0!r} is not in the range {1}",
    "{0} is not in the range {1}",
    "No such file or directory",
    "Permission denied",
    "Is a directory",
    "Not a directory",
    "Read-only file system",
    "No space left on device",
    "File name too long",
    "Show this message and exit.",
    *PARTS, "{0} grey", "output", "height", "width", "depth", "channel", "time", "feature", "unit",
    "Input should be {0}",
    "greater than or equal to {0}",
    "less than or equal to {0}",
    "a valid integer, unable to parse string as an integer",
    "a valid number, unable to parse string as a number",
    "Usage", "Arguments", "Options", "Commands", "required", "default",
)  # fmt: skip

# What is given to these is said, a single word as well.
SPOKEN = ("show.progress", "show.progress_with_text", "_complain", "word")
Place = tuple[str, int]
_WORDS = re.compile(
    r"[^\W\d_]{2,}[^{}\w]*\s[^{}]*[^\W\d_]{2,}|\b[a-z]{2,}\s|\s[a-z]{2,}\b|, [a-z]{2,}"
)
_COMMAND = re.compile(
    "(summary|evaluate|predict|weights|activations|equations|csv|excel|page|c|onnx|verify) "
    r"\{0\}( (--|-[a-z] |> |\{1\} --).*)?$"
)
_ONE_WORD = re.compile(r"[^\W\d_]{4,}")
_CODE = re.compile(r"</|/>|;$|^[\w.]+\(|==|\\|^[a-z_]+=|[{]0[}]\*|^<\w|&&|\|\w")


def messages(source: Path = SOURCE) -> dict[str, list[Place]]:
    """Every message of the source, with where it stands."""
    found: dict[str, list[Place]] = {}
    for path in sorted(source.rglob("*.py")):
        name = path.relative_to(source).as_posix()
        tree = ast.parse(path.read_text("utf-8"))
        printer = name.startswith(PRINTERS) and not name.startswith(SAID_ALL_THE_SAME)
        for text, line in _in_module(tree, printer, name.startswith(SPEAKING)):
            if text not in NO_MESSAGES and not _COMMAND.match(text):
                found.setdefault(text, []).append((name, line))
    for text in FOREIGN:
        found.setdefault(text, []).append(("foreign", 0))
    return found


def _in_module(tree: ast.Module, printer: bool, cli: bool) -> Iterator[tuple[str, int]]:
    if cli:
        yield from _helps(tree)
        yield from _short(tree)
    yield from _headings(tree)
    if printer:
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and node.exc is not None:
                yield from _below(node.exc)
    else:
        yield from _below(tree)


def _helps(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Docstrings of commands, which are their help."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in COMMANDS:
            yield escaped(inspect.cleandoc(ast.get_docstring(node) or "")), node.lineno


def _short(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """What commands say in a single word: beside something filled in, or while they work."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = _parts(node) or []
            literal = "{}".join(part for part in parts if isinstance(part, str))
            if _ONE_WORD.search(literal) and not _CODE.search(literal):
                yield _template(parts), node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in SPOKEN:
            for word in node.args:
                if isinstance(word, ast.Constant) and isinstance(word.value, str):
                    yield escaped(word.value), node.lineno


def _headings(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """The headings of tables: pairs of a word and the side on which the column stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            heading, side = node.elts
            if isinstance(side, ast.Constant) and side.value in ("left", "right"):
                for word in ast.walk(heading):
                    if isinstance(word, ast.Constant) and word.value:
                        yield escaped(str(word.value)), node.lineno


def _below(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Messages in a piece of source, outermost first; docstrings and look-ups left out."""
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
        first = node.body[0] if node.body else None
        documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        inside = [n for n in ast.iter_child_nodes(node) if not (documented and n is first)]
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        inside = [node.value]
    elif isinstance(node, ast.Compare):
        inside = []
    elif isinstance(node, ast.AnnAssign):
        inside = [] if node.value is None else [node.value]
    elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("re.", "TypeVar")):
        inside = []
    else:
        inside = list(ast.iter_child_nodes(node))
    parts = _parts(node) if isinstance(node, ast.expr) else None
    if parts is None:
        for child in inside:
            yield from _below(child)
        return
    if isinstance(node, ast.expr):
        literal = "{}".join(part for part in parts if isinstance(part, str))
        if _WORDS.search(literal) and not _CODE.search(literal):
            yield _template(parts), node.lineno
    for part in parts:
        if isinstance(part, tuple):
            yield from _below(part[0])


def _parts(node: ast.expr) -> list[str | tuple[ast.expr, str]] | None:
    """A text and the expressions in it; None if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return [
            part.value if isinstance(part, ast.Constant) else (part.value, _conversion(part))
            for part in node.values
        ]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _parts(node.left), _parts(node.right)
        if left is None and right is None:
            return None
        return [*(left or [(node.left, "")]), *(right or [(node.right, "")])]
    return None


def _conversion(part: ast.FormattedValue) -> str:
    return "!r" if part.conversion == ord("r") else ""


def _template(parts: list[str | tuple[ast.expr, str]]) -> str:
    text, number = "", 0
    for part in parts:
        if isinstance(part, str):
            text += escaped(part)
        else:
            text += f"{{{number}{part[1]}}}"
            number += 1
    return text


def escaped(text: str) -> str:
    """Braces of the text itself, doubled."""
    return text.replace("{", "{{").replace("}", "}}")


def read_catalogue(path: Path = CATALOGUE) -> dict[str, str]:
    """The translations by message, as netsheet itself reads them."""
    return parsed(path.read_text("utf-8")) if path.exists() else {}


def write_catalogue(found: dict[str, list[Place]], known: dict[str, str]) -> None:
    """The catalogue in the order of the source, each message with the modules that say it."""
    lines = [
        "# What netsheet says, in Japanese. {0}, {1}, ... stand for what a message fills in.",
        'msgid ""',
        'msgstr "Language: ja\\nContent-Type: text/plain; charset=UTF-8\\n"',
    ]
    for text, places in found.items():
        modules = " ".join(dict.fromkeys(name for name, _ in places))
        lines += ["", f"#: {modules}", f"msgid {_quoted(text)}"]
        lines.append(f"msgstr {_quoted(known.get(text, ''))}")
    CATALOGUE.write_text("\n".join(lines) + "\n", "utf-8")


def _quoted(text: str) -> str:
    for letter, spelled in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(letter, spelled)
    return f'"{text}"'


def main() -> None:
    """Says what differs; with ``--update`` writes the catalogue anew."""
    found, known = messages(), read_catalogue()
    for text in [text for text in found if not known.get(text)]:
        name, line = found[text][0]
        print(f"lacks  {name}:{line}  {text!r}")
    for text in [text for text in known if text not in found]:
        print(f"unused  {text!r}")
    if "--update" in sys.argv:
        write_catalogue(found, known)


if __name__ == "__main__":
    main()
