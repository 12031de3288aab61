"""Explorers of a micrograph: which columns a threshold finds, and what a model makes of the patch about each.

The page holds a square region of the image, and cuts the patches from it by itself.
"""
from dataclasses import replace

import numpy as np

from cardslib.explorers.decoder import check_draws_images, grey_values, names_of_classes
from cardslib.explorers.latent import EncodedImages, TravelExplorer
from cardslib.explorers.packing import as_bytes
from cardslib.explorers.sliders import choice_slider, index_slider, number_slider
from cardslib.explorers.widget import Explorer
from cardslib.geometry import inside
from cardslib.validation import check_count, check_images, check_named_labels, check_unmasked

# A ring about a column: pixels (x, y) beside its middle, about 5 away.
RING = np.array([(-1, -5), (0, -5), (1, -5), (3, -4), (4, -3), (5, -1), (5, 0), (5, 1), (4, 3), (3, 4), (1, 5), (0, 5), (-1, 5),
                 (-3, 4), (-4, 3), (-5, 1), (-5, 0), (-5, -1), (-4, -3), (-3, -4)])


class ColumnExplorer(Explorer):
    """Maxima of an image, ringed where they are above a threshold, and the patch about one of them.

    image     (h, w) in [0, 1]
    position  (n, 2) of the maxima, x and y in pixels;  strength (n,): what the threshold is compared with
    sizes     of a patch that the slider offers, pixels
    corner    x and y of the first pixel of the square region that is shown, `across` pixels wide

    Click on a maximum to see its patch.
    """

    def __init__(self, image, position, strength, sizes=(12, 16, 24, 32, 40, 48), corner=(0, 0), across=200):
        self.region, corner = _region(image, corner, across)
        shown = inside(np.asarray(position), corner, corner + across - 1)
        if not shown.any():
            raise ValueError(f"position must hold a column in the region of {across} pixels at {corner.tolist()}; none is "
                             f"there")
        if not sizes or max(sizes) > across:
            raise ValueError(f"sizes must be some, of at most across={across} pixels; got {sizes!r}")
        self.sizes = [check_count("sizes", size, 2) for size in sizes]
        self.position = (np.asarray(position)[shown] - corner).astype(np.float32)
        self.strength = np.asarray(strength)[shown].astype(np.float32)
        in_the_middle = int(((self.position - across / 2) ** 2).sum(1).argmin())
        sliders = dict(threshold=_threshold_slider(self.strength),
                       size=choice_slider("patch size", self.sizes, self.sizes[len(self.sizes) // 2]),
                       column=index_slider("column", len(self.position), in_the_middle))
        arrays = dict(region=as_bytes(self.region), position=self.position, strength=self.strength)
        super().__init__("columns", sliders, arrays, across=across, sizes=self.sizes, ring=RING.tolist(), zoom=2)

    def panels(self, threshold, size, column):
        size = self.sizes[size]
        above = self.strength >= np.float32(threshold)
        left, top = _half_up(self.position[column] - np.float32((size - 1) / 2)).clip(0, len(self.region) - size)
        picture, patch = self.region.copy(), self.region[top:top + size, left:left + size]
        for middle in _half_up(self.position[above]):
            _mark_ring(picture, middle)
        _mark_frame(picture, left, top, size)
        return {f"{above.sum()} maxima above {threshold:.2f}": picture, f"patch of {size}×{size} pixels": patch}


class PatchExplorer(TravelExplorer):
    """A `LatentExplorer` of patches that shows where in the micrograph each was cut: click on a column to go there.

    model       a trained VAE of the patches' images, or of their counts if its likelihood is Poisson's
    micrograph  what the patches were cut from;  patches: `Patches`
    labels      (len(patches),) with the names of the classes, to colour the map
    corner      x and y of the first pixel of the square region that is shown, `across` pixels wide
    """

    def __init__(self, model, micrograph, patches, labels=None, names=None, corner=(0, 0), across=200, span=2.5):
        check_draws_images(model)
        labels, names = check_named_labels(labels, names, len(patches)), names_of_classes(model, names)
        region, corner = _region(micrograph.image, corner, across)
        if counts := model.likelihood.name == "poisson":
            region = replace(micrograph, frames=region[None]).counts[0]
        self.region = grey_values(model, region).clip(0, 1)
        in_region = np.flatnonzero(inside(patches.corner, corner, corner + across - patches.size))
        if not len(in_region):
            raise ValueError(f"patches must lie in the region of {across} pixels at {corner.tolist()}; none does")
        images = (patches.counts if counts else patches.images)[in_region]
        data = EncodedImages(grey_values(model, images).clip(0, 1), model.encode(images),
                             None if labels is None else labels[in_region])
        within = data.within(span)
        shown, self.corner = data[within], patches.corner[in_region[within]] - corner
        arrays = dict(region=as_bytes(self.region), corner=self.corner.astype(np.float32))
        super().__init__("patch", model, names, span, shown, shown, arrays, across=across, zoom=3)

    def panels(self, image, **values):
        picture = self.region.copy()
        _mark_frame(picture, *self.corner[self._nearest(image, values)], self.shown.images.shape[1])
        return {"where it lies": picture, **super().panels(image, **values)}


def _region(image, corner, across):
    """The square region of an image that is shown, and its corner as an array."""
    image, corner = check_images(check_unmasked("image", image)[None], name="image")[0], np.asarray(corner)
    check_count("across", across, 16)
    whole_numbers = corner.shape == (2,) and corner.dtype.kind in "iu"
    if not whole_numbers or (corner < 0).any() or (corner + across > image.shape[::-1]).any():
        raise ValueError(f"corner must be x and y, whole numbers, of a region of across={across} pixels in the image of "
                         f"{image.shape[1]}×{image.shape[0]}; got {corner.tolist()}")
    return image[corner[1]:corner[1] + across, corner[0]:corner[0] + across], corner


def _threshold_slider(strength):
    """A slider from the weakest to beyond the strongest, in steps of 0.01, that starts at the median."""
    low, high = float(strength.min()), float(strength.max())
    return number_slider("threshold", round(float(np.median(strength)), 2), np.floor(low * 100) / 100,
                         np.ceil(high * 100) / 100 + 0.01, 0.01)


def _half_up(values):
    """Whole numbers next to some, halves upwards, as the page rounds."""
    return np.floor(values + np.float32(0.5)).astype(int)


def _mark_ring(picture, middle):
    """A white ring about a pixel (x, y), as far as it lies in the picture."""
    pixels = middle + RING
    x, y = pixels[inside(pixels, 0, len(picture) - 1)].T
    picture[y, x] = 1


def _mark_frame(picture, left, top, size):
    """A white frame with a black one inside, about the pixels that a patch holds."""
    for inset, value in ((0, 1), (1, 0)):
        first_x, last_x, first_y, last_y = left + inset, left + size - 1 - inset, top + inset, top + size - 1 - inset
        picture[first_y:last_y + 1, [first_x, last_x]] = value
        picture[[first_y, last_y], first_x:last_x + 1] = value
