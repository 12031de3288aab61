"""How well the pose of a patch can be known at all: the electrons are so many, and no method gets more out of them.

The bound of Cramér and Rao: no unbiased estimate scatters less than the inverse of the Fisher information says, and the
likeliest pose reaches it where there are enough electrons (for electron microscopy: den Dekker et al., Ultramicroscopy 104,
2005, 83–106; Van Aert et al., J. Struct. Biol. 138, 2002, 21–33).
"""
import numpy as np
from scipy.interpolate import RectBivariateSpline

from cardslib.validation import check_number

PARTS = "angle", "shift", "shear", "scale"
TOO_LITTLE = 1e-5      # Fisher information an electron: a round or even patch gives less than that, by the errors of the spline
TOO_ALIKE = 1e-9       # smallest eigenvalue of the correlation of what parts do to a patch: below, two of them do the same
SMALLEST = 4           # pixels along an edge: of a cubic spline


def pose_bound(expected, counts=None, parts=PARTS):
    """The least standard deviation that an unbiased estimate of a known patch's pose can have: {part: bound}.

    expected  (h, w) mean brightness of each pixel of the patch, without noise, from zero up: electrons, if counts is None
    counts    electrons a pixel, mean over the patch
    parts     what is not known and found *together* from one patch, of "angle", "shift", "shear" and "scale"; the bound of
              one alone, all others known: parts=["angle"]

    In the units of `Latents`: angle and shear in radians, shift (2,) in half widths along x and y, scale as a logarithm.  The
    Fisher information of a Poisson image with means λ is I_ij = Σ ∂λ/∂θᵢ ∂λ/∂θⱼ / λ over its pixels.  The derivatives are those
    of a picture that is moved as a whole (`geometry`) from where it lies in `expected`; light that leaves the patch is lost.
    (Real columns stay round when their lattice is strained: that changes the bound of shear and scale by a few per cent.)
    """
    expected = _checked(expected)
    if counts is not None:
        expected = expected * (check_number("counts", counts, np.finfo(float).tiny, unit="electrons a pixel") / expected.mean())
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not len(parts) or isinstance(parts, str):
        raise ValueError(f"parts must be some of {', '.join(PARTS)}, as a list; got {parts!r}")
    derivatives = _derivatives(expected)
    several = np.concatenate([derivatives[part] for part in parts])                     # (numbers, pixels)
    bounds = np.sqrt(np.diagonal(np.linalg.inv(_information(several, expected.ravel(), parts))))
    ends = np.cumsum([len(derivatives[part]) for part in parts])
    return {part: bound if part == "shift" else float(bound[0]) for part, bound in zip(parts, np.split(bounds, ends[:-1]))}


def _checked(expected):
    """`expected` as floats (h, w): finite, none negative, some positive; or a ValueError."""
    expected = np.asarray(expected, float)
    if expected.ndim != 2 or min(expected.shape) < SMALLEST:
        raise ValueError(f"expected must be one patch (h, w) of at least {SMALLEST}×{SMALLEST} pixels; got {expected.shape}")
    if not np.isfinite(expected).all() or expected.min() < 0 or expected.max() == 0:
        raise ValueError(f"expected must be finite means of at least 0 electrons, and some more; got {expected.min():.3g} … "
                         f"{expected.max():.3g}: average patches' counts")
    return expected


def _derivatives(expected):
    """By how much the mean of each pixel changes with each part of the pose, at pose zero: {part: (1 or 2, pixels)}."""
    height, width = expected.shape
    rows, columns = ((2 * np.arange(length) + 1 - length) / width for length in (height, width))   # half widths
    spline = RectBivariateSpline(rows, columns, expected)
    by_x, by_y = spline(rows, columns, dy=1).ravel(), spline(rows, columns, dx=1).ravel()
    x, y = (values.ravel() for values in np.meshgrid(columns, rows))

    def carried(towards_x, towards_y):
        """Change of the means where each point of the picture moves by so much: its value comes from where it was."""
        return -(by_x * towards_x + by_y * towards_y)

    return {"angle": [carried(y, -x)], "shift": [carried(1, 0), carried(0, 1)], "shear": [carried(-y, -x)],
            "scale": [carried(x, y)]}


def _information(derivatives, expected, parts):
    """Fisher information (numbers, numbers) of what derivatives (numbers, pixels) and means (pixels,) say; or a ValueError."""
    lit = expected > 0                                                                  # where no light is, nothing changes
    information = (derivatives[:, lit] / expected[lit]) @ derivatives[:, lit].T
    each = np.diagonal(information)
    if each.min() < TOO_LITTLE * expected.sum() or _least_eigenvalue(information / np.sqrt(np.outer(each, each))) < TOO_ALIKE:
        raise ValueError(f"expected must change with each of {', '.join(parts)} in a way of its own; this patch does not (is "
                         f"it round, or even?): leave one of the parts out")
    return information


def _least_eigenvalue(matrix):
    return np.linalg.eigvalsh(matrix)[0]
