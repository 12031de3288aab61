"""Scale bars: a round length, its unit, and as long in the image as they say."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.lines import Line2D

from cardslib.figures import Map, arrows, column_maps, found_columns, labelled_image, overview
from cardslib.figures.scale_bars import check_pixel_size, draw_scale_bar, round_length
from cardslib.figures.style import Figure

IMAGE = np.random.default_rng(0).uniform(size=(80, 100))
POSITION = np.stack(np.meshgrid(np.arange(5, 100, 10.0), np.arange(5, 80, 10.0)), -1).reshape(-1, 2)
LABELS, ONES = np.arange(len(POSITION)) % 2, np.ones(len(POSITION))
BARRED = dict(
    column_maps=lambda size: column_maps(IMAGE, POSITION, {"one": Map(ONES), "two": Map(ONES)}, "maps", pixel_size=size),
    overview=lambda size: overview(IMAGE, (10, 20, 60, 70), "whole and part", pixel_size=size),
    labelled_image=lambda size: labelled_image(IMAGE, POSITION, LABELS, ("a", "b"), "kinds", pixel_size=size),
    labelled_part=lambda size: labelled_image(IMAGE, POSITION, LABELS, ("a", "b"), "kinds", (0, 0, 50, 50), pixel_size=size),
    found_columns=lambda size: found_columns(IMAGE, dict(a=POSITION, b=POSITION), "finds", (0, 0, 50, 50), pixel_size=size),
    arrows=lambda size: arrows(IMAGE, POSITION, np.stack([ONES, ONES], 1), "arrows", pixel_size=size))


def bar_of(axes):
    """How long the bar is, in the image's pixels, and its words."""
    [bar] = [artist for artist in axes.artists if isinstance(artist, Line2D)] or [line for line in axes.lines
                                                                              if line.get_linewidth() == 2.5]
    return np.ptp(bar.get_xdata()), axes.texts[0].get_text()


def barred(width, pixel_size):
    """The bar below an image so many pixels wide."""
    axes = Figure(4, 4, "an image").add_subplot()
    axes.set_xlim(-0.5, width - 0.5)
    draw_scale_bar(axes, pixel_size)
    return bar_of(axes)


@given(st.floats(1e-9, 1e9))
def test_a_round_length_is_one_two_or_five_times_a_power_of_ten(length):
    short = round_length(length)
    assert length / 2.5 - 1e-9 * length < short <= length * (1 + 1e-9)
    assert f"{short:.3e}"[:5] in ("1.000", "2.000", "5.000")


@pytest.mark.parametrize("length", [1e-3, 0.1, 1, 2, 5, 10, 1000, 5e5])
def test_a_length_that_is_round_stays_as_it_is(length):
    assert round_length(length) == pytest.approx(length)


@pytest.mark.parametrize("width, pixel_size, pixels, words", [
    (400, None, 100, "100 pixels"), (410, None, 100, "100 pixels"), (399, None, 50, "50 pixels"), (5, None, 1, "1 pixel"),
    (400, 0.1, 100, "1 nm"), (400, 0.09, 5 / 0.09, "5 Å"), (1700, 0.15, 50 / 0.15, "5 nm"),
    (200, 0.01, 50, "50 pm"), (400, 2000, 100, "20 µm")])
def test_the_bar_is_a_round_length_and_at_most_a_quarter_of_the_image(width, pixel_size, pixels, words):
    assert barred(width, pixel_size) == (pytest.approx(pixels), words)


@pytest.mark.parametrize("pixel_size", [None, 0.2])
@pytest.mark.parametrize("name", BARRED)
def test_every_micrograph_and_map_has_its_bar_below_it(name, pixel_size):
    figure = BARRED[name](pixel_size)
    assert figure.picture
    images = [axes for axes in figure.axes if axes.get_images() and axes.get_label() != "<colorbar>"]
    assert len(images) == (1 if name == "arrows" else 2)
    for axes in images:
        pixels, words = bar_of(axes)
        unit = "pixels" if pixel_size is None else "nm" if pixels * pixel_size >= 10 - 1e-9 else "Å"
        shown = pixels * (pixel_size or 1) / (10 if unit == "nm" else 1)
        assert words == f"{round(shown, 6):g} {unit}"
        box = axes.texts[0].get_window_extent()
        assert 0 <= box.y0 and box.y1 <= axes.bbox.y0 and axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1


def test_the_bar_is_drawn_in_black_below_the_lower_right_corner_of_the_image():
    figure = overview(IMAGE, (0, 0, 80, 60), "an image", pixel_size=0.2)
    pixels, axes = np.asarray(figure.picture.convert("L")), figure.axes[0]
    bottom, right = round(figure.bbox.height - axes.bbox.y0), round(axes.bbox.x1)
    long = round(bar_of(axes)[0] / 100 * axes.bbox.width)
    below = pixels[bottom + 5:bottom + 18, right - long + 2:right - 2]
    assert (below.min(0) < 60).all() and (below.max(0) > 250).all()


@pytest.mark.parametrize("wrong", [0, -1, np.nan, np.inf, "0.2"])
def test_a_pixel_size_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="^pixel_size must be a finite number of at least"):
        check_pixel_size(wrong)
