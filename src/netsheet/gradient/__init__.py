"""Reverse mode as a rewriting: for each tensor of a network the equations of its adjoint."""

from netsheet.gradient.losses import LOSSES, loss_equations
from netsheet.gradient.reverse import gradients

__all__ = ["LOSSES", "gradients", "loss_equations"]
