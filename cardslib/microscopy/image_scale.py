"""What an image says of itself: how wide its columns of atoms are, how far apart, and how strong its noise is.

So nothing that looks for columns is tuned by hand.  Width and period are read off the autocorrelation of the image: a central
peak about shift zero, where the image lies upon itself, and a peak about each vector of the lattice, where columns lie upon
their neighbours.
"""
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter, gaussian_filter1d, maximum_filter, minimum_filter
from scipy.optimize import least_squares

from cardslib.validation import check_images, check_number, check_unmasked

FEWEST_PIXELS = 16      # along an edge of an image
TILE = 512              # pixels across the parts of a large image whose power spectra are averaged
TILES_ALONG = 4         # such parts along an edge at the most: bounds the time
UNEVEN = 1 / 16         # of a tile's edge: standard deviation of the blur that is taken for its uneven ground, and
LEAST_UNEVEN = 8        # pixels, or it would be the columns themselves
CLEARLY = 2             # times what white noise gives by chance at one shift; the central peak's top is a mean over eight
BLUR = 1 / 8            # of the central peak's radius: standard deviation that takes the noise off the autocorrelation
NO_LATTICE = 0.1        # of the central peak: where no other peak is as high, there is no lattice
SHARP = 0.7             # of the highest peak of the lattice: those above it show the width; lower ones are noisy or smeared
NEIGHBOUR = 0.5         # of the highest peak of the lattice: those above it are of neighbours, like or unlike
LIKE_WITHIN = 1.8       # times the way to the nearest neighbour, for one alike: √2 in a centred square, √3 in graphene
LIKE = 0.9              # of the highest peak within that: those above it are of neighbours alike
RISE = 0.05             # of all that the profile of a peak falls: by which it must rise again behind a minimum that is no noise
SMOOTHED = 1.0          # pixels: standard deviation that takes the noise off such a profile
NARROWEST = 0.6         # pixels: width of a column; of narrower ones an image shows nothing but their pixel
TINY = 1e-12            # squared grey values: the height of a peak that has none
NO_NARROWER = 0.6       # of the width that the central peak says: narrower ones were not fitted to a column
NORMAL = 1.4826         # standard deviation of normally distributed numbers, in medians of their absolute values
CROSS = 6               # root of the sum of squares of the filter [1 -2 1] across [1 -2 1]


@dataclass(frozen=True)
class Scale:
    """What an image says of itself, in pixels and grey values.

    width   standard deviation of a column's Gaussian, pixels
    period  of the lattice, pixels: the shortest way from a column to one like it
    noise   standard deviation of a pixel
    """

    width: float
    period: float
    noise: float


def measure_scale(image):
    """`Scale` of an image (h, w): read off its autocorrelation, the mean over tiles of a large image.

    Two columns of width s overlap as exp(-r² / 4s²): that is fitted to a peak, down to its foot.  The central peak also holds
    the noise, in which neighbouring pixels may be alike; the peaks about the vectors of the lattice do not.  So the width is
    that of the highest of those, and that of the central peak (without its topmost point) only where there is no lattice.
    Raises ValueError if there is nothing wider than a pixel.
    """
    image = check_image(image)
    correlation = _autocorrelation(image)
    central = _central_peak(correlation)
    radius = _foot(central)
    if radius < 2 or not central[0] > CLEARLY * _by_chance(correlation):
        raise ValueError("image must show columns of atoms; got one with nothing in it that is wider than a pixel: "
                         "is it one noisy frame of many, to be averaged, or no image of a lattice?")
    peaks, distance, height = _lattice_peaks(correlation, radius)
    if height.max(initial=0.0) < NO_LATTICE * central[0]:
        return Scale(_width(central[:radius + 1]), float(2 * radius), measure_noise(image))
    sharp = _mean_profile(correlation, peaks[height > SHARP * height.max()], radius)
    width = max(_width(sharp), NO_NARROWER * _width(central[:radius + 1]))
    return Scale(width, _period(distance, height), measure_noise(image))


def check_scale(scale):
    """The same `Scale`, or a ValueError: lengths and noise must be numbers that an image can have."""
    if not isinstance(scale, Scale):
        raise ValueError(f"scale must be a Scale, as measure_scale gives it; got {type(scale).__name__}: use "
                         f"Scale(width, period, noise), or leave it out")
    check_number("scale.width", scale.width, NARROWEST, unit="pixels")
    check_number("scale.period", scale.period, 0, unit="pixels")
    check_number("scale.noise", scale.noise, 0)
    return scale


def check_image(image):
    """`image` as float32 (h, w) in [0, 1], or a ValueError: at least 16×16 pixels, not all the same."""
    if hasattr(image, "frames"):
        raise ValueError(f"image must be one array (h, w); got a {type(image).__name__}: pass its .image")
    if np.ndim(image) != 2:
        raise ValueError(f"image must be one array (h, w); got {np.shape(image)}: choose one frame")
    image = check_images(check_unmasked("image", image)[None], name="image")[0]
    if min(image.shape) < FEWEST_PIXELS or np.ptp(image) == 0:
        raise ValueError(f"image must be at least {FEWEST_PIXELS}×{FEWEST_PIXELS} pixels that differ; got {image.shape}"
                         + (f", all {image[0, 0]:.3g}" if np.ptp(image) == 0 else ""))
    return image


# ---------------------------------------------------------------------- the autocorrelation

def _autocorrelation(image):
    """Of an image (h, w) without its uneven ground, mean over tiles: as large as a tile, shift zero in the middle."""
    shape = [min(TILE, length) for length in image.shape]
    tops, lefts = (np.linspace(0, length - side, min(TILES_ALONG, -(-length // side))).astype(int)
                   for length, side in zip(image.shape, shape))
    window = np.hanning(shape[0] + 2)[1:-1, None] * np.hanning(shape[1] + 2)[1:-1]      # edges fade: they are no feature
    power = 0
    for top in tops:
        for left in lefts:
            tile = image[top:top + shape[0], left:left + shape[1]]
            even = tile - gaussian_filter(tile, max(min(shape) * UNEVEN, LEAST_UNEVEN))
            power = power + np.abs(rfft2(even * window)) ** 2
    return np.fft.fftshift(irfft2(power, shape)) / irfft2(np.abs(rfft2(window)) ** 2, shape)[0, 0]


def _by_chance(correlation):
    """Root mean square of the autocorrelation beside its value at shift zero: what white noise gives at any one shift."""
    zero = correlation[correlation.shape[0] // 2, correlation.shape[1] // 2]
    return np.sqrt((np.sum(correlation**2) - zero**2) / correlation.size)


def _radial_profile(correlation, middle, reach):
    """Mean of an autocorrelation at each whole distance 0 … reach - 1 from `middle` (y, x): (reach,)."""
    top, left = np.maximum(np.array(middle) - reach, 0)
    part = correlation[top:middle[0] + reach + 1, left:middle[1] + reach + 1]
    y, x = np.indices(part.shape)
    ring = np.round(np.hypot(y + top - middle[0], x + left - middle[1])).astype(int).ravel()
    return (np.bincount(ring, part.ravel()) / np.bincount(ring))[:reach]


def _foot(profile):
    """Radius at which a peak's profile ends: its first minimum behind which it rises clearly (its lowest point if it never
    does)."""
    smooth = gaussian_filter1d(profile, SMOOTHED, mode="nearest")
    lowest = np.minimum.accumulate(smooth)
    rises = smooth - lowest > RISE * (smooth[0] - smooth.min())
    return int(np.argmin(smooth[:np.argmax(rises)] if rises.any() else smooth))


# ---------------------------------------------------------------------- its peaks

def _central_peak(correlation):
    """Profile of the autocorrelation about shift zero; its top, which the noise raises, from a parabola through r = 1 and 2."""
    middle = np.array(correlation.shape) // 2
    profile = _radial_profile(correlation, middle, min(middle))
    profile[0] = profile[1] + (profile[1] - profile[2]) / 3
    return profile


def _lattice_peaks(correlation, radius):
    """The m other peaks: where they are, (m, 2) y and x, how far from shift zero, (m,) pixels, and how high, (m,).

    They lie further than `radius`, the central peak's, from that peak and from the edge, so that each is whole.
    """
    middle = np.array(correlation.shape) // 2
    smooth = gaussian_filter(correlation, max(1.0, radius * BLUR))
    peaks = np.argwhere(smooth == maximum_filter(smooth, 2 * (radius // 2) + 1))
    distance = np.hypot(*(peaks - middle).T)
    apart = (distance > radius) & (distance < min(middle) - radius)
    peaks = peaks[apart]
    return peaks, distance[apart], smooth[tuple(peaks.T)]


def _mean_profile(correlation, peaks, radius):
    """Mean profile of the autocorrelation about several of its peaks (m, 2), y and x: (radius + 1,)."""
    return np.mean([_radial_profile(correlation, peak, radius + 1) for peak in peaks], 0)


# ---------------------------------------------------------------------- width, period, noise

def _width(profile):
    """Width of the Gaussians whose overlap, on a ground, falls as the profile of a peak does: least squares, each distance
    weighing as the pixels at it.  No noise makes it narrower than `NARROWEST`."""
    r, widest = np.arange(len(profile)), max(len(profile) / 2, 2 * NARROWEST)
    pixels = np.maximum(2 * np.pi * r, 1)                                               # at each distance

    def misfit(parameters):
        height, width, ground = parameters
        return np.sqrt(pixels) * (height * np.exp(-r**2 / (4 * width**2)) + ground - profile)

    fall = max(profile[0] - profile.min(), TINY)
    start = fall, np.clip(len(profile) / 4, NARROWEST, widest), profile.min()
    fit = least_squares(misfit, start, bounds=([0, NARROWEST, -np.inf], [np.inf, widest, np.inf]), x_scale=(fall, 1, fall))
    return float(fit.x[1])


def _period(distance, height):
    """The way to the nearest neighbour alike.  The nearest of all may be unlike, and its peak lower; one alike is not much
    further.  Distances and heights (m,) of the peaks."""
    nearest = distance[height > NEIGHBOUR * height.max()].min()
    near = distance < LIKE_WITHIN * nearest
    return float(distance[near & (height > LIKE * height[near].max())].min())


def measure_noise(image):
    """Standard deviation of a pixel of an image (h, w), from differences that cancel everything smooth (Immerkær, CVIU 64,
    1996, 300–302)."""
    differences = np.abs(np.diff(np.diff(image, 2, 0), 2, 1))
    lit = (maximum_filter(image, 3) > minimum_filter(image, 3))[1:-1, 1:-1]             # no margin that was filled with zeros
    return float(NORMAL * np.median(differences[lit]) / CROSS) if lit.any() else 0.0
