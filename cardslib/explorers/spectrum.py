"""An explorer of spectra: choose a pixel of a scan, see its spectrum, what a model makes of it, and what is left."""
from math import ceil

import ipywidgets as widgets
import numpy as np
import torch

from cardslib.explorers.decoder import DecoderExplorer, slider_values, subscripted
from cardslib.explorers.packing import as_bytes
from cardslib.explorers.scan import grey_maps, store
from cardslib.explorers.sliders import WIDTH, choice_slider, number_slider
from cardslib.figures.style import Figure, styled
from cardslib.validation import check_count

LEAST_SPAN = 2.5       # of the content sliders: where nearly all of the prior lies; farther if something is encoded there
WIDTHS = 4             # of the prior, which the sliders of the pose reach at least
STEPS = 240            # of a slider of the pose
OUTERMOST = 1e-4       # share of all values at each end that the axis leaves out: hot and dead channels
ROOM = 0.05            # of the axis, beyond the values
LEAST_VARIANCE = 1e-6  # of a channel, as in js/spectrum.js: nothing is divided by zero
UNEVEN = 0.01          # of a step: how far apart the steps of an energy axis may be


class SpectrumExplorer(DecoderExplorer):
    """The spectrum of one pixel of a scan, what is decoded over it, and the residual below, in units of the noise.

    Choose a pixel on the map, by click or arrow keys, or with the sliders `row` and `column`: all other sliders go where it was
    encoded.  Move those to travel in the latent space: the decoded curve follows.  The slider `map of` chooses what is mapped:
    the signal, which is the sum of a pixel's channels, or one of the latent variables.

    model    a trained VAE of spectra, VAE((channels,), …), told nothing: without classes and conditions
    spectra  (n, channels), row by row, in the unit that the model was trained on
    energy   (channels,) ascending in even steps, in `unit`s: for the axis and the drift; without it these count channels
    shape    (rows, columns) of the scan; by default one row of n pixels

    A page of half a megabyte holds some hundred thousand channels: of a larger scan only the spectra of every second pixel (or
    third …) along rows and columns can be chosen.  The page has them to a quarter of their noise, as a rule to
    a seventh.
    """

    def __init__(self, model, spectra, energy=None, shape=None, unit="eV"):
        _check_model(model)
        self.spectra, _ = model.check(spectra)
        self.scan_shape = _check_scan(shape, len(self.spectra))
        self.energy, self.unit = _check_energy(energy, model.shape[0], unit)
        self.step = (self.energy[-1] - self.energy[0]) / (len(self.energy) - 1)
        self.model = model
        encoded = self._slider_values(model.encode(self.spectra))
        stored = store(self.spectra, self.scan_shape, model.likelihood)
        labels = {name: self._pose_label(name) or subscripted(name) for name in encoded}
        pictures = {"signal": self.spectra.sum(1)} | {label.split(" (")[0]: encoded[name] for name, label in labels.items()}
        self.maps, self.titles, map_every = grey_maps(pictures, self.scan_shape)
        row, column = (side // 2 // stored.every * stored.every for side in self.scan_shape)   # in the middle
        arrays = {f"at/{name}": values[stored.pixels].astype(np.float32) for name, values in encoded.items()}
        super().__init__(
            "spectrum", model, None, _span(encoded), self._scan_sliders(row, column, stored.every, pictures),
            arrays | stored.arrays | dict(maps=as_bytes(self.maps)), pose_sliders=self._reaching(encoded),
            start={name: values[row * self.scan_shape[1] + column] for name, values in encoded.items()},
            scan=dict(shape=self.scan_shape, every=stored.every, mapEvery=map_every, titles=self.titles),
            stored=dict(step=stored.step, roots=stored.roots), axes=self._axes(), halfWidth=self.half_width,
            grey=dict(zip(("black", "unit"), _grey_scale(model))), noise=_noise_of_all(model.likelihood))

    @property
    def half_width(self):
        """Of the spectra, in the axis' unit: that of a `Pose`'s shift."""
        return self.step * len(self.energy) / 2

    def panels(self, map_of, row=0, column=0, **values):
        """{title: {name: a curve, (channels,)}, or the map, (rows, columns) grey values}."""
        spectrum, likelihood = self.spectra[row * self.scan_shape[1] + column], self.model.likelihood
        if "shift" in values:
            values["right"] = values.pop("shift") / self.half_width
        black, unit = _grey_scale(self.model)
        decoded = black + unit * self._drawn([values])[0]
        residual = (spectrum - decoded) / _noise(likelihood, decoded)
        return {f"spectrum of row {row}, column {column}, and decoded": dict(spectrum=spectrum, decoded=decoded),
                "residual, in units of the noise": dict(residual=residual), self.titles[map_of]: self.maps[map_of]}

    @styled
    def still(self):
        (title, lines), *_ = self.panels(**self.values).items()
        (x, y), figure = self._axes().values(), Figure(5.6, 3.0, f"{title}, against {self._axes()['x']['label']}")
        axes = figure.add_subplot()
        axes.plot(self.energy, lines["spectrum"], ".", color="#777777", markersize=3, label="spectrum")
        axes.plot(self.energy, lines["decoded"], color="#D55E00", label="decoded")
        axes.set(xlabel=x["label"], ylabel=y["label"], xlim=(x["low"], x["high"]), ylim=(y["low"], y["high"]))
        axes.legend()
        return figure._repr_mimebundle_()[0]["text/html"]

    def _slider_values(self, latents):
        """The sliders' values of encoded spectra: those of images, but the shift in the axis' unit."""
        values = slider_values(latents)
        return {"shift" if name == "right" else name: along * self.half_width if name == "right" else along
                for name, along in values.items()}

    def _pose_label(self, name):
        return {"shift": f"drift ({self.unit})", "scale": "log scale"}.get(name)

    def _reaching(self, encoded):
        """Sliders of the pose, so far as anything was encoded, and as the prior reaches."""
        widths = self.model.pose.widths if self.model.pose else {}
        sliders = {}
        for name, width in widths.items():
            width = width * self.half_width if name == "shift" else width
            reach = max(WIDTHS * width, float(np.abs(encoded[name]).max()))
            digits = 2 if name == "shift" else 4
            sliders[name] = number_slider(self._pose_label(name), 0, -reach, reach, 2 * reach / STEPS, digits)
        return sliders

    def _scan_sliders(self, row, column, every, pictures):
        """Sliders for the pixel, where there is a choice, and for what the map shows."""
        sliders = {}
        for name, side, value in zip(("row", "column"), self.scan_shape, (row, column)):
            if side > every:
                sliders[name] = widgets.IntSlider(value, 0, (side - 1) // every * every, every, description=name,
                                                  layout=dict(width=WIDTH))
        return sliders | dict(map_of=choice_slider("map of", pictures))

    def _axes(self):
        """Ends and labels of the two axes of the spectra, and where the first and last channel lie on the first."""
        counts = self.model.likelihood.name == "poisson"
        low, high = np.quantile(self.spectra, (OUTERMOST, 1 - OUTERMOST)).tolist()
        low = 0.0 if counts else low
        room = ROOM * (high - low) or 1.0   # of spectra that are all the same
        first, last = self.energy[[0, -1]].tolist()
        x = dict(label="channel" if self.unit == "channels" else f"energy ({self.unit})", low=first - self.step / 2,
                 high=last + self.step / 2, first=first, last=last)
        y = dict(label="electrons" if counts else "intensity", low=low if counts else low - room, high=high + room)
        return dict(x=x, y=y)


# ---------------------------------------------------------------------- what users pass, checked

def _check_model(model):
    if len(model.shape) != 1 or model.shape[0] < 2:
        raise ValueError(f"model must draw spectra of at least two channels, VAE((channels,), …); this one draws "
                         f"{model.shape}: use LatentExplorer for images")
    if model.classes or model.conditions:
        raise ValueError(f"model must be told nothing beside the spectra; this one is told {model.classes or model.conditions} "
                         f"{'classes' if model.classes else 'conditions'}: make a VAE without them")


def _check_scan(shape, count):
    """(rows, columns) that hold so many spectra."""
    if shape is None:
        return 1, count
    if np.shape(shape) != (2,):
        raise ValueError(f"shape must be (rows, columns) of the scan; got {shape!r}")
    rows, columns = (check_count("shape", side) for side in shape)
    if rows * columns != count:
        raise ValueError(f"shape must be (rows, columns) that hold the {count} spectra; got {shape!r}: give the scan's own, in "
                         f"which the spectra follow row by row")
    return rows, columns


def _check_energy(energy, channels, unit):
    """(channels,) energies and their unit; the channels' numbers where none are given."""
    if energy is None:
        return np.arange(channels, dtype=float), "channels"
    if not isinstance(unit, str):
        raise ValueError(f"unit must be the name of the energies' unit, such as 'eV'; got {unit!r}")
    energy = np.asarray(energy)
    if energy.shape != (channels,) or energy.dtype.kind not in "iuf" or not np.isfinite(energy).all():
        raise ValueError(f"energy must be {channels} finite numbers, one for each channel of this model; got {energy.shape} "
                         f"{energy.dtype}")
    steps = np.diff(energy.astype(float))
    if not np.abs(steps - steps.mean()).max() <= UNEVEN * steps.mean():
        raise ValueError(f"energy must rise in even steps; got steps of {steps.min():.4g} … {steps.max():.4g}: turn falling "
                         f"energies and their spectra round, interpolate uneven ones")
    return energy.astype(float), unit


# ---------------------------------------------------------------------- of a model's spectra

def _span(encoded):
    """How far the content sliders reach, in halves: nothing is encoded beyond."""
    farthest = max((np.abs(values).max() for name, values in encoded.items() if name.startswith("z")), default=0)
    return float(np.clip(ceil(2 * farthest) / 2, LEAST_SPAN, 10))


@torch.no_grad()
def _grey_scale(model):
    """What is black, and how much more is white, in the data's own unit."""
    at_zero, at_one = model.likelihood.grey(torch.tensor([0.0, 1.0], dtype=torch.float64, device=model.device)).tolist()
    unit = 1 / (at_one - at_zero)
    return -at_zero * unit, unit


def _noise_of_all(likelihood):
    """Standard deviation of every channel, where it does not depend on the mean; else None."""
    return likelihood.standard_deviation().item() if likelihood.name == "gaussian" else None


def _noise(likelihood, mean):
    """Standard deviation of the noise about a mean, as the likelihood has it."""
    if likelihood.name == "gaussian":
        return _noise_of_all(likelihood)
    return np.sqrt((mean if likelihood.name == "poisson" else mean * (1 - mean)).clip(LEAST_VARIANCE))
