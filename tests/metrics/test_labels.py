"""Labels in the latent space, on cases where the answer is known."""
import numpy as np
import pytest

from cardslib.metrics import cluster_accuracy, label_information, matched_accuracy, probe_accuracy

N = 1000
rng = np.random.default_rng(0)
LABELS = rng.integers(0, 4, N)
NOISE = rng.normal(size=(N, 2))
APART = np.eye(4)[LABELS] * 5 + rng.normal(size=(N, 4)) * 0.3   # four clouds, far from each other


def test_a_probe_reads_separated_classes_and_guesses_on_noise():
    assert probe_accuracy(APART, LABELS) == 1
    assert probe_accuracy(NOISE, LABELS) == pytest.approx(0.25, abs=0.06)


def test_a_probe_is_judged_on_images_that_it_has_not_seen():
    """With as many latents as images it could learn any labels by heart."""
    content = np.random.default_rng(1).normal(size=(200, 200))
    assert probe_accuracy(content, LABELS[:200] % 2) == pytest.approx(0.5, abs=0.15)


def test_clusters_find_separated_classes_and_nothing_in_noise():
    assert cluster_accuracy(APART, LABELS) == 1
    assert cluster_accuracy(NOISE, LABELS) < 0.35


def test_clusters_take_latents_as_they_are_so_that_a_collapsed_one_does_not_count():
    content = np.column_stack([LABELS + 0.05 * NOISE[:, 0], 0.01 * NOISE[:, 1]])
    assert cluster_accuracy(content, LABELS) > 0.99
    assert cluster_accuracy(content * (1, 100), LABELS) < 0.8   # on a scale of its own it would


def test_matched_accuracy_does_not_mind_how_the_groups_are_numbered():
    assert matched_accuracy(np.array([2, 0, 3, 1])[LABELS], LABELS) == 1
    assert matched_accuracy(LABELS + 10, LABELS) == 1


def test_matched_accuracy_uses_each_group_once():
    assert matched_accuracy([0, 0, 0, 1, 1, 1], [5, 5, 6, 6, 6, 6]) == pytest.approx(5 / 6)
    assert matched_accuracy([0, 1, 2, 3], [5, 5, 6, 6]) == 0.5              # two of the four groups have no label
    assert matched_accuracy([0, 0, 1, 1, 1], [5, 6, 7, 7, 7]) == 0.8        # one label has no group
    assert matched_accuracy(np.zeros(100, int), np.arange(100) % 4) == 0.25   # a collapsed group latent


def test_latents_that_name_the_label_hold_its_whole_entropy_and_noise_holds_nothing():
    assert label_information(APART, LABELS) == pytest.approx(np.log(4), abs=0.05)
    assert label_information(NOISE, LABELS) == pytest.approx(0, abs=0.05)
    assert label_information(APART, LABELS // 2) == pytest.approx(np.log(2), abs=0.05)


def test_label_information_is_near_the_mutual_information_of_two_gaussians_and_does_not_exceed_it():
    """Two classes at ±1 with standard deviation 1: I = log 2 − E[log(1 + exp(−2 z))], z from N(1, 1)."""
    labels = rng.integers(0, 2, 4000)
    content = (2.0 * labels - 1 + rng.normal(size=4000))[:, None]
    exact = np.log(2) - np.log1p(np.exp(-2 * rng.normal(1, 1, 10**6))).mean()
    assert exact - 0.06 < label_information(content, labels, neighbours=100) < exact + 0.02


@pytest.mark.parametrize("labels", [LABELS.astype(float), LABELS[:, None], np.zeros(N, int)])
@pytest.mark.parametrize("score", [probe_accuracy, label_information, cluster_accuracy, matched_accuracy])
def test_labels_that_are_none_are_refused(score, labels):
    content = LABELS if score is matched_accuracy else NOISE
    with pytest.raises(ValueError, match=r"^labels must be (\(n,\) whole numbers|of at least two classes); got"):
        score(content, labels)


@pytest.mark.parametrize("score", [probe_accuracy, label_information, cluster_accuracy, matched_accuracy])
def test_there_must_be_a_label_an_image(score):
    with pytest.raises(ValueError, match="got 10 labels for 1000 images"):
        score(LABELS if score is matched_accuracy else NOISE, LABELS[:10])


def test_a_clustering_is_the_same_each_time():
    assert cluster_accuracy(NOISE, LABELS) == cluster_accuracy(NOISE, LABELS)
