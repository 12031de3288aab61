"""Explorers of a latent space: travel in it, see it as a grid, see one style in every class."""
from dataclasses import dataclass

import numpy as np

from cardslib.explorers.decoder import (
    POSE_NAMES,
    DecoderExplorer,
    check_draws_images,
    grey_values,
    names_of_classes,
    slider_values,
)
from cardslib.explorers.packing import IMAGE_BYTES, affordable, as_bytes, evenly
from cardslib.explorers.sliders import index_slider
from cardslib.explorers.widget import zoom_for
from cardslib.figures.style import CLASSES, SUIT_STYLE
from cardslib.models.latents import Latents
from cardslib.records import Record
from cardslib.validation import check_count, check_named_labels

POINTS = 2000   # of the data on the map: 8 kB, and more would hide one another
MARKERS = {"o": "●", "^": "▲", "v": "▼", "D": "◆"}   # matplotlib's, as letters


@dataclass(frozen=True)
class EncodedImages(Record):
    """Images of the data as grey values in [0, 1], (n, h, w), their latents, and their labels (n,) or None."""

    images: np.ndarray
    latents: Latents
    label: np.ndarray = None

    def within(self, span):
        """Indices of those whose content lies within ±span in every direction; of all if there is none."""
        near = np.flatnonzero((np.abs(self.latents.content) <= span).all(1))
        return near if len(near) else np.arange(len(self))


class TravelExplorer(DecoderExplorer):
    """What explorers of a model and its data share: the decoded image, the nearest of the data beside it, a map of both.

    shown   `EncodedImages`: the slider `image` chooses one of them, and all others go where it was encoded
    points  `EncodedImages` that stand on the map
    """

    def __init__(self, view, model, names, span, shown, points, arrays, **spec):
        self.shown = shown
        arrays = arrays | dict(content=shown.latents.content)
        arrays |= {f"at/{name}": values.astype(np.float32) for name, values in slider_values(shown.latents).items()}
        if shown.label is not None:
            arrays |= dict(label=shown.label.astype(np.uint8))
        if model.content:
            arrays |= _map_arrays(points)
            spec |= dict(map=dict(span=span, styles=map_styles(names)))
        more = dict(image=index_slider("image", len(shown)))
        super().__init__(view, model, names, span, more, arrays, **spec)

    def panels(self, image, **values):
        decoded, canonical = self.decoded(values, {name: 0 if name in POSE_NAMES else value for name, value in values.items()})
        near = self._nearest(image, values)
        of_class = "" if self.shown.label is None else f", a {self.names[self.shown.label[near]]}"
        canonical = {"in pose zero": canonical} if self.model.pose else {}
        return {"decoded": decoded, **canonical, f"image {near}{of_class}": self.shown.images[near]}

    def _nearest(self, image, values):
        """Which of the images was encoded nearest to the sliders' content; the one that stands there if none is nearer."""
        if not self.model.content:
            return image
        at = [values[f"z{n + 1}"] for n in range(self.model.content)]
        squares = ((self.shown.latents.content - at) ** 2).sum(1)
        squares[image] -= 1e-6   # of two equally near
        if "class" in values:
            squares[self.shown.label != values["class"]] = np.inf
        return int(squares.argmin())


class LatentExplorer(TravelExplorer):
    """Travel in the latent space: the decoded image, and beside it the nearest image of the data.

    A slider a content latent, and one for each part of the pose; between the two images then stands the canonical one, which
    only the content changes.  A conditional model has a slider for the class.  The slider `image` chooses an image: all others
    go where it was encoded, and its reconstruction stands beside it.  Click on the map of the latents, or use the arrow keys
    there, to travel.

    model   a trained VAE
    images  (n, h, w): data as it was trained on, of which as many are shown as a small page can hold, all within reach
    labels  (n,) with the names of the classes: to colour the map and to say what an image is; a conditional model needs them
    span    the content sliders, and those of conditions, reach ±span
    conditions  (n, c): what a model with conditions was told of the images
    """

    def __init__(self, model, images, labels=None, names=None, span=2.5, conditions=None):
        check_draws_images(model)
        told = labels if model.classes else conditions
        images, _ = model.check(images, told)
        labels, names = check_named_labels(labels, names, len(images)), names_of_classes(model, names)
        data = EncodedImages(grey_values(model, images).clip(0, 1), model.encode(images, told), labels)
        within = data.within(span)
        shown = data[within[evenly(len(within), affordable(data.images, IMAGE_BYTES))]]
        points = data[within[evenly(len(within), POINTS)]]
        super().__init__("latent", model, names, span, shown, points, dict(images=as_bytes(shown.images)))


class ManifoldExplorer(DecoderExplorer):
    """The decoded grid of the first two content latents with a cursor in it, and the image at the cursor.

    The other latents, the class of a conditional model and the pose have sliders: the whole grid follows them.

    model  a trained VAE;  names: of its classes;  span: the grid reaches ±span;  grid: images along an edge
    """

    def __init__(self, model, names=None, span=2.5, grid=10):
        check_draws_images(model)
        if not model.content:
            raise ValueError("model must have content latents for a grid; this one has none: use LatentExplorer for its pose")
        super().__init__("manifold", model, names_of_classes(model, names), span, zoom=zoom_for(240, model.shape[1]),
                         map=dict(span=span, grid=check_count("grid", grid, 2)))

    def panels(self, **values):
        return {"decoded": self.decoded(values)[0]}


class StyleExplorer(DecoderExplorer):
    """The same style in every class of a conditional model: the content is shared, the class goes along the row.

    model  a trained VAE with classes;  names: of its classes
    """

    def __init__(self, model, names=None, span=2.5):
        check_draws_images(model)
        if not model.classes:
            raise ValueError("model must be conditional for a StyleExplorer, VAE(…, classes=k); this one has no classes: use "
                             "LatentExplorer")
        super().__init__("style", model, names_of_classes(model, names), span, without=["class"],
                         zoom=zoom_for(96, model.shape[1]))

    def panels(self, **values):
        images = self.decoded(*({**values, "class": number} for number in range(self.model.classes)))
        return {str(name): image for name, image in zip(self.names, images)}


# ---------------------------------------------------------------------- what the map shows

def _map_arrays(encoded):
    """The first two content latents, in half precision, and the classes; of a single latent, on a line."""
    two = encoded.latents.content[:, :2]
    arrays = dict(points=np.pad(two, ((0, 0), (0, 2 - two.shape[1]))).astype(np.float16))
    return arrays if encoded.label is None else arrays | dict(pointLabel=encoded.label.astype(np.uint8))


def map_styles(names):
    """Colour and marker of each class: the suits' own, else the class's first letter or digit, as in the figures."""
    if names is None or len(names) == 1:
        return [("#0072B2", "●")]
    styles = []
    for index, name in enumerate(map(str, names)):
        colour, marker = SUIT_STYLE.get(name, (CLASSES[index % len(CLASSES)], name[0]))
        styles.append((colour, MARKERS.get(marker, marker) if name in SUIT_STYLE else marker))
    return styles
