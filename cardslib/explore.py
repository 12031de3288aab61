"""Explorers: sliders beside a canvas.  Move a slider, and the picture follows.

Each is a set of named sliders and a function that turns their values into a picture and a caption.  If that function fails,
the page says so in words, beside the sliders.
"""
from pathlib import Path

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets

from cardslib.cards import SUITS, render
from cardslib.checks import check_count, check_images, check_named_labels
from cardslib.figures import enlargement, mosaic
from cardslib.latents import Latents

HERE = Path(__file__).parent


class Canvas(anywidget.AnyWidget):
    """A grey picture in the page, drawn from raw bytes, with a caption that is also its accessible name."""

    _esm = HERE / "canvas.js"
    _css = HERE / "canvas.css"
    pixels = traitlets.Bytes(b"").tag(sync=True)   # one byte a pixel, row by row
    rows = traitlets.Int(0).tag(sync=True)
    columns = traitlets.Int(0).tag(sync=True)
    zoom = traitlets.Float(4.0).tag(sync=True)     # screen pixels a pixel
    caption = traitlets.Unicode("").tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)

    def show(self, picture, caption):
        """Draw a picture (rows, columns) of floats in [0, 1]."""
        grey = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
        with self.hold_sync():   # one message: size, bytes and words change together
            self.rows, self.columns = grey.shape
            self.pixels, self.caption, self.problem = grey.tobytes(), caption, ""


class Explorer(widgets.HBox):
    """Sliders and a canvas.

    sliders   {name: slider}; the names are the arguments of draw
    draw      a function of the sliders' values that returns a picture (rows, columns) in [0, 1] and a caption
    zoom      screen pixels a pixel
    """

    def __init__(self, sliders, draw, zoom):
        self.sliders, self.draw, self.canvas = sliders, draw, Canvas(zoom=zoom)
        for slider in sliders.values():
            slider.observe(self._redraw, "value")
        self._redraw()
        super().__init__([widgets.VBox(list(sliders.values())), self.canvas])

    def __repr__(self):
        """What stands in the notebook while no kernel runs."""
        return f"{type(self).__name__}, with sliders for {', '.join(self.sliders)}: run this cell to move them"

    def _redraw(self, _change=None):
        try:
            self.canvas.show(*self.draw(**{name: slider.value for name, slider in self.sliders.items()}))
        except Exception as problem:   # a slider's error reaches nobody unless the page shows it
            self.canvas.problem = f"{type(problem).__name__}: {problem}"


class CardExplorer(Explorer):
    """One card in any pose: sliders for suit, rotation, shear and shift.  What you see is what a model gets, 48×48 pixels."""

    def __init__(self, suit="spade", size=48):
        check_count("size", size, 8)
        if suit not in SUITS:
            raise ValueError(f"suit must be one of {', '.join(SUITS)}; got {suit!r}")
        sliders = dict(
            suit=_choice("suit", SUITS, suit),
            rotation=_slider("rotation (°)", 0, -180, 180, 1, ".0f"),
            shear=_slider("shear (°)", 0, -20, 20, 0.5, ".1f"),
            right=_slider("shift right", 0, -0.2, 0.2, 0.01),
            down=_slider("shift down", 0, -0.2, 0.2, 0.01))
        self.size = size
        super().__init__(sliders, self._draw_card, zoom=288 / size)

    def _draw_card(self, suit, rotation, shear, right, down):
        card = render([SUITS.index(suit)], [np.radians(rotation)], [np.radians(shear)], [(right, down)], self.size)[0]
        return card, f"{suit}, turned by {rotation:.0f}°, sheared by {shear:.1f}°, shifted by ({right:.2f}, {down:.2f})"


POSE_SLIDERS = {   # of each part of a pose: the sliders' names, with description, reach, step and format
    "angle": {"rotation": ("rotation (°)", 180, 1, ".0f")},
    "shift": {"right": ("shift right", 0.3, 0.01, ".2f"), "down": ("shift down", 0.3, 0.01, ".2f")},
    "scale": {"scale": ("log scale", 0.5, 0.02, ".2f")},
    "shear": {"shear": ("shear (°)", 30, 0.5, ".1f")}}


class LatentExplorer(Explorer):
    """Travel in the latent space: a slider a content latent; the decoded image, and beside it the nearest image of the data.

    A model with a pose has sliders for its parts as well, and between the two its canonical picture, which only the content
    changes.

    model   a trained VAE without labels; images (n, h, w): the data
    labels  (n,) with the names of the classes, if the caption is to say what the nearest image is
    """

    def __init__(self, model, images, labels=None, names=None, span=2.5):
        self.model, self.images = model, check_images(images, model.shape)
        if model.classes:
            raise ValueError("LatentExplorer is for models without labels; this one is conditional")
        self.names = names
        self.labels = check_named_labels(labels, names, len(self.images))
        sliders = {f"z{i + 1}": _slider(f"z{'₁₂₃₄₅₆₇₈₉'[i] if i < 9 else i + 1}", 0, -span, span, 0.05)
                   for i in range(model.content)}
        for part in model.pose.widths if model.pose else ():
            sliders |= {name: _slider(words, 0, -reach, reach, step, form)
                        for name, (words, reach, step, form) in POSE_SLIDERS[part].items()}
        self.content = model.encode(self.images).content
        super().__init__(sliders, self._draw_journey, zoom=_zoom(256, model.shape[0]))

    def _draw_journey(self, rotation=None, right=None, down=None, scale=None, shear=None, **values):
        point = np.array(list(values.values()), np.float32)
        pose = Latents(point[None], angle=None if rotation is None else np.radians([rotation]),
                       shift=None if right is None else np.array([[right, down]]),
                       scale=None if scale is None else np.array([scale]),
                       shear=None if shear is None else np.radians([shear]))
        nearest = int(((self.content - point) ** 2).sum(1).argmin())
        canonical = [self.model.decode(point[None])[0]] if self.model.pose else []
        picture = mosaic(np.stack([self.model.decode(pose)[0], *canonical, self.images[nearest]]), 2 + len(canonical))
        moved = dict(rotation=rotation, right=right, down=down, scale=scale, shear=shear)
        place = ", ".join(f"{name} = {value:.2f}" for name, value in {**values, **moved}.items() if value is not None)
        kind = "" if self.labels is None else f" (a {self.names[self.labels[nearest]]})"
        away = np.sqrt(((self.content[nearest] - point) ** 2).sum())
        middle = "; middle: in the pose zero; " if canonical else "; "
        return picture, f"left: decoded at {place}{middle}right: the nearest image of the data{kind}, {away:.2f} away"


class ReconstructionExplorer(Explorer):
    """Images, their reconstructions and the difference: sliders for the bottleneck's width and for the image.

    images           (n, h, w)
    reconstructions  {width: (n, h, w)}
    """

    def __init__(self, images, reconstructions):
        self.images = check_images(images)
        self.reconstructions = {width: check_images(made, self.images.shape[1:], "reconstructions")
                                for width, made in reconstructions.items()}
        if not self.reconstructions or any(made.shape != self.images.shape for made in self.reconstructions.values()):
            raise ValueError("reconstructions must hold, for each width, one image for each of the images")
        widths = list(self.reconstructions)
        sliders = dict(width=_choice("width", widths, widths[0]),
                       image=widgets.IntSlider(0, 0, len(self.images) - 1, description="image"))
        super().__init__(sliders, self._draw_comparison, zoom=_zoom(224, self.images.shape[1]))

    def _draw_comparison(self, width, image):
        original, made = self.images[image], self.reconstructions[width][image]
        picture = mosaic(np.stack([original, made, np.abs(made - original)]), 3)
        error = np.mean((made - original) ** 2)
        return picture, f"image {image} | through a bottleneck of {width} | difference: mean squared error {error:.4f}"


def _zoom(shown, pixels):
    """Screen pixels a canvas pixel, for images of `pixels` to be `shown` so large (a mosaic enlarges small ones)."""
    return shown / (pixels * enlargement(pixels))


def _slider(description, value, low, high, step, format=".2f"):
    return widgets.FloatSlider(value, min=low, max=high, step=step, description=description, readout_format=format)


def _choice(description, options, value):
    return widgets.SelectionSlider(options=options, value=value, description=description)
