"""Columns found against the true ones: what is missing, what is false, and how far off the others are."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.microscopy.column_scores import score_columns


def mesh(step, shape=(80, 100), seed=0):
    x, y = np.meshgrid(np.arange(step / 2, shape[1] - 1, step), np.arange(step / 2, shape[0] - 1, step))
    return np.stack([x, y], -1).reshape(-1, 2) + np.random.default_rng(seed).uniform(-0.5, 0.5, (x.size, 2))


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 1000))
def test_missing_and_extra_columns_are_counted(missing, extra, seed):
    rng = np.random.default_rng(seed)
    true = mesh(10, seed=seed)
    found = np.concatenate([rng.permutation(true)[missing:], true[:extra] + 5.2])
    result = score_columns(found, true, (200, 200))
    right = len(true) - missing
    assert result.recall == pytest.approx(right / len(true)) and result.precision == pytest.approx(right / (right + extra))
    assert result.f1 == pytest.approx(2 * right / (2 * right + missing + extra))


def test_the_error_is_of_both_axes_together():
    true = mesh(10)
    result = score_columns(true + (0.3, 0.4), true, (80, 100))
    assert result.rmse == pytest.approx(0.5) and result.f1 == 1
    assert np.array_equal(result.found, result.true)


def test_two_found_at_one_column_count_once():
    true = mesh(10)
    result = score_columns(np.concatenate([true, true[:7] + 0.1]), true, (80, 100))
    assert result.recall == 1 and result.precision == pytest.approx(len(true) / (len(true) + 7))


@given(st.integers(0, 1000))
def test_no_column_stands_for_two(seed):
    rng = np.random.default_rng(seed)
    result = score_columns(rng.uniform(0, 50, (60, 2)), rng.uniform(0, 50, (40, 2)), (51, 51))
    assert len(np.unique(result.found)) == len(result.found) and len(np.unique(result.true)) == len(result.true)


def test_further_than_half_the_spacing_is_not_the_same_column():
    true = np.array([[10.0, 10], [20, 10], [30, 10]])
    assert score_columns(true + (0, 4.9), true, (40, 40)).f1 == 1
    assert score_columns(true + (0, 5.1), true, (40, 40)).f1 == 0


def test_the_border_counts_neither_for_nor_against():
    true = mesh(10)
    inside = ((true >= 12) & (true <= (87, 67))).all(1)
    assert score_columns(true[inside], true, (80, 100), margin=12).f1 == 1
    assert score_columns(true, true[inside], (80, 100), margin=12).f1 == 1
    assert score_columns(true[inside], true, (80, 100)).f1 < 0.9


def test_nothing_found_scores_nothing_and_no_truth_is_refused():
    result = score_columns(np.empty((0, 2)), mesh(10), (80, 100))
    assert result.f1 == result.precision == result.recall == 0 and np.isnan(result.rmse)
    with pytest.raises(ValueError, match="at least two columns"):
        score_columns(mesh(10), np.empty((0, 2)), (80, 100))


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_places_that_nobody_knows_are_refused_by_name(unknown):
    spoilt = mesh(10)
    spoilt[3, 1] = unknown
    with pytest.raises(ValueError, match="found must hold finite positions.*1 of 80 are NaN"):
        score_columns(spoilt, mesh(10), (80, 100))
    with pytest.raises(ValueError, match="true must hold finite positions.*1 of 80 are NaN"):
        score_columns(mesh(10), spoilt, (80, 100))
