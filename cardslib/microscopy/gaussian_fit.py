"""Where a column of atoms is, to a fraction of a pixel: a Gaussian on a constant ground, fitted to the pixels about it.

The fit is Gauss and Newton's, of many columns at once, damped as by Marquardt (J. SIAM 11, 1963, 431–441).  After a first round
each column is fitted again to what is left of the image when its neighbours have been taken off, as in the photometry of
crowded stars (Stetson, PASP 99, 1987, 191–222).  A column has seven parameters, here always in this order: ground, amplitude,
x, y, logarithm of the width, and two components of its ellipticity e, by which it is long along x and along the diagonal:

    light = amplitude · exp(-((1 - e₊) Δx² - 2 e× Δx Δy + (1 + e₊) Δy²) / 2 width²)
"""
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from cardslib.microscopy.image_scale import NARROWEST, measure_noise
from cardslib.records import Record, concatenate
from cardslib.validation import check_number

ROUND = 5                 # parameters of a column that is round
ELLIPTICAL = 7
FITTED_TOGETHER = 256     # columns at a time: their pixels stay in the processor's cache
FIRST_STEPS = 3           # of the fit in the first round, of round columns, and
STEPS = 1                 # in each of those that follow, which start nearly where they end
ROUNDS = 4                # in which the neighbours are taken off, after the first
WINDOW = 2.5              # widths of a column: how far pixels are looked at; further away neighbours shine
NEAR = 1.25               # widths: standard deviation of the weights, so that the pixels near the middle count most
GROUND = 0.2              # quantile of the pixels with which the ground starts: what is dark lies between columns
SHINES = 3                # widths beyond which a column's light is nothing (exp(-4.5) of its peak)
LEAST_AMPLITUDE = 1e-6    # grey values: with none, the light would not depend on place and width
DAMPING = 1e-3            # of the normal matrix's diagonal, added to it: hardly slower, and safe where two parameters do alike
LEAST_DAMPING = 1e-12     # for a diagonal of zeros
LONGEST_WAY = 1 / 2       # width, along x and along y in a step
LONGEST_WIDENING = 0.2    # of the logarithm of the width, and of the ellipticity, in a step
ALIKE = 0.3               # standard deviation of the logarithm of columns' widths: what is known before one is looked at
NEARLY_ROUND = 0.1        # standard deviation of the ellipticity, likewise
WIDER = 2                 # times wider, or narrower, than it was thought to be: no column is
LONGEST = 0.6             # ellipticity: no column is twice as long as it is wide
RUN_AWAY = 1.5            # widths from where it was, and half a pixel: further, the fit has found something else, and so
NEXT = 0.5                # of the way to the nearest other column
SETTLED = 0.45            # width: a fit that still moves further in the last round has found nothing
UNLIKE = 0.5              # of the amplitude: where more is left than that, and than the noise, a Gaussian does not fit
BEYOND_NOISE = 2          # times the noise
MOST_USED = 0.9           # of a pixel by the fit, as far as that is corrected
SEEN = 2                  # standard deviations of the amplitude, which a column must have to be one


@dataclass(frozen=True)
class Gaussians(Record):
    """What was fitted to each of n columns.

    position      (n, 2) x and y, pixels;  sd (n, 2) their standard deviations, as the noise about each column makes them
    amplitude     (n,) grey values above the ground;  amplitude_sd (n,) its standard deviation
    width         (n,) standard deviation of the Gaussian, pixels: geometric mean of the long and the short one
    ellipticity   (n, 2) from -1 to 1: how much longer it is along x than along y, and along the diagonal from the upper left
                  than along the other; zero for what is round
    residual      (n,) grey values: root mean square of what the fit leaves
    fitted        (n,) bool: False where it ran away (the column stays where it was looked for), ended at the widest or the
                  narrowest that is allowed, is lost in the noise, or leaves more than half of its amplitude
    """

    position: np.ndarray
    sd: np.ndarray
    amplitude: np.ndarray
    amplitude_sd: np.ndarray
    width: np.ndarray
    ellipticity: np.ndarray
    residual: np.ndarray
    fitted: np.ndarray


@dataclass(frozen=True)
class _Windows:
    """The p pixels about each of n columns: x, y, grey values and weights, (n, p) each."""

    x: np.ndarray
    y: np.ndarray
    grey: np.ndarray
    weight: np.ndarray


def refine(image, position, width):
    """The `Gaussians` that fit an image (h, w) best near each of `position` (n, 2), x and y, all about `width` pixels wide.

    Each is a Gaussian on a constant ground, fitted by Gauss and Newton's method to the pixels within two and a half
    widths, those near the middle counting most; in four more rounds the others' light is taken off first, and it may be an
    ellipse.  Columns are known to be about equally wide, within 30 %, and nearly round, which says it where noise hides it.
    A fit that runs away by more than a width and a half, or towards another column, or does not come to rest, leaves the
    column where it was.

    Standard deviations are those of the weighted fit, from what it leaves of each pixel (White, Econometrica 48, 1980,
    817–838; corrected for the parameters): noise that neighbouring pixels share, and errors of the scan that a
    column's pixels share, are not in them.
    """
    image, start = _checked(image, position, width)
    noise, room = measure_noise(image), _room(start, width)
    parameters = np.zeros((ELLIPTICAL, len(start)))
    for chunk in _chunks(len(start)):
        windows = _cut_windows(image, start[chunk], width)
        begin = _start_values(windows, start[chunk], width)
        parameters[:, chunk] = _brought_back(_steps(windows, begin, width, noise, ROUND, FIRST_STEPS), begin, room[chunk])
    for _ in range(ROUNDS):
        before = parameters
        parameters = _with_neighbours_off(image, start, parameters, width, noise, room)
    settled = np.hypot(*(parameters[2:4] - before[2:4])) < SETTLED * width
    parameters[2:4] = np.where(settled, parameters[2:4], start.T)
    dark = image - _drawn(image.shape, parameters)
    parts = [_described(dark, start[chunk], parameters[:, chunk], width, noise) for chunk in _chunks(len(start))]
    fits = concatenate(parts)
    return replace(fits, fitted=fits.fitted & settled & (room > 0) & (fits.amplitude_sd > 0))


def _checked(image, position, width):
    """Image (h, w) and positions (n, 2) as float64, or a ValueError."""
    image, position = np.asarray(image, np.float64), np.asarray(position, float)
    if image.ndim != 2 or min(image.shape) < 3 or not np.isfinite(image).all():
        raise ValueError(f"image must be (h, w) finite numbers; got {image.shape}: pass micrograph.image")
    position = position.reshape(-1, 2) if position.size == 0 else position
    if position.ndim != 2 or position.shape[1] != 2 or not np.isfinite(position).all():
        raise ValueError(f"position must be (n, 2) finite numbers, x and y in pixels; got {position.shape}")
    check_number("width", width, NARROWEST, unit="pixels")
    return image, position


def drawn(shape, columns):
    """The light of columns, `Gaussians` or `Columns`, without their ground: an image of `shape`, height and width."""
    ellipticity = columns.ellipticity.T
    width = columns.width * (1 - (ellipticity**2).sum(0)) ** 0.25
    nothing = np.zeros(len(columns))
    return _drawn(shape, np.stack([nothing, columns.amplitude, *columns.position.T, np.log(width), *ellipticity]))


def _drawn(shape, parameters):
    """Sum of the Gaussians with these parameters (7, n), without their grounds: an image of `shape`."""
    image = np.zeros(shape)
    parameters = parameters[:, np.argsort(parameters[4])]                               # so that no window is far too large
    for chunk in _chunks(parameters.shape[1]):
        part = parameters[:, chunk]
        windows = _windows(part[2:4].T, SHINES * np.exp(part[4].max(initial=0)), shape)
        light = _light(windows, part) * (windows.weight > 0)                            # (n, p)
        pixel = windows.y.clip(0, shape[0] - 1) * shape[1] + windows.x.clip(0, shape[1] - 1)
        image += np.bincount(pixel.ravel().astype(int), light.ravel(), image.size).reshape(shape)
    return image


def _chunks(count):
    """Slices that together are all of `count`; one at least, if it is empty."""
    return [slice(first, first + FITTED_TOGETHER) for first in range(0, max(count, 1), FITTED_TOGETHER)]


# ---------------------------------------------------------------------- one round

def _room(start, width):
    """How far a fit may go from each of `start` (n, 2), pixels: (n,)."""
    away = cKDTree(start).query(start, 2)[0][:, 1] if len(start) else np.empty(0)      # infinite for one column
    return np.minimum(RUN_AWAY * width + 0.5, NEXT * away)


def _with_neighbours_off(image, start, parameters, width, noise, room):
    """Parameters (7, n), fitted once more with the light of all other columns taken off."""
    dark, after = image - _drawn(image.shape, parameters), parameters.copy()
    for chunk in _chunks(len(start)):
        windows = _alone(dark, start[chunk], parameters[:, chunk], width)
        again = _steps(windows, parameters[:, chunk], width, noise, ELLIPTICAL, STEPS)
        after[:, chunk] = _brought_back(again, _start_values(windows, start[chunk], width), room[chunk])
    return after


def _alone(dark, start, parameters, width):
    """`_Windows` of an image from which all columns have been taken off, with each one's own light put back."""
    windows = _cut_windows(dark, start, width)
    return replace(windows, grey=windows.grey + _light(windows, parameters))


def _steps(windows, parameters, width, noise, free, count):
    """Parameters (7, n) after so many steps, in which the first `free` of them may change."""
    parameters = parameters.copy()
    for _ in range(count):
        step = np.zeros_like(parameters)
        step[:free] = _gauss_newton_step(windows, parameters, width, noise, free)
        parameters = _within_bounds(parameters, step, width)
    return parameters


def _brought_back(parameters, start, room):
    """Parameters (7, n), but those at the `start` for columns whose fit has run away (or says nothing: NaN)."""
    stayed = np.hypot(*(parameters[2:4] - start[2:4])) < room
    return np.where(stayed, parameters, start)


def _cut_windows(image, start, width):
    """`_Windows` of an image about columns at `start` (n, 2), pixels near them weighing most."""
    windows = _windows(start, max(2, WINDOW * width), image.shape)
    squares = (windows.x - start[:, :1]) ** 2 + (windows.y - start[:, 1:]) ** 2
    y, x = windows.y.clip(0, image.shape[0] - 1).astype(int), windows.x.clip(0, image.shape[1] - 1).astype(int)
    return replace(windows, grey=image[y, x], weight=windows.weight * np.exp(-squares / (2 * (NEAR * width) ** 2)))


def _windows(middle, reach, shape):
    """Round, black `_Windows` about points (n, 2), in an image of `shape`; pixels beyond its edge weigh nothing, others 1."""
    whole = int(np.ceil(reach))
    dy, dx = np.indices((2 * whole + 1, 2 * whole + 1)).reshape(2, -1) - whole
    dy, dx = np.stack([dy, dx])[:, dx**2 + dy**2 <= (reach + 0.5) ** 2]                 # (p,)
    nearest = np.round(middle)
    x, y = nearest[:, :1] + dx, nearest[:, 1:] + dy                                     # (n, p)
    exists = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
    return _Windows(x, y, np.zeros(x.shape), exists.astype(float))


def _start_values(windows, start, width):
    """Parameters (7, n) from which the fit starts, at `start` (n, 2)."""
    ground = np.quantile(windows.grey, GROUND, 1)
    amplitude = np.maximum(windows.grey.max(1) - ground, LEAST_AMPLITUDE)
    none = np.zeros(len(start))
    return np.stack([ground, amplitude, *start.T, np.full(len(start), np.log(width)), none, none])


def _gauss_newton_step(windows, parameters, width, noise, free):
    """Change of the first `free` parameters that would fit best if the model were a straight line in them, (free, n).

    It solves (JᵀWJ + D + P) step = JᵀW residual - P (parameters - expected) for each column, with the Jacobian J (p, free),
    weights W, damping D, and P what was known of width and ellipticity before.
    """
    light, jacobian = _model(windows, parameters, free)
    residual = (windows.grey - parameters[0][:, None] - light)[..., None]               # (n, p, 1)
    weighted = (jacobian * windows.weight[..., None]).swapaxes(1, 2)                    # (n, free, p)
    known = _known(noise)[:free]
    off = parameters[:free].T - np.array([0, 0, 0, 0, np.log(width), 0, 0])[:free]      # (n, free)
    normal = weighted @ jacobian + np.diag(known)                                       # (n, free, free)
    diagonal = np.diagonal(normal, axis1=1, axis2=2)[:, None]                           # (n, 1, free)
    normal += DAMPING * np.eye(free) * diagonal + LEAST_DAMPING * np.eye(free)
    return np.linalg.solve(normal, weighted @ residual - (known * off)[..., None])[..., 0].T


def _known(noise):
    """What is known of the parameters before, (7,), as the diagonal of a normal matrix: width and ellipticity."""
    return noise**2 * np.array([0, 0, 0, 0, ALIKE**-2, NEARLY_ROUND**-2, NEARLY_ROUND**-2])


def _light(windows, parameters):
    """Light of the Gaussians, without the ground, (n, p)."""
    _, amplitude, x, y, log_width, long, diagonal = parameters[..., None]               # (n, 1) each
    dx, dy = windows.x - x, windows.y - y
    squares = (1 - long) * dx**2 - 2 * diagonal * dx * dy + (1 + long) * dy**2
    return amplitude * np.exp(-squares / (2 * np.exp(2 * log_width)))


def _model(windows, parameters, free=ELLIPTICAL):
    """Light of the Gaussians (n, p), and the Jacobian (n, p, free): ground and light by each of the first parameters."""
    _, amplitude, x, y, log_width, long, diagonal = parameters[..., None]               # (n, 1) each
    dx, dy, variance = windows.x - x, windows.y - y, np.exp(2 * log_width)
    along_x, along_y = (1 - long) * dx - diagonal * dy, (1 + long) * dy - diagonal * dx
    squares = along_x * dx + along_y * dy
    bell = np.exp(-squares / (2 * variance))
    light = amplitude * bell
    share = light / variance
    jacobian = np.empty((*bell.shape, free))
    jacobian[..., 0], jacobian[..., 1] = 1, bell
    jacobian[..., 2], jacobian[..., 3], jacobian[..., 4] = share * along_x, share * along_y, share * squares
    if free == ELLIPTICAL:
        jacobian[..., 5], jacobian[..., 6] = share * (dx**2 - dy**2) / 2, share * dx * dy
    return light, jacobian


def _within_bounds(parameters, step, width):
    """Parameters after a step that is not too long, and within what a column can be, (7, n)."""
    way, widening, widest = LONGEST_WAY * width, LONGEST_WIDENING, np.log(WIDER)
    longest = np.array([np.inf, np.inf, way, way, widening, widening, widening])[:, None]
    least = np.array([-np.inf, LEAST_AMPLITUDE, -np.inf, -np.inf, np.log(width) - widest, -LONGEST, -LONGEST])[:, None]
    most = np.array([np.inf, np.inf, np.inf, np.inf, np.log(width) + widest, LONGEST, LONGEST])[:, None]
    return (parameters + step.clip(-longest, longest)).clip(least, most)


# ---------------------------------------------------------------------- how good it is

def _described(dark, start, parameters, width, noise):
    """The `Gaussians` of fitted parameters (7, n), in an image from which all of them have been taken off."""
    windows = _alone(dark, start, parameters, width)
    light, jacobian = _model(windows, parameters)
    left = windows.grey - parameters[0][:, None] - light                                # (n, p)
    deviation = np.sqrt(np.diagonal(_covariance(windows, jacobian, left, noise), axis1=1, axis2=2))   # (n, 7)
    residual = np.sqrt((windows.weight * left**2).sum(1) / np.maximum(windows.weight.sum(1), 1e-12))
    _, amplitude, x, y, log_width, *ellipticity = parameters
    ellipticity = np.stack(ellipticity, 1)
    at_bound = np.abs(log_width - np.log(width)) > np.log(WIDER) - 1e-6
    unlike = residual > np.maximum(UNLIKE * amplitude, BEYOND_NOISE * noise)
    return Gaussians(
        position=np.stack([x, y], 1), sd=deviation[:, 2:4], amplitude=amplitude, amplitude_sd=deviation[:, 1],
        width=np.exp(log_width) / (1 - (ellipticity**2).sum(1)) ** 0.25, ellipticity=ellipticity, residual=residual,
        fitted=~at_bound & ~unlike & (amplitude > SEEN * deviation[:, 1]))


def _covariance(windows, jacobian, left, noise):
    """Of the fitted parameters, (n, 7, 7): N⁻¹ JᵀW V WJ N⁻¹ with N = JᵀWJ + P and V the squares of what is left, each
    divided by the share of its pixel that the fit did not use up."""
    weighted = jacobian * windows.weight[..., None]                                     # (n, p, 7)
    normal = weighted.swapaxes(1, 2) @ jacobian + np.diag(_known(noise) + LEAST_DAMPING)
    influence = weighted @ np.linalg.inv(normal)                                        # (n, p, 7): parameter by pixel
    used = (influence * jacobian).sum(2).clip(0, MOST_USED)                             # (n, p)
    return (influence * (left**2 / (1 - used))[..., None]).swapaxes(1, 2) @ influence
