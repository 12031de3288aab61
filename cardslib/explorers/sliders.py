"""Sliders: how they are made, what they say, and what the page must know of them."""
import ipywidgets as widgets

WIDTH = "25em"   # of a slider with its label


def number_slider(label, value, low, high, step, digits=2):
    """A slider for a number that is shown with so many digits."""
    return widgets.FloatSlider(value, min=low, max=high, step=step, description=label, readout_format=f".{digits}f",
                               layout=dict(width=WIDTH))


def index_slider(label, count, value=0):
    """A slider for one of `count` things by its number, from 0 on."""
    return widgets.IntSlider(value, 0, count - 1, description=label, layout=dict(width=WIDTH))


def choice_slider(label, options, value=None):
    """A slider for one of several things; the first of them if no value is named."""
    options = list(options)
    return widgets.SelectionSlider(options=[(str(option), option) for option in options],
                                   value=options[0] if value is None else value, description=label, layout=dict(width=WIDTH))


def trait_of(slider):
    """The name of the trait that holds a slider's number; of a choice, which one."""
    return "index" if isinstance(slider, widgets.SelectionSlider) else "value"


def describe(name, slider):
    """What the page must know of a slider."""
    about = dict(name=name, label=slider.description)
    if isinstance(slider, widgets.SelectionSlider):
        options = [label for label, _ in slider.options]
        return about | dict(min=0, max=len(options) - 1, step=1, options=options)
    digits = int(slider.readout_format[1:-1]) if slider.readout_format.endswith("f") else 0
    return about | dict(min=slider.min, max=slider.max, step=slider.step, digits=digits)
