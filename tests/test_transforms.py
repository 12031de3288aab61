"""How images are looked at: about the middle of their light, small, turned back."""
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cardslib.cards import render
from cardslib.geometry import rotation
from cardslib.transforms import centroid, crop_side, crops, orientations, pixel_grid, rotated_copies

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


@pytest.mark.parametrize("height, width, side", [(24, 24, 24), (48, 48, 24), (20, 20, 20), (32, 40, 32), (100, 80, 26),
                                                 (1, 1, 1), (49, 49, 24), (8, 1000, 8)])
def test_a_view_is_a_square_of_about_24_pixels_or_less(height, width, side):
    assert crop_side(height, width) == side
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
def test_a_view_is_taken_about_the_centre(size):
    shifted = picture(right=0.25, down=-0.5 / 3, size=size)   # 3 and 2 pixels of the view
    seen = crops(shifted, torch.tensor([[0.25, -0.5 / 3]]))
    assert seen.numpy() == pytest.approx(crops(picture(size=size)).numpy(), abs=0.01)


@pytest.mark.parametrize("cut", [np.s_[:, 4:-4], np.s_[:, :, 4:-4]], ids=["wide", "tall"])
def test_of_an_image_that_is_not_square_the_square_about_the_centre_is_seen(cut):
    card = picture(right=0.125, size=32)[cut]
    centre = torch.tensor([[0.125 * 32 / card.shape[2], 0]])
    assert crops(card, centre)[0].numpy() == pytest.approx(picture(size=32)[0, 4:-4, 4:-4].numpy(), abs=0.01)


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
def test_the_view_of_a_turned_image_is_the_turned_view(size):
    """Or the encoder would not be equivariant: of any image, whether its size divides by that of a view or not."""
    images = torch.rand(2, size, size)
    centre = torch.tensor([[0.3, -0.1]] * 2)
    quarter = torch.from_numpy(rotation(np.pi / 2)).float()
    assert torch.allclose(crops(images.rot90(1, (1, 2))), crops(images).rot90(1, (1, 2)), atol=1e-5)
    assert torch.allclose(crops(images.rot90(1, (1, 2)), centre @ quarter.T), crops(images, centre).rot90(1, (1, 2)), atol=1e-3)
