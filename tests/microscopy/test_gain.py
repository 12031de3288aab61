"""The gain: electrons a grey value stands for, as the simulation made it and as the image itself says; and when it cannot."""
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from cardslib.microscopy.crystals import ferroelectric, nio_lsmo
from cardslib.microscopy.gain import measure_gain
from cardslib.microscopy.micrographs import Micrograph, grey
from cardslib.microscopy.microscope import scan

CRYSTALS = {"NiO-LSMO": nio_lsmo(size=80, pillars=1, seed=1), "BiFeO3": ferroelectric(size=80, seed=1)}
Y, X = np.indices((256, 256))
LIGHT = 1.2 + np.cos(X / 4) * np.cos(Y / 4)        # 0.2 … 2.2, waves 25 pixels long
RNG = np.random.default_rng(0)
ELECTRONS = RNG.poisson(20 * LIGHT).astype(float)


def image_of(values):
    return Micrograph(grey(values)[None], name="a test")


@pytest.mark.parametrize("pixel_size, counts", [(0.08, 2), (0.18, 2), (0.12, 5), (0.15, 20), (0.12, 100)])
@pytest.mark.parametrize("crystal", CRYSTALS.values(), ids=CRYSTALS)
def test_the_gain_that_is_measured_is_that_of_the_simulation(crystal, pixel_size, counts):
    known = scan(crystal, pixel_size, counts, seed=2)
    measured = measure_gain(replace(known, gain=None, black_level=0.0))
    assert measured.gain == pytest.approx(known.gain, rel=0.06)                         # of 0.2 to 1 million pixels
    assert measured.black_level == pytest.approx(known.black_level, abs=0.06 * counts)
    assert measured.counts.mean() == pytest.approx(counts, rel=0.06)
    assert measured.frames is known.frames and measured.truth is known.truth


def test_all_frames_are_measured_together():
    frames = RNG.poisson(20 * np.broadcast_to(LIGHT, (6, 256, 256)))
    stack = Micrograph(grey(frames))
    assert measure_gain(stack).counts.mean() == pytest.approx(frames.mean(), rel=0.03)


def test_what_the_file_counts_from_does_not_matter():
    """Neither a detector's offset nor the size of its units is taken for electrons."""
    measured = measure_gain(image_of(3.7 * ELECTRONS - 400))
    assert measured.counts.mean() == pytest.approx(ELECTRONS.mean(), rel=0.06)
    assert np.corrcoef(measured.counts.ravel(), ELECTRONS.ravel())[0, 1] > 0.999


def test_noise_of_the_detector_is_counted_as_so_many_electrons_more():
    frames = RNG.poisson(20 * np.broadcast_to(LIGHT, (6, 256, 256)))
    noisy = measure_gain(Micrograph(grey(frames + RNG.normal(0, 5, frames.shape))))
    assert noisy.counts.mean() == pytest.approx(frames.mean() + 25, rel=0.1)


REFUSED = {   # values, and what the error says
    "noise alike everywhere": (LIGHT + RNG.normal(0, 0.1, LIGHT.shape), "noise does not grow with brightness in a test"),
    "noise and nothing else": (RNG.normal(0, 0.1, LIGHT.shape), "noise does not grow"),
    "smoothed": (gaussian_filter(ELECTRONS, 0.6), "neighbouring pixels share their noise"),
    "a slow detector": (gaussian_filter(ELECTRONS, (0, 0.6)), r"0\.[2-9]\d along the lines, -?0.0\d"),
    "smoothed across": (gaussian_filter(ELECTRONS, (0.5, 0)), r"along the lines, 0.[2-9]\d from line to line"),
    "resampled": (zoom(ELECTRONS, 1.7, order=1), "share their noise"),
    "a few pixels": (ELECTRONS[:12], r"at least 16×16 pixels for its gain .* got 12×256")}


@pytest.mark.parametrize("values, message", REFUSED.values(), ids=REFUSED)
def test_a_gain_that_cannot_be_measured_is_refused_with_the_cure(values, message):
    with pytest.raises(ValueError, match=message) as error:
        measure_gain(image_of(values))
    assert "likelihood=\"gaussian\"" in str(error.value)


def test_an_image_without_noise_is_refused():
    ramp = Micrograph(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None] * np.ones((1, 64, 64), np.float32))
    with pytest.raises(ValueError, match="there is no noise in this micrograph"):
        measure_gain(ramp)


@pytest.mark.parametrize("wrong, message", [
    (np.zeros((20, 20)), r"micrograph must be a Micrograph; got ndarray: use Micrograph\(image\[None\]\)"),
    (Micrograph(np.full((1, 20, 20), np.nan, np.float32)), "micrograph.frames must be finite")])
def test_what_is_no_micrograph_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        measure_gain(wrong)
