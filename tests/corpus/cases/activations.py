"""Activations as arguments, as functions and as layers."""

from __future__ import annotations

from typing import Any

from kit import ALL, BOTH, KERAS2, KERAS3, Kit, case

NAMES = ("linear", "relu", "elu", "selu", "tanh", "sigmoid", "hard_sigmoid", "softplus",
         "softsign", "softmax", "swish", "gelu", "exponential", "mish")  # fmt: skip
NEW = ("relu6", "leaky_relu", "celu", "hard_silu", "silu", "log_softmax", "log_sigmoid",
       "hard_tanh", "tanh_shrink", "soft_shrink", "hard_shrink", "squareplus",
       "sparse_plus", "sparse_sigmoid", "sparsemax")  # fmt: skip


def dense(k: Kit, name: str, **options: Any) -> Any:
    return k.layers.Dense(4, activation=name, **options)


@case(ALL)
def dense_activations(k: Kit) -> Any:
    """Dense with every activation by name."""
    return k.fan((6,), {f"dense_{name}": dense(k, name) for name in NAMES})


@case({3: ("keras", "h5")})
def dense_new_activations(k: Kit) -> Any:
    """Dense with the activations that only Keras 3 has."""
    return k.fan((6,), {f"dense_{name}": dense(k, name) for name in NEW})


@case(BOTH)
def dense_forms(k: Kit) -> Any:
    """Dense without bias, along the last of several axes, with a layer as its activation."""
    layers = k.layers
    return k.fan(
        (3, 2, 5),
        {
            "plain": layers.Dense(4),
            "no_bias": layers.Dense(4, use_bias=False),
            "one": layers.Dense(1, activation="sigmoid"),
            "soft": layers.Dense(3, activation="softmax"),
            "leaky": layers.Dense(4, activation=layers.LeakyReLU()),
            "bounded": layers.Dense(4, activation=layers.ReLU(max_value=0.5)),
        },
    )


@case(KERAS2)
def dense_functions(k: Kit) -> Any:
    """Activations given as functions of TensorFlow and Keras."""
    nn, act = k.tf.nn, k.keras.activations
    return k.fan(
        (6,),
        {
            "tf_relu": dense(k, nn.relu),
            "tf_tanh": dense(k, k.tf.tanh),
            "tf_softmax": dense(k, nn.softmax),
            "keras_gelu": dense(k, act.gelu),
            "keras_relu": dense(k, act.relu),
            "tf_relu6": dense(k, nn.relu6),
        },
    )


@case(ALL)
def activation_layers(k: Kit) -> Any:
    """Activation layers on a feature map."""
    layers = k.layers
    branches = {f"act_{name}": layers.Activation(name) for name in NAMES}
    slope = "alpha" if k.major == 2 else "negative_slope"
    branches |= {
        "relu": layers.ReLU(),
        "relu_all": layers.ReLU(max_value=1.5, negative_slope=0.2, threshold=0.3),
        "relu_max": layers.ReLU(max_value=1.0),
        "relu_threshold": layers.ReLU(threshold=0.4),
        "relu_slope": layers.ReLU(negative_slope=0.1),
        "leaky": layers.LeakyReLU(),
        "leaky_01": layers.LeakyReLU(**{slope: 0.1}),
        "elu": layers.ELU(),
        "elu_07": layers.ELU(alpha=0.7),
        "softmax": layers.Softmax(),
        "softmax_1": layers.Softmax(axis=1),
        "softmax_23": layers.Softmax(axis=[2, 3]),
        "prelu": layers.PReLU(),
        "prelu_shared": layers.PReLU(shared_axes=[1, 2]),
    }
    return k.fan((3, 2, 4), branches)


@case(KERAS2)
def thresholded(k: Kit) -> Any:
    """ThresholdedReLU, which Keras 3 dropped."""
    layers = k.layers
    return k.fan((9,), {"one": layers.ThresholdedReLU(), "low": layers.ThresholdedReLU(0.2)})


@case(KERAS3)
def new_activation_layers(k: Kit) -> Any:
    """Activation layers that only Keras 3 has, on a feature map."""
    return k.fan((3, 2, 4), {f"act_{name}": k.layers.Activation(name) for name in NEW})


@case(KERAS3)
def prelu_after_dense(k: Kit) -> Any:
    """PReLU and others on flat features."""
    layers = k.layers
    return k.chain(
        k.input(7),
        layers.Dense(6),
        layers.PReLU(),
        layers.Dense(5),
        layers.LeakyReLU(negative_slope=0.25),
        layers.Dense(4),
        layers.Softmax(),
    )
