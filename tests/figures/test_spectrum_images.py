"""Figures of spectra and of maps over a spectrum image: what they show, and that they say it in words."""
import numpy as np
import pytest

from cardslib import figures

ENERGY = np.arange(500.0, 540.0)
RAMP = np.linspace(0, 1, 48).reshape(6, 8)


def made():
    line = np.exp(-((ENERGY - 520) / 4) ** 2)
    panels = {"a": {"measured ·": line + 0.1, "drawn": line}, "b": {"one": line}}
    return {"spectra": figures.spectra(ENERGY, panels, "Two panels."),
            "pixel_maps": figures.pixel_maps({"one": RAMP, "two": 1 - RAMP}, "Two maps of a ramp."),
            "pixel_maps with a bar": figures.pixel_maps({"one": RAMP}, "A map with its bar.", span=(0, 2), unit=" eV"),
            "group_maps": figures.group_maps({"groups": (RAMP * 3).astype(int) - 1}, "A map of groups, one of none.")}


@pytest.fixture(scope="module")
def drawn():
    return made()


@pytest.mark.parametrize("name", ["spectra", "pixel_maps", "pixel_maps with a bar", "group_maps"])
def test_it_is_a_figure_with_alt_text_that_draws_something(drawn, name):
    figure = drawn[name]
    pixels = np.asarray(figure.picture)
    assert isinstance(figure, figures.Figure) and len(figure.alt) > 10 and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


def test_a_measured_spectrum_is_thin_and_its_name_has_no_dot(drawn):
    measured, of_model = drawn["spectra"].axes[0].get_lines()
    assert measured.get_linewidth() < of_model.get_linewidth() and measured.get_label() == "measured"
    assert drawn["spectra"].axes[0].get_xlabel() == "energy loss (eV)"


def test_maps_of_one_span_share_it_and_have_a_bar(drawn):
    figure = drawn["pixel_maps with a bar"]
    assert figure.axes[0].images[0].get_clim() == (0, 2) and len(figure.axes) == 2
    assert len(drawn["pixel_maps"].axes) == 2   # no bar


def test_maps_without_a_span_are_told_apart_each_by_itself(drawn):
    low, high = drawn["pixel_maps"].axes[0].images[0].get_clim()
    assert 0 <= low < 0.05 and 0.95 < high <= 1


def test_what_is_in_no_group_stays_white(drawn):
    shown = np.asarray(drawn["group_maps"].axes[0].images[0].get_array())
    assert (shown[(RAMP * 3).astype(int) == 0] == 255).all() and not (shown[(RAMP * 3).astype(int) > 0] == 255).all(-1).any()
