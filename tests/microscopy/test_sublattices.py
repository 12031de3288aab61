"""Sublattices: each column by its place in the cell, in crystals that bend, and out of the image again."""
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cardslib.microscopy.atomic_columns import find_columns
from cardslib.microscopy.column_scores import score_columns
from cardslib.microscopy.crystals import ferroelectric, nio_lsmo, single_crystal
from cardslib.microscopy.image_scale import measure_scale
from cardslib.microscopy.micrographs import grey, open_image
from cardslib.microscopy.microscope import scan
from cardslib.microscopy.primitive_cell import lattice_vectors
from cardslib.microscopy.sublattices import find_sublattices, without_columns

REAL = Path(__file__).parents[3] / "shared" / "real"
real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the measured images are not at {REAL}")


def columns_of(crystal, noise=0.0):
    """The columns of a crystal that are bright enough to be seen, as a finder would give them; Å for pixels."""
    rng = np.random.default_rng(0)
    crystal = crystal[crystal.visible]
    return crystal, SimpleNamespace(position=crystal.position + noise * rng.standard_normal(crystal.position.shape),
                                    amplitude=crystal.brightness * rng.uniform(0.8, 1.2, len(crystal)))


def names_by_species(sublattices, crystal):
    """{species: names of the sublattices that its columns were found in}."""
    name = np.array([*sublattices.names, "none"])[sublattices.label]
    return {species: set(name[crystal.species == number]) for number, species in enumerate(crystal.species_names)
            if (crystal.species == number).any()}


# ---------------------------------------------------------------------- found and named

@pytest.mark.parametrize("tilt, angle", [(0, 0), (3, 0), (8, 20)])
def test_both_sites_of_a_centred_cell_are_told_apart_in_a_crystal_that_bends(tilt, angle):
    """None is mistaken for the other; where it bends most, hardly any is said to belong to none."""
    crystal, columns = columns_of(single_crystal(tilt=tilt, angle=angle, seed=1), noise=0.05)
    found = find_sublattices(columns)
    labelled = found.label >= 0
    assert names_by_species(found[labelled], crystal[labelled]) == {"La/Sr": {"A"}, "Mn-O": {"B"}} and labelled.mean() > 0.99
    assert np.abs(found.lattice.places) == pytest.approx(np.array([[0, 0], [0.5, 0.5]]), abs=0.01)


def test_a_sublattice_that_is_displaced_domain_by_domain_is_one():
    crystal, columns = columns_of(ferroelectric(seed=2), noise=0.05)
    assert names_by_species(find_sublattices(columns), crystal) == {"Bi": {"A"}, "Fe-O": {"B"}}


def test_oxygen_is_told_apart_by_the_sides_that_it_lies_on():
    """All columns of LSMO as a bright-field image would show them: A, B, and two of oxygen in the cell."""
    crystal = single_crystal("LSMO", 70, seed=3)
    brightness = np.array([1.0, 0.5, 0.2])[crystal.species]
    found = find_sublattices(SimpleNamespace(position=crystal.position, amplitude=brightness))
    names = names_by_species(found, crystal)
    assert names["La/Sr"] == {"A"} and names["Mn-O"] == {"B"} and names["O"] == {"C", "D"}
    places = np.sort(np.abs(found.lattice.places[2:]), 0)
    assert places == pytest.approx(np.array([[0, 0], [0.5, 0.5]]), abs=0.01)


def test_of_equally_bright_columns_in_two_places_both_are_found():
    crystal, columns = columns_of(single_crystal("graphene", 60, disorder=0.05))
    found = find_sublattices(columns)
    assert found.names == ("A", "B") and (found.label >= 0).mean() > 0.97
    assert np.abs(found.lattice.places[1]) == pytest.approx([1 / 3, 1 / 3], abs=0.01)
    near = np.hypot(*(crystal.position - crystal.position[:, None]).transpose(2, 0, 1)) < 1.6    # Å: across a bond
    different = found.label[:, None] != found.label
    assert different[near & ~np.eye(len(crystal), dtype=bool)].mean() > 0.97


def test_columns_of_another_phase_belong_to_none():
    crystal, columns = columns_of(nio_lsmo(seed=4))
    found = find_sublattices(columns)
    inside = crystal.boundary > 6                                                       # Å: further than the eye's blur
    nio = crystal.phase == crystal.phase_names.index("NiO")
    assert (found.label[nio & inside] == -1).all() and (found.label[~nio & inside] >= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_few_cells_are_enough(seed):
    crystal, columns = columns_of(single_crystal("LSMO", 24, tilt=1, seed=seed), noise=0.1)
    kept = (columns.position > 0).all(1) & (columns.position < 24).all(1)
    found = find_sublattices(SimpleNamespace(position=columns.position[kept], amplitude=columns.amplitude[kept]))
    assert names_by_species(found, crystal[kept]) == {"La/Sr": {"A"}, "Mn-O": {"B"}}


def test_what_is_missing_or_false_does_not_matter():
    crystal, columns = columns_of(single_crystal(seed=5), noise=0.05)
    rng = np.random.default_rng(1)
    kept = rng.random(len(crystal)) > 0.2
    false = SimpleNamespace(position=np.concatenate([columns.position[kept], rng.uniform(0, 154, (60, 2))]),
                            amplitude=np.concatenate([columns.amplitude[kept], rng.uniform(10, 100, 60)]))
    found = find_sublattices(false)[:kept.sum()]
    labelled = found.label >= 0
    assert names_by_species(found[labelled], crystal[kept][labelled]) == {"La/Sr": {"A"}, "Mn-O": {"B"}}
    assert labelled.mean() > 0.99


def test_places_are_those_beside_a():
    _, columns = columns_of(single_crystal(tilt=0, strain=0, disorder=0))
    found = find_sublattices(columns)
    assert found.place[found.of("A")] == pytest.approx(0, abs=0.02)
    assert np.abs(found.place[found.of("B")]) == pytest.approx(0.5, abs=0.02)


def test_vectors_can_be_given():
    """Another basis of the same lattice: the same columns in the same sublattices."""
    _, columns = columns_of(single_crystal("LSMO", 60))
    a, b = lattice_vectors(columns)
    found = find_sublattices(columns, [a + b, b])
    assert np.array_equal(found.lattice.vectors, [a + b, b]) and found.names == ("A", "B")
    assert (found.label == find_sublattices(columns).label).mean() > 0.99


def test_a_name_that_no_sublattice_has_is_refused():
    _, columns = columns_of(single_crystal("NiO", 40))
    with pytest.raises(ValueError, match="must be one of A; got 'B'"):
        find_sublattices(columns).of("B")


@pytest.mark.parametrize("wrong, message", [
    (np.eye(3), r"vectors must be \(2, 2\)"), ([[1, 2], [2, 4]], "not along one line"), (np.eye(2) * np.nan, "vectors must"),
    (np.eye(2) * 40, "at most 26 columns")])
def test_vectors_that_span_no_cell_are_refused(wrong, message):
    _, columns = columns_of(single_crystal("NiO", 60, tilt=0, strain=0))
    columns.amplitude = 1 + np.random.default_rng(0).random(len(columns.amplitude))
    with pytest.raises(ValueError, match=message):
        find_sublattices(columns, wrong)


@pytest.mark.parametrize("phase", ["LSMO", "NiO", "graphene"])
@pytest.mark.parametrize("change", [lambda a, b: [2 * a, b], lambda a, b: [2 * a, 2 * b], lambda a, b: 500 * np.eye(2)])
def test_vectors_that_are_not_of_the_primitive_cell_are_refused(phase, change):
    _, columns = columns_of(single_crystal(phase, 60, tilt=2))
    with pytest.raises(ValueError, match=r"vectors must be those of the primitive cell.*leave them out|at most 26 columns"):
        find_sublattices(columns, change(*lattice_vectors(columns)))


def test_of_two_phases_the_vectors_of_the_one_with_more_columns_can_be_given():
    _, columns = columns_of(nio_lsmo(seed=4))
    assert np.array_equal(find_sublattices(columns, lattice_vectors(columns)).label, find_sublattices(columns).label)


# ---------------------------------------------------------------------- out of the image

@pytest.fixture(scope="module")
def lsmo():
    micrograph = scan(single_crystal("LSMO", 50, tilt=1), counts=60, thickness=0)
    return micrograph, find_columns(micrograph.image)


def test_one_sublattice_is_taken_out_of_the_image_to_find_what_is_fainter(lsmo):
    """The other as it was, and oxygen that was too faint before; nothing where there is nothing."""
    micrograph, columns = lsmo
    heavy = columns[find_sublattices(columns).of("A")]
    left = find_columns(without_columns(micrograph.image, heavy), scale=columns.scale)
    score = score_columns(left.position, micrograph.truth.position, micrograph.image.shape, margin=10)
    number = dict(zip(micrograph.truth.species_names, np.bincount(micrograph.truth.species[score.true])))
    assert score.precision > 0.97 and number["La/Sr"] < 5 and number["Mn-O"] > 140 and number["O"] > 50


def test_without_all_columns_little_but_noise_is_left(lsmo):
    micrograph, columns = lsmo
    middle = np.s_[20:-20, 20:-20]
    left = without_columns(micrograph.image, columns)
    assert left.dtype == np.float32 and left.min() >= 0 and left.max() <= 1
    assert left[middle].std() < 0.25 * micrograph.image[middle].std()
    assert left[middle].std() < 3 * measure_scale(micrograph.image).noise


def test_the_image_itself_stays_as_it_was(lsmo):
    micrograph, columns = lsmo
    before = micrograph.image.copy()
    without_columns(micrograph.image, columns[:3])
    assert np.array_equal(micrograph.image, before)
    assert np.array_equal(without_columns(micrograph.image, columns[:0]), before)


# ---------------------------------------------------------------------- measured images

MEASURED = {"dso_scandium": ((49.1, 49.3), [(0.48, 0.43)]), "si110_dumbbells": ((37.0, 37.9), [(0.25, 0.25)]),
            "abf_hyperspy": ((29.5, 42.1), [(0.03, 0.49), (0.48, 0.49)]), "nsmo_whole": ((21.05, 21.33), [(0.47, 0.48)])}


@real
@pytest.mark.parametrize("name", MEASURED)
def test_measured_crystals_have_the_cells_that_the_eye_sees(name):
    lengths, places = MEASURED[name]
    columns = find_columns(grey(np.load(REAL / "columns" / f"{name}.npy")[:400, :400]))
    found = find_sublattices(columns)
    assert np.hypot(*found.lattice.vectors.T) == pytest.approx(lengths, rel=0.01)
    assert np.abs(found.lattice.places[1:]) == pytest.approx(np.array(places), abs=0.04)
    assert (found.label < 0).mean() < 0.03 and np.ptp(np.bincount(found.label[found.label >= 0])) <= 0.1 * len(columns)


@real
def test_the_second_grain_is_found_in_what_the_first_has_left():
    columns = find_columns(open_image(REAL / "graphene_grain_boundary_4nm.npy").image)
    first = find_sublattices(columns)
    second = find_sublattices(columns[first.label < 0])
    angle = [np.degrees(np.arctan2(*found.lattice.vectors[0, ::-1])) for found in (first, second)]
    assert abs((angle[0] - angle[1] + 30) % 60 - 30) == pytest.approx(26, abs=5)         # the boundary's angle, modulo 60°
