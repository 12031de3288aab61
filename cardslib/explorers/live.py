"""A live view of a training: pass it to `fit` as the callback, and watch the model learn; or start it, pause it, stop it."""
import sys
import threading
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from cardslib.explorers.decoder import check_draws_images, grey_values
from cardslib.explorers.rerun import replace_the_former
from cardslib.figures.plots import training_view
from cardslib.models.latents import latent_grid
from cardslib.training import fit
from cardslib.validation import check_count, check_named_labels, check_values

GRID, SPAN = 10, 3.0   # decoded images along an edge, and how far the grid and the cloud reach: three sd of the prior
EARLY = 1.6            # power of the frames' spacing: about two in three of them in the first half of the training


class LiveTraining:
    """Draws decoded grid, latent cloud and loss while `fit` runs; one picture stays in the notebook when it is over.

    images  (n, h, w) as the model's, a thousand or so are enough for the cloud
    labels  (n,) whole numbers, and their names: to colour it
    frames  how often to draw in the whole training, more often at its start, where most happens

        live = LiveTraining(digits.images, digits.label, range(10))
        fit(model, digits.images, callback=live)
        live.save("training.webp")

    A kernel that runs a cell hears of no button before the cell is over.  So `fit` is stopped by Jupyter's own stop button: the
    model keeps what it has learnt, and `fit` again goes on.  For buttons of its own the training runs in the background:

        live = LiveTraining(digits.images, digits.label, range(10)).start(model, digits.images)
        history = live.wait()   # in another cell, before the model is used

    For models with two content latents and neither classes, conditions nor groups.
    """

    def __init__(self, images, labels=None, names=None, frames=20):
        self.images, self.frames, self.names = check_values(images), check_count("frames", frames), names
        self.labels = check_named_labels(labels, names, len(self.images))
        self.pictures, self.history = [], None
        self._display = self._controls = None

    def __call__(self, progress):
        if self._controls:
            self._controls.say(str(progress))
        if progress.epoch in self._moments(progress.epochs):
            self._draw(progress)
        if self._controls:
            self._controls.wait()

    def start(self, model, images, labels=None, **options):
        """Train in the background, with buttons to pause and to stop; takes what `fit` takes, and returns at once.

        What goes wrong is said beside the buttons, and raised by `wait`.  Running the cell again stops the former training.
        """
        if self._controls:
            raise ValueError("this view has a training already: make a new LiveTraining for another")
        check_draws_images(model)
        model.check(self.images)
        self._controls = Controls()

        def train():
            try:
                self.history = fit(model, images, labels, callback=self, progress=False, **options)
                self._controls.finish("stopped" if self.history.interrupted else "finished")
            except Exception as problem:   # in a thread it would reach nobody
                self._controls.finish(f"{type(problem).__name__}: {problem}", problem)
        self._controls.thread = threading.Thread(target=train, daemon=True)
        self._controls.show()
        self._controls.thread.start()
        return self

    def wait(self):
        """Wait until the training that was started is over; returns its `History`."""
        if not self._controls:
            raise ValueError("there is nothing to wait for: call start(model, images) first")
        self._controls.thread.join()
        if self._controls.problem:
            raise self._controls.problem
        return self.history

    def _draw(self, progress):
        model = progress.model
        beside = model.classes + model.conditions + model.groups
        if model.content != 2 or beside:   # said before the first epoch, when nothing is lost yet
            raise ValueError(f"LiveTraining draws models with two content latents and nothing beside them; this one has "
                             f"{model.content} content latents and {beside or 'no'} classes, conditions or groups")
        check_draws_images(model)
        grid, cloud = grey_values(model, model.decode(latent_grid(GRID, SPAN))), model.encode(self.images).content
        figure = training_view(grid, cloud, self.labels, self.names, progress.history, progress.epochs, SPAN)
        self.pictures.append(figure.picture)
        self._show(figure)

    def save(self, path, seconds=6.0):
        """Write the training as an animation that lasts `seconds`, then rests on its last picture: .webp, .gif or .png."""
        if not self.pictures:
            raise ValueError("there is nothing to save yet: pass this view to fit(…, callback=…) first")
        if Path(path).suffix not in (".webp", ".gif", ".png"):
            raise ValueError(f"path must end in .webp, .gif or .png, which can hold an animation; got {path}")
        first, *others = [picture.resize((picture.width * 2 // 3, picture.height * 2 // 3)) for picture in self.pictures]
        durations = [round(1000 * seconds / len(self.pictures))] * len(others) + [2000]   # milliseconds
        first.save(path, save_all=True, append_images=others, duration=durations, loop=0, quality=60)

    def _moments(self, epochs):
        """The epochs after which to draw: dense at first, the last one always among them."""
        return set(np.round(epochs * np.linspace(0, 1, self.frames + 1) ** EARLY).astype(int).tolist())

    def _show(self, figure):
        if self._controls:
            self._controls.picture.value = figure._repr_mimebundle_()[0]["text/html"]
            return
        ipython = sys.modules.get("IPython")
        if ipython is None or ipython.get_ipython() is None:
            return
        from IPython.display import display
        if self._display is None:
            self._display = display(figure, display_id=True)
        else:
            self._display.update(figure)


class Controls:
    """Buttons to pause and to stop, a line of words, and the picture of a training in the background."""

    def __init__(self):
        self.pause = widgets.ToggleButton(description="pause")
        self.stop = widgets.Button(description="stop")
        self.words, self.picture = widgets.Label(), widgets.HTML()
        self.box = widgets.VBox([widgets.HBox([self.pause, self.stop]), self.words, self.picture])
        self.thread = self.problem = None
        self._go_on, self._stopped = threading.Event(), False
        self._go_on.set()
        self.pause.observe(self._paused, "value")
        self.stop.on_click(lambda _button: self.halt())

    def show(self):
        """Stand in the notebook, in the place of what an earlier run of the cell has left."""
        replace_the_former(self)
        if "IPython" in sys.modules:
            from IPython.display import display
            display(self.box)

    def say(self, words):
        """Words beside the buttons."""
        self.words.value = words

    def wait(self):
        """Return when the training may go on; KeyboardInterrupt, which `fit` understands, if it is to stop."""
        self._go_on.wait()
        if self._stopped:
            raise KeyboardInterrupt

    def halt(self):
        """Stop after this epoch, paused or not."""
        self._stopped = True
        self._go_on.set()

    def finish(self, words, problem=None):
        """The training is over: nothing is left to press."""
        self.problem = problem
        self.say(f"{self.words.value} · {words}" if self.words.value else words)
        self.pause.disabled = self.stop.disabled = True

    def close(self):
        """Stop the training and leave no widget behind."""
        self.halt()
        self.thread.join()
        for widget in (self.pause, self.stop, self.words, self.picture, self.box.children[0], self.box):
            for part in (widget.layout, getattr(widget, "style", None), widget):
                if part is not None:
                    part.close()

    def _paused(self, change):
        self.pause.description = "go on" if change.new else "pause"
        (self._go_on.clear if change.new and not self._stopped else self._go_on.set)()
