"""One latent against one factor: the correlations, and the error of an angle, on cases where the answer is known."""
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.metrics import (
    angle_error,
    angle_errors,
    circular_correlation,
    circular_linear_correlation,
    rank_correlation,
    rank_correlation_within,
)

floats = partial(st.floats, allow_subnormal=False)
N = 1000
rng = np.random.default_rng(0)
ANGLE = rng.uniform(-np.pi, np.pi, N)
OTHER_ANGLE = rng.uniform(-np.pi, np.pi, N)
LABELS = rng.integers(0, 4, N)
NOISE = rng.normal(size=(N, 2))
TRUE = rng.uniform(-1, 1, (N, 2))
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


def test_angle_errors_are_the_median_and_the_95th_percentile_of_each_class():
    """Class 0 is exact, though backwards; class 1 jumps by half a turn, as its order 2 allows; class 2 is off by 0 to 90°."""
    labels, encoded, off = np.arange(N) % 3, ANGLE.copy(), np.radians(90) * np.linspace(-1, 1, N)
    encoded[labels == 0] *= -1
    encoded[labels == 1] += (1 + np.pi * TURNS)[labels == 1]
    encoded[labels == 2] += (2 + off)[labels == 2]
    errors = angle_errors(encoded, ANGLE, labels, (1, 2, 1))
    assert errors.shape == (3, 2) and errors[:2] == pytest.approx(np.zeros((2, 2)), abs=1e-6)
    assert errors[2] == pytest.approx([45, 0.95 * 90], abs=1)
    assert angle_errors(encoded, ANGLE, labels, (1, 1, 1))[1, 1] > 170


def test_angle_errors_of_one_class_are_those_of_angle_error():
    errors, encoded = angle_error(OTHER_ANGLE, ANGLE, 2), np.zeros(N, int)
    assert angle_errors(OTHER_ANGLE, ANGLE, encoded, (2,)) == pytest.approx(np.quantile(errors, [[0.5, 0.95]]))


@pytest.mark.parametrize("labels, orders, words", [
    (LABELS, (1, 1, 2), "labels must lie within 0 … 2"), (LABELS, (1, 1, 1, 2, 3), r"labels must name at least two images of"),
    (LABELS[:5], (1, 1, 1, 2), "labels must be one number an image"), (LABELS, (1, 1, 1, 0), "order must be a whole number"),
    (LABELS / 3, (1, 1, 1, 2), "labels must be whole numbers")])
def test_angle_errors_refuse_labels_and_orders_that_do_not_fit(labels, orders, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        angle_errors(ANGLE, ANGLE, labels, orders)


@pytest.mark.parametrize("score", [rank_correlation, circular_correlation, circular_linear_correlation, angle_error])
@pytest.mark.parametrize("encoded, true, words", [
    (ANGLE[:3], ANGLE, r"got \(3,\) and \(1000,\)"), (ANGLE[:, None], ANGLE, r"got \(1000, 1\) and \(1000,\)"),
    (ANGLE[:1], ANGLE[:1], "at least two images"), (ANGLE * np.nan, ANGLE, "finite"), (ANGLE, ANGLE * np.inf, "finite")])
def test_scores_of_two_arrays_refuse_what_does_not_pair(score, encoded, true, words):
    with pytest.raises(ValueError, match=f"^both arrays must be .*{words}"):
        score(encoded, true)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 1e6])
def test_a_collapsed_latent_knows_nothing(value):
    constant = np.full(len(ANGLE), value)
    assert rank_correlation(constant, ANGLE) == circular_linear_correlation(constant, ANGLE) == 0
