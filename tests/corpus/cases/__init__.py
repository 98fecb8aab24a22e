"""The cases of the corpus, by subject; importing them fills :data:`kit.CASES`."""

from cases import (  # noqa: F401
    activations,
    attention,
    convolutions,
    graphs,
    masks,
    merges,
    names,
    networks,
    norms,
    operations,
    pools,
    recurrent,
    shapes,
    wrappers,
)
