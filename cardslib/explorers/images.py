"""Explorers of pictures: a card in any pose; reconstructions beside their originals."""
import numpy as np
from matplotlib.transforms import Affine2D

from cardslib.cards import SUITS, render
from cardslib.explorers.widget import IMAGES, Explorer, affordable, as_bytes, choice, slider, whole, zoom_for
from cardslib.outlines import outline
from cardslib.validation import check_count, check_images


class CardExplorer(Explorer):
    """One card in any pose: sliders for suit, rotation, shear and shift.  What you see is what a model gets, 48×48 pixels."""

    def __init__(self, suit="spade", size=48):
        self.size = check_count("size", size, 8)
        if suit not in SUITS:
            raise ValueError(f"suit must be one of {', '.join(SUITS)}; got {suit!r}")
        sliders = dict(
            suit=choice("suit", SUITS, suit),
            rotation=slider("rotation (°)", 0, -180, 180, 1, 0),
            shear=slider("shear (°)", 0, -20, 20, 0.5, 1),
            right=slider("shift right", 0, -0.2, 0.2, 0.01),
            down=slider("shift down", 0, -0.2, 0.2, 0.01))
        super().__init__("card", sliders, _outlines(size), size=size, names=SUITS, zoom=zoom_for(288, size))

    def tiles(self, suit, rotation, shear, right, down):
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
        widths, all_made = list(reconstructions), np.stack(list(reconstructions.values()))     # (widths, n, h, w)
        count = affordable(np.concatenate([images[None], all_made]).swapaxes(0, 1), 6 * IMAGES)
        self.images, self.made = images[:count], all_made[:, :count]
        errors = ((self.made - self.images) ** 2).mean((2, 3)).astype(np.float32)              # (widths, n)
        arrays = dict(images=as_bytes(self.images), made=as_bytes(self.made), errors=errors)
        sliders = dict(width=choice("width", widths), image=whole("image", count - 1))
        super().__init__("reconstruction", sliders, arrays, shape=images.shape[1:], widths=[str(width) for width in widths],
                         zoom=zoom_for(192, images.shape[2]))

    def tiles(self, width, image):
        original, made = self.images[image], self.made[width, image]
        label = self.canvas.scene["widths"][width]
        return {f"through {label}": made, f"image {image}": original, "difference": np.abs(made - original)}


def _outlines(size):
    """Closed polygons of the suits' outlines, {"suit/part": (points, 2)}: curves as fine as Agg makes them at this size."""
    arrays = {}
    for number, suit in enumerate(SUITS):
        path = outline(suit)
        fine = path.transformed(Affine2D().scale(size / 2))
        for part, polygon in enumerate(fine.to_polygons()):
            arrays[f"{number}/{part}"] = (polygon / (size / 2)).astype(np.float32)
    return arrays
