"""The four suits as vector outlines: drawn here, so no font of the user's machine can change them.

Control points are (x, y) with y down, in a box of about -1 … 1.  A shape symmetric about the vertical is given by its
right half.  Overlapping parts (the lobes of the club) all run in the same sense and are filled together.
"""
from functools import cache

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

REACH = 0.55   # no point of a suit lies further from its centre, in half widths of the picture


def _mirrored(right_half):
    """A closed curve of cubic Béziers from its right half: (1 + 3k, 2) points from one end of the axis to the other."""
    right_half = np.array(right_half, float)
    left_half = right_half[-2::-1] * (-1, 1)
    points = np.concatenate([right_half, left_half])
    return Path(points, [Path.MOVETO] + [Path.CURVE4] * (len(points) - 1))


def _heart():
    return _mirrored([(0, -0.50), (0.14, -1.02), (1.00, -0.98), (0.98, -0.34), (0.96, 0.12), (0.34, 0.42), (0, 1.0)])


def _stem():
    return _mirrored([(0, 0.1), (0.06, 0.1), (0.06, 0.1), (0.06, 0.1), (0.07, 0.70), (0.16, 0.86), (0.44, 1.0),
                      (0.2, 1.0), (0.2, 1.0), (0, 1.0)])


def _spade():
    """The heart upside down, a little flatter, on a stem: the similarity that the lecture is about."""
    upside_down = _heart().transformed(Affine2D().rotate_deg(180).scale(1, 0.88).translate(0, -0.12))
    return Path.make_compound_path(upside_down, _stem())


def _club():
    """Three equal lobes 120° apart, a small disc that fills the gap between them, and the spade's stem."""
    towards = np.radians([-90, 30, 150])
    lobes = [Path.circle((0.50 * np.cos(a), 0.50 * np.sin(a) - 0.08), 0.40) for a in towards]
    return Path.make_compound_path(*lobes, Path.circle((0, -0.08), 0.2), _stem())


def _diamond():
    corners = [(0, -1), (0.74, 0), (0, 1), (-0.74, 0), (0, -1)]
    return Path(corners, [Path.MOVETO] + [Path.LINETO] * 3 + [Path.CLOSEPOLY])


_DRAWN = {"club": _club, "spade": _spade, "heart": _heart, "diamond": _diamond}


def draw(path, matrices, shifts, size):
    """Antialiased pictures of one outline in many poses, (n, size, size) uint8: how much of each pixel it covers, of 255.

    path              matplotlib Path, in half widths, y down
    matrices, shifts  (n, 2, 2) and (n, 2): each point p goes to matrix @ p + shift
    size              pixels along an edge

    Drawn by Agg, matplotlib's rasteriser, with integer arithmetic: the same picture on every machine.
    """
    renderer = RendererAgg(size, size, dpi=72)
    pen = renderer.new_gc()
    pen.set_linewidth(0)
    pen.set_snap(False)
    pictures = np.empty((len(matrices), size, size), np.uint8)
    half = size / 2
    for picture, ((a, b), (c, d)), (x, y) in zip(pictures, matrices, shifts):
        renderer.clear()
        # half widths from the middle → pixels from the lower left corner, for Agg's own y runs up
        to_pixels = Affine2D.from_values(half * a, -half * c, half * b, -half * d, half * (1 + x), half * (1 - y))
        renderer.draw_path(pen, path, to_pixels, (1.0, 1.0, 1.0))
        picture[:] = np.asarray(renderer.buffer_rgba())[..., 3]
    return pictures


@cache
def outline(suit):
    """Outline of a suit (matplotlib Path, y down), its centroid at (0, 0), its furthest point at `REACH` half widths."""
    path = _DRAWN[suit]()
    centroid = _centroid(path)
    furthest = max(np.hypot(*(part - centroid).T).max() for part in path.to_polygons())
    return path.transformed(Affine2D().translate(*-centroid).scale(REACH / furthest))


def _centroid(path, size=800, scale=0.8):
    """Centroid (x, y) of an outline's area, off a large picture of it: its parts overlap, and each counts once.

    Smaller by `scale`, so that no part of a suit lies outside the picture.
    """
    picture = draw(path, np.eye(2)[None] * scale, np.zeros((1, 2)), size)[0].astype(float)
    middles = (np.arange(size) + 0.5) / (size / 2) - 1                               # of the pixels, half widths
    return np.array([picture.sum(0) @ middles, picture.sum(1) @ middles]) / picture.sum() / scale
