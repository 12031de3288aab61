"""Crystals repeat, in whatever cell and however turned; columns at random do not."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.geometry import rotation
from cardslib.microscopy.crystals import PHASES
from cardslib.microscopy.local_order import local_order


def lattice(cell, basis, count=9):
    cells = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).reshape(-1, 1, 2)
    return ((cells + np.asarray(basis)) @ np.asarray(cell, float)).reshape(-1, 2)


CELLS = {name: (phase.cell, [place for places, _ in phase.columns.values() for place in places])
         for name, phase in PHASES.items()} | {"dumbbells": (((5.43, 0), (2.715, 1.92)), [(0, 0), (0.25, 0)])}


@pytest.mark.parametrize("name", CELLS)
@given(angle=st.floats(0, 2 * np.pi), seed=st.integers(0, 20))
def test_a_crystal_repeats_whatever_its_cell_and_angle(name, angle, seed):
    position = lattice(*CELLS[name]) @ rotation(angle).T
    rough = position + 0.04 * np.random.default_rng(seed).standard_normal(position.shape)
    assert local_order(rough).min() > 0.6 and local_order(rough).mean() > 0.9


@given(st.integers(0, 50))
def test_columns_at_random_do_not(seed):
    """No two nearer than 0.7 to each other, as atoms are."""
    rng, position = np.random.default_rng(seed), np.empty((0, 2))
    for point in rng.uniform(0, 16, (900, 2)):
        if (np.hypot(*(position - point).T) > 0.7).all():
            position = np.concatenate([position, [point]])
    order = local_order(position)
    assert (order > 0.6).mean() < 0.02 and order.mean() < 0.45


def test_too_few_have_no_order():
    assert np.array_equal(local_order(lattice(((1, 0), (0, 1)), [(0, 0)], 3)), np.zeros(9))
    assert local_order(np.empty((0, 2))).shape == (0,)
