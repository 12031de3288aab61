"""The variational autoencoder, in the order in which an image passes through it: encode → sample → decode → bound.

Kingma & Welling, Auto-Encoding Variational Bayes, 2014; Sohn, Lee & Yan, Learning Structured Output Representation using
Deep Conditional Generative Models, 2015 (the label).
"""
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from cardslib.checks import check_count, check_images, check_labels, check_rows
from cardslib.latents import ELBO, Latents
from cardslib.networks import DenseDecoder, DenseEncoder

CHUNK = 1024   # images that go through a network at a time when nothing is learnt: bounds the memory


class VAE(nn.Module):
    """A variational autoencoder of grey images.

    shape    (height, width) of the images in pixels
    content  number of content latents, each with the prior N(0, 1)
    classes  0, or the number of classes of a conditional VAE: encoder and decoder are then told each image's label
    hidden   width of the hidden layers of both networks
    seed     of the initial weights
    device   "cpu" or, where there is one, "cuda"

    The posterior of the content is a Gaussian with a diagonal covariance, the likelihood of a pixel a Bernoulli's with
    the pixel's value (a share of light in [0, 1]) in place of the outcome.
    """

    def __init__(self, shape, content=2, classes=0, hidden=128, seed=0, device="cpu"):
        super().__init__()
        if np.shape(shape) != (2,):
            raise ValueError(f"shape must be (height, width) in pixels; got {shape!r}")
        self.shape = tuple(check_count("shape", side) for side in shape)
        self.content = check_count("content", content)
        self.classes = check_count("classes", classes, 0)
        self.hidden = check_count("hidden", hidden)
        check_count("seed", seed, 0)
        if torch.device(device).type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device={device!r}, but torch finds no CUDA here: leave device out, everything runs on the CPU")
        with torch.random.fork_rng(devices=[]):   # the caller's random numbers are left alone
            torch.manual_seed(seed)
            self.encoder = DenseEncoder(self.shape, 2 * self.content, self.hidden, self.classes)
            self.decoder = DenseDecoder(self.shape, self.content, self.hidden, self.classes)
        self.register_buffer("prepared", torch.tensor(False))
        self.to(device)

    # ------------------------------------------------------------------ the mathematics, on tensors

    def posterior(self, images, label=None):
        """Latents of images (n, h, w), given their label (n,): means and standard deviations, as tensors."""
        mean, log_sd = self.encoder(images, self._one_hot(label)).chunk(2, 1)   # (n, 2c) → (n, c), (n, c)
        return Latents(mean, log_sd.clamp(-8, 4).exp(), label)

    def sample(self, latents, generator=None):
        """One draw from the posterior, by the reparameterisation that lets gradients through: mean + sd · noise."""
        noise = torch.randn(latents.content.shape, generator=generator, device=latents.content.device)
        return Latents(latents.content + latents.content_sd * noise, label=latents.label)

    def logits(self, latents):
        """Logits of the pixels, (n, h, w), at the given values of the latents."""
        return self.decoder(latents.content, self._one_hot(latents.label))

    def bound(self, images, label=None, generator=None):
        """The ELBO of images (n, h, w), by term, as tensors: an estimate from one draw of the posterior each."""
        latents = self.posterior(images, label)
        logits = self.logits(self.sample(latents, generator))
        log_likelihood = -F.binary_cross_entropy_with_logits(logits, images, reduction="none")
        return ELBO(log_likelihood.sum((1, 2)), _divergence_from_unit_normal(latents.content, latents.content_sd))

    def _one_hot(self, label):
        return F.one_hot(label, self.classes).float() if self.classes else None

    @torch.no_grad()
    def prepare(self, images):
        """Before the first step of the first training: start from the mean image, so that only differences must be learnt.

        Without it a short training is spent on learning where the background is: after the same 1000 steps −ELBO is then 52,
        95, 126, 182 nats on card sets 1 to 4 instead of 49, 67, 73, 160.
        """
        if not self.prepared:
            self.decoder.offset.copy_(torch.logit(images.mean(0), eps=1e-3).flatten())   # (h, w) → (h·w,)
            self.prepared.fill_(True)

    # ------------------------------------------------------------------ the same for users, on arrays

    @property
    def device(self):
        return next(self.parameters()).device

    @torch.no_grad()
    def encode(self, images, labels=None):
        """`Latents` of images (n, h, w) in [0, 1]; a conditional model needs their labels (n,), whole numbers."""
        images, labels = self.check(images, labels)
        return self._in_chunks(self.posterior, Latents, images, labels)

    @torch.no_grad()
    def decode(self, latents, labels=None):
        """Images (n, h, w), float32, from what `encode` returned, or from content (n, c) alone.

        labels (n,), for a conditional model: needed with content alone; with `Latents` they replace the encoded ones.
        """
        if not isinstance(latents, Latents):
            latents = Latents(latents, label=labels)
        elif labels is not None:   # the same content, drawn as other classes
            latents = Latents(latents.content, label=labels)
        content = check_rows(latents.content, self.content, "content")
        label = self._check_label(latents.label, len(content))
        parts = [torch.sigmoid(self.logits(Latents(z, label=y))).cpu().numpy() for z, y in self._chunks(content, label)]
        return np.concatenate(parts)

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

    def _chunks(self, values, labels):
        for start in range(0, len(values), CHUNK):
            part = slice(start, start + CHUNK)
            yield (torch.from_numpy(values[part]).to(self.device),
                   None if labels is None else torch.from_numpy(labels[part]).to(self.device))

    def _in_chunks(self, function, kind, images, labels):
        """`function` of all images, a chunk at a time, its dataclass of tensors joined to a `kind` of NumPy arrays."""
        parts = [vars(function(x, label)) for x, label in self._chunks(images, labels)]
        return kind(**{name: torch.cat([part[name] for part in parts]).cpu().numpy()
                       for name, values in parts[0].items() if values is not None})

    # ------------------------------------------------------------------ files

    def save(self, path):
        """Write the model to one file: weights as safetensors, what it was made with as JSON in the header."""
        if not Path(path).absolute().parent.is_dir():
            raise FileNotFoundError(f"there is no folder {Path(path).parent} to save the model in: make it first")
        made_with = dict(shape=self.shape, content=self.content, classes=self.classes, hidden=self.hidden)
        save_file({name: weight.contiguous() for name, weight in self.state_dict().items()}, path,
                  {"cardslib.VAE": json.dumps(made_with)})

    @classmethod
    def load(cls, path, device="cpu"):
        """The model that `save` wrote.  Nothing in the file is ever run: it holds numbers and JSON, no pickle.

        Raises FileNotFoundError, or ValueError for a file that is truncated, damaged or not a cardslib VAE.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no model file {path}")
        try:
            with safe_open(path, "pt") as file:
                made_with = json.loads((file.metadata() or {})["cardslib.VAE"])
                if set(made_with) != {"shape", "content", "classes", "hidden"} or np.max(list(made_with["shape"])) > 1e5 \
                        or max(made_with["content"], made_with["classes"], made_with["hidden"]) > 1e6:
                    raise ValueError("its header does not describe a VAE")
                with torch.device("meta"):   # no memory is taken until the file is known to fit
                    model = cls(**made_with, device="meta")
                shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
                promised = model.state_dict()
                if shapes != {name: tuple(weight.shape) for name, weight in promised.items()}:
                    raise ValueError("its weights do not have the shapes that its header promises")
                weights = {name: file.get_tensor(name) for name in shapes}
                if any(weight.dtype != promised[name].dtype or not weight.isfinite().all() for name, weight in weights.items()):
                    raise ValueError("its weights are not finite 32-bit numbers")
                model.load_state_dict(weights, assign=True)
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as problem:
            reason = "its header names no cardslib VAE" if isinstance(problem, KeyError) else problem
            raise ValueError(f"{path} is not a whole model file of cardslib ({reason}): save the model again with "
                             f"VAE.save") from problem
        return model.to(device)


def _divergence_from_unit_normal(mean, sd):
    """KL(N(mean, sd²) ‖ N(0, 1)) summed over the last axis, in nats (Kingma & Welling, appendix B): (n, c) → (n,)."""
    return 0.5 * (mean**2 + sd**2 - 1 - 2 * sd.log()).sum(1)
