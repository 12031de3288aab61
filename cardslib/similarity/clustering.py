"""Which images are of a kind?  Groups among images before any model has seen them: regions of the graph of neighbours.

Images of one kind are joined by chains of neighbours; between kinds the chains are few.  Where labels are known they spread
along the chains; where none are, the graph is cut where it holds together least.

Shi & Malik, Normalized cuts and image segmentation, 2000; Zelnik-Manor & Perona, Self-tuning spectral clustering, 2004;
Zhu, Ghahramani & Lafferty, Semi-supervised learning using Gaussian fields and harmonic functions, 2003.
"""
import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

UNKNOWN = -1   # the label of an image of which none is known
FAINT = 1e-6   # the affinity of parts of the graph that no chain joins


def cluster(graph, groups, labels=None):
    """The group of each image of a `Graph`, (n,) int64 within 0 … groups - 1.

    labels  (n,) int64, `UNKNOWN` where none is known.  Groups then have the labels' numbers.  If the groups that are found
            without labels agree with every one, the labels name them; if not, and there is a label of each group, the labels
            spread along the graph
    """
    affinity, nodes = _affinity(graph.edges), len(graph.edges.second)
    known = np.full(nodes, UNKNOWN) if labels is None else labels[graph.order][:nodes]
    found = _named(_cut(affinity, groups), known, groups)
    disagree = (found != known) & (known != UNKNOWN)
    if disagree.any() and len(np.unique(known[known != UNKNOWN])) == groups:
        found = _spread(affinity, known, groups)
    if graph.joins:
        votes = np.eye(groups)[found[graph.joins.second]].sum(1)                  # (others, joins, groups) → (others, groups)
        found = np.concatenate([found, votes.argmax(1)])
    found = graph.restored(found)
    return found if labels is None else np.where(labels == UNKNOWN, found, labels)


def _affinity(edges):
    """How alike neighbours are, from 0 to 1, sparse and symmetric: a Gaussian of their distance, as wide as both are far apart.

    Parts that no chain joins get a faint edge from each to each, so that something is known of how they lie.
    """
    nodes, count = edges.second.shape
    width = np.sqrt(edges.distance[:, -1]) + 1e-9
    first, second = np.repeat(np.arange(nodes), count), edges.second.ravel()
    alike = np.exp(-edges.distance.ravel() / (width[first] * width[second]))
    affinity = sparse.coo_matrix((alike, (first, second)), (nodes, nodes)).tocsr()
    affinity = (affinity + affinity.T) / 2
    number, part = connected_components(affinity, directed=False)
    strength = np.asarray(affinity.sum(1)).ravel()
    middle = np.array([np.argmax(np.where(part == one, strength, -1)) for one in range(number)])
    first, second = (middle[index] for index in np.nonzero(~np.eye(number, dtype=bool)))
    return affinity + sparse.coo_matrix((np.full(len(first), FAINT), (first, second)), (nodes, nodes)).tocsr()


def _cut(affinity, groups):
    """`groups` regions of a graph by its normalised cuts, (nodes,); of no more nodes than groups each is a region."""
    nodes = affinity.shape[0]
    if groups == 1 or nodes <= groups:
        return np.arange(nodes) * (groups > 1)
    from sklearn.cluster import SpectralClustering  # here: half a second that only models with groups need
    return SpectralClustering(groups, affinity="precomputed", random_state=0).fit_predict(affinity).astype(np.int64)


def _spread(affinity, known, groups):
    """The likeliest label of every node, (nodes,): known ones stay, the others are the mean of their neighbours (harmonic)."""
    free, held = known == UNKNOWN, known != UNKNOWN
    laplacian = (sparse.diags(np.asarray(affinity.sum(1)).ravel()) - affinity).tocsr()
    shares = np.eye(groups)[np.where(held, known, 0)]                             # (nodes, groups)
    if free.any():
        shares[free] = splu(laplacian[free][:, free].tocsc()).solve(-laplacian[free][:, held] @ shares[held])
    return shares.argmax(1)


def _named(found, known, groups):
    """Groups with the labels' numbers, as far as labels are known, the best one-to-one (Hungarian) matching."""
    counts = np.zeros((groups, groups))
    np.add.at(counts, (found[known != UNKNOWN], known[known != UNKNOWN]), 1)
    return linear_sum_assignment(-counts)[1][found]
