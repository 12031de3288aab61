"""What the value of a pixel says of the pixel's mean: the likelihoods, and how noisy each takes an image to be.

A decoder draws one number a pixel, its *natural parameter*, any real number; the likelihood makes the mean of the pixel's
distribution of it.  The noise that it assumes sets the price of a latent variable: so many nats must be earned by what the
latent explains beyond the noise.

Each is a small module: the scale of the images, which it measures before the first step, is saved with the model.
"""
from math import log, pi

import torch
import torch.nn.functional as F
from torch import nn

from cardslib.validation import check_counts, check_images, check_number, check_values

BRIGHTEST = 0.999    # share of the pixels below what counts as white: a few hot ones must not set the scale
DIMMEST = 1e-3       # of the mean of all pixels: where a mean starts at least, so that its logarithm is finite
OUTSHINE = 3.0       # e³, twenty times as bright as white: from there on rates grow straight on, so that no step explodes
QUICKER = 10.0       # times the other weights' steps are those of the noise: its logarithm has a long way to go
SOME = 2**20         # pixels are enough to measure a scale


class Bernoulli(nn.Module):
    """Pixels as shares of light in [0, 1], each in place of the outcome of a Bernoulli trial: the cross-entropy.

    On outcomes 0 and 1 it is a likelihood.  On grey values it is no normalised density (Loaiza-Ganem & Cunningham, The
    continuous Bernoulli, 2019), and takes a grey pixel to be as noisy as a coin: a variance of mean · (1 − mean).
    """

    name, noise = "bernoulli", None

    def __init__(self, shape=(), noise=None):
        super().__init__()

    def check(self, images, shape):
        return check_images(images, shape)

    def measure(self, images):
        """Take the scale from images (n, …): that of shares is known."""

    def signal(self, images):
        """Images as the encoder is shown them."""
        return images

    def grey(self, images):
        """Images as grey values, black 0 and white 1, but for a few pixels beyond: to be looked at and compared."""
        return images

    def mean(self, natural):
        """Mean of each pixel's distribution from its natural parameter."""
        return natural.sigmoid()

    def natural(self, mean):
        """The inverse of `mean`; finite."""
        return torch.logit(mean, eps=1e-3)

    def score(self, values, natural):
        """Derivative of `log_density` by the natural parameter."""
        return values - natural.sigmoid()

    def information(self, natural):
        """Fisher information of a pixel about its natural parameter: the variance of its score."""
        return natural.sigmoid() * natural.neg().sigmoid()

    def log_density(self, values, natural):
        """log p(value | natural parameter) of each pixel, in nats."""
        return -F.binary_cross_entropy_with_logits(natural, values, reduction="none")


class Poisson(nn.Module):
    """Pixels as counts of electrons, or what stands for them (≥ 0, not always whole): the variance is the mean.

    The natural parameter is the logarithm of the rate, up to twenty times the white of the images it was measured on.
    """

    name, noise = "poisson", None

    def __init__(self, shape=(), noise=None):
        super().__init__()
        self.register_buffer("level", torch.ones(shape))    # electrons in the mean image, or in the mean pixel
        self.register_buffer("spread", torch.tensor(1.0))   # root mean square of what rises from it, in units of the shot noise
        self.register_buffer("white", torch.tensor(1.0))    # electrons in a bright pixel

    def check(self, images, shape):
        return check_counts(images, shape)

    @torch.no_grad()
    def measure(self, images):
        self.level.copy_(_mean_over(images, self.level))
        self.spread.copy_(((images - self.level) / self.level.sqrt()).square().mean().sqrt())
        self.white.copy_(_quantile(images, BRIGHTEST).clamp_min(1.0))

    def signal(self, images):
        """About the mean and weighed by the shot noise, so that every pixel is equally noisy (Keenan & Kotula, Accounting for
        Poisson noise in the multivariate analysis of ToF-SIMS spectrum images, 2004), with a mean square of 1."""
        return (images - self.level) / (self.level.sqrt() * self.spread)

    def grey(self, images):
        return images / self.white

    def mean(self, natural):
        return self._log_rate(natural).exp()

    def natural(self, mean):
        return mean.clamp_min(DIMMEST * mean.mean()).log()

    def score(self, values, natural):
        return values - self.mean(natural)

    def information(self, natural):
        return self.mean(natural)

    def log_density(self, values, natural):
        """As half the deviance and log p(value | rate = value): no differences of large numbers, in which single precision
        would lose nats."""
        positive = values.clamp_min(1e-6)
        surplus = self._log_rate(natural) - positive.log()
        return -positive * (surplus.expm1() - surplus) - _log_peak(values)

    def _log_rate(self, natural):
        most = self.white.log() + OUTSHINE
        return torch.minimum(natural, most) + (natural - most).clamp_min(0).log1p()


class Gaussian(nn.Module):
    """Pixels as any real numbers, with noise of one standard deviation everywhere: known, or learnt with all else.

    noise  in the images' own unit; None: learnt (Rybkin, Daniilidis & Levine, Simple and effective VAE training with calibrated
           decoders, 2021)

    The natural parameter is the mean, counted from the images' level in units of their spread.
    """

    name = "gaussian"

    def __init__(self, shape=(), noise=None):
        super().__init__()
        self.noise = None if noise is None else float(check_number("noise", noise, 1e-12))
        self.register_buffer("level", torch.zeros(shape))   # the mean image, or the mean pixel
        self.register_buffer("spread", torch.tensor(1.0))   # standard deviation about the mean image
        self.register_buffer("black", torch.tensor(0.0))
        self.register_buffer("white", torch.tensor(1.0))
        self.log_noise = nn.Parameter(torch.tensor(0.0)) if noise is None else None   # of the spread, in units of QUICKER

    def check(self, images, shape):
        return check_values(images, shape)

    @torch.no_grad()
    def measure(self, images):
        self.level.copy_(_mean_over(images, self.level))
        self.spread.copy_((images - images.mean(0)).std().clamp_min(1e-12))
        self.black.copy_(_quantile(images, 1 - BRIGHTEST))
        self.white.copy_(torch.maximum(_quantile(images, BRIGHTEST), self.black + 1e-12))

    def signal(self, images):
        return (images - self.level) / self.spread

    def grey(self, images):
        return (images - self.black) / (self.white - self.black)

    def mean(self, natural):
        return self.level.mean() + self.spread * natural

    def natural(self, mean):
        return (mean - self.level.mean()) / self.spread

    def standard_deviation(self):
        """Of the noise, as a tensor, in the images' own unit."""
        return self.spread * (QUICKER * self.log_noise).exp() if self.noise is None else self.spread.new_tensor(self.noise)

    def score(self, values, natural):
        return (values - self.mean(natural)) * self.information(natural) / self.spread

    def information(self, natural):
        return (self.spread / self.standard_deviation()).square().expand_as(natural)

    def log_density(self, values, natural):
        sd = self.standard_deviation()
        return -0.5 * ((values - self.mean(natural)) / sd) ** 2 - sd.log() - 0.5 * log(2 * pi)


LIKELIHOODS = {likelihood.name: likelihood for likelihood in (Bernoulli, Poisson, Gaussian)}


def make_likelihood(name, noise, shape):
    """The likelihood of that name, or a ValueError; only "gaussian" has a noise to be known.

    shape  of the level that the encoder's signal is counted from: that of the images, or () for one number
    """
    if not isinstance(name, str) or name not in LIKELIHOODS:
        raise ValueError(f"likelihood must be {' or '.join(map(repr, LIKELIHOODS))}; got {name!r}")
    if noise is not None and name != "gaussian":
        raise ValueError(f"noise goes with likelihood='gaussian'; got noise={noise!r} with {name!r}, whose noise follows from "
                         f"the mean: leave it out")
    return LIKELIHOODS[name](shape, noise)


def _mean_over(images, level):
    """The mean image, or the mean pixel where the level is one number; never zero of counts that are not all zero."""
    mean = images.mean(0) if level.ndim else images.mean()
    return mean.clamp_min(DIMMEST * mean.mean()) if (images >= 0).all() else mean


def _quantile(images, share):
    values = images.flatten()
    return values[::max(1, len(values) // SOME)].quantile(share)


def _log_peak(values):
    """−log p(x | rate = x) of Poisson's distribution: log x! − x log x + x, about log √(2πx), in single precision."""
    few, many = values.clamp_max(16.0), values.clamp_min(16.0)
    exact = torch.lgamma(few + 1) - torch.xlogy(few, few) + few
    series = 0.5 * (2 * pi * many).log() + 1 / (12 * many)   # Stirling's: right to 1e-6 from 16 on
    return torch.where(values < 16.0, exact, series)
