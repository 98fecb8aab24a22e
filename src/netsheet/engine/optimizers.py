"""Optimizers, each a step as Keras defines it (keras/src/optimizers), in float32 and NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netsheet.equations import FloatArray

Weights = dict[str, FloatArray]


@dataclass
class Optimizer:
    """What is learned from gradients; ``slots`` are its own variables by kind, of all weights."""

    rate: float
    steps: int = 0
    slots: dict[str, FloatArray] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """Class and arguments, as Keras writes both into a file."""
        name = type(self).__name__
        config = {"name": name.lower(), "learning_rate": self.rate, **self._arguments}
        return {"class_name": name, "config": config}

    @property
    def _arguments(self) -> dict[str, Any]:
        """Keras's arguments beside the rate."""
        raise NotImplementedError

    def step(self, weights: Weights, gradients: Mapping[str, FloatArray]) -> None:
        """Changes the weights in place; the same ones in the same order at every step."""
        self.steps += 1
        # one behind the other: a small network has more arrays than numbers worth a call for each
        change = self._change(np.concatenate([array.reshape(-1) for array in gradients.values()]))
        change = change.astype(np.float32)
        start = 0
        for name, gradient in gradients.items():
            weights[name] -= change[start : start + gradient.size].reshape(gradient.shape)
            start += gradient.size

    def _change(self, gradient: FloatArray) -> FloatArray:
        """What is subtracted from the weights."""
        raise NotImplementedError

    def _slot(self, kind: str, like: FloatArray) -> FloatArray:
        if kind not in self.slots:
            self.slots[kind] = np.zeros_like(like)
        return self.slots[kind]


@dataclass
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (Nesterov's if asked for)."""

    momentum: float = 0.0
    nesterov: bool = False

    @property
    def _arguments(self) -> dict[str, Any]:
        return {"momentum": self.momentum, "nesterov": self.nesterov}

    def _change(self, gradient: FloatArray) -> FloatArray:
        step = np.float32(self.rate) * gradient
        if not self.momentum:
            return step
        velocity = self._slot("velocity", gradient)
        velocity *= np.float32(self.momentum)
        velocity -= step
        return step - np.float32(self.momentum) * velocity if self.nesterov else -velocity


@dataclass
class RMSprop(Optimizer):
    """Each weight's rate divided by the root of its mean squared gradient (Hinton, 2012)."""

    rho: float = 0.9
    epsilon: float = 1e-7

    @property
    def _arguments(self) -> dict[str, Any]:
        return {"rho": self.rho, "momentum": 0.0, "epsilon": self.epsilon, "centered": False}

    def _change(self, gradient: FloatArray) -> FloatArray:
        square = self._slot("square", gradient)
        square *= np.float32(self.rho)
        square += np.float32(1 - self.rho) * gradient * gradient
        return np.float32(self.rate) * gradient / np.sqrt(square + np.float32(self.epsilon))


@dataclass
class Adam(Optimizer):
    """Kingma and Ba, 2015, with the bias of both means corrected in the rate."""

    first: float = 0.9
    second: float = 0.999
    epsilon: float = 1e-7

    @property
    def _arguments(self) -> dict[str, Any]:
        return {"beta_1": self.first, "beta_2": self.second, "epsilon": self.epsilon,
                "amsgrad": False}  # fmt: skip

    def _change(self, gradient: FloatArray) -> FloatArray:
        mean, square = (self._slot(kind, gradient) for kind in ("mean", "square"))
        mean += (gradient - mean) * np.float32(1 - self.first)
        square += (gradient * gradient - square) * np.float32(1 - self.second)
        correction = np.sqrt(1 - self.second**self.steps) / (1 - self.first**self.steps)
        rate = np.float32(self.rate * correction)
        return rate * mean / (np.sqrt(square) + np.float32(self.epsilon))


OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {
    "adam": Adam,
    "sgd": SGD,
    "momentum": lambda rate: SGD(rate, momentum=0.9),
    "rmsprop": RMSprop,
}
