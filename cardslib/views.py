"""How images are looked at before anything is known of their pose: about the middle of their light, small, turned about."""
from math import pi

import torch
import torch.nn.functional as F

SIDE = 24      # pixels across to which larger images are averaged down
CHUNK = 4096   # views that are cut at a time: bounds the memory


def pixels(height, width, device=None):
    """Middles of an image's pixels in half widths, (height, width, 2): x from -1 to 1, y as far as the height goes."""
    x = ((torch.arange(width, device=device) * 2 + 1) - width) / width
    y = ((torch.arange(height, device=device) * 2 + 1) - height) / width
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def border(images):
    """The border's grey of images (n, h, w), its median, (n, 1, 1)."""
    return torch.cat([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1).median(1).values[:, None, None]


def middle(images):
    """Middle of the light of images (n, h, w), (n, 2) in half widths: the centroid of what differs from the border's grey."""
    light = (images - border(images)).abs()
    where, total = pixels(*images.shape[1:], images.device), light.sum((1, 2)).clamp_min(1e-6)
    return torch.stack([light.sum(1) @ where[0, :, 0], light.sum(2) @ where[:, 0, 1]], 1) / total[:, None]


def views(images, centre=None):
    """The largest upright square of each image about its centre (n, 2), averaged down: (n, h, w) → (n, side, side)."""
    n, height, width = images.shape
    square = min(height, width)
    pool = max(1, round(square / SIDE))
    side = view_side(height, width)
    pooled = F.adaptive_avg_pool2d(images[:, None], (height // pool, width // pool))   # of the whole image, whatever its size
    if centre is None and pooled.shape[-2:] == (side, side):
        return pooled[:, 0]
    unit = torch.tensor([1, width / height], device=images.device)               # half widths → the units of grid_sample
    grid = pixels(side, side, images.device) * (square / width)
    grid = (grid + (torch.zeros(n, 2, device=images.device) if centre is None else centre)[:, None, None]) * unit
    return torch.cat([F.grid_sample(pooled[part], grid[part], align_corners=False, padding_mode="border")[:, 0]
                      for part in torch.arange(n).split(CHUNK)])


def view_side(height, width):
    """Pixels across a view of images of this size."""
    square = min(height, width)
    return square // max(1, round(square / SIDE))


def turned(pictures, angles):
    """Square pictures turned *back* by each of the angles, cut round: (n, side, side), (k,) → (n, k, side·side)."""
    side = pictures.shape[-1]
    points = pixels(side, side, pictures.device).reshape(-1, 2)                  # (side², 2)
    cos, sin = angles.cos(), angles.sin()
    matrix = torch.stack([cos, sin, -sin, cos], 1).reshape(-1, 2, 2)             # geometry.rotation
    grid = points @ matrix.mT                                                    # (k, side², 2)
    seen = F.grid_sample(pictures[None], grid[None], align_corners=False)[0]     # the images as channels: (n, k, side²)
    return seen * (points.norm(dim=1) < 1)


def orientations(count, device=None):
    """`count` angles that divide the circle, (count,), within ±π, zero first."""
    angles = torch.arange(count, device=device) * (2 * pi / count)
    return torch.remainder(angles + pi, 2 * pi) - pi
