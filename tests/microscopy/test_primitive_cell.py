"""The vectors of a lattice: those that it was made of, in one order, whatever else is in the image."""
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.geometry import rotation
from cardslib.microscopy.atomic_columns import find_columns
from cardslib.microscopy.crystals import PHASES, ferroelectric, nio_lsmo, single_crystal
from cardslib.microscopy.microscope import scan
from cardslib.microscopy.primitive_cell import lattice_vectors

LENGTH = 20.0
SQUARE, HEXAGON = LENGTH * np.eye(2), LENGTH * np.array([[1, 0], [0.5, np.sqrt(3) / 2]])
CENTRED = [(0, 0, 1.0), (0.5, 0.5, 0.4)]                 # places in the cell, and amplitudes
GRAPHENE = [(0, 0, 1.0), (1 / 3, 1 / 3, 1.0)]
DUMBBELL = [(0, 0, 1.0), (0.25, 0.25, 1.0)]              # along the longer diagonal of the primitive cell
RHOMBUS = LENGTH * np.array([[0.58, -0.82], [0.58, 0.82]])   # silicon on [110]
MANY_ALIKE = [(0, 0, 1.0), (0.31, 0.12, 1.0), (0.62, 0.43, 1.0), (0.18, 0.58, 1.0), (0.72, 0.83, 1.0)]
PEROVSKITE_IN_BRIGHT_FIELD = [(0, 0, 1.0), (0.5, 0.5, 0.5), (0.5, 0, 0.3), (0, 0.5, 0.3)]


def grown(vectors, motif=((0, 0, 1.0),), cells=8, noise=0.0, seed=0):
    """Columns of so many cells along each vector, moved by a noise of so many pixels."""
    numbers = np.stack(np.meshgrid(*[np.arange(cells)] * 2), -1).reshape(-1, 2)
    position = np.concatenate([(numbers + place[:2]) @ vectors for place in np.array(motif)])
    amplitude = np.repeat([place[2] for place in motif], len(numbers))
    return SimpleNamespace(position=position + noise * np.random.default_rng(seed).standard_normal(position.shape),
                           amplitude=amplitude)


def some(columns, kept):
    return SimpleNamespace(position=columns.position[kept], amplitude=columns.amplitude[kept])


def in_terms_of(vectors, others):
    return vectors @ np.linalg.inv(others)


def found_in(crystal, **microscope):
    micrograph = scan(crystal, drift=0, **microscope)
    return lattice_vectors(find_columns(micrograph.image)) * micrograph.pixel_size


# ---------------------------------------------------------------------- the numbers

@pytest.mark.parametrize("phase", PHASES)
def test_within_half_a_per_cent_in_an_image(phase):
    crystal = single_crystal(phase, 50, tilt=1, strain=0.005)
    a, b = PHASES[phase].cell
    found = found_in(crystal, pixel_size=0.1, thickness=0.4)
    assert np.hypot(*found.T) == pytest.approx([np.hypot(*a), np.hypot(*b)], rel=0.005)
    assert abs(np.linalg.det(found)) == pytest.approx(abs(np.linalg.det([a, b])), rel=0.005)


def test_domains_that_are_displaced_are_one_lattice():
    assert found_in(ferroelectric(60, tilt=0)) == pytest.approx(3.965 * np.eye(2), abs=0.02)


def test_of_two_phases_the_one_with_more_columns_counts():
    """LSMO, whose cell is 7 % smaller than that of NiO, which is cube on cube with it."""
    assert np.hypot(*found_in(nio_lsmo(90, tilt=0)).T) == pytest.approx(3.876, rel=0.005)


@pytest.mark.parametrize("vectors, motif", [
    (SQUARE, CENTRED), (HEXAGON, GRAPHENE), (RHOMBUS, DUMBBELL), (SQUARE, PEROVSKITE_IN_BRIGHT_FIELD),
    (HEXAGON, MANY_ALIKE)])
def test_sublattices_missing_columns_and_noise_do_no_harm(vectors, motif):
    columns = grown(vectors @ rotation(0.2).T, motif, cells=14, noise=0.02 * LENGTH)
    rng = np.random.default_rng(1)
    columns.amplitude *= np.exp(0.15 * rng.standard_normal(len(columns.amplitude)))
    found = in_terms_of(lattice_vectors(some(columns, rng.random(len(columns.amplitude)) > 0.15)), vectors @ rotation(0.2).T)
    assert found == pytest.approx(found.round(), abs=0.01) and abs(np.linalg.det(found)) == pytest.approx(1, rel=0.01)


def test_columns_displaced_up_and_down_in_turn_are_one_lattice():
    columns = grown(SQUARE, CENTRED, cells=10)
    row = np.round(columns.position[:, 0] / LENGTH)
    columns.position[:100, 1] += 1.2 * (-1) ** row[:100]
    assert lattice_vectors(columns) == pytest.approx(SQUARE, abs=0.1)


def test_of_two_grains_one_is_taken():
    one, other = (grown(HEXAGON @ rotation(angle).T, GRAPHENE, 12) for angle in (0.0, 0.44))
    both = SimpleNamespace(position=np.concatenate([one.position, other.position + 500]),
                           amplitude=np.concatenate([one.amplitude, other.amplitude]))
    assert np.hypot(*lattice_vectors(both).T) == pytest.approx(LENGTH, rel=1e-3)


# ---------------------------------------------------------------------- the convention

@given(st.floats(0, 2 * np.pi), st.floats(1, 1.6), st.floats(60, 120), st.integers(-1, 1), st.booleans())
def test_the_basis_is_reduced_and_spans_the_same_lattice(angle, ratio, between, sheared, swapped):
    """Whatever basis the lattice is written in."""
    made = LENGTH * np.array([[1, 0], [ratio * np.cos(np.radians(between)), ratio * np.sin(np.radians(between))]])
    made = (made + sheared * np.array([[0, 0], made[0]])) @ rotation(angle).T
    a, b = found = lattice_vectors(grown(made[::-1] if swapped else made, cells=9))
    whole = in_terms_of(found, made)
    assert np.allclose(whole, whole.round(), atol=1e-6) and abs(np.linalg.det(whole)) == pytest.approx(1)
    assert np.hypot(*a) <= 1.031 * np.hypot(*b) and abs(a @ b) <= 0.55 * (a @ a)
    assert a.sum() > 0 and np.linalg.det(found) > 0                                     # b lies clockwise from a on the screen


@given(st.floats(-0.75, 0.75))
def test_of_equally_long_vectors_a_is_the_one_nearest_to_the_x_axis(angle):
    square = lattice_vectors(grown(SQUARE @ rotation(angle).T, cells=9, noise=0.05))
    assert np.degrees(np.arctan2(-square[0, 1], square[0, 0])) == pytest.approx(np.degrees(angle), abs=0.5)
    assert np.degrees(np.arccos(np.clip(square[0] @ square[1] / LENGTH**2, -1, 1))) == pytest.approx(90, abs=1)


@given(st.floats(-0.5, 0.5))
def test_in_a_hexagonal_lattice_b_is_60_degrees_from_a(angle):
    a, b = lattice_vectors(grown(HEXAGON @ rotation(angle).T, GRAPHENE, noise=0.05))
    assert np.degrees(np.arccos(a @ b / np.hypot(*a) / np.hypot(*b))) == pytest.approx(60, abs=1)


# ---------------------------------------------------------------------- no lattice

def test_columns_anywhere_are_no_lattice():
    rng = np.random.default_rng(0)
    anywhere = SimpleNamespace(position=rng.uniform(0, 400, (300, 2)), amplitude=np.ones(300))
    with pytest.raises(ValueError, match="columns must make a lattice"):
        lattice_vectors(anywhere)


def test_two_heaps_far_from_one_another_are_no_lattice():
    """And no reason to lay out a map of all that is between them."""
    heaps = np.random.default_rng(0).uniform(0, 1, (60, 2)) + np.repeat([0, 1e6], 30)[:, None]
    with pytest.raises(ValueError, match="columns must make a lattice"):
        lattice_vectors(SimpleNamespace(position=heaps, amplitude=np.ones(60)))


def changed(**fields):
    return SimpleNamespace(**{**vars(grown(SQUARE)), **fields})


@pytest.mark.parametrize("wrong, message", [
    (np.zeros((20, 2)), "columns must have position and amplitude.*got ndarray"),
    (some(grown(SQUARE), slice(8)), r"at least 9 positions.*got \(8, 2\)"),
    (changed(position=np.full((64, 2), np.nan)), "all finite"), (changed(position=np.ones((64, 3))), r"got \(64, 3\)"),
    (changed(position=np.ones((64, 2))), "different places"), (changed(amplitude=np.ones(63)), r"\(64,\); got \(63,\)"),
    (changed(amplitude=np.zeros(64)), "positive amplitude.*leave out"),
    (changed(position=np.arange(64)[:, None] * [20.0, 3.0]), "in a plane|make a lattice"),
    (some(changed(position=np.arange(64)[:, None] * [20.0, 0]), slice(9)), "must make a lattice in a plane"),
    (some(changed(position=np.arange(64)[:, None] * [0, 20.0]), slice(12)), "must make a lattice in a plane")])
def test_what_is_no_lattice_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        lattice_vectors(wrong)
