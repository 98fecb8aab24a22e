"""A network that keeps states, called several times in a row: one network of all its calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netsheet.data.inputs import InputValue, Sample
from netsheet.equations import FloatArray, Tensor
from netsheet.network import Network, Node, ValueRef

Values = Mapping[str, FloatArray]  # of one sample by name, without batch axis


@dataclass(frozen=True, eq=False)
class Succession:
    """Samples one after another: each begins with the states that the call before has left.

    A call takes ``batch`` samples, as the file of the network says; sample ``n`` goes on from
    sample ``n - batch``. ``network`` computes all of them and keeps nothing itself: the nodes of
    the first sample, those of the second one, and so on. ``names`` has for each sample the names
    there of the inputs, of the states before and of the layers' outputs ``of`` the network.
    """

    of: Network
    network: Network
    batch: int
    names: Sequence[Mapping[str, str]]

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(self.names)

    @property
    def starts(self) -> list[str]:
        """The names there of the states before the first call."""
        before = [state.before.name for state in self.of.states]
        return [names[name] for names in self.names[: self.batch] for name in before]

    def nodes(self, number: int) -> list[Node]:
        """The calls that compute one sample, in order."""
        size = len(self.network.nodes) // self.count
        return self.network.nodes[number * size : (number + 1) * size]

    def tensor(self, name: str, number: int) -> Tensor:
        """A tensor of the network itself, by its name there, as it is of one sample."""
        known = {t.name: t for t in self.network.inputs} | self.network.tensors()
        return known[self.names[number][name]]

    def joined(self, samples: Sequence[Sample]) -> Sample:
        """All samples as the one that ``network`` takes; the first states are zeros."""
        first = samples[0]
        inputs: dict[str, InputValue] = {}
        for tensor in self.network.inputs:
            inputs[tensor.name] = InputValue(np.zeros(tensor.shape, np.float32))
        for names, sample in zip(self.names, samples, strict=True):
            inputs |= {names[name]: value for name, value in sample.inputs.items()}
        return Sample(first.name, inputs, first.label, first.note)

    def apart(self, values: Values) -> list[dict[str, FloatArray]]:
        """Values of ``network`` as those of each sample, by the names of the network itself."""
        return [
            {name: values[there] for name, there in names.items() if there in values}
            for names in self.names
        ]


def succession(network: Network, count: int) -> Succession:
    """The network for ``count`` samples one after another.

    Raises:
        FormatError: the positions that its layers write out one by one are too many.
    """
    explicit, batch = network.explicit, network.batch_size or 1
    after = {state.before.name: state.result for state in network.states}
    calls, sources, names = [], [], list[dict[str, str]]()
    for number in range(count):

        def there(ref: ValueRef, number: int = number) -> ValueRef:
            if ref.key in after and number >= batch:
                left = after[ref.key]
                return ValueRef(marked(left.key, number - batch, batch), left.output)
            return ValueRef(marked(ref.key, number, batch), ref.output)

        for call in explicit.calls:
            inputs = tuple(there(ref) for ref in call.inputs)
            calls.append(replace(call, key=marked(call.key, number, batch), inputs=inputs))
        sources += [
            replace(source, name=marked(source.name, number, batch))
            for source in explicit.sources
            if number < batch or source.name not in after
        ]
        names.append({})
    results = [
        ValueRef(marked(ref.key, number, batch), ref.output)
        for number in range(count)
        for ref in network.results
    ]
    joined = replace(
        explicit, calls=calls, sources=sources, results=results, aliases={}, result_names=(),
        whole=(), state_names={}, reread=None,
    )  # fmt: skip
    made = Succession(network, joined, batch, names)
    _name(made, explicit)
    return made


def marked(name: str, number: int, batch: int) -> str:
    """The name of a sample's tensor: that of the network itself with the step behind it."""
    if number == 0:
        return name
    step, row = divmod(number, batch)
    if batch == 1:
        return f"{name} {f'(step {step + 1})'}"
    return f"{name} {f'(step {step + 1}, row {row + 1})'}"


def _name(made: Succession, explicit: Network) -> None:
    """Fills the names; a state before is the one that the sample before has left."""
    after = {state.before.name: state.after.name for state in made.of.states}
    for number, names in enumerate(made.names):
        assert isinstance(names, dict)
        for tensor in explicit.inputs:
            if tensor.name in after and number >= made.batch:
                names[tensor.name] = made.names[number - made.batch][after[tensor.name]]
            else:
                names[tensor.name] = marked(tensor.name, number, made.batch)
        for old, new in zip(explicit.nodes, made.nodes(number), strict=True):
            for own, there in zip(old.outputs, new.outputs, strict=True):
                names[own.name] = there.name


def going_on(network: Network, sample: Sample, before: Sequence[Values], back: int) -> Sample:
    """The sample with the states that the one ``back`` samples before has left, if there is one.

    ``before`` has what the samples before it gave, by the outputs' names; ``back`` 0: none.
    """
    if not 0 < back <= len(before):
        return sample
    left = before[-back]
    states = {
        state.before.name: InputValue(np.asarray(left[state.after.name]))
        for state in network.states
    }
    return replace(sample, inputs={**sample.inputs, **states})
