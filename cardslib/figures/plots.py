"""Images, latent spaces, trainings and curves: functions that take arrays and return the figure, each with its alt text."""
from math import ceil

import numpy as np

from cardslib.cards import SUITS
from cardslib.figures.style import (
    CLASSES,
    DPI,
    Figure,
    draw_against,
    draw_distribution,
    draw_legend_above,
    draw_picture,
    draw_representation,
    mosaic,
    styled,
)
from cardslib.figures.wrapping import break_text

GAP = 0.08   # inches between rows of images, and between words and images
LEGEND_COLUMNS = 2
CURVES = (("#0072B2", "o-"), ("#D55E00", "s--"), ("#009E73", "^-."), ("#CC79A7", "D:"))   # told apart without colour, too


@styled
def examples(images, alt, per_row=8, width=8.0):
    """Figure of images (n, h, w), `per_row` to a row, `width` inches wide."""
    rows = ceil(len(images) / per_row)
    figure = Figure(width, width * rows / per_row + 0.05, alt)
    draw_picture(figure.add_subplot(), mosaic(images, per_row))
    return figure


@styled
def rows_of_images(rows, alt, columns=None):
    """Figure with one row of images a name: rows is {name: (n, h, w)}, the same n in each.  Originals over reconstructions.

    columns  names of the n columns, above them
    """
    per_row, width = max(len(images) for images in rows.values()), 8.0              # inches
    if columns is not None and len(columns) != per_row:
        raise ValueError(f"columns must hold a name for each of the {per_row} columns; got {len(columns)}")
    figure = Figure(width, 1.0, alt, layout=None)           # as high as its rows turn out to be
    names = [figure.text(0, 0, name, ha="right", va="center") for name in rows]
    margin = max(name.get_window_extent().width for name in names) / DPI + 2 * GAP
    across, down = np.shape(next(iter(rows.values())))[:0:-1]
    height = (width - margin) / per_row * down / across + GAP                       # of a row, and what lies below it
    above = _columns_named(figure, columns, margin, width) if columns is not None else 0.0
    figure.set_size_inches(width, height * len(rows) + above)
    share = height / (height * len(rows) + above)           # of the figure's height: a row
    for number, (name, images) in enumerate(zip(names, rows.values())):
        bottom = share * (len(rows) - 1 - number)
        axes = figure.add_axes((margin / width, bottom, 1 - margin / width, share * (1 - GAP / height)))
        draw_picture(axes, mosaic(np.asarray(images), per_row))
        name.set_position(((margin - GAP) / width, bottom + share * 0.46))
    return figure


def _columns_named(figure, columns, margin, width):
    """The names of columns at the top of a figure, broken into lines where they are too long; their height in inches."""
    room = (width - margin) / len(columns)                  # inches, of a column
    names = [figure.text((margin + (number + 0.5) * room) / width, 1, str(name), ha="center", va="top", fontsize=8)
             for number, name in enumerate(columns)]
    for name in names:
        break_text(name, (room - GAP) * DPI)
    return max(name.get_window_extent().height for name in names) / DPI + GAP


@styled
def latent_representation(images, span=2.0, title="Latent representation", alt=None):
    """Figure of the decoded uniform grid: images (count², h, w) = model.decode(latent_grid(count, span))."""
    figure = Figure(4.4, 4.4, alt or "A grid of decoded images; the first latent runs to the right, the second upwards.")
    draw_representation(figure.add_subplot(), images, span, title)
    return figure


@styled
def latent_distribution(content, labels=None, names=None, values=None, unit="", cyclic=False,
                        title="Latent distribution", alt=None):
    """Figure of the first two content latents (n, c ≥ 2) of a data set, a point an image.

    coloured by class: labels (n,) and the classes' names; or by a quantity: values (n,) with its unit.
    cyclic  the values are angles in degrees: colours are cyclic if they span more than half a circle, so that ±180° are one
            colour, and else run from blue by way of grey, at zero, to red
    """
    figure = Figure(5.2, 4.4, alt or f"Scatter plot of the two latents: {title}.")
    draw_distribution(figure.add_subplot(), content, labels, names, values, unit, cyclic, title)
    return figure


@styled
def representations(grids, alt, per_row=5, span=2.0):
    """Figure of several decoded uniform grids side by side: {title: (count², h, w)}, `per_row` to a row."""
    per_row = min(per_row, len(grids))
    rows = ceil(len(grids) / per_row)
    figure = Figure(10.0, rows * (10.0 / per_row + 0.25), alt)
    for number, (title, images) in enumerate(grids.items(), 1):
        axes = figure.add_subplot(rows, per_row, number)
        draw_representation(axes, images, span, title)
        if number % per_row != 1 or number <= len(grids) - per_row:   # one pair of axes, at the lower left, stands for all
            axes.set(xticks=(), yticks=(), xlabel="", ylabel="")
    return figure


@styled
def distributions(panels, alt, labels=None, names=None, values=None, unit="", cyclic=False):
    """Figure of latent distributions side by side: {title: content (n, c ≥ 2)}; coloured as in `latent_distribution`."""
    figure = Figure(5.0 * len(panels), 4.2, alt)
    for number, (title, content) in enumerate(panels.items(), 1):
        draw_distribution(figure.add_subplot(1, len(panels), number), content, labels, names, values, unit, cyclic, title,
                          legend=number == len(panels))
    return figure


@styled
def cards_study(cards, content, representation, name, span=2.0, angle=None, alt=None):
    """The slides' two rows for one set of cards, in one figure.

    Above: example of data | latent representation.  Below: the latent distribution three times, coloured by suit, by shear
    and by angle; with the encoded angle (n,), radians, of an rVAE the third is encoded against true angle instead.
    content (n, 2): the latents of the cards; representation: the decoded `latent_grid` with this `span`.
    """
    third = "by angle" if angle is None else "by nothing: the encoded angle against the true angle"
    figure = Figure(10.2, 7.6, alt or f"{name}. Above: examples of the cards, and the decoded grid of the two latents. Below: "
                                      f"the latent distribution coloured by suit, by shear and {third}.")
    above, below = figure.subfigures(2, 1, height_ratios=(1.2, 1))
    draw_picture(above.add_subplot(1, 2, 1), mosaic(cards.images[:64], 8), f"{name}: example of data")
    draw_representation(above.add_subplot(1, 2, 2), representation, span, "Latent representation")
    shear, true = np.degrees(cards.shear), np.degrees(cards.angle)
    draw_distribution(below.add_subplot(1, 3, 1), content, cards.suit, SUITS, title="coloured by suit")
    draw_distribution(below.add_subplot(1, 3, 2), content, values=shear, unit="°", title="coloured by shear")
    if angle is None:
        draw_distribution(below.add_subplot(1, 3, 3), content, values=true, unit="°", cyclic=True, title="coloured by angle")
    else:
        draw_against(below.add_subplot(1, 3, 3), np.degrees(angle), true, cards.suit, SUITS, "encoded and true angle (°)")
    return figure


@styled
def encoded_against_true(panels, labels, names, alt):
    """Figure of encoded against true quantities, one panel a name: panels is {name: (encoded, true)}, each (n,).

    Coloured by class: labels (n,) and the classes' names.  A perfect latent draws one line a class; bands are broken lines.
    """
    figure = Figure(min(10.2, 3.4 * len(panels) + 0.6), 3.5, alt)
    for number, (name, (encoded, true)) in enumerate(panels.items(), 1):
        draw_against(figure.add_subplot(1, len(panels), number), encoded, true, labels, names, name, number == len(panels))
    return figure


@styled
def loss_by_term(history, alt=None):
    """Figure of a training `History`, in nats an image: −ELBO and reconstruction on the left, the divergences on the right.

    Beside the divergences, by their own names, is what guided the model while it learnt; it is no part of −ELBO.
    """
    figure = Figure(8, 3.2, alt or "Two line plots against the epoch: minus ELBO and its reconstruction term; the divergences.")
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    _draw_loss(left, history, len(history.loss))
    divergences = dict(history.terms)
    reconstruction = divergences.pop("reconstruction", [])   # none, if the training was stopped in its first epoch
    left.plot(_epochs(history, reconstruction), reconstruction, "--", color="#D55E00", lw=1.6,
              label="reconstruction (−log-likelihood)")
    lines = {f"divergence of {name}": values for name, values in divergences.items()}
    lines |= {f"guidance: {name}": values for name, values in history.guidance.items()}
    for number, (name, values) in enumerate(lines.items()):
        right.plot(_epochs(history, values), values, "-" if number < 4 else "--", color=CLASSES[6 - number], lw=1.6, label=name)
    right.set(xlabel="epoch", ylabel="nats an image", ylim=(0, None))
    draw_legend_above(left, 1)
    draw_legend_above(right, 2)
    return figure


@styled
def training_view(images, content, labels, names, history, epochs, span=3.0, alt=None):
    """Figure of a model while it learns: the decoded grid, the latent cloud, and the loss so far of `epochs` epochs."""
    figure = Figure(10.2, 3.5, alt or "A model while it learns: the decoded grid of its two latents, the cloud of the latents "
                                      "of the data, and minus ELBO against the epoch.", layout=None)
    figure.subplots_adjust(0.05, 0.15, 0.98, 0.9, wspace=0.3)   # fixed: the panels must not move from frame to frame
    draw_representation(figure.add_subplot(1, 3, 1), images, span, "decoded grid")
    cloud = figure.add_subplot(1, 3, 2)
    draw_distribution(cloud, content, labels, names, title="latent cloud", legend=False)
    cloud.set_aspect("equal", "box")
    cloud.set(xlim=(-4, 4), ylim=(-4, 4))
    loss = figure.add_subplot(1, 3, 3)
    _draw_loss(loss, history, epochs)
    loss.set_ylabel("−ELBO, nats an image")
    loss.set_title(f"epoch {len(history.loss)} of {epochs}")
    return figure


@styled
def curves(x, lines, xlabel, ylabel, alt, log=False):
    """Figure of up to four curves against one x: lines is {name: (n,)}; or, if x is None, {name: (x, y)}.

    Where they have different units, which share no axis, each has its panel: ylabel None, and lines {ylabel: {name: …}}.
    """
    panels = {ylabel: lines} if ylabel is not None else lines
    most = max(map(len, panels.values()))
    if most > len(CURVES):
        raise ValueError(f"lines must hold at most {len(CURVES)} curves; got {most}: draw two figures")
    rows = ceil(most / LEGEND_COLUMNS)
    figure = Figure(5.6 if len(panels) == 1 else min(10.2, 4.4 * len(panels)), 3.0 + 0.2 * rows, alt)
    for number, (label, of_panel) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), number)
        for (name, line), (colour, style) in zip(of_panel.items(), CURVES):
            axes.plot(*(line if x is None else (x, line)), style, color=colour, label=name)
        axes.set(xlabel=xlabel, ylabel=label, xscale="log" if log else "linear")
        if log and x is not None:
            axes.set_xticks(x, [str(tick) for tick in x])
            axes.minorticks_off()
        draw_legend_above(axes, LEGEND_COLUMNS)
    return figure


def _epochs(history, values):
    """The last epochs so far, a number for each value: a term may begin later than the training."""
    return range(1 + len(history.loss) - len(values), 1 + len(history.loss))


def _draw_loss(axes, history, epochs):
    """−ELBO against the epoch, with room for `epochs` of them."""
    axes.plot(range(1, len(history.loss) + 1), history.loss, color="#0072B2", lw=2, label="−ELBO")
    axes.set(xlabel="epoch", ylabel="nats an image", xlim=(0.5, max(epochs, 2) + 0.5))

