"""What an image says of itself: width, period, noise, with nothing tuned by hand."""
import numpy as np
import pytest

from cardslib.microscopy.crystals import ferroelectric, nio_lsmo, single_crystal
from cardslib.microscopy.image_scale import measure_scale
from cardslib.microscopy.micrographs import grey
from cardslib.microscopy.microscope import scan


@pytest.mark.parametrize("pixel_size, width", [(0.08, 0.4), (0.15, 0.4), (0.15, 0.5)])
def test_width_and_period_are_read_off_the_image(pixel_size, width):
    scale = measure_scale(scan(single_crystal(size=100), pixel_size, width=width).image)
    assert scale.width * pixel_size == pytest.approx(width, rel=0.2)
    assert scale.period * pixel_size == pytest.approx(3.876, rel=0.04)


@pytest.mark.parametrize("make, settings, period", [
    (nio_lsmo, dict(pixel_size=0.18), 3.9), (ferroelectric, {}, 3.965), (lambda: single_crystal("NiO"), {}, 2.09),
    (lambda: single_crystal("graphene", 40, angle=11), dict(pixel_size=0.08, width=0.45), 2.46)])
def test_the_period_is_the_way_to_a_column_like_it(make, settings, period):
    micrograph = scan(make(), **settings)
    assert measure_scale(micrograph.image).period * micrograph.pixel_size == pytest.approx(period, rel=0.06)


@pytest.mark.parametrize("width", [1.5, 3.0, 5.0])
def test_without_a_lattice_the_width_is_that_of_a_spot(width):
    y, x = np.indices((400, 400))
    places = np.random.default_rng(0).uniform(0, 400, (60, 2))
    image = grey(sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * width**2)) for a, b in places))
    assert measure_scale(image).width == pytest.approx(width, rel=0.1)


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_noise_makes_columns_no_narrower(noise):
    """Although it stands out of the autocorrelation's central peak, and neighbouring pixels may be alike in it."""
    clear = scan(single_crystal(size=100), counts=1e6).image
    noisy = clear + noise * clear.std() * np.random.default_rng(0).standard_normal(clear.shape)
    assert measure_scale(grey(noisy)).width == pytest.approx(measure_scale(clear).width, rel=0.05)


@pytest.mark.parametrize("shape", [(300, 300), (900, 700), (1200, 300)])
def test_an_image_of_any_size_and_shape_says_the_same(shape):
    """Up to a tile it is read as one, and beyond in tiles."""
    image = scan(single_crystal(size=150, tilt=0, strain=0), pixel_size=0.12, thickness=0).image
    whole, part = measure_scale(image), measure_scale(image[:shape[0], :shape[1]])
    assert part.width == pytest.approx(whole.width, rel=0.05) and part.period == pytest.approx(whole.period, rel=0.02)
    assert part.noise == pytest.approx(whole.noise, rel=0.05)


@pytest.mark.parametrize("size", [24, 32, 48])
def test_a_small_image_has_columns_no_narrower(size):
    """Its ground is not taken off more finely than its columns are wide."""
    y, x = np.indices((size, size))
    lattice = 0.2 + 0.5 * np.exp(-(((x + 0.3) % 12 - 6) ** 2 + ((y + 0.3) % 12 - 6) ** 2) / (2 * 2.0**2))
    noisy = lattice + 0.01 * np.random.default_rng(0).standard_normal(lattice.shape)
    assert 1.5 < measure_scale(noisy).width < 2.2


def test_the_noise_is_measured():
    clear = 0.2 + 0.5 * scan(single_crystal(size=40), counts=1e6).image
    noisy = clear + 0.03 * np.random.default_rng(0).standard_normal(clear.shape)
    assert measure_scale(np.clip(noisy, 0, 1)).noise == pytest.approx(0.03, rel=0.1)
    assert measure_scale(clear).noise < 0.005


@pytest.mark.parametrize("seed", range(5))
def test_pure_noise_is_not_taken_for_columns(seed):
    noise = np.random.default_rng(seed).uniform(0, 1, (128, 128))
    with pytest.raises(ValueError, match="nothing in it that is wider than a pixel"):
        measure_scale(noise)


@pytest.mark.parametrize("image, message", [
    (np.zeros((40, 40)), "all 0"), (np.random.default_rng(0).uniform(0, 1, (8, 40)), "at least 16×16"),
    (np.zeros((2, 40, 40)), "choose one frame"), (np.full((40, 40), np.nan), "finite"), (np.full((40, 40), 3.0), r"\[0, 1\]"),
    (np.zeros((40, 40), np.uint8), "/ 255")])
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        measure_scale(image)


def test_a_micrograph_is_refused_with_the_cure():
    with pytest.raises(ValueError, match="pass its .image"):
        measure_scale(scan(single_crystal(size=20)))
