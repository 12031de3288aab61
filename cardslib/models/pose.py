"""The pose: where a picture is seen, and how it is turned, magnified and sheared.  Its prior, and its posterior."""
from dataclasses import dataclass
from math import e, hypot, inf, log, pi

from cardslib.geometry import wrap
from cardslib.transforms import orientations, rotation
from cardslib.validation import check_number

SENSIBLE = dict(angle=inf, shift=0.1, scale=0.1, shear=0.3)   # the prior's width when a part is just True
ORIENTATIONS = 8       # a full circle of them: from these the encoder looks at an image,
REACH = 3              # ... as far as so many widths of the prior: 997 in 1000 images lie within
WIDEST_ANGLE = 0.5     # radians: a posterior of this width loses 10⁻⁹ of its mass beyond ±π
FIRST_LOG_SD = -2      # of a posterior's width, in units of the prior's, before anything is learnt


@dataclass(frozen=True)
class Pose:
    """Which parts of an image's pose are latent variables of their own, and how wide the prior of each is.

    rotation  angle, in radians (counter-clockwise on the screen)
    shift     along x and along y, in half widths of the image; of spectra along their one axis
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
        parts = dict(angle=self.rotation, shift=self.shift, scale=self.scale, shear=self.shear)
        return {name: SENSIBLE[name] if value is True else float(value) for name, value in parts.items() if value}

    @property
    def orientations(self):
        """Angles (k,), radians, zero first, from which the encoder looks at an image: as far as the prior of the angle reaches,
        three widths; from eight, all round, if it may be any."""
        furthest = min(REACH * self.widths.get("angle", 0) / (2 * pi / ORIENTATIONS), ORIENTATIONS / 2)
        within = [number for number in range(ORIENTATIONS) if min(number, ORIENTATIONS - number) <= furthest]
        return orientations(ORIENTATIONS)[within]

    @property
    def log_prior(self):
        """Logarithm of the prior at each of the orientations, (k,), but for a constant: zeros if the angle may be any."""
        return -self.orientations**2 / (2 * self.widths.get("angle", inf) ** 2)

    def reach(self, shape):
        """How far the canonical picture of images (height, width) reaches from its middle along x and y, in half widths.

        As far as it is looked at with a shift of one width, without scale and shear; beyond its edge it is as at the edge.
        That of spectra (channels,) is one pixel high.
        """
        height, width = (1, *shape)[-2:]
        x, y = 1, height / width
        if "angle" in self.widths:
            x = y = hypot(x, y)
        shift = self.widths.get("shift", 0)
        return x + shift, y + (shift if len(shape) == 2 else 0)

    def divergence(self, name, mean, sd):
        """Kullback–Leibler divergence of a part's posterior N(mean, sd²) from its prior, in nats: (n,) or (n, 2) → (n,).

        A uniform prior on the circle: log 2π minus the entropy of the posterior (sd ≤ 0.5, so that it does not meet itself).
        """
        width = self.widths[name]
        if width == inf:
            return log(2 * pi) - 0.5 * log(2 * pi * e) - sd.log()
        if name == "shift":   # so many coordinates, one standard deviation
            return 0.5 * (mean**2).sum(-1) / width**2 + mean.shape[-1] * (0.5 * (sd / width) ** 2 - 0.5 - (sd / width).log())
        return 0.5 * ((mean / width) ** 2 + (sd / width) ** 2 - 1) - (sd / width).log()


def output_sizes(pose, dimensions=2):
    """How many numbers an encoder gives for each part of a `Pose`, by name: its mean, and one log standard deviation."""
    return {name: (dimensions if name == "shift" else 1) + 1 for name in pose.widths}


def pose_posterior(pose, outputs, angles, centre):
    """The posterior of a pose, means and standard deviations, (n, orientations, …) by name, from an encoder's outputs.

    outputs  {name: (n, orientations, numbers)} in units of the priors' widths, as `output_sizes` asks
    angles   (orientations,) or (n, 1) by which each copy of the image was turned back;  centre (n, 2) about which, or None
    """
    posterior = {}
    for name, width in pose.widths.items():
        unit, widest = (1.0, WIDEST_ANGLE) if name == "angle" else (width, width)
        mean, log_sd = unit * outputs[name][..., :-1], outputs[name][..., -1] + FIRST_LOG_SD
        if name == "shift" and mean.shape[-1] == 2:   # of the turned copy: turned on with it, and counted from the middle
            mean = (rotation(angles) * mean[..., None, :]).sum(-1)               # (n, orientations, 2)
            mean = mean if centre is None else mean + centre[:, None]
        elif name != "shift":
            mean = mean[..., 0] + angles if name == "angle" else mean[..., 0]
        posterior |= {name: mean, name + "_sd": (unit * log_sd.clamp(-8, 2).exp()).clamp_max(widest)}
    return posterior


def nearest_orientation(angle, orientations):
    """Index of the orientation (k,) that is nearest to each angle, (n,)."""
    return wrap(angle[:, None] - orientations).abs().argmin(1)
