"""Which images belong together?  Groups found before any model has seen them: regions of the similarity graph.

Images of the same thing are joined by chains of neighbours; between different things the chains are few.  Where labels are
known they spread along the chains; where none are, the graph is cut where it holds together least.

Shi & Malik, Normalized cuts and image segmentation, 2000; Zelnik-Manor & Perona, Self-tuning spectral clustering, 2004;
Zhu, Ghahramani & Lafferty, Semi-supervised learning using Gaussian fields and harmonic functions, 2003.
"""
import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

UNKNOWN = -1   # the label of an image of which none is known
FAINT = 1e-6   # the affinity of parts of the graph that no chain joins: far below that of neighbours, about exp(-1) and more


def cluster(graph, groups, labels=None):
    """The group of each image of a `Graph`, (n,) int64 within 0 … groups - 1.

    labels  (n,) int64, `UNKNOWN` where none is known.  Groups then have the labels' numbers.  If the groups that are found
            without labels agree with every one, the labels name them; if not, and there is a label of each group, the labels
            spread along the graph.  Known labels are kept
    """
    affinity, nodes = _affinity(graph.edges), len(graph.edges.neighbour)
    found = _cut(affinity, groups)
    if labels is not None:
        known = labels[graph.order][:nodes]
        found = _named(found, known, groups)
        disagree = (found != known) & (known != UNKNOWN)
        if disagree.any() and len(np.unique(known[known != UNKNOWN])) == groups:
            found = _spread(affinity, known, groups)
    if graph.joins is not None:
        found = np.concatenate([found, _voted(graph.joins, found, groups)])
    found = graph.restored(found)
    return found if labels is None else np.where(labels == UNKNOWN, found, labels)


def _affinity(edges):
    """How alike nodes are, from 0 to 1, sparse and symmetric: exp(-distance / (width · width')) for neighbours.

    The width of a node is the root of the distance to its last neighbour (Zelnik-Manor & Perona).
    """
    nodes, count = edges.neighbour.shape
    width = np.sqrt(edges.distance[:, -1]) + 1e-9   # not zero, where all images are the same
    image, neighbour = np.repeat(np.arange(nodes), count), edges.neighbour.ravel()
    alike = np.exp(-edges.distance.ravel() / (width[image] * width[neighbour]))
    affinity = sparse.coo_matrix((alike, (image, neighbour)), (nodes, nodes)).tocsr()
    affinity = (affinity + affinity.T) / 2

    # a faint edge between any two parts that no chain joins, from hub to hub, the node of greatest degree: without it a cut
    # between parts would be arbitrary, and labels would not reach a part that has none
    number, part = connected_components(affinity, directed=False)
    degree = np.asarray(affinity.sum(1)).ravel()
    hub = np.array([np.argmax(np.where(part == one, degree, -1)) for one in range(number)])
    one, other = (hub[index] for index in np.nonzero(~np.eye(number, dtype=bool)))
    return affinity + sparse.coo_matrix((np.full(len(one), FAINT), (one, other)), affinity.shape).tocsr()


def _cut(affinity, groups):
    """`groups` regions of a graph by its normalised cuts, (nodes,); of no more nodes than groups each is a region."""
    nodes = affinity.shape[0]
    if groups == 1 or nodes <= groups:
        return np.arange(nodes) * (groups > 1)
    from sklearn.cluster import SpectralClustering  # here: half a second that only models with groups need
    return SpectralClustering(groups, affinity="precomputed", random_state=0).fit_predict(affinity).astype(np.int64)


def _named(found, known, groups):
    """Groups with the labels' numbers, as far as labels are known: the best one-to-one matching (Hungarian)."""
    counts = np.zeros((groups, groups))
    np.add.at(counts, (found[known != UNKNOWN], known[known != UNKNOWN]), 1)
    return linear_sum_assignment(-counts)[1][found]


def _spread(affinity, known, groups):
    """The likeliest label of every node, (nodes,): known ones stay.

    The probabilities of the others are the mean of their neighbours', weighted by affinity: they solve L p = 0 with the
    Laplacian L, a harmonic function (Zhu, Ghahramani & Lafferty).
    """
    free, held = known == UNKNOWN, known != UNKNOWN
    laplacian = (sparse.diags(np.asarray(affinity.sum(1)).ravel()) - affinity).tocsr()
    probabilities = np.eye(groups)[np.where(held, known, 0)]                      # (nodes, groups)
    if free.any():
        sources = -laplacian[free][:, held] @ probabilities[held]
        probabilities[free] = splu(laplacian[free][:, free].tocsc()).solve(sources)
    return probabilities.argmax(1)


def _voted(joins, found, groups):
    """The group of each image that is no node, (others,): that of most of the nodes that it joins."""
    votes = np.eye(groups)[found[joins.neighbour]].sum(1)                         # (others, joins, groups) → (others, groups)
    return votes.argmax(1)
