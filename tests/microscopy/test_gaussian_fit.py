"""Where a column is, to a fraction of a pixel."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.microscopy.gaussian_fit import (
    ELLIPTICAL,
    FITTED_TOGETHER,
    _cut_windows,
    _gauss_newton_step,
    _model,
    _start_values,
    drawn,
    refine,
)


def gaussian(x, y, width, amplitude=0.8, ground=0.1, shape=(80, 100)):
    rows, across = np.indices(shape)
    return ground + amplitude * np.exp(-((across - x) ** 2 + (rows - y) ** 2) / (2 * width**2))


@given(st.floats(-0.7, 0.7), st.floats(-0.7, 0.7), st.floats(1.5, 4))
def test_a_gaussian_is_found_where_it_is(dx, dy, width):
    fit = refine(gaussian(40 + dx, 37 + dy, width), [[40, 37]], width * 1.15)
    assert np.allclose(fit.position, [[40 + dx, 37 + dy]], atol=1e-3)
    assert fit.width == pytest.approx(width, rel=0.01) and fit.amplitude == pytest.approx(0.8, rel=0.01)
    assert np.abs(fit.ellipticity).max() < 0.01 and fit.fitted.all()


@given(st.floats(0.01, 0.9), st.floats(0.05, 0.5), st.floats(0, 0.5))
def test_the_grey_scale_moves_no_column(amplitude, ground, dx):
    fit = refine(gaussian(40 + dx, 37, 2.5, amplitude, ground), [[40, 37]], 2.5)
    assert np.allclose(fit.position, [[40 + dx, 37]], atol=1e-3) and fit.width == pytest.approx(2.5, rel=0.01)
    assert fit.amplitude == pytest.approx(amplitude, rel=0.01)


def test_a_column_at_the_edge_is_fitted_to_the_pixels_that_there_are():
    for x, y in ((0.3, 40), (98.8, 40), (50, 0.2), (50, 78.7)):
        fit = refine(gaussian(x, y, 2.5), np.round([[x, y]]), 2.5)
        assert np.allclose(fit.position, [[x, y]], atol=1e-3) and fit.width == pytest.approx(2.5, rel=0.01)


@pytest.mark.parametrize("image", [np.zeros((40, 40)), np.full((40, 40), 0.7), np.arange(1600.0).reshape(40, 40) / 1600,
                                   gaussian(26, 20, 2.5, shape=(40, 40))],
                         ids=["black", "even", "ramp", "a column elsewhere"])
def test_a_fit_that_finds_nothing_here_leaves_the_column_near_where_it_was(image):
    start = np.array([[19.0, 20.0]])
    fit = refine(image, start, 2.5)
    assert np.hypot(*(fit.position - start).T) < 1.5 * 2.5 + 0.5 and not fit.fitted.any()
    assert 1.25 <= fit.width <= 5.6


def test_a_runaway_goes_back_to_where_it_was():
    """A column five pixels from a far stronger one, of which nothing is left in the image."""
    start = np.array([[44.9, 40.0]])
    fit = refine(gaussian(40, 40, 2.5), start, 2.5)
    assert np.array_equal(fit.position, start) and not fit.fitted.any()


def test_columns_far_apart_are_fitted_each_for_itself_however_many_there_are():
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(15.0, 900, 30), np.arange(15.0, 700, 30))
    start = np.stack([x, y], -1).reshape(-1, 2)[:2 * FITTED_TOGETHER + 7]
    image = rng.uniform(0, 0.1, (720, 900)) + drawn_at(start + rng.uniform(-0.5, 0.5, start.shape), (720, 900))
    together = refine(image, start, 2.0)
    for number in range(0, len(start), 50):
        assert np.allclose(together.position[number], refine(image, start[[number]], 2.0).position, atol=1e-6)


def drawn_at(position, shape):
    rows, across = np.indices(shape)
    image = np.zeros(shape)
    for x, y in position:
        near = slice(int(y) - 12, int(y) + 13), slice(int(x) - 12, int(x) + 13)
        image[near] += 0.8 * np.exp(-((across[near] - x) ** 2 + (rows[near] - y) ** 2) / 8)
    return image


def test_no_column_is_an_empty_answer():
    for start in (np.empty((0, 2)), []):
        fit = refine(np.zeros((40, 40)), start, 2.0)
        assert len(fit) == 0 and fit.position.shape == fit.sd.shape == (0, 2)


def test_what_cannot_be_fitted_is_flagged_or_refused():
    image = gaussian(40, 37, 2.5)
    fit = refine(image, [[-50, -50], [500, 500], [40, 37], [40, 37]], 2.5)
    assert not fit.fitted.any()
    for wrong, message in (((image, [[np.nan, 1]], 2.5), "position must be"), ((image, [[1, 2, 3]], 2.5), "position must be"),
                           ((image, [[40, 37]], 0), "width must be"), ((image * np.nan, [[4, 4]], 1), "image must be")):
        with pytest.raises(ValueError, match=message):
            refine(*wrong)


# ---------------------------------------------------------------------- neighbours, ellipses, error bars

@pytest.mark.parametrize("distance", [3.0, 3.5])
def test_columns_that_overlap_are_not_drawn_together(distance):
    """As in a dumbbell: fitted each by itself, without its neighbour taken off, they come too near to each other."""
    width, true = 4.0, np.array([[40.0, 40], [40 + 4.0 * distance, 40]])
    image = sum(gaussian(x, y, width, ground=0.05) for x, y in true)
    fit = refine(image, true + [[0.8, 0.4], [-0.8, 0.3]], width)
    assert np.hypot(*np.diff(fit.position, axis=0)[0]) == pytest.approx(width * distance, rel=0.04) and fit.fitted.all()


@pytest.mark.parametrize("long, diagonal", [(0.3, 0.0), (-0.3, 0.0), (0.0, 0.3), (0.2, -0.2)])
def test_a_long_column_says_how_long_it_is_and_which_way(long, diagonal):
    rows, across = np.indices((80, 100))
    dx, dy = across - 50.3, rows - 40.2
    image = 0.1 + 0.8 * np.exp(-((1 - long) * dx**2 - 2 * diagonal * dx * dy + (1 + long) * dy**2) / (2 * 3.0**2))
    fit = refine(image, [[50, 40]], 3.0)
    assert np.allclose(fit.position, [[50.3, 40.2]], atol=0.01)
    assert np.allclose(fit.ellipticity, [[long, diagonal]], atol=0.05)
    assert fit.width == pytest.approx(3.0 / (1 - long**2 - diagonal**2) ** 0.25, rel=0.03)


def test_what_is_drawn_is_what_was_fitted():
    image = gaussian(40.3, 37.2, 3.0, ground=0.0) + gaussian(60, 50, 2.6, 0.4, ground=0.0)
    fit = refine(image, [[40, 37], [60, 50]], 2.8)
    assert np.abs(drawn(image.shape, fit) - image).max() < 0.015   # three widths away light is cut off


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_the_error_bars_are_true(noise):
    """Standard deviation of (found - true) / stated: 1, over 300 columns of one image."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(15.0, 600, 30), np.arange(15.0, 450, 30))
    true = np.stack([x, y], -1).reshape(-1, 2) + rng.uniform(-0.5, 0.5, (x.size, 2))
    image = drawn_at(true, (460, 610)) + noise * rng.standard_normal((460, 610))
    fit = refine(image, np.round(true), 2.0)
    score = (fit.position - true) / fit.sd
    assert 0.85 < score.std() < 1.2 and fit.fitted.mean() > 0.99
    assert fit.amplitude_sd.mean() == pytest.approx((fit.amplitude - 0.8).std(), rel=0.25)


def test_noise_makes_no_column_twice_as_wide():
    """Widths are known to be alike: where noise hides one, it stays near the usual."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(15.0, 600, 30), np.arange(15.0, 450, 30))
    true = np.stack([x, y], -1).reshape(-1, 2)
    fit = refine(drawn_at(true, (460, 610)) + 0.4 * rng.standard_normal((460, 610)), true, 2.0)
    assert (np.abs(np.log(fit.width / 2.0)) > 0.6).mean() < 0.02


# ---------------------------------------------------------------------- the step

TWO_COLUMNS = np.array([[0.1, 0.2], [0.8, 0.5], [40.3, 60.1], [37.2, 39.9], np.log([2.5, 3.0]), [0.2, -0.1], [0.1, 0.3]])


def test_the_jacobian_is_the_gradient_of_ground_and_light():
    """By central differences, parameter by parameter."""
    windows = _cut_windows(np.zeros((80, 100)), np.array([[40.0, 37], [60, 40]]), 2.5)
    grey_values = lambda parameters: parameters[0][:, None] + _model(windows, parameters)[0]   # noqa: E731
    jacobian = _model(windows, TWO_COLUMNS)[1]
    for number, step in enumerate(1e-5 * np.eye(ELLIPTICAL)[..., None]):
        slope = (grey_values(TWO_COLUMNS + step) - grey_values(TWO_COLUMNS - step)) / 2e-5
        assert np.allclose(jacobian[..., number], slope, atol=1e-8), number


def test_one_step_of_a_linear_problem_ends_in_the_best_fit():
    """Ground and amplitude are linear: with place and width right, a step leaves no residual but what the damping leaves."""
    image = gaussian(40, 37, 2.5, amplitude=0.6, ground=0.3)
    windows = _cut_windows(image, np.array([[40.0, 37]]), 2.5)
    parameters = _start_values(windows, np.array([[40.0, 37]]), 2.5)
    after = parameters + _gauss_newton_step(windows, parameters, 2.5, 1e-6, ELLIPTICAL)
    assert after[:2, 0] == pytest.approx([0.3, 0.6], abs=0.005) and np.abs(parameters[:2, 0] - (0.3, 0.6)).max() > 0.01
