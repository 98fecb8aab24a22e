"""Write the Keras 2 part of the corpus: needs ``pip install 'tensorflow-cpu==2.15.*' h5py``."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import cases  # noqa: F401
import keras
import tensorflow as tf
from kit import Kit
from recording import write_corpus

if not keras.__version__.startswith("2."):
    raise SystemExit(f"this is Keras {keras.__version__}; Keras 2 is needed")
write_corpus(Kit(2, keras, tf), sys.argv[1:])
