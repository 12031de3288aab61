"""A live view of a training: pass it to `fit` as the callback, and watch the model learn."""
import sys
from pathlib import Path

import numpy as np

from cardslib.checks import check_count, check_images, check_named_labels
from cardslib.figures import training_view
from cardslib.latents import latent_grid


class LiveTraining:
    """Draws decoded grid, latent cloud and loss while `fit` runs; one picture stays in the notebook when it is over.

    images  (n, h, w), a thousand or so are enough for the cloud; labels (n,) whole numbers and their names colour it
    frames  how often to draw in the whole training, more often at its start, where most happens

        live = LiveTraining(digits.images, digits.label, range(10))
        fit(model, digits.images, callback=live)
        live.save("training.webp")

    For models with two content latents and no given label.
    """

    def __init__(self, images, labels=None, names=None, frames=20):
        self.images, self.frames, self.names = check_images(images), check_count("frames", frames), names
        self.labels = check_named_labels(labels, names, len(self.images))
        self.pictures = []
        self._display = None

    def __call__(self, progress):
        if progress.epoch not in self._moments(progress.epochs):
            return
        model, span = progress.model, 3.0
        if model.content != 2 or model.classes:   # said before the first epoch, when nothing is lost yet
            raise ValueError(f"LiveTraining draws models with two content latents and no label; this one has {model.content} "
                             f"and {model.classes} classes")
        figure = training_view(model.decode(latent_grid(10, span)), model.encode(self.images).content, self.labels, self.names,
                               progress.history, progress.epochs, span)
        self.pictures.append(figure.picture)
        self._show(figure)

    def save(self, path, seconds=6.0):
        """Write the training as an animation that lasts `seconds`, then rests on its last picture: .webp, .gif or .png."""
        if not self.pictures:
            raise ValueError("there is nothing to save yet: pass this view to fit(…, callback=…) first")
        if Path(path).suffix not in (".webp", ".gif", ".png"):
            raise ValueError(f"path must end in .webp, .gif or .png, which can hold an animation; got {path}")
        first, *others = [picture.resize((picture.width * 2 // 3, picture.height * 2 // 3)) for picture in self.pictures]
        durations = [round(1000 * seconds / len(self.pictures))] * len(others) + [2000]
        first.save(path, save_all=True, append_images=others, duration=durations, loop=0, quality=60)

    def _moments(self, epochs):
        """The epochs after which to draw: dense at first, the last one always among them."""
        return set(np.round(epochs * np.linspace(0, 1, self.frames + 1) ** 1.6).astype(int).tolist())

    def _show(self, figure):
        ipython = sys.modules.get("IPython")
        if ipython is None or ipython.get_ipython() is None:
            return
        from IPython.display import display
        if self._display is None:
            self._display = display(figure, display_id=True)
        else:
            self._display.update(figure)
