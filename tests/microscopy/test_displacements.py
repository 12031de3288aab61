"""Displacements and strain: those that a crystal was given, as exactly as the noise permits, and NaN where nobody can know."""
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardslib.geometry import rotation
from cardslib.microscopy.atomic_columns import find_columns
from cardslib.microscopy.column_scores import score_columns
from cardslib.microscopy.crystals import ferroelectric, single_crystal
from cardslib.microscopy.deformation import Deformation, local_deformation
from cardslib.microscopy.displacements import (
    displacement_from_lattice,
    displacement_from_neighbours,
    strain_components,
)
from cardslib.microscopy.micrographs import grey
from cardslib.microscopy.microscope import scan
from cardslib.microscopy.sublattices import Lattice, Sublattices, find_sublattices

REAL = Path(__file__).parents[3] / "shared" / "real"
real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the measured images are not at {REAL}")
PICOMETRES = 100                                                                        # in an ångström
small, shift = st.floats(-0.04, 0.04), st.floats(-2.5, 2.5)


def centred(cells=8, matrix=((1, 0), (0, 1)), shift=(0.0, 0.0), spacing=20.0):
    """Columns of a centred square lattice, deformed by a matrix, B displaced by a shift; A first, then as many B."""
    corners = np.stack(np.meshgrid(*[np.arange(cells)] * 2), -1).reshape(-1, 2) * spacing
    position = np.concatenate([corners, corners + spacing / 2]) @ np.transpose(matrix)
    position[len(corners):] += shift
    return SimpleNamespace(position=position, amplitude=np.repeat([1.0, 0.4], len(corners)))


# ---------------------------------------------------------------------- from the middle of neighbours

@settings(max_examples=30)
@given(shift, shift, small, small, small)
def test_a_shift_of_one_sublattice_is_read_whatever_the_lattice_does(x, y, turn, stretch, shear):
    matrix = rotation(turn) @ [[1 + stretch, shear], [shear, 1 - stretch]]
    found = find_sublattices(centred(matrix=matrix, shift=(x, y)))
    displacement = displacement_from_neighbours(found, "B", "A")
    inner = found.of("B") & np.isfinite(displacement).all(1)
    assert displacement[inner] == pytest.approx(np.tile((x, y), (49, 1)), abs=1e-9)     # B of 7 × 7 cells has four A
    assert np.isnan(displacement[~inner]).all()


def test_where_a_neighbour_is_missing_nothing_is_said():
    columns = centred()
    middle = np.argmin(np.hypot(*(columns.position - 70).T) + 100 * (columns.amplitude < 1))    # an A
    kept = np.arange(len(columns.position)) != middle
    found = find_sublattices(SimpleNamespace(position=columns.position[kept], amplitude=columns.amplitude[kept]))
    displacement = displacement_from_neighbours(found, "B", "A")
    near = np.hypot(*(found.position - columns.position[middle]).T) < 15
    assert near.sum() == 4 and np.isnan(displacement[near]).all() and np.isfinite(displacement[:, 0]).sum() == 45


def test_of_some_columns_only_those_are_looked_at():
    found = find_sublattices(centred())
    assert np.isnan(displacement_from_neighbours(found[found.of("B")], "B", "A")).all()
    assert np.isnan(displacement_from_lattice(found[:1])).all()


def test_an_atom_of_graphene_is_in_the_middle_of_three():
    crystal = single_crystal("graphene", 40, tilt=0, strain=0, disorder=0)
    found = find_sublattices(SimpleNamespace(position=crystal.position, amplitude=crystal.brightness))
    displacement = displacement_from_neighbours(found, "A", "B")
    assert np.nanmax(np.abs(displacement)) < 1e-9 and np.isfinite(displacement[found.of("A"), 0]).mean() > 0.8


@pytest.mark.parametrize("counts", [5, 20, 200])
def test_a_ferroelectric_shows_its_polarisation_as_exactly_as_its_electrons_permit(counts):
    """Found in the image, against the truth of the crystal; the errors of the scan's lines come on top of the bound."""
    micrograph = scan(ferroelectric(90, domains=2), counts=counts)
    found = find_columns(micrograph.image)
    displacement = displacement_from_neighbours(find_sublattices(found), "B", "A") * micrograph.pixel_size
    pairs = score_columns(found.position, micrograph.truth.position, micrograph.image.shape)
    error = (displacement[pairs.found] - micrograph.truth.displacement[pairs.true]) * PICOMETRES
    error = error[np.isfinite(error).all(1)]
    scan_error = 0.1 * 0.75 * micrograph.pixel_size * PICOMETRES   # jitter: 0.1 pixel along x, half of it along y
    permitted = np.hypot(least_error(micrograph, "Fe-O"), scan_error)
    assert len(error) > 400 and np.abs(error.mean(0)).max() < 0.8
    assert error.std() < 1.3 * permitted


def least_error(micrograph, species, width=0.4):
    """The bound of Cramér and Rao on a column's place along one axis, pm: a Gaussian on an even ground, Poisson counts."""
    counts, truth = micrograph.counts[0], micrograph.truth
    x = np.arange(-12, 13) * micrograph.pixel_size                                      # Å
    bell = np.exp(-(x**2 + x[:, None] ** 2) / (2 * width**2))
    per_brightness = (counts.sum() * 0.5) / truth.brightness.sum() * micrograph.pixel_size**2 / (2 * np.pi * width**2)
    light = per_brightness * truth.brightness[truth.species == truth.species_names.index(species)][0] * bell
    slope = light * x / width**2
    return PICOMETRES / np.sqrt((slope**2 / (light + 0.5 * counts.mean())).sum())


# ---------------------------------------------------------------------- from the lattice

@settings(max_examples=30)
@given(small, small, small)
def test_a_deformed_lattice_displaces_nothing(turn, stretch, shear):
    found = find_sublattices(centred(matrix=rotation(turn) @ [[1 + stretch, shear], [shear, 1 - stretch]], shift=(1, 2)))
    displacement = displacement_from_lattice(found)
    assert np.isfinite(displacement[:, 0]).sum() == 2 * (6**2 - 4)                      # but for the outermost row, and corners
    assert np.nanmax(np.abs(displacement)) < 1e-9


def test_one_column_that_is_displaced_is_seen_and_moves_others_little():
    columns = centred()
    middle = np.argmin(np.hypot(*(columns.position - 80).T))
    columns.position[middle] += (1.5, -2.0)
    displacement = displacement_from_lattice(find_sublattices(columns))
    assert displacement[middle] == pytest.approx((1.5, -2.0), abs=1e-9)
    assert np.nanmax(np.delete(np.hypot(*displacement.T), middle)) < 0.15 * 2.5


def test_a_pattern_within_one_sublattice_is_seen():
    columns = centred(10)
    sign = (-1) ** np.round(columns.position[:, 0] / 20)[:100]                          # of A: up and down in turn
    columns.position[:100, 1] += sign
    found = find_sublattices(columns)
    along_y = displacement_from_lattice(found)[:100, 1] * sign
    assert found.of("A")[:100].all() and np.nanmin(along_y) > 0.8 and np.nanmax(along_y) < 1.3


def test_noise_is_that_of_the_column_itself():
    columns = centred(16)
    columns.position += 0.2 * np.random.default_rng(0).standard_normal(columns.position.shape)
    assert np.nanstd(displacement_from_lattice(find_sublattices(columns))) == pytest.approx(0.2 * np.sqrt(1 + 1 / 24), rel=0.1)


def test_a_lattice_that_bends_by_ten_degrees_is_followed():
    crystal = single_crystal(tilt=10, strain=0, disorder=0)
    crystal = crystal[crystal.visible]
    found = find_sublattices(SimpleNamespace(position=crystal.position, amplitude=crystal.brightness))
    displacement = displacement_from_lattice(found) * PICOMETRES
    assert np.nanstd(displacement) < 9 and np.isfinite(displacement[:, 0]).mean() > 0.85


# ---------------------------------------------------------------------- strain

def test_strain_is_that_of_the_crystal():
    crystal = single_crystal(disorder=0, seed=2)
    crystal = crystal[crystal.visible]
    found = strain_components(local_deformation(crystal.position, crystal.species))
    for component, true in zip(found, (crystal.strain[:, 0, 0], crystal.strain[:, 1, 1], crystal.strain[:, 0, 1])):
        known = np.isfinite(component)
        assert np.std(component[known] - true[known]) < 0.05 * np.std(true)


def test_strain_has_its_zero_in_the_reference():
    matrix = np.concatenate([np.tile(np.eye(2), (5, 1, 1)), np.tile(rotation(0.1) @ [[1.02, 0.005], [0.005, 0.99]], (5, 1, 1))])
    matrix = np.concatenate([matrix, np.full((1, 2, 2), np.nan)])
    deformation = Deformation(matrix @ np.diag([1.1, 1.0]), np.full(11, 8))
    exx, eyy, exy = strain_components(deformation, np.arange(11) < 5)
    assert exx[:10] == pytest.approx(np.repeat([0, 0.02], 5)) and eyy[:10] == pytest.approx(np.repeat([0, -0.01], 5))
    assert exy[:10] == pytest.approx(np.repeat([0, 0.005], 5)) and np.isnan([exx[10], eyy[10], exy[10]]).all()
    assert strain_components(deformation)[0][0] == pytest.approx(0.1)


# ---------------------------------------------------------------------- what cannot be

FOUND = find_sublattices(centred())
DEFORMATION = Deformation(np.tile(np.eye(2), (4, 1, 1)), np.full(4, 8))


@pytest.mark.parametrize("wrong, message", [
    (lambda: displacement_from_neighbours(centred(), "A", "B"), "sublattices must be what find_sublattices gives"),
    (lambda: displacement_from_neighbours(FOUND, "C", "A"), "must be one of A, B; got 'C'"),
    (lambda: displacement_from_neighbours(FOUND, "A", "A"), "around must be another sublattice"),
    (lambda: displacement_from_lattice(FOUND.label), "sublattices must be"),
    (lambda: strain_components(np.eye(2)), "deformation must be what local_deformation gives"),
    (lambda: strain_components(DEFORMATION, np.ones(3, bool)), r"reference must be one True or False a column, \(4,\)"),
    (lambda: strain_components(DEFORMATION, np.ones(4)), "reference must be one True or False"),
    (lambda: strain_components(DEFORMATION, np.zeros(4, bool)), "reference must hold columns")])
def test_what_does_not_fit_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_a_column_of_a_dumbbell_is_in_the_middle_of_nothing():
    corners = np.stack(np.meshgrid(*[np.arange(8)] * 2), -1).reshape(-1, 2) @ [[11.6, -16.4], [11.6, 16.4]]
    dumbbells = SimpleNamespace(position=np.concatenate([corners, corners + (5.8, 0)]), amplitude=np.repeat([1.0, 0.9], 64))
    with pytest.raises(ValueError, match="'B' has 1: there is no middle"):
        displacement_from_neighbours(find_sublattices(dumbbells), "A", "B")


def test_without_a_gap_in_the_distances_it_is_not_said_that_there_is_one_neighbour():
    """The middle of a cell 2.5 times as long as wide: four neighbours, others next to them, and so on."""
    lattice = Lattice(np.diag([20.0, 50.0]), np.array([[0, 0], [0.5, 0.5]]), ("A", "B"))
    none = Sublattices(np.empty((0, 2)), np.empty(0, int), np.empty((0, 2)), lattice)
    with pytest.raises(ValueError, match="no gap in the distances to 'B'"):
        displacement_from_neighbours(none, "A", "B")


# ---------------------------------------------------------------------- measured images

@real
def test_a_scandate_shows_dysprosium_displaced_up_and_down_in_turn():
    columns = find_columns(grey(np.load(REAL / "columns/dso_scandium.npy")))
    found = find_sublattices(columns)
    along_y = displacement_from_lattice(found)[found.of("A"), 1]
    column = np.round(found.position[found.of("A"), 0] / 49.2)
    known = np.isfinite(along_y)
    even, odd = (np.median(along_y[known & (column % 2 == parity)]) for parity in (0, 1))
    assert 4 < abs(even - odd) < 16 and even * odd < 0                                   # pixels, where a cell has 49
