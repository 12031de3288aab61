"""A scanning transmission electron microscope with an annular dark-field detector, simplified: columns → image with truth.

Every column is a Gaussian as bright as its atoms.  That is accepted for training and for teaching (AtomAI and AtomSegNet
train on such images, genSTEM tests with them); it is not for quantitative work: channelling makes the brightness of a
column depend on its neighbours, its depth and its tilt, and probe tails are not Gaussian.
"""
from dataclasses import replace

import numpy as np
from scipy.signal import lfilter

from cardslib.geometry import inside
from cardslib.microscopy.micrographs import Micrograph, grey, grey_range
from cardslib.validation import check_count, check_number

MOST_SCANNED_PIXELS = 2**27   # of an image: half a gigabyte
REACH = 4                     # standard deviations of a column beyond which its light is nothing (exp(-8) of its peak)
SCAN_ERROR = 3                # pixels more, for the error of a line
DRAWN_TOGETHER = 4096         # columns at a time: bounds the memory
OF_HAZE = 1                   # its random numbers are its own: an image without haze is the same as ever
MEMORY = 0.98                 # how much of the scan's error on one line is still there on the next
FORGOTTEN = 400               # lines after which nothing is left of the first (0.98⁴⁰⁰ is 0.03 %)


def scan(crystal, pixel_size=0.15, counts=20.0, width=0.4, background=0.5, thickness=0.2, jitter=0.1, drift=0.003, haze=0.0,
         seed=0):
    """Scan a crystal's field line by line: a `Micrograph` whose truth holds the columns with positions in pixels.

    pixel_size  Å (0.03 … 0.5)
    counts      electrons a pixel, mean over the image (0.1 … 10⁶): the Poisson noise
    width       Å: standard deviation of a column's Gaussian (0.2 … 1.5): probe, source and vibration together
    background  share of the light that comes from no column (0 … 0.95): probe tails, amorphous layers, offset
    thickness   the specimen's thickness, and with it all light, varies slowly by this share up and down (0 … 0.8)
    jitter      pixels: standard deviation of the place of a line along x; half of it along y (0 … 5)
    drift       the specimen's way during the scan, as a share of the field's height (0 … 0.1), in a random direction
    haze        the background varies slowly by this share up and down (0 … 1), as where contamination is uneven

    A pixel's position is that of its middle, (0, 0) for the first.  True positions, rotation and strain are those of the
    drifted image; the jitter of the lines is an error of the scan, and not in them.  The micrograph knows its counts, but for
    the outermost 0.01 % of the pixels, which its grey scale clips.
    """
    _check(pixel_size, counts, width, background, thickness, jitter, drift, haze)
    rng = np.random.default_rng(check_count("seed", seed, 0))
    shape = _shape(crystal.size, pixel_size)
    truth = _recorded(crystal, pixel_size, drift * _direction(rng))
    lines = jitter * np.array([[1], [0.5]]) * _wandering(shape[0], rng)                  # (2, rows): error of each line
    light = _light(truth, shape, width / pixel_size, lines)
    light += background / (1 - background) * light.mean() * _slow(shape, haze, np.random.default_rng((seed, OF_HAZE)))
    light *= _slow(shape, thickness, rng)
    image = rng.poisson(light * (counts / light.mean())).astype(np.float32)
    seen = inside(truth.position, -0.5, np.array(shape[::-1]) - 0.5)
    name = f"simulated {' and '.join(crystal.phase_names)}, {counts:g} counts a pixel"
    black, white = grey_range(image)
    return Micrograph(grey(image)[None], float(pixel_size), name, truth[seen], gain=white - black, black_level=black)


# ---------------------------------------------------------------------- from columns to light

def _shape(size, pixel_size):
    """(height, width) in pixels of the image of a field of size (width, height) Å, or a ValueError before memory is taken."""
    across, down = (max(1, round(edge / pixel_size)) for edge in size)
    if across * down > MOST_SCANNED_PIXELS:
        raise ValueError(f"pixel_size={pixel_size} makes an image of {across}×{down} pixels of a field of {size} Å; "
                         f"it must have at most {MOST_SCANNED_PIXELS:,}: use larger pixels or a smaller crystal")
    return down, across


def _recorded(crystal, pixel_size, drift):
    """The crystal as a scan records it, positions in pixels, while it drifts by (x, y) Å for each Å of height."""
    matrix = np.array([[1, drift[0]], [0, 1 + drift[1]]])
    return replace(crystal, position=crystal.position @ matrix.T / pixel_size - 0.5, deformation=matrix @ crystal.deformation)


def _light(crystal, shape, width, lines):
    """Sum of Gaussians of standard deviation `width` (pixels), each of its column's brightness in all, (h, w).

    lines  (2, h): where along x and y each line looks, beside where it should
    """
    reach = int(np.ceil(REACH * width + SCAN_ERROR))
    window, image = np.arange(-reach, reach + 1), np.zeros(shape)
    for start in range(0, len(crystal), DRAWN_TOGETHER):
        part = crystal[start:start + DRAWN_TOGETHER]
        nearest = np.round(part.position).astype(int)
        x, y = nearest[:, :1] + window, nearest[:, 1:] + window                          # (n, window) pixels each
        error = lines[:, y.clip(0, shape[0] - 1)]                                        # (2, n, window)
        along_y = np.exp(-((y + error[1] - part.position[:, 1:]) / width) ** 2 / 2)
        along_x = np.exp(-((x[:, None] + error[0][..., None] - part.position[:, :1, None]) / width) ** 2 / 2)
        light = along_x * (along_y * part.brightness[:, None])[..., None]                # (n, window y, window x)
        exists = ((y >= 0) & (y < shape[0]))[..., None] & ((x >= 0) & (x < shape[1]))[:, None]
        pixel = y[..., None] * shape[1] + x[:, None]                                     # its number in the image
        image += np.bincount(pixel[exists], light[exists], image.size).reshape(shape)
    return image


# ---------------------------------------------------------------------- errors of the scan and of the specimen

def _wandering(count, rng):
    """Errors of `count` lines along x and y, (2, count), of variance 1, each much like the one before (autoregression)."""
    steps = rng.standard_normal((2, count + FORGOTTEN)) * np.sqrt(1 - MEMORY**2)
    return lfilter([1], [1, -MEMORY], steps)[:, FORGOTTEN:]


def _slow(shape, amount, rng):
    """A slow variation about 1, (h, w), by ±amount: a wedge and a long wave in random directions."""
    y, x = (np.linspace(-1, 1, length) for length in shape)
    y = y[:, None]
    (a, b), (c, d) = _direction(rng), _direction(rng) * rng.uniform(1.5, 3)
    variation = 0.5 * (a * x + b * y) + 0.5 * np.sin(c * x + d * y + rng.uniform(0, 2 * np.pi))
    return 1 + amount * variation / max(np.abs(variation).max(), 1e-9)


def _direction(rng):
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _check(pixel_size, counts, width, background, thickness, jitter, drift, haze):
    check_number("pixel_size", pixel_size, 0.03, 0.5, "Å")
    check_number("counts", counts, 0.1, 1e6, "electrons a pixel")
    check_number("width", width, 0.2, 1.5, "Å")
    check_number("background", background, 0, 0.95)
    check_number("thickness", thickness, 0, 0.8)
    check_number("jitter", jitter, 0, 5, "pixels")
    check_number("drift", drift, 0, 0.1)
    check_number("haze", haze, 0, 1)
