"""A decoder made small, for the page: the numbers that `js/decoders.js` needs to draw what the model draws.

A decoder draws natural parameters, of which the likelihood makes means (models/likelihoods.py); what is seen of these are grey
values, black 0 and white 1.

The last layer of a dense decoder holds nearly all of its numbers, a row a pixel and a column a hidden unit.  But over the reach
of the sliders the hidden units move together.  So a product of low rank draws the same pictures,

    drawn = weight @ signals  ≈  gain * (basis.T @ (projection @ signals))

with a few basis images of one byte a pixel.  All other layers go as they are, however many there are: array names end in the
layer's number, from 0 on.
"""
import zlib
from copy import deepcopy

import numpy as np
import torch
from torch import nn

from cardslib.models.likelihoods import OUTSHINE

SAMPLES = 384           # inputs at which pictures are compared: three for each of the usual 128 units of a hidden layer
AT_CORNERS = 1 / 4      # of the samples: there the sliders' reach ends, and most is at stake

TOLERANCE = 7e-4        # of a grey value, at the samples: 1e-3 is promised, and between the samples it may be a little more
INVISIBLE = 2e-3        # half a grey level, 0.5 / 255: allowed to a decoder that would take more than ENOUGH bytes
ENOUGH = 200_000        # bytes of the basis, packed: in base64 half of the 500 kB that a page may take
LEAST_VISIBLE = 1 / 800   # grey values a natural parameter: no logit is told 200 times as coarsely as a grey pixel's logit

BYTE = 127              # the largest whole number that has its opposite in an int8
REST = 2 * BYTE         # what rounding leaves, within ±1/2, times this fills a byte again
COARSEST = 0.005        # of a grey value, left out at first: too much for almost every decoder
FINER = 1.4             # about √2: two steps halve what is left out, and no more bytes than that are wasted
TWICE = 300             # times what may be left out: of a basis image that does more, already the rounding (1 / REST) shows


def compact_decoder(model, inputs, span):
    """What the page must know of a VAE's decoder: ({what it is}, {name: array}).

    inputs  what the decoder is given, in order: [name, 0] is a number within ±span, [name, k] one of k classes

    A dense or warp decoder draws the same grey values to 1e-3, or to half a grey level if it were too large otherwise; those
    beyond white to so much of themselves.
    """
    decoder, likelihood = model.decoder, deepcopy(model.likelihood).cpu()
    _check_finite(decoder)
    about = dict(name=decoder.name, pointwise=decoder.pointwise, shape=(1, *model.shape)[-2:], link=_link(likelihood))
    if decoder.pointwise:
        return about, _pointwise_layers(decoder)
    samples = _samples(inputs, span)
    if decoder.name == "warp":
        about |= dict(canvas=decoder.canvas, reach=decoder.reach.tolist())
        return about, _dense_layers(decoder.canonical, samples, decoder.canvas, likelihood, between=True)
    return about, _dense_layers(decoder, samples, about["shape"], likelihood, between=False)


def _link(likelihood):
    """How the page makes grey values of natural parameters: the likelihood's name, and its scale."""
    if likelihood.name == "poisson":
        return dict(name="poisson", logWhite=float(likelihood.white.log()), outshine=OUTSHINE)
    if likelihood.name == "gaussian":   # a straight line
        at_zero, at_one = likelihood.grey(likelihood.mean(torch.tensor([0.0, 1.0], dtype=torch.float64))).tolist()
        return dict(name="gaussian", offset=at_zero, slope=at_one - at_zero)
    return dict(name="bernoulli")


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


def _dense_layers(decoder, samples, shape, likelihood, between):
    """Linear layers with SiLU between them, the last one as a product.

    samples  (n, inputs), at which the pictures, of `shape`, are compared
    between  whether pictures are read between their pixels as well, as those are that a pose moves
    """
    *before, last = (layer for layer in decoder.layers if isinstance(layer, nn.Linear))
    layers = [(_array(layer.weight), _array(layer.bias)) for layer in before]
    weight = np.concatenate([_array(last.weight), _array(last.bias)[:, None]], 1).astype(float)   # (p, hidden + 1)
    exact = _signals(layers, samples) @ weight.T                         # (n, p) natural parameters
    layers[1:] = [(square.astype(np.float16), bias) for square, bias in layers[1:]]   # the first has few inputs: it stays exact
    product = _product(weight, _signals(layers, samples), exact, lambda drawn: _readings(drawn, shape, between), likelihood)
    numbered = {f"{name}{n}": array for n, layer in enumerate(layers) for name, array in zip(("weight", "bias"), layer)}
    return numbered | product


def _signals(layers, inputs):
    """What the last layer gets: the signals of the layer before it, and a constant 1 for its bias: (n, hidden + 1)."""
    signals = inputs
    for weight, bias in layers:
        signals = signals @ weight.T.astype(float) + bias
        signals = signals * _sigmoid(signals)                            # SiLU
    return np.concatenate([signals, np.ones((len(signals), 1))], 1)


def _readings(drawn, shape, between):
    """What is read of pictures (n, h·w): each pixel, (n, h, w), and half way to its neighbours on the right, below, across."""
    drawn = drawn.reshape(-1, *shape)
    if not between:
        return [drawn]
    right = np.concatenate([drawn[..., 1:], drawn[..., -1:]], 2)         # beyond the edge as at the edge
    below, across = (np.concatenate([values[:, 1:], values[:, -1:]], 1) for values in (drawn, right))
    return [drawn, (drawn + right) / 2, (drawn + below) / 2, (drawn + right + below + across) / 4]


# ---------------------------------------------------------------------- the last layer as a product

def _product(weight, signals, exact, read, likelihood):
    """{projection (k, h), basis (k, p) int8, gain (p,)}: weight (p, h) as a product that holds for signals like these (n, h).

    exact  (n, p) natural parameters that are to be drawn;  read: from these to all that is read of the pictures
    """
    shades = [_shades(torch.from_numpy(reading), likelihood) for reading in read(exact)]
    visibility = _visibility([_slopes(reading, likelihood) for reading in read(exact)]).reshape(-1, 1)   # (p, 1)
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
        error = max(float((_shades(torch.from_numpy(reading), likelihood) - shade).abs().max())
                    for reading, shade in zip(drawn, shades))
        basis = basis.astype(np.int8)
        if error <= TOLERANCE or kept_twice.all() or (error <= INVISIBLE and _packed(basis) > ENOUGH):
            return dict(projection=small, basis=basis, gain=(1 / visibility[:, 0]).astype(np.float32))
        limit /= FINER


def _shades(natural, likelihood):
    """Grey values of natural parameters, beyond ±1 their logarithm: a tolerance is of white, or of what is brighter."""
    grey = likelihood.grey(likelihood.mean(natural))
    if grey.amax() <= 1 and grey.amin() >= -1:   # logarithms are slow
        return grey
    return grey.clamp(-1, 1) + grey.sign() * (grey.abs() - 1).clamp_min(0).log1p()


def _slopes(natural, likelihood):
    """The steepest slope of each pixel's shade against its natural parameter: (n, h, w) → (h, w)."""
    natural = torch.tensor(natural, requires_grad=True)
    slopes, = torch.autograd.grad(_shades(natural, likelihood).sum(), natural)
    return slopes.amax(0).numpy()


def _visibility(slopes):
    """How much an error of each natural parameter shows, (h, w), in grey values.

    That of a logit 1/4 in a grey pixel, nearly 0 in one that is always black or white.

    slopes  (h, w) each, of what is read, see `_readings`.  A pixel counts as much as what lies between it and any neighbour.
    """
    if len(slopes) > 1:
        _, right, below, across = (np.pad(slope, ((1, 0), (1, 0))) for slope in slopes)
        slopes += [right[1:, :-1], below[:-1, 1:], across[:-1, :-1], across[:-1, 1:], across[1:, :-1]]   # left, above, corners
    return np.maximum.reduce(slopes).clip(LEAST_VISIBLE)


def _principal_directions(weight, signals):
    """Directions (p, h) in which pictures differ most, their sizes (h,), and each one's part of the weight, (h, h).

    The principal components (about zero) of weight @ signals: their leading products are the best of their rank.
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
