"""Proofs: what was written is computed by somebody else and compared, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netsheet.errors import UsageError

if TYPE_CHECKING:
    from netsheet.data.inputs import Sample
    from netsheet.fidelity import Verdict
    from netsheet.network import Network

TARGETS = ("excel", "c", "onnx", "keras")


def verify(model: Network, target: str, samples: Sequence[Sample], **options: Any) -> Verdict:
    """The verdict on a target; options are those of the target's own function."""
    verdict = _verdict(model, target, samples, **options)
    if verdict.ok:
        return verdict
    from netsheet.verify.explain import explained

    return explained(model, samples, verdict)


def _verdict(model: Network, target: str, samples: Sequence[Sample], **options: Any) -> Verdict:
    if target == "excel":
        from netsheet.verify.excel import verify_excel

        return verify_excel(model, samples, **options)
    if target == "c":
        from netsheet.verify.engines.c_host import verify_c

        return verify_c(model, samples, **options)
    if target == "onnx":
        from netsheet.verify.onnx import verify_onnx

        return verify_onnx(model, samples, **options)
    if target == "keras":
        from netsheet.verify.keras import verify_keras

        return verify_keras(model, samples, **options)
    raise UsageError(f"there is no target {target!r}; targets are {', '.join(TARGETS)}.")
