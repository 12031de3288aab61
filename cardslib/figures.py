"""The course's figures: functions that take arrays and return the figure, each with its alt text.

One colour map for one kind of quantity throughout: grey for images, viridis for latents and shear, a cyclic map for
angles, Okabe & Ito's colours together with marker shapes for suits and classes.
"""
import base64
import html
import io
from functools import cached_property, wraps
from math import ceil

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as MatplotlibFigure
from PIL import Image

from cardslib.cards import SUITS
from cardslib.checks import check_labels, check_rows
from cardslib.latents import GUIDES

# Okabe & Ito's eight, the yellow darkened, and two of Tol's for the ninth and tenth class.
CLASSES = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#9C9200", "#0072B2", "#D55E00", "#CC79A7", "#882255", "#999999")
SUIT_STYLE = {"club": ("#009E73", "o"), "spade": ("#0072B2", "^"), "heart": ("#D55E00", "v"), "diamond": ("#CC79A7", "D")}
LINES = (("#0072B2", "o-"), ("#D55E00", "s--"), ("#009E73", "^-."), ("#CC79A7", "D:"))
ANGLES, LATENTS = "twilight", "viridis"
DPI, SHOWN = 112, 76      # pixels an inch: drawn, and shown in a notebook
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
        """The figure as a Pillow image (RGB), drawn once: the functions below return it finished."""
        with matplotlib.rc_context(STYLE):
            self.canvas.draw()
        return Image.fromarray(np.asarray(self.canvas.buffer_rgba())[..., :3])

    def png(self):
        """The figure as PNG bytes, in 256 colours: half the size, and no difference to the eye."""
        return _file(self.picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE), "png", optimize=True)

    def _repr_mimebundle_(self, include=None, exclude=None):
        """For notebooks: HTML with the alt text (JupyterLab shows none with a bare PNG), and PNG for every other reader."""
        width = round(self.bbox.width * SHOWN / DPI)
        webp = base64.b64encode(_file(self.picture, "webp", quality=80)).decode()
        page = f'<img alt="{html.escape(self.alt)}" width="{width}" src="data:image/webp;base64,{webp}">'
        return ({"text/html": page, "image/png": base64.b64encode(self.png()).decode(), "text/plain": f"Figure: {self.alt}"},
                {"image/png": {"alt": self.alt, "width": width}})


def _file(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _styled(function):
    """Let a function that makes a figure see the course's style, whatever the user has set for figures of their own."""
    @wraps(function)
    def in_style(*arguments, **options):
        with matplotlib.rc_context(STYLE):
            return function(*arguments, **options)
    return in_style


# ---------------------------------------------------------------------- pictures

def enlargement(height):
    """The whole factor by which `mosaic` enlarges images of this height, in pixels: 1 from 32 pixels on."""
    return -(-32 // height)


def mosaic(images, columns):
    """One picture of many: images (n, h, w) in reading order, `columns` to a row, a thin grey line between them.

    Images smaller than 32 pixels are first enlarged by a whole factor, pixel by pixel, so that the line stays thin.
    """
    enlarge = enlargement(images.shape[1])
    images = images.repeat(enlarge, 1).repeat(enlarge, 2)
    n, height, width = images.shape
    rows = -(-n // columns)
    tiles = np.full((rows * columns, height + 1, width + 1), 0.35, np.float32)
    tiles[:n, :height, :width] = images
    picture = tiles.reshape(rows, columns, height + 1, width + 1).swapaxes(1, 2)          # → (rows, h+1, columns, w+1)
    return picture.reshape(rows * (height + 1), columns * (width + 1))[:-1, :-1]


@_styled
def examples(images, alt, columns=8, width=8.0):
    """Figure of images (n, h, w), `columns` to a row, `width` inches wide."""
    rows = -(-len(images) // columns)
    figure = Figure(width, width * rows / columns + 0.05, alt)
    _picture(figure.add_subplot(), mosaic(images, columns))
    return figure


@_styled
def rows_of_images(rows, alt):
    """Figure with one row of images a name: rows is {name: (n, h, w)}, the same n in each.  Originals over reconstructions."""
    count, width = max(len(images) for images in rows.values()), 8.0
    margin = 0.09 * max(len(name) for name in rows) + 0.1   # inches for the names
    step = (width - margin) / count + 0.08
    figure = Figure(width, step * len(rows), alt, layout=None)
    for number, (name, images) in enumerate(rows.items()):
        bottom = 1 - (number + 1) / len(rows)
        axes = figure.add_axes((margin / width, bottom, 1 - margin / width, (1 - 0.08 / step) / len(rows)))
        _picture(axes, mosaic(np.asarray(images), count))
        figure.text((margin - 0.08) / width, bottom + 0.46 / len(rows), name, ha="right", va="center")
    return figure


@_styled
def latent_representation(images, span=2.0, title="Latent representation", alt=None):
    """Figure of the decoded uniform grid: images (count², h, w) = model.decode(latent_grid(count, span))."""
    figure = Figure(4.4, 4.4, alt or "A grid of decoded images; the first latent runs to the right, the second upwards.")
    _representation(figure.add_subplot(), images, span, title)
    return figure


@_styled
def latent_distribution(content, labels=None, names=None, values=None, unit="", cyclic=False,
                        title="Latent distribution", alt=None):
    """Figure of the first two content latents (n, c ≥ 2) of a data set, a point an image.

    coloured by class: labels (n,) and the classes' names; or by a quantity: values (n,) with its unit; cyclic for angles
    in degrees.
    """
    figure = Figure(5.2, 4.4, alt or f"Scatter plot of the two latents: {title}.")
    _distribution(figure.add_subplot(), content, labels, names, values, unit, cyclic, title)
    return figure


@_styled
def cards_study(cards, content, representation, name, span=2.0, angle=None):
    """The slides' two rows for one set of cards, in one figure.

    Above: example of data | latent representation.  Below: the latent distribution three times, coloured by suit, by shear
    and by angle; with the encoded angle (n,), radians, of an rVAE the third is encoded against true angle instead.
    content (n, 2): the latents of the cards; representation: the decoded `latent_grid` with this `span`.
    """
    third = "by angle" if angle is None else "by nothing: the encoded angle against the true angle"
    figure = Figure(10.2, 7.6, f"{name}. Above: examples of the cards, and the decoded grid of the two latents. Below: the "
                               f"latent distribution coloured by suit, by shear and {third}.")
    above, below = figure.subfigures(2, 1, height_ratios=(1.2, 1))
    _picture(above.add_subplot(1, 2, 1), mosaic(cards.images[:64], 8), f"{name}: example of data")
    _representation(above.add_subplot(1, 2, 2), representation, span, "Latent representation")
    shear, true = np.degrees(cards.shear), np.degrees(cards.angle)
    _distribution(below.add_subplot(1, 3, 1), content, cards.suit, SUITS, title="coloured by suit")
    _distribution(below.add_subplot(1, 3, 2), content, values=shear, unit="°", title="coloured by shear")
    if angle is None:
        _distribution(below.add_subplot(1, 3, 3), content, values=true, unit="°", cyclic=True, title="coloured by angle")
    else:
        _against(below.add_subplot(1, 3, 3), np.degrees(angle), true, cards.suit, SUITS, "encoded and true angle (°)")
    return figure


@_styled
def encoded_against_true(panels, labels, names, alt):
    """Figure of encoded against true quantities, one panel a name: panels is {name: (encoded, true)}, each (n,).

    Coloured by class: labels (n,) and the classes' names.  A perfect latent draws one line a class; bands are broken lines.
    """
    figure = Figure(min(10.2, 3.4 * len(panels) + 0.6), 3.5, alt)
    for number, (name, (encoded, true)) in enumerate(panels.items(), 1):
        _against(figure.add_subplot(1, len(panels), number), encoded, true, labels, names, name, number == len(panels))
    return figure


@_styled
def loss_by_term(history, alt=None):
    """Figure of a training `History`: −ELBO and reconstruction on the left, the divergences on the right, in nats an image."""
    figure = Figure(8, 2.6, alt or "Two line plots against the epoch: minus ELBO and its reconstruction term; the divergences.")
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    _loss(left, history, len(history.loss))
    others = [term for term in history.terms if term != "reconstruction"]
    for term, values in history.terms.items():
        epochs = range(1 + len(history.loss) - len(values), 1 + len(history.loss))   # a term may begin later
        if term == "reconstruction":
            left.plot(epochs, values, "--", color="#D55E00", lw=1.6, label="−log-likelihood")
        else:
            number = others.index(term)
            name = term if term in GUIDES else f"divergence of {term}"
            right.plot(epochs, values, "-" if number < 4 else "--", color=CLASSES[6 - number], lw=1.6, label=name)
    right.set(xlabel="epoch", ylabel="nats an image", ylim=(0, None))
    for axes in (left, right):
        axes.legend()
    return figure


@_styled
def training_view(images, content, labels, names, history, epochs, span=3.0):
    """Figure of a model while it learns: the decoded grid, the latent cloud, and the loss so far of `epochs` epochs."""
    figure = Figure(10.2, 3.5, "A model while it learns: the decoded grid of its two latents, the cloud of the latents of the "
                               "data, and minus ELBO against the epoch.", layout=None)
    figure.subplots_adjust(0.05, 0.15, 0.98, 0.9, wspace=0.3)   # fixed: the panels must not move from frame to frame
    _representation(figure.add_subplot(1, 3, 1), images, span, "decoded grid")
    cloud = figure.add_subplot(1, 3, 2)
    _distribution(cloud, content, labels, names, title="latent cloud", legend=False)
    cloud.set_aspect("equal", "box")
    cloud.set(xlim=(-4, 4), ylim=(-4, 4))
    loss = figure.add_subplot(1, 3, 3)
    _loss(loss, history, epochs)
    loss.set_title(f"epoch {len(history.loss)} of {epochs}")
    return figure


@_styled
def curves(x, lines, xlabel, ylabel, alt, log=False):
    """Figure of up to four curves against one x: lines is {name: (n,)}; or, if x is None, {name: (x, y)}."""
    if len(lines) > len(LINES):
        raise ValueError(f"lines must hold at most {len(LINES)} curves; got {len(lines)}: draw two figures")
    figure = Figure(5.6, 3.2, alt)
    axes = figure.add_subplot()
    for (name, line), (colour, style) in zip(lines.items(), LINES):
        axes.plot(*(line if x is None else (x, line)), style, color=colour, label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log else "linear")
    if log and x is not None:
        axes.set_xticks(x, [str(tick) for tick in x])
        axes.minorticks_off()
    axes.legend()
    return figure


# ---------------------------------------------------------------------- parts of figures, drawn on axes

def _picture(axes, picture, title=None):
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()
    axes.set_title(title)


def _representation(axes, images, span, title):
    count = round(len(images) ** 0.5)
    if count**2 != len(images) or count < 2:
        raise ValueError(f"images must be a square grid, count² of them, as latent_grid(count) gives; got {len(images)}")
    edge = span * count / (count - 1)   # the middle of the outermost image, not its edge, lies at span
    axes.imshow(mosaic(images, count), cmap="gray", vmin=0, vmax=1, extent=(-edge, edge, -edge, edge))
    axes.set(title=title, xlabel="z₁", ylabel="z₂", xticks=(-span, 0, span), yticks=(-span, 0, span))


def _distribution(axes, content, labels=None, names=None, values=None, unit="", cyclic=False, title=None, legend=True):
    content = check_rows(content, max(2, np.shape(content)[-1]), "content")   # at least two latents, all finite
    z1, z2 = content[:, 0], content[:, 1]
    size = max(3, min(20, 20000 / len(z1)))   # of a point: fewer points may be larger
    if values is None:
        _marked(axes, z1, z2, labels, names, legend)
    else:
        most = max(1, ceil(np.abs(values).max()))
        if cyclic:
            most = min(180, ceil(1.5 * most))   # so that the two ends of a part of the circle differ in colour
        least = -most if values.min() < 0 else 0
        points = axes.scatter(z1, z2, c=values, cmap=ANGLES if cyclic else LATENTS, vmin=least, vmax=most, s=size, linewidths=0)
        bar = axes.figure.colorbar(points, ax=axes, shrink=0.8, format=f"%g{unit}", ticks=(least, (least + most) / 2, most))
        bar.outline.set_visible(False)
    axes.set(title=title, xlabel="z₁", ylabel="z₂")
    axes.set_aspect("equal", "datalim")


def _against(axes, encoded, true, labels, names, title, legend=True):
    _marked(axes, np.asarray(true), np.asarray(encoded), labels, names, legend)
    axes.set(title=title, xlabel="true", ylabel="encoded")
    axes.set_box_aspect(1)


def _marked(axes, x, y, labels, names, legend=True):
    """Points with a colour and a marker a class: the suits' own, else the class's first letter or digit."""
    if labels is None:
        labels, names = np.zeros(len(x), int), ("images",)
    labels = check_labels(labels, len(x), len(names))
    names = [str(name) for name in names]
    for index, name in enumerate(names):
        own_style = (CLASSES[index % len(CLASSES)], f"${name[0]}$" if len(names) > 1 else "o")
        colour, marker = SUIT_STYLE.get(name, own_style)
        axes.scatter(x[labels == index], y[labels == index], s=5 if name in SUIT_STYLE else 16, color=colour, marker=marker,
                     linewidths=0, alpha=0.7, label=name)
    if legend and len(names) > 1:
        axes.legend(markerscale=2 if names[0] in SUIT_STYLE else 1.5, handletextpad=0.2, borderpad=0, borderaxespad=0.2,
                    fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))


def _loss(axes, history, epochs):
    axes.plot(range(1, len(history.loss) + 1), history.loss, color="#0072B2", lw=2, label="−ELBO")
    axes.set(xlabel="epoch", ylabel="nats an image", xlim=(0.5, max(epochs, 2) + 0.5))

