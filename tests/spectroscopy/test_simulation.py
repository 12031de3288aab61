"""The simulated spectrum image: its counts are what its truth says, and drift and thickness know nothing of the chemistry."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label

from cardslib.spectroscopy import nio_lsmo_spectra
from cardslib.spectroscopy.edges import mixture

SIMULATED = nio_lsmo_spectra()
TRUTH = SIMULATED.truth


def small(**options):
    return nio_lsmo_spectra(**dict(shape=(32, 32), channels=40, dispersion=10.0, pillars=1) | options)


# ---------------------------------------------------------------------- what it is

def test_shapes_units_and_names():
    assert SIMULATED.counts.shape == TRUTH.expected.shape == (64, 64, 400) and SIMULATED.counts.dtype == np.float32
    assert SIMULATED.shape == (64, 64) and SIMULATED.spectra.shape == (4096, 400)
    assert np.array_equal(SIMULATED.energy, np.arange(500, 900)) and SIMULATED.dispersion == 1 and SIMULATED.pixel_size == 4
    assert TRUTH.names == ("LSMO", "NiO", "reduced manganite") and TRUTH.spectra.shape == (3, 400)
    assert TRUTH.abundances.shape == (64, 64, 3) and TRUTH.drift.shape == TRUTH.thickness.shape == (64, 64)


@given(shape=st.tuples(st.integers(32, 50), st.integers(32, 50)), pillars=st.integers(1, 4), seed=st.integers(0, 2**31),
       thickness=st.floats(0, 0.8), drift=st.floats(0, 10), counts=st.floats(0.01, 1e5))
def test_whatever_is_asked_for_the_truth_holds(shape, pillars, seed, thickness, drift, counts):
    made = nio_lsmo_spectra(shape, 20, 10.0, counts=counts, drift=drift, thickness=thickness, pillars=pillars, seed=seed)
    truth = made.truth
    assert truth.abundances.min() >= 0 and np.allclose(truth.abundances.sum(-1), 1, atol=1e-6)
    assert truth.drift.mean() == pytest.approx(0, abs=1e-9) and truth.drift.std() == pytest.approx(drift)
    assert truth.thickness.mean() == pytest.approx(1) and np.abs(truth.thickness - 1).max() == pytest.approx(thickness)
    assert truth.expected.mean(dtype=float) == pytest.approx(counts, rel=1e-5)
    assert (made.counts >= 0).all() and (made.counts == np.round(made.counts)).all()


# ---------------------------------------------------------------------- the specimen

@pytest.mark.parametrize("seed", range(5))
def test_there_are_pure_pixels_of_two_end_members_and_mixtures_of_all_proportions(seed):
    lsmo, nio, reduced = np.moveaxis(nio_lsmo_spectra(channels=16, seed=seed).truth.abundances, -1, 0)
    assert (lsmo > 0.99).sum() > 200 and (nio > 0.99).sum() > 200 and 0.4 < reduced.max() < 0.95
    for share in (lsmo, nio):
        assert (np.histogram(share, np.linspace(0.05, 0.95, 10))[0] >= 20).all()
    assert 0.05 < reduced.mean() < 0.25 and reduced[(nio > 0.99) | (lsmo > 0.99)].max() < 0.01


@pytest.mark.parametrize("pillars", [1, 4, 9])
def test_there_are_as_many_pillars_as_asked_for(pillars):
    nio = nio_lsmo_spectra((96, 96), 16, pillars=pillars).truth.abundances[..., 1]
    centres = (nio > 0.95) & (gaussian_filter(nio, 2) > 0.9)
    assert label(centres)[1] == pillars


# ---------------------------------------------------------------------- the spectra

def test_without_drift_the_mean_counts_are_the_mixture_of_the_end_members():
    truth = nio_lsmo_spectra(drift=0).truth
    mixed = truth.thickness[..., None] * (truth.abundances @ truth.spectra)
    assert np.allclose(truth.expected, mixed, rtol=1e-4)


def test_drift_moves_the_whole_spectrum_by_just_what_the_truth_says():
    scale = TRUTH.spectra[0] / mixture(SIMULATED.energy[None], np.eye(3)[:1])[0]
    for row, column in ((0, 0), (20, 33), (63, 10), *np.argwhere(np.abs(TRUTH.drift) > 4)[:3]):
        amounts = TRUTH.thickness[row, column] * TRUTH.abundances[row, column][None]
        moved = scale * mixture(SIMULATED.energy[None] - TRUTH.drift[row, column], amounts)[0]
        assert np.allclose(TRUTH.expected[row, column], moved, rtol=1e-4)


def test_a_line_is_found_where_its_drift_puts_it():
    made = nio_lsmo_spectra((32, 32), 1200, 0.1, start=610, pillars=1)
    window = np.abs(made.energy - 640) < 8
    lines = made.truth.expected[..., window]
    found = made.energy[window][lines.argmax(-1)]
    pure = made.truth.abundances[..., 0] > 0.99
    assert np.abs(found - 640 - made.truth.drift)[pure].max() < 0.15


@pytest.mark.parametrize("counts, deviations", [(30, (0.19, 0.05, 0.13)), (300, (0.06, 0.015, 0.04))])
def test_a_single_spectrum_can_be_read_as_well_as_the_docstring_says(counts, deviations):
    truth = nio_lsmo_spectra(counts=counts).truth
    scale = truth.spectra[0] / mixture(SIMULATED.energy[None], np.eye(3)[:1])[0]
    later, sooner = (scale * mixture(SIMULATED.energy[None] - step, np.eye(3)) for step in (0.01, -0.01))
    lsmo, nio, reduced = truth.spectra
    variances = []
    for shares in truth.abundances.reshape(-1, 3)[::23]:
        mean = shares @ truth.spectra
        slopes = np.stack([shares @ (later - sooner) / 0.02, nio - lsmo, reduced - lsmo, mean])   # the last: thickness
        variances.append(np.diag(np.linalg.inv(slopes / mean @ slopes.T)))              # Fisher information of Poisson counts
    assert np.sqrt(np.mean(variances, 0)[:3]) == pytest.approx(deviations, rel=0.1)


@pytest.mark.parametrize("counts", [0.3, 30.0])
def test_the_noise_is_that_of_counted_electrons(counts):
    made = nio_lsmo_spectra(counts=counts)
    residual = made.counts - made.truth.expected
    z = residual / np.sqrt(made.truth.expected)
    assert abs(z.mean()) < 4 / np.sqrt(z.size) and np.mean(z**2) == pytest.approx(1, abs=6 * np.sqrt((2 + 1 / counts) / z.size))
    assert np.mean(residual**3) / made.truth.expected.mean() == pytest.approx(1, abs=0.3 if counts > 1 else 0.02)


# ---------------------------------------------------------------------- what drift and thickness know

def test_the_drift_wanders_slowly_and_jitters_a_little():
    drifts = np.stack([nio_lsmo_spectra(channels=16, seed=seed).truth.drift.ravel() for seed in range(8)])
    after_one, after_a_row = (np.mean(drifts[:, step:] * drifts[:, :-step]) / 1.5**2 for step in (1, 64))
    assert after_one == pytest.approx(0.9 * np.exp(-1 / 64), abs=0.02)                  # 10 % is forgotten at once
    assert after_a_row == pytest.approx(0.9 * np.exp(-1), abs=0.1)


@pytest.mark.parametrize("field", ["drift", "thickness"])
def test_neither_drift_nor_thickness_knows_the_chemistry(field):
    correlation = []
    for seed in range(40):
        truth = nio_lsmo_spectra(channels=16, seed=seed).truth
        correlation.append(np.corrcoef(getattr(truth, field).ravel(), truth.abundances[..., 1].ravel())[0, 1])
    assert np.abs(correlation).max() < 0.3 and abs(np.mean(correlation)) < 0.04


def test_drift_and_dose_leave_the_pillars_where_they_are():
    made, other = small(seed=3), small(seed=3, drift=0, counts=1000, thickness=0)
    assert np.array_equal(made.truth.abundances, other.truth.abundances)


def test_a_seed_is_a_specimen():
    assert np.array_equal(small(seed=3).counts, small(seed=3).counts)
    assert not np.array_equal(small(seed=3).truth.abundances, small(seed=4).truth.abundances)


# ---------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("wrong, message", [
    (dict(shape=32), r"shape must be \(h, w\)"), (dict(shape=(32, 8)), "shape must be .* at least 16"),
    (dict(shape=(32.0, 32)), "shape must be a whole"), (dict(shape=(1024, 1024), channels=400), "at most 67,108,864"),
    (dict(channels=4), "channels must"), (dict(dispersion=0), "dispersion must"), (dict(dispersion=np.nan), "dispersion must"),
    (dict(start=-5), "start must"), (dict(counts=0), "counts must"), (dict(counts="30"), "counts must"),
    (dict(drift=-1), "drift must"), (dict(thickness=1.0), "thickness must"), (dict(pillars=0), "pillars must"),
    (dict(pillars=5), "pillars=5 need 16 × 16 pixels each"), (dict(seed=-1), "seed must"), (dict(seed=0.5), "seed must")])
def test_what_cannot_be_simulated_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        small(**wrong)
