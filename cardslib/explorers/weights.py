"""A decoder made small, for the page: the numbers that `js/decoders.js` needs to draw what the model draws.

The last layer of a dense decoder holds nearly all of its numbers, a row a pixel and a column a hidden unit.  But over the reach
of the sliders the hidden units move together.  So a product of low rank draws the same pictures,

    logits = weight @ signals  ≈  gain * (basis.T @ (projection @ signals))

with a few basis images of one byte a pixel.  All other layers go as they are, however many there are: array names end in the
layer's number, from 0 on.
"""
import zlib

import numpy as np
from torch import nn

SAMPLES = 384           # inputs at which pictures are compared: three for each of the usual 128 units of a hidden layer
AT_CORNERS = 1 / 4      # of the samples: there the sliders' reach ends, and most is at stake

TOLERANCE = 7e-4        # of a pixel's value, at the samples: 1e-3 is promised, and between the samples it may be a little more
INVISIBLE = 2e-3        # half a grey level, 0.5 / 255: allowed to a decoder that would take more than ENOUGH bytes
ENOUGH = 200_000        # bytes of the basis, packed: in base64 half of the 500 kB that a page may take
LEAST_VISIBLE = 0.005   # of the slope in a grey pixel: no logit is told more than 200 times as coarsely as a grey one

BYTE = 127              # the largest whole number that has its opposite in an int8
REST = 2 * BYTE         # what rounding leaves, within ±1/2, times this fills a byte again
COARSEST = 0.02         # logits, left out at first: 0.005 of a grey pixel's value, too much for almost every decoder
FINER = 1.4             # about √2: two steps halve what is left out, and no more bytes than that are wasted
TWICE = 300             # times what may be left out: of a basis image that does more, already the rounding (1 / REST) shows


def compact_decoder(model, inputs, span):
    """What the page must know of a VAE's decoder: ({what it is}, {name: array}).

    inputs  what the decoder is given, in order: [name, 0] is a number within ±span, [name, k] one of k classes

    A dense or warp decoder draws the same to 1e-3 of a pixel's value, or to half a grey level if it were too large otherwise.
    """
    decoder = model.decoder
    _check_finite(decoder)
    about = dict(name=decoder.name, pointwise=decoder.pointwise, shape=list(model.shape))
    if decoder.pointwise:
        return about, _pointwise_layers(decoder)
    samples = _samples(inputs, span)
    if decoder.name == "warp":
        about |= dict(side=decoder.side, reach=decoder.reach)
        return about, _dense_layers(decoder.canonical, samples, (decoder.side, decoder.side), between=True)
    return about, _dense_layers(decoder, samples, model.shape, between=False)


def _check_finite(decoder):
    if not all(bool(values.isfinite().all()) for values in decoder.parameters()):
        raise ValueError("model must have finite weights; its decoder's hold NaN or infinity: make a new model and train it "
                         "with a smaller learning_rate")


def _samples(inputs, span):
    """Inputs (SAMPLES, …) within the reach of the sliders; a single zero for a decoder without any."""
    rng, parts = np.random.default_rng(0), []
    at_corner = np.arange(SAMPLES) < SAMPLES * AT_CORNERS
    for _, count in inputs:
        if count:
            parts.append(np.eye(count)[np.arange(SAMPLES) % count])
        else:
            anywhere, corner = rng.uniform(-span, span, SAMPLES), span * rng.choice((-1, 1), SAMPLES)
            parts.append(np.where(at_corner, corner, anywhere)[:, None])
    return np.concatenate(parts, 1) if parts else np.zeros((1, 1))


def _pointwise_layers(decoder):
    """Layer 0 takes waves and content; later ones the layer before, and with skip both again."""
    arrays = dict(waves=_array(decoder.waves), last=_array(decoder.last.weight), lastBias=_array(decoder.last.bias))
    for number, (of_waves, of_content) in enumerate(zip(decoder.of_waves, decoder.of_content)):
        arrays |= {f"waves{number}": _array(of_waves.weight), f"content{number}": _array(of_content.weight),
                   f"contentBias{number}": _array(of_content.bias)}
    for number, layer in enumerate(decoder.hidden, 1):
        arrays |= {f"hidden{number}": _array(layer.weight), f"hiddenBias{number}": _array(layer.bias)}
    return arrays


def _dense_layers(decoder, samples, shape, between):
    """Linear layers with SiLU between them, the last one as a product.

    samples  (n, inputs), at which the pictures, of `shape`, are compared
    between  whether pictures are read between their pixels as well, as those are that a pose moves
    """
    *before, last = (layer for layer in decoder.layers if isinstance(layer, nn.Linear))
    layers = [(_array(layer.weight), _array(layer.bias)) for layer in before]
    weight = np.concatenate([_array(last.weight), _array(last.bias)[:, None]], 1).astype(float)   # (p, hidden + 1)
    exact = _signals(layers, samples) @ weight.T                         # (n, p) logits
    layers[1:] = [(square.astype(np.float16), bias) for square, bias in layers[1:]]   # the first has few inputs: it stays exact
    product = _product(weight, _signals(layers, samples), exact, lambda logits: _readings(logits, shape, between))
    numbered = {f"{name}{n}": array for n, layer in enumerate(layers) for name, array in zip(("weight", "bias"), layer)}
    return numbered | product


def _signals(layers, inputs):
    """What the last layer gets: the signals of the layer before it, and a constant 1 for its bias: (n, hidden + 1)."""
    signals = inputs
    for weight, bias in layers:
        signals = signals @ weight.T.astype(float) + bias
        signals = signals * _sigmoid(signals)                            # SiLU
    return np.concatenate([signals, np.ones((len(signals), 1))], 1)


def _readings(logits, shape, between):
    """What is read of pictures (n, h·w): each pixel, (n, h, w), and half way to its neighbours on the right, below, across."""
    logits = logits.reshape(-1, *shape)
    if not between:
        return [logits]
    right = np.pad(logits[..., 1:], ((0, 0), (0, 0), (0, 1)), "edge")
    below, across = (np.pad(values[:, 1:], ((0, 0), (0, 1), (0, 0)), "edge") for values in (logits, right))
    return [logits, (logits + right) / 2, (logits + below) / 2, (logits + right + below + across) / 4]


# ---------------------------------------------------------------------- the last layer as a product

def _product(weight, signals, exact, read):
    """{projection (k, h), basis (k, p) int8, gain (p,)}: weight (p, h) as a product that holds for signals like these (n, h).

    exact  (n, p) logits that are to be drawn;  read: from logits (n, p) to all that is read of the pictures
    """
    values = [_sigmoid(reading) for reading in read(exact)]
    visibility = _visibility(values).reshape(-1, 1)                      # (p, 1)
    directions, sizes, projection = _principal_directions(weight * visibility, signals)
    peaks = np.abs(directions).max(0)
    coarse, fine = _in_two_bytes(directions / peaks)
    projection = projection * (peaks / BYTE)[:, None]
    limit = COARSEST
    while True:
        kept, kept_twice = sizes * peaks > limit, sizes * peaks > TWICE * limit
        small = np.concatenate([projection[kept], projection[kept_twice] / REST]).astype(np.float32)   # (k, h)
        basis = np.concatenate([coarse[:, kept], fine[:, kept_twice]], 1).T                            # (k, p)
        drawn = read((signals @ small.T @ basis) / visibility[:, 0])
        error = max(np.abs(_sigmoid(reading) - value).max() for reading, value in zip(drawn, values))
        basis = basis.astype(np.int8)
        if error <= TOLERANCE or kept_twice.all() or (error <= INVISIBLE and _packed(basis) > ENOUGH):
            return dict(projection=small, basis=basis, gain=(1 / visibility[:, 0]).astype(np.float32))
        limit /= FINER


def _visibility(values):
    """How much an error of a pixel's logit shows, (h, w): 1 in a grey pixel, nearly 0 in one that is always black or white.

    values  (n, h, w) in [0, 1] each: what is read, see `_readings`.  A pixel counts as much as what lies between it and any
    neighbour.
    """
    slopes = [4 * (value * (1 - value)).max(0) for value in values]      # of the sigmoid, 1/4 at most
    if len(slopes) > 1:
        _, right, below, across = (np.pad(slope, ((1, 0), (1, 0))) for slope in slopes)
        slopes += [right[1:, :-1], below[:-1, 1:], across[:-1, :-1], across[:-1, 1:], across[1:, :-1]]   # left, above, corners
    return np.maximum.reduce(slopes).clip(LEAST_VISIBLE)


def _principal_directions(weight, signals):
    """Directions (p, h) in which pictures differ most, their sizes (h,) in logits, and each one's part of the weight, (h, h).

    The principal components (about zero) of the logits weight @ signals: their leading products are the best of their rank.
    """
    values, vectors = np.linalg.eigh(signals.T @ signals / len(signals))
    spread = vectors * np.sqrt(values.clip(0)) @ vectors.T               # (h, h): its square is the second moment
    directions, sizes, _ = np.linalg.svd(weight @ spread, full_matrices=False)
    return directions, sizes, directions.T @ weight


def _in_two_bytes(values):
    """Values in [-1, 1] as whole numbers within ±BYTE: coarse / BYTE + fine / (BYTE · REST)."""
    coarse = np.round(values * BYTE)
    return coarse, np.round((values * BYTE - coarse) * REST)


def _packed(array):
    """Bytes that an array takes, packed as quickly as possible."""
    return len(zlib.compress(array.tobytes(), 1))


def _sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def _array(parameter):
    return parameter.detach().cpu().numpy().astype(np.float32)
