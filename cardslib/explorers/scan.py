"""What a page holds of a scan: as many of its spectra as fit, each rounded to a part of its noise, and maps of it."""
import zlib
from dataclasses import dataclass
from math import ceil

import numpy as np

from cardslib.explorers.packing import evenly

SPECTRA_BYTES = 210_000   # that spectra may take, packed: in base64 half of the 500 kB that a page may take
SAMPLE = 500              # spectra that are packed to see how well all of them can be
FINENESS = 1 / 2          # of the noise, a step of what is stored: off by a quarter of it at most, by a seventh as a rule
ROOT_NOISE = 1 / 2        # standard deviation of the square root of a Poisson count (Bartlett, 1936)
GREY_LEVEL = 1 / 255      # a step where values are shares of light
MAP_PIXELS = 2**14        # of each map: 16 kB, and so small a place on the screen shows no more


@dataclass(frozen=True)
class StoredSpectra:
    """Spectra of every second, third … pixel of a scan, as whole numbers of steps from their mean spectrum.

    every   along rows and along columns;  pixels: which of all they are, (n,), row by row
    roots   square roots are stored, whose noise is the same everywhere if the spectra count electrons
    step    of what is stored;  arrays: `spectra` (n, channels) int8 or int16, and `mean` (channels,)
    """

    every: int
    pixels: np.ndarray
    roots: bool
    step: float
    arrays: dict


def store(spectra, shape, likelihood):
    """`StoredSpectra` of spectra (h · w, channels), of which as many as a small page can hold."""
    roots = likelihood.name == "poisson"
    even = np.sqrt(spectra) if roots else spectra   # equally noisy everywhere
    mean = even.mean(0, dtype=float).astype(np.float32)
    step = _step(likelihood, np.abs(even - mean).max())

    def in_steps(some):
        steps = np.round((some - mean) / step)
        return steps.astype(np.int8 if np.abs(steps).max() <= np.iinfo(np.int8).max else np.int16)
    sample = in_steps(even[evenly(len(even), SAMPLE)])
    most = SPECTRA_BYTES / (len(zlib.compress(sample.tobytes())) / len(sample))
    every = next(every for every in range(1, max(shape) + 1)
                 if ceil(shape[0] / every) * ceil(shape[1] / every) <= most or every == max(shape))
    pixels = np.arange(len(spectra)).reshape(shape)[::every, ::every].ravel()
    return StoredSpectra(every, pixels, roots, step, dict(spectra=in_steps(even[pixels]), mean=mean))


def _step(likelihood, farthest):
    """A part of the noise, but so large that an int16 reaches the farthest value."""
    noise = {"poisson": ROOT_NOISE, "bernoulli": GREY_LEVEL / FINENESS}.get(likelihood.name)
    if noise is None:
        noise = likelihood.standard_deviation().item()
    return max(FINENESS * noise, float(farthest) / np.iinfo(np.int16).max)


def grey_maps(values, shape):
    """A map of each of {name: (h · w,)}: (maps, rows, columns) grey values, and a title for each.

    And of how many pixels along rows and along columns one stands in the maps.
    """
    every = ceil((shape[0] * shape[1] / MAP_PIXELS) ** 0.5)
    maps, titles = [], []
    for name, along in values.items():
        picture = np.asarray(along, float).reshape(shape)[::every, ::every]
        low, high = picture.min(), picture.max()
        maps.append((picture - low) / (high - low) if high > low else np.zeros_like(picture))
        titles.append(f"{name}, {_rounded(low)} (black) to {_rounded(high)} (white)")
    return np.array(maps, np.float32), titles, every


def _rounded(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
