"""The conventions: which way is positive, and what a pose is."""
from functools import partial

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cardslib.geometry import greatest_stretch, inside, polar_angle, pose_matrix, rotation, strain, wrap

floats = partial(st.floats, allow_subnormal=False)   # which torch takes for zero
angles = floats(-4 * np.pi, 4 * np.pi)
shears = floats(-np.pi / 4, np.pi / 4)


def near(a, b):
    return np.allclose(a, b, atol=1e-12)


def test_a_positive_rotation_takes_a_point_on_the_right_up_the_screen():
    right, up = (1, 0), (0, -1)   # y runs down
    assert near(rotation(np.pi / 2) @ right, up)
    x, y = rotation(0.1) @ right
    assert x > 0 and y < 0


@given(angles, angles)
def test_two_rotations_in_turn_are_one_by_the_sum(a, b):
    assert near(rotation(a) @ rotation(b), rotation(a + b))


@given(angles)
def test_a_rotation_is_undone_by_its_negative(angle):
    assert near(rotation(angle) @ rotation(-angle), np.eye(2))


@given(angles)
def test_a_rotation_keeps_lengths_and_handedness(angle):
    assert near(rotation(angle).T @ rotation(angle), np.eye(2))
    assert near(np.linalg.det(rotation(angle)), 1)


@given(shears)
def test_a_strain_is_the_symmetric_matrix_of_the_design(shear):
    t = np.tan(shear)
    assert near(strain(shear), [[1, -t], [-t, 1 + t * t]])


@given(shears)
def test_a_strain_keeps_the_area_and_holds_no_rotation(shear):
    assert near(np.linalg.det(strain(shear)), 1)
    assert near(strain(shear), strain(shear).T)
    assert (np.linalg.eigvalsh(strain(shear)) > 0).all()   # symmetric and positive: the polar decomposition's rotation is 1


@given(shears)
def test_the_opposite_strain_is_the_mirror_image(shear):
    mirror = np.diag([-1, 1])
    assert near(strain(-shear), mirror @ strain(shear) @ mirror)


@given(shears)
def test_a_strain_is_undone_by_the_same_strain_a_quarter_turn_further(shear):
    turned = rotation(np.pi / 2) @ strain(shear) @ rotation(-np.pi / 2)
    assert near(turned @ strain(shear), np.eye(2))


@given(floats(0.01, np.pi / 4))
def test_a_positive_shear_stretches_from_the_lower_left_to_the_upper_right(shear):
    to_upper_right, to_lower_right = np.array([1, -1]), np.array([1, 1])
    assert np.linalg.norm(strain(shear) @ to_upper_right) > np.sqrt(2) > np.linalg.norm(strain(shear) @ to_lower_right)


@given(shears, angles)
def test_nothing_is_stretched_more_than_greatest_stretch_says(shear, direction):
    point = np.array([np.cos(direction), np.sin(direction)])
    assert np.linalg.norm(strain(shear) @ point) <= greatest_stretch(shear) + 1e-12
    assert near(greatest_stretch(shear), np.linalg.norm(strain(shear), 2))


@given(angles, shears)
def test_a_pose_strains_first_and_then_turns(angle, shear):
    point = np.array([0.3, -0.2])
    assert near(pose_matrix(angle, shear) @ point, rotation(angle) @ (strain(shear) @ point))


def test_many_poses_at_once_are_each_as_if_alone():
    angle, shear = np.linspace(-3, 3, 12).reshape(3, 4), np.linspace(-0.5, 0.5, 12).reshape(3, 4)
    together = pose_matrix(angle, shear)
    assert together.shape == (3, 4, 2, 2)
    assert near(together[2, 1], pose_matrix(angle[2, 1], shear[2, 1]))


@given(angles, shears)
def test_the_polar_angle_of_a_pose_is_its_angle_whatever_the_strain(angle, shear):
    assert abs(wrap(polar_angle(pose_matrix(angle, shear)) - angle)) < 1e-9
    assert abs(polar_angle(strain(shear))) < 1e-12   # a strain is no turn


def test_points_on_the_edge_of_a_rectangle_lie_inside():
    points = np.array([[[0, 0], [2, 1]], [[2.1, 0], [1, -0.1]]])
    assert inside(points, 0, (2, 1)).tolist() == [[True, True], [False, False]]
