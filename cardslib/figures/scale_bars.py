"""Scale bars: how long a round length is in an image, below its lower right corner.

Below it, and not in it, a bar is black on white whatever the image shows, and hides no column of a map.
"""
from math import floor, log10

from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from cardslib.validation import check_number

LONGEST = 0.25           # of the image's width: a bar
SMALLEST_PIXEL = 1e-6    # Å
UNITS = ((10_000, "µm"), (10, "nm"), (1, "Å"), (0.01, "pm"))   # in Å, from the largest down: the first not longer than the bar
BELOW = 7                # points from the image's edge to the bar, as far as to a line of small words
THICK, SMALL = 2.5, 7    # points: the bar, and the height of its words
COLOUR = "#000000"


def check_pixel_size(pixel_size):
    """`pixel_size`, or a ValueError: None, or a number of Å."""
    return None if pixel_size is None else check_number("pixel_size", pixel_size, SMALLEST_PIXEL, unit="Å")


def round_length(length):
    """The largest of 1, 2 and 5 times a power of ten that is not longer than a length > 0."""
    power = 10.0 ** floor(log10(length) + 1e-9)   # of a rounded 1000, too
    return power * max(digit for digit in (1, 2, 5) if digit * power <= length * (1 + 1e-9))


def draw_scale_bar(axes, pixel_size):
    """The bar of an image on axes that count its pixels from left to right; its words stand to its left.

    pixel_size  Å; None: the bar is so many pixels long
    """
    left, right = axes.get_xlim()
    length = round_length(LONGEST * (right - left) * (pixel_size or 1))          # Å, or pixels
    pixels = length / (pixel_size or 1)
    below = ScaledTranslation(0, -BELOW / 72, axes.figure.dpi_scale_trans)
    place = blended_transform_factory(axes.transData, axes.transAxes) + below
    axes.add_artist(Line2D([right - pixels, right], [0, 0], transform=place, clip_on=False, color=COLOUR, lw=THICK,
                           solid_capstyle="butt"))
    axes.annotate(_words(length, pixel_size), (right - pixels, 0), (-3, -BELOW), ("data", "axes fraction"), "offset points",
                  ha="right", va="center", fontsize=SMALL, color=COLOUR)


def _words(length, pixel_size):
    """A round length, Å, in the unit in which it is a small number; in pixels if there is no pixel size."""
    if pixel_size is None:
        return f"{length:g} pixel{'s' if length != 1 else ''}"
    size, unit = next(((size, unit) for size, unit in UNITS if size <= length * (1 + 1e-9)), UNITS[-1])
    return f"{length / size:g} {unit}"
