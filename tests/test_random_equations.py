"""Made-up equations: every printer against the plain evaluator, which knows no layer."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from netsheet.data.inputs import InputValue, Sample
from netsheet.engine.run import engine
from netsheet.equations import FloatArray
from netsheet.equations.evaluation import evaluate
from netsheet.fidelity import judge
from netsheet.network import LayerCall, Network, Source, ValueRef
from random_equations import STAGES, MadeUp

LAYERS = 12  # of one network, so that a compiler or a spreadsheet program starts once for all

chains = st.lists(
    st.tuples(st.sampled_from(sorted(STAGES)), st.integers(0, 1 << 20)), min_size=1, max_size=4
)
shapes = st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple)


@st.composite
def networks(draw: st.DrawFn, layers: int = LAYERS) -> tuple[Network, Sample]:
    """Independent layers of several stages over one input, and an input for them."""
    shape = draw(shapes)
    calls = []
    for number in range(layers):
        layer = MadeUp(name=f"made{number}", type_name="MadeUp", stages=tuple(draw(chains)))
        calls.append(LayerCall(layer.name, layer, (ValueRef("x"),)))
    network = Network("made", calls, [Source("x", shape)], [ValueRef(c.key) for c in calls])
    kept = [node.key for node in network.nodes if node.refusal is None
            and 0 < node.outputs[0].size <= 3000]  # fmt: skip
    assume(kept)
    calls = [call for call in calls if call.key in kept]
    network = Network("made", calls, [Source("x", shape)], [ValueRef(c.key) for c in calls])
    values = np.random.default_rng(draw(st.integers(0, 1 << 20))).normal(size=shape)
    return network, Sample("x", {"x": InputValue(values.astype(np.float32))})


def expected(network: Network, sample: Sample) -> dict[str, FloatArray]:
    """What the equations mean, in doubles."""
    found = evaluate(network.equations(), dict(zip(network.inputs, sample.arrays, strict=True)))
    return {tensor.name: found[tensor] for node in network.nodes for tensor in node.outputs}


def assert_agree(got: dict[str, FloatArray], network: Network, sample: Sample) -> None:
    for key, reference in expected(network, sample).items():
        verdict = judge(key, got[key].reshape(reference.shape), reference)
        layer = network.node(key).layer
        assert verdict.ok, (verdict, network.inputs[0].shape, layer)


CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
# Nothing is made smaller: a failing network is named by its stages, which are few.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
SLOW = settings(deadline=None, phases=PHASES, print_blob=True, suppress_health_check=CHECKS)


@settings(SLOW, max_examples=30)
@given(networks())
def test_onnx(made: tuple[Network, Sample]) -> None:
    network, sample = made
    batch = [array[np.newaxis] for array in sample.arrays]
    values = engine(network).activations(batch)
    assert_agree({key: array[0] for key, array in values.items()}, network, sample)


@settings(SLOW, max_examples=8)
@given(networks(layers=20), st.booleans())
def test_c(made: tuple[Network, Sample], traced: bool) -> None:
    from netsheet.verify.engines.c_host import run_library
    from netsheet.write.c.library import library

    network, sample = made
    options = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    (found,) = run_library(library(network), [sample.arrays], traced=traced, options=options)
    values = dict(found)
    names = [tensor.name for tensor in network.outputs]
    got = {name: values[name if traced else f"#{n}"] for n, name in enumerate(names)}
    assert_agree(got, network, sample)


@settings(SLOW, max_examples=12)
@given(networks(layers=4), st.booleans())
def test_loops(made: tuple[Network, Sample], fast: bool) -> None:
    """The loop IR, run as it is, with kernels as plain loops."""
    network, sample = made
    assume(sum(math.prod(t.shape) for t in network.outputs) < 3000)
    from netsheet.loops.interpret import interpret
    from netsheet.loops.pipeline import looped

    program = looped(network.inputs, network.outputs, network.equations(), fast=fast).program
    found = interpret(program, sample.arrays)
    got = {t.name: values for t, values in zip(network.outputs, found, strict=True)}
    assert_agree(got, network, sample)


@settings(SLOW, max_examples=6)
@given(networks())
def test_workbook(tmp_path_factory: pytest.TempPathFactory, made: tuple[Network, Sample]) -> None:
    pytest.importorskip("ironcalc")
    network, sample = made
    assume(sum(math.prod(t.shape) for t in network.outputs) < 6000)
    from netsheet.verify import verify

    folder: Path = tmp_path_factory.mktemp("made")
    assert folder.is_dir()
    verdict = verify(network, "excel", [sample])
    assert verdict.ok, verdict.first_failure
    assert_agree(
        {k: v[0] for k, v in engine(network).activations([a[None] for a in sample.arrays]).items()},
        network, sample,
    )  # fmt: skip
