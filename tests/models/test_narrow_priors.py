"""A prior of the angle that is narrow: nothing jumps where the encoder begins to look from more than one orientation."""
from itertools import pairwise

import numpy as np
import pytest
import torch

from cardslib.cards import ORDERS, make_cards
from cardslib.geometry import rotation
from cardslib.metrics import angle_errors
from cardslib.models import VAE, Pose
from cardslib.models.guide import prepare
from cardslib.training import fit

WIDTHS = (0.1, 0.26, 0.27, 0.3, 0.5, 1.0)   # radians: from one orientation, one, three, three, three, seven
SIZE, SMALL = 16, 12                        # pixels; degrees: how far cards are turned
NOISE = 0.1                                 # grey values: so that any of a square's copies may be the likest


@pytest.fixture(scope="module")
def cards():
    return make_cards(60, rotation=SMALL, shear=1, size=SIZE)


@pytest.fixture(scope="module")
def squares():
    """Angles (100,) within ±7°, and noisy pictures of four columns at the corners of a square, alike at every 90°."""
    angle = np.radians(np.linspace(-7, 7, 100))
    corners = rotation(angle) @ (0.45 * np.array([(1, 1, -1, -1), (1, -1, 1, -1)]))                 # (100, 2, 4)
    y, x = (np.indices((SIZE, SIZE)) + 0.5) * 2 / SIZE - 1
    away = (x[..., None] - corners[:, None, None, 0]) ** 2 + (y[..., None] - corners[:, None, None, 1]) ** 2
    noise = np.random.default_rng(0).normal(0, NOISE, (len(angle), SIZE, SIZE))
    return angle, (0.2 + 0.6 * np.exp(-away / (2 * 0.2**2)).max(-1) + noise).clip(0, 1).astype(np.float32)


def learnt(images, width):
    model = VAE((SIZE, SIZE), pose=Pose(rotation=width), hidden=32)
    fit(model, images, progress=False)
    return model


@pytest.fixture(scope="module")
def models(cards):
    """One of each width, trained on the same cards."""
    return {width: learnt(cards.images, width) for width in WIDTHS}


def test_the_bound_changes_smoothly_with_the_width_of_the_prior(models, cards):
    bounds = [models[width].elbo(cards.images).total.mean() for width in WIDTHS]
    assert all(abs(wider - narrower) < 1.5 for narrower, wider in pairwise(bounds)), bounds


@pytest.mark.parametrize("width", WIDTHS)
def test_angles_are_right_and_near_zero_whatever_the_width(models, cards, width):
    angle = models[width].encode(cards.images).angle
    most = 1.5 if width > 0.1 else 2.5   # degrees: a prior of 6° draws cards at 12° towards zero
    assert angle_errors(angle, cards.angle, cards.suit, ORDERS)[:, 0].max() < most
    assert np.abs(np.degrees(angle)).max() < 3 * SMALL


def test_pictures_with_a_symmetry_stay_at_the_copy_that_the_prior_says(squares):
    """Their alignment puts them at any of four copies: at the width of 0.3 that cost 22 nats."""
    angle, images = squares
    one, three = (learnt(images, width) for width in (0.26, 0.3))
    assert abs(one.elbo(images).total.mean() - three.elbo(images).total.mean()) < 1
    assert np.abs(np.degrees(three.encode(images).angle)).max() < 15


def test_an_alignment_that_the_prior_does_not_allow_is_no_guide(squares, cards):
    of_squares, of_cards = (prepare(VAE((SIZE, SIZE), pose=Pose(rotation=0.3)), torch.from_numpy(images))
                            for images in (squares[1], cards.images))
    assert of_squares is None and of_cards.alignment is not None
