"""The similarity graph: which images are alike, and the turn and strain that carry one onto the other."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from cardslib.cards import make_cards, render
from cardslib.geometry import polar_angle, pose_matrix, rotation
from cardslib.metrics import matched_accuracy
from cardslib.similarity import cluster
from cardslib.similarity import neighbours as module
from cardslib.similarity.neighbours import Graph, similarity_graph
from cardslib.transforms import pixel_grid

SIZE = 24
HEART, SPADE = 2, 1


@pytest.fixture(scope="module")
def moved():
    """160 cards in any orientation, sheared and shifted."""
    return make_cards(40, rotation=180, shear=20, shift=0.2, size=SIZE)


@pytest.fixture(scope="module")
def graph(moved):
    return similarity_graph(moved.images, recentre=True)


def pairs(graph):
    """The pairs of nodes as numbers of images, (pairs,) twice, and their matrices, (pairs, 2, 2)."""
    nodes, count = graph.edges.neighbour.shape
    image, neighbour = np.repeat(np.arange(nodes), count), graph.edges.neighbour.ravel()
    return graph.order[image], graph.order[neighbour], graph.edges.matrix.reshape(-1, 2, 2)


def turn_of(matrix):
    """Degrees, counter-clockwise, of the rotation in matrices (…, 2, 2)."""
    return np.degrees(polar_angle(matrix))


def spades(*degrees, shear=0):
    """Spades turned by so many degrees."""
    count = len(degrees)
    return render([SPADE] * count, np.radians(degrees), [np.radians(shear)] * count, [(0, 0)] * count, SIZE)


# ---------------------------------------------------------------------- pairs are registered

@pytest.mark.parametrize("angle, shear", [(0, 3), (10, 0), (75, -4), (-140, 5), (180, 2)])
def test_the_matrix_of_a_pair_is_the_affine_map_between_the_two(angle, shear):
    """Two hearts in known poses: one → canonical → other."""
    poses = np.radians([(20, 2), (20 + angle, 2 + shear)])
    graph = similarity_graph(render([HEART, HEART], poses[:, 0], poses[:, 1], [(0, 0)] * 2, SIZE))
    matrices = pose_matrix(poses[:, 0], poses[:, 1])
    for one, other, found in zip(*pairs(graph)):
        assert found == pytest.approx(matrices[other] @ np.linalg.inv(matrices[one]), abs=0.03)


def test_the_matrices_of_many_pairs_are_those_that_the_cards_were_made_with(moved, graph):
    """Hearts and spades: they have no symmetry of turns."""
    one, other, found = pairs(graph)
    made = pose_matrix(moved.angle, moved.shear)
    true = made[other] @ np.linalg.inv(made[one])
    off = np.abs(found - true).max((1, 2))[np.isin(moved.suit[one], (SPADE, HEART)) & (moved.suit[one] == moved.suit[other])]
    assert len(off) > 500 and np.median(off) < 0.03
    assert np.abs(true - np.eye(2)).max((1, 2)).max() > 1   # there was something to find


def test_the_matrix_carries_an_image_onto_its_neighbour():
    """neighbour(M p) ≈ image(p), read off the images themselves."""
    cards = make_cards(30, rotation=180, shear=15, size=SIZE, seed=4)
    graph = similarity_graph(cards.images)
    one, other, matrix = pairs(graph)
    images = torch.from_numpy(cards.images)
    grid = pixel_grid(SIZE, SIZE).reshape(1, -1, 2) @ torch.from_numpy(matrix).float().mT
    seen = F.grid_sample(images[other][:, None], grid.unflatten(1, (SIZE, SIZE)), align_corners=False)[:, 0]
    after = (seen - images[one]).pow(2).mean((1, 2)).numpy()
    before = (images[other] - images[one]).pow(2).mean((1, 2)).numpy()
    assert np.median(after) < 0.15 * np.median(before)


def test_a_pair_and_its_reverse_undo_each_other():
    (forth,), (back,) = similarity_graph(spades(-50, 65, shear=4)).edges.matrix
    assert forth @ back == pytest.approx(np.eye(2), abs=0.02)


def test_the_turn_of_a_pair_runs_counter_clockwise():
    graph = similarity_graph(spades(0, 40))
    first = int(np.flatnonzero(graph.order == 0)[0])
    assert turn_of(graph.edges.matrix[first, 0]) == pytest.approx(40, abs=1)


def test_a_shift_is_no_difference_where_images_are_compared_about_their_centroids():
    images = render([HEART] * 2, np.radians([0, 30]), [0, 0], [(-0.2, 0.1), (0.2, -0.2)], SIZE)
    there, not_there = (similarity_graph(images, recentre=recentre) for recentre in (True, False))
    assert there.edges.distance.max() < 0.2 * not_there.edges.distance.min()
    assert there.restored(there.centre) == pytest.approx(np.array([(-0.2, 0.1), (0.2, -0.2)]), abs=0.01)
    assert not not_there.centre.any()


# ---------------------------------------------------------------------- the distance

@pytest.mark.parametrize("degrees", [0, 33, 90, 145, -120, 180])
def test_the_same_picture_turned_is_near_and_another_suit_is_far(degrees):
    heart = render([HEART], np.radians([10 + degrees]), [0], [(0, 0)], SIZE)
    same = similarity_graph(spades(10, 10 + degrees)).edges.distance.max()
    other = similarity_graph(np.concatenate([spades(10), heart])).edges.distance.min()
    assert same < 0.0025 and same < 0.2 * other


def test_a_small_strain_counts_little():
    strained = similarity_graph(np.concatenate([spades(0), spades(60, shear=6)])).edges.distance.max()
    assert strained < 0.003


@pytest.mark.parametrize("turn", [True, False])
@pytest.mark.parametrize("axis", [0, 1], ids=["tall", "wide"])
def test_long_images_that_differ_only_at_their_ends_are_told_apart(axis, turn):
    """24×96 pixels: the square in their middle is the same in all."""
    rng = np.random.default_rng(0)
    images = np.tile(rng.uniform(0.4, 0.6, (24, 96)), (6, 1, 1))
    images[::2, 6:18, :12] = 1
    images[1::2, 6:18, -12:] = 0
    images = images if axis else images.swapaxes(1, 2)
    graph = similarity_graph(images, turn=turn)
    one, other, _ = pairs(graph)
    distance, same = graph.edges.distance.ravel(), one % 2 == other % 2
    assert distance[same].max() < 1e-8 and distance[~same].min() > 1e-3
    assert matched_accuracy(cluster(graph, 2), np.arange(6) % 2) == 1


def test_neighbours_come_nearest_first_and_nobody_is_its_own(graph):
    assert (np.diff(graph.edges.distance, axis=1) >= 0).all() and (graph.edges.distance >= 0).all()
    assert (graph.edges.neighbour != np.arange(len(graph.edges.neighbour))[:, None]).all()
    assert all(len(set(row)) == len(row) for row in graph.edges.neighbour.tolist())


def test_neighbours_are_of_the_same_suit(moved, graph):
    one, other, _ = pairs(graph)
    assert (moved.suit[one] == moved.suit[other]).mean() > 0.97


def test_more_candidates_find_nearer_neighbours(moved, graph):
    more = similarity_graph(moved.images, recentre=True, candidates=3)
    assert more.edges.neighbour.shape == graph.edges.neighbour.shape
    assert more.edges.distance.mean() < graph.edges.distance.mean()
    one, other, _ = pairs(more)
    assert (moved.suit[one] == moved.suit[other]).mean() > 0.99


@pytest.mark.parametrize("black, white", [(0.5, 1), (0.9, 0.2), (1, 0)])
def test_background_and_sign_do_not_matter(moved, graph, black, white):
    other = similarity_graph(black + (white - black) * moved.images, recentre=True)
    assert (other.edges.neighbour == graph.edges.neighbour).mean() > 0.99
    assert np.median(np.abs(other.edges.matrix - graph.edges.matrix)) < 1e-4
    assert np.median(other.edges.distance / graph.edges.distance) == pytest.approx((white - black) ** 2, rel=0.01)


# ---------------------------------------------------------------------- upright comparisons

def test_compared_upright_a_turned_picture_is_far():
    images = spades(0, 2, 90, 92)
    upright, however = similarity_graph(images, turn=False), similarity_graph(images)
    near = {0: 1, 1: 0, 2: 3, 3: 2}
    assert {one: upright.order[row[0]] for one, row in zip(upright.order, upright.edges.neighbour)} == near
    assert upright.edges.distance[:, 0].max() < 0.1 * upright.edges.distance[:, 1:].min()
    assert however.edges.distance.max() < 0.1 * upright.edges.distance[:, 1:].min()


def test_compared_upright_a_small_turn_is_registered_all_the_same():
    graph = similarity_graph(spades(0, 5), turn=False)
    first = int(np.flatnonzero(graph.order == 0)[0])
    assert graph.edges.matrix[first, 0] == pytest.approx(rotation(np.radians(5)), abs=0.03)


def test_compared_upright_no_pair_is_turned_far(moved):
    assert np.abs(turn_of(similarity_graph(moved.images, turn=False, recentre=True).edges.matrix)).max() < 60


# ---------------------------------------------------------------------- nodes and joins

def test_a_graph_without_others_has_no_joins(moved, graph):
    assert graph.joins is None and sorted(graph.order) == list(range(160))
    assert graph.edges.neighbour.shape == graph.edges.distance.shape == (160, module.NEIGHBOURS)
    assert graph.edges.matrix.shape == (160, module.NEIGHBOURS, 2, 2) and graph.centre.shape == (160, 2)


def test_images_beyond_the_nodes_join_them(moved, monkeypatch):
    monkeypatch.setattr(module, "NODES", 60)
    graph = similarity_graph(moved.images, recentre=True)
    assert graph.edges.neighbour.shape == (60, module.NEIGHBOURS) and graph.joins.neighbour.shape == (100, module.JOINS)
    assert sorted(graph.order) == list(range(160))
    assert graph.edges.neighbour.max() < 60 and graph.joins.neighbour.max() < 60 and graph.joins.neighbour.min() >= 0
    one, other = np.repeat(graph.order[60:], module.JOINS), graph.order[graph.joins.neighbour].ravel()
    assert (moved.suit[one] == moved.suit[other]).mean() > 0.95
    made = pose_matrix(moved.angle, moved.shear)
    off = np.abs(graph.joins.matrix.reshape(-1, 2, 2) - made[other] @ np.linalg.inv(made[one])).max((1, 2))
    assert np.median(off[np.isin(moved.suit[one], (SPADE, HEART))]) < 0.05


@pytest.mark.parametrize("marked", [0, 7, 20, 90])
def test_the_first_images_become_nodes(moved, monkeypatch, marked):
    monkeypatch.setattr(module, "NODES", 20)
    first = np.zeros(160, bool)
    first[np.random.default_rng(1).choice(160, marked, replace=False)] = True
    nodes = similarity_graph(moved.images, first=first).order[:20]
    assert first[nodes].sum() == min(marked, 20)
    assert len(set(nodes)) == 20


def test_the_other_nodes_are_drawn_by_lot(moved, monkeypatch):
    """Of images that come suit by suit, some of each are nodes."""
    monkeypatch.setattr(module, "NODES", 40)
    by_suit = np.argsort(moved.suit, kind="stable")
    nodes = similarity_graph(moved.images[by_suit]).order[:40]
    assert min(np.bincount(moved.suit[by_suit][nodes], minlength=4)) >= 4


@given(st.integers(1, 40).flatmap(lambda n: st.permutations(range(n))), st.sampled_from([(), (2,), (3, 2)]))
def test_values_in_the_order_of_the_graph_are_restored_to_the_order_of_the_images(order, shape):
    order = np.array(order)
    values = np.random.default_rng(0).normal(size=(len(order), *shape))
    graph = Graph(order, None, None, None)
    assert np.array_equal(graph.restored(values[order]), values)
    assert np.array_equal(graph.restored(values)[order], values)
    assert graph.restored(order).tolist() == list(range(len(order)))


def test_the_same_images_give_the_same_graph(moved, graph):
    again = similarity_graph(moved.images, recentre=True)
    assert np.array_equal(again.order, graph.order) and np.array_equal(again.centre, graph.centre)
    assert all(np.array_equal(values, getattr(again.edges, name)) for name, values in vars(graph.edges).items())


def test_the_images_are_left_as_they_are(moved):
    images = moved.images.copy()
    similarity_graph(images, recentre=True)
    assert np.array_equal(images, moved.images)


# ---------------------------------------------------------------------- few images, odd images

def test_two_images_are_each_others_neighbours():
    edges = similarity_graph(spades(0, 70)).edges
    assert edges.neighbour.tolist() == [[1], [0]]
    assert sorted(turn_of(edges.matrix[:, 0])) == pytest.approx([-70, 70], abs=1)


@pytest.mark.parametrize("turn", [True, False])
def test_one_image_is_refused(turn):
    with pytest.raises(ValueError, match="^images must be at least two, .*got one"):
        similarity_graph(spades(0), turn=turn)


@pytest.mark.parametrize("turn", [True, False])
@pytest.mark.parametrize("images", [np.zeros((5, 12, 12)), np.full((3, 1, 1), 0.5), np.repeat(spades(20), 9, 0)],
                         ids=["black", "a pixel", "all the same"])
def test_images_without_a_difference_are_at_no_distance(images, turn):
    edges = similarity_graph(images, turn=turn, recentre=True).edges
    assert edges.distance == pytest.approx(0, abs=1e-8) and np.isfinite(edges.matrix).all()
