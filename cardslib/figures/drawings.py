"""Drawings of what a text describes: an autoencoder, and a VAE, from the image through the latents to the image again."""
import numpy as np
from matplotlib.patches import Circle, Polygon

from cardslib.figures.style import Figure, draw_picture, styled

ENCODER, DECODER, LATENT = "#56B4E9", "#E69F00", "#009E73"   # of Okabe & Ito
HEIGHT, TALL, LOW = 2.4, 0.8, 0.22    # inches; half the height of a network at the image and at the latents
PICTURE = 1.25                        # inches across


@styled
def autoencoder_drawing(image, reconstruction, alt, variational=False):
    """Figure of the way of an image (h, w): encoder, latents z, decoder, reconstruction (h, w).

    variational  False: the latents are two numbers.  True: the encoder gives a mean μ and a standard deviation σ of each, and
                 z = μ + σ·ε is drawn with noise ε; below stand the names of the distributions.
    """
    middle = 2.5 if variational else 1.0      # inches between the two networks
    ends = np.cumsum([0.1, PICTURE, 0.25, 1.5, middle, 1.5, 0.25, PICTURE])
    figure = Figure(ends[-1] + 0.1, HEIGHT, alt, layout=None)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, ends[-1] + 0.1), ylim=(-HEIGHT / 2, HEIGHT / 2))
    axes.set_aspect("equal")
    axes.set_axis_off()
    for left, picture, name in ((ends[0], image, "image x"), (ends[6], reconstruction, "reconstruction")):
        _draw_image(figure, left, picture, name, axes)
    _draw_network(axes, ends[2], ends[3], TALL, LOW, ENCODER, "encoder")
    _draw_network(axes, ends[4], ends[5], LOW, TALL, DECODER, "decoder")
    for start, end in ((ends[1], ends[2]), (ends[5], ends[6])):
        _arrow(axes, (start + 0.02, 0), (end, 0))
    (_draw_posterior if variational else _draw_code)(axes, ends[3], ends[4])
    if variational:
        for x, name in (((ends[2] + ends[3]) / 2, "q(z|x)"), ((ends[4] + ends[5]) / 2, "p(x|z)")):
            axes.text(x, -1.0, name, ha="center", va="center")
    return figure


def _draw_image(figure, left, picture, name, axes):
    """A picture with its left edge at `left` inches, and its name below."""
    width, height = figure.get_size_inches()
    frame = (left / width, 0.5 - PICTURE / 2 / height, PICTURE / width, PICTURE / height)
    draw_picture(figure.add_axes(frame), picture)
    axes.text(left + PICTURE / 2, -1.0, name, ha="center", va="center")


def _draw_network(axes, left, right, from_height, to_height, colour, name):
    """A network as a trapezium: as high at its two ends as many numbers go in and come out."""
    corners = [(left, -from_height), (left, from_height), (right, to_height), (right, -to_height)]
    axes.add_patch(Polygon(corners, facecolor=colour, edgecolor="none", alpha=0.75))
    axes.text((left + right) / 2, 0, name, ha="center", va="center")


def _draw_code(axes, left, right):
    """Two numbers between the networks."""
    x = (left + right) / 2
    for y in (0.22, -0.22):
        _node(axes, x, y, "")
    axes.text(x, 0.6, "latents z", ha="center", va="center")
    axes.text(x, -0.62, "bottleneck", ha="center", va="center")
    _arrow(axes, (left, 0), (x - 0.2, 0))
    _arrow(axes, (x + 0.2, 0), (right, 0))


def _draw_posterior(axes, left, right):
    """Mean and standard deviation, the noise, and the draw z = μ + σ·ε between the networks."""
    first, second = left + 0.5, right - 0.5
    for x, y, name in ((first, 0.34, "μ"), (first, -0.34, "σ"), (second, 0, "z")):
        _node(axes, x, y, name)
    axes.text((first + second) / 2, -0.98, "noise ε from N(0, 1)", ha="center", va="center")
    for start, end in (((left, 0.06), (first - 0.17, 0.28)), ((left, -0.06), (first - 0.17, -0.28)),
                       ((first + 0.18, 0.34), (second - 0.18, 0.07)), ((first + 0.18, -0.34), (second - 0.18, -0.07)),
                       (((first + second) / 2, -0.84), (second - 0.08, -0.18)), ((second + 0.18, 0), (right, 0))):
        _arrow(axes, start, end)
    axes.text((first + second) / 2, 0.9, "z = μ + σ·ε", ha="center", va="center")


def _node(axes, x, y, name):
    """A latent: a circle with its name."""
    axes.add_patch(Circle((x, y), 0.17, facecolor=LATENT, edgecolor="none", alpha=0.75))
    axes.text(x, y, name, ha="center", va="center")


def _arrow(axes, start, end):
    axes.annotate("", end, start, arrowprops=dict(arrowstyle="->", color="#444444", lw=1.4, shrinkA=0, shrinkB=0))
