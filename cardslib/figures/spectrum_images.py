"""Spectra as curves against the energy, and maps of what was found at each pixel of a spectrum image."""
from math import ceil

import numpy as np

from cardslib.figures.style import CLASSES, LATENTS, Figure, styled

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")   # Okabe & Ito's; in one panel at most so many curves


@styled
def spectra(energy, panels, alt, ylabel="electrons a channel", per_row=3, width=10.2):
    """Figure of spectra: panels is {title: {name: (channels,)}}, all against energy (channels,), in eV.

    A name that ends in "·" is drawn as a thin line: a measured spectrum, noise and all, under what explains it.
    """
    per_row = min(per_row, len(panels))
    rows = ceil(len(panels) / per_row)
    figure = Figure(width, rows * max(2.2, 4.6 / per_row) + 0.2, alt)
    for number, (title, lines) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(rows, per_row, number)
        for (name, line), colour in zip(lines.items(), COLOURS, strict=False):
            measured = name.endswith("·")
            axes.plot(energy, line, color="#999999" if measured else colour, lw=0.6 if measured else 1.4,
                      label=name.removesuffix("·").strip())
        axes.set(title=title, xlabel="energy loss (eV)" if number > len(panels) - per_row else "",
                 ylabel=ylabel if number % per_row == 1 % per_row else "")
        axes.margins(x=0.01)
        if len(lines) > 1:
            axes.legend(fontsize=8, borderpad=0, handlelength=1.2)
    return figure


@styled
def pixel_maps(panels, alt, span=None, unit="", per_row=6, width=10.2):
    """Figure of maps over a spectrum image: panels is {title: (h, w)}.

    span  (low, high) that the colours tell apart, the same for all, with one bar; None: each map from its 1st to its 99th
          percentile, without a bar, for latents and scores whose unit means nothing
    """
    per_row = min(per_row, len(panels))
    rows = ceil(len(panels) / per_row)
    height, across = np.shape(next(iter(panels.values())))
    figure = Figure(width, rows * ((width / per_row - 0.1) * height / across + 0.3), alt)
    every = []
    for number, (title, values) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(rows, per_row, number)
        low, high = span or np.nanquantile(values, (0.01, 0.99))
        shown = axes.imshow(values, cmap=LATENTS, vmin=low, vmax=max(high, low + 1e-9), interpolation="nearest")
        axes.set(title=title, xticks=(), yticks=())
        every.append(axes)
    if span is not None:
        figure.colorbar(shown, ax=every, shrink=0.8, pad=0.01, format=f"%g{unit}").outline.set_visible(False)
    return figure


@styled
def group_maps(panels, alt, per_row=6, width=10.2):
    """Figure of maps of groups: panels is {title: (h, w) whole numbers}; -1, of no group, stays white."""
    per_row = min(per_row, len(panels))
    rows = ceil(len(panels) / per_row)
    height, across = np.shape(next(iter(panels.values())))
    figure = Figure(width, rows * ((width / per_row - 0.1) * height / across + 0.3), alt)
    palette = np.array([[int(colour[start:start + 2], 16) for start in (1, 3, 5)] for colour in CLASSES[1:]])
    for number, (title, groups) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(rows, per_row, number)
        axes.imshow(np.where(np.asarray(groups)[..., None] < 0, 255, palette[np.asarray(groups) % len(palette)]))
        axes.set(title=title, xticks=(), yticks=())
    return figure
