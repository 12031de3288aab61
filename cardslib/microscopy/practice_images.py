"""Images for a network to learn from: specimens of many kinds, and what a microscope makes of them.

Networks that had seen perfect crystals only did worse where columns are disordered.  So the specimens here are also grains,
glasses, dumbbells and weak sublattices, with atoms missing, heavy, or lost in amorphous material; and their images are as noisy
and as faulty as measured ones.  Every number is drawn anew for each image, more widely than any one microscope has it (domain
randomisation; Tobin et al., IROS 2017, 23–30): so the ranges below need not be exact.  Lengths in Å unless said; `width` is
that of a column.
"""
from dataclasses import replace

import numpy as np
from scipy.fft import fftfreq, irfft2, rfft2, rfftfreq
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.signal import lfilter
from scipy.spatial import cKDTree

from cardslib.geometry import rotation
from cardslib.microscopy.crystals import ferroelectric, nio_lsmo
from cardslib.microscopy.lattices import Phase, cut_to_field, grow, joined, waves
from cardslib.microscopy.micrographs import Micrograph, grey
from cardslib.microscopy.microscope import scan
from cardslib.validation import check_count, check_number

PIXELS = 400                  # along an edge of an image at the most: finer ones show a smaller field
SMALLEST, LARGEST = 20, 200   # along an edge of a field
RESOLVED = 2.2                # widths between like neighbours: two Gaussians nearer than 2 have one maximum (Sparrow's limit)
UNLIKE_RESOLVED = 2.6         # widths between unlike ones: a weak one still shows as a shoulder
FARTHEST = 8.0                # widths: had it seen close ones only, the network would fill every wide gap with a column
NOISELESS = 1e6               # electrons a pixel at which the light is drawn, before anything happens to it
DARK = 0.02                   # of a bright column: light that is everywhere, so that no mean is zero
SILICON, GRAPHENE = 5.431, 2.46   # edges of their cells
APART = 1.7                   # between the columns of a cell that has many
WAVY = 1.5                    # by which the edge of a specimen swings to either side
PUSHES = 40                   # rounds in which the atoms of a glass push each other apart
PUSHED = 0.4                  # of what they are too near, each of two in a round: half would bring them apart at once


def practice(count=200, size=30.0, disorder=True, seed=0):
    """`count` simulated `Micrograph`s to learn from, no two alike.  Many small ones teach more than a few large ones.

    size      Å along an edge of each at the most (20 … 200): finely sampled ones show less
    disorder  of the specimens: grains, glasses, missing and heavy atoms, amorphous areas, vacuum.  Without it they are whole
              crystals; what the microscope does to them stays
    """
    check_number("size", size, SMALLEST, LARGEST, "Å")
    rng = np.random.default_rng(check_count("seed", seed, 0))
    return [_practice_image(size, disorder, rng) for _ in range(check_count("count", count))]


def _practice_image(size, disorder, rng):
    pixel_size = rng.uniform(0.07, 0.18)
    size = min(size, PIXELS * pixel_size)   # never below SMALLEST: 400 · 0.07 is 28
    crystal, left_out = _crystal(size, rng), _nowhere
    closest = RESOLVED if "dumbbells" in crystal.phase_names else UNLIKE_RESOLVED
    width = np.clip(_nearest(crystal) / rng.uniform(closest, FARTHEST), 0.25, 0.9)
    if disorder:
        crystal = _disordered(crystal, width, rng)
        left_out = _beyond_an_edge(size, rng) if _sometimes(0.4, rng) else _nowhere
        crystal = crystal[~left_out(crystal.position)]
    clean = scan(crystal, pixel_size, NOISELESS, width, background=0.0, thickness=rng.uniform(0, 0.5),
                 jitter=rng.uniform(0, 0.4), drift=rng.uniform(0, 0.01), seed=int(rng.integers(2**31)))
    light = clean.counts[0] / np.quantile(clean.counts, 0.95)                           # about 1 in bright columns
    light = _with_ground(light, left_out(_middles(light.shape, pixel_size)), width / pixel_size, rng)
    dose = 10 ** rng.uniform(1.5, 3.6)                                                   # electrons a square ångström
    image = _detected(light, dose * pixel_size**2, width / pixel_size, rng)
    return Micrograph(grey(image)[None], pixel_size, f"practice: {' and '.join(crystal.phase_names)}", clean.truth)


def _sometimes(share, rng):
    return rng.random() < share


# ---------------------------------------------------------------------- crystals

def _crystal(size, rng):
    """One of the lectures' crystals, or a lattice drawn at random, turned and bent."""
    kind = rng.integers(len(_PHASES) + 3)
    if kind == len(_PHASES):
        return ferroelectric(size, exponent=rng.uniform(1.5, 1.8), seed=int(rng.integers(2**31)))
    if kind > len(_PHASES):
        return nio_lsmo(size, pillars=1, seed=int(rng.integers(2**31)))
    return _single(_PHASES[kind](rng), size, rng)


def _single(phase, size, rng):
    """A crystal of a phase, turned by any angle, bent, and with its columns displaced at random."""
    bent = waves((size, size), tilt=np.radians(3), strain=0.03, rng=rng)
    turned, middle = rotation(rng.uniform(0, 2 * np.pi)), size / 2
    crystal = grow(phase, (size, size), lambda points: bent((points - middle) @ turned.T + middle), exponent=1)
    displacement = rng.uniform(0, 0.08) * rng.standard_normal(crystal.position.shape)
    return cut_to_field(replace(crystal, position=crystal.position + displacement, displacement=displacement))


def _nearest(crystal):
    """Median distance from a visible column to the nearest other."""
    position = crystal[crystal.visible].position
    return np.median(cKDTree(position).query(position, 2)[0][:, 1])


def _phase(name, cell, brightness, places):
    """A `Phase` whose columns, some places for each brightness, are as bright as so many carbon atoms."""
    return Phase(name, cell, 1.0, {f"{name} {number}": (place, dict(C=bright))
                                   for number, (bright, place) in enumerate(zip(brightness, places))})


def _oblique(edge, ratio, degrees):
    angle = np.radians(degrees)
    return (edge, 0), (edge * ratio * np.cos(angle), edge * ratio * np.sin(angle))


_CORNER, _MIDDLE, _FACES, _THIRD = ((0, 0),), ((0.5, 0.5),), ((0.5, 0), (0, 0.5)), ((1 / 3, 1 / 3),)


def _graphene(rng):
    return _phase("graphene", _oblique(GRAPHENE, 1, 60), [1], [_CORNER + _THIRD])


def _honeycomb(rng):
    """Two kinds of columns, as in boron nitride or molybdenum disulphide."""
    return _phase("honeycomb", _oblique(rng.uniform(2.5, 3.3), 1, 60), [1, rng.uniform(0.2, 1)], [_CORNER, _THIRD])


def _diamond(rng):
    """On [110], as silicon, germanium or, with two kinds of atoms, gallium arsenide: dumbbells."""
    edge = SILICON * rng.uniform(0.98, 1.06)
    return _phase("dumbbells", ((edge / np.sqrt(2), 0), (0, edge)), [1, rng.uniform(0.6, 1)],
                  [((0, 0), (0.5, 0.5)), ((0, 0.25), (0.5, 0.75))])


def _pairs(rng):
    """Dumbbells in any direction in a rectangular cell."""
    edges, middle = rng.uniform(3.5, 5, 2), rng.uniform(0.3, 0.7, 2)
    half = rotation(rng.uniform(0, np.pi))[0] * rng.uniform(0.6, 0.75) / edges
    return _phase("dumbbells", ((edges[0], 0), (0, edges[1])), [1, rng.uniform(0.6, 1)],
                  [(-half, middle - half), (half, middle + half)])


def _lattice(rng):
    """One or two columns in an oblique cell."""
    if _sometimes(0.7, rng):
        cell = _oblique(rng.uniform(2, 3.2), rng.choice([1, rng.uniform(1, 1.4)]), rng.choice([90, rng.uniform(60, 90)]))
        return _phase("simple lattice", cell, [1], [_CORNER])
    cell = _oblique(rng.uniform(3, 4.2), rng.uniform(1, 1.2), rng.uniform(75, 90))
    return _phase("centred lattice", cell, [1, rng.uniform(0.15, 1)], [_CORNER, _MIDDLE])


def _weak(rng):
    """Strong columns, perhaps weaker ones between them, perhaps faint ones between those, as a perovskite shows in ABF.

    The faintest are seen in one of six, too faint to be seen in one of six, and not there in four of six, so that the network
    is also shown squares of strong columns with nothing between them.
    """
    cell = _oblique(rng.uniform(2.8, 4.4), rng.uniform(1, 1.05), rng.uniform(84, 90))
    brightness = 1, 10 ** rng.uniform(-0.9, -0.1), 10 ** rng.uniform(-0.9, -0.3) if _sometimes(0.5, rng) else 0.04
    return _phase("weak sublattices", cell, brightness[:rng.integers(1, 4)], [_CORNER, _MIDDLE, _FACES])


def _many(rng):
    """Columns of many strengths anywhere in a rectangular cell, as in an oxide along a direction of low symmetry."""
    edges, places = rng.uniform(4, 7, 2), []
    for place in rng.random((20, 2)):
        ways = [np.linalg.norm((place - other + 0.5) % 1 * edges - edges / 2) for other in places]
        if min(ways, default=np.inf) > APART:
            places.append(place)
    brightness = 10 ** rng.uniform(-0.9, 0, len(places))
    return _phase("many columns", ((edges[0], 0), (0, edges[1])), brightness, [(place,) for place in places])


_PHASES = (_graphene, _graphene, _graphene, _honeycomb, _diamond, _pairs, _lattice, _lattice,   # more often what is hard
           _weak, _weak, _weak, _many)


# ---------------------------------------------------------------------- disorder

def _disordered(crystal, width, rng):
    """The same with some of: a glass in its place, a second grain, missing atoms, heavy atoms."""
    kind = rng.random()
    if kind < 0.15:
        crystal = _glass(crystal, width, rng)
    elif kind < 0.4:
        crystal = _two_grains(crystal, width, rng)
    crystal = crystal[rng.random(len(crystal)) > rng.uniform(0, 0.1)]
    if _sometimes(0.3, rng):
        heavy = rng.random(len(crystal)) < rng.uniform(0.002, 0.008)   # fewer than `visible` leaves out of its brightest
        crystal = replace(crystal, brightness=crystal.brightness * np.where(heavy, rng.uniform(1.5, 12), 1))
    return crystal


def _two_grains(crystal, width, rng):
    """The crystal on one side of a boundary, and itself turned about the middle of the field on the other."""
    middle, turned = np.array(crystal.size) / 2, rotation(rng.uniform(0, 2 * np.pi))
    other = replace(crystal, position=(crystal.position - middle) @ turned.T + middle)
    beyond, gap = _line(crystal.size[0], rng), rng.uniform(0.5, 1.3) * width
    return joined([crystal[beyond(crystal.position) < -gap], other[beyond(other.position) > gap]])


def _glass(crystal, width, rng):
    """Columns at random that have pushed each other apart, nearly as dense as they can be; in the place of a crystal's."""
    size, apart = np.array(crystal.size), rng.uniform(3.5, 7) * width
    count = int(rng.uniform(0.7, 1) * np.prod(size) / apart**2)
    position = size / 2 + rng.uniform(-1, 1, (count, 2)) * (size / 2 + apart)
    for _ in range(PUSHES):
        first, second = cKDTree(position).query_pairs(apart, output_type="ndarray").T
        way = position[first] - position[second]
        distance = np.linalg.norm(way, axis=1, keepdims=True)
        push = PUSHED * (apart - distance) * way / np.maximum(distance, 1e-3)
        np.add.at(position, first, push)
        np.add.at(position, second, -push)
    glass = crystal[np.zeros(count, int)]
    return replace(glass, position=position, brightness=glass.brightness * rng.uniform(rng.uniform(0.3, 1), 1, count))


def _line(size, rng):
    """Function of points (..., 2) → (...,): how far beyond a line they are that passes near the middle of a field."""
    normal, offset = rotation(rng.uniform(0, 2 * np.pi))[0], rng.uniform(-0.25, 0.25) * size
    return lambda points: (points - size / 2) @ normal - offset


def _beyond_an_edge(size, rng):
    """Function of points (..., 2) → (...,) bool: what lies beyond a wavy edge."""
    beyond, wave, phase = _line(size, rng), rng.uniform(-0.5, 0.5, 2), rng.uniform(0, 2 * np.pi)
    return lambda points: beyond(points) > WAVY * np.sin(points @ wave + phase) + 0.1 * size


def _nowhere(points):
    return np.zeros(points.shape[:-1], bool)


def _middles(shape, pixel_size):
    """Where the middles of an image's pixels are in the field: (h, w, 2)."""
    y, x = np.indices(shape)
    return (np.stack([x, y], -1) + 0.5) * pixel_size


# ---------------------------------------------------------------------- light that comes from no column

def _with_ground(light, left_out, width, rng):
    """The light of the columns with all other: tails of the probe, the specimen's even ground, amorphous speckle, dirt.

    left_out  (h, w) bool: vacuum, or amorphous;  width  pixels
    """
    amorphous = _sometimes(0.5, rng)
    specimen = np.ones(light.shape) if amorphous else gaussian_filter(1.0 - left_out, 2 * width)
    tails = gaussian_filter(light, rng.uniform(2, 4) * width)
    light = light + rng.uniform(0, 0.5) * tails + 10 ** rng.uniform(-1, 0.5) * specimen
    if amorphous:
        light = light + left_out * rng.uniform(0.1, 0.6) * _speckle(light.shape, width * rng.uniform(0.7, 1.5), rng)
    if _sometimes(0.4, rng):
        light = light + rng.uniform(0, 0.15) * _speckle(light.shape, width * rng.uniform(0.7, 2), rng)
    if _sometimes(0.4, rng):
        light = light + rng.uniform(0, 1) * np.maximum(_speckle(light.shape, width * rng.uniform(12, 30), rng), 0)
    return np.maximum(light + DARK, 0)


def _speckle(shape, grain, rng):
    """A random field of standard deviation 1 that is smooth over `grain` pixels, as an amorphous film looks: (h, w)."""
    y, x = fftfreq(shape[0])[:, None], rfftfreq(shape[1])
    blur = np.exp(-2 * (np.pi * grain) ** 2 * (x**2 + y**2))                             # the transform of a Gaussian
    field = irfft2(rfft2(rng.standard_normal(shape)) * blur, shape)
    return field / field.std()


# ---------------------------------------------------------------------- errors of the scan and of the detector

def _detected(light, counts, width, rng):
    """The image that a scan and a detector make of the light, (h, w), with `counts` electrons a pixel; width in pixels."""
    if _sometimes(0.5, rng):
        light = _flagging(light, rng.uniform(0, 0.25) * width, rng)
    image = rng.poisson(light * counts / light.mean()).astype(float)
    if _sometimes(0.3, rng):                                                             # a slow amplifier
        image = gaussian_filter1d(image, rng.uniform(0.3, 0.8) * width, 1)
    if _sometimes(0.2, rng):                                                             # smoothed, or resampled, by its user
        image = gaussian_filter(image, rng.uniform(0.3, 0.8) * width)
    if _sometimes(0.2, rng):
        image = _afterglow(image, rng.uniform(0, 0.4))
    if _sometimes(0.3, rng):                                                             # the beam's current, line by line
        image += rng.uniform(0, 0.15) * counts * rng.standard_normal((len(image), 1))
    if _sometimes(0.2, rng):                                                             # cosmic rays and hot pixels
        image[rng.random(image.shape) < rng.uniform(0, 0.001)] += rng.uniform(2, 20) * counts
    if _sometimes(0.1, rng):                                                             # dust under the beam
        y, x = (rng.integers(length) for length in image.shape)
        image[y, x:x + rng.integers(5, 40)] += rng.uniform(2, 10) * counts
    return image


def _flagging(light, amount, rng):
    """Each line shifted along itself, on its own, by `amount` pixels, standard deviation: (h, w)."""
    height, across = light.shape
    x = (np.arange(across) + amount * rng.standard_normal((height, 1))).clip(0, across - 1.001)
    left = x.astype(int)
    share = x - left
    return np.take_along_axis(light, left, 1) * (1 - share) + np.take_along_axis(light, left + 1, 1) * share


def _afterglow(image, memory):
    """The image of a detector that gives a share `memory` of each pixel's light one pixel later: (h, w)."""
    return lfilter([1 - memory], [1, -memory], image, 1)
