"""Drift of the energy scale, taken out of spectra before any model sees them: what a spectroscopist does, done well.

Every spectrum is shifted onto a model of few components, which is then fitted anew to the shifted ones: first the mean, later
more components, so that drift is not taken for chemistry.  A shift is found in what no composition explains, by the derivative
of the model (Lucas & Kanade, An iterative image registration technique, 1981, in one dimension).
"""
import numpy as np
from scipy.ndimage import spline_filter1d

from cardslib.validation import check_count, check_values

FURTHEST_STEP, FURTHEST = 2, 8   # channels that a spectrum may move in one round, and in all: beyond, a fit has gone astray


def correct_drift(spectra, count=3):
    """Spectra (n, channels) with the drift taken out, and the drift (n,) in channels, of median 0.

    spectra  counts of electrons, n > count
    count    components that explain spectra without drift

    What all spectra of one material have in common, a zero of its own, is left: no shift of one against the other would tell.
    ValueError for spectra that are not finite, or of no more channels than components.
    """
    spectra = check_values(spectra, (np.shape(spectra)[-1],) if np.ndim(spectra) else (1,), "spectra")
    if check_count("count", count) >= min(spectra.shape):
        raise ValueError(f"spectra must be more than count={count}, in number and in channels; got {spectra.shape}")
    weight = _shot_noise(spectra)                                                       # (n, channels)
    coefficients = spline_filter1d(spectra, 3, axis=1, output=np.float32, mode="nearest")
    drift, aligned = np.zeros(len(spectra)), spectra
    for rank in sorted([*range(1, count + 1)] * 2 + [count] * 4):
        drift += _step(aligned / weight, weight[0], rank)
        drift = np.clip(drift - np.median(drift), -FURTHEST, FURTHEST)
        aligned = _read_at(coefficients, drift)
    return aligned, drift


def _shot_noise(spectra):
    """Standard deviation of the noise but for a factor, (n, channels): the root of the mean image times that of the mean
    spectrum (Keenan & Kotula, Surface and Interface Analysis 36, 2004, 203–212)."""
    brightness, spectrum = spectra.mean(1, keepdims=True), spectra.mean(0, keepdims=True)
    if brightness.min() <= 0 or spectrum.min() <= 0:
        raise ValueError("spectra must hold counts: every spectrum and every channel must be above 0 in the mean; leave out "
                         "what is empty")
    return np.sqrt(brightness * spectrum / spectrum.mean())


def _step(even, weight, rank):
    """Channels by which each spectrum (n, channels), evenly noisy, still lies too high beside `rank` components of them all."""
    vectors = np.linalg.eigh(even.T @ even)[1][:, -rank:]                               # (channels, rank)
    slopes = np.gradient(vectors * weight[:, None], axis=0) / weight[:, None]
    scores = even @ vectors                                                             # (n, rank)
    slope = scores @ slopes.T                                                           # (n, channels)
    residual = even - scores @ vectors.T                                                # what no composition explains
    return np.clip(-(residual * slope).sum(1) / (slope**2).sum(1), -FURTHEST_STEP, FURTHEST_STEP)


def _read_at(coefficients, by):
    """Spectra, as coefficients (n, channels) of cubic B-splines, read at channel + by (n,), each at its own."""
    whole = np.floor(by).astype(int)
    part = (by - whole).astype(np.float32)
    taps = ((1 - part) ** 3 / 6, (3 * part**3 - 6 * part**2 + 4) / 6,
            (-3 * part**3 + 3 * part**2 + 3 * part + 1) / 6, part**3 / 6)
    last = coefficients.shape[1] - 1
    channel = np.arange(last + 1) + whole[:, None]                                      # (n, channels)
    return sum(tap[:, None] * np.take_along_axis(coefficients, np.clip(channel + offset, 0, last), 1)
               for offset, tap in zip((-1, 0, 1, 2), taps))
