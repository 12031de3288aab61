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
    """`images` as float32 (n, height, width): finite, within [0, 1], at least one, of `shape` (height, width) if given.

    Where a shape (channels,) is given: spectra, (n, channels).
    """
    axes = _axes(shape)
    array = _stack(images, axes, f"{axes} floats in [0, 1]", name)
    if array.dtype.kind in "iub":
        stack = name if array.ndim == axes.count(",") + 1 else f"{name}[None]"
        as_floats = ".astype(float)" if array.dtype == bool else f" / {np.iinfo(array.dtype).max}"
        cure = stack + as_floats + (", or by the largest value that your camera gives" if array.dtype.itemsize > 1 else "")
        raise ValueError(f"{name} must be {axes} floats in [0, 1]; got {array.shape} {array.dtype}: use {cure}")
    low, high = _range_of_finite(array, shape, axes, name)
    if low < 0 or high > 1:
        raise ValueError(f"{name} must lie in [0, 1]; got {low:.3g} … {high:.3g}: use ({name} - {name}.min()) / "
                         f"numpy.ptp({name}); or, if these are counts of electrons, VAE(…, likelihood='poisson')")
    return _for_torch(array)


def check_counts(images, shape=None, name="images"):
    """Counts of electrons as float32 (n, height, width), or (n, channels): finite, ≥ 0, not all zero in any image."""
    axes = _axes(shape)
    array = _stack(images, axes, f"{axes} counts of electrons, at least 0", name)
    low, _ = _range_of_finite(array, shape, axes, name)
    if low < 0:
        raise ValueError(f"{name} must be counts of electrons, at least 0; got {low:.3g}: add back the background that was "
                         f"taken off, or use likelihood='gaussian'")
    empty = ~array.any(tuple(range(1, array.ndim)))
    if empty.any():
        raise ValueError(f"{name} must hold electrons; {empty.sum()} of {len(array)} images are all zero, the first is number "
                         f"{empty.argmax()}: leave them out")
    return _for_torch(array)


def check_values(images, shape=None, name="images"):
    """Any real numbers as float32 (n, height, width), or (n, channels): finite."""
    axes = _axes(shape)
    array = _stack(images, axes, f"{axes} real numbers", name)
    _range_of_finite(array, shape, axes, name)
    return _for_torch(array)


def _axes(shape):
    return "(n, channels)" if shape is not None and len(shape) == 1 else "(n, height, width)"


def _stack(images, axes, wanted, name):
    """`images` as an array of numbers along these axes, or a ValueError."""
    if hasattr(images, "images"):
        raise ValueError(f"{name} must be an array; got {type(images).__name__}: pass its .images")
    try:
        array = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
    except ValueError as problem:
        raise ValueError(f"{name} must be one {axes} array; got images of different sizes: resize them") from problem
    got, dimensions = f"{name} must be {wanted}; got {array.shape} {array.dtype}", axes.count(",") + 1
    integers = array.dtype.kind in "iub"
    if array.ndim == dimensions - 1 and not (integers and "floats" in wanted):
        raise ValueError(f"{got}: use {name}[None]")
    if array.ndim not in (dimensions - 1, dimensions):
        what = "channel, the spectra" if dimensions == 2 else "pixel, the images"
        raise ValueError(f"{got}: one value a {what} along the first axis")
    if not integers and array.dtype.kind != "f":
        raise ValueError(f"{got}: {name}.astype(float) if these are numbers")
    if array.size == 0:
        raise ValueError(f"{got}: there must be at least one image of at least one pixel")
    return array


def _range_of_finite(array, shape, axes, name):
    """Smallest and largest value of images of the shape that was asked for, all finite; or a ValueError."""
    if shape is not None and array.shape[1:] != tuple(shape):
        pixels = "channels" if len(shape) == 1 else "pixels"
        raise ValueError(f"{name} must be {tuple(shape)} {pixels} each, as this model was made for; got {array.shape[1:]}: "
                         f"{'' if len(shape) == 1 else 'resize them, or '}make a VAE({array.shape[1:]}, …)")
    low, high = array.min(), array.max()
    if not np.isfinite(low + high):
        spoilt = ~np.isfinite(array).all(tuple(range(1, array.ndim)))
        raise ValueError(f"{name} must be finite; {spoilt.sum()} of {len(array)} images hold NaN or infinity: leave those out, "
                         f"or fill them with numpy.nan_to_num")
    return low, high


def _for_torch(array):
    """As float32, writeable: torch shares the memory, and warns if it must not write."""
    return np.require(array, np.float32, ["C", "W"])


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
