"""The simulated microscope: light where the columns are, counts as many as were asked for, errors as large as told."""
import hashlib
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from cardslib.microscopy.crystals import PHASES, nio_lsmo, single_crystal
from cardslib.microscopy.lattices import grow
from cardslib.microscopy.microscope import scan

CLEAN = dict(counts=1e6, background=0, thickness=0, jitter=0, drift=0)


@pytest.fixture(scope="module")
def pillars():
    return scan(nio_lsmo(seed=1), seed=1)


def lone_column(at):
    """A crystal of one column at (x, y) Å in a field of 30×20 Å."""
    crystal = grow(PHASES["NiO"], (30, 20), lambda points: points, 1.6)[:1]
    crystal.position[:] = at
    return crystal


# ---------------------------------------------------------------------- geometry

@given(st.floats(4, 26), st.floats(4, 16), st.sampled_from([0.08, 0.15]))
def test_a_column_shines_where_the_truth_says(x, y, pixel_size):
    micrograph = scan(lone_column((x, y)), pixel_size, **CLEAN)
    image = np.where(micrograph.image > 0.02, micrograph.image, 0).astype(float)
    rows, across = np.indices(image.shape)
    middle = np.array([(image * across).sum(), (image * rows).sum()]) / image.sum()
    assert np.allclose(middle, micrograph.truth.position[0], atol=0.05)
    assert np.allclose((micrograph.truth.position[0] + 0.5) * pixel_size, (x, y))


def test_a_column_is_a_round_gaussian_of_the_width_asked_for():
    image = scan(lone_column((15, 10)), 0.1, width=0.5, **CLEAN).image.astype(float)
    y, x = np.indices(image.shape)
    for along, middle in ((x, 149.5), (y, 99.5)):
        assert np.sqrt((image * (along - middle) ** 2).sum() / image.sum()) == pytest.approx(5, rel=0.02)


def test_an_image_has_the_size_of_the_field():
    micrograph = scan(single_crystal(size=(30, 21)), 0.1)
    assert micrograph.frames.shape == (1, 210, 300) and micrograph.image.shape == (210, 300)
    assert micrograph.pixel_size == 0.1 and "LSMO" in micrograph.name
    assert micrograph.frames.dtype == np.float32 and micrograph.frames.min() == 0 and micrograph.frames.max() == 1


def test_the_truth_holds_the_columns_in_the_image_only(pillars):
    height, width = pillars.image.shape
    assert (pillars.truth.position > -0.5).all()
    assert (pillars.truth.position < [width - 0.5, height - 0.5]).all()


def test_brighter_columns_give_more_light():
    crystal = single_crystal(size=40, tilt=0, strain=0, disorder=0)
    micrograph = scan(crystal, 0.1, **CLEAN)
    inside = ((micrograph.truth.position > 20) & (micrograph.truth.position < 379)).all(1)
    x, y = np.round(micrograph.truth.position[inside]).astype(int).T
    light = micrograph.image[y, x]
    heavy, medium = (light[micrograph.truth.species[inside] == number].mean() for number in (0, 1))
    expected = PHASES["LSMO"].brightness("La/Sr", 1.6) / PHASES["LSMO"].brightness("Mn-O", 1.6)
    assert heavy / medium == pytest.approx(expected, rel=0.05)


# ---------------------------------------------------------------------- noise, background, thickness

@pytest.mark.parametrize("counts", [5, 20, 60])
def test_the_noise_is_that_of_the_counts(counts):
    """Two scans of a flat field: the variance of their difference, over twice the mean, is 1 for Poisson's noise."""
    flat = lone_column((-100, -100))
    crystal = single_crystal(size=30, tilt=0, strain=0, disorder=0)
    assert len(flat) == 1
    first, second = (scan(crystal, 0.1, counts, background=0.95, thickness=0, jitter=0, drift=0, seed=seed).image.astype(float)
                     for seed in (1, 2))
    steps = np.diff(np.unique(first))
    one = np.median(steps)                                                              # the grey of one electron
    assert np.var(first - second) / 2 / one**2 == pytest.approx(counts, rel=0.1)


@pytest.mark.parametrize("counts", [0.5, 20, 1e5])
def test_a_simulated_image_knows_its_counts(counts):
    electrons = scan(single_crystal(size=40), 0.1, counts).counts
    assert electrons.mean() == pytest.approx(counts, rel=0.01) and electrons.min() >= 0
    assert np.allclose(electrons, np.round(electrons), atol=1e-6 * electrons.max())    # whole ones


def test_background_and_thickness_do_what_they_say():
    crystal = single_crystal(size=60)
    flat = dict(counts=1e6, thickness=0, jitter=0, drift=0, seed=1)
    without, half = (scan(crystal, background=background, **flat).image.astype(float) for background in (0, 0.5))
    assert np.corrcoef(without.ravel(), half.ravel())[0, 1] > 0.999                     # the grey scale takes it away again:
    noise = [np.std(scan(crystal, background=background, **{**flat, "counts": 20}).image - image)
             for background, image in ((0, without), (0.5, half))]
    assert noise[1] > 1.5 * noise[0]                                                    # what is left is its noise
    even, wedge = (np.ptp(gaussian_filter(scan(crystal, thickness=thickness, counts=1e5).image, 40)) for thickness in (0, 0.6))
    assert wedge > 3 * even


def test_haze_changes_the_brightness_and_not_the_columns():
    """Of the same crystal in the same light: what haze adds has no lattice in it, and the noise apart nothing else differs."""
    crystal, settings = single_crystal(size=60), dict(counts=1e6, background=0.5, thickness=0, jitter=0, drift=0)
    clear, hazy = (scan(crystal, haze=haze, **settings) for haze in (0, 0.8))
    added = hazy.counts[0] / hazy.counts.mean() - clear.counts[0] / clear.counts.mean()
    assert 0.15 < np.std(added) < 0.4 and np.abs(added).max() < 0.5
    assert np.std(added - gaussian_filter(added, 10)) < 0.05 * np.std(clear.counts / clear.counts.mean())


# ---------------------------------------------------------------------- scan and drift

def rows_of_a_straight_edge(**errors):
    """Where a column of atoms seen edge on lies in each line, pixels: (rows,)."""
    crystal = single_crystal("NiO", size=(22, 150), tilt=0, strain=0, disorder=0)
    image = scan(crystal, 0.1, 1e6, background=0, thickness=0, width=0.4, seed=7, **errors).image.astype(float)
    part = image[:, 94:115]                                                             # about x = 10.4 Å
    return (part * np.arange(94, 115)).sum(1) / part.sum(1)


def test_lines_wander_as_far_as_they_were_told():
    still, wandering = rows_of_a_straight_edge(jitter=0, drift=0), rows_of_a_straight_edge(jitter=0.5, drift=0)
    away = wandering - still
    assert still.std() < 0.02 and 0.15 < away.std() < 0.8
    assert np.corrcoef(away[1:], away[:-1])[0, 1] > 0.8                                 # each line much like the one before


def test_drift_moves_truth_and_light_alike():
    crystal = single_crystal(size=100, tilt=0, strain=0, disorder=0)
    micrograph = scan(crystal, 0.15, 1e5, jitter=0, drift=0.05, seed=3)
    assert np.abs(micrograph.truth.deformation - np.eye(2)).max() > 0.02
    assert np.allclose(micrograph.truth.deformation, micrograph.truth.deformation[0])
    heavy = micrograph.truth[micrograph.truth.species == 0]
    x, y = np.round(heavy.position).astype(int).T
    inside = (x > 2) & (y > 2) & (x < micrograph.image.shape[1] - 3) & (y < micrograph.image.shape[0] - 3)
    assert micrograph.image[y, x][inside].min() > 0.5


# ---------------------------------------------------------------------- as a whole

def test_the_same_seed_gives_the_same_image_and_another_one_another():
    crystal = single_crystal(size=30)
    first, again, other = (hashlib.sha256(scan(crystal, seed=seed).frames.tobytes()).hexdigest() for seed in (4, 4, 5))
    assert first == again != other


def test_a_megapixel_takes_less_than_two_seconds():
    start = time.process_time()
    micrograph = scan(nio_lsmo())
    assert micrograph.image.size > 1024**2 and time.process_time() - start < 2


@pytest.mark.parametrize("blur", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_brightness_alone_does_not_separate_the_phases(seed, blur):
    """The best threshold on the mean brightness of one, two or four cells is hardly better than calling all one phase."""
    micrograph = scan(nio_lsmo(seed=seed), seed=seed)
    columns = micrograph.truth[micrograph.truth.visible]
    x, y = np.round(columns.position).astype(int).T
    bright = gaussian_filter(micrograph.image, blur * 3.876 / 0.15 / 2)[y, x]
    nickel = columns.phase[np.argsort(bright)] == 1
    below = np.cumsum(nickel) + (~nickel).sum() - np.cumsum(~nickel)                    # right, if what is darker is NiO
    best = max(below.max(), len(nickel) - below.min()) / len(nickel)
    assert max(nickel.mean(), 1 - nickel.mean()) - 0.01 <= best < 0.86



@pytest.mark.parametrize("wrong", [
    dict(pixel_size=0), dict(pixel_size=None), dict(counts=0), dict(counts=float("inf")), dict(width=5), dict(background=1),
    dict(thickness=1), dict(jitter=-1), dict(drift=0.5), dict(haze=1.1), dict(haze=-0.1), dict(seed="now")])
def test_settings_that_make_no_image_are_refused(wrong):
    name, = wrong
    with pytest.raises(ValueError, match=f"{name} must be"):
        scan(single_crystal(size=20), **wrong)


def test_an_image_too_large_is_refused_before_memory_is_taken():
    with pytest.raises(ValueError, match=r"pixel_size=0.03 makes an image of 66667×66667 pixels .* use larger pixels"):
        scan(replace(lone_column((5, 5)), size=(2000, 2000)), 0.03)
