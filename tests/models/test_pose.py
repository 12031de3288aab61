"""The pose: what it does to a picture, what it says beforehand, and what is refused."""
import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, Uniform, kl_divergence

from cardslib.cards import render
from cardslib.geometry import pose_matrix, wrap
from cardslib.models import VAE, Latents
from cardslib.models.pose import Pose, nearest_orientation
from cardslib.transforms import pixel_grid, to_canonical

floats = partial(st.floats, allow_subnormal=False)   # which torch takes for zero
SIZE = 28
CLUB, SPADE, HEART, DIAMOND = range(4)
angles, shears = floats(-7, 7), floats(-0.6, 0.6)
coordinates, logs = floats(-1, 1), floats(-0.7, 0.7)


def latents(angle=None, shear=None, shift=None, scale=None):
    """Latents of one image, no content, as float64 tensors."""
    given = dict(angle=angle, shear=shear, shift=shift, scale=scale)
    return Latents(torch.zeros(1, 0, dtype=torch.float64),
                   **{name: torch.tensor([value], dtype=torch.float64) for name, value in given.items() if value is not None})


def draw(model, **pose):
    """The picture of a pose; without one the canonical picture."""
    pose = {name: np.array([value], np.float32) for name, value in pose.items()}
    return model.decode(Latents(np.zeros((1, 0), np.float32), **pose))[0]


def card(suit, angle=0.0, shear=0.0, shift=(0.0, 0.0)):
    return render([suit], [angle], [shear], [shift], SIZE)[0]


def spot(x, y):
    """A round spot of light there, in half widths from the middle."""
    down, right = (np.indices((SIZE, SIZE)) + 0.5) * 2 / SIZE - 1
    return np.exp(-((right - x) ** 2 + (down - y) ** 2) / 0.02).astype(np.float32)


def assert_same_picture(drawn, expected):
    assert np.abs(drawn - expected).mean() < 0.015
    assert np.corrcoef(drawn.ravel(), expected.ravel())[0, 1] > 0.985


def centroid(image):
    """(x, y) in half widths from the middle of a square image."""
    y, x = (np.indices(image.shape) + 0.5) * 2 / len(image) - 1
    return np.array([(x * image).sum(), (y * image).sum()]) / image.sum()


# ---------------------------------------------------------------------- what a pose does

@given(angles, shears, st.tuples(coordinates, coordinates), logs, st.tuples(coordinates, coordinates))
def test_to_canonical_is_the_inverse_of_the_convention(angle, shear, shift, scale, point):
    """A point of the canonical picture is strained, turned, magnified, shifted; to_canonical takes it back."""
    moved = pose_matrix(angle, shear) @ point * math.exp(scale) + shift
    back = to_canonical(torch.from_numpy(moved[None]), latents(angle, shear, shift, scale))
    assert back.shape == (1, 1, 2)
    assert back[0, 0].tolist() == pytest.approx(point, abs=1e-9)


@pytest.mark.parametrize("name, value", [("angle", 0.7), ("shear", 0.4), ("shift", (0.3, -0.2)), ("scale", 0.5)])
def test_a_part_that_is_not_there_is_as_if_zero(name, value):
    points, nothing = torch.randn(5, 2, dtype=torch.float64), dict(angle=0.0, shear=0.0, shift=(0.0, 0.0), scale=0.0)
    alone, among_zeros = (to_canonical(points, latents(**parts)) for parts in ({name: value}, nothing | {name: value}))
    assert torch.allclose(alone, among_zeros, atol=1e-12) and not torch.allclose(alone[0], points)
    assert torch.equal(to_canonical(points, latents())[0], points)


def test_each_image_is_seen_in_its_own_pose():
    poses = Latents(torch.zeros(3, 0), angle=torch.tensor([0.1, 2.0, -1.0]), shift=torch.rand(3, 2), scale=torch.rand(3))
    together = to_canonical(torch.randn(7, 2), poses)
    assert together.shape == (3, 7, 2)
    points = torch.randn(7, 2)
    assert torch.allclose(to_canonical(points, poses)[1:2], to_canonical(points, poses[1:2]))


@pytest.mark.parametrize("angle, x, y", [(90, 0, -0.5), (-90, 0, 0.5), (180, -0.5, 0), (30, 0.433, -0.25)])
def test_a_positive_angle_turns_counter_clockwise_on_the_screen(artist, angle, x, y):
    """A spot on the right goes up; y runs down."""
    assert centroid(spot(0.5, 0)) == pytest.approx((0.5, 0))
    assert centroid(draw(artist(spot(0.5, 0)), angle=np.radians(angle))) == pytest.approx((x, y), abs=0.02)


def test_a_positive_shift_moves_right_and_down(artist):
    assert centroid(draw(artist(spot(0.5, 0)), shift=(0.2, 0.1))) == pytest.approx((0.7, 0.1), abs=0.02)


def test_a_picture_is_turned_about_the_middle_and_then_shifted(artist):
    assert centroid(draw(artist(spot(0.5, 0)), angle=np.pi / 2, shift=(0.2, 0.1))) == pytest.approx((0.2, -0.4), abs=0.02)


def test_a_positive_scale_magnifies_by_its_exponential(artist):
    light = [draw(artist(card(SPADE)), scale=scale).sum() for scale in (0.0, math.log(1.3))]
    assert light[1] / light[0] == pytest.approx(1.3**2, rel=0.03)


@pytest.mark.parametrize("suit", range(4))
@pytest.mark.parametrize("pose", [dict(angle=np.radians(30)), dict(shear=np.radians(20)), dict(shift=(0.2, 0.1)),
                                  dict(angle=np.radians(-100), shear=np.radians(-15), shift=(-0.1, 0.15))],
                         ids=["turned", "sheared", "shifted", "all of it"])
def test_a_canonical_card_is_moved_as_the_card_itself_would_be(artist, suit, pose):
    """Decoded and rendered, the same pose is the same picture; and each is far from the unmoved one."""
    drawn = draw(artist(card(suit)), **pose)
    assert_same_picture(drawn, card(suit, **pose))
    assert np.abs(drawn - card(suit)).mean() > 0.03


@pytest.mark.parametrize("cut", [np.s_[3:-3], np.s_[:, 3:-3]], ids=["wide", "tall"])
def test_a_picture_keeps_its_shape_when_it_turns_in_an_image_that_is_not_square(artist, cut):
    drawn = draw(artist(card(HEART)[cut]), angle=np.radians(75))
    assert_same_picture(drawn, card(HEART, np.radians(75))[cut])


@pytest.mark.parametrize("pose", [Pose(rotation=True), Pose(shift=0.3), Pose(scale=0.2), Pose(rotation=True, shift=0.2)])
@pytest.mark.parametrize("shape", [(SIZE, SIZE), (SIZE - 6, SIZE), (SIZE, SIZE - 6)])
def test_a_picture_that_is_not_moved_is_the_canonical_one(artist, pose, shape):
    top, left = (SIZE - shape[0]) // 2, (SIZE - shape[1]) // 2
    picture = card(CLUB)[top:SIZE - top, left:SIZE - left]
    assert_same_picture(draw(artist(picture, pose)), picture)


@pytest.mark.parametrize("pose", [Pose(rotation=True), Pose(shift=0.3), Pose(rotation=True, shift=0.3)])
@pytest.mark.parametrize("shape", [(20, 20), (10, 20), (20, 10)])
def test_the_canvas_reaches_as_far_as_it_is_looked_at_and_not_much_further(pose, shape):
    """From any angle, and a shift of one standard deviation along an axis."""
    poses = Latents(torch.zeros(360, 0), angle=torch.arange(360).deg2rad() if pose.rotation else None,
                    shift=torch.tensor([[0, 1.0], [1.0, 0]]).repeat(180, 1) * pose.shift if pose.shift else None)
    furthest = to_canonical(pixel_grid(*shape).reshape(-1, 2), poses).abs().amax((0, 1)).tolist()   # along x and y
    for looked_at, reach in zip(furthest, pose.reach(shape)):
        assert looked_at <= reach <= 1.2 * looked_at


# ---------------------------------------------------------------------- what is said of it beforehand

def test_true_gives_sensible_widths_and_a_number_is_the_width():
    true, given = Pose(rotation=True, shift=True, scale=True, shear=True), Pose(rotation=1, shift=0.2, scale=0.3, shear=0.4)
    assert true.widths == dict(angle=math.inf, shift=0.1, scale=0.1, shear=0.3)
    assert given.widths == dict(angle=1, shift=0.2, scale=0.3, shear=0.4)


def test_a_part_that_is_false_or_zero_is_no_latent():
    assert Pose(shift=0.2, rotation=False, shear=0, scale=0.0).widths == dict(shift=0.2)


@pytest.mark.parametrize("pose, degrees", [
    (Pose(rotation=True), [0, 45, 90, 135, -180, -135, -90, -45]), (Pose(rotation=1.1), [0, 45, 90, 135, -180, -135, -90, -45]),
    (Pose(rotation=1.0), [0, 45, 90, 135, -135, -90, -45]), (Pose(rotation=0.6), [0, 45, 90, -90, -45]),
    (Pose(rotation=0.3), [0, 45, -45]), (Pose(rotation=0.27), [0, 45, -45]), (Pose(rotation=0.26), [0]),
    (Pose(rotation=0.1), [0]), (Pose(shift=0.2), [0]), (Pose(scale=0.1, shear=True), [0])])
def test_the_encoder_looks_from_as_far_as_three_widths_of_the_angles_prior(pose, degrees):
    assert np.degrees(pose.orientations.numpy()) == pytest.approx(degrees, abs=1e-4)
    model = VAE((8, 8), pose=pose)
    assert torch.equal(model.orientations, pose.orientations) and torch.equal(model.encoder.angles, pose.orientations)


@given(floats(0.27, 3))
def test_an_orientation_weighs_as_much_as_the_prior_of_the_angle_there(width):
    pose = Pose(rotation=width)
    density = Normal(0.0, width).log_prob(pose.orientations)
    assert (pose.log_prior - pose.log_prior[0]).tolist() == pytest.approx((density - density[0]).tolist(), abs=1e-4)
    assert not Pose(rotation=True).log_prior.any() and not Pose(shift=0.1).log_prior.any()


@pytest.mark.parametrize("part", ["rotation", "shift", "scale", "shear"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, 10.5, "0.1", None, (0.1, 0.1)])
def test_a_width_that_is_no_number_within_0_and_10_is_refused_by_name(part, value):
    with pytest.raises(ValueError, match=f"^{part} must be a finite number of at least 0 and at most 10; got"):
        Pose(**{"rotation": True, part: value})


@pytest.mark.parametrize("settings", [dict(), dict(rotation=False, shear=False), dict(rotation=0, shift=0.0, scale=0, shear=0)])
def test_a_pose_of_nothing_is_refused(settings):
    with pytest.raises(ValueError, match=r"^pose must have a part that is not zero, such as Pose\(rotation=True\)"):
        Pose(**settings)


# ---------------------------------------------------------------------- divergences

@given(st.sampled_from(["angle", "scale", "shear"]), floats(0.05, 3), floats(-2, 2), floats(0.001, 2))
def test_the_divergence_of_a_part_is_that_of_two_gaussians(name, width, mean, sd):
    pose = Pose(**{dict(angle="rotation").get(name, name): width})
    mean, sd = torch.tensor([mean], dtype=torch.float64), torch.tensor([sd], dtype=torch.float64)
    expected = kl_divergence(Normal(mean, sd), Normal(0.0, width))
    assert pose.divergence(name, mean, sd).tolist() == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-6)


@given(floats(0.05, 3), st.tuples(coordinates, coordinates), floats(0.001, 2))
def test_the_divergence_of_the_shift_is_that_of_two_coordinates_with_one_spread(width, mean, sd):
    mean, sd = torch.tensor([mean], dtype=torch.float64), torch.tensor([sd], dtype=torch.float64)
    expected = kl_divergence(Normal(mean, sd[:, None]), Normal(0.0, width)).sum(1)
    assert Pose(shift=width).divergence("shift", mean, sd).tolist() == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-6)


@given(angles, floats(0.001, 0.5))
def test_the_divergence_from_the_uniform_circle_is_log_2_pi_minus_the_entropy(angle, sd):
    mean, sd = torch.tensor([angle], dtype=torch.float64), torch.tensor([sd], dtype=torch.float64)
    expected = Uniform(-math.pi, math.pi).entropy() - Normal(mean, sd).entropy()
    assert Pose(rotation=True).divergence("angle", mean, sd).tolist() == pytest.approx(expected.tolist(), rel=1e-5)


# ---------------------------------------------------------------------- angles on the circle

@given(angles, angles)
def test_angles_lie_apart_by_at_most_half_a_turn(a, b):
    between = wrap(torch.tensor(a, dtype=torch.float64) - torch.tensor(b, dtype=torch.float64))
    assert -math.pi <= between <= math.pi
    assert math.remainder(a - b - between, 2 * math.pi) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("angle, nearest", [(0.1, 0), (-0.1, 0), (40, 1), (50, 1), (-50, 7), (179, 4), (-179, 4), (700, 0)])
def test_the_nearest_of_eight_orientations(angle, nearest):
    orientations = VAE((8, 8), pose=Pose(rotation=True)).orientations
    assert nearest_orientation(torch.tensor([math.radians(angle)]), orientations).tolist() == [nearest]
