"""A decoder made small, for the page: the numbers that `explorer.js` needs to draw what the model draws.

A decoder's last layer holds nearly all of its numbers: one column a hidden unit, one row a pixel.  But over the reach of the
sliders the hidden units move together, so a few combinations of columns draw the same pictures; and a combination that
matters little may be told in one byte a pixel.
"""
import zlib

import numpy as np

TOLERANCE = 7e-4     # of a pixel's value, over the samples that are looked at: 1e-3 is promised
INVISIBLE = 2e-3     # half a grey level: allowed to a decoder that would take more than ENOUGH bytes
ENOUGH = 200_000
SAMPLES = 384
FINE = 300           # times what may be left out: a column that matters more is told twice
LEAST_SHOWN = 0.005  # of a grey pixel's slope: no pixel's logit may be told more coarsely than with this


def pack(arrays):
    """{name: array} → ({name: [type, shape, first byte]}, all of them in one deflated block of bytes)."""
    index, block = {}, b""
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        index[name] = [str(array.dtype), list(array.shape), len(block)]
        block += array.tobytes() + b"\0" * (-array.nbytes % 4)   # a typed array begins at a multiple of its item's size
    return index, zlib.compress(block, 9)


def compact_decoder(model, inputs, span, seed=0):
    """What the page must know of a VAE's decoder: ({what it is}, {name: array}).

    inputs  what the decoder is given, in order: [name, 0] is a number within ±span, [name, k] one of k classes
    """
    decoder, kind = model.decoder, model.kind
    _check_finite(model)
    of_coordinates = kind in ("spatial", "skip")   # asked at every pixel: quicker in a kernel, if there is one
    about = dict(kind="asked" if of_coordinates else kind, shape=list(model.shape), kernel=of_coordinates)
    if of_coordinates:
        return about, _network_of_the_coordinates(decoder)
    if kind == "warp":
        about |= dict(side=decoder.side, reach=decoder.reach)
        decoder = decoder.canvas
    return about, _dense(decoder.layers, _samples(inputs, span, np.random.default_rng(seed)), kind == "warp")


def _check_finite(model):
    if not all(bool(values.isfinite().all()) for values in model.decoder.parameters()):
        raise ValueError("model must have finite weights; its decoder's hold NaN or infinity: make a new model and train it "
                         "with a smaller learning_rate")


def _samples(inputs, span, rng):
    """Inputs (SAMPLES, …) within the reach of the sliders: a quarter of them at its corners, where most is at stake."""
    columns = []
    for _, count in inputs:
        if count:
            columns.append(np.eye(count)[np.arange(SAMPLES) % count])
        else:
            anywhere, corner = rng.uniform(-span, span, SAMPLES), span * rng.choice((-1, 1), SAMPLES)
            columns.append(np.where(np.arange(SAMPLES) < SAMPLES // 4, corner, anywhere)[:, None])
    return np.concatenate(columns, 1) if columns else np.zeros((1, 1))


def _dense(layers, inputs, between):
    """between: pixels are read between their neighbours as well (a canvas that is warped)."""
    first, second, last = (layers[number] for number in (0, 2, 4))
    small = dict(first=_array(first.weight), firstBias=_array(first.bias), second=_array(second.weight),
                 secondBias=_array(second.bias))
    weight = np.concatenate([_array(last.weight), _array(last.bias)[:, None]], 1).astype(float)   # (h·w, hidden + 1)
    exact = _hidden(small, inputs) @ weight.T                            # (n, h·w) logits
    small["second"] = small["second"].astype(np.float16)
    shape = layers[-1].unflattened_size

    def readings(logits):
        return _readings(logits.reshape(-1, *shape), between)
    return small | _columns(weight, _hidden(small, inputs), exact, readings)


def _hidden(small, inputs):
    """Signals of the last hidden layer, and a constant 1: (n, hidden + 1)."""
    signal = inputs
    for layer in ("first", "second"):
        signal = signal @ small[layer].T.astype(float) + small[layer + "Bias"]
        signal = signal * _sigmoid(signal)                               # SiLU
    return np.concatenate([signal, np.ones((len(signal), 1))], 1)


def _readings(logits, between):
    """The logits (n, h, w) that are read: of each pixel, and half way to its neighbours on the right, below and across."""
    if not between:
        return [logits]
    right = np.pad(logits[..., 1:], ((0, 0), (0, 0), (0, 1)), "edge")
    below, across = (np.pad(values[:, 1:], ((0, 0), (0, 1), (0, 0)), "edge") for values in (logits, right))
    return [logits, (logits + right) / 2, (logits + below) / 2, (logits + right + below + across) / 4]


def _columns(weight, hidden, exact, readings):
    """`weight` (p, h) as gain · columns (k, p), int8, · amounts (k, h), which holds for signals like hidden (n, h).

    exact     (n, p): the logits that are to be drawn;  readings: a function from logits to all that is read of them

    The gain (p,) is large where a pixel is always black or always white, and the exact logit does not show.  Columns that
    matter much are told twice: coarse, then what is left.
    """
    exact = [_sigmoid(read) for read in readings(exact)]
    slopes = [4 * (value * (1 - value)).max(0) for value in exact]
    if len(slopes) > 1:   # a pixel counts as much as what lies between it and any neighbour
        _, right, below, across = (np.pad(slope, ((1, 0), (1, 0))) for slope in slopes)
        slopes += [right[1:, :-1], below[:-1, 1:], across[:-1, :-1], across[:-1, 1:], across[1:, :-1]]
    shows = np.maximum.reduce(slopes).clip(LEAST_SHOWN).reshape(-1, 1)
    weight = weight * shows
    values, vectors = np.linalg.eigh(hidden.T @ hidden / len(hidden))
    spread = vectors * np.sqrt(values.clip(0)) @ vectors.T               # (h, h): its square is the second moment
    directions, sizes, _ = np.linalg.svd(weight @ spread, full_matrices=False)
    peaks = np.abs(directions).max(0)
    parts = (directions.T @ weight) * (peaks / 127)[:, None]             # (h, h): what each direction takes of the weight
    scaled = directions / peaks * 127
    coarse, fine = np.round(scaled), np.round((scaled - np.round(scaled)) * 254)
    limit = 0.02                                                         # of a logit: what may be left out
    while True:
        chosen, twice = sizes * peaks > limit, sizes * peaks > FINE * limit
        columns = np.concatenate([coarse[:, chosen], fine[:, twice]], 1).T
        amounts = np.concatenate([parts[chosen], parts[twice] / 254]).astype(np.float32)
        made = readings((hidden @ amounts.T @ columns) / shows[:, 0])
        missed = max(np.abs(_sigmoid(read) - value).max() for read, value in zip(made, exact))
        columns = columns.astype(np.int8)
        large = missed <= INVISIBLE and len(zlib.compress(columns.tobytes(), 1)) > ENOUGH
        if missed <= TOLERANCE or large or twice.all():
            return dict(amounts=amounts, columns=columns, gain=(1 / shows[:, 0]).astype(np.float32))
        limit /= 1.4


def _sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def _network_of_the_coordinates(decoder):
    arrays = dict(waves=_array(decoder.waves), last=_array(decoder.last.weight), lastBias=_array(decoder.last.bias))
    for number, (of_waves, of_content) in enumerate(zip(decoder.of_waves, decoder.of_content)):
        arrays |= {f"waves{number}": _array(of_waves.weight), f"content{number}": _array(of_content.weight),
                   f"contentBias{number}": _array(of_content.bias)}
    for number, layer in enumerate(decoder.hidden, 1):
        arrays |= {f"hidden{number}": _array(layer.weight), f"hiddenBias{number}": _array(layer.bias)}
    return arrays


def _array(parameter):
    return parameter.detach().cpu().numpy().astype(np.float32)
