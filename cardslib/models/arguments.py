"""What users pass to a VAE, checked: its settings, labels, latents.  Each check returns what the model needs, or raises an
error that names the argument, what came, and what would have been right."""
from dataclasses import replace

import numpy as np
import torch

from cardslib.models.latents import Latents
from cardslib.models.pose import Pose
from cardslib.validation import check_count, check_labels, check_rows


def check_shape(shape):
    """(height, width), or (channels,), as whole numbers."""
    if np.shape(shape) not in ((1,), (2,)):
        raise ValueError(f"shape must be (height, width) in pixels, or (channels,) of spectra; got {shape!r}")
    return tuple(check_count("shape", side) for side in shape)


def check_pose(pose, shape):
    """A `Pose` that things of this shape can have, or None."""
    if not isinstance(pose, Pose | None):
        raise ValueError(f"pose must be a Pose, such as Pose(rotation=True); got {pose!r}")
    if pose and len(shape) == 1 and not set(pose.widths) <= {"shift", "scale"}:
        raise ValueError(f"pose must be a shift or a scale along the one axis of spectra {shape}; got {pose!r}: "
                         f"use Pose(shift=0.02)")
    return pose


def check_told(classes, conditions, groups):
    """The three numbers, at most one of which is not zero."""
    counts = dict(classes=classes, conditions=conditions, groups=groups)
    counts = {name: check_count(name, count, 0) for name, count in counts.items()}
    if sum(count > 0 for count in counts.values()) > 1:
        raise ValueError(f"classes, conditions and groups exclude each other; got {classes}, {conditions}, {groups}: "
                         f"keep one of them")
    return counts.values()


def check_device(device):
    """The device, if torch finds it."""
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={device!r}, but torch finds no CUDA here: leave device out, everything runs on the CPU")
    return device


def check_label(model, labels, count):
    """What is known of `count` images, as an array, or None; ValueError if it is not what this model wants."""
    if labels is None and not (model.classes or model.conditions):
        return None
    if model.groups:
        return check_labels(labels, count, model.groups, unknown=True)
    if model.classes and labels is None:
        raise ValueError(f"labels are missing: this VAE is conditional on {model.classes} classes; give one whole number "
                         f"an image")
    if model.classes:
        return check_labels(labels, count, model.classes)
    if not model.conditions:
        raise ValueError("labels were given, but this VAE takes none: leave them out, or make VAE(…, classes=k), "
                         "VAE(…, conditions=c) or VAE(…, groups=k)")
    if labels is None or np.shape(labels) != (count, model.conditions):
        cure = ": use labels[:, None]" if model.conditions == 1 and np.shape(labels) == (count,) else ""
        raise ValueError(f"labels must be ({count}, {model.conditions}) numbers: this VAE is conditional on "
                         f"{model.conditions} of them an image; got {'none' if labels is None else np.shape(labels)}{cure}")
    return check_rows(labels, model.conditions, "labels")


def check_latents(model, latents, labels):
    """Values at which images are to be drawn, as `Latents` of arrays: of what `encode` returned, or of content alone."""
    if not isinstance(latents, Latents):
        latents = Latents(latents, label=labels)
    elif labels is not None:   # the same content, drawn as something else
        latents = replace(latents, label=labels)
    content = check_rows(latents.content, model.content, "content")
    count = len(content)
    pose = {name: _check_pose_part(model, name, getattr(latents, name), count) for name in ("angle", "shift", "scale", "shear")
            if getattr(latents, name) is not None}
    label = None if model.groups else check_label(model, latents.label, count)
    return Latents(content, group=_check_group(model, latents, count), label=label, **pose)


def _check_pose_part(model, name, values, count):
    """A part of the pose of `count` images, (count,), or (count, 2) for the shift."""
    if model.pose is None or name not in model.pose.widths:
        raise ValueError(f"latents hold a {name}, but this VAE has none in its pose: make VAE(…, pose=Pose(…)) with it")
    values = np.asarray(values)
    dimensions = len(model.shape)
    if values.shape != ((count, dimensions) if name == "shift" else (count,)):
        wanted = f"a shift of {dimensions} coordinate{'s'[:dimensions - 1]}" if name == "shift" else f"one {name}"
        raise ValueError(f"latents must hold {wanted} an image, {count} images; got {name} {values.shape}")
    return check_rows(values.reshape(count, -1), values.size // count, name).reshape(values.shape)


def _check_group(model, latents, count):
    """The group in which each image is to be drawn, (count, groups) with a single one in each row, or None."""
    if not model.groups:
        if latents.group is not None:
            raise ValueError("latents hold a group, but this VAE has none: make VAE(…, groups=k)")
        return None
    if latents.label is not None:
        group = check_labels(latents.label, count, model.groups)
    elif latents.group is None:
        raise ValueError(f"labels are missing: which of the {model.groups} groups is to be drawn? Give one whole number "
                         f"an image")
    elif np.shape(latents.group) != (count, model.groups):
        raise ValueError(f"latents must hold a probability of each of the {model.groups} groups for {count} images; got group "
                         f"{np.shape(latents.group)}")
    else:
        group = check_rows(latents.group, model.groups, "group").argmax(1)
    return np.eye(model.groups, dtype=np.float32)[group]
