"""Drift taken out of spectra without a model: how far off, what it leaves, and what it refuses."""
import numpy as np
import pytest

from cardslib.spectroscopy import correct_drift, nio_lsmo_spectra


def lines(drift, counts, seed=0):
    """Spectra (n, 200) of two lines on a falling background, of two materials in all proportions, drifted by (n,) channels."""
    rng, channel = np.random.default_rng(seed), np.arange(200)
    share = rng.uniform(size=(len(drift), 1))
    at = channel - drift[:, None]
    line = [np.exp(-((at - middle) / 4) ** 2 / 2) for middle in (60, 130)]
    mean = np.exp(-at / 150) + share * line[0] + (1 - share) * line[1]
    return rng.poisson(counts * mean).astype(np.float32)


@pytest.mark.parametrize(("counts", "error"), [(1000, 0.12), (100, 0.25)])
def test_drift_is_found_to_a_fraction_of_a_channel(counts, error):
    drift = np.random.default_rng(1).normal(0, 1.5, 600)
    found = correct_drift(lines(drift, counts), 2)[1]
    assert np.std(found - drift) < error and abs(np.median(found)) < 0.01


def test_what_is_left_is_drifted_no_more():
    drift = np.random.default_rng(2).normal(0, 1.5, 600)
    aligned = correct_drift(lines(drift, 1000), 2)[0]
    still = lines(np.zeros(600), 1000)
    assert np.abs(aligned.mean(0) - still.mean(0))[10:-10].max() < 0.03 * still.mean(0).max()


def test_composition_is_not_taken_for_drift():
    found = correct_drift(lines(np.zeros(600), 1000), 2)[1]
    assert found.std() < 0.12


def test_a_simulated_scan_is_right_to_a_fifth_of_an_electron_volt():
    image = nio_lsmo_spectra((32, 32), counts=100, pillars=2)
    found = correct_drift(image.spectra)[1] * image.dispersion
    assert np.std(found - image.truth.drift.ravel()) < 0.2 < 0.2 * image.truth.drift.std() * 5


@pytest.mark.parametrize(("spectra", "count", "says"), [
    (np.ones((5, 40)), 5, "more than count=5"), (np.full((9, 40), np.nan), 2, "finite"), (np.zeros((9, 40)), 2, "above 0"),
    (np.ones((9, 40, 2)), 2, "(n, channels)"), (np.ones((9, 40)), 0, "count")])
def test_bad_input_is_refused_before_any_work(spectra, count, says):
    with pytest.raises(ValueError) as problem:
        correct_drift(spectra, count)
    assert says in str(problem.value)
