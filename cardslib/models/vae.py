"""The variational autoencoder, in the order in which an image passes through it: encode → sample → decode (→ bound.py).

Kingma & Welling, Auto-Encoding Variational Bayes, 2014; Sohn, Lee & Yan, Learning Structured Output Representation using
Deep Conditional Generative Models, 2015 (the label); Kingma et al., Semi-supervised learning with deep generative models,
2014 (groups, some of them labelled); Bepler et al., Explicitly disentangling image content from translation and rotation in
generative models with spatial-VAE, 2019 (the pose); Nasiri & Bepler, Unsupervised object representation learning using
translation and rotation group equivariant VAE, 2022 (an encoder that looks from all sides).
"""
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cardslib.geometry import wrap
from cardslib.models.elbo import ask_neighbours, bound
from cardslib.models.latents import ELBO, Latents
from cardslib.models.networks import DenseEncoder, TurningEncoder, make_decoder
from cardslib.models.pose import Pose, encoded_sides, numbers_needed
from cardslib.models.storage import load, save
from cardslib.similarity.alignment import Alignment
from cardslib.transforms import centroid, orientations, pixel_grid, to_canonical
from cardslib.validation import check_count, check_images, check_labels, check_rows

__all__ = ["VAE", "Pose"]
CHUNK = 1024       # images that go through a network at a time when nothing is learnt: bounds the memory
FEW = 64           # the same if a network is asked at every pixel


class VAE(nn.Module):
    """A variational autoencoder of grey images.

    shape    (height, width) of the images in pixels
    content  number of content latents, each with the prior N(0, 1); with a pose or groups there may be none
    pose     a `Pose`: latents of their own for rotation, shift, scale or shear (rVAE, shift-VAE)
    decoder  "dense" draws the image and knows no pose; "warp" draws a canonical picture and moves it by the pose; "spatial"
             and "skip" are networks of the coordinates, asked at every pixel.  By default "warp" with a pose, else "dense"
    hidden   width of the hidden layers of both networks
    seed     of the initial weights
    device   "cpu" or, where there is one, "cuda"

    What else is there to know of an image can be given or found; one of the three:
    classes     number of classes: encoder and decoder are told each image's label (conditional VAE)
    conditions  number of real quantities: encoder and decoder are told their values, of the order of 1
    groups      number of groups: a latent variable with so many values, all as likely before an image is seen (joint VAE);
                `fit` takes labels for as many images as are known (semi-supervised)

    The posterior of the latents is a Gaussian with a diagonal covariance, the likelihood of a pixel a Bernoulli's with the
    pixel's value (a share of light in [0, 1]) in place of the outcome.

    With a prior of the angle that reaches all round, the encoder looks at an image from eight sides and scores each.  The
    posterior is that of the best: *one* Gaussian about one angle, so the bound is the plain one, of the uniform prior on the
    circle (or of N(0, width²)); which side it came from costs nothing and earns nothing.  Groups share one posterior of
    content and pose; the same scores say how likely each group is.
    """

    def __init__(self, shape, content=2, classes=0, conditions=0, groups=0, pose=None, decoder=None, hidden=128, seed=0,
                 device="cpu"):
        super().__init__()
        if np.shape(shape) != (2,):
            raise ValueError(f"shape must be (height, width) in pixels; got {shape!r}")
        if not isinstance(pose, Pose | None):
            raise ValueError(f"pose must be a Pose, such as Pose(rotation=True); got {pose!r}")
        self.shape = tuple(check_count("shape", side) for side in shape)
        self.content = check_count("content", content, 0 if pose or groups else 1)
        self.classes = check_count("classes", classes, 0)
        self.conditions = check_count("conditions", conditions, 0)
        self.groups = check_count("groups", groups, 0)
        if (classes > 0) + (conditions > 0) + (groups > 0) > 1:
            raise ValueError(f"classes, conditions and groups exclude each other; got {classes}, {conditions}, {groups}: "
                             f"keep one of them")
        self.hidden = check_count("hidden", hidden)
        self.pose = pose
        self.kind = decoder or ("warp" if pose else "dense")
        check_count("seed", seed, 0)
        if torch.device(device).type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device={device!r}, but torch finds no CUDA here: leave device out, everything runs on the CPU")
        sides = pose.sides if pose else 1
        self._numbers = {"content": self.content, "content_sd": self.content, **numbers_needed(pose)}
        if sides > 1 or groups:   # how likely this side is, or each group seen from it
            self._numbers["score"] = max(1, groups)
        told, given = classes + conditions, classes + conditions + groups
        with torch.random.fork_rng(devices=[]):   # the caller's random numbers are left alone
            torch.manual_seed(seed)
            kind, more = (TurningEncoder, dict(sides=sides)) if pose else (DenseEncoder, {})
            self.encoder = kind(self.shape, sum(self._numbers.values()), self.hidden, told, **more)
            self.decoder = make_decoder(self.kind, self.shape, self.content, self.hidden, given, pose)
        self.steps, self.learning_rate = (650, 1e-2) if sides > 1 else (1000, 6e-3)   # of a training, by default
        self.learning = False   # a training has not come to its end yet: `fit` says so
        self.chunk = FEW if self.kind in ("spatial", "skip") else CHUNK
        self.register_buffer("prepared", torch.tensor(False))
        self.register_buffer("sides", orientations(sides), persistent=False)
        self.register_buffer("pixels", pixel_grid(*self.shape).reshape(-1, 2), persistent=False)   # (h·w, 2)
        self.to(device)

    # ------------------------------------------------------------------ the mathematics, on tensors

    def candidates(self, images, label=None, which=None):
        """The posterior from every side, or from the side `which` (n,): `Latents` with fields (n, sides, …), and the scores,
        (n, sides, groups or 1), or None if there is nothing to choose."""
        given = self._given(label)
        if self.pose is None:
            centre, answers = None, self.encoder(images, given)[:, None]        # (n, outputs) → (n, 1, outputs)
        else:
            centre = centroid(images) if "shift" in self.pose.widths else None
            answers = self.encoder(images, given, centre, which)                # (n, sides, outputs)
        said = dict(zip(self._numbers, answers.split(list(self._numbers.values()), 2)))
        content_sd = said["content_sd"].clamp(-8, 4).exp()
        angles = self.sides if which is None or len(self.sides) == 1 else self.sides[which][:, None]
        pose = encoded_sides(self.pose, said, angles, centre) if self.pose else {}
        if label is not None:
            label = label[:, None].expand(-1, answers.shape[1], *label.shape[1:])
        return Latents(said["content"], content_sd, label=label, **pose), said.get("score")

    def chosen(self, sides, score, known=None):
        """Of all `candidates`: `Latents` (n, …) of the likeliest side, and the groups' shares; known (n,) as for `bound`."""
        if score is None:
            return sides.map(lambda values: values[:, 0])
        row, which = torch.arange(len(score), device=score.device), score.amax(2).argmax(1)
        latents = sides.map(lambda values: values[row, which])
        if not self.groups:
            return latents
        share = score.logsumexp(1).softmax(1)                                   # (n, groups)
        if known is not None:
            share = torch.where(known[:, None] >= 0, F.one_hot(known.clamp_min(0), self.groups).float(), share)
        return replace(latents, group=share)

    def posterior(self, images, label=None):
        """`Latents` of images (n, h, w), given what is known of them: means, standard deviations and shares, as tensors."""
        return self.chosen(*self.candidates(images, None if self.groups else label), label)

    def sample(self, latents, generator=None):
        """One draw from the posterior, by the reparameterisation that lets gradients through: mean + sd · noise."""
        drawn = {"label": latents.label, "group": latents.group}
        for name, mean in latents.means.items():
            sd = getattr(latents, name + "_sd")
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            drawn[name] = mean + (sd if sd.shape == mean.shape else sd[..., None]) * noise
        return Latents(**drawn)

    def logits(self, latents, points=None):
        """Logits of the pixels at the given values of the latents, (n, h, w); or at points (p, 2) of the image, (n, p)."""
        given = latents.group if self.groups else self._given(latents.label)
        if self.kind == "dense":
            return self.decoder(latents.content, given)
        if points is not None:
            return self.decoder(latents.content, given, to_canonical(points, latents))
        return self.decoder(latents.content, given, to_canonical(self.pixels, latents)).unflatten(1, self.shape)

    bound = bound   # of images, by term: bound.py

    def _given(self, label):
        """Labels as the networks are told them: (n,) → (n, classes), one where the class is; conditions as they are."""
        return F.one_hot(label, self.classes).float() if self.classes else label

    def prepare(self, images, labels=None, alignment=True):
        """Before the first step of a training on images (n, h, w): what it starts from.  Returns a guide for `bound`.

        The first time the decoder starts from the mean image, so that only differences must be learnt.  (Without it −ELBO is
        52, 95, 126, 182 nats after the same 1000 steps on card sets 1 to 4, instead of 49, 67, 73, 160.)  If there are groups
        or the angle may be any, the images are then compared with one another.  A model that has learnt before goes on with
        the groups and the zeros that it has.
        """
        if not isinstance(alignment, bool | Alignment):
            raise ValueError(f"alignment must be True, False or an Alignment; got {alignment!r}")
        if isinstance(alignment, Alignment) and len(alignment) != len(images):
            raise ValueError(f"alignment must hold a pose for each of the {len(images)} images; got {len(alignment)}")
        first = not self.prepared
        if first:
            self.decoder.start_from(torch.logit(images.mean(0), eps=1e-3))
            self.prepared.fill_(True)
        if (len(self.sides) == 1 and not self.groups) or (alignment is True and not first):
            return "best"
        if alignment is False:
            return "all" if first else "best"
        return ask_neighbours(self, images, labels if self.groups else None, alignment)

    # ------------------------------------------------------------------ the same for users, on arrays

    @property
    def device(self):
        return next(self.parameters()).device

    @torch.no_grad()
    def encode(self, images, labels=None):
        """`Latents` of images (n, h, w) in [0, 1].

        labels  for a model with classes: (n,) whole numbers; with conditions: (n, conditions) real numbers; with groups: none,
                or (n,) whole numbers where they are known, -1 where not
        """
        images, labels = self.check(images, labels)
        latents = self._in_chunks(self.posterior, Latents, images, labels)
        return latents if latents.angle is None else replace(latents, angle=wrap(latents.angle))

    @torch.no_grad()
    def decode(self, latents, labels=None):
        """Images (n, h, w), float32, from what `encode` returned, or from content (n, c) alone.

        With content alone, or where a part of the pose is None, that part is zero: the canonical picture.  Of several groups
        the likeliest is drawn.
        labels, for a model with classes, conditions or groups: needed with content alone; with `Latents` they replace what was
        encoded.
        """
        latents = self._check_latents(latents, labels)
        parts = [latents[start:start + self.chunk].map(lambda values: torch.from_numpy(values).to(self.device))
                 for start in range(0, len(latents), self.chunk)]
        return np.concatenate([torch.sigmoid(self.logits(part)).cpu().numpy() for part in parts])

    @torch.no_grad()
    def elbo(self, images, labels=None, seed=0):
        """`ELBO` of each image, in nats: `.total`, and by term `.reconstruction`, `.content`, `.angle`, …, all (n,).

        An estimate from one draw of the posterior, with noise from `seed`.
        """
        images, labels = self.check(images, labels)
        generator = torch.Generator(self.device).manual_seed(seed)
        return self._in_chunks(lambda x, label: self.bound(x, label, generator), ELBO, images, labels)

    def check(self, images, labels=None):
        """Images and labels in the form that the model takes, or an error that says what is wrong with them."""
        images = check_images(images, self.shape)
        return images, self._check_label(labels, len(images))

    def _check_label(self, labels, count):
        """What was said of `count` images, as an array, or None; ValueError if it is not what this model wants."""
        if labels is None and not (self.classes or self.conditions):
            return None
        if self.groups:
            return check_labels(labels, count, self.groups, unknown=True)
        if self.classes and labels is None:
            raise ValueError(f"labels are missing: this VAE is conditional on {self.classes} classes; give one whole number "
                             f"an image")
        if self.classes:
            return check_labels(labels, count, self.classes)
        if not self.conditions:
            raise ValueError("labels were given, but this VAE takes none: leave them out, or make VAE(…, classes=k), "
                             "VAE(…, conditions=c) or VAE(…, groups=k)")
        if labels is None or np.shape(labels) != (count, self.conditions):
            raise ValueError(f"labels must be ({count}, {self.conditions}) numbers: this VAE is conditional on "
                             f"{self.conditions} of them an image; got {'none' if labels is None else np.shape(labels)}")
        return check_rows(labels, self.conditions, "labels")

    def _check_group(self, latents, count):
        """The group in which each image is to be drawn, (count, groups) with a single one in each row, or None."""
        if not self.groups:
            if latents.group is not None:
                raise ValueError("latents hold a group, but this VAE has none: make VAE(…, groups=k)")
            return None
        if latents.label is not None:
            group = check_labels(latents.label, count, self.groups)
        elif latents.group is None:
            raise ValueError(f"labels are missing: which of the {self.groups} groups is to be drawn? Give one whole number an "
                             f"image")
        elif np.shape(latents.group) != (count, self.groups):
            raise ValueError(f"latents must hold a share of each of the {self.groups} groups for {count} images; got group "
                             f"{np.shape(latents.group)}")
        else:
            group = check_rows(latents.group, self.groups, "group").argmax(1)
        return np.eye(self.groups, dtype=np.float32)[group]

    def _check_latents(self, latents, labels):
        if not isinstance(latents, Latents):
            latents = Latents(latents, label=labels)
        elif labels is not None:   # the same content, drawn as something else
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
        label = None if self.groups else self._check_label(latents.label, count)
        return Latents(content, group=self._check_group(latents, count), label=label, **pose)

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
