"""Explorers of images, without any model: a card in any pose; reconstructions beside originals; one of several pictures."""
import numpy as np
from matplotlib.transforms import Affine2D

from cardslib.cards import SUITS, render
from cardslib.explorers.packing import IMAGE_BYTES, affordable, as_bytes
from cardslib.explorers.sliders import choice_slider, index_slider, number_slider
from cardslib.explorers.widget import Explorer, zoom_for
from cardslib.outlines import outline
from cardslib.validation import check_count, check_images


class CardExplorer(Explorer):
    """One card in any pose: sliders for suit, rotation, shear and shift.  What you see is what a model gets, 48×48 pixels."""

    def __init__(self, suit="spade", size=48):
        self.size = check_count("size", size, 8)
        if suit not in SUITS:
            raise ValueError(f"suit must be one of {', '.join(SUITS)}; got {suit!r}")
        sliders = dict(
            suit=choice_slider("suit", SUITS, suit),
            rotation=number_slider("rotation (°)", 0, -180, 180, 1, 0),
            shear=number_slider("shear (°)", 0, -20, 20, 0.5, 1),
            right=number_slider("shift right", 0, -0.2, 0.2, 0.01),
            down=number_slider("shift down", 0, -0.2, 0.2, 0.01))
        super().__init__("card", sliders, polygons(size), size=size, names=SUITS, zoom=zoom_for(288, size))

    def panels(self, suit, rotation, shear, right, down):
        card, = render([suit], [np.radians(rotation)], [np.radians(shear)], [(right, down)], self.size)
        return {SUITS[suit]: card}


class ReconstructionExplorer(Explorer):
    """Reconstructions, their originals and the difference: sliders for the bottleneck's width and for the image.

    images           (n, h, w)
    reconstructions  {width: (n, h, w)}

    As many of the images are shown as a small page can hold.
    """

    def __init__(self, images, reconstructions):
        images = check_images(images)
        reconstructions = {width: check_images(made, images.shape[1:], "reconstructions")
                           for width, made in reconstructions.items()}
        if not reconstructions or any(made.shape != images.shape for made in reconstructions.values()):
            raise ValueError("reconstructions must hold, for each width, one image for each of the images")
        all_made = np.stack(list(reconstructions.values()))                                    # (widths, n, h, w)
        each_with_all = np.concatenate([images[None], all_made]).swapaxes(0, 1)                # (n, 1 + widths, h, w)
        count = affordable(each_with_all, 6 * IMAGE_BYTES)   # no decoder has to fit beside them
        self.images, self.made = images[:count], all_made[:, :count]
        self.widths = [str(width) for width in reconstructions]
        errors = ((self.made - self.images) ** 2).mean((2, 3)).astype(np.float32)              # (widths, n)
        arrays = dict(images=as_bytes(self.images), made=as_bytes(self.made), errors=errors)
        sliders = dict(width=choice_slider("width", reconstructions), image=index_slider("image", count))
        super().__init__("reconstruction", sliders, arrays, shape=images.shape[1:], widths=self.widths,
                         zoom=zoom_for(192, images.shape[2]))

    def panels(self, width, image):
        original, made = self.images[image], self.made[width, image]
        return {f"through {self.widths[width]}": made, f"image {image}": original, "difference": np.abs(made - original)}


class PictureExplorer(Explorer):
    """One of several pictures, chosen by a slider: what a setting does to a decoded grid, say.

    label     of the slider
    pictures  {setting: (h, w)}, grey values in [0, 1], all of one size;  start: the setting that is shown first
    """

    def __init__(self, label, pictures, start=None):
        if not pictures or len({np.shape(picture) for picture in pictures.values()}) > 1:
            raise ValueError("pictures must hold one picture (h, w) or more, all of one size")
        self.pictures = check_images(np.stack(list(pictures.values())))
        self.titles = [f"{label} = {setting}" for setting in pictures]
        super().__init__("picture", dict(setting=choice_slider(label, pictures, start)), dict(pictures=as_bytes(self.pictures)),
                         shape=self.pictures.shape[1:], titles=self.titles, zoom=zoom_for(360, self.pictures.shape[2]))

    def panels(self, setting):
        return {self.titles[setting]: self.pictures[setting]}


def polygons(size):
    """Closed polygons of the suits' outlines, {"suit/part": (points, 2)}: curves as fine as Agg makes them at this size."""
    arrays = {}
    for number, suit in enumerate(SUITS):
        in_pixels = outline(suit).transformed(Affine2D().scale(size / 2))
        for part, polygon in enumerate(in_pixels.to_polygons()):
            arrays[f"{number}/{part}"] = (polygon / (size / 2)).astype(np.float32)
    return arrays
