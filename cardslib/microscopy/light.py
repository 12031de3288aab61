"""Is a map of the crystal, or of the light that fell through it?  The brightness about columns, and how far maps follow it.

Thickness, contamination and the detector's zero change from place to place, and all grey values with them.  A model that has
no name for light lets other latents say it.  A map that follows the local brightness shows, until the contrary is proved,
the light.
"""
import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from cardslib.geometry import inside
from cardslib.microscopy.deformation import checked_kind
from cardslib.validation import check_images

SUSPICIOUS = 0.5       # correlation: from there on a quarter of a map's variance is the light's
NEARLY_CONSTANT = 1e-9   # of the largest value: a spread that rounding makes


def local_brightness(image, position):
    """Mean grey of an image (h, w) about each position (n, 2), x and y in pixels: (n,).

    The mean is weighted by a Gaussian whose standard deviation is the mean distance from a column to the next one: of the
    lattice itself it leaves less than a thousandth, and it is the same on a bright column as beside it.
    """
    image, position = _checked(image, position)
    spacing = np.sqrt(np.prod(np.ptp(position, 0) + 1) / len(position))                 # pixels, from column to column
    return map_coordinates(gaussian_filter(image.astype(float), spacing), position.T[::-1], order=1, mode="nearest")


def brightness_correlation(values, brightness, kind=None):
    """How far values (n,) of columns follow the local brightness (n,): Pearson's correlation, from -1 to 1.

    kind  (n,) whole numbers from 0: values and brightness are counted from the mean of each kind.  Kinds of columns may differ
          in brightness by nature, and so may two crystals; that a latent tells them apart is no fault.

    Columns whose value is NaN are left out.  Values that are all the same follow nothing: 0.
    """
    values, brightness = np.asarray(values, float), np.asarray(brightness, float)
    if values.ndim != 1 or values.shape != brightness.shape:
        raise ValueError(f"values and brightness must be one number a column, (n,) both; got {values.shape} and "
                         f"{brightness.shape}: pass one latent, such as latents.content[:, 0]")
    kind = checked_kind(kind, len(values))
    known = np.isfinite(values)
    if not known.any() or not np.isfinite(brightness).all():
        raise ValueError("values must hold a number that is not NaN, and brightness no NaN at all")
    values, brightness = (_from_kinds_mean(each[known], kind[known]) for each in (values, brightness))
    spread = np.sqrt((values**2).mean() * (brightness**2).mean())
    return float((values * brightness).mean() / spread) if spread > 0 else 0.0


def _from_kinds_mean(values, kind):
    """Values (n,) counted from the mean of their kind, (n,) whole numbers; zeros where what is left is rounding."""
    mean = np.bincount(kind, values) / np.maximum(np.bincount(kind), 1)
    left = values - mean[kind]
    return left if np.abs(left).max() > NEARLY_CONSTANT * np.abs(values).max() else np.zeros_like(values)


def _checked(image, position):
    """An image (h, w) and positions (n, 2) in it, or a ValueError."""
    if np.ndim(image) != 2:
        raise ValueError(f"image must be (height, width); got {np.shape(image)}: pass micrograph.image")
    image, position = check_images(np.asarray(image)[None], name="image")[0], np.asarray(position, float)
    if position.ndim != 2 or position.shape[1] != 2 or not len(position) or not np.isfinite(position).all():
        raise ValueError(f"position must be (n, 2) finite numbers, x and y in pixels; got {position.shape}")
    outside = ~inside(position, -0.5, np.array(image.shape[::-1]) - 0.5)
    if outside.any():
        raise ValueError(f"position must lie in the image of {image.shape[1]}×{image.shape[0]} pixels; {outside.sum()} of "
                         f"{len(position)} do not: x comes first, then y")
    return image, position
