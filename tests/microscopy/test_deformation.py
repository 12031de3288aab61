"""Rotation and strain from the places of neighbours: those that a lattice was given, whatever else is wrong with it."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.geometry import pose_matrix
from cardslib.microscopy.crystals import single_crystal
from cardslib.microscopy.deformation import local_deformation, log_scale, symmetric_shear

ROWS = 12
SQUARE = np.stack(np.meshgrid(np.arange(ROWS), np.arange(ROWS)), -1).reshape(-1, 2) * 20.0 + 30
CENTRED = np.concatenate([SQUARE, SQUARE + 10])                                         # two kinds of columns
KIND = np.repeat([0, 1], ROWS**2)
MIDDLE = (np.abs(CENTRED - 140) < 70).all(1)
small = st.floats(-0.1, 0.1)


@given(st.floats(-3, 3), small, small)
def test_a_pose_is_read_off_its_matrix(angle, shear, scale):
    matrix = pose_matrix(angle, shear) * np.exp(scale)
    assert symmetric_shear(matrix) == pytest.approx(shear, abs=1e-9) and log_scale(matrix) == pytest.approx(scale, abs=1e-9)


@given(st.floats(-0.2, 0.2), small, small, st.sampled_from([4, 8]))
def test_a_part_of_a_lattice_that_is_deformed_shows_it(angle, shear, scale, neighbours):
    """Against the usual column, which is in the part that is not."""
    matrix = pose_matrix(angle, shear) * np.exp(scale)
    position = np.concatenate([CENTRED, CENTRED @ matrix.T + 2000, CENTRED + 5000, CENTRED + 8000])
    found = local_deformation(position, np.tile(KIND, 4), neighbours)
    usual, deformed = (found[start:start + len(CENTRED)][MIDDLE] for start in (0, len(CENTRED)))
    assert np.allclose(deformed.matrix @ np.linalg.inv(usual.matrix[:1]), matrix, atol=1e-9)
    assert len(np.unique(deformed.angle.round(9))) == 1 and (deformed.matched == neighbours).all()


def test_the_truth_of_a_crystal_is_found():
    """A crystal that bends, from true places: what is left is how much the lattice changes from one column to the next."""
    crystal = single_crystal(disorder=0, seed=2)
    crystal = crystal[crystal.visible]
    found = local_deformation(crystal.position, crystal.species)
    whole = found.matched == 8
    for of_found, true in ((found.angle, crystal.rotation), (found.shear, symmetric_shear(crystal.deformation)),
                           (found.scale, log_scale(crystal.deformation))):
        for number in np.unique(crystal.species):
            chosen = whole & (crystal.species == number)
            assert np.std(of_found[chosen] - true[chosen]) < 0.02 * np.std(true[chosen])


def test_one_kind_is_the_default():
    assert np.allclose(local_deformation(SQUARE).angle[np.abs(SQUARE - 140).max(1) < 70], 0)


def test_a_sublattice_that_is_displaced_as_a_whole_turns_nothing():
    displaced = np.concatenate([CENTRED, CENTRED + KIND[:, None] * (2.0, 1.0) + 2000])
    found = local_deformation(displaced, np.tile(KIND, 2), neighbours=4)[np.tile(MIDDLE, 2)]
    assert np.allclose(found.matrix, np.eye(2))


def test_where_too_few_neighbours_were_found_nothing_is_said():
    """Of eight, one is not much; at a corner five are missing."""
    missing = np.argmin(np.abs(CENTRED - 140).sum(1))
    position, kind = np.delete(CENTRED, missing, 0), np.delete(KIND, missing)
    found = local_deformation(position, kind)
    assert np.allclose(found.angle[np.delete(MIDDLE, missing)], 0) and (found.matched[np.delete(MIDDLE, missing)] >= 7).all()
    corner = np.argmin(position.sum(1))
    assert np.isnan(found.angle[corner]) and np.isnan(found.matrix[corner]).all() and found.matched[corner] == 3


def test_noise_is_averaged_over_the_neighbours():
    noisy = CENTRED + np.random.default_rng(0).normal(0, 0.3, CENTRED.shape)
    few, many = (np.nanstd(local_deformation(noisy, KIND, neighbours).angle[MIDDLE]) for neighbours in (4, 8))
    assert few == pytest.approx(0.3 / np.sqrt(4 * 200), rel=0.2)                        # Σ r² over the neighbours, pixels²
    assert many == pytest.approx(0.3 / np.sqrt(4 * 200 + 4 * 400), rel=0.2)


@pytest.mark.parametrize("wrong, message", [
    (dict(position=SQUARE[:, 0]), r"position must be \(n, 2\)"), (dict(position=SQUARE * np.nan), "finite numbers"),
    (dict(position=SQUARE[:8]), "more columns than neighbours=8; got 8"), (dict(neighbours=3), "neighbours must be"),
    (dict(kind=np.zeros(3, int)), "kind must be one number"), (dict(kind=np.full(ROWS**2, 0.5)), "kind must be whole numbers"),
    (dict(kind=np.full(ROWS**2, -1)), "kind must lie within 0"),
    (dict(position=np.arange(40)[:, None] * (3, 1)), "on one line")])
def test_what_is_no_lattice_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        local_deformation(**{"position": SQUARE, **wrong})
