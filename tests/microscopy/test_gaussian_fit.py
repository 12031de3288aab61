"""Where a column is, to a fraction of a pixel."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.microscopy.gaussian_fit import FITTED_TOGETHER, _cut_windows, _gauss_newton_step, _model, _start_values, refine


def gaussian(x, y, width, amplitude=0.8, ground=0.1, shape=(80, 100)):
    rows, across = np.indices(shape)
    return ground + amplitude * np.exp(-((across - x) ** 2 + (rows - y) ** 2) / (2 * width**2))


@given(st.floats(-0.7, 0.7), st.floats(-0.7, 0.7), st.floats(1.5, 4))
def test_a_gaussian_is_found_where_it_is(dx, dy, width):
    position, amplitude, widths = refine(gaussian(40 + dx, 37 + dy, width), [[40, 37]], width * 1.15)
    assert np.allclose(position, [[40 + dx, 37 + dy]], atol=1e-3)
    assert widths == pytest.approx(width, rel=0.01)
    assert amplitude == pytest.approx(0.8, rel=0.01)


@given(st.floats(0.01, 0.9), st.floats(0.05, 0.5), st.floats(0, 0.5))
def test_the_grey_scale_moves_no_column(amplitude, ground, dx):
    position, amplitudes, widths = refine(gaussian(40 + dx, 37, 2.5, amplitude, ground), [[40, 37]], 2.5)
    assert np.allclose(position, [[40 + dx, 37]], atol=1e-3) and widths == pytest.approx(2.5, rel=0.01)
    assert amplitudes == pytest.approx(amplitude, rel=0.01)


def test_a_column_at_the_edge_is_fitted_to_the_pixels_that_there_are():
    for x, y in ((0.3, 40), (98.8, 40), (50, 0.2), (50, 78.7)):
        position, _, widths = refine(gaussian(x, y, 2.5), np.round([[x, y]]), 2.5)
        assert np.allclose(position, [[x, y]], atol=1e-3) and widths == pytest.approx(2.5, rel=0.01)


@pytest.mark.parametrize("image", [np.zeros((40, 40)), np.full((40, 40), 0.7), np.arange(1600.0).reshape(40, 40) / 1600,
                                   gaussian(26, 20, 2.5, shape=(40, 40)), np.full((40, 40), np.nan)],
                         ids=["black", "even", "ramp", "a column elsewhere", "NaN"])
def test_a_fit_that_finds_nothing_here_leaves_the_column_near_where_it_was(image):
    start = np.array([[19.0, 20.0]])
    position, _, widths = refine(image, start, 2.5)
    assert np.hypot(*(position - start).T) < 1.5 * 2.5 + 0.5
    assert np.isnan(widths) if np.isnan(image).all() else 1.25 <= widths <= 5


def test_a_runaway_goes_back_to_where_it_was():
    """A column five pixels from a far stronger one, of which nothing is left in the image."""
    start = np.array([[44.9, 40.0]])
    assert np.array_equal(refine(gaussian(40, 40, 2.5), start, 2.5)[0], start)


def test_columns_are_fitted_each_for_itself_however_many_there_are():
    rng = np.random.default_rng(0)
    image, start = rng.uniform(0, 1, (200, 300)), rng.uniform(0, 200, (2 * FITTED_TOGETHER + 7, 2))
    together = refine(image, start, 2.0)
    alone = [refine(image, start[[number]], 2.0) for number in range(0, len(start), 50)]
    assert all(np.array_equal(whole[::50], np.concatenate(parts)) for whole, parts in zip(together, zip(*alone)))


def test_no_column_is_an_empty_answer():
    assert [values.shape for values in refine(np.zeros((40, 40)), np.empty((0, 2)), 2.0)] == [(0, 2), (0,), (0,)]
    assert [values.shape for values in refine(np.zeros((40, 40)), [], 2.0)] == [(0, 2), (0,), (0,)]


# ---------------------------------------------------------------------- the step

TWO_COLUMNS = np.array([[0.1, 0.2], [0.8, 0.5], [40.3, 60.1], [37.2, 39.9], np.log([2.5, 3.0])])   # (5, 2)


def test_the_jacobian_is_the_gradient_of_ground_and_light():
    """By central differences, parameter by parameter."""
    windows = _cut_windows(np.zeros((80, 100)), np.array([[40.0, 37], [60, 40]]), 2.5)
    grey_values = lambda parameters: parameters[0][:, None] + _model(windows, parameters)[0]   # noqa: E731
    jacobian = _model(windows, TWO_COLUMNS)[1]
    for number, step in enumerate(1e-5 * np.eye(5)[..., None]):
        slope = (grey_values(TWO_COLUMNS + step) - grey_values(TWO_COLUMNS - step)) / 2e-5
        assert np.allclose(jacobian[..., number], slope, atol=1e-8), number


def test_one_step_of_a_linear_problem_ends_in_the_best_fit():
    """Ground and amplitude are linear: with place and width right, a step leaves no residual but what the damping leaves."""
    image = gaussian(40, 37, 2.5, amplitude=0.6, ground=0.3)
    windows = _cut_windows(image, np.array([[40.0, 37]]), 2.5)
    parameters = _start_values(windows, np.array([[40.0, 37]]), 2.5)
    after = parameters + _gauss_newton_step(windows, parameters)
    assert after[:2, 0] == pytest.approx([0.3, 0.6], abs=0.005) and np.abs(parameters[:2, 0] - (0.3, 0.6)).max() > 0.01
