"""Reverse mode as a rewriting: for each tensor of a network the equations of its adjoint."""

from netsheet.gradient.losses import LOSSES, loss_equations
from netsheet.gradient.reverse import Gradients, gradients

__all__ = ["LOSSES", "Gradients", "gradients", "loss_equations"]
