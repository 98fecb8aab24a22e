"""A self-contained page in which the network computes, shows and explains itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.network import Network
    from netsheet.write.page.learning import PageLearning

__all__ = ["NotebookPage", "PageReport", "notebook_page", "page_html", "to_page"]


MAX_BYTES = 300_000_000  # of weights and values, which a browser on a phone still holds


@dataclass(frozen=True)
class PageReport:
    """What was written: ``layers`` that compute, and the file's size in bytes."""

    path: Path
    layers: int
    size: int

    def __str__(self) -> str:
        return f"{self.layers} layers, {self.size / 1e3:,.0f} KB"

    def _repr_html_(self) -> str:
        return f"<b>{escape(str(self.path))}</b> {escape(str(self))}"


def to_page(
    model: Network,
    target: str | Path,
    *,
    samples: Sequence[Sample] = (),
    lang: str = "",
    until: str | None = None,
    class_names: Sequence[str] | None = None,
    learn: PageLearning | None = None,
) -> PageReport:
    """Write the page: one HTML file that needs no server and loads nothing.

    Args:
        samples: inputs to pick from; the page checks itself with them. None: random numbers.
        lang: ``en`` or ``ja``; empty for the reader's browser to decide.
        until: the last layer; layers that it does not need are left out.
        class_names: names for the output's values.
        learn: it can be taught what is drawn, by a step of gradient descent at a time.

    Raises:
        UsageError: there is no layer ``until``, or no such language.
        UnsupportedError: no layer is computed, or sizes are open and no sample says them.
        NetsheetError: the file cannot be written.
    """
    from netsheet.files import atomic

    text = page_html(
        model, samples=samples, lang=lang, until=until, class_names=class_names, learn=learn
    )
    content = text.encode("utf-8")
    with atomic(target) as temporary:
        temporary.write_bytes(content)
    return PageReport(Path(target), text.count('{"key":'), len(content))


def page_html(
    model: Network,
    *,
    samples: Sequence[Sample] = (),
    lang: str = "",
    until: str | None = None,
    class_names: Sequence[str] | None = None,
    first: str | None = None,
    learn: PageLearning | None = None,
) -> str:
    """The page's text; arguments and errors as for :func:`to_page`.

    ``first`` is the layer of which a value is explained when the page opens.
    """
    from netsheet.data.probe import probe
    from netsheet.errors import UsageError
    from netsheet.selection import part, require_bound, require_computed
    from netsheet.write.page.data import page_data
    from netsheet.write.page.document import document
    from netsheet.write.page.program import page_program, program_text

    if lang not in ("", "en", "ja"):
        raise UsageError(f"there is no language {lang!r}; languages are en and ja.")
    shapes = [array.shape for array in samples[0].arrays] if samples else None
    network = part(model, until, shapes)
    require_bound(network, "a page")
    require_computed(network)
    _refuse_unfit(network)
    program = page_program(network, learn)
    data = page_data(program, samples or [probe(network)], class_names, learn)
    data |= {"language": lang, "first": first}
    return document(data, program_text(program), lang)


def _refuse_unfit(network: Network) -> None:
    """NetsheetError where a page cannot hold the network: states, or too many numbers."""
    from netsheet.errors import NetsheetError, UnsupportedError

    if network.states:
        raise UnsupportedError(
            "a page computes one run, and this network keeps states from run to run: "
            "netsheet excel, c and onnx carry them"
        )
    weights = sum(w.size for layer in network.layers.values() for w in layer.weights.values())
    values = sum(tensor.size for tensor in network.tensors().values())
    if 4 * (weights + values) > MAX_BYTES:
        raise NetsheetError(
            f"the page would hold {weights:,} weights and {values:,} values "
            f"({4 * (weights + values) / 1e6:,.0f} MB, at most {MAX_BYTES / 1e6:,.0f}); "
            "write fewer layers: --until LAYER."
        )


@dataclass(frozen=True)
class NotebookPage:
    """A page that a notebook shows in a frame of its own, which can reach nothing outside."""

    html: str
    height: int

    def _repr_html_(self) -> str:
        from html import escape

        return (
            f'<iframe srcdoc="{escape(self.html, quote=True)}" style="width:100%;border:0" '
            f'height="{self.height}" sandbox="allow-scripts allow-downloads"></iframe>'
        )


def notebook_page(
    model: Network,
    x: object = None,
    *,
    layer: str | None = None,
    class_names: Sequence[str] | None = None,
    lang: str = "",
    height: int = 860,
) -> NotebookPage:
    """The page for a notebook; ``height`` is the frame's, in pixels of the screen.

    Args:
        x: inputs with a batch axis, as :meth:`~netsheet.model.Model.activations` takes them; or a
            :class:`~netsheet.data.inputs.Sample`, or several; None: random numbers.
        layer: the page opens at this layer.

    Raises:
        UsageError: there is no such layer; otherwise as :func:`to_page`.
    """
    from netsheet.write.page.notebook import samples_from

    key = None if layer is None else model.node(layer).key
    samples = samples_from(model, x)
    text = page_html(model, samples=samples, class_names=class_names, lang=lang, first=key)
    return NotebookPage(text, height)
