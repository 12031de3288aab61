"""The clustering: suits are found without a label, and labels spread from a few images to all."""
import numpy as np
import pytest

from cardslib.cards import card_set, make_cards
from cardslib.metrics import matched_accuracy
from cardslib.similarity import neighbours as module
from cardslib.similarity.alignment import align_graph
from cardslib.similarity.clustering import UNKNOWN, cluster
from cardslib.similarity.neighbours import Graph, Pairs, similarity_graph

SIZE = 24
SETS = {"set 1": dict(rotation=12, shear=1), "set 2": dict(rotation=12, shear=20), "set 3": dict(rotation=120, shear=1),
        "set 4": dict(rotation=120, shear=20), "shifted": dict(rotation=180, shear=1, shift=0.2),
        "everything": dict(rotation=180, shear=20, shift=0.2)}


def graph_of(cards, **more):
    """The graph that a model with groups asks for."""
    return similarity_graph(cards.images, recentre=bool(cards.shift.any()), candidates=3, **more)


@pytest.fixture(scope="module")
def cards():
    """160 cards of the lecture's set 4: turned by ±120° and sheared."""
    return card_set(4, per_suit=40, size=SIZE)


@pytest.fixture(scope="module")
def graph(cards):
    return graph_of(cards)


def counts(found, cards, groups):
    """How many cards of each suit lie in each group, (4, groups)."""
    return np.stack([np.bincount(found[cards.suit == suit], minlength=groups) for suit in range(4)])


def some_labels(suit, each, classes=range(4)):
    """The suits of the first `each` cards of some classes; all others unknown."""
    labels = np.full(len(suit), UNKNOWN)
    for one in classes:
        which = np.flatnonzero(suit == one)[:each]
        labels[which] = one
    return labels


# ---------------------------------------------------------------------- without a label

@pytest.mark.parametrize("per_suit", [20, 60])
@pytest.mark.parametrize("name", SETS)
def test_four_groups_are_the_four_suits(name, per_suit):
    cards = make_cards(per_suit, size=SIZE, **SETS[name])
    found = cluster(graph_of(cards), 4)
    assert found.shape == (4 * per_suit,) and found.dtype == np.int64
    assert matched_accuracy(found, cards.suit) == 1


def test_four_groups_of_cards_that_stand_upright_need_no_turns():
    cards = card_set(1, per_suit=20, size=SIZE)
    assert matched_accuracy(cluster(graph_of(cards, turn=False), 4), cards.suit) == 1


@pytest.mark.parametrize("groups", [2, 3])
def test_fewer_groups_than_suits_hold_whole_suits(graph, cards, groups):
    table = counts(cluster(graph, groups), cards, groups)
    assert ((table == 40) | (table == 0)).all() and (table.sum(0) > 0).all()


@pytest.mark.parametrize("groups", [5, 6, 8])
def test_more_groups_than_suits_split_suits_and_never_mix_them(graph, cards, groups):
    table = counts(cluster(graph, groups), cards, groups)
    assert ((table > 0).sum(0) == 1).all()


def test_one_group_holds_everything(graph):
    assert not cluster(graph, 1).any()


@pytest.mark.parametrize("groups", [1, 2, 4, 7])
def test_numbers_lie_within_the_groups_and_each_is_used(graph, groups):
    assert set(cluster(graph, groups)) == set(range(groups))


def test_the_same_graph_gives_the_same_groups(graph):
    assert np.array_equal(cluster(graph, 4), cluster(graph, 4))


@pytest.mark.parametrize("order", ["sorted", "backwards", "shuffled"])
def test_the_order_of_the_images_does_not_matter(cards, order, monkeypatch):
    """Neither for the nodes of the graph, nor for those that only join them."""
    monkeypatch.setattr(module, "NODES", 100)
    order = dict(sorted=np.argsort(cards.suit, kind="stable"), backwards=np.arange(160)[::-1],
                 shuffled=np.random.default_rng(3).permutation(160))[order]
    assert matched_accuracy(cluster(graph_of(cards[order]), 4), cards.suit[order]) == 1


def test_unequal_numbers_of_each_suit_are_told_apart(cards):
    few = cards[np.concatenate([np.flatnonzero(cards.suit == suit)[:count] for suit, count in enumerate((40, 12, 25, 40))])]
    assert matched_accuracy(cluster(graph_of(few), 4), few.suit) == 1


def test_where_no_chain_leads_from_suit_to_suit_the_alignment_has_the_same_parts(graph):
    assert matched_accuracy(align_graph(graph).component, cluster(graph, 4)) == 1


# ---------------------------------------------------------------------- graphs made by hand

def points(*clusters, count=4):
    """The graph of points on a line, (n,): each with its `count` nearest in its own cluster, in a shuffled order."""
    number = np.concatenate([np.full(len(cluster), one) for one, cluster in enumerate(clusters)])
    where = np.concatenate(clusters).astype(float)
    order = np.random.default_rng(0).permutation(len(where))
    apart = (where[order][:, None] - where[order]) ** 2 + np.where(number[order][:, None] == number[order], 0, 1e9)
    np.fill_diagonal(apart, 1e12)
    neighbour = np.argsort(apart, 1)[:, :count]
    edges = Pairs(neighbour, np.take_along_axis(apart, neighbour, 1), np.tile(np.eye(2), (len(where), count, 1, 1)))
    return Graph(order, np.zeros((len(where), 2)), edges, None), number


@pytest.mark.filterwarnings("error")   # scikit-learn's, that a graph in several parts may be cut anyhow
def test_parts_that_no_chain_joins_are_the_groups():
    graph, number = points(range(10), range(20), range(7))
    assert matched_accuracy(cluster(graph, 3), number) == 1


@pytest.mark.parametrize("groups", [2, 3])
def test_of_more_parts_than_groups_each_stays_whole(groups):
    graph, number = points(*[range(8 + part) for part in range(6)])
    found = cluster(graph, groups)
    assert set(found) == set(range(groups))
    assert all(len(set(found[number == part])) == 1 for part in range(6))


def test_fewer_parts_than_groups_are_split_along_their_chains():
    graph, number = points(range(30), range(12))
    found = cluster(graph, 3)
    assert all(len(set(number[found == one])) == 1 for one in range(3))
    longer = found[number == 0]
    assert (np.diff(longer) != 0).sum() == 1   # one cut, so both halves hold together
    assert 10 <= np.bincount(longer, minlength=3).max() <= 20


def test_a_chain_is_cut_where_its_links_are_longest():
    line = np.concatenate([np.arange(20), 23 + np.arange(14)])
    graph, _ = points(line, count=6)
    assert matched_accuracy(cluster(graph, 2), (line > 21).astype(int)) == 1


def test_a_label_goes_as_far_as_its_chain_leads():
    """By distance alone the far ends would take the other's label."""
    graph, number = points(np.arange(40), 15 + np.arange(40))
    labels = np.full(80, UNKNOWN)
    labels[0], labels[79] = 1, 0   # one end of each
    assert np.array_equal(cluster(graph, 2, labels), 1 - number)


def test_between_two_labels_the_nearer_one_is_taken():
    graph, _ = points(np.arange(41), count=2)
    labels = np.full(41, UNKNOWN)
    labels[0], labels[40] = 1, 0
    found = cluster(graph, 2, labels)
    assert (found[:20] == 1).all() and (found[21:] == 0).all()


def test_a_part_without_a_label_gets_one_all_the_same():
    graph, number = points(range(9), range(9), range(9))
    labels = np.full(27, UNKNOWN)
    labels[[0, 9]] = 0, 1
    found = cluster(graph, 2, labels)
    assert (found[:9] == 0).all() and (found[9:18] == 1).all() and len(set(found[18:])) == 1


# ---------------------------------------------------------------------- with some labels

@pytest.mark.parametrize("each", [1, 3, 40])
def test_labels_spread_from_a_few_images_to_all_of_their_suit(graph, cards, each):
    assert np.array_equal(cluster(graph, 4, some_labels(cards.suit, each)), cards.suit)


@pytest.mark.parametrize("each", [2, 5])
def test_labels_spread_to_images_beyond_the_nodes(cards, each, monkeypatch):
    monkeypatch.setattr(module, "NODES", 100)
    labels = some_labels(cards.suit, each)
    graph = graph_of(cards, first=labels != UNKNOWN)
    assert graph.joins is not None
    assert np.array_equal(cluster(graph, 4, labels), cards.suit)


def test_labels_decide_where_the_graph_alone_would_not():
    """Two classes: hearts, and all the others; two groups without labels are others."""
    cards = card_set(4, per_suit=30, size=SIZE)
    graph, heart = graph_of(cards), (cards.suit == 2).astype(int)
    labels = np.full(120, UNKNOWN)
    labels[:12] = heart[:12]
    assert np.array_equal(cluster(graph, 2, labels), heart)


@pytest.mark.parametrize("names", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
@pytest.mark.parametrize("known", [(0, 1, 2), (1, 3)])
def test_labels_name_the_groups_when_some_have_none(graph, cards, names, known):
    labels = some_labels(cards.suit, 2, known)
    labels = np.where(labels == UNKNOWN, UNKNOWN, np.array(names)[cards.suit])
    found = cluster(graph, 4, labels)
    for suit in known:
        assert (found[cards.suit == suit] == names[suit]).all()
    assert matched_accuracy(found, cards.suit) == 1 and set(found) == {0, 1, 2, 3}


def test_a_few_wrong_labels_name_no_group(graph, cards):
    labels = some_labels(cards.suit, 10, (0, 1, 2))
    labels[np.flatnonzero(labels == 1)[:2]] = 0
    found = cluster(graph, 4, labels)
    assert (found == cards.suit)[labels == UNKNOWN].all()


@pytest.mark.parametrize("classes", [(0, 1, 2, 3), (0, 1, 2)])
@pytest.mark.parametrize("nodes", [50, 1000])
def test_labelled_images_keep_their_labels(cards, classes, nodes, monkeypatch):
    """Even wrong ones, even those of images that are no nodes."""
    monkeypatch.setattr(module, "NODES", nodes)
    labels = some_labels(cards.suit, 25, classes)
    labels[:6] = 0
    found = cluster(graph_of(cards, first=labels != UNKNOWN), 4, labels)
    assert np.array_equal(found[labels != UNKNOWN], labels[labels != UNKNOWN])


def test_labels_of_which_none_is_known_are_no_labels(graph, cards):
    assert np.array_equal(cluster(graph, 4, np.full(160, UNKNOWN)), cluster(graph, 4))


# ---------------------------------------------------------------------- few images, odd images

@pytest.mark.parametrize("groups", [2, 3, 4, 9])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_few_images_have_groups_too(cards, count, groups):
    found = cluster(similarity_graph(cards.images[:count]), groups)
    assert found.shape == (count,) and found.min() >= 0 and found.max() < groups


@pytest.mark.parametrize("images", [np.zeros((20, 12, 12)), np.random.default_rng(0).uniform(size=(30, 9, 9))],
                         ids=["all the same", "noise"])
def test_images_that_differ_by_nothing_or_by_chance_get_some_groups(images):
    found = cluster(similarity_graph(images), 3)
    assert found.shape == (len(images),) and set(found) <= {0, 1, 2}
