"""The alignment: it finds the turns and strains between images that no model has seen, whatever is asked of it."""
import numpy as np
import pytest
import torch

from cardslib.cards import SUITS, make_cards
from cardslib.geometry import pose_matrix, rotation, wrap
from cardslib.metrics import angle_error, rank_correlation
from cardslib.similarity import neighbours as module
from cardslib.similarity.alignment import Alignment, align
from cardslib.transforms import pixel_grid

ORDERS = (1, 1, 1, 2)   # a diamond looks the same turned by 180°
SIZE = 24


@pytest.fixture(scope="module")
def turned():
    """400 cards of set 3: rotation ±120°, hardly any shear."""
    return make_cards(100, rotation=120, shear=1, size=SIZE)


@pytest.fixture(scope="module")
def moved():
    """600 cards in any orientation, sheared and shifted."""
    return make_cards(150, rotation=180, shear=20, shift=0.2, size=SIZE)


@pytest.fixture(scope="module")
def of_turned(turned):
    return align(turned.images)


@pytest.fixture(scope="module")
def of_moved(moved):
    return align(moved.images, recentre=True, axis=True)


def errors(aligned, cards, suit, which=slice(None)):
    """Degrees, each image of a suit, modulo its symmetry."""
    chosen = np.flatnonzero(cards.suit == suit)[which]
    return angle_error(aligned.angle[chosen], cards.angle[chosen], ORDERS[suit])


# ---------------------------------------------------------------------- it finds what was done to the cards

@pytest.mark.parametrize("suit", range(4), ids=SUITS)
def test_it_finds_the_angle_within_a_degree(of_turned, turned, suit):
    assert np.median(errors(of_turned, turned, suit)) <= 1


@pytest.mark.parametrize("suit", range(4), ids=SUITS)
def test_it_finds_the_angle_of_sheared_and_shifted_cards_in_any_orientation(of_moved, moved, suit):
    assert np.median(errors(of_moved, moved, suit)) <= 1.5
    assert (errors(of_moved, moved, suit) < 10).mean() > 0.98


@pytest.mark.parametrize("suit", range(4), ids=SUITS)
def test_its_angles_run_counter_clockwise(of_turned, turned, suit):
    """angle_error leaves the sense free; a convention does not."""
    order = ORDERS[suit]
    off = order * (of_turned.angle - turned.angle)[turned.suit == suit]
    assert np.degrees(np.abs(wrap(off - np.angle(np.exp(1j * off).mean())))).mean() <= 2 * order


@pytest.mark.parametrize("suit", range(4), ids=SUITS)
def test_it_finds_the_shear(of_moved, moved, suit):
    found, true = of_moved.shear[moved.suit == suit], moved.shear[moved.suit == suit]
    assert abs(rank_correlation(found, true)) >= 0.99
    assert 0.8 < found.std() / true.std() < 1.1
    assert abs(found.mean()) < np.radians(2)


@pytest.mark.parametrize("suit", range(4), ids=SUITS)
def test_along_the_axis_angle_and_shear_are_the_pose_but_for_quarters(of_moved, moved, suit):
    """The zero is that in which the strain is `geometry.strain`: upright, or turned by quarters, and then sheared backwards."""
    chosen = moved.suit == suit
    found = pose_matrix(of_moved.angle, of_moved.shear)[chosen]
    true = pose_matrix(moved.angle, moved.shear)[chosen]
    off = np.stack([np.abs(found - true @ rotation(quarters * np.pi / 2)).max((1, 2)) for quarters in range(4)])   # (4, n)
    if ORDERS[suit] == 2:
        off = np.minimum(off[:2], off[2:])
    assert min(np.median(off, 1)) < 0.1 and sorted(np.median(off, 1))[1] > 0.5


def test_it_finds_the_shift(of_moved, moved):
    assert np.abs(of_moved.centre - moved.shift).max() < 0.01


def test_it_finds_no_scale_where_there_is_none(of_moved, of_turned):
    assert np.abs(of_moved.scale).max() < 0.02 and np.abs(of_turned.scale).max() < 0.02


def test_it_finds_the_scale(turned):
    """Hearts cut out by up to 15 % larger or smaller."""
    hearts = make_cards(120, rotation=120, shear=0, size=48, seed=3)
    hearts = hearts[hearts.suit == 2]
    logs = np.random.default_rng(0).uniform(-0.15, 0.15, len(hearts))
    grid = pixel_grid(48, 48) * torch.from_numpy(np.exp(-logs)).float()[:, None, None, None]
    images = torch.nn.functional.grid_sample(torch.from_numpy(hearts.images)[:, None], grid, align_corners=False)[:, 0]
    found = align(images)
    assert np.corrcoef(found.scale, logs)[0, 1] > 0.97 and 0.8 < found.scale.std() / logs.std() < 1.2
    assert np.median(angle_error(found.angle, hearts.angle)) < 1


@pytest.mark.parametrize("aligned, cards", [("of_turned", "turned"), ("of_moved", "moved")])
def test_its_components_are_the_suits(request, aligned, cards):
    component, suit = request.getfixturevalue(aligned).component, request.getfixturevalue(cards).suit
    assert component.dtype == np.int64 and sorted(set(component)) == [0, 1, 2, 3]
    assert len(set(zip(component, suit))) == 4


def test_each_component_has_its_zeros_at_its_means(of_turned, of_moved):
    for one in range(4):
        chosen = of_turned.component == one
        assert np.angle(np.exp(1j * of_turned.angle[chosen]).mean()) == pytest.approx(0, abs=1e-6)
        assert np.tan(of_turned.shear[chosen]).mean() == pytest.approx(0, abs=1e-6)
        assert of_moved.scale[of_moved.component == one].mean() == pytest.approx(0, abs=1e-6)


def test_its_numbers_are_finite_and_within_half_a_turn(of_turned, of_moved):
    for aligned in (of_turned, of_moved):
        assert all(np.isfinite(values).all() for values in vars(aligned).values())
        assert np.abs(aligned.angle).max() <= np.pi


def test_without_recentring_images_are_turned_about_the_middle_of_the_picture(of_turned):
    assert not of_turned.centre.any() and of_turned.centre.shape == (400, 2)


# ---------------------------------------------------------------------- it depends on nothing that it should not

@pytest.mark.parametrize("suit", range(3), ids=SUITS[:3])
def test_images_turned_by_a_quarter_come_out_a_quarter_further(of_turned, turned, suit):
    """Every other card."""
    every_other = np.arange(len(turned)) // 4 % 2 == 1
    images = np.where(every_other[:, None, None], np.rot90(turned.images, axes=(1, 2)), turned.images)
    expected = of_turned.angle + np.pi / 2 * every_other
    off = (align(images).angle - expected)[turned.suit == suit]
    assert np.abs(wrap(off - off[0])).max() < 0.01


@pytest.mark.parametrize("suit", range(3), ids=SUITS[:3])
def test_the_order_of_the_images_does_not_matter(of_moved, moved, suit):
    order = np.random.default_rng(0).permutation(len(moved))
    shuffled = align(moved.images[order], recentre=True, axis=True)
    off = (shuffled.angle - of_moved.angle[order])[moved.suit[order] == suit]
    assert np.abs(wrap(off - off[0])).max() < 0.01


@pytest.mark.parametrize("black, white", [(0, 0.3), (0.5, 1), (0.9, 0.2), (1, 0)])
def test_brightness_background_and_sign_do_not_matter(of_moved, moved, black, white):
    aligned = align(black + (white - black) * moved.images, recentre=True, axis=True)
    assert np.array_equal(aligned.component, of_moved.component)
    assert np.abs(wrap(aligned.angle - of_moved.angle)).max() < 0.01
    assert np.abs(aligned.shear - of_moved.shear).max() < 0.01


def test_the_same_images_give_the_same_answer(of_turned, turned):
    again = align(turned.images)
    assert all(np.array_equal(values, getattr(again, name)) for name, values in vars(of_turned).items())


@pytest.mark.parametrize("graph", [80, 200])
def test_images_beyond_the_graph_are_as_well_aligned_as_those_in_it(moved, monkeypatch, graph):
    monkeypatch.setattr(module, "NODES", graph)
    aligned = align(moved.images, recentre=True, axis=True)
    assert len(set(zip(aligned.component, moved.suit))) == 4
    for suit in range(4):
        beyond = errors(aligned, moved, suit, slice(graph // 4, None))
        assert np.median(beyond) <= 1.5 and (beyond < 10).mean() > 0.95
        chosen = moved.suit == suit
        assert abs(rank_correlation(aligned.shear[chosen], moved.shear[chosen])) >= 0.99
        assert aligned.shear[chosen].std() / moved.shear[chosen].std() == pytest.approx(0.9, abs=0.15)


@pytest.mark.parametrize("cut", [np.s_[:, 3:-3], np.s_[:, :, 3:-3]], ids=["wide", "tall"])
def test_images_need_not_be_square(cut):
    cards = make_cards(60, rotation=120, shear=1, shift=0.1, size=32)
    images = cards.images[cut]
    aligned = align(images, recentre=True)
    assert max(np.median(errors(aligned, cards, suit)) for suit in range(4)) <= 1
    assert np.abs(aligned.centre - cards.shift * 32 / images.shape[2]).max() < 0.01


def dumbbells(angles, height, width):
    """A bright disc in the middle and a spot at either end, one brighter, that show how it is turned: (n, height, width)."""
    y, x = np.indices((height, width))
    pixels = np.stack([x - (width - 1) / 2, y - (height - 1) / 2], -1)                # (height, width, 2)
    end = 0.85 * np.array([width / 2, 0] if width > height else [0, height / 2])
    ends = (rotation(angles) @ end)[:, None, None]                                # (n, 1, 1, 2)

    def light(centre, width):
        return np.exp(-((pixels - centre) ** 2).sum(-1) / (2 * width**2))

    return np.clip(light(0, 4) + light(ends, 2) + 0.5 * light(-ends, 2), 0, 1)


@pytest.mark.parametrize("height, width", [(31, 47), (47, 31)])
def test_a_turn_that_only_the_ends_of_long_images_show_is_found(height, width):
    """Nearly all of the spots lies outside the square in the middle, 31×31."""
    angles = np.random.default_rng(0).uniform(-0.5, 0.5, 40)
    found = align(dumbbells(angles, height, width))
    assert found.component.tolist() == [0] * 40
    assert np.degrees(np.abs(found.angle - (angles - angles.mean()))).max() < 1


def test_large_images_are_aligned_as_small_ones_are():
    cards = make_cards(60, rotation=120, shear=1, size=73)
    aligned = align(cards.images)
    assert max(np.median(errors(aligned, cards, suit)) for suit in range(4)) <= 1


# ---------------------------------------------------------------------- few images, odd images

def test_two_images_are_aligned_with_each_other(turned):
    spades = turned[turned.suit == 1][:2]
    aligned = align(spades.images)
    assert wrap(np.diff(aligned.angle) - np.diff(spades.angle)) == pytest.approx(0, abs=np.radians(1))
    assert aligned.angle.sum() == pytest.approx(0, abs=1e-9) and aligned.component.tolist() == [0, 0]


@pytest.mark.parametrize("recentre", [False, True])
@pytest.mark.parametrize("grey", [0, 0.5, 1])
def test_an_even_image_among_cards_spoils_nothing(turned, of_turned, recentre, grey):
    images = turned.images.copy()
    images[5] = grey
    aligned = align(images, recentre, axis=recentre)
    assert all(np.isfinite(values).all() for values in vars(aligned).values())
    others = np.flatnonzero(np.arange(len(images)) != 5)
    assert max(np.median(errors(aligned[others], turned[others], suit)) for suit in range(4)) <= 1


NOISE = np.random.default_rng(0).uniform(size=(9, 5, 40))


@pytest.mark.parametrize("images", [np.zeros((5, 12, 12)), np.full((3, 1, 1), 0.5), NOISE, NOISE[:2, :2, :3]],
                         ids=["black", "a pixel", "noise", "tiny"])
def test_images_without_an_answer_get_a_finite_one(images):
    aligned = align(images, recentre=True, axis=True)
    assert len(aligned) == len(images) and all(np.isfinite(values).all() for values in vars(aligned).values())


def test_the_same_image_many_times_has_one_angle(turned):
    assert np.ptp(align(np.repeat(turned.images[:1], 6, 0)).angle) < 1e-6


@pytest.mark.parametrize("change, words", [
    (lambda images: images[:1], "must be at least two, .*got one"), (lambda images: images[0], r"use images\[None\]"),
    (lambda images: np.where(images > 0.5, np.nan, images), "must be finite"),
    (lambda images: (images * 255).astype(np.uint8), "use images / 255"), (lambda images: images * 2, r"must lie in \[0, 1\]"),
    (lambda images: images[:0], "at least one image")], ids=["one", "a single one", "NaN", "bytes", "too bright", "none"])
def test_wrong_images_are_refused_with_a_cure(turned, change, words):
    with pytest.raises(ValueError, match=f"^images must .*{words}|^images {words}"):
        align(change(turned.images))


# ---------------------------------------------------------------------- what it gives

@pytest.mark.parametrize("which, rows", [
    (3, [3]), (-1, [599]), (slice(2, 5), [2, 3, 4]), (slice(4, 1, -1), [4, 3, 2]),
    (slice(598, 700), [598, 599]), ([4, 1, 1], [4, 1, 1]), ([], []),
    (np.array([0, -2]), [0, 598]), (np.arange(600) % 200 == 7, [7, 207, 407]), (np.zeros(600, bool), [])])
def test_an_index_picks_the_same_images_from_every_field(of_moved, which, rows):
    fewer = of_moved[which]
    assert isinstance(fewer, Alignment) and len(fewer) == len(rows)
    for name, values in vars(of_moved).items():
        assert np.array_equal(getattr(fewer, name), values[np.array(rows, int)]), name


@pytest.mark.parametrize("which", [600, -601, [0, 600], np.array([-601]), np.ones(599, bool)])
def test_an_index_past_the_end_is_an_error(of_moved, which):
    with pytest.raises(IndexError):
        of_moved[which]


def test_an_alignment_can_be_turned_into_tensors(of_moved):
    tensors = of_moved[[3, 1]].tensors("cpu")
    for name, values in vars(of_moved[[3, 1]]).items():
        dtype = torch.int64 if name == "component" else torch.float32
        assert getattr(tensors, name).dtype == dtype and getattr(tensors, name).numpy() == pytest.approx(values, abs=1e-6)
