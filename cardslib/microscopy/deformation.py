"""How the lattice is turned and strained about each column, from where the columns about it were found: no model, no image.

The neighbours of a column are matched to those of the usual column of its kind, and an affine map is fitted to them by least
squares, as geometric phase analysis and peak pairs do for whole images (Galindo et al., Ultramicroscopy 107, 2007, 1186–1193).
"""
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cardslib.geometry import polar_angle
from cardslib.records import Record
from cardslib.validation import check_count, check_labels

CANDIDATES = 16     # columns of a kind that are tried as the usual one, before the mean of all takes over
ROUNDS = 3          # of matching and taking the mean again
ASTRAY = 0.35       # of the way to the nearest neighbour: who is further from where a neighbour should be is none
FEWEST = 4          # neighbours, from which an affine map can be fitted: three points move as they like
TOO_THIN = 0.01     # of the furthest neighbour: places less wide across lie on one line
MOST_THERE = 3 / 4  # of the neighbours must be found


@dataclass(frozen=True)
class Deformation(Record):
    """How the lattice about each of n columns differs from the usual one of its kind; NaN where too few neighbours were found.

    matrix      (n, 2, 2): carries the usual neighbours' places onto those found
    matched     (n,) int64: how many neighbours were found

    Its zero is the usual column of each kind, their mean, and not a perfect crystal.
    """

    matrix: np.ndarray
    matched: np.ndarray

    @property
    def angle(self):
        """(n,) radians, counter-clockwise on the screen: the rotation in the matrix (polar decomposition)."""
        return polar_angle(self.matrix)

    @property
    def scale(self):
        """(n,) logarithm of the magnification: half that of the area's."""
        return log_scale(self.matrix)

    @property
    def shear(self):
        """(n,) radians, of the symmetric shear `geometry.strain`."""
        return symmetric_shear(self.matrix)


def log_scale(matrix):
    """Logarithm of the magnification in matrices (..., 2, 2): half that of the determinant, (...,)."""
    return np.log(matrix[..., 0, 0] * matrix[..., 1, 1] - matrix[..., 0, 1] * matrix[..., 1, 0]) / 2


def symmetric_shear(matrix):
    """Shear, radians, (...,), of matrices (..., 2, 2): s in rotation(angle) @ strain(s) · exp(scale), as in `geometry`.

    A stretch along x or y that keeps the area is no part of a pose, and is left aside.
    """
    cos, sin = np.cos(polar_angle(matrix)), np.sin(polar_angle(matrix))
    across = cos * matrix[..., 0, 1] - sin * matrix[..., 1, 1]                          # of the stretch, after the rotation
    return -np.arctan(across * np.exp(-log_scale(matrix)))


def local_deformation(position, kind=None, neighbours=8):
    """The `Deformation` of the lattice about each column, from the places of its nearest neighbours.

    position    (n, 2) x and y of all columns found, pixels
    kind        (n,) whole numbers from 0: columns whose neighbourhoods are alike (species, phases, grains; as `cluster` or a
                model finds them); by default all are of one kind
    neighbours  how many, at least 4; one at which the distances have a gap: 4 or 8 in a square lattice, 9 in graphene

    The usual neighbourhood of a kind is the mean over its columns, so the lattice of one kind must not turn by more than some
    15° from place to place.  The affine map is fitted to the neighbours alone: where the column itself stands does not matter.
    Raises ValueError if the columns are too few, or all on one line.
    """
    position, kind = _checked(position, kind, check_count("neighbours", neighbours, FEWEST))
    tree = cKDTree(position)
    matrix, matched = np.full((len(position), 2, 2), np.nan), np.zeros(len(position), np.int64)
    for number in np.unique(kind):
        members = np.flatnonzero(kind == number)
        usual = _usual_neighbourhood(tree, position[members], neighbours)
        if np.linalg.matrix_rank(usual - usual.mean(0), TOO_THIN * np.abs(usual).max()) < 2:
            raise ValueError(f"position must hold columns in a plane; the {neighbours} neighbours of those of kind {number} "
                             f"lie on one line: take more neighbours")
        found = _matched(tree, position[members], usual)                                # (m, neighbours, 2)
        matched[members] = np.isfinite(found[..., 0]).sum(1)
        matrix[members] = _affine(usual, found)
    return Deformation(matrix, matched)


def _checked(position, kind, neighbours):
    """Positions as floats (n, 2) and kinds (n,), or a ValueError."""
    position = np.asarray(position, float)
    if position.ndim != 2 or position.shape[1] != 2 or not np.isfinite(position).all():
        raise ValueError(f"position must be (n, 2) finite numbers, x and y in pixels; got {position.shape}")
    if len(position) <= neighbours:
        raise ValueError(f"position must hold more columns than neighbours={neighbours}; got {len(position)}")
    return position, checked_kind(kind, len(position))


def checked_kind(kind, count):
    """Kinds of columns as int64 (count,), whole numbers from 0, or a ValueError; all zero if none are given."""
    return np.zeros(count, np.int64) if kind is None else check_labels(kind, count, np.max(kind, initial=0) + 1, "kind")


def _usual_neighbourhood(tree, members, count):
    """Mean vectors (count, 2) from columns of one kind, (m, 2), to their nearest neighbours, where all are there.

    (Their median would be of one domain here and of another there, where one sublattice is displaced in several ways.)
    """
    chosen = members[np.linspace(0, len(members) - 1, min(CANDIDATES, len(members))).astype(int)]
    _, nearest = tree.query(chosen, count + 1)                                          # each is its own nearest
    candidates = tree.data[nearest[:, 1:]] - chosen[:, None]                            # (candidates, count, 2)
    usual = max(candidates, key=lambda vectors: _shared(tree, members, vectors) / np.linalg.norm(vectors, axis=1).max())
    for _ in range(ROUNDS):
        found = _matched(tree, members, usual)
        complete = np.isfinite(found).all((1, 2))
        usual = found[complete].mean(0) if complete.any() else usual
    return usual


def _shared(tree, members, usual):
    """Share of these neighbours that columns (m, 2) have too.  (At an edge neighbours are shared as well, and further away.)"""
    return np.isfinite(_matched(tree, members, usual)).mean()


def _matched(tree, members, usual):
    """Vectors (m, count, 2) from columns (m, 2) to whoever is where a usual neighbour (count, 2) should be; else NaN."""
    reach = ASTRAY * np.linalg.norm(usual, axis=1).min()
    distance, nearest = tree.query(members[:, None] + usual, distance_upper_bound=reach)
    there = np.isfinite(distance)
    vectors = np.full((len(members), len(usual), 2), np.nan)
    vectors[there] = tree.data[nearest[there]] - np.broadcast_to(members[:, None], vectors.shape)[there]
    return vectors


def _affine(usual, found):
    """Matrices (m, 2, 2) that, with a shift, carry usual neighbours (count, 2) onto those found (m, count, 2) best."""
    there = np.isfinite(found)                                                          # (m, count, 2)
    expected, seen = _centred(np.broadcast_to(usual, found.shape), there), _centred(found, there)
    normal = expected.swapaxes(1, 2) @ expected                                         # (m, 2, 2)
    normal[there[..., 0].sum(1) < max(FEWEST, MOST_THERE * len(usual))] = np.nan
    return seen.swapaxes(1, 2) @ expected @ np.linalg.inv(normal)


def _centred(vectors, there):
    """Vectors (m, count, 2) from the middle of those that are there; zero where one is not."""
    number = np.maximum(there.sum(1, keepdims=True), 1)
    middle = np.where(there, vectors, 0).sum(1, keepdims=True) / number
    return np.where(there, vectors - middle, 0)
