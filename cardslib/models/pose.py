"""The pose: where a picture is seen, and how it is turned, magnified and sheared.  Its prior, and what it does to a picture."""
from dataclasses import dataclass
from math import e, inf, log, pi

from cardslib.geometry import wrap
from cardslib.transforms import apply, rotation
from cardslib.validation import check_number

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
            mean = apply(rotation(angles), mean)
            mean = mean if centre is None else mean + centre[:, None]
        else:
            mean = mean[..., 0]
        latents |= {name: mean, name + "_sd": sd.clamp_max(widest)}
    return latents


def nearest_side(angle, sides):
    """Index of the side nearest to each angle, (n,)."""
    return wrap(angle[:, None] - sides).abs().argmin(1)
