"""Small networks of the kinds that people train."""

from __future__ import annotations

from typing import Any

from kit import ALL, BOTH, Kit, Made, case, tokens


def _norm_relu(k: Kit, x: Any, top: float | None = None) -> Any:
    return k.layers.ReLU(top)(k.layers.BatchNormalization()(x))


@case(ALL)
def mobilenet_v1(k: Kit) -> Any:
    """Depthwise separable blocks with ReLU6, global mean, 1x1 convolution as classifier."""
    layers = k.layers
    x = y = k.input(12, 12, 3, name="x")
    y = layers.ZeroPadding2D(((0, 1), (0, 1)))(y)
    y = layers.Conv2D(4, 3, strides=2, use_bias=False)(y)
    y = _norm_relu(k, y, 6.0)
    for filters, strides in ((6, 1), (8, 2)):
        if strides == 2:
            y = layers.ZeroPadding2D(((0, 1), (0, 1)))(y)
        padding = "same" if strides == 1 else "valid"
        y = layers.DepthwiseConv2D(3, strides=strides, padding=padding, use_bias=False)(y)
        y = _norm_relu(k, y, 6.0)
        y = _norm_relu(k, layers.Conv2D(filters, 1, use_bias=False)(y), 6.0)
    y = layers.GlobalAveragePooling2D(keepdims=True)(y)
    y = layers.Conv2D(5, 1)(layers.Dropout(0.1)(y))
    return k.model(x, layers.Activation("softmax")(layers.Reshape((5,))(y)), name="mobilenet")


@case(BOTH)
def mobilenet_v2(k: Kit) -> Any:
    """Inverted residuals with linear bottlenecks."""
    layers = k.layers
    x = k.input(10, 10, 3, name="x")
    y = _norm_relu(k, layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x), 6.0)
    for filters, strides in ((4, 1), (6, 2), (6, 1)):
        start = y
        y = _norm_relu(k, layers.Conv2D(8, 1, use_bias=False)(y), 6.0)
        y = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(y)
        y = _norm_relu(k, y, 6.0)
        y = layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)(y))
        y = layers.Add()([start, y]) if start.shape[1:] == y.shape[1:] else y
    return k.model(x, layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(y)))


@case(BOTH)
def mobilenet_v3(k: Kit) -> Any:
    """Squeeze and excite with hard sigmoids, hard swish made of ReLU6."""
    layers = k.layers

    def hard_sigmoid(t: Any) -> Any:
        return layers.ReLU(6.0)(t + 3.0) * (1.0 / 6.0)

    def hard_swish(t: Any) -> Any:
        return layers.Multiply()([t, hard_sigmoid(t)])

    x = k.input(9, 9, 3, name="x")
    y = hard_swish(layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2, padding="same")(x)))
    start = y
    y = hard_swish(layers.BatchNormalization()(layers.Conv2D(6, 1)(y)))
    y = layers.DepthwiseConv2D(5, padding="same", use_bias=False)(y)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    s = layers.GlobalAveragePooling2D(keepdims=True)(y)
    s = layers.ReLU()(layers.Conv2D(3, 1)(s))
    y = layers.Multiply()([y, hard_sigmoid(layers.Conv2D(6, 1)(s))])
    y = layers.Add()([start, layers.BatchNormalization()(layers.Conv2D(4, 1)(y))])
    return k.model(x, layers.Dense(3)(layers.Flatten()(y)))


@case(BOTH)
def squeeze_excite(k: Kit) -> Any:
    """A residual block with squeeze and excite through Dense and Reshape."""
    layers = k.layers
    x = k.input(6, 6, 4, name="x")
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    s = layers.GlobalAveragePooling2D()(y)
    s = layers.Dense(2, activation="relu")(layers.Reshape((1, 1, 4))(s))
    y = layers.Multiply()([y, layers.Dense(4, activation="sigmoid")(s)])
    return k.model(x, layers.Dense(3, activation="softmax")(
        layers.GlobalMaxPooling2D()(layers.Add()([x, y]))
    ))  # fmt: skip


@case(ALL)
def unet(k: Kit) -> Any:
    """Down and up with skips: transposed and upsampling, cropped."""
    layers = k.layers
    x = k.input(12, 12, 1, name="x")
    a = layers.Conv2D(2, 3, padding="same", activation="relu")(x)
    b = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.MaxPooling2D()(a))
    c = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D()(b))
    u = layers.Conv2DTranspose(4, 2, strides=2, padding="same")(c)
    u = layers.Conv2D(4, 3, activation="relu")(layers.Concatenate()([b, u]))
    u = layers.UpSampling2D(interpolation="bilinear")(u)
    u = layers.Concatenate()([layers.Cropping2D(2)(a), u])
    return k.model(x, layers.Conv2D(1, 1, activation="sigmoid")(layers.Dropout(0.2)(u)))


@case(BOTH)
def inception(k: Kit) -> Any:
    """Branches of 1x1, 3x3, factored 5x5 and pooling, joined."""
    layers = k.layers
    x = k.input(7, 7, 3, name="x")
    y = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    for _ in range(2):
        one = layers.Conv2D(2, 1, activation="relu")(y)
        three = layers.Conv2D(3, 3, padding="same")(layers.Conv2D(2, 1, activation="relu")(y))
        five = layers.Conv2D(2, (1, 5), padding="same")(y)
        five = layers.Conv2D(2, (5, 1), padding="same", activation="relu")(five)
        pool = layers.Conv2D(2, 1)(layers.AveragePooling2D(3, strides=1, padding="same")(y))
        y = layers.Activation("relu")(layers.Concatenate()([one, three, five, pool]))
    return k.model(x, layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(y)))


@case(BOTH)
def densenet(k: Kit) -> Any:
    """Dense blocks with transitions."""
    layers = k.layers
    x = k.input(8, 8, 3, name="x")
    y = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x)
    y = layers.MaxPooling2D(3, strides=1, padding="same")(_norm_relu(k, y))
    for block in range(2):
        for _ in range(2):
            new = layers.Conv2D(4, 1, use_bias=False)(_norm_relu(k, y))
            new = layers.Conv2D(2, 3, padding="same", use_bias=False)(_norm_relu(k, new))
            y = layers.Concatenate()([y, new])
        if block == 0:
            y = layers.Conv2D(4, 1, use_bias=False)(_norm_relu(k, y))
            y = layers.AveragePooling2D(2, strides=2)(y)
    y = layers.GlobalAveragePooling2D()(_norm_relu(k, y))
    return k.model(x, layers.Dense(3, activation="softmax")(y))


@case(BOTH)
def resnet(k: Kit) -> Any:
    """Residual blocks with projections, as channels grow."""
    layers = k.layers
    x = k.input(8, 8, 3, name="x")
    y = _norm_relu(k, layers.Conv2D(4, 3, padding="same")(x))
    for filters, strides in ((4, 1), (6, 2)):
        start = y
        y = _norm_relu(k, layers.Conv2D(filters, 3, strides=strides, padding="same")(y))
        y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(y))
        if strides > 1:
            start = layers.Conv2D(filters, 1, strides=strides, padding="same")(start)
        y = layers.Activation("relu")(layers.Add()([start, y]))
    y = layers.Flatten()(layers.AveragePooling2D(4)(y))
    return k.model(x, layers.Dense(5, activation="softmax")(y))


@case(ALL)
def siamese(k: Kit) -> Any:
    """One convolutional tower for two pictures, and their distance."""
    layers = k.layers
    p = k.input(6, 6, 1, name="picture")
    t = layers.Conv2D(3, 3, activation="relu", name="conv")(p)
    t = layers.Dense(4, name="code")(layers.Flatten(name="flat")(layers.MaxPooling2D(name="m")(t)))
    tower = k.model(p, layers.UnitNormalization(name="unit")(t), name="tower")
    left, right = k.input(6, 6, 1, name="left"), k.input(6, 6, 1, name="right")
    a, b = tower(left), tower(right)
    gap = layers.Subtract(name="gap")([a, b])
    far = layers.Multiply(name="square")([gap, gap])
    near = layers.Dot(axes=1, name="near")([a, b])
    both = layers.Concatenate(name="both")([far, near])
    return k.model([left, right], layers.Dense(1, activation="sigmoid", name="same")(both))


@case(ALL)
def autoencoder(k: Kit) -> Any:
    """Encoder and decoder as nested models."""
    layers = k.layers
    a = k.input(8, 8, 1, name="image")
    e = layers.Conv2D(3, 3, strides=2, padding="same", activation="relu", name="e1")(a)
    encoder = k.model(a, layers.Dense(4, name="e2")(layers.Flatten(name="ef")(e)), name="encoder")
    decoder = k.chain(
        k.input(4, name="code"),
        layers.Dense(32, activation="relu", name="d1"),
        layers.Reshape((4, 4, 2), name="d2"),
        layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu", name="d3"),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="d4"),
        name="decoder",
    )
    x = k.input(8, 8, 1, name="x")
    return k.model(x, decoder(encoder(x)), name="autoencoder")


@case(ALL, skip=("not_equal",))
def lstm_classifier(k: Kit) -> Any:
    """Words, two LSTMs in both directions, a classifier."""
    layers = k.layers
    model = k.chain(
        k.input(7),
        layers.Embedding(12, 4, mask_zero=True),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.LSTM(4, dropout=0.2),
        layers.Dense(3, activation="relu"),
        layers.Dense(2, activation="softmax"),
    )
    return Made(model, {model.inputs[0].name: tokens(2, 7, below=12, padding=True)})


@case(BOTH)
def gru_classifier(k: Kit) -> Any:
    """Convolution over time, GRUs, a sigmoid."""
    layers = k.layers
    return k.chain(
        k.input(16, 2),
        layers.Conv1D(4, 3, activation="relu"),
        layers.MaxPooling1D(),
        layers.GRU(4, return_sequences=True),
        layers.GRU(3, reset_after=False),
        layers.Dense(1, activation="sigmoid"),
    )


@case(ALL)
def transformer(k: Kit) -> Any:
    """Words and positions, two encoder blocks, a classifier."""
    layers = k.layers
    x, p = k.input(5, name="words"), k.input(5, name="places")
    y = layers.Add(name="e")(
        [layers.Embedding(11, 6, name="ew")(x), layers.Embedding(5, 6, name="ep")(p)]
    )
    for n in range(2):
        a = layers.MultiHeadAttention(2, 3, dropout=0.1, name=f"heads{n}")(y, y)
        y = layers.LayerNormalization(epsilon=1e-6, name=f"na{n}")(
            layers.Add(name=f"a{n}")([y, layers.Dropout(0.1, name=f"da{n}")(a)])
        )
        f = layers.Dense(8, activation="gelu", name=f"wide{n}")(y)
        f = layers.Dense(6, name=f"narrow{n}")(f)
        y = layers.LayerNormalization(epsilon=1e-6, name=f"nf{n}")(layers.Add(name=f"f{n}")([y, f]))
    y = layers.Dense(3, activation="softmax", name="out")(
        layers.GlobalAveragePooling1D(name="m")(y)
    )
    places = tokens(2, 5, below=5)
    places[:] = range(5)
    return Made(k.model([x, p], y), {"words": tokens(2, 5, below=11), "places": places})


@case(BOTH)
def vision_transformer(k: Kit) -> Any:
    """Patches as a convolution, attention before normalization, a decoder's causal block."""
    layers = k.layers
    x = k.input(8, 8, 3, name="x")
    y = layers.Reshape((4, 6), name="tokens")(layers.Conv2D(6, 4, strides=4, name="patches")(x))
    n = layers.LayerNormalization(name="n1")(y)
    y = layers.Add(name="a1")([y, layers.MultiHeadAttention(3, 2, name="heads")(n, n)])
    f = layers.Dense(12, activation="gelu", name="wide")(layers.LayerNormalization(name="n2")(y))
    y = layers.Add(name="a2")([y, layers.Dense(6, name="narrow")(f)])
    c = layers.MultiHeadAttention(2, 3, name="causal")(y, y, use_causal_mask=True)
    return k.model(x, layers.Dense(4, name="out")(layers.Flatten(name="flat")(c)))


@case(BOTH)
def tcn(k: Kit) -> Any:
    """Dilated causal convolutions with gates and skips."""
    layers = k.layers
    x = k.input(12, 2, name="x")
    y = layers.Conv1D(4, 1)(x)
    skips = []
    for rate in (1, 2, 4):
        a = layers.Conv1D(4, 2, padding="causal", dilation_rate=rate, activation="tanh")(y)
        b = layers.Conv1D(4, 2, padding="causal", dilation_rate=rate, activation="sigmoid")(y)
        gated = layers.Multiply()([a, b])
        skips.append(layers.Conv1D(3, 1)(gated))
        y = layers.Add()([y, layers.Conv1D(4, 1)(gated)])
    y = layers.ReLU()(layers.Add()(skips))
    return k.model(x, layers.GlobalAveragePooling1D()(layers.SpatialDropout1D(0.1)(y)))


@case(BOTH)
def video(k: Kit) -> Any:
    """ConvLSTM2D behind each other, normalized, Conv3D at the end."""
    layers = k.layers
    return k.chain(
        k.input(3, 5, 5, 1),
        layers.ConvLSTM2D(2, 3, padding="same", return_sequences=True),
        layers.BatchNormalization(),
        layers.ConvLSTM2D(2, 3, padding="same", return_sequences=True),
        layers.Conv3D(1, 3, padding="same", activation="sigmoid"),
    )


@case(BOTH)
def translator(k: Kit) -> Any:
    """Encoder, decoder with attention over the encoder's steps."""
    layers = k.layers
    x, y = k.input(5, name="source"), k.input(4, name="target")
    s, h, c = layers.LSTM(4, return_sequences=True, return_state=True, name="encoder")(
        layers.Embedding(9, 3, name="es")(x)
    )
    t = layers.LSTM(4, return_sequences=True, name="decoder")(
        layers.Embedding(8, 3, name="et")(y), initial_state=[h, c]
    )
    a = layers.Attention(name="attention")([t, s])
    out = layers.TimeDistributed(layers.Dense(8, activation="softmax"), name="out")(
        layers.Concatenate(name="both")([t, a])
    )
    return Made(
        k.model([x, y], out), {"source": tokens(2, 5, below=9), "target": tokens(2, 4, below=8)}
    )


@case(BOTH)
def shuffle(k: Kit) -> Any:
    """Grouped convolutions with channels shuffled by Reshape and Permute."""
    layers = k.layers
    x = k.input(5, 5, 4, name="x")
    y = layers.Conv2D(6, 1, groups=2, activation="relu")(x)
    y = layers.Reshape((5, 5, 2, 3))(y)
    y = layers.Reshape((5, 5, 6))(layers.Permute((1, 2, 4, 3))(y))
    y = layers.DepthwiseConv2D(3, padding="same")(y)
    y = layers.Concatenate()([layers.Conv2D(4, 1, groups=2)(y), x])
    return k.model(x, layers.GlobalAveragePooling2D()(layers.PReLU(shared_axes=[1, 2])(y)))


@case(BOTH)
def xception(k: Kit) -> Any:
    """Separable convolutions with residuals."""
    layers = k.layers
    x = k.input(9, 9, 2, name="x")
    y = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2)(x)))
    start = layers.BatchNormalization()(layers.Conv2D(6, 1, strides=2, padding="same")(y))
    y = layers.SeparableConv2D(6, 3, padding="same", use_bias=False)(y)
    y = layers.Activation("relu")(layers.BatchNormalization()(y))
    y = layers.SeparableConv2D(6, 3, padding="same", use_bias=False)(y)
    y = layers.MaxPooling2D(3, strides=2, padding="same")(layers.BatchNormalization()(y))
    y = layers.GlobalAveragePooling2D()(layers.Add()([y, start]))
    return k.model(x, layers.Dense(3, activation="softmax")(y))


@case(BOTH)
def convnext(k: Kit) -> Any:
    """Wide depthwise kernels, layer normalization, gelu, pictures scaled inside."""
    layers = k.layers
    x = k.input(8, 8, 3, name="x")
    y = layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.04, 0.05, 0.06], name="scaled")(x)
    y = layers.LayerNormalization(epsilon=1e-6)(layers.Conv2D(4, 2, strides=2)(y))
    z = layers.LayerNormalization(epsilon=1e-6)(layers.DepthwiseConv2D(7, padding="same")(y))
    z = layers.Dense(4)(layers.Activation("gelu")(layers.Dense(8)(z)))
    y = layers.Add()([y, z])
    return k.model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y)))


@case(BOTH)
def borrowed(k: Kit) -> Any:
    """Layers that only keras.applications has: LayerScale and CustomScaleLayer."""
    layers = k.layers
    if k.major == 2:
        from keras.src.applications.convnext import LayerScale
        from keras.src.applications.inception_resnet_v2 import CustomScaleLayer
    else:
        from keras.src.applications.convnext import LayerScale
        from keras.src.applications.inception_resnet_v2 import CustomScaleLayer
    x = k.input(4, 4, 3, name="x")
    y = layers.Conv2D(3, 3, padding="same", name="conv")(x)
    z = LayerScale(1e-6, 3, name="scale")(y)
    return k.model(x, CustomScaleLayer(0.17, name="custom")([z, x]))


@case(BOTH)
def speech(k: Kit) -> Any:
    """A wake word network: spectrogram, depthwise separable blocks, dropout, softmax."""
    layers = k.layers
    x = y = k.input(13, 8, name="x")
    y = layers.Reshape((13, 8, 1))(y)
    y = layers.Conv2D(6, (5, 3), strides=(2, 2), padding="same")(y)
    y = layers.Activation("relu")(layers.BatchNormalization()(y))
    for _ in range(2):
        y = layers.DepthwiseConv2D(3, padding="same")(y)
        y = layers.Activation("relu")(layers.BatchNormalization()(y))
        y = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv2D(6, 1)(y)))
    y = layers.AveragePooling2D((7, 4))(layers.Dropout(0.4)(y))
    return k.model(x, layers.Dense(4, activation="softmax")(layers.Flatten()(y)))


@case(BOTH)
def attention_unet(k: Kit) -> Any:
    """Gated skips: added, passed through a sigmoid, multiplied."""
    layers = k.layers
    x = k.input(8, 8, 2, name="x")
    a = layers.Conv2D(4, 3, padding="same", activation="elu")(x)
    b = layers.Conv2D(4, 3, strides=2, padding="same", activation="elu")(a)
    u = layers.UpSampling2D()(b)
    gate = layers.Add()([layers.Conv2D(2, 1)(a), layers.Conv2D(2, 1)(u)])
    gate = layers.Conv2D(1, 1, activation="sigmoid")(layers.LeakyReLU()(gate))
    y = layers.Concatenate()([layers.Multiply()([a, gate]), u])
    return k.model(x, layers.Conv2D(2, 1, activation="softmax")(y))


@case(BOTH)
def pointer(k: Kit) -> Any:
    """Words scored one by one with AdditiveAttention, GRU and a shared TimeDistributed."""
    layers = k.layers
    x = k.input(6, 3, name="x")
    steps, last = layers.GRU(4, return_sequences=True, return_state=True, name="gru")(x)
    query = layers.RepeatVector(1, name="query")(last)
    context = layers.AdditiveAttention(name="attention")([query, steps])
    score = layers.TimeDistributed(layers.Dense(1), name="score")
    flat = layers.Flatten(name="flat")(score(steps))
    probability = layers.Softmax(name="probability")(flat)
    out = layers.Concatenate(name="out")([layers.Flatten(name="c")(context), probability])
    return k.model(x, [out, score(context)])
