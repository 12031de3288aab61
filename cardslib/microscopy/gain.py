"""How many electrons a grey value stands for, measured from the image itself: its noise grows with its brightness.

Electrons that arrive one by one scatter by the root of their number.  So the variance of the noise is a straight line in the
mean brightness, whose slope is one electron in grey values and which is zero where no electron arrives: the photon transfer
curve (Janesick, *Photon Transfer*, SPIE 2007; from a single image: Foi et al., IEEE Trans. Image Process. 17, 2008, 1737–1754).
"""
from dataclasses import replace
from math import comb

import numpy as np
from scipy.ndimage import convolve1d, gaussian_filter1d

from cardslib.validation import check_images

ORDER = 6               # of the differences: what is left of a column two pixels wide is 10⁻⁶ of its square
BESIDE = 1, 1, 0, 1, 1  # lines above and below whose mean tells how bright a pixel is, without its own noise
ALONG = 1.0             # pixels: standard deviation of the blur along these lines
LEVELS = 24             # of brightness, with equally many pixels each
FEWEST_LINES = 16       # of an image: fewer hold too little noise to be measured
ENOUGH = 2**22          # pixels that say it to better than one per cent
FINEST = 12             # order of the differences that are compared with them: what neighbours share is weaker there
ALIKE = 0.15            # correlation of neighbouring pixels' noise, at which the gain comes out a third too high
BY_CHANCE = 30, 7       # over the root of the number of pixels: four standard deviations of it along lines, from line to line
DARKEST = 1e-3          # of the strongest noise: where there is less, none was seen by chance
CLEARLY = 4             # standard deviations above zero that the slope must be
CURE = ("Give the gain, open_image(path, gain=…), if you know it; or take likelihood=\"gaussian\", which learns how strong the "
        "noise is")


def measure_gain(micrograph):
    """The same `Micrograph` with its gain and black level, measured from all its frames.

    The noise is taken from differences of sixth order along the lines of the scan, which cancel everything smooth, and in
    which the jitter of the lines does not count; the brightness where it is taken, from the same pixels with the squares of
    the same weights.  Pixels are sorted by the brightness of the lines beside them, whose noise is independent of theirs;
    through the mean noise and brightness of 24 levels goes a straight line (least squares, weighted).  On simulated images of
    2 to 100 electrons a pixel and 0.7 million pixels the gain is right to 3 %.

    A detector whose noise has a constant part of variance s² (in electrons²) besides gets a black level that is higher by s²:
    counts with as much noise as there is (Snyder et al., J. Opt. Soc. Am. A 10, 1993, 1014–1023).

    Raises ValueError where the noise does not grow with the brightness, or is shared by neighbouring pixels (an image that was
    resampled, smoothed or compressed), or where there are too few pixels to tell.
    """
    frames = _checked(micrograph)
    _check_independent(frames, micrograph)
    brightness, variance = _levels(frames)
    weights = 1 / np.maximum(variance, DARKEST * variance.max())                        # the error is a share of the variance
    (slope, intercept), covariance = np.polyfit(brightness, variance, 1, w=weights, cov=True)
    if not slope > CLEARLY * np.sqrt(covariance[0, 0]):
        raise ValueError(f"the gain cannot be measured: noise does not grow with brightness in {_name(micrograph)}. {CURE}")
    return replace(micrograph, gain=float(1 / slope), black_level=float(intercept / slope**2))


def _name(micrograph):
    return micrograph.name or "this micrograph"


def _checked(micrograph):
    """Frames (f, rows, w) as float64, no more of them than needed, or a ValueError."""
    if not hasattr(micrograph, "frames"):
        raise ValueError(f"micrograph must be a Micrograph; got {type(micrograph).__name__}: use Micrograph(image[None])")
    frames = check_images(micrograph.frames, name="micrograph.frames")
    count, height, width = frames.shape
    if height < FEWEST_LINES or width < FEWEST_LINES:
        raise ValueError(f"micrograph must have at least {FEWEST_LINES}×{FEWEST_LINES} pixels for its gain to be measured; got "
                         f"{height}×{width}. {CURE}")
    rows = min(height, max(FEWEST_LINES, ENOUGH // (count * width)))
    top = (height - rows) // 2
    return frames[:, top:top + rows].astype(float)


def _difference(frames, order):
    """Differences along the lines, of the variance of one pixel's noise: (f, h, w) → (f, h, w - order)."""
    return np.diff(frames, order, axis=2) / np.sqrt(comb(2 * order, order))   # the sum of the squares of the weights


def _levels(frames):
    """Mean brightness and mean variance of the noise at each of the `LEVELS`, (24,) both."""
    weights = np.array([comb(ORDER, place) ** 2 for place in range(ORDER + 1)]) / comb(2 * ORDER, ORDER)
    half = ORDER // 2
    variance = _difference(frames, ORDER) ** 2
    brightness = convolve1d(frames, weights, axis=2)[:, :, half:-half]
    beside = convolve1d(gaussian_filter1d(frames, ALONG, axis=2), np.array(BESIDE) / sum(BESIDE), axis=1)[:, :, half:-half]
    levels = np.array_split(np.argsort(beside, axis=None), LEVELS)
    return tuple(np.array([values.ravel()[level].mean() for level in levels]) for values in (brightness, variance))


def _check_independent(frames, micrograph):
    """A ValueError if neighbouring pixels share their noise, along a line or from line to line.

    With a correlation r of neighbours, differences of order k hold 1 - 2 r k / (k + 1) times the noise of one pixel: two orders
    tell r, where neither holds anything of the columns.
    """
    fine, finest = _difference(frames, ORDER), _difference(frames, FINEST)
    if not fine.any():
        raise ValueError(f"the gain cannot be measured: there is no noise in {_name(micrograph)}. {CURE}")
    of_order, of_finest = (2 * order / (order + 1) for order in (ORDER, FINEST))
    ratio = min(1, (finest**2).mean() / (fine**2).mean())
    along = (1 - ratio) / (of_finest - ratio * of_order)
    across = (fine[:, 1:] * fine[:, :-1]).mean() / (fine**2).mean()
    allowed = ALIKE + np.array(BY_CHANCE) / np.sqrt(frames.size)
    if (np.abs([along, across]) > allowed).any():
        raise ValueError(f"the gain cannot be measured: neighbouring pixels share their noise in {_name(micrograph)} "
                         f"(correlation {along:.2f} along the lines, {across:.2f} from line to line), as after resampling or "
                         f"smoothing, or in a slow detector: use the image as it was recorded. {CURE}")
