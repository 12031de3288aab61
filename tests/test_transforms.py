"""The conventions on tensors, and how images are looked at: about the middle of their light, small, turned back."""
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cardslib.cards import render
from cardslib.geometry import pose_matrix, rotation, wrap
from cardslib.models import Latents
from cardslib.transforms import centroid, crops, orientations, pixel_grid, rotated_copies, to_canonical
from cardslib.transforms import rotation as rotation_of_tensors

floats = partial(st.floats, allow_subnormal=False)   # which torch takes for zero
suits = st.sampled_from(range(4))
shifts = floats(-0.3, 0.3)


def picture(suit=2, angle=0.0, right=0.0, down=0.0, size=24):
    """One card, (1, size, size); angle in degrees."""
    return torch.from_numpy(render([suit], [np.radians(angle)], [0], [(right, down)], size))


def test_pixels_run_right_and_down_in_half_widths_of_the_image():
    points = pixel_grid(2, 4)
    assert points.shape == (2, 4, 2)
    assert points[0, :, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert points[:, 0, 1].tolist() == [-0.25, 0.25]   # half as high as wide


@given(suits, shifts, shifts)
def test_the_middle_of_a_card_moves_with_it(suit, right, down):
    moved = centroid(picture(suit, right=right, down=down)) - centroid(picture(suit))
    assert moved[0].tolist() == pytest.approx([right, down], abs=2e-3)


def test_the_middle_is_in_half_widths_even_of_an_image_that_is_not_square():
    card = picture(right=0.2, down=0.1, size=32)
    assert centroid(card[:, 4:-4]) == pytest.approx(centroid(card), abs=1e-5)
    assert centroid(card[:, :, 4:-4]) == pytest.approx(centroid(card) * 32 / 24, abs=1e-5)


@given(floats(0.05, 1), floats(0, 0.9))
def test_the_middle_knows_no_brightness_and_no_background(contrast, background):
    card = picture(right=0.2, down=-0.1)
    expected = pytest.approx(centroid(card)[0].numpy(), abs=1e-4)
    assert centroid(background + (1 - background) * contrast * card)[0].tolist() == expected
    assert centroid(1 - contrast * card)[0].tolist() == expected   # dark on light


def test_the_middle_of_an_even_image_is_its_own():
    assert centroid(torch.full((2, 8, 8), 0.5)).tolist() == [[0, 0]] * 2


@pytest.mark.parametrize("height, width, side", [(24, 24, 24), (48, 48, 24), (20, 20, 20), (32, 40, 20), (100, 80, 25),
                                                 (1, 1, 1), (49, 49, 24), (8, 1000, 23), (1, 128, 25), (31, 47, 23)])
def test_a_crop_is_a_square_of_about_24_pixels_or_a_little_more(height, width, side):
    assert crops(torch.zeros(2, height, width)).shape == (2, side, side)
    assert crops(torch.zeros(2, height, width), torch.zeros(2, 2)).shape == (2, side, side)


def test_a_small_square_image_is_seen_as_it_is():
    assert torch.equal(crops(picture()), picture())
    assert crops(picture(), torch.zeros(1, 2)).numpy() == pytest.approx(picture().numpy(), abs=1e-6)


def test_a_larger_image_is_averaged_down():
    card = picture(size=48)
    assert torch.allclose(crops(card)[0, 5, 7], card[0, 10:12, 14:16].mean())
    assert crops(card).numpy() == pytest.approx(picture(size=24).numpy(), abs=0.1)


@pytest.mark.parametrize("size", [24, 48, 72])
def test_a_crop_is_taken_about_the_centre(size):
    shifted = picture(right=0.25, down=-0.5 / 3, size=size)   # 3 and 2 pixels of the crop
    seen = crops(shifted, torch.tensor([[0.25, -0.5 / 3]]))
    assert seen.numpy() == pytest.approx(crops(picture(size=size)).numpy(), abs=0.01)


@pytest.mark.parametrize("cut", [np.s_[:, 4:-4], np.s_[:, :, 4:-4]], ids=["wide", "tall"])
def test_of_an_image_that_is_not_square_a_square_is_seen_that_holds_it_all(cut):
    """Beyond the edge as at the edge, which is black here: the card in the middle of a square as wide as the longer side."""
    card = picture(size=24)[cut]
    assert crops(card)[0].numpy() == pytest.approx(picture(size=24)[0].numpy(), abs=0.01)
    moved = picture(right=1 / 12, size=24)[cut]   # one pixel
    centre = torch.tensor([[1 / (moved.shape[2] / 2), 0]])
    assert crops(moved, centre)[0].numpy() == pytest.approx(picture(size=24)[0].numpy(), abs=0.01)


@pytest.mark.parametrize("shape", [(1, 128), (24, 96), (31, 47), (48, 48), (128, 1), (96, 24), (47, 31)])
@pytest.mark.parametrize("centre", [None, torch.zeros(1, 2)], ids=["as it is", "about a centre"])
def test_a_crop_shows_every_pixel_of_an_image_of_any_shape(shape, centre):
    images = torch.rand(1, *shape, requires_grad=True)
    crops(images, centre).sum().backward()
    assert (images.grad > 0).all()


@given(suits, st.integers(0, 3))
def test_turned_back_by_quarters_is_numpys_rot90(suit, quarters):
    """geometry.rotation(90°) is rot90, so back is rot90 clockwise."""
    card = picture(suit)
    back = rotated_copies(card, torch.tensor([quarters * np.pi / 2]).float()).reshape(24, 24)
    inside = (pixel_grid(24, 24).norm(dim=2) < 1).numpy()
    assert back.numpy() == pytest.approx(np.rot90(card[0], -quarters) * inside, abs=1e-5)


@given(suits, floats(-180, 180))
def test_a_card_turned_back_by_its_angle_stands_upright(suit, angle):
    back = rotated_copies(picture(suit, angle), torch.tensor([np.radians(angle)]).float()).reshape(24, 24)
    assert (back - picture(suit)[0]).abs().mean() < 0.03


def test_every_picture_is_turned_by_every_angle():
    cards = torch.cat([picture(0), picture(1)])
    together = rotated_copies(cards, torch.tensor([0.3, -1.0, 2.0]))
    assert together.shape == (2, 3, 24 * 24)
    assert torch.equal(together[1, 2], rotated_copies(cards[1:], torch.tensor([2.0]))[0, 0])


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_orientations_divide_the_circle_from_zero_on(count):
    angles = orientations(count).numpy()
    assert angles[0] == 0 and len(angles) == count and (np.abs(angles) <= np.float32(np.pi)).all()
    steps = rotation(np.roll(angles, -1) - angles)
    assert steps == pytest.approx(np.broadcast_to(rotation(2 * np.pi / count), steps.shape), abs=1e-6)


@pytest.mark.parametrize("size", [24, 25, 37, 48, 49, 71, 100])
def test_the_crop_of_a_turned_image_is_the_turned_crop(size):
    """Or the encoder would not be equivariant: of any image, whether its size divides by that of a crop or not."""
    images = torch.rand(2, size, size)
    centre = torch.tensor([[0.3, -0.1]] * 2)
    quarter = torch.from_numpy(rotation(np.pi / 2)).float()
    assert torch.allclose(crops(images.rot90(1, (1, 2))), crops(images).rot90(1, (1, 2)), atol=1e-5)
    assert torch.allclose(crops(images.rot90(1, (1, 2)), centre @ quarter.T), crops(images, centre).rot90(1, (1, 2)), atol=1e-3)


# ---------------------------------------------------------------------- the same conventions as in geometry.py

angles, shears = floats(-7, 7), floats(-0.7, 0.7)


@given(angles)
def test_a_rotation_of_tensors_is_that_of_arrays(angle):
    assert rotation_of_tensors(torch.tensor(angle, dtype=torch.float64)).numpy() == pytest.approx(rotation(angle), abs=1e-12)


@given(angles, shears, floats(-0.5, 0.5), shifts, shifts)
def test_to_the_canonical_picture_is_the_way_back_of_geometrys_pose(angle, shear, scale, right, down):
    """Points of the canonical picture, moved as geometry.py says, are brought back to where they were."""
    points = np.random.default_rng(0).uniform(-1, 1, (6, 2))
    moved = points @ pose_matrix(angle, shear).T * np.exp(scale) + (right, down)
    pose = Latents(torch.zeros(1, 0), angle=torch.tensor([angle]), shear=torch.tensor([shear]), scale=torch.tensor([scale]),
                   shift=torch.tensor([[right, down]]))
    pose = pose.map(lambda values: values.double())
    assert to_canonical(torch.from_numpy(moved), pose)[0].numpy() == pytest.approx(points, abs=1e-6)


@given(angles)
def test_angles_are_wrapped_alike_as_numbers_arrays_and_tensors(angle):
    wrapped = wrap(angle)
    assert -np.pi <= wrapped <= np.pi and np.cos(wrapped) == pytest.approx(np.cos(angle), abs=1e-9)
    assert np.sin(wrapped) == pytest.approx(np.sin(angle), abs=1e-9)
    assert wrap(np.array([angle]))[0] == wrap(torch.tensor([angle], dtype=torch.float64)).item() == wrapped
