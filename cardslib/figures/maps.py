"""Maps: what was found of each column of atoms, drawn where the column stands, on its image.

Each column colours the pixels that are nearer to it than to any other (its Voronoi cell), so that no part of a map is
hidden and neighbours can be told apart.
"""
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.colors import ListedColormap
from PIL import Image
from scipy.spatial import cKDTree

from cardslib.figures.scale_bars import check_pixel_size, draw_scale_bar
from cardslib.figures.style import ANGLES, CLASSES, LATENTS, SIGNED, SMALL, Figure, draw_by_class, draw_picture, styled
from cardslib.microscopy.light import SUSPICIOUS, brightness_correlation, local_brightness
from cardslib.validation import check_named_labels, check_number

COLOURS = {"signed": SIGNED, "angle": ANGLES, "latent": LATENTS}
FOUND, TRUE = "#E69F00", "#56B4E9"   # Okabe & Ito's orange and blue, seen on dark and on bright pixels
MAP_PIXELS = 252       # along the longer edge of a map: finer would not be seen, and is heavy
PICTURE_PIXELS = 1.4 * MAP_PIXELS   # ... of an image without a map
WORDS = 0.5            # inches: a line of title above images, and scale bars below
GREYS = 11             # of a noisy image in a figure
WARNING, DISCREET = "#B2182B", "#777777"   # of words on white: a red that stands out, and a grey that does not
REACH = 0.9            # of a column's cell, in units of the mean distance from column to column


@dataclass(frozen=True)
class Map:
    """A quantity of each column, and how it is drawn.

    values   (n,);  unit: of them
    colours  "signed": about zero, which is white: displacements, strains, and angles of a few degrees;  "angle": cyclic, for
             angles that may be any;  "latent": from dark to bright
    span     signed colours, or those of a latent, reach ±span; by default 98 in 100 values lie within
    period   of an angle, in the unit of the values: 360, 180 or 90 degrees, as the symmetry has it
    """

    values: np.ndarray
    unit: str = ""
    colours: str = "latent"
    span: float | None = None
    period: float | None = None

    def __post_init__(self):
        if self.colours not in COLOURS:
            raise ValueError(f"colours must be 'signed', 'angle' or 'latent'; got {self.colours!r}")
        if (self.colours == "angle") != (self.period is not None):
            raise ValueError(f"period must be given with colours='angle', which are cyclic, and only with them; got "
                             f"{self.period!r} with {self.colours!r}: use colours='signed' for angles of a few degrees, or "
                             f"colours='angle', period=360")
        if self.period is not None:
            check_number("period", self.period, np.finfo(float).tiny)

    @property
    def painted(self):
        """The values as floats (n,); those of an angle from minus half a period to half a period."""
        values = np.asarray(self.values, float)
        return values if self.period is None else (values + self.period / 2) % self.period - self.period / 2

    @property
    def limits(self):
        """The least and the largest value that colours tell apart."""
        if self.period is not None:
            return -self.period / 2, self.period / 2
        if self.span is not None:
            return -self.span, self.span
        low, high = np.nanquantile(self.painted, (0.01, 0.99))
        if self.colours == "latent":
            return (low, high) if high > low + 1e-6 else (low - 1, high + 1)
        furthest = max(-low, high, 1e-6)
        return -furthest, furthest


@styled
def column_maps(image, position, panels, alt, per_row=None, width=9.2, kind=None, pixel_size=None):
    """Figure of maps: panels is {title: Map}, on a micrograph's image (h, w).

    position    (n, 2) of the columns, x and y in pixels: one for each of a map's values
    per_row     panels to a row; by default three, or one if the image is long
    kind        (n,) whole numbers from 0: the kind of each column, where kinds are known
    pixel_size  Å: of the scale bar, which else counts pixels

    Below each map stands its correlation with the local brightness, within kinds where they are given (they may differ in
    brightness by nature); above 0.5, either way, with a warning, which the alt text repeats: the map may be one of the light.
    """
    position, pixel_size = _positions(position), check_pixel_size(pixel_size)
    height, across = np.shape(image)
    per_row = min(per_row or (1 if across > 2.5 * height else 3), len(panels))
    rows = ceil(len(panels) / per_row)
    figure = Figure(width, rows * ((width / per_row - 0.55) * height / across + WORDS), alt)   # inches for the bar of colours
    beneath, cell = _beneath(image), _cells(position, (height, across))
    brightness = local_brightness(image, position)
    for number, (title, panel) in enumerate(panels.items(), 1):
        if np.shape(panel.values) != (len(position),):
            raise ValueError(f"the map {title!r} must have one value a column, {len(position)}; got {np.shape(panel.values)}")
        axes = figure.add_subplot(rows, per_row, number)
        _draw_whole(axes, beneath, image, title, pixel_size)
        _draw_map(axes, cell, panel, image)
        light = brightness_correlation(panel.values, brightness, kind)
        _draw_light(axes, light)
        if abs(light) > SUSPICIOUS:
            figure.alt += f" Warning: {title} follows the local brightness, correlation {_signed(light)}."
    return figure


@styled
def overview(image, region, alt, width=7.4, pixel_size=None):
    """Figure of an image (h, w), as a whole and in a part: region (left, top, right, bottom) in pixels.

    pixel_size  Å: of the scale bars, which else count pixels
    """
    x0, y0, x1, y1 = region
    pixel_size = check_pixel_size(pixel_size)
    height, across = np.shape(image)
    figure = Figure(width, (width / 2 - 0.1) * max(height / across, (y1 - y0) / (x1 - x0)) + WORDS, alt)
    whole, part = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    _draw_whole(whole, _few_greys(_shrunk(image, PICTURE_PIXELS)), image, f"{across}×{height} pixels", pixel_size)
    _draw_frame(whole, region, FOUND, 1.5)
    _draw_part(part, image, region, "the part in the frame", pixel_size)
    return figure


@styled
def labelled_image(image, position, labels, names, alt, region=None, width=8.4, pixel_size=None):
    """Figure of an image (h, w) beside the same with its columns coloured by class: labels (n,) and the classes' names.

    region      (left, top, right, bottom) in pixels: the part of the image that the left one shows; by default all of it
    pixel_size  Å: of the scale bars, which else count pixels
    """
    position, labels = _positions(position), check_named_labels(labels, names, len(position))
    pixel_size = check_pixel_size(pixel_size)
    height, across = np.shape(image)
    figure = Figure(width, (width / 2 - 0.4) * height / across + WORDS, alt)
    recorded, labelled = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    _draw_whole(labelled, _beneath(image), image, "columns by kind", pixel_size)
    _draw_classes(labelled, _cells(position, (height, across)), labels, names, image)
    if region is None:
        _draw_whole(recorded, _few_greys(_shrunk(image, PICTURE_PIXELS)), image, "as it was recorded", pixel_size)
    else:
        _draw_part(recorded, image, region, "a part of it", pixel_size)
        _draw_frame(labelled, region, "#000000", 1)
    figure.legend(*labelled.get_legend_handles_labels(), loc="outside lower center", ncols=len(names))
    return figure


@styled
def found_columns(image, finds, alt, region, true=None, width=8.4, pixel_size=None):
    """Figure of a part of an image with the columns that each finder found: finds is {name: position (n, 2)}.

    region      (left, top, right, bottom) in pixels
    true        (m, 2) of all columns that there are: crosses
    pixel_size  Å: of the scale bars, which else count pixels
    """
    x0, y0, x1, y1 = region
    pixel_size = check_pixel_size(pixel_size)
    figure = Figure(width, width / len(finds) * (y1 - y0) / (x1 - x0) + WORDS, alt)
    for number, (name, position) in enumerate(finds.items(), 1):
        axes = figure.add_subplot(1, len(finds), number)
        draw_picture(axes, _few_greys(image[y0:y1, x0:x1]), name)
        axes.scatter(*(_positions(position) - (x0, y0)).T, s=60, facecolors="none", edgecolors=FOUND, linewidths=1.2)
        if true is not None:
            axes.scatter(*(_positions(true) - (x0, y0)).T, s=16, color=TRUE, marker="+", linewidths=1.0)
        axes.set(xlim=(-0.5, x1 - x0 - 0.5), ylim=(y1 - y0 - 0.5, -0.5))
        draw_scale_bar(axes, pixel_size)
    return figure


@styled
def against_truth(panels, labels, names, alt):
    """Figure of found against true quantities, one panel each: panels is {title: (true, found, unit)}, each (n,).

    A panel has one unit: degrees and picometres never share an axis.  Coloured by class: labels (n,) and the classes' names;
    along the thin line both are the same.
    """
    figure = Figure(min(10.2, 3.5 * len(panels) + 0.8), 3.5, alt)
    styles = [dict(color=_class_colour(index), marker="o", s=SMALL, label=str(name)) for index, name in enumerate(names)]
    for number, (title, (true, found, unit)) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), number)
        draw_by_class(axes, np.asarray(true), np.asarray(found), labels, styles, number == len(panels))
        furthest = np.abs(true).max()
        axes.plot([-furthest, furthest], [-furthest, furthest], color="#777777", lw=0.8, zorder=0)
        axes.set(title=title, xlabel=f"true ({unit})", ylabel=f"found ({unit})")
        axes.set_box_aspect(1)
    return figure


# ---------------------------------------------------------------------- the image, whole and in part

def _positions(position):
    """`position` as floats (n, 2), of at least one column, or a ValueError."""
    position = np.asarray(position, float)
    if position.ndim != 2 or position.shape[1] != 2 or not len(position):
        raise ValueError(f"position must be (n, 2), x and y in pixels, of at least one column; got {position.shape}")
    return position


def _shrunk(image, longest):
    """The image with at most so many pixels along its longer edge, each the mean of those that it stands for."""
    height, width = np.shape(image)
    factor = min(1, longest / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(np.asarray(image, np.float32)).resize(size, Image.Resampling.BOX))


def _few_greys(image):
    """The image in so few greys that its noise is cheap to save; columns look the same."""
    return np.round(np.asarray(image) * GREYS) / GREYS


def _beneath(image):
    """The image as it lies beneath a map: smaller, and pale, so that the map's colours stand out."""
    return _few_greys(0.55 + 0.45 * _shrunk(image, MAP_PIXELS))


def _extent(image):
    """Where a picture of the whole image lies on axes that count the image's pixels, whatever its own size."""
    height, width = np.shape(image)
    return -0.5, width - 0.5, height - 0.5, -0.5


def _draw_whole(axes, picture, image, title, pixel_size):
    """A picture of the whole image with its scale bar, on axes that count the image's pixels."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=_extent(image))
    axes.set_axis_off()
    axes.set_title(title)
    draw_scale_bar(axes, pixel_size)


def _draw_part(axes, image, region, title, pixel_size):
    """A part of the image with its scale bar, its size after the title."""
    x0, y0, x1, y1 = region
    draw_picture(axes, _few_greys(image[y0:y1, x0:x1]), f"{title}, {x1 - x0}×{y1 - y0} pixels")
    draw_scale_bar(axes, pixel_size)


def _draw_frame(axes, region, colour, width):
    """A frame around a part of the image."""
    x0, y0, x1, y1 = region
    axes.plot(np.array([x0, x1, x1, x0, x0]), np.array([y0, y0, y1, y1, y0]), color=colour, lw=width)


# ---------------------------------------------------------------------- the columns' cells

def _cells(position, shape):
    """The column whose cell each pixel of a map lies in, whole numbers; -1 where all are far away."""
    height, width = shape
    factor = max(1, max(height, width) / MAP_PIXELS)
    down, across = max(1, round(height / factor)), max(1, round(width / factor))     # pixels of the map
    x, y = ((np.arange(count) + 0.5) * length / count - 0.5 for count, length in ((across, width), (down, height)))
    distance, nearest = cKDTree(position).query(np.stack(np.meshgrid(x, y), -1))
    spacing = np.sqrt(np.prod(np.ptp(position, 0) + 1) / len(position))              # from column to column, pixels
    return np.where(distance < REACH * spacing, nearest, -1)


def _draw_map(axes, cell, panel, image):
    """A `Map` painted in the columns' cells, and the bar that says which colour is which value."""
    low, high = panel.limits
    painted = np.ma.masked_where(cell < 0, panel.painted[cell])
    drawn = axes.imshow(painted, cmap=COLOURS[panel.colours], vmin=low, vmax=high, extent=_extent(image),
                        interpolation="nearest")
    bar = axes.figure.colorbar(drawn, ax=axes, shrink=0.75, aspect=25, pad=0.02, format=_with_unit(panel.unit),
                               ticks=(low, (low + high) / 2, high))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)


def _draw_light(axes, light):
    """Below a map its correlation with the local brightness, small; a warning if it is strong."""
    strong = abs(light) > SUSPICIOUS
    axes.text(0, -0.02, f"{'⚠ ' if strong else ''}light {_signed(light)}", transform=axes.transAxes, va="top", fontsize=7,
              color=WARNING if strong else DISCREET, fontweight="bold" if strong else "normal")


def _signed(number):
    """A correlation with its sign, a true minus, and no minus before a zero."""
    return f"{round(number, 2) + 0:+.2f}".replace("-", "−")


def _draw_classes(axes, cell, labels, names, image):
    """The columns' cells coloured by class, and an entry of the legend for each."""
    colours = [_class_colour(index) for index in range(len(names))]
    axes.imshow(np.ma.masked_where(cell < 0, labels[cell]), cmap=ListedColormap(colours), vmin=-0.5, vmax=len(names) - 0.5,
                extent=_extent(image), interpolation="nearest")
    for name, colour in zip(names, colours):
        axes.scatter([], [], color=colour, marker="s", label=str(name))


def _class_colour(index):
    """Of a class of columns: Okabe & Ito's, without black."""
    return CLASSES[1 + index % (len(CLASSES) - 1)]


def _with_unit(unit):
    """How the ticks of a bar are written: three digits, or all of a whole number, with a true minus and the unit."""
    return lambda value, _: (f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}").replace("-", "−") + unit
