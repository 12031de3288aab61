"""Columns of atoms: all of them found, with nothing tuned by hand, where they are, and honestly scored."""
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cardslib.microscopy.atomic_columns import find_columns
from cardslib.microscopy.column_scores import score_columns
from cardslib.microscopy.crystals import ferroelectric, nio_lsmo, single_crystal
from cardslib.microscopy.image_scale import Scale, measure_noise, measure_scale
from cardslib.microscopy.lattices import Phase, grow
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



# ---------------------------------------------------------------------- weak columns, close ones, noise

def crystal_of(phase, size=60.0):
    crystal = grow(phase, (size, size), lambda points: points, exponent=1.6)
    inside = ((crystal.position > -3) & (crystal.position < size + 3)).all(1)
    return crystal[inside]


WEAK = Phase("weak", ((3.9, 0), (0, 3.9)), 3.9, {"Dy": ([(0, 0)], {"Bi": 1}), "Sc": ([(0.5, 0.5)], {"Mn": 1, "O": 1})})
DUMBBELLS = Phase("Si [110]", ((5.43, 0), (2.715, 1.92)), 3.84, {"Si": ([(0, 0), (0.25, 0)], {"Si": 1})})


@pytest.mark.parametrize("finder", ["blobs", "maxima"])
def test_a_sublattice_a_sixth_as_bright_is_not_lost_beside_the_strong_one(finder):
    assert score(scan(crystal_of(WEAK), pixel_size=0.08, counts=100, width=0.55), finder).f1 > 0.98


@pytest.mark.parametrize("finder", ["blobs", "maxima"])
def test_both_columns_of_a_dumbbell_are_found_as_far_apart_as_they_are(finder):
    """1.36 Å apart, three widths."""
    micrograph = scan(crystal_of(DUMBBELLS), pixel_size=0.1, counts=60, width=0.42, background=0.3)
    result = score(micrograph, finder)
    assert result.f1 > 0.99
    found, true = find_columns(micrograph.image, finder).position, micrograph.truth.position
    apart = [np.median(np.sort(np.hypot(*(points[:, None] - points).transpose(2, 0, 1)), 1)[:, 1]) for points in (found, true)]
    assert apart[0] == pytest.approx(apart[1], rel=0.03)


def test_what_is_faint_is_found_if_it_is_asked_for():
    """Oxygen beside lanthanum, of a twenty-fifth of its brightness; the image is simulated: a microscope sees hardly any."""
    micrograph = scan(nio_lsmo((60, 50), pillars=1), counts=100)
    few, many = find_columns(micrograph.image), find_columns(micrograph.image, faintest=0.02)
    of_all = score_columns(many.position, micrograph.truth.position, micrograph.image.shape, margin=8)
    assert len(many) > 1.2 * len(few) and of_all.precision > 0.97


@pytest.mark.parametrize("counts, f1", [(0.3, 0.98), (1.0, 0.99)])
def test_finely_sampled_graphene_with_few_electrons_is_read(counts, f1):
    """Where the unsmoothed profile of a peak made columns a tenth as wide."""
    micrograph = scan(single_crystal("graphene", 40, angle=11), counts=counts, pixel_size=0.04, width=0.45)
    assert measure_scale(micrograph.image).width * 0.04 == pytest.approx(0.45, rel=0.25)
    assert score(micrograph).f1 > f1


@pytest.mark.parametrize("finder", ["blobs", "maxima"])
@pytest.mark.parametrize("size", [120, 256])
def test_noise_alone_holds_no_column(finder, size):
    noise = np.clip(0.5 + 0.1 * np.random.default_rng(0).standard_normal((size, size)), 0, 1)
    assert len(find_columns(noise, finder, Scale(2.5, 20, measure_noise(noise)))) <= 2


@pytest.mark.parametrize("finder", ["blobs", "maxima"])
def test_three_atoms_in_much_noise_are_three(finder):
    true = np.array([(50, 60), (120, 130), (200, 40)])
    image = spots(true, (240, 240), 2.5, noise=0.12)
    found = find_columns(image, finder)
    assert score_columns(found.position, true, image.shape).recall == 1 and len(found) <= 5


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_a_margin_filled_with_zeros_is_no_lack_of_noise(noise):
    y, x = np.indices((240, 300))
    lattice = 0.2 + 0.5 * np.exp(-(((x + 0.3) % 12 - 6) ** 2 + ((y + 0.3) % 12 - 6) ** 2) / (2 * 2.0**2))
    image = np.clip(lattice + noise * np.random.default_rng(0).standard_normal(lattice.shape), 0, 1)
    image[:, 120:] = 0
    found = find_columns(image)
    assert measure_noise(image) == pytest.approx(noise, rel=0.15)
    assert abs(len(found) - 200) <= 4 and found.position[:, 0].max() < 121


def test_a_crystal_in_one_corner_of_a_large_image_is_seen():
    image = np.full((900, 900), 0.3) + 0.02 * np.random.default_rng(0).standard_normal((900, 900))
    micrograph = scan(single_crystal(size=45))
    image[560:860, 560:860] = 0.3 + 0.7 * micrograph.image[:300, :300]
    found = find_columns(np.clip(image, 0, 1))
    assert len(found) > 200 and (found.position > 550).all()


@pytest.mark.parametrize("wrong, message", [
    (dict(scale=3), "scale must be a Scale"), (dict(scale=Scale(np.nan, 1, 1)), "scale.width must be a finite number"),
    (dict(scale=Scale(0, 1, 1)), "at least 0.6 pixels"), (dict(finder=["blobs"]), "finder must be"),
    (dict(faintest=2), "faintest must be")])
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        find_columns(spots(mesh(20)), **wrong)


# ---------------------------------------------------------------------- how good each column is

@pytest.mark.parametrize("counts", [5, 20, 100])
def test_error_bars_are_true_on_a_crystal(counts):
    """Without the tremble of the scan, which moves all pixels of a column together and is not in them."""
    micrograph = scan(nio_lsmo((90, 80), pillars=1), counts=counts, jitter=0)
    found, truth = find_columns(micrograph.image), micrograph.truth[micrograph.truth.visible]
    pairs = score_columns(found.position, truth.position, micrograph.image.shape, margin=2 * found.scale.width)
    z = (found.position[pairs.found] - truth.position[pairs.true]) / found.sd[pairs.found]
    assert 0.8 < z[:, 0].std() < 1.25 and 0.8 < z[:, 1].std() < 1.25
    assert found.fitted.mean() > 0.99 and np.median(found.snr) > 5


def beside(micrograph, right):
    """The image of a crystal, with something else in its right half."""
    image, middle = micrograph.image.copy(), micrograph.image.shape[1] // 2
    image[:, middle:] = right[:, middle:]
    return image, middle


def test_vacuum_holds_no_column_and_the_edge_beside_it_none_that_ran_away():
    micrograph = scan(nio_lsmo((60, 50), pillars=1))
    dark, noise = np.quantile(micrograph.image, 0.02), measure_scale(micrograph.image).noise
    right = np.clip(dark + noise / 2 * np.random.default_rng(0).standard_normal(micrograph.image.shape), 0, 1)
    image, middle = beside(micrograph, right)
    found = find_columns(image)
    assert (found.position[:, 0] > middle + 2 * found.scale.width).sum() == 0
    true = micrograph.truth.position[micrograph.truth.visible]
    pairs = score_columns(found.position[found.fitted], true[true[:, 0] < middle - 1], image.shape, margin=6)
    assert pairs.precision > 0.98 and pairs.recall > 0.98


@pytest.mark.parametrize("make, settings", [
    (nio_lsmo, {}), (lambda: ferroelectric((100, 100)), {}),
    (lambda: single_crystal("graphene", 60, angle=11), dict(counts=6, pixel_size=0.08, width=0.45))],
    ids=["NiO-LSMO", "ferroelectric", "graphene"])
def test_an_amorphous_half_is_flagged(make, settings):
    """Blobs as large and nearly as bright as columns, at random places."""
    micrograph = scan(make(), **settings)
    scale, rng = measure_scale(micrograph.image), np.random.default_rng(0)
    blobs = gaussian_filter(rng.standard_normal(micrograph.image.shape), scale.width)
    right = 0.4 + 0.1 * blobs / blobs.std() + scale.noise * rng.standard_normal(blobs.shape)
    image, middle = beside(micrograph, np.clip(right, 0, 1).astype(np.float32))
    found = find_columns(image)
    left, right = (found.position[:, 0] < middle - 12), (found.position[:, 0] > middle + 12)
    assert right.sum() > 50 and found.ordered[right].mean() < 0.03 and found.ordered[left].mean() > 0.97


def test_only_the_region_is_looked_at():
    image = scan(nio_lsmo((60, 50), pillars=1)).image
    region = np.zeros(image.shape, bool)
    region[40:200, 100:300] = True
    found, everywhere = find_columns(image, region=region), find_columns(image).position
    inside = ((everywhere > (99.5, 39.5)) & (everywhere < (299.5, 199.5))).all(1)
    assert np.allclose(found.position, everywhere[inside])
    for wrong, message in ((region[1:], "region must be True and False for each pixel"), (0 * region, "int64"),
                           (np.zeros_like(region), "False everywhere")):
        with pytest.raises(ValueError, match=message):
            find_columns(image, region=wrong)


def test_hot_pixels_and_streaks_are_no_columns():
    micrograph, rng = scan(nio_lsmo((60, 50), pillars=1)), np.random.default_rng(0)
    image = micrograph.image.copy()
    image[rng.random(image.shape) < 0.001] = 1
    for y, x in zip(rng.integers(0, image.shape[0], 20), rng.integers(0, image.shape[1] - 13, 20)):
        image[y, x:x + 13] = 1
    true = micrograph.truth.position[micrograph.truth.visible]
    pairs = score_columns(find_columns(image).position, true, image.shape, margin=6)
    assert pairs.f1 > 0.995 and pairs.rmse < 0.3


# ---------------------------------------------------------------------- measured images

@real
def test_a_measured_ferroelectric_film_is_read_with_the_same_defaults():
    """Both sublattices everywhere: two columns in each cell of 3.9 by 3.6 Å, as the file's pixel size has it."""
    micrograph = open_image(REAL / "pto_sro_haadf.hspy")
    found = find_columns(micrograph.image)
    area = micrograph.image.size * micrograph.pixel_size**2
    assert found.scale.period * micrograph.pixel_size == pytest.approx(3.9, rel=0.1)
    assert 0.97 < len(found) / (2 * area / (3.9 * 3.6)) < 1.06


@real
def test_a_measured_grain_boundary_in_graphene_is_read_with_the_same_defaults():
    found = find_columns(open_image(REAL / "graphene_grain_boundary_4nm.npy").image)
    assert 0.85 < len(found) / (40.5**2 / 2.62) < 1.1   # an atom every 2.62 Å²; the boundary has fewer


@real
@pytest.mark.parametrize("name", ["abf_hyperspy", "dso_scandium", "g_dimSi", "nsmo_whole", "si110_dumbbells"])
@pytest.mark.parametrize("finder", ["blobs", "maxima"])
def test_measured_columns_are_found_with_the_same_defaults(name, finder):
    image, true = (np.load(REAL / "columns" / f"{name}{ending}.npy") for ending in ("", "-xy"))
    found = find_columns(grey(image), finder)
    assert score_columns(found.position, true, image.shape, margin=2 * found.scale.width).f1 > 0.97


@real
@pytest.mark.parametrize("finder, f1", [("blobs", 0.965), ("maxima", 0.955)])
def test_the_grain_boundary_is_found_as_well_as_a_network_of_others_finds_it(finder, f1):
    """AtomNet's positions, good to about a pixel."""
    image, true = (np.load(REAL / f"graphene_grain_boundary_4nm{ending}.npy") for ending in ("", "_xy"))
    found = find_columns(grey(image), finder)
    assert score_columns(found.position, true, image.shape, margin=2 * found.scale.width).f1 > f1


@real
@pytest.mark.parametrize("name", ["lib_Si2C5_0", "lib_Si1C4_53"])
def test_a_faint_lattice_about_a_bright_atom_is_not_refused(name):
    found = find_columns(grey(np.load(REAL / "columns" / f"{name}.npy")))
    assert 2 < found.scale.width < 6 and 60 < len(found) < 250
