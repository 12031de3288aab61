"""A scanning transmission electron microscope with an annular dark-field detector, simplified: columns → image with truth.

Every column is a Gaussian as bright as its atoms.  That is accepted for training and for teaching (AtomAI and AtomSegNet
train on such images, genSTEM tests with them); it is not for quantitative work: channelling makes the brightness of a
column depend on its neighbours, its depth and its tilt, and probe tails are not Gaussian.
"""
from dataclasses import replace

import numpy as np
from scipy.signal import lfilter

from cardslib.geometry import inside
from cardslib.microscopy.crystals import PHASES, ferroelectric, nio_lsmo, single_crystal
from cardslib.microscopy.micrographs import Micrograph, grey
from cardslib.validation import check_count, check_number

REACH = 4          # standard deviations of a column beyond which its light is nothing (exp(-8) of its peak)
LARGEST = 2**27    # pixels of an image: half a gigabyte
MEMORY = 0.98      # how much of the scan's error on one line is still there on the next


def scan(crystal, pixel_size=0.15, counts=20.0, width=0.4, background=0.5, thickness=0.2, jitter=0.1, drift=0.003, seed=0):
    """Scan a crystal's field line by line: a `Micrograph` whose truth holds the columns with positions in pixels.

    pixel_size  Å (0.03 … 0.5)
    counts      electrons a pixel, mean over the image (0.1 … 10⁶): the Poisson noise
    width       Å: standard deviation of a column's Gaussian (0.2 … 1.5): probe, source and vibration together
    background  share of the light that comes from no column (0 … 0.95): probe tails, amorphous layers, offset
    thickness   the specimen's thickness, and with it all light, varies slowly by this share up and down (0 … 0.8)
    jitter      pixels: standard deviation of the place of a line along x; half of it along y (0 … 5)
    drift       the specimen's way during the scan, as a share of the field's height (0 … 0.1), in a random direction

    A pixel's position is that of its middle, (0, 0) for the first.  True positions, rotation and strain are those of the
    drifted image; the jitter of the lines is an error of the scan, and not in them.
    """
    _check(pixel_size, counts, width, background, thickness, jitter, drift)
    rng = np.random.default_rng(check_count("seed", seed, 0))
    columns, rows = (max(1, round(edge / pixel_size)) for edge in crystal.size)
    if columns * rows > LARGEST:
        raise ValueError(f"pixel_size={pixel_size} makes an image of {columns}×{rows} pixels of a field of {crystal.size} Å; "
                         f"it must have at most {LARGEST:,}: use larger pixels or a smaller crystal")
    moves = drift * _direction(rng)                                                      # Å an Å of height, along x and y
    recorded = np.array([[1, moves[0]], [0, 1 + moves[1]]])                             # where a drifting point is recorded
    truth = replace(crystal, position=crystal.position @ recorded.T / pixel_size - 0.5,
                    deformation=recorded @ crystal.deformation)
    lines = jitter * np.array([[1], [0.5]]) * _wandering(rows, rng)                      # (2, rows): error of each line
    light = _light(truth, (rows, columns), width / pixel_size, lines)
    light += background / (1 - background) * light.mean()
    light *= _slow((rows, columns), thickness, rng)
    image = rng.poisson(light * (counts / light.mean())).astype(np.float32)
    seen = inside(truth.position, -0.5, np.array([columns, rows]) - 0.5)
    name = f"simulated {' and '.join(crystal.phase_names)}, {counts:g} counts a pixel"
    return Micrograph(grey(image)[None], float(pixel_size), name, truth[seen])


def practice(count=40, size=48.0, seed=0):
    """`count` simulated micrographs of many kinds to learn from: phases, angles, doses, pixel sizes and errors at random.

    size  Å along an edge of each.  A few columns in a hundred are missing, so that a network learns columns and not lattices.
    """
    rng = np.random.default_rng(check_count("seed", seed, 0))
    micrographs = []
    for _ in range(check_count("count", count)):
        kind, own = rng.choice(["NiO-LSMO", "ferroelectric", *PHASES]), dict(size=size, seed=int(rng.integers(2**31)))
        if kind == "NiO-LSMO":
            crystal = nio_lsmo(pillars=1, **own)
        elif kind == "ferroelectric":
            crystal = ferroelectric(exponent=rng.uniform(1.5, 1.8), **own)
        else:
            crystal = single_crystal(kind, angle=rng.uniform(0, 90), strain=0.03, disorder=0.06, **own)
        crystal = crystal[rng.random(len(crystal)) > 0.03]
        micrographs.append(scan(crystal, rng.uniform(0.07, 0.18), 60 ** rng.uniform(0, 1), rng.uniform(0.35, 0.5),
                                rng.uniform(0.2, 0.8), rng.uniform(0, 0.4), rng.uniform(0, 0.4), rng.uniform(0, 0.01),
                                int(rng.integers(2**31))))
    return micrographs


def _light(columns, shape, width, lines):
    """Sum of Gaussians of standard deviation `width` (pixels), each of its column's brightness in all, (rows, columns).

    lines (2, rows): where along x and y each line looks, beside where it should.
    """
    reach = int(np.ceil(REACH * width + 3))
    window = np.arange(-reach, reach + 1)
    image = np.zeros(shape)
    for start in range(0, len(columns), 4096):                                           # bounds the memory
        part = columns[start:start + 4096]
        nearest = np.round(part.position).astype(int)
        x, y = nearest[:, :1] + window, nearest[:, 1:] + window                          # (n, window) pixels each
        error = lines[:, y.clip(0, shape[0] - 1)]                                        # (2, n, window)
        along_y = np.exp(-((y + error[1] - part.position[:, 1:]) / width) ** 2 / 2)
        along_x = np.exp(-((x[:, None] + error[0][..., None] - part.position[:, :1, None]) / width) ** 2 / 2)
        light = along_x * (along_y * part.brightness[:, None])[..., None]                # (n, window y, window x)
        within = ((y >= 0) & (y < shape[0]))[..., None] & ((x >= 0) & (x < shape[1]))[:, None]
        where = y[..., None] * shape[1] + x[:, None]
        image += np.bincount(where[within], light[within], image.size).reshape(shape)
    return image


def _wandering(rows, rng):
    """Errors of the lines, (2, rows), of variance 1, each much like the one before."""
    steps = rng.standard_normal((2, rows + 400)) * np.sqrt(1 - MEMORY**2)
    return lfilter([1], [1, -MEMORY], steps)[:, 400:]


def _slow(shape, amount, rng):
    """A slow variation about 1, (rows, columns), by ±amount: a wedge and two long waves in random directions."""
    y, x = (np.linspace(-1, 1, length) for length in shape)
    y = y[:, None]
    (a, b), (c, d) = _direction(rng), _direction(rng) * rng.uniform(1.5, 3)
    variation = 0.5 * (a * x + b * y) + 0.5 * np.sin(c * x + d * y + rng.uniform(0, 2 * np.pi))
    return 1 + amount * variation / max(np.abs(variation).max(), 1e-9)


def _direction(rng):
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _check(pixel_size, counts, width, background, thickness, jitter, drift):
    check_number("pixel_size", pixel_size, 0.03, 0.5, "Å")
    check_number("counts", counts, 0.1, 1e6, "electrons a pixel")
    check_number("width", width, 0.2, 1.5, "Å")
    check_number("background", background, 0, 0.95)
    check_number("thickness", thickness, 0, 0.8)
    check_number("jitter", jitter, 0, 5, "pixels")
    check_number("drift", drift, 0, 0.1)
