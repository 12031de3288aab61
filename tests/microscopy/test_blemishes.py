"""Hot pixels and streaks are taken out; columns, however narrow, are left as they are."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.microscopy.blemishes import without_blemishes
from cardslib.microscopy.crystals import nio_lsmo
from cardslib.microscopy.microscope import scan


def noisy_columns(width, seed=0, shape=(120, 140)):
    """A square lattice of Gaussians of height 0.6 on 0.2, with noise of 0.02."""
    y, x = np.indices(shape)
    spacing = 8 * width
    along = [np.exp(-(((axis + 0.3) % spacing - spacing / 2) ** 2) / (2 * width**2)) for axis in (x, y)]
    return 0.2 + 0.6 * along[0] * along[1] + 0.02 * np.random.default_rng(seed).standard_normal(shape)


@given(st.floats(1.2, 6), st.integers(0, 50))
def test_columns_are_left_as_they_are(width, seed):
    image = noisy_columns(width, seed)
    assert (without_blemishes(image) != image).mean() < 2e-4


@pytest.mark.parametrize("counts", [0.5, 2, 20, 100])
def test_electrons_that_come_one_by_one_are_no_blemishes(counts):
    image = scan(nio_lsmo((60, 50), pillars=1), counts=counts).image
    assert (without_blemishes(image) != image).mean() < 1e-3


@given(st.integers(3, 116), st.integers(3, 120), st.sampled_from([1.0, 0.0]), st.integers(1, 13))
def test_hot_and_dead_pixels_and_streaks_are_taken_out(row, column, value, length):
    image = noisy_columns(3.0) * 0.2 + 0.3
    damaged = image.copy()
    damaged[row, column:column + length] = value
    assert np.abs(without_blemishes(damaged) - image)[row, column:column + length].mean() < 0.1


def test_the_image_itself_is_not_changed():
    image = noisy_columns(3.0)
    image[50, 50] = 3
    before = image.copy()
    assert without_blemishes(image)[50, 50] < 1 and np.array_equal(image, before)
