"""TensorFlow Lite files as networks: float and quantised, for one sample.

``file`` reads the flatbuffer, every offset and size checked against the file; ``table`` has one
row for each operator: the layer of netsheet that computes it; ``assembly`` connects them. A layer
whose tensors are quantised is wrapped (:class:`~netsheet.quantise.layer.QuantisedLayer`): it
writes the equations that it always writes, and the rules of :mod:`netsheet.quantise` turn them
into the whole-number arithmetic of TensorFlow Lite Micro.

The first axis of every tensor is the batch and is taken away. What no row or rule takes is shown
and not computed, with the operator's name.
"""

from __future__ import annotations

from netsheet.read.tflite.assembly import load_tflite, network_of

__all__ = ["load_tflite", "network_of"]
