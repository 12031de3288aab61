"""Bayesian linear unmixing, on mixtures whose end members and abundances are known."""
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import truncnorm

from cardslib.metrics import (
    abundance_r2,
    abundance_rmse,
    coverage,
    matching_abundances,
    matching_spectra,
    spectral_angles,
    z_spread,
)
from cardslib.spectroscopy.unmixing import _rescale, _truncated_normal, blu, n_findr

ENERGY = np.linspace(0, 1, 60)
TRUE = 10 * np.stack([np.exp(-3 * ENERGY) + 0.8 * np.exp(-((ENERGY - edge) / 0.03) ** 2) + 0.3 * (ENERGY > edge)
                      for edge in (0.3, 0.5, 0.7)])
NOISE = 0.3


def mixtures(purest=1.0, count=600, noise=NOISE, seed=0):
    """Abundances (count, 3), uniform on the simplex but for pixels purer than `purest`, and their noisy spectra."""
    rng = np.random.default_rng(seed)
    abundances = rng.dirichlet(np.ones(3), 20 * count)
    abundances = abundances[abundances.max(1) <= purest][:count]
    return abundances, abundances @ TRUE + noise * rng.normal(size=(count, len(ENERGY)))


PURE, WITH_PURE = mixtures()
IMPURE, WITHOUT_PURE = mixtures(purest=0.8)
SWEEPS = 300   # enough for so few pixels
FROM_PURE, FROM_IMPURE = blu(WITH_PURE, 3, SWEEPS), blu(WITHOUT_PURE, 3, SWEEPS)


@pytest.mark.parametrize("found, abundances", [(FROM_PURE, PURE), (FROM_IMPURE, IMPURE)], ids=["pure", "impure"])
def test_end_members_abundances_and_noise_are_found(found, abundances):
    assert spectral_angles(found.spectra, TRUE).max() < 1.2
    assert abundance_r2(found.abundances, abundances) > 0.985
    assert abundance_rmse(found.abundances, abundances) < 0.03
    assert found.noise == pytest.approx(NOISE, rel=0.02)


def test_where_no_pixel_is_pure_it_finds_corners_that_picking_the_extremes_does_not():
    extremes = WITHOUT_PURE[purest_pixels(WITHOUT_PURE)]
    assert spectral_angles(extremes, TRUE).min() > 5 * spectral_angles(FROM_IMPURE.spectra, TRUE).max()


def purest_pixels(spectra):
    """Indices of the pixels that N-FINDR chooses in the plane of the two first principal components."""
    centred = spectra - spectra.mean(0)
    scores = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    return [np.flatnonzero((scores == corner).all(1))[0] for corner in n_findr(scores)]


@pytest.mark.parametrize("found", [FROM_PURE, FROM_IMPURE])
def test_abundances_are_shares_and_end_members_hold_nothing_negative(found):
    assert found.abundances.sum(1) == pytest.approx(np.ones(600)) and found.abundances.min() >= 0
    assert found.spectra.min() >= 0


@pytest.mark.parametrize("found, abundances", [(FROM_PURE, PURE), (FROM_IMPURE, IMPURE)], ids=["pure", "impure"])
def test_stated_standard_deviations_cover(found, abundances):
    index = matching_abundances(found.abundances, abundances)
    stated = found.abundances[:, index], found.abundances_sd[:, index], abundances
    assert 0.9 < coverage(*stated) < 0.98 and 0.85 < z_spread(*stated) < 1.2   # pixels share the errors of the corners
    index = matching_spectra(found.spectra, TRUE)
    stated = found.spectra[index], found.spectra_sd[index], TRUE
    assert coverage(*stated) > 0.9 and 0.6 < z_spread(*stated) < 1.4


def test_abundances_at_high_noise_are_within_what_the_noise_allows_and_their_standard_deviations_say_so():
    abundances, spectra = mixtures(noise=1.5)
    found = blu(spectra, 3, SWEEPS)
    index = matching_abundances(found.abundances, abundances)
    error = abundance_rmse(found.abundances, abundances)
    assert 0.05 < error < 0.12
    assert np.sqrt((found.abundances_sd**2).mean()) == pytest.approx(error, rel=0.15)
    assert coverage(found.abundances[:, index], found.abundances_sd[:, index], abundances) == pytest.approx(0.95, abs=0.04)


def test_little_noise_does_not_hold_the_sampler_fast():
    abundances, spectra = mixtures(purest=0.8, noise=0.03)
    found = blu(spectra, 3, SWEEPS)
    assert spectral_angles(found.spectra, TRUE).max() < 0.5 and abundance_rmse(found.abundances, abundances) < 0.01


def test_rescaling_moves_the_corners_and_leaves_every_mixture_where_it_is():
    corners, axes = np.array([[5.0, 0.0], [0.0, 5.0], [-4.0, -4.0]]), np.eye(2)
    shares = PURE[:50]
    moved, packed = _rescale(corners, shares, (corners, np.full(2, 1e4)), np.full(2, 100.0), axes, np.random.default_rng(0))
    assert np.abs(moved - corners).min() > 1e-3
    assert packed @ moved == pytest.approx(shares @ corners) and packed.sum(1) == pytest.approx(np.ones(50))
    assert packed.min() >= -1e-12


def test_two_end_members_are_a_line_and_four_a_tetrahedron():
    rng = np.random.default_rng(1)
    more = np.vstack([TRUE, 10 * np.linspace(1, 0.1, len(ENERGY))])
    for count in (2, 4):
        abundances = rng.dirichlet(np.ones(count), 600)
        found = blu(abundances @ more[:count] + NOISE * rng.normal(size=(600, len(ENERGY))), count, SWEEPS)
        assert found.spectra.shape == (count, len(ENERGY)) and abundance_r2(found.abundances, abundances) > 0.96


def test_counts_are_taken_as_they_are():
    """Twice the data, twice the end members: neither the scale nor the dtype is changed behind your back."""
    whole = np.random.default_rng(0).poisson(np.maximum(WITH_PURE, 0)).astype(np.uint16)
    one, two = blu(whole, 3, sweeps=20), blu(2.0 * whole, 3, sweeps=20)
    assert two.spectra == pytest.approx(2 * one.spectra, rel=1e-6)
    assert two.abundances == pytest.approx(one.abundances, abs=1e-6) and two.noise == pytest.approx(2 * one.noise)


def test_the_same_seed_gives_the_same_and_another_seed_nearly_the_same():
    again, other = blu(WITH_PURE, 3, SWEEPS), blu(WITH_PURE, 3, SWEEPS, seed=1)
    assert np.array_equal(again.abundances, FROM_PURE.abundances) and np.array_equal(again.spectra, FROM_PURE.spectra)
    assert 0 < abundance_rmse(other.abundances, FROM_PURE.abundances) < 0.01


def test_data_are_not_changed():
    before = WITH_PURE.copy()
    blu(WITH_PURE, 3, sweeps=10)
    assert np.array_equal(WITH_PURE, before)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_n_findr_finds_the_corners_of_any_simplex(seed):
    rng = np.random.default_rng(seed)
    corners = rng.normal(size=(3, 2))
    inside = rng.dirichlet(np.ones(3), 50) @ corners
    found = n_findr(rng.permutation(np.vstack([corners, inside])))
    assert np.sort(found, 0) == pytest.approx(np.sort(corners, 0))


@pytest.mark.parametrize("low, high", [(-1, 1), (0.5, 3), (-np.inf, -2), (30, np.inf), (-41, -40), (0.2, 0.2)])
def test_truncated_normals_stay_within_and_have_the_mean_they_should(low, high):
    draws = _truncated_normal(np.zeros(40_000), 1.0, low, high, np.random.default_rng(0))
    assert draws.min() >= low and draws.max() <= high
    assert draws.mean() == pytest.approx(truncnorm(low, high).mean() if low < high else low, abs=0.02)


@pytest.mark.parametrize("spectra, count, words", [
    (WITH_PURE.reshape(20, 30, -1), 3, r"^spectra must be \(n, channels\) numbers; got \(20, 30, 60\).*reshape"),
    (WITH_PURE[0], 3, r"^spectra must be \(n, channels\) numbers; got \(60,\)"),
    (WITH_PURE.astype(str), 3, "^spectra must be .* numbers"),
    (WITH_PURE[:3], 3, r"^spectra must be more than count=3.*\(3, 60\)"),
    (WITH_PURE[:, :2], 3, r"^spectra must be .*at least as many channels; got \(600, 2\)"),
    (WITH_PURE * np.nan, 3, "^spectra must be finite"), (WITH_PURE - 5, 3, "^spectra must be ≥ 0 on average.*channel"),
    (np.ones((20, 9)), 3, "^spectra must differ from pixel to pixel"),
    (TRUE[0] + PURE[:, :1] * TRUE[1], 3, "^spectra must vary in at least count - 1 = 2 ways"),
    (SimpleNamespace(spectra=WITH_PURE), 3, r"got SimpleNamespace: pass its \.spectra"),
    (WITH_PURE, 1, "^count must be a whole number of at least 2; got 1"), (WITH_PURE, 2.5, "^count must be")])
def test_what_cannot_be_unmixed_is_refused(spectra, count, words):
    with pytest.raises(ValueError, match=words):
        blu(spectra, count)


@pytest.mark.parametrize("argument", [dict(sweeps=9), dict(sweeps=1e3), dict(seed=-1), dict(seed=None)])
def test_sweeps_and_seed_are_whole_numbers(argument):
    with pytest.raises(ValueError, match=f"^{next(iter(argument))} must be a whole number"):
        blu(WITH_PURE, 3, **argument)
