"""Which way up?  Images aligned with one another before any model has seen them: parallel transport between neighbours.

The turns between neighbours (neighbours.py) add up along their graph.  One sentence fixes what "the same orientation" means
for pictures that also change their shape: *from neighbour to neighbour a picture may be strained, but a strain is no turn*
(the polar decomposition of continuum mechanics).

Singer & Wu, Vector diffusion maps and the connection Laplacian, Comm. Pure Appl. Math. 65, 2012 (turns on a graph).
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

SYMMETRIC = 0.35        # radians: a pair that disagrees by more looks at different ones of a picture's symmetric copies


@dataclass(frozen=True)
class Alignment(Record):
    """Poses of n images relative to one another, as NumPy arrays.

    angle      (n,) radians           shear  (n,) radians           scale  (n,) logarithm of the magnification
    centre     (n, 2) half widths: what the images are turned about
    component  (n,) int64: images that no chain of neighbours joins have different components, each with zeros of its own:
               the mean angle (if `axis`, the right angle next to it), the mean shear, the mean scale
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
    """`Alignment` of images (n, h, w) in [0, 1], n ≥ 2.

    recentre  turn each image about the middle of its light, not about the middle of the picture
    axis      choose the zero of the angle such that the shear is `geometry.strain(shear)` of the picture at zero
    """
    return align_graph(similarity_graph(images, recentre=recentre), axis)


def align_graph(graph, axis=False):
    """`Alignment` of the images of a `Graph` in which they were compared however they are turned; axis as for `align`."""
    edges, joins = graph.edges, graph.joins
    nodes = len(edges.second)

    # a tree for the angles' whole turns and symmetric copies, then least squares over all edges
    ends = np.repeat(np.arange(nodes), edges.second.shape[1]), edges.second.ravel()
    step, strain = _polar(edges.matrix)
    distance = edges.distance.ravel()
    weight = 1 / (distance + np.median(distance) + 1e-9)
    angle, component = _along_tree(ends, distance, step, nodes)
    for _ in range(3):
        off = wrap(angle[ends[1]] - angle[ends[0]] - step)
        agreeing = weight * (np.abs(off) < SYMMETRIC)
        angle = angle - _least_squares(ends, off, agreeing, nodes)
    shape = np.stack([_least_squares(ends, part, agreeing, nodes) for part in _in_frame(strain, angle[ends[0]]).T], 1)

    # the other images: the pose of the nearest nodes, moved on by the step from them
    if joins:
        step, strain = _polar(joins.matrix)
        joined = (angle[joins.second.ravel()] - step).reshape(joins.second.shape)
        off = wrap(joined - joined[:, :1])
        same = np.abs(off) < SYMMETRIC
        joined = joined[:, 0] + (off * same).sum(1) / same.sum(1)
        moved = _in_frame(strain, np.repeat(joined, joins.second.shape[1]))       # (others · joins, 3)
        moved = shape[joins.second] - moved.reshape(*joins.second.shape, 3)
        angle = np.concatenate([angle, joined])
        shape = np.concatenate([shape, (moved * same[..., None]).sum(1) / same.sum(1)[:, None]])
        component = np.concatenate([component, component[joins.second[:, 0]]])
    for one in range(component.max() + 1):
        _set_zero(angle, shape, component == one, axis)
    return Alignment(*map(graph.restored, (wrap(angle), np.arctan(-shape[:, 1]), shape[:, 2], graph.centre, component)))


def _polar(matrix):
    """Polar decomposition M = rotation(step) · stretch of matrices (…, 2, 2), flat: step (pairs,) radians, stretch - 1."""
    matrix = matrix.reshape(-1, 2, 2)
    step = polar_angle(matrix)
    return step, rotation(step).mT @ matrix - np.eye(2)


def _in_frame(strain, angle):
    """Strains seen in a picture turned back by its angle, (pairs, 3): along the axes, across them (at 45°), all round."""
    turned = rotation(angle).mT @ strain @ rotation(angle)
    return np.stack([(turned[:, 0, 0] - turned[:, 1, 1]) / 2, (turned[:, 0, 1] + turned[:, 1, 0]) / 2,
                     (turned[:, 0, 0] + turned[:, 1, 1]) / 2], 1)


def _along_tree(edges, distance, step, count):
    """Angles added up along the graph's shortest tree, (count,), and the component of each image, (count,)."""
    graph = sparse.coo_matrix((np.sqrt(distance) + 1e-6, edges), (count, count)).tocsr()
    tree = minimum_spanning_tree(graph)
    number, component = connected_components(tree, directed=False)
    steps = sparse.coo_matrix((step + 4 * pi, edges), (count, count)).tocsr()     # + 4π: no step is an empty entry
    angle = np.zeros(count)
    for one in range(number):
        order, before = breadth_first_order(tree, np.argmax(component == one), directed=False)
        for image in order[1:]:
            forth, back = steps[before[image], image], steps[image, before[image]]
            angle[image] = angle[before[image]] + (forth - 4 * pi if forth else 4 * pi - back)
    return angle, component.astype(np.int64)


def _least_squares(edges, step, weight, count):
    """Values (count,) whose differences along the edges come nearest to the steps: weighted least squares, sparse."""
    row = np.arange(len(step))
    difference = sparse.coo_matrix((np.repeat([-1.0, 1.0], len(step)), (np.tile(row, 2), np.concatenate(edges))),
                                   (len(step), count)).tocsr()
    normal = difference.T @ sparse.diags(weight) @ difference + 1e-9 * weight.max() * sparse.identity(count)
    return splu(normal.tocsc()).solve(difference.T @ (weight * step))


def _set_zero(angle, shape, chosen, axis):
    """Put the zeros of one component's angle, strains and scale, in place, at their means, its strain across the axes."""
    shape[chosen] -= shape[chosen].mean(0)
    mean = np.angle(np.exp(1j * angle[chosen]).mean())
    if axis:
        along, across = shape[chosen, 0], shape[chosen, 1]
        direction = np.arctan2(2 * (along * across).sum(), (along**2 - across**2).sum()) / 2
        turn = (pi / 2 - direction) / 2
        turn -= pi / 2 * np.round((mean + turn) / (pi / 2))
        cos, sin = np.cos(2 * turn), np.sin(2 * turn)
        shape[chosen, :2] = np.stack([along * cos - across * sin, along * sin + across * cos], 1)
        angle[chosen] += turn
    else:
        angle[chosen] -= mean
