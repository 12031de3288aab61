"""The evidence lower bound of a VAE, term by term, and what guides a model to its best one while it learns.

The bound of a model with groups is an exact sum over them: every group draws the image, and the share of each,
q(group | image), weights what it reaches.  No relaxation, no noise (Kingma et al., Semi-supervised learning with deep
generative models, 2014).
"""
from dataclasses import dataclass, replace
from math import log

import torch
import torch.nn.functional as F

from cardslib.geometry import wrap
from cardslib.models.latents import ELBO
from cardslib.models.pose import nearest_side
from cardslib.records import Record
from cardslib.similarity.alignment import Alignment, align_graph
from cardslib.similarity.clustering import cluster
from cardslib.similarity.neighbours import similarity_graph

ALIKE = 0.017      # radians (1°), or as a share: the width of the prior "similar images lie alike"
CANDIDATES = 3     # for each neighbour that is kept, where neighbours must tell kinds of images apart


@dataclass(frozen=True)
class Guide(Record):
    """What the neighbours say of n images, as tensors; a part that the model does not need is None.  An index picks images.

    alignment  `Alignment` of these images
    group      (n,) int64: the group of each
    """

    alignment: Alignment | None = None
    group: torch.Tensor | None = None


def ask_neighbours(model, images, labels, alignment):
    """The `Guide` of images (n, h, w) for a model with sides or groups.

    labels     (n,) the groups that are known, -1 where none is, or None
    alignment  True, or an `Alignment` that is known from elsewhere
    """
    turns = len(model.sides) > 1
    widths = model.pose.widths if model.pose else ()
    found = None
    if model.groups or alignment is True:
        graph = similarity_graph(images.cpu(), turns, "shift" in widths, CANDIDATES if model.groups else 1,
                           None if labels is None else labels.cpu().numpy() >= 0)
        if model.groups:
            found = torch.from_numpy(cluster(graph, model.groups, None if labels is None else labels.cpu().numpy()))
        if turns and alignment is True:
            alignment = align_graph(graph, axis="shear" in widths)
    return Guide(alignment.tensors(model.device) if turns else None, None if found is None else found.to(model.device))


def bound(model, images, label=None, generator=None, guide=None):
    """The ELBO of images (n, h, w), by term, as tensors: an estimate from one draw of the posterior each.

    label  (n,) or (n, conditions); for a model with groups: the group, -1 where it is not known
    guide  while a model with several sides or groups learns, it says which to take:
           a `Guide`: the side nearest to the angle there (the term `neighbours` holds the latents to it), the group there
           "all": every side and group, each weighted by the share that the scores give it (a mean of bounds is a bound)
           "best": the highest score among the sides; every group, weighted by how well it draws the image
           The term `side` teaches the scores to say the same.
    With any of them a decoder that is a function of the coordinates is asked at a quarter of the pixels only.
    """
    asked = _some_pixels(model, generator) if guide is not None and model.kind in ("spatial", "skip") else None
    known, given = (label, None) if model.groups else (None, label)
    if isinstance(guide, Guide):
        aligned = guide.alignment
        right = torch.zeros_like(guide.group) if aligned is None else nearest_side(aligned.angle, model.sides)
        latents = model.candidates(images, given, right)[0].map(lambda values: values[:, 0])
        elbo, share = _terms(model, images, latents, generator, asked, known=known if guide.group is None else guide.group)
        quarter = slice(None, None, 4)   # of the images: enough to teach the scores
        score = model.candidates(images[quarter], None if given is None else given[quarter])[1]
        surprise = _surprise(score, right[quarter], None if share is None else share[quarter]).mean()
        elbo = replace(elbo, side=surprise.expand(len(images)))
        return elbo if aligned is None else replace(elbo, neighbours=_misfit(model, latents, aligned))
    sides, score = model.candidates(images, given)
    if guide == "all" and score is not None:
        count = len(model.sides)
        every = sides.map(lambda values: values.flatten(0, 1))                    # (n, sides, …) → (n·sides, …)
        images = images.repeat_interleave(count, 0)
        known = None if known is None else known.repeat_interleave(count, 0)
        elbo, _ = _terms(model, images, every, generator, asked, known, share=score.softmax(2).flatten(0, 1))
        weight = score.logsumexp(2).softmax(1)                                    # (n, sides)
        return elbo.map(lambda term: (term.unflatten(0, (-1, count)) * weight).sum(1))
    latents = model.chosen(sides, score, known)
    elbo, share = _terms(model, images, latents, generator, asked, known, latents.group if guide is None else None)
    if guide is None or score is None:
        return elbo
    right = torch.zeros_like(images[:, 0, 0]).long() if len(model.sides) == 1 \
        else nearest_side(latents.angle.detach(), model.sides)
    return replace(elbo, side=_surprise(score, right, share))


def _some_pixels(model, generator):
    """A random quarter of the pixels, as indices: enough for an unbiased estimate of the reconstruction."""
    return torch.randperm(len(model.pixels), generator=generator, device=model.device)[:-(-len(model.pixels) // 4)]


def _terms(model, images, latents, generator, asked=None, known=None, share=None):
    """The bound, and the share (n, groups) of each group in it (None without groups).

    known  (n,) the group of each image, -1 where it is not known
    share  (n, groups); None: as well as each group draws the image, softmax of its log-likelihood, which is the best share
    """
    drawn = model.sample(latents, generator)
    if not model.groups:
        likelihood, found = _log_likelihood(model, images, drawn, asked), {}
    else:
        one_hot = torch.eye(model.groups, device=images.device)
        if known is not None and (known >= 0).all():
            share = one_hot[known]
            likelihood = _log_likelihood(model, images, replace(drawn, group=share), asked)
        else:
            every = torch.stack([_log_likelihood(model, images, replace(drawn, group=one.expand(len(images), -1)), asked)
                                 for one in one_hot], 1)                          # (n, groups)
            share = every.detach().softmax(1) if share is None else share
            share = share if known is None else torch.where(known[:, None] >= 0, one_hot[known], share)
            likelihood = (share * every).sum(1)
        found = {"group": log(model.groups) + (share * share.clamp_min(1e-12).log()).sum(1)}
    pose = {name: model.pose.divergence(name, mean, getattr(latents, name + "_sd"))
            for name, mean in latents.means.items() if name != "content"}
    return ELBO(likelihood, _divergence_from_unit_normal(latents.content, latents.content_sd), **pose, **found), share


def _log_likelihood(model, images, drawn, asked):
    """log p(image | latents), (n,) in nats; estimated from the pixels `asked`, or from all."""
    if asked is None:
        logits, pixels = model.logits(drawn), images
    else:
        logits, pixels = model.logits(drawn, model.pixels[asked]), images.flatten(1)[:, asked]   # (n, asked) both
    return -F.binary_cross_entropy_with_logits(logits, pixels, reduction="none").flatten(1).mean(1) * images[0].numel()


def _surprise(score, right, share):
    """Minus the log of the share that scores (n, sides, groups or 1) give to the right side (n,) and the groups' shares."""
    log_share = score.flatten(1).log_softmax(1).reshape(score.shape)[torch.arange(len(right), device=right.device), right]
    return -(log_share if share is None else share.detach() * log_share).sum(1)


def _misfit(model, latents, alignment):
    """Minus the log of the prior that the neighbours give, but for a constant: N(pose of the alignment, ALIKE²)."""
    squares = wrap(latents.angle - alignment.angle) ** 2
    if latents.shift is not None:
        squares = squares + ((latents.shift - alignment.centre) ** 2).sum(1)
    for name in {"shear", "scale"} & set(model.pose.widths):
        squares = squares + (getattr(latents, name) - getattr(alignment, name)) ** 2
    return squares / (2 * ALIKE**2)


def _divergence_from_unit_normal(mean, sd):
    """KL(N(mean, sd²) ‖ N(0, 1)) summed over the last axis, in nats (Kingma & Welling, appendix B): (n, c) → (n,)."""
    return 0.5 * (mean**2 + sd**2 - 1 - 2 * sd.log()).sum(1)
