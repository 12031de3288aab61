"""What the arguments of scores must be: each check returns the argument as an array, or raises an error that names it."""
import numpy as np


def is_label(factor):
    """Whole numbers are classes, other numbers quantities."""
    return factor.dtype.kind in "iu"


def is_constant(values):
    """Whether all are the same, but for rounding: the latent of a model that does not use it."""
    return np.ptp(values) <= 1e-12 * max(1.0, np.abs(values).max())


def check_pair(encoded, true):
    """Two arrays as floats (n,), finite, at least two values each."""
    encoded, true = np.asarray(encoded, float), np.asarray(true, float)
    if encoded.shape != true.shape or encoded.ndim != 1 or len(true) < 2:
        raise ValueError(f"both arrays must be (n,), one value an image, at least two images; got {encoded.shape} and "
                         f"{true.shape}")
    if not (np.isfinite(encoded).all() and np.isfinite(true).all()):
        raise ValueError("both arrays must be finite; got NaN or infinity")
    return encoded, true


def check_rows_match(content, labels):
    """Both, as long as each other: one label an image."""
    if len(content) != len(labels):
        raise ValueError(f"there must be one label an image; got {len(labels)} labels for {len(content)} images")
    return content, labels


def check_content(content, least=1):
    """Latents as floats (n, c), finite, c of at least `least`."""
    if hasattr(content, "content"):
        raise ValueError(f"content must be an array (n, c); got {type(content).__name__}: pass its .content")
    content = np.asarray(content, float)
    if content.ndim != 2 or content.shape[1] < least or not np.isfinite(content).all():
        raise ValueError(f"content must be (n, c) finite numbers with c of at least {least}; got {content.shape}")
    return content


def check_classes(labels):
    """Labels (n,), whole numbers of at least two classes."""
    labels = check_whole_numbers("labels", labels)
    if len(np.unique(labels)) < 2:
        raise ValueError(f"labels must be of at least two classes; got {labels[0]} only: there is nothing to compare")
    return labels


def check_whole_numbers(name, labels):
    """Labels, or groups, (n,), as an array."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or not len(labels):
        cure = f"{name}.argmax(1)" if labels.ndim == 2 else f"numpy.unique({name}, return_inverse=True)[1]"
        raise ValueError(f"{name} must be (n,) whole numbers; got {labels.shape} {labels.dtype}: use {cure} if they are "
                         f"classes in another form")
    return labels


def check_factors(factors, count, least=1):
    """Factors by name, each (count,), finite and not constant; at least `least` of them."""
    factors = {name: np.asarray(values) for name, values in dict(factors).items()}
    factors = {name: values.astype(int) if values.dtype == bool else values for name, values in factors.items()}
    if len(factors) < least:
        raise ValueError(f"factors must hold at least {least} factors by name; got {list(factors)}")
    for name, values in factors.items():
        if values.shape != (count,) or len(np.unique(values)) < 2:
            raise ValueError(f"factor {name!r} must be one value an image, ({count},), and vary; got {values.shape}")
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise ValueError(f"factor {name!r} must be finite numbers; got {values.dtype} or NaN among them")
    return factors
