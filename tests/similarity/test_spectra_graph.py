"""The similarity graph of spectra: what is alike beneath the noise, however bright, and shifted or not."""
import numpy as np
import pytest

from cardslib.metrics import matched_accuracy
from cardslib.similarity import align_graph, cluster, similarity_graph, spectra_graph
from cardslib.similarity import neighbours as module
from cardslib.similarity import spectra as spectra_module
from cardslib.spectroscopy import nio_lsmo_spectra

PURE = 0.9   # of one end member


def line(middle, channels=200):
    return np.exp(-(((np.arange(channels) - np.reshape(middle, (-1, 1))) / 4) ** 2) / 2)


def kinds(count=300, background=1.0, drift=0.0, brightness=0.3, seed=0):
    """Noisy spectra (n, 200), weighted by the root of their mean, of three kinds; the kind of each.

    One count a channel: two spectra differ several times more by noise than by their kind.
    """
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % 3
    bright = np.exp(rng.normal(0, brightness, (count, 1)))
    counts = rng.poisson(bright * (background + 3 * line(np.array([60, 75, 130])[kind] + rng.normal(0, drift, count))))
    return counts / np.sqrt(counts.mean(0)), kind


@pytest.fixture(scope="module")
def graph_and_kind():
    spectra, kind = kinds()
    return spectra_graph(spectra), kind


@pytest.fixture(scope="module", params=[0, 1])
def film(request):
    """Spectra of NiO pillars in LSMO, drifting; the dominant end member, and where it is nearly alone."""
    simulated = nio_lsmo_spectra(counts=100, seed=request.param)
    abundances = simulated.truth.abundances.reshape(-1, 3)
    return simulated.spectra / np.sqrt(simulated.spectra.mean(0)), abundances.argmax(1), abundances.max(1) > PURE


def of_one_kind(graph, kind):
    """Share of the pairs whose spectra are of one kind."""
    return (kind[graph.order[graph.edges.neighbour]] == kind[graph.order[:len(graph.edges.neighbour)], None]).mean()


# ---------------------------------------------------------------------- beneath the noise

def test_neighbours_are_of_one_kind_though_spectra_are_mostly_noise(graph_and_kind):
    graph, kind = graph_and_kind
    assert of_one_kind(graph, kind) > 0.97
    raw = kinds()[0]
    nearest = np.argsort(((raw[:, None] - raw) ** 2).sum(2) + 1e9 * np.eye(300), 1)[:, :module.NEIGHBOURS]
    assert (kind[nearest] == kind[:, None]).mean() < 0.92   # there was noise to look beneath


def test_clusters_are_the_kinds(graph_and_kind):
    graph, kind = graph_and_kind
    assert matched_accuracy(cluster(graph, 3), kind) > 0.98


@pytest.mark.parametrize("shift", [False, True])
def test_the_end_members_of_a_film_are_found(film, shift):
    """Where k-means on weighted principal components cuts thick from thin, and gets 61 % right of the second."""
    spectra, dominant, pure = film
    assert matched_accuracy(cluster(spectra_graph(spectra, shift), 2)[pure], dominant[pure]) > 0.99


def test_how_bright_a_spectrum_is_does_not_count():
    """Spectra without noise, of two kinds, from half as bright to twice."""
    bright = np.linspace(0.5, 2, 40)[:, None]
    spectra, kind = bright * (5 + line([60, 75])[np.arange(40) % 2]), np.arange(40) % 2
    assert of_one_kind(spectra_graph(spectra), kind) == 1


def test_a_small_shift_does_not_count_where_that_is_asked():
    rng = np.random.default_rng(0)
    off, kind = rng.normal(0, 1.5, 200), np.arange(200) % 2
    spectra = 10 + 8 * line(90 + off) + 0.5 * kind[:, None] * line(140) + rng.normal(0, 0.1, (200, 200))
    standing, shifted = (cluster(spectra_graph(spectra, shift), 2) for shift in (False, True))
    assert matched_accuracy(shifted, kind) > 0.95 > 0.8 > matched_accuracy(standing, kind)


def test_values_about_zero_have_no_brightness_to_leave_out():
    """Kinds along the mean itself, were it taken for a spectrum."""
    rng = np.random.default_rng(0)
    kind = np.arange(100) % 2
    spectra = (2 * kind[:, None] - 1 + 0.02) * line(90) + rng.normal(0, 0.05, (100, 200))
    assert matched_accuracy(cluster(spectra_graph(spectra), 2), kind) == 1


@pytest.mark.parametrize("noise, components", [(0.01, 3), (0.3, 3)])
def test_as_many_components_are_kept_as_stand_out_of_the_noise(noise, components, monkeypatch):
    rng, kept = np.random.default_rng(0), []
    spectra = 10 + rng.normal(size=(500, 3)) @ line([50, 100, 150]) + rng.normal(0, noise, (500, 200))
    monkeypatch.setattr(spectra_module, "_nearest", lambda scores, *more, nearest=spectra_module._nearest, **options: (
        kept.append(scores.shape[1]), nearest(scores, *more, **options))[1])
    spectra_graph(spectra)
    assert kept == [components]


# ---------------------------------------------------------------------- the graph

def test_it_is_a_graph_without_matrices(graph_and_kind):
    graph, _ = graph_and_kind
    assert graph.centre is None and graph.joins is None and graph.edges.matrix is None
    assert graph.edges.neighbour.shape == graph.edges.distance.shape == (300, module.NEIGHBOURS)
    assert sorted(graph.order) == list(range(300))


def test_neighbours_come_nearest_first_and_nobody_is_its_own(graph_and_kind):
    edges = graph_and_kind[0].edges
    assert (np.diff(edges.distance, axis=1) >= 0).all() and (edges.distance >= 0).all()
    assert (edges.neighbour != np.arange(300)[:, None]).all() and all(len(set(row)) == len(row) for row in edges.neighbour)


def test_spectra_beyond_the_nodes_join_them(monkeypatch):
    monkeypatch.setattr(module, "NODES", 120)
    spectra, kind = kinds()
    first = np.zeros(300, bool)
    first[[7, 200, 299]] = True
    graph = spectra_graph(spectra, first=first)
    assert first[graph.order[:3]].all() and graph.edges.neighbour.shape == (120, module.NEIGHBOURS)
    assert graph.joins.neighbour.shape == (180, module.JOINS) and graph.joins.neighbour.max() < 120
    assert matched_accuracy(cluster(graph, 3), kind) > 0.97


def test_the_same_spectra_give_the_same_graph_and_are_left_as_they_are(graph_and_kind):
    spectra, _ = kinds()
    before = spectra.copy()
    again = spectra_graph(spectra)
    assert np.array_equal(again.edges.neighbour, graph_and_kind[0].edges.neighbour) and np.array_equal(spectra, before)


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("spectra", [np.zeros((5, 30)), np.ones((9, 1)), np.full((4, 2), -3.0), np.eye(2), np.eye(3, 400)],
                         ids=["empty", "a channel", "constant", "two", "three"])
def test_spectra_without_an_answer_get_a_finite_one(spectra, shift):
    graph = spectra_graph(spectra, shift)
    assert np.isfinite(graph.edges.distance).all() and cluster(graph, 2).shape == (len(spectra),)


# ---------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("change, words", [
    (lambda spectra: spectra[:1], "be at least two, to be compared with one another; got one"),
    (lambda spectra: spectra[0], r"be \(n, channels\) real numbers; got \(200,\) float64: use spectra\[None\]"),
    (lambda spectra: spectra[:, :, None], r"be \(n, channels\) real numbers.*: one value a channel"),
    (lambda spectra: spectra * np.nan, "be finite"), (lambda spectra: spectra.astype(str), "astype"),
    (lambda spectra: spectra[:0], "at least one")], ids=["one", "a single one", "images", "NaN", "text", "none"])
def test_wrong_spectra_are_refused_with_a_cure(change, words):
    with pytest.raises(ValueError, match=f"^spectra must .*{words}"):
        spectra_graph(change(kinds()[0]))


def test_spectra_have_no_orientation(graph_and_kind):
    with pytest.raises(ValueError, match=r"graph must be one of images.*got one of spectra.*VAE\(\(channels,\), pose=Pose"):
        align_graph(graph_and_kind[0])
    with pytest.raises(ValueError, match=r"images must be \(n, height, width\); got \(300, 200\): .*spectra_graph\(spectra\)"):
        similarity_graph(kinds()[0])
