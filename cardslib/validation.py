"""What a function accepts, said once: each check returns the argument in the form that the caller needs or raises an
error that names the argument, what came, and what would have been right."""
from numbers import Real

import numpy as np


def check_count(name, value, least=1):
    """`value` as an int, or a ValueError: a whole number (not True or False) of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}; got {value!r}")
    return int(value)


def check_number(name, value, least, most=np.inf, unit=""):
    """`value`, or a ValueError: a finite number within least … most, in `unit`s (NaN, text and None are refused)."""
    if isinstance(value, bool) or not isinstance(value, Real) or not least <= value <= most or not np.isfinite(value):
        upper = f" and at most {most}" if np.isfinite(most) else ""
        raise ValueError(f"{name} must be a finite number of at least {least}{upper}{unit and ' ' + unit}; got {value!r}")
    return value


def check_images(images, shape=None, name="images"):
    """`images` as float32 (n, height, width): finite, within [0, 1], at least one, of `shape` (height, width) if given."""
    if hasattr(images, "images"):
        raise ValueError(f"{name} must be an array; got {type(images).__name__}: pass its .images")
    try:
        array = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
    except ValueError as problem:
        raise ValueError(f"{name} must be one (n, height, width) array; got images of different sizes: "
                         f"resize them") from problem
    got = f"{name} must be (n, height, width) floats in [0, 1]; got {array.shape} {array.dtype}"
    cure = []
    if array.ndim == 2:
        cure.append(f"{name}[None]")
    elif array.ndim != 3:
        raise ValueError(f"{got}: one grey value a pixel, the images along the first axis")
    if array.dtype.kind in "iub":
        stack = (cure or [name])[0]
        as_floats = ".astype(float)" if array.dtype == bool else f" / {np.iinfo(array.dtype).max}"
        cure = [stack + as_floats + (", or by the largest value that your camera gives" if array.dtype.itemsize > 1 else "")]
    elif array.dtype.kind != "f":
        raise ValueError(f"{got}: {name}.astype(float) if these are numbers")
    if cure:
        raise ValueError(f"{got}: use {cure[0]}")
    if array.size == 0:
        raise ValueError(f"{got}: there must be at least one image of at least one pixel")
    if shape is not None and array.shape[1:] != tuple(shape):
        raise ValueError(f"{name} must be {tuple(shape)} pixels each, as this model was made for; got {array.shape[1:]}: "
                         f"resize them, or make a VAE({array.shape[1:]}, …)")
    low, high = array.min(), array.max()
    if not np.isfinite(low + high):
        raise ValueError(f"{name} must be finite; {np.sum(~np.isfinite(array).all((1, 2)))} of {len(array)} images hold NaN or "
                         f"infinity: leave those out, or fill them with numpy.nan_to_num")
    if low < 0 or high > 1:
        raise ValueError(f"{name} must lie in [0, 1]; got {low:.3g} … {high:.3g}: "
                         f"use ({name} - {name}.min()) / numpy.ptp({name})")
    return np.require(array, np.float32, ["C", "W"])   # writeable: torch shares the memory, and warns if it must not write


def check_labels(labels, count, classes, name="labels", unknown=False):
    """`labels` as int64 (count,), each within 0 … classes - 1; or -1 if `unknown` ones may be among them."""
    array = np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must be whole numbers, 0 to {classes - 1}; got {array.dtype}: use {name}.astype(int) if they "
                         f"are classes")
    if array.shape != (count,):
        raise ValueError(f"{name} must be one number an image, ({count},); got {array.shape}")
    strange = np.unique(array[(array < (-1 if unknown else 0)) | (array >= classes)])
    if strange.size:
        where = f"0 … {classes - 1}" + (", or be -1 where not known" if unknown else "")
        raise ValueError(f"{name} must lie within {where}, one of {classes} classes; got {strange[:5].tolist()}: "
                         f"leave these images out, or allow for more classes")
    return array.astype(np.int64)


def check_named_labels(labels, names, count):
    """None if neither is given; else `labels` as int64 (count,), with a name in `names` for each class."""
    if (labels is None) != (names is None):
        raise ValueError("labels and names go together: give both, or neither")
    return None if labels is None else check_labels(labels, count, len(names))


def check_rows(values, width, name):
    """`values` as float32 (n, width), finite; a single row (width,) becomes (1, width)."""
    array = np.atleast_2d(np.asarray(values.detach().cpu() if hasattr(values, "detach") else values))
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] != width or not len(array):
        raise ValueError(f"{name} must be (n, {width}) numbers; got {np.shape(values)} {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got NaN or infinity")
    return array.astype(np.float32)
