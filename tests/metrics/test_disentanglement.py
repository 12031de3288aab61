"""The scores of disentanglement, on cases where the answer is known."""
import numpy as np
import pytest

from cardslib.metrics import dci, mig, readable, sap
from cardslib.models import Latents

N = 1000
rng = np.random.default_rng(0)
OTHER_ANGLE = rng.uniform(-np.pi, np.pi, N)
LABELS = rng.integers(0, 4, N)
NOISE = rng.normal(size=(N, 2))
TRUE = rng.uniform(-1, 1, (N, 2))
FACTORS = dict(shear=TRUE[:, 0], angle=TRUE[:, 1])
BY_45_DEGREES = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
APART = np.eye(4)[LABELS] * 5 + rng.normal(size=(N, 4)) * 0.3   # four clouds, far from each other


def test_a_perfect_code_scores_high():
    assert mig(TRUE, FACTORS) > 0.9
    assert sap(TRUE, FACTORS) > 0.95
    assert min(dci(TRUE, FACTORS).values()) > 0.99


def test_the_order_and_the_scale_of_the_latents_do_not_matter():
    rescaled = TRUE[:, ::-1] * (-100, 3) + 7
    assert mig(rescaled, FACTORS) == pytest.approx(mig(TRUE, FACTORS), abs=0.02)
    assert sap(rescaled, FACTORS) == pytest.approx(sap(TRUE, FACTORS))
    assert min(dci(rescaled, FACTORS).values()) > 0.99


def test_a_code_turned_by_45_degrees_is_informative_but_not_disentangled():
    turned = TRUE @ BY_45_DEGREES
    scores = dci(turned, FACTORS)
    assert mig(turned, FACTORS) < 0.05 and sap(turned, FACTORS) < 0.1
    assert scores["disentanglement"] < 0.05 and scores["completeness"] < 0.05 and scores["informativeness"] > 0.95


def test_noise_scores_nothing():
    assert mig(NOISE, FACTORS) < 0.05 and sap(NOISE, FACTORS) < 0.05
    assert max(dci(NOISE, FACTORS).values()) < 0.05


def test_a_factor_that_two_latents_know_is_no_longer_complete():
    twice = TRUE[:, [0, 0, 1, 1]]
    scores = dci(twice, FACTORS)
    assert mig(twice, FACTORS) == pytest.approx(0) and sap(twice, FACTORS) == pytest.approx(0)
    assert scores["disentanglement"] > 0.95 and scores["completeness"] < 0.6


def test_a_latent_that_knows_two_factors_is_no_longer_disentangled():
    mixed = np.column_stack([TRUE[:, 0] + 3 * np.sign(TRUE[:, 1]), NOISE[:, 0]])
    scores = dci(mixed, dict(a=TRUE[:, 0], b=(TRUE[:, 1] > 0).astype(int)))
    assert scores["disentanglement"] < 0.2 and scores["completeness"] > 0.8


def test_a_collapsed_latent_halves_the_scores():
    collapsed = np.column_stack([TRUE[:, 0], NOISE[:, 0]])   # the second factor is lost
    assert mig(collapsed, FACTORS) == pytest.approx(0.5, abs=0.05)
    assert sap(collapsed, FACTORS) == pytest.approx(0.5, abs=0.05)
    assert dci(collapsed, FACTORS)["informativeness"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("classes", [2, 4])
def test_whole_numbers_are_taken_as_classes(classes):
    labels = LABELS % classes
    content = np.column_stack([labels + 0.05 * NOISE[:, 0], TRUE[:, 0]])
    factors = dict(suit=labels, shear=TRUE[:, 0])
    assert mig(content, factors) > 0.95
    assert min(dci(content, factors).values()) > 0.99


def test_sap_of_two_classes_is_the_accuracy_above_a_guess():
    labels = LABELS % 2
    content = np.column_stack([labels + 0.05 * NOISE[:, 0], TRUE[:, 0]])
    assert sap(content, dict(suit=labels)) == pytest.approx(1 - 0.5, abs=0.06)


def test_an_unequal_class_is_not_known_because_it_is_frequent():
    """95 % of the images are of one class: always guessing it is right 95 % of the time, and tells nothing."""
    rare = (OTHER_ANGLE > 0.9 * np.pi).astype(int)
    assert readable(NOISE, rare) < 0.05 and dci(NOISE, dict(rare=rare, shear=TRUE[:, 0]))["informativeness"] < 0.05
    assert sap(NOISE, dict(rare=rare)) < 0.2


def test_a_factor_spread_over_two_latents_is_readable():
    assert readable(TRUE @ BY_45_DEGREES, TRUE[:, 0]) > 0.95
    assert readable(NOISE, TRUE[:, 0]) < 0.05
    assert readable(APART, LABELS) == 1 and readable(NOISE, LABELS) < 0.05


def test_readable_is_the_informativeness_of_one_factor():
    half = np.column_stack([TRUE[:, 0], NOISE[:, 0]])
    each = [readable(half, factor) for factor in FACTORS.values()]
    assert dci(half, FACTORS)["informativeness"] == pytest.approx(np.mean(each))


def test_the_mutual_information_gap_is_the_formula_of_the_paper():
    """Two latents, one factor, all of them binary: I(z₁; v) = log 2, I(z₂; v) from the 2×2 table, H(v) = log 2."""
    v = np.tile([0, 1], 500)
    z2 = np.where(np.arange(1000) < 800, v, 1 - v)   # right 80 % of the time
    known = np.log(2) + 0.8 * np.log(0.8) + 0.2 * np.log(0.2)
    assert mig(np.column_stack([v, z2]), dict(v=v)) == pytest.approx(1 - known / np.log(2), abs=1e-6)


def test_the_scores_are_the_same_each_time():
    content, factors = APART[:, :2], dict(suit=LABELS, shear=TRUE[:, 0])
    for score in (mig, sap, dci):
        assert score(content, factors) == score(content, factors)


@pytest.mark.parametrize("score", [mig, sap, dci])
@pytest.mark.parametrize("content", [TRUE[:, :1], TRUE[:, 0], np.full((N, 2), np.nan)])
def test_disentanglement_needs_two_finite_latents(score, content):
    with pytest.raises(ValueError, match=r"^content must be \(n, c\) finite numbers with c of at least 2; got"):
        score(content, FACTORS)


@pytest.mark.parametrize("score", [mig, sap, dci, readable])
def test_latents_as_a_whole_are_refused_with_the_field_that_is_meant(score):
    with pytest.raises(ValueError, match=r"got Latents: pass its \.content"):
        score(Latents(TRUE), FACTORS)


@pytest.mark.parametrize("score", [mig, sap, dci])
@pytest.mark.parametrize("factor", [TRUE[:3, 0], np.ones(N), TRUE])
def test_a_factor_must_be_one_value_an_image_and_vary(score, factor):
    with pytest.raises(ValueError, match=r"^factor 'shear' must be one value an image, \(1000,\), and vary; got"):
        score(TRUE, dict(shear=factor, angle=TRUE[:, 1]))


def test_the_least_number_of_factors_is_said():
    for score, least in ((mig, 1), (sap, 1), (dci, 2)):
        with pytest.raises(ValueError, match=rf"^factors must hold at least {least} factors by name; got \[\]"):
            score(TRUE, {})
