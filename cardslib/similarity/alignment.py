"""Which way up?  Images aligned with one another before any model has seen them: turns added up from neighbour to neighbour.

One sentence fixes what "the same orientation" means for pictures that also change their shape: *from neighbour to neighbour a
picture may be strained, but a strain is no turn* (the polar decomposition of continuum mechanics).

Singer & Wu, Vector diffusion maps and the connection Laplacian, 2012 (turns on a graph of neighbours); Chatterjee & Govindu,
Efficient and robust large-scale rotation averaging, 2013 (a spanning tree, then least squares over the pairs that agree).
"""
from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree
from scipy.sparse.linalg import splu

from cardslib.geometry import polar_angle, rotation, wrap
from cardslib.records import Record
from cardslib.similarity.neighbours import similarity_graph

# Radians, 20°: a pair that disagrees by more looks at different ones of a picture's symmetric copies.  Copies are a turn of
# 60° or more apart (six-fold symmetry), and the turns between neighbours are right within a degree or two.
SYMMETRIC = 0.35
ROUNDS = 3              # of least squares, each without the pairs that then disagree; on the cards the third changes nothing
NOT_EMPTY = 4 * pi      # added to turns, within ±π, in a sparse matrix: there a turn of zero would be no entry


@dataclass(frozen=True)
class Alignment(Record):
    """Poses of n images relative to one another, as NumPy arrays.

    angle      (n,) radians           shear  (n,) radians           scale  (n,) logarithm of the magnification
    centre     (n, 2) half widths: what the images are turned about
    component  (n,) int64: images that no chain of neighbours joins have different components, each with zeros of its own:
               the mean angle (if `axis`, the one next to it at which shears are `geometry.strain`), mean shear, mean scale
    """

    angle: np.ndarray
    shear: np.ndarray
    scale: np.ndarray
    centre: np.ndarray
    component: np.ndarray

    def tensors(self, device):
        """The same as tensors, the reals as float32, on a device."""
        return self.map(lambda values: torch.from_numpy(values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
                                                        ).to(device))


def align(images, recentre=False, axis=False):
    """`Alignment` of images (n, h, w) in [0, 1], n ≥ 2; ValueError for anything else.

    recentre  turn each image about the centroid of its light, not about the middle of the picture
    axis      choose the zero of the angle such that the shear is `geometry.strain(shear)` of the picture at zero
    """
    return align_graph(similarity_graph(images, recentre=recentre), axis)


def align_graph(graph, axis=False):
    """`Alignment` of the images of a `Graph` in which they were compared however they are turned; axis as for `align`."""
    if graph.centre is None:
        raise ValueError("graph must be one of images, from similarity_graph; got one of spectra, which have no orientation: "
                         "their shift is found by VAE((channels,), pose=Pose(shift=…))")
    angle, strain, component = _aligned_nodes(graph.edges)
    if graph.joins is not None:
        angle, strain, component = _with_others(graph.joins, angle, strain, component)
    for one in range(component.max() + 1):
        chosen = component == one
        angle[chosen], strain[chosen] = _with_zeros(angle[chosen], strain[chosen], axis)
    shear, scale = np.arctan(-strain[:, 1]), strain[:, 2]   # as in geometry.strain, and log(1 + scale), for small strains
    return Alignment(*map(graph.restored, (wrap(angle), shear, scale, graph.centre, component)))


def _aligned_nodes(edges):
    """The poses of the nodes but for their zeros: angle (nodes,), strain (nodes, 3) as `_in_frame`, component (nodes,)."""
    nodes, count = edges.neighbour.shape
    ends = image, neighbour = np.repeat(np.arange(nodes), count), edges.neighbour.ravel()
    distance = edges.distance.ravel()
    turn, stretch = _polar(edges.matrix)
    angle, component = _angles_along_tree(ends, turn, distance, nodes)
    weight = 1 / (distance + np.median(distance) + 1e-9)   # at most twice the median pair's, or one would decide alone
    for _ in range(ROUNDS):
        misfit = wrap(angle[neighbour] - angle[image] - turn)
        agreeing = weight * (np.abs(misfit) < SYMMETRIC)
        angle = angle - _least_squares(ends, misfit, agreeing, nodes)
    steps = _in_frame(stretch, angle[image])                                      # (pairs, 3)
    strain = np.stack([_least_squares(ends, step, agreeing, nodes) for step in steps.T], 1)
    return angle, strain, component


# ---------------------------------------------------------------------- turns and strains between neighbours

def _polar(matrix):
    """The polar decomposition M = rotation(turn) @ stretch of matrices (…, 2, 2): turn (pairs,) radians, stretch (pairs, 2, 2).

    The stretch is symmetric, so there is no turn in it.  (Gurtin, An introduction to continuum mechanics, 1981, section 2.)
    """
    matrix = matrix.reshape(-1, 2, 2)
    turn = polar_angle(matrix)
    return turn, rotation(turn).mT @ matrix


def _in_frame(stretch, angle):
    """The strains, stretch - 1, as seen in pictures turned back by their angles, where small ones add up: (pairs, 3).

    The parts of a symmetric matrix [[c + a, b], [b, c - a]]: a along the axes, b across them (at 45°), c all round.
    """
    turned = rotation(angle).mT @ (stretch - np.eye(2)) @ rotation(angle)
    return np.stack([(turned[:, 0, 0] - turned[:, 1, 1]) / 2, (turned[:, 0, 1] + turned[:, 1, 0]) / 2,
                     (turned[:, 0, 0] + turned[:, 1, 1]) / 2], 1)


# ---------------------------------------------------------------------- from pairs to nodes

def _angles_along_tree(ends, turn, distance, nodes):
    """Turns of pairs added up along the minimum spanning tree: angle and component (int64) of each node, (nodes,) both.

    The tree leads over the most similar pairs, so it settles the whole turns, and which symmetric copy a picture is.
    """
    length = np.sqrt(distance) + 1e-6   # pairs at no distance are edges, too: a zero would be no entry
    tree = minimum_spanning_tree(sparse.coo_matrix((length, ends), (nodes, nodes)).tocsr())
    turns = sparse.coo_matrix((turn + NOT_EMPTY, ends), (nodes, nodes)).tocsr()
    number, component = connected_components(tree, directed=False)
    angle = np.zeros(nodes)
    for one in range(number):
        order, parent = breadth_first_order(tree, np.argmax(component == one), directed=False)
        child, parent = order[1:], parent[order[1:]]
        forth, back = np.asarray(turns[parent, child]).ravel(), np.asarray(turns[child, parent]).ravel()
        step = np.where(forth != 0, forth - NOT_EMPTY, NOT_EMPTY - back)   # one at least counts the other among its neighbours
        for here, before, turned in zip(child, parent, step):
            angle[here] = angle[before] + turned
    return angle, component.astype(np.int64)


def _least_squares(ends, step, weight, nodes):
    """Values (nodes,) whose differences along the pairs come nearest to the steps: the weighted sum of squares is least.

    The normal equations hold the Laplacian of the weighted graph, sparse.  It leaves the mean of each component free: the small
    diagonal takes the values nearest to zero.
    """
    row = np.arange(len(step))
    difference = sparse.coo_matrix((np.repeat([-1.0, 1.0], len(step)), (np.tile(row, 2), np.concatenate(ends))),
                                   (len(step), nodes)).tocsr()
    laplacian = difference.T @ sparse.diags(weight) @ difference + 1e-9 * weight.max() * sparse.identity(nodes)
    return splu(laplacian.tocsc()).solve(difference.T @ (weight * step))


# ---------------------------------------------------------------------- from nodes to the other images

def _with_others(joins, angle, strain, component):
    """Angle, strain and component of the nodes followed by those of the others, each from the nodes that it joins.

    A node's pose less the step to it; the nearest node decides, and the mean of those that agree with it is taken.
    """
    turn, stretch = _polar(joins.matrix)
    shape = joins.neighbour.shape                                                 # (others, joins)
    proposed = (angle[joins.neighbour.ravel()] - turn).reshape(shape)
    off = wrap(proposed - proposed[:, :1])
    agreeing = np.abs(off) < SYMMETRIC
    their_angle = proposed[:, 0] + _mean(off, agreeing)
    steps = _in_frame(stretch, np.repeat(their_angle, shape[1])).reshape(*shape, 3)
    their_strain = _mean(strain[joins.neighbour] - steps, agreeing[..., None])
    their_component = component[joins.neighbour[:, 0]]
    return (np.concatenate(both) for both in ((angle, their_angle), (strain, their_strain), (component, their_component)))


def _mean(values, chosen):
    """The mean along the second axis over what is chosen."""
    return (values * chosen).sum(1) / chosen.sum(1)


# ---------------------------------------------------------------------- zeros

def _with_zeros(angle, strain, axis):
    """Angle (n,) and strain (n, 3) of one component with their zeros where `Alignment` says.

    With `axis` strains are to lie across the axes, as those of `geometry.strain` do, as far as they can.  A turn of the frame
    turns the strain (along, across) by twice as much (Mohr's circle): here to the second of the two, from the direction in
    which the strains vary most, the principal axis of their second moments.
    """
    strain = strain - strain.mean(0)
    along, across = strain[:, 0], strain[:, 1]
    mean = np.angle(np.exp(1j * angle).mean())
    if not axis:
        return angle - mean, strain
    principal = np.arctan2(2 * (along * across).sum(), (along**2 - across**2).sum()) / 2
    turn = (pi / 2 - principal) / 2
    turn -= pi / 2 * np.round((mean + turn) / (pi / 2))   # a quarter of a turn more only changes the sign of the strain
    cos, sin = np.cos(2 * turn), np.sin(2 * turn)
    return angle + turn, np.stack([along * cos - across * sin, along * sin + across * cos, strain[:, 2]], 1)
