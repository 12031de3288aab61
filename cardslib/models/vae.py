"""The variational autoencoder, in the order in which an image passes through it: encode → sample → decode (→ elbo.py).

Kingma & Welling, Auto-Encoding Variational Bayes, 2014; Sohn, Lee & Yan, Learning Structured Output Representation using
Deep Conditional Generative Models, 2015 (the label); Kingma et al., Semi-supervised learning with deep generative models,
2014 (groups, some of them labelled); Bepler et al., Explicitly disentangling image content from translation and rotation in
generative models with spatial-VAE, 2019 (the pose); Nasiri & Bepler, Unsupervised object representation learning using
translation and rotation group equivariant VAE, 2022 (an encoder that looks from several orientations).
"""
from dataclasses import replace
from math import inf

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cardslib.geometry import wrap
from cardslib.models.arguments import check_device, check_label, check_latents, check_pose, check_shape, check_told
from cardslib.models.elbo import elbo
from cardslib.models.latents import Latents
from cardslib.models.likelihoods import make_likelihood
from cardslib.models.networks import DenseEncoder, PoseEncoder, make_decoder
from cardslib.models.pose import output_sizes, pose_posterior
from cardslib.models.refinement import refine
from cardslib.models.storage import load as load_model
from cardslib.models.storage import save as save_model
from cardslib.records import concatenate
from cardslib.transforms import centroid, pixel_grid, to_canonical
from cardslib.validation import check_count

MANY_IMAGES = 1024   # that go through the networks at a time when nothing is learnt: bounds the memory
FEW_IMAGES = 64      # the same where a network is evaluated at every pixel


class VAE(nn.Module):
    """A variational autoencoder of images, or of spectra.

    shape    (height, width) of the images in pixels, or (channels,) of spectra
    content  number of content latents, each with the prior N(0, 1); with a pose or groups there may be none
    pose     a `Pose`: latents of their own for rotation, shift, scale or shear (rVAE, shift-VAE); of spectra: shift or scale
    decoder  "dense" draws the image and knows no pose; "warp" draws a canonical picture and moves it by the pose; "spatial"
             and "skip" are networks of the coordinates, evaluated at every pixel.  By default "warp" with a pose, else "dense"
    likelihood  of a pixel, `models.likelihoods`: "bernoulli" for shares of light in [0, 1] (cards, digits), "poisson" for
             counts of electrons, "gaussian" for any numbers
    noise    of a Gaussian likelihood: the standard deviation of a pixel, if it is known or measured; None: it is learnt
    hidden   width of the hidden layers of both networks
    seed     of the initial weights
    device   "cpu" or, where there is one, "cuda"

    What else there is to know of an image can be told or found; one of the three:
    classes     number of classes: encoder and decoder are told each image's label (conditional VAE)
    conditions  number of real quantities: encoder and decoder are told their values, of the order of 1
    groups      number of groups: a latent variable with so many values, all as likely before an image is seen (joint VAE);
                `fit` takes labels for as many images as are known (semi-supervised)

    The posterior of the latents is a Gaussian with a diagonal covariance.

    With a prior of the angle that reaches far, the encoder looks at an image from several orientations, as far as the prior
    reaches (eight if the angle may be any), and gives each a logit, to which the logarithm of the prior there is added.  The
    posterior is that of the best: *one* Gaussian about one angle, so the bound is the plain one, of the uniform prior on the
    circle (or of N(0, width²)); which orientation it came from costs nothing and earns nothing.  It then sees of an image the
    disc as wide as the longer side: the corners leave the picture when it turns.  Groups share one posterior of content and
    pose; the same logits say how likely each group is.
    """

    def __init__(self, shape, content=2, classes=0, conditions=0, groups=0, pose=None, decoder=None, likelihood="bernoulli",
                 noise=None, hidden=128, seed=0, device="cpu"):
        super().__init__()
        self.shape = check_shape(shape)
        self.pose = check_pose(pose, self.shape)
        self.content = check_count("content", content, 0 if pose or groups else 1)
        self.classes, self.conditions, self.groups = check_told(classes, conditions, groups)
        self.hidden = check_count("hidden", hidden)
        self.looks_around = bool(pose) and len(self.shape) == 2   # crops and turned copies are of images
        self.likelihood = make_likelihood(likelihood, noise, () if self.looks_around else self.shape)
        angles = pose.orientations if pose else torch.zeros(1)
        self.chooses = len(angles) > 1 or self.groups > 0   # among orientations or groups: the encoder gives logits
        self.outputs = {"content": self.content, "content_sd": self.content,
                        **(output_sizes(pose, len(self.shape)) if pose else {}),
                        **({"logits": max(1, self.groups)} if self.chooses else {})}
        conditioning_size = self.classes + self.conditions
        with torch.random.fork_rng(devices=[]):   # the caller's random numbers are left alone
            torch.manual_seed(check_count("seed", seed, 0))
            outputs = sum(self.outputs.values())
            self.encoder = PoseEncoder(self.shape, outputs, self.hidden, conditioning_size, angles) if self.looks_around \
                else DenseEncoder(self.shape, outputs, self.hidden, conditioning_size)
            self.decoder = make_decoder(decoder or ("warp" if pose else "dense"), self.shape, self.content, self.hidden,
                                        conditioning_size + self.groups, pose)
        any_angle = bool(pose) and pose.widths.get("angle") == inf
        self.steps, self.learning_rate = (650, 1e-2) if any_angle else (1000, 6e-3)   # of a training, by default
        if self.likelihood.name != "bernoulli":   # counts may weigh a hundred times as much: steeper slopes want smaller steps
            self.learning_rate /= 2
        self.learning = False   # a training has not come to its end yet: `fit` says so
        self.chunk = FEW_IMAGES if self.decoder.pointwise else MANY_IMAGES
        self.register_buffer("steps_made", torch.tensor(0))        # of training, so far
        self.register_buffer("prepared", torch.tensor(False))      # long enough for the next training to need no guide: `fit`
        self.register_buffer("orientations", angles, persistent=False)
        self.register_buffer("log_prior", pose.log_prior if pose else torch.zeros(1), persistent=False)   # of them
        self.register_buffer("points", pixel_grid(*(1, *self.shape)[-2:]).reshape(-1, 2), persistent=False)   # (h·w, 2)
        self.to(check_device(device))

    # ------------------------------------------------------------------ the mathematics, on tensors

    def posterior(self, images, label=None):
        """The posterior of images (n, h, w), as `Latents` of tensors: means, standard deviations, probabilities of the groups.

        label  (n,) or (n, conditions): what the model is told; for a model with groups: the group, -1 where it is not known
        """
        latents = self.best(*self.posterior_by_orientation(images, None if self.groups else label))
        return replace(latents, group=self.known_groups(latents.group, label)) if self.groups else latents

    def posterior_by_orientation(self, images, label=None, which=None):
        """The posterior from every orientation, or from the one `which` (n,) names: `Latents` (n, orientations, …), and the
        logits, (n, orientations, groups or 1), or None if there is nothing to choose."""
        conditioning = None if label is None else self._conditioning(label)
        signal, centre = self.likelihood.signal(images), None
        if self.looks_around:
            centre = centroid(signal) if "shift" in self.pose.widths else None
            outputs = self.encoder(signal, conditioning, centre, which)              # (n, orientations, outputs)
        else:
            outputs = self.encoder(signal, conditioning)[:, None]                    # (n, outputs) → (n, 1, outputs)
        outputs = dict(zip(self.outputs, outputs.split(list(self.outputs.values()), 2)))
        content, content_sd = outputs["content"], outputs["content_sd"].clamp(-8, 4).exp()
        angles = self.orientations if which is None or len(self.orientations) == 1 else self.orientations[which][:, None]
        pose = pose_posterior(self.pose, outputs, angles, centre) if self.pose else {}
        if label is not None:
            label = label[:, None].expand(-1, content.shape[1], *label.shape[1:])
        if not self.chooses:
            return Latents(content, content_sd, label=label, **pose), None
        log_prior = self.log_prior if which is None or len(angles) == 1 else self.log_prior[which][:, None]
        return Latents(content, content_sd, label=label, **pose), outputs["logits"] + log_prior[..., None]

    def best(self, every, logits):
        """Of the posterior from every orientation the most likely one, and the probability of each group: `Latents` (n, …)."""
        if logits is None:
            return every.map(lambda values: values[:, 0])
        row, which = torch.arange(len(logits), device=logits.device), logits.amax(2).argmax(1)
        latents = every.map(lambda values: values[row, which])
        return replace(latents, group=logits.logsumexp(1).softmax(1)) if self.groups else latents

    def known_groups(self, probabilities, label):
        """Probabilities of the groups, (n, groups), with certainty in place of them where the label (n,) is not -1."""
        if label is None:
            return probabilities
        return torch.where(label[:, None] >= 0, F.one_hot(label.clamp_min(0), self.groups).float(), probabilities)

    def sample(self, latents, generator=None):
        """One draw from the posterior, by the reparameterisation that lets gradients through: mean + sd · noise."""
        drawn = {"label": latents.label, "group": latents.group}
        for name, mean in latents.means.items():
            sd = getattr(latents, name + "_sd")
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            drawn[name] = mean + (sd if sd.shape == mean.shape else sd[..., None]) * noise
        return Latents(**drawn)

    def natural_parameters(self, latents, pixels=None):
        """What is drawn at given values of the latents, before the likelihood makes means of it: the natural parameters of all
        pixels, (n, h, w); or of the pixels with these indices (p,), (n, p)."""
        inputs = latents.content
        if self.groups:
            inputs = torch.cat([inputs, latents.group], 1)                                       # (n, content + groups)
        elif latents.label is not None:
            inputs = torch.cat([inputs, self._conditioning(latents.label)], 1)                   # … + classes or conditions
        if self.pose is None:
            return self.decoder(inputs)                                                          # (n, h, w)
        points = to_canonical(self.points if pixels is None else self.points[pixels], latents)   # (n, p, 2)
        drawn = self.decoder(inputs, points)                                                     # (n, p)
        return drawn.unflatten(1, self.shape) if pixels is None else drawn

    def _conditioning(self, label):
        """Labels as the networks are told them: (n,) → (n, classes), one where the class is; conditions as they are."""
        return F.one_hot(label, self.classes).float() if self.classes else label

    # ------------------------------------------------------------------ the same for users, on arrays

    @property
    def device(self):
        return next(self.parameters()).device

    @torch.no_grad()
    def encode(self, images, labels=None):
        """`Latents` of images (n, h, w), or of spectra (n, channels): values that the likelihood allows.

        labels  for a model with classes: (n,) whole numbers; with conditions: (n, conditions) real numbers; with groups: none,
                or (n,) whole numbers where they are known, -1 where not
        """
        latents = self._in_chunks(self.posterior, *self.check(images, labels))
        return latents if latents.angle is None else replace(latents, angle=wrap(latents.angle))

    def refine(self, images, labels=None, steps=4):
        """`Latents` at the mode of the posterior, and its standard deviations: from what `encode` guessed, some steps uphill.

        Slower than `encode` by two decodings a latent and step, and with error bars that hold for a single image.
        """
        check_count("steps", steps)
        latents = self._in_chunks(lambda part, label: refine(self, part, label, steps), *self.check(images, labels))
        return latents if latents.angle is None else replace(latents, angle=wrap(latents.angle))

    @torch.no_grad()
    def decode(self, latents, labels=None):
        """Images (n, h, w), or spectra, float32, from what `encode` returned, or from content (n, c) alone: the mean of each
        pixel's distribution, in the data's own unit.

        With content alone, or where a part of the pose is None, that part is zero: the canonical picture.  Of several groups
        the likeliest is drawn.
        labels, for a model with classes, conditions or groups: needed with content alone; with `Latents` they replace what was
        encoded.
        """
        latents = check_latents(self, latents, labels)
        parts = [latents[start:start + self.chunk].map(lambda values: torch.from_numpy(values).to(self.device))
                 for start in range(0, len(latents), self.chunk)]
        return np.concatenate([self.likelihood.mean(self.natural_parameters(part)).cpu().numpy() for part in parts])

    @torch.no_grad()
    def elbo(self, images, labels=None, seed=0):
        """`ELBO` of each image, in nats: `.total`, and by term `.reconstruction`, `.content`, `.angle`, …, all (n,).

        An estimate from one draw of the posterior, with noise from `seed`.
        """
        generator = torch.Generator(self.device).manual_seed(seed)
        return self._in_chunks(lambda part, label: elbo(self, part, label, generator), *self.check(images, labels))

    def check(self, images, labels=None):
        """Images and labels in the form that the model takes, or an error that says what is wrong with them."""
        images = self.likelihood.check(images, self.shape)
        return images, check_label(self, labels, len(images))

    def _in_chunks(self, function, images, labels):
        """A function of tensors, whose value is a record of tensors, of all images: a few at a time, as a record of arrays."""
        parts = []
        for start in range(0, len(images), self.chunk):
            chunk = slice(start, start + self.chunk)
            label = None if labels is None else torch.from_numpy(labels[chunk]).to(self.device)
            record = function(torch.from_numpy(images[chunk]).to(self.device), label)
            parts.append(record.map(lambda values: values.cpu().numpy()))
        return concatenate(parts)

    # ------------------------------------------------------------------ files

    def save(self, path):
        """Write the model to one file: weights as safetensors, what it was made with as JSON in the header."""
        save_model(self, path)

    @classmethod
    def load(cls, path, device="cpu"):
        """The model that `save` wrote.  Nothing in the file is ever run: it holds numbers and JSON, no pickle.

        Raises FileNotFoundError, or ValueError for a file that is truncated, damaged or not a cardslib VAE.
        """
        return load_model(cls, path, device)
