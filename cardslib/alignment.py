"""Which way up?  Images aligned with one another before any model has seen them: parallel transport between neighbours.

Two images of the same thing in nearly the same state differ, in the main, by a turn.  So: find each image's nearest others,
however they are turned; register the pairs; add the turns up along the graph of neighbours.  One sentence fixes what "the
same orientation" means for pictures that also change their shape: *from neighbour to neighbour a picture may be strained, but
a strain is no turn* (the polar decomposition of continuum mechanics).

Singer & Wu, Vector diffusion maps and the connection Laplacian, Comm. Pure Appl. Math. 65, 2012 (turns on a graph);
Lucas & Kanade, An iterative image registration technique, IJCAI 1981.
"""
from dataclasses import dataclass, fields
from math import pi

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree
from scipy.sparse.linalg import splu

from cardslib.checks import check_images
from cardslib.views import border, middle, pixels, views

RINGS, TURNS = 12, 64   # of the polar grid on which turned images are compared
GRAPH = 2000            # images in the graph; every other image joins its nearest ones there
NEIGHBOURS = 8          # of an image in the graph
CHUNK = 4096            # pairs that are registered at a time
SYMMETRIC = 0.35        # radians: a pair that disagrees by more looks at different ones of a picture's symmetric copies


@dataclass(frozen=True)
class Alignment:
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

    def __len__(self):
        return len(self.angle)

    def __getitem__(self, which):
        return Alignment(*(getattr(self, field.name)[which] for field in fields(self)))

    def tensors(self, device):
        """The same as tensors, the reals as float32, on a device."""
        return Alignment(*(torch.from_numpy(values.astype(np.float32 if values.dtype.kind == "f" else np.int64)).to(device)
                           for values in (getattr(self, field.name) for field in fields(self))))


def align(images, recentre=False, axis=False):
    """`Alignment` of images (n, h, w) in [0, 1], n ≥ 2.

    recentre  turn each image about the middle of its light, not about the middle of the picture
    axis      choose the zero of the angle such that the shear is `geometry.strain(shear)` of the picture at zero
    """
    images = torch.from_numpy(check_images(images))
    if len(images) < 2:
        raise ValueError("images must be at least two, to be aligned with one another; got one")
    centre = middle(images) if recentre else torch.zeros(len(images), 2)
    pictures = views(images - border(images), centre)   # as black as what lies beyond their edge
    rings = _rings(pictures)   # sharp, to tell neighbours from lookalikes;
    pictures = _smooth(pictures)   # smooth, to register them: pixels then draw no picture towards their own grid
    known = min(GRAPH, len(images))

    # the graph: a tree for the angles' whole turns and symmetric copies, then least squares over all its edges
    second, distance, turn = _nearest(rings[:known], rings[:known], NEIGHBOURS, skip_self=True)
    first = torch.arange(known)[:, None].expand_as(second)
    step, strain = _polar(_register(pictures, first, second, turn))
    edges, weight = (first.flatten().numpy(), second.flatten().numpy()), 1 / (distance + np.median(distance) + 1e-6)
    angle, component = _along_tree(edges, distance, step, known)
    for _ in range(3):
        off = _wrapped(angle[edges[1]] - angle[edges[0]] - step)
        agreeing = weight * (np.abs(off) < SYMMETRIC)
        angle = angle - _least_squares(edges, off, agreeing, known)
    shape = np.stack([_least_squares(edges, part, agreeing, known) for part in _in_frame(strain, angle[edges[0]]).T], 1)

    # the other images: the pose of the nearest in the graph, moved on by the step from it
    if known < len(images):
        second, distance, turn = _nearest(rings[known:], rings[:known], 3)
        first = torch.arange(known, len(images))[:, None].expand_as(second)
        step, strain = _polar(_register(pictures, first, second, turn))
        second = second.numpy()
        joined = (angle[second.ravel()] - step).reshape(second.shape)
        off = _wrapped(joined - joined[:, :1])
        same = np.abs(off) < SYMMETRIC
        joined = joined[:, 0] + (off * same).sum(1) / same.sum(1)
        moved = shape[second] - _in_frame(strain, np.repeat(joined, second.shape[1])).reshape(*second.shape, 3)
        angle = np.concatenate([angle, joined])
        shape = np.concatenate([shape, (moved * same[..., None]).sum(1) / same.sum(1)[:, None]])
        component = np.concatenate([component, component[second[:, 0]]])
    for one in range(component.max() + 1):
        _set_zero(angle, shape, component == one, axis)
    return Alignment(_wrapped(angle), np.arctan(-shape[:, 1]), shape[:, 2], centre.numpy(), component)


# ---------------------------------------------------------------------- pictures

def _rings(pictures):
    """Fourier series of square pictures around each of their rings: (n, side, side) → (n, RINGS, TURNS / 2 + 1), complex.

    A turn is a phase in them, so all turns of two pictures are compared at once, and their moduli do not know of it.
    """
    radius = (torch.arange(RINGS) + 0.5)[:, None] / RINGS
    turn = torch.arange(TURNS) * (2 * pi / TURNS)
    grid = torch.stack([radius * turn.cos(), -radius * turn.sin()], -1)           # (RINGS, TURNS, 2)
    on_rings = torch.cat([F.grid_sample(part[:, None], grid.expand(len(part), -1, -1, -1), align_corners=False)[:, 0]
                          for part in pictures.split(CHUNK)])
    return torch.fft.rfft(on_rings * radius.sqrt(), norm="ortho")                 # √r: an equal weight for equal areas


def _smooth(pictures):
    """A binomial blur of one pixel: registered without it, images that differ by a few degrees come out too close."""
    for axis in (1, 2):
        ahead, behind = pictures.roll(-1, axis), pictures.roll(1, axis)
        pictures = (ahead + 2 * pictures + behind) / 4
    return pictures


def _nearest(rings, others, count, skip_self=False, candidates=24, finer=4):
    """For each image its `count` nearest others however they are turned: index, squared distance (flat), turn, (n, count).

    Candidates are those whose moduli are near; among them the distance is exact up to the step of the turns.
    """
    count = min(count, len(others) - skip_self)
    candidates = min(max(candidates, count), len(others) - skip_self)
    moduli, their_moduli = rings.abs().flatten(1), others.abs().flatten(1)
    norm, their_norm = _squared_norm(rings), _squared_norm(others)
    found = []
    for part in torch.arange(len(rings)).split(512):
        apart = (their_moduli**2).sum(1) - 2 * moduli[part] @ their_moduli.T
        if skip_self:
            apart[torch.arange(len(part)), part] = torch.inf
        index = apart.topk(candidates, largest=False).indices
        products = (rings[part].conj()[:, None] * others[index]).sum(2)           # (part, candidates, TURNS / 2 + 1)
        match, turn = torch.fft.irfft(products, n=finer * TURNS, norm="forward").mul(1 / TURNS).max(2)
        distance = norm[part, None] + their_norm[index] - 2 * TURNS * match
        distance, best = distance.topk(count, largest=False)
        found.append((index.gather(1, best), distance, turn.gather(1, best) * (2 * pi / TURNS / finer)))
    index, distance, turn = (torch.cat(parts) for parts in zip(*found))
    return index, distance.clamp_min(0).flatten().double().numpy(), turn.float()


def _squared_norm(rings):
    """Squared length of pictures given by their Fourier series: the terms between the first and the last stand for two."""
    power = rings.abs().pow(2).sum(1)
    return 2 * power.sum(1) - power[:, 0] - power[:, -1]


def _register(pictures, first, second, turn, rounds=2):
    """The matrix M, (pairs, 2, 2), that carries each first picture onto the second: second(M p) ≈ first(p), from a turn on."""
    side = pictures.shape[-1]
    grid = pixels(side, side).reshape(-1, 2)                                           # (side², 2)
    matrices = []
    for part in torch.arange(first.numel()).split(CHUNK):
        one, other = pictures[first.flatten()[part]], pictures[second.flatten()[part]]
        angle = turn.flatten()[part]
        matrix = torch.stack([angle.cos(), angle.sin(), -angle.sin(), angle.cos()], 1).reshape(-1, 2, 2)
        shift = torch.zeros(len(part), 1, 2)
        for _ in range(rounds):
            points = grid @ matrix.mT + shift
            seen = F.grid_sample(other[:, None], points.reshape(-1, side, side, 2), align_corners=False)[:, 0]
            flow = _linear_flow((one + seen) / 2, seen - one)
            shift = shift + (matrix @ flow[:, 4:, None]).mT
            matrix = matrix + matrix @ flow[:, :4].reshape(-1, 2, 2)
        matrices.append(matrix)
    return torch.cat(matrices)


def _linear_flow(pictures, change):
    """The linear motion that explains a change best: (n, side, side) twice → (n, 6).

    change(p) ≈ ∇picture(p) · (A p + b) with A = [[a₀, a₁], [a₂, a₃]], b = [a₄, a₅], by least squares (Lucas & Kanade).
    """
    side = pictures.shape[-1]
    x, y = pixels(side, side)[1:-1, 1:-1].unbind(-1)
    along_x = (pictures[:, 1:-1, 2:] - pictures[:, 1:-1, :-2]) * (side / 4)
    along_y = (pictures[:, 2:, 1:-1] - pictures[:, :-2, 1:-1]) * (side / 4)
    motions = -torch.stack([along_x * x, along_x * y, along_y * x, along_y * y, along_x, along_y], 1).flatten(2)
    normal = motions @ motions.mT                                                 # (n, 6, 6)
    damping = 1e-3 * normal.diagonal(dim1=1, dim2=2) + 1e-6
    return torch.linalg.solve(normal + torch.diag_embed(damping), motions @ change[:, 1:-1, 1:-1].flatten(1)[..., None])[..., 0]


# ---------------------------------------------------------------------- turns and strains on the graph

def _polar(matrix):
    """Polar decomposition M = rotation(step) · stretch, as arrays: step (pairs,) radians, stretch - 1 (pairs, 2, 2)."""
    matrix = matrix.double().numpy()
    step = np.arctan2(matrix[:, 0, 1] - matrix[:, 1, 0], matrix[:, 0, 0] + matrix[:, 1, 1])
    return step, _rotation(step).mT @ matrix - np.eye(2)


def _in_frame(strain, angle):
    """Strains seen in a picture turned back by its angle, (pairs, 3): along the axes, across them (at 45°), all round."""
    turned = _rotation(angle).mT @ strain @ _rotation(angle)
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


def _rotation(angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)


def _wrapped(angle):
    """The same angles within ±π."""
    return np.mod(angle + pi, 2 * pi) - pi
