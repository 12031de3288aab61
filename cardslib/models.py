"""The variational autoencoder, in the order in which an image passes through it: encode → sample → decode → bound.

Kingma & Welling, Auto-Encoding Variational Bayes, 2014; Sohn, Lee & Yan, Learning Structured Output Representation using
Deep Conditional Generative Models, 2015 (the label); Bepler et al., Explicitly disentangling image content from translation
and rotation in generative models with spatial-VAE, 2019 (the pose); Nasiri & Bepler, Unsupervised object representation
learning using translation and rotation group equivariant VAE, 2022 (an encoder that looks from all sides).
"""
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cardslib.alignment import Alignment, align
from cardslib.checks import check_count, check_images, check_labels, check_rows
from cardslib.files import load, save
from cardslib.latents import ELBO, Latents
from cardslib.networks import DenseEncoder, TurningEncoder, make_decoder
from cardslib.poses import Pose, apart, encoded_sides, nearest_side, numbers_needed, seen_from
from cardslib.views import middle, orientations, pixels

__all__ = ["VAE", "Pose"]
CHUNK = 1024       # images that go through a network at a time when nothing is learnt: bounds the memory
FEW = 64           # the same if a network is asked at every pixel
ALIKE = 0.017      # radians (1°), or as a share: the width of the prior "similar images lie alike"


class VAE(nn.Module):
    """A variational autoencoder of grey images.

    shape    (height, width) of the images in pixels
    content  number of content latents, each with the prior N(0, 1); with a pose there may be none
    classes  0, or the number of classes of a conditional VAE: encoder and decoder are then told each image's label
    pose     a `Pose`: latents of their own for rotation, shift, scale or shear (rVAE, shift-VAE)
    decoder  "dense" draws the image and knows no pose; "warp" draws a canonical picture and moves it by the pose; "spatial"
             and "skip" are networks of the coordinates, asked at every pixel.  By default "warp" with a pose, else "dense"
    hidden   width of the hidden layers of both networks
    seed     of the initial weights
    device   "cpu" or, where there is one, "cuda"

    The posterior of the latents is a Gaussian with a diagonal covariance, the likelihood of a pixel a Bernoulli's with the
    pixel's value (a share of light in [0, 1]) in place of the outcome.

    With a prior of the angle that reaches all round, the encoder looks at an image from eight sides and scores each.  The
    posterior is that of the best: *one* Gaussian about one angle, so the bound is the plain one, of the uniform prior on the
    circle (or of N(0, width²)); which side it came from costs nothing and earns nothing.
    """

    def __init__(self, shape, content=2, classes=0, pose=None, decoder=None, hidden=128, seed=0, device="cpu"):
        super().__init__()
        if np.shape(shape) != (2,):
            raise ValueError(f"shape must be (height, width) in pixels; got {shape!r}")
        if not isinstance(pose, Pose | None):
            raise ValueError(f"pose must be a Pose, such as Pose(rotation=True); got {pose!r}")
        self.shape = tuple(check_count("shape", side) for side in shape)
        self.content = check_count("content", content, 0 if pose else 1)
        self.classes = check_count("classes", classes, 0)
        self.hidden = check_count("hidden", hidden)
        self.pose = pose
        self.kind = decoder or ("warp" if pose else "dense")
        check_count("seed", seed, 0)
        if torch.device(device).type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device={device!r}, but torch finds no CUDA here: leave device out, everything runs on the CPU")
        self._numbers = {"content": self.content, "content_sd": self.content, **numbers_needed(pose)}
        sides = pose.sides if pose else 1
        with torch.random.fork_rng(devices=[]):   # the caller's random numbers are left alone
            torch.manual_seed(seed)
            kind, more = (TurningEncoder, dict(sides=sides)) if pose else (DenseEncoder, {})
            self.encoder = kind(self.shape, sum(self._numbers.values()), self.hidden, self.classes, **more)
            self.decoder = make_decoder(self.kind, self.shape, self.content, self.hidden, self.classes, pose)
        self.steps, self.learning_rate = (650, 1e-2) if sides > 1 else (1000, 6e-3)   # of a training, by default
        self.chunk = FEW if self.kind in ("spatial", "skip") else CHUNK
        self.register_buffer("prepared", torch.tensor(False))
        self.register_buffer("sides", orientations(sides), persistent=False)
        self.register_buffer("pixels", pixels(*self.shape).reshape(-1, 2), persistent=False)   # (h·w, 2)
        self.to(device)

    # ------------------------------------------------------------------ the mathematics, on tensors

    def candidates(self, images, label=None, which=None):
        """The posterior from every side, or from the side `which` (n,): `Latents` with fields (n, sides, …), and its score."""
        label_code = self._one_hot(label)
        if self.pose is None:
            centre, answers = None, self.encoder(images, label_code)[:, None]   # (n, outputs) → (n, 1, outputs)
        else:
            centre = middle(images) if "shift" in self.pose.widths else None
            answers = self.encoder(images, label_code, centre, which)           # (n, sides, outputs)
        said = dict(zip(self._numbers, answers.split(list(self._numbers.values()), 2)))
        content_sd = said["content_sd"].clamp(-8, 4).exp()
        angles = self.sides if which is None else self.sides[which][:, None]
        pose = encoded_sides(self.pose, said, angles, centre) if self.pose else {}
        if label is not None:
            label = label[:, None].expand(-1, answers.shape[1])
        return Latents(said["content"], content_sd, label=label, **pose), said["score"][..., 0] if "score" in said else None

    def posterior(self, images, label=None):
        """`Latents` of images (n, h, w), given their label (n,): means and standard deviations, as tensors."""
        sides, score = self.candidates(images, label)
        return _from_side(sides, None if score is None else score.argmax(1))

    def sample(self, latents, generator=None):
        """One draw from the posterior, by the reparameterisation that lets gradients through: mean + sd · noise."""
        drawn = {"label": latents.label}
        for name, mean in latents.means.items():
            sd = getattr(latents, name + "_sd")
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            drawn[name] = mean + (sd if sd.shape == mean.shape else sd[..., None]) * noise
        return Latents(**drawn)

    def logits(self, latents, points=None):
        """Logits of the pixels at the given values of the latents, (n, h, w); or at points (p, 2) of the image, (n, p)."""
        label = self._one_hot(latents.label)
        if self.kind == "dense":
            return self.decoder(latents.content, label)
        if points is not None:
            return self.decoder(latents.content, label, seen_from(points, latents))
        return self.decoder(latents.content, label, seen_from(self.pixels, latents)).unflatten(1, self.shape)

    def bound(self, images, label=None, generator=None, guide=None):
        """The ELBO of images (n, h, w), by term, as tensors: an estimate from one draw of the posterior each.

        guide, while a model with several sides learns, says which side to take:
          an `Alignment` of these images: the side nearest to their angle; the term `neighbours` holds the latents to it
          "all": every side, each weighted by the share that the scores give it (a mean of bounds is a bound)
          "best": the highest score; the term `side` teaches the scores, as it does with an Alignment
        With any of them a decoder that is a function of the coordinates is asked at a quarter of the pixels only.
        """
        asked = self._some_pixels(generator) if guide is not None and self.kind in ("spatial", "skip") else None
        if isinstance(guide, Alignment):
            right = nearest_side(guide.angle, self.sides)
            latents = _from_side(self.candidates(images, label, right)[0], None)
            score = self.candidates(images[::4], None if label is None else label[::4])[1]   # a quarter teaches the scores
            side = F.cross_entropy(score, right[::4]).expand(len(images))
            return replace(self._terms(images, latents, generator, asked), side=side, neighbours=self._misfit(latents, guide))
        sides, score = self.candidates(images, label)
        if guide == "all" and score is not None:
            count = len(self.sides)
            every = sides.map(lambda values: values.flatten(0, 1))              # (n, sides, …) → (n·sides, …)
            elbo = self._terms(images.repeat_interleave(count, 0), every, generator, asked)
            return elbo.map(lambda term: (term.unflatten(0, (-1, count)) * score.softmax(1)).sum(1))
        latents = _from_side(sides, None if score is None else score.argmax(1))
        elbo = self._terms(images, latents, generator, asked)
        if guide is None or score is None:
            return elbo
        return replace(elbo, side=F.cross_entropy(score, nearest_side(latents.angle.detach(), self.sides), reduction="none"))

    def _some_pixels(self, generator):
        """A random quarter of the pixels, as indices: enough for an unbiased estimate of the reconstruction."""
        return torch.randperm(len(self.pixels), generator=generator, device=self.device)[:-(-len(self.pixels) // 4)]

    def _terms(self, images, latents, generator, asked=None):
        drawn, pixels = self.sample(latents, generator), images
        if asked is None:
            logits = self.logits(drawn)
        else:
            logits, pixels = self.logits(drawn, self.pixels[asked]), images.flatten(1)[:, asked]   # (n, asked) both
        log_likelihood = -F.binary_cross_entropy_with_logits(logits, pixels, reduction="none").flatten(1).mean(1)
        log_likelihood = log_likelihood * images[0].numel()
        pose = {name: self.pose.divergence(name, mean, getattr(latents, name + "_sd"))
                for name, mean in latents.means.items() if name != "content"}
        return ELBO(log_likelihood, _divergence_from_unit_normal(latents.content, latents.content_sd), **pose)

    def _misfit(self, latents, alignment):
        """Minus the log of the prior that the neighbours give, but for a constant: N(pose of the alignment, ALIKE²)."""
        squares = apart(latents.angle, alignment.angle) ** 2
        if latents.shift is not None:
            squares = squares + ((latents.shift - alignment.centre) ** 2).sum(1)
        for name in {"shear", "scale"} & set(self.pose.widths):
            squares = squares + (getattr(latents, name) - getattr(alignment, name)) ** 2
        return squares / (2 * ALIKE**2)

    def _one_hot(self, label):
        return F.one_hot(label, self.classes).float() if self.classes else None

    def prepare(self, images, alignment=True):
        """Before the first step of a training on images (n, h, w): what it starts from.  Returns a guide for `bound`.

        The first time the decoder starts from the mean image, so that only differences must be learnt.  (Without it −ELBO is
        52, 95, 126, 182 nats after the same 1000 steps on card sets 1 to 4, instead of 49, 67, 73, 160.)  If the angle may be
        any, the images are then aligned with one another.  A model that has learnt before goes on with the zeros that it has.
        """
        if not isinstance(alignment, bool | Alignment):
            raise ValueError(f"alignment must be True, False or an Alignment; got {alignment!r}")
        if isinstance(alignment, Alignment) and len(alignment) != len(images):
            raise ValueError(f"alignment must hold a pose for each of the {len(images)} images; got {len(alignment)}")
        first = not self.prepared
        if first:
            self.decoder.start_from(torch.logit(images.mean(0), eps=1e-3))
            self.prepared.fill_(True)
        if len(self.sides) == 1 or (alignment is True and not first):
            return "best"
        if alignment is False:
            return "all" if first else "best"
        if alignment is True:
            widths = self.pose.widths
            alignment = align(images.cpu(), recentre="shift" in widths, axis="shear" in widths)
        return alignment.tensors(self.device)

    # ------------------------------------------------------------------ the same for users, on arrays

    @property
    def device(self):
        return next(self.parameters()).device

    @torch.no_grad()
    def encode(self, images, labels=None):
        """`Latents` of images (n, h, w) in [0, 1]; a conditional model needs their labels (n,), whole numbers."""
        images, labels = self.check(images, labels)
        latents = self._in_chunks(self.posterior, Latents, images, labels)
        return latents if latents.angle is None else replace(latents, angle=apart(latents.angle, 0))

    @torch.no_grad()
    def decode(self, latents, labels=None):
        """Images (n, h, w), float32, from what `encode` returned, or from content (n, c) alone.

        With content alone, or where a part of the pose is None, that part is zero: the canonical picture.
        labels (n,), for a conditional model: needed with content alone; with `Latents` they replace the encoded ones.
        """
        latents = self._check_latents(latents, labels)
        parts = [latents[start:start + self.chunk].map(lambda values: torch.from_numpy(values).to(self.device))
                 for start in range(0, len(latents), self.chunk)]
        return np.concatenate([torch.sigmoid(self.logits(part)).cpu().numpy() for part in parts])

    @torch.no_grad()
    def elbo(self, images, labels=None, seed=0):
        """`ELBO` of each image, in nats, by term: one draw from the posterior, with noise from `seed`."""
        images, labels = self.check(images, labels)
        generator = torch.Generator(self.device).manual_seed(seed)
        return self._in_chunks(lambda x, label: self.bound(x, label, generator), ELBO, images, labels)

    def check(self, images, labels=None):
        """Images and labels in the form that the model takes, or an error that says what is wrong with them."""
        images = check_images(images, self.shape)
        return images, self._check_label(labels, len(images))

    def _check_label(self, labels, count):
        if self.classes and labels is None:
            raise ValueError(f"labels are missing: this VAE is conditional on {self.classes} classes; give one whole number "
                             f"an image")
        if not self.classes and labels is not None:
            raise ValueError("labels were given, but this VAE takes none: leave them out, or make VAE(…, classes=k)")
        return None if labels is None else check_labels(labels, count, self.classes)

    def _check_latents(self, latents, labels):
        if not isinstance(latents, Latents):
            latents = Latents(latents, label=labels)
        elif labels is not None:   # the same content, drawn as other classes
            latents = replace(latents, label=labels)
        content = check_rows(latents.content, self.content, "content")
        count = len(content)
        pose = {}
        for name in latents.means.keys() - {"content"}:
            if self.pose is None or name not in self.pose.widths:
                raise ValueError(f"latents hold a {name}, but this VAE has none in its pose: make VAE(…, pose=Pose(…)) with it")
            values = np.asarray(getattr(latents, name))
            if values.shape != ((count, 2) if name == "shift" else (count,)):
                raise ValueError(f"latents must hold {'two shifts' if name == 'shift' else 'one ' + name} an image, {count} "
                                 f"images; got {name} {values.shape}")
            pose[name] = check_rows(values.reshape(count, -1), values.size // count, name).reshape(values.shape)
        return Latents(content, label=self._check_label(latents.label, count), **pose)

    def _in_chunks(self, function, kind, images, labels):
        """`function` of all images, a chunk at a time, its dataclass of tensors joined to a `kind` of NumPy arrays."""
        parts = []
        for start in range(0, len(images), self.chunk):
            chosen = slice(start, start + self.chunk)
            label = None if labels is None else torch.from_numpy(labels[chosen]).to(self.device)
            parts.append(vars(function(torch.from_numpy(images[chosen]).to(self.device), label)))
        return kind(**{name: torch.cat([part[name] for part in parts]).cpu().numpy()
                       for name, values in parts[0].items() if values is not None})

    # ------------------------------------------------------------------ files

    save = save
    load = classmethod(load)


def _from_side(sides, which):
    """Latents (n, …) of the chosen side, which (n,), of latents (n, sides, …); of the only one if which is None."""
    if which is None:
        return sides.map(lambda values: values[:, 0])
    row = torch.arange(len(which), device=which.device)
    return sides.map(lambda values: values[row, which])


def _divergence_from_unit_normal(mean, sd):
    """KL(N(mean, sd²) ‖ N(0, 1)) summed over the last axis, in nats (Kingma & Welling, appendix B): (n, c) → (n,)."""
    return 0.5 * (mean**2 + sd**2 - 1 - 2 * sd.log()).sum(1)
