"""Writes masked_attention_2_9.h5 and .npz beside itself; run it with tensorflow-cpu 2.9."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

layers = tf.keras.layers
inputs = tf.keras.Input((5,))
tokens = layers.Embedding(9, 4, mask_zero=True)(inputs)
attended = layers.MultiHeadAttention(2, 3)(tokens, tokens)
both = layers.Add()([tokens, attended])
outputs = [
    attended,
    layers.GRU(3)(attended),
    both,
    layers.GRU(3)(both),
    layers.GlobalAveragePooling1D()(layers.LayerNormalization()(both)),
    layers.GlobalAveragePooling1D()(attended),
]
model = tf.keras.Model(inputs, outputs)
random = np.random.default_rng(0)
model.set_weights([random.normal(size=weight.shape) for weight in model.get_weights()])
x = np.array([[1, 2, 0, 3, 0], [3, 0, 0, 0, 1]], np.float32)
place = Path(__file__).with_name("masked_attention_2_9.h5")
model.save(place)
values = {f"y{n}": np.asarray(value) for n, value in enumerate(model(x))}
np.savez(place.with_suffix(".npz"), x=x, **values)
