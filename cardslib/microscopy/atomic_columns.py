"""Finding the columns of atoms in an image, with nothing tuned by hand: every length comes from the image itself.

Three ways to look, and for each column found how good it is.  Positions are (n, 2), x and y in pixels; (0, 0) is the middle of
the first pixel.
"""
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_laplace, maximum_filter
from scipy.spatial import cKDTree

from cardslib.microscopy.blemishes import without_blemishes
from cardslib.microscopy.column_scores import in_image
from cardslib.microscopy.gaussian_fit import refine
from cardslib.microscopy.image_scale import Scale, check_image, check_scale, measure_scale
from cardslib.microscopy.local_order import local_order
from cardslib.records import Record
from cardslib.validation import check_number

FINE = dict(blobs=0.8, maxima=0.5)      # widths of a column: scale of the look where columns stand clear of the noise, and
COARSE = dict(blobs=1.15, maxima=0.7)  # where they do not: less noise, but weak or close columns are lost beside strong ones
CLEAR = 20           # standard deviations of the noise: usual strength of a maximum above which the look is fine,
NOISY = 10           # and below which it is coarse; between them it is between
GROUND = 3           # times as much smooths maxima's image to the ground, which is taken off
SURE = 4.0           # standard deviations of the noise above which a maximum is a column: one or two false in an image
HARDLY = 2.5         # the same in a very noisy image
EXPECTED = 1.5       # the same where a column is expected: with neighbours at the usual distance
ABOVE_NOISE = 3.0    # standard deviations above which maxima are mostly columns, and tell what is usual among them, where
MANY = 0.1           # of all maxima reach that: in noise it is one in thirty; else those tell that are sure
FEWEST = 10          # of them, at least, tell how far a neighbour usually is
USUAL = 0.7, 1.35    # of the usual distance to the nearest neighbour: where a neighbour is expected; none is nearer
NEIGHBOURS = 2       # at the usual distance, at least, where a column is expected
DOUBT = 2            # standard deviations of the amplitude, in favour of a column that seems too faint
SAME = 1.0           # widths: nearer to each other are no two columns, but one that was found twice
ORDERED = 0.6        # order above which a column is part of a crystal: half way from chance to perfect
LEAST_NOISE = 1e-6   # grey values: a drawn image has none but rounding
PROBABLE = 0.4       # of a network's probability, above which a maximum is a column


@dataclass(frozen=True)
class Columns(Record):
    """The columns found in an image; index it (`columns[columns.ordered]`) to get fewer.

    position     (n, 2) x and y, pixels;  sd (n, 2) their standard deviations (what is in them: `gaussian_fit.refine`)
    amplitude    (n,) of the Gaussian, grey values above what is around;  snr (n,) in its own standard deviations
    width        (n,) its standard deviation, pixels: geometric mean of the long and the short one
    ellipticity  (n, 2) how much longer it is along x than along y, and along the diagonal from the upper left: -1 to 1
    residual     (n,) grey values: root mean square of what the fit leaves
    fitted       (n,) bool: False where a Gaussian did not fit; the position is that of the finder, good to a pixel or two
    order        (n,) from 0 to 1: how well its neighbourhood repeats near it (`local_order`)
    strength     (n,) by which the finder ranked it: in standard deviations of the noise, or a network's probability
    scale        the `Scale` of the image
    """

    position: np.ndarray
    sd: np.ndarray
    amplitude: np.ndarray
    snr: np.ndarray
    width: np.ndarray
    ellipticity: np.ndarray
    residual: np.ndarray
    fitted: np.ndarray
    order: np.ndarray
    strength: np.ndarray
    scale: Scale

    @property
    def ordered(self):
        """(n,) bool: part of a crystal.  False for what is found in an amorphous layer, in dirt, and, where the noise moves
        columns by a tenth of their distance, in a crystal too; and where fewer than thirteen columns are no measure."""
        return self.order > ORDERED


# ---------------------------------------------------------------------- three ways to look

def find_columns(image, finder="blobs", scale=None, region=None, faintest=0.1):
    """All `Columns` of an image (h, w) in [0, 1], refined to a fraction of a pixel, from top to bottom.

    Columns are bright, as in a dark-field image (of one where they are dark give 1 - image).  Hot pixels and streaks are taken
    out first (`blemishes`).  Columns that the edge cuts in half, about a width from it or less, are left out.

    finder    "maxima": where the image, smoothed, is brighter than all around;  "blobs": where it looks most like a spot of the
              columns' width (Laplacian of a Gaussian; Lindeberg, Int. J. Comput. Vis. 30, 1998, 79–116), both as finely as the
              noise allows;  or a trained `segmentation.ColumnNetwork`
    scale     of the image; by default it is measured
    region    (h, w) of True and False: where columns are looked for; by default everywhere
    faintest  share of the strongest columns' strength and amplitude (0 … 1) that a column must have, if the noise allows as
              much: what is weaker is taken for a ripple between columns
    """
    image = without_blemishes(check_image(image))
    check_number("faintest", faintest, 0, 1)
    region = _checked_region(region, image.shape)
    scale = measure_scale(image) if scale is None else check_scale(scale)
    position, strength = _looked_for(image, finder, scale)
    strong = strength > faintest * _strongest(strength)
    position, strength = position[strong], strength[strong]
    fit = refine(image, position, scale.width)
    there = _in_region(fit.position, region)                                            # a half column's middle lies outside
    there &= _first_of_its_place(fit.position, strength, SAME * scale.width)
    there &= fit.amplitude + DOUBT * fit.amplitude_sd > faintest * _strongest(fit.amplitude)
    fit = fit[there]
    return Columns(fit.position, fit.sd, fit.amplitude, fit.amplitude / fit.amplitude_sd, fit.width, fit.ellipticity,
                   fit.residual, fit.fitted, local_order(fit.position), strength[there], scale)


def _checked_region(region, shape):
    """A mask (h, w), all True by default, or a ValueError."""
    if region is None:
        return np.ones(shape, bool)
    region = np.asarray(region)
    if region.shape != shape or region.dtype != bool or not region.any():
        raise ValueError(f"region must be True and False for each pixel of the image, {shape}, True somewhere; got "
                         f"{region.dtype} {region.shape}" + ("" if region.any() else ", False everywhere"))
    return region


def _in_region(position, region):
    """Which points (n, 2) lie in the image, on a pixel of the region: (n,) bool."""
    there = in_image(position, region.shape, -0.5)
    x, y = np.round(position[there]).astype(int).T
    there[there] = region[y.clip(0, region.shape[0] - 1), x.clip(0, region.shape[1] - 1)]
    return there


def _first_of_its_place(position, strength, reach):
    """Which of n columns has no stronger one within `reach` pixels: (n,) bool; what was found twice is fitted twice."""
    rank = np.empty(len(strength), int)
    rank[np.argsort(-strength, kind="stable")] = np.arange(len(strength))
    pairs = cKDTree(position).query_pairs(reach, output_type="ndarray")
    first = np.ones(len(position), bool)
    first[np.where(rank[pairs[:, 0]] > rank[pairs[:, 1]], *pairs.T)] = False
    return first


def _looked_for(image, finder, scale):
    """Positions (m, 2) of what a finder takes for columns, and their strengths (m,)."""
    if hasattr(finder, "heat") and not isinstance(finder, type):
        position, probability = _maxima(finder.heat(image, scale.width), finder.reach * scale.width)
        return position[probability > PROBABLE], probability[probability > PROBABLE].astype(float)
    if not isinstance(finder, str) or finder not in FINE:
        raise ValueError(f"finder must be 'maxima', 'blobs' or a trained ColumnNetwork; got {finder!r}")
    position, strength = _seen(image, finder, scale, FINE[finder])
    if _usual(strength) < CLEAR:
        noisy = min(1, (CLEAR - _usual(strength)) / (CLEAR - NOISY))
        position, strength = _seen(image, finder, scale, FINE[finder] + noisy * (COARSE[finder] - FINE[finder]))
    columns = _not_noise(position, strength)
    return position[columns], strength[columns]


def _seen(image, finder, scale, widths):
    """Maxima of a look at a scale of so many widths of a column: positions (m, 2) and strengths (m,), in standard deviations of
    what the noise alone gives."""
    sigma = widths * scale.width
    if finder == "blobs":
        heat, noise = -sigma**2 * gaussian_laplace(image, sigma), scale.noise / (np.sqrt(2 * np.pi) * sigma)
    else:
        heat = gaussian_filter(image, sigma) - gaussian_filter(image, GROUND * sigma)
        noise = scale.noise / (2 * np.sqrt(np.pi) * sigma)                              # of the first, nearly all of it
    position, height = _maxima(heat, sigma)
    return position, height / max(noise, LEAST_NOISE)


def _maxima(heat, reach):
    """Where a heat map (h, w) is higher than all around within `reach`, (m, 2) x and y, from top to bottom, and its values."""
    highest = heat == maximum_filter(heat, 2 * max(1, round(reach)) + 1)
    highest[[0, 1, -2, -1]] = highest[:, [0, 1, -2, -1]] = False                       # an edge makes maxima of its own
    y, x = np.nonzero(highest)
    return np.stack([x, y], 1).astype(float), heat[y, x]


def _mostly_columns(strength):
    """Which of the maxima (m,) are mostly columns: (m,) bool.  Where few columns stand in much noise, those that are sure."""
    seen = strength > ABOVE_NOISE
    return seen if seen.sum() > MANY * len(strength) else strength > SURE


def _usual(strength):
    """What is usual among the strengths (m,) of maxima that are mostly columns, in standard deviations of the noise."""
    seen = strength[_mostly_columns(strength)]
    return np.median(seen) if len(seen) else np.inf


def _not_noise(position, strength):
    """Which maxima (m, 2), of strengths (m,) in standard deviations of the noise, are columns: (m,) bool.

    Those of `SURE`; but where the columns themselves hardly reach that, half of what is usual among them, no less than
    `HARDLY`.  Where enough are sure, one that is not must not stand nearer to a stronger one than columns do, and may be still
    weaker where one is expected: with neighbours at the usual distance.
    """
    threshold = min(SURE, max(HARDLY, 0.5 * _usual(strength)))
    sure = strength > SURE
    seen = position[_mostly_columns(strength)]
    if threshold == SURE or len(seen) < FEWEST:
        return strength > threshold
    usual = np.median(cKDTree(seen).query(seen, 2)[0][:, 1])
    order, column = np.argsort(-strength), sure.copy()
    near = cKDTree(position).query_ball_point(position, USUAL[1] * usual)
    for number in order[(strength[order] > EXPECTED) & ~sure[order]]:
        others = [other for other in near[number] if column[other]]
        distance = np.hypot(*(position[others] - position[number]).T)
        free = (distance > USUAL[0] * usual).all()
        column[number] = free and (strength[number] > threshold or len(others) >= NEIGHBOURS)
    return column


def _strongest(strength):
    """What the strongest columns have, of strengths or amplitudes (n,); a few stronger ones are no measure for all."""
    return np.quantile(strength, 0.95) if len(strength) else 0.0
