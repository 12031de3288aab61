"""Brightness without the lattice in it, and how far a map follows it."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.microscopy.crystals import single_crystal
from cardslib.microscopy.light import brightness_correlation, local_brightness
from cardslib.microscopy.microscope import scan

rng = np.random.default_rng(0)
LIGHT = rng.normal(size=400)
NOISE = rng.normal(size=400)
IMAGE = rng.uniform(size=(8, 8))


def test_the_brightness_is_that_of_the_specimen_not_of_the_columns():
    """A crystal that is evenly thick: bright columns, and dim ones between them, stand in the same light."""
    micrograph = scan(single_crystal(size=60, tilt=0, disorder=0), counts=1e4, thickness=0, jitter=0, drift=0)
    true = micrograph.truth[micrograph.truth.visible]
    position = true.position[(np.abs(true.position - 200) < 120).all(1)]
    brightness = local_brightness(micrograph.image, position)
    grey_at_columns = micrograph.image[tuple(np.round(position).astype(int).T[::-1])]
    assert np.std(brightness) < 0.02 * brightness.mean() and np.ptp(brightness) < 0.05 * np.ptp(grey_at_columns)


def test_the_brightness_follows_a_slow_change_of_the_light():
    x, y = np.meshgrid(np.arange(300), np.arange(200))
    lattice = 0.5 + 0.5 * np.cos(2 * np.pi * x / 10) * np.cos(2 * np.pi * y / 10)
    light = 0.5 + 0.3 * np.sin(2 * np.pi * x / 250)
    position = np.stack(np.meshgrid(np.arange(40, 260, 10.0), np.arange(40, 160, 10.0)), -1).reshape(-1, 2)
    expected = 0.5 * light[0, position[:, 0].astype(int)]                               # the mean of the lattice is 0.5
    assert local_brightness(lattice * light, position) == pytest.approx(expected, abs=0.02)


@given(st.floats(-3, 3), st.floats(0.1, 10), st.sampled_from([-1, 1]))
def test_neither_unit_nor_zero_matters_and_the_sign_is_kept(zero, unit, sign):
    assert brightness_correlation(sign * unit * LIGHT + zero, 2 * LIGHT - 1) == pytest.approx(sign)


def test_it_is_pearsons_correlation():
    values = LIGHT + 2 * NOISE
    assert brightness_correlation(values, LIGHT) == pytest.approx(np.corrcoef(values, LIGHT)[0, 1])
    values[::7] = np.nan
    assert brightness_correlation(values, LIGHT) == pytest.approx(np.corrcoef(values[~np.isnan(values)],
                                                                              LIGHT[~np.isnan(values)])[0, 1])


def test_what_kinds_differ_in_by_nature_is_no_fault():
    kind = np.arange(400) % 2
    values, brightness = NOISE + 20 * kind, LIGHT + 20 * kind
    assert brightness_correlation(values, brightness) > 0.95
    assert abs(brightness_correlation(values, brightness, kind)) < 0.15
    assert brightness_correlation(LIGHT - 50 * kind, brightness, kind) == pytest.approx(1)


@pytest.mark.parametrize("same", [0.0, 0.1, -1e6])
def test_a_latent_that_says_nothing_follows_nothing(same):
    assert brightness_correlation(np.full(400, same), LIGHT) == 0


@pytest.mark.parametrize("image, position, message", [
    (IMAGE[None], np.ones((3, 2)), "image must be"), (IMAGE + 3, np.ones((3, 2)), "image must lie in"),
    (IMAGE, np.ones(3), r"position must be \(n, 2\)"), (IMAGE, np.empty((0, 2)), r"position must be \(n, 2\)"),
    (IMAGE, np.full((3, 2), np.nan), "finite"), (IMAGE, np.full((3, 2), 9.0), "8×8 pixels; 3 of 3 do not")])
def test_an_image_without_brightness_is_refused(image, position, message):
    with pytest.raises(ValueError, match=message):
        local_brightness(image, position)


@pytest.mark.parametrize("values, brightness, kind, message", [
    (np.ones((4, 2)), np.ones((4, 2)), None, "one latent"), (np.ones(3), np.ones(4), None, "one number a column"),
    (np.full(4, np.nan), np.ones(4), None, "must hold a number"), (np.ones(4), np.full(4, np.nan), None, "no NaN"),
    (np.ones(4), np.ones(4), np.ones(3, int), "kind must be"), (np.ones(4), np.ones(4), np.ones(4), "kind must be whole")])
def test_what_cannot_be_correlated_is_refused(values, brightness, kind, message):
    with pytest.raises(ValueError, match=message):
        brightness_correlation(values, brightness, kind)
