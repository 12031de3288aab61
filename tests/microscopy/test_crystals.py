"""Simulated crystals: what is true of every column, and that it is true."""
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from cardslib.geometry import rotation, strain
from cardslib.microscopy.crystals import PHASES, ferroelectric, nio_lsmo, single_crystal
from cardslib.microscopy.lattices import cut_to_field, gradient, grow, joined, waves

MADE = {"pillars": nio_lsmo, "ferroelectric": ferroelectric, "single crystal": single_crystal}


@pytest.fixture(scope="module")
def pillars():
    return nio_lsmo(seed=3)


def species(crystal, name):
    return crystal[crystal.species == crystal.species_names.index(name)]


def same(first, second):
    return all(np.array_equal(getattr(first, field.name), getattr(second, field.name)) for field in fields(first))


# ---------------------------------------------------------------------- phases

@pytest.mark.parametrize("phase, heavy, light, ratio", [("LSMO", "La/Sr", "Mn-O", 3.0), ("BiFeO3", "Bi", "Fe-O", 6.4)])
def test_the_sublattices_differ_in_brightness_as_their_atoms_do(phase, heavy, light, ratio):
    """Ratios of Z^1.7, from the atomic numbers by hand."""
    phase = PHASES[phase]
    assert phase.brightness(heavy, 1.7) / phase.brightness(light, 1.7) == pytest.approx(ratio, rel=0.03)


def test_brightness_is_that_of_the_elements():
    assert PHASES["LSMO"].brightness("La/Sr", 1.7) == pytest.approx((0.7 * 57**1.7 + 0.3 * 38**1.7) / 3.876)
    assert PHASES["NiO"].brightness("Ni-O", 2) == pytest.approx((28**2 + 8**2) / 4.177)


def test_the_two_phases_are_nearly_alike_in_mean_brightness():
    assert PHASES["LSMO"].mean_brightness(1.7) == pytest.approx(20.0, abs=0.1)
    assert PHASES["NiO"].mean_brightness(1.7) == pytest.approx(17.7, abs=0.1)


@pytest.mark.parametrize("phase, spacing", [("LSMO", 3.876 / 2), ("NiO", 2.0885), ("BiFeO3", 3.965 / 2), ("graphene", 1.42)])
def test_neighbours_stand_as_far_apart_as_in_the_literature(phase, spacing):
    crystal = single_crystal(phase, size=40, tilt=0, strain=0, disorder=0)
    nearest = cKDTree(crystal.position).query(crystal.position, 2)[0][:, 1]
    assert np.allclose(nearest, spacing, atol=2e-3)


def test_the_misfit_is_thirteen_cells_on_fourteen():
    assert 13 * 2 * PHASES["NiO"].cell[0][0] == pytest.approx(14 * PHASES["LSMO"].cell[0][0], rel=2e-3)


# ---------------------------------------------------------------------- every crystal

@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_the_same_seed_gives_the_same_crystal_and_another_one_another(make):
    assert same(make(size=40, seed=5), make(size=40, seed=5))
    assert not same(make(size=40, seed=5), make(size=40, seed=6))


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_every_column_says_everything(make):
    crystal = make(size=(60, 40), seed=1)
    n = len(crystal)
    for name, shape in dict(position=(n, 2), species=(n,), phase=(n,), displacement=(n, 2), deformation=(n, 2, 2),
                            brightness=(n,), boundary=(n,), domain=(n,), rotation=(n,), strain=(n, 2, 2)).items():
        assert getattr(crystal, name).shape == shape, name
    assert crystal.size == (60, 40) and crystal.species.max() < len(crystal.species_names)
    assert (crystal.brightness > 0).all() and (crystal.boundary >= 0).all()
    assert (crystal.position > -4).all() and (crystal.position < np.array([64, 44])).all()


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_no_two_columns_stand_in_one_place(make):
    crystal = make(seed=2)
    assert cKDTree(crystal.position).query(crystal.position, 2)[0][:, 1].min() > 1.1


def test_oxygen_alone_is_not_visible():
    for crystal in (single_crystal(size=40), ferroelectric(size=40)):
        assert set(crystal.species[~crystal.visible]) == {crystal.species_names.index("O")}
        assert not (crystal.species[crystal.visible] == crystal.species_names.index("O")).any()


@pytest.mark.parametrize("wrong, message", [
    (dict(size=5), "size must be a finite number of at least 20 and at most 2000 Å; got 5"),
    (dict(size=(50, 1e9)), "size must be"), (dict(size="large"), "size must be"), (dict(tilt=40), "tilt must be"),
    (dict(tilt=float("nan")), "tilt must be"), (dict(strain=-0.1), "strain must be"), (dict(disorder=1), "disorder must be"),
    (dict(exponent=3), "exponent must be"), (dict(seed=-1), "seed must be"), (dict(seed=0.5), "seed must be")])
@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_arguments_that_make_no_crystal_are_refused(make, wrong, message):
    with pytest.raises(ValueError, match=message):
        make(**wrong)


@pytest.mark.parametrize("make, wrong", [
    (single_crystal, dict(phase="gold")), (single_crystal, dict(angle="north")), (ferroelectric, dict(polar=2)),
    (ferroelectric, dict(domains=0)), (ferroelectric, dict(domains=100)), (nio_lsmo, dict(pillars=0)),
    (nio_lsmo, dict(pillars=9)), (nio_lsmo, dict(misorientation=90)), (nio_lsmo, dict(mixing=0)), (nio_lsmo, dict(polar=-1))])
def test_each_crystal_refuses_what_is_its_own(make, wrong):
    name, = wrong
    with pytest.raises(ValueError, match=f"{name} must be"):
        make(**wrong)


# ---------------------------------------------------------------------- strain and rotation

@given(st.floats(-0.5, 0.5), st.floats(-0.3, 0.3))
def test_rotation_and_strain_of_a_known_deformation_are_read_off(angle, shear):
    matrix = rotation(angle) @ strain(shear)
    crystal = grow(PHASES["NiO"], (20, 20), lambda points: points @ matrix.T, 1.6)
    assert np.allclose(crystal.rotation, angle, atol=1e-8)
    assert np.allclose(crystal.strain, strain(shear) - np.eye(2), atol=1e-8)


@given(st.floats(-30, 30))
def test_a_crystal_turned_as_a_whole_is_turned_counter_clockwise(degrees):
    crystal = single_crystal(size=30, tilt=0, strain=0, disorder=0, angle=degrees)
    assert np.allclose(crystal.rotation, np.radians(degrees))
    heavy = species(crystal, "La/Sr").position
    one, other = heavy[cKDTree(heavy).query(heavy.mean(0), 2)[1]]
    x, y = other - one
    turned = np.degrees(np.arctan2(-y, x))                                             # y runs down
    assert (turned - degrees + 45) % 90 - 45 == pytest.approx(0, abs=1e-6)


def test_the_deformation_is_the_one_that_moved_the_columns():
    """From the positions alone: the edges of each cell, against the gradient that is said to be true."""
    crystal = species(single_crystal(tilt=3, strain=0.03, disorder=0, seed=4), "La/Sr")
    distance, nearest = cKDTree(crystal.position).query(crystal.position, 5)
    whole = (distance[:, 4] < 4.3) & (distance[:, 1] > 3.4)
    edges = crystal.position[nearest[:, 1:]] - crystal.position[:, None]               # (n, 4, 2)
    perfect = np.round(edges / 3.876) * 3.876
    expected = np.einsum("nij,nkj->nki", crystal.deformation, perfect)
    assert whole.sum() > 1000 and np.abs(edges - expected)[whole].max() < 0.03


@given(st.integers(0, 2**32 - 1))
def test_waves_turn_and_strain_by_as_much_as_they_were_told(seed):
    points = np.random.default_rng(0).uniform(0, 154, (2000, 2))
    for tilt, stretch in ((0.05, 0.0), (0.0, 0.03)):
        f = gradient(waves((154, 154), tilt, stretch, np.random.default_rng(seed)), points)
        turned = np.arctan2(f[:, 0, 1] - f[:, 1, 0], f[:, 0, 0] + f[:, 1, 1])
        assert tilt * 0.4 <= np.abs(turned).max() <= tilt + 1e-9
        stretched = np.linalg.eigvalsh((f + f.swapaxes(1, 2)) / 2 - np.eye(2))
        assert stretch * 0.4 <= np.abs(stretched).max() <= max(tilt, stretch) + 1e-6


def test_without_tilt_strain_and_disorder_a_crystal_is_perfect():
    crystal = single_crystal(size=40, tilt=0, strain=0, disorder=0)
    assert np.allclose(crystal.deformation, np.eye(2)) and not crystal.displacement.any()
    cells = species(crystal, "La/Sr").position / 3.876
    assert np.allclose(cells, np.round(cells))


def test_disorder_is_as_large_as_it_was_told_and_in_the_truth():
    still, moved = (single_crystal(disorder=disorder, seed=1) for disorder in (0, 0.05))
    assert len(still) - len(moved) < 20
    assert moved.displacement.std(0) == pytest.approx([0.05, 0.05], rel=0.05)
    nearest = cKDTree(still.position).query(moved.position - moved.displacement)[0]
    assert np.median(nearest) < 1e-9


# ---------------------------------------------------------------------- the two phases

def test_pillars_are_of_nickel_oxide_and_the_rest_is_not(pillars):
    assert pillars.phase_names == ("LSMO", "NiO") and pillars.species_names == ("La/Sr", "Mn-O", "O", "Ni-O")
    assert ((pillars.species == 3) == (pillars.phase == 1)).all()
    share = (pillars.phase[pillars.visible] == 1).mean()
    assert 0.1 < share < 0.5 and set(pillars.domain[pillars.phase == 1]) == {0, 1}


def test_the_boundary_is_as_far_as_the_other_phase(pillars):
    lsmo, nio = (pillars.position[pillars.visible & (pillars.phase == phase)] for phase in (0, 1))
    distance = cKDTree(nio).query(lsmo)[0]
    said = pillars.boundary[pillars.visible & (pillars.phase == 0)]
    near = said < 20
    assert np.abs(distance - said)[near].max() < 6 and np.corrcoef(distance[near], said[near])[0, 1] > 0.95


def test_no_gap_opens_at_the_interface(pillars):
    """Every place well inside the field has a visible column near it: none further than the middle of a cell's face."""
    points = np.random.default_rng(0).uniform(5, 149, (20000, 2))
    assert np.quantile(cKDTree(pillars.position[pillars.visible]).query(points)[0], 0.9999) < 3.3


def test_pillars_are_turned_to_both_sides():
    crystal = nio_lsmo(tilt=0, strain=0, seed=3)
    deep = crystal[(crystal.phase == 1) & (crystal.boundary > 8)]
    first, second = (np.degrees(deep.rotation[deep.domain == number].mean()) for number in (0, 1))
    assert first > 0.5 and second < -0.5


def test_the_interface_is_mixed_and_the_middle_is_not(pillars):
    nickel = species(pillars, "Ni-O")
    pure = PHASES["NiO"].brightness("Ni-O", 1.6)
    assert np.allclose(nickel.brightness[nickel.boundary > 8], pure)
    mixed = np.abs(nickel.brightness[nickel.boundary < 1] / pure - 1)
    assert mixed.mean() > 0.01 and (nickel.brightness > 0).all()
    lanthanum = species(pillars, "La/Sr")
    assert lanthanum.brightness[lanthanum.boundary < 1].mean() < 0.9 * lanthanum.brightness[lanthanum.boundary > 8].mean()


def test_the_lattices_give_way_at_the_interface_only():
    crystal = nio_lsmo(misorientation=0, tilt=0, strain=0, disorder=0, seed=3)
    stretched = np.abs(crystal.strain).max((1, 2))
    assert stretched[crystal.boundary < 3].max() > 0.01 and stretched[crystal.boundary > 40].max() < 0.001
    a, b = (np.trace(crystal.strain[(crystal.phase == phase) & (crystal.boundary < 3)], axis1=1, axis2=2) for phase in (0, 1))
    assert a.max() > 0 > b.min()   # in register LSMO is stretched, NiO squeezed


def test_manganese_moves_away_from_the_interface():
    crystal = species(nio_lsmo(disorder=0, pillars=1, seed=3), "Mn-O")
    length = np.hypot(*crystal.displacement.T)
    assert np.allclose(length, 0.15 * np.exp(-crystal.boundary / (3 * 3.876)), rtol=0.02, atol=0.01)
    middle = nio_lsmo(disorder=0, pillars=1, seed=3)
    middle = middle.position[middle.phase == 1].mean(0)
    assert (((crystal.position - middle) * crystal.displacement).sum(1) > 0).mean() > 0.98


# ---------------------------------------------------------------------- the ferroelectric

def test_iron_is_displaced_along_a_diagonal_of_each_domain():
    crystal = ferroelectric(disorder=0, tilt=0, strain=0, domains=3, seed=2)
    iron = species(crystal, "Fe-O")
    deep = iron[iron.boundary > 12]
    assert np.allclose(np.abs(deep.displacement), 0.28 / np.sqrt(2), atol=0.002)
    assert not crystal.displacement[crystal.species != 1].any()
    directions = [np.sign(deep.displacement[deep.domain == number]).astype(int) for number in range(3)]
    assert all((one == one[0]).all() for one in directions)
    assert all((before[0] != after[0]).any() for before, after in zip(directions, directions[1:]))


def test_iron_really_stands_where_its_displacement_says():
    crystal = ferroelectric(disorder=0, tilt=0, strain=0, seed=2)
    bismuth, iron = species(crystal, "Bi").position, species(crystal, "Fe-O")
    inside = ((iron.position > 6) & (iron.position < 148)).all(1)
    middle = bismuth[cKDTree(bismuth).query(iron.position, 4)[1]].mean(1)
    assert np.allclose((iron.position - middle)[inside], iron.displacement[inside], atol=1e-6)


def test_one_domain_has_no_wall():
    assert np.isinf(ferroelectric(size=40, domains=1).boundary).all()


# ---------------------------------------------------------------------- parts

def test_joining_keeps_every_name():
    crystals = [single_crystal(phase, size=30) for phase in ("NiO", "LSMO", "NiO")]
    one = joined(crystals)
    assert one.phase_names == ("NiO", "LSMO") and one.species_names == ("Ni-O", "La/Sr", "Mn-O", "O")
    names = [np.array(crystal.species_names)[crystal.species] for crystal in crystals]
    assert np.array_equal(np.array(one.species_names)[one.species], np.concatenate(names))


def test_the_field_is_cut_where_it_ends():
    crystal = single_crystal(size=40)
    moved = replace(crystal, position=crystal.position + [100, 0])
    assert len(cut_to_field(moved)) == 0 and len(cut_to_field(crystal)) == len(crystal)


def test_cells_can_be_left_out():
    half = grow(PHASES["NiO"], (40, 40), lambda points: points, 1.6, keep=lambda points: points[:, 0] < 20)
    assert 17 < half.position[:, 0].max() < 21.1
