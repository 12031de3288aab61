"""The scores, each on cases where the answer is known."""
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.metrics import (
    angle_error,
    circular_correlation,
    circular_linear_correlation,
    cluster_accuracy,
    dci,
    label_information,
    matched_accuracy,
    mig,
    probe_accuracy,
    rank_correlation,
    rank_correlation_within,
    readable,
    sap,
)
from cardslib.models import Latents

floats = partial(st.floats, allow_subnormal=False)   # which torch takes for zero
N = 1000
rng = np.random.default_rng(0)
ANGLE = rng.uniform(-np.pi, np.pi, N)
OTHER_ANGLE = rng.uniform(-np.pi, np.pi, N)
LABELS = rng.integers(0, 4, N)
NOISE = rng.normal(size=(N, 2))
TRUE = rng.uniform(-1, 1, (N, 2))
FACTORS = dict(shear=TRUE[:, 0], angle=TRUE[:, 1])
BY_45_DEGREES = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
APART = np.eye(4)[LABELS] * 5 + rng.normal(size=(N, 4)) * 0.3   # four clouds, far from each other
SIGNS = rng.choice([-1, 1], N)
TURNS = rng.integers(-6, 7, N)


# ---------------------------------------------------------------------- rank correlation

def test_rank_correlation_is_one_for_any_rising_function_and_minus_one_for_any_falling():
    x = TRUE[:, 0]
    assert rank_correlation(np.exp(5 * x), x) == pytest.approx(1)
    assert rank_correlation(-x**3, x) == pytest.approx(-1)


def test_rank_correlation_of_noise_is_about_zero():
    assert abs(rank_correlation(NOISE[:, 0], TRUE[:, 0])) < 0.1


def test_rank_correlation_within_each_class_of_each_latent():
    """Class 3 lays the factor out along the first latent, class 5 backwards along the second, class 8 nowhere."""
    factor, labels, content = TRUE[:, 0], np.array([3, 5, 8])[LABELS % 3], NOISE.copy()
    content[labels == 3, 0] = np.exp(factor[labels == 3])
    content[labels == 5, 1] = -factor[labels == 5]
    within = rank_correlation_within(content, factor, labels)   # (classes, latents)
    assert within.shape == (3, 2)
    assert within[0, 0] == pytest.approx(1) and within[1, 1] == pytest.approx(1)
    assert within[0, 1] < 0.2 and within[1, 0] < 0.2 and within[2].max() < 0.2


def test_rank_correlation_within_sees_what_pooling_hides():
    rising = np.where(LABELS % 2 == 0, TRUE[:, 0], -TRUE[:, 0])
    assert abs(rank_correlation(rising, TRUE[:, 0])) < 0.1
    assert rank_correlation_within(rising[:, None], TRUE[:, 0], LABELS % 2) == pytest.approx(np.ones((2, 1)))


# ---------------------------------------------------------------------- circular correlations

@given(floats(-10, 10))
def test_circular_correlation_is_one_whatever_the_zero(zero):
    assert circular_correlation(ANGLE + zero, ANGLE) == pytest.approx(1)


@given(floats(-10, 10))
def test_circular_correlation_is_minus_one_if_one_runs_backwards(zero):
    assert circular_correlation(zero - ANGLE, ANGLE) == pytest.approx(-1)


def test_circular_correlation_is_the_double_sum_of_fisher_and_lee():
    a, b = ANGLE[:40], ANGLE[:40] + NOISE[:40, 0]
    first, second = np.triu_indices(40, 1)
    between = lambda x: np.sin(x[first] - x[second])   # noqa: E731
    expected = (between(a) * between(b)).sum() / np.sqrt((between(a) ** 2).sum() * (between(b) ** 2).sum())
    assert circular_correlation(a, b) == pytest.approx(expected)


def test_circular_correlation_does_not_see_where_the_circle_is_cut():
    wrapped = np.mod(ANGLE + 1, 2 * np.pi)
    assert circular_correlation(wrapped, ANGLE) == pytest.approx(1)


def test_circular_correlation_of_unrelated_or_constant_angles_is_about_zero():
    assert abs(circular_correlation(ANGLE, OTHER_ANGLE)) < 0.1
    assert abs(circular_correlation(0.1 * ANGLE, 0.1 * OTHER_ANGLE)) < 0.1   # also within a small sector
    assert circular_correlation(ANGLE, np.ones(N)) == 0


@given(floats(-10, 10), floats(0.1, 10), floats(-10, 10))
def test_circular_linear_correlation_is_one_for_a_wave(phase, height, offset):
    assert circular_linear_correlation(offset + height * np.cos(ANGLE + phase), ANGLE) == pytest.approx(1)


def test_circular_linear_correlation_is_about_zero_for_noise_and_for_another_frequency():
    assert circular_linear_correlation(NOISE[:, 0], ANGLE) < 0.1
    assert circular_linear_correlation(np.cos(2 * ANGLE), ANGLE) < 0.1


def test_circular_linear_correlation_of_a_noisy_wave_is_the_root_of_the_share_explained():
    wave = np.cos(ANGLE)   # variance 1/2
    assert circular_linear_correlation(wave + np.sqrt(0.5) * NOISE[:, 0], ANGLE) == pytest.approx(np.sqrt(0.5), abs=0.05)


# ---------------------------------------------------------------------- the angle error

@given(floats(-10, 10), st.sampled_from([1, -1]))
def test_angle_error_leaves_zero_and_handedness_free(zero, sense):
    assert angle_error(sense * ANGLE + zero, ANGLE).max() < 1e-6


def test_angle_error_is_in_degrees_one_an_image():
    encoded = ANGLE + np.radians(10) * SIGNS
    errors = angle_error(np.append(encoded, ANGLE), np.append(ANGLE, ANGLE))   # half of them exact: their zero is the median
    assert errors.shape == (2 * N,)
    assert errors[:N] == pytest.approx(np.full(N, 10)) and errors[N:] == pytest.approx(np.zeros(N), abs=1e-6)


@pytest.mark.parametrize("spread", [1, 5, 20])
def test_angle_error_recovers_a_known_error(spread):
    """The mean of |error| for a Gaussian error of standard deviation s is s·√(2/π)."""
    errors = angle_error(2.0 - ANGLE + np.radians(spread) * NOISE[:, 0], ANGLE)
    assert errors.mean() == pytest.approx(spread * np.sqrt(2 / np.pi), rel=0.1)


def test_angle_error_of_a_guess_is_a_quarter_of_the_circle():
    assert angle_error(OTHER_ANGLE, ANGLE).mean() == pytest.approx(90, abs=6)
    assert angle_error(OTHER_ANGLE, ANGLE, order=3).mean() == pytest.approx(30, abs=2)


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_angle_error_is_never_larger_than_half_a_period(seed, order):
    encoded, true = np.random.default_rng(seed).uniform(-50, 50, (2, 7))
    errors = angle_error(encoded, true, order)
    assert errors.min() >= 0 and errors.max() <= 180 / order + 1e-9


@pytest.mark.parametrize("order", [2, 3, 4])
def test_jumps_by_the_symmetrys_angle_are_no_error_for_its_order_only(order):
    jumped = ANGLE + 2 * np.pi / order * TURNS
    assert angle_error(jumped, ANGLE, order).max() < 1e-6
    assert angle_error(jumped, ANGLE).mean() > 50


def test_angle_error_does_not_see_where_the_circle_is_cut():
    assert angle_error(np.mod(ANGLE + 3, 2 * np.pi), ANGLE).max() < 1e-6
    assert angle_error(ANGLE + 2 * np.pi * TURNS, ANGLE).max() < 1e-6


def test_a_few_outliers_do_not_move_the_zero():
    encoded = ANGLE.copy()
    encoded[:100] += 1.5
    errors = angle_error(encoded, ANGLE)
    assert errors[100:].max() < 1e-6 and errors[:100] == pytest.approx(np.full(100, np.degrees(1.5)))


@pytest.mark.parametrize("order", [0, -1, 1.5, True])
def test_angle_error_refuses_an_order_that_no_symmetry_has(order):
    with pytest.raises(ValueError, match=f"^order must be a whole number of at least 1; got {order}"):
        angle_error(ANGLE, ANGLE, order)


@pytest.mark.parametrize("score", [rank_correlation, circular_correlation, circular_linear_correlation, angle_error])
@pytest.mark.parametrize("encoded, true, words", [
    (ANGLE[:3], ANGLE, r"got \(3,\) and \(1000,\)"), (ANGLE[:, None], ANGLE, r"got \(1000, 1\) and \(1000,\)"),
    (ANGLE[:1], ANGLE[:1], "at least two images"), (ANGLE * np.nan, ANGLE, "finite"), (ANGLE, ANGLE * np.inf, "finite")])
def test_scores_of_two_arrays_refuse_what_does_not_pair(score, encoded, true, words):
    with pytest.raises(ValueError, match=f"^both arrays must be .*{words}"):
        score(encoded, true)


# ---------------------------------------------------------------------- labels in the latent space

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
    with pytest.raises(ValueError, match=r"^labels must be \(n,\) whole numbers of at least two classes; got"):
        score(content, labels)


@pytest.mark.parametrize("score", [probe_accuracy, label_information, cluster_accuracy, matched_accuracy])
def test_there_must_be_a_label_an_image(score):
    with pytest.raises(ValueError, match="got 10 labels for 1000 images"):
        score(LABELS if score is matched_accuracy else NOISE, LABELS[:10])


# ---------------------------------------------------------------------- disentanglement

def test_a_perfect_code_scores_high():
    assert mig(TRUE, FACTORS) > 0.9
    assert sap(TRUE, FACTORS) > 0.95
    assert min(dci(TRUE, FACTORS).values()) > 0.99


def test_the_order_and_the_scale_of_the_latents_do_not_matter():
    rescaled = TRUE[:, ::-1] * (-100, 3) + 7
    assert mig(rescaled, FACTORS) == pytest.approx(mig(TRUE, FACTORS), abs=0.02)
    assert sap(rescaled, FACTORS) == pytest.approx(sap(TRUE, FACTORS))
    assert min(dci(rescaled, FACTORS).values()) > 0.99


def test_a_code_turned_by_45_degrees_is_informative_but_not_disentangled():
    turned = TRUE @ BY_45_DEGREES
    scores = dci(turned, FACTORS)
    assert mig(turned, FACTORS) < 0.05 and sap(turned, FACTORS) < 0.1
    assert scores["disentanglement"] < 0.05 and scores["completeness"] < 0.05 and scores["informativeness"] > 0.95


def test_noise_scores_nothing():
    assert mig(NOISE, FACTORS) < 0.05 and sap(NOISE, FACTORS) < 0.05
    assert max(dci(NOISE, FACTORS).values()) < 0.05


def test_a_factor_that_two_latents_know_is_no_longer_complete():
    twice = TRUE[:, [0, 0, 1, 1]]
    scores = dci(twice, FACTORS)
    assert mig(twice, FACTORS) == pytest.approx(0) and sap(twice, FACTORS) == pytest.approx(0)
    assert scores["disentanglement"] > 0.95 and scores["completeness"] < 0.6


def test_a_latent_that_knows_two_factors_is_no_longer_disentangled():
    mixed = np.column_stack([TRUE[:, 0] + 3 * np.sign(TRUE[:, 1]), NOISE[:, 0]])
    scores = dci(mixed, dict(a=TRUE[:, 0], b=(TRUE[:, 1] > 0).astype(int)))
    assert scores["disentanglement"] < 0.2 and scores["completeness"] > 0.8


def test_a_collapsed_latent_halves_the_scores():
    collapsed = np.column_stack([TRUE[:, 0], NOISE[:, 0]])   # the second factor is lost
    assert mig(collapsed, FACTORS) == pytest.approx(0.5, abs=0.05)
    assert sap(collapsed, FACTORS) == pytest.approx(0.5, abs=0.05)
    assert dci(collapsed, FACTORS)["informativeness"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("classes", [2, 4])
def test_whole_numbers_are_taken_as_classes(classes):
    labels = LABELS % classes
    content = np.column_stack([labels + 0.05 * NOISE[:, 0], TRUE[:, 0]])
    factors = dict(suit=labels, shear=TRUE[:, 0])
    assert mig(content, factors) > 0.95
    assert min(dci(content, factors).values()) > 0.99


def test_sap_of_two_classes_is_the_accuracy_above_a_guess():
    labels = LABELS % 2
    content = np.column_stack([labels + 0.05 * NOISE[:, 0], TRUE[:, 0]])
    assert sap(content, dict(suit=labels)) == pytest.approx(1 - 0.5, abs=0.06)


def test_an_unequal_class_is_not_known_because_it_is_frequent():
    """95 % of the images are of one class: always guessing it is right 95 % of the time, and tells nothing."""
    rare = (OTHER_ANGLE > 0.9 * np.pi).astype(int)
    assert readable(NOISE, rare) < 0.05 and dci(NOISE, dict(rare=rare, shear=TRUE[:, 0]))["informativeness"] < 0.05
    assert sap(NOISE, dict(rare=rare)) < 0.2


def test_a_factor_spread_over_two_latents_is_readable():
    assert readable(TRUE @ BY_45_DEGREES, TRUE[:, 0]) > 0.95
    assert readable(NOISE, TRUE[:, 0]) < 0.05
    assert readable(APART, LABELS) == 1 and readable(NOISE, LABELS) < 0.05


def test_readable_is_the_informativeness_of_one_factor():
    half = np.column_stack([TRUE[:, 0], NOISE[:, 0]])
    each = [readable(half, factor) for factor in FACTORS.values()]
    assert dci(half, FACTORS)["informativeness"] == pytest.approx(np.mean(each))


def test_the_mutual_information_gap_is_the_formula_of_the_paper():
    """Two latents, one factor, all of them binary: I(z₁; v) = log 2, I(z₂; v) from the 2×2 table, H(v) = log 2."""
    v = np.tile([0, 1], 500)
    z2 = np.where(np.arange(1000) < 800, v, 1 - v)   # right 80 % of the time
    known = np.log(2) + 0.8 * np.log(0.8) + 0.2 * np.log(0.2)
    assert mig(np.column_stack([v, z2]), dict(v=v)) == pytest.approx(1 - known / np.log(2), abs=1e-6)


def test_the_scores_are_the_same_each_time():
    content, factors = APART[:, :2], dict(suit=LABELS, shear=TRUE[:, 0])
    for score in (mig, sap, dci):
        assert score(content, factors) == score(content, factors)
    assert cluster_accuracy(NOISE, LABELS) == cluster_accuracy(NOISE, LABELS)


@pytest.mark.parametrize("score", [mig, sap, dci])
@pytest.mark.parametrize("content", [TRUE[:, :1], TRUE[:, 0], np.full((N, 2), np.nan)])
def test_disentanglement_needs_two_finite_latents(score, content):
    with pytest.raises(ValueError, match=r"^content must be \(n, c\) finite numbers with c of at least 2; got"):
        score(content, FACTORS)


@pytest.mark.parametrize("score", [mig, sap, dci, readable])
def test_latents_as_a_whole_are_refused_with_the_field_that_is_meant(score):
    with pytest.raises(ValueError, match=r"got Latents: pass its \.content"):
        score(Latents(TRUE), FACTORS)


@pytest.mark.parametrize("score", [mig, sap, dci])
@pytest.mark.parametrize("factor", [TRUE[:3, 0], np.ones(N), TRUE])
def test_a_factor_must_be_one_value_an_image_and_vary(score, factor):
    with pytest.raises(ValueError, match=r"^factor 'shear' must be one value an image, \(1000,\), and vary; got"):
        score(TRUE, dict(shear=factor, angle=TRUE[:, 1]))


def test_the_least_number_of_factors_is_said():
    for score, least in ((mig, 1), (sap, 1), (dci, 2)):
        with pytest.raises(ValueError, match=rf"^factors must hold at least {least} factors by name; got \[\]"):
            score(TRUE, {})


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 1e6])
def test_a_collapsed_latent_knows_nothing(value):
    constant = np.full(len(ANGLE), value)
    assert rank_correlation(constant, ANGLE) == circular_linear_correlation(constant, ANGLE) == 0
