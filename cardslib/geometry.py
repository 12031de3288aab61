"""The one page of conventions: coordinates, signs, and how a pose moves a picture.

Coordinates are those of the screen, in units of half the image width: x runs right from -1 to 1, y runs *down* from
-1 to 1, and (0, 0) is the middle of the picture.  Angles are in radians.  A picture is moved by mapping each of its
points p to

    rotation(angle) @ strain(shear) @ p  +  shift

in this order: strained first, then turned, then shifted.
"""
import numpy as np


def rotation(angle):
    """Matrix, (..., 2, 2), that turns points counter-clockwise *as seen on the screen* by `angle` (radians, any shape).

    Because y runs down, the signs are those of a clockwise turn in a textbook's plane.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)


def strain(shear):
    """Matrix, (..., 2, 2), of the symmetric shear [[1, -t], [-t, 1 + t²]] with t = tan(shear); `shear` in radians.

    The form of kornia's `get_shear_matrix2d` with equal angles.  The matrix is symmetric with determinant 1: it stretches
    along one axis, squeezes along the other, keeps the area, and holds no rotation.  (The one-axis shear of a pack of
    cards, [[1, t], [0, 1]], does hold one: with it, angle and shear could not be told apart.)
    """
    t = np.tan(shear)
    one = np.ones_like(t)
    return np.stack([np.stack([one, -t], -1), np.stack([-t, 1 + t**2], -1)], -2)


def pose_matrix(angle, shear):
    """Matrix, (..., 2, 2), of a pose: `rotation(angle) @ strain(shear)`."""
    return rotation(angle) @ strain(shear)


def greatest_stretch(shear):
    """By how much `strain(shear)` lengthens the direction that it lengthens most (≥ 1): its larger eigenvalue."""
    half_trace = 1 + np.tan(shear) ** 2 / 2
    return half_trace + np.sqrt(half_trace**2 - 1)


def polar_angle(matrix):
    """Angle, radians, (...,), of the rotation in matrices (..., 2, 2): M = rotation(angle) @ stretch (polar decomposition)."""
    return np.arctan2(matrix[..., 0, 1] - matrix[..., 1, 0], matrix[..., 0, 0] + matrix[..., 1, 1])


def wrap(angle):
    """The same angle within -π … π: a number, an array or a tensor, radians."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def inside(points, low, high):
    """Which points (..., 2) lie in the rectangle from `low` to `high`, x and y each, its edges included: (...,) bool."""
    return ((points >= low) & (points <= high)).all(-1)
