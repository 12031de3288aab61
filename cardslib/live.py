"""A live view of a training: pass it to `fit` as the callback, watch the model learn, pause it or stop it."""
import sys
import threading
import time
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from cardslib.canvas import replace_the_former
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

    In a notebook there are two buttons, pause and stop, heard between two epochs; a stopped model keeps what it has learnt.
    They need a kernel that listens while it works (ipykernel ≥ 7 with JupyterLab ≥ 4.4: messages of widgets then come on a
    thread of their own); elsewhere they are left out, and Jupyter's own stop button does the same.
    """

    def __init__(self, images, labels=None, names=None, frames=20):
        self.images, self.frames, self.names = check_images(images), check_count("frames", frames), names
        self.labels = check_named_labels(labels, names, len(self.images))
        self.pictures = []
        self._display = self._buttons = None

    def __call__(self, progress):
        if progress.epoch in self._moments(progress.epochs):
            self._draw(progress)
        if self._buttons:
            self._buttons.wait(progress.epoch == progress.epochs)

    def _draw(self, progress):
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
            if _listens_while_it_works(ipython.get_ipython()):
                self._buttons = Buttons()
            self._display = display(figure, display_id=True)
        else:
            self._display.update(figure)


class Buttons:
    """Pause and stop, for whoever waits for them between two epochs."""

    def __init__(self):
        from IPython.display import display
        self.going, self.stopped = threading.Event(), False
        self.going.set()
        self.pause, self.stop = widgets.ToggleButton(description="pause"), widgets.Button(description="stop")
        self.pause.observe(self._pause, "value")
        self.stop.on_click(self._stop)
        self.box = widgets.HBox([self.pause, self.stop])
        self.shown = display(self.box, display_id=True)
        replace_the_former(self)

    def wait(self, over=False):
        """Return when the training may go on; KeyboardInterrupt, which `fit` understands, if it is to stop."""
        while not self.going.is_set() and not self.stopped:
            time.sleep(0.02)
        if self.stopped or over:
            self.close()
        if self.stopped:
            raise KeyboardInterrupt

    def close(self):
        """Take the buttons away."""
        if self.box:
            self.shown.update({"text/plain": "stopped" if self.stopped else ""}, raw=True)
            for widget in (self.pause, self.stop, self.box):
                for part in (widget.layout, getattr(widget, "style", None), widget):
                    if part is not None:
                        part.close()
            self.box = None

    def _pause(self, change):
        self.pause.description = "go on" if change.new else "pause"
        (self.going.clear if change.new else self.going.set)()

    def _stop(self, _button):
        self.stopped = True


def _listens_while_it_works(shell):
    """Whether this kernel hears of a click while a cell runs: on a subshell, which is a thread beside the main one."""
    kernel = getattr(shell, "kernel", None)
    return bool(getattr(kernel, "_supports_kernel_subshells", False))
