"""Calibration: are the standard deviations that a model states those of its errors?

A stated N(encoded, sd²) is right if the z-scores (encoded − true) / sd scatter like N(0, 1): their spread is 1, and the central
interval that should hold 95 % of the true values holds 95 % of them.  Spread above 1, coverage below its level: the model is
too sure of itself; the other way round: too shy.  Gneiting, Balabdaoui & Raftery, Probabilistic forecasts, calibration and
sharpness, Journal of the Royal Statistical Society B 69, 2007, 243–268.  Calibrated is not sharp: a model that knows nothing,
and says so, is calibrated too, so the error itself is reported beside it.

All three scores take
encoded    (n,), or (n, c) such as a shift along x and y: what the model says
sd         (n,), or as `encoded`: the standard deviation that it states, > 0; (n,) holds for each of the c values
true       as `encoded`
period     of an angle, in its own unit: 2π for one in radians, 2π/order for a thing of that symmetry; None: not an angle
free_zero  take off the median of the errors first, one for all: a zero that is a gauge, which the model was free to choose
and raise a ValueError for anything else.
"""
import numpy as np
from scipy.stats import norm

from cardslib.geometry import wrap
from cardslib.metrics.factors import circular_median
from cardslib.validation import check_number


def z_scores(encoded, sd, true, period=None, free_zero=False):
    """Errors in units of the stated standard deviation, shaped as `encoded`; an angle's error is the shorter way round."""
    encoded, sd, true = _stated(encoded, sd, true)
    error = encoded - true
    if period is None:
        error = error - (np.median(error, axis=0) if free_zero else 0)
    else:
        turns = 2 * np.pi / _positive("period", period)
        zeros = np.apply_along_axis(circular_median, 0, error * turns) if free_zero else 0
        error = wrap(error * turns - zeros) / turns
    return error / sd


def z_spread(encoded, sd, true, period=None, free_zero=False):
    """Standard deviation of the z-scores about 0, their root mean square: 1 if the stated ones are right.

    About 0, not about their mean: a bias is an error as well.  A few outliers far out (an image taken for another's mirror)
    raise it much, and lower `coverage` little: look at both.
    """
    return float(np.sqrt(np.mean(z_scores(encoded, sd, true, period, free_zero) ** 2)))


def coverage(encoded, sd, true, level=0.95, period=None, free_zero=False):
    """Share of true values within the central interval of probability `level` of N(encoded, sd²): `level` if that is right."""
    if not 0 < check_number("level", level, 0, 1) < 1:
        raise ValueError(f"level must lie between 0 and 1, as 0.95 does; got {level!r}")
    return float(np.mean(np.abs(z_scores(encoded, sd, true, period, free_zero)) <= norm.ppf((1 + level) / 2)))


def _stated(encoded, sd, true):
    """The three arrays as floats of one shape."""
    encoded, sd, true = (np.asarray(values, float) for values in (encoded, sd, true))
    if encoded.ndim not in (1, 2) or encoded.shape != true.shape or len(encoded) < 2:
        raise ValueError(f"encoded and true must be (n,) or (n, c) both, at least two images; got {encoded.shape} and "
                         f"{true.shape}")
    if sd.shape not in (encoded.shape, encoded.shape[:1]):
        raise ValueError(f"sd must be one standard deviation an image, {encoded.shape[:1]}, or one a value, {encoded.shape}; "
                         f"got {sd.shape}")
    for name, values in dict(encoded=encoded, sd=sd, true=true).items():
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite; got NaN or infinity")
    if sd.min() <= 0:
        raise ValueError(f"sd must be larger than 0; got {sd.min():.3g} as the smallest: variances and logarithms are none")
    return encoded, sd.reshape(sd.shape + (1,) * (encoded.ndim - sd.ndim)), true


def _positive(name, value):
    if check_number(name, value, 0) == 0:
        raise ValueError(f"{name} must be larger than 0; got {value!r}")
    return value
