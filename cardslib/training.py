"""One short training loop.  It prints and draws nothing itself: whoever wants to watch passes a callback."""
import inspect
import math
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from cardslib.models.guide import WEIGHTS, objective, prepare
from cardslib.models.vae import VAE
from cardslib.validation import check_count, check_number

BATCH = 128
EXPLORE = 1 / 3         # of the epochs: so long every orientation of an image is tried, if nothing says how it lies
ENOUGH = 1 / 2          # of `model.steps`: guided for a third of them, then left alone, four suits cost 3 nats more


@dataclass
class History:
    """How a training went, one number an epoch (means over the epoch's steps, while the model learnt).

    loss         −ELBO in nats per image (at β = 1, whatever β was trained with)
    terms        its parts by name: "reconstruction" (minus the log-likelihood) and each divergence
    guidance     what was taken off beside, by name, while something guided the model (`models.guide`): no part of the loss, and
                 shorter than it where it began later
    seconds      since the start
    interrupted  True if the training was stopped before its last epoch
    """

    loss: list = field(default_factory=list)
    terms: dict = field(default_factory=dict)
    guidance: dict = field(default_factory=dict)
    seconds: list = field(default_factory=list)
    interrupted: bool = False

    def add(self, steps, count, seconds):
        """Add an epoch of `count` images: in steps, what each term and the guidance came to, by name, summed over its images.

        Raises FloatingPointError if the loss is no number any more.
        """
        means = {name: float(sum(step[name] for step in steps)) / count for name in steps[0]}
        guidance = {name: means.pop(name) for name in WEIGHTS if name in means}
        loss = sum(means.values())
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss became {loss} in epoch {len(self.loss) + 1}: make a new model and train it "
                                     f"with a smaller learning_rate (the default is model.learning_rate)")
        self.loss.append(loss)
        self.seconds.append(seconds)
        for lists, values in ((self.terms, means), (self.guidance, guidance)):
            for name, value in values.items():
                lists.setdefault(name, []).append(value)


@dataclass(frozen=True)
class Progress:
    """What a callback is told after each epoch (counted from 1), and once before the first (epoch 0)."""

    model: torch.nn.Module
    history: History
    epoch: int
    epochs: int

    @property
    def elapsed(self):
        """Seconds since the start."""
        return self.history.seconds[-1] if self.epoch else 0.0

    @property
    def remaining(self):
        """Seconds that the other epochs will take at the pace so far; None before the first is over."""
        return self.elapsed / self.epoch * (self.epochs - self.epoch) if self.epoch else None

    def __str__(self):
        if not self.epoch:
            return f"{self.epochs} epochs to go"
        left = f", {self.remaining:.1f} s left" if self.epoch < self.epochs else ""
        return f"epoch {self.epoch} of {self.epochs} · −ELBO {self.history.loss[-1]:.1f} nats · {self.elapsed:.1f} s{left}"


@contextmanager
def _single_precision():
    """Numbers of 32 bits are torch's default, whatever the caller has made it."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(default)


@torch.inference_mode(False)   # which also switches gradients on, whatever surrounds the call
@_single_precision()
def fit(model, images, labels=None, epochs=None, seed=0, *, beta=1.0, batch=BATCH, learning_rate=None,
        alignment=True, callback=None, progress=True):
    """Train `model` on images (n, h, w) in [0, 1] by maximising the ELBO; returns the `History`.

    labels         for a model with classes: (n,) whole numbers; with conditions: (n, conditions) real numbers; with groups:
                   none, or (n,) whole numbers where they are known and -1 where not (semi-supervised)
    epochs         passes through the images; by default as many as make about `model.steps` steps
    seed           of the order of the images and of the noise; the initial weights have the model's own seed
    beta           weight of the divergences in what is maximised (β-VAE, Higgins et al. 2017); 1 is the ELBO
    batch          images a step
    learning_rate  of the Adam optimiser, at its peak; by default `model.learning_rate`.  It rises for the first 30 % of the
                   steps, then falls to nothing (Smith's one cycle)
    alignment      for a model with groups, or one that turns images all round: True to compare the images with one another
                   first, so that the prior "similar images are of a kind and lie alike" helps; False to do without it (groups
                   are then seldom what one hopes for); or an `Alignment` that is known from elsewhere
    callback       called with a `Progress` before the first epoch and after each
    progress       True: show epoch, loss, elapsed time and time left on one line (in a notebook or a terminal)

    Interrupt it when you like (the stop button, Ctrl-C, or a callback that raises KeyboardInterrupt): the model keeps
    what it has learnt, and the history the epochs that were completed.  Call it again to go on, with a new cycle of the
    learning rate.  Until a training has come to its end with at least half of `model.steps` steps made in all, images are
    compared with one another anew, which takes for granted that they are the same images.
    """
    if not isinstance(model, VAE):
        raise ValueError(f"model must be a VAE; got {type(model).__name__}: the model comes first, fit(model, images)")
    images, labels = model.check(images, labels)
    _check_settings(images, epochs, seed, beta, batch, learning_rate, alignment)
    model.float()                    # made while torch's default was another
    images, labels = (None if array is None else torch.from_numpy(array).to(model.device) for array in (images, labels))
    batches = max(1, round(len(images) / batch))
    epochs = epochs or math.ceil(model.steps / batches)
    optimiser = Adam(model.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate or model.learning_rate,
                                                   total_steps=epochs * batches + 1)
    order, noise = torch.Generator().manual_seed(seed), torch.Generator(model.device).manual_seed(seed)
    explored = 0 if model.prepared else EXPLORE * epochs   # so many epochs, if neighbours do not say how images lie
    history, start = History(), time.perf_counter()
    watchers = [watcher for watcher in (_Line() if progress else None, callback) if watcher]
    model.learning = True
    flushed = bool(torch.tensor(2e-38) * 0.1 == 0)   # torch can be told what to do with such numbers, but not asked
    torch.set_flush_denormal(True)   # numbers below 10⁻³⁸, of which a trained network has many, are slow: take them for 0
    try:
        guide = prepare(model, images, labels, alignment)
        for watcher in watchers:
            watcher(Progress(model, history, 0, epochs))
        for epoch in range(1, epochs + 1):
            steps = []
            for chosen in torch.randperm(len(images), generator=order).tensor_split(batches):
                label, of_chosen = (None if each is None else each[chosen] for each in (labels, guide))
                elbo, guidance = objective(model, images[chosen], label, of_chosen, epoch <= explored, noise)
                divergences = elbo.divergences
                value = elbo.reconstruction - beta * sum(divergences.values())
                value = value - sum(WEIGHTS[name] * term for name, term in guidance.items())
                optimiser.zero_grad()
                (-value.mean()).backward()
                optimiser.step()
                schedule.step()
                model.steps_made += 1
                terms = {"reconstruction": -elbo.reconstruction, **divergences, **guidance}
                steps.append({name: term.detach().sum() for name, term in terms.items()})
            history.add(steps, len(images), time.perf_counter() - start)
            for watcher in watchers:
                watcher(Progress(model, history, epoch, epochs))
        if model.steps_made >= ENOUGH * model.steps:
            model.prepared.fill_(True)
    except KeyboardInterrupt:
        history.interrupted = True
        if progress:
            print(f"interrupted after {len(history.loss)} of {epochs} epochs: the model keeps what it has learnt")
    finally:
        torch.set_flush_denormal(flushed)
        model.learning = False
    return history


def _check_settings(images, epochs, seed, beta, batch, learning_rate, alignment):
    if (images == images[0]).all():
        raise ValueError("images must differ from one another; all are the same" +
                         (f" constant {images.flat[0]:.3g}" if np.ptp(images) == 0 else "") + ": there is nothing to learn")
    check_count("batch", batch)
    if epochs is not None:
        check_count("epochs", epochs)
    check_count("seed", seed, 0)
    check_number("beta", beta, 0)
    if learning_rate is not None:
        check_number("learning_rate", learning_rate, 1e-12)
    if not isinstance(alignment, bool):
        _check_alignment(alignment, len(images))


def _check_alignment(alignment, count):
    from cardslib.similarity import Alignment  # here: half a second that few trainings need
    if not isinstance(alignment, Alignment):
        raise ValueError(f"alignment must be True, False or an Alignment; got {alignment!r}")
    if len(alignment) != count:
        raise ValueError(f"alignment must hold a pose for each of the {count} images; got {len(alignment)}")


class Adam(torch.optim.Adam):
    """torch's Adam, without the decorators that import torch's compiler, which costs the first `fit` 1.5 to 3 s for nothing."""

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Adam.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


class _Line:
    """Shows the progress on one line: a display that is updated in a notebook, a line that is rewritten in a terminal."""

    def __init__(self):
        self.display = None

    def __call__(self, progress):
        if _in_notebook():
            from IPython.display import display
            shown = {"text/plain": str(progress)}
            if self.display is None:
                self.display = display(shown, raw=True, display_id=True)
            else:
                self.display.update(shown, raw=True)
        elif sys.stdout.isatty():
            print(f"\r{progress}", end="\n" if progress.epoch == progress.epochs else "   ", flush=True)


def _in_notebook():
    ipython = sys.modules.get("IPython")
    return bool(ipython and ipython.get_ipython() and hasattr(ipython.get_ipython(), "kernel"))
