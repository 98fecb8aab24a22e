"""netsheet: open a trained neural network and see, check and carry everything in it."""

__version__ = "0.1.0"
