"""A library: a network as two programs over shared constants, with the names that C has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from netsheet.equations import Tensor
from netsheet.loops.ir import FLOAT, Buffer
from netsheet.loops.names import Identifiers, identifier
from netsheet.loops.pipeline import LoopedNetwork, looped
from netsheet.loops.storage.addresses import natural, same_layout
from netsheet.loops.storage.constants import Constants
from netsheet.network import Network
from netsheet.write.c.learning import (
    CLearning,
    DeviceLearning,
    RamArray,
    device_learning,
    in_memory,
    ram_arrays,
)
from netsheet.write.c.names import TYPES, library_name


@dataclass(eq=False)
class Library:
    """A model as two programs over shared constants: the fast one, and the one that shows all."""

    model: Network
    name: str
    fast: LoopedNetwork
    traced: LoopedNetwork
    constants: Constants
    inputs: list[str]  # C parameter names
    outputs: list[str]
    class_names: tuple[str, ...] = ()
    weights: str = "text"  # or "binary": a file beside the code
    ram: Sequence[RamArray] = ()  # weights that learn
    learning: DeviceLearning | None = None

    @property
    def upper(self) -> str:
        """The prefix of macros."""
        return self.name.upper()


def library(
    model: Network,
    name: str = "net",
    fast: bool = True,
    traced: bool = True,
    learn: CLearning | None = None,
) -> Library:
    """Plan both programs for a model whose layers are all computed, and the step that learns.

    ``fast`` False uses the general printer only; ``traced`` False leaves out the second program.
    """
    library_name(name)
    constants = Constants()
    names = Identifiers()
    inputs = _parameters(names, "input", [tensor.name for tensor in model.inputs])
    outputs = _parameters(names, "output", [name for name, _ in model.named_outputs()])
    explicit = model.explicit
    equations = explicit.equations()
    ram = [] if learn is None else ram_arrays(model, learn, name)
    read = in_memory(equations, ram)

    def program(kept: Sequence[Tensor]) -> LoopedNetwork:
        return looped(
            explicit.inputs, explicit.outputs, read,
            kept=kept, constants=constants, fast=fast, memory=[array.tensor for array in ram],
        )  # fmt: skip

    quick = program(())
    step = None if learn is None else device_learning(model, equations, learn, ram, constants)
    constants.tracing = True
    shown = program(list(explicit.tensors().values())) if traced else quick
    made = Library(model, name, quick, shown, constants, inputs, outputs)
    return made if step is None else replace(made, ram=step.arrays, learning=step)


def _parameters(names: Identifiers, word: str, labels: Sequence[str]) -> list[str]:
    if len(labels) == 1:
        return [word]
    return [names.fresh(f"{word}_{identifier(label).lower()}") for label in labels]


def signature(lib: Library, suffix: str, last: str = "") -> str:
    """The head of ``net_run`` or of a function with one more parameter."""
    given = zip(lib.inputs, lib.model.inputs, strict=True)
    results = zip(lib.outputs, lib.model.outputs, strict=True)
    parts = [f"const {c_type(t)} {name}[{size_macro(lib, name)}]" for name, t in given]
    parts += [f"{c_type(t)} {name}[{size_macro(lib, name)}]" for name, t in results]
    return f"int {lib.name}_{suffix}({', '.join(parts + ([last] if last else [])) or 'void'})"


def c_type(tensor: Tensor) -> str:
    """The C type of a tensor's values."""
    return TYPES[tensor.dtype]


def has_whole_numbers(lib: Library) -> bool:
    """True if it computes with others than floats, which need <stdint.h>."""
    return any(b.dtype != FLOAT for b in (*_buffers(lib), *lib.constants.buffers.values()))


def _buffers(lib: Library) -> list[Buffer]:
    """What the functions are given."""
    return [
        buffer
        for network in (lib.fast, lib.traced)
        for function in network.program.functions
        for buffer in function.buffers
    ]


def size_macro(lib: Library, parameter: str) -> str:
    """The macro of the number of floats of an input or output."""
    return f"{lib.upper}_{parameter.upper()}_SIZE"


def word_type(lib: Library) -> str:
    """The C type of which the arena is an array: of several kinds where whole numbers lie there."""
    whole = any(b.dtype != FLOAT for b in _buffers(lib) if b.place == "arena")
    return f"{lib.name}_word" if whole else "float"


def arena_parameter(lib: Library) -> str:
    """The arena as the last parameter of a function."""
    return f"{word_type(lib)} arena[{lib.upper}_ARENA_SIZE]"


def arena_floats(lib: Library, traced: bool) -> int:
    """Floats of RAM for activations; whole numbers are packed into them."""
    return lib.traced.program.arena + _scratch(lib) if traced else lib.fast.program.arena


def _scratch(lib: Library) -> int:
    """Floats that a traced build needs to bring a tensor into the model's own order."""
    sizes = [t.size for t in lib.traced.done_at if copied(lib.traced, t)]
    return max(sizes, default=0)


def copied(program: LoopedNetwork, tensor: Tensor) -> bool:
    """True if the callback gets a copy: in another order, or of whole numbers as floats."""
    return tensor.dtype != FLOAT or not same_layout(
        tensor.shape, program.layout(tensor), natural(tensor.shape)
    )
