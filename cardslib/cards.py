"""The cards: four suits turned, strained and shifted by known amounts, so that every picture comes with its truth."""
from dataclasses import dataclass

import numpy as np

from cardslib.geometry import greatest_stretch, pose_matrix
from cardslib.outlines import REACH, draw, outline
from cardslib.records import Record
from cardslib.validation import check_count, check_labels, check_number

SUITS = ("club", "spade", "heart", "diamond")

# Orders of the suits' rotational symmetry: a turn by 360°/order carries a suit onto itself.  A diamond is (x, y) → (-x, -y)
# with its corners, at ±0.74 and ±1, in pairs; they are not equally far from the middle, so a quarter of a turn does not.  The
# stem of club and spade and the tip of the heart point one way only: the three lobes of the club alone would have order 3.
ORDERS = (1, 1, 1, 2)

GREATEST_SHEAR = 31   # degrees: sheared further, a suit would reach over the edge of the picture in some direction

# The lecture's four sets: half range of rotation and of shear, in degrees.
SETS = {1: (12, 1), 2: (12, 20), 3: (120, 1), 4: (120, 20)}


@dataclass(frozen=True)
class Cards(Record):
    """Pictures of cards and how each was made; index it (`cards[:10]`, `cards[cards.suit == 2]`) to get fewer cards.

    images  (n, size, size) float32 in [0, 1]: how much of each pixel the suit covers
    suit    (n,) int64: an index into `SUITS`
    angle   (n,) float64, radians, counter-clockwise on the screen
    shear   (n,) float64, radians, of the symmetric shear in `cardslib.geometry.strain`
    shift   (n, 2) float64: right and down, in half widths of the picture
    """

    images: np.ndarray
    suit: np.ndarray
    angle: np.ndarray
    shear: np.ndarray
    shift: np.ndarray


def make_cards(per_suit=3000, rotation=120, shear=20, shift=0.0, size=48, seed=0):
    """Draw `per_suit` cards of each suit, the suits taking turns, each in a pose of its own.

    Angle, shear and both shifts are uniform, within ±`rotation` degrees (0 … 180), ±`shear` degrees (0 … 31) and ±`shift`
    half widths.  The same `seed` gives the same draws whatever the ranges, rescaled, and a smaller set is the beginning of a
    larger one; so two sets differ only in what was changed.  No card is ever cut off by the edge of the picture: ranges
    that would allow it raise a ValueError.

    Returns `Cards`.  3000 a suit at 48×48 take about a second.
    """
    check_count("per_suit", per_suit)
    check_count("size", size, 8)
    check_count("seed", seed, 0)
    _check_ranges(rotation, shear, shift)
    n = per_suit * len(SUITS)
    draws = np.random.default_rng(seed).uniform(-1, 1, (n, 4))
    suit = np.arange(n) % len(SUITS)
    angle, shears = np.radians(rotation) * draws[:, 0], np.radians(shear) * draws[:, 1]
    shifts = shift * draws[:, 2:]
    images = render(suit, angle, shears, shifts, size)
    return Cards(images, suit, angle, shears, shifts)


def card_set(number, per_suit=3000, size=48, seed=0):
    """The lecture's card set 1, 2, 3 or 4: rotation ±12° (1, 2) or ±120° (3, 4), shear ±1° (1, 3) or ±20° (2, 4)."""
    if isinstance(number, bool) or number not in tuple(SETS):
        raise ValueError(f"number must be one of the card sets 1, 2, 3, 4; got {number!r}")
    rotation, shear = SETS[number]
    return make_cards(per_suit, rotation, shear, 0.0, size, seed)


def render(suit, angle, shear, shift, size=48):
    """Pictures (n, size, size), float32 in [0, 1], of suits (n,) in poses: angles and shears (n,), radians, and shifts (n, 2).

    ValueError for a suit that is no index into `SUITS`, and for a pose that is not finite.
    """
    suit = check_labels(suit, len(suit), len(SUITS), "suit")
    angle, shear, shift = (np.asarray(values, float) for values in (angle, shear, shift))
    if not np.isfinite(angle.sum() + shear.sum() + shift.sum()):
        raise ValueError("angle, shear and shift must be finite; got NaN or infinity")
    matrices = pose_matrix(angle, shear)
    images = np.empty((len(suit), size, size), np.float32)
    for index, name in enumerate(SUITS):
        of_suit = suit == index
        images[of_suit] = draw(outline(name), matrices[of_suit], shift[of_suit], size)
    images /= 255
    return images


def _check_ranges(rotation, shear, shift):
    check_number("rotation", rotation, 0, 180, "degrees")
    check_number("shear", shear, 0, GREATEST_SHEAR, "degrees")
    check_number("shift", shift, 0, 1, "half widths of the picture")
    furthest = REACH * greatest_stretch(np.radians(shear)) + shift
    if furthest > 1:
        raise ValueError(f"shear={shear} and shift={shift} would push cards over the edge of the picture (up to "
                         f"{furthest:.2f} half widths from its middle): at this shear, shift must be at most "
                         f"{1 - furthest + shift:.2f}")
