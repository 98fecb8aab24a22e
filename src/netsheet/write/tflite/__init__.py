"""Networks as TensorFlow Lite files: of real numbers, or quantised to int8.

``lowering`` says a network as operators of TensorFlow Lite (``table`` has one row for each class
of layers), ``passes`` joins them as TensorFlow's converter does: batch normalisation into kernels,
activations into the operator before. ``file`` writes the flatbuffer.

``ranges`` reads such a file of real numbers back and runs it on the calibration samples, so that
every tensor of the file has its range; ``quantising`` turns the operators into whole-number ones
with the scales that follow. The quantised file is then read as any other: what netsheet says of it
comes from the file, and the rules of :mod:`netsheet.quantise` compute it.
"""

from __future__ import annotations

from netsheet.write.tflite.quantise import Quantised, quantise, to_tflite

__all__ = ["Quantised", "quantise", "to_tflite"]
