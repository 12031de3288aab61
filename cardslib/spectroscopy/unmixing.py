"""Bayesian linear unmixing: spectra of mixtures → the spectra of what is mixed, how much of each, and how sure both are.

Dobigeon, Moussaoui, Coulon, Tourneret & Hero, Joint Bayesian endmember extraction and linear unmixing for hyperspectral
imagery, IEEE Transactions on Signal Processing 57, 2009, 4355–4368; for electron energy-loss spectra: Dobigeon & Brun,
Spectral mixture analysis of EELS spectrum-images, Ultramicroscopy 120, 2012, 25–34.

The model:  y_p = Σ_r a_pr m_r + n_p.  The abundances a_p of a pixel are ≥ 0 and sum to 1, the end members m_r are ≥ 0, and the
noise n_p is Gaussian, with one variance for all pixels and channels.  Without noise all spectra lie in a simplex with the end
members at its corners, within a subspace of one dimension less than there are end members, which principal components find.
Abundances are uniform on the simplex beforehand: of two simplices that hold the data the smaller is the likelier, and a corner
is found even where no pixel is pure.
"""
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy.linalg import qr
from scipy.special import log_ndtr, ndtri_exp
from sklearn.decomposition import PCA

from cardslib.validation import check_count

PRIOR_VARIANCE = 50   # of an end member about its first guess, in variances of the spectra: next to no knowledge (the paper's)
RESCALINGS = 4        # of each edge in a sweep: they take a third of its time, and spare hundreds of sweeps where noise is low


@dataclass(frozen=True)
class Unmixed:
    """End members and abundances: means and standard deviations of their posterior.

    spectra     (k, channels), ≥ 0: the end members, in the unit of the data;  spectra_sd (k, channels)
    abundances  (n, k), ≥ 0, a row sums to 1;  abundances_sd (n, k)
    noise       standard deviation of the noise, one for all pixels and channels, in the unit of the data
    """

    spectra: np.ndarray
    spectra_sd: np.ndarray
    abundances: np.ndarray
    abundances_sd: np.ndarray
    noise: float


def blu(spectra, count, sweeps=600, seed=0):
    """Bayesian linear unmixing of spectra (n, channels) into `count` end members: an `Unmixed`.

    spectra  (n, channels), n > count, finite, of mean ≥ 0 in each channel, for end members are ≥ 0
    count    of end members, 2 … channels; it is not found but given
    sweeps   of the Gibbs sampler, at least 10; means and deviations are those of the second half

    Nothing is done to the data before.  Counted electrons do not have the same noise everywhere: their variance is their mean.
    Dividing by the root of the mean spectrum first, and multiplying the end members by it afterwards, makes it nearly so
    (Keenan & Kotula, Surface and Interface Analysis 36, 2004, 203–212).  Abundances are shares of a pixel: where brightness
    varies for other reasons, as with thickness, bring the spectra to the same sum first.  Standard deviations are those of the
    model, so they hold where it does.

    ValueError for spectra that cannot be unmixed into so many.
    """
    spectra, count = _checked(spectra, count)
    check_count("sweeps", sweeps, 10)
    rng = np.random.default_rng(check_count("seed", seed, 0))
    components = PCA(count - 1, random_state=0).fit(spectra)
    mean, axes = np.maximum(components.mean_, 0), components.components_       # (channels,), (k - 1, channels)
    scores = components.transform(spectra)                                     # (n, k - 1), where all of the sampling is done
    if scores.std(0).min() <= 1e-9 * np.abs(spectra).max():
        raise ValueError(f"spectra must vary in at least count - 1 = {count - 1} ways, as mixtures of {count} end members do; "
                         f"the last does not: ask for fewer end members")
    beyond = ((spectra - mean) ** 2).sum() - (scores**2).sum()                 # squares that no end member can explain
    guess = n_findr(scores)
    prior = guess, PRIOR_VARIANCE * scores.var(0)

    corners = _nonnegative(_around(guess, scores), mean, axes)                 # (k, k - 1): end members = mean + corners @ axes
    abundances = np.maximum(_barycentric(scores, corners), 0)                  # (n, k)
    abundances /= abundances.sum(1, keepdims=True)
    variance = beyond / spectra.size
    draws = [_Running(), _Running(), _Running()]
    for sweep in range(sweeps):
        abundances = _draw_abundances(abundances, scores, corners, variance, rng)
        corners = _draw_corners(corners, scores, abundances, variance, prior, mean, axes, rng)
        corners, abundances = _rescale(corners, abundances, prior, mean, axes, rng)
        squares = beyond + ((scores - abundances @ corners) ** 2).sum()
        variance = squares / 2 / rng.gamma(spectra.size / 2)                   # inverse gamma: of Jeffreys' prior 1 / variance
        if sweep >= sweeps // 2:
            for running, draw in zip(draws, (mean + corners @ axes, abundances, np.sqrt(variance))):
                running.add(draw)
    end_members, shares, noise = draws
    across = noise.mean**2 * np.diag(np.linalg.inv(shares.mean.T @ shares.mean))   # (k,): the subspace is estimated too
    return Unmixed(end_members.mean, np.sqrt(end_members.sd**2 + across[:, None]), shares.mean, shares.sd, float(noise.mean))


def n_findr(scores):
    """The k rows of scores (n, k - 1) that span the largest simplex, (k, k - 1): the purest pixels, if there are pure ones.

    Winter, N-FINDR: an algorithm for fast autonomous spectral end-member determination in hyperspectral data, Proc. SPIE 3753,
    1999.  Exchanged one at a time for as long as the volume grows: the largest that this way leads to.
    """
    points = np.column_stack([np.ones(len(scores)), scores / scores.std(0)])   # volume = |determinant of k of these rows|
    chosen = qr(points.T, mode="r", pivoting=True)[1][:points.shape[1]]        # each the farthest from those before
    while True:
        times_larger = np.abs(points @ np.linalg.inv(points[chosen]))          # (n, k), Cramer's rule: with row n as corner k
        row, corner = np.unravel_index(times_larger.argmax(), times_larger.shape)
        if times_larger[row, corner] <= 1 + 1e-9:
            return scores[chosen]
        chosen[corner] = row


# ---------------------------------------------------------------------- one sweep, one conditional distribution after another

def _draw_abundances(abundances, scores, corners, variance, rng):
    """Abundances given the rest: a Gaussian truncated to the simplex, along its edges, one after another.

    Two end members share out anew what they have together: the others stay, the sum stays 1.
    """
    abundances, count = abundances.copy(), len(corners)
    for one, other in [(r, (r + 1) % count) for r in range(count)]:
        together = abundances[:, one] + abundances[:, other]
        edge = corners[one] - corners[other]
        abundances[:, one], abundances[:, other] = 0, together                 # what is left is explained by `edge`
        centre = (scores - abundances @ corners) @ edge / (edge @ edge)
        abundances[:, one] = _truncated_normal(centre, np.sqrt(variance / (edge @ edge)), 0, together, rng)
        abundances[:, other] = together - abundances[:, one]
    return abundances


def _draw_corners(corners, scores, abundances, variance, prior, mean, axes, rng):
    """End members given the rest: a Gaussian truncated to spectra ≥ 0, one end member and one axis after another.

    The axes are orthonormal and the noise is the same in all channels, so that only the truncation ties the axes together.
    """
    corners, (guess, prior_variance) = corners.copy(), prior
    for r, share in enumerate(abundances.T):
        unexplained = scores - abundances @ corners + np.outer(share, corners[r])
        precision = share @ share / variance + 1 / prior_variance              # (k - 1,), as the next
        centre = (share @ unexplained / variance + guess[r] / prior_variance) / precision
        for axis, weights in enumerate(axes):
            rest = mean + corners[r] @ axes - corners[r, axis] * weights       # (channels,); rest + corner · weights ≥ 0
            up, down = weights > 0, weights < 0
            low, high = np.max(-rest[up] / weights[up], initial=-np.inf), np.min(-rest[down] / weights[down], initial=np.inf)
            corners[r, axis] = _truncated_normal(centre[axis], precision[axis] ** -0.5, low, max(low, high), rng)
    return corners


def _rescale(corners, abundances, prior, mean, axes, rng):
    """Corners moved along edges with abundances that leave each mixture where it is: not in the paper, same distribution.

    Where there is little noise, corners and abundances hold each other fast, and by turns they hardly move.  An edge becomes
    c times as long, from `other` to `one`, c ≥ `least` so that no abundance falls below 0; abundances are packed c times as
    densely: p(c) ~ c^(-n + k - 1) dc / c, times the prior (Liu & Sabatti, Generalised Gibbs sampler and multigrid Monte Carlo
    for Bayesian computation, Biometrika 87, 2000, 353).
    """
    corners, abundances, (guess, prior_variance) = corners.copy(), abundances.copy(), prior
    for one, other in RESCALINGS * list(permutations(range(len(corners)), 2)):
        together = abundances[:, one] + abundances[:, other]
        least = np.max(abundances[:, one] / np.maximum(together, 1e-300))
        longer = least * (1 - rng.random()) ** (-1 / (len(abundances) - len(axes)))     # Pareto's distribution
        moved = corners[other] + longer * (corners[one] - corners[other])
        log_prior = [-((corner - guess[one]) ** 2 / prior_variance).sum() / 2 for corner in (moved, corners[one])]
        if np.min(mean + moved @ axes) >= 0 and np.log(1 - rng.random()) < log_prior[0] - log_prior[1]:
            corners[one] = moved
            abundances[:, one] /= longer
            abundances[:, other] = together - abundances[:, one]
    return corners, abundances


def _truncated_normal(centre, sd, low, high, rng):
    """A draw from N(centre, sd²) between low and high, by its distribution function, in logarithms: right far out as well."""
    low_z, high_z = (low - centre) / sd, (high - centre) / sd
    mirrored = low_z + high_z > 0                                              # in the left tail logarithms lose no digits
    left, right = np.where(mirrored, -high_z, low_z), np.where(mirrored, -low_z, high_z)
    log_right, uniform = log_ndtr(right), 1 - rng.random(np.shape(left))       # within (0, 1]
    z = ndtri_exp(log_right + np.log(uniform + (1 - uniform) * np.exp(log_ndtr(left) - log_right)))
    return np.clip(centre + sd * np.where(mirrored, -z, z), low, high)


# ---------------------------------------------------------------------- where the sampler starts, and what it has seen

def _nonnegative(corners, mean, axes):
    """Corners moved towards the mean spectrum as far as is needed for their spectra to be ≥ 0."""
    away = corners @ axes                                                      # (k, channels): mean + away ≥ 0 is wanted
    shrunk = np.where(away < 0, mean / np.where(away < 0, -away, 1), 1).min(1, keepdims=True)
    return np.minimum(shrunk, 1) * corners


def _around(corners, scores):
    """Corners (k, k - 1) of a simplex of the same shape, with all points of `scores` in it: it only has to shrink."""
    least = np.minimum(_barycentric(scores, corners).min(0), 0)                # (k,)
    return (1 - least.sum()) * corners + least @ corners


def _barycentric(points, corners):
    """Shares (n, k) of the corners that make each point, which sum to 1; some are below 0 where it lies outside the simplex."""
    points, corners = (np.column_stack([np.ones(len(rows)), rows]) for rows in (points, corners))
    return points @ np.linalg.inv(corners)


class _Running:
    """Mean and standard deviation of draws as they come, none of which is kept (Welford, Technometrics 4, 1962, 419)."""

    def __init__(self):
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, draw):
        self.count += 1
        from_mean = draw - self.mean
        self.mean = self.mean + from_mean / self.count
        self.squares = self.squares + from_mean * (draw - self.mean)

    @property
    def sd(self):
        return np.sqrt(self.squares / (self.count - 1))


def _checked(spectra, count):
    """Spectra as floats (n, channels), and how many end members."""
    if hasattr(spectra, "spectra"):
        raise ValueError(f"spectra must be an array (n, channels); got {type(spectra).__name__}: pass its .spectra")
    spectra, count = np.asarray(spectra), check_count("count", count, 2)
    if spectra.ndim != 2 or spectra.dtype.kind not in "fiu":
        cure = ": use spectra.reshape(-1, spectra.shape[-1])" if spectra.ndim == 3 else ""
        raise ValueError(f"spectra must be (n, channels) numbers; got {spectra.shape} {spectra.dtype}{cure}")
    if len(spectra) <= count or spectra.shape[1] < count:
        raise ValueError(f"spectra must be more than count={count}, of at least as many channels; got {spectra.shape}")
    if not np.isfinite(spectra).all():
        raise ValueError("spectra must be finite; got NaN or infinity: leave those pixels out")
    if not np.ptp(spectra, axis=0).any():
        raise ValueError("spectra must differ from pixel to pixel, or there is nothing to unmix; all are the same")
    if spectra.mean(0).min() < 0:
        raise ValueError(f"spectra must be ≥ 0 on average in each channel, as end members are; got a mean of "
                         f"{spectra.mean(0).min():.3g} in channel {spectra.mean(0).argmin()}: leave such channels out, or "
                         f"subtract less background")
    return spectra.astype(float), count
