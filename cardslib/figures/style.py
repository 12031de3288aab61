"""What the figures are drawn with: a figure that shows itself, the course's colours and style, and parts drawn on axes.

One colour map for one kind of quantity throughout: grey for images, viridis for latents and shear, a cyclic map for angles of
the whole circle, from blue to red for what lies about zero, Okabe & Ito's colours together with marker shapes for suits and
classes.
"""
import base64
import html
import io
from functools import cached_property, wraps
from math import ceil
from textwrap import fill

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.markers import MarkerStyle
from PIL import Image

from cardslib.figures.wrapping import wrap_words
from cardslib.validation import check_labels, check_rows

# Okabe & Ito's eight, the yellow darkened, and two of Tol's for the ninth and tenth class.
CLASSES = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#9C9200", "#0072B2", "#D55E00", "#CC79A7", "#882255", "#999999")
SUIT_STYLE = {"club": ("#009E73", "o"), "spade": ("#0072B2", "^"), "heart": ("#D55E00", "v"), "diamond": ("#CC79A7", "D")}
ANGLES, LATENTS = "twilight", "viridis"
SIGNED, SIGNED_POINTS = "RdBu_r", "coolwarm"   # white at zero; and pale grey, so that points are seen on white
HALF_CIRCLE = 180         # degrees: angles that span no more are told apart by signed colours
DPI, SHOWN = 112, 76      # pixels an inch: drawn, and shown in a notebook
OPAQUE = 0.7              # of points, which are many
SMALL, LARGE = 5, 16      # points²: a point that is one of thousands; a letter
COLUMN_LETTERS = 24       # in a column of a legend that has two of them
GAP_GREY = 0.35           # of the line between the images of a mosaic: told apart from black and from white
STYLE = {"font.size": 10, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False,
         "axes.edgecolor": "#777777", "xtick.color": "#444444", "ytick.color": "#444444", "legend.frameon": False,
         "figure.facecolor": "white", "axes.titlepad": 5}


class Figure(MatplotlibFigure):
    """A matplotlib figure that shows itself in a notebook as a small PNG with its alt text, and leaves nothing behind.

    It does not belong to pyplot: no list of open figures grows, and none is drawn twice.
    """

    def __init__(self, width, height, alt, layout="constrained"):
        super().__init__(figsize=(width, height), dpi=DPI, layout=layout)
        self.alt = alt
        FigureCanvasAgg(self)

    @cached_property
    def picture(self):
        """The figure as a Pillow image (RGB), drawn once: the functions below return it finished.

        Titles and labels that are too long for their panel are first broken into lines.
        """
        with matplotlib.rc_context(STYLE):
            wrap_words(self)
            self.canvas.draw()
        return Image.fromarray(np.asarray(self.canvas.buffer_rgba())[..., :3])

    def png(self):
        """The figure as PNG bytes, in 256 colours: half the size, and no difference to the eye."""
        return _file_of(self.picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE), "png", optimize=True)

    def _repr_mimebundle_(self, include=None, exclude=None):
        """For notebooks: HTML with the alt text (JupyterLab shows none with a bare PNG), and PNG for every other reader."""
        width = round(self.bbox.width * SHOWN / DPI)
        webp = base64.b64encode(_file_of(self.picture, "webp", quality=80)).decode()
        page = f'<img alt="{html.escape(self.alt)}" width="{width}" src="data:image/webp;base64,{webp}">'
        return ({"text/html": page, "image/png": base64.b64encode(self.png()).decode(), "text/plain": f"Figure: {self.alt}"},
                {"image/png": {"alt": self.alt, "width": width}})


def _file_of(picture, file_format, **options):
    """The bytes of a file that holds a Pillow image."""
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()


def styled(function):
    """Let a function that makes a figure see the course's style, whatever the user has set for figures of their own."""
    @wraps(function)
    def in_style(*arguments, **options):
        with matplotlib.rc_context(STYLE):
            return function(*arguments, **options)
    return in_style


# ---------------------------------------------------------------------- pictures

def enlargement(height):
    """The whole factor by which `mosaic` enlarges images of this height, in pixels: 1 from 32 pixels on."""
    return ceil(32 / height)


def mosaic(images, per_row):
    """One picture of many: images (n, h, w) in reading order, `per_row` to a row, a thin grey line between them.

    Images smaller than 32 pixels are first enlarged by a whole factor, pixel by pixel, so that the line stays thin.
    """
    enlarge = enlargement(images.shape[1])
    images = images.repeat(enlarge, 1).repeat(enlarge, 2)
    n, height, width = images.shape
    rows = ceil(n / per_row)
    tiles = np.full((rows * per_row, height + 1, width + 1), GAP_GREY, np.float32)        # each with a line below and beside it
    tiles[:n, :height, :width] = images
    picture = tiles.reshape(rows, per_row, height + 1, width + 1).swapaxes(1, 2)          # → (rows, h+1, per_row, w+1)
    return picture.reshape(rows * (height + 1), per_row * (width + 1))[:-1, :-1]


# ---------------------------------------------------------------------- parts of figures, drawn on axes

def draw_picture(axes, picture, title=None):
    """A picture (h, w), grey values in [0, 1], without axes."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()
    axes.set_title(title)


def draw_representation(axes, images, span, title):
    """The decoded uniform grid of two latents, images (count², h, w), on axes that say where in the latent space they lie."""
    count = round(len(images) ** 0.5)
    if count**2 != len(images) or count < 2:
        raise ValueError(f"images must be a square grid, count² of them, as latent_grid(count) gives; got {len(images)}")
    edge = span * count / (count - 1)   # the middle of the outermost image, not its edge, lies at span
    axes.imshow(mosaic(images, count), cmap="gray", vmin=0, vmax=1, extent=(-edge, edge, -edge, edge))
    axes.set(title=title, xlabel="z₁", ylabel="z₂", xticks=(-span, 0, span), yticks=(-span, 0, span))


def draw_distribution(axes, content, labels=None, names=None, values=None, unit="", cyclic=False, title=None, legend=True):
    """A point an image at its first two latents, coloured by class, or by a quantity with its bar."""
    content = check_rows(content, max(2, np.shape(content)[-1]), "content")   # at least two latents, all finite
    if values is None:
        labels, names = (np.zeros(len(content), int), ("images",)) if labels is None else (labels, names)
        draw_by_class(axes, content[:, 0], content[:, 1], labels, class_styles(names), legend)
    else:
        _draw_by_quantity(axes, content[:, 0], content[:, 1], np.asarray(values), unit, cyclic)
    axes.set(title=title, xlabel="z₁", ylabel="z₂")
    axes.set_aspect("equal", "datalim")


def draw_against(axes, encoded, true, labels, names, title, legend=True):
    """Encoded against true quantity, a point an image."""
    draw_by_class(axes, np.asarray(true), np.asarray(encoded), labels, class_styles(names), legend)
    axes.set(title=title, xlabel="true", ylabel="encoded")
    axes.set_box_aspect(1)


def _draw_by_quantity(axes, x, y, values, unit, cyclic):
    """Points coloured by values (n,), and the bar that says which colour is which value: whole numbers, zero in the middle.

    cyclic  the values are angles in degrees: in cyclic colours if they span more than half a circle, else in signed ones
    """
    colours, high = LATENTS, max(1, ceil(np.abs(values).max()))
    if cyclic:
        colours, high = (ANGLES, 180) if np.ptp(values) > HALF_CIRCLE else (SIGNED_POINTS, high)
    low = -high if values.min() < 0 or cyclic else 0
    size = max(3, min(20, 20000 / len(x)))   # of a point, in points²: fewer points may be larger
    points = axes.scatter(x, y, c=values, cmap=colours, vmin=low, vmax=high, s=size, linewidths=0)
    bar = axes.figure.colorbar(points, ax=axes, shrink=0.8, format=f"%g{unit}", ticks=(low, (low + high) / 2, high))
    bar.outline.set_visible(False)


def draw_by_class(axes, x, y, labels, styles, legend=True):
    """Points with a colour and a marker a class: styles holds `Axes.scatter`'s of each, such as `class_styles(names)`.

    They are drawn in a random order, all classes mixed: where two lie upon each other, both are seen.
    """
    labels = check_labels(labels, len(x), len(styles))
    order = np.random.default_rng(0).permutation(len(x))
    points = axes.scatter(x[order], y[order], s=np.array([style["s"] for style in styles])[labels[order]],
                          color=[styles[label]["color"] for label in labels[order]], linewidths=0, alpha=OPAQUE)
    shapes = [MarkerStyle(style["marker"]) for style in styles]
    outlines = [shape.get_path().transformed(shape.get_transform()) for shape in shapes]
    points.set_paths([outlines[label] for label in labels[order]])           # a marker of its own for each point
    if legend and len(styles) > 1:
        for style in styles:
            axes.scatter([], [], linewidths=0, alpha=OPAQUE, **style)
        axes.legend(markerscale=1.5 if styles[0]["s"] > SMALL else 2.2, handletextpad=0.2, borderpad=0, borderaxespad=0.2,
                    fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))


def class_styles(names):
    """Colour, marker, size and label of each class: the suits' own, else colours and the class's first letter or digit."""
    firsts = [str(name)[:1] if len(names) > 1 else "" for name in names]
    others = [(CLASSES[index % len(CLASSES)], f"${first}$" if first.isalnum() else "o") for index, first in enumerate(firsts)]
    looks = [SUIT_STYLE.get(name, other) for name, other in zip(names, others)]
    return [dict(color=colour, marker=marker, s=SMALL if name in SUIT_STYLE else LARGE, label=str(name))
            for name, (colour, marker) in zip(names, looks)]


def draw_legend_above(axes, columns):
    """The legend above the axes, where no curve is, in so many columns; in a single one if a name is long."""
    handles, names = axes.get_legend_handles_labels()
    if handles:
        columns = columns if max(map(len, names)) <= COLUMN_LETTERS else 1
        names = [fill(name, 2 * COLUMN_LETTERS) for name in names]
        axes.legend(handles, names, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderpad=0, borderaxespad=0.3,
                    fontsize=9, handlelength=2.2, columnspacing=1.2)
