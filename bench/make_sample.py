"""Train the small network that the package carries, and cut its images: src/netsheet/data/sample.

    python bench/make_sample.py [--mnist ../shared/data/mnist]

Needs tf_keras; takes a minute. It learns from 9,000 of the 10,000 images of MNIST's test set and
is measured on the other 1,000; the package gets the network (compiled, so that its loss is known),
200 of those 1,000 as IDX files, and a few of them as pictures.
"""

from __future__ import annotations

import argparse
import gzip
import os
import struct
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import numpy.typing as npt
import tf_keras as keras
from PIL import Image

from netsheet.data.arrays import read_idx

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "src" / "netsheet" / "data" / "sample"
LEARNT, KEPT, EPOCHS, SEED = 9_000, 200, 15, 7

README = """# The sample network

`digits.h5` recognises handwritten digits: 28x28 grey pixels of 0..1 (white on black), a
convolution (4 filters of 5x5, stride 2, relu), 2x2 maximum pooling, a Dense layer of 10 with
softmax; {params:,} parameters. Written by Keras {version} as HDF5, compiled with categorical
cross-entropy on integer labels.

It learnt from {learnt:,} images of MNIST's test set. On the other {others:,} it had, in Keras:

| | loss | accuracy |
|---|---|---|
| all {others:,} | {loss:.7f} | {accuracy:.4f} |
| the {kept} in `digits/` | {kept_loss:.7f} | {kept_accuracy:.4f} |

`digits/` holds {kept} of them as IDX files, gzipped; the pictures are the first of each class
that is named in the file name. Images: MNIST, Y. LeCun, C. Cortes and C. Burges, CC BY-SA 3.0.
`bench/make_sample.py` in the repository made all of this.
"""


def network() -> keras.Model:
    """The untrained network."""
    return keras.Sequential(
        [
            keras.layers.Input((28, 28, 1), name="image"),
            keras.layers.Conv2D(4, 5, strides=2, activation="relu", name="conv"),
            keras.layers.MaxPooling2D(2, name="pool"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits",
    )


def train(x: npt.NDArray[np.float32], y: npt.NDArray[np.int64]) -> keras.Model:
    """The network after learning, compiled with an optimizer that has no state to save."""
    keras.utils.set_random_seed(SEED)
    model = network()
    loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]
    steps = EPOCHS * len(x) // 32
    rate = keras.optimizers.schedules.CosineDecay(5e-3, steps)
    model.compile(keras.optimizers.Adam(rate), loss, metrics)
    model.fit(x, y, 32, EPOCHS, verbose=2)
    model.compile("sgd", loss, metrics)
    return model


def write_idx(path: Path, array: npt.NDArray[np.uint8]) -> None:
    """Write an IDX file of bytes, gzipped; the same bytes each time."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), 9, mtime=0))


def main() -> None:
    """Train, measure, and write everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mnist", type=Path, default=ROOT.parent / "shared" / "data" / "mnist")
    folder = parser.parse_args().mnist
    images = read_idx(folder / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz")
    order = np.random.default_rng(SEED).permutation(len(images))
    images, labels = images[order], labels[order]
    x, y = (images[..., None] / 255).astype(np.float32), labels.astype(np.int64)
    model = train(x[:LEARNT], y[:LEARNT])
    loss, accuracy = model.evaluate(x[LEARNT:], y[LEARNT:], verbose=0)
    kept = slice(LEARNT, LEARNT + KEPT)
    kept_loss, kept_accuracy = model.evaluate(x[kept], y[kept], verbose=0)
    (SAMPLE / "digits").mkdir(parents=True, exist_ok=True)
    model.save(SAMPLE / "digits.h5", save_format="h5")
    write_idx(SAMPLE / "digits" / "test-images-idx3-ubyte.gz", images[kept])
    write_idx(SAMPLE / "digits" / "test-labels-idx1-ubyte.gz", labels[kept])
    for digit in (0, 3, 5, 7):
        first = int(np.flatnonzero(labels[kept] == digit)[0])
        Image.fromarray(images[kept][first]).save(SAMPLE / f"digit{digit}.png", optimize=True)
    text = README.format(
        params=model.count_params(), version=keras.__version__, learnt=LEARNT,
        others=len(x) - LEARNT, loss=loss, accuracy=accuracy, kept=KEPT,
        kept_loss=kept_loss, kept_accuracy=kept_accuracy,
    )  # fmt: skip
    (SAMPLE / "README.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
