"""Reverse mode as a rewriting: for each tensor of a network the equations of its adjoint."""

from netsheet.gradient.losses import LOSSES, from_logits, loss_equations, shifts
from netsheet.gradient.reverse import Gradients, gradients

__all__ = ["LOSSES", "Gradients", "from_logits", "gradients", "loss_equations", "shifts"]
