"""What a function accepts, said once: each check returns the argument in the form that the caller needs or raises an
error that names the argument, what came, and what would have been right."""
from math import isqrt
from numbers import Real

import numpy as np

ROUNDING = 1e-6   # beyond 0 and 1: what arithmetic in single precision leaves there


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


def check_unmasked(name, values):
    """`values` as an array, or a ValueError where some are masked: NumPy would hand on what lies under the mask."""
    _refuse_masked(name, values)
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _refuse_masked(name, values):
    parts = values if isinstance(values, (list, tuple)) else [values]
    masked = sum(np.ma.count_masked(part) for part in parts if isinstance(part, np.ma.MaskedArray))
    if masked:
        one = name if parts[0] is values else f"numpy.ma.stack({name})"
        raise ValueError(f"{name} must have no masked values; {masked:,} are: say what stands there instead, such as "
                         f"{one}.filled({one}.mean()), or leave them out")


def check_images(images, shape=None, name="images"):
    """`images` as float32 (n, height, width): finite, within [0, 1] but for rounding, at least one, of `shape` if given.

    Where a shape (channels,) is given: spectra, (n, channels).
    """
    axes = _axes(shape)
    array = _stack(images, shape, "floats in [0, 1]", name)
    if array.dtype.kind in "iub":
        cures = [f"{stack}{_scaled(array, stack)}{when}" for stack, when in _stacks(array, shape, name)]
        raise ValueError(f"{name} must be {axes} floats in [0, 1]; got {array.shape} {array.dtype}: use {', or '.join(cures)}")
    low, high = _range_of_finite(array, shape, axes, name)
    if low < -ROUNDING or high > 1 + ROUNDING:
        cure = (f"use ({name} - {name}.min()) / numpy.ptp({name}); or, if these are counts of electrons, "
                f"VAE(…, likelihood='poisson')" if low < high else "all are the same, there is nothing in them")
        raise ValueError(f"{name} must lie in [0, 1]; got {low:.3g} … {high:.3g}: {cure}")
    return _for_torch(array if 0 <= low and high <= 1 else array.clip(0, 1))


def _scaled(array, stack):
    """What makes floats in [0, 1] of whole numbers, as text to be put after the expression `stack`."""
    low, high = (int(array.min()), int(array.max())) if array.dtype != bool else (0, 1)
    if array.dtype == np.uint8 and high != 1:
        return " / 255"
    if low >= 0 and high <= 1:
        return ".astype(float)"
    if low < 0:
        return f".astype(float), then ({stack} - {stack}.min()) / numpy.ptp({stack})"
    return f" / {stack}.max(), or by the largest value that your camera gives"


def check_counts(images, shape=None, name="images"):
    """Counts of electrons as float32 (n, height, width), or (n, channels): finite, ≥ 0, not all zero in any image."""
    axes = _axes(shape)
    array = _stack(images, shape, "counts of electrons, at least 0", name)
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
    array = _stack(images, shape, "real numbers", name)
    _range_of_finite(array, shape, axes, name)
    return _for_torch(array)


def _axes(shape):
    return "(n, channels)" if shape is not None and len(shape) == 1 else "(n, height, width)"


def _stack(images, shape, wanted, name):
    """`images` as an array of numbers along the axes of a stack, or a ValueError; a single image of whole numbers passes."""
    if hasattr(images, "images"):
        raise ValueError(f"{name} must be an array; got {type(images).__name__}: pass its .images")
    _refuse_masked(name, images)
    axes = _axes(shape)
    try:
        array = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
    except ValueError as problem:
        raise ValueError(f"{name} must be one {axes} array; got images of different sizes: resize them") from problem
    got = f"{name} must be {axes} {wanted}; got {array.shape} {array.dtype}"
    integers = array.dtype.kind in "iub"
    _check_axes(array, _stacks(array, shape, name), axes, got, fewer=integers and "floats" in wanted)
    if not integers and array.dtype.kind != "f":
        raise ValueError(f"{got}: {name}.astype(float) if these are numbers")
    if array.size == 0:
        raise ValueError(f"{got}: there must be at least one image of at least one pixel")
    return array


def _check_axes(array, stacks, axes, got, fewer):
    """A ValueError, which begins with what was `got`, unless an array has these axes, or `fewer` where that may be."""
    spare = array.ndim - (axes.count(",") + 1)
    cure = f": use {', or '.join(stack + when for stack, when in stacks)}" if stacks else ""
    if spare > 0 or not stacks:
        what = "channel, the spectra" if axes == "(n, channels)" else "pixel, the images"
        raise ValueError(f"{got}: one value a {what} along the first axis{cure}")
    if spare < 0 and not fewer:
        raise ValueError(f"{got}{cure}")


def _stacks(array, shape, name):
    """Expressions that make a stack of an array, each with when to use it; none if its axes say nothing of images."""
    if shape is not None and len(shape) == 1:
        whole = array.ndim == 3 and array.shape[-1:] == tuple(shape)                    # a spectrum image, (h, w, channels)
        several = [(f"{name}.reshape(-1, {shape[0]})", "")] if whole else []
        return {1: [(f"{name}[None]", "")], 2: [(name, "")]}.get(array.ndim, several)
    if array.ndim == 4:
        colours = [axis for axis in (1, -1) if array.shape[axis] in (1, 3, 4)]          # (n, 1, h, w), (n, h, w, 3) …
        return [(f"{name}.mean({axis})", "") for axis in colours[:1]]
    if array.ndim == 2:
        return _rows_or_one_image(array, shape, name)
    return [(name, "")] if array.ndim == 3 else []


def _rows_or_one_image(array, shape, name):
    """Is an array (a, b) one image, or is each of its rows one?"""
    one, width = f"{name}[None]", array.shape[1]
    if shape is None:
        side = isqrt(width)
        sides = f"{side}, {side}" if side**2 == width else "height, width"
        return [(one, " if it is one image"), (f"{name}.reshape(-1, {sides})", " if each row is one")]
    rows = width == shape[0] * shape[1] and array.shape != tuple(shape)
    return [(f"{name}.reshape(-1, {shape[0]}, {shape[1]})" if rows else one, "")]


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
                         f"or fill them: numpy.nan_to_num({name}, posinf=0, neginf=0)")
    return low, high


def _for_torch(array):
    """As float32, writeable: torch shares the memory, and warns if it must not write."""
    return np.require(array, np.float32, ["C", "W"])


def check_labels(labels, count, classes, name="labels", unknown=False):
    """`labels` as int64 (count,), each within 0 … classes - 1; or -1 if `unknown` ones may be among them."""
    array = check_unmasked(name, labels)
    cure = _as_classes(array, count, name, unknown)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must be whole numbers, 0 to {classes - 1}; got {array.dtype}: use {cure} if they are classes")
    if array.shape != (count,):
        raise ValueError(f"{name} must be one number an image, ({count},); got {array.shape}"
                         + (f": use {cure}" if array.shape[:1] == (count,) else ""))
    strange = np.unique(array[(array < (-1 if unknown else 0)) | (array >= classes)])
    if strange.size:
        where = f"0 … {classes - 1}" + (", or be -1 where not known" if unknown else "")
        raise ValueError(f"{name} must lie within {where}, one of {classes} classes; got {strange[:5].tolist()}: "
                         f"leave these images out, or allow for more classes")
    return array.astype(np.int64)


def _as_classes(array, count, name, unknown):
    """An expression that makes whole numbers (count,) of labels in another form."""
    if array.ndim == 2 and len(array) == count and array.shape[1] > 1:                  # one-hot, or a probability of each
        return f"{name}.argmax(1)"
    column = f"{name}.reshape(-1)" if array.ndim > 1 else name
    if array.dtype.kind not in "iufb":                                                  # names of classes
        return f"numpy.unique({column}, return_inverse=True)[1]"
    if array.dtype.kind == "f" and np.isnan(array).any() and unknown:
        return f"numpy.nan_to_num({column}, nan=-1).astype(int)"
    return f"{column}.astype(int)" if array.dtype.kind in "fb" else column


def check_named_labels(labels, names, count):
    """None if neither is given; else `labels` as int64 (count,), with a name in `names` for each class."""
    if (labels is None) != (names is None):
        raise ValueError("labels and names go together: give both, or neither")
    return None if labels is None else check_labels(labels, count, len(names))


def check_rows(values, width, name):
    """`values` as float32 (n, width), finite; a single row (width,) becomes (1, width)."""
    array = np.atleast_2d(check_unmasked(name, values))
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] != width or not len(array):
        raise ValueError(f"{name} must be (n, {width}) numbers; got {np.shape(values)} {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got NaN or infinity")
    return array.astype(np.float32)
