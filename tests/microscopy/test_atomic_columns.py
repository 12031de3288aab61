"""Columns of atoms: all of them found, with nothing tuned by hand, where they are, and honestly scored."""
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardslib.microscopy.atomic_columns import find_columns, score_columns
from cardslib.microscopy.crystals import ferroelectric, nio_lsmo, single_crystal
from cardslib.microscopy.image_scale import Scale, measure_scale
from cardslib.microscopy.micrographs import grey, open_image
from cardslib.microscopy.microscope import scan

REAL = Path(__file__).parents[3] / "shared" / "real"
real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the measured images are not at {REAL}")


def score(micrograph, finder="blobs"):
    found = find_columns(micrograph.image, finder)
    true = micrograph.truth[micrograph.truth.visible].position
    return score_columns(found.position, true, micrograph.image.shape, margin=2 * found.scale.width)


def spots(positions, shape=(80, 100), width=2.5, noise=0.0, seed=0):
    rows, across = np.indices(shape)
    image = sum(np.exp(-((across - x) ** 2 + (rows - y) ** 2) / (2 * width**2)) for x, y in positions)
    return grey(image + noise * np.random.default_rng(seed).standard_normal(shape))


def mesh(step, shape=(80, 100), seed=0):
    x, y = np.meshgrid(np.arange(step / 2, shape[1] - 1, step), np.arange(step / 2, shape[0] - 1, step))
    return np.stack([x, y], -1).reshape(-1, 2) + np.random.default_rng(seed).uniform(-0.5, 0.5, (x.size, 2))


# ---------------------------------------------------------------------- the goals

@pytest.mark.parametrize("seed", [0, 1])
def test_at_twenty_counts_nearly_all_columns_are_found_to_five_picometres(seed):
    micrograph = scan(nio_lsmo(seed=seed), counts=20, seed=seed)
    found = score(micrograph)
    assert found.f1 >= 0.99 and found.rmse * micrograph.pixel_size * 100 <= 5


@pytest.mark.parametrize("seed", [0, 1])
def test_at_five_counts_few_are_missed(seed):
    assert score(scan(nio_lsmo(seed=seed), counts=5, seed=seed)).f1 >= 0.97


def test_local_maxima_find_them_as_well():
    assert score(scan(nio_lsmo(), counts=20), "maxima").f1 >= 0.97


OTHERS = {
    "fine pixels": (lambda: nio_lsmo((70, 60), pillars=1), dict(pixel_size=0.07)),
    "coarse pixels": (nio_lsmo, dict(pixel_size=0.18, counts=10)),
    "heavy exponent": (lambda: nio_lsmo((100, 100), exponent=1.9), dict(width=0.5)),
    "drifted, on a wedge": (nio_lsmo, dict(drift=0.01, jitter=0.4, thickness=0.5)),
    "mostly background": (nio_lsmo, dict(background=0.8, thickness=0.4)),
    "turned": (lambda: single_crystal(angle=17), dict(counts=60)),
    "ferroelectric": (lambda: ferroelectric((100, 100)), dict(counts=20)),
    "graphene": (lambda: single_crystal("graphene", 40, angle=11), dict(counts=6, pixel_size=0.08, width=0.45)),
}


@pytest.mark.parametrize("make, settings", OTHERS.values(), ids=OTHERS)
def test_the_same_defaults_carry_over_to_other_crystals_and_settings(make, settings):
    assert score(scan(make(), **settings)).f1 >= 0.99


@pytest.mark.parametrize("change", [lambda image: 0.3 + 0.1 * image, lambda image: image[:, ::-1], lambda image: image.T],
                         ids=["duller", "mirrored", "turned over"])
def test_what_is_found_does_not_depend_on_grey_scale_or_side(change):
    image = scan(nio_lsmo((60, 50), pillars=1)).image
    assert abs(len(find_columns(change(image).copy())) - len(find_columns(image))) <= 2


def test_what_is_no_image_and_an_unknown_finder_are_refused_with_the_cure():
    micrograph = scan(single_crystal(size=20))
    with pytest.raises(ValueError, match="pass its .image"):
        find_columns(micrograph)
    with pytest.raises(ValueError, match="finder must be 'maxima', 'blobs' or a trained ColumnNetwork; got 'magic'"):
        find_columns(micrograph.image, "magic")
    with pytest.raises(ValueError, match="nothing in it that is wider than a pixel"):
        find_columns(np.random.default_rng(0).uniform(0, 1, (128, 128)))


# ---------------------------------------------------------------------- refinement

def test_refinement_is_as_good_as_the_noise_allows():
    """Against Cramér and Rao's bound for a Gaussian of amplitude A in white noise σ: √(2/π) σ / A pixels along each axis."""
    true = mesh(25, (500, 500))
    image = spots(true, (500, 500), 2.5, noise=0.05)
    found = find_columns(image)
    result = score_columns(found.position, true, image.shape, margin=5)
    along_one_axis = np.sqrt(2 / np.pi) * measure_scale(image).noise / found.amplitude.mean()
    assert result.f1 == 1 and result.rmse < 1.5 * np.sqrt(2) * along_one_axis


def test_a_column_cut_by_the_edge_is_left_out_and_one_beside_it_is_not():
    beside = np.array([(4, 20), (95, 60), (70, 4), (50, 40), (20, 75)])
    found = find_columns(spots([*beside, (0, 40), (50, 0), (99, 20), (-1, 79)]), scale=Scale(2.5, 20, 0.001))
    result = score_columns(found.position, beside, (80, 100))
    assert result.f1 == 1 and result.rmse < 0.3


def test_no_column_is_an_empty_answer():
    ramp = np.linspace(0, 1, 20) * np.ones((20, 1))
    found = find_columns(ramp, scale=Scale(2.5, 20, 0.01))
    assert len(found) == 0 and found.position.shape == (0, 2)


# ---------------------------------------------------------------------- the score

@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 1000))
def test_missing_and_extra_columns_are_counted(missing, extra, seed):
    rng = np.random.default_rng(seed)
    true = mesh(10, seed=seed)
    found = np.concatenate([rng.permutation(true)[missing:], true[:extra] + 5.2])
    result = score_columns(found, true, (200, 200))
    right = len(true) - missing
    assert result.recall == pytest.approx(right / len(true)) and result.precision == pytest.approx(right / (right + extra))
    assert result.f1 == pytest.approx(2 * right / (2 * right + missing + extra))


def test_the_error_is_of_both_axes_together():
    true = mesh(10)
    result = score_columns(true + (0.3, 0.4), true, (80, 100))
    assert result.rmse == pytest.approx(0.5) and result.f1 == 1
    assert np.array_equal(result.found, result.true)


def test_two_found_at_one_column_count_once():
    true = mesh(10)
    result = score_columns(np.concatenate([true, true[:7] + 0.1]), true, (80, 100))
    assert result.recall == 1 and result.precision == pytest.approx(len(true) / (len(true) + 7))


@given(st.integers(0, 1000))
def test_no_column_stands_for_two(seed):
    rng = np.random.default_rng(seed)
    result = score_columns(rng.uniform(0, 50, (60, 2)), rng.uniform(0, 50, (40, 2)), (51, 51))
    assert len(np.unique(result.found)) == len(result.found) and len(np.unique(result.true)) == len(result.true)


def test_further_than_half_the_spacing_is_not_the_same_column():
    true = np.array([[10.0, 10], [20, 10], [30, 10]])
    assert score_columns(true + (0, 4.9), true, (40, 40)).f1 == 1
    assert score_columns(true + (0, 5.1), true, (40, 40)).f1 == 0


def test_the_border_counts_neither_for_nor_against():
    true = mesh(10)
    inside = ((true >= 12) & (true <= (87, 67))).all(1)
    assert score_columns(true[inside], true, (80, 100), margin=12).f1 == 1
    assert score_columns(true, true[inside], (80, 100), margin=12).f1 == 1
    assert score_columns(true[inside], true, (80, 100)).f1 < 0.9


def test_nothing_found_scores_nothing_and_no_truth_is_refused():
    result = score_columns(np.empty((0, 2)), mesh(10), (80, 100))
    assert result.f1 == result.precision == result.recall == 0 and np.isnan(result.rmse)
    with pytest.raises(ValueError, match="at least two columns"):
        score_columns(mesh(10), np.empty((0, 2)), (80, 100))


# ---------------------------------------------------------------------- measured images

@real
def test_a_measured_ferroelectric_film_is_read_with_the_same_defaults():
    """Both sublattices everywhere: about one lead column every 15.6 Å², and one titanium column for each."""
    micrograph = open_image(REAL / "pto_sro_haadf.hspy")
    found = find_columns(micrograph.image)
    area = micrograph.image.size * micrograph.pixel_size**2
    assert found.scale.period * micrograph.pixel_size == pytest.approx(3.9, rel=0.1)
    assert 0.9 < len(found) / (2 * area / 3.95**2) < 1.1


@real
def test_a_measured_grain_boundary_in_graphene_is_read_with_the_same_defaults():
    found = find_columns(open_image(REAL / "graphene_grain_boundary_4nm.npy").image)
    assert 0.85 < len(found) / (40.5**2 / 2.62) < 1.1   # an atom every 2.62 Å²; the boundary has fewer
