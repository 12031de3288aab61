"""The conventions of geometry.py on tensors: pixel grids, crops, rotated copies, and the way to the canonical picture.

Points are (x, y) in half widths of the image, x to the right, y down.
"""
from math import pi

import torch
import torch.nn.functional as F

from cardslib.geometry import wrap

CROP = 24        # pixels across to which larger crops are averaged down
CROPS = 4096     # that are cut at a time: bounds the memory
STEEPEST = 1.2   # radians of shear: beyond, near a right angle, the tangent knows no bounds


def pixel_grid(height, width, device=None):
    """Middles of an image's pixels in half widths, (height, width, 2): x from -1 to 1, y as far as the height goes."""
    x = ((torch.arange(width, device=device) * 2 + 1) - width) / width
    y = ((torch.arange(height, device=device) * 2 + 1) - height) / width
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def rotation(angle):
    """Matrices that turn points counter-clockwise on the screen, as `geometry.rotation`: (...,) → (..., 2, 2)."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, sin, -sin, cos], -1).unflatten(-1, (2, 2))


def to_canonical(points, pose):
    """Where in the canonical picture each point of the image lies: (p, 2) → (n, p, 2).

    The inverse of rotation(angle) @ strain(shear) @ p · exp(scale) + shift (geometry.py).

    pose  `Latents`, or whatever has a length n and the fields angle, scale, shear (n,) and shift (n, 2), None where zero; a
          shift (n, 1) is along x: that of spectra, whose points all lie at y = 0
    """
    matrix = torch.eye(2).to(points).expand(len(pose), 2, 2) if pose.angle is None else rotation(-pose.angle)
    if pose.shear is not None:
        t = pose.shear.clamp(-STEEPEST, STEEPEST).tan()
        unstrain = torch.stack([1 + t**2, t, t, torch.ones_like(t)], -1).unflatten(-1, (2, 2))   # inverse of geometry.strain
        matrix = (unstrain[..., None] * matrix[:, None]).sum(2)                   # Σⱼ Aᵢⱼ Bⱼₖ: (n, 2, 2)
    if pose.scale is not None:
        matrix = matrix * (-pose.scale).exp()[:, None, None]
    shift = torch.zeros_like(matrix[..., 0]) if pose.shift is None else F.pad(pose.shift, (0, 2 - pose.shift.shape[1]))
    offset = -(matrix * shift[:, None]).sum(2)
    affine = torch.cat([matrix, offset[..., None]], 2)                            # (n, 2, 3)
    homogeneous = torch.cat([points.T, torch.ones_like(points.T[:1])])           # (3, p)
    return torch.stack([affine[:, 0] @ homogeneous, affine[:, 1] @ homogeneous], -1)   # (n, 3) @ (3, p) twice → (n, p, 2)


# ---------------------------------------------------------------------- an image before anything is known of its pose

def border_grey(images):
    """The border's grey of images (n, h, w), its median, (n, 1, 1)."""
    return torch.cat([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1).median(1).values[:, None, None]


def centroid(images):
    """Centroid of the light of images (n, h, w), (n, 2) in half widths; light is what differs from the border's grey."""
    light = (images - border_grey(images)).abs()
    grid, total = pixel_grid(*images.shape[1:], images.device), light.sum((1, 2)).clamp_min(1e-6)
    return torch.stack([light.sum(1) @ grid[0, :, 0], light.sum(2) @ grid[:, 0, 1]], 1) / total[:, None]


def crops(images, centre=None):
    """The upright square that holds an image, about its centre (n, 2), averaged down: (n, h, w) → (n, side, side).

    Beyond the edge of the image as at the edge.
    """
    n, height, width = images.shape
    longer = max(height, width)
    pool = max(1, round(longer / CROP))
    side, reach = longer // pool, longer / width                                 # pixels; half widths
    pooled = F.adaptive_avg_pool2d(images[:, None], (max(1, height // pool), max(1, width // pool)))
    if centre is None and height == width:
        return pooled[:, 0]
    unit = torch.tensor([1, width / height], device=images.device)               # half widths → the units of grid_sample
    grid = pixel_grid(side, side, images.device) * reach
    grid = (grid + (torch.zeros(n, 2, device=images.device) if centre is None else centre)[:, None, None]) * unit
    return torch.cat([F.grid_sample(pooled[part], grid[part], align_corners=False, padding_mode="border")[:, 0]
                      for part in torch.arange(n).split(CROPS)])


def orientations(count, device=None):
    """`count` angles that divide the circle, (count,), within ±π, zero first."""
    return wrap(torch.arange(count, device=device) * (2 * pi / count))


def rotated_copies(pictures, angles):
    """Square pictures turned *back* by each of the angles, cut round: (n, side, side), (k,) → (n, k, side·side)."""
    side = pictures.shape[-1]
    points = pixel_grid(side, side, pictures.device).reshape(-1, 2)              # (side², 2)
    grid = points @ rotation(angles).mT                                          # (k, side², 2)
    seen = F.grid_sample(pictures[None], grid[None], align_corners=False)[0]     # the images as channels: (n, k, side²)
    return seen * (points.norm(dim=1) < 1)
