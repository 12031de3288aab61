"""Where a column of atoms is, to a fraction of a pixel: a Gaussian on a constant ground, fitted to the pixels about it.

The fit is Gauss and Newton's, of many columns at once, damped as by Marquardt (J. SIAM 11, 1963, 431–441).  A column has five
parameters, here always in this order: ground, amplitude, x, y, logarithm of the width.
"""
from dataclasses import dataclass

import numpy as np

FITTED_TOGETHER = 256     # columns at a time: their pixels stay in the processor's cache
STEPS = 8                 # of the fit; four are enough for nearly all columns
WINDOW = 2                # widths of a column, along x and y: how far pixels are looked at; further away neighbours shine
NEAR = 1.2                # widths: standard deviation of the weights, so that the pixels near the middle count most
GROUND = 0.2              # quantile of the pixels with which the ground starts: what is dark lies between columns
LEAST_AMPLITUDE = 1e-6    # grey values: with none, the light would not depend on place and width
DAMPING = 1e-3            # of the normal matrix's diagonal, added to it: hardly slower, and safe where two parameters do alike
LEAST_DAMPING = 1e-12     # for a diagonal of zeros
LONGEST_WAY = 1 / 2       # width, along x and along y in a step
LONGEST_WIDENING = 0.2    # of the logarithm of the width, in a step
WIDER = 2                 # times wider, or narrower, than it was thought to be: no column is
RUN_AWAY = 1.5            # widths from where it was, and half a pixel: further, the fit has found something else


@dataclass(frozen=True)
class _Windows:
    """The p pixels about each of n columns: x, y, grey values and weights, (n, p) each."""

    x: np.ndarray
    y: np.ndarray
    grey: np.ndarray
    weight: np.ndarray


def refine(image, position, width):
    """Positions (n, 2), amplitudes (n,) and widths (n,) of the Gaussians that fit best near each of `position` (n, 2).

    Each is a Gaussian on a constant ground, fitted by Gauss and Newton's method to the pixels within two widths, those near
    the middle counting most.  A fit that runs away by more than a width and a half leaves the column where it was.
    """
    image, position = np.asarray(image, np.float64), np.asarray(position, float)
    starts = range(0, len(position), FITTED_TOGETHER)
    parts = [_fitted(image, position[start:start + FITTED_TOGETHER], width) for start in starts]
    return tuple(np.concatenate(part) for part in zip(*parts)) if parts else (np.empty((0, 2)), np.empty(0), np.empty(0))


def _fitted(image, start, width):
    windows = _cut_windows(image, start, width)
    parameters = _start_values(windows, start, width)
    for _ in range(STEPS):
        parameters = _within_bounds(parameters, _gauss_newton_step(windows, parameters), width)
    ground, amplitude, x, y, log_width = parameters
    return _without_runaways(np.stack([x, y], 1), start, width), amplitude, np.exp(log_width)


def _cut_windows(image, start, width):
    """Square `_Windows` about columns at `start` (n, 2); pixels beyond the edge of the image weigh nothing."""
    reach = max(2, int(np.ceil(WINDOW * width)))
    dy, dx = np.indices((2 * reach + 1, 2 * reach + 1)).reshape(2, -1) - reach          # (p,)
    nearest = np.round(start).astype(int)
    x, y = nearest[:, :1] + dx, nearest[:, 1:] + dy                                     # (n, p)
    height, across = image.shape
    exists = (x >= 0) & (x < across) & (y >= 0) & (y < height)
    squares = (x - start[:, :1]) ** 2 + (y - start[:, 1:]) ** 2
    weight = exists * np.exp(-squares / (2 * (NEAR * width) ** 2))
    return _Windows(x.astype(float), y.astype(float), image[y.clip(0, height - 1), x.clip(0, across - 1)], weight)


def _start_values(windows, start, width):
    """Parameters (5, n) from which the fit starts, at `start` (n, 2)."""
    ground = np.quantile(windows.grey, GROUND, 1)
    amplitude = np.maximum(windows.grey.max(1) - ground, LEAST_AMPLITUDE)
    return np.stack([ground, amplitude, *start.T, np.full(len(start), np.log(width))])


def _gauss_newton_step(windows, parameters):
    """Change of the parameters (5, n) that would fit best if the model were a straight line in them.

    It solves (JᵀWJ + D) step = JᵀW residual for each column, with the Jacobian J (p, 5), weights W and damping D.
    """
    model, jacobian = _model(windows, parameters)
    residual = (windows.grey - parameters[0][:, None] - model)[..., None]               # (n, p, 1)
    weighted = (jacobian * windows.weight[..., None]).swapaxes(1, 2)                    # (n, 5, p)
    normal = weighted @ jacobian                                                        # (n, 5, 5)
    diagonal = np.diagonal(normal, axis1=1, axis2=2)[:, None]                           # (n, 1, 5)
    normal += DAMPING * np.eye(5) * diagonal + LEAST_DAMPING * np.eye(5)
    return np.linalg.solve(normal, weighted @ residual)[..., 0].T


def _model(windows, parameters):
    """Light of the Gaussians (n, p), without the ground, and the Jacobian (n, p, 5): ground and light by each parameter."""
    _, amplitude, x, y, log_width = parameters[..., None]                               # (n, 1) each
    dx, dy, variance = windows.x - x, windows.y - y, np.exp(2 * log_width)
    squares = dx**2 + dy**2
    bell = np.exp(-squares / (2 * variance))
    light = amplitude * bell
    by_x, by_y, by_log_width = light * dx / variance, light * dy / variance, light * squares / variance
    return light, np.stack([np.ones_like(bell), bell, by_x, by_y, by_log_width], -1)


def _within_bounds(parameters, step, width):
    """Parameters after a step that is not too long, and within what a column can be, (5, n)."""
    longest = np.array([np.inf, np.inf, LONGEST_WAY * width, LONGEST_WAY * width, LONGEST_WIDENING])[:, None]
    least = np.array([-np.inf, LEAST_AMPLITUDE, -np.inf, -np.inf, np.log(width / WIDER)])[:, None]
    most = np.array([np.inf, np.inf, np.inf, np.inf, np.log(WIDER * width)])[:, None]
    return (parameters + step.clip(-longest, longest)).clip(least, most)


def _without_runaways(position, start, width):
    """Positions (n, 2), but `start` for those whose fit has run away (or says nothing: NaN)."""
    stayed = np.hypot(*(position - start).T) < RUN_AWAY * width + 0.5
    return np.where(stayed[:, None], position, start)
