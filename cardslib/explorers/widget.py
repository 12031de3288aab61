"""The canvas of an explorer, the sliders that are linked to it, and what becomes of both when their cell is run again."""
import base64
import html
import io
import sys
import zlib
from functools import cache

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets
from PIL import Image

from cardslib.explorers.html import SCRIPT, STYLE, stand_alone, whole_page
from cardslib.explorers.weights import pack
from cardslib.figures.style import mosaic

WIDTH = "25em"        # of a slider with its label
IMAGES = 40_000       # bytes that the images of the data may take, packed, in an explorer


class Canvas(anywidget.AnyWidget):
    """What `explorer.js` draws: a scene, the numbers that it needs, and one trait a slider."""

    _esm = traitlets.Unicode(SCRIPT).tag(sync=True)
    _css = traitlets.Unicode(STYLE).tag(sync=True)
    scene = traitlets.Dict().tag(sync=True)
    data = traitlets.Bytes(b"").tag(sync=True)   # the arrays of scene["arrays"], packed


@cache
def _canvas_with(names):
    return type("Canvas", (Canvas,), {name: traitlets.Float().tag(sync=True) for name in names})


class Explorer(widgets.HBox):
    """Sliders and a canvas.  The page draws, so that a slider answers at once and goes on answering when no kernel runs.

    kind     of the scene, a name in `explorer.js`
    sliders  {name: slider}
    arrays   {name: array}: the numbers that the scene needs;  scene: what else it must know

    A kind of explorer has a method `tiles(**values)`: {title: image (h, w)}, what the page should show, computed here.
    """

    def __init__(self, kind, sliders, arrays, **scene):
        self.sliders, self._links = sliders, []
        index, data = pack(arrays)
        scene |= dict(kind=kind, arrays=index, sliders=[_about(name, slider) for name, slider in sliders.items()])
        self.canvas = _canvas_with(tuple(sliders))(scene=scene, data=data, **self.values)
        for name, slider in sliders.items():
            self._links.append(widgets.jslink((slider, _trait(slider)), (self.canvas, name)))
        super().__init__([widgets.VBox(list(sliders.values())), self.canvas])
        self.add_class("cards-explorer")
        replace_the_former(self)

    @property
    def values(self):
        """What the sliders say, by name: numbers; of a choice, which one."""
        return {name: getattr(slider, _trait(slider)) for name, slider in self.sliders.items()}

    def part(self):
        """HTML of this explorer, as a part of a page that ends with `page.scripts()`."""
        return stand_alone(self.canvas.scene, self.values, self.canvas.data, self.still())

    def html(self):
        """This explorer as a page of its own, with all that it needs: it opens without a kernel and without a network."""
        title = type(self).__name__.replace("Explorer", " explorer")
        return whole_page(title, f"<main><h1>{title}</h1>\n{self.part()}</main>")

    def save(self, path):
        """Write `html()` to a file."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.html())

    def still(self):
        """HTML of a picture of what is shown now: for readers who run nothing at all."""
        tiles = self.tiles(**self.values)
        picture = mosaic(_of_one_size([image.clip(0, 1) for image in tiles.values()]), len(tiles))
        file = io.BytesIO()
        Image.fromarray((picture * 255).round().astype(np.uint8)).save(file, "webp", lossless=True)
        return (f'<img alt="{html.escape(" | ".join(tiles))}" width="{min(700, 160 * len(tiles))}" '
                f'src="data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}">')

    def close(self):
        """Leave nothing behind, neither here nor in the page."""
        if self.comm is None:   # closed already, or never made
            return
        for widget in (*self._links, *self.sliders.values(), *self.children, self):
            for part in ("style", "layout"):
                if isinstance(getattr(widget, part, None), widgets.Widget):
                    getattr(widget, part).close()
            if widget is not self:
                widget.close()
        super().close()
        self.children, self._links = (), []
        for name in [name for name in vars(self) if not name.startswith("_")]:   # the notebook's Out[…] keeps this object
            setattr(self, name, None)
        self.sliders = {}

    def _repr_mimebundle_(self, **options):
        shown = super()._repr_mimebundle_(**options)
        return shown and {**shown, "text/plain": repr(self), "text/html": self.still()}

    def __repr__(self):
        """What stands in the notebook where neither widgets nor pictures are shown."""
        return f"{type(self).__name__}, with sliders for {', '.join(self.sliders)}: run this cell to move them"


def slider(label, value, low, high, step, digits=2):
    """A slider for a number that is shown with so many digits."""
    return widgets.FloatSlider(value, min=low, max=high, step=step, description=label, readout_format=f".{digits}f",
                               layout=dict(width=WIDTH))


def whole(label, most):
    """A slider for a whole number from 0 on."""
    return widgets.IntSlider(0, 0, most, description=label, layout=dict(width=WIDTH))


def choice(label, options, value=None):
    """A slider for one of several things."""
    options = list(options)
    return widgets.SelectionSlider(options=[(str(option), option) for option in options],
                                   value=options[0] if value is None else value, description=label, layout=dict(width=WIDTH))


def _of_one_size(images):
    """Images (h, w) as one array: smaller ones are enlarged by a whole factor, and stand on black."""
    height, width = np.max([image.shape for image in images], 0)
    tiles = np.zeros((len(images), height, width), np.float32)
    for tile, image in zip(tiles, images):
        times = min(height // image.shape[0], width // image.shape[1])
        enlarged = image.repeat(times, 0).repeat(times, 1)
        tile[:enlarged.shape[0], :enlarged.shape[1]] = enlarged
    return tiles


def _trait(slider):
    return "index" if isinstance(slider, widgets.SelectionSlider) else "value"


def _about(name, slider):
    """What the page must know of a slider."""
    about = dict(name=name, label=slider.description)
    if isinstance(slider, widgets.SelectionSlider):
        options = [label for label, _ in slider.options]
        return about | dict(min=0, max=len(options) - 1, step=1, options=options)
    digits = int(slider.readout_format[1:-1]) if slider.readout_format.endswith("f") else 0
    return about | dict(min=slider.min, max=slider.max, step=slider.step, digits=digits)


# ---------------------------------------------------------------------- what goes to the page

def as_bytes(images):
    """Grey values in [0, 1] as bytes."""
    return (images * 255 + 0.5).astype(np.uint8)


def affordable(images, budget):
    """How many of the images (n, …) may go to the page if they may take so many bytes, packed."""
    sample = as_bytes(images[evenly(len(images), 50)])
    return max(1, min(len(images), int(budget / (len(zlib.compress(sample.tobytes())) / len(sample)))))


def evenly(count, most):
    """Indices of at most so many of `count`, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def zoom_for(shown, pixels):
    """Screen pixels a pixel, a whole number: images of `pixels` are shown about so large."""
    return max(1, round(shown / pixels))


# ---------------------------------------------------------------------- running a cell again

_made = {}   # {cell: (run, what this run has made)}


def replace_the_former(made_now):
    """Close what an earlier run of this cell has made, now that it has made this: nobody sees it any more."""
    cell, run = _cell_and_run()
    if cell is None:
        return
    former, made = _made.get(cell, (run, []))
    if former != run:
        for old in made:
            old.close()
        made = []
    _made[cell] = run, [*made, made_now]


def _cell_and_run():
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    parent = getattr(shell, "parent_header", None) if hasattr(shell, "kernel") else None
    if not parent:
        return None, None
    return parent["metadata"].get("cellId", parent["content"].get("code")), parent["header"]["msg_id"]
