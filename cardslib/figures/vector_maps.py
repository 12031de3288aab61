"""Arrows on an image of atoms: a vector at each column, such as its displacement, coloured by its direction.

Displacements are a few picometres where columns stand a few ångström apart, so arrows are drawn many times as long as they
are; a rosette beside the image says how long that is, and which colour is which direction.
"""
import numpy as np
from matplotlib import colormaps
from scipy.spatial import cKDTree

from cardslib.figures.scale_bars import check_pixel_size, draw_scale_bar, round_length
from cardslib.figures.style import ANGLES, Figure, styled
from cardslib.validation import check_images

USUAL = 0.9          # quantile of the lengths, which is drawn ...
LONG = 0.8           # ... as long as this share of the way from an arrow to the next
THICK = 0.11         # of the same way: an arrow's shaft
PALE = 0.6           # the image's darkest grey, so that arrows stand out
GREYS = 6            # of the image, so that its noise is cheap to save
ROSETTE = 16         # directions in the key
KEY = 1.15           # inches for it
BAR = 0.2            # inches for the scale bar
HEAD = 3             # times as wide as the shaft: an arrow's head
ARROW = dict(angles="xy", units="xy", scale_units="xy", scale=1, headwidth=HEAD, headlength=3.5, headaxislength=3,
             edgecolor="#000000", linewidth=0.3)


@styled
def arrows(image, position, vectors, alt, pixel_size=None, region=None, width=7.4):
    """Figure of an image (h, w), [0, 1], with an arrow in the middle of each column, many times as long as its vector.

    position    (n, 2) of the columns, x and y in pixels
    vectors     (n, 2) x and y in pixels, such as displacements; NaN where there is none
    pixel_size  Å: the lengths of vectors are then in picometres, and the scale bar is in nanometres; else both in pixels
    region      (left, top, right, bottom) in pixels: the part of the image that is shown; by default all of it

    Colours are cyclic and tell directions.  Arrows twice as long as usual and longer reach over their neighbours.
    """
    image, (position, vectors) = check_images(np.asarray(image)[None], name="image")[0], _checked(position, vectors)
    pixel_size = check_pixel_size(pixel_size)
    x0, y0, x1, y1 = region or (0, 0, *np.shape(image)[::-1])
    shown = np.isfinite(vectors).all(1) & ((position >= (x0, y0)) & (position < (x1, y1))).all(1)
    if not shown.any():
        raise ValueError(f"vectors must be finite at some column in the region; got {len(vectors)}, all NaN or outside")
    position, vectors = position[shown], vectors[shown]
    usual, apart = np.quantile(np.hypot(*vectors.T), USUAL), _apart(position)
    enlarged = LONG * apart / usual if usual else 1.0
    figure = Figure(width, (width - KEY) * (y1 - y0) / (x1 - x0) + 0.1 + BAR, alt)
    axes, key = figure.subplots(1, 2, width_ratios=(width - KEY, KEY))
    axes.imshow(PALE + (1 - PALE) * np.round(image * GREYS) / GREYS, cmap="gray", vmin=0, vmax=1)
    axes.set(xlim=(x0 - 0.5, x1 - 0.5), ylim=(y1 - 0.5, y0 - 0.5))
    axes.set_axis_off()
    draw_scale_bar(axes, pixel_size)
    drawn = _draw_arrows(axes, position, enlarged * vectors, THICK * apart)
    head = HEAD / 2 * THICK * apart * (width - KEY) / (x1 - x0)                          # inches from its axis to its edge
    _draw_key(key, drawn, enlarged, usual, pixel_size, head)
    return figure


def _checked(position, vectors):
    """Both as floats (n, 2), or a ValueError."""
    position, vectors = np.asarray(position, float), np.asarray(vectors, float)
    if position.ndim != 2 or position.shape[1] != 2 or not np.isfinite(position).all():
        raise ValueError(f"position must be (n, 2) finite numbers, x and y in pixels; got {position.shape}")
    if vectors.shape != position.shape:
        raise ValueError(f"vectors must be (n, 2), one a column, {position.shape}; got {vectors.shape}")
    return position, vectors


def _apart(position):
    """The usual way from an arrow to the next, pixels; of a single one, one pixel."""
    return np.median(cKDTree(position).query(position, 2)[0][:, 1]) if len(position) > 1 else 1.0


def _colours(vectors):
    """Of directions of vectors (n, 2): the angle counter-clockwise on the screen, from -π to π."""
    return colormaps[ANGLES](np.arctan2(-vectors[:, 1], vectors[:, 0]) / (2 * np.pi) + 0.5)


def _draw_arrows(axes, position, vectors, thick):
    """Arrows (n, 2), their middle at position (n, 2)."""
    return axes.quiver(*position.T, *vectors.T, color=_colours(vectors), pivot="mid", width=thick, **ARROW)


def _draw_key(axes, drawn, enlarged, usual, pixel_size, head):
    """The rosette of directions, and below it an arrow of a round length, with that length."""
    angle = 2 * np.pi * np.arange(ROSETTE) / ROSETTE
    directions = np.stack([np.cos(angle), np.sin(angle)], 1)
    _draw_arrows(axes, 0.65 * directions, 0.7 * directions, THICK)
    axes.set(xlim=(-1.1, 1.1), ylim=(1.1, -1.1))
    axes.set_aspect("equal", anchor="N")
    axes.set_axis_off()
    unit, of_pixel = (" pixels", 1) if pixel_size is None else (" pm", 100 * pixel_size)
    length, (width, height) = round_length(usual * of_pixel or 1), axes.figure.get_size_inches()
    axes.figure.axes[0].quiverkey(drawn, 1 - KEY / 2 / width, 1 - 1.1 * KEY / height, enlarged * length / of_pixel,
                                  f"{length:g}{unit}", coordinates="figure", labelpos="S", color="#777777",
                                  labelsep=head + 0.04)
