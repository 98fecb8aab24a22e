"""evaluate --report: the folder that shows what a network finds, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netsheet.cli import language, show
from netsheet.data.datasets import Dataset
from netsheet.errors import UsageError

if TYPE_CHECKING:
    from netsheet.data.named_sets import NamedSet
    from netsheet.model import Model


def written_report(
    folder: Path, model: Model, dataset: Dataset | NamedSet, names: Sequence[str] | None
) -> None:
    """Writes the report and says where it is.

    Raises:
        UsageError: the network has several inputs or outputs, or tells no classes apart.
    """
    from netsheet.engine.class_report import class_report
    from netsheet.write.evaluation import write_report
    from netsheet.write.evaluation.folder import shown_of

    if not isinstance(dataset, Dataset):
        raise UsageError("--report is for networks with one input and one output.")
    called = names or dataset.class_names
    with show.progress("evaluating") as bar:
        found = class_report(model, dataset.x, dataset.y, called, bar)
    shown = shown_of(dataset, model.name)
    files = write_report(folder, found, shown, language.chosen)
    show.note(f"wrote {len(files)} files in {folder}; open {files[0]}")
