"""Explorers of a model: what they share, and the way from the sliders' values to latents and back.

A decoder that is a network of the coordinates is quicker in Python than in the page: the kernel is asked, if there is one.
"""
import numpy as np
import torch

from cardslib.explorers.sliders import choice_slider, number_slider, trait_of
from cardslib.explorers.weights import compact_decoder
from cardslib.explorers.widget import Explorer, zoom_for
from cardslib.models.latents import Latents
from cardslib.validation import check_number

POSE_SLIDERS = {   # of each part of a pose: the sliders' names, with label, reach, step and digits
    "angle": {"rotation": ("rotation (°)", 180, 1, 0)},
    "shift": {"right": ("shift right", 0.3, 0.01, 2), "down": ("shift down", 0.3, 0.01, 2)},
    "scale": {"scale": ("log scale", 0.5, 0.02, 2)},
    "shear": {"shear": ("shear (°)", 30, 0.5, 1)}}
SHIFTS = "right", "down"   # the first alone of spectra
POSE_NAMES = [name for sliders in POSE_SLIDERS.values() for name in sliders]


class DecoderExplorer(Explorer):
    """What the explorers of a decoder share: a slider a content latent, one for the class, one for each part of the pose.

    model  a trained VAE;  names: of its classes;  span: the content sliders reach ±span;  without: sliders to leave out
    more   sliders that come last, {name: slider};  pose_sliders: those of the pose, if not as images have them
    start  where sliders start, {name: value};  arrays, spec: what the view needs besides, see `Explorer`
    """

    def __init__(self, view, model, names, span, more=None, arrays=None, without=(), pose_sliders=None, start=None,
                 **spec):
        self.model, self.names = model, names
        self.span = check_number("span", span, 0.1, 10)
        inputs = decoder_inputs(model)
        pose_sliders = _pose_sliders(model.pose) if pose_sliders is None else pose_sliders
        sliders = _input_sliders(inputs, names, span) | pose_sliders | (more or {})
        sliders = {name: slider for name, slider in sliders.items() if name not in without}
        for name, value in (start or {}).items():
            setattr(sliders[name], trait_of(sliders[name]), value)
        about, numbers = compact_decoder(model, inputs, span)
        spec = dict(zoom=zoom_for(160, model.shape[-1])) | spec
        super().__init__(view, sliders, numbers | (arrays or {}), decoder=about, inputs=inputs, shape=about["shape"],
                         learning=model.learning, posed=bool(model.pose),
                         names=None if names is None else [str(name) for name in names], **spec)
        self.widget.on_msg(self._answer)

    def decoded(self, *rows):
        """Grey values (n, h, w) within [0, 1] at the values of the sliders, one dictionary of values an image."""
        return self._drawn(rows).clip(0, 1)

    def _drawn(self, rows):
        """The same with what is brighter than white, or darker than black."""
        return grey_values(self.model, self.model.decode(latents_of(self.model, rows)))

    def _answer(self, widget, message, _buffers):
        """Decode for the page, if it asks; what goes wrong is said there."""
        try:
            images = self._drawn(message["rows"])
            widget.send(dict(number=message["number"]), [images.tobytes()])
        except Exception as problem:   # an error in a callback reaches nobody unless the page shows it
            widget.send(dict(number=message["number"], problem=f"{type(problem).__name__}: {problem}"))


def _input_sliders(inputs, names, span):
    """{name: slider} for what a decoder is given."""
    return {name: number_slider(subscripted(name), 0, -span, span, 0.05) if not count
            else choice_slider(name, names if name == "class" else range(1, count + 1)) for name, count in inputs}


def _pose_sliders(pose):
    """{name: slider} for the parts of a pose."""
    return {name: number_slider(label, 0, -reach, reach, step, digits) for part in (pose.widths if pose else ())
            for name, (label, reach, step, digits) in POSE_SLIDERS[part].items()}


def subscripted(name):
    """A latent's name as a slider shows it: z1 → z₁."""
    return "z" + name[1:].translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")) if name[1:].isdigit() else name


# ---------------------------------------------------------------------- between data and what is shown of them

@torch.no_grad()
def grey_values(model, images):
    """Images in the data's own unit as grey values, float32: black 0 and white 1 as the model's likelihood has them."""
    return model.likelihood.grey(torch.from_numpy(images).to(model.device)).cpu().numpy()


def check_draws_images(model):
    """ValueError for a model of spectra."""
    if len(model.shape) == 1:
        raise ValueError(f"model must draw images, (height, width); this one draws spectra of {model.shape[0]} channels: use "
                         f"SpectrumExplorer")


# ---------------------------------------------------------------------- between sliders and models

def decoder_inputs(model):
    """What a decoder is given, in order: [name, 0] is a number, [name, k] one of k classes."""
    numbers = [f"z{n + 1}" for n in range(model.content)] + [f"condition{n + 1}" for n in range(model.conditions)]
    choices = {"class": model.classes, "group": model.groups}
    return [[name, 0] for name in numbers] + [[name, count] for name, count in choices.items() if count]


def latents_of(model, rows):
    """`Latents` from the sliders' values, one dictionary an image; a part of the pose that is not there is zero."""
    def values(name, unit=1.0):
        return np.array([row[name] for row in rows], np.float32) * unit if name in rows[0] else None

    def numbered(name, count):   # z1, z2, … → (n, count)
        return np.array([[row[f"{name}{n + 1}"] for n in range(count)] for row in rows], np.float32)
    label = np.array([row["class"] for row in rows]).astype(int) if model.classes else None
    label = numbered("condition", model.conditions) if model.conditions else label
    group = np.eye(model.groups, dtype=np.float32)[[int(row["group"]) for row in rows]] if model.groups else None
    shift = [values(name) for name in SHIFTS[:len(model.shape)]] if "right" in rows[0] else None
    return Latents(numbered("z", model.content), label=label, group=group, shift=shift and np.stack(shift, 1),
                   angle=values("rotation", np.pi / 180), scale=values("scale"), shear=values("shear", np.pi / 180))


def slider_values(latents):
    """The sliders' values of encoded images, {name: (n,)}: the inverse of `latents_of`."""
    def numbered(name, array):   # (n, count) → z1, z2, …
        return {f"{name}{n + 1}": values for n, values in enumerate(array.T)}
    values = numbered("z", latents.content)
    if latents.angle is not None:
        values["rotation"] = np.degrees(latents.angle)
    if latents.shift is not None:
        values |= dict(zip(SHIFTS, latents.shift.T))
    if latents.scale is not None:
        values["scale"] = latents.scale
    if latents.shear is not None:
        values["shear"] = np.degrees(latents.shear)
    if latents.group is not None:
        values["group"] = latents.group.argmax(1)
    if latents.label is not None:
        values |= numbered("condition", latents.label) if latents.label.ndim == 2 else {"class": latents.label}
    return values


def names_of_classes(model, names):
    """The names, or numbers in their place; a ValueError if a conditional model has not as many classes."""
    if not model.classes:
        return names
    names = range(model.classes) if names is None else names
    if len(names) != model.classes:
        raise ValueError(f"names must name the {model.classes} classes of this model; got {len(names)}")
    return names
