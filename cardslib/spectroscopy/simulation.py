"""NiO pillars in LSMO, scanned with an electron energy-loss spectrometer whose energy scale wanders; with its truth."""
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.signal import lfilter
from scipy.special import ndtr

from cardslib.spectroscopy.edges import MATERIALS, mixture
from cardslib.spectroscopy.spectra import SpectraTruth, SpectrumImage
from cardslib.validation import check_count, check_number

MOST_VALUES = 2**26         # pixels × channels: a quarter of a gigabyte of counts
PIXEL_SIZE = 4.0            # Å: a pillar is some 8 nm across, as in films grown of both at once
ROOM_OF_A_PILLAR = 16       # pixels along an edge of its part of the field: enough for pixels that are pure NiO
LEAN = 2.5                  # pixels to either side by which a pillar leans on its way through the foil
SLICES = 9                  # of the foil, from its upper to its lower face
MIXING = 0.7                # pixels: standard deviation of the change from NiO to manganite in one slice
SHELL = 1.8                 # pixels around a pillar in which the manganite is reduced (standard deviation)
JITTER = 0.1                # of the drift's variance: independent from one spectrum to the next; the rest wanders slowly
REMEMBERED = 1              # rows of the scan after which the slow part of the drift has forgotten where it was (to 1/e)
REACH = 5                   # times REMEMBERED: where the wandering begins before the first spectrum
TOGETHER = 128              # spectra evaluated at a time: they stay in a processor's cache
SMOOTH = 0.3                # of the longer edge: standard deviation of the Gaussian that smooths the thickness


def nio_lsmo_spectra(shape=(64, 64), channels=400, dispersion=1.0, start=500.0, counts=30.0, drift=1.5, thickness=0.2,
                     pillars=4, seed=0):
    """A spectrum image of NiO pillars in La₀.₇Sr₀.₃MnO₃, with its truth: a `SpectrumImage`.

    shape       (h, w) in pixels of 4 Å (16 … 1024 each), at least 16 × 16 for each pillar
    channels    of a spectrum (16 … 4096)
    dispersion  eV a channel (0.05 … 10)
    start       eV of the first channel (100 … 2000); 500 … 899 eV has O K, Mn L, La M and Ni L in it
    counts      electrons a channel, mean over the image (0.01 … 10⁶): the Poisson noise
    drift       eV: standard deviation of the offset of a whole spectrum, background and edges (0 … 10)
    thickness   varies slowly by this share up and down, and with it all counts (0 … 0.8)
    pillars     1 … 16

    The end members are LSMO, NiO and, around the pillars, a shell of manganite that is reduced to Mn²⁺: its Mn L edge alone
    lies 1.5 eV lower, which is chemistry and no drift.  Pillars are octagons that lean on their way through the foil, so that
    pixels at their edges mix end members in all proportions; within a pillar and away from all of them pixels are pure.  No
    pixel is reduced manganite alone.

    The drift is a slow path through the scan, row by row, forgotten to 1/e after one row, with 90 % of the variance; and an
    error of each spectrum's own with 10 %.  It has mean 0 and exactly the standard deviation asked for; end members are
    evaluated at E - drift.  Neither drift nor thickness knows anything of the chemistry.  The same seed gives the same pillars,
    whatever the dose, drift and thickness.

    How well a single spectrum can be read is bounded by its electrons (Cramér & Rao).  Were all end members known, the standard
    deviation would be, of its drift, its share of NiO and its share of reduced manganite, on average over the image,
    0.19 eV, 0.05 and 0.13 at 30 electrons a channel; 0.06 eV, 0.015 and 0.04 at 300.
    """
    height, width = _check(shape, channels, dispersion, start, counts, drift, thickness, pillars)
    rng = np.random.default_rng(check_count("seed", seed, 0))
    abundances = _abundances(height, width, pillars, rng)                               # (h, w, 3)
    offset = drift * _wandering(height, width, rng)                                     # (h, w) eV
    thick = 1 + thickness * _slow(height, width, rng)                                   # (h, w)
    energy = start + dispersion * np.arange(channels)                                   # (channels,)
    expected, spectra = _expected(energy, abundances, offset, thick, counts)
    truth = SpectraTruth(tuple(MATERIALS), abundances.astype(np.float32), spectra, offset, thick, expected)
    name = f"simulated NiO and LSMO, {counts:g} electrons a channel, drift {drift:g} eV"
    return SpectrumImage(rng.poisson(expected).astype(np.float32), energy, PIXEL_SIZE, name, truth)


def _expected(energy, abundances, drift, thickness, counts):
    """Mean counts (h, w, channels) float32, and the spectra of the end members (3, channels) on their scale."""
    amounts = (thickness[..., None] * abundances).reshape(-1, len(MATERIALS))           # (h·w, 3)
    offset, expected = drift.reshape(-1, 1), np.empty((len(amounts), len(energy)), np.float32)
    for start in range(0, len(amounts), TOGETHER):
        part = slice(start, start + TOGETHER)
        expected[part] = mixture(energy - offset[part], amounts[part])
    scale = counts / expected.mean(dtype=float)
    expected *= np.float32(scale)
    return expected.reshape(*drift.shape, -1), scale * mixture(energy[None], np.eye(len(MATERIALS)))


# ---------------------------------------------------------------------- the specimen

def _abundances(height, width, pillars, rng):
    """Shares of LSMO, NiO and reduced manganite, (h, w, 3), means over the slices of the foil."""
    x, y = np.arange(width), np.arange(height)[:, None]
    outlines = _outlines(height, width, pillars, rng)
    slices = []
    for way in np.linspace(-1, 1, SLICES):                                              # from the upper to the lower face
        depth = np.max([outline(x, y, way) for outline in outlines], axis=0)            # (h, w) pixels, positive in a pillar
        nio = ndtr(depth / MIXING)
        reduced = (1 - nio) * np.exp(-(depth / SHELL) ** 2 / 2)
        slices.append(np.stack([1 - nio - reduced, nio, reduced], axis=-1))
    return np.mean(slices, axis=0)


def _outlines(height, width, count, rng):
    """Functions (x, y, way) → signed distance from the facets, positive inside, pixels; one pillar in a part of the field."""
    rows, columns = _parts(height, width, count)
    part = np.array([width / columns, height / rows])
    outlines = []
    for number in rng.permutation(rows * columns)[:count]:
        half = rng.uniform(0.24, 0.34) * part.min()
        room = part / 2 - half - 1
        centre = part * (number % columns + 0.5, number // columns + 0.5) + rng.uniform(-1, 1, 2) * room
        angle = rng.uniform(0, 2 * np.pi)
        outlines.append(_octagon(centre, half, LEAN * np.array([np.cos(angle), np.sin(angle)])))
    return outlines


def _octagon(centre, half, lean):
    """A regular octagon with facets along {100} and {110} `half` pixels from its centre, which moves by `lean`, (x, y)."""
    def depth(x, y, way):
        (middle_x, middle_y) = centre + way * lean
        across, down = np.abs(x - middle_x), np.abs(y - middle_y)
        return half - np.maximum(np.maximum(across, down), (across + down) / np.sqrt(2))
    return depth


def _parts(height, width, count):
    """(rows, columns) of a division of the field into at least `count` parts, as square as they can be."""
    def shorter_edge(division):
        return min(height / division[0], width / division[1])
    divisions = [(rows, -(-count // rows)) for rows in range(1, count + 1)]
    return max(divisions, key=shorter_edge)


# ---------------------------------------------------------------------- what the instrument and the foil add

def _wandering(height, width, rng):
    """The drift of each spectrum in the order of the scan, (h, w), of mean 0 and standard deviation 1."""
    memory = np.exp(-1 / (REMEMBERED * width))                                          # from one spectrum to the next
    before = REACH * REMEMBERED * width
    steps = rng.standard_normal(before + height * width)
    slow = _standard(lfilter([1], [1, -memory], steps)[before:])
    jitter = _standard(rng.standard_normal(height * width))
    return _standard(np.sqrt(1 - JITTER) * slow + np.sqrt(JITTER) * jitter).reshape(height, width)


def _slow(height, width, rng):
    """A slow variation, (h, w), of mean 0 and at most 1 up or down."""
    smooth = gaussian_filter(rng.standard_normal((height, width)), SMOOTH * max(height, width), mode="reflect")
    smooth -= smooth.mean()
    return smooth / np.abs(smooth).max()


def _standard(values):
    return (values - values.mean()) / values.std()


def _check(shape, channels, dispersion, start, counts, drift, thickness, pillars):
    """(h, w), after all arguments were looked at."""
    if np.shape(shape) != (2,):
        raise ValueError(f"shape must be (h, w) in pixels; got {shape!r}")
    height, width = (int(check_number("shape", check_count("shape", edge), ROOM_OF_A_PILLAR, 1024, "pixels")) for edge in shape)
    check_number("channels", check_count("channels", channels), 16, 4096)
    if height * width * channels > MOST_VALUES:
        raise ValueError(f"shape={height, width} with {channels} channels makes {height * width * channels:,} values; at most "
                         f"{MOST_VALUES:,}: fewer pixels or channels")
    check_number("dispersion", dispersion, 0.05, 10, "eV a channel")
    check_number("start", start, 100, 2000, "eV")
    check_number("counts", counts, 0.01, 1e6, "electrons a channel")
    check_number("drift", drift, 0, 10, "eV")
    check_number("thickness", thickness, 0, 0.8)
    check_number("pillars", check_count("pillars", pillars), 1, 16)
    rows, columns = _parts(height, width, pillars)
    if min(height / rows, width / columns) < ROOM_OF_A_PILLAR:
        raise ValueError(f"pillars={pillars} need {ROOM_OF_A_PILLAR} × {ROOM_OF_A_PILLAR} pixels each; got shape="
                         f"{height, width}: fewer pillars, or more pixels")
    return height, width
