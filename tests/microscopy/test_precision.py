"""The bound of Cramér and Rao: cases that are known by hand, and the likeliest pose of many noisy images, which reaches it."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares

from cardslib.geometry import pose_matrix
from cardslib.microscopy.precision import PARTS, pose_bound

SIZE, WIDTH = 32, 2.5                                                                   # pixels: of a patch, of a column
AXIS = (2 * np.arange(SIZE) + 1 - SIZE) / SIZE                                          # half widths
GRID = np.stack(np.meshgrid(AXIS, AXIS), -1).reshape(-1, 2)                             # (pixels, 2)
HALF_WIDTH = SIZE / 2
COLUMNS = np.array([[0, 0], [0.5, 0.1], [-0.1, 0.55], [-0.5, -0.2], [0.2, -0.5]])       # half widths
HEIGHTS = np.array([3, 1, 2, 1, 2])


def light(points, columns=COLUMNS, heights=HEIGHTS, ground=0.5):
    """Of round columns on an even ground at points (p, 2), half widths: (p,)."""
    squares = ((points[:, None] - columns) ** 2).sum(-1)
    return ground + np.exp(-squares / 2 / (WIDTH / HALF_WIDTH) ** 2) @ heights


def patch(**picture):
    return light(GRID, **picture).reshape(SIZE, SIZE)


def moved(pose):
    """Means (pixels,) of the patch at a pose: angle, shift x and y, shear, scale."""
    angle, x, y, shear, scale = pose
    return light((GRID - (x, y)) @ np.linalg.inv(pose_matrix(angle, shear) * np.exp(scale)).T)


def deviance(pose, electrons, dose):
    """Residuals (pixels,) whose sum of squares is least where the pose is likeliest (Poisson)."""
    means = dose * moved(pose)
    logarithm = np.where(electrons > 0, electrons * np.log(np.maximum(electrons, 1) / means), 0)
    return np.sign(electrons - means) * np.sqrt(np.maximum(2 * (means - electrons + logarithm), 0))


# ---------------------------------------------------------------------- against what is known

@pytest.mark.parametrize("electrons", [10, 1000])
def test_a_lone_column_is_placed_to_its_width_over_the_root_of_its_electrons(electrons):
    column = patch(columns=np.zeros((1, 2)), heights=np.ones(1), ground=0)
    bound = pose_bound(electrons * column / column.sum(), parts=["shift"])
    assert bound["shift"] * HALF_WIDTH == pytest.approx(WIDTH / np.sqrt(electrons), rel=0.01)


def test_the_angle_of_a_pair_is_as_exact_as_its_ends_are_placed():
    pair = patch(columns=np.array([[0.4, 0.3], [-0.4, -0.3]]), heights=np.ones(2), ground=0)
    bound = pose_bound(pair, counts=500 / SIZE**2, parts=["angle"])
    assert bound["angle"] == pytest.approx(WIDTH / HALF_WIDTH / 0.5 / np.sqrt(500), rel=0.01)


def test_the_shift_is_told_along_x_and_along_y():
    wave = np.tile(1.5 + np.cos(np.arange(SIZE)), (SIZE, 1))                            # changes along x only
    x, y = pose_bound(wave + 0.1 * wave.T, 10, ["shift"])["shift"]
    assert x < y / 5


def test_the_likeliest_pose_of_many_images_scatters_by_the_bound():
    dose, rng = 10.0, np.random.default_rng(0)
    images = rng.poisson(dose * moved(np.zeros(5)), (200, SIZE**2))
    found = np.array([least_squares(deviance, np.zeros(5), args=(image, dose), ftol=1e-4).x for image in images])
    error = np.sqrt((found**2).mean(0))
    bound = pose_bound(dose * patch())
    assert error == pytest.approx(np.hstack([bound["angle"], bound["shift"], bound["shear"], bound["scale"]]), rel=0.12)
    assert np.abs(found.mean(0)) == pytest.approx(np.zeros(5), abs=0.25 * bound["angle"])


# ---------------------------------------------------------------------- as it must behave

@given(st.floats(0.01, 1e4), st.floats(1.1, 100))
def test_bounds_fall_with_the_root_of_the_dose(counts, more):
    few, many = pose_bound(patch(), counts), pose_bound(patch(), more * counts)
    for part in PARTS:
        assert np.allclose(few[part], many[part] * np.sqrt(more))


@given(st.sets(st.sampled_from(PARTS), min_size=1), st.sampled_from(PARTS))
def test_what_else_is_unknown_makes_nothing_more_exact(parts, other):
    alone, together = pose_bound(patch(), 5, sorted(parts)), pose_bound(patch(), 5, sorted(parts | {other}))
    for part in parts:
        assert np.all(together[part] >= alone[part] * (1 - 1e-9))


def test_an_even_ground_hides_the_columns():
    for part, bound in pose_bound(patch(ground=0.1), 5).items():
        assert np.all(bound < pose_bound(patch(ground=2), 5)[part])


def test_a_patch_that_is_turned_by_a_quarter_changes_the_axes_only():
    upright, turned = pose_bound(patch(), 5), pose_bound(np.rot90(patch()), 5)
    assert np.allclose(upright["shift"][::-1], turned["shift"])
    assert all(upright[part] == pytest.approx(turned[part]) for part in ("angle", "shear", "scale"))


def test_a_patch_need_not_be_square():
    part = patch()[6:-6]
    assert pose_bound(part)["angle"] > pose_bound(patch())["angle"]
    assert pose_bound(part)["shift"][0] < 1.5 * pose_bound(patch())["shift"][0]


# ---------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("wrong, message", [
    (dict(expected=patch()[None]), r"expected must be one patch \(h, w\)"), (dict(expected=patch()[:3]), "at least 4×4 pixels"),
    (dict(expected=patch() - 1), "at least 0 electrons, and some more; got -0.5"), (dict(expected=0 * patch()), "some more"),
    (dict(expected=patch() * np.nan), "finite"), (dict(counts=0), "counts must be"), (dict(counts="5"), "counts must be"),
    (dict(parts=["tilt"]), "parts must be some of angle, shift, shear, scale"), (dict(parts=[]), "parts must be"),
    (dict(parts="angle"), "as a list"), (dict(expected=np.ones((8, 8))), "leave one of the parts out"),
    (dict(expected=patch(columns=np.zeros((1, 2)), heights=[1])), "with each of angle, shift, shear, scale")])
def test_what_has_no_bound_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        pose_bound(**{"expected": patch(), **wrong})
