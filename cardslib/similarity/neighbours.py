"""Which images are alike, and by what turn and strain they differ: the similarity graph, before any model has seen them.

Two images of the same thing in nearly the same state differ, in the main, by a turn and a small strain.  So: find each image's
likely neighbours, however they are turned; register the pairs; and keep those that are the same after that.

Reddy & Chatterji, An FFT-based technique for translation, rotation, and scale-invariant image registration, 1996 (a turn is a
shift of the angle); Lucas & Kanade, An iterative image registration technique, 1981; Simard, LeCun & Denker, Efficient pattern
recognition using a new transformation distance, 1993 (a distance in which small strains do not count).
"""
from dataclasses import dataclass
from math import pi

import numpy as np
import torch
import torch.nn.functional as F

from cardslib.transforms import border_grey, centroid, crops, pixel_grid, rotation
from cardslib.validation import check_images

# The polar grid on which turned images are compared.  A crop is about 24 pixels across: so the rings are about a pixel
# apart, and the turns about a pixel on the outermost ring, 75 pixels round.
RINGS, TURNS = 12, 64
FINER = 4               # times finer are the turns that are tried: 1.4°, less than the registration corrects

NODES = 2000            # images that are compared with one another, which takes time as their square; the others join them
NEIGHBOURS = 8          # of a node: enough for one connected piece a suit, few enough that all of them are near
JOINS = 3               # nodes that another image joins: they vote on its group, and the mean of their poses is taken
AT_LEAST, TIMES = 24, 3  # candidates whose turns are found: three times as many as are kept, but no fewer than 24
ROUNDS = 2              # of registration: from the best turn on little is left, for neighbours a small strain

ROWS_AT_A_TIME = 512    # images that are compared with all nodes: bounds the memory, as the next one does
PAIRS_AT_A_TIME = 4096  # pairs that are registered, or pictures that are sampled


@dataclass(frozen=True)
class Pairs:
    """Registered pairs of images with nodes of the graph.

    neighbour  (images, count) int64: each image's neighbours, the nearest first, as positions among the nodes
    distance   (images, count): mean squared difference of grey values after the registration
    matrix     (images, count, 2, 2): carries the image onto the neighbour: neighbour(M p) ≈ image(p); None of spectra
    """

    neighbour: np.ndarray
    distance: np.ndarray
    matrix: np.ndarray | None


@dataclass(frozen=True)
class Graph:
    """The similarity graph of images.

    order   (images,) int64: the images in the order of this graph: first the nodes, then the others
    centre  (images, 2) half widths, in that order: what each image was turned about; None of spectra
    edges   `Pairs` of the nodes;  joins: `Pairs` of the others with nodes, None if there are no others
    """

    order: np.ndarray
    centre: np.ndarray | None
    edges: Pairs
    joins: Pairs | None

    def restored(self, values):
        """Values in the order of the graph → in the order of the images."""
        back = np.empty_like(values)
        back[self.order] = values
        return back


def similarity_graph(images, turn=True, recentre=False, candidates=1, first=None):
    """The similarity `Graph` of images (n, h, w) in [0, 1], n ≥ 2; ValueError for anything else.

    turn        compare the images however they are turned; else as they stand (a pair's turn is then a small one)
    recentre    compare them about the centroid of their light, not about the middle of the picture
    candidates  times as many pairs of nodes are registered as are kept: more tell images of different things apart better
    first       (n,) bool: the images that are to be nodes before others are; the rest are drawn by lot
    """
    if getattr(images, "ndim", 3) == 2:
        raise ValueError(f"images must be (n, height, width); got {tuple(images.shape)}: use images[None] if it is one image; "
                         "spectra have no orientation, and are compared by spectra_graph(spectra)")
    images = torch.from_numpy(check_images(images))
    if len(images) < 2:
        raise ValueError("images must be at least two, to be compared with one another; got one")
    order, nodes = node_order(len(images), first)
    images = images[order]
    centre = centroid(images) if recentre else torch.zeros(len(images), 2)
    pictures = crops(images - border_grey(images), centre)   # as black as what lies beyond their edge
    rings = _rings(pictures)         # sharp, to tell neighbours from lookalikes;
    pictures = _smooth(pictures)     # smooth, to register them: pixels then draw no picture towards their own grid
    joins = None
    of_nodes = pictures[:nodes], rings[:nodes]
    edges = _pairs(*of_nodes, *of_nodes, NEIGHBOURS, turn, candidates, skip_self=True)
    if nodes < len(images):
        joins = _pairs(pictures[nodes:], rings[nodes:], *of_nodes, JOINS, turn)
    return Graph(order, centre.numpy(), edges, joins)


def node_order(count, first=None):
    """An order of `count` images in which nodes come first, those marked in `first` (count,) before others; how many nodes."""
    order = np.random.default_rng(0).permutation(count)
    if first is not None:
        order = order[np.argsort(~first[order], kind="stable")]
    return order, min(NODES, count)


def _pairs(pictures, rings, others, their_rings, count, turn, candidates=1, skip_self=False):
    """`Pairs` of pictures (n, side, side) with the `count` others that are most alike, of so many candidates each."""
    nearest = _nearest_turned if turn else _nearest_upright
    likely, angle = nearest(rings, their_rings, min(candidates * count, len(others) - skip_self), skip_self)
    matrix, distance = _registered(pictures, others, likely, angle)
    distance, best = distance.topk(min(count, likely.shape[1]), largest=False)
    matrix = matrix.gather(1, best[..., None, None].expand(-1, -1, 2, 2))
    return Pairs(likely.gather(1, best).numpy(), distance.double().numpy(), matrix.double().numpy())


# ---------------------------------------------------------------------- likely neighbours

def _rings(pictures):
    """Fourier series of square pictures around each of their rings: (n, side, side) → (n, RINGS, TURNS / 2 + 1), complex.

    A turn is a phase in them, so all turns of two pictures are compared at once, and their moduli do not know of it.
    """
    radius = (torch.arange(RINGS) + 0.5)[:, None] / RINGS
    turn = torch.arange(TURNS) * (2 * pi / TURNS)
    grid = torch.stack([radius * turn.cos(), -radius * turn.sin()], -1)           # (RINGS, TURNS, 2)
    on_rings = torch.cat([F.grid_sample(part[:, None], grid.expand(len(part), -1, -1, -1), align_corners=False)[:, 0]
                          for part in pictures.split(PAIRS_AT_A_TIME)])           # (n, RINGS, TURNS)
    return torch.fft.rfft(on_rings * radius.sqrt(), norm="ortho")                 # √r: an equal weight for equal areas


def _nearest_upright(rings, others, count, skip_self):
    """For each picture its `count` nearest others as they stand, and the angle to each, which is zero: (n, count) both."""
    nearest = closest(torch.view_as_real(rings), torch.view_as_real(others), count, skip_self)
    return nearest, torch.zeros(nearest.shape)


def _nearest_turned(rings, others, count, skip_self):
    """For each picture its `count` nearest others however they are turned, and the angle to each: (n, count) both.

    A turn leaves the moduli of a Fourier series as they are, so no turn brings two pictures nearer than their moduli are:
    the nearest are sought among those whose moduli are near, at every turn.
    """
    candidates = closest(rings.abs(), others.abs(), min(max(TIMES * count, AT_LEAST), len(others) - skip_self), skip_self)
    distance, angle = _best_turns(rings, others, candidates)
    best = distance.topk(count, largest=False).indices
    return candidates.gather(1, best), angle.gather(1, best)


def closest(features, others, count, skip_self):
    """The `count` others (m, …) whose features are nearest to those of each of n, as indices (n, count)."""
    features, others = features.flatten(1), others.flatten(1)
    found = []
    for rows in torch.arange(len(features)).split(ROWS_AT_A_TIME):
        distance = (others**2).sum(1) - 2 * features[rows] @ others.T             # less |features|², the same in a row
        if skip_self:
            distance[torch.arange(len(rows)), rows] = torch.inf
        found.append(distance.topk(count, largest=False).indices)
    return torch.cat(found)


def _best_turns(rings, others, candidates):
    """Distance at the best of all turns from each picture to its candidates (n, k), and the angle of that turn: (n, k) both.

    |a - b|² = |a|² + |b|² - 2 a·b, and the products a·b at all turns of b are one inverse Fourier transform of conj(a) b (the
    shift theorem); filled up with zeros it interpolates between the TURNS on the rings.  |a|², the same in a row, is left out.
    """
    power = others.abs().pow(2).sum(1)                                            # (m, TURNS / 2 + 1)
    squared_norm = 2 * power.sum(1) - power[:, 0] - power[:, -1]   # the terms between the first and the last stand for two
    found = []
    for rows in torch.arange(len(rings)).split(ROWS_AT_A_TIME):
        there = candidates[rows]
        spectrum = (rings[rows].conj()[:, None] * others[there]).sum(2)           # (rows, k, TURNS / 2 + 1)
        product, step = torch.fft.irfft(spectrum, n=FINER * TURNS, norm="forward").max(2)
        found.append((squared_norm[there] - 2 * product, step * (2 * pi / TURNS / FINER)))
    return [torch.cat(parts) for parts in zip(*found)]


# ---------------------------------------------------------------------- registration

def _smooth(pictures):
    """A binomial blur of one pixel: registered without it, images that differ by a few degrees come out too close."""
    for axis in (1, 2):
        ahead, behind = pictures.roll(-1, axis), pictures.roll(1, axis)
        pictures = (ahead + 2 * pictures + behind) / 4
    return pictures


def _registered(pictures, others, likely, angle):
    """Each picture registered with its likely neighbours (n, k), from an angle on: matrix M (n, k, 2, 2), and what is left.

    An affine motion carries a picture onto its neighbour, neighbour(M p + shift) ≈ picture(p): Lucas & Kanade's method.
    """
    own = torch.arange(len(pictures))[:, None].expand_as(likely)
    found = []
    for one, other, start in zip(*(values.flatten().split(PAIRS_AT_A_TIME) for values in (own, likely, angle))):
        picture, neighbour = pictures[one], others[other]
        matrix, shift = rotation(start), torch.zeros(len(one), 1, 2)
        for _ in range(ROUNDS):
            moved = _sampled(neighbour, matrix, shift)
            flow = _linear_flow((picture + moved) / 2, moved - picture)
            shift = shift + (matrix @ flow[:, 4:, None]).mT
            matrix = matrix + matrix @ flow[:, :4].reshape(-1, 2, 2)
        found.append((matrix, (_sampled(neighbour, matrix, shift) - picture).pow(2).mean((1, 2))))
    return [torch.cat(parts).unflatten(0, likely.shape) for parts in zip(*found)]


def _sampled(pictures, matrix, shift):
    """Pictures (n, side, side) as they look through a motion: picture(M p + shift) at every pixel p."""
    side = pictures.shape[-1]
    points = pixel_grid(side, side).reshape(-1, 2) @ matrix.mT + shift            # (n, side², 2)
    return F.grid_sample(pictures[:, None], points.reshape(-1, side, side, 2), align_corners=False)[:, 0]


def _linear_flow(pictures, change):
    """The linear motion that undoes a change best: (n, side, side) twice → (n, 6).

    change(p) ≈ -∇picture(p) · (A p + b) with A = [[a₀, a₁], [a₂, a₃]], b = [a₄, a₅], by least squares (Lucas & Kanade).
    """
    side = pictures.shape[-1]
    x, y = pixel_grid(side, side)[1:-1, 1:-1].unbind(-1)
    along_x = (pictures[:, 1:-1, 2:] - pictures[:, 1:-1, :-2]) * (side / 4)       # two pixels are 4 / side half widths
    along_y = (pictures[:, 2:, 1:-1] - pictures[:, :-2, 1:-1]) * (side / 4)
    motions = -torch.stack([along_x * x, along_x * y, along_y * x, along_y * y, along_x, along_y], 1).flatten(2)
    normal = motions @ motions.mT                                                 # (n, 6, 6)
    damping = 1e-3 * normal.diagonal(dim1=1, dim2=2) + 1e-6   # Levenberg & Marquardt's: a motion that nothing shows is none
    return torch.linalg.solve(normal + torch.diag_embed(damping), motions @ change[:, 1:-1, 1:-1].flatten(1)[..., None])[..., 0]
