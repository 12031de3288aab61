"""Images to learn from: of many kinds, with true places of columns, and with all that goes wrong in a microscope."""
import time

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from cardslib.microscopy import practice_images
from cardslib.microscopy.practice_images import practice


@pytest.fixture(scope="module")
def several():
    return practice(60, seed=0)


def nearest(points):
    return cKDTree(points).query(points, 2)[0][:, 1]


def test_no_two_are_alike(several):
    assert len(several) == len({micrograph.pixel_size for micrograph in several}) == 60
    assert len({micrograph.name for micrograph in several}) >= 7
    noises = [np.std(np.diff(np.diff(micrograph.image, axis=0), axis=1)) for micrograph in several]
    assert max(noises) > 10 * min(noises)


def test_the_same_seed_makes_the_same_images(several):
    again = practice(3, seed=0)
    assert all(np.array_equal(one.frames, other.frames) for one, other in zip(several, again))
    assert not np.array_equal(practice(1, seed=1)[0].frames, several[0].frames)


def test_images_are_grey_finite_and_have_columns(several):
    for micrograph in several:
        assert micrograph.image.dtype == np.float32 and np.isfinite(micrograph.image).all()
        assert micrograph.image.min() >= 0 and micrograph.image.max() <= 1 and np.ptp(micrograph.image) > 0.5
        assert len(micrograph.truth) > 2 and max(micrograph.image.shape) <= practice_images.PIXELS


def test_the_truth_lies_where_the_image_is_bright(several):
    """Mean brightness along x and y through the visible columns of all images is highest at most a quarter pixel from them."""
    steps = np.arange(-4, 5)
    profiles = []
    for micrograph in several:
        x, y = micrograph.truth[micrograph.truth.visible].position.T[..., None]
        ground = micrograph.image - gaussian_filter(micrograph.image, 12)
        profiles.append([map_coordinates(ground, place, order=1, mode="nearest").mean(0)
                         for place in ((y + 0 * steps, x + steps), (y + steps, x + 0 * steps))])
    for profile in np.mean(profiles, 0):
        curve = np.polynomial.Polynomial.fit(steps, profile, 2).convert().coef
        assert curve[2] < 0 and abs(curve[1] / (2 * curve[2])) < 0.25


def fullest_and_emptiest(micrograph):
    """How many visible columns the emptiest quarter of an image has for each of the fullest."""
    height, across = micrograph.image.shape
    position = micrograph.truth[micrograph.truth.visible].position
    counts = np.histogram2d(*position.T, bins=2, range=[(-0.5, across - 0.5), (-0.5, height - 0.5)])[0]
    return counts.min() / counts.max()


def test_disorder_empties_a_part_of_some_images_and_without_it_crystals_are_whole(several):
    whole = practice(30, disorder=False, seed=2)
    assert min(map(fullest_and_emptiest, whole)) > 0.3                                    # NiO is twice as dense as LSMO
    assert np.mean([fullest_and_emptiest(micrograph) < 0.3 for micrograph in several]) > 0.1


def test_silicon_on_110_is_a_crystal_of_dumbbells():
    crystal = practice_images._single(practice_images._diamond(np.random.default_rng(0)), 40.0, np.random.default_rng(0))
    assert np.median(nearest(crystal.position)) == pytest.approx(5.431 / 4, rel=0.1)
    assert np.median(cKDTree(crystal.position).query(crystal.position, 3)[0][:, 2]) > 2


@pytest.mark.parametrize("seed", range(5))
def test_a_glass_has_no_lattice_but_keeps_its_columns_apart(seed):
    rng = np.random.default_rng(seed)
    crystal = practice_images._single(practice_images._graphene(rng), 40.0, rng)
    glass = practice_images._glass(crystal, 0.4, rng)
    distance = nearest(glass.position)
    assert np.quantile(distance, 0.05) > 0.7 * np.median(distance) and np.median(distance) > 3 * 0.4
    bonds = glass.position[cKDTree(glass.position).query(glass.position, 2)[1][:, 1]] - glass.position
    angle = np.arctan2(*bonds.T)
    assert abs(np.exp(6j * angle).mean()) < 0.2                                           # in a hexagonal lattice: 1


@pytest.mark.parametrize("seed", range(5))
def test_two_grains_keep_apart_at_their_boundary(seed):
    rng = np.random.default_rng(seed)
    crystal = practice_images._single(practice_images._graphene(rng), 40.0, rng)
    grains = practice_images._two_grains(crystal, 0.4, rng)
    assert nearest(grains.position).min() > 0.4 and not len(grains) == len(crystal)


def test_columns_of_a_complex_cell_keep_apart_across_its_edges():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        crystal = practice_images.grow(practice_images._many(rng), (40, 40), lambda points: points, 1)
        assert nearest(crystal.position).min() > practice_images.APART


def test_speckle_has_its_grain():
    speckle = practice_images._speckle((200, 300), 5.0, np.random.default_rng(0))
    assert speckle.std() == pytest.approx(1) and speckle.shape == (200, 300)
    alike = np.mean(speckle[:, 10:] * speckle[:, :-10])                                   # exp(-r² / 4 grain²)
    assert alike == pytest.approx(np.exp(-1), abs=0.07)


def test_flagging_shifts_lines_and_moves_no_light_on_the_whole():
    ramp = np.tile(np.arange(200.0), (500, 1))
    shifted = practice_images._flagging(ramp, 2.0, np.random.default_rng(0)) - ramp
    assert np.ptp(shifted[:, 50:150], axis=1).max() < 1e-9                                # a line as a whole
    assert shifted[:, 100].std() == pytest.approx(2, rel=0.1) and abs(shifted[:, 100].mean()) < 0.3


def test_afterglow_keeps_the_light_and_spreads_it_to_later_pixels():
    flash = np.zeros((1, 60))
    flash[0, 10] = 1
    seen = practice_images._afterglow(flash, 0.4)[0]
    assert seen[:10].max() == 0 and seen.sum() == pytest.approx(1) and seen[11] == pytest.approx(0.4 * seen[10])


def test_forty_images_are_made_in_a_few_seconds():
    start = time.process_time()
    practice(40)
    assert time.process_time() - start < 8


@pytest.mark.parametrize("wrong, complaint", [
    (dict(count=0), "count must be"), (dict(count=2.5), "count must be"), (dict(size=5), "size must be"),
    (dict(size=float("nan")), "size must be"), (dict(size=1e4), "size must be"), (dict(seed=-1), "seed must be")])
def test_what_makes_no_image_is_refused(wrong, complaint):
    with pytest.raises(ValueError, match=complaint):
        practice(**wrong)
