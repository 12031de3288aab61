"""The small network that finds columns: it learns quickly, on simulated images only, and finds what it never saw."""
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from cardslib.microscopy.atomic_columns import find_columns
from cardslib.microscopy.column_scores import score_columns
from cardslib.microscopy.crystals import nio_lsmo, single_crystal
from cardslib.microscopy.image_scale import measure_scale
from cardslib.microscopy.micrographs import Micrograph, grey
from cardslib.microscopy.microscope import scan
from cardslib.microscopy.practice_images import practice
from cardslib.microscopy.segmentation import STRIP, ColumnNetwork, _example, _standardised, fit_columns

MEASURED = Path(__file__).parents[3] / "shared/real/columns"


@pytest.fixture(scope="module")
def micrographs():
    return practice(60, seed=1)


@pytest.fixture(scope="module")
def trained(micrographs):
    """A network after 100 steps, its losses, and the processor time of a step in seconds."""
    network, start = ColumnNetwork(), time.process_time()
    losses = fit_columns(network, micrographs, steps=100)
    return network, losses, (time.process_time() - start) / 100


def f1_of(network, image, true):
    found = find_columns(image, network)
    return score_columns(found.position, true, image.shape, margin=2 * found.scale.width).f1


def test_it_learns(trained):
    _, losses, _ = trained
    assert losses.shape == (100,) and losses[-10:].mean() < 0.75 * losses[:5].mean()


def test_the_default_training_takes_less_than_a_minute_on_two_cores(trained):
    assert 350 * trained[2] < 2 * 60


@pytest.mark.parametrize("counts", [20, 5])
def test_it_finds_columns_in_images_that_it_has_not_seen(trained, counts):
    micrograph = scan(nio_lsmo((90, 90), seed=7), counts=counts, seed=7)
    assert f1_of(trained[0], micrograph.image, micrograph.truth[micrograph.truth.visible].position) >= 0.97


@pytest.mark.skipif(not MEASURED.exists(), reason="the measured images are not here")
@pytest.mark.parametrize("name", ["nsmo_whole", "g_dimSi"])
def test_it_finds_columns_in_measured_images(trained, name):
    """Of those, clear and noisy, that a network learns first: this one has a quarter of its training."""
    assert f1_of(trained[0], grey(np.load(MEASURED / f"{name}.npy")), np.load(MEASURED / f"{name}-xy.npy")) >= 0.8


def test_the_answer_is_a_probability_at_every_pixel(trained):
    image = scan(single_crystal(size=(33.3, 24)), 0.1).image
    heat = trained[0].heat(image, measure_scale(image).width)
    assert heat.shape == image.shape and heat.min() > -0.1 and heat.max() < 1.1


def test_columns_have_one_maximum_each(trained):
    """A heat map that is cut off at 1 has many."""
    image = scan(single_crystal(size=40, seed=3), 0.1, counts=1000).image
    heat = trained[0].heat(image, measure_scale(image).width)
    assert np.count_nonzero(heat == heat.max()) == 1


def test_one_heavy_atom_does_not_dim_the_others():
    image = scan(single_crystal("graphene", size=40), 0.1, counts=1000).image
    y, x = np.indices(image.shape)
    heavy = image + 20 * np.exp(-((x - 200) ** 2 + (y - 200) ** 2) / (2 * 4**2))
    usual, beside = (_standardised(values, 4.0)[:, 60:85, 60:85].numpy() for values in (image, heavy))   # 10 widths away
    assert (beside.std((1, 2)) > 0.5 * usual.std((1, 2))).all()


def test_brightness_and_contrast_of_the_whole_image_do_not_matter():
    image = scan(single_crystal(size=40), 0.1).image
    assert np.allclose(_standardised(0.2 + 0.5 * image, 4.0), _standardised(image, 4.0), atol=1e-3)


def test_a_large_image_is_looked_at_in_strips_without_seams(trained, monkeypatch):
    image = scan(single_crystal(size=45), 0.1).image
    whole = trained[0].heat(image, 2.0)
    monkeypatch.setattr("cardslib.microscopy.segmentation.STRIP", 128)
    assert image.shape[0] < STRIP and np.abs(trained[0].heat(image, 2.0) - whole).max() < 1e-4


def test_what_it_should_say_is_a_dot_at_each_visible_column(micrographs):
    micrograph = scan(single_crystal(size=40), 0.15)
    seen, _, dots = _example(micrograph, measure_scale(micrograph.image).width)
    assert seen.shape == dots.shape and dots.max() <= 1 and abs(seen.mean()) < 0.1
    factor = seen.shape[1] / micrograph.image.shape[1]
    true = (micrograph.truth[micrograph.truth.visible].position + 0.5) * factor - 0.5
    x, y = np.round(true).astype(int).clip(0, seen.shape[1] - 1).T
    assert dots[y, x].min() > 0.7 and seen[y, x].mean() > 0.5


def test_the_same_seed_learns_the_same_and_leaves_other_random_numbers_alone(micrographs):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    networks = [ColumnNetwork(seed=2) for _ in range(2)]
    losses = [fit_columns(network, micrographs[:4], steps=3, seed=5) for network in networks]
    assert np.array_equal(*losses) and torch.equal(torch.rand(1), expected)


def test_a_callback_watches(micrographs):
    told = []
    fit_columns(ColumnNetwork(), micrographs[:2], steps=2, callback=lambda step, loss: told.append((step, loss)))
    assert [step for step, _ in told] == [1, 2] and all(np.isfinite(loss) for _, loss in told)


def test_images_without_a_scale_are_left_out():
    rng = np.random.default_rng(0)
    micrograph = scan(single_crystal(size=40), 0.15)
    noise = Micrograph(rng.random((1, 64, 64), np.float32), truth=micrograph.truth)
    assert np.array_equal(*(fit_columns(ColumnNetwork(), images, steps=2) for images in ([micrograph], [micrograph, noise])))
    with pytest.raises(ValueError, match="micrographs must show columns; measure_scale finds no scale in any of the 1"):
        fit_columns(ColumnNetwork(), [noise], steps=2)


def test_a_network_that_has_learnt_nothing_says_so():
    with pytest.raises(ValueError, match="learnt nothing: call fit_columns first"):
        find_columns(scan(single_crystal(size=20)).image, ColumnNetwork())


@pytest.mark.parametrize("micrographs", [[], [type("Measured", (), dict(truth=None))]])
def test_images_without_truth_are_refused(micrographs):
    with pytest.raises(ValueError, match="micrographs must be simulated"):
        fit_columns(ColumnNetwork(), micrographs)
