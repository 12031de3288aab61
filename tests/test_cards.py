"""The cards: what is drawn, where, and by how much it is moved; what a set promises; what is refused."""
from dataclasses import FrozenInstanceError
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from cardslib.cards import ORDERS, SETS, SUITS, Cards, card_set, make_cards, render
from cardslib.geometry import greatest_stretch
from cardslib.outlines import REACH, draw, outline

floats = partial(st.floats, allow_subnormal=False)   # which torch takes for zero
CLUB, SPADE, HEART, DIAMOND = range(4)
suits = st.sampled_from(range(4))
degrees = floats(-180, 180)
shears = floats(-30, 30)   # degrees


def picture(suit, angle=0.0, shear=0.0, right=0.0, down=0.0, size=48):
    """One card; angle and shear in degrees."""
    return render([suit], [np.radians(angle)], [np.radians(shear)], [(right, down)], size)[0]


def centroid(image):
    """(x, y) in pixels from the upper left corner's pixel."""
    y, x = np.indices(image.shape)
    return np.array([(x * image).sum(), (y * image).sum()]) / image.sum()


def second_moments(image):
    """The 2×2 covariance of the light, in pixels²."""
    y, x = np.indices(image.shape)
    apart = np.stack([x.ravel(), y.ravel()]) - centroid(image)[:, None]
    return (apart * image.ravel()) @ apart.T / image.sum()


def tip(image):
    """(x, y) from the middle, in half widths, of the lit pixel furthest from it: of a heart or a spade its tip."""
    y, x = (np.indices(image.shape) + 0.5) * 2 / len(image) - 1
    furthest = np.argmax(np.hypot(x, y) * (image > 0.5))
    return x.flat[furthest], y.flat[furthest]


def overlap(image, other):
    """Intersection over union."""
    return np.minimum(image, other).sum() / np.maximum(image, other).sum()


# ---------------------------------------------------------------------- which way is positive

@pytest.mark.parametrize("angle, x, y", [(0, 0, 1), (90, 1, 0), (180, 0, -1), (-90, -1, 0), (45, 0.5**0.5, 0.5**0.5)])
def test_a_positive_angle_turns_counter_clockwise_on_the_screen(angle, x, y):
    """The heart's tip, which points down, goes to the right, then up, then to the left."""
    assert tip(picture(HEART, angle, size=96)) == pytest.approx((REACH * x, REACH * y), abs=0.04)


@pytest.mark.parametrize("suit", range(4))
def test_ninety_degrees_are_numpys_rot90(suit):
    assert np.abs(picture(suit, 90) - np.rot90(picture(suit))).max() < 2.5 / 255
    assert np.abs(picture(suit, -90) - np.rot90(picture(suit), -1)).max() < 2.5 / 255


@given(suits, floats(-0.2, 0.2), floats(-0.2, 0.2))
def test_a_shift_moves_the_picture_right_and_down_by_half_widths(suit, right, down):
    moved = centroid(picture(suit, right=right, down=down)) - centroid(picture(suit))
    assert moved == pytest.approx((24 * right, 24 * down), abs=0.01)


@given(suits, degrees, shears)
def test_the_pose_moves_the_light_as_its_matrix_says(suit, angle, shear):
    """Second moments go from C to M C Mᵀ, with M written out here: strained first, then turned."""
    cos, sin, t = np.cos(np.radians(angle)), np.sin(np.radians(angle)), np.tan(np.radians(shear))
    moved = np.array([[cos, sin], [-sin, cos]]) @ [[1, -t], [-t, 1 + t * t]]
    expected = moved @ second_moments(picture(suit)) @ moved.T
    assert second_moments(picture(suit, angle, shear)) == pytest.approx(expected, abs=0.5)


@given(suits, degrees, shears)
def test_a_pose_keeps_the_area(suit, angle, shear):
    assert picture(suit, angle, shear).sum() == pytest.approx(picture(suit).sum(), rel=3e-3)


@given(suits, degrees, floats(0, 31), st.sampled_from([-1, 1]), st.sampled_from([-1, 0, 1]), st.sampled_from([-1, 0, 1]))
def test_no_card_is_cut_off_at_the_furthest_legal_shift(suit, angle, shear, sign, right, down):
    """Drawn in a picture twice as wide, with the pixels of the same size, nothing lies outside the picture."""
    furthest = 1 - REACH * greatest_stretch(np.radians(shear))
    make_cards(per_suit=1, rotation=180, shear=shear, shift=furthest - 1e-9, size=8)   # legal: it does not raise
    cos, sin, t = np.cos(np.radians(angle)), np.sin(np.radians(angle)), np.tan(np.radians(sign * shear))
    matrix = np.array([[cos, sin], [-sin, cos]]) @ [[1, -t], [-t, 1 + t * t]]
    wide = draw(outline(SUITS[suit]), matrix[None] / 2, np.array([[right, down]]) * furthest / 2, 96)[0]
    outside = wide.copy()
    outside[24:72, 24:72] = 0
    assert outside.max() == 0
    assert np.abs(wide[24:72, 24:72] / 255 - picture(suit, angle, sign * shear, right * furthest, down * furthest)).max() < 0.01


@given(degrees, floats(-20, 20))
def test_the_lectures_cards_leave_the_border_black(angle, shear):
    for suit in range(4):
        image = picture(suit, angle, shear)
        assert image[[0, -1]].max() == image[:, [0, -1]].max() == 0


# ---------------------------------------------------------------------- the suits

@pytest.mark.parametrize("suit", range(4))
def test_a_suit_is_centred(suit):
    assert centroid(picture(suit)) == pytest.approx((23.5, 23.5), abs=0.04)   # pixels


@pytest.mark.parametrize("name", SUITS)
def test_a_suit_reaches_just_as_far_as_it_may(name):
    points = np.concatenate(outline(name).to_polygons())
    assert np.hypot(*points.T).max() == pytest.approx(REACH)


@pytest.mark.parametrize("suit", range(4))
def test_a_suit_is_its_own_mirror_image(suit):
    assert np.abs(picture(suit) - picture(suit)[:, ::-1]).max() < 2.5 / 255


def test_the_diamond_looks_the_same_after_half_a_turn_and_the_others_do_not():
    assert np.abs(picture(DIAMOND, 180) - picture(DIAMOND)).max() < 2.5 / 255
    for suit in (CLUB, SPADE, HEART):
        assert overlap(picture(suit, 180), picture(suit)) < 0.8


def test_the_spade_is_nearly_the_heart_upside_down():
    upside_down = overlap(picture(HEART, 180, size=96), picture(SPADE, size=96))
    assert 0.75 < upside_down < 0.95
    assert upside_down > overlap(picture(HEART, size=96), picture(SPADE, size=96)) + 0.1


def test_the_heart_points_down_and_the_spade_up():
    assert tip(picture(HEART, size=96))[1] > 0.5
    assert tip(picture(SPADE, size=96))[1] < -0.5


def test_the_four_suits_differ():
    for suit in range(4):
        for other in range(suit):
            assert overlap(picture(suit), picture(other)) < 0.8


def test_edges_are_antialiased():
    image = picture(SPADE)
    assert ((image > 0) & (image < 1)).sum() > 50 and (image == 1).sum() > 200


@pytest.mark.parametrize("suit", range(4))
def test_a_suit_lies_upon_itself_after_a_turn_of_its_symmetry_and_no_smaller_one(suit):
    """At 2, 3, 4 and 6 times a turn: a suit's order is the largest at which hardly a pixel changes."""
    upright = picture(suit, size=96)
    alike = [order for order in (1, 2, 3, 4, 6) if overlap(picture(suit, 360 / order, size=96), upright) > 0.98]
    assert max(alike) == ORDERS[suit] and len(ORDERS) == len(SUITS)


# ---------------------------------------------------------------------- a set of cards

def test_arrays_are_as_the_design_says():
    cards = make_cards(per_suit=5, size=24, shift=0.1)
    made = {name: (array.shape, array.dtype.name) for name, array in vars(cards).items()}
    assert made == dict(images=((20, 24, 24), "float32"), suit=((20,), "int64"), angle=((20,), "float64"),
                        shear=((20,), "float64"), shift=((20, 2), "float64"))
    assert cards.images.min() == 0 and cards.images.max() == 1 and len(cards) == 20


def test_without_arguments_cards_are_48_pixels_wide_and_not_shifted():
    cards = make_cards(per_suit=1)
    assert cards.images.shape == (4, 48, 48) and not cards.shift.any()


def test_suits_are_balanced_and_named_in_order():
    assert SUITS == ("club", "spade", "heart", "diamond")
    assert np.bincount(make_cards(per_suit=7, size=8).suit).tolist() == [7, 7, 7, 7]


def test_each_picture_is_the_suit_in_the_pose_that_is_given_with_it():
    cards = make_cards(per_suit=10, rotation=180, shear=20, shift=0.2, size=24)
    for index in range(len(cards)):
        expected = picture(cards.suit[index], np.degrees(cards.angle[index]), np.degrees(cards.shear[index]),
                           *cards.shift[index], size=24)
        assert np.array_equal(cards.images[index], expected)


def test_the_angle_can_be_read_off_the_pixels():
    """Without the package's own geometry: from the direction of the heart's tip, which at angle 0 points down."""
    hearts = make_cards(per_suit=20, rotation=180, shear=0, size=96)
    hearts = hearts[hearts.suit == HEART]
    seen = [np.degrees(np.arctan2(-y, x)) + 90 for x, y in map(tip, hearts.images)]
    apart = (np.array(seen) - np.degrees(hearts.angle) + 180) % 360 - 180
    assert np.abs(apart).max() < 3


@pytest.mark.parametrize("number, rotation, shear", [(1, 12, 1), (2, 12, 20), (3, 120, 1), (4, 120, 20)])
def test_the_lectures_four_sets_have_their_ranges(number, rotation, shear):
    cards = card_set(number, per_suit=500, size=8)
    assert np.degrees(np.abs(cards.angle).max()) == pytest.approx(rotation, rel=0.01) and not cards.shift.any()
    assert np.degrees(np.abs(cards.shear).max()) == pytest.approx(shear, rel=0.01)
    assert len(SETS) == 4


def test_poses_are_uniform_and_independent_of_each_other_and_of_the_suit():
    cards = make_cards(per_suit=1000, rotation=180, shear=10, shift=0.3, size=8)
    poses = np.column_stack([cards.angle / np.pi, cards.shear / np.radians(10), cards.shift / 0.3])   # each → −1 … 1
    for pose in poses.T:
        assert kstest(pose, "uniform", (-1, 2)).pvalue > 0.01
    related = np.corrcoef(np.column_stack([poses, cards.suit]).T)
    assert np.abs(related - np.eye(5)).max() < 0.05


def test_sets_have_the_same_draws_rescaled():
    first, fourth = card_set(1, per_suit=20, size=8), card_set(4, per_suit=20, size=8)
    assert fourth.angle == pytest.approx(10 * first.angle) and fourth.shear == pytest.approx(20 * first.shear)
    assert np.array_equal(first.suit, fourth.suit)


def test_a_shift_leaves_the_other_draws_alone():
    still, moved = make_cards(per_suit=20, size=8), make_cards(per_suit=20, size=8, shift=0.2)
    assert np.array_equal(still.angle, moved.angle) and np.array_equal(still.shear, moved.shear)
    assert 0.15 < np.abs(moved.shift).max() <= 0.2


def test_a_smaller_set_is_the_beginning_of_a_larger_one():
    small, large = card_set(4, per_suit=5, size=24), card_set(4, per_suit=9, size=24)
    for name, array in vars(small).items():
        assert np.array_equal(array, getattr(large, name)[:20])


def test_the_same_seed_gives_the_same_cards_and_another_seed_others():
    first, again, other = (card_set(4, per_suit=5, size=24, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.angle, other.angle)


def test_cards_leave_the_global_random_numbers_alone():
    np.random.seed(7)   # noqa: NPY002
    make_cards(per_suit=2, size=8)
    after = np.random.uniform()   # noqa: NPY002
    np.random.seed(7)   # noqa: NPY002
    assert after == np.random.uniform()   # noqa: NPY002


# ---------------------------------------------------------------------- fewer cards

@pytest.mark.parametrize("which, rows", [
    (3, [3]), (np.int64(3), [3]), (-1, [19]), (slice(2, 5), [2, 3, 4]), (slice(4, 1, -1), [4, 3, 2]),
    (slice(18, 30), [18, 19]), ([4, 1, 1], [4, 1, 1]),
    ([], []), (np.array([0, -2]), [0, 18]), (np.arange(20) % 4 == 2, [2, 6, 10, 14, 18]), (np.zeros(20, bool), [])])
def test_an_index_picks_the_same_cards_from_every_field(which, rows):
    cards = make_cards(per_suit=5, size=8, shift=0.1)
    fewer = cards[which]
    assert isinstance(fewer, Cards) and len(fewer) == len(rows)
    for name, array in vars(cards).items():
        assert np.array_equal(getattr(fewer, name), array[np.array(rows, int)]), name


@pytest.mark.parametrize("which", [20, -21, [0, 20], np.array([-21]), np.ones(19, bool)])
def test_an_index_past_the_end_is_an_error(which):
    with pytest.raises(IndexError):
        make_cards(per_suit=5, size=8)[which]


def test_fields_cannot_be_replaced_by_accident():
    with pytest.raises(FrozenInstanceError):
        make_cards(per_suit=1, size=8).suit = None


# ---------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("name, value", [
    ("per_suit", 0), ("per_suit", 2.5), ("per_suit", True), ("per_suit", -3),
    ("rotation", -1), ("rotation", 181), ("rotation", np.nan), ("shear", -1), ("shear", 32), ("shear", np.nan),
    ("shift", -0.1), ("shift", 1.1), ("shift", np.nan), ("rotation", None), ("shift", "far"), ("size", 7), ("size", 48.0)])
def test_a_bad_argument_is_named_with_what_came_and_what_would_be_right(name, value):
    with pytest.raises(ValueError, match=rf"^{name} must .*(between|at least) .*got {value!r}"):
        make_cards(**{"per_suit": 1, "size": 8, name: value})


@pytest.mark.parametrize("shear, shift, most", [(0, 0.46, 0.45), (20, 0.22, 0.21), (31, 0.1, 0.01)])
def test_ranges_that_would_cut_cards_off_are_refused_with_the_cure(shear, shift, most):
    with pytest.raises(ValueError, match=rf"^shear={shear} and shift={shift} .*at this shear, shift must be at most {most}$"):
        make_cards(per_suit=1, shear=shear, shift=shift)


@pytest.mark.parametrize("shear, shift", [(0, 0.45), (20, 0.2), (31, 0)])
def test_ranges_that_just_fit_are_accepted(shear, shift):
    assert len(make_cards(per_suit=1, rotation=180, shear=shear, shift=shift, size=8)) == 4


@pytest.mark.parametrize("number", [0, 5, "1", None])
def test_there_are_only_four_sets(number):
    with pytest.raises(ValueError, match=f"^number must be one of the card sets 1, 2, 3, 4; got {number!r}"):
        card_set(number)


@pytest.mark.parametrize("suit, angle", [([4], [0.0]), ([-1], [0.0]), ([0.5], [0.0]), ([0], [np.nan])])
def test_render_refuses_a_suit_or_a_pose_that_does_not_exist(suit, angle):
    with pytest.raises(ValueError, match="^(suit|angle)"):
        render(suit, angle, [0.0], [(0, 0)])
