"""How the lattice about each column is turned, from the directions of its bonds: right at any rotation, and no model needed.

A model whose prior of the angle is narrow does not see a grain that is turned further: it finds another picture for it, and
says an angle near zero.  The positions know better.
"""
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cardslib.geometry import wrap
from cardslib.microscopy.deformation import checked_kind
from cardslib.records import Record
from cardslib.validation import check_count, check_number

WIDTHS = 1.5                  # of a prior N(0, width²): beyond, an angle is drawn back noticeably, and the encoder untrained
CONTRADICTION = np.radians(8)   # between an angle and the bonds: more than noise and displacements make together
MANY = 0.05                   # share of the columns from which on a doubt is a warning: single ones are defects
ORDERED = 0.5                 # |ψ| from which on the bonds of a column have a direction in common
CANDIDATES = 500              # columns that are tried as the typical one


@dataclass(frozen=True)
class Bonds(Record):
    """The bonds of n columns to their nearest neighbours.

    angle     (n,) radians, counter-clockwise on the screen: direction of the bonds, within ±π / symmetry, as they look the
              same after each turn by 2π / symmetry
    order     (n,) from 0, no common direction, to 1, a perfect lattice
    symmetry  bonds that would go all round: 4 in a square lattice, 6 in a hexagonal one
    """

    angle: np.ndarray
    order: np.ndarray
    symmetry: int


def bond_orientation(position, symmetry=4, neighbours=None):
    """The `Bonds` of columns at position (n, 2), x and y in pixels.

    symmetry    4 for square lattices, 6 for hexagonal ones and graphene
    neighbours  how many of the nearest are bonded; by default as many as the symmetry (3 in graphene)

    ψ = mean of exp(i · symmetry · direction) over the bonds, the bond-orientational order parameter (Nelson & Halperin, Phys.
    Rev. B 19, 1979, 2457–2484): its phase is the angle times the symmetry, its modulus the order.
    """
    symmetry = check_count("symmetry", symmetry, 2)
    neighbours = check_count("neighbours", symmetry if neighbours is None else neighbours, 2)
    position = np.asarray(position, float)
    if position.ndim != 2 or position.shape[1] != 2 or not np.isfinite(position).all():
        raise ValueError(f"position must be (n, 2) finite numbers, x and y in pixels; got {position.shape}")
    if len(position) <= neighbours:
        raise ValueError(f"position must hold more columns than neighbours={neighbours}; got {len(position)}")
    _, nearest = cKDTree(position).query(position, neighbours + 1)                      # each is its own nearest
    bond = position[nearest[:, 1:]] - position[:, None]                                 # (n, neighbours, 2)
    direction = np.arctan2(-bond[..., 1], bond[..., 0])                                 # y runs down
    psi = np.exp(1j * symmetry * direction).mean(1)                                     # (n,)
    return Bonds(np.angle(psi) / symmetry, np.abs(psi), symmetry)


@dataclass(frozen=True)
class AngleDoubts(Record):
    """Which angles of n columns are not to be believed; print it for a sentence.

    too_far       (n,) bool: beyond 1.5 widths of the prior
    contradicted  (n,) bool: the bonds say something else
    difference    (n,) radians: angle minus that of the bonds, as far as their symmetry tells; NaN where they have no order
    width         of the angles' prior, radians
    """

    too_far: np.ndarray
    contradicted: np.ndarray
    difference: np.ndarray
    width: float

    @property
    def warning(self):
        """A sentence with the cure if more than one angle in twenty is in doubt, else the empty string."""
        found = []
        if self.too_far.mean() > MANY:
            found.append(f"{self.too_far.mean():.0%} lie beyond {WIDTHS} widths of their prior")
        if self.contradicted.mean() > MANY:
            off = np.degrees(np.median(np.abs(self.difference[self.contradicted])))
            found.append(f"{self.contradicted.mean():.0%} contradict the columns' bonds, by {off:.0f}° in the median")
        if not found:
            return ""
        cure = "patches of two periods" if self.width == np.inf else "Pose(rotation=True) and patches of two periods"
        return f"of the angles {' and '.join(found)}: use {cure}"

    def __str__(self):
        return self.warning or "the angles lie within their prior and agree with the columns' bonds"


def doubt_angles(angle, bonds, width, kind=None):
    """`AngleDoubts` about encoded angles (n,), radians, of columns whose `Bonds` are known.

    width  of the angle's prior, radians: 0.1 of Pose(rotation=0.1); numpy.inf of Pose(rotation=True)
    kind   (n,) whole numbers from 0: angle and bonds of each kind of column have a zero of their own (the canonical picture
           hangs as it likes), that of its most typical column
    """
    angle = np.asarray(angle, float)
    if angle.shape != bonds.angle.shape or not np.isfinite(angle).all():
        raise ValueError(f"angle must be one finite number a column, {bonds.angle.shape}; got {angle.shape}: pass "
                         f"bonds[patches.index] where some columns have no patch")
    if width != np.inf:
        check_number("width", width, 1e-6, np.pi, "radians")
    kind = checked_kind(kind, len(angle))
    difference = np.where(bonds.order > ORDERED, angle - bonds.angle, np.nan)
    for number in np.unique(kind[np.isfinite(difference)]):
        difference[kind == number] -= _typical(difference[(kind == number) & np.isfinite(difference)], bonds.symmetry)
    difference = _alike(difference, bonds.symmetry)
    return AngleDoubts(np.abs(angle) > WIDTHS * width, np.abs(difference) > CONTRADICTION, difference, width)


def _typical(difference, symmetry):
    """That of the differences (m,) which is nearest to all others: with two grains, that of one of them."""
    some = difference[np.linspace(0, len(difference) - 1, min(CANDIDATES, len(difference))).astype(int)]
    return some[np.abs(_alike(some[:, None] - some, symmetry)).sum(1).argmin()]


def _alike(difference, symmetry):
    """The smallest of the angles that look the same: within ±π / symmetry."""
    return wrap(symmetry * difference) / symmetry
