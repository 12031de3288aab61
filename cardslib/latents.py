"""What a model says about images, by name: the latent variables, and the terms of the bound."""
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Latents:
    """The latent variables of n images; a field that the model does not have is None.  Index it to get fewer images.

    content     (n, c): means of the content latents; content_sd (n, c): the standard deviations of their posterior
    label       (n,) int64: the class that was *given* to a conditional model

    NumPy arrays from `encode`, tensors inside the model.  A later latent (angle, shift, group) is one more field here.
    """

    content: object
    content_sd: object = None
    label: object = None

    def __len__(self):
        return len(self.content)

    def __getitem__(self, which):
        if isinstance(which, (int, np.integer)):
            which = slice(which, which + 1 or None)
        return self.map(lambda values: values[which])

    def map(self, function):
        """The same latents with `function` applied to every field that is there."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return Latents(**{name: function(values) for name, values in given if values is not None})


@dataclass(frozen=True)
class ELBO:
    """The evidence lower bound of n images, term by term, each (n,) in nats.

    reconstruction  log-likelihood of the pixels, ≤ 0 (pixels as shares of light: minus the cross-entropy)
    content         Kullback–Leibler divergence of the content latents from their prior N(0, 1), ≥ 0
    total           reconstruction minus every divergence: a lower bound of log p(x), the model's log-likelihood of the image
    """

    reconstruction: object
    content: object

    @property
    def divergences(self):
        """The divergences by name: every field but the reconstruction, so a new latent's term needs no more than a field."""
        return {field.name: getattr(self, field.name) for field in fields(self)
                if field.name != "reconstruction" and getattr(self, field.name) is not None}

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
