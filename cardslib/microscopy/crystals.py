"""The lectures' crystals: NiO pillars in LSMO, a ferroelectric with domains, and single crystals that are merely bent.

Each comes with its truth by column (`lattices.Crystal`), and the same seed gives the same crystal.  Lengths are in Å.
"""
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import ndtr

from cardslib.geometry import rotation
from cardslib.microscopy.lattices import Crystal, Phase, cut_to_field, gradient, grow, joined, waves
from cardslib.validation import check_count, check_number

__all__ = ["PHASES", "Crystal", "ferroelectric", "nio_lsmo", "single_crystal"]

WIDEST_FIELD = 2000    # Å along an edge: half a million columns
CLOSEST = 1.5          # Å: columns of two phases nearer than this cannot stand side by side
SLANT = 0.25           # Å along x for each Å along y: of domain walls
WALL = 4               # Å, a cell: standard deviation of the change from one domain to the next, two cells in all
LSMO_GIVES = 0.2       # of the misfit: how far it is stretched at the interface
NIO_GIVES = 0.4        # of the misfit: how far it is squeezed there
FALL_OFF = 3           # cells of LSMO over which displacements at the interface fall to 1/e
ROOM = 3               # Å that a pillar leaves to the edge of its part of the field


def _square(a):
    return (a, 0), (0, a)


_CORNER, _MIDDLE, _FACES = ((0, 0),), ((0.5, 0.5),), ((0.5, 0), (0, 0.5))
PHASES = {phase.name: phase for phase in (
    # La₀.₇Sr₀.₃MnO₃ on [001], pseudo-cubic
    Phase("LSMO", _square(3.876), 3.876, {"La/Sr": (_CORNER, dict(La=0.7, Sr=0.3)), "Mn-O": (_MIDDLE, dict(Mn=1, O=1)),
                                          "O": (_FACES, dict(O=1))}),
    # rock salt on [001]: every column is mixed, on a mesh of half the edge of the cell
    Phase("NiO", _square(4.177 / 2), 4.177, {"Ni-O": (_CORNER, dict(Ni=1, O=1))}),
    Phase("BiFeO3", _square(3.965), 3.965, {"Bi": (_CORNER, dict(Bi=1)), "Fe-O": (_MIDDLE, dict(Fe=1, O=1)),
                                            "O": (_FACES, dict(O=1))}),
    Phase("graphene", ((2.46, 0), (1.23, 2.1304)), 1.0, {"C": (((0, 0), (1 / 3, 1 / 3)), dict(C=1))}),
)}


def single_crystal(phase="LSMO", size=154.0, tilt=3.0, strain=0.025, angle=0.0, disorder=0.02, exponent=1.6, seed=0):
    """One phase with a smooth field of strain and rotation, and nothing else.

    phase     one of `PHASES`
    size      Å along an edge, or (width, height)
    tilt      degrees: amplitude of the rotation of the lattice, which varies over the field (0 … 10)
    strain    amplitude of the strain, as a share (0 … 0.1)
    angle     degrees by which the crystal as a whole is turned
    disorder  Å: standard deviation of each column's own displacement along x and y (0 … 0.3)
    exponent  of the atomic number in the brightness (1 … 2)
    """
    rng, size = _checked(size, tilt, strain, disorder, exponent, seed)
    if phase not in PHASES:
        raise ValueError(f"phase must be one of {', '.join(PHASES)}; got {phase!r}")
    smooth, turned = waves(size, np.radians(tilt), strain, rng), _turned(angle, np.array(size) / 2)
    crystal = grow(PHASES[phase], size, lambda points: smooth(turned(points)), exponent)
    return cut_to_field(_disordered(crystal, disorder, rng))


def ferroelectric(size=154.0, polar=0.28, domains=3, tilt=0.3, strain=0.003, disorder=0.1, exponent=1.6, seed=0):
    """BiFeO₃ whose Fe columns are displaced from the middle of their four Bi by `polar` Å (0 … 0.5) along a diagonal.

    The domains, 1 to 12 of them, are stripes with slanted walls two cells wide; from one to the next the displacement turns
    by 90° or 180°.  `crystal.domain` numbers them from the left; only Fe has `disorder`.  Other arguments: `single_crystal`.
    """
    rng, size = _checked(size, tilt, strain, disorder, exponent, seed)
    check_number("polar", polar, 0, 0.5, "Å")
    check_number("domains", check_count("domains", domains), 1, 12)
    crystal = grow(PHASES["BiFeO3"], size, waves(size, np.radians(tilt), strain, rng), exponent)
    walls = (size[0] + SLANT * size[1]) * (np.arange(1, domains) + rng.uniform(-0.2, 0.2, domains - 1)) / domains
    directions = rotation(np.pi / 4 + np.pi / 2 * np.cumsum(rng.integers(1, 4, domains))) @ (1, 0)   # (domains, 2)
    across = crystal.position @ (1, SLANT)                                              # (n,) along x, where a wall is upright
    beyond = across[:, None] - walls                                                    # (n, walls)
    displacement = polar * (directions[0] + ndtr(beyond / WALL) @ np.diff(directions, axis=0))
    displacement[crystal.species != crystal.species_names.index("Fe-O")] = 0
    crystal = replace(_displaced(crystal, displacement), domain=np.searchsorted(walls, across),
                      boundary=np.abs(beyond).min(1, initial=np.inf) / np.hypot(1, SLANT))
    return cut_to_field(_disordered(crystal, disorder, rng, "Fe-O"))


def nio_lsmo(size=154.0, pillars=2, misorientation=3.0, tilt=3.0, strain=0.005, mixing=1.5, polar=0.15, disorder=0.02,
             exponent=1.6, seed=0):
    """NiO pillars (1 to 4) in La₀.₇Sr₀.₃MnO₃, cube on cube, a misfit of 7.8 %: 13 cells of NiO on 14 of LSMO.

    Both lattices bend smoothly, and the pillars are turned as a whole by up to `misorientation` degrees (0 … 10), to the left
    and to the right in turn.  Interfaces are faceted along {100} and {110}, step by whole cells, and are mixed through the
    depth of the specimen with a standard deviation of `mixing` Å.  Between misfit dislocations, which come every 5.4 nm, the
    lattices pull each other into register.  Next to an interface Mn columns are displaced away from it by `polar` Å, which
    falls off over three cells (compare Koohfar et al., Phys. Rev. B 96, 2017, 024108).  Other arguments: `single_crystal`.
    """
    rng, size = _checked(size, tilt, strain, disorder, exponent, seed)
    check_number("pillars", check_count("pillars", pillars), 1, 4)
    check_number("misorientation", misorientation, 0, 10, "degrees")
    check_number("mixing", mixing, 0.01, 20, "Å")
    check_number("polar", polar, 0, 0.5, "Å")
    smooth, outlines = waves(size, np.radians(tilt), strain, rng), _outlines(pillars, size, rng)

    def depth(points):
        return np.max([outline.depth(points) for outline in outlines], 0)

    def pillar(number, outline):
        turned = _turned(misorientation * rng.uniform(0.6, 1) * (-1) ** number, outline.centre)
        crystal = grow(PHASES["NiO"], size, lambda points: smooth(_relaxed(turned(points), depth, -NIO_GIVES)), exponent,
                       keep=lambda points: outline.depth(points) > -CLOSEST)            # overlaps go below
        return replace(crystal, domain=np.full(len(crystal), number))

    matrix = grow(PHASES["LSMO"], size, lambda points: smooth(_relaxed(points, depth, LSMO_GIVES)), exponent,
                  keep=lambda points: depth(points) <= 0)
    crystal = joined([matrix, *(pillar(number, outline) for number, outline in enumerate(outlines))])
    crystal = _without_overlaps(_at_interface(crystal, depth, mixing, polar, exponent))
    return cut_to_field(_disordered(crystal, disorder, rng))


def _relaxed(points, depth, share):
    """Where points (n, 2) of a lattice go that gives way to the other near the interface, by a share of the misfit.

    It does so as deep as the network of dislocations reaches, whose period is that of the misfit, 5.4 nm.
    """
    a, b = PHASES["LSMO"].cell[0][0], 2 * PHASES["NiO"].cell[0][0]
    wave_number = 2 * np.pi * (1 / a - 1 / b)                                           # radians an Å
    near = np.exp(-wave_number * np.abs(depth(points)))[:, None]
    return points + share * (b / a - 1) / wave_number * near * np.sin(wave_number * points)


def _at_interface(crystal, depth, mixing, polar, exponent):
    """The same with its boundary, phases mixed through the depth of the specimen, and Mn columns displaced away from NiO.

    depth  function of points (n, 2) → (n,): signed distance from the interface, positive in a pillar, Å
    """
    deep = depth(crystal.position)
    own = np.where(crystal.phase == crystal.phase_names.index("NiO"), deep, -deep)      # deep in its own phase
    manganese = crystal.species == crystal.species_names.index("Mn-O")
    length = np.exp(-np.abs(deep) / (FALL_OFF * PHASES["LSMO"].cell[0][0])) * manganese
    outward = -gradient(lambda points: np.stack([depth(points)] * 2, 1), crystal.position)[:, 0]   # twice: one is enough
    crystal = replace(crystal, boundary=np.abs(deep), brightness=_mixed(crystal, own / mixing, exponent))
    return _displaced(crystal, polar * length[:, None] * outward)


@dataclass(frozen=True)
class _Outline:
    """An octagon with facets along {100} and {110}: its centre, its half width and how far it is cut at the corners, Å."""

    centre: np.ndarray
    half: np.ndarray
    cut: float

    def depth(self, points):
        """Signed distance from the nearest facet, positive inside, Å: (n, 2) → (n,)."""
        beyond = np.abs(points - self.centre) - self.half
        return -np.maximum(beyond.max(1), (beyond.sum(1) + self.cut) / np.sqrt(2))


def _outlines(count, size, rng):
    """One pillar in each of `count` parts of the field, of a size and at a place of its own."""
    across, down = {1: (1, 1), 2: (2, 1), 3: (3, 1), 4: (2, 2)}[count]
    part, outlines = np.array(size) / (across, down), []
    for number in range(count):
        corner = part * (number % across, number // across)
        half = rng.uniform(0.26, 0.36, 2) * min(part)
        centre = corner + half + ROOM + rng.uniform(0.2, 0.8, 2) * np.maximum(part - 2 * half - 2 * ROOM, 0)
        outlines.append(_Outline(centre, half, cut=rng.uniform(0.4, 0.8) * min(half)))
    return outlines


def _mixed(crystal, depth, exponent):
    """Brightness of columns that are of their own phase only over a part of the specimen's depth; depth in units of mixing."""
    lsmo, nio = PHASES["LSMO"], PHASES["NiO"]
    area = abs(np.linalg.det(lsmo.cell)) / 2, abs(np.linalg.det(nio.cell))                   # of a visible column
    of_other = np.array([nio.mean_brightness(exponent) * area[0], lsmo.mean_brightness(exponent) * area[1]])[crystal.phase]
    of_other[crystal.species == crystal.species_names.index("O")] = 0
    own = ndtr(depth)
    return own * crystal.brightness + (1 - own) * of_other


def _turned(degrees, centre):
    """Function of points (n, 2) → (n, 2) that turns them about `centre`."""
    matrix = rotation(np.radians(check_number("angle", degrees, -360, 360, "degrees")))
    return lambda points: (points - centre) @ matrix.T + centre


def _without_overlaps(crystal):
    """Without the columns of a pillar that stand too close to a heavy one of the matrix, or of oxygen too close to nickel."""
    rank = np.array([{"O": 0, "Ni-O": 1}.get(name, 2) for name in crystal.species_names])[crystal.species]
    first, second = cKDTree(crystal.position).query_pairs(CLOSEST, output_type="ndarray").T
    return crystal[np.setdiff1d(np.arange(len(crystal)), np.where(rank[first] < rank[second], first, second))]


def _displaced(crystal, displacement):
    return replace(crystal, position=crystal.position + displacement, displacement=crystal.displacement + displacement)


def _disordered(crystal, disorder, rng, only=None):
    """The same with each column, or `only` those of a species, displaced at random: `disorder` Å, standard deviation along x
    and y."""
    displacement = disorder * rng.standard_normal(crystal.position.shape)
    if only is not None:
        displacement[crystal.species != crystal.species_names.index(only)] = 0
    return _displaced(crystal, displacement)


def _checked(size, tilt, strain, disorder, exponent, seed):
    """A generator and (width, height), after the arguments that every crystal has were looked at."""
    width, height = size = tuple(size) if np.shape(size) == (2,) else (size, size)
    for edge in (width, height):
        check_number("size", edge, 20, WIDEST_FIELD, "Å")
    check_number("tilt", tilt, 0, 10, "degrees")
    check_number("strain", strain, 0, 0.1)
    check_number("disorder", disorder, 0, 0.3, "Å")
    check_number("exponent", exponent, 1, 2)
    return np.random.default_rng(check_count("seed", seed, 0)), size
