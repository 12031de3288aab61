"""Finding the columns of atoms in an image, with nothing tuned by hand: every length comes from the image itself.

Three ways to look (`find_columns`), one way to say exactly where (`refine`), one way to score it (`score_columns`).
Positions are (n, 2), x and y in pixels; (0, 0) is the middle of the first pixel.
"""
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter, gaussian_laplace, maximum_filter
from scipy.spatial import cKDTree

from cardslib.geometry import inside
from cardslib.records import Record
from cardslib.validation import check_images, check_number

TILE = 512          # pixels across the parts of a large image whose power spectra are averaged
SURE = 4.0          # standard deviations of the noise above which a maximum is a column: one or two false in an image
HARDLY = 2.5        # the same in a very noisy image
WIDER = 1.3         # widths of a column: the scale at which blobs are looked for, where noise hurts least
FAINTEST = 0.07     # of the strongest columns' strength: what is weaker is a ripple between columns
NOT_A_COLUMN = 0.4  # of a network's probability
STEPS = 8           # of the refinement; four are enough for nearly all columns


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


@dataclass(frozen=True)
class Columns(Record):
    """The columns found in an image; index it to get fewer.

    position   (n, 2) x and y, pixels
    amplitude  (n,) of the Gaussian, grey values above what is around;  width (n,) its standard deviation, pixels
    strength   (n,) by which the finder ranked it
    scale      the `Scale` of the image
    """

    position: np.ndarray
    amplitude: np.ndarray
    width: np.ndarray
    strength: np.ndarray
    scale: Scale


# ---------------------------------------------------------------------- the image's own lengths

def measure_scale(image):
    """`Scale` of an image (h, w): read off its autocorrelation, the mean over tiles of a large image.

    Two columns of width s overlap as exp(-r² / 4s²), which has fallen half way at r = 1.665 s.  The central peak also holds
    the noise, in which neighbouring pixels may be alike; the peaks about the vectors of the lattice do not.  So the width is
    that of the highest of those, and that of the central peak (without its topmost point) only where there is no lattice.
    Raises ValueError if there is nothing wider than a pixel.
    """
    image = _checked(image)
    correlation = _autocorrelation(image)                                              # zero shift in the middle
    middle = np.array(correlation.shape) // 2
    profile = _profile(correlation, middle, min(middle))
    top = profile[1] + (profile[1] - profile[2]) / 3                                   # a parabola through r = 1 and 2, at 0
    lowest = _first_minimum(profile)
    chance = np.sqrt((np.sum(correlation**2) - profile[0] ** 2) / correlation.size)   # of white noise alone, at one shift
    if lowest < 2 or not top > 2 * chance:                                             # `top` is a mean over eight of them
        raise ValueError("image must show columns of atoms; got one with nothing in it that is wider than a pixel: "
                         "is it one noisy frame of many, to be averaged, or no image of a lattice?")
    smooth = gaussian_filter(correlation, max(1.0, lowest / 8))
    y, x = np.nonzero(smooth == maximum_filter(smooth, 2 * (lowest // 2) + 1))
    r = np.hypot(x - middle[1], y - middle[0])
    apart = (r > lowest) & (r < min(middle) - lowest)
    x, y, r = x[apart], y[apart], r[apart]
    height = smooth[y, x]
    highest = height.max(initial=0.0)
    if highest < 0.1 * top:
        return Scale(_half_fall(np.r_[top, profile[1:]], lowest), float(2 * lowest), _noise(image))
    high = np.flatnonzero(height > 0.7 * highest)
    around = np.mean([_profile(correlation, (y[peak], x[peak]), lowest + 1) for peak in high], 0)
    near = r < 1.8 * r[height > 0.5 * highest].min()                                   # unlike neighbours first, then the like
    period = r[near & (height > 0.9 * height[near].max())].min()
    return Scale(_half_fall(around, _first_minimum(around)), float(period), _noise(image))


def _profile(correlation, middle, reach):
    """Mean of an autocorrelation at each whole distance from `middle` (row, column), (reach,)."""
    top, left = np.maximum(np.array(middle) - reach, 0)
    part = correlation[top:middle[0] + reach + 1, left:middle[1] + reach + 1]
    y, x = np.indices(part.shape)
    ring = np.round(np.hypot(y + top - middle[0], x + left - middle[1])).astype(int).ravel()
    return (np.bincount(ring, part.ravel()) / np.bincount(ring))[:reach]


def _first_minimum(profile):
    """Index at which a profile stops falling for the first time (its last if it never does); the topmost point is noise."""
    rising = np.diff(profile[1:]) >= 0
    return 1 + int(np.argmax(rising)) if rising.any() else len(profile) - 1


def _half_fall(profile, lowest):
    """Width of the Gaussians whose overlap falls like `profile`, from its top at 0 to `lowest`: where it is half way down."""
    half = (profile[0] + profile[lowest]) / 2
    below = int(np.argmax(profile[:lowest + 1] < half))                                # the first point beyond half way
    share = (profile[below - 1] - half) / (profile[below - 1] - profile[below])
    return float((below - 1 + share) / (2 * np.sqrt(np.log(2))))


def _autocorrelation(image):
    """Mean over tiles of the autocorrelation of what varies faster than an eighth of a tile."""
    side = [min(TILE, length) for length in image.shape]
    starts = [np.linspace(0, length - part, min(4, length // part)).astype(int) for length, part in zip(image.shape, side)]
    window = np.hanning(side[0] + 2)[1:-1, None] * np.hanning(side[1] + 2)[1:-1]
    power = 0
    for top in starts[0]:
        for left in starts[1]:
            tile = image[top:top + side[0], left:left + side[1]]
            tile = tile - gaussian_filter(tile, min(side) / 16)
            power = power + np.abs(rfft2(tile * window)) ** 2
    return np.fft.fftshift(irfft2(power, side)) / irfft2(np.abs(rfft2(window)) ** 2, side)[0, 0]


def _noise(image):
    """Standard deviation of a pixel, from differences that cancel everything smooth (Immerkær, CVIU 64, 1996, 300–302)."""
    cross = np.diff(np.diff(image, 2, 0), 2, 1)                                        # [1 -2 1] across [1 -2 1]
    return float(1.4826 * np.median(np.abs(cross)) / 6)


# ---------------------------------------------------------------------- three ways to look

def find_columns(image, how="blobs", scale=None):
    """All `Columns` of an image (h, w) in [0, 1], refined to a fraction of a pixel, from top to bottom.

    Columns are bright, as in a dark-field image (of one where they are dark give 1 - image).  Those that the edge cuts in half,
    about a width from it or less, are left out.

    how    "maxima": where the image, smoothed, is brighter than all around;  "blobs": where it looks most like a spot of the
           columns' width (Laplacian of a Gaussian; Lindeberg 1998);  or a trained `column_network.ColumnNetwork`
    scale  of the image; by default it is measured
    """
    image = _checked(image)
    scale = scale or measure_scale(image)
    look = WIDER * scale.width
    if hasattr(how, "heat"):
        heat, noise = how.heat(image, scale.width), None
    elif how == "blobs":
        heat, noise = -look**2 * gaussian_laplace(image, look), scale.noise / (np.sqrt(2 * np.pi) * look)
    elif how == "maxima":
        look = 0.75 * scale.width
        heat = gaussian_filter(image, look) - gaussian_filter(image, 3 * look)
        noise = scale.noise / (2 * np.sqrt(np.pi) * look)                              # of the first, nearly all of it
    else:
        raise ValueError(f"how must be 'maxima', 'blobs' or a trained ColumnNetwork; got {how!r}")
    highest = heat == maximum_filter(heat, 2 * max(1, round(look)) + 1)
    highest[[0, -1]] = highest[:, [0, -1]] = False                                     # an edge makes maxima of its own
    rows, columns = np.nonzero(highest & (heat > (NOT_A_COLUMN if noise is None else noise * _sure(heat[highest] / noise))))
    strength = heat[rows, columns]
    strong = strength > FAINTEST * np.quantile(strength, 0.95) if len(strength) else np.zeros(0, bool)
    position = np.stack([columns, rows], 1)[strong].astype(float)
    position, amplitude, widths = refine(image, position, scale.width)
    found = Columns(position, amplitude, widths, strength[strong].astype(float), scale)
    return found[_inside(position, image.shape, -0.5)]                                 # a half column's middle may lie outside


def _sure(maxima):
    """How many standard deviations of the noise make a maximum a column, given those of all maxima, (m,).

    `SURE`; but where the columns themselves hardly reach that, half of what is usual among them, and no less than `HARDLY`.
    """
    seen = maxima[maxima > 3]
    return min(SURE, max(HARDLY, 0.5 * np.median(seen))) if len(seen) else SURE


def refine(image, position, width):
    """Positions (n, 2), amplitudes (n,) and widths (n,) of the Gaussians that fit best near each of `position` (n, 2).

    Each is a Gaussian on a constant ground, fitted by Gauss and Newton's method to the pixels within two widths, those near
    the middle counting most.  A fit that runs away by more than a width leaves the column where it was.
    """
    image = np.asarray(image, np.float64)
    parts = [_fitted(image, np.asarray(position[start:start + 4096], float), width) for start in range(0, len(position), 4096)]
    return tuple(np.concatenate(part) for part in zip(*parts)) if parts else (np.empty((0, 2)), np.empty(0), np.empty(0))


def _fitted(image, start, width):
    reach = max(2, int(np.ceil(2 * width)))
    window = np.arange(-reach, reach + 1)
    nearest = np.round(start).astype(int)
    x, y = nearest[:, None, :1] + window[:, None], nearest[:, None, 1:] + window[:, None]   # (n, window, 1)
    x, y = np.broadcast_arrays(x.swapaxes(1, 2), y)                                    # (n, window, window)
    inside = (x >= 0) & (x < image.shape[1]) & (y >= 0) & (y < image.shape[0])
    pixels = image[y.clip(0, image.shape[0] - 1), x.clip(0, image.shape[1] - 1)]
    squares = (x - start[:, 0, None, None]) ** 2 + (y - start[:, 1, None, None]) ** 2
    weight = inside * np.exp(-squares / (2 * (1.2 * width) ** 2))
    ground = np.quantile(pixels, 0.2, (1, 2))
    centre, log_width = start.copy(), np.full(len(start), np.log(width))
    amplitude = np.maximum(pixels.max((1, 2)) - ground, 1e-6)
    for _ in range(STEPS):
        dx, dy = x - centre[:, 0, None, None], y - centre[:, 1, None, None]
        s2 = np.exp(2 * log_width)[:, None, None]
        bell = np.exp(-(dx**2 + dy**2) / (2 * s2))
        light = amplitude[:, None, None] * bell
        slopes = np.stack([np.ones_like(bell), bell, light * dx / s2, light * dy / s2, light * (dx**2 + dy**2) / s2], -1)
        slopes = slopes.reshape(len(start), -1, 5)
        weighted = (slopes * weight.reshape(len(start), -1, 1)).swapaxes(1, 2)
        square = weighted @ slopes                                                     # (n, 5, 5)
        square += 1e-3 * np.eye(5) * np.diagonal(square, axis1=1, axis2=2)[:, None] + 1e-12 * np.eye(5)
        rest = (pixels - ground[:, None, None] - light).reshape(len(start), -1, 1)
        step = np.linalg.solve(square, weighted @ rest)[..., 0]
        ground, amplitude = ground + step[:, 0], np.maximum(amplitude + step[:, 1], 1e-6)
        centre = centre + step[:, 2:4].clip(-width / 2, width / 2)
        log_width = (log_width + step[:, 4].clip(-0.2, 0.2)).clip(np.log(width / 2), np.log(2 * width))
    ran_away = ~(np.hypot(*(centre - start).T) < 1.5 * width + 0.5)
    centre[ran_away] = start[ran_away]
    return centre, amplitude, np.exp(log_width)


# ---------------------------------------------------------------------- against the truth

@dataclass(frozen=True)
class ColumnScore:
    """How well columns were found.

    precision, recall, f1   shares in [0, 1]
    rmse                    √mean(Δx² + Δy²) over the pairs, in pixels: both axes together
    found, true             (m,) indices: columns that are the same one
    """

    precision: float
    recall: float
    f1: float
    rmse: float
    found: np.ndarray
    true: np.ndarray


def score_columns(found, true, shape, margin=0.0):
    """`ColumnScore` of positions found (n, 2) against true ones (m, 2), pixels, in an image of shape (height, width).

    The found column that is nearest to a true one is the same column if it is less than half as far away as the nearest other
    true column: so none can stand for two.  Columns nearer than `margin` pixels to the edge of the image, found or true, count
    neither for nor against.
    """
    found, true = (np.asarray(points, float).reshape(-1, 2) for points in (found, true))
    check_number("margin", margin, 0, unit="pixels")
    if len(true) < 2:
        raise ValueError(f"true must hold at least two columns (m, 2); got {len(true)}")
    if not len(found):
        return ColumnScore(0.0, 0.0, 0.0, np.nan, np.empty(0, int), np.empty(0, int))
    spacing = cKDTree(true).query(true, 2)[0][:, 1]
    distance, nearest = cKDTree(found).query(true)
    same = np.flatnonzero(distance < spacing / 2)
    pairs = nearest[same]
    counted = _inside(true[same], shape, margin) | _inside(found[pairs], shape, margin)
    same, pairs = same[counted], pairs[counted]
    extra = np.setdiff1d(np.flatnonzero(_inside(found, shape, margin)), pairs)
    missed = np.setdiff1d(np.flatnonzero(_inside(true, shape, margin)), same)
    precision, recall = len(same) / max(len(same) + len(extra), 1), len(same) / max(len(same) + len(missed), 1)
    f1 = 2 * len(same) / max(2 * len(same) + len(extra) + len(missed), 1)
    rmse = np.sqrt(np.mean(distance[same] ** 2)) if len(same) else np.nan
    return ColumnScore(precision, recall, f1, float(rmse), pairs, same)


def _inside(points, shape, margin):
    return inside(points, margin, np.array(shape[::-1]) - 1 - margin)


def _checked(image):
    if hasattr(image, "frames"):
        raise ValueError(f"image must be one array (h, w); got a {type(image).__name__}: pass its .image")
    if np.ndim(image) != 2:
        raise ValueError(f"image must be one array (h, w); got {np.shape(image)}: choose one frame")
    image = check_images(np.asarray(image)[None], name="image")[0]
    if min(image.shape) < 16 or np.ptp(image) == 0:
        raise ValueError(f"image must be at least 16×16 pixels that differ; got {image.shape}"
                         + (f", all {image[0, 0]:.3g}" if np.ptp(image) == 0 else ""))
    return image
