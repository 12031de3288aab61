"""How far columns stand from where they should: from the middle of their neighbours, and from their own lattice.

By the first, polar displacements are measured (Jia et al., Nature Mater. 7, 2008, 57–61); the second shows what the first
cannot, patterns within one sublattice.  And strain, which is left of a lattice's deformation without its rotation.  All along
the axes of the image: x to the right, y *down*.
"""
import numpy as np
from scipy.spatial import cKDTree

from cardslib.geometry import polar_angle, rotation
from cardslib.microscopy.deformation import Deformation
from cardslib.microscopy.sublattices import Sublattices

GAP = 1.5           # times as far as the furthest neighbour is the next column: 2 in graphene, 2.2 in a centred square, and 1.6
                    # even where its middle is displaced by a quarter of the way to a corner
FEWEST_AROUND = 2   # neighbours that have a middle
ASTRAY = 0.35       # of the way to the nearest neighbour: who is further from where one should be is none
WINDOW = 2          # cells to all sides, whose columns say where one of their sublattice should be
FEWEST = 2 / 3      # of these 24: in the second row from an edge there are 19, in the first 14


def displacement_from_neighbours(sublattices, name, around):
    """How far the columns of one sublattice stand from the middle of their neighbours of another, (n, 2) pixels, x and y.

    sublattices  of n columns, as `find_sublattices` gives them
    name         of the sublattice that is displaced, such as "B"
    around       of that of the neighbours, such as "A"

    The neighbours are the places of the other sublattice up to the first gap in their distances: four in a centred square,
    three in graphene.  NaN where one of them is missing, and for columns of other sublattices.  Raises ValueError if a column
    has but one neighbour, as in a dumbbell, or if there is no such gap, as in a cell 2.5 times as long as wide.
    """
    vectors = _vectors_to_neighbours(_checked(sublattices).lattice, name, around)       # (m, 2)
    chosen = sublattices.of(name)
    found = _columns_at(sublattices.position[sublattices.of(around)], sublattices.position[chosen], vectors)
    displacement = np.full((len(sublattices), 2), np.nan)
    displacement[chosen] = -found.mean(1)
    return displacement


def displacement_from_lattice(sublattices):
    """How far each column stands from where the others of its sublattice say it should, (n, 2) pixels, x and y.

    An affine map of the cells is fitted to the columns of its sublattice up to two cells away, itself left out, so that a
    strained or turned lattice displaces nothing; one that bends by ±6° within 15 nm seems to, by 4 pm.  NaN at the edges, where
    fewer than 16 of the 24 are there, and for columns of no sublattice.
    """
    vectors = _checked(sublattices).lattice.vectors
    displacement = np.full((len(sublattices), 2), np.nan)
    for number in np.unique(sublattices.label[sublattices.label >= 0]):
        chosen = sublattices.label == number
        displacement[chosen] = -_expected(sublattices.position[chosen], vectors)
    return displacement


def strain_components(deformation, reference=None):
    """Strain of the lattice about each column along x and y: exx, eyy and exy, (n,) each, as shares.

    deformation  as `local_deformation` gives it: matrix = rotation · (1 + strain)
    reference    (n,) bool: the columns whose mean lattice is taken as not strained, such as the substrate's; by default that of
                 the usual ones of each kind

    exy is half of the engineer's shear, and positive where the diagonal to the right and *down* is lengthened.  NaN where the
    deformation is.
    """
    if not isinstance(deformation, Deformation):
        raise ValueError(f"deformation must be what local_deformation gives; got {type(deformation).__name__}")
    matrix = deformation.matrix
    if reference is not None:
        matrix = matrix @ np.linalg.inv(_mean_matrix(matrix, reference))
    strain = rotation(-polar_angle(matrix)) @ matrix - np.eye(2)
    return strain[:, 0, 0], strain[:, 1, 1], strain[:, 0, 1]


def _checked(sublattices):
    """The same, or a ValueError."""
    if not isinstance(sublattices, Sublattices):
        raise ValueError(f"sublattices must be what find_sublattices gives; got {type(sublattices).__name__}")
    return sublattices


def _mean_matrix(matrix, reference):
    """Mean (2, 2) of the matrices (n, 2, 2) of the reference that are known, or a ValueError."""
    reference = np.asarray(reference)
    if reference.dtype != bool or reference.shape != (len(matrix),):
        raise ValueError(f"reference must be one True or False a column, ({len(matrix)},); got {reference.shape} "
                         f"{reference.dtype}")
    known = matrix[reference & np.isfinite(matrix).all((1, 2))]
    if not len(known):
        raise ValueError(f"reference must hold columns with a known deformation; got {reference.sum()}, all NaN or none: take "
                         f"some that are not at the edge")
    return known.mean(0)


# ---------------------------------------------------------------------- neighbours

def _vectors_to_neighbours(lattice, name, around):
    """From a place of one sublattice to the nearest of another, (m, 2) pixels; or a ValueError."""
    own, other = (lattice.places[lattice.number(which)] for which in (name, around))
    vectors = (other - own + _cells(WINDOW)) @ lattice.vectors
    vectors = vectors[np.argsort(np.hypot(*vectors.T))]
    length = np.hypot(*vectors.T)
    gap = length[1:] > GAP * length[:-1]
    if not gap.any():
        raise ValueError(f"around must have neighbours of each of {name!r} that are nearer than the next; there is no gap in "
                         f"the distances to {around!r}: displacement_from_lattice needs none")
    near = vectors[:1 + np.argmax(gap)]
    if name == around or len(near) < FEWEST_AROUND:
        raise ValueError(f"around must be another sublattice, with at least {FEWEST_AROUND} neighbours of each of {name!r}; "
                         f"{around!r} has {len(near)}: there is no middle; displacement_from_lattice needs none")
    return near


def _columns_at(members, position, vectors):
    """Vectors (n, m, 2) from columns (n, 2) to those of `members` that are about at `vectors`, (m, 2) or (n, m, 2), or NaN."""
    reach = ASTRAY * np.linalg.norm(vectors, axis=-1).min()
    distance, nearest = cKDTree(members).query(position[:, None] + vectors, distance_upper_bound=reach)   # (n, m)
    found = np.full((*distance.shape, 2), np.nan)
    there = np.isfinite(distance)
    found[there] = members[nearest[there]] - position[np.nonzero(there)[0]]
    return found


# ---------------------------------------------------------------------- of the same sublattice

def _expected(members, vectors):
    """Where columns (n, 2) of one sublattice should be, as far from where they are, (n, 2) pixels; NaN if too few are around.

    The nearest cells first, so that those further away are looked for where a bent lattice has them.
    """
    near, far = _cells(1, middle=False), _cells(WINDOW, middle=False)                   # (8, 2) and (24, 2)
    _, local = _affine(near, _columns_at(members, members, near @ vectors))
    local[np.isnan(local).any((1, 2))] = vectors
    place, _ = _affine(far, _columns_at(members, members, far @ local))
    return place


def _cells(reach, middle=True):
    """Whole numbers of a and b within ±reach, ((2 reach + 1)², 2); with the cell in the middle, or without."""
    numbers = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2), -1).reshape(-1, 2)
    return numbers if middle else numbers[numbers.any(1)]


def _affine(cells, found):
    """The affine map of cells (m, 2) that fits places (n, m, 2), some of them NaN, best: the place of cell (0, 0), (n, 2), and
    the local vectors, (n, 2, 2); NaN where too few are there."""
    there = np.isfinite(found[..., 0])                                                  # (n, m)
    terms = there[..., None] * np.column_stack([np.ones(len(cells)), cells])            # (n, m, 3): 1, and numbers of a and b
    normal = terms.swapaxes(1, 2) @ terms                                               # (n, 3, 3)
    normal[there.sum(1) < FEWEST * len(cells)] = np.nan
    fit = np.linalg.inv(normal) @ terms.swapaxes(1, 2) @ np.nan_to_num(found)           # (n, 3, 2)
    return fit[:, 0], fit[:, 1:]
