"""Maps: what was found of each column of atoms, drawn where the column stands, on its image.

Each column colours the pixels that are nearer to it than to any other (its Voronoi cell), so that no part of a map is
hidden and neighbours can be told apart.
"""
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import ListedColormap
from PIL import Image
from scipy.spatial import cKDTree

from cardslib.figures.style import ANGLES, CLASSES, LATENTS, Figure, draw_picture, styled
from cardslib.validation import check_labels, check_named_labels

SIGNED = "RdBu_r"      # zero is white: displacements, strains
FINEST = 252           # pixels along the longer edge of a map: finer would not be seen, and is heavy
GREYS = 11             # of a noisy image in a figure
REACH = 0.9            # of a column's cell, in units of the mean distance from column to column


@dataclass(frozen=True)
class Map:
    """A quantity of each column, and how it is drawn.

    values  (n,);  unit: of them
    kind    "signed": about zero, zero is white;  "angle": cyclic colours, values about zero;  "latent": from dark to bright
    span    colours reach ±span; by default 98 in 100 values lie within
    """

    values: np.ndarray
    unit: str = ""
    kind: str = "latent"
    span: float | None = None

    def __post_init__(self):
        if self.kind not in ("signed", "angle", "latent"):
            raise ValueError(f"kind must be 'signed', 'angle' or 'latent'; got {self.kind!r}")

    @property
    def limits(self):
        """The least and the largest value that colours tell apart."""
        values = np.asarray(self.values, float)
        if self.span is not None:
            return -self.span, self.span
        low, high = np.nanquantile(values, (0.01, 0.99))
        if self.kind == "latent":
            return (low, high) if high > low + 1e-6 else (low - 1, high + 1)
        most = max(-low, high, 1e-6)
        return -most, most


@styled
def column_maps(image, position, panels, alt, columns=None, width=9.2):
    """Figure of maps: panels is {title: Map}, on a micrograph's image (h, w).

    columns   panels to a row; by default three, or one if the image is long
    position  (n, 2) of the columns, x and y in pixels: one for each of a map's values
    """
    position = _positions(position)
    height, across = np.shape(image)
    columns = min(columns or (1 if across > 2.5 * height else 3), len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(width, rows * ((width / columns - 0.55) * height / across + 0.32), alt)
    beneath, cell = _beneath(image), _cells(position, (height, across))
    for number, (title, panel) in enumerate(panels.items(), 1):
        if np.shape(panel.values) != (len(position),):
            raise ValueError(f"the map {title!r} must have one value a column, {len(position)}; got {np.shape(panel.values)}")
        axes = figure.add_subplot(rows, columns, number)
        _draw_beneath(axes, image, beneath, title)
        low, high = panel.limits
        colours = {"signed": SIGNED, "angle": ANGLES, "latent": LATENTS}[panel.kind]
        painted = np.ma.masked_where(cell < 0, np.asarray(panel.values, float)[cell])
        drawn = axes.imshow(painted, cmap=colours, vmin=low, vmax=high, extent=_extent(image), interpolation="nearest")
        bar = figure.colorbar(drawn, ax=axes, shrink=0.75, aspect=25, pad=0.02, format=_said(panel.unit),
                              ticks=(low, (low + high) / 2, high))
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8)
    return figure


@styled
def overview(image, region, alt, width=7.4):
    """Figure of an image (h, w), as a whole and in a part: region (left, top, right, bottom) in pixels."""
    x0, y0, x1, y1 = region
    height, across = np.shape(image)
    figure = Figure(width, (width / 2 - 0.1) * max(height / across, (y1 - y0) / (x1 - x0)) + 0.35, alt)
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    left.imshow(_few_greys(_shrunk(image, 1.4 * FINEST)), cmap="gray", vmin=0, vmax=1, extent=_extent(image))
    left.plot(np.array([x0, x1, x1, x0, x0]), np.array([y0, y0, y1, y1, y0]), color="#E69F00", lw=1.5)
    left.set_axis_off()
    left.set_title(f"{across}×{height} pixels")
    draw_picture(right, _few_greys(image[y0:y1, x0:x1]), f"the part in the frame, {x1 - x0}×{y1 - y0} pixels")
    return figure


@styled
def labelled_image(image, position, labels, names, alt, region=None, width=8.4):
    """Figure of an image (h, w) beside the same with its columns coloured by kind: labels (n,) and the names of the kinds.

    region  (left, top, right, bottom) in pixels: the part of the image that the left one shows; by default all of it
    """
    position, labels = _positions(position), check_named_labels(labels, names, len(position))
    height, across = np.shape(image)
    figure = Figure(width, (width / 2 - 0.4) * height / across + 0.35, alt)
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    if region is None:
        draw_picture(left, _few_greys(_shrunk(image, 1.4 * FINEST)), "as it was recorded")
    else:
        x0, y0, x1, y1 = region
        draw_picture(left, _few_greys(image[y0:y1, x0:x1]), f"a part of it, {x1 - x0}×{y1 - y0} pixels")
    _draw_beneath(right, image, _beneath(image), "columns by kind")
    cell, colours = _cells(position, (height, across)), [_colour(index) for index in range(len(names))]
    right.imshow(np.ma.masked_where(cell < 0, labels[cell]), cmap=ListedColormap(colours), vmin=-0.5, vmax=len(names) - 0.5,
                 extent=_extent(image), interpolation="nearest")
    for name, colour in zip(names, colours):
        right.scatter([], [], color=colour, marker="s", label=str(name))
    if region is not None:
        right.plot(np.array([x0, x1, x1, x0, x0]), np.array([y0, y0, y1, y1, y0]), color="#000000", lw=1)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=len(names))
    return figure


@styled
def found_columns(image, finds, alt, region, true=None, width=8.4):
    """Figure of a part of an image with the columns that each finder found: finds is {name: position (n, 2)}.

    region  (left, top, right, bottom) in pixels
    true    (m, 2) of all columns that there are: crosses
    """
    x0, y0, x1, y1 = region
    figure = Figure(width, width / len(finds) * (y1 - y0) / (x1 - x0) + 0.25, alt)
    for number, (name, position) in enumerate(finds.items(), 1):
        axes = figure.add_subplot(1, len(finds), number)
        draw_picture(axes, _few_greys(image[y0:y1, x0:x1]), name)
        axes.scatter(*(_positions(position) - (x0, y0)).T, s=60, facecolors="none", edgecolors="#E69F00", linewidths=1.2)
        if true is not None:
            axes.scatter(*(_positions(true) - (x0, y0)).T, s=16, color="#56B4E9", marker="+", linewidths=1.0)
        axes.set(xlim=(-0.5, x1 - x0 - 0.5), ylim=(y1 - y0 - 0.5, -0.5))
    return figure


@styled
def against_truth(panels, labels, names, alt):
    """Figure of found against true quantities, one panel each: panels is {title: (true, found, unit)}, each (n,).

    Coloured by kind: labels (n,) and the names of the kinds; along the thin line both are the same.
    """
    figure = Figure(min(10.2, 3.5 * len(panels) + 0.8), 3.5, alt)
    for number, (title, (true, found, unit)) in enumerate(panels.items(), 1):
        true, found = np.asarray(true), np.asarray(found)
        axes = figure.add_subplot(1, len(panels), number)
        for index, name in enumerate(names):
            chosen = check_labels(labels, len(true), len(names)) == index
            axes.scatter(true[chosen], found[chosen], s=5, color=_colour(index), linewidths=0, alpha=0.5,
                         label=str(name))
        most = np.abs(true).max()
        axes.plot([-most, most], [-most, most], color="#777777", lw=0.8, zorder=0)
        axes.set(title=title, xlabel=f"true ({unit})", ylabel=f"found ({unit})")
        axes.set_box_aspect(1)
    axes.legend(markerscale=3, handletextpad=0.2, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _positions(position):
    position = np.asarray(position, float)
    if position.ndim != 2 or position.shape[1] != 2 or not len(position):
        raise ValueError(f"position must be (n, 2), x and y in pixels, of at least one column; got {position.shape}")
    return position


def _shrunk(image, most):
    """The image with at most so many pixels along its longer edge, each the mean of those that it stands for."""
    height, width = np.shape(image)
    factor = min(1, most / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(np.asarray(image, np.float32)).resize(size, Image.Resampling.BOX))


def _few_greys(image):
    """The image in so few greys that its noise is cheap to save; columns look the same."""
    return np.round(np.asarray(image) * GREYS) / GREYS


def _beneath(image):
    """The image as it lies beneath a map: smaller, and pale, so that the map's colours stand out."""
    return _few_greys(0.55 + 0.45 * _shrunk(image, FINEST))


def _draw_beneath(axes, image, beneath, title):
    axes.imshow(beneath, cmap="gray", vmin=0, vmax=1, extent=_extent(image))
    axes.set_axis_off()
    axes.set_title(title)


def _cells(position, shape):
    """The column whose cell each pixel of a map lies in, whole numbers; -1 where all are far away."""
    height, width = shape
    factor = max(1, max(height, width) / FINEST)
    rows, columns = max(1, round(height / factor)), max(1, round(width / factor))
    x, y = ((np.arange(count) + 0.5) * length / count - 0.5 for count, length in ((columns, width), (rows, height)))
    distance, nearest = cKDTree(position).query(np.stack(np.meshgrid(x, y), -1))
    spacing = np.sqrt(np.prod(np.ptp(position, 0) + 1) / len(position))              # from column to column, pixels
    return np.where(distance < REACH * spacing, nearest, -1)


def _extent(image):
    height, width = np.shape(image)
    return -0.5, width - 0.5, height - 0.5, -0.5


def _colour(index):
    """Of a kind of columns: Okabe & Ito's, without black."""
    return CLASSES[1 + index % (len(CLASSES) - 1)]


def _said(unit):
    """How the ticks of a bar are written: with a true minus and the unit."""
    return lambda value, _: f"{value:.3g}{unit}".replace("-", "−")
