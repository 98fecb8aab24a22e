"""What Keras 1 named differently: classes and arguments of layers.

Source: the argument names of Keras 1.2 and keras 2.3.1 legacy/interfaces.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ARGUMENTS = {
    "nb_filter": "filters", "subsample": "strides", "subsample_length": "strides",
    "border_mode": "padding", "bias": "use_bias", "inner_activation": "recurrent_activation",
    "atrous_rate": "dilation_rate", "filter_length": "kernel_size", "pool_length": "pool_size",
    "stride": "strides", "length": "size", "p": "rate",
}  # fmt: skip
_MERGES = {
    "sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate",
    "dot": "Dot", "cos": "Dot",
}  # fmt: skip


def modern(class_name: str, config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Class and arguments of Keras 1 as Keras 2 names them."""
    made = {_ARGUMENTS.get(key, key): value for key, value in config.items()}
    if "dim_ordering" in config:
        made["data_format"] = {"th": "channels_first"}.get(config["dim_ordering"], "channels_last")
    if "nb_row" in config and "nb_col" in config:
        made["kernel_size"] = [config["nb_row"], config["nb_col"]]
    if "kernel_dim1" in config:
        made["kernel_size"] = [config.get(f"kernel_dim{axis}") for axis in (1, 2, 3)]
    if "output_dim" in config and class_name != "Embedding":
        made["units"] = config["output_dim"]
    if class_name == "Merge":
        mode = str(config.get("mode"))
        made["axis"] = config.get("concat_axis", -1)
        made["axes"] = config.get("dot_axes", -1)
        made["normalize"] = mode == "cos"
        return _MERGES.get(mode, class_name), made
    return class_name, made
