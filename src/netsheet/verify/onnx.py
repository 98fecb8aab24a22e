"""Proof of the ONNX export: ONNX Runtime on the written file against the equations in doubles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.equations.evaluation import evaluate
from netsheet.errors import UsageError
from netsheet.fidelity import LayerVerdict, Verdict, judge, worst
from netsheet.write.onnx import build

if TYPE_CHECKING:
    from netsheet.network import Network

REFERENCE = "the equations, evaluated in doubles"


def verify_onnx(
    model: Network,
    samples: Sequence[Sample],
    progress: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Compare every layer of the exported ONNX model with its equations, on each sample.

    The export passes ONNX's own checker first. Layers that are not computed are not compared.

    Raises:
        UsageError: there is no sample.
    """
    import onnx
    import onnxruntime

    if not samples:
        raise UsageError("a verification needs at least one input.")
    if not model.bound:
        model = model.bind([array.shape for array in samples[0].arrays])
    proto = build(model, "all")
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows: dict[str, list[LayerVerdict]] = {key: [] for key in model.tensors()}
    for done, sample in enumerate(samples, 1):
        for key, verdict in _judged(model, session, sample).items():
            rows[key].append(verdict)
        if progress is not None:
            progress(done, len(samples))
    layers = [worst(key, verdicts) for key, verdicts in rows.items()]
    return Verdict("onnx", f"onnxruntime {onnxruntime.__version__}", REFERENCE, layers)


def _judged(model: Network, session: Any, sample: Sample) -> dict[str, LayerVerdict]:
    given: dict[str, FloatArray] = {
        tensor.name: np.asarray(array, np.float32)
        for tensor, array in zip(model.inputs, sample.arrays, strict=True)
    }
    tensors = model.tensors()
    feeds = {name: array[np.newaxis] for name, array in given.items()}
    results = session.run(list(tensors), feeds) if tensors else []
    got = dict(zip(tensors, results, strict=True))
    expected = evaluate(model.equations(), {t: given[t.name] for t in model.inputs})
    return {key: judge(key, got[key][0], expected[tensor]) for key, tensor in tensors.items()}
