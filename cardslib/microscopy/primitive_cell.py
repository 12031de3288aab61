"""The two vectors that carry a lattice onto itself, from the places and the brightness of its columns.

All vectors from column to column, laid from one point, make the vector map (in crystallography the Patterson map).  Its peaks
are vectors of the lattice where nearly every column has another there, and one as bright as itself.
"""
from itertools import combinations

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import cKDTree

NEIGHBOURS = 60      # of a column in the vector map: cells of eight columns or so
MAP = 12             # ways to the nearest neighbour, to all sides, that the vector map reaches at most: bounds the memory
CENTRES = 2000       # columns about which the map is made: more say the same
FEWEST = 9           # columns: one with all its neighbours
FINENESS = 8         # pixels of the map to the nearest neighbour
BLUR = 0.25          # ... of the way to the nearest neighbour: standard deviation; domains that are displaced stay one peak
ASTRAY = 0.35        # of the way to the nearest neighbour: who is further from where a column should be is another
MOST_SHARED = 0.7    # of the share of the most usual vector: in graphene, half the columns have a neighbour along each bond
UNLIKE = 1.0         # natural logarithm of a ratio of amplitudes: what is beyond is no more unlike than this
LIKE = 0.2           # ... the mean up to which columns are alike in any image; and so are those that are
LIKE_AGAIN = 2       # times as unlike as the most alike: noise, a specimen of two elements
PARALLEL = 0.3       # sine of the angle between two vectors, below which they say the same (in a reduced basis it is 0.87)
SHORTEST = 8         # vectors of the lattice, among which are a and b
LATTICE = 0.05       # share of columns with neighbours on all sides: fewer have them by chance, where there is no lattice
SAMPLES = 400        # cells, of which the one is taken that has most others near it
NEAR = 0.09          # of the length of a: cells that differ less are alike (of NiO and of LSMO, they differ by 0.11)
ROUNDS = 20          # of the mean shift to it
EQUAL = 0.03         # share by which lengths differ that count as the same


def lattice_vectors(columns):
    """The primitive vectors a and b of the lattice, as rows (2, 2), x and y in pixels: the most usual ones in the image.

    columns  `Columns`, or anything with position (n, 2) in pixels and amplitude (n,): all that were found, of all sublattices

    The basis is reduced: no vector of the lattice is shorter than a, and none that is not along a shorter than b.  Where
    several are equally long (within 3 %), a is the one nearest to the x axis, and b the one nearest to a.  a points to the
    right or down, and b lies clockwise from it on the screen, by 60° to 120°.

    Columns missing here and there, a bend of ±10° and columns displaced by a fifth of the way to the next do no harm; of two
    phases the one with more columns counts: for the other, give its columns alone.  Columns that differ in brightness by less
    than a fifth count as alike, so a centred cell of such columns gives its smaller, primitive one.  Raises ValueError if the
    columns are fewer than nine or make no lattice.
    """
    position, amplitude = checked_columns(columns)
    tree = cKDTree(position)
    nearest = nearest_distance(tree)
    peaks = _peaks_of_vector_map(tree, nearest)
    share, unlikeness = np.transpose([_shared(tree, amplitude, peak, ASTRAY * nearest) for peak in peaks])
    cells = _local_cells(tree, peaks[_alike(share, unlikeness)], ASTRAY * nearest)
    return _reduced(_most_usual(cells).reshape(2, 2))


def checked_columns(columns, fewest=FEWEST):
    """Positions (n, 2) and amplitudes (n,) of at least `fewest` columns as floats, or a ValueError."""
    if not (hasattr(columns, "position") and hasattr(columns, "amplitude")):
        raise ValueError(f"columns must have position and amplitude, as find_columns gives them; got {type(columns).__name__}")
    position, amplitude = np.asarray(columns.position, float), np.asarray(columns.amplitude, float)
    if position.ndim != 2 or position.shape[1] != 2 or len(position) < fewest or not np.isfinite(position).all():
        raise ValueError(f"columns must hold at least {fewest} positions (n, 2), x and y in pixels, all finite; "
                         f"got {position.shape}")
    if amplitude.shape != position.shape[:1] or not (np.isfinite(amplitude) & (amplitude > 0)).all():
        raise ValueError(f"columns must have a positive amplitude each, ({len(position)},); got {amplitude.shape}"
                         f"{'' if amplitude.shape != position.shape[:1] else ': leave out those of amplitude 0 or NaN'}")
    return position, amplitude


def nearest_distance(tree):
    """The usual way from a column to the nearest, pixels; a ValueError where columns lie upon one another."""
    nearest = float(np.median(tree.query(tree.data, 2)[0][:, 1]))
    if nearest == 0:
        raise ValueError("columns must be at different places; got most of them twice")
    return nearest


# ---------------------------------------------------------------------- which vectors carry the lattice onto itself

def _peaks_of_vector_map(tree, nearest):
    """Vectors (m, 2), of each pair of opposite ones one, on which many vectors from column to column lie."""
    count = min(NEIGHBOURS, tree.n - 1)
    centres = tree.data[np.linspace(0, tree.n - 1, min(CENTRES, tree.n)).astype(int)]
    distance, index = tree.query(centres, count + 1)                                    # each is its own nearest
    vectors = (tree.data[index[:, 1:]] - centres[:, None]).reshape(-1, 2)               # (centres · count, 2)
    reach = min(np.median(distance[:, -1]), MAP * nearest)
    edges = np.linspace(-reach, reach, 2 * int(np.ceil(reach / nearest * FINENESS)) + 2)
    number, *_ = np.histogram2d(*np.concatenate([vectors, -vectors]).T, (edges, edges))
    smooth = gaussian_filter(number, BLUR * FINENESS, mode="constant")
    top = (smooth == maximum_filter(smooth, FINENESS // 2 * 2 + 1)) & (smooth > 0)
    peaks = np.stack([(edges[index] + edges[index + 1]) / 2 for index in np.nonzero(top)], 1)
    right = (peaks[:, 0] > 0) | (peaks[:, 0] == 0) & (peaks[:, 1] > 0)
    return peaks[right & (np.hypot(*peaks.T) > ASTRAY * nearest)]


def _shared(tree, amplitude, vector, reach):
    """The share of columns, of those that could, with another at `vector` from them; and how unlike they are in brightness."""
    there = tree.data + vector
    could = ((there >= tree.mins) & (there <= tree.maxes)).all(1)
    index = tree.query(there[could], distance_upper_bound=reach)[1]
    found = index < tree.n
    if not found.any():
        return 0.0, UNLIKE
    ratio = amplitude[could][found] / amplitude[index[found]]
    return found.mean(), np.minimum(np.abs(np.log(ratio)), UNLIKE).mean()


def _alike(share, unlikeness):
    """Which vectors (m,) lead from nearly every column to another like it."""
    if not share.any():
        raise ValueError("columns must make a lattice in a plane; no vector leads from one to another, as on a single line: "
                         "find more columns, or give those of one crystal alone")
    usual = share > MOST_SHARED * share.max()
    return usual & (unlikeness < max(LIKE, LIKE_AGAIN * unlikeness[usual].min()))


def _local_cells(tree, vectors, reach):
    """Cells (m, 4), a and b, of the columns that have a neighbour on either side along both of two vectors: of the vectors
    that repeat, (k, 2), those two that make the smallest cell, and that many columns have.

    From one neighbour to the opposite one, so that columns displaced up and down in turn do not count.
    """
    vectors = vectors[np.argsort(np.hypot(*vectors.T))][:SHORTEST]
    sides = tree.data[:, None, None] + np.stack([vectors, -vectors], 1)                 # (n, k, 2 sides, 2)
    index = tree.query(sides, distance_upper_bound=reach)[1]
    found = (index < tree.n).all(2)                                                     # (n, k): on both sides
    pairs = _pairs(vectors)
    whole = [found[:, pair].all(1) for pair in pairs]
    most = max(columns.sum() for columns in whole)
    if most < max(1, LATTICE * tree.n):
        raise ValueError(f"columns must make a lattice; of {tree.n}, {most} have neighbours on all sides: find more of them, "
                         f"in a larger part of the image")
    pair, columns = next(chosen for chosen in zip(pairs, whole) if chosen[1].sum() > MOST_SHARED * most)
    ahead, behind = tree.data[index[columns][:, pair]].transpose(2, 0, 1, 3)            # (m, 2 vectors, 2) each
    return (ahead - behind).reshape(-1, 4) / 2


def _pairs(vectors):
    """Pairs of numbers of vectors (k, 2) that are not along one line, those with the shortest vectors first."""
    length = np.hypot(*vectors.T)
    pairs = [list(pair) for pair in combinations(range(len(vectors)), 2)
             if abs(_cross(*vectors[list(pair)])) > PARALLEL * length[list(pair)].prod()]
    if not pairs:
        raise ValueError("columns must make a lattice in a plane; the vectors that repeat are along one line: find more "
                         "columns, or give those of one crystal alone")
    return sorted(pairs, key=lambda pair: length[pair].prod())


# ---------------------------------------------------------------------- exactly

def _most_usual(cells):
    """The cell (4,) about which most of cells (m, 4) lie: a mean shift (Comaniciu & Meer, IEEE PAMI 24, 2002, 603–619)."""
    radius = NEAR * np.hypot(*np.median(cells, 0)[:2])

    def near(middle):
        return np.square(cells - middle).sum(1) < radius**2

    samples = cells[np.linspace(0, len(cells) - 1, min(SAMPLES, len(cells))).astype(int)]
    middle = max(samples, key=lambda sample: near(sample).sum())
    for _ in range(ROUNDS):
        middle = cells[near(middle)].mean(0)
    return middle


def _reduced(vectors):
    """The reduced basis (2, 2) of the lattice of two vectors (2, 2), in the order and with the signs that `lattice_vectors`
    promises (Gauss's; there are none shorter than those made with -2 … 2 of two that are nearly reduced)."""
    numbers = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 2), -1).reshape(-1, 2)
    all_vectors = numbers[numbers.any(1)] @ vectors                                     # (24, 2)
    ahead = all_vectors[all_vectors.sum(1) > 0]                                         # to the right or down
    a = min(_shortest(ahead), key=lambda vector: abs(vector[1]) / np.hypot(*vector))
    clockwise = all_vectors[_cross(a, all_vectors) > 0.5 * abs(_cross(*vectors))]
    b = max(_shortest(clockwise), key=lambda vector: vector @ a)
    return np.stack([a, b])


def _shortest(vectors):
    """Those of vectors (m, 2) that are as short as the shortest, within `EQUAL`."""
    length = np.hypot(*vectors.T)
    return vectors[length <= (1 + EQUAL) * length.min()]


def _cross(a, b):
    """The third component of a × b, (...,), of vectors (2,) and (..., 2): positive where b lies clockwise on the screen."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
