"""Which samples to train with and which to test with: each class alike, by a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def divided(y: Array, group: Array, share: float, seed: int) -> Array:
    """True for the samples to train with: ``share`` of every class, whole groups only.

    A class of two or more groups has at least one on either side; one of a single group is trained
    with.
    """
    generator = np.random.default_rng(seed)
    train = np.zeros(len(y), bool)
    for number in np.unique(y):
        members = np.nonzero(y == number)[0]
        names = generator.permutation(np.unique(group[members]))
        wanted, taken = share * len(members), 0
        for place, name in enumerate(names):
            own = members[group[members] == name]
            last = place == len(names) - 1
            if place and (last or taken + len(own) / 2 > wanted):
                break
            train[own] = True
            taken += len(own)
    return train
