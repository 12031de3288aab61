"""Explorers: sliders beside pictures.  Move a slider, and the picture follows.

The page does the work: it knows the outlines of the cards and the weights of the decoders, so that a slider answers within a
frame and still does so in a saved page, on a phone, without any Python.  (A decoder that is a network of the coordinates is
quicker in Python: the kernel is asked, if there is one.)  `explorer.save("name.html")` writes such a page.
"""

import numpy as np

from cardslib.explorers.weights import compact_decoder
from cardslib.explorers.widget import IMAGES, Explorer, affordable, as_bytes, choice, evenly, slider, whole, zoom_for
from cardslib.figures.style import CLASSES, SUIT_STYLE
from cardslib.models.latents import Latents
from cardslib.validation import check_count, check_images, check_named_labels, check_number

POINTS = 2000         # of the data on the map
MARKERS = {"o": "●", "^": "▲", "v": "▼", "D": "◆"}
POSE_SLIDERS = {   # of each part of a pose: the sliders' names, with label, reach, step and digits
    "angle": {"rotation": ("rotation (°)", 180, 1, 0)},
    "shift": {"right": ("shift right", 0.3, 0.01, 2), "down": ("shift down", 0.3, 0.01, 2)},
    "scale": {"scale": ("log scale", 0.5, 0.02, 2)},
    "shear": {"shear": ("shear (°)", 30, 0.5, 1)}}


class DecoderExplorer(Explorer):
    """What the explorers of a decoder share: a slider a content latent, one for the class, one for each part of the pose.

    model  a trained VAE;  names: of its classes;  span: the content sliders reach ±span;  without: sliders to leave out
    """

    def __init__(self, kind, model, names, span, sliders=None, arrays=None, without=(), **scene):
        self.model, self.names = model, names
        self.span = check_number("span", span, 0.1, 10)
        inputs = decoder_inputs(model)
        own = {name: slider(_subscripted(name), 0, -span, span, 0.05) if not count
               else choice(name, names if name == "class" else range(1, count + 1)) for name, count in inputs}
        for part in model.pose.widths if model.pose else ():
            own |= {name: slider(label, 0, -reach, reach, step, digits)
                    for name, (label, reach, step, digits) in POSE_SLIDERS[part].items()}
        own = {name: widget for name, widget in own.items() if name not in without} | (sliders or {})
        about, numbers = compact_decoder(model, inputs, span)
        super().__init__(kind, own, numbers | (arrays or {}), decoder=about, inputs=inputs, shape=model.shape,
                         learning=model.learning,
                         posed=bool(model.pose), names=None if names is None else [str(name) for name in names],
                         **dict(zoom=zoom_for(160, model.shape[1])) | scene)
        self.canvas.on_msg(self._answer)

    def decoded(self, *rows):
        """Images (n, h, w) at the values of the sliders, one dictionary of values an image."""
        return self.model.decode(latents_of(self.model, rows))

    def _answer(self, canvas, message, _buffers):
        """Decode for the page, if it asks; what goes wrong is said there."""
        try:
            images = self.decoded(*message["rows"])
            canvas.send(dict(number=message["number"]), [as_bytes(images).tobytes()])
        except Exception as problem:   # an error in a callback reaches nobody unless the page shows it
            canvas.send(dict(number=message["number"], problem=f"{type(problem).__name__}: {problem}"))


class LatentExplorer(DecoderExplorer):
    """Travel in the latent space: the decoded image, and beside it the nearest image of the data.

    A slider a content latent, and one for each part of the pose; between the two images then stands the canonical one, which
    only the content changes.  A conditional model has a slider for the class.  The slider `image` chooses an image: all others
    go where it was encoded, and its reconstruction stands beside it.  Click on the map of the latents, or use the arrow keys
    there, to travel.

    model   a trained VAE;  images (n, h, w): the data, of which as many are shown as a small page can hold, all within reach
    labels  (n,) with the names of the classes: to colour the map and to say what an image is; a conditional model needs them
    span    the content sliders, and those of given quantities, reach ±span
    conditions  (n, c): what a model with conditions was told of the images
    """

    def __init__(self, model, images, labels=None, names=None, span=2.5, conditions=None):
        images = check_images(images, model.shape)
        labels = check_named_labels(labels, names, len(images))
        names = names_of_classes(model, names)
        latents = model.encode(images, labels if model.classes else conditions)
        within = np.flatnonzero((np.abs(latents.content) <= span).all(1))
        within = within if len(within) else np.arange(len(images))
        few = within[evenly(len(within), affordable(images, IMAGES))]
        self.images, self.labels, self.latents = images[few], None if labels is None else labels[few], latents[few]
        arrays = dict(images=as_bytes(self.images), content=self.latents.content)
        arrays |= {f"at/{name}": values.astype(np.float32) for name, values in slider_values(self.latents).items()}
        scene = {}
        if model.content:
            many = within[evenly(len(within), POINTS)]
            two = np.pad(latents.content[many], ((0, 0), (0, max(0, 2 - model.content))))[:, :2]
            arrays |= dict(points=two.astype(np.float16))
            arrays |= {} if labels is None else dict(pointLabel=labels[many].astype(np.uint8))
            scene = dict(map=dict(span=span, styles=map_styles(names)))
        arrays |= {} if labels is None else dict(label=self.labels.astype(np.uint8))
        super().__init__("latent", model, names, span, dict(image=whole("image", len(few) - 1)), arrays, **scene)

    def tiles(self, image, **values):
        decoded, canonical = self.decoded(values, {name: 0 if name in _PARTS else value for name, value in values.items()})
        near = self._nearest(image, values)
        kind = "" if self.labels is None else f", a {self.names[self.labels[near]]}"
        canonical = {"in pose zero": canonical} if self.model.pose else {}
        return {"decoded": decoded, **canonical, f"image {near}{kind}": self.images[near]}

    def _nearest(self, image, values):
        if not self.model.content:
            return image
        squares = ((self.latents.content - [values[f"z{n + 1}"] for n in range(self.model.content)]) ** 2).sum(1)
        squares[image] -= 1e-6   # stay if none is nearer
        if "class" in values:
            squares[self.labels != values["class"]] = np.inf
        return int(squares.argmin())


class ManifoldExplorer(DecoderExplorer):
    """The decoded grid of the first two content latents with a cursor in it, and the image at the cursor.

    The other latents, the class of a conditional model and the pose have sliders: the whole grid follows them.

    model  a trained VAE;  names: of its classes;  span: the grid reaches ±span;  grid: images along an edge
    """

    def __init__(self, model, names=None, span=2.5, grid=10):
        if not model.content:
            raise ValueError("model must have content latents for a grid; this one has none: use LatentExplorer for its pose")
        super().__init__("manifold", model, names_of_classes(model, names), span, zoom=zoom_for(240, model.shape[1]),
                         map=dict(span=span, grid=check_count("grid", grid, 2)))

    def tiles(self, **values):
        return {"decoded": self.decoded(values)[0]}


class StyleExplorer(DecoderExplorer):
    """The same style in every class of a conditional model: the content is shared, the class goes along the row.

    model  a trained VAE with classes;  names: of its classes
    """

    def __init__(self, model, names=None, span=2.5):
        if not model.classes:
            raise ValueError("model must be conditional for a StyleExplorer, VAE(…, classes=k); this one has no classes: use "
                             "LatentExplorer")
        super().__init__("style", model, names_of_classes(model, names), span, without=["class"],
                         zoom=zoom_for(96, model.shape[1]))

    def tiles(self, **values):
        images = self.decoded(*({**values, "class": number} for number in range(self.model.classes)))
        return {str(name): image for name, image in zip(self.names, images)}


# ---------------------------------------------------------------------- between sliders and models

_PARTS = [name for sliders in POSE_SLIDERS.values() for name in sliders]


def decoder_inputs(model):
    """What a decoder is given, in order: [name, 0] is a number, [name, k] one of k classes."""
    numbers = [f"z{n + 1}" for n in range(model.content)] + [f"condition{n + 1}" for n in range(model.conditions)]
    choices = {"class": model.classes, "group": model.groups}
    return [[name, 0] for name in numbers] + [[name, count] for name, count in choices.items() if count]


def latents_of(model, rows):
    """`Latents` from the sliders' values, one dictionary an image; a part of the pose that is not there is zero."""
    def column(name, unit=1.0):
        return np.array([row[name] for row in rows], np.float32) * unit if name in rows[0] else None
    content = np.array([[row[f"z{n + 1}"] for n in range(model.content)] for row in rows], np.float32)
    label = np.array([row["class"] for row in rows]).astype(int) if model.classes else None
    if model.conditions:
        label = np.array([[row[f"condition{n + 1}"] for n in range(model.conditions)] for row in rows], np.float32)
    group = np.eye(model.groups, dtype=np.float32)[[int(row["group"]) for row in rows]] if model.groups else None
    shift = np.stack([column("right"), column("down")], 1) if "right" in rows[0] else None
    return Latents(content, label=label, group=group, shift=shift, angle=column("rotation", np.pi / 180), scale=column("scale"),
                   shear=column("shear", np.pi / 180))


def slider_values(latents):
    """The sliders' values of encoded images, {name: (n,)}: the inverse of `latents_of`."""
    values = {f"z{n + 1}": column for n, column in enumerate(latents.content.T)}
    given = latents.rows
    values |= {"rotation": np.degrees(given["angle"])} if "angle" in given else {}
    values |= {"right": given["shift"][:, 0], "down": given["shift"][:, 1]} if "shift" in given else {}
    values |= {"scale": given["scale"]} if "scale" in given else {}
    values |= {"shear": np.degrees(given["shear"])} if "shear" in given else {}
    values |= {"group": given["group"].argmax(1)} if "group" in given else {}
    if "label" in given and given["label"].ndim == 2:
        return values | {f"condition{n + 1}": column for n, column in enumerate(given["label"].T)}
    return values | ({"class": given["label"]} if "label" in given else {})


def names_of_classes(model, names):
    """The names, or numbers in their place; a ValueError if a conditional model has not as many classes."""
    if not model.classes:
        return names
    names = range(model.classes) if names is None else names
    if len(names) != model.classes:
        raise ValueError(f"names must name the {model.classes} classes of this model; got {len(names)}")
    return names


# ---------------------------------------------------------------------- what the map shows

def map_styles(names):
    """Colour and marker of each class: the suits' own, else the class's first letter or digit, as in the figures."""
    if names is None or len(names) == 1:
        return [("#0072B2", "●")]
    styles = []
    for index, name in enumerate(map(str, names)):
        colour, marker = SUIT_STYLE.get(name, (CLASSES[index % len(CLASSES)], name[0]))
        styles.append((colour, MARKERS.get(marker, marker) if name in SUIT_STYLE else marker))
    return styles


def _subscripted(name):
    return "z" + name[1:].translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")) if name[1:].isdigit() else name
