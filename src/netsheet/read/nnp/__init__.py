"""Files of SONY Neural Network Console and NNabla as networks, for one sample.

``text`` reads the network's description (protobuf text), ``wire`` parameters in protobuf's binary
form, ``container`` finds both in a .nnp or beside a .nntxt; ``table`` has one row for each
function: the layer of netsheet that computes it; ``assembly`` connects them. Nothing of a file is
executed. The first axis of every variable is the batch and is taken away. What no row takes is
shown and not computed, with the function's name.
"""

from __future__ import annotations

from netsheet.read.nnp.assembly import load_nnp

__all__ = ["load_nnp"]
