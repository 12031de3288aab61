"""The small network that finds columns: it learns quickly, on simulated images only, and finds what it never saw."""
import time

import numpy as np
import pytest
import torch

from cardslib.microscopy.atomic_columns import find_columns, score_columns
from cardslib.microscopy.crystals import nio_lsmo, single_crystal
from cardslib.microscopy.image_scale import measure_scale
from cardslib.microscopy.microscope import practice, scan
from cardslib.microscopy.segmentation import STRIP, ColumnNetwork, _example, fit_columns


@pytest.fixture(scope="module")
def micrographs():
    return practice(16, size=40, seed=1)


@pytest.fixture(scope="module")
def trained(micrographs):
    """A network after 100 steps, its losses, and the processor time of a step in seconds."""
    network, start = ColumnNetwork(), time.process_time()
    losses = fit_columns(network, micrographs, steps=100)
    return network, losses, (time.process_time() - start) / 100


def test_it_learns(trained):
    _, losses, _ = trained
    assert losses.shape == (100,) and losses[-10:].mean() < 0.6 * losses[:5].mean()


def test_the_default_training_takes_less_than_a_minute(trained):
    assert 180 * trained[2] < 60


@pytest.mark.parametrize("counts, least", [(20, 0.99), (5, 0.97)])
def test_it_finds_columns_in_images_that_it_has_not_seen(trained, counts, least):
    micrograph = scan(nio_lsmo((90, 90), seed=7), counts=counts, seed=7)
    found = find_columns(micrograph.image, trained[0])
    true = micrograph.truth[micrograph.truth.visible].position
    result = score_columns(found.position, true, micrograph.image.shape, margin=2 * found.scale.width)
    assert result.f1 >= least


def test_the_answer_is_a_probability_at_every_pixel(trained):
    image = scan(single_crystal(size=(33.3, 24)), 0.1).image
    heat = trained[0].heat(image, measure_scale(image).width)
    assert heat.shape == image.shape and heat.min() > -0.1 and heat.max() < 1.1


def test_a_large_image_is_looked_at_in_strips_without_seams(trained, monkeypatch):
    image = scan(single_crystal(size=60), 0.1).image
    whole = trained[0].heat(image, 2.0)
    monkeypatch.setattr("cardslib.microscopy.segmentation.STRIP", 128)
    assert image.shape[0] * 1.6 / 2 < STRIP and np.abs(trained[0].heat(image, 2.0) - whole).max() < 1e-4


def test_what_it_should_say_is_a_dot_at_each_visible_column(micrographs):
    micrograph = scan(single_crystal(size=40), 0.15)
    seen, dots = _example(micrograph)
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


def test_a_network_that_has_learnt_nothing_says_so():
    with pytest.raises(ValueError, match="learnt nothing: call fit_columns first"):
        find_columns(scan(single_crystal(size=20)).image, ColumnNetwork())


@pytest.mark.parametrize("micrographs", [[], [type("Measured", (), dict(truth=None))]])
def test_images_without_truth_are_refused(micrographs):
    with pytest.raises(ValueError, match="micrographs must be simulated"):
        fit_columns(ColumnNetwork(), micrographs)
