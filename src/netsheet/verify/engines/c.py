"""C as engines compute it: compiled by this computer's compiler, or on an emulated board.

Both programs are computed: the one that shows every layer, and ``net_run`` as users compile it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.errors import NetsheetError
from netsheet.verify.engines import c_board, c_host
from netsheet.verify.engines.base import Artefact, Recomputed, Values
from netsheet.verify.engines.boards import Board
from netsheet.verify.engines.c_harness import WARNINGS, Tensors, written
from netsheet.write.c.library import Library
from netsheet.write.c.sources import code


@dataclass(frozen=True)
class HostC:
    """The computer's own compiler; ``sanitize`` adds address and undefined-behaviour checks."""

    sanitize: bool = False

    def absent(self) -> str | None:
        """As :class:`~netsheet.verify.engines.base.OutsideEngine` says."""
        return _said(c_host.compiler)

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """Compiles with all warnings as errors; a portable program too where there is one."""
        lib: Library = artefact.content
        arrays = [sample.arrays for sample in samples]
        name = c_host.version(c_host.compiler()) + (", sanitized" if self.sanitize else "")
        options = [*WARNINGS, "-O1", *(c_host.SANITIZE if self.sanitize else ())]
        plain, portable = f"{lib.name}_run", f"{lib.upper}_PORTABLE"
        programs: dict[str, list[Tensors]] = {}
        with written(lib) as sources:
            traced = c_host.run_sources(sources, arrays, True, options)
            programs[plain] = c_host.run_sources(sources, arrays, False, options)
            if portable in code(lib) and (native := c_host.native_options()):
                found = c_host.run_sources(sources, arrays, False, [*options, *native])
                programs[f"{plain}, {native[0]}"] = found
            if portable in code(lib):  # as a microcontroller without vectors has it
                options = [*options, f"-D{portable}"]
                programs[f"{plain}, portable"] = c_host.run_sources(sources, arrays, False, options)
        return _recomputed(lib, name, samples, traced, programs)


@dataclass(frozen=True)
class BoardC:
    """An emulated board, bare metal; instructions, cycles and memory are measured on the way."""

    board: Board = c_board.CORTEX_M4

    def absent(self) -> str | None:
        """As :class:`~netsheet.verify.engines.base.OutsideEngine` says."""
        return _said(self.board.require)

    def recompute(self, artefact: Artefact, samples: Sequence[Sample]) -> Recomputed:
        """Both programs at -O2, and the figures of ``net_run``."""
        lib: Library = artefact.content
        arrays, board = [sample.arrays for sample in samples], self.board
        plain = f"{lib.name}_run"
        with written(lib) as sources:
            traced = c_board.run_sources(sources, arrays, True, ["-O2"], board)
            programs = {plain: c_board.run_sources(sources, arrays, False, ["-O2"], board)}
            try:
                figures: object = c_board.measure_sources(sources, arrays[0], False, "-O2", board)
            except NetsheetError as error:  # what was computed counts all the same
                figures = error
        remark = f"{plain} at -O2: {figures}"
        return _recomputed(lib, board.version(), samples, traced, programs, remark)


def _said(find: object) -> str | None:
    """What a search for programs says where it fails."""
    try:
        find()  # type: ignore[operator]
    except NetsheetError as error:
        return str(error)
    return None


def _recomputed(
    lib: Library,
    name: str,
    samples: Sequence[Sample],
    traced: Sequence[Tensors],
    programs: Mapping[str, Sequence[Tensors]],
    *remarks: str,
) -> Recomputed:
    """The tensors by key; the outputs of all programs in order, the traced one's first."""
    shapes = {tensor.name: tensor.shape for tensor in lib.model.tensors().values()}
    layers: list[Values] = [
        {key: _shaped(array, shapes[key]) for key, array in tensors if key in shapes}
        for tensors in traced
    ]
    outputs = {
        program: [_outputs(lib, tensors) for tensors in found]
        for program, found in {f"{lib.name}_run, traced": traced, **programs}.items()
    }
    return Recomputed(name, layers, outputs, remarks=remarks)


def _outputs(lib: Library, tensors: Tensors) -> list[FloatArray]:
    found = dict(tensors)
    return [_shaped(found[f"#{n}"], tensor.shape) for n, tensor in enumerate(lib.model.outputs)]


def _shaped(array: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """In the tensor's shape where the number of values allows it; else as it came."""
    size = 1
    for n in shape:
        size *= n
    return array.reshape(shape) if array.size == size else array
