"""From the encoder's guess to the mode of the posterior, image by image: Fisher scoring, and the error bars that belong to it.

An encoder is one function for all images, and what it says of a single one is a good guess, no more (the amortisation gap:
Cremer, Li & Duvenaud, Inference suboptimality in variational autoencoders, 2018).  From there the decoder and the likelihood
lead on: a few steps of Newton's method with the expected second derivatives, the Fisher information F = Jᵀ J / variance (+ the
prior's precision), find the mode z* of p(z | image), and F⁻¹ is the covariance of the Gaussian that fits the posterior there
(Laplace's approximation; MacKay, Information theory, inference, and learning algorithms, 2003, chapter 27).
"""
from dataclasses import replace
from math import inf

import torch

DAMPING = 0.3, 4.0   # Levenberg & Marquardt's: the share added after a step that led downhill; by what it grows or shrinks


@torch.no_grad()
def refine(model, images, label=None, steps=4):
    """`Latents` of images (n, …) at the mode of the posterior, as tensors, with its standard deviations.

    label  as for `VAE.posterior`; of several groups the likeliest is kept

    An image whose likelihood no step raises keeps the encoder's guess.
    """
    guess = model.posterior(images, label)
    if guess.group is not None:
        guess = replace(guess, group=torch.eye(model.groups, device=images.device)[guess.group.argmax(1)])
    names = list(guess.means)
    at, reach = _joined(guess, names), _joined(guess, names, "_sd")                # (n, latents) both
    precision = _prior_precision(model, guess, names)
    values, damping = images.flatten(1), torch.zeros(len(images), 1, device=images.device)

    def drawn(point):
        return model.natural_parameters(_apart(guess, names, point)).flatten(1)     # (n, pixels)

    def log_posterior(natural, point):
        log_density = model.likelihood.log_density(values, natural)
        return log_density.sum(1, keepdim=True) - 0.5 * (precision * point**2).sum(1, keepdim=True)

    natural = drawn(at)
    height = log_posterior(natural, at)
    for _ in range(steps):
        slope = _slopes(drawn, at, reach)                                           # (n, pixels, latents)
        information = _information(model, natural, slope, precision)
        surplus = model.likelihood.score(values, natural)                           # (n, pixels)
        uphill = (slope * surplus[..., None]).sum(1) - precision * at
        damped = information + torch.diag_embed(damping * information.diagonal(dim1=1, dim2=2))
        there = at + torch.linalg.solve(damped, uphill[..., None])[..., 0]
        natural_there = drawn(there)
        height_there = log_posterior(natural_there, there)
        higher = height_there > height                                              # (n, 1)
        at, natural, height = (torch.where(higher, new, old) for new, old in
                               ((there, at), (natural_there, natural), (height_there, height)))
        damping = torch.where(higher, damping / DAMPING[1], (damping * DAMPING[1]).clamp_min(DAMPING[0]))
    covariance = torch.linalg.inv(_information(model, natural, _slopes(drawn, at, reach), precision))
    return _apart(guess, names, at, covariance.diagonal(dim1=1, dim2=2).sqrt())


def _joined(latents, names, suffix=""):
    """Means, or with the suffix "_sd" standard deviations, side by side: (n, latents)."""
    parts = []
    for name in names:
        mean, values = getattr(latents, name), getattr(latents, name + suffix)
        values = values.reshape(len(values), -1)
        parts.append(values.expand(-1, mean.reshape(len(mean), -1).shape[1]))       # one standard deviation for both shifts
    return torch.cat(parts, 1)


def _apart(latents, names, point, sd=None):
    """`Latents` with what `_joined` put side by side, and if given their standard deviations."""
    sizes = [getattr(latents, name)[0].numel() for name in names]
    parts = {name: part.reshape(getattr(latents, name).shape) for name, part in zip(names, point.split(sizes, 1))}
    if sd is not None:
        for name, part in zip(names, sd.split(sizes, 1)):
            parts[name + "_sd"] = part if name == "content" else part.square().mean(1).sqrt()
    return replace(latents, **parts)


def _prior_precision(model, latents, names):
    """1 / width² of the prior of each latent, (latents,): 0 for an angle that may be any."""
    widths = {"content": 1.0, **(model.pose.widths if model.pose else {})}
    each = [latents.content.new_full((getattr(latents, name)[0].numel(),), 0.0 if widths[name] == inf else widths[name] ** -2)
            for name in names]
    return torch.cat(each)


def _slopes(drawn, at, reach):
    """Derivatives of what is drawn by each latent, (n, pixels, latents): central differences over the encoder's uncertainty.

    A canonical picture is read between its pixels by straight lines, whose own derivative jumps: over the width of the
    posterior the difference says better how the picture changes.
    """
    columns = []
    for number in range(at.shape[1]):
        step = torch.zeros_like(at)
        step[:, number] = reach[:, number]
        columns.append((drawn(at + step) - drawn(at - step)) / (2 * reach[:, number:number + 1]))
    return torch.stack(columns, 2)


def _information(model, natural, slope, precision):
    """Fisher information of the image about its latents, and the prior's: (n, latents, latents)."""
    weight = model.likelihood.information(natural)[..., None]                       # (n, pixels, 1)
    return slope.mT @ (weight * slope) + torch.diag(precision)
