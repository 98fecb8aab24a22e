"""Masks that Keras loses on their way, or does not look for.

Before Keras 2.10, a MultiHeadAttention heeds no mask that its query, value or key carries.
From Keras 3.8 on, a MultiHeadAttention takes the masks off its query, value and key: layers that
look for a mask on these tensors later find none, and neither do those behind an Add of them. A
mask that the file passes on as an argument is not concerned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from netsheet.layer import Layer
from netsheet.network import ValueRef

LOSES_SINCE = (3, 8)
HEEDS_SINCE = (2, 10)

# Layers that compute step by step and yet carry no mask on; nor do plain operations.
_MASKLESS = {
    2: ("EinsumDense", "Identity", "Normalization", "Rescaling"),
    3: ("EinsumDense", "RMSNormalization"),
}


def carries_masks(class_name: str, operation: bool, major: int) -> bool:
    """True if a layer of this class hands the mask of its input on, where it has one."""
    return not operation and class_name not in _MASKLESS[3 if major >= 3 else 2]


def lost_masks(version: str) -> LostMasks:
    """What the version of Keras that wrote a file does."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    return LostMasks(active=numbers >= LOSES_SINCE, heeded=not numbers or numbers >= HEEDS_SINCE)


@dataclass
class LostMasks:
    """The outputs that have no mask any more when a layer looks for one.

    ``heeded``: a MultiHeadAttention looks for the masks that its inputs carry.
    """

    active: bool = False
    heeded: bool = True
    lost: set[ValueRef] = field(default_factory=set)

    def seen(
        self, layer: Layer, inputs: Sequence[ValueRef], outputs: Sequence[ValueRef], given: bool
    ) -> Layer:
        """The layer as it runs, called in order of execution; ``given``: masks are arguments."""
        stripped = [n for n in layer.strips_masks() if n < len(inputs)]
        if not self.heeded and stripped:
            return layer.blind_to([n in stripped for n in range(len(inputs))], output=True)
        if not self.active:
            return layer
        gone = [ref in self.lost for ref in inputs]
        result = layer
        if any(gone) and not given:
            result = layer.blind_to(gone)
        if gone and not given and layer.loses_mask(gone):
            self.lost.update(outputs)
        self.lost |= {inputs[n] for n in stripped}
        return result
