"""Write the Keras 3 part of the corpus; names on the command line choose cases."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["KERAS_BACKEND"] = "tensorflow"

import cases  # noqa: F401
import keras
import tensorflow as tf
from kit import Kit
from recording import write_corpus

if not keras.__version__.startswith("3."):
    raise SystemExit(f"this is Keras {keras.__version__}; Keras 3 is needed")
write_corpus(Kit(3, keras, tf), sys.argv[1:])
