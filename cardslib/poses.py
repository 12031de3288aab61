"""The pose: where a picture is seen, and how it is turned, magnified and sheared.  Its prior, and what it does to a picture."""
from dataclasses import dataclass
from math import e, inf, log, pi

import torch

from cardslib.checks import check_number

SENSIBLE = dict(angle=inf, shift=0.1, scale=0.1, shear=0.3)   # the prior's width when a part is just True
SIDES = 8              # that the encoder looks at an image from: a full circle
WIDEST_ANGLE = 0.5     # radians: a posterior of this width loses 10⁻⁹ of its mass beyond ±π


@dataclass(frozen=True)
class Pose:
    """Which parts of an image's pose are latent variables of their own, and how wide the prior of each is.

    rotation  angle, in radians (counter-clockwise on the screen)
    shift     along x and along y, in half widths of the image
    scale     logarithm of the magnification
    shear     of the symmetric shear `geometry.strain`, in radians

    A number is the standard deviation of the part's prior, N(0, number²).  True stands for a sensible one: for the rotation
    *any* orientation, uniform on the circle; for shift, scale and shear 0.1, 0.1 and 0.3.  False or 0: not latent.
    """

    rotation: float = False
    shift: float = 0.0
    scale: float = 0.0
    shear: float = False

    def __post_init__(self):
        for name in ("rotation", "shift", "scale", "shear"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                check_number(name, value, 0, 10)
        if not self.widths:
            raise ValueError("pose must have a part that is not zero, such as Pose(rotation=True); or leave pose out")

    @property
    def widths(self):
        """Width of the prior of each part that is there, by the name of its latent: "angle", "shift", "scale", "shear"."""
        given = dict(angle=self.rotation, shift=self.shift, scale=self.scale, shear=self.shear)
        return {name: SENSIBLE[name] if value is True else float(value) for name, value in given.items() if value}

    @property
    def sides(self):
        """From how many sides the encoder looks at an image: from all round if the prior of the angle reaches so far."""
        return SIDES if 3 * self.widths.get("angle", 0) > 2 * pi / SIDES else 1

    def divergence(self, name, mean, sd):
        """Kullback–Leibler divergence of a part's posterior N(mean, sd²) from its prior, in nats: (n,) or (n, 2) → (n,).

        A uniform prior on the circle: log 2π minus the entropy of the posterior (sd ≤ 0.5, so that it does not meet itself).
        """
        width = self.widths[name]
        if width == inf:
            return log(2 * pi) - 0.5 * log(2 * pi * e) - sd.log()
        if name == "shift":   # two coordinates, one standard deviation
            return 0.5 * (mean**2).sum(-1) / width**2 + (sd / width) ** 2 - 1 - 2 * (sd / width).log()
        return 0.5 * ((mean / width) ** 2 + (sd / width) ** 2 - 1) - (sd / width).log()


def seen_from(points, latents):
    """Where in the canonical picture each point of the image lies: (p, 2) → (n, p, 2), by the latents' pose.

    The inverse of `rotation(angle) @ strain(shear) @ p · magnification + shift` (geometry.py).
    """
    zero = latents.content.new_zeros(len(latents))
    one, matrix = zero + 1, ((zero + 1, zero), (zero, zero + 1))
    if latents.angle is not None:
        cos, sin = latents.angle.cos(), latents.angle.sin()
        matrix = (cos, -sin), (sin, cos)
    if latents.shear is not None:
        t = latents.shear.clamp(-1.2, 1.2).tan()
        (a, b), (c, d) = matrix
        matrix = ((1 + t**2) * a + t * c, (1 + t**2) * b + t * d), (t * a + c, t * b + d)
    smaller = one if latents.scale is None else (-latents.scale).exp()
    x, y = (zero, zero) if latents.shift is None else latents.shift.unbind(1)
    homogeneous = torch.cat([points.T, torch.ones_like(points.T[:1])])           # (3, p)
    rows = [torch.stack([a * smaller, b * smaller, -(a * x + b * y) * smaller], 1) for a, b in matrix]   # (n, 3) twice
    return torch.stack([row @ homogeneous for row in rows], -1)                  # (n, 3) @ (3, p) → (n, p)


# ---------------------------------------------------------------------- what an encoder says of it

def numbers_needed(pose):
    """How many numbers an encoder must say of the pose, by name; none without one.  Means, and one log standard deviation."""
    return {name: 3 if name == "shift" else 2 for name in pose.widths} if pose else {}


def encoded_sides(pose, said, angles, centre):
    """The pose's latents, means and standard deviations, (n, sides, …) by name, from what an encoder said of each side.

    said    {name: (n, sides, numbers)} as `numbers_needed` asks
    angles  (sides,) or (n, 1) by which each side was turned back;  centre (n, 2) about which, or None
    """
    latents = {}
    for name, width in pose.widths.items():
        unit, widest = (1.0, WIDEST_ANGLE) if name == "angle" else (width, width)
        mean, sd = unit * said[name][..., :-1], unit * (said[name][..., -1] - 2).clamp(-8, 2).exp()
        if name == "angle":
            mean = mean[..., 0] + angles
        elif name == "shift":   # said in the turned picture
            cos, sin = angles.cos(), angles.sin()
            x, y = mean.unbind(-1)                                               # (n, sides) each
            mean = torch.stack([cos * x + sin * y, cos * y - sin * x], -1)
            mean = mean if centre is None else mean + centre[:, None]
        else:
            mean = mean[..., 0]
        latents |= {name: mean, name + "_sd": sd.clamp_max(widest)}
    return latents


def nearest_side(angle, sides):
    """Index of the side nearest to each angle, (n,)."""
    return apart(angle[:, None], sides).abs().argmin(1)


def apart(angle, other):
    """The difference of angles, within ±π."""
    return (angle - other + pi) % (2 * pi) - pi
