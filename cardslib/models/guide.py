"""What is maximised while a model learns: the bound, and beside it what guides the model to the best of its bounds.

A model may look at an image from several orientations, or put it into one of several groups.  Which is right, the bound alone
seldom says: each image of a suit may come to lie another way up.  So images are compared with one another before the model has
seen them (similarity), and while it learns they are held to lie as their neighbours do, and to be of the same group.
"""
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from cardslib.geometry import wrap
from cardslib.models.elbo import elbo_terms, log_likelihood, log_likelihood_by_group
from cardslib.models.pose import nearest_orientation
from cardslib.records import Record

ALIKE = 0.017      # radians (1°), or as a share: the width of the prior "similar images lie alike"
# Widths of the angle's prior: an alignment whose angles have a larger root mean square is none that the prior allows.  Pictures
# with a symmetry may come out as any of their copies: a square turned by 90°, which costs 14 nats if the width is 0.3.
ASTRAY = 1.5
CANDIDATES = 3     # for each neighbour that is kept, where neighbours must tell groups of images apart
PIXELS_SKIPPED, IMAGES_SKIPPED = 4, 4   # one pixel in four is decoded pointwise; one image in four teaches the logits
WEIGHTS = {"neighbours": 1, "choice": 20}   # of what is taken off the bound


@dataclass(frozen=True)
class Guide(Record):
    """What the neighbours say of n images, as tensors; a part that the model does not need is None.

    orientation  (n,) int64: from which of the encoder's orientations to look at each
    alignment    `Alignment` of these images
    group        (n,) int64: the group of each
    """

    orientation: torch.Tensor
    alignment: object = None
    group: torch.Tensor | None = None


# ---------------------------------------------------------------------- before the first step

def prepare(model, images, labels=None, alignment=True):
    """What a training on images (n, h, w) starts from: a `Guide`, or None if the model needs none.

    The first time the scale of the images is measured, and the decoder starts from the mean image, so that only differences
    must be learnt.  (Without it −ELBO is 52, 95, 126, 182 nats after the same 1000 steps on card sets 1 to 4, instead of 49,
    67, 73, 160.)  If there are groups or the angle may be any, the images are then compared with one another.  A model that is
    `prepared`, because it has learnt long enough before, goes on with the groups and the zeros that it has.

    alignment  True; False: no neighbours are asked; or an `Alignment` that is known from elsewhere
    """
    if model.steps_made == 0:
        model.likelihood.measure(images)
        mean = images.mean(0)
        if model.decoder.pointwise:   # a network of the coordinates can start from a uniform picture only
            mean = mean.mean().expand(mean.shape)
        model.decoder.start_from(model.likelihood.natural(mean))
    if not model.chooses or alignment is False or (alignment is True and model.prepared):
        return None
    return ask_neighbours(model, images, labels if model.groups else None, alignment)


def ask_neighbours(model, images, labels, alignment):
    """The `Guide` of images (n, h, w), or spectra, for a model with orientations or groups to choose from; None if there is
    nothing that the neighbours can say of them.

    labels     (n,) the groups that are known, -1 where none is, or None
    alignment  True, or an `Alignment` that is known from elsewhere
    """
    from cardslib.similarity import align_graph, cluster  # here: half a second that few models need
    turns, widths = len(model.orientations) > 1, model.pose.widths if model.pose else ()
    labels = None if labels is None else labels.cpu().numpy()
    orientation, group = torch.zeros(len(images), dtype=torch.long, device=model.device), None
    if model.groups or alignment is True:
        graph = _similar(model, images, turns, "shift" in widths, None if labels is None else labels >= 0)
    if model.groups:
        group = torch.from_numpy(cluster(graph, model.groups, labels)).to(model.device)
    if turns and alignment is True:
        alignment = align_graph(graph, axis="shear" in widths)
        turns = np.sqrt((alignment.angle**2).mean()) <= ASTRAY * widths["angle"]
    if not turns:
        return Guide(orientation, group=group) if model.groups else None
    alignment = alignment.tensors(model.device)
    return Guide(nearest_orientation(alignment.angle, model.orientations), alignment, group)


def _similar(model, images, turn, recentre, first):
    """The similarity `Graph` of images, by their grey values; of spectra, by what stands out of the noise."""
    from cardslib.similarity import similarity_graph, spectra_graph
    if len(model.shape) == 1:
        signal = model.likelihood.signal(images) - model.likelihood.signal(torch.zeros_like(images[:1]))   # counted from zero
        return spectra_graph(signal.cpu(), recentre, first)
    grey = model.likelihood.grey(images).clamp(0, 1)
    return similarity_graph(grey.cpu(), turn, recentre, CANDIDATES if model.groups else 1, first)


# ---------------------------------------------------------------------- in each step

def objective(model, images, label=None, guide=None, explore=False, generator=None):
    """What a step on images (n, h, w) maximises: their `ELBO`, and {name: (n,)} of what is taken off it (`WEIGHTS`).

    label    as for `VAE.posterior`
    guide    the `Guide` of these images: its orientations and groups are taken
    explore  without a guide: True weights every orientation by the probability that the logits give it, False takes the best

    "choice" teaches the logits to choose what was taken; "neighbours" holds the pose to the neighbours'.
    """
    pixels = some_pixels(model, generator) if model.decoder.pointwise else None
    if guide is not None:
        return _guided(model, images, label, guide, pixels, generator)
    if explore and model.chooses:
        return _explored(model, images, label, pixels, generator), {}
    return _best(model, images, label, pixels, generator)


def some_pixels(model, generator):
    """A random quarter of the pixels, as indices: enough for an unbiased estimate of the reconstruction."""
    return torch.randperm(len(model.points), generator=generator, device=model.device)[:-(-len(model.points) // PIXELS_SKIPPED)]


def _guided(model, images, label, guide, pixels, generator):
    """The bound at the orientation and in the group that the guide names."""
    label = None if model.groups else label   # the guide knows the groups
    latents = model.posterior_by_orientation(images, label, guide.orientation)[0].map(lambda values: values[:, 0])
    if model.groups:
        latents = replace(latents, group=F.one_hot(guide.group, model.groups).float())
    likelihood = log_likelihood(model, images, model.sample(latents, generator), pixels)
    some = slice(None, None, IMAGES_SKIPPED)
    logits = model.posterior_by_orientation(images[some], None if label is None else label[some])[1]
    surprise = _surprise(logits, guide.orientation[some], latents.group[some] if model.groups else None).mean()
    guidance = {"choice": surprise.expand(len(images))}
    if guide.alignment is not None:
        guidance["neighbours"] = _misfit(model, latents, guide.alignment)
    return elbo_terms(model, latents, likelihood), guidance


def _best(model, images, label, pixels, generator):
    """The bound at the best orientation, every group weighted by its responsibility for the image."""
    every, logits = model.posterior_by_orientation(images, None if model.groups else label)
    latents = model.best(every, logits)
    likelihood = log_likelihood_by_group(model, images, model.sample(latents, generator), pixels)
    if model.groups:   # the exact posterior of the groups at this draw, better than what the logits say of it
        latents = replace(latents, group=model.known_groups(likelihood.detach().softmax(1), label))
    terms = elbo_terms(model, latents, likelihood)
    if not model.chooses:
        return terms, {}
    orientation = torch.zeros(len(images), dtype=torch.long, device=images.device) if len(model.orientations) == 1 \
        else nearest_orientation(latents.angle.detach(), model.orientations)
    return terms, {"choice": _surprise(logits, orientation, latents.group)}


def _explored(model, images, label, pixels, generator):
    """The mean of the bounds at all orientations (a mean of bounds is a bound), weighted as the logits say."""
    every, logits = model.posterior_by_orientation(images, None if model.groups else label)
    count = logits.shape[1]
    latents = every.map(lambda values: values.flatten(0, 1))                      # (n, orientations, …) → (n·orientations, …)
    images = images.repeat_interleave(count, 0)
    if model.groups:
        known = None if label is None else label.repeat_interleave(count, 0)
        latents = replace(latents, group=model.known_groups(logits.softmax(2).flatten(0, 1), known))
    likelihood = log_likelihood_by_group(model, images, model.sample(latents, generator), pixels)
    weight = logits.logsumexp(2).softmax(1)                                       # (n, orientations)
    return elbo_terms(model, latents, likelihood).map(lambda term: (term.unflatten(0, (-1, count)) * weight).sum(1))


def _surprise(logits, orientation, group):
    """Cross-entropy of the logits (n, orientations, groups or 1): minus log of the probability that they give to an
    orientation (n,) and, if there are groups, to one with the probabilities (n, groups)."""
    log_probability = logits.flatten(1).log_softmax(1).reshape(logits.shape)
    log_probability = log_probability[torch.arange(len(logits), device=logits.device), orientation]   # (n, groups or 1)
    return -(log_probability if group is None else group.detach() * log_probability).sum(1)


def _misfit(model, latents, alignment):
    """Minus the log of the prior that the neighbours give, but for a constant: N(pose of the alignment, ALIKE²)."""
    squares = wrap(latents.angle - alignment.angle) ** 2
    if latents.shift is not None:
        squares = squares + ((latents.shift - alignment.centre) ** 2).sum(1)
    for name in {"shear", "scale"} & set(model.pose.widths):
        squares = squares + (getattr(latents, name) - getattr(alignment, name)) ** 2
    return squares / (2 * ALIKE**2)
