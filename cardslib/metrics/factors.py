"""One latent against one true factor: correlations of quantities and of angles, and the error of an angle."""
import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression

from cardslib.geometry import wrap
from cardslib.metrics.arguments import check_classes, check_content, check_pair, check_rows_match, is_constant
from cardslib.validation import check_count, check_labels

MOST = 0.95      # quantile of a class's errors that is told beside their median
MEDIANS = 720    # images at most that are tried as the circular median: as fine as half degrees, and the time bounded


def rank_correlation(encoded, true):
    """Spearman's rank correlation of two (n,) arrays, in [-1, 1]: ±1 if one is any monotonic function of the other.

    0 if one of them is constant, as a collapsed latent is.
    """
    encoded, true = check_pair(encoded, true)
    return 0.0 if is_constant(encoded) or is_constant(true) else float(spearmanr(encoded, true).statistic)


def rank_correlation_within(content, factor, labels):
    """How closely each latent follows a factor within each class: |rank correlation|, (classes, c) array, in [0, 1].

    latents (n, c), a factor (n,), labels (n,).  Pooled over the classes, a factor that they lay out in different places or
    senses would seem unknown.
    """
    content, labels = check_rows_match(check_content(content), check_classes(labels))
    factor = np.asarray(factor, float)
    return np.array([[abs(rank_correlation(latent[labels == one], factor[labels == one])) for latent in content.T]
                     for one in np.unique(labels)])


def circular_correlation(encoded, true):
    """Correlation of two angles (n,), in radians, in [-1, 1]: ±1 if they differ by a constant, -1 if one runs backwards.

    ρ_T of Fisher & Lee (A correlation coefficient for circular data, Biometrika 70, 1983, 327–332), in its form without a
    double sum.  It needs no mean direction, and so also holds for angles spread over the whole circle.
    """
    a, b = check_pair(encoded, true)
    products = (np.mean(np.cos(a) * np.cos(b)) * np.mean(np.sin(a) * np.sin(b))
                - np.mean(np.cos(a) * np.sin(b)) * np.mean(np.sin(a) * np.cos(b)))
    spread = 1.0
    for angle in (a, b):
        spread *= 1 - abs(np.mean(np.exp(2j * angle))) ** 2
    return float(4 * products / np.sqrt(spread)) if spread > 1e-12 else 0.0


def circular_linear_correlation(latent, angle):
    """How well a latent (n,) is a wave a + b·cos(angle + c) of an angle (n,), radians: the multiple correlation R, in [0, 1].

    Mardia, Linear-circular correlation coefficients and rhythmometry, Biometrika 63, 1976, 403–405.
    """
    latent, angle = check_pair(latent, angle)
    if is_constant(latent):
        return 0.0
    wave = np.stack([np.cos(angle), np.sin(angle)], 1)
    return float(np.sqrt(max(0.0, LinearRegression().fit(wave, latent).score(wave, latent))))


def angle_error(encoded, true, order=1):
    """Error of each encoded angle, (n,), in *degrees*, ≥ 0: modulo symmetry, with free zero and handedness.

    encoded, true  (n,) radians
    order          of the rotational symmetry: angles count as equal if they differ by a multiple of 360°/order

    A model is free to choose which orientation it calls zero and which sense it calls positive: one zero, the circular
    median of the differences, and one sense are chosen for all images.  No error is larger than 180°/order.  Call it for
    each suit by itself where each may have a zero of its own.
    """
    encoded, true = check_pair(encoded, true)
    check_count("order", order)
    errors = [_from_median(order * (sense * encoded - true)) / order for sense in (1, -1)]
    return np.degrees(min(errors, key=np.mean))


def angle_errors(encoded, true, labels, orders):
    """Median and 95th percentile of the `angle_error` of each class by itself, in *degrees*: (classes, 2).

    encoded, true  (n,) radians
    labels         (n,) whole numbers from 0: the class of each image; of every class at least two
    orders         of the rotational symmetry of each class, such as `cards.ORDERS`

    Each class has a zero and a handedness of its own: how well they agree from class to class is not in these numbers.
    """
    encoded, true = check_pair(encoded, true)
    labels = check_labels(labels, len(true), len(orders))
    images = np.bincount(labels, minlength=len(orders))
    if images.min() < 2:
        raise ValueError(f"labels must name at least two images of each class in orders; got {images.tolist()}: leave out the "
                         f"orders of classes that are not there")
    errors = [angle_error(encoded[labels == one], true[labels == one], order) for one, order in enumerate(orders)]
    return np.array([np.quantile(of_class, (0.5, MOST)) for of_class in errors])


def _from_median(angles):
    """Distances (n,) of angles (radians) from their circular median."""
    return np.abs(wrap(angles - circular_median(angles)))


def circular_median(angles):
    """The one of angles (n,), in radians, with the least mean distance to all, within 0 … 2π.

    Fisher, Statistical Analysis of Circular Data, 1993 (the median direction).
    """
    angles = np.mod(angles, 2 * np.pi)
    candidates = np.sort(angles)[np.linspace(0, len(angles) - 1, min(len(angles), MEDIANS)).astype(int)]
    return min(candidates, key=lambda candidate: np.abs(wrap(angles - candidate)).mean())
