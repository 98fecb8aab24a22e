"""The table of targets: how each is written for a proof, who computes it, what it is held against.

The command line, the tables of the documentation and the tests of the corpora are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsheet.errors import UsageError
from netsheet.verify.engines.boards import BOARDS

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.network import Network
    from netsheet.verify.engines.base import Artefact, OutsideEngine

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """One form in which a network is proved.

    ``write`` gets the network, bound and cut, the samples, a folder of its own and the options;
    ``engines`` makes an engine by its name, which the option ``chooses`` names (the first one
    otherwise). ``options`` are those of ``verify`` that belong to it, with their defaults.
    ``reference`` makes what it is held against; None: the network's own reference.
    """

    name: str
    title: str
    what: str
    needs: str
    write: Callable[[Network, Sequence[Sample], Path, Options], Artefact]
    engines: Mapping[str, Callable[[Options], OutsideEngine]]
    chooses: str | None = None
    options: Options = field(default_factory=dict)
    reference: Callable[[], OutsideEngine] | None = None

    def engine(self, options: Options) -> OutsideEngine:
        """The engine that the options name.

        Raises:
            UsageError: there is no such engine.
        """
        chosen = None if self.chooses is None else options.get(self.chooses)
        chosen = chosen or next(iter(self.engines))
        if chosen not in self.engines:
            named = [name for name in self.engines if self.chooses != "board" or name != "host"]
            raise UsageError(
                f"there is no {self.chooses} {chosen!r}; {self.chooses}s are {', '.join(named)}."
            )
        return self.engines[chosen](options)


def target_of(name: str) -> Target:
    """The row of the table; UsageError where there is none."""
    if name not in TARGETS:
        raise UsageError(f"there is no target {name!r}; targets are {', '.join(TARGETS)}.")
    return TARGETS[name]


# --------------------------------------------------------------------------- how they are written


def _workbook(
    network: Network, samples: Sequence[Sample], folder: Path, options: Options
) -> Artefact:
    from netsheet.verify.engines.base import Artefact
    from netsheet.verify.lesson import lesson_of, proved
    from netsheet.verify.steps import succession_of
    from netsheet.write.excel import to_excel

    book = options.get("xlsx")
    if book is None:
        book = folder / "network.xlsx"
        to_excel(network, book, samples, arrangement=options.get("arrangement", "auto"))
    nodes = network.computed()
    read = {tensor for node in nodes for tensor in node.inputs}
    keys = [tensor.name for tensor in network.inputs if tensor in read]
    keys += network.tensors()
    row = succession_of(network, Path(book), len(samples))
    if row is not None:
        return Artefact(network, keys, Path(book), folder, back=row.batch, succession=row)
    taught = lesson_of(network, Path(book))
    if taught is None:
        return Artefact(network, keys, Path(book), folder)
    learnt = proved(taught, Path(book))
    keys += [tensor.name for tensor in learnt]
    return Artefact(network, keys, Path(book), folder, taught, learnt)


def _c(network: Network, samples: Sequence[Sample], folder: Path, options: Options) -> Artefact:
    from netsheet.verify.engines.base import Artefact
    from netsheet.write.c.library import library
    from netsheet.write.c.writable import writable

    written = writable(network)
    back = _back(network) if _back(network) == 1 else 0  # the states in C are those of one sample
    return Artefact(written, list(written.tensors()), library(written), folder, back=back)


def _page(network: Network, samples: Sequence[Sample], folder: Path, options: Options) -> Artefact:
    from netsheet.selection import needed, require
    from netsheet.verify.engines.base import Artefact
    from netsheet.verify.engines.page import PageContent
    from netsheet.write.page import page_html

    require(network, needed(network), "a page")
    text = page_html(network, samples=samples)
    path = folder / "network.html"
    path.write_text(text, "utf-8")
    shown = tuple(
        (tensor.name, tuple(tensor.shape)) for node in network.computed() for tensor in node.outputs
    )
    return Artefact(network, list(network.tensors()), PageContent(path, text, shown), folder)


def _back(network: Network) -> int:
    """Of a network that keeps states, how many samples a call takes; 0 of others."""
    return (network.batch_size or 1) if network.states else 0


def _onnx(network: Network, samples: Sequence[Sample], folder: Path, options: Options) -> Artefact:
    from netsheet.verify.engines.base import Artefact
    from netsheet.write.onnx import build

    keys = list(network.tensors())
    return Artefact(network, keys, build(network, "all"), folder, back=_back(network))


def _itself(
    network: Network, samples: Sequence[Sample], folder: Path, options: Options
) -> Artefact:
    from netsheet.verify.engines.base import Artefact

    left = {state.after.name for state in network.states}  # no layer of the framework returns them
    keys = [key for key in network.tensors() if key not in left]
    return Artefact(network, keys, network, folder)


# --------------------------------------------------------------------------- who computes them


def _ironcalc(options: Options) -> OutsideEngine:
    from netsheet.verify.engines.ironcalc import IronCalc

    return IronCalc()


def _libreoffice(options: Options) -> OutsideEngine:
    from netsheet.verify.engines.libreoffice import LibreOffice

    return LibreOffice()


def _formualizer(options: Options) -> OutsideEngine:
    from netsheet.verify.engines.formualizer import Formualizer

    return Formualizer()


def _host(options: Options) -> OutsideEngine:
    from netsheet.verify.engines.c import HostC

    return HostC(bool(options.get("sanitize")))


def _board(options: Options) -> OutsideEngine:
    from netsheet.verify.engines.boards import board_of
    from netsheet.verify.engines.c import BoardC

    if options.get("sanitize"):
        raise UsageError("sanitizers run on this computer only: leave out the board.")
    return BoardC(board_of(options["board"]))


def _node(options: Options) -> OutsideEngine:
    from netsheet.verify.engines.page import NodeJs

    return NodeJs()


def _chromium(options: Options) -> OutsideEngine:
    from netsheet.verify.engines.page import Chromium, NodeJs, browser

    unasked = options.get("engine") is None
    return NodeJs() if unasked and browser() is None else Chromium()


def _onnxruntime(options: Options) -> OutsideEngine:
    from netsheet.verify.engines.onnxruntime import OnnxRuntime

    return OnnxRuntime()


def _netsheet(options: Options) -> OutsideEngine:
    from netsheet.verify.engines.own import OwnEngine

    return OwnEngine()


def _keras() -> OutsideEngine:
    from netsheet.verify.engines.keras import Keras

    return Keras()


def reference_of(network: Network) -> OutsideEngine:
    """What every target of a network is held against.

    An ONNX file: itself, in ONNX Runtime. A TensorFlow Lite file: itself, in TensorFlow Lite
    Micro. Others: the network's equations in doubles.
    """
    from netsheet.read.tflite.original import TfliteOriginal
    from netsheet.verify.engines.equations import Equations
    from netsheet.verify.engines.onnxruntime import OriginalOnnx
    from netsheet.verify.engines.tflite import OriginalTflite

    if isinstance(network.original, TfliteOriginal):
        return OriginalTflite()
    return Equations() if network.original is None else OriginalOnnx()


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target(
            "excel",
            "Excel",
            "a workbook of live formulas, recalculated with every cached value spoiled",
            "pip install 'netsheet[verify]'",
            _workbook,
            {"ironcalc": _ironcalc, "libreoffice": _libreoffice, "formualizer": _formualizer},
            "engine",
            {"engine": "ironcalc", "xlsx": None, "until": None, "arrangement": "auto"},
        ),
        Target(
            "c",
            "C",
            "C99, compiled with all warnings as errors and run",
            "gcc or clang; for a board its cross compiler and its emulator",
            _c,
            {"host": _host, **dict.fromkeys(BOARDS, _board)},
            "board",
            {"board": None, "sanitize": False, "until": None},
        ),
        Target(
            "page",
            "Page",
            "the interactive page, in a headless Chromium; its engine alone in Node",
            "chromium or node",
            _page,
            {"chromium": _chromium, "node": _node},
            "engine",
            {"engine": None, "until": None},
        ),
        Target(
            "onnx",
            "ONNX",
            "an ONNX file, passed by ONNX's checker and run by ONNX Runtime",
            "nothing else",
            _onnx,
            {"onnxruntime": _onnxruntime},
            options={"until": None},
        ),
        Target(
            "keras",
            "Keras",
            "netsheet's own values against those of real Keras",
            "keras or tf_keras, with TensorFlow",
            _itself,
            {"netsheet": _netsheet},
            reference=_keras,
        ),
    )
}
