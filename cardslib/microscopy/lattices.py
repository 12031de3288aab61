"""Lattices seen along a zone axis: a phase, the columns that grow from it, and the smooth fields that bend it.

Lengths in ångström (Å), x to the right, y down, the field's upper left corner at (0, 0); angles as in `geometry`.  A column
stands where a smooth *deformation* puts its lattice site (rotation, strain, the relaxation at an interface), plus a
*displacement* of its own (a polar shift of one sublattice, static disorder).  Brightness is what a high-angle detector sees
in the incoherent picture, Σ Zᵉ over the atoms of each ångström of column, with an exponent e of 1.5 to 1.9 that depends on
the detector's inner angle (Pennycook & Jesson, Ultramicroscopy 37, 1991, 14–38; Krivanek et al., Nature 464, 2010, 571–574).
"""
from dataclasses import dataclass, replace

import numpy as np

from cardslib.geometry import inside, polar_angle, rotation
from cardslib.records import Record, concatenate

Z = dict(C=6, O=8, Si=14, Mn=25, Fe=26, Ni=28, Sr=38, La=57, Bi=83)
FAINT = 0.08       # of the brightest column: below it nobody sees a column in a HAADF image (oxygen beside lanthanum: 0.04)
MARGIN = 12        # Å beyond the field in which columns grow, for those that the deformation moves in
LIT = 3            # Å beyond the field: from there a column's light, of a width of 0.4 Å or so, still falls into it
EPSILON = 1e-3     # Å: step of the numerical gradient
WAVES = 3          # that turn a lattice, and as many that stretch it


@dataclass(frozen=True)
class Phase:
    """A crystal seen along a zone axis.

    name     of the phase
    cell     two edges of the projected cell, (x, y) each, Å
    repeat   period along the beam, Å
    columns  of a cell: {species: (places, atoms)}, places as shares of the two edges, atoms as {element: number a period}
    """

    name: str
    cell: tuple
    repeat: float
    columns: dict

    def brightness(self, species, exponent):
        """Σ Z^exponent of a species' atoms for each ångström of column."""
        return sum(number * Z[element] ** exponent for element, number in self.columns[species][1].items()) / self.repeat

    def mean_brightness(self, exponent):
        """The same for each square ångström of the picture."""
        total = sum(len(places) * self.brightness(species, exponent) for species, (places, _) in self.columns.items())
        return total / abs(np.linalg.det(self.cell))


@dataclass(frozen=True)
class Crystal(Record):
    """Columns and what is true of them; index it (`crystal[crystal.visible]`) to get fewer columns.

    position      (n, 2) x and y: in Å as it is made; in *pixels* of the image in the truth of a `Micrograph`
    species       (n,) index into species_names: which atoms
    phase         (n,) index into phase_names
    displacement  (n, 2) Å: from the column's site in the deformed lattice
    deformation   (n, 2, 2): how the perfect lattice is turned and strained here (the gradient of the deformation)
    brightness    (n,): Σ Zᵉ an ångström of column
    boundary      (n,) Å: distance from the nearest interface or domain wall; infinite where there is none
    domain        (n,): number of the ferroelectric domain or of the pillar; 0 elsewhere
    size          (width, height) of the field, Å
    """

    position: np.ndarray
    species: np.ndarray
    phase: np.ndarray
    displacement: np.ndarray
    deformation: np.ndarray
    brightness: np.ndarray
    boundary: np.ndarray
    domain: np.ndarray
    size: tuple
    species_names: tuple
    phase_names: tuple

    @property
    def rotation(self):
        """(n,) radians, counter-clockwise on the screen: of the lattice about each column (polar decomposition)."""
        return polar_angle(self.deformation)

    @property
    def strain(self):
        """(n, 2, 2), symmetric: of the lattice about each column before it is turned, deformation = rotation · (1 + strain)."""
        return rotation(-self.rotation) @ self.deformation - np.eye(2)

    @property
    def visible(self):
        """(n,) bool: bright enough to be seen beside the brightest columns."""
        return self.brightness >= FAINT * np.quantile(self.brightness, 0.99)


def grow(phase, size, deformation, exponent, keep=None):
    """A `Crystal` of one phase in a field of size (width, height), Å, and a little beyond it.

    deformation  function of points (n, 2) → (n, 2), Å: where each point of the perfect lattice lies in the field
    exponent     of the atomic number in the brightness
    keep         function of points (n, 2) → (n,) bool, asked about the middle of each deformed cell: which cells there are
    """
    edges = np.array(phase.cell, float)                                               # (2, 2): a row an edge
    cells = _cells(edges, size)
    if keep is not None:
        cells = cells[keep(deformation((cells + 0.5) @ edges))]
    places = [(number, place) for number, (places, _) in enumerate(phase.columns.values()) for place in places]
    sites = np.concatenate([(cells + place) @ edges for _, place in places])
    species = np.repeat([number for number, _ in places], len(cells))
    brightness = np.array([phase.brightness(name, exponent) for name in phase.columns])
    n = len(sites)
    return Crystal(position=deformation(sites), species=species, phase=np.zeros(n, int), displacement=np.zeros((n, 2)),
                   deformation=gradient(deformation, sites), brightness=brightness[species], boundary=np.full(n, np.inf),
                   domain=np.zeros(n, int), size=tuple(size), species_names=tuple(phase.columns), phase_names=(phase.name,))


def _cells(edges, size):
    """The cells of a perfect lattice whose middle lies in a field or its margin: (m, 2) whole numbers of its two edges."""
    corners = np.array([(x, y) for x in (-MARGIN, size[0] + MARGIN) for y in (-MARGIN, size[1] + MARGIN)])
    in_edges = corners @ np.linalg.inv(edges)
    first, last = np.floor(in_edges.min(0)).astype(int), np.ceil(in_edges.max(0)).astype(int)
    cells = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(first, last)), indexing="ij"), -1).reshape(-1, 2)
    return cells[inside((cells + 0.5) @ edges, -MARGIN, np.array(size) + MARGIN)]


def gradient(function, points):
    """Derivatives ∂fᵢ/∂xⱼ of a smooth function of points, by central differences: (n, 2) → (n, 2, 2)."""
    steps = EPSILON * np.eye(2)
    return np.stack([(function(points + step) - function(points - step)) / (2 * EPSILON) for step in steps], -1)


def waves(size, tilt, strain, rng):
    """A smooth deformation of a field of size (width, height), Å: function of points (n, 2) → (n, 2).

    Transverse waves turn the lattice by up to ±tilt (radians) and shear it; longitudinal ones stretch and squeeze it by up
    to ±strain.  Three waves of either, half to once as long as the field, in directions about 60° apart, so that rotation,
    dilation and shear vary nearly independently of one another.
    """
    parts = []
    for amplitude, transverse in ((tilt, True), (strain, False)):
        slope = (2 if transverse else 1) * amplitude / WAVES                          # half of a transverse one is rotation
        for angle in rng.uniform(0, np.pi) + np.pi / WAVES * (np.arange(WAVES) + rng.uniform(-0.25, 0.25, WAVES)):
            direction = np.array([np.cos(angle), np.sin(angle)])
            wave_number = 2 * np.pi / (max(size) * rng.uniform(0.5, 1.1))             # radians an Å
            towards = np.array([direction[1], -direction[0]]) if transverse else direction
            parts.append((wave_number * direction, slope / wave_number * towards, rng.uniform(0, 2 * np.pi)))
    return lambda points: points + sum(np.cos(points @ wave + phase)[:, None] * moved for wave, moved, phase in parts)


def joined(crystals):
    """One crystal of several in the same field; phases and species of the same name become one."""
    phases = tuple(dict.fromkeys(name for crystal in crystals for name in crystal.phase_names))
    species = tuple(dict.fromkeys(name for crystal in crystals for name in crystal.species_names))
    renamed = [replace(crystal, phase=np.array([phases.index(name) for name in crystal.phase_names])[crystal.phase],
                       species=np.array([species.index(name) for name in crystal.species_names])[crystal.species])
               for crystal in crystals]
    return replace(concatenate(renamed), species_names=species, phase_names=phases)


def cut_to_field(crystal):
    """The columns within the field, and those a little outside, whose light still falls into it."""
    return crystal[inside(crystal.position, -LIT, np.array(crystal.size) + LIT)]
