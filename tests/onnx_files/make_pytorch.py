"""Small PyTorch networks exported to ONNX in several ways, with what PyTorch computes.

    python -m venv torch && torch/bin/pip install torch onnx onnxscript
    torch/bin/python make_pytorch.py        # writes pytorch.zip beside this script

Made with PyTorch 2.13. The tests need the zip only. Members: ``NAME.WAY.onnx`` for each way of
exporting that PyTorch has for this network, and ``NAME.npz`` with the input x (two samples) and
the outputs y0, y1, ...
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

# Both exporters, old and new operators, with and without their simplifications.
WAYS: dict[str, dict[str, Any]] = {
    "script9": {"dynamo": False, "opset_version": 9},
    "script13": {"dynamo": False, "opset_version": 13},
    "script17": {"dynamo": False, "opset_version": 17},
    "script17-one": {"dynamo": False, "opset_version": 17},
    "script17-raw": {"dynamo": False, "opset_version": 17, "do_constant_folding": False},
    "dynamo18": {"dynamo": True, "opset_version": 18},
    "dynamo20-raw": {"dynamo": True, "opset_version": 20, "optimize": False},
    "dynamo23": {"dynamo": True, "opset_version": 23},
}


class Convolutional(nn.Module):
    """Conv, BatchNorm, pooling, Flatten, Dropout, Linear."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2)
        self.pool, self.drop, self.out = nn.MaxPool2d(2), nn.Dropout(0.3), nn.Linear(144, 10)

    def forward(self, x):
        x = F.relu(self.norm(self.conv1(x)))
        x = self.pool(F.leaky_relu(self.conv2(x)))
        return F.log_softmax(self.out(self.drop(torch.flatten(x, 1))), dim=1)


class Viewed(Convolutional):
    """The same with a view whose sizes are computed."""

    def forward(self, x):
        x = F.relu(self.norm(self.conv1(x)))
        x = self.pool(F.relu6(self.conv2(x)))
        return torch.softmax(self.out(self.drop(x.view(x.size(0), -1))), -1)


class Pools(nn.Module):
    """Pooling upwards, global, adaptive."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)

    def forward(self, x):
        mean = F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True)
        most = F.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True)
        all_ = F.adaptive_avg_pool2d(self.conv(x), (1, 1)).squeeze(-1).squeeze(-1)
        parts = F.adaptive_avg_pool2d(x, (4, 2)), F.adaptive_max_pool2d(x, 2)
        return mean.mean((2, 3)), most.amax((2, 3)), all_, *(part.flatten(1) for part in parts)


class Perceptron(nn.Module):
    """Every activation."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(12, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 16), nn.SiLU(),
            nn.Dropout(), nn.Linear(16, 5), nn.Hardswish(), nn.ELU(), nn.Hardsigmoid(),
            nn.Softplus(), nn.SELU(), nn.Mish(), nn.Softsign(), nn.CELU(), nn.PReLU(),
            nn.Hardtanh(-1, 0.5), nn.LogSigmoid(), nn.Tanhshrink(), nn.Softshrink(0.1),
            nn.GELU("tanh"),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x)


class Recurrent(nn.Module):
    """LSTM, GRU or RNN and the last step of its output."""

    def __init__(self, kind: type[nn.RNNBase], layers: int, both: bool) -> None:
        super().__init__()
        self.steps = kind(5, 7, num_layers=layers, batch_first=True, bidirectional=both)
        self.out = nn.Linear(14 if both else 7, 3)

    def forward(self, x):
        return self.out(self.steps(x)[0][:, -1])


class States(nn.Module):
    """Embedding, LSTM with the time first, its states."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.out = nn.Embedding(20, 6), nn.LSTM(6, 4), nn.Linear(4, 2)

    def forward(self, x):
        _, (hidden, cell) = self.lstm(self.embedding(x).transpose(0, 1))
        return self.out(hidden[-1]), cell[-1]


class Encoder(nn.Module):
    """Two layers of a transformer's encoder."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            16, 4, 32, batch_first=True, activation="gelu", norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(16, 3)

    def forward(self, x):
        return self.out(self.encoder(x).mean(1))


class Tokens(nn.Module):
    """Embedding with a class token and positions, MultiheadAttention."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.out = nn.Embedding(30, 16), nn.Linear(16, 4)
        self.positions = nn.Parameter(torch.randn(1, 9, 16))
        self.first = nn.Parameter(torch.randn(1, 1, 16))
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm = nn.LayerNorm(16)

    def forward(self, x):
        x = self.tokens(x)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.positions
        y, _ = self.attention(x, x, x, need_weights=False)
        return self.out(self.norm(x + y)[:, 0])


class Causal(nn.Module):
    """Causal attention over heads split from one product."""

    def __init__(self) -> None:
        super().__init__()
        self.product = nn.Linear(16, 48)

    def forward(self, x):
        count, steps, size = x.shape
        parts = self.product(x).split(size, dim=2)
        heads = [part.view(count, steps, 4, size // 4).transpose(1, 2) for part in parts]
        y = F.scaled_dot_product_attention(*heads, is_causal=True)
        return y.transpose(1, 2).contiguous().view(count, steps, size)


class Inverted(nn.Module):
    """MobileNetV2's block."""

    def __init__(self, inner: int, outer: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inner * expansion
        self.residual = stride == 1 and inner == outer
        self.net = nn.Sequential(
            nn.Conv2d(inner, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide), nn.ReLU6(),
            nn.Conv2d(wide, outer, 1, bias=False), nn.BatchNorm2d(outer),
        )  # fmt: skip

    def forward(self, x):
        return x + self.net(x) if self.residual else self.net(x)


class Mobile(nn.Module):
    """A small MobileNetV2."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(),
            Inverted(8, 8, 1, 2), Inverted(8, 12, 2, 3), Inverted(12, 12, 1, 3),
        )  # fmt: skip
        self.out = nn.Linear(12, 5)

    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.features(x), 1)
        return self.out(x.reshape(x.shape[0], -1))


class Unet(nn.Module):
    """Transposed convolutions (in groups too), resizing, three normalisations, skips."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(2, 4, 3, padding=1)
        self.low = nn.Conv2d(4, 8, 3, padding=1, padding_mode="reflect")
        self.up = nn.ConvTranspose2d(8, 4, 2, 2)
        self.grouped = nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1, groups=2)
        self.groups, self.instance = nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True)
        self.out = nn.Conv2d(12, 1, 1)

    def forward(self, x):
        a = F.relu(self.groups(self.down(x)))
        b = F.relu(self.low(F.max_pool2d(a, 2)))
        size = a.shape[2:]
        linear = F.interpolate(b[:, :4], size=size, mode="bilinear", align_corners=False)
        nearest = F.interpolate(b[:, 4:], scale_factor=2, mode="nearest")
        parts = [a + nearest, self.instance(self.up(b)), linear + self.grouped(b)]
        return torch.sigmoid(self.out(torch.cat(parts, 1)))


class Excited(nn.Module):
    """Squeeze and excite, channel shuffle, pixel shuffle, and many small functions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.gate = nn.Sequential(nn.Linear(8, 2), nn.ReLU(), nn.Linear(2, 8), nn.Sigmoid())

    def forward(self, x):
        y = self.conv(x)
        y = y * self.gate(y.mean((2, 3)))[:, :, None, None]
        count, channels, height, width = y.shape
        y = y.view(count, 2, channels // 2, height, width).transpose(1, 2).contiguous()
        first, second = torch.chunk(y.view(count, channels, height, width), 2, 1)
        y = torch.cat([second, first.flip(2)], 1)
        y = F.pixel_unshuffle(F.pixel_shuffle(y, 2), 2)
        y = F.pad(y, (1, 2, 0, 1))
        y = torch.where(y > 0, y, y * 0.1).clamp(-1, 2)
        return (y.norm(dim=1), y.std(dim=(2, 3)), y.argmax(1),
                torch.topk(y.flatten(1), 3).values, y.max(3)[0].sum((1, 2)))  # fmt: skip


class Signal(nn.Module):
    """One axis: dilated depthwise convolution, transposed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(4, 8, 5, padding=2), nn.BatchNorm1d(8)
        self.deep = nn.Conv1d(8, 8, 3, padding="same", dilation=2, groups=8)
        self.pool, self.up = nn.MaxPool1d(2), nn.ConvTranspose1d(8, 4, 4, 2, 1)
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        x = torch.tanh(self.deep(self.norm(self.conv(x))))
        return self.out(self.up(self.pool(x)).mean(-1))


class Volume(nn.Module):
    """Three axes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv3d(1, 3, 3, padding=1), nn.AvgPool3d(2)
        self.out = nn.Linear(24, 2)

    def forward(self, x):
        return self.out(self.pool(self.conv(x)).flatten(1))


class Products(nn.Module):
    """Einsum, Bilinear, cumulative sums, windows, triangles."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 6, 5))
        self.bilinear = nn.Bilinear(6, 6, 3)

    def forward(self, x):
        y = torch.einsum("bti,hio->bhto", x, self.weight).softmax(-1).cumsum(2)
        y = y.permute(0, 2, 1, 3).reshape(x.shape[0], x.shape[1], -1)
        return (y, self.bilinear(x, x), torch.stack([x, x * 2], 1).prod(1), x.unfold(1, 2, 1),
                torch.tril(x @ x.transpose(1, 2)))  # fmt: skip


class Normed(nn.Module):
    """Weight normalisation, RMSNorm, unit vectors, one-hot."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))
        self.norm = nn.RMSNorm(4)

    def forward(self, x):
        y = self.norm(self.linear(x))
        return (y / y.norm(dim=-1, keepdim=True).clamp_min(1e-6), (y > 0).float().sum(-1),
                F.normalize(y, dim=-1), torch.logsumexp(y, -1),
                F.one_hot(y.argmax(-1), 4).float())  # fmt: skip


def networks() -> dict[str, tuple[nn.Module, torch.Tensor]]:
    """Each network with a batch of two samples."""
    image, steps = torch.randn(2, 3, 14, 14), torch.randn(2, 6, 5)
    return {
        "convolutional": (Convolutional(), image),
        "viewed": (Viewed(), image),
        "pools": (Pools(), torch.randn(2, 3, 12, 12)),
        "perceptron": (Perceptron(), torch.randn(2, 12)),
        "lstm": (Recurrent(nn.LSTM, 2, True), steps),
        "gru": (Recurrent(nn.GRU, 1, False), steps),
        "rnn": (Recurrent(nn.RNN, 1, True), steps),
        "states": (States(), torch.randint(0, 20, (2, 6))),
        "encoder": (Encoder(), torch.randn(2, 6, 16)),
        "tokens": (Tokens(), torch.randint(0, 30, (2, 8))),
        "causal": (Causal(), torch.randn(2, 5, 16)),
        "mobile": (Mobile(), torch.randn(2, 3, 16, 16)),
        "unet": (Unet(), torch.randn(2, 2, 8, 8)),
        "excited": (Excited(), torch.randn(2, 3, 6, 6)),
        "signal": (Signal(), torch.randn(2, 4, 12)),
        "volume": (Volume(), torch.randn(2, 1, 4, 4, 4)),
        "products": (Products(), torch.randn(2, 3, 6)),
        "normed": (Normed(), torch.randn(2, 6)),
    }


def randomised(model: nn.Module) -> nn.Module:
    """The model ready for use, its moving statistics as after training."""
    for part in model.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_()
    return model.eval()


def exported(model: nn.Module, x: torch.Tensor, way: str, target: Path) -> onnx.ModelProto:
    """The exporter's file without its notes on the program that was exported."""
    options = dict(WAYS[way])
    if options["dynamo"]:
        options |= {"dynamic_shapes": ({0: "batch"},), "external_data": False}
    else:
        one = way.endswith("one")
        options |= {"input_names": ["x"], "dynamic_axes": None if one else {"x": {0: "batch"}}}
        x = x[:1] if one else x
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(model, (x,), str(target), **options)
    proto = onnx.load(target)
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.initializer, *graph.input, *graph.output,
                 *graph.value_info):  # fmt: skip
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    return proto


def main() -> None:
    """Write the zip; a way that PyTorch itself does not have for a network is named."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    zipped = Path(__file__).with_name("pytorch.zip")
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, (model, x) in networks().items():
            randomised(model)
            with torch.no_grad():
                result = model(x)
            results = result if isinstance(result, tuple) else (result,)
            stream = io.BytesIO()
            arrays = {f"y{n}": y.numpy() for n, y in enumerate(results)}
            np.savez_compressed(stream, x=x.numpy(), **arrays)
            archive.writestr(f"{name}.npz", stream.getvalue())
            for way in WAYS:
                try:
                    proto = exported(model, x, way, Path(folder) / "model.onnx")
                except Exception as error:
                    print(f"{name} {way}: {str(error).strip().splitlines()[0][:100]}")
                    continue
                archive.writestr(f"{name}.{way}.onnx", proto.SerializeToString())


if __name__ == "__main__":
    main()
