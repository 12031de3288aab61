"""End members and abundances against the true ones, on cases where the answer is known."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.metrics import abundance_r2, abundance_rmse, matching_abundances, matching_spectra, spectral_angles

rng = np.random.default_rng(0)
SPECTRA = rng.uniform(0, 1, (3, 50))
ABUNDANCES = rng.dirichlet(np.ones(3), 2000)   # variance of each: 1/18
NOISE = rng.normal(size=(2000, 3))
orders = st.permutations(range(3))


@given(orders, st.floats(0.01, 100))
def test_the_order_and_the_brightness_of_end_members_do_not_matter(order, brightness):
    assert spectral_angles(brightness * SPECTRA[order], SPECTRA) == pytest.approx(np.zeros(3), abs=1e-5)
    assert SPECTRA[order][matching_spectra(SPECTRA[order], SPECTRA)] == pytest.approx(SPECTRA)


@pytest.mark.parametrize("degrees", [1e-4, 1, 30, 90, 150, 180])
def test_a_spectral_angle_is_that_of_two_vectors(degrees):
    turned = [[np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]]
    assert spectral_angles(turned, [[2.0, 0.0]]) == pytest.approx([degrees], rel=1e-6)


def test_angles_stand_in_the_order_of_the_true_ones():
    found = SPECTRA[[2, 0, 1]].copy()
    found[0] += 0.3 * rng.normal(size=50)
    angles = spectral_angles(found, SPECTRA)
    assert angles[:2] == pytest.approx([0, 0], abs=1e-5) and angles[2] > 10


def test_a_component_is_used_once_and_spare_ones_are_left():
    angles = spectral_angles(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.1]]))
    assert angles == pytest.approx([0, 45 - np.degrees(np.arctan(0.1))], abs=1e-5)
    more = np.vstack([rng.uniform(0, 1, (4, 50)), SPECTRA])
    assert matching_spectra(more, SPECTRA).tolist() == [4, 5, 6]
    assert matching_abundances(np.hstack([NOISE, ABUNDANCES]), ABUNDANCES).tolist() == [3, 4, 5]


@given(orders)
def test_the_order_of_abundances_does_not_matter(order):
    assert abundance_r2(ABUNDANCES[:, order], ABUNDANCES) == pytest.approx(1)
    assert abundance_rmse(ABUNDANCES[:, order], ABUNDANCES) == pytest.approx(0)
    assert ABUNDANCES[:, order][:, matching_abundances(ABUNDANCES[:, order], ABUNDANCES)] == pytest.approx(ABUNDANCES)


def test_abundances_with_a_known_error():
    found = ABUNDANCES + 0.1 * NOISE
    assert abundance_rmse(found, ABUNDANCES) == pytest.approx(0.1, rel=0.05)
    assert abundance_r2(found, ABUNDANCES) == pytest.approx(1 - 0.01 * 18, abs=0.02)


def test_the_mean_abundances_explain_nothing_and_another_scale_less():
    means = np.tile(ABUNDANCES.mean(0), (2000, 1))
    assert abundance_r2(means, ABUNDANCES) == pytest.approx(0, abs=1e-3)
    assert abundance_r2(100 * ABUNDANCES, ABUNDANCES) < -100


def test_each_end_member_weighs_the_same_however_rare_it_is():
    rare = ABUNDANCES * (1, 1, 0.01)
    wrong = np.column_stack([rare[:, :2], np.full(2000, rare[:, 2].mean())])
    assert abundance_r2(wrong, rare) == pytest.approx(2 / 3, abs=1e-3)


@pytest.mark.parametrize("score", [spectral_angles, matching_spectra])
@pytest.mark.parametrize("spectra, true, words", [
    (SPECTRA[0], SPECTRA, r"must be \(k, channels\) both; got \(50,\) and \(3, 50\)"),
    (SPECTRA[:, :9], SPECTRA, r"got \(3, 9\) and \(3, 50\)"), (SPECTRA[:2], SPECTRA, "each of the 3 true end members.*got 2"),
    (SPECTRA * np.nan, SPECTRA, "finite"), (SPECTRA * [[1], [0], [1]], SPECTRA, "zeros only.*row 1")])
def test_spectra_that_cannot_be_compared_are_refused(score, spectra, true, words):
    with pytest.raises(ValueError, match=f"^spectra .*{words}"):
        score(spectra, true)


@pytest.mark.parametrize("score", [abundance_r2, abundance_rmse, matching_abundances])
@pytest.mark.parametrize("abundances, words", [
    (ABUNDANCES[:9], r"must be \(n, k\) both; got \(9, 3\) and \(2000, 3\)"), (ABUNDANCES[:, 0], r"got \(2000,\)"),
    (ABUNDANCES[:, :2], "each of the 3 true end members.*got 2"), (ABUNDANCES * np.nan, "finite")])
def test_abundances_that_cannot_be_compared_are_refused(score, abundances, words):
    with pytest.raises(ValueError, match=f"^abundances .*{words}"):
        score(abundances, ABUNDANCES)


def test_an_abundance_that_does_not_vary_has_no_r2():
    with pytest.raises(ValueError, match="^each true abundance must vary"):
        abundance_r2(ABUNDANCES, np.full((2000, 3), 1 / 3))
