"""Mixtures: how near end members and abundances come to the true ones, however they are numbered.

Spectra are (k, channels), abundances (n, k): of each of n pixels the share of each of k end members.  What a method found may
hold more components than there are true ones, each of which is then compared with one of its own.
"""
import numpy as np
from scipy.optimize import linear_sum_assignment


def spectral_angles(spectra, true):
    """Angle, in *degrees*, between each true end member and the spectrum found that belongs to it: (k,), within 0 … 180.

    The angle of two spectra as vectors of channels, blind to their brightness: the spectral angle mapper of Kruse et al., The
    spectral image processing system (SIPS), Remote Sensing of Environment 44, 1993, 145–163.  Spectra belong together as makes
    the sum of the angles least (Hungarian); `matching_spectra` says which.  The sign of a principal component is arbitrary:
    turn it the right way up first.
    """
    angles = _angles(spectra, true)
    return angles[linear_sum_assignment(angles.T)[::-1]]


def matching_spectra(spectra, true):
    """Which of the spectra found belongs to each true end member, (k,) indices: `spectra[index]` stand in the true order."""
    return linear_sum_assignment(_angles(spectra, true).T)[1]


def matching_abundances(abundances, true):
    """Which column of the abundances found belongs to each true one, (k,) indices: as makes the squared error least."""
    abundances, true = _abundances(abundances, true)
    squared_error = ((abundances[:, :, None] - true[:, None]) ** 2).sum(0)   # (n, found, 1), (n, 1, k) → (found, k)
    return linear_sum_assignment(squared_error.T)[1]


def abundance_r2(abundances, true):
    """R² of the abundances, matched, mean over the end members: 1 if all are right, 0 for their means, and below if worse.

    No scale is fitted: shares are compared with shares, so let each row sum to 1 first.  ValueError if a true one is constant.
    """
    error = _matched_error(abundances, true)
    variance = np.var(true, axis=0)
    if variance.min() <= 1e-12:
        raise ValueError(f"each true abundance must vary from pixel to pixel for an R²; got variances {variance.round(6)}")
    return float(np.mean(1 - (error**2).mean(0) / variance))


def abundance_rmse(abundances, true):
    """Root mean square error of the abundances, matched, over pixels and end members: 0 … 1 for shares, less is better."""
    return float(np.sqrt(np.mean(_matched_error(abundances, true) ** 2)))


def _matched_error(abundances, true):
    abundances, true = _abundances(abundances, true)
    return abundances[:, matching_abundances(abundances, true)] - true


def _angles(spectra, true):
    """Angles in degrees of all found spectra with all true ones, (found, k)."""
    spectra, true = _checked("spectra", spectra, true, axis=0, shape="(k, channels)")
    lengths = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (spectra, true)]
    for name, length in zip(("spectra", "true"), lengths):
        if length.min() == 0:
            raise ValueError(f"{name} must hold no spectrum of zeros only: it has no angle; got one in row {length.argmin()}")
    unit, true_unit = spectra / lengths[0], true / lengths[1]
    # not the arccosine of the product, which rounds small angles away: |a − b| = 2 sin(angle / 2)
    chord = np.linalg.norm(unit[:, None] - true_unit, axis=2)   # (found, 1, channels) − (k, channels) → (found, k)
    return np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1)))


def _abundances(abundances, true):
    return _checked("abundances", abundances, true, axis=1, shape="(n, k)")


def _checked(name, found, true, axis, shape):
    """Both as finite floats in two dimensions; along `axis` there may be more found than true, else they are the same."""
    found, true = np.asarray(found, float), np.asarray(true, float)
    if found.ndim != 2 or true.ndim != 2 or found.shape[1 - axis] != true.shape[1 - axis] or not true.size:
        raise ValueError(f"{name} and the true ones must be {shape} both; got {found.shape} and {true.shape}")
    if found.shape[axis] < true.shape[axis]:
        raise ValueError(f"{name} must hold one for each of the {true.shape[axis]} true end members, or more; got "
                         f"{found.shape[axis]}")
    if not (np.isfinite(found).all() and np.isfinite(true).all()):
        raise ValueError(f"{name} and the true ones must be finite; got NaN or infinity")
    return found, true
