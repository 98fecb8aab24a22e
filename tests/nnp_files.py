"""Files of NNabla, made by the tests: networks as text, parameters as HDF5 or protobuf."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Array = np.ndarray[Any, np.dtype[np.float32]]


@dataclass
class NnpFile:
    """A network under construction; ``arrays`` are the parameters by their names."""

    inputs: Mapping[str, Sequence[int]]
    arrays: dict[str, Array] = field(default_factory=dict)
    buffers: dict[str, Sequence[int]] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def function(
        self,
        kind: str,
        inputs: Sequence[str],
        shapes: Sequence[Sequence[int]],
        given: Mapping[str, Any] | None = None,
        param: str = "",
    ) -> list[str]:
        """Append a function with outputs of these shapes (without batch); their names."""
        number = len(self.functions)
        names = [f"y{number}_{n}" for n in range(len(shapes))]
        self.buffers |= dict(zip(names, shapes, strict=True))
        lines = [f'    name: "{kind}_{number}"', f'    type: "{kind}"']
        lines += [f'    input: "{name}"' for name in inputs]
        lines += [f'    output: "{name}"' for name in names]
        body = "\n".join(f"      {line}" for line in _fields(given or {}))
        lines.append(f"    {param or kind.lower() + '_param'} {{\n{body}\n    }}")
        self.functions.append("  function {\n" + "\n".join(lines) + "\n  }")
        self.outputs = names
        return names

    def text(self) -> str:
        """network.nntxt."""
        variables = [
            *(_variable(name, "Buffer", (-1, *shape)) for name, shape in self.inputs.items()),
            *(_variable(name, "Buffer", (-1, *shape)) for name, shape in self.buffers.items()),
            *(_variable(name, "Parameter", a.shape) for name, a in self.arrays.items()),
        ]
        executor = ['  name: "runtime"', '  network_name: "main"']
        executor += [f'  data_variable {{ variable_name: "{name}" }}' for name in self.inputs]
        executor += [f'  output_variable {{ variable_name: "{name}" }}' for name in self.outputs]
        parts = ['network {\n  name: "main"', *variables, *self.functions, "}"]
        return "\n".join([*parts, "executor {", *executor, "}"]) + "\n"

    def save(self, path: Path, form: str = "h5") -> Path:
        """A .nnp with parameter.h5 or parameter.protobuf."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("nnp_version.txt", "0.1\n")
            archive.writestr("network.nntxt", self.text())
            if form == "protobuf":
                archive.writestr("parameter.protobuf", wire(self.arrays))
            else:
                beside = path.with_suffix(".h5")
                hdf5(beside, self.arrays)
                archive.write(beside, "parameter.h5")
                beside.unlink()
        return path


def _variable(name: str, kind: str, shape: Sequence[int]) -> str:
    dims = " ".join(f"dim: {n}" for n in shape)
    return f'  variable {{ name: "{name}" type: "{kind}" shape {{ {dims} }} }}'


def _fields(given: Mapping[str, Any]) -> list[str]:
    """Lists of whole numbers as repeated fields, tuples as a Shape; what is 0 is left out."""
    lines = []
    for name, value in given.items():
        if isinstance(value, tuple):
            lines.append(f"{name} {{ {' '.join(f'dim: {n}' for n in value)} }}")
        elif isinstance(value, list):
            lines += [f"{name}: {n}" for n in value]
        elif isinstance(value, str):
            lines.append(f'{name}: "{value}"')
        elif value:
            lines.append(f"{name}: {str(value).lower() if value is True else value}")
    return lines


def hdf5(path: Path, arrays: Mapping[str, Array]) -> None:
    """parameter.h5: values are doubles, as NNabla writes some."""
    with h5py.File(path, "w") as file:
        for number, (name, array) in enumerate(arrays.items()):
            file[name] = array.astype(np.float64)
            file[name].attrs["index"] = number


def wire(arrays: Mapping[str, Array]) -> bytes:
    """parameter.protobuf."""
    return b"".join(
        _block(200, _block(1, name.encode()) + _block(20, _block(1, _packed(array.shape)))
               + _block(100, array.astype("<f4").tobytes()) + b"\xa8\x06\x01")
        for name, array in arrays.items()
    )  # fmt: skip


def _packed(sizes: Sequence[int]) -> bytes:
    return b"".join(map(_varint, sizes))


def _block(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += struct.pack("B", value & 127 | 128)
        value >>= 7
    return found + struct.pack("B", value)


def small_network() -> NnpFile:
    """A convolution, a pooling, a normalisation, two activations, an affine function."""
    random = np.random.default_rng(2)

    def array(*shape: int) -> Array:
        return random.normal(size=shape).astype(np.float32)

    file = NnpFile({"x": (2, 6, 5)})
    names = ["beta", "gamma", "mean", "var"]
    file.arrays = {"conv/W": array(3, 2, 3, 3), "conv/b": array(3), "affine/W": array(12, 4)}
    file.arrays |= {f"bn/{name}": np.abs(array(1, 3, 1, 1)) for name in names}
    ones = (1, 1)
    given = {"base_axis": 1, "pad": ones, "stride": ones, "dilation": ones, "group": 1}
    (y,) = file.function(
        "Convolution", ["x", "conv/W", "conv/b"], [(3, 6, 5)], given, "convolution_param"
    )
    given = {"kernel": (2, 2), "stride": (3, 2), "ignore_border": True, "pad": (0, 0)}
    (y,) = file.function("MaxPooling", [y], [(3, 2, 2)], given, "max_pooling_param")
    given = {"axes": [1], "eps": 1e-5}
    (y,) = file.function(
        "BatchNormalization", [y, *(f"bn/{name}" for name in names)], [(3, 2, 2)], given,
        "batch_normalization_param",
    )  # fmt: skip
    (y,) = file.function("LeakyReLU", [y], [(3, 2, 2)], {"alpha": 0.1}, "leaky_relu_param")
    (y,) = file.function("Affine", [y, "affine/W"], [(4,)], {"base_axis": 1}, "affine_param")
    file.function("Softmax", [y], [(4,)], {"axis": 1}, "softmax_param")
    return file


def with_parameters(file: NnpFile) -> str:
    """The text with the parameters in it."""
    parts = [file.text()]
    for name, array in file.arrays.items():
        dims = " ".join(f"dim: {n}" for n in array.shape)
        data = " ".join(f"data: {value:g}" for value in array.reshape(-1))
        parts.append(f'parameter {{ variable_name: "{name}" shape {{ {dims} }} {data} }}\n')
    return "".join(parts)
