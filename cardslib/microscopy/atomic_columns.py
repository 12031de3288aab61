"""Finding the columns of atoms in an image, with nothing tuned by hand: every length comes from the image itself.

Three ways to look (`find_columns`), and one way to score what was found (`score_columns`).  Positions are (n, 2), x and y in
pixels; (0, 0) is the middle of the first pixel.
"""
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_laplace, maximum_filter
from scipy.spatial import cKDTree

from cardslib.geometry import inside
from cardslib.microscopy.gaussian_fit import refine
from cardslib.microscopy.image_scale import Scale, check_image, measure_scale
from cardslib.records import Record
from cardslib.validation import check_number

BLOB = 1.3           # widths of a column: the scale at which blobs are looked for, where noise hurts least
FINE = 0.75          # widths of a column: standard deviation by which the image is smoothed where maxima are looked for
COARSE = 3           # times as much smooths it to the ground, which is taken off
SURE = 4.0           # standard deviations of the noise above which a maximum is a column: one or two false in an image
HARDLY = 2.5         # the same in a very noisy image
ABOVE_NOISE = 3.0    # standard deviations above which maxima are mostly columns, and tell what is usual among them
RIPPLE = 0.07        # of the strongest columns' strength: what is weaker is a ripple between columns
PROBABLE = 0.4       # of a network's probability, above which a maximum is a column


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


# ---------------------------------------------------------------------- three ways to look

def find_columns(image, finder="blobs", scale=None):
    """All `Columns` of an image (h, w) in [0, 1], refined to a fraction of a pixel, from top to bottom.

    Columns are bright, as in a dark-field image (of one where they are dark give 1 - image).  Those that the edge cuts in half,
    about a width from it or less, are left out.

    finder  "maxima": where the image, smoothed, is brighter than all around;  "blobs": where it looks most like a spot of the
            columns' width (Laplacian of a Gaussian; Lindeberg, Int. J. Comput. Vis. 30, 1998, 79–116);  or a trained
            `segmentation.ColumnNetwork`
    scale   of the image; by default it is measured
    """
    image = check_image(image)
    scale = scale or measure_scale(image)
    heat, reach, noise = _heat(image, finder, scale)
    position, strength = _maxima(heat, reach)
    sure = strength > (PROBABLE if noise is None else noise * _threshold(strength / noise))
    position, strength = _without_ripples(position[sure], strength[sure])
    position, amplitude, width = refine(image, position, scale.width)
    found = Columns(position, amplitude, width, strength, scale)
    return found[_in_image(position, image.shape, -0.5)]                               # a half column's middle may lie outside


def _heat(image, finder, scale):
    """How much each pixel looks like the middle of a column, (h, w); the radius within which that is smooth, pixels; and the
    standard deviation that the noise alone gives it, None where it is a probability."""
    if hasattr(finder, "heat"):
        return finder.heat(image, scale.width), BLOB * scale.width, None
    if finder == "blobs":
        blob = BLOB * scale.width
        return -blob**2 * gaussian_laplace(image, blob), blob, scale.noise / (np.sqrt(2 * np.pi) * blob)
    if finder == "maxima":
        fine = FINE * scale.width
        noise = scale.noise / (2 * np.sqrt(np.pi) * fine)                              # of the first, nearly all of it
        return gaussian_filter(image, fine) - gaussian_filter(image, COARSE * fine), fine, noise
    raise ValueError(f"finder must be 'maxima', 'blobs' or a trained ColumnNetwork; got {finder!r}")


def _maxima(heat, reach):
    """Where a heat map (h, w) is higher than all around within `reach`, (m, 2) x and y, from top to bottom, and its values."""
    highest = heat == maximum_filter(heat, 2 * max(1, round(reach)) + 1)
    highest[[0, -1]] = highest[:, [0, -1]] = False                                     # an edge makes maxima of its own
    y, x = np.nonzero(highest)
    return np.stack([x, y], 1).astype(float), heat[y, x]


def _threshold(maxima):
    """How many standard deviations of the noise make a maximum a column, from those of all maxima, (m,).

    `SURE`; but where the columns themselves hardly reach that, half of what is usual among them, and no less than `HARDLY`.
    """
    seen = maxima[maxima > ABOVE_NOISE]
    return min(SURE, max(HARDLY, 0.5 * np.median(seen))) if len(seen) else SURE


def _without_ripples(position, strength):
    """Positions (m, 2) and strengths (m,) of those that are not far weaker than the strongest."""
    strong = strength > RIPPLE * np.quantile(strength, 0.95) if len(strength) else np.zeros(0, bool)
    return position[strong], strength[strong].astype(float)


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
    found_counts, true_counts = _in_image(found, shape, margin), _in_image(true, shape, margin)
    of_found, of_true, distance = _pairs(found, true)
    counts = found_counts[of_found] | true_counts[of_true]
    of_found, of_true, distance = of_found[counts], of_true[counts], distance[counts]
    extra = np.setdiff1d(np.flatnonzero(found_counts), of_found)
    missed = np.setdiff1d(np.flatnonzero(true_counts), of_true)
    return ColumnScore(precision=len(of_found) / max(len(of_found) + len(extra), 1),
                       recall=len(of_true) / max(len(of_true) + len(missed), 1),
                       f1=2 * len(of_true) / max(2 * len(of_true) + len(extra) + len(missed), 1),
                       rmse=float(np.sqrt(np.mean(distance**2))) if len(distance) else np.nan, found=of_found, true=of_true)


def _pairs(found, true):
    """Columns that are the same: which of those found, which of the true, (k,) each, and how far apart they are, (k,)."""
    spacing = cKDTree(true).query(true, 2)[0][:, 1]
    distance, nearest = cKDTree(found).query(true)
    of_true = np.flatnonzero(distance < spacing / 2)
    return nearest[of_true], of_true, distance[of_true]


def _in_image(points, shape, margin):
    """Which points (n, 2) lie in an image of shape (height, width), at least `margin` pixels from its edge: (n,) bool."""
    return inside(points, margin, np.array(shape[::-1]) - 1 - margin)
