"""Explorers of a micrograph: which columns a threshold finds, and what a model makes of the patch about each.

As in `explore`, the page does the work.  It holds a square region of the image, and cuts the patches from it by itself.
"""
import numpy as np

from cardslib.explorers.latent import DecoderExplorer, LatentExplorer, as_bytes, map_styles, names_of_classes, slider_values
from cardslib.explorers.widget import Explorer, choice, slider, whole
from cardslib.geometry import inside
from cardslib.validation import check_count, check_images, check_named_labels

RING = np.array([(-1, -5), (0, -5), (1, -5), (3, -4), (4, -3), (5, -1), (5, 0), (5, 1), (4, 3), (3, 4), (1, 5), (0, 5), (-1, 5),
                 (-3, 4), (-4, 3), (-5, 1), (-5, 0), (-5, -1), (-4, -3), (-3, -4)])   # as in explorer.js


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
        low, high = float(self.strength.min()), float(self.strength.max())
        middle = int(((self.position - across / 2) ** 2).sum(1).argmin())
        sliders = dict(threshold=slider("threshold", round(float(np.median(self.strength)), 2), np.floor(low * 100) / 100,
                                        np.ceil(high * 100) / 100 + 0.01, 0.01),
                       size=choice("patch size", self.sizes, self.sizes[len(self.sizes) // 2]),
                       column=whole("column", len(self.position) - 1))
        sliders["column"].value = middle
        arrays = dict(region=as_bytes(self.region), position=self.position, strength=self.strength)
        super().__init__("columns", sliders, arrays, across=across, sizes=self.sizes, zoom=2)

    def tiles(self, threshold, size, column):
        size = self.sizes[size]
        picture, across = self.region.copy(), len(self.region)
        above = self.strength >= np.float32(threshold)
        left, top = _half_up(self.position[column] - np.float32((size - 1) / 2)).clip(0, across - size)
        patch = self.region[top:top + size, left:left + size]
        for centre in _half_up(self.position[above]):
            x, y = (centre + RING).T
            seen = (x >= 0) & (x < across) & (y >= 0) & (y < across)
            picture[y[seen], x[seen]] = 1
        _mark_frame(picture, left, top, size)
        return {f"{above.sum()} maxima above {threshold:.2f}": picture, f"patch of {size}×{size} pixels": patch}


class PatchExplorer(LatentExplorer):
    """A `LatentExplorer` of patches that shows where in the micrograph each was cut: click on a column to go there.

    model       a trained VAE;  micrograph: what the patches were cut from;  patches: `Patches`
    labels      (len(patches),) with the names of the classes, to colour the map
    corner      x and y of the first pixel of the square region that is shown, `across` pixels wide
    """

    def __init__(self, model, micrograph, patches, labels=None, names=None, corner=(0, 0), across=200, span=2.5):
        check_images(patches.images, model.shape, "patches")
        labels, names = check_named_labels(labels, names, len(patches)), names_of_classes(model, names)
        self.region, corner = _region(micrograph.image, corner, across)
        shown = np.flatnonzero(inside(patches.corner, corner, corner + across - patches.size))
        if not len(shown):
            raise ValueError(f"patches must lie in the region of {across} pixels at {corner.tolist()}; none does")
        latents = model.encode(patches.images[shown])
        near = (np.abs(latents.content) <= span).all(1)
        near = near if near.any() else near | True
        shown, self.latents = shown[near], latents[near]
        self.images, self.corner = patches.images[shown], patches.corner[shown] - corner
        self.labels = None if labels is None else labels[shown]
        arrays = dict(region=as_bytes(self.region), corner=self.corner.astype(np.float32), content=self.latents.content)
        arrays |= {f"at/{name}": values.astype(np.float32) for name, values in slider_values(self.latents).items()}
        arrays |= {} if labels is None else dict(label=self.labels.astype(np.uint8))
        scene = dict(across=across)
        if model.content:
            two = np.pad(self.latents.content, ((0, 0), (0, max(0, 2 - model.content))))[:, :2]
            arrays |= dict(points=two.astype(np.float16)) | ({} if labels is None else dict(pointLabel=arrays["label"]))
            scene |= dict(map=dict(span=span, styles=map_styles(names)))
        DecoderExplorer.__init__(self, "patch", model, names, span, dict(image=whole("image", len(shown) - 1)), arrays,
                                 **scene, zoom=3)

    def tiles(self, image, **values):
        picture = self.region.copy()
        _mark_frame(picture, *self.corner[self._nearest(image, values)], self.images.shape[1])
        return {"where it lies": picture, **super().tiles(image, **values)}


def _region(image, corner, across):
    """The square region of an image that is shown, and its corner as an array."""
    image, corner = check_images(np.asarray(image)[None], name="image")[0], np.asarray(corner)
    check_count("across", across, 16)
    whole_numbers = corner.shape == (2,) and corner.dtype.kind in "iu"
    if not whole_numbers or (corner < 0).any() or (corner + across > image.shape[::-1]).any():
        raise ValueError(f"corner must be x and y, whole numbers, of a region of across={across} pixels in the image of "
                         f"{image.shape[1]}×{image.shape[0]}; got {corner.tolist()}")
    return image[corner[1]:corner[1] + across, corner[0]:corner[0] + across], corner


def _half_up(values):
    """Whole numbers next to some, halves upwards, as the page rounds."""
    return np.floor(values + np.float32(0.5)).astype(int)


def _mark_frame(picture, left, top, size):
    """A white frame with a black one inside, about the pixels that a patch holds."""
    for inset, value in ((0, 1), (1, 0)):
        rows, columns = (slice(first + inset, first + size - inset) for first in (top, left))
        picture[rows, [columns.start, columns.stop - 1]] = value
        picture[[rows.start, rows.stop - 1], columns] = value
