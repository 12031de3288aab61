"""Spectra at every pixel of a scan, simulated or from a file: one dataclass for both, so that one line of a lecture changes."""
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cardslib.microscopy.file_checks import check_file, pixel_size
from cardslib.microscopy.readers import ARRAYS, PICTURES, read_array
from cardslib.microscopy.signals import Wanted, read_signal
from cardslib.validation import check_number

FEWEST_CHANNELS = 8    # of a spectrum
MOST_ENERGY = 1e7      # eV: more than any electron of a microscope has
LEAST_STEP = 1e-6      # eV a channel
UNEVEN = 0.01          # of a step: how far apart the steps of an energy axis may be
ELECTRON_VOLT = {"meV": 1e-3, "ev": 1.0, "kev": 1e3}   # the last two however they are spelt


@dataclass(frozen=True)
class SpectraTruth:
    """What a simulated spectrum image was made from.

    names       of the k end members
    abundances  (h, w, k) float32, each end member's share of a pixel: they sum to 1
    spectra     (k, channels) of the end members, without drift: electrons a channel where the thickness is 1
    drift       (h, w) eV by which everything in a spectrum lies too high
    thickness   (h, w), 1 on average: multiplies a whole spectrum
    expected    (h, w, channels) float32, the mean counts that the noise is about.  Where the drift is 0 it is
                thickness · Σ abundances · spectra.
    """

    names: tuple
    abundances: np.ndarray
    spectra: np.ndarray
    drift: np.ndarray
    thickness: np.ndarray
    expected: np.ndarray


@dataclass(frozen=True)
class SpectrumImage:
    """A spectrum at each of h × w pixels; a line scan is one row of n pixels, (1, n), a single spectrum (1, 1).

    counts      (h, w, channels) float32, electrons a channel.  A simulation's are whole numbers of at least 0; a file's are
                what it says, finite but not scaled or clipped: where they are no electrons (gain, background subtracted),
                a model that counts electrons must be told or refuses them
    energy      (channels,) eV of the middle of each channel: ascending, evenly spaced
    pixel_size  Å, or None where nobody knows
    name        of the file, or how it was made
    truth       a `SpectraTruth` where it was simulated; else None
    """

    counts: np.ndarray
    energy: np.ndarray
    pixel_size: float | None = None
    name: str = ""
    truth: SpectraTruth | None = None

    @property
    def shape(self):
        """(h, w) of the scan."""
        return self.counts.shape[:2]

    @property
    def spectra(self):
        """(h · w, channels), row by row."""
        return self.counts.reshape(-1, len(self.energy))

    @property
    def dispersion(self):
        """eV a channel."""
        return float(self.energy[-1] - self.energy[0]) / (len(self.energy) - 1)

    def crop(self, low, high):
        """The same between `low` and `high` eV, both included; the truth follows.  At least two channels must be left."""
        first, last = self.energy[[0, -1]]
        check_number("low", low, -MOST_ENERGY, MOST_ENERGY, "eV")
        check_number("high", high, -MOST_ENERGY, MOST_ENERGY, "eV")
        kept = (self.energy >= low) & (self.energy <= high)
        if kept.sum() < 2:
            raise ValueError(f"low … high must hold at least two of the channels, {first:g} … {last:g} eV by "
                             f"{self.dispersion:g} eV; got {low:g} … {high:g} eV")
        truth = self.truth and replace(self.truth, spectra=self.truth.spectra[:, kept],
                                       expected=self.truth.expected[..., kept])
        return replace(self, counts=self.counts[..., kept], energy=self.energy[kept], truth=truth)


def open_spectra(path, dataset=None, energy=None):
    """The `SpectrumImage` in a file; a map, a line scan or a single spectrum.

    path     of a npy or npz file, or one that RosettaSciIO reads: dm3, dm4, hspy, emd, msa …
    dataset  name of the spectra to take, where a file holds several
    energy   (first, step): eV of the first channel, and from one to the next.  Needed for npy and npz, whose values are
             (…, channels), and wherever a file does not say; it overrules what a file says

    The energy axis is the one in eV or keV, or the only one that was not scanned; at most two others may be longer than 1.
    Counts are as in the file, whatever their sign and scale; where energies fall, channels are turned round.  All formats but
    npy and npz need RosettaSciIO: `pip install "cardslib[files]"`.

    Raises FileNotFoundError; ImportError with what to install; ValueError for a file that is truncated, damaged, empty, of
    another format, an image, with pickled objects, too large (2²⁸ values), whose energies are unknown or not evenly spaced,
    or whose values are not finite real numbers or all the same.
    """
    path = Path(path)
    if energy is not None:
        _check_energy(energy)
    check_file(path)
    values, axes = _read(path, dataset)
    along = _energy_axis(axes)
    counts = _counts(values, axes, along, path)
    energies = _energies(axes[along], counts.shape[-1], energy, path)
    if energies[0] > energies[-1]:
        counts, energies = counts[..., ::-1], energies[::-1]
    scanned = [axis for number, axis in enumerate(axes) if number != along and values.shape[number] > 1]
    return SpectrumImage(np.ascontiguousarray(counts), energies, pixel_size(scanned), path.name)


def _read(path, dataset):
    """Values of any shape and dtype, and a dictionary for each of their axes, as RosettaSciIO has them."""
    suffix = path.suffix.lower()
    if suffix in ARRAYS:
        values = read_array(path, dataset)
        return values, [{"navigate": True}] * (values.ndim - 1) + [{}]                  # the last was not scanned
    if suffix in PICTURES:
        raise ValueError(f"{path} must hold spectra, as npy, npz, dm3, dm4, hspy, emd, msa files and others do; got a picture: "
                         f"save the values, (…, channels), with numpy.save; {OPENS_IMAGES}")
    return read_signal(path, dataset, SPECTRA)


def _energy_axis(axes):
    """Number of the only one in units of energy, or of the only one that was not scanned; None if there is none such."""
    in_energy = [number for number, axis in enumerate(axes) if _electron_volts(axis)]
    not_scanned = [number for number, axis in enumerate(axes) if not axis.get("navigate")]
    return next((only[0] for only in (in_energy, not_scanned) if len(only) == 1), None)


OPENS_IMAGES = "cardslib.microscopy.open_image opens images"
SPECTRA = Wanted("spectra", lambda axes: _energy_axis(axes) is not None, lambda *_: OPENS_IMAGES)


def _electron_volts(axis):
    """In one unit of an axis; None if that is no energy."""
    unit = str(axis.get("units")).strip()
    return ELECTRON_VOLT.get(unit) or ELECTRON_VOLT.get(unit.lower())


def _counts(values, axes, along, path):
    """(h, w, channels) float32, or a ValueError: spectra of finite real numbers that are not all the same."""
    if values.ndim != len(axes) or values.size == 0 or values.shape[along] < FEWEST_CHANNELS:
        raise ValueError(f"{path} must hold spectra (…, channels) of at least {FEWEST_CHANNELS} channels; got {values.shape}"
                         + (": it is empty" if values.size == 0 else ""))
    values = np.moveaxis(values, along, -1)
    scanned = [length for length in values.shape[:-1] if length > 1]                    # axes of length 1 say nothing
    if len(scanned) > 2:
        raise ValueError(f"{path} must hold one map, line or spectrum; got {values.shape}: save one of its maps, or their sum")
    if values.dtype.kind not in "iuf":
        raise ValueError(f"{path} must hold real numbers; got {values.dtype}")
    with np.errstate(over="ignore"):
        counts = values.reshape(*[1] * (2 - len(scanned)), *scanned, -1).astype(np.float32)
    wrong = counts.size - np.count_nonzero(np.isfinite(counts))
    if wrong:
        raise ValueError(f"{path} must hold finite numbers; {wrong:,} of {counts.size:,} values are NaN, infinite or beyond "
                         f"single precision: leave those channels out, or fill them with numpy.nan_to_num")
    if counts.min() == counts.max():
        raise ValueError(f"{path} holds nothing to see: all values are {counts.flat[0]:.4g}")
    return counts


def _energies(axis, channels, energy, path):
    """(channels,) eV, evenly spaced, as the caller or else the file says."""
    if energy is not None:
        first, step = energy
        return first + step * np.arange(channels)
    unit, places = _electron_volts(axis), _places(axis, channels)
    if unit is None or places is None:
        raise ValueError(f"energy must be given as (first, step) in eV: {path} does not say it"
                         + (f" (its unit is {str(axis['units'])!r})" if axis.get("units") else ""))
    steps = unit * np.diff(places)
    if not np.abs(steps - steps.mean()).max() <= UNEVEN * abs(steps.mean()) > 0:
        raise ValueError(f"{path} must hold energies that rise or fall in even steps; got steps of {steps.min():.4g} … "
                         f"{steps.max():.4g} eV: give energy=(first, step), or interpolate the spectra")
    return unit * places


def _places(axis, channels):
    """(channels,) along an axis, in its own unit; None if it does not say them."""
    try:
        places = axis["axis"] if "axis" in axis else axis["offset"] + axis["scale"] * np.arange(channels)
        places = np.asarray(places, float)
    except (KeyError, TypeError, ValueError):                                           # a formula, or text
        return None
    return places if places.shape == (channels,) else None


def _check_energy(energy):
    if np.shape(energy) != (2,):
        raise ValueError(f"energy must be (first, step) in eV; got {energy!r}")
    check_number("energy[0]", energy[0], -MOST_ENERGY, MOST_ENERGY, "eV")
    check_number("energy[1]", energy[1], LEAST_STEP, MOST_ENERGY, "eV a channel")
