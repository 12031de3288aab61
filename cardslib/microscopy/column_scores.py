"""How well columns were found, against the truth: which are the same, how many are missing or false, how far off they are."""
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cardslib.geometry import inside
from cardslib.validation import check_number


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
    neither for nor against.  Raises ValueError for positions that are NaN or infinite, and for fewer than two true columns.
    """
    found, true = _checked("found", found), _checked("true", true)
    check_number("margin", margin, 0, unit="pixels")
    if len(true) < 2:
        raise ValueError(f"true must hold at least two columns (m, 2); got {len(true)}")
    if not len(found):
        return ColumnScore(0.0, 0.0, 0.0, np.nan, np.empty(0, int), np.empty(0, int))
    found_counts, true_counts = in_image(found, shape, margin), in_image(true, shape, margin)
    of_found, of_true, distance = _pairs(found, true)
    counts = found_counts[of_found] | true_counts[of_true]
    of_found, of_true, distance = of_found[counts], of_true[counts], distance[counts]
    extra = np.setdiff1d(np.flatnonzero(found_counts), of_found)
    missed = np.setdiff1d(np.flatnonzero(true_counts), of_true)
    return ColumnScore(precision=len(of_found) / max(len(of_found) + len(extra), 1),
                       recall=len(of_true) / max(len(of_true) + len(missed), 1),
                       f1=2 * len(of_true) / max(2 * len(of_true) + len(extra) + len(missed), 1),
                       rmse=float(np.sqrt(np.mean(distance**2))) if len(distance) else np.nan, found=of_found, true=of_true)


def _checked(name, points):
    """Positions as floats (n, 2), all finite, or a ValueError."""
    points = np.asarray(points, float).reshape(-1, 2)
    unknown = ~np.isfinite(points).all(1)
    if unknown.any():
        raise ValueError(f"{name} must hold finite positions (n, 2), x and y in pixels; {unknown.sum()} of {len(points)} are "
                         f"NaN or infinite: leave them out")
    return points


def _pairs(found, true):
    """Columns that are the same: which of those found, which of the true, (k,) each, and how far apart they are, (k,)."""
    spacing = cKDTree(true).query(true, 2)[0][:, 1]
    distance, nearest = cKDTree(found).query(true)
    of_true = np.flatnonzero(distance < spacing / 2)
    return nearest[of_true], of_true, distance[of_true]


def in_image(points, shape, margin):
    """Which points (n, 2) lie in an image of shape (height, width), at least `margin` pixels from its edge: (n,) bool."""
    return inside(points, margin, np.array(shape[::-1]) - 1 - margin)
