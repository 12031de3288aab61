"""An explorer: sliders, the widget that they are linked to, and a page of its own."""
import base64
import html
import io
from functools import cache

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets
from PIL import Image

from cardslib.explorers.html import SCRIPT, STYLE, stand_alone, whole_page
from cardslib.explorers.packing import pack
from cardslib.explorers.rerun import replace_the_former
from cardslib.explorers.sliders import describe, trait_of
from cardslib.figures.style import mosaic

STILL_WIDTH = 160, 700   # screen pixels of a still: so many a panel, but no more in all


class ExplorerWidget(anywidget.AnyWidget):
    """What the page draws: the spec of a view, the numbers that it needs, and one trait a slider."""

    _esm = traitlets.Unicode(SCRIPT).tag(sync=True)
    _css = traitlets.Unicode(STYLE).tag(sync=True)
    spec = traitlets.Dict().tag(sync=True)
    data = traitlets.Bytes(b"").tag(sync=True)   # the arrays of spec["arrays"], packed


@cache
def _widget_with(names):
    """The class of a widget that has a trait of each of these names."""
    return type("ExplorerWidget", (ExplorerWidget,), {name: traitlets.Float().tag(sync=True) for name in names})


class Explorer(widgets.HBox):
    """Sliders and a widget.  The page draws, so that a slider answers at once and goes on answering when no kernel runs.

    view     what the page shows: a name in `js/page.js`
    sliders  {name: slider}
    arrays   {name: array}: the numbers that the view needs;  spec: what else it must know

    A class of explorers has a method `panels(**values)`: {title: image (h, w)}, what the page should show, computed here.
    """

    def __init__(self, view, sliders, arrays, **spec):
        self.sliders = sliders
        index, data = pack(arrays)
        spec |= dict(view=view, arrays=index, sliders=[describe(name, slider) for name, slider in sliders.items()])
        self.widget = _widget_with(tuple(sliders))(spec=spec, data=data, **self.values)
        self._links = [widgets.jslink((slider, trait_of(slider)), (self.widget, name)) for name, slider in sliders.items()]
        super().__init__([widgets.VBox(list(sliders.values())), self.widget])
        self.add_class("cards-explorer")
        replace_the_former(self)

    @property
    def values(self):
        """What the sliders say, by name: numbers; of a choice, which one."""
        return {name: getattr(slider, trait_of(slider)) for name, slider in self.sliders.items()}

    def part(self):
        """HTML of this explorer, as a part of a page that ends with `html.scripts()`."""
        return stand_alone(self.widget.spec, self.values, self.widget.data, self.still())

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
        panels = self.panels(**self.values)
        picture = mosaic(_of_one_size([image.clip(0, 1) for image in panels.values()]), len(panels))
        file, (each, most) = io.BytesIO(), STILL_WIDTH
        Image.fromarray((picture * 255).round().astype(np.uint8)).save(file, "webp", lossless=True)
        return (f'<img alt="{html.escape(" | ".join(panels))}" width="{min(most, each * len(panels))}" '
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


def zoom_for(shown, pixels):
    """Screen pixels a pixel, a whole number: panels of `pixels` across are shown about `shown` screen pixels wide."""
    return max(1, round(shown / pixels))


def _of_one_size(images):
    """Images (h, w) as one array: smaller ones are enlarged by a whole factor, and stand on black."""
    height, width = np.max([image.shape for image in images], 0)
    panels = np.zeros((len(images), height, width), np.float32)
    for panel, image in zip(panels, images):
        times = min(height // image.shape[0], width // image.shape[1])
        enlarged = image.repeat(times, 0).repeat(times, 1)
        panel[:enlarged.shape[0], :enlarged.shape[1]] = enlarged
    return panels
