"""Which images are alike, and by what turn and strain they differ: the graph of neighbours, before any model has seen them.

Two images of the same thing in nearly the same state differ, in the main, by a turn and a small strain.  So: find each image's
likeliest neighbours, however they are turned; register the pairs; and keep those that are the same after that.

Lucas & Kanade, An iterative image registration technique, IJCAI 1981; Simard, LeCun & Denker, Efficient pattern recognition
using a new transformation distance, 1993 (a distance that small strains do not count in).
"""
from dataclasses import dataclass
from math import pi

import numpy as np
import torch
import torch.nn.functional as F

from cardslib.transforms import border_grey, centroid, crops, pixel_grid, rotation
from cardslib.validation import check_images

RINGS, TURNS = 12, 64   # of the polar grid on which turned images are compared
NODES = 2000            # images in the graph; every other image joins its nearest ones there
NEIGHBOURS = 8          # of a node
JOINS = 3               # nodes that another image joins
LIKELY = 24             # images, or three times as many as are kept, whose turns are found
CHUNK = 4096            # pairs that are registered at a time


@dataclass(frozen=True)
class Pairs:
    """Registered pairs of images.

    second    (images, count) int64: each image's neighbours, as positions among the nodes
    distance  (images, count): mean squared difference of grey values after the registration
    matrix    (images, count, 2, 2): carries the image onto the neighbour: neighbour(M p) ≈ image(p)
    """

    second: np.ndarray
    distance: np.ndarray
    matrix: np.ndarray


@dataclass(frozen=True)
class Graph:
    """Neighbours among images.

    order   (images,) int64: the images in the order of this graph: first the nodes, then the others
    centre  (images, 2) half widths, in that order: what each image was turned about
    edges   `Pairs` of the nodes;  joins: `Pairs` of the others with nodes, None if there are no others
    """

    order: np.ndarray
    centre: np.ndarray
    edges: Pairs
    joins: Pairs | None

    def restored(self, values):
        """Values in the order of the graph → in the order of the images."""
        back = np.empty_like(values)
        back[self.order] = values
        return back


def similarity_graph(images, turn=True, recentre=False, candidates=1, first=None):
    """The `Graph` of images (n, h, w) in [0, 1], n ≥ 2.

    turn        compare the images however they are turned; else as they stand (a pair's turn is then a small one)
    recentre    compare them about the middle of their light, not about the middle of the picture
    candidates  times as many pairs of nodes are registered as are kept: more tell kinds of images apart better
    first       (n,) bool: the images that are to be nodes before others are; the rest are drawn by lot
    """
    images = torch.from_numpy(check_images(images))
    if len(images) < 2:
        raise ValueError("images must be at least two, to be compared with one another; got one")
    lot = np.random.default_rng(0).permutation(len(images))
    order = lot if first is None else lot[np.argsort(~first[lot], kind="stable")]
    images, nodes = images[order], min(NODES, len(images))
    centre = centroid(images) if recentre else torch.zeros(len(images), 2)
    pictures = crops(images - border_grey(images), centre)   # as black as what lies beyond their edge
    rings = _rings(pictures)         # sharp, to tell neighbours from lookalikes;
    pictures = _smooth(pictures)     # smooth, to register them: pixels then draw no picture towards their own grid
    joins = None
    edges = _pairs(pictures[:nodes], rings[:nodes], pictures, rings[:nodes], NEIGHBOURS, turn, candidates, skip_self=True)
    if nodes < len(images):
        joins = _pairs(pictures[nodes:], rings[nodes:], pictures, rings[:nodes], JOINS, turn)
    return Graph(order, centre.numpy(), edges, joins)


def _pairs(pictures, rings, others, their_rings, count, turn, candidates=1, skip_self=False):
    """`Pairs` of pictures (n, side, side) with the `count` others that are most alike, of so many candidates each."""
    likely, angle = _nearest(rings, their_rings, candidates * count, turn, skip_self)
    first = torch.arange(len(pictures))[:, None].expand_as(likely)
    matrix, distance = _register(pictures[first.flatten()], others[likely.flatten()], angle.flatten())
    distance, best = distance.reshape(likely.shape).topk(min(count, likely.shape[1]), largest=False)
    matrix = matrix.reshape(*likely.shape, 2, 2).gather(1, best[..., None, None].expand(-1, -1, 2, 2))
    return Pairs(likely.gather(1, best).numpy(), distance.double().numpy(), matrix.double().numpy())


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


def _nearest(rings, others, count, turn, skip_self=False, finer=4):
    """For each image its `count` nearest others and the turn to each, (n, count) both; zero if they are compared as they stand.

    However they are turned: the nearest are sought among three times as many whose moduli are near; there the distance is
    exact up to the step of the turns.
    """
    most = len(others) - skip_self
    count = min(count, most)
    wanted = min(max(3 * count, LIKELY), most) if turn else count
    told, theirs = (rings.abs(), others.abs()) if turn else (torch.view_as_real(rings), torch.view_as_real(others))
    told, theirs = told.flatten(1), theirs.flatten(1)
    their_norm = _squared_norm(others)
    found = []
    for part in torch.arange(len(rings)).split(512):
        apart = (theirs**2).sum(1) - 2 * told[part] @ theirs.T
        if skip_self:
            apart[torch.arange(len(part)), part] = torch.inf
        index = apart.topk(wanted, largest=False).indices
        if not turn:
            found.append((index, torch.zeros(index.shape)))
            continue
        products = (rings[part].conj()[:, None] * others[index]).sum(2)           # (part, wanted, TURNS / 2 + 1)
        match, step = torch.fft.irfft(products, n=finer * TURNS, norm="forward").mul(1 / TURNS).max(2)
        best = (their_norm[index] - 2 * TURNS * match).topk(count, largest=False).indices
        found.append((index.gather(1, best), step.gather(1, best) * (2 * pi / TURNS / finer)))
    index, angle = (torch.cat(parts) for parts in zip(*found))
    return index, angle


def _squared_norm(rings):
    """Squared length of pictures given by their Fourier series: the terms between the first and the last stand for two."""
    power = rings.abs().pow(2).sum(1)
    return 2 * power.sum(1) - power[:, 0] - power[:, -1]


def _register(one, other, turn, rounds=2):
    """Matrices M (pairs, 2, 2) that carry pictures onto others, other(M p) ≈ one(p), from a turn on; and what is left over."""
    side = one.shape[-1]
    grid = pixel_grid(side, side).reshape(-1, 2)                                           # (side², 2)
    matrices, distances = [], []
    for part in torch.arange(len(one)).split(CHUNK):
        here, there, angle = one[part], other[part][:, None], turn[part]
        matrix = rotation(angle)
        shift = torch.zeros(len(part), 1, 2)

        def seen(matrix=matrix, shift=shift, there=there):
            points = grid @ matrix.mT + shift
            return F.grid_sample(there, points.reshape(-1, side, side, 2), align_corners=False)[:, 0]

        for _ in range(rounds):
            picture = seen(matrix, shift)
            flow = _linear_flow((here + picture) / 2, picture - here)
            shift = shift + (matrix @ flow[:, 4:, None]).mT
            matrix = matrix + matrix @ flow[:, :4].reshape(-1, 2, 2)
        matrices.append(matrix)
        distances.append((seen(matrix, shift) - here).pow(2).mean((1, 2)))
    return torch.cat(matrices), torch.cat(distances)


def _linear_flow(pictures, change):
    """The linear motion that explains a change best: (n, side, side) twice → (n, 6).

    change(p) ≈ ∇picture(p) · (A p + b) with A = [[a₀, a₁], [a₂, a₃]], b = [a₄, a₅], by least squares (Lucas & Kanade).
    """
    side = pictures.shape[-1]
    x, y = pixel_grid(side, side)[1:-1, 1:-1].unbind(-1)
    along_x = (pictures[:, 1:-1, 2:] - pictures[:, 1:-1, :-2]) * (side / 4)
    along_y = (pictures[:, 2:, 1:-1] - pictures[:, :-2, 1:-1]) * (side / 4)
    motions = -torch.stack([along_x * x, along_x * y, along_y * x, along_y * y, along_x, along_y], 1).flatten(2)
    normal = motions @ motions.mT                                                 # (n, 6, 6)
    damping = 1e-3 * normal.diagonal(dim1=1, dim2=2) + 1e-6
    return torch.linalg.solve(normal + torch.diag_embed(damping), motions @ change[:, 1:-1, 1:-1].flatten(1)[..., None])[..., 0]
