"""The orientation of bonds is right at any rotation, and tells which angles of a model are not to be believed."""
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.geometry import rotation, wrap
from cardslib.microscopy.bonds import bond_orientation, doubt_angles

BOUNDARY = Path(__file__).parents[3] / "shared/real/graphene_grain_boundary_4nm_xy.npy"
SQUARE = np.stack(np.meshgrid(np.arange(12), np.arange(12)), -1).reshape(-1, 2) * 20.0
HEXAGON = SQUARE @ np.array([[1, 0], [0.5, np.sqrt(3) / 2]])
GRAPHENE = np.concatenate([HEXAGON, HEXAGON + HEXAGON[[1, 12]].sum(0) / 3])             # two atoms to a cell
turns = st.floats(-3, 3)


def middle(position):
    """Columns that are not at the edge."""
    return np.hypot(*(position - position.mean(0)).T) < 60


def grains(angle, disorder=0.2, seed=0):
    """Positions of two square crystals, the right one turned by `angle`, and which columns are in it."""
    turned = (SQUARE - 110) @ rotation(angle).T + (400, 110)
    noise = np.random.default_rng(seed).normal(0, disorder, (2 * len(SQUARE), 2))
    return np.concatenate([SQUARE, turned]) + noise, np.repeat([False, True], len(SQUARE))


@given(turns, st.sampled_from([(SQUARE, 4, 4), (HEXAGON, 6, 6), (GRAPHENE, 6, 3)]))
def test_a_lattice_that_is_turned_shows_it_at_any_angle(angle, lattice):
    position, symmetry, neighbours = lattice
    there = middle(position)
    before, after = (bond_orientation(places, symmetry, neighbours)[there]
                     for places in (position, position @ rotation(angle).T))
    assert np.allclose(wrap(symmetry * (after.angle - before.angle - angle)), 0, atol=1e-6)
    assert np.allclose(after.order, 1)


def test_an_angle_is_counter_clockwise_on_the_screen_from_the_right():
    turned = SQUARE @ rotation(0.2).T
    assert np.allclose(bond_orientation(turned)[middle(turned)].angle, 0.2)
    assert (turned[1] - turned[0])[1] < 0                                               # the bond to the right has gone up


def test_places_without_order_have_little():
    position = np.random.default_rng(0).uniform(0, 400, (400, 2))
    assert np.median(bond_orientation(position).order) < 0.6 < 0.99 < np.median(bond_orientation(grains(0)[0]).order)


def test_angles_that_agree_with_the_bonds_are_believed_whatever_their_zero():
    position, kind = grains(0.1)
    angle = np.where(kind, 0.1, 0) + np.where(kind, 0.3, -0.4)
    doubts = doubt_angles(angle, bond_orientation(position), width=np.inf, kind=kind.astype(int))
    assert doubts.contradicted.mean() < 0.05 and doubts.warning == ""
    assert str(doubts) == "the angles lie within their prior and agree with the columns' bonds"


@pytest.mark.parametrize("said", [0.0, 0.033])
def test_a_grain_whose_turn_the_prior_does_not_reach_is_told(said):
    """Turned by 25.3°; a model with a narrow prior says 1.9°."""
    position, right = grains(np.radians(25.3))
    doubts = doubt_angles(np.where(right, said, 0), bond_orientation(position), width=0.1)
    assert doubts.contradicted[~right].mean() < 0.15 or doubts.contradicted[right].mean() < 0.15
    assert 0.35 < doubts.contradicted.mean() < 0.6 and not doubts.too_far.any()
    assert "contradict the columns' bonds, by 2" in doubts.warning and "use Pose(rotation=True)" in doubts.warning


def test_angles_at_the_end_of_their_prior_are_told():
    position, right = grains(np.radians(12))
    doubts = doubt_angles(np.where(right, np.radians(12), 0), bond_orientation(position), width=0.1)
    assert (doubts.too_far == right).all() and "50% lie beyond 1.5 widths of their prior:" in doubts.warning
    assert doubt_angles(np.where(right, np.radians(12), 0), bond_orientation(position), width=np.inf).warning == ""


def test_columns_without_order_contradict_nothing():
    position = np.random.default_rng(0).uniform(0, 400, (400, 2))
    bonds = bond_orientation(position)
    doubts = doubt_angles(np.zeros(400), bonds, width=0.1)
    assert (np.isnan(doubts.difference) == (bonds.order <= 0.5)).all() and not doubts.contradicted[bonds.order <= 0.5].any()


@pytest.mark.skipif(not BOUNDARY.exists(), reason="the measured grain boundary is not here")
def test_a_measured_grain_boundary_is_seen():
    position = np.load(BOUNDARY)
    bonds = bond_orientation(position, symmetry=6, neighbours=3)
    assert "contradict" in doubt_angles(np.zeros(len(position)), bonds, width=0.1).warning


@pytest.mark.parametrize("wrong, message", [
    (dict(position=SQUARE[:, 0]), r"position must be \(n, 2\)"), (dict(position=SQUARE * np.nan), "finite"),
    (dict(position=SQUARE[:4]), "more columns than neighbours=4; got 4"), (dict(symmetry=1), "symmetry must be"),
    (dict(neighbours=1), "neighbours must be")])
def test_what_has_no_bonds_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        bond_orientation(**dict(position=SQUARE) | wrong)


@pytest.mark.parametrize("wrong, message", [
    (dict(angle=np.zeros(3)), r"angle must be one finite number a column, \(144,\); got \(3,\)"),
    (dict(angle=np.full(144, np.nan)), "finite"), (dict(width=0), "width must be"),
    (dict(kind=np.zeros(3, int)), "kind must be")])
def test_what_cannot_be_doubted_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        doubt_angles(**dict(angle=np.zeros(144), bonds=bond_orientation(SQUARE), width=0.1) | wrong)
