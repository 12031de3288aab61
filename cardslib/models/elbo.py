"""The evidence lower bound of a VAE:  log p(x) ≥ E_q[log p(x | z)] − KL(q(z | x) ‖ p(z)),  term by term.

q is the posterior that the encoder gives, and the expectation is estimated from one sample of it.  Over the groups of a joint
VAE it is an exact sum: every group decodes the sample, and q(group | image) weights how well (Kingma et al., Semi-supervised
learning with deep generative models, 2014).  What guides a model while it learns is no part of the bound: guide.py.
"""
from dataclasses import replace
from math import log

import torch

from cardslib.models.latents import ELBO


def elbo(model, images, label=None, generator=None):
    """The `ELBO` of images (n, h, w), by term, as tensors.

    label      what is known of them, as for `VAE.posterior`
    generator  of the noise in the sample
    """
    latents = model.posterior(images, label)
    return elbo_terms(model, latents, log_likelihood_by_group(model, images, model.sample(latents, generator)))


def elbo_terms(model, latents, likelihood):
    """The `ELBO` of a posterior, `Latents`, from the log-likelihood of a sample: (n,), or (n, groups), weighted by theirs."""
    terms = {"content": unit_normal_divergence(latents.content, latents.content_sd)}
    for name in model.pose.widths if model.pose else ():
        terms[name] = model.pose.divergence(name, getattr(latents, name), getattr(latents, name + "_sd"))
    if model.groups:   # KL from the uniform prior: log k minus the entropy
        terms["group"] = log(model.groups) + (latents.group * latents.group.clamp_min(1e-12).log()).sum(1)
    reconstruction = likelihood if likelihood.ndim == 1 else (latents.group * likelihood).sum(1)
    return ELBO(reconstruction, **terms)


def log_likelihood(model, images, sampled, pixels=None):
    """log p(image | latents) in nats, (n,), at sampled values of the latents, as the model's likelihood has it.

    pixels  indices (p,) of the pixels that are decoded, the mean of which then stands for all; None: all
    """
    values = images if pixels is None else images.flatten(1)[:, pixels]
    log_density = model.likelihood.log_density(values, model.natural_parameters(sampled, pixels))
    return log_density.flatten(1).mean(1) * images[0].numel()


def log_likelihood_by_group(model, images, sampled, pixels=None):
    """The same if each group decodes in turn, (n, groups); (n,) for a model that has none."""
    if not model.groups:
        return log_likelihood(model, images, sampled, pixels)
    by_group = [replace(sampled, group=one.expand(len(images), -1)) for one in torch.eye(model.groups, device=images.device)]
    return torch.stack([log_likelihood(model, images, one_group, pixels) for one_group in by_group], 1)


def unit_normal_divergence(mean, sd):
    """KL(N(mean, sd²) ‖ N(0, 1)) summed over the last axis, in nats (Kingma & Welling, appendix B): (n, c) → (n,)."""
    return 0.5 * (mean**2 + sd**2 - 1 - 2 * sd.log()).sum(1)
