"""What a model says about images, by name: the latent variables, and the terms of the bound."""
from dataclasses import dataclass

import numpy as np

from cardslib.records import Record


@dataclass(frozen=True)
class Latents(Record):
    """The latent variables of n images; a field that the model does not have is None.  Index it to get fewer images.

    content     (n, c): means of the content latents; content_sd (n, c): the standard deviations of their posterior
    angle       (n,) radians, counter-clockwise on the screen, within ±π
    shift       (n, 2) along x and y, in half widths of the image, (n, 1) of spectra; shift_sd (n,) is that of each coordinate
    scale       (n,) logarithm of the magnification
    shear       (n,) radians, of the symmetric shear `geometry.strain`
    group       (n, groups): the probability of each group, q(group | image), a row sums to 1
    label       (n,) int64, the class that a conditional model was told, or (n, conditions), the quantities that it was told

    and the standard deviation of the posterior of each of the pose's parts, (n,).  NumPy arrays from `encode`, tensors
    inside the model.
    """

    content: object
    content_sd: object = None
    angle: object = None
    angle_sd: object = None
    shift: object = None
    shift_sd: object = None
    scale: object = None
    scale_sd: object = None
    shear: object = None
    shear_sd: object = None
    group: object = None
    label: object = None

    @property
    def means(self):
        """The means of the Gaussian latents that are there, by name: content and pose."""
        return {name: values for name, values in vars(self).items()
                if values is not None and name not in ("group", "label") and not name.endswith("_sd")}


@dataclass(frozen=True)
class ELBO(Record):
    """The evidence lower bound of n images, term by term, each (n,) in nats; a term that the model does not have is None.

    reconstruction  log-likelihood of the pixels (as shares of light: minus the cross-entropy, ≤ 0; as counts, ≤ 0; a Gaussian
                    density may be above 1, and its logarithm above 0)
    content, angle, shift, scale, shear, group
                    Kullback–Leibler divergences of these latents from their priors, ≥ 0
    total           reconstruction minus the divergences: a lower bound of log p(x), the model's log-likelihood of the image
    """

    reconstruction: object
    content: object
    angle: object = None
    shift: object = None
    scale: object = None
    shear: object = None
    group: object = None

    @property
    def terms(self):
        """The terms that are there, by name."""
        return {name: values for name, values in vars(self).items() if values is not None}

    @property
    def divergences(self):
        """The divergences that are there, by name."""
        return {name: values for name, values in vars(self).items() if values is not None and name != "reconstruction"}

    @property
    def total(self):
        return self.reconstruction - sum(self.divergences.values())


def latent_grid(count=12, span=2.0):
    """A uniform grid over two content latents, (count², 2): first row at the top (z₂ = span), z₁ from -span to span in each.

    `model.decode(latent_grid())` is the *latent representation* of the slides, in reading order.
    """
    along = np.linspace(-span, span, count, dtype=np.float32)
    z1, z2 = np.meshgrid(along, along[::-1])
    return np.stack([z1.ravel(), z2.ravel()], 1)   # (count, count) twice → (count², 2)
