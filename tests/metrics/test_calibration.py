"""Calibration: on errors whose standard deviation is known."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardslib.metrics import coverage, z_scores, z_spread

N = 20_000   # the share of 95 % is then good to 0.0015, the spread to 0.5 %
rng = np.random.default_rng(0)
SD = rng.uniform(0.05, 0.3, N)
NOISE = rng.normal(size=N)
TRUE = rng.uniform(-2, 2, N)
ENCODED = TRUE + SD * NOISE
ANGLE = rng.uniform(-np.pi, np.pi, N)
PERIOD = 2 * np.pi
SCORES = [z_scores, z_spread, coverage]


def test_z_scores_are_errors_in_units_of_the_stated_standard_deviation():
    assert z_scores([3.0, 1.0], [0.5, 2.0], [2.0, 2.0]) == pytest.approx([2, -0.5])


@pytest.mark.parametrize("level, share", [(0.5, 0.5), (0.68, 0.68), (0.95, 0.95), (0.99, 0.99)])
def test_stated_standard_deviations_that_are_right_have_a_spread_of_one_and_cover_their_share(level, share):
    assert z_spread(ENCODED, SD, TRUE) == pytest.approx(1, abs=0.02)
    assert coverage(ENCODED, SD, TRUE, level) == pytest.approx(share, abs=0.012)


@pytest.mark.parametrize("times, covered", [(0.5, 0.673), (2, 0.99991)])   # P(|z| ≤ 1.96 · times)
def test_a_model_too_sure_or_too_shy_is_told_by_how_much(times, covered):
    assert z_spread(ENCODED, times * SD, TRUE) == pytest.approx(1 / times, rel=0.02)
    assert coverage(ENCODED, times * SD, TRUE) == pytest.approx(covered, abs=0.01)


def test_the_interval_is_central_and_closed():
    """Of the z-scores 0, ±1, ±2, ±3 five lie within ±2, which holds 95.45 %."""
    encoded = np.arange(-3.0, 4)
    assert coverage(encoded, np.ones(7), np.zeros(7), 0.9546) == pytest.approx(5 / 7)
    assert coverage(encoded, np.ones(7), np.zeros(7), 0.9544) == pytest.approx(3 / 7)


def test_a_bias_counts_unless_the_zero_is_free():
    biased = ENCODED + 0.5
    assert z_spread(biased, SD, TRUE) > 3 and coverage(biased, SD, TRUE) < 0.3
    assert z_spread(biased, SD, TRUE, free_zero=True) == pytest.approx(1, abs=0.02)
    assert coverage(biased, SD, TRUE, free_zero=True) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("order", [1, 2, 4])
@settings(max_examples=30, deadline=None)   # the circular median tries many
@given(zero=st.floats(-10, 10), turns=st.integers(-5, 5))
def test_angles_wrap_and_their_zero_may_be_free(order, zero, turns):
    period = PERIOD / order
    encoded = ANGLE[:500] + 0.1 * NOISE[:500] + turns * period
    sd = np.full(500, 0.1)
    assert z_scores(encoded, sd, ANGLE[:500], period) == pytest.approx(NOISE[:500], abs=1e-6)
    free = z_scores(encoded + zero, sd, ANGLE[:500], period, free_zero=True)
    assert free == pytest.approx(NOISE[:500] - np.median(NOISE[:500]), abs=0.2)


def test_an_angle_near_the_cut_of_the_circle_has_a_small_error():
    assert z_scores([3.1, -3.1], [0.1, 0.1], [-3.1, 3.1], PERIOD) == pytest.approx([-0.832, 0.832], abs=0.001)
    assert z_scores([3.1, -3.1], [0.1, 0.1], [-3.1, 3.1]) == pytest.approx([62, -62])


def test_the_angles_median_withstands_outliers():
    encoded = ANGLE + 1.3
    encoded[:N // 10] += 2.0
    z = z_scores(encoded, np.full(N, 0.1), ANGLE, PERIOD, free_zero=True)
    assert np.abs(z[N // 10:]).max() < 1e-6 and z[:N // 10] == pytest.approx(np.full(N // 10, 20))


def test_of_two_values_an_image_each_counts_and_one_standard_deviation_serves_both():
    true = np.stack([TRUE, -TRUE], 1)
    noise = rng.normal(size=(N, 2))
    encoded = true + SD[:, None] * noise
    assert z_scores(encoded, SD, true) == pytest.approx(noise)
    assert z_spread(encoded, SD, true) == pytest.approx(1, abs=0.02)
    assert coverage(encoded, SD, true) == pytest.approx(0.95, abs=0.01)
    assert z_scores(encoded, np.stack([SD, 2 * SD], 1), true) == pytest.approx(noise / (1, 2))
    moved = encoded + (3, -4)   # the two have zeros of their own
    assert z_spread(moved, SD, true, free_zero=True) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("changed, words", [
    (dict(encoded=TRUE[:3]), r"^encoded and true must be .*got \(3,\) and \(20000,\)"),
    (dict(encoded=TRUE[:1], sd=SD[:1], true=TRUE[:1]), "^encoded and true must be .*at least two images"),
    (dict(encoded=0.0, true=0.0), "^encoded and true must be"),
    (dict(sd=SD[:3]), r"^sd must be one standard deviation an image, \(20000,\).*got \(3,\)"),
    (dict(sd=0 * SD), "^sd must be larger than 0; got 0"), (dict(sd=-SD), "^sd must be larger than 0; got -"),
    (dict(sd=np.nan * SD), "^sd must be finite"), (dict(encoded=np.nan * SD), "^encoded must be finite"),
    (dict(true=np.inf * SD), "^true must be finite"), (dict(period=0), "^period must be larger than 0; got 0"),
    (dict(period=-1), "^period must be"), (dict(period="2π"), "^period must be a finite number")])
def test_what_states_no_error_is_refused(score, changed, words):
    with pytest.raises(ValueError, match=words):
        score(**dict(encoded=ENCODED, sd=SD, true=TRUE) | changed)


@pytest.mark.parametrize("level", [0, 1, 95, -0.1, np.nan, None])
def test_a_level_is_a_share(level):
    with pytest.raises(ValueError, match="^level must"):
        coverage(ENCODED, SD, TRUE, level)
